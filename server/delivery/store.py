"""Reads of delivery: rows in, facts out. Times are aware UTC."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery.facts import (
    Allowance,
    CallFact,
    Ending,
    Extent,
    Halt,
    Move,
    RoomFact,
    Seat,
    Sitting,
    SittingFact,
    SlotTerms,
    SlotTimes,
)
from server.delivery.late_models import MergedAnswerRow, MergeRow, ReplacementRow
from server.delivery.lost_time import Beat
from server.delivery.models import (
    AllowanceRow,
    AnswerEventRow,
    AnswerRow,
    BellRow,
    BreakRow,
    CallRow,
    EndingRow,
    HeadRow,
    HeartbeatRow,
    MarkRow,
    MoveRow,
    PauseRow,
    SeatRow,
    SittingRow,
    SlotRow,
)
from server.delivery.sitting import State
from server.delivery.timing import Pause, Policy, own_end, phase_of
from server.errors import NotFound
from server.protocol.paper import AnswerValue

EMPTY = "[]"

_values: msgspec.json.Decoder[tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...])


def value_of(text: str) -> AnswerValue:
    """Return a stored answer."""
    return _values.decode(text)


async def slot_terms(session: AsyncSession, slot: str) -> SlotTerms:
    """Return the terms of a prepared slot; NotFound when its sittings are not prepared."""
    return _terms(await slot_row(session, slot))


async def slot_row(session: AsyncSession, slot: str) -> SlotRow:
    """Return the row of a prepared slot."""
    row = await session.get(SlotRow, slot)
    if row is None:
        raise NotFound("slot-not-prepared", slot=slot)
    return row


async def sitting_row(session: AsyncSession, sitting: str, *, lock: bool = False) -> SittingRow:
    """Return the row of a sitting, locked against the answer writer when it shall be changed."""
    query = select(SittingRow).where(SittingRow.id == sitting)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("sitting-unknown", sitting=sitting)
    return row


async def sitting(session: AsyncSession, sitting: str) -> Sitting:
    """Return one sitting."""
    return sitting_fact(await sitting_row(session, sitting))


async def sittings(session: AsyncSession, slot: str) -> tuple[Sitting, ...]:
    """Return the sittings of a slot in order of room and seat; empty when it is not prepared."""
    rows = await session.scalars(
        select(SittingRow)
        .where(SittingRow.slot == slot)
        .order_by(SittingRow.room, SittingRow.seat, SittingRow.id)
    )
    return tuple(sitting_fact(row) for row in rows)


async def seated(
    session: AsyncSession, room: str, start: datetime, end: datetime
) -> Mapping[int, datetime | None]:
    """Return the seats of a room in slots whose planned start lies in [start, end), and when each was checked in;
    None where nobody was.
    """
    rows = await session.execute(
        select(SittingRow.seat, SittingRow.checked_in_at)
        .join(SlotRow, SlotRow.id == SittingRow.slot)
        .where(SittingRow.room == room, SlotRow.starts_at >= start, SlotRow.starts_at < end)
        .order_by(SlotRow.starts_at.desc(), SittingRow.checked_in_at)
    )
    found: dict[int, datetime | None] = {}
    for seat, at in rows:
        found[seat] = at or found.get(seat)
    return found


async def sitting_at(session: AsyncSession, room: str) -> frozenset[int]:
    """Return the seats of a room at which somebody is checked in or writes now."""
    rows = await session.scalars(
        select(SittingRow.seat).where(
            SittingRow.room == room,
            SittingRow.state.in_((State.CHECKED_IN.value, State.OPENED.value)),
        )
    )
    return frozenset(rows)


async def sittings_by_state(session: AsyncSession, *states: State) -> tuple[Sitting, ...]:
    """Return all sittings in any of these states."""
    wanted = tuple(state.value for state in states)
    rows = await session.scalars(select(SittingRow).where(SittingRow.state.in_(wanted)))
    return tuple(sitting_fact(row) for row in rows)


async def active_at(session: AsyncSession, room: str, seat: int) -> tuple[SittingRow, ...]:
    """Return the sittings that this seat is open for: checked in there, or opened there."""
    query = select(SittingRow).where(
        SittingRow.room == room,
        SittingRow.seat == seat,
        SittingRow.state.in_((State.CHECKED_IN.value, State.OPENED.value)),
    )
    return tuple(await session.scalars(query))


async def seats(session: AsyncSession, rooms: Iterable[str] | None = None) -> tuple[Seat, ...]:
    """Return the enrolled seats, of some rooms or all, in order of room and number."""
    query = select(SeatRow).where(SeatRow.revoked_at.is_(None)).order_by(SeatRow.room, SeatRow.number)
    if rooms is not None:
        query = query.where(SeatRow.room.in_(tuple(rooms)))
    return tuple(seat_fact(row) for row in await session.scalars(query))


async def slot_times(session: AsyncSession, slot: str) -> SlotTimes:
    """Return everything that moves the deadlines of a slot."""
    terms = await slot_terms(session, slot)
    bells = await session.execute(select(BellRow.room, BellRow.at).where(BellRow.slot == slot))
    allowances = await session.scalars(
        select(AllowanceRow).where(AllowanceRow.slot == slot, AllowanceRow.withdrawn_at.is_(None))
    )
    pauses = await session.scalars(select(PauseRow).where(PauseRow.slot == slot))
    away = await open_breaks(session, slot)
    return SlotTimes(
        terms,
        dict(bells.tuples().all()),
        tuple(
            Allowance(
                Extent(row.slot, row.room, row.sitting), row.kind, timedelta(seconds=row.seconds), row.at
            )
            for row in allowances
        ),
        tuple(
            Halt(
                Extent(row.slot, row.room, row.sitting),
                Pause(row.started_at, row.ended_at, row.halt, row.resumes_at),
            )
            for row in pauses
        ),
        frozenset(away),
    )


async def open_breaks(session: AsyncSession, slot: str) -> Mapping[str, datetime]:
    """Return since when each candidate of a slot is out of the room, by sitting; only who is out now."""
    rows = await session.execute(
        select(BreakRow.sitting, BreakRow.left_at)
        .join(SittingRow, SittingRow.id == BreakRow.sitting)
        .where(SittingRow.slot == slot, BreakRow.returned_at.is_(None))
    )
    return dict(rows.tuples().all())


async def wrapped_start_key(session: AsyncSession, slot: str) -> bytes | None:
    """Return the slot's start key as the bell stored it, or None before the first bell, and where a rebuilt centre
    has the bell alone."""
    query = select(BellRow.wrapped_start_key).where(BellRow.slot == slot).limit(1)
    wrapped: bytes | None = await session.scalar(query)
    return wrapped or None


def of_this_paper() -> ColumnElement[bool]:
    """Return the condition that an answer's row was given on the paper that the sitting has now: after a
    replacement, those of older leases belong to the paper before."""
    newest = select(func.max(ReplacementRow.lease)).where(ReplacementRow.sitting == AnswerRow.sitting)
    # Few papers are ever replaced: the list is read once, and only their rows are looked at one by one.
    replaced = select(ReplacementRow.sitting)
    return or_(AnswerRow.sitting.not_in(replaced), AnswerRow.lease >= newest.scalar_subquery())


async def paper_lease(session: AsyncSession, sitting: str) -> int:
    """Return the lowest lease whose answers were given on the paper that the sitting has now; 0 for all."""
    newest = select(func.max(ReplacementRow.lease)).where(ReplacementRow.sitting == sitting)
    return await session.scalar(newest) or 0


async def standing_answers(session: AsyncSession, sitting: str) -> tuple[AnswerRow, ...]:
    """Return the acknowledged answers that stand, with their (lease, seq), in order of item number."""
    rows = await session.scalars(
        select(AnswerRow).where(AnswerRow.sitting == sitting, of_this_paper()).order_by(AnswerRow.number)
    )
    return tuple(rows)


async def merged_answers(session: AsyncSession, sitting: str) -> tuple[MergedAnswerRow, ...]:
    """Return the late answers that two people accepted for a sitting, oldest merge first."""
    rows = await session.scalars(
        select(MergedAnswerRow)
        .join(MergeRow, MergeRow.id == MergedAnswerRow.merge)
        .where(MergedAnswerRow.sitting == sitting, MergedAnswerRow.accepted)
        .order_by(MergeRow.number, MergedAnswerRow.number)
    )
    return tuple(rows)


async def final_answers(session: AsyncSession, sitting: str) -> Mapping[int, AnswerValue]:
    """Return the answers of a sitting by item number: those that stand, with merged late ones in their
    place; cleared items are left out.
    """
    final = {row.number: row.value for row in await standing_answers(session, sitting)}
    final |= {row.number: row.value for row in await merged_answers(session, sitting)}
    return {number: value_of(value) for number, value in final.items() if value != EMPTY}


async def marks(session: AsyncSession, sitting: str) -> tuple[int, ...]:
    """Return the item numbers marked for review."""
    query = select(MarkRow.number).where(MarkRow.sitting == sitting).order_by(MarkRow.number)
    return tuple(await session.scalars(query))


async def next_seq(session: AsyncSession, sitting: str, lease: int) -> int:
    """Return the lowest seq above all that the lease has stored (1 for a new lease)."""
    row = await session.get(HeadRow, sitting)
    return row.seq + 1 if row is not None and row.lease == lease else 1


async def ending(session: AsyncSession, sitting: str) -> Ending | None:
    """Return how a paper came in, or None when it has not."""
    row = await session.get(EndingRow, sitting)
    return None if row is None else ending_fact(row)


async def moves(
    session: AsyncSession, slot: str, *, from_rooms: Collection[str] | None = None
) -> tuple[Move, ...]:
    """Return the moves of a slot in order of time: all, or those away from these rooms."""
    query = (
        select(MoveRow)
        .join(SittingRow, SittingRow.id == MoveRow.sitting)
        .where(SittingRow.slot == slot)
        .order_by(MoveRow.at, MoveRow.id)
    )
    if from_rooms is not None:
        query = query.where(MoveRow.from_room.in_(from_rooms))
    rows = await session.scalars(query)
    return tuple(
        Move(row.sitting, row.at, row.from_room, row.from_seat, row.to_room, row.to_seat, row.reason)
        for row in rows
    )


async def calls(session: AsyncSession, slot: str, *, open_only: bool = True) -> tuple[CallFact, ...]:
    """Return the candidates' calls of a slot, oldest first."""
    query = (
        select(CallRow, SittingRow.room, SittingRow.seat)
        .join(SittingRow, SittingRow.id == CallRow.sitting)
        .where(SittingRow.slot == slot)
        .order_by(CallRow.at, CallRow.id)
    )
    if open_only:
        query = query.where(CallRow.answered_at.is_(None))
    return tuple(
        CallFact(
            row.id,
            row.sitting,
            room,
            seat,
            row.at,
            row.reason,
            row.number,
            row.text,
            row.answered_at,
            row.fault,
            row.item,
        )
        for row, room, seat in await session.execute(query)
    )


async def heartbeats(session: AsyncSession, slot: str) -> Mapping[str, tuple[Beat, ...]]:
    """Return the heartbeat ledger of a slot by sitting, in the order in which it was written."""
    found: dict[str, list[Beat]] = {}
    for sitting, at, kind in await session.execute(
        select(HeartbeatRow.sitting, HeartbeatRow.at, HeartbeatRow.kind)
        .where(HeartbeatRow.sitting.in_(select(SittingRow.id).where(SittingRow.slot == slot)))
        .order_by(HeartbeatRow.id)
    ):
        found.setdefault(sitting, []).append(Beat(at, kind == "here"))
    return {sitting: tuple(beats) for sitting, beats in found.items()}


async def newest_credits(session: AsyncSession, slot: str) -> tuple[tuple[Extent, datetime], ...]:
    """Return what each credit of a slot reaches, and when it was given; withdrawn ones are left out."""
    rows = await session.scalars(
        select(AllowanceRow).where(
            AllowanceRow.slot == slot, AllowanceRow.kind == "credit", AllowanceRow.withdrawn_at.is_(None)
        )
    )
    return tuple((Extent(row.slot, row.room, row.sitting), row.at) for row in rows)


async def hall_facts(session: AsyncSession, slot: str, now: datetime) -> tuple[SittingFact, ...]:
    """Return one line per sitting of a slot, in order of room and seat, with phases at `now`."""
    times = await slot_times(session, slot)
    of_slot = select(SittingRow.id).where(SittingRow.slot == slot)
    answered = dict(
        (
            await session.execute(
                select(AnswerRow.sitting, func.count())
                .where(AnswerRow.sitting.in_(of_slot), AnswerRow.value != EMPTY, of_this_paper())
                .group_by(AnswerRow.sitting)
            )
        )
        .tuples()
        .all()
    )
    newest = (
        select(func.max(HeartbeatRow.id))
        .where(HeartbeatRow.sitting.in_(of_slot))
        .group_by(HeartbeatRow.sitting)
    )
    beats = {
        row.sitting: row
        for row in await session.scalars(select(HeartbeatRow).where(HeartbeatRow.id.in_(newest)))
    }
    open_calls: dict[str, int] = {}
    for call in await calls(session, slot):
        open_calls[call.sitting] = open_calls.get(call.sitting, 0) + 1
    away = await open_breaks(session, slot)
    moved = {move.sitting for move in await moves(session, slot)}
    lines = []
    for one in await sittings(session, slot):
        own = times.of(one.id, one.time_room)
        beat = beats.get(one.id)
        lines.append(
            SittingFact(
                sitting=one.id,
                slot=slot,
                candidate=one.candidate,
                name=one.name,
                ticket=one.ticket,
                room=one.room,
                seat=one.seat,
                state=one.state,
                answered=answered.get(one.id, 0),
                items=one.items,
                online=None if beat is None else beat.kind == "here",
                heard_at=None if beat is None else beat.at,
                phase=phase_of(own, now),
                end=own_end(own),
                calls=open_calls.get(one.id, 0),
                moved=one.id in moved,
                away_since=away.get(one.id),
            )
        )
    return tuple(lines)


async def room_facts(
    session: AsyncSession, slot: str, rooms: Collection[str], now: datetime
) -> tuple[RoomFact, ...]:
    """Return the sittings of these rooms of a slot, with phases at `now`. They are asked every few seconds: of answers
    nothing is read but the last receipt of each sitting.
    """
    times = await slot_times(session, slot)
    away = await open_breaks(session, slot)
    newest = (
        select(AnswerEventRow.received_at)
        .where(AnswerEventRow.sitting == SittingRow.id)
        .order_by(AnswerEventRow.lease.desc(), AnswerEventRow.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = (SittingRow.id, SittingRow.room, SittingRow.time_room, SittingRow.seat, SittingRow.state)
    rows = await session.execute(
        select(*columns, newest)
        .where(SittingRow.slot == slot, SittingRow.room.in_(rooms))
        .order_by(SittingRow.room, SittingRow.seat, SittingRow.id)
    )
    facts = []
    for sitting, room, time_room, seat, state, answered_at in rows:
        phase = phase_of(times.of(sitting, time_room), now)
        facts.append(RoomFact(sitting, room, seat, State(state), phase, away.get(sitting), answered_at))
    return tuple(facts)


def _terms(row: SlotRow) -> SlotTerms:
    policy = Policy(row.minutes, row.early, row.late)
    return SlotTerms(row.id, row.plan, row.plan_name, row.title, row.starts_at, policy, row.policy)


def seat_fact(row: SeatRow) -> Seat:
    """Return the fact of a seat's row."""
    return Seat(row.id, row.room, row.number, row.kind, row.public_key)


def sitting_fact(row: SittingRow) -> Sitting:
    """Return the fact of a sitting's row."""
    return Sitting(
        row.id,
        row.slot,
        row.candidate,
        row.name,
        row.ticket,
        row.room,
        row.seat,
        row.time_room,
        State(row.state),
        row.lease,
        row.paper,
        row.items,
        row.checked_in_at,
        row.opened_at,
        row.ended_at,
    )


def ending_fact(row: EndingRow) -> Ending:
    """Return the fact of an ending's row."""
    return Ending(row.sitting, row.how, row.at, row.count, row.digest, row.head, row.code, row.signature)
