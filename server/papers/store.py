"""Reads of sealed papers. With `arriving` and `models` all of this room that the candidates' side may import."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.papers.models import TAG_BYTES, PaperSet, SealedPaperRow
from server.protocol.paper import SealedPaper


@dataclass(frozen=True, slots=True)
class Seal:
    """One line of the list of seals that is shown to candidates before the bell (hash = SHA-256 of the
    paper)."""

    paper: str
    sitting: str
    room: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class SealedSet:
    """The current set of one slot: when it was sealed (aware UTC), papers for sittings, spares."""

    id: str
    slot: str
    sealed_at: datetime
    papers: int
    spares: int


def _current() -> Select[tuple[SealedPaperRow, str, str]]:
    return (
        select(SealedPaperRow, PaperSet.plan, PaperSet.slot)
        .join(PaperSet, PaperSet.id == SealedPaperRow.set_id)
        .where(PaperSet.state == "current")
    )


def _fact(row: SealedPaperRow, plan: str, slot: str) -> SealedPaper:
    return SealedPaper(
        row.id, row.sitting, plan, slot, row.policy, row.hash, row.nonce, row.aad, row.ciphertext
    )


async def sealed_paper(session: AsyncSession, sitting: str) -> SealedPaper | None:
    """Return the sealed paper drawn for a sitting, or None when none is sealed."""
    found = (await session.execute(_current().where(SealedPaperRow.sitting == sitting))).one_or_none()
    return None if found is None or sitting == "spare" else _fact(*found)


async def paper(session: AsyncSession, paper_id: str) -> SealedPaper | None:
    """Return a sealed paper of a current set by its id (spares too), or None."""
    found = (await session.execute(_current().where(SealedPaperRow.id == paper_id))).one_or_none()
    return None if found is None else _fact(*found)


async def spares(session: AsyncSession, slot: str, room: str) -> tuple[SealedPaper, ...]:
    """Return the spare papers of a room in a slot, in the draw's order; who has used one is delivery's
    knowledge."""
    query = (
        _current()
        .where(PaperSet.slot == slot, SealedPaperRow.room == room, SealedPaperRow.sitting == "spare")
        .order_by(SealedPaperRow.number)
    )
    return tuple(_fact(*found) for found in await session.execute(query))


async def spare(session: AsyncSession, slot: str, room: str) -> SealedPaper | None:
    """Return the first spare paper of a room in a slot, or None."""
    found = await spares(session, slot, room)
    return found[0] if found else None


async def item_tag(session: AsyncSession, sitting: str, spare: str | None, number: int) -> str | None:
    """Return the blinded name of the question at a number of a sitting's paper, or of the spare that it was given:
    16 hex digits, the same wherever that question stands in the slot. None where the paper has none there."""
    place = SealedPaperRow.sitting == sitting if spare is None else SealedPaperRow.id == spare
    query = (
        select(SealedPaperRow.tags)
        .join(PaperSet, PaperSet.id == SealedPaperRow.set_id)
        .where(PaperSet.state == "current", place)
    )
    tags = await session.scalar(query.limit(1)) or b""
    return tags[(number - 1) * TAG_BYTES : number * TAG_BYTES].hex() or None


async def seals(session: AsyncSession, slot: str) -> tuple[Seal, ...]:
    """Return the seals of a slot, spares included, in the draw's order; empty when nothing is sealed."""
    query = (
        select(SealedPaperRow.id, SealedPaperRow.sitting, SealedPaperRow.room, SealedPaperRow.hash)
        .join(PaperSet, PaperSet.id == SealedPaperRow.set_id)
        .where(PaperSet.state == "current", PaperSet.slot == slot)
        .order_by(SealedPaperRow.number)
    )
    return tuple(Seal(*found) for found in await session.execute(query))


def seals_text(listed: Sequence[Seal]) -> str:
    """Return the list of seals as it is printed: room, sitting, paper and hash (hex), parted by tabs, a line each."""
    return "".join(f"{one.room}\t{one.sitting}\t{one.paper}\t{one.hash.hex()}\n" for one in listed)


async def sealed_set(session: AsyncSession, slot: str) -> SealedSet | None:
    """Return the current set of a slot with its counts, or None when no papers are sealed for it."""
    query = select(PaperSet).where(PaperSet.slot == slot, PaperSet.state == "current")
    row = (await session.execute(query)).scalar_one_or_none()
    if row is None or row.sealed_at is None:
        return None
    listed = await seals(session, slot)
    spare_count = sum(seal.sitting == "spare" for seal in listed)
    return SealedSet(row.id, slot, row.sealed_at, len(listed) - spare_count, spare_count)
