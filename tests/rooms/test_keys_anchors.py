"""Anchors over the journal."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.keys.anchors import anchor, anchors_refusal, count_anchors, newest_anchor
from server.keys.identity import Identity
from server.keys.models import AnchorRow
from tests.support.clock import START
from tests.support.database import act_on


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    """Keys of a centre."""
    return Identity.open_or_create(tmp_path)


async def anchored(db: Database, identity: Identity) -> None:
    """Write into two chains and anchor twice."""
    one, two = Journal("one"), Journal("two")
    for minute, journal in enumerate((one, two)):
        async with act_on(db, now=START + timedelta(minutes=minute), journal=journal) as act:
            await act.record("test:thing:done", {"minute": minute})
        async with db.writing() as session:
            assert await anchor(session, identity, START + timedelta(minutes=minute)) is not None


async def refused_number(db: Database, identity: Identity) -> int | None:
    async with db.reading() as session:
        refusal = await anchors_refusal(session, identity.public.signing)
    return None if refusal is None else int(str(refusal.facts["number"]))


async def test_one_anchor_covers_all_chains(db: Database, identity: Identity) -> None:
    """The second anchor names the heads of both chains and the first anchor's hash; its code has 16 characters."""
    await anchored(db, identity)
    async with db.reading() as session:
        newest = await newest_anchor(session)
    assert newest is not None
    assert (newest.number, len(newest.heads), len(newest.code)) == (2, 2, 16)
    assert await refused_number(db, identity) is None


async def test_a_silent_minute_makes_no_anchor(db: Database, identity: Identity) -> None:
    """Nothing is anchored when no chain has moved."""
    await anchored(db, identity)
    async with db.writing() as session:
        assert await anchor(session, identity, START + timedelta(hours=1)) is None
        assert await count_anchors(session) == 2


async def test_a_changed_record_is_found_by_its_anchor(db: Database, identity: Identity) -> None:
    """A record rewritten together with its hash is found by the first anchor that names it."""
    await anchored(db, identity)
    async with db.writing() as session:
        await session.execute(update(JournalRecord).where(JournalRecord.seq == 2).values(hash=bytes(32)))
    assert await refused_number(db, identity) == 1


async def test_a_removed_or_forged_anchor_is_found(db: Database, identity: Identity, tmp_path: Path) -> None:
    """A missing anchor, and anchors signed by another node, are found."""
    await anchored(db, identity)
    assert await refused_number(db, Identity.open_or_create(tmp_path / "other")) == 1
    async with db.writing() as session:
        await session.execute(delete(AnchorRow).where(AnchorRow.number == 1))
    assert await refused_number(db, identity) == 2
