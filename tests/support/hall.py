"""An exam day on a real database: the plan of `tests.support.papers`, drawn, checked in, rung, answered,
closed.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from server.affairs.models import CandidateRow, RoomRow, SlotRow
from server.conduct import service as conduct
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.delivery import store as delivery_store
from server.delivery.endings import end_sitting
from server.delivery.ledger import Ledger
from server.delivery.models import AnswerRow, SeatRow
from server.delivery.sitting import State
from server.delivery.store import final_answers
from server.delivery.works import ReleaseWork
from server.keys.identity import Identity
from server.keys.start_keys import StartKeys
from server.papers import draw_store
from server.papers.marking_sheet import MarkingSheet
from server.papers.sheet_seal import unseal_sheet
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.papers import MARKING_KEY, PLAN, SLOT, START_KEY, drawn, filed_plan, filled_bank

BELL = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)
PRACTICAL = "slot-2"
LOOKED = {"ticket": True, "document": True, "photo": True, "signature": True}


@dataclass
class HallDay:
    """One exam day as a test drives it; sittings are `sitting-0` … `sitting-7`, four in each of rooms 01
    and 02.
    """

    db: Database
    clock: FakeClock
    identity: Identity
    journal: Journal = field(default_factory=lambda: Journal("test"))
    start_keys: StartKeys = field(default_factory=StartKeys)

    def act(self, actor: str = "staff:chief") -> AbstractAsyncContextManager[Act]:
        """Give an act at the clock's time."""
        return act_on(self.db, self.clock.legal(), actor, self.journal)

    async def draw(self) -> None:
        """Fill the bank, file the plan with a practical slot after the theory, draw and seal, prepare the
        sittings.
        """
        root = await filled_bank(self.db, self.journal, self.clock)
        await filed_plan(self.db, self.journal, self.identity, root)
        async with self.db.writing() as session:
            for room in ("01", "02"):
                session.add(RoomRow(id=f"room-{room}", plan=PLAN, number=room, name=f"Room {room}", seats=6))
            session.add(
                SlotRow(
                    id=PRACTICAL,
                    plan=PLAN,
                    subject="practical",
                    method="workshop",
                    starts_at=BELL + timedelta(days=7),
                    minutes=120,
                    early=0,
                    late=0,
                    pass_mark=60.0,
                    total=100.0,
                    place="workshop",
                    policy=1,
                )
            )
            await session.execute(update(CandidateRow).values(subjects="theory,practical"))
        await drawn(self.db, self.journal, self.clock, self.identity)
        async with self.act() as act:
            await conduct.prepare(act, SLOT)

    async def check_in(self, *numbers: int) -> None:
        """Check candidates in."""
        for number in numbers:
            async with self.act("staff:wang") as act:
                await conduct.check_in(act, f"sitting-{number}", **LOOKED)

    async def ring(self, *rooms: str) -> tuple[str, ...]:
        """Show the seals once, open the start key and strike the bell at the planned time."""
        self.clock.set(max(self.clock.legal(), BELL))
        async with self.act() as act:
            await conduct.show_seals(act, SLOT, self.identity)
        self.start_keys.put(SLOT, bytearray(START_KEY))
        async with self.act() as act:
            return await conduct.ring_bell(act, SLOT, rooms, self.start_keys, self.identity)

    async def open(self, *numbers: int) -> None:
        """Let the papers of these sittings be opened."""
        ledger = Ledger(Journal("test-writer"), self.clock, self.identity.signing.sign)
        work = ReleaseWork(SLOT, tuple(f"sitting-{number}" for number in numbers), self.clock.legal())
        async with self.db.writing() as session:
            connection = await session.connection()
            await connection.run_sync(lambda live: ledger.store(live, [work]))

    async def answer(self, sitting: str, answers: Mapping[int, tuple[str, ...]]) -> None:
        """Put answers that stand for a sitting."""
        import json

        async with self.db.writing() as session:
            for number, value in answers.items():
                session.add(
                    AnswerRow(sitting=sitting, number=number, value=json.dumps(value), lease=1, seq=number)
                )

    async def sheet(self, sitting: str) -> MarkingSheet:
        """Return the marking sheet of a sitting's paper in clear."""
        async with self.db.reading() as session:
            sealed = await draw_store.sealed_marking_sheets(session, SLOT)
        return unseal_sheet(MARKING_KEY, next(one for one in sealed if one.sitting == sitting))

    async def answer_right(self, number: int, most: int = 99) -> None:
        """Answer the first `most` items of a sitting exactly as its key says, and leave the others."""
        sheet = await self.sheet(f"sitting-{number}")
        await self.answer(f"sitting-{number}", {e.number: e.key for e in sheet.entries if e.number <= most})

    async def end(self, number: int, state: State) -> None:
        """Let one opened sitting be handed in or collected, as the runtime does."""
        sitting = f"sitting-{number}"
        async with self.db.reading() as session:
            answers = dict(await final_answers(session, sitting))
        async with self.act("kiosk:test") as act:
            await delivery_store.sitting_row(act.session, sitting, lock=True)
            await act.session.run_sync(
                lambda session: end_sitting(
                    session.connection(),
                    self.journal,
                    self.identity.signing.sign,
                    sitting,
                    state,
                    act.now,
                    act.actor,
                    answers,
                )
            )

    async def enrol_seat(self, room: str, seat: int) -> None:
        """Enrol a machine on a seat."""
        async with self.db.writing() as session:
            session.add(
                SeatRow(
                    id=f"seat-{room}-{seat}",
                    room=room,
                    number=seat,
                    kind="headless",
                    public_key=bytes(32),
                    enrolled_at=self.clock.legal(),
                )
            )

    async def whole_day(self) -> None:
        """Seven present and one absent; sitting 0 handed in, the others collected; the slot closed."""
        await self.draw()
        await self.after_the_draw()

    async def after_the_draw(self) -> None:
        """The day of a prepared slot: seven present, the last candidate absent, the slot closed."""
        await self.check_in(*range(7))
        await self.ring()
        await self.open(*range(7))
        for number in range(7):
            await self.answer_right(number, most=8 if number < 5 else 3)
        self.clock.set(BELL + timedelta(minutes=31))
        async with self.act("staff:wang") as act:
            await conduct.mark_absent(act, "sitting-7", "not there")
        await self.end(0, State.HANDED_IN)
        self.clock.set(BELL + timedelta(minutes=91))
        for number in range(1, 7):
            await self.end(number, State.COLLECTED)
        async with self.act() as act:
            await conduct.close_slot(act, SLOT)
