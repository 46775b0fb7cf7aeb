"""Which plans have objections that the centre must still answer for."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.packages.outbox import outgoing
from server.publicity.models import ReceivedObjectionRow


async def plans_with_objections(session: AsyncSession) -> frozenset[str]:
    """At a centre: plans with an objection received after their newest result package, or without one."""
    results = {one.plan: one.created_at for one in await outgoing(session) if one.kind == "result"}
    rows = await session.execute(select(ReceivedObjectionRow.plan, ReceivedObjectionRow.received_at))
    return frozenset(plan for plan, at in rows if plan not in results or results[plan] < at)
