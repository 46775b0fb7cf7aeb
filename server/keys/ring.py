"""Keys by kind and subject, which any two custodians' shares give back and one alone does not.

The hierarchy: shares → wrapping secret → wrapping key → key. Shares are of a random wrapping secret; the wrapping
key is derived from it for this key, its purpose and the number of its wrapping, and encrypts the key itself. So a
change of custodians or a rotation makes a new wrapping and leaves the key, and all that was sealed under it, as it
is. The splitting does not authenticate shares, so every key has a check value, and every share is bound to its
key, wrapping, purpose and custodian by the encryption.

The purpose, live or rehearsal, is part of every step: a key made for one cannot be opened for the other, whatever a
row says.
"""

import asyncio
import hashlib
import hmac
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyshamir
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import NotFound, Refusal, Refused, Tampered
from server.keys.models import CustodianRow, KeyRow, ShareRow
from server.keys.openings import CUSTODIANS_NEEDED
from server.keys.passwords import argon2id
from server.keys.sealing import (
    KEY_BYTES,
    canonical,
    derive,
    hmac_sha256,
    hpke_open,
    hpke_seal,
    random_key,
    seal,
    unseal,
    wipe,
)


class KeyKind(StrEnum):
    """What a key opens. All are unrelated: none is derived from another. A new kind is one line here and a text
    `key-<value>`."""

    BANK = "bank"
    START = "start"
    MARKING = "marking"
    JOURNAL = "journal"
    """Opens the journals that kiosks of a slot kept while offline."""


class Purpose(StrEnum):
    """Whether a key serves exams that count, or rehearsals."""

    LIVE = "live"
    REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True)
class Custodian:
    """One custodian as the others may know him."""

    id: str
    username: str
    name: str
    public: bytes
    retired: bool


@dataclass(frozen=True, slots=True)
class WrappedCustodian:
    """One custodian with the wrapping of his private half."""

    custodian: Custodian
    salt: bytes
    passphrase_check: bytes
    nonce: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """One key as known without opening it."""

    id: str
    kind: KeyKind
    subject: str
    generation: int
    purpose: Purpose
    check_value: bytes
    wrapping: int
    custodians: tuple[str, ...]
    """Ids of the custodians who hold a share, ascending."""
    retired: bool


@dataclass(frozen=True, slots=True)
class Wrapping:
    """One key encrypted under a fresh wrapping secret, and that secret's encrypted shares; not yet stored."""

    key: str
    number: int
    nonce: bytes
    wrapped: bytes
    shares: tuple[tuple[str, bytes], ...]
    """(custodian id, encrypted share)."""


def custodian_aad(custodian: str, public: bytes) -> bytes:
    """Return the associated data of a wrapped private half."""
    return canonical({"custodian": custodian, "public": public.hex(), "purpose": "gongyuan/custodian/1"})


def check_value(key: bytes | bytearray, kind: KeyKind, subject: str, purpose: Purpose) -> bytes:
    """Return the value that a key is recognised by and from which nothing of it can be found."""
    return hmac_sha256(
        key,
        canonical(
            {
                "for": purpose.value,
                "kind": kind.value,
                "purpose": "gongyuan/check/1",
                "subject": subject,
            }
        ),
    )


def wrapping_info(key: str, kind: str, subject: str, purpose: Purpose, number: int) -> bytes:
    """Return what a wrapping key is derived for; the associated data of the wrapped key as well."""
    return canonical(
        {
            "for": purpose.value,
            "key": key,
            "kind": kind,
            "purpose": "gongyuan/wrapping/1",
            "subject": subject,
            "wrapping": number,
        }
    )


def passphrase_bytes(passphrase: str) -> bytes:
    """Return the bytes of a passphrase in Unicode form NFC, so that every keyboard gives the same."""
    return unicodedata.normalize("NFC", passphrase).encode()


def unwrap(wrapped: WrappedCustodian, passphrase: str) -> bytearray:
    """Return a custodian's private half; blocks for a third of a second.

    Refused `passphrase-wrong` with the username, Tampered `custodian-tampered` when the wrapping was changed.
    """
    custodian = wrapped.custodian
    derived = bytearray(argon2id(passphrase_bytes(passphrase), wrapped.salt, 2 * KEY_BYTES))
    try:
        if not hmac.compare_digest(hashlib.sha256(derived[KEY_BYTES:]).digest(), wrapped.passphrase_check):
            raise Refused(Refusal("passphrase-wrong", facts={"custodian": custodian.username}))
        aad = custodian_aad(custodian.id, custodian.public)
        return bytearray(unseal(derived[:KEY_BYTES], wrapped.nonce, wrapped.wrapped, aad))
    except Tampered as error:
        raise Tampered("custodian-tampered", custodian=custodian.username) from error
    finally:
        wipe(derived)


def _custodian(row: CustodianRow) -> Custodian:
    return Custodian(row.id, row.username, row.name, row.public, row.retired_at is not None)


async def custodians(session: AsyncSession) -> tuple[Custodian, ...]:
    """Return the active custodians ordered by username."""
    rows = await session.scalars(
        select(CustodianRow).where(CustodianRow.retired_at.is_(None)).order_by(CustodianRow.username)
    )
    return tuple(_custodian(row) for row in rows)


async def wrapped_custodian(session: AsyncSession, name: str) -> WrappedCustodian:
    """Return an active custodian by id or username; NotFound `custodian-unknown`."""
    row = await session.scalar(
        select(CustodianRow).where(
            (CustodianRow.id == name) | (CustodianRow.username == name), CustodianRow.retired_at.is_(None)
        )
    )
    if row is None:
        raise NotFound("custodian-unknown", custodian=name)
    return WrappedCustodian(_custodian(row), row.salt, row.passphrase_check, row.nonce, row.wrapped)


async def username_of(session: AsyncSession, name: str) -> str:
    """Return the username of an active custodian named by id; any other name as it is (one still to be made)."""
    return next((one.username for one in await custodians(session) if one.id == name), name)


async def _key(session: AsyncSession, row: KeyRow) -> Key:
    holders = await session.scalars(
        select(ShareRow.custodian).where(ShareRow.key == row.id).order_by(ShareRow.custodian)
    )
    return Key(
        row.id,
        KeyKind(row.kind),
        row.subject,
        row.generation,
        Purpose(row.purpose),
        row.check_value,
        row.wrapping,
        tuple(holders),
        row.retired_at is not None,
    )


async def keys(session: AsyncSession) -> tuple[Key, ...]:
    """Return all keys, newest generation last, ordered by kind and subject."""
    rows = await session.scalars(select(KeyRow).order_by(KeyRow.kind, KeyRow.subject, KeyRow.generation))
    return tuple([await _key(session, row) for row in rows])


async def active_key(session: AsyncSession, kind: KeyKind, subject: str) -> Key | None:
    """Return the key in force for a subject."""
    row = await session.scalar(
        select(KeyRow)
        .where(KeyRow.kind == kind.value, KeyRow.subject == subject, KeyRow.retired_at.is_(None))
        .order_by(KeyRow.generation.desc())
        .limit(1)
    )
    return None if row is None else await _key(session, row)


def share_info(
    key: str, kind: str, subject: str, custodian: str, purpose: Purpose = Purpose.LIVE, wrapping: int = 1
) -> bytes:
    """Return the HPKE info that binds a share to its key, purpose, wrapping and custodian."""
    return canonical(
        {
            "custodian": custodian,
            "for": purpose.value,
            "key": key,
            "kind": kind,
            "purpose": "gongyuan/share/1",
            "subject": subject,
            "wrapping": wrapping,
        }
    )


def wrap(
    identity: str,
    kind: KeyKind,
    subject: str,
    purpose: Purpose,
    number: int,
    key: bytes | bytearray,
    holders: Sequence[tuple[str, bytes]],
) -> Wrapping:
    """Encrypt a key under a fresh wrapping secret, of which any two of the holders (id, public half) have enough."""
    info = wrapping_info(identity, kind.value, subject, purpose, number)
    secret = random_key()
    shares = pyshamir.split(bytes(secret), len(holders), CUSTODIANS_NEEDED)
    under = bytearray(derive(secret, info))
    wipe(secret)
    nonce, wrapped = seal(under, key, info)
    wipe(under)
    sealed = []
    for (holder, public), share in zip(holders, shares, strict=True):
        told = share_info(identity, kind.value, subject, holder, purpose, number)
        sealed.append((holder, hpke_seal(public, share, told)))
        wipe(share)
    return Wrapping(identity, number, nonce, wrapped, tuple(sealed))


async def lock_custody(session: AsyncSession) -> None:
    """Let changes of custodians and the making of keys wait for each other, until this transaction ends."""
    await session.execute(select(CustodianRow.id).where(CustodianRow.retired_at.is_(None)).with_for_update())


async def create_key(
    act: Act,
    kind: KeyKind | str,
    subject: str,
    key: bytes | bytearray,
    *,
    purpose: Purpose | str = Purpose.LIVE,
    supersede: bool = False,
) -> Key:
    """Wrap a 32-byte key for all custodians in office and keep only wrapping, shares and check value.

    Refused `custodians-missing` with fewer than two custodians, `key-exists` when the subject has a key in
    force and `supersede` is not asked for: what was sealed under the old key can no longer be opened
    afterwards.
    """
    kind, purpose = KeyKind(kind), Purpose(purpose)
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    await lock_custody(act.session)
    holders = await custodians(act.session)
    if len(holders) < CUSTODIANS_NEEDED:
        raise Refused(
            Refusal("custodians-missing", facts={"needed": CUSTODIANS_NEEDED, "found": len(holders)})
        )
    before = await active_key(act.session, kind, subject)
    if before is not None:
        if not supersede:
            raise Refused(Refusal("key-exists", facts={"kind": kind.value, "subject": subject}))
        await act.session.execute(update(KeyRow).where(KeyRow.id == before.id).values(retired_at=act.now))
    identity = str(uuid.uuid4())
    made = wrap(identity, kind, subject, purpose, 1, key, [(one.id, one.public) for one in holders])
    row = KeyRow(
        id=identity,
        kind=kind.value,
        subject=subject,
        generation=before.generation + 1 if before else 1,
        purpose=purpose.value,
        check_value=check_value(key, kind, subject, purpose),
        wrapping=1,
        nonce=made.nonce,
        wrapped=made.wrapped,
        created_at=act.now,
        wrapped_at=act.now,
        retired_at=None,
    )
    act.session.add(row)
    await act.session.flush()
    act.session.add_all(
        ShareRow(key=row.id, custodian=holder, sealed=sealed) for holder, sealed in made.shares
    )
    await act.session.flush()
    await act.record(
        "keys:key:created",
        {
            "key": row.id,
            "kind": kind.value,
            "subject": subject,
            "generation": row.generation,
            "purpose": purpose.value,
            "check": row.check_value.hex(),
            "custodians": [holder.username for holder in holders],
            "supersedes": before.id if before else None,
        },
    )
    return await _key(act.session, row)


async def recover(
    session: AsyncSession,
    kind: KeyKind | str,
    subject: str,
    privates: Mapping[str, bytearray],
    purpose: Purpose | None = None,
) -> bytearray:
    """Return the key in force, opened with the private halves of at least two custodians, given by id.

    `purpose` is what the key is wanted for; None takes what the key is marked as. A key made for the other purpose
    does not open: Tampered `share-tampered`. NotFound `key-unknown`; Refused `two-custodians-needed`, or
    `share-missing` for a custodian who holds no share; Tampered `key-check-failed`.
    """
    kind = KeyKind(kind)
    if len(privates) < CUSTODIANS_NEEDED:
        raise Refused(
            Refusal("two-custodians-needed", facts={"needed": CUSTODIANS_NEEDED, "given": len(privates)})
        )
    row = await session.scalar(
        select(KeyRow)
        .where(KeyRow.kind == kind.value, KeyRow.subject == subject, KeyRow.retired_at.is_(None))
        .order_by(KeyRow.generation.desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("key-unknown", kind=kind.value, subject=subject)
    wanted = Purpose(row.purpose) if purpose is None else purpose
    shares: list[bytearray] = []
    secret, under = bytearray(), bytearray()
    try:
        for custodian, private in privates.items():
            sealed = await session.scalar(
                select(ShareRow.sealed).where(ShareRow.key == row.id, ShareRow.custodian == custodian)
            )
            if sealed is None:
                raise Refused(Refusal("share-missing", facts={"custodian": custodian, "kind": kind.value}))
            info = share_info(row.id, row.kind, row.subject, custodian, wanted, row.wrapping)
            try:
                shares.append(bytearray(hpke_open(private, sealed, info)))
            except Tampered as error:
                raise Tampered("share-tampered", custodian=custodian) from error
        secret = bytearray(pyshamir.combine(shares))
        info = wrapping_info(row.id, row.kind, row.subject, wanted, row.wrapping)
        under = bytearray(derive(secret, info))
        try:
            key = bytearray(unseal(under, row.nonce, row.wrapped, info))
        except Tampered as error:
            raise Tampered("key-check-failed", kind=kind.value, subject=subject) from error
    finally:
        for taken in (*shares, secret, under):
            wipe(taken)
    if not hmac.compare_digest(check_value(key, kind, subject, wanted), row.check_value):
        wipe(key)
        raise Tampered("key-check-failed", kind=kind.value, subject=subject)
    return key


async def unlock(
    session: AsyncSession,
    kind: KeyKind | str,
    subject: str,
    passphrases: Mapping[str, str],
    purpose: Purpose | None = None,
) -> bytearray:
    """Return the key in force, opened by at least two custodians' passphrases, given by id or username.

    Refused `two-custodians-needed` (two names of one person count as one) or `passphrase-wrong`; see
    `recover`.
    """
    wrapped = {}
    for name in passphrases:
        found = await wrapped_custodian(session, name)
        wrapped[found.custodian.id] = (found, passphrases[name])
    if len(wrapped) < CUSTODIANS_NEEDED:
        raise Refused(
            Refusal("two-custodians-needed", facts={"needed": CUSTODIANS_NEEDED, "given": len(wrapped)})
        )
    privates: dict[str, bytearray] = {}
    try:
        for custodian, (found, passphrase) in wrapped.items():
            privates[custodian] = await asyncio.to_thread(unwrap, found, passphrase)
        return await recover(session, kind, subject, privates, purpose)
    finally:
        for private in privates.values():
            wipe(private)
