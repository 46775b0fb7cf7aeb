"""Use cases of the item bank: import, review, and opening of items under the bank key.

An import runs in the desk's process. It commits in chunks into a staging batch and flips one flag at its
end, so that no transaction is long and a broken import leaves nothing that a reader sees.
"""

import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import Refusal, Refused, Tampered, required
from server.itembank import store
from server.itembank.interchange.rows import Reading, RowOutcome, RowStatus
from server.itembank.items import (
    SALT_BYTES,
    FullItem,
    ItemContent,
    ItemState,
    body_bytes,
    read_body,
    review_refusal,
    version_aad,
    version_hash,
)
from server.itembank.merging import Holdings, Placed, counted
from server.itembank.models import BankRow, BatchRow, VersionRow
from server.itembank.root_service import record_root
from server.itembank.store import SealedItem
from server.keys.sealing import Bytes, seal, unseal

CHUNK = 50
"""Rows in one transaction: under 20 ms on SQLite."""
STALE = timedelta(hours=8)
"""A staging batch older than the longest desk opening belongs to a broken import."""


@dataclass(frozen=True, slots=True)
class Source:
    """The file that an import came from."""

    name: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Review:
    """The two people who stand for what is approved at import."""

    writer: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: every row with its outcome; counts by status; the bank's root afterwards."""

    bank: str
    batch: str | None
    outcomes: tuple[RowOutcome, ...]
    counts: Mapping[str, int]
    stored: int
    approved: int
    unread_columns: tuple[str, ...]
    remarks: tuple[Any, ...]
    root: bytes
    sure: tuple[tuple[str, int], ...] = ()
    """(item, version) of what was stored as a draft without a doubt."""


async def create_bank(act: Act, bank_id: str, name: str) -> None:
    """Create a bank; does nothing when it exists."""
    if await act.session.get(BankRow, bank_id) is None:
        act.session.add(BankRow(id=bank_id, name=name, created_at=act.now))
        await act.session.flush()
        await act.record("itembank:bank:created", {"bank": bank_id, "name": name})


def open_item(bank_id: str, bank_key: Bytes, sealed: SealedItem) -> FullItem:
    """Decrypt one version; Tampered `item-broken` when ciphertext, place or public hash differ."""
    public = sealed.public
    try:
        body = unseal(
            bank_key, sealed.nonce, sealed.ciphertext, version_aad(bank_id, public.item, public.version)
        )
    except Tampered as error:
        raise Tampered("item-broken", item=public.item, version=public.version) from error
    if version_hash(public.item, public.version, body) != public.hash:
        raise Tampered("item-broken", item=public.item, version=public.version)
    salt, content = read_body(body)
    if (content.type, content.point, content.difficulty) != (public.type, public.point, public.difficulty):
        raise Tampered("item-broken", item=public.item, version=public.version)
    return FullItem(public.item, public.version, public.hash, public.state, salt, content)


def open_items(bank_id: str, bank_key: Bytes, sealed: Iterable[SealedItem]) -> tuple[FullItem, ...]:
    """Decrypt versions in their order; Tampered `item-broken` names the first that does not open."""
    return tuple(open_item(bank_id, bank_key, one) for one in sealed)


async def plan_import(
    session: AsyncSession, bank_id: str, bank_key: Bytes, reading: Reading
) -> tuple[Placed, ...]:
    """Say what each row would become in this bank; writes nothing."""
    held = Holdings(open_items(bank_id, bank_key, await store.sealed_items(session, bank_id)))
    return tuple(held.place(outcome) for outcome in reading.outcomes)


async def import_items(
    db: Database,
    journal: Journal,
    clock: Clock,
    actor: str,
    bank_id: str,
    bank_key: Bytes,
    reading: Reading,
    source: Source,
    review: Review | None = None,
    writer: str = "",
) -> ImportReport:
    """Store what was read: rows without doubt as approved when two people stand for them, all else as drafts.

    Refused by `review_refusal`, and `import-overtaken` when another import stored one of its versions first.
    """
    if review is not None:
        required(review_refusal(review.writer, review.reviewer))
    async with db.reading() as session:
        await store.bank(session, bank_id)
        placed = await plan_import(session, bank_id, bank_key, reading)
    batch = str(uuid.uuid4())
    stored = [one for one in placed if one.version and one.outcome.content is not None]
    rows = [_version_row(bank_id, bank_key, batch, one, review, writer or actor) for one in stored]
    sure = [
        (row["item"], row["version"])
        for one, row in zip(stored, rows, strict=True)
        if one.outcome.status is RowStatus.IMPORTED and row["state"] == ItemState.DRAFT.value
    ]
    outcomes = tuple(one.outcome for one in placed)
    counts = counted(outcomes)
    async with db.writing() as session:
        await _drop_stale(session, bank_id, clock)
        session.add(
            BatchRow(
                id=batch,
                bank=bank_id,
                state="staging",
                source=source.name[:200],
                sha256=source.sha256,
                counts=msgspec.json.encode(counts).decode(),
                started_at=clock.legal(),
                done_at=None,
            )
        )
    for start in range(0, len(rows), CHUNK):
        async with db.writing() as session:
            await session.execute(insert(VersionRow), rows[start : start + CHUNK])
    approved = sum(row["state"] == ItemState.APPROVED.value for row in rows)
    async with db.writing() as session:
        act = Act(session, journal, clock.legal(), actor)
        await _refuse_overtaken(session, bank_id, batch)
        await session.execute(
            update(BatchRow).where(BatchRow.id == batch).values(state="done", done_at=act.now)
        )
        await act.record(
            "itembank:items:imported",
            {
                "bank": bank_id,
                "batch": batch,
                "sha256": source.sha256.hex(),
                "counts": dict(counts),
                "stored": len(rows),
                "approved": approved,
                "writer": review.writer if review else writer or actor,
                "reviewer": review.reviewer if review else None,
            },
        )
    root = await record_root(db, journal, clock, actor, bank_id, "import")
    return ImportReport(
        bank_id,
        batch,
        outcomes,
        counts,
        len(rows),
        approved,
        reading.unread_columns,
        reading.remarks,
        root,
        tuple(sure),
    )


def _version_row(
    bank_id: str, bank_key: Bytes, batch: str, placed: Placed, review: Review | None, writer: str
) -> dict[str, Any]:
    content = placed.outcome.content
    assert content is not None
    item = placed.item or str(uuid.uuid4())
    approved = review is not None and placed.outcome.status is RowStatus.IMPORTED
    state = ItemState.APPROVED if approved else ItemState.DRAFT
    return {
        **sealed_columns(bank_id, bank_key, item, placed.version, content),
        "batch": batch,
        "state": state.value,
        "writer": (review.writer if review else writer)[:80],
        "reviewer": review.reviewer[:80] if review and approved else None,
    }


def sealed_columns(
    bank_id: str, bank_key: Bytes, item: str, version: int, content: ItemContent
) -> dict[str, Any]:
    """Return a version's public columns, and its text under the bank key with a fresh salt and nonce."""
    body = body_bytes(secrets.token_bytes(SALT_BYTES), content)
    nonce, ciphertext = seal(bank_key, body, version_aad(bank_id, item, version))
    return {
        "bank": bank_id,
        "item": item,
        "version": version,
        "hash": version_hash(item, version, body),
        "type": content.type,
        "point": content.point,
        "difficulty": content.difficulty,
        "score": content.score,
        "nonce": nonce,
        "ciphertext": ciphertext,
    }


async def _drop_stale(session: AsyncSession, bank_id: str, clock: Clock) -> None:
    before = clock.legal() - STALE
    stale = (
        await session.scalars(
            select(BatchRow.id).where(
                BatchRow.bank == bank_id, BatchRow.state == "staging", BatchRow.started_at < before
            )
        )
    ).all()
    if stale:
        await session.execute(delete(VersionRow).where(VersionRow.batch.in_(stale)))
        await session.execute(delete(BatchRow).where(BatchRow.id.in_(stale)))


async def _refuse_overtaken(session: AsyncSession, bank_id: str, batch: str) -> None:
    mine = select(VersionRow.item, VersionRow.version).where(
        VersionRow.batch == batch, VersionRow.version > 1
    )
    wanted = {(item, version) for item, version in await session.execute(mine)}
    if not wanted:
        return
    held = {(one.item, one.version) for one in await store.versions(session, bank_id)}
    if wanted & held:
        raise Refused(Refusal("import-overtaken", facts={"items": len(wanted & held)}))
