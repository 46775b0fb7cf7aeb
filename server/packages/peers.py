"""Peers: whose packages are taken. Two people compare the fingerprint with the letter before a peer is
trusted."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused
from server.keys.identity import PublicIdentity
from server.keys.signing import plain_fingerprint
from server.packages.models import PeerRow

PeerKind = Literal["registry", "centre"]


class PeerState(StrEnum):
    """Proposed by one person, trusted after a second, revoked at a date."""

    PROPOSED = "proposed"
    TRUSTED = "trusted"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Peer:
    """One node that packages are exchanged with."""

    id: str
    kind: str
    name: str
    keys: PublicIdentity
    fingerprint: str
    tls_spki: str | None
    url: str | None
    state: PeerState
    proposed_by: str
    confirmed_by: str | None
    revoked_at: datetime | None


def _peer(row: PeerRow) -> Peer:
    return Peer(
        row.id,
        row.kind,
        row.name,
        PublicIdentity(row.signing, row.receiving),
        row.fingerprint,
        row.tls_spki,
        row.url,
        PeerState(row.state),
        row.proposed_by,
        row.confirmed_by,
        row.revoked_at,
    )


async def peers(session: AsyncSession) -> tuple[Peer, ...]:
    """Return all peers, ordered by name and time."""
    rows = await session.scalars(select(PeerRow).order_by(PeerRow.name, PeerRow.proposed_at))
    return tuple(_peer(row) for row in rows)


async def trusted_peer(session: AsyncSession, name: str) -> Peer:
    """Return the trusted peer of this id or name; NotFound `peer-unknown`."""
    row = await session.scalar(
        select(PeerRow)
        .where((PeerRow.id == name) | (PeerRow.name == name), PeerRow.state == PeerState.TRUSTED.value)
        .order_by(PeerRow.confirmed_at.desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("peer-unknown", peer=name)
    return _peer(row)


async def registry_peer(session: AsyncSession) -> Peer:
    """Return the trusted registry of a centre; NotFound `peer-unknown` before it is registered."""
    row = await session.scalar(
        select(PeerRow)
        .where(PeerRow.kind == "registry", PeerRow.state == PeerState.TRUSTED.value)
        .order_by(PeerRow.confirmed_at.desc())
        .limit(1)
    )
    if row is None:
        raise NotFound("peer-unknown", peer="registry")
    return _peer(row)


async def peer_by_fingerprint(session: AsyncSession, fingerprint: str) -> Peer | None:
    """Return the peer of this fingerprint in any state."""
    row = await session.scalar(select(PeerRow).where(PeerRow.fingerprint == fingerprint))
    return None if row is None else _peer(row)


async def peer_by_id(session: AsyncSession, peer: str) -> Peer:
    """Return a peer in any state; NotFound `peer-unknown`."""
    row = await session.scalar(select(PeerRow).where(PeerRow.id == peer))
    if row is None:
        raise NotFound("peer-unknown", peer=peer)
    return _peer(row)


async def enter_peer(
    act: Act,
    kind: PeerKind,
    name: str,
    signing_public: bytes,
    receiving_public: bytes,
    tls_spki: str | None,
    fingerprint: str,
    url: str | None = None,
) -> Peer:
    """Enter a peer's keys with the fingerprint typed from the letter: the first person proposes, a second
    confirms.

    BadInput `fingerprint-form`; Refused `fingerprint-differs` when keys and letter do not agree,
    `second-person-needed` when the same person comes twice, `peer-known` when it is trusted already.
    """
    if len(signing_public) != 32 or len(receiving_public) != 32:
        raise BadInput("public-key-form")
    keys = PublicIdentity(signing_public, receiving_public)
    if plain_fingerprint(fingerprint) != keys.fingerprint:
        raise Refused(Refusal("fingerprint-differs"))
    found = await peer_by_fingerprint(act.session, keys.fingerprint)
    if found is None:
        row = PeerRow(
            id=str(uuid.uuid4()),
            kind=kind,
            name=name,
            signing=signing_public,
            receiving=receiving_public,
            fingerprint=keys.fingerprint,
            tls_spki=tls_spki.lower() if tls_spki else None,
            url=url.rstrip("/") if url else None,
            state=PeerState.PROPOSED.value,
            proposed_by=act.actor,
            proposed_at=act.now,
            confirmed_by=None,
            confirmed_at=None,
            revoked_at=None,
        )
        act.session.add(row)
        await act.session.flush()
        await act.record(
            "packages:peer:proposed", {"peer": row.id, "name": name, "fingerprint": keys.fingerprint}
        )
        return _peer(row)
    same = (found.kind, found.name, found.tls_spki) == (kind, name, tls_spki.lower() if tls_spki else None)
    if not same:
        raise Refused(Refusal("peer-differs", facts={"peer": found.name}))
    return await confirm_peer(act, found.id, fingerprint)


async def confirm_peer(act: Act, peer: str, fingerprint: str) -> Peer:
    """Confirm a proposed peer as the second person, with the fingerprint typed again; others of its name are
    revoked at this moment."""
    found = await peer_by_id(act.session, peer)
    if plain_fingerprint(fingerprint) != found.fingerprint:
        raise Refused(Refusal("fingerprint-differs"))
    if found.state is not PeerState.PROPOSED:
        raise Refused(Refusal("peer-known", facts={"state": found.state.value}))
    if found.proposed_by == act.actor:
        raise Refused(Refusal("second-person-needed"))
    await _trust(act, found, act.actor)
    return await peer_by_id(act.session, peer)


async def register_peer(
    act: Act,
    kind: PeerKind,
    name: str,
    signing_public: bytes,
    receiving_public: bytes,
    tls_spki: str | None,
    confirmed_by: Sequence[str],
    url: str | None = None,
) -> Peer:
    """Enter a peer that two people have already confirmed together, as with a filing letter's two signatures.

    `confirmed_by` names two different people; Refused `second-person-needed` otherwise. The same keys for the
    same name again change nothing.
    """
    if len(set(confirmed_by)) < 2:
        raise Refused(Refusal("second-person-needed"))
    keys = PublicIdentity(signing_public, receiving_public)
    known = await peer_by_fingerprint(act.session, keys.fingerprint)
    if known is not None and known.state is PeerState.TRUSTED and known.name == name:
        return known
    first, second = sorted(set(confirmed_by))[:2]
    proposing = Act(act.session, act.journal, act.now, first)
    proposed = await enter_peer(
        proposing, kind, name, signing_public, receiving_public, tls_spki, keys.fingerprint, url
    )
    await _trust(act, proposed, second)
    return await peer_by_id(act.session, proposed.id)


async def revoke_peer(act: Act, peer: str, reason: str, second: str) -> None:
    """Revoke a peer as of now: nothing of it is taken or sent any more, what came before stays checkable.

    By two people, as trust is entered by two: the actor and `second`. Refused `second-person-needed` when they are one,
    `peer-known` when it is revoked already; BadInput `reason-needed`.
    """
    if not reason.strip():
        raise BadInput("reason-needed")
    if second == act.actor:
        raise Refused(Refusal("second-person-needed"))
    found = await peer_by_id(act.session, peer)
    if found.state is PeerState.REVOKED:
        raise Refused(Refusal("peer-known", facts={"state": found.state.value}))
    await _revoke(act, found, reason.strip(), second)


async def _trust(act: Act, peer: Peer, confirmed_by: str) -> None:
    rows = await act.session.scalars(
        select(PeerRow).where(PeerRow.name == peer.name, PeerRow.state == PeerState.TRUSTED.value)
    )
    for row in list(rows):
        await _revoke(act, _peer(row), "keys-changed", confirmed_by)
    await act.session.execute(
        update(PeerRow)
        .where(PeerRow.id == peer.id)
        .values(state=PeerState.TRUSTED.value, confirmed_by=confirmed_by, confirmed_at=act.now)
        .execution_options(synchronize_session="fetch")
    )
    facts = {"peer": peer.id, "fingerprint": peer.fingerprint, "confirmed_by": confirmed_by}
    await act.record("packages:peer:trusted", facts)


async def _revoke(act: Act, peer: Peer, reason: str, second: str) -> None:
    await act.session.execute(
        update(PeerRow)
        .where(PeerRow.id == peer.id)
        .values(state=PeerState.REVOKED.value, revoked_at=act.now)
        .execution_options(synchronize_session="fetch")
    )
    facts = {"peer": peer.id, "fingerprint": peer.fingerprint, "reason": reason, "confirmed_by": second}
    await act.record("packages:peer:revoked", facts)
