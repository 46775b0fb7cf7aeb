"""A small prepared hall for delivery's tests: a slot, seats with real keys, sealed papers, and kiosks on
real lines.
"""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import rfc8785
from sqlalchemy import func, select

from kiosk.brain import Brain, Challenged, Event, PaperReady
from kiosk.vault import SeatKey, open_paper
from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.db.signals import Signals
from server.delivery import service
from server.delivery.facts import Place, SlotTerms
from server.delivery.lines import Line
from server.delivery.models import HeartbeatRow
from server.delivery.runtime import Hall, answer_writer
from server.delivery.seating import enrol_seat, issue_seat_codes
from server.delivery.timing import Policy
from server.keys.identity import Identity
from server.keys.sealing import paper_key, seal
from server.papers.models import PaperSet, SealedPaperRow
from server.protocol.exam import ToKiosk
from server.protocol.paper import Option, Paper, PaperItem

PLAN, SLOT = "plan-1", "slot-1"
START_KEY = bytes(range(32))
ITEMS = 6


@dataclass(frozen=True, slots=True)
class Room:
    """A room as seat codes are issued for."""

    number: str
    seats: int


@dataclass(slots=True)
class Enrolled:
    """An enrolled machine."""

    id: str
    room: str
    number: int
    key: SeatKey


@dataclass(slots=True)
class Scene:
    """One prepared slot: two rooms of three seats, four candidates (1-1, 1-2, 2-1, 2-2), 1-3 and 2-3
    spare.
    """

    db: Database
    clock: Clock
    identity: Identity
    journal: Journal
    signals: Signals
    seats: dict[tuple[str, int], Enrolled] = field(default_factory=dict)
    sittings: dict[tuple[str, int], str] = field(default_factory=dict)
    codes: dict[tuple[str, int], str] = field(default_factory=dict)
    """One-time codes of seats that are not enrolled yet."""

    @asynccontextmanager
    async def acting(self, actor: str = "staff:chief") -> AsyncIterator[Act]:
        """Open an act at the scene's legal time."""
        async with self.db.writing() as session:
            yield Act(session, self.journal, self.clock.legal(), actor)

    async def check_in(self, *places: tuple[str, int]) -> None:
        """Check the candidates of these places in."""
        async with self.acting("staff:invigilator") as act:
            for place in places:
                await service.check_in(act, self.sittings[place], {"document": True})

    async def ring(self, rooms: list[str] | None = None) -> datetime:
        """Strike the bell now; return its time."""
        wrapped = self.identity.storage_wrap(START_KEY, service.start_key_aad(SLOT))
        async with self.acting() as act:
            await service.ring(act, SLOT, rooms, wrapped, act.now)
        return act.now

    def numbers(self, place: tuple[str, int]) -> tuple[str, str]:
        """Return ticket and identity number of the candidate of a place."""
        return f"T{place[0]}{place[1]}", f"11010519900101{place[0]}0{place[1]}X"


def a_paper(paper: str, items: int = ITEMS) -> Paper:
    """Return a paper of single-choice items."""
    options = tuple(Option(label, f"选项{label}") for label in "ABCD")
    return Paper(
        paper,
        PLAN,
        SLOT,
        "电工 4",
        90,
        tuple(PaperItem(n, "single", f"第{n}题", 1.0, options) for n in range(1, items + 1)),
    )


def sealed_row(set_id: str, sitting: str, room: str, number: int, items: int = ITEMS) -> SealedPaperRow:
    """Return a sealed paper's row, sealed as the draw seals."""
    paper = str(uuid.uuid4())
    clear = msgspec.json.encode(a_paper(paper, items))
    digest = hashlib.sha256(clear).digest()
    aad = rfc8785.dumps({"hash": digest.hex(), "paper": paper, "plan": PLAN, "policy": 1, "sitting": sitting})
    nonce, ciphertext = seal(paper_key(START_KEY, paper), clear, aad)
    return SealedPaperRow(
        id=paper,
        set_id=set_id,
        sitting=sitting,
        room=room,
        number=number,
        policy=1,
        hash=digest,
        nonce=nonce,
        aad=aad,
        ciphertext=ciphertext,
    )


async def prepare_scene(
    db: Database,
    clock: Clock,
    folder: Path,
    policy: Policy | None = None,
    *,
    enrol: bool = True,
    items: int = ITEMS,
) -> Scene:
    """Prepare the slot, enrol every seat (or keep the codes) and seal a paper for each candidate."""
    identity = Identity.open_or_create(folder)
    scene = Scene(db, clock, identity, Journal("test"), Signals(db))
    terms = SlotTerms(
        SLOT,
        PLAN,
        "2026年第一批",
        "电工 4",
        clock.legal() + timedelta(minutes=30),
        policy or Policy(90, 30, 15),
        1,
    )
    places = []
    for room in ("1", "2"):
        for seat in (1, 2):
            sitting = str(uuid.uuid4())
            scene.sittings[(room, seat)] = sitting
            ticket, id_number = scene.numbers((room, seat))
            places.append(
                Place(sitting, f"cand-{room}{seat}", f"考生{room}{seat}", ticket, id_number, room, seat)
            )
    async with scene.acting() as act:
        await service.prepare_sittings(act, terms, places)
        for code in await issue_seat_codes(act, [Room("1", 3), Room("2", 3)]):
            if not enrol:
                scene.codes[(code.room, code.seat)] = code.code
                continue
            key = SeatKey.generate()
            seat_fact = await enrol_seat(act, code.code, key.public, "headless")
            scene.seats[(code.room, code.seat)] = Enrolled(seat_fact.id, code.room, code.seat, key)
        act.session.add(PaperSet(id="set-1", plan=PLAN, slot=SLOT, state="current", sealed_at=clock.legal()))
        await act.session.flush()
        for number, (place, sitting) in enumerate(scene.sittings.items()):
            act.session.add(sealed_row("set-1", sitting, place[0], number, items))
    return scene


@asynccontextmanager
async def open_hall(scene: Scene, clock: Clock | None = None) -> AsyncIterator[Hall]:
    """Run a hall on the scene's database, as a server process does."""
    clock = clock or scene.clock
    scene.signals = Signals(scene.db)
    await scene.signals.start()
    writer = answer_writer(scene.db, clock, scene.identity, gap_s=0)
    hall = Hall(scene.db, clock, scene.journal, writer, scene.signals, scene.identity)
    await hall.start()
    # Pings go out each 20 s of real time, and who was not heard for a minute of this clock is cut off: after a leap of
    # the clock that would be everybody, in a test that takes so long.
    for task in hall._tasks:
        if task.get_name() == "hall-pings":
            task.cancel()
    try:
        yield hall
    finally:
        await hall.stop()
        await scene.signals.stop()


class TestKiosk:
    """A kiosk's brain on a line of the hall, without a socket between them."""

    __test__ = False

    def __init__(self, scene: Scene, hall: Hall, place: tuple[str, int]) -> None:
        self.scene, self.hall, self.place = scene, hall, place
        self.seat = scene.seats[place]
        self.brain = Brain(self.seat.id)
        self.events: list[Event] = []
        self.paper: Paper | None = None
        self.line: Line | None = None

    def connect(self) -> None:
        """Open a line."""
        self.line = self.hall.attach()

    def disconnect(self) -> None:
        """Lose the line: what was queued on either side is gone."""
        if self.line is not None:
            self.hall.detach(self.line)
            self.line = None
        self.brain.line_lost()

    async def sign_in(self, place: tuple[str, int] | None = None) -> None:
        """Give the numbers of the candidate of a place (this one's by default)."""
        self.brain.sign_in(*self.scene.numbers(place or self.place))
        await self.until(lambda: self.brain.seated is not None or self.last("refused") is not None)

    async def pump(self) -> None:
        """Carry frames both ways until both sides are silent."""
        line = self.line
        while line is not None:
            for frame in self.brain.data_to_send(self.scene.clock.monotonic()):
                await self.hall.receive(line, frame)
            moved = False
            while line.frames:
                received = line.frames.popleft()
                if received is None:
                    return
                self._take(received)
                moved = True
            if not moved:
                return

    def _take(self, frame: bytes) -> None:
        for event in self.brain.receive(frame, self.scene.clock.monotonic()):
            self.events.append(event)
            match event:
                case Challenged():
                    self.brain.prove(self.seat.key.prove(event.nonce, self.seat.id))
                case PaperReady():
                    self.paper = open_paper(event.sealed, event.key)
                    self.brain.opened(len(self.paper.items))

    async def until(self, condition: Callable[[], object], within_s: float = 60.0) -> None:
        """Carry frames until the condition holds; fail when it does not in time."""
        async with asyncio.timeout(within_s):
            while True:
                await self.pump()
                if condition():
                    return
                await asyncio.sleep(0.002)

    def last(self, kind: str) -> ToKiosk | None:
        """Return the newest message of a tag, or None."""
        for event in reversed(self.events):
            if isinstance(event, msgspec.Struct) and event.__struct_config__.tag == kind:
                return event  # type: ignore[return-value]
        return None


async def seated_kiosk(scene: Scene, hall: Hall, place: tuple[str, int]) -> TestKiosk:
    """Return a kiosk whose candidate is checked in and signed in."""
    await scene.check_in(place)
    kiosk = TestKiosk(scene, hall, place)
    kiosk.connect()
    await kiosk.until(lambda: kiosk.last("expecting") is not None)
    await kiosk.sign_in()
    assert kiosk.brain.seated is not None
    return kiosk


async def lost_lines(db: Database, sitting: str) -> int:
    """Count how often the heartbeat ledger notes that a sitting's line was lost."""
    async with db.reading() as session:
        query = select(func.count()).where(HeartbeatRow.sitting == sitting, HeartbeatRow.kind == "lost")
        return int(await session.scalar(query) or 0)
