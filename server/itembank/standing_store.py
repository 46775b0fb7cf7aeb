"""How a bank stands, counted by the database: a serving process reads a few rows instead of every version."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.itembank.blueprint import EASY_FROM, HARD_BELOW, Band
from server.itembank.items import ItemState
from server.itembank.models import BatchRow, VersionRow
from server.protocol.paper import ItemType


@dataclass(frozen=True, slots=True)
class Count:
    """So many items of one knowledge point, type and band, counted by their drawn or else their newest version."""

    point: str
    type: ItemType
    band: Band
    items: int


def _newest(bank_id: str, state: ItemState | None = None) -> Select[tuple[str, int]]:
    """Give (item, newest version), of approved versions only where that state is named."""
    query = (
        select(VersionRow.item, func.max(VersionRow.version).label("version"))
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .group_by(VersionRow.item)
    )
    return query if state is None else query.where(VersionRow.state == state.value)


def _band() -> ColumnElement[str]:
    return case(
        (VersionRow.difficulty >= EASY_FROM, "easy"),
        (VersionRow.difficulty < HARD_BELOW, "hard"),
        else_="medium",
    )


async def counts(session: AsyncSession, bank_id: str, drawn: bool) -> tuple[Count, ...]:
    """Count the items that may be drawn, or those on their way: not retired, and no version approved yet."""
    newest = _newest(bank_id, ItemState.APPROVED if drawn else None).subquery()
    band = _band().label("band")
    query = (
        select(VersionRow.point, VersionRow.type, band, func.count())
        .join(newest, (newest.c.item == VersionRow.item) & (newest.c.version == VersionRow.version))
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .group_by(VersionRow.point, VersionRow.type, band)
        .order_by(VersionRow.point, VersionRow.type, band)
    )
    if not drawn:
        approved = _newest(bank_id, ItemState.APPROVED).subquery()
        query = query.where(
            VersionRow.state != ItemState.RETIRED.value, VersionRow.item.not_in(select(approved.c.item))
        )
    return tuple(
        Count(point, cast(ItemType, kind), cast(Band, of), number)
        for point, kind, of, number in (await session.execute(query)).tuples()
    )


async def states(session: AsyncSession, bank_id: str) -> Mapping[str, int]:
    """Count items by the state of their newest version; every state stands in it."""
    newest = _newest(bank_id).subquery()
    rows = await session.execute(
        select(VersionRow.state, func.count())
        .join(newest, (newest.c.item == VersionRow.item) & (newest.c.version == VersionRow.version))
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .group_by(VersionRow.state)
    )
    return {**{state.value: 0 for state in ItemState}, **dict(rows.tuples().all())}


async def expected(
    session: AsyncSession, bank_id: str, items: Collection[str]
) -> Mapping[tuple[str, int], tuple[str, str, float]]:
    """Return (item, version) → (type, point, expected difficulty) of all versions of these items."""
    rows = await session.execute(
        select(
            VersionRow.item, VersionRow.version, VersionRow.type, VersionRow.point, VersionRow.difficulty
        ).where(VersionRow.bank == bank_id, VersionRow.item.in_(items))
    )
    return {(item, version): (kind, point, value) for item, version, kind, point, value in rows.tuples()}
