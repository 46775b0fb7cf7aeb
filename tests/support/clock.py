"""Clocks that a test moves, one that stands still and one that runs; both implement server.clock.Clock."""

import time
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 14, 0, 0, tzinfo=UTC)  # 8:00 in Shanghai


class FakeClock:
    """Legal and monotonic time as the test sets them."""

    def __init__(self, legal: datetime = START, monotonic: float = 1000.0, rate: float = 1.0) -> None:
        self._legal = legal
        self._monotonic = monotonic
        self._rate = rate

    def legal(self) -> datetime:
        return self._legal

    def monotonic(self) -> float:
        return self._monotonic

    def rate(self) -> float:
        return self._rate

    def step(self) -> float:
        """The system clock never stands apart."""
        return 0.0

    def set(self, legal: datetime) -> None:
        """Jump to a legal time; monotonic time stays."""
        self._legal = legal

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let both clocks go on by the same span."""
        span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        self._legal += span
        self._monotonic += span.total_seconds()


class RunningClock(FakeClock):
    """A legal clock that goes on at the rate of real time from wherever the test puts it."""

    def __init__(self, legal: datetime = START) -> None:
        super().__init__(legal)
        self._since = time.monotonic()

    def legal(self) -> datetime:
        return self._legal + timedelta(seconds=time.monotonic() - self._since)

    def monotonic(self) -> float:
        return time.monotonic()

    def set(self, legal: datetime) -> None:
        self._legal, self._since = legal, time.monotonic()
