"""Keys by kind and subject, split so that any two custodians' shares give the key back, and one alone gives
nothing.

The splitting itself does not authenticate shares, so every key has a check value, and every share is bound to
its key and custodian by the encryption.
"""

import asyncio
import hashlib
import hmac
import unicodedata
import uuid
from collections.abc import Mapping
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
from server.keys.sealing import KEY_BYTES, canonical, hmac_sha256, hpke_open, hpke_seal, unseal, wipe


class KeyKind(StrEnum):
    """What a key opens. The three are unrelated: none is derived from another."""

    BANK = "bank"
    START = "start"
    MARKING = "marking"


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
    check_value: bytes
    custodians: tuple[str, ...]
    """Ids of the custodians who hold a share, ascending."""
    retired: bool


def custodian_aad(custodian: str, public: bytes) -> bytes:
    """Return the associated data of a wrapped private half."""
    return canonical({"custodian": custodian, "public": public.hex(), "purpose": "gongyuan/custodian/1"})


def check_value(key: bytes | bytearray, kind: KeyKind, subject: str) -> bytes:
    """Return the value that a key is recognised by and from which nothing of it can be found."""
    return hmac_sha256(
        key, canonical({"kind": kind.value, "purpose": "gongyuan/check/1", "subject": subject})
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


async def _key(session: AsyncSession, row: KeyRow) -> Key:
    holders = await session.scalars(
        select(ShareRow.custodian).where(ShareRow.key == row.id).order_by(ShareRow.custodian)
    )
    return Key(
        row.id,
        KeyKind(row.kind),
        row.subject,
        row.generation,
        row.check_value,
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


def share_info(key: str, kind: str, subject: str, custodian: str) -> bytes:
    """Return the HPKE info that binds a share to its key and custodian."""
    return canonical(
        {
            "custodian": custodian,
            "key": key,
            "kind": kind,
            "purpose": "gongyuan/share/1",
            "subject": subject,
        }
    )


async def create_key(
    act: Act, kind: KeyKind | str, subject: str, key: bytes | bytearray, *, supersede: bool = False
) -> Key:
    """Split a 32-byte key to all active custodians and keep only the encrypted shares and the check value.

    Refused `custodians-missing` with fewer than two custodians, `key-exists` when the subject has a key in
    force and `supersede` is not asked for: what was sealed under the old key can no longer be opened
    afterwards.
    """
    kind = KeyKind(kind)
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
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
    row = KeyRow(
        id=str(uuid.uuid4()),
        kind=kind.value,
        subject=subject,
        generation=before.generation + 1 if before else 1,
        check_value=check_value(key, kind, subject),
        created_at=act.now,
        retired_at=None,
    )
    act.session.add(row)
    await act.session.flush()
    shares = pyshamir.split(bytes(key), len(holders), CUSTODIANS_NEEDED)
    for holder, share in zip(holders, shares, strict=True):
        sealed = hpke_seal(holder.public, share, share_info(row.id, kind.value, subject, holder.id))
        act.session.add(ShareRow(key=row.id, custodian=holder.id, sealed=sealed))
        wipe(share)
    await act.session.flush()
    await act.record(
        "keys:key:created",
        {
            "key": row.id,
            "kind": kind.value,
            "subject": subject,
            "generation": row.generation,
            "check": row.check_value.hex(),
            "custodians": [holder.username for holder in holders],
            "supersedes": before.id if before else None,
        },
    )
    return await _key(act.session, row)


async def recover(
    session: AsyncSession, kind: KeyKind | str, subject: str, privates: Mapping[str, bytearray]
) -> bytearray:
    """Combine the shares of at least two custodians, given by id with their private halves, to the key in
    force.

    NotFound `key-unknown`; Refused `two-custodians-needed`, or `share-missing` for a custodian who came after
    the key was split; Tampered `share-tampered` or `key-check-failed`.
    """
    kind = KeyKind(kind)
    if len(privates) < CUSTODIANS_NEEDED:
        raise Refused(
            Refusal("two-custodians-needed", facts={"needed": CUSTODIANS_NEEDED, "given": len(privates)})
        )
    key = await active_key(session, kind, subject)
    if key is None:
        raise NotFound("key-unknown", kind=kind.value, subject=subject)
    shares: list[bytearray] = []
    try:
        for custodian, private in privates.items():
            sealed = await session.scalar(
                select(ShareRow.sealed).where(ShareRow.key == key.id, ShareRow.custodian == custodian)
            )
            if sealed is None:
                raise Refused(Refusal("share-missing", facts={"custodian": custodian, "kind": kind.value}))
            try:
                share = hpke_open(private, sealed, share_info(key.id, kind.value, subject, custodian))
            except Tampered as error:
                raise Tampered("share-tampered", custodian=custodian) from error
            shares.append(bytearray(share))
        secret = bytearray(pyshamir.combine(shares))
    finally:
        for taken in shares:
            wipe(taken)
    if not hmac.compare_digest(check_value(secret, kind, subject), key.check_value):
        wipe(secret)
        raise Tampered("key-check-failed", kind=kind.value, subject=subject)
    return secret


async def unlock(
    session: AsyncSession, kind: KeyKind | str, subject: str, passphrases: Mapping[str, str]
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
        return await recover(session, kind, subject, privates)
    finally:
        for private in privates.values():
            wipe(private)
