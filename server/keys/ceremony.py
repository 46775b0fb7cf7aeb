"""The ceremony: custodians are made, each with a key pair under his own passphrase."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, required
from server.keys.changes import MOST_CUSTODIANS
from server.keys.models import CustodianRow
from server.keys.openings import CUSTODIANS_NEEDED
from server.keys.passwords import LEAST_PASSPHRASE, argon2id, password_refusal
from server.keys.ring import (
    Custodian,
    Key,
    KeyKind,
    Purpose,
    create_key,
    custodian_aad,
    custodians,
    passphrase_bytes,
)
from server.keys.sealing import KEY_BYTES, generate_receiving, random_key, seal, wipe


@dataclass(frozen=True, slots=True)
class NewCustodian:
    """One person's pair, wrapped, not yet stored."""

    id: str
    username: str
    name: str
    public: bytes
    salt: bytes
    passphrase_check: bytes
    nonce: bytes
    wrapped: bytes


def group_refusal(usernames: Sequence[str]) -> Refusal | None:
    """Say whether these people may become the custodians: at least two, at most twenty, each named once."""
    if not CUSTODIANS_NEEDED <= len(usernames) <= MOST_CUSTODIANS:
        return Refusal(
            "custodians-count",
            facts={"least": CUSTODIANS_NEEDED, "most": MOST_CUSTODIANS, "given": len(usernames)},
        )
    if len(set(usernames)) != len(usernames):
        return Refusal("custodian-twice")
    return None


def wrap_new(username: str, name: str, passphrase: str) -> NewCustodian:
    """Make a pair and wrap its private half; blocks for a third of a second. Refused for a weak
    passphrase."""
    if not username or not name.strip():
        raise BadInput("custodian-name-missing")
    required(password_refusal(passphrase, username, LEAST_PASSPHRASE))
    private, public = generate_receiving()
    return wrap_pair(str(uuid.uuid4()), username, name.strip(), private, public, passphrase)


def wrap_pair(
    identity: str, username: str, name: str, private: bytes | bytearray, public: bytes, passphrase: str
) -> NewCustodian:
    """Encrypt a custodian's private half under his passphrase; blocks for a third of a second."""
    salt = os.urandom(16)
    derived = bytearray(argon2id(passphrase_bytes(passphrase), salt, 2 * KEY_BYTES))
    nonce, wrapped = seal(derived[:KEY_BYTES], private, custodian_aad(identity, public))
    check = hashlib.sha256(derived[KEY_BYTES:]).digest()
    wipe(derived)
    return NewCustodian(identity, username, name, public, salt, check, nonce, wrapped)


def add_custodians(act: Act, made: Sequence[NewCustodian]) -> None:
    """Add the rows of new custodians; the caller flushes and journals."""
    for person in made:
        act.session.add(
            CustodianRow(
                id=person.id,
                username=person.username,
                name=person.name,
                public=person.public,
                salt=person.salt,
                passphrase_check=person.passphrase_check,
                nonce=person.nonce,
                wrapped=person.wrapped,
                created_at=act.now,
                retired_at=None,
                left_as=None,
            )
        )


async def store_custodians(act: Act, made: Sequence[NewCustodian]) -> tuple[Custodian, ...]:
    """Write the custodians of a centre that has none; Refused `custodians-exist` otherwise."""
    required(group_refusal([person.username for person in made]))
    in_office = select(CustodianRow.id).where(CustodianRow.retired_at.is_(None)).limit(1)
    if (await act.session.scalar(in_office)) is not None:
        raise Refused(Refusal("custodians-exist"))
    add_custodians(act, made)
    await act.session.flush()
    await act.record(
        "keys:custodians:created",
        {"custodians": {person.username: person.public.hex() for person in made}},
    )
    return await custodians(act.session)


async def create_custodians(act: Act, people: Sequence[tuple[str, str, str]]) -> tuple[Custodian, ...]:
    """Make the custodians of a centre from (username, name, passphrase); for the terminal and for tests.

    Refused `same-passphrase` when two people gave the same one.
    """
    return await store_custodians(act, await prepare_custodians(people))


async def prepare_custodians(people: Sequence[tuple[str, str, str]]) -> list[NewCustodian]:
    """Make the pairs of (username, name, passphrase) before any transaction; each takes a third of a second."""
    required(group_refusal([username for username, _name, _passphrase in people]))
    required(same_passphrase_refusal([passphrase for _username, _name, passphrase in people]))
    return [await asyncio.to_thread(wrap_new, *person) for person in people]


def same_passphrase_refusal(passphrases: Sequence[str]) -> Refusal | None:
    """Say no when two custodians gave the same passphrase: then one of them could open alone."""
    forms = [passphrase_bytes(passphrase) for passphrase in passphrases]
    return Refusal("same-passphrase") if len(set(forms)) != len(forms) else None


async def create_bank_key(act: Act, bank: str, purpose: Purpose | str = Purpose.LIVE) -> Key:
    """Make the key of a bank, split it, and forget it: the custodians' shares are the only way back to it."""
    key = random_key()
    try:
        return await create_key(act, KeyKind.BANK, bank, key, purpose=purpose)
    finally:
        wipe(key)
