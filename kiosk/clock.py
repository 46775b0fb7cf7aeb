"""The only place of the kiosk that reads a clock. Sockets, timers and answers know the monotonic one alone: legal
time comes from the centre. The machine's own date serves one purpose: to report how far off it is.
"""

import time
from datetime import UTC, datetime


def monotonic() -> float:
    """Return monotonic seconds."""
    return time.monotonic()


def wall() -> datetime:
    """Return what this machine takes for the time (aware, UTC); nothing of an exam rests on it."""
    return datetime.now(UTC)
