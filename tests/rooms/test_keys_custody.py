"""Custody after the ceremony, on a real database: change, loss, rotation, drill, passphrase, and the two purposes."""

from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from server.db.engine import Database
from server.db.journal import JournalRecord
from server.errors import GongyuanError, NotFound, Refused, Tampered
from server.keys import custody, ring
from server.keys.ceremony import NewCustodian, store_custodians, wrap_new
from server.keys.changes import Change
from server.keys.models import CustodianRow, KeyRow, ShareRow
from server.keys.ring import KeyKind, Purpose, create_key
from server.keys.sealing import random_key, seal, unseal
from tests.support.database import act_on, database

PASSPHRASES = {
    "chen": "first long passphrase",
    "sun": "second long passphrase",
    "zhou": "third long passphrase",
}
Privates = Mapping[str, bytearray]


@cache
def people() -> tuple[NewCustodian, ...]:
    """The three custodians, made once for all tests: each pair takes a third of a second."""
    return tuple(wrap_new(name, name, text) for name, text in PASSPHRASES.items())


@cache
def private_half(wrapped: ring.WrappedCustodian, passphrase: str) -> bytes:
    """Return a private half; each wrapping is opened once."""
    return bytes(ring.unwrap(wrapped, passphrase))


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with three custodians."""
    async with database(f"sqlite:///{tmp_path / 'gongyuan.db'}") as made:
        async with act_on(made) as act:
            await store_custodians(act, people())
        yield made


async def private_of(db: Database, *names: str, **passphrases: str) -> dict[str, bytearray]:
    """Return the private halves of custodians by id."""
    found = {}
    async with db.reading() as session:
        for name in names:
            wrapped = await ring.wrapped_custodian(session, name)
            passphrase = passphrases.get(name, PASSPHRASES.get(name, ""))
            found[wrapped.custodian.id] = bytearray(private_half(wrapped, passphrase))
    return found


async def make(db: Database, kind: KeyKind, subject: str, purpose: Purpose = Purpose.LIVE) -> bytearray:
    key = random_key()
    async with act_on(db) as act:
        await create_key(act, kind, subject, key, purpose=purpose)
    return key


async def change(db: Database, one: Change, privates: Privates, made: tuple[NewCustodian, ...] = ()) -> None:
    async with db.reading() as session:
        prepared = await custody.prepare_change(session, one, made, privates)
    async with act_on(db) as act:
        await custody.store_change(act, prepared)


async def opened(
    db: Database, privates: Privates, kind: KeyKind, subject: str, purpose: Purpose | None = None
) -> bytearray:
    async with db.reading() as session:
        return await ring.recover(session, kind, subject, privates, purpose)


async def code(
    db: Database, privates: Privates, kind: KeyKind, subject: str, purpose: Purpose | None = None
) -> str:
    with pytest.raises(GongyuanError) as caught:
        await opened(db, privates, kind, subject, purpose)
    return caught.value.code


async def test_a_change_shares_every_key_anew_and_touches_nothing_sealed_under_it(db: Database) -> None:
    """After sun is lost, chen retires and xu and wu come, each new pair opens both keys, what was sealed before opens
    as it stands, and the old custodians' private halves open nothing, not even with the shares of before."""
    bank, start = await make(db, KeyKind.BANK, "bank-1"), await make(db, KeyKind.START, "slot-1")
    nonce, item = seal(bank, b"an item", b"place")
    old = await private_of(db, "chen", "sun", "zhou")
    by_name = dict(zip(("chen", "sun", "zhou"), old, strict=True))
    openers = {who: old[who] for who in (by_name["chen"], by_name["zhou"])}
    async with db.reading() as session:
        shares = (await session.execute(select(ShareRow.key, ShareRow.custodian, ShareRow.sealed))).all()
    made = tuple(wrap_new(name, name, f"passphrase of {name} number 1") for name in ("wu", "xu"))
    await change(db, Change(("wu", "xu"), ("chen",), ("sun",)), openers, made)

    new = await private_of(
        db, "zhou", "wu", "xu", wu="passphrase of wu number 1", xu="passphrase of xu number 1"
    )
    ids = list(new)
    for pair in ((0, 1), (0, 2), (1, 2)):
        two = {ids[place]: new[ids[place]] for place in pair}
        assert await opened(db, two, KeyKind.BANK, "bank-1") == bank
    assert await opened(db, new, KeyKind.START, "slot-1") == start
    assert unseal(bank, nonce, item, b"place") == b"an item"

    assert await code(db, openers, KeyKind.BANK, "bank-1") == "share-missing"
    with pytest.raises(NotFound, match="custodian-unknown"):
        await private_of(db, "sun")
    async with db.writing() as session:
        rows = await session.scalars(select(CustodianRow).where(CustodianRow.retired_at.is_not(None)))
        assert {(row.username, row.left_as, row.wrapped) for row in rows} == {
            ("chen", "retired", b""),
            ("sun", "lost", b""),
        }
        for share in await session.scalars(select(ShareRow)):
            await session.delete(share)
        await session.flush()
        session.add_all(ShareRow(key=key, custodian=who, sealed=sealed) for key, who, sealed in shares)
    assert await code(db, openers, KeyKind.BANK, "bank-1") == "share-tampered"


async def test_rotation_wraps_anew_and_leaves_custodians_and_keys(db: Database) -> None:
    """A rotation gives every key in force its next wrapping and new shares; keys, check values and custodians stay,
    superseded keys are left alone, and the journal names the rotation."""
    await make(db, KeyKind.MARKING, "slot-1")
    key = random_key()
    async with act_on(db) as act:
        await create_key(act, KeyKind.MARKING, "slot-1", key, supersede=True)
    two = await private_of(db, "chen", "zhou")
    async with db.reading() as session:
        before = await ring.keys(session)
        people = await ring.custodians(session)
        wrapped = (await session.scalars(select(KeyRow.wrapped).where(KeyRow.retired_at.is_(None)))).one()
    await change(db, Change(), two)
    async with db.reading() as session:
        after = await ring.keys(session)
        assert await ring.custodians(session) == people
        assert (
            await session.scalars(select(KeyRow.wrapped).where(KeyRow.retired_at.is_(None)))
        ).one() != wrapped
        kinds = (await session.scalars(select(JournalRecord.kind))).all()
    assert [(one.wrapping, one.check_value) for one in before] == [(1, one.check_value) for one in after]
    assert [(one.retired, one.wrapping) for one in after] == [(True, 1), (False, 2)]
    assert await opened(db, two, KeyKind.MARKING, "slot-1") == key
    assert "keys:custodians:changed" in kinds


async def test_a_change_overtaken_by_a_new_key_changes_nothing(db: Database) -> None:
    """A change prepared before another key was made is refused whole: no key is left that the new group cannot open."""
    await make(db, KeyKind.BANK, "bank-1")
    two = await private_of(db, "chen", "zhou")
    async with db.reading() as session:
        prepared = await custody.prepare_change(session, Change(retired=("sun",)), (), two)
    late = await make(db, KeyKind.BANK, "bank-2")
    with pytest.raises(Refused, match="custody-overtaken"):
        async with act_on(db) as act:
            await custody.store_change(act, prepared)
    async with db.reading() as session:
        assert [one.username for one in await ring.custodians(session)] == ["chen", "sun", "zhou"]
    assert await opened(db, two, KeyKind.BANK, "bank-2") == late


async def test_a_drill_opens_every_key_and_names_the_one_that_does_not(db: Database) -> None:
    """A drill counts the keys that two custodians open, for both purposes, and fails naming a key whose share was
    changed; it writes nothing."""
    await make(db, KeyKind.BANK, "bank-1")
    await make(db, KeyKind.BANK, "bank-2", Purpose.REHEARSAL)
    two = await private_of(db, "chen", "zhou")
    async with db.reading() as session:
        assert await custody.drill(session, two) == {"keys": 2}
    async with db.writing() as session:
        key = await session.scalar(select(KeyRow.id).where(KeyRow.subject == "bank-2"))
        await session.execute(update(ShareRow).where(ShareRow.key == key).values(sealed=bytes(80)))
    async with db.reading() as session:
        with pytest.raises(Refused) as caught:
            await custody.drill(session, two)
    assert caught.value.facts == {"opened": 1, "failed": "bank bank-2: share-tampered"}


async def test_a_custodian_changes_his_own_passphrase_with_the_old_one_only(db: Database) -> None:
    """The new passphrase opens the same private half and the old one no longer does; a wrong old one, the same one
    again and a weak one change nothing."""
    before = await private_of(db, "chen")
    async with db.reading() as session:
        wrapped = await ring.wrapped_custodian(session, "chen")
    new = "another passphrase of chen's friend"
    for old, given, expected in (
        (PASSPHRASES["sun"], new, "passphrase-wrong"),
        (PASSPHRASES["chen"], PASSPHRASES["chen"], "passphrase-unchanged"),
        (PASSPHRASES["chen"], "short", "password-short"),
    ):
        with pytest.raises(Refused, match=expected):
            await custody.rewrapped(wrapped, old, given)
    made = await custody.rewrapped(wrapped, PASSPHRASES["chen"], new)
    async with act_on(db) as act:
        await custody.store_passphrase(act, wrapped, made)
    assert await private_of(db, "chen", chen=new) == before
    with pytest.raises(Refused, match="passphrase-wrong"):
        await private_of(db, "chen")


@pytest.mark.parametrize("made_for", list(Purpose))
async def test_a_key_of_one_purpose_never_opens_for_the_other(db: Database, made_for: Purpose) -> None:
    """A key made for rehearsals does not open for a live plan, nor a live one for a rehearsal, even when its row is
    rewritten to say so."""
    other = Purpose.LIVE if made_for is Purpose.REHEARSAL else Purpose.REHEARSAL
    key = await make(db, KeyKind.START, "slot-1", made_for)
    two = await private_of(db, "chen", "zhou")
    assert await opened(db, two, KeyKind.START, "slot-1", made_for) == key
    with pytest.raises(Tampered, match="share-tampered"):
        await opened(db, two, KeyKind.START, "slot-1", other)
    async with db.writing() as session:
        check = ring.check_value(key, KeyKind.START, "slot-1", other)
        await session.execute(update(KeyRow).values(purpose=other.value, check_value=check))
    with pytest.raises(Tampered, match="share-tampered"):
        await opened(db, two, KeyKind.START, "slot-1")
    info = ring.wrapping_info("k", "start", "slot-1", made_for, 1)
    assert info != ring.wrapping_info("k", "start", "slot-1", other, 1)
