"""Commands on the way to kiosks: sent, sent again to who comes back, and what the kiosks say of them.

How far a command came is written in batches of its own, so that a hall of acknowledgements is a few short
transactions and none of them stands in the way of an answer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, update

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.signals import announce
from server.delivery import command_store
from server.delivery.acts import HEARD
from server.delivery.arrivals import Arrival
from server.delivery.conversation import Stage
from server.delivery.facts import Command
from server.delivery.gathering import Gathered
from server.delivery.lines import Line, Lines
from server.delivery.models import CommandReachRow
from server.protocol import exam

ACTOR = "centre:hall"
TOGETHER = 200
"""Devices of one read at most."""
GATHER_S = 0.05
"""Monotonic seconds that acknowledgements are gathered for one transaction."""

log = logging.getLogger(__name__)


class Commanding:
    """The commands of one process's lines; holds only what is not written yet."""

    def __init__(self, db: Database, clock: Clock, journal: Journal, lines: Lines) -> None:
        self._db = db
        self._clock = clock
        self._journal = journal
        self._lines = lines
        self._noted: dict[tuple[str, str], dict[str, datetime]] = {}
        self._due = asyncio.Event()
        self._writing = asyncio.Lock()
        self._outstanding: Gathered[str, tuple[Command, ...]] = Gathered(self._read, TOGETHER)
        self.told = 0
        """How many commands went out to the lines."""

    async def tell(self, command: str) -> None:
        """Send a command to every line whose sitting it reaches."""
        async with self._db.reading() as session:
            found = await command_store.command(session, command)
            reached = await command_store.reached_sittings(session, command)
        # Who is read for before this point and seated after it is not among these lines and asks again.
        self.told += 1
        for line in tuple(self._lines.all):
            sitting = line.conversation.sitting
            if sitting in reached and line.conversation.stage is not Stage.PROVED:
                self._send(line, sitting, found)

    async def tell_outstanding(self, line: Line, arrival: Arrival) -> None:
        """Send a device that has just taken a sitting what was said before and is not done."""
        sitting, commands = line.conversation.sitting, arrival.commands
        if arrival.told != self.told:
            commands = await self._outstanding.get(sitting) or ()
        for command in commands:
            self._send(line, sitting, command)

    async def _read(self, sittings: Sequence[str]) -> Mapping[str, tuple[Command, ...]]:
        async with self._db.reading() as session:
            return await command_store.outstanding(session, sittings)

    def heard(self, line: Line, message: exam.Heard) -> None:
        """Note what a kiosk said of a command; written soon."""
        self._note(message.id, line.conversation.sitting, message.step)

    async def keep_writing(self) -> None:
        """Write what was noted, as long as the hall runs."""
        while True:
            await self._due.wait()
            await asyncio.sleep(GATHER_S)
            with contextlib.suppress(Exception):
                await self.write()

    async def write(self) -> None:
        """Return when all that was noted until now is written, in one transaction; what fails is noted again."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        self._due.clear()
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            async with self._db.writing() as session:
                for (command, sitting), steps in sorted(noted.items()):
                    seen = steps.get("seen") or steps.get("done")
                    values = {
                        "sent_at": steps.get("sent") or seen,
                        "seen_at": seen,
                        "done_at": steps.get("done"),
                    }
                    columns = CommandReachRow.__table__.c
                    await session.execute(
                        update(CommandReachRow)
                        .where(CommandReachRow.command == command, CommandReachRow.sitting == sitting)
                        .values({name: func.coalesce(columns[name], at) for name, at in values.items() if at})
                    )
                act = Act(session, self._journal, self._clock.legal(), ACTOR)
                for command in sorted({command for command, _ in noted}):
                    await announce(act.session, HEARD, command)
        except Exception:
            log.exception("could not write how far commands came; tried again")
            for key, steps in noted.items():
                self._noted[key] = steps | self._noted.get(key, {})
            self._due.set()

    def _send(self, line: Line, sitting: str, command: Command) -> None:
        if command.kind == "message":
            line.send(exam.Notice(id=command.id, at=command.at, text=command.reason))
        line.send(exam.Command(id=command.id, kind=command.kind, at=command.at))  # type: ignore[arg-type]
        self._note(command.id, sitting, "sent")

    def _note(self, command: str, sitting: str, step: str) -> None:
        self._noted.setdefault((command, sitting), {}).setdefault(step, self._clock.legal())
        self._due.set()
