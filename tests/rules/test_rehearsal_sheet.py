"""The pass/fail sheet of a rehearsal."""

from dataclasses import replace

import pytest

from server.rehearsal.sheet import Measured, judge, percentile

GOOD = Measured(10, 10, 10, 10, 5.0, (1.0, 1000.0), 100, 0, 0, 0, 8, 2, 0, False)


def failed(found: Measured) -> list[str]:
    return [line.code for line in judge(found) if not line.passed]


def test_limits_are_inclusive() -> None:
    """Exactly 5 s from bell to last paper and exactly 1000 ms for 99 of 100 pass."""
    assert failed(GOOD) == []
    assert failed(replace(GOOD, bell_s=5.01)) == ["rehearse-bell"]
    assert failed(replace(GOOD, latencies=(1.0, 1000.1))) == ["rehearse-p99"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"welcomed": 9}, "rehearse-welcomed"),
        ({"sealed": 9}, "rehearse-sealed"),
        ({"opened": 9}, "rehearse-opened"),
        ({"acknowledged": 0}, "rehearse-acknowledged"),
        ({"lost": 1}, "rehearse-lost"),
        ({"changed": 1}, "rehearse-changed"),
        ({"faults": 1}, "rehearse-faults"),
        ({"handed_in": 1}, "rehearse-ended"),
        ({"failed": 1}, "rehearse-failed"),
    ],
)
def test_one_thing_wrong_fails_the_sheet(change: dict[str, int], code: str) -> None:
    """Each requirement fails by itself and by its name."""
    assert failed(replace(GOOD, **change)) == [code]


def test_a_power_cut_takes_latency_out_of_the_verdict() -> None:
    """Answers that waited for a killed server do not fail the sheet."""
    cut = replace(GOOD, latencies=(60_000.0,), power_cut=True)
    assert failed(cut) == [] and percentile((), 0.99) == 0.0
