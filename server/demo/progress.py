"""A calm display of the demo: one line a step with its legal time; no redrawing, so that it reads well in a log."""

import sys
from datetime import datetime
from typing import TextIO

from server.clock import SHANGHAI


class Progress:
    """Prints steps, refusals that were expected, and the addresses of pages."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def title(self, text: str) -> None:
        """Open a part of the day."""
        self._line(f"\n{text}")

    def step(self, now: datetime, text: str) -> None:
        """Say what has just been done."""
        self._line(f"  {now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}  {text}")

    def refused(self, now: datetime, text: str, reason: str) -> None:
        """Say what was tried and rightly refused, with the server's own words."""
        self._line(f"  {now.astimezone(SHANGHAI):%Y-%m-%d %H:%M}  ✗ {text} → {reason}")

    def table(self, rows: list[tuple[str, str]]) -> None:
        """Print label and value in two columns."""
        for label, value in rows:
            self._line(f"    {label:<14}{value}")
