"""Which items may not meet in one paper, and on how many papers each item version has stood.

Both are ids and numbers without text, so they are read without an opening.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.db.engine import Database
from server.errors import NotFound, Refusal, Refused
from server.itembank import store
from server.itembank.models import BankDrawRow, EnemyRow, ExposureRow, VersionRow

CHUNK = 500
"""Rows of exposure in one transaction: under 20 ms on SQLite."""


async def enemies(session: AsyncSession, bank_id: str) -> tuple[tuple[str, str], ...]:
    """Return the enemy pairs of a bank as item ids, each pair and the whole ascending."""
    rows = await session.execute(
        select(EnemyRow.item, EnemyRow.other)
        .where(EnemyRow.bank == bank_id)
        .order_by(EnemyRow.item, EnemyRow.other)
    )
    return tuple((item, other) for item, other in rows)


async def set_enemies(act: Act, bank_id: str, item: str, others: Iterable[str]) -> None:
    """Make `others` the enemies of an item, in place of those it had; journalled.

    Refused `item-enemy-of-itself`; NotFound `bank-unknown`, or `item-unknown` for an id that the bank does not
    hold.
    """
    await store.bank(act.session, bank_id)
    wanted = set(others)
    if item in wanted:
        raise Refused(Refusal("item-enemy-of-itself", facts={"item": item}))
    known = set(
        await act.session.scalars(
            select(VersionRow.item).where(VersionRow.bank == bank_id, VersionRow.item.in_(wanted | {item}))
        )
    )
    for missing in sorted((wanted | {item}) - known):
        raise NotFound("item-unknown", item=missing)
    await act.session.execute(
        delete(EnemyRow).where(EnemyRow.bank == bank_id, or_(EnemyRow.item == item, EnemyRow.other == item))
    )
    pairs = [tuple(sorted((item, other))) for other in sorted(wanted)]
    if pairs:
        await act.session.execute(
            insert(EnemyRow), [{"bank": bank_id, "item": one, "other": other} for one, other in pairs]
        )
    await act.record("itembank:item:enemies", {"bank": bank_id, "item": item, "enemies": sorted(wanted)})


async def exposures(session: AsyncSession, bank_id: str) -> Mapping[tuple[str, int], int]:
    """Return (item, version) → papers on which it has stood, over every draw that was not withdrawn; what
    never stood on one is left out."""
    rows = await session.execute(
        select(ExposureRow.item, ExposureRow.version, func.sum(ExposureRow.papers))
        .join(BankDrawRow, BankDrawRow.id == ExposureRow.draw)
        .where(BankDrawRow.bank == bank_id, BankDrawRow.state == "counted")
        .group_by(ExposureRow.item, ExposureRow.version)
        .order_by(ExposureRow.item, ExposureRow.version)
    )
    return {(item, version): int(papers) for item, version, papers in rows}


async def stage_exposures(db: Database, draw: str, counts: Sequence[tuple[str, int, int]]) -> None:
    """Write (item, version, papers) of a draw that `begin_draw` opened; they count after `count_draw`."""
    rows = [
        {"draw": draw, "item": item, "version": version, "papers": papers} for item, version, papers in counts
    ]
    for start in range(0, len(rows), CHUNK):
        async with db.writing() as session:
            await session.execute(insert(ExposureRow), rows[start : start + CHUNK])


def begin_draw(act: Act, bank_id: str, draw: str) -> None:
    """Open the account of a draw from a bank; it counts nothing yet."""
    act.session.add(BankDrawRow(id=draw, bank=bank_id, state="staging", drawn_at=act.now))


async def count_draw(act: Act, draw: str) -> None:
    """Let a draw's exposure count."""
    await act.session.execute(update(BankDrawRow).where(BankDrawRow.id == draw).values(state="counted"))


async def uncount_draw(act: Act, draw: str) -> None:
    """Take a withdrawn draw's exposure back: its papers were never opened."""
    await act.session.execute(update(BankDrawRow).where(BankDrawRow.id == draw).values(state="withdrawn"))
