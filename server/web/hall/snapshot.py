"""What the board shows of one slot at one moment, gathered from every room that knows a part of it."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import correction_store
from server.affairs import store as affairs
from server.affairs.corrections import Correction, Field
from server.affairs.facts import Slot
from server.conduct import store
from server.conduct.bell import BellFacts, BellKind, bell_kind
from server.conduct.counts import slot_gaps
from server.conduct.runsheet import Line, checklist
from server.conduct.store import Closure, RecordedIncident, SealShowing
from server.conduct.tally import slot_counts
from server.delivery import command_store
from server.delivery import store as delivery
from server.delivery.clock_watch import off_by
from server.delivery.facts import CommandReach, Extent, SittingFact, SlotTimes
from server.delivery.sitting import State
from server.delivery.timing import PhaseKind, continues_at, hand_in_window, own_end
from server.delivery.undo_service import UNDOABLE
from server.errors import NotFound
from server.papers import store as papers
from server.protocol.board import (
    ActView,
    CorrectedView,
    HallCounts,
    IncidentView,
    RoomView,
    SeatView,
    SlotView,
    Snapshot,
    StepView,
)
from server.web.site import Site

ACTS_SHOWN = 30
SEATS_NAMED = 12

_SIGNS = {
    State.PREPARED: "waiting",
    State.CHECKED_IN: "checked_in",
    State.OPENED: "writing",
    State.HALTED: "halted",
    State.HANDED_IN: "done",
    State.COLLECTED: "done",
    State.VOIDED: "voided",
    State.ABSENT: "absent",
}


def sign(fact: SittingFact) -> str:
    """Return the sign that the board draws: a lost line and a pause show only while the candidate is at
    it.
    """
    if fact.state in (State.CHECKED_IN, State.OPENED):
        if fact.away_since is not None:
            return "away"
        if fact.online is False:
            return "offline"
        if fact.phase.kind in (PhaseKind.PAUSED, PhaseKind.HALTED):
            return fact.phase.kind.value
    return _SIGNS[fact.state]


async def snapshot(site: Site, slot: str) -> Snapshot:
    """Return everything the board shows of a slot now; NotFound when there is no such slot."""
    now = site.clock.legal()
    async with site.db.reading() as session:
        found = await affairs.slot(session, slot)
        times = await _times(session, slot)
        showing = await store.seal_showing(session, slot)
        closure = await store.closure(session, slot)
        bells = times.bells if times is not None else {}
        rooms = await _rooms(site, session, found, times, showing is not None, now)
        numbers = tuple(room.number for room in rooms)
        seats = await _seats(site, session, found, times, now)
        counts = await _counts(session, slot, seats, closure is not None)
        ticks = await store.ticks(session, slot)
        first = min(bells.values(), default=None)
        halts = [one.pause for one in times.halts if one.extent == Extent(slot)] if times is not None else []
        sheet = site.pack.run_sheet
        planned = found.starts_at if times is None else found.starts_at + times.moved_by()
        lines = checklist(sheet, ticks, numbers, planned, found.minutes, first, now, halts)
        incidents = await store.incidents(session, slot)
        given = await command_store.newest_commands(session, slot, ACTS_SHOWN)
        view = await _slot(site, session, found, times, rooms, showing, closure)
    feed = site.feed.snapshot()
    return Snapshot(
        id=0,
        epoch="",
        now=now,
        rate=site.clock.rate(),
        slot=view,
        rooms=rooms,
        seats=seats,
        counts=counts,
        steps=tuple(_step(line) for line in lines),
        alerts=tuple(alert for alert in feed.alerts if alert.room in numbers),
        cameras=tuple(camera for camera in feed.cameras if camera.room in numbers),
        incidents=tuple(_incident(incident) for incident in incidents),
        acts=tuple(_act(one) for one in given),
    )


def _step(line: Line) -> StepView:
    return StepView(
        code=line.code,
        at=line.at,
        title=line.title_zh,
        title_en=line.title_en,
        article=line.article,
        per_room=line.per_room,
        two_names=line.two_names,
        state=line.state,
        open_rooms=line.open_rooms,
        done=len(line.ticks),
    )


def _act(one: CommandReach) -> ActView:
    command = one.command
    return ActView(
        id=command.id,
        kind=command.kind,
        at=command.at,
        by=command.actor,
        room=command.room,
        sitting=command.sitting,
        reason=command.reason,
        reached=one.reached,
        sent=one.sent,
        seen=one.seen,
        done=one.done,
        outstanding=tuple(f"{room}-{seat}" for room, seat in one.outstanding[:SEATS_NAMED]),
        undoes=command.undoes,
        undone_by=command.undone_by,
        undoable=command.kind in UNDOABLE and command.undone_by is None,
    )


def _incident(incident: RecordedIncident) -> IncidentView:
    return IncidentView(
        id=incident.id,
        kind=incident.kind,
        state=incident.state,
        room=incident.room,
        sitting=incident.sitting,
        note=incident.note,
        recorded_at=incident.recorded_at,
        recorded_by=incident.recorded_by,
        report_to=incident.report_to,
        reported_at=incident.reported_at,
    )


async def _times(session: AsyncSession, slot: str) -> SlotTimes | None:
    try:
        return await delivery.slot_times(session, slot)
    except NotFound:
        return None


async def _slot(
    site: Site,
    session: AsyncSession,
    slot: Slot,
    times: SlotTimes | None,
    rooms: tuple[RoomView, ...],
    showing: SealShowing | None,
    closure: Closure | None,
) -> SlotView:
    plan = await affairs.plan(session, slot.plan)
    standing = await affairs.standing(session, plan.organisation)
    bells = {room.bell for room in rooms}
    first_open = next((k for k in ("overdue", "ready", "locked", "early") if k in bells), BellKind.RUNG.value)
    ends = [room.ends_at for room in rooms if room.ends_at is not None]
    shipping = None if site.shipper is None else site.shipper.state()
    return SlotView(
        id=slot.id,
        plan=plan.id,
        plan_name=plan.name,
        occupation=plan.occupation,
        level=plan.level,
        subject=slot.subject,
        place=slot.place,
        starts_at=slot.starts_at,
        ends_at=max(ends, default=slot.ends_at),
        minutes=slot.minutes,
        early=slot.early,
        late=slot.late,
        seals_shown_at=showing.shown_at if showing else None,
        papers_sealed=len(await papers.seals(session, slot.id)),
        start_key_open=site.start_keys.holds(slot.id),
        bell=first_open,
        standing=standing.status,
        outcome=closure.outcome if closure else None,
        clock_off_s=off_by(site.clock.step()),
        standby_away=shipping is not None and shipping.policy == "sync" and not shipping.waits,
        standby_behind=0 if shipping is None else shipping.behind,
        recovery_fault=None if site.second_place is None else site.second_place.fault,
        bell_from=min(
            (_planned(slot, times, room.number) for room in rooms if room.bell_at is None),
            default=slot.starts_at,
        ),
    )


def _planned(slot: Slot, times: SlotTimes | None, room: str) -> datetime:
    """Return from when the bell of a room may be struck."""
    return slot.starts_at if times is None else slot.starts_at + times.moved_by(room)


async def _rooms(
    site: Site, session: AsyncSession, slot: Slot, times: SlotTimes | None, seals: bool, now: datetime
) -> tuple[RoomView, ...]:
    used = {seat.room for seat in await affairs.seating(session, slot.id)}
    staff = await affairs.staff(session, slot.plan)
    held = site.start_keys.holds(slot.id)
    views = []
    for room in await affairs.rooms(session, slot.plan):
        if room.number not in used:
            continue
        own = times.of("", room.number) if times is not None else None
        window = hand_in_window(own) if own is not None else None
        rung = times.bells.get(room.number) if times is not None else None
        held_or_stored = held or (times is not None and bool(times.bells))
        planned = _planned(slot, times, room.number)
        views.append(
            RoomView(
                number=room.number,
                name=room.name,
                seats=room.seats,
                bell=bell_kind(BellFacts(planned, rung, seals, held_or_stored), now),
                bell_at=rung,
                ends_at=own_end(own) if own is not None else None,
                hand_in_opens=window.opens if window else None,
                hand_in_closes=window.closes if window else None,
                paused=own is not None and any(p.end is None and not p.halt for p in own.pauses),
                halted=own is not None and any(p.end is None and p.halt for p in own.pauses),
                resumes_at=continues_at(own) if own is not None else None,
                invigilators=tuple(person.name for person in staff if person.room == room.number),
                entry_closes=rung + timedelta(minutes=slot.entry)
                if rung and slot.entry is not None
                else None,
            )
        )
    return tuple(views)


async def _seats(
    site: Site, session: AsyncSession, slot: Slot, times: SlotTimes | None, now: datetime
) -> tuple[SeatView, ...]:
    if times is None:
        return await _planned_seats(session, slot)
    corrected = await correction_store.standing(session, slot.plan)
    return tuple(
        SeatView(
            sitting=fact.sitting,
            candidate=fact.candidate,
            ticket=fact.ticket,
            name=fact.name,
            room=fact.room,
            seat=fact.seat,
            state=fact.state,
            sign=sign(fact),
            answered=fact.answered,
            items=fact.items or 0,
            online=bool(fact.online),
            last_heard=fact.heard_at,
            ends_at=fact.end,
            camera=seen.state if (seen := site.feed.seat(fact.room, str(fact.seat))) else None,
            calls=fact.calls,
            away_since=fact.away_since,
            corrected=_corrected(corrected.get(fact.candidate, ())),
        )
        for fact in await delivery.hall_facts(session, slot.id, now)
    )


async def _planned_seats(session: AsyncSession, slot: Slot) -> tuple[SeatView, ...]:
    """The seating as imported, before the sittings are prepared."""
    people = {candidate.id: candidate for candidate in await affairs.candidates(session, slot.plan)}
    corrected = await correction_store.standing(session, slot.plan)
    return tuple(
        SeatView(
            sitting=place.sitting,
            candidate=place.candidate,
            ticket=people[place.candidate].ticket,
            name=people[place.candidate].name,
            room=place.room,
            seat=place.seat,
            state=State.PREPARED,
            sign="waiting",
            answered=0,
            items=0,
            online=False,
            last_heard=None,
            ends_at=None,
            camera=None,
            calls=0,
            corrected=_corrected(corrected.get(place.candidate, ())),
        )
        for place in await affairs.seating(session, slot.id)
        if place.candidate in people
    )


def _corrected(found: tuple[Correction, ...]) -> tuple[CorrectedView, ...]:
    shown = (Field.NAME, Field.TICKET)
    return tuple(
        CorrectedView(field=one.field, before=one.before if one.field in shown else "", at=one.decided_at)
        for one in found
        if one.decided_at is not None
    )


async def _counts(session: AsyncSession, slot: str, seats: tuple[SeatView, ...], closed: bool) -> HallCounts:
    counted = await slot_counts(session, slot)
    states = [seat.state for seat in seats]
    return HallCounts(
        enrolled=counted.enrolled,
        checked_in=sum(1 for state in states if State(state).present or state == State.CHECKED_IN),
        present=counted.present,
        absent=counted.absent,
        writing=states.count(State.OPENED) + states.count(State.HALTED),
        handed_in=counted.handed_in or 0,
        collected=counted.collected or 0,
        voided=counted.voided or 0,
        online=sum(1 for seat in seats if seat.online),
        saved=sum(seat.answered for seat in seats),
        gaps=() if closed else tuple(gap.code for gap in slot_gaps(counted)),
    )
