"""How long to wait before the browser is started again: pure."""

from collections.abc import Sequence

FIRST_S = 0.5
MOST_S = 20.0
WINDOW_S = 600.0
"""Only ends within these monotonic seconds count."""
BUDGET = 20
"""Ends in the window after which the machine is said to be faulty, and each further start waits the longest."""


def wait_before(ended: Sequence[float], now: float) -> float:
    """Return monotonic seconds to wait: none to speak of at first, doubling while the browser keeps ending.

    It never gives up: a candidate may sit there.
    """
    recent = sum(1 for at in ended if now - at <= WINDOW_S)
    return float(min(MOST_S, FIRST_S * 2.0 ** max(0, min(recent - 1, 10))))


def over_budget(ended: Sequence[float], now: float) -> bool:
    """Tell whether the browser ended too often to be sound."""
    return sum(1 for at in ended if now - at <= WINDOW_S) > BUDGET
