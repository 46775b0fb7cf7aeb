"""The pass/fail sheet of a rehearsed hall: what was measured, what is required, and the verdict: pure."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_BELL_S = 5.0
"""Seconds from the bell to the last opened paper, inclusive."""
MOST_P99_MS = 1_000.0
"""Milliseconds from an answer to its acknowledgement, for ninety-nine of a hundred, inclusive."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one rehearsal gave. Latencies in milliseconds, ascending; times in monotonic seconds."""

    seats: int
    welcomed: int
    sealed: int
    opened: int
    bell_s: float
    latencies: Sequence[float]
    acknowledged: int
    lost: int
    changed: int
    faults: int
    collected: int
    handed_in: int
    failed: int
    power_cut: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One requirement: its text code, what was found and what is required in words, and whether it holds."""

    code: str
    found: str
    required: str
    passed: bool


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value below which `share` of them lie (nearest rank); 0 for none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]


def judge(found: Measured) -> tuple[Line, ...]:
    """Return every requirement with what was found; the rehearsal has passed when all of them hold."""
    p99 = percentile(found.latencies, 0.99)
    ended = found.collected + found.handed_in

    def all_of(code: str, count: int) -> Line:
        return Line(code, str(count), str(found.seats), count == found.seats)

    def none_of(code: str, count: int) -> Line:
        return Line(code, str(count), "0", count == 0)

    lines = [
        all_of("rehearse-welcomed", found.welcomed),
        all_of("rehearse-sealed", found.sealed),
        all_of("rehearse-opened", found.opened),
        Line("rehearse-bell", f"{found.bell_s:.2f} s", f"≤ {MOST_BELL_S:g} s", found.bell_s <= MOST_BELL_S),
        Line("rehearse-acknowledged", str(found.acknowledged), "> 0", found.acknowledged > 0),
        none_of("rehearse-lost", found.lost),
        none_of("rehearse-changed", found.changed),
        none_of("rehearse-faults", found.faults),
        all_of("rehearse-ended", ended),
        none_of("rehearse-failed", found.failed),
    ]
    if not found.power_cut:
        # While the server was away answers waited, as they should.
        lines.insert(5, Line("rehearse-p99", f"{p99:.0f} ms", f"≤ {MOST_P99_MS:g} ms", p99 <= MOST_P99_MS))
    return tuple(lines)
