"""When sign-in is closed for a while after wrong passwords. Pure: failures and the monotonic clock in.

Two limits: a tight one for a name from one address, and a loose one for a name from everywhere, so that a
stranger who knows a name cannot easily lock its owner out, and a botnet cannot guess for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.errors import Refusal

WINDOW_S = 900.0
"""Failures older than this many monotonic seconds (inclusive) no longer count."""
FREE_FAILURES_HERE = 5
"""Failures of one name from one address before a wait is asked for."""
FREE_FAILURES_ANYWHERE = 50
"""The same from all addresses together."""
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One wrong sign-in: where from, and when in monotonic seconds."""

    address: str
    at: float


def wait_after(failures: int, free: int) -> float:
    """Return the seconds to wait after so many failures: 0 below `free`, then 30 s doubling up to 15
    minutes."""
    if failures < free:
        return 0.0
    return min(FIRST_WAIT_S * 2.0 ** min(failures - free, 10), LONGEST_WAIT_S)


def recent(failures: Sequence[Failure], now: float) -> tuple[Failure, ...]:
    """Return the failures that still count."""
    return tuple(failure for failure in failures if now - failure.at < WINDOW_S)


def sign_in_refusal(failures: Sequence[Failure], address: str, now: float) -> Refusal | None:
    """Say whether a name may try from this address now; `failures` are all of that name, oldest first."""
    counted = recent(failures, now)
    here = [failure for failure in counted if failure.address == address]
    for group, free in ((here, FREE_FAILURES_HERE), (list(counted), FREE_FAILURES_ANYWHERE)):
        wait = wait_after(len(group), free)
        if group and now < group[-1].at + wait:
            return Refusal("sign-in-locked", facts={"wait_seconds": int(group[-1].at + wait - now) + 1})
    return None
