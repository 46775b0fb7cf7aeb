"""The load scenarios in their short form, and the judgement of their figures."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from loadtests.__main__ import ROOT, SCENARIOS
from loadtests.report import THRESHOLDS, judged, percentile

MOST_S = 540
"""Five load generators and a centre are started one after another: half a minute, minutes on a busy machine."""


@pytest.mark.timeout(MOST_S + 60)
def test_scenarios_keep_their_thresholds() -> None:
    """Ten candidates go through start rush, autosave, reconnect storm, boards and hand-in rush against a centre of
    their own over TLS, and every threshold is kept."""
    command = [sys.executable, "-m", "loadtests", "--users", "10", "--seconds", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MOST_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"| {scenario} |" in done.stdout for scenario in SCENARIOS)


def row(name: str, times: dict[str, int], failures: int = 0) -> dict[str, object]:
    """Return one entry as locust writes it."""
    return {
        "name": name,
        "num_requests": sum(times.values()),
        "num_failures": failures,
        "response_times": times,
    }


def test_report_names_every_breach(tmp_path: Path) -> None:
    """A figure that is too slow, failed, too rare or absent is named, and one that keeps its threshold is not."""
    thresholds, stats = tmp_path / "thresholds.toml", tmp_path / "stats.json"
    thresholds.write_text(
        "".join(f"[S.{name}]\nleast = 2\nfailures = 0\np99_ms = 100\n" for name in ("a", "b", "c", "d", "e")),
        encoding="utf-8",
    )
    rows = [
        row("a", {"50": 4}),
        row("b", {"50": 3, "101": 1}),
        row("c", {"50": 4}, failures=1),
        row("d", {"50": 3}),
        row("surprise", {"1": 1}, failures=1),
    ]
    stats.write_text(json.dumps(rows), encoding="utf-8")
    faults = {one.name: one.faults for one in judged("S", 2, stats, thresholds)}
    assert faults == {
        "a": (),
        "b": ("p99 over 100 ms",),
        "c": ("1 failed",),
        "d": ("happened 3 times, wanted 4",),
        "e": ("happened 0 times, wanted 4",),
        "surprise": ("1 failed",),
    }


def test_percentile_counts_every_time() -> None:
    """The 99th percentile of 99 fast answers and one slow is fast, of 98 fast and two slow is slow."""
    assert percentile({"10": 99, "900": 1}, 0.99) == 10
    assert percentile({"10": 98, "900": 2}, 0.99) == 900


def test_every_scenario_has_thresholds() -> None:
    """Each scenario of `python -m loadtests` has thresholds, and no other name has."""
    assert tomllib.loads(THRESHOLDS.read_text(encoding="utf-8")).keys() == set(SCENARIOS)


def test_every_benchmark_is_run() -> None:
    """`python -m benchmarks` runs every script of the folder that takes `--quick`, and no other."""
    scripts = {
        file.stem
        for file in (ROOT / "benchmarks").glob("*.py")
        if "--quick" in (text := file.read_text(encoding="utf-8")) and "def main()" in text
    }
    assert scripts - {"__main__"} == set(NAMES)
