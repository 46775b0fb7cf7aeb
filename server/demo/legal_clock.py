"""The demo's hand on the shared clock file: how fast the legal time goes, and its jumps over days of waiting."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from server.clock import ClockFile, DemoClock, host_monotonic


class LegalClock:
    """Writes the clock file that all processes of the demo read."""

    def __init__(self, path: Path, start: datetime, rate: float) -> None:
        self.path = path
        self.speed = rate
        """Legal seconds a second from now on; `go` changes it."""
        ClockFile(host_monotonic(), start, rate).save(path)
        self._clock = DemoClock(path)

    def now(self) -> datetime:
        """Return the legal time (aware UTC)."""
        return self._clock.legal()

    def jump(self, to: datetime) -> None:
        """Go to a later legal time at once; a time already past is left as it is."""
        if to > self.now():
            ClockFile(host_monotonic(), to, self.speed).save(self.path)

    def go(self, speed: float) -> None:
        """Go on from now at another speed."""
        now = self.now()
        self.speed = speed
        ClockFile(host_monotonic(), now, speed).save(self.path)

    async def until(self, moment: datetime) -> None:
        """Wait, at the demo's speed, until the legal time has come."""
        while (left := (moment - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(0.5, max(0.005, left / self.speed)))

    async def minutes(self, count: float) -> None:
        """Wait so many legal minutes."""
        await self.until(self.now() + timedelta(minutes=count))
