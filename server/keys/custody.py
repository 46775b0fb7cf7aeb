"""Custody after the ceremony: change of custodians, rotation, a rehearsed recovery, a custodian's own passphrase.

A change opens every key in force with two custodians, wraps each anew for the new group and forgets it; the keys
themselves, and so items, papers and sheets sealed under them, stay as they are. After it the old shares and the old
pairs open nothing that stands in this database. A copy of the database from before still opens with two passphrases
of then: what must be safe from such a copy needs a new bank key and its items sealed anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import GongyuanError, Refusal, Refused, required
from server.keys.ceremony import NewCustodian, add_custodians, wrap_pair
from server.keys.changes import Change, change_refusal, words_of
from server.keys.models import CustodianRow, KeyRow, ShareRow
from server.keys.passwords import LEAST_PASSPHRASE, password_refusal
from server.keys.ring import (
    Custodian,
    WrappedCustodian,
    Wrapping,
    custodians,
    keys,
    lock_custody,
    passphrase_bytes,
    recover,
    unwrap,
    wrap,
)
from server.keys.sealing import wipe


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """A change with all its cryptography done, ready for one short transaction."""

    change: Change
    before: tuple[str, ...]
    """Ids of the custodians in office when it was prepared."""
    made: tuple[NewCustodian, ...]
    wrappings: tuple[Wrapping, ...]


async def prepare_change(
    session: AsyncSession, change: Change, made: Sequence[NewCustodian], privates: Mapping[str, bytearray]
) -> PreparedChange:
    """Open every key in force with two private halves and wrap it anew for those who remain and those who come.

    Refused by `change_refusal`; Tampered as `ring.recover` when a key does not open: then nothing is changed.
    """
    people = await custodians(session)
    required(change_refusal([one.username for one in people], change))
    leaving = {*change.retired, *change.lost}
    holders = [(one.id, one.public) for one in people if one.username not in leaving]
    holders += [(one.id, one.public) for one in made]
    wrappings = []
    for key in await keys(session):
        if key.retired:
            continue
        secret = await recover(session, key.kind, key.subject, privates)
        wrappings.append(wrap(key.id, key.kind, key.subject, key.purpose, key.wrapping + 1, secret, holders))
        wipe(secret)
    return PreparedChange(change, tuple(one.id for one in people), tuple(made), tuple(wrappings))


async def store_change(act: Act, prepared: PreparedChange) -> tuple[Custodian, ...]:
    """Write a prepared change whole; return the custodians in office afterwards.

    Refused `custody-overtaken` when custodians or keys are no longer those that it was prepared for.
    """
    session = act.session
    await lock_custody(session)
    people = await custodians(session)
    in_force = {key.id: key.wrapping for key in await keys(session) if not key.retired}
    expected = {one.key: one.number - 1 for one in prepared.wrappings}
    if tuple(one.id for one in people) != prepared.before or in_force != expected:
        raise Refused(Refusal("custody-overtaken"))
    for names, left_as in ((prepared.change.retired, "retired"), (prepared.change.lost, "lost")):
        for name in names:
            await session.execute(
                update(CustodianRow)
                .where(CustodianRow.username == name, CustodianRow.retired_at.is_(None))
                .values(retired_at=act.now, left_as=left_as, nonce=b"", wrapped=b"")
            )
    await session.flush()
    add_custodians(act, prepared.made)
    await session.flush()
    for one in prepared.wrappings:
        await session.execute(
            update(KeyRow)
            .where(KeyRow.id == one.key)
            .values(wrapping=one.number, nonce=one.nonce, wrapped=one.wrapped, wrapped_at=act.now)
        )
    await session.execute(delete(ShareRow).where(ShareRow.key.in_(list(expected))))
    session.add_all(
        ShareRow(key=one.key, custodian=holder, sealed=sealed)
        for one in prepared.wrappings
        for holder, sealed in one.shares
    )
    await session.flush()
    after = await custodians(session)
    await act.record(
        "keys:custodians:changed",
        {
            "change": words_of(prepared.change),
            "custodians": {one.username: one.public.hex() for one in after},
            "keys": {one.key: one.number for one in prepared.wrappings},
        },
    )
    return after


async def drill(session: AsyncSession, privates: Mapping[str, bytearray]) -> dict[str, str | int]:
    """Open every key in force with these two custodians, compare its check value, and forget it.

    Refused `drill-failed` naming the keys that did not open. Nothing is written and no key is handed on.
    """
    opened, failed = 0, []
    for key in await keys(session):
        if key.retired:
            continue
        try:
            wipe(await recover(session, key.kind, key.subject, privates))
            opened += 1
        except GongyuanError as error:
            failed.append(f"{key.kind.value} {key.subject}: {error.code}")
    if failed:
        raise Refused(Refusal("drill-failed", facts={"opened": opened, "failed": "; ".join(failed)}))
    return {"keys": opened}


async def rewrapped(wrapped: WrappedCustodian, old: str, new: str) -> NewCustodian:
    """Encrypt a custodian's same private half under a new passphrase.

    Refused `passphrase-wrong`, `passphrase-unchanged`, or for a weak new passphrase.
    """
    who = wrapped.custodian
    if passphrase_bytes(old) == passphrase_bytes(new):
        raise Refused(Refusal("passphrase-unchanged"))
    required(password_refusal(new, who.username, LEAST_PASSPHRASE))
    private = await asyncio.to_thread(unwrap, wrapped, old)
    try:
        return await asyncio.to_thread(
            wrap_pair, who.id, who.username, who.name, bytes(private), who.public, new
        )
    finally:
        wipe(private)


async def store_passphrase(act: Act, before: WrappedCustodian, made: NewCustodian) -> None:
    """Put the new wrapping of a private half in place of the old; Refused `custody-overtaken` when it changed
    meanwhile."""
    moved = await act.session.execute(
        update(CustodianRow)
        .where(
            CustodianRow.id == made.id,
            CustodianRow.retired_at.is_(None),
            CustodianRow.nonce == before.nonce,
        )
        .values(
            salt=made.salt, passphrase_check=made.passphrase_check, nonce=made.nonce, wrapped=made.wrapped
        )
        .returning(CustodianRow.id)
    )
    if moved.scalar_one_or_none() is None:
        raise Refused(Refusal("custody-overtaken"))
    await act.record("keys:passphrase:changed", {"custodian": made.username})


async def left(session: AsyncSession) -> tuple[tuple[str, str, str], ...]:
    """Return who left: (username, name, "retired" or "lost"), oldest first."""
    rows = await session.scalars(
        select(CustodianRow).where(CustodianRow.retired_at.is_not(None)).order_by(CustodianRow.retired_at)
    )
    return tuple((row.username, row.name, row.left_as or "") for row in rows)
