"""Acts of people on a live hall: halt and continuation, commands acknowledged, breaks, undo with its trace."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from server.db.engine import Database
from server.delivery import (
    break_service,
    command_store,
    contact_service,
    halt_service,
    service,
    store,
    time_service,
    undo_service,
)
from server.delivery.facts import CommandReach, Extent
from server.delivery.runtime import Hall
from server.delivery.sitting import State
from server.delivery.timing import own_end
from server.errors import Refused
from server.protocol import exam
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.delivery import SLOT, Scene, TestKiosk, open_hall, prepare_scene, seated_kiosk

ONE = ("1", 1)


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as opened:
        yield opened


@pytest_asyncio.fixture
async def scene(db: Database, clock: FakeClock, tmp_path: Path) -> Scene:
    return await prepare_scene(db, clock, tmp_path)


@pytest_asyncio.fixture
async def hall(scene: Scene) -> AsyncIterator[Hall]:
    async with open_hall(scene) as opened:
        yield opened


async def at_work(scene: Scene, hall: Hall, place: tuple[str, int] = ONE) -> TestKiosk:
    kiosk = await seated_kiosk(scene, hall, place)
    await scene.ring()
    await kiosk.until(lambda: kiosk.paper is not None)
    return kiosk


async def state_of(scene: Scene, place: tuple[str, int] = ONE) -> State:
    async with scene.db.reading() as session:
        return (await store.sitting(session, scene.sittings[place])).state


async def commands(scene: Scene) -> tuple[CommandReach, ...]:
    async with scene.db.reading() as session:
        return await command_store.newest_commands(session, SLOT, 20)


async def refused(scene: Scene, verb: object, *arguments: object) -> str:
    with pytest.raises(Refused) as caught:
        async with scene.acting() as act:
            await verb(act, *arguments)  # type: ignore[operator]
    return caught.value.code


async def test_halted_exam_continues_with_unused_time_and_the_same_paper(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """Halted after 40 of 90 minutes and continued two days later at another seat, a candidate has the same paper,
    the answers given before, and 50 minutes.
    """
    kiosk = await at_work(scene, hall)
    paper = kiosk.paper
    clock.advance(minutes=40)
    kiosk.brain.answer(1, ("B",), scene.clock.monotonic())
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
    async with scene.acting() as act:
        assert (await halt_service.halt(act, Extent(SLOT), "地震")).sittings == (scene.sittings[ONE],)
    await kiosk.until(lambda: kiosk.last("halted") is not None)
    assert await state_of(scene) is State.HALTED
    assert await refused(scene, halt_service.continue_exam, Extent(SLOT), "") == "continuation-not-planned"
    again = clock.legal() + timedelta(days=2)
    async with scene.acting() as act:
        await halt_service.plan_continuation(act, Extent(SLOT), again, "续考")
    kiosk.disconnect()
    assert await refused(scene, halt_service.continue_exam, Extent(SLOT), "") == "continuation-too-early"

    async with scene.acting() as act:
        await service.reseat(act, scene.sittings[ONE], "2", 3, "续考考场")
    other = TestKiosk(scene, hall, ("2", 3))
    other.connect()
    await other.until(lambda: other.last("expecting") is not None)
    await other.sign_in(ONE)
    assert other.brain.seated is None, "signed in without being checked in again"
    await scene.check_in(ONE)
    await other.sign_in(ONE)
    await other.until(lambda: other.brain.phase is not None)
    assert other.brain.phase is not None and other.brain.phase.kind == "halted"
    assert other.brain.phase.resumes_at == again
    assert other.last("paper_key") is None
    clock.set(again)
    async with scene.acting() as act:
        await halt_service.continue_exam(act, Extent(SLOT), "开始续考")
    await other.until(lambda: other.paper is not None)
    assert other.paper == paper
    assert other.brain.answers == {1: ("B",)}
    assert other.brain.phase.end == again + timedelta(minutes=50)


async def test_who_does_not_come_back_is_collected_at_his_end(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """A halted candidate who is never checked in again is collected with his answers when the unused time is over."""
    await at_work(scene, hall)
    clock.advance(minutes=40)
    async with scene.acting() as act:
        await halt_service.halt(act, Extent(SLOT), "洪水")
    clock.advance(minutes=300)
    assert await hall._collector.collect_what_is_due() == 0
    async with scene.acting() as act:
        await halt_service.plan_continuation(act, Extent(SLOT), act.now, "续考")
        await halt_service.continue_exam(act, Extent(SLOT), "")
    clock.advance(minutes=51)
    hall._collector.look_again()
    await hall._collector.collect_what_is_due()
    assert await state_of(scene) is State.COLLECTED


async def test_halt_is_refused_before_the_bell_and_twice(scene: Scene, hall: Hall) -> None:
    """A halt needs the bell, and a room that is halted is not halted again; a halt of the whole slot then halts the
    others and names the one that was halted, which stays so when the slot goes on."""
    assert await refused(scene, halt_service.halt, Extent(SLOT), "") == "halt-before-bell"
    await scene.ring()
    async with scene.acting() as act:
        await halt_service.halt(act, Extent(SLOT, room="1"), "漏水")
    assert await refused(scene, halt_service.halt, Extent(SLOT, room="1"), "") == "halt-open"
    assert await refused(scene, time_service.resume, Extent(SLOT, room="1")) == "pause-not-open"
    async with scene.db.reading() as session:
        times = await store.slot_times(session, SLOT)
    assert own_end(times.of(scene.sittings[("2", 1)], "2")) is not None
    assert own_end(times.of(scene.sittings[ONE], "1")) is None
    async with scene.acting() as act:
        assert (await halt_service.halt(act, Extent(SLOT), "地震")).before == ("1",)
    assert await refused(scene, halt_service.halt, Extent(SLOT), "") == "halt-open"
    async with scene.acting() as act:
        await halt_service.plan_continuation(act, Extent(SLOT), act.now, "续考")
        await halt_service.continue_exam(act, Extent(SLOT), "")
        times = await store.slot_times(act.session, SLOT)
    assert own_end(times.of(scene.sittings[("2", 1)], "2")) is not None
    assert own_end(times.of(scene.sittings[ONE], "1")) is None


async def test_commands_are_sent_seen_and_done(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """A pause counts as done by the kiosk on the line and is outstanding for the one that is off it until it comes
    back; a message is done only when it was put away.
    """
    kiosk = await at_work(scene, hall)
    away = await seated_kiosk(scene, hall, ("1", 2))
    away.disconnect()
    async with scene.acting() as act:
        await time_service.pause(act, Extent(SLOT, room="1"), "停电")
        words = await contact_service.message(act, Extent(SLOT, room="1"), "请安静")

    async def counts() -> dict[str, tuple[int, int, int, int, tuple[tuple[str, int], ...]]]:
        await kiosk.pump()
        if away.line is not None:
            await away.pump()
        await hall._commanding.write()
        return {
            c.command.kind: (c.reached, c.sent, c.seen, c.done, c.outstanding) for c in await commands(scene)
        }

    await kiosk.until(lambda: len([e for e in kiosk.events if isinstance(e, exam.Command)]) == 2)
    found = await counts()
    assert found["pause"] == (2, 1, 1, 1, (("1", 2),))
    assert found["message"] == (2, 1, 1, 0, (("1", 1), ("1", 2)))
    kiosk.brain.put_away(words)
    away.connect()
    await away.until(lambda: away.last("message") is not None and away.last("command") is not None)
    found = await counts()
    assert found["pause"] == (2, 2, 2, 2, ())
    assert found["message"][:4] == (2, 2, 2, 1)


async def test_undo_names_what_it_corrects(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """A credit taken back no longer moves the end, both acts stay and name each other, and a second undo is
    refused.
    """
    kiosk = await at_work(scene, hall)
    bell = clock.legal()
    async with scene.acting() as act:
        await time_service.credit(act, Extent(SLOT, sitting=scene.sittings[ONE]), 600, "误加")
    (credit,) = [c.command for c in await commands(scene) if c.command.kind == "credit"]
    async with scene.acting() as act:
        undo = await undo_service.undo(act, credit.id, "加错考生")
    await kiosk.until(
        lambda: kiosk.brain.phase is not None and kiosk.brain.phase.end == bell + timedelta(minutes=90)
    )
    by_id = {c.command.id: c.command for c in await commands(scene)}
    assert (by_id[undo].undoes, by_id[credit.id].undone_by) == (credit.id, undo)
    assert await refused(scene, undo_service.undo, credit.id, "again") == "act-undone"
    assert await refused(scene, undo_service.undo, undo, "again") == "act-not-undoable"


async def test_undo_never_ends_an_exam(scene: Scene, hall: Hall, clock: FakeClock) -> None:
    """Extra time that somebody is already writing in is not taken back."""
    await at_work(scene, hall)
    async with scene.acting() as act:
        await time_service.extend(act, Extent(SLOT), 1200, "特殊需要")
    clock.advance(minutes=95)
    (extra,) = [c.command.id for c in await commands(scene)]
    assert await refused(scene, undo_service.undo, extra, "") == "undo-would-end"


async def test_voided_sitting_is_opened_again_by_an_undo(scene: Scene, hall: Hall) -> None:
    """After the undo of a voiding the candidate signs in again and finds his answers; absent and undone he is
    checked in as before.
    """
    kiosk = await at_work(scene, hall)
    kiosk.brain.answer(1, ("C",), scene.clock.monotonic())
    await kiosk.until(lambda: len(kiosk.brain.outbox) == 0)
    async with scene.acting() as act:
        await service.cancel(act, scene.sittings[ONE], "作弊")
        await service.mark_absent(act, scene.sittings[("2", 1)], "未到")
    await kiosk.until(lambda: kiosk.last("voided") is not None)
    for command in await commands(scene):
        async with scene.acting() as act:
            await undo_service.undo(act, command.command.id, "认错人")
    assert await state_of(scene, ("2", 1)) is State.PREPARED
    assert await state_of(scene) is State.OPENED
    kiosk.brain.forget()
    await kiosk.sign_in()
    assert kiosk.brain.seated is not None
    assert kiosk.brain.answers == {1: ("C",)}


async def test_break_covers_the_paper_and_measures_the_time(
    scene: Scene, hall: Hall, clock: FakeClock
) -> None:
    """While a candidate is out with an escort the kiosk covers the paper, the end stays, and the return says how
    long it was.
    """
    kiosk = await at_work(scene, hall)
    sitting = scene.sittings[ONE]
    async with scene.acting() as act:
        await break_service.leave(act, sitting, "李监考", "洗手间")
    assert await refused(scene, break_service.leave, sitting, "李监考", "x") == "break-open"
    await kiosk.until(lambda: kiosk.brain.phase is not None and kiosk.brain.phase.away)
    assert kiosk.brain.phase is not None
    end = kiosk.brain.phase.end
    clock.advance(minutes=4)
    async with scene.acting() as act:
        assert await break_service.come_back(act, sitting) == 240
    await kiosk.until(lambda: kiosk.brain.phase is not None and not kiosk.brain.phase.away)
    assert kiosk.brain.phase.end == end
    async with scene.db.reading() as session:
        (out,) = await command_store.breaks(session, SLOT)
    assert out.returned_at is not None
    assert out.returned_at - out.left_at == timedelta(minutes=4)
