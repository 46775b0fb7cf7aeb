"""Openings that no process works on any more: they are closed, so that custodians see what must be opened again.

A serving process that is killed takes with it the passphrases that were given so far, and the start keys that were
opened before the bell. A child that outlives it ends by itself or does its act, and holds its lock meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import Fact, Refused
from server.keys import service
from server.keys.desk_opening import close_left
from server.keys.openings import OpeningEvent, OpeningKind
from server.keys.openings_child import locked
from server.keys.service import Opening

PROCESS_ENDED = "process-ended"
"""The cause that is recorded of an opening whose process is gone."""
LOOK_S = 60.0
ACTOR = "timer:openings"
_TERMINAL_LONGEST = timedelta(hours=8)
"""An opening at a terminal has no lock; its work takes seconds, for passphrases are asked for before it is recorded."""
_log = logging.getLogger("gongyuan.keys")

Rung = Callable[[AsyncSession, str], Awaitable[bool]]
"""Tells whether a bell of a slot is recorded: from then on its start key stands wrapped in the database."""


class LeftOpenings:
    """Closes what earlier processes of a centre left. `begun_here` tells which openings this process began."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        clock: Clock,
        folder: Path,
        begun_here: Callable[[str], bool],
        rung: Rung,
    ) -> None:
        self._db = db
        self._journal = journal
        self._clock = clock
        self._folder = folder
        self._begun_here = begun_here
        self._rung = rung

    async def close(self) -> int:
        """Close and journal the openings whose process was ended without a word, and the start openings whose key
        was in its memory alone; return how many."""
        closed = await close_left(self._db, self._journal, self._clock, self._folder)
        async with self._db.reading() as session:
            going = [one for one in await service.going(session) if one.kind is not OpeningKind.DESK]
            done = await service.done_starts(session)
            lost = [one for one in done if not await self._rung(session, one.subject)]
        for one in going:
            closed += not self._begun_here(one.id) and await self._close(one)
        for one in lost:
            closed += not self._begun_here(one.id) and await self._move(one, OpeningEvent.FORGET)
        return closed

    async def look(self) -> None:
        """Close what is left; what hinders it is logged and hinders nothing else."""
        try:
            await self.close()
        except Exception:
            _log.exception("openings could not be looked at")

    async def keep_looking(self) -> None:
        """Look each minute until cancelled: a child may outlive the process that started it. `app.py` starts it."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def _close(self, one: Opening) -> bool:
        if one.actor.startswith("terminal:"):
            if self._clock.legal() < one.intended_at + _TERMINAL_LONGEST:
                return False
            return await self._move(one, OpeningEvent.ABORT)
        try:
            lock = locked(self._folder, one.kind.value, one.subject)
        except Refused:
            return False
        with lock:
            return await self._move(one, OpeningEvent.ABORT)

    async def _move(self, one: Opening, event: OpeningEvent) -> bool:
        outcome: dict[str, Fact] = {**(one.outcome or {}), "cause": PROCESS_ENDED}
        with suppress(Refused):  # moved meanwhile, by its child
            async with self._db.writing() as session:
                act = Act(session, self._journal, self._clock.legal(), ACTOR)
                await service.move(act, one.id, event, outcome=outcome)
            return True
        return False
