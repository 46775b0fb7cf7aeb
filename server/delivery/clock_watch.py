"""What a step of the system clock means: an exam that is on goes on by the line it began with, and people are told;
when no exam is on the system clock is followed.
"""

import asyncio
import logging
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import KEPT_LINE, SystemClock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery.models import SittingRow
from server.delivery.sitting import State

MOST_STEP_S = 2.0
"""Seconds by which the system clock may stand apart before it is called a step."""
LOOK_EVERY_S = 1.0
ASK_EVERY_S = 10.0
"""Monotonic seconds after which it is asked again whether an exam is on, as long as nothing steps."""
ACTOR = "timer:clock"

_log = logging.getLogger("gongyuan.clock")


def off_by(step: float) -> int:
    """Return whole seconds of a step, 0 when it is small enough to be none."""
    return round(step) if abs(step) > MOST_STEP_S else 0


async def exam_is_on(session: AsyncSession) -> bool:
    """Say whether anybody is checked in or has a paper open: from the first sign-in to the last collection."""
    states = (State.CHECKED_IN.value, State.OPENED.value)
    query = select(SittingRow.id).where(SittingRow.state.in_(states)).limit(1)
    return await session.scalar(query) is not None


class ClockWatch:
    """Watches the system clock of one process; `off` is the step it stands apart by while an exam is on."""

    def __init__(self, db: Database, journal: Journal, clock: SystemClock, folder: Path) -> None:
        self._db = db
        self._journal = journal
        self._clock = clock
        self._kept = folder / KEPT_LINE
        self._asked: float | None = None
        self.off = 0

    async def keep_watching(self) -> None:
        """Look each second until cancelled; a failure is logged and the next look tries again."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError):
                _log.warning("the clock could not be looked after", exc_info=True)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Compare the clocks once: journal and tell a step while an exam is on, else follow the system clock."""
        now, off = self._clock.monotonic(), off_by(self._clock.step())
        if off == 0 == self.off and self._asked is not None and now - self._asked < ASK_EVERY_S:
            return
        async with self._db.reading() as session:
            on = await exam_is_on(session)
        self._asked = now
        if on:
            if not self._kept.exists():
                self._clock.keep(self._kept)
            if abs(off - self.off) > MOST_STEP_S:
                await self._note("delivery:clock:stepped", off)
                self.off = off
        else:
            if off:
                await self._note("delivery:clock:followed", off)
                self._clock.follow()
            self._kept.unlink(missing_ok=True)
            self.off = 0

    async def _note(self, kind: str, off: int) -> None:
        _log.error("%s: the system clock is %d s away from the line of the exam", kind, off)
        async with self._db.writing() as session:
            act = Act(session, self._journal, self._clock.legal(), ACTOR)
            await act.record(kind, {"seconds": off})
