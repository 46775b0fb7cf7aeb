"""The live hall on real databases: sign-in, bell, answers on disk, hand-in, collection, moves, pauses."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from server.db.engine import Database
from server.delivery import service, store, time_service
from server.delivery.facts import Extent
from server.delivery.runtime import Hall
from server.delivery.sitting import State
from server.delivery.timing import Policy
from server.errors import Refused
from server.protocol import exam
from tests.support.clock import FakeClock
from tests.support.delivery import ITEMS, SLOT, Scene, TestKiosk, open_hall, prepare_scene, seated_kiosk


@pytest_asyncio.fixture
async def scene(db: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    return await prepare_scene(db, clock, tmp_path)


@pytest_asyncio.fixture
async def hall(scene: Scene) -> AsyncIterator[Hall]:
    async with open_hall(scene) as opened:
        yield opened


async def state_of(scene: Scene, place: tuple[str, int]) -> State:
    async with scene.db.reading() as session:
        return (await store.sitting(session, scene.sittings[place])).state


async def test_whole_sitting(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """From sign-in to hand-in every acknowledged answer stands on disk, and the receipt counts them."""
    kiosk = await seated_kiosk(scene, hall, ("1", 1))
    assert kiosk.last("sealed_paper") is not None
    assert kiosk.last("paper_key") is None
    await scene.ring()
    await kiosk.until(lambda: kiosk.paper is not None)
    assert kiosk.paper is not None and len(kiosk.paper.items) == ITEMS
    for number in range(1, 4):
        kiosk.brain.answer(number, ("A",), scene.clock.monotonic())
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
    async with scene.db.reading() as session:
        answers = await store.final_answers(session, scene.sittings[("1", 1)])
    assert answers == {1: ("A",), 2: ("A",), 3: ("A",)}
    kiosk.brain.hand_in()
    await kiosk.until(lambda: kiosk.last("refused") is not None)
    refused = kiosk.last("refused")
    assert isinstance(refused, exam.Refused)
    assert (refused.code, refused.facts["opens"]) == ("hand-in-too-early", "08:30:00")
    clock.advance(minutes=30)
    kiosk.brain.hand_in()
    await kiosk.until(lambda: kiosk.last("handed_in") is not None)
    handed_in = kiosk.last("handed_in")
    assert isinstance(handed_in, exam.HandedIn)
    assert handed_in.count == 3
    assert await state_of(scene, ("1", 1)) is State.HANDED_IN


async def test_the_rules_before_the_bell_are_the_slots(
    db: Database, clock: FakeClock, tmp_path: Path
) -> None:
    """Who signs in before the bell is told the slot's own minutes without hand-in, and no others."""
    scene = await prepare_scene(db, clock, tmp_path, Policy(60, 20, 10))
    async with open_hall(scene) as hall:
        seated = (await seated_kiosk(scene, hall, ("1", 1))).last("seated")
    assert isinstance(seated, exam.Seated)
    assert (seated.early, seated.late) == (20, 10)


async def test_wrong_seat_and_wrong_numbers_look_the_same(scene: Scene, hall: Hall) -> None:
    """Right numbers at another seat get the very refusal that wrong numbers get."""
    await scene.check_in(("1", 1), ("1", 2))
    elsewhere = TestKiosk(scene, hall, ("1", 2))
    elsewhere.connect()
    await elsewhere.until(lambda: elsewhere.last("welcome") is not None)
    await elsewhere.sign_in(("1", 1))
    right_numbers = elsewhere.last("refused")
    elsewhere.events.clear()
    await elsewhere.sign_in(("2", 9))
    assert elsewhere.last("refused") == right_numbers
    assert elsewhere.brain.seated is None


async def test_not_checked_in_is_refused(scene: Scene, hall: Hall) -> None:
    """The candidate's own numbers at the own seat are refused before check-in."""
    kiosk = TestKiosk(scene, hall, ("1", 1))
    kiosk.connect()
    await kiosk.until(lambda: kiosk.last("expecting") is not None)
    assert kiosk.last("expecting") == exam.Expecting(on=False)
    await kiosk.sign_in()
    refused = kiosk.last("refused")
    assert isinstance(refused, exam.Refused) and refused.code == "sign-in-refused"


async def test_unproved_seat_is_closed(scene: Scene, hall: Hall) -> None:
    """A hello signed by another key closes the socket with the code for a seat that must enrol again."""
    kiosk = TestKiosk(scene, hall, ("1", 1))
    kiosk.seat.key = scene.seats[("1", 2)].key
    kiosk.connect()
    await kiosk.until(lambda: kiosk.last("refused") is not None)
    assert kiosk.line is not None and kiosk.line.close_code == 4401


async def test_reconnect_sends_what_was_not_acknowledged(scene: Scene, hall: Hall) -> None:
    """Answers given while the line was down are stored after the reconnect under the same lease, once."""
    kiosk = await seated_kiosk(scene, hall, ("1", 1))
    await scene.ring()
    await kiosk.until(lambda: kiosk.paper is not None)
    kiosk.brain.answer(1, ("A",), scene.clock.monotonic())
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
    kiosk.brain.answer(2, ("B",), scene.clock.monotonic())
    kiosk.disconnect()
    kiosk.brain.answer(2, ("C",), scene.clock.monotonic())
    kiosk.connect()
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0 and kiosk.brain.stage == "seated")
    assert kiosk.brain.seated is not None and kiosk.brain.seated.lease == 1
    async with scene.db.reading() as session:
        assert await store.final_answers(session, scene.sittings[("1", 1)]) == {1: ("A",), 2: ("C",)}


async def test_second_device_takes_over(scene: Scene, hall: Hall) -> None:
    """After a reseat the old device's late answers fill untouched items only, and the new device's answers
    stand.
    """
    old = await seated_kiosk(scene, hall, ("1", 1))
    await scene.ring()
    await old.until(lambda: old.paper is not None)
    old.brain.answer(1, ("A",), scene.clock.monotonic())
    await old.until(lambda: len(old.brain.outbox) == 0)
    old.disconnect()
    old.brain.answer(2, ("A",), scene.clock.monotonic())
    old.brain.answer(3, ("A",), scene.clock.monotonic())
    async with scene.acting() as act:
        await service.reseat(act, scene.sittings[("1", 1)], "2", 3, "屏幕损坏")
    new = TestKiosk(scene, hall, ("2", 3))
    new.connect()
    await new.until(lambda: new.last("expecting") == exam.Expecting(on=True))
    await new.sign_in(("1", 1))
    await new.until(lambda: new.paper is not None)
    new.brain.answer(2, ("D",), scene.clock.monotonic())
    await new.until(lambda: len(new.brain.outbox) == 0)
    old.connect()
    await old.until(lambda: len(old.brain.outbox) == 0 and old.last("moved") is not None)
    assert old.last("moved") == exam.Moved(room="2", number=3)
    async with scene.db.reading() as session:
        answers = await store.final_answers(session, scene.sittings[("1", 1)])
    assert answers == {1: ("A",), 2: ("D",), 3: ("A",)}


async def test_collection_at_the_end(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """At own end and grace every opened paper is collected, from a device that is off the line too."""
    on_line = await seated_kiosk(scene, hall, ("1", 1))
    off_line = await seated_kiosk(scene, hall, ("1", 2))
    await scene.ring()
    for kiosk in (on_line, off_line):
        await kiosk.until(lambda: kiosk.paper is not None)  # noqa: B023
    off_line.brain.answer(1, ("B",), scene.clock.monotonic())
    await off_line.until(lambda: len(off_line.brain.outbox) == 0)
    off_line.disconnect()
    clock.advance(minutes=90, seconds=29)
    assert await hall._collector.collect_what_is_due() == 0
    clock.advance(seconds=1)
    await hall._collector.collect_what_is_due()
    await on_line.until(lambda: on_line.last("collected") is not None)
    assert await state_of(scene, ("1", 1)) is State.COLLECTED
    assert await state_of(scene, ("1", 2)) is State.COLLECTED
    off_line.brain.answer(2, ("B",), scene.clock.monotonic())
    off_line.connect()
    await off_line.until(lambda: off_line.last("collected") is not None and len(off_line.brain.outbox) == 0)
    async with scene.db.reading() as session:
        assert await store.final_answers(session, scene.sittings[("1", 2)]) == {1: ("B",)}


async def test_pause_moves_the_end(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """A pause of ten minutes is told at once, and moves the own end by ten minutes."""
    kiosk = await seated_kiosk(scene, hall, ("1", 1))
    bell = await scene.ring()
    await kiosk.until(lambda: kiosk.paper is not None)
    clock.advance(minutes=40)
    async with scene.acting() as act:
        await time_service.pause(act, Extent(SLOT, room="1"), "停电")
    await kiosk.until(lambda: kiosk.brain.phase is not None and kiosk.brain.phase.kind == "paused")
    clock.advance(minutes=10)
    async with scene.acting() as act:
        await time_service.resume(act, Extent(SLOT, room="1"))
    await kiosk.until(lambda: kiosk.brain.phase is not None and kiosk.brain.phase.kind == "running")
    assert kiosk.brain.phase is not None
    assert kiosk.brain.phase.end == bell + timedelta(minutes=100)


async def test_second_bell_is_refused(scene: Scene, hall: Hall) -> None:
    """The bell of a room can be struck once."""
    await scene.ring(["1"])
    with pytest.raises(Refused, match="bell-rung"):
        await scene.ring(["1"])
    await scene.ring()
    async with scene.db.reading() as session:
        assert set((await store.slot_times(session, SLOT)).bells) == {"1", "2"}


async def test_restart_needs_no_custodian(scene: Scene) -> None:
    """A hall started after the bell sends the paper key from the wrapped start key."""
    async with open_hall(scene):
        await scene.check_in(("1", 1))
        await scene.ring()
    async with open_hall(scene) as second:
        kiosk = TestKiosk(scene, second, ("1", 1))
        kiosk.connect()
        await kiosk.until(lambda: kiosk.last("expecting") == exam.Expecting(on=True))
        await kiosk.sign_in()
        await kiosk.until(lambda: kiosk.paper is not None)
    assert await state_of(scene, ("1", 1)) is State.OPENED
