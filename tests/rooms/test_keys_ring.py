"""Custodians, split keys and the desk, on real databases with real Argon2id."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.errors import GongyuanError, Refused
from server.keys import ring, service
from server.keys.ceremony import create_bank_key, create_custodians, prepare_custodians, store_custodians
from server.keys.models import CustodianRow, KeyRow, ShareRow
from server.keys.openings import OpeningFacts, OpeningState
from server.keys.ring import KeyKind, create_key, unlock
from server.keys.sealing import random_key
from tests.support.clock import FakeClock
from tests.support.database import act_on
from tests.support.passwords import custodians

POSTGRES = ("test_custodians_are_made_once", "test_the_desk_is_recorded_from_intention_to_outcome")

PEOPLE = (
    ("chen", "陈保密", "first long passphrase"),
    ("sun", "孙保密", "second long passphrase"),
    ("zhou", "周保密", "third long passphrase"),
)
PASSPHRASES = {username: passphrase for username, _name, passphrase in PEOPLE}
QUIET = OpeningFacts(check_in_began=False, sittings_open=0)


def of(*names: str) -> dict[str, str]:
    return {name: PASSPHRASES[name] for name in names}


async def hall(db: Database) -> bytearray:
    """Make three custodians and a bank key; return the key."""
    key = random_key()
    async with act_on(db) as act:
        await store_custodians(act, await custodians(PEOPLE))
        await create_key(act, "bank", "bank-1", key)
    return key


async def opened(db: Database, passphrases: Mapping[str, str], subject: str = "bank-1") -> bytearray:
    async with db.reading() as session:
        return await unlock(session, KeyKind.BANK, subject, passphrases)


async def refusal(db: Database, passphrases: Mapping[str, str], subject: str = "bank-1") -> GongyuanError:
    with pytest.raises(GongyuanError) as caught:
        await opened(db, passphrases, subject)
    return caught.value


async def test_any_two_custodians_open_the_key_and_one_alone_does_not(db: Database) -> None:
    """Each pair and all three give the key back; one, the same one by id and name, or a wrong passphrase does not."""
    key = await hall(db)
    for names in (("chen", "sun"), ("chen", "zhou"), ("sun", "zhou"), ("chen", "sun", "zhou")):
        assert await opened(db, of(*names)) == key
    assert (await refusal(db, of("chen"))).code == "two-custodians-needed"
    assert (await refusal(db, {})).code == "two-custodians-needed"
    async with db.reading() as session:
        chen = (await ring.wrapped_custodian(session, "chen")).custodian.id
    twice = await refusal(db, {"chen": PASSPHRASES["chen"], chen: PASSPHRASES["chen"]})
    assert (twice.code, twice.facts["given"]) == ("two-custodians-needed", 1)
    wrong = await refusal(db, {"chen": PASSPHRASES["chen"], "sun": PASSPHRASES["zhou"]})
    assert (wrong.code, wrong.facts) == ("passphrase-wrong", {"custodian": "sun"})
    assert (await refusal(db, {"chen": "x", "nobody": "y"})).code == "custodian-unknown"
    assert (await refusal(db, of("chen", "sun"), "bank-2")).code == "key-unknown"


async def test_no_clear_key_stands_in_the_database(db: Database) -> None:
    """Neither the key nor any share of it stands in clear in the tables of the ring."""
    key = await hall(db)
    async with db.reading() as session:
        sealed = (await session.scalars(select(ShareRow.sealed))).all()
        checks = (await session.scalars(select(KeyRow.check_value))).all()
        wrapped = (await session.scalars(select(CustodianRow.wrapped))).all()
    assert len(sealed) == 3
    assert all(bytes(key) not in blob for blob in (*sealed, *checks, *wrapped))


async def test_changed_bytes_of_wrappings_and_shares_are_told_from_wrong_passphrases(db: Database) -> None:
    """A changed wrapping, a changed share, a swapped share and a changed check value are each refused as tampering."""
    await hall(db)
    async with db.reading() as session:
        chen = (await ring.wrapped_custodian(session, "chen")).custodian.id
        sun = (await ring.wrapped_custodian(session, "sun")).custodian.id
        shares = dict((await session.execute(select(ShareRow.custodian, ShareRow.sealed))).tuples().all())
        wrapped = await session.scalar(select(CustodianRow.wrapped).where(CustodianRow.id == chen))
    assert wrapped is not None

    async def with_share(custodian: str, sealed: bytes) -> None:
        async with db.writing() as session:
            await session.execute(
                update(ShareRow).where(ShareRow.custodian == custodian).values(sealed=sealed)
            )

    await with_share(chen, shares[chen][:-1] + bytes([shares[chen][-1] ^ 1]))
    assert (await refusal(db, of("chen", "sun"))).code == "share-tampered"
    await with_share(chen, shares[sun])
    assert (await refusal(db, of("chen", "sun"))).code == "share-tampered"
    await with_share(chen, shares[chen])
    async with db.writing() as session:
        changed = bytes([wrapped[0] ^ 1]) + wrapped[1:]
        await session.execute(update(CustodianRow).where(CustodianRow.id == chen).values(wrapped=changed))
    assert (await refusal(db, of("chen", "sun"))).code == "custodian-tampered"
    async with db.writing() as session:
        await session.execute(update(CustodianRow).where(CustodianRow.id == chen).values(wrapped=wrapped))
        await session.execute(update(KeyRow).values(check_value=bytes(32)))
    assert (await refusal(db, of("chen", "sun"))).code == "key-check-failed"


async def test_a_superseded_key_is_no_longer_the_one_in_force(db: Database) -> None:
    """A second key for a subject is refused unless asked for; then the new one opens and the old one is retired."""
    await hall(db)
    new = random_key()
    with pytest.raises(Refused, match="key-exists"):
        async with act_on(db) as act:
            await create_key(act, "bank", "bank-1", new)
    async with act_on(db) as act:
        made = await create_key(act, "bank", "bank-1", new, supersede=True)
    assert made.generation == 2
    assert await opened(db, of("chen", "sun")) == new
    async with db.reading() as session:
        assert [key.retired for key in await ring.keys(session)] == [True, False]


async def test_keys_of_one_slot_are_unrelated(db: Database) -> None:
    """Start and marking keys of one slot have their own check values and open separately."""
    await hall(db)
    start, marking = random_key(), random_key()
    async with act_on(db) as act:
        one = await create_key(act, "start", "slot-1", start)
        two = await create_key(act, "marking", "slot-1", marking)
    assert one.check_value != two.check_value
    async with db.reading() as session:
        assert await unlock(session, "start", "slot-1", of("chen", "zhou")) == start
        assert await unlock(session, "marking", "slot-1", of("chen", "zhou")) == marking


@pytest.mark.parametrize(
    ("people", "code"),
    [
        (PEOPLE[:1], "custodians-count"),
        ((PEOPLE[0], PEOPLE[0]), "custodian-twice"),
        ((PEOPLE[0], ("sun", "孙", PEOPLE[0][2])), "same-passphrase"),
        ((PEOPLE[0], ("sun", "孙", "too short")), "password-short"),
        ((PEOPLE[0], ("sun", "", "second long passphrase")), "custodian-name-missing"),
    ],
)
async def test_a_ceremony_needs_two_people_with_good_passphrases(
    people: tuple[tuple[str, str, str], ...], code: str
) -> None:
    """One person, one person twice, one passphrase for two, a weak one or a missing name make no custodians."""
    with pytest.raises(GongyuanError) as caught:
        await prepare_custodians(people)
    assert caught.value.code == code


async def test_custodians_are_made_once(db: Database) -> None:
    """A second ceremony for custodians is refused; a further bank key needs no passphrase and no custodian's act."""
    await hall(db)
    with pytest.raises(Refused, match="custodians-exist"):
        async with act_on(db) as act:
            await store_custodians(act, await prepare_custodians(PEOPLE))
    async with act_on(db) as act:
        made = await create_bank_key(act, "bank-2")
    assert len(await opened(db, of("sun", "zhou"), "bank-2")) == 32
    assert len(made.custodians) == 3


async def test_a_key_without_custodians_is_refused(db: Database) -> None:
    """No key is made before there are two custodians to hold it."""
    with pytest.raises(Refused, match="custodians-missing"):
        async with act_on(db) as act:
            await create_bank_key(act, "bank-1")


async def test_a_passphrase_is_the_same_from_every_keyboard(db: Database) -> None:
    """A passphrase typed with combining accents opens what was made with composed ones."""
    people = (("a", "甲", "café crème brûlée"), ("b", "乙", "another long one here"))
    async with act_on(db) as act:
        await create_custodians(act, people)
        await create_bank_key(act, "bank-1")
    await opened(db, {"a": "cafe\u0301 cre\u0300me bru\u0302le\u0301e", "b": people[1][2]})


async def test_the_desk_is_recorded_from_intention_to_outcome(db: Database, clock: FakeClock) -> None:
    """A desk opening leaves its intention, its custodians and its outcome in table and journal, in this order."""
    key = await hall(db)
    journal = Journal("desk")
    desk = await service.open_desk(
        db, journal, clock, "terminal:root", "bank-1", of("chen", "sun"), QUIET, timedelta(hours=2)
    )
    assert desk.key == key
    assert desk.ends_at == clock.legal() + timedelta(hours=2)
    await service.close_desk(db, journal, clock, "terminal:root", desk, {"imported": 3})
    assert desk.key == bytearray(32)
    async with db.reading() as session:
        found = await service.opening(session, desk.opening)
        kinds = (
            await session.scalars(
                select(JournalRecord.kind)
                .where(JournalRecord.kind.like("keys:desk-opening:%"))
                .order_by(JournalRecord.seq)
            )
        ).all()
    assert (found.state, found.custodians, found.outcome) == (
        OpeningState.DONE,
        ("chen", "sun"),
        {"imported": 3},
    )
    assert kinds == [f"keys:desk-opening:{step}" for step in ("intended", "unsealing", "done")]


async def test_a_refused_desk_is_recorded_too(db: Database, clock: FakeClock) -> None:
    """A wrong passphrase at the desk leaves a failed opening with its code; a closed window leaves none."""
    await hall(db)
    journal = Journal("desk")
    wrong = {"chen": "not the passphrase", "sun": PASSPHRASES["sun"]}
    with pytest.raises(Refused, match="passphrase-wrong"):
        await service.open_desk(db, journal, clock, "terminal:root", "bank-1", wrong, QUIET)
    busy = dataclasses.replace(QUIET, check_in_began=True, sittings_open=3)
    with pytest.raises(Refused, match="desk-during-exam"):
        await service.open_desk(db, journal, clock, "terminal:root", "bank-1", of("chen", "sun"), busy)
    async with db.reading() as session:
        found = await service.openings(session)
    assert [(one.state, one.outcome) for one in found] == [
        (OpeningState.FAILED, {"code": "passphrase-wrong", "fact_custodian": "chen"})
    ]
