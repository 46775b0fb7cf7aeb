"""The only place of the server that reads a clock.

`legal` is the time that rules are judged by: aware UTC, shown as Asia/Shanghai. `monotonic` is seconds for sockets,
lock-outs and watchdogs; it never jumps and is never accelerated.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from server.errors import BadInput

SHANGHAI = ZoneInfo("Asia/Shanghai")
KEPT_LINE = "exam-clock.json"
"""File of a data folder that holds the line of an exam that is on."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What every caller needs of time."""

    def legal(self) -> datetime:
        """Return the legal time as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Return monotonic seconds (never accelerated)."""

    def rate(self) -> float:
        """Return legal seconds per monotonic second: 1.0 in real use."""

    def step(self) -> float:
        """Return how many seconds the system clock stands ahead (+) or behind (-) of this clock."""


def boot() -> str | None:
    """Return the identity of this host's running time, one value from boot to boot; None where the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _system() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The clock of real use: legal time anchored at the system clock and carried on by the monotonic clock.

    A step of the system clock so moves nothing until `follow`. While an exam is on the line is kept in a file, which
    every process of the same data folder takes up (`kept`): a restart does not take the step over either.
    """

    def __init__(
        self,
        kept: Path | None = None,
        *,
        system: Callable[[], datetime] = _system,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._system, self._steady = system, steady
        found = None if kept is None else self._read(kept)
        self._origin_monotonic, self._origin_legal = found or (steady(), system())

    def legal(self) -> datetime:
        return self._origin_legal + timedelta(seconds=self._steady() - self._origin_monotonic)

    def monotonic(self) -> float:
        return self._steady()

    def rate(self) -> float:
        return 1.0

    def step(self) -> float:
        """Return how many seconds the system clock stands ahead (+) or behind (-) of this clock."""
        # A machine that is halted between two readings makes no step of it.
        before, system, after = self.legal(), self._system(), self.legal()
        return (system - min(max(system, before), after)).total_seconds()

    def follow(self) -> None:
        """Take the system clock's time from now on."""
        self._origin_monotonic, self._origin_legal = self._steady(), self._system()

    def keep(self, path: Path) -> None:
        """Keep this line for later processes of this boot, in one step."""
        line = {
            "boot": boot(),
            "monotonic": self._origin_monotonic,
            "legal": self._origin_legal.isoformat(),
        }
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(line), encoding="utf-8")
        temporary.replace(path)

    def _read(self, path: Path) -> tuple[float, datetime] | None:
        """Return the kept line; None when there is none of this boot or it cannot be read: the system clock then
        counts."""
        try:
            line = json.loads(path.read_text(encoding="utf-8"))
            found = float(line["monotonic"]), datetime.fromisoformat(line["legal"]).astimezone(UTC)
            same = line["boot"] is not None and line["boot"] == boot() and found[0] <= self._steady()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if same else None


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

    def step(self) -> float:
        return 0.0


def host_monotonic() -> float:
    """Return the host-wide monotonic seconds that clock files are anchored on."""
    return time.monotonic()
