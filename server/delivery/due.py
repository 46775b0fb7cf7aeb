"""Which opened papers are due: looked up by room, since a whole room ends at one moment, and by sitting only where
time was given to one.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.delivery import store
from server.delivery.models import SittingRow
from server.delivery.sitting import State
from server.delivery.timing import GRACE, PhaseKind, Times, own_end, phase_of

OPEN = (State.OPENED.value, State.HALTED.value)
_COLLECTION = 0x676F6E67
"""PostgreSQL's advisory lock of the collection: "gong"."""


@dataclass(frozen=True, slots=True)
class Group:
    """Opened papers that end together: one sitting with times of its own, or all others of a room."""

    slot: str
    room: str
    sitting: str | None
    others: frozenset[str]
    """Sittings of the room that do not belong to it."""
    times: Times


async def groups(session: AsyncSession) -> tuple[Group, ...]:
    """Return every group that has an opened or halted paper."""
    found: list[Group] = []
    slots = await session.scalars(select(SittingRow.slot).where(SittingRow.state.in_(OPEN)).distinct())
    for slot in slots.all():
        times = await store.slot_times(session, slot)
        named, common = times.named, times.common()
        query = select(SittingRow.time_room).where(SittingRow.slot == slot, SittingRow.state.in_(OPEN))
        if named:
            query = query.where(SittingRow.id.not_in(named))
            own = select(SittingRow.id, SittingRow.time_room).where(
                SittingRow.id.in_(named), SittingRow.state.in_(OPEN)
            )
            for sitting, room in (await session.execute(own)).tuples():
                found.append(Group(slot, room, sitting, frozenset(), times.of(sitting, room)))
        for room in (await session.scalars(query.distinct())).all():
            found.append(Group(slot, room, None, named, common(room)))
    return tuple(found)


async def next_due(session: AsyncSession) -> datetime | None:
    """Return when the next opened paper is to be collected, its own end and grace; None when none has an end."""
    ends = [own_end(group.times) for group in await groups(session)]
    return min((end + GRACE for end in ends if end is not None), default=None)


async def due_sittings(session: AsyncSession, now: datetime, most: int) -> tuple[str, ...]:
    """Return opened papers whose own end and grace are past, at most so many."""
    due: list[str] = []
    for group in await groups(session):
        if own_end(group.times) is None or phase_of(group.times, now).kind is not PhaseKind.ENDED:
            continue
        if group.sitting is not None:
            due.append(group.sitting)
        else:
            query = select(SittingRow.id).where(
                SittingRow.slot == group.slot,
                SittingRow.time_room == group.room,
                SittingRow.state.in_(OPEN),
            )
            if group.others:
                query = query.where(SittingRow.id.not_in(group.others))
            due += await session.scalars(query.order_by(SittingRow.id).limit(most))
        if len(due) >= most:
            break
    return tuple(due[:most])


async def collects_alone(session: AsyncSession) -> bool:
    """Take the collection for this transaction; False while another process of the same server collects."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    query = text("select pg_try_advisory_xact_lock(:key)")
    return bool(await session.scalar(query, {"key": _COLLECTION}))
