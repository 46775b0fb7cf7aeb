"""Acts of two people on one plan at once, on a registry."""

import asyncio
from pathlib import Path

from server.affairs import roster_service
from server.affairs.facts import Candidate
from server.db.engine import Database
from server.keys.identity import Identity
from tests.support.registry import World, applicants


async def test_two_enrolments_at_once_give_each_candidate_a_ticket(db: Database, tmp_path: Path) -> None:
    """Two clerks who enrol twenty people each at the same moment both succeed, with forty different tickets."""
    world = World(db, Identity.open_or_create(tmp_path / "registry-keys"))
    await world.filed(Identity.open_or_create(tmp_path / "centre-keys"))
    plan = await world.planned()
    world.on("2026-04-01")
    people = applicants(40)

    async def enrolled(clerk: str, some: slice) -> tuple[Candidate, ...]:
        async with world.act(clerk) as act:
            return (await roster_service.enrol(act, plan.id, people[some])).accepted

    first, second = await asyncio.gather(
        enrolled("staff:zhang", slice(0, 20)), enrolled("staff:wang", slice(20, 40))
    )
    assert len({one.ticket for one in (*first, *second)}) == 40
