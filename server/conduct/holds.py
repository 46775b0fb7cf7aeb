"""What keeps the recordings and the evidence of a slot from being erased, whatever their age."""

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.models import OrganisationRow, PlanRow, SeatingRow, SlotRow
from server.conduct import store
from server.conduct.incidents import IncidentState
from server.delivery.models import PauseRow, SittingRow
from server.law.citing import cites

BEFORE, AFTER = timedelta(hours=3), timedelta(hours=24)
"""A room belongs to a slot from so long before its start to so long after it: rather held too long than lost."""


@cites("BJ-E:29")
async def holds(session: AsyncSession, slot: str, objections: frozenset[str]) -> tuple[str, ...]:
    """Return what is open about a slot: `incident`, `objection` (its plan is in `objections`), `case`; empty where
    nothing is."""
    found = []
    if any(one.state is IncidentState.PROPOSED for one in await store.incidents(session, slot)):
        found.append("incident")
    row = (
        await session.execute(
            select(PlanRow.id, OrganisationRow.standing_case)
            .join(SlotRow, SlotRow.plan == PlanRow.id)
            .join(OrganisationRow, OrganisationRow.id == PlanRow.organisation)
            .where(SlotRow.id == slot)
        )
    ).first()
    if row is not None:
        if row[0] in objections:
            found.append("objection")
        if row[1] is not None:
            found.append("case")
    return tuple(found)


@cites("BJ-E:29")
async def slots_in_room(session: AsyncSession, room: str, moment: datetime) -> frozenset[str]:
    """Return the slots, cancelled ones too, whose candidates were seated in a room and that started, or were continued
    after a halt, about a moment: what was seen there then is theirs."""
    about = moment - AFTER, moment + BEFORE
    continued = select(PauseRow.slot).where(PauseRow.halt.is_(True), PauseRow.resumes_at.between(*about))
    when = or_(SlotRow.starts_at.between(*about), SlotRow.id.in_(continued))
    found: set[str] = set()
    for row in (SeatingRow, SittingRow):  # as seated, and as they sat: people are moved to other rooms
        query = (
            select(row.slot).join(SlotRow, SlotRow.id == row.slot).where(row.room == room, when).distinct()
        )
        found.update(await session.scalars(query))
    return frozenset(found)
