"""What keeps the recordings and the evidence of a slot from being erased, whatever their age."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.models import OrganisationRow, PlanRow, SlotRow
from server.conduct import store
from server.conduct.incidents import IncidentState
from server.law.citing import cites


@cites("BJ-E:29")
async def holds(session: AsyncSession, slot: str | None, objections: frozenset[str]) -> tuple[str, ...]:
    """Return what is open about a slot: `incident`, `objection` (its plan is in `objections`), `case`; empty where
    nothing is. A recording without a slot is held by nothing."""
    if slot is None:
        return ()
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
