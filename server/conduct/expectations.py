"""What the cameras may expect in a room: the exam day's facts of its seats, in the words of proctoring."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery import store as delivery
from server.delivery.facts import Move, RoomFact
from server.delivery.models import PauseRow, SlotRow
from server.delivery.sitting import State
from server.delivery.timing import PhaseKind
from server.proctor.anomalies import RoomExpectation, SeatExpectation, SeatStatus

BEFORE = timedelta(hours=1)
"""From so long before the planned start a room is judged by the slot that comes."""
AFTER = timedelta(hours=6)

_ENDED: Mapping[State, SeatStatus] = {
    State.HANDED_IN: SeatStatus.HANDED_IN,
    State.COLLECTED: SeatStatus.HANDED_IN,
    State.VOIDED: SeatStatus.HANDED_IN,
    State.ABSENT: SeatStatus.ABSENT,
}


def seat_status(fact: RoomFact) -> SeatStatus:
    """Return what is to be seen at a sitting's seat: only one who writes must be there."""
    if fact.state in _ENDED:
        return _ENDED[fact.state]
    if fact.away_since is not None:
        return SeatStatus.EXCUSED
    if fact.phase.kind is PhaseKind.PAUSED:
        return SeatStatus.PAUSED
    if fact.state is State.OPENED and fact.phase.kind in (PhaseKind.RUNNING, PhaseKind.GRACE):
        return SeatStatus.WRITING
    return SeatStatus.NOT_DUE


def expectation(
    room: str,
    facts: Iterable[RoomFact],
    moves: Iterable[Move],
    now: datetime,
) -> RoomExpectation | None:
    """Return what to expect in a room, or None when no sitting is or was there.

    When a sitting's newest answer came is told: an empty seat whose machine answers is the strongest lead.

    A seat that a candidate was moved away from is named MOVED unless somebody else has it now; where a seat had
    an absentee and somebody was moved to it, the one who sits there counts.
    """
    seats: dict[str, SeatExpectation] = {
        str(move.from_seat): SeatExpectation(str(move.from_seat), SeatStatus.MOVED)
        for move in moves
        if move.from_room == room
    }
    for fact in sorted(facts, key=lambda fact: fact.state is not State.ABSENT):
        if fact.room == room:
            newest = fact.answered_at
            active = None if newest is None else max(0.0, (now - newest).total_seconds())
            seats[str(fact.seat)] = SeatExpectation(str(fact.seat), seat_status(fact), active)
    return RoomExpectation(room, tuple(seats.values())) if seats else None


async def room_expectations(
    session: AsyncSession, rooms: Collection[str], at: datetime
) -> Mapping[str, RoomExpectation]:
    """Return what to expect in these rooms at a capture time, each from the slot whose time it is there: the newest one
    in which somebody writes, else the newest. An exam that is over does not judge the next one's candidates. Rooms
    without a sitting are left out.
    """
    continued = select(PauseRow.slot).where(
        PauseRow.halt.is_(True), PauseRow.resumes_at.between(at - AFTER, at + BEFORE)
    )
    near = (
        select(SlotRow.id)
        .where(or_(SlotRow.starts_at.between(at - AFTER, at + BEFORE), SlotRow.id.in_(continued)))
        .order_by(SlotRow.starts_at.desc())
    )
    found: dict[str, RoomExpectation] = {}
    for slot in await session.scalars(near):
        asked = [room for room in rooms if room not in found or not found[room].running]
        if not asked:
            break
        facts: dict[str, list[RoomFact]] = {}
        for fact in await delivery.room_facts(session, slot, asked, at):
            facts.setdefault(fact.room, []).append(fact)
        moves = await delivery.moves(session, slot, from_rooms=asked)
        for room in asked:
            one = expectation(room, facts.get(room, ()), moves, at)
            if one is not None and (one.running or room not in found):
                found[room] = one
    return found
