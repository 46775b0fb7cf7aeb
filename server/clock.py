"""The only place of the server that reads a clock.

`legal` is the time that rules are judged by: aware UTC, shown as Asia/Shanghai. `monotonic` is seconds for sockets,
lock-outs and watchdogs; it never jumps and is never accelerated.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from server.errors import BadInput

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """What every caller needs of time."""

    def legal(self) -> datetime:
        """Return the legal time as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Return monotonic seconds (never accelerated)."""

    def rate(self) -> float:
        """Return legal seconds per monotonic second: 1.0 in real use."""


class SystemClock:
    """The clock of real use: legal time anchored at start and carried on by the monotonic clock.

    A step of the system clock does not move deadlines; `step()` reports it so that it can be journalled
    (architecture: steps over 2 s after the first sign-in are an alarm).
    """

    def __init__(self) -> None:
        self._origin_monotonic = time.monotonic()
        self._origin_legal = datetime.now(UTC)

    def legal(self) -> datetime:
        return self._origin_legal + timedelta(seconds=time.monotonic() - self._origin_monotonic)

    def monotonic(self) -> float:
        return time.monotonic()

    def rate(self) -> float:
        return 1.0

    def step(self) -> float:
        """Return how many seconds the system clock stands ahead (+) or behind (-) of this clock."""
        return (datetime.now(UTC) - self.legal()).total_seconds()


@dataclass(frozen=True, slots=True)
class ClockFile:
    """One line of accelerated time: `legal` at `monotonic` (host-wide CLOCK_MONOTONIC), then `rate` per second."""

    monotonic: float
    legal: datetime
    rate: float

    def save(self, path: Path) -> None:
        """Replace the file in one step, so that readers see the old or the new line and nothing between."""
        text = json.dumps(
            {"monotonic": self.monotonic, "legal": self.legal.isoformat(), "rate": self.rate}, indent=1
        )
        temporary = path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)

    @staticmethod
    def load(path: Path) -> "ClockFile":
        """Read the file; BadInput when it is not of the stated form."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            legal = datetime.fromisoformat(data["legal"]).astimezone(UTC)
            return ClockFile(float(data["monotonic"]), legal, float(data["rate"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput("clock-file-unreadable", path=str(path), reason=str(error)) from error


class DemoClock:
    """Accelerated legal time shared by all processes of one demo through a clock file; jumps are new lines in it.

    Monotonic time stays real. The file is looked at on every call, so that a jump holds for all processes at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = ClockFile.load(path)
        self._stamp: tuple[int, int] | None = None

    def _current(self) -> ClockFile:
        found = self._path.stat()
        stamp = (found.st_ino, found.st_mtime_ns)
        if stamp != self._stamp:
            self._line = ClockFile.load(self._path)
            self._stamp = stamp
        return self._line

    def legal(self) -> datetime:
        line = self._current()
        return line.legal + timedelta(seconds=(time.monotonic() - line.monotonic) * line.rate)

    def monotonic(self) -> float:
        return time.monotonic()

    def rate(self) -> float:
        return self._current().rate


def host_monotonic() -> float:
    """Return the host-wide monotonic seconds that clock files are anchored on."""
    return time.monotonic()
