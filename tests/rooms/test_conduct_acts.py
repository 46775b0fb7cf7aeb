"""Latest entry, proposed credits and breaks of an exam day on a real database."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import update

from server.affairs.models import SlotRow
from server.conduct import hall_service, record_service, runsheet_service
from server.conduct import service as conduct
from server.conduct.holds import slots_in_room
from server.conduct.opening_facts import desk_facts
from server.db.engine import Database
from server.delivery import contact_service
from server.delivery.facts import Extent
from server.delivery.models import HeartbeatRow, SittingRow
from server.delivery.sitting import State
from server.delivery.store import calls, sitting
from server.errors import Refused
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.papers import draw_store
from server.papers.sheet_seal import unseal_sheet
from tests.support.clock import FakeClock
from tests.support.database import database
from tests.support.hall import BELL, LOOKED, HallDay
from tests.support.papers import MARKING_KEY, SLOT


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with database(f"sqlite:///{tmp_path / 'test.db'}") as opened:
        yield opened


@pytest_asyncio.fixture
async def day(db: Database, clock: FakeClock, tmp_path: Path) -> HallDay:
    day = HallDay(db, clock, Identity.open_or_create(tmp_path / "node"))
    await day.draw()
    async with db.writing() as session:
        await session.execute(update(SlotRow).where(SlotRow.id == SLOT).values(entry=15))
    await day.check_in(0, 1)
    await day.ring()
    await day.open(0, 1)
    return day


async def test_a_late_candidate_is_admitted_only_with_the_chiefs_reason(day: HallDay) -> None:
    """From 15 minutes after the bell a check-in is refused with the minute, and a reason lets the candidate in; an
    absence that was undone is checked in the same way.
    """
    day.clock.set(BELL + timedelta(minutes=15))
    with pytest.raises(Refused, match="entry-closed") as caught:
        await day.check_in(2)
    assert caught.value.refusal.facts["closed"] == (BELL + timedelta(minutes=15)).isoformat()
    async with day.act() as act:
        await conduct.check_in(act, "sitting-2", **LOOKED, admitted_late="地铁停运")
    async with day.db.reading() as session:
        assert (await sitting(session, "sitting-2")).state is State.CHECKED_IN


async def test_credits_are_proposed_and_a_grant_settles_them(day: HallDay) -> None:
    """A line lost for three minutes is proposed for its seat, and no longer once somebody has given it back."""
    async with day.db.writing() as session:
        session.add_all(
            HeartbeatRow(sitting="sitting-0", seat="seat-01-1", at=BELL + timedelta(minutes=at), kind=kind)
            for at, kind in ((-5, "here"), (10, "lost"), (13, "here"))
        )
    day.clock.set(BELL + timedelta(minutes=20))
    async with day.db.reading() as session:
        (found,) = await hall_service.credit_proposals(session, SLOT, day.clock.legal())
    assert (found.sitting, found.seconds, found.times) == ("sitting-0", 180, 1)
    async with day.act() as act:
        await conduct.allow(act, Extent(SLOT, sitting="sitting-0"), "credit", found.seconds, "断线")
    async with day.db.reading() as session:
        assert await hall_service.credit_proposals(session, SLOT, day.clock.legal()) == ()


async def test_a_break_stands_on_the_room_record(day: HallDay) -> None:
    """The record of the room names who was out, with whom, and from when to when."""
    async with day.act("staff:wang") as act:
        await hall_service.leave_seat(act, "sitting-1", "李监考", "洗手间")
    day.clock.set(BELL + timedelta(minutes=6))
    async with day.act("staff:wang") as act:
        await hall_service.return_to_seat(act, "sitting-1")
    async with day.db.reading() as session:
        record = await record_service.count_room(session, SLOT, "01", day.clock.legal())
    (out,) = record.breaks
    assert (out.ticket, out.escort) == ("T0001", "李监考")
    assert out.returned_at is not None
    assert out.returned_at - out.left_at == timedelta(minutes=6)


async def test_a_room_is_collected_at_once(day: HallDay) -> None:
    """The chief's collection of a room takes every open paper of it, and a second one finds none."""
    async with day.act() as act:
        ordered = await hall_service.order_collection(act, Extent(SLOT, "01"), "火警")
    assert set(ordered) == {"sitting-0", "sitting-1"}
    async with day.act() as act:
        assert await hall_service.collect_some(act, ordered, day.identity) == 2
    async with day.db.reading() as session:
        assert (await sitting(session, "sitting-0")).state is State.COLLECTED
    with pytest.raises(Refused, match="collect-none"):
        async with day.act() as act:
            await hall_service.order_collection(act, Extent(SLOT), "火警")


async def test_what_is_seen_in_a_room_belongs_to_the_exam_there(day: HallDay) -> None:
    """Around the bell room 01 belongs to its slot, and so does a room that a candidate was moved to; two days
    later, and a room that nobody sat in, belong to none."""
    async with day.db.writing() as session:
        await session.execute(update(SittingRow).where(SittingRow.id == "sitting-0").values(room="09"))
        asked = [("01", -1), ("01", 2), ("09", 2), ("01", 48), ("08", 2)]
        found = [await slots_in_room(session, room, BELL + timedelta(hours=hours)) for room, hours in asked]
    assert found == [{SLOT}, {SLOT}, {SLOT}, set(), set()]


async def test_a_continuation_has_a_day_of_its_own(day: HallDay) -> None:
    """Halted and planned for another day, the slot keeps nobody from the bank on the days between; on the day of its
    continuation it does from the first check-in on, and the run sheet tells that day and time."""
    again = BELL + timedelta(days=2)
    day.clock.set(BELL + timedelta(minutes=40))
    async with day.act() as act:
        await hall_service.halt(act, Extent(SLOT), "地震")
        await hall_service.plan_continuation(act, Extent(SLOT), again, "余震结束")

    async def facts() -> tuple[bool | None, bool]:
        async with day.db.reading() as session:
            found = await desk_facts(session, day.clock.legal())
        return found.check_in_began, (found.sittings_open or 0) > 0

    assert await facts() == (True, True)
    day.clock.set(again - timedelta(days=1))
    assert await facts() == (False, False)
    day.clock.set(again - timedelta(minutes=30))
    assert await facts() == (False, True)
    await day.check_in(0)
    assert await facts() == (True, True)
    async with day.db.reading() as session:
        sheet = await runsheet_service.run_sheet(session, load_pack("beijing"), SLOT, BELL, day.clock.legal())
    assert [line.at for line in sheet if line.code == "continuation-1"] == [again]


async def test_reports_of_one_question_bear_one_name(day: HallDay) -> None:
    """Reports of the same question bear the same blinded name wherever it stands on the papers, those of different
    questions never; the name says nothing of the item."""
    async with day.db.reading() as session:
        sealed = await draw_store.sealed_marking_sheets(session, SLOT)
    sheets = {sheet.sitting: sheet for sheet in (unseal_sheet(MARKING_KEY, one) for one in sealed)}
    drawn = [named for named in sheets if named.startswith("sitting-")]
    async with day.act("sitting:any") as act:
        for sitting_id in drawn:
            for entry in sheets[sitting_id].entries:
                await contact_service.call(act, sitting_id, "item", entry.number, "?", "wording")
    asked = {(s, e.number): (e.item, e.version, e.part) for s in drawn for e in sheets[s].entries}
    async with day.db.reading() as session:
        named = {(one.sitting, one.number or 0): one.item or "" for one in await calls(session, SLOT)}
    assert named.keys() == asked.keys() and all(len(tag) == 16 for tag in named.values())
    shared = [(a, b) for a in asked for b in asked if a < b and a[0] != b[0] and asked[a] == asked[b]]
    assert shared and any(a[1] != b[1] for a, b in shared)
    assert all((named[a] == named[b]) == (asked[a] == asked[b]) for a in asked for b in asked)
