"""What the cameras must record: the rooms of every slot around a moment, with what the picture has to tell of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.models import PlanRow, SeatingRow, SlotRow
from server.conduct import store
from server.delivery.models import PauseRow, SittingRow
from server.delivery.sitting import State
from server.law.citing import cites
from server.proctor.course import Course

AROUND = timedelta(hours=24)
"""Slots that start in the day before and after the moment; the disk is planned for the same time."""
_ENDED = tuple(state.value for state in State if state.closed)


@cites("BJ-E:22")
async def exam_courses(session: AsyncSession, now: datetime) -> tuple[Course, ...]:
    """Return the courses of all subjects (theory, skills, review) whose slots start within a day of `now` and are not
    closed, one a room, in order of start. A slot that is continued after a halt (续考) counts from its continuation."""
    between = now - AROUND, now + AROUND
    pauses = await session.execute(
        select(PauseRow.slot, PauseRow.resumes_at).where(
            PauseRow.halt.is_(True), PauseRow.resumes_at.between(*between)
        )
    )
    continued = {row.slot: row.resumes_at for row in pauses}
    slots = list(
        await session.scalars(
            select(SlotRow)
            .where(or_(SlotRow.starts_at.between(*between), SlotRow.id.in_(continued)))
            .order_by(SlotRow.starts_at)
        )
    )
    if not slots:
        return ()
    closed = await store.closures(session)
    found: list[Course] = []
    for slot in slots:
        if slot.id in closed and closed[slot.id].outcome == "cancelled":
            continue
        rooms = {room.number: room for room in await affairs.rooms(session, slot.plan)}
        numbers = await session.scalars(
            select(SeatingRow.room)
            .join(PlanRow, and_(PlanRow.id == slot.plan, PlanRow.edition == SeatingRow.edition))
            .where(SeatingRow.slot == slot.id)
            .distinct()
            .order_by(SeatingRow.room)
        )
        going = await _open_rooms(session, slot.id)
        for number in numbers:
            room = rooms.get(number)
            found.append(
                Course(
                    slot=slot.id,
                    room=number,
                    starts_at=continued.get(slot.id) or slot.starts_at,
                    minutes=slot.minutes,
                    open=bool(going.get(number)) and slot.id not in closed,
                    point=slot.place,
                    method=slot.method,
                    name=room.name if room is not None else number,
                    seats=room.seats if room is not None else 0,
                )
            )
    return tuple(found)


async def _open_rooms(session: AsyncSession, slot: str) -> Mapping[str, bool]:
    """The rooms of a slot with a sitting that was opened and has not ended."""
    rows = await session.scalars(
        select(SittingRow.room)
        .where(SittingRow.slot == slot, SittingRow.opened_at.is_not(None), SittingRow.state.not_in(_ENDED))
        .distinct()
    )
    return dict.fromkeys(rows, True)
