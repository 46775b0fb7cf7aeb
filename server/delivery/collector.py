"""Automatic collection: every opened paper comes in at its own end and grace, from devices on or off the
line.
"""

import asyncio
import contextlib
import logging
from datetime import datetime

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import due, service
from server.delivery.endings import Sign

ACTOR = "timer:collection"
_LONGEST_WAIT_S = 1.0
_SHORTEST_WAIT_S = 0.05

log = logging.getLogger(__name__)


class Collector:
    """A timer that knows the next due time, and looks again whenever times or states changed."""

    def __init__(self, db: Database, clock: Clock, journal: Journal, sign: Sign) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._sign = sign
        self._due: datetime | None = None
        self._stale = True
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the timer on the running loop."""
        self._task = asyncio.create_task(self._run(), name="collector")

    async def stop(self) -> None:
        """End the timer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def look_again(self) -> None:
        """The bell, a pause, an allowance or a state changed: the next due time may have moved."""
        self._stale = True

    async def _run(self) -> None:
        while True:
            try:
                await self.collect_what_is_due()
            except Exception:
                log.exception("collection failed and is tried again")
                self._stale = True
            rate = max(self._clock.rate(), 1e-6)
            await asyncio.sleep(min(_LONGEST_WAIT_S, max(_SHORTEST_WAIT_S, 1.0 / rate)))

    async def collect_what_is_due(self) -> int:
        """Collect in short transactions until nothing is due; return how many papers came in."""
        if self._stale:
            # Cleared before reading: a change that comes meanwhile makes it stale again.
            self._stale = False
            self._due = await self._next_due()
        collected = 0
        while self._due is not None and self._due <= self._clock.legal():
            async with self._db.writing() as session:
                if not await due.collects_alone(session):
                    # Another process is at it; this one looks again at the next tick.
                    self._stale = True
                    return collected
                act = Act(session, self._journal, self._clock.legal(), ACTOR)
                collected += len(await service.collect_due(act, self._sign))
            self._due = await self._next_due()
        return collected

    async def _next_due(self) -> datetime | None:
        async with self._db.reading() as session:
            return await due.next_due(session)
