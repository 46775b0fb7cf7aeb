"""Anchors: one signed head over all journal chains, taken each minute, which can be carried off the server.

Who holds an anchor (the registry, the printed room record with its 16-character code, every hand-in receipt) can tell
afterwards whether any record before it was changed or left out.
"""

import asyncio
import base64
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from server.clock import Clock
from server.db.engine import Database
from server.db.journal import JournalRecord, heads
from server.errors import Refusal, Tampered
from server.keys.identity import Identity
from server.keys.models import AnchorRow
from server.keys.sealing import canonical
from server.keys.signing import verify

INTERVAL_S = 60.0
"""Legal seconds between anchors."""
CODE_CHARACTERS = 16
_ZERO = bytes(32)
_log = logging.getLogger("gongyuan.anchors")


@dataclass(frozen=True, slots=True)
class Anchor:
    """One signed head. `hash` is SHA-256 of the canonical JSON that the signature covers; `code` is its first 80 bits
    in base 32, for people."""

    number: int
    at: datetime
    heads: dict[str, str]
    """Chain id to "seq:hash"."""
    previous: bytes
    hash: bytes
    signature: bytes
    code: str


def anchor_bytes(number: int, at: datetime, chain_heads: dict[str, str], previous: bytes) -> bytes:
    """Return the canonical JSON that an anchor's hash and signature are taken over."""
    return canonical(
        {
            "at": at.isoformat(),
            "heads": chain_heads,
            "number": number,
            "previous": previous.hex(),
            "purpose": "gongyuan/anchor/1",
        }
    )


def code_of(digest: bytes) -> str:
    """Return the 16 characters (A-Z, 2-7) by which people compare an anchor on paper."""
    return base64.b32encode(digest[:10]).decode("ascii")


def _anchor(row: AnchorRow) -> Anchor:
    named = msgspec.json.decode(row.heads, type=dict[str, str])
    return Anchor(row.number, row.at, named, row.previous, row.hash, row.signature, row.code)


async def newest_anchor(session: AsyncSession) -> Anchor | None:
    """Return the last anchor taken, None before the first."""
    row = await session.scalar(select(AnchorRow).order_by(AnchorRow.number.desc()).limit(1))
    return None if row is None else _anchor(row)


async def anchor(session: AsyncSession, identity: Identity, now: datetime) -> Anchor | None:
    """Sign the heads of all chains as the next anchor, in the caller's write transaction.

    None when no chain has moved since the last anchor: silence makes no rows.
    """
    named = {head.chain: f"{head.seq}:{head.hash.hex()}" for head in await heads(session)}
    before = await newest_anchor(session)
    if before is not None and before.heads == named:
        return None
    number, previous = (before.number + 1, before.hash) if before else (1, _ZERO)
    signed = anchor_bytes(number, now, named, previous)
    digest = hashlib.sha256(signed).digest()
    row = AnchorRow(
        number=number,
        at=now,
        heads=canonical(named).decode(),
        previous=previous,
        hash=digest,
        signature=identity.signing.sign(signed),
        code=code_of(digest),
    )
    session.add(row)
    await session.flush()
    return _anchor(row)


async def anchors_refusal(session: AsyncSession, signing_public: bytes) -> Refusal | None:
    """Check every anchor: chained, signed, and each head still the record it names. `anchor-tampered` names the
    first that is not."""
    previous, expected = _ZERO, 1
    for row in await session.scalars(select(AnchorRow).order_by(AnchorRow.number)):
        found = _anchor(row)
        wrong = Refusal("anchor-tampered", facts={"number": found.number})
        signed = anchor_bytes(found.number, found.at, found.heads, found.previous)
        if found.number != expected or found.previous != previous:
            return wrong
        if hashlib.sha256(signed).digest() != found.hash or code_of(found.hash) != found.code:
            return wrong
        try:
            verify(signing_public, found.signature, signed)
        except Tampered:
            return wrong
        if not await _stands(session, found):
            return wrong
        previous, expected = found.hash, expected + 1
    return None


async def _stands(session: AsyncSession, found: Anchor) -> bool:
    for chain, text in found.heads.items():
        seq, _, digest = text.partition(":")
        if seq == "0":
            continue
        stored = await session.scalar(
            select(JournalRecord.hash).where(JournalRecord.chain == chain, JournalRecord.seq == int(seq))
        )
        if stored is None or stored.hex() != digest:
            return False
    return True


async def count_anchors(session: AsyncSession) -> int:
    """Return how many anchors there are."""
    return await session.scalar(select(func.count()).select_from(AnchorRow)) or 0


async def keep_anchoring(db: Database, identity: Identity, clock: Clock) -> None:
    """Anchor every legal minute until cancelled; `app.py` starts it. A failure is logged and the next minute tries.

    With several server processes two may anchor at once: the number is the primary key, so one of them fails and
    takes the next minute.
    """
    while True:
        await asyncio.sleep(max(INTERVAL_S / clock.rate(), 1.0))
        try:
            async with db.writing() as session:
                await anchor(session, identity, clock.legal())
        except SQLAlchemyError:
            _log.warning("no anchor this minute", exc_info=True)
