"""Reads of the draw: what papers were drawn from, and the sealed marking sheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.papers.draw_models import Commitment, DrawRow, MarkingSheetRow
from server.papers.models import PaperSet, SealedPaperRow


@dataclass(frozen=True, slots=True)
class SealedMarkingSheet:
    """One sealed marking sheet; key = HMAC-SHA256(marking key, b"gongyuan/marking/1" ‖ paper id)."""

    paper: str
    sitting: str
    nonce: bytes
    aad: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One sealed paper as it stands: its place, what opens it, and the blinded names of its questions."""

    paper: str
    sitting: str
    room: str
    policy: int
    hash: bytes
    nonce: bytes
    aad: bytes
    ciphertext: bytes
    tags: bytes


@dataclass(frozen=True, slots=True)
class CommitmentFact:
    """A plan's commitment (hex SHA-256 of the secret), the wrapped secret, when it was revealed, if ever."""

    plan: str
    commitment: str
    wrapped: bytes
    made_at: datetime
    revealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DrawFact:
    """What the current papers of a slot were drawn from."""

    set_id: str
    plan: str
    slot: str
    bank: str
    bank_root: bytes
    nonce: bytes
    list_hash: bytes
    title: str
    blueprint: bytes
    places: bytes
    versions: str
    enemies: str
    exposures: str
    solution: str
    facts: str
    policy: int


async def sealed_marking_sheets(session: AsyncSession, slot: str) -> tuple[SealedMarkingSheet, ...]:
    """Return the sealed marking sheets of a slot's current set, spares included, in the draw's order."""
    query = (
        select(
            MarkingSheetRow.paper,
            MarkingSheetRow.sitting,
            MarkingSheetRow.nonce,
            MarkingSheetRow.aad,
            MarkingSheetRow.ciphertext,
        )
        .join(PaperSet, PaperSet.id == MarkingSheetRow.set_id)
        .where(PaperSet.slot == slot, PaperSet.state == "current")
        .order_by(MarkingSheetRow.number)
    )
    return tuple(SealedMarkingSheet(*found) for found in await session.execute(query))


async def sealed_rows(session: AsyncSession, set_id: str, papers: Sequence[str]) -> Mapping[str, SealedRow]:
    """Return those of the papers that stand in a set, by paper id."""
    query = select(
        SealedPaperRow.id,
        SealedPaperRow.sitting,
        SealedPaperRow.room,
        SealedPaperRow.policy,
        SealedPaperRow.hash,
        SealedPaperRow.nonce,
        SealedPaperRow.aad,
        SealedPaperRow.ciphertext,
        SealedPaperRow.tags,
    ).where(SealedPaperRow.set_id == set_id, SealedPaperRow.id.in_(papers))
    return {found[0]: SealedRow(*found) for found in await session.execute(query)}


async def commitment(session: AsyncSession, plan: str) -> CommitmentFact | None:
    """Return a plan's commitment, or None when the centre has not committed."""
    row = await session.get(Commitment, plan)
    if row is None:
        return None
    return CommitmentFact(row.plan, row.commitment, row.wrapped, row.made_at, row.revealed_at)


async def draw(session: AsyncSession, slot: str) -> DrawFact | None:
    """Return what the current papers of a slot were drawn from, or None when nothing is drawn."""
    query = (
        select(DrawRow, PaperSet.plan)
        .join(PaperSet, PaperSet.id == DrawRow.set_id)
        .where(PaperSet.slot == slot, PaperSet.state == "current")
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, plan = found
    policy = await session.scalar(
        select(SealedPaperRow.policy).where(SealedPaperRow.set_id == row.set_id).limit(1)
    )
    return DrawFact(
        row.set_id,
        plan,
        slot,
        row.bank,
        row.bank_root,
        row.nonce,
        row.list_hash,
        row.title,
        row.blueprint,
        row.places,
        row.versions,
        row.enemies,
        row.exposures,
        row.solution,
        row.facts,
        policy or 0,
    )


async def slots_drawn_from(session: AsyncSession, plan: str, bank_root: bytes) -> tuple[str, ...]:
    """Return the slots of a plan whose current papers come from one bank version (the marking window
    asks)."""
    query = (
        select(PaperSet.slot)
        .join(DrawRow, DrawRow.set_id == PaperSet.id)
        .where(PaperSet.plan == plan, PaperSet.state == "current", DrawRow.bank_root == bank_root)
        .order_by(PaperSet.slot)
    )
    return tuple(await session.scalars(query))
