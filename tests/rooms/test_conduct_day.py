"""The exam day's acts on a real database."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from server.affairs.models import OrganisationRow
from server.conduct import incident_service, record_service, runsheet_service, service, spare_papers, store
from server.conduct.incidents import IncidentEvent, IncidentKind
from server.conduct.opening_facts import desk_facts, opening_facts
from server.conduct.tally import slot_counts
from server.db.engine import Database
from server.db.journal import JournalRecord
from server.delivery import store as delivery
from server.delivery.facts import Extent
from server.delivery.replacing import replace_paper
from server.delivery.service import start_key_aad
from server.delivery.sitting import State
from server.delivery.timing import own_end
from server.errors import GongyuanError, NotFound, Refused
from server.keys.identity import Identity
from server.law.loader import load_pack
from server.papers.store import seals, seals_text
from tests.support.clock import FakeClock
from tests.support.hall import BELL, LOOKED, HallDay
from tests.support.papers import SLOT, START_KEY


@pytest.fixture
def day(db: Database, clock: FakeClock, tmp_path: Path) -> HallDay:
    """A hall with nothing in it yet."""
    return HallDay(db, clock, Identity.open_or_create(tmp_path / "data"))


async def kinds(db: Database) -> list[str]:
    async with db.reading() as session:
        return list(await session.scalars(select(JournalRecord.kind).order_by(JournalRecord.id)))


async def test_a_whole_day_closes_with_no_gap(day: HallDay) -> None:
    """Seven present and one absent close: every paper drawn is opened, returned or an unused spare."""
    await day.whole_day()
    async with day.db.reading() as session:
        counted = await slot_counts(session, SLOT)
        closure = await store.closure(session, SLOT)
    assert closure is not None and closure.outcome == "closed"
    assert (counted.enrolled, counted.present, counted.absent) == (8, 7, 1)
    assert (counted.drawn, counted.opened, counted.returned_unopened, counted.spare_unused) == (10, 7, 1, 2)
    assert (counted.handed_in, counted.collected, counted.voided) == (1, 6, 0)


async def test_the_bell_is_refused_early_without_seals_without_key_and_twice(day: HallDay) -> None:
    """Each missing condition refuses the bell with its own code, and nothing is recorded."""
    await day.draw()
    codes = []

    async def ring() -> None:
        try:
            async with day.act() as act:
                await service.ring_bell(act, SLOT, (), day.start_keys, day.identity)
        except Refused as error:
            codes.append(error.code)

    day.clock.set(BELL - timedelta(seconds=1))
    await ring()
    day.clock.set(BELL)
    await ring()
    async with day.act() as act:
        await service.show_seals(act, SLOT, day.identity)
    await ring()
    day.start_keys.put(SLOT, bytearray(START_KEY))
    await ring()
    await ring()
    assert codes == ["bell-too-early", "bell-seals-not-shown", "bell-start-key-closed", "bell-rung-already"]
    assert (await kinds(day.db)).count("conduct:bell:rung") == 1


async def test_a_delay_moves_the_planned_start_and_counts_once(day: HallDay) -> None:
    """After a delay of room 02 the hall's bell rings room 01 alone, room 02 is refused until its new planned start, and
    a bell struck then gives it a whole exam from the bell."""
    await day.draw()
    async with day.act() as act:
        await service.allow(act, Extent(SLOT, "02"), "delay", 600, "no power")
    assert await day.ring() == ("01",)
    day.clock.set(BELL + timedelta(minutes=10, seconds=-1))
    with pytest.raises(Refused, match="bell-too-early") as caught:
        async with day.act() as act:
            await service.ring_bell(act, SLOT, (), day.start_keys, day.identity)
    assert caught.value.facts["allowed"] == (BELL + timedelta(minutes=10)).isoformat()
    day.clock.advance(seconds=1)
    async with day.act() as act:
        assert await service.ring_bell(act, SLOT, (), day.start_keys, day.identity) == ("02",)
    async with day.db.reading() as session:
        times = await delivery.slot_times(session, SLOT)
    ends = [own_end(times.of("", room)) for room in ("01", "02")]
    assert ends == [BELL + timedelta(minutes=90), BELL + timedelta(minutes=100)]


async def test_the_bell_stores_the_wrapped_start_key(day: HallDay) -> None:
    """After the bell the start key stands in the database under the storage key, and only so."""
    await day.draw()
    assert await day.ring() == ("01", "02")
    async with day.db.reading() as session:
        wrapped = await delivery.wrapped_start_key(session, SLOT)
    assert wrapped is not None and START_KEY not in wrapped
    assert day.identity.storage_unwrap(wrapped, start_key_aad(SLOT)) == START_KEY


async def test_rooms_may_be_rung_one_after_another(day: HallDay) -> None:
    """A second room is rung with the stored key, without custodians and without a key in memory."""
    await day.draw()
    assert await day.ring("02") == ("02",)
    day.start_keys.forget(SLOT)
    day.clock.advance(minutes=3)
    async with day.act() as act:
        assert await service.ring_bell(act, SLOT, (), day.start_keys, day.identity) == ("01",)
    async with day.db.reading() as session:
        bells = (await delivery.slot_times(session, SLOT)).bells
    assert bells == {"02": BELL, "01": BELL + timedelta(minutes=3)}


async def test_a_suspended_organisation_cannot_start_but_goes_on(day: HallDay) -> None:
    """A standing that is not good refuses start opening and bell; after a bell it stops nothing."""

    async def stand(status: str) -> None:
        async with day.db.writing() as session:
            row = await session.get(OrganisationRow, "organisation-1")
            assert row is not None
            row.status = status

    await day.draw()
    await stand("suspended")
    with pytest.raises(Refused, match="organisation-suspended"):
        async with day.db.reading() as session:
            await opening_facts(session, SLOT, "start")
    with pytest.raises(Refused, match="organisation-suspended"):
        await day.ring("01")
    await stand("good")
    async with day.act() as act:
        await service.ring_bell(act, SLOT, ("01",), day.start_keys, day.identity)
    await stand("suspended")
    async with day.act() as act:
        assert await service.ring_bell(act, SLOT, ("02",), day.start_keys, day.identity) == ("02",)


async def test_opening_facts_follow_the_day(day: HallDay) -> None:
    """The facts of the openings change with draw, seals, bell and closing, and the desk is shut during the exam; the
    hash of all seals shown stands in the journal.
    """
    await day.draw()
    async with day.db.reading() as session:
        before = await opening_facts(session, SLOT, "start")
        desk = await desk_facts(session, day.clock.legal())
    assert (before.papers_drawn, before.seals_shown, before.bell_struck, before.open_slots_of_bank) == (
        True,
        False,
        False,
        1,
    )
    assert (desk.check_in_began, desk.sittings_open) == (False, 8)
    await day.check_in(0)
    async with day.db.reading() as session:
        assert (await desk_facts(session, day.clock.legal())).check_in_began
    await day.ring()
    async with day.db.reading() as session:
        after = await opening_facts(session, SLOT, "start")
        told = await session.scalar(
            select(JournalRecord.body).where(JournalRecord.kind == "conduct:seals:shown")
        )
        listed = seals_text(await seals(session, SLOT))
    assert (after.seals_shown, after.bell_struck) == (True, True)
    assert listed.count("\n") == 10 and hashlib.sha256(listed.encode()).hexdigest() in str(told)


async def test_marking_opens_only_after_closing(day: HallDay) -> None:
    """The marking opening sees no open slot once the slot is closed."""
    await day.whole_day()
    async with day.db.reading() as session:
        assert (await opening_facts(session, SLOT, "marking")).open_slots_of_bank == 0
        assert await desk_facts(session, day.clock.legal()) == await desk_facts(session, day.clock.legal())
        assert (await desk_facts(session, day.clock.legal())).sittings_open == 0


async def test_an_incomplete_check_in_is_refused_unless_its_exception_is_named(day: HallDay) -> None:
    """A missing signature refuses the check-in; with a written exception it is taken and kept."""
    await day.draw()
    with pytest.raises(Refused, match="check-in-incomplete"):
        async with day.act() as act:
            await service.check_in(act, "sitting-0", **{**LOOKED, "signature": False})
    async with day.act() as act:
        await service.check_in(
            act, "sitting-0", **{**LOOKED, "signature": False}, exception="broken arm, chief"
        )
    async with day.db.reading() as session:
        assert (await delivery.sitting(session, "sitting-0")).state is State.CHECKED_IN


async def test_nobody_is_absent_before_the_bell_and_a_paper_never_opened_leaves_an_incident(
    day: HallDay,
) -> None:
    """Absence is entered after the bell only; for a candidate who was checked in it makes an incident as
    well.
    """
    await day.draw()
    await day.check_in(0)
    with pytest.raises(Refused, match="absent-before-bell"):
        async with day.act() as act:
            await service.mark_absent(act, "sitting-0", "left")
    await day.ring()
    async with day.act() as act:
        await service.mark_absent(act, "sitting-0", "left")
        await service.mark_absent(act, "sitting-1", "never came")
    async with day.db.reading() as session:
        found = await store.incidents(session, SLOT)
    assert [(i.kind, i.sitting) for i in found] == [(IncidentKind.NEVER_OPENED, "sitting-0")]


async def test_closing_names_what_is_open(day: HallDay) -> None:
    """A slot with an open sitting is not closed, and the refusal says how many and where."""
    await day.draw()
    await day.check_in(0)
    await day.ring()
    await day.open(0)
    with pytest.raises(Refused) as caught:
        async with day.act() as act:
            await service.close_slot(act, SLOT)
    assert (caught.value.code, caught.value.facts["open"]) == ("sittings-open", 8)


async def test_an_unexplained_spare_blocks_closing(day: HallDay) -> None:
    """A spare paper given without its incident is a gap that is named with both sides."""
    await day.draw()
    await day.check_in(*range(7))
    await day.ring()
    await day.open(*range(7))
    async with day.act() as act:
        await service.mark_absent(act, "sitting-7", "never came")
        await replace_paper(act, "sitting-0", "page 2 unreadable")
    async with day.act() as act:
        await spare_papers.replace_paper(act, "sitting-4", "seal broken")
    for number in range(7):
        await day.end(number, State.COLLECTED)
    with pytest.raises(Refused) as caught:
        async with day.act() as act:
            await service.close_slot(act, SLOT)
    assert caught.value.facts == {"gap": "opened=present+replaced", "left": 9, "right": 8}
    async with day.act() as act:
        await incident_service.record_incident(
            act, SLOT, IncidentKind.PAPER_REPLACED, "page 2 unreadable", room="01", sitting="sitting-0"
        )
        await service.close_slot(act, SLOT)


async def test_one_person_voids_nothing(day: HallDay) -> None:
    """A paper is voided only after a second person, the chief, confirmed the finding; both names are kept."""
    await day.draw()
    await day.check_in(0)
    await day.ring()
    await day.open(0)
    async with day.act("staff:wang") as act:
        incident = await incident_service.record_incident(
            act, SLOT, IncidentKind.CHEATING, "notes under the sheet", sitting="sitting-0", room="01"
        )
    with pytest.raises(Refused, match="void-without-finding"):
        async with day.act() as act:
            await service.void(act, "sitting-0", "cheating")
    with pytest.raises(Refused, match="incident-second-person"):
        async with day.act("staff:wang") as act:
            await incident_service.settle_incident(act, incident, IncidentEvent.CONFIRM, "seen", chief=True)
    async with day.act() as act:
        await incident_service.settle_incident(act, incident, IncidentEvent.CONFIRM, "seen", chief=True)
        await service.void(act, "sitting-0", "cheating")
    async with day.db.reading() as session:
        assert (await delivery.sitting(session, "sitting-0")).state is State.VOIDED
        assert await store.cheated(session, SLOT) == frozenset({"sitting-0"})
    with pytest.raises(Refused, match="incident-settled"):
        async with day.act() as act:
            await incident_service.settle_incident(act, incident, IncidentEvent.DISMISS, "no", chief=True)


async def test_a_check_in_is_taken_back_and_a_paper_collected_early(day: HallDay) -> None:
    """A check-in is undone before the paper opens and not after; an opened paper may be collected before its end."""
    await day.draw()
    await day.check_in(0, 1)
    async with day.act() as act:
        await service.undo_check_in(act, "sitting-1", "wrong seat")
    await day.ring()
    await day.open(0)
    with pytest.raises(Refused, match="sitting-state"):
        async with day.act() as act:
            await service.undo_check_in(act, "sitting-0", "wrong seat")
    async with day.act() as act:
        await service.collect(act, "sitting-0", "taken ill", day.identity)
    async with day.db.reading() as session:
        states = {s.id: s.state for s in await delivery.sittings(session, SLOT)}
    assert (states["sitting-0"], states["sitting-1"]) == (State.COLLECTED, State.PREPARED)


async def test_a_move_is_listed_in_both_rooms_and_counted_in_the_new_one(day: HallDay) -> None:
    """A reseated candidate stands in the new room's count and in the moves of both."""
    await day.draw()
    await day.check_in(0)
    await day.ring()
    await day.open(0)
    await day.enrol_seat("02", 6)
    async with day.act() as act:
        await service.reseat(act, "sitting-0", "02", 6, "broken screen")
    async with day.db.reading() as session:
        old = await record_service.count_room(session, SLOT, "01", day.clock.legal())
        new = await record_service.count_room(session, SLOT, "02", day.clock.legal())
    assert (old.enrolled, new.enrolled, new.present) == (3, 5, 1)
    assert [m.reason for m in old.moves] == [m.reason for m in new.moves] == ["broken screen"]


async def test_a_room_record_carries_the_anchor_and_two_names(day: HallDay) -> None:
    """A record of a finished room is signed by two different names, once, and its code is that of an
    anchor.
    """
    await day.whole_day()
    async with day.act("staff:wang") as act:
        made = await record_service.make_record(act, day.identity, SLOT, "02")
    with pytest.raises(GongyuanError, match="record-second-name"):
        async with day.act("staff:wang") as act:
            await record_service.sign_record(act, made, "wang")
    async with day.act("staff:wang") as act:
        signed = await record_service.sign_record(act, made, "li")
    assert (len(signed.code), signed.signed_by, signed.second) == (16, "staff:wang", "li")
    assert '"absentees": ["T0007"]' in signed.body
    with pytest.raises(Refused, match="record-signed-already"):
        async with day.act("staff:li") as act:
            await record_service.sign_record(act, made, "wang")


async def test_a_closed_slot_takes_no_act(day: HallDay) -> None:
    """After closing no time, message, check-in or second closing is taken."""
    await day.whole_day()
    for verb in (
        lambda act: service.allow(act, Extent(SLOT), "credit", 60, "late"),
        lambda act: service.message(act, Extent(SLOT), "hello"),
        lambda act: service.check_in(act, "sitting-7", **LOOKED),
        lambda act: service.close_slot(act, SLOT),
    ):
        with pytest.raises(Refused, match="slot-over"):
            async with day.act() as act:
                await verb(act)


async def test_a_slot_is_cancelled_only_before_its_bell(day: HallDay) -> None:
    """Cancelling after a bell is refused; before it the slot is over and keeps the reason."""
    await day.draw()
    await day.ring("01")
    with pytest.raises(Refused, match="cancel-after-bell"):
        async with day.act() as act:
            await service.cancel(act, SLOT, "storm")


async def test_the_run_sheet_remembers_acts_and_ticks(day: HallDay) -> None:
    """Seals and bell tick their own steps, people tick the others, each once."""
    pack = load_pack("beijing")
    await day.draw()
    async with day.act("staff:wang") as act:
        await runsheet_service.tick(act, pack, SLOT, "rules_read", "01", None, "")
    with pytest.raises(Refused, match="step-done-already"):
        async with day.act("staff:wang") as act:
            await runsheet_service.tick(act, pack, SLOT, "rules_read", "01", None, "")
    await day.ring()
    async with day.db.reading() as session:
        lines = await runsheet_service.run_sheet(session, pack, SLOT, BELL, day.clock.legal())
    states = {line.code: line.state for line in lines}
    assert (states["seals_shown"], states["start"], states["rules_read"]) == ("done", "done", "late")


async def test_unknown_things_are_not_found(day: HallDay) -> None:
    """An unknown room, sitting, incident or record is NotFound and changes nothing."""
    await day.draw()
    day.clock.set(BELL)
    for verb in (
        lambda act: service.ring_bell(act, SLOT, ("99",), day.start_keys, day.identity),
        lambda act: service.check_in(act, "nobody", **LOOKED),
        lambda act: incident_service.report_incident(act, "none", "office", ""),
        lambda act: record_service.sign_record(act, "none", "li"),
    ):
        with pytest.raises(NotFound):
            async with day.act() as act:
                await verb(act)
