"""A centre's signed journal heads on their way to the registry, and what the registry keeps of them."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from server.db.engine import Database
from server.errors import Refused, Tampered
from server.keys.anchors import anchor
from server.keys.identity import Identity
from server.packages.contents import HeadContent
from server.packages.exchange import HEAD_EVERY, pack_head
from server.packages.models import OutgoingRow
from server.packages.peers import Peer, register_peer
from server.registry.head_service import accept_head
from server.registry.models import HeadRow
from tests.support.clock import START
from tests.support.database import act_on

POSTGRES = ("test_a_signed_head_is_kept",)


async def _head(db: Database, centre: Identity) -> HeadContent:
    async with act_on(db) as act:
        await act.record("test:record:written", {"a": "1"})
    async with act_on(db) as act:
        made = await anchor(act.session, centre, act.now)
    assert made is not None
    return HeadContent(
        number=made.number,
        at=made.at,
        heads=dict(made.heads),
        previous=made.previous.hex(),
        hash=made.hash.hex(),
        signature=made.signature.hex(),
        code=made.code,
    )


async def _centre(db: Database, identity: Identity) -> Peer:
    async with act_on(db) as act:
        public = identity.public
        return await register_peer(
            act, "centre", "centre", public.signing, public.receiving, None, ("a", "b")
        )


async def test_a_signed_head_is_kept(db: Database, tmp_path: Path) -> None:
    """A head that the centre signed stands at the registry with its number and code."""
    identity = Identity.open_or_create(tmp_path)
    head, peer = await _head(db, identity), await _centre(db, identity)
    async with act_on(db) as act:
        await accept_head(act, head, peer)
    async with db.reading() as session:
        row = (await session.scalars(select(HeadRow))).one()
    assert (row.centre, row.number, row.code) == (peer.id, head.number, head.code)


@pytest.mark.parametrize(
    "change", [{"number": 9}, {"code": "A" * 16}, {"heads": {"x": "1:00"}}, {"hash": "0" * 64}]
)
async def test_a_changed_head_is_refused(db: Database, tmp_path: Path, change: dict[str, object]) -> None:
    """A head with another number, code, heads or hash than the signed ones is refused and nothing is kept."""
    identity = Identity.open_or_create(tmp_path)
    head, peer = await _head(db, identity), await _centre(db, identity)
    with pytest.raises(Tampered):
        async with act_on(db) as act:
            await accept_head(act, msgspec.structs.replace(head, **change), peer)
    async with db.reading() as session:
        assert await session.scalar(select(func.count()).select_from(HeadRow)) == 0


async def test_a_head_from_the_future_is_refused(db: Database, tmp_path: Path) -> None:
    """A head dated two days ahead of the registry is refused."""
    identity = Identity.open_or_create(tmp_path)
    head, peer = await _head(db, identity), await _centre(db, identity)
    with pytest.raises(Refused) as refused:
        async with act_on(db, now=START.replace(day=START.day - 2)) as act:
            await accept_head(act, head, peer)
    assert refused.value.code == "head-from-the-future"


async def test_heads_go_out_every_ten_minutes_at_most(db: Database, tmp_path: Path) -> None:
    """With a registry on the line one head is packed, none within ten legal minutes, and one again after them."""
    centre, registry = Identity.open_or_create(tmp_path / "c"), Identity.open_or_create(tmp_path / "r")
    await _head(db, centre)
    async with act_on(db) as act:
        assert not await pack_head(act, centre)  # no registry on the line
        public = registry.public
        await register_peer(
            act,
            "registry",
            "registry",
            public.signing,
            public.receiving,
            "00" * 32,
            ("a", "b"),
            "https://localhost:1",
        )
        assert await pack_head(act, centre)
    async with act_on(db) as act:
        await act.record("test:record:written", {"a": "2"})
    for minutes, packed in ((5, False), (11, True)):
        now = START + HEAD_EVERY * (minutes / 10)
        async with act_on(db, now=now) as act:
            await anchor(act.session, centre, now)
            await act.record("test:record:written", {"a": str(minutes)})
            assert await pack_head(act, centre) is packed
    async with db.reading() as session:
        kinds = list(await session.scalars(select(OutgoingRow.kind)))
    assert kinds == ["head", "head"]
