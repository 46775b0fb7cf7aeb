"""The roots of a bank one after the other: each names all that could be drawn from its moment on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.itembank import store
from server.itembank.merkle import merkle_root
from server.itembank.review_models import RootRow


@dataclass(frozen=True, slots=True)
class RootSpan:
    """One root of a bank and the moment from which it held; `items` could be drawn then."""

    root: bytes
    items: int
    cause: str
    at: datetime


async def record_root(
    db: Database, journal: Journal, clock: Clock, actor: str, bank_id: str, cause: str
) -> bytes:
    """Keep the bank's root when it has changed, and journal it; return it.

    The root is made outside of the write: over thousands of versions it takes its time.
    """
    async with db.reading() as session:
        leaves = [one.hash for one in await store.drawable_versions(session, bank_id)]
        root = merkle_root(leaves)
        last = await roots(session, bank_id, 1)
    if last and last[0].root == root:
        return root
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        session.add(RootRow(bank=bank_id, root=root, items=len(leaves), cause=cause, at=act.now))
        await act.record(
            "itembank:bank:root", {"bank": bank_id, "root": root.hex(), "items": len(leaves), "cause": cause}
        )
    return root


async def roots(session: AsyncSession, bank_id: str, most: int = 200) -> tuple[RootSpan, ...]:
    """Return the bank's roots, the newest first."""
    rows = await session.scalars(
        select(RootRow).where(RootRow.bank == bank_id).order_by(RootRow.id.desc()).limit(most)
    )
    return tuple(RootSpan(row.root, row.items, row.cause, row.at) for row in rows)
