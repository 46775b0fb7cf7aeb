"""An open bank as the desk works on it: versions decrypted once, kept in the memory of the desk's process alone."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.errors import NotFound
from server.itembank.items import FullItem, ItemState, ItemVersion
from server.itembank.models import BatchRow, VersionRow
from server.itembank.service import open_item
from server.itembank.store import SealedItem
from server.keys.sealing import Bytes
from server.protocol.paper import ItemType

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """One version without its text, and the people behind it. `written_at` is aware UTC."""

    public: ItemVersion
    writer: str
    reviewer: str | None
    written_at: datetime


@dataclass(frozen=True, slots=True)
class HeldItem:
    """One item: its newest version, how many it has, and the version that may be drawn (None: none may)."""

    newest: HeldVersion
    versions: int
    drawn: ItemVersion | None

    @property
    def drawable(self) -> int | None:
        """Number of the version that may be drawn."""
        return None if self.drawn is None else self.drawn.version


@dataclass(frozen=True, slots=True)
class OpenItem:
    """One item with the text of its newest version."""

    held: HeldItem
    full: FullItem


def _public(row: Sequence[Any]) -> ItemVersion:
    item, version, digest, kind, point, difficulty, score, state = row[:8]
    return ItemVersion(
        item, version, digest, cast(ItemType, kind), point, difficulty, score, ItemState(state)
    )


async def held_versions(
    session: AsyncSession, bank_id: str, item: str | None = None
) -> tuple[HeldVersion, ...]:
    """Return the versions of a bank, or of one item, ascending by (item, version); readable without an opening."""
    query = (
        select(
            VersionRow.item,
            VersionRow.version,
            VersionRow.hash,
            VersionRow.type,
            VersionRow.point,
            VersionRow.difficulty,
            VersionRow.score,
            VersionRow.state,
            VersionRow.writer,
            VersionRow.reviewer,
            BatchRow.done_at,
            BatchRow.started_at,
        )
        .join(BatchRow, BatchRow.id == VersionRow.batch)
        .where(VersionRow.bank == bank_id, BatchRow.state == "done")
        .order_by(VersionRow.item, VersionRow.version)
    )
    if item is not None:
        query = query.where(VersionRow.item == item)
    return tuple(
        HeldVersion(
            _public(row),
            row[8],
            row[9],
            row[10] or row[11],
        )
        for row in (await session.execute(query)).tuples()
    )


def held_items(versions: Iterable[HeldVersion]) -> tuple[HeldItem, ...]:
    """Gather versions, ascending by (item, version), by their item."""
    newest: dict[str, HeldVersion] = {}
    count: dict[str, int] = {}
    drawn: dict[str, ItemVersion] = {}
    for one in versions:
        newest[one.public.item] = one
        count[one.public.item] = count.get(one.public.item, 0) + 1
        if one.public.state is ItemState.APPROVED:
            drawn[one.public.item] = one.public
    return tuple(HeldItem(one, count[item], drawn.get(item)) for item, one in newest.items())


class OpenBank:
    """A bank whose key two custodians have opened."""

    def __init__(self, bank_id: str, key: Bytes) -> None:
        self.id = bank_id
        self.key = key
        self._opened: dict[tuple[str, int], FullItem] = {}

    async def items(self, session: AsyncSession) -> tuple[OpenItem, ...]:
        """Return every item with the text of its newest version, ascending by item; Tampered `item-broken`."""
        held = held_items(await held_versions(session, self.id))
        await self._open(session, [(one.newest.public.item, one.newest.public.version) for one in held])
        return tuple(OpenItem(one, self._full(one.newest.public)) for one in held)

    async def versions(self, session: AsyncSession, item: str) -> tuple[tuple[HeldVersion, FullItem], ...]:
        """Return every version of one item with its text, ascending; NotFound `item-unknown`."""
        held = await held_versions(session, self.id, item)
        if not held:
            raise NotFound("item-unknown", item=item)
        await self._open(session, [(one.public.item, one.public.version) for one in held])
        return tuple((one, self._full(one.public)) for one in held)

    def _full(self, public: ItemVersion) -> FullItem:
        """Return an opened version in the state that it has now."""
        return replace(self._opened[public.item, public.version], state=public.state)

    async def _open(self, session: AsyncSession, wanted: list[tuple[str, int]]) -> None:
        missing = {place for place in wanted if place not in self._opened}
        items = sorted({item for item, _ in missing})
        for start in range(0, len(items), _AT_ONCE):
            sealed = await self._sealed(session, items[start : start + _AT_ONCE], missing)
            for full in await asyncio.to_thread(self._opened_of, sealed):
                self._opened[full.item, full.version] = full

    async def _sealed(
        self, session: AsyncSession, items: list[str], missing: set[tuple[str, int]]
    ) -> tuple[SealedItem, ...]:
        rows = await session.execute(
            select(
                VersionRow.item,
                VersionRow.version,
                VersionRow.hash,
                VersionRow.type,
                VersionRow.point,
                VersionRow.difficulty,
                VersionRow.score,
                VersionRow.state,
                VersionRow.nonce,
                VersionRow.ciphertext,
            )
            .join(BatchRow, BatchRow.id == VersionRow.batch)
            .where(VersionRow.bank == self.id, BatchRow.state == "done", VersionRow.item.in_(items))
        )
        return tuple(
            SealedItem(_public(row), row[8], row[9]) for row in rows.tuples() if (row[0], row[1]) in missing
        )

    def _opened_of(self, sealed: tuple[SealedItem, ...]) -> list[FullItem]:
        return [open_item(self.id, self.key, one) for one in sealed]
