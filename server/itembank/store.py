"""Reads of the item bank. What these return in clear is public; text comes only through
`service.open_items`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import NotFound
from server.itembank.blueprint import CellKey, coverage, key_of
from server.itembank.items import ItemState, ItemVersion
from server.itembank.merkle import merkle_root
from server.itembank.models import BankRow, BatchRow, VersionRow
from server.protocol.paper import ItemType


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item version with its ciphertext; key = bank key, associated data = bank, item and version."""

    public: ItemVersion
    nonce: bytes
    ciphertext: bytes


async def banks(session: AsyncSession) -> tuple[Bank, ...]:
    """Return all banks in order of name."""
    rows = await session.scalars(select(BankRow).order_by(BankRow.name, BankRow.id))
    return tuple(Bank(row.id, row.name, row.created_at) for row in rows)


async def bank(session: AsyncSession, bank_id: str) -> Bank:
    """Return one bank; NotFound `bank-unknown`."""
    row = await session.get(BankRow, bank_id)
    if row is None:
        raise NotFound("bank-unknown", bank=bank_id)
    return Bank(row.id, row.name, row.created_at)


def _public(row: VersionRow) -> ItemVersion:
    return ItemVersion(
        row.item,
        row.version,
        row.hash,
        cast(ItemType, row.type),
        row.point,
        row.difficulty,
        row.score,
        ItemState(row.state),
    )


def _sealed(row: VersionRow) -> SealedItem:
    return SealedItem(_public(row), row.nonce, row.ciphertext)


_PUBLIC = (
    VersionRow.item,
    VersionRow.version,
    VersionRow.hash,
    VersionRow.type,
    VersionRow.point,
    VersionRow.difficulty,
    VersionRow.score,
    VersionRow.state,
)


def _done(bank_id: str) -> Select[tuple[VersionRow]]:
    return (
        select(VersionRow)
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .order_by(VersionRow.item, VersionRow.version)
    )


async def versions(
    session: AsyncSession, bank_id: str, state: ItemState | None = None
) -> tuple[ItemVersion, ...]:
    """Return every item version of a bank, or those in one state, ascending by (item, version)."""
    query = (
        select(*_PUBLIC)
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .order_by(VersionRow.item, VersionRow.version)
    )
    if state is not None:
        query = query.where(VersionRow.state == state.value)
    return tuple(
        ItemVersion(*found[:3], cast(ItemType, found[3]), *found[4:7], ItemState(found[7]))
        for found in (await session.execute(query)).tuples()
    )


async def drawable_versions(session: AsyncSession, bank_id: str) -> tuple[ItemVersion, ...]:
    """Return the public side of what may be drawn, ascending by item: of each item the highest approved version."""
    newest = {one.item: one for one in await versions(session, bank_id, ItemState.APPROVED)}
    return tuple(newest[item] for item in sorted(newest))


async def sealed_items(session: AsyncSession, bank_id: str) -> tuple[SealedItem, ...]:
    """Return every item version of a bank with its ciphertext, ascending by (item, version)."""
    return tuple(_sealed(row) for row in await session.scalars(_done(bank_id)))


async def drawable(session: AsyncSession, bank_id: str) -> tuple[SealedItem, ...]:
    """Return what may be drawn, ascending by item: of each item the highest approved version."""
    rows = await session.scalars(_done(bank_id).where(VersionRow.state == ItemState.APPROVED.value))
    newest: dict[str, VersionRow] = {}
    for row in rows:
        newest[row.item] = row
    return tuple(_sealed(newest[item]) for item in sorted(newest))


async def sealed_versions(
    session: AsyncSession, bank_id: str, wanted: Mapping[str, int]
) -> tuple[SealedItem, ...]:
    """Return the named versions (item → version), ascending by item; NotFound names the first that is
    missing."""
    rows = {(row.item, row.version): row for row in await session.scalars(_done(bank_id))}
    found: list[SealedItem] = []
    for item in sorted(wanted):
        row = rows.get((item, wanted[item]))
        if row is None:
            raise NotFound("item-version-unknown", item=item, version=wanted[item])
        found.append(_sealed(row))
    return tuple(found)


async def bank_root(session: AsyncSession, bank_id: str) -> bytes:
    """Return the Merkle root over the hashes of all that may be drawn: the bank version that a filing names."""
    return merkle_root([one.hash for one in await drawable_versions(session, bank_id)])


async def bank_coverage(session: AsyncSession, bank_id: str) -> Mapping[CellKey, int]:
    """Count what may be drawn by knowledge point × type × band."""
    return coverage(
        key_of(one.point, one.type, one.difficulty) for one in await drawable_versions(session, bank_id)
    )
