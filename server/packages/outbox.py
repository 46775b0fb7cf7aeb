"""Packages made and taken: signed by the sender, encrypted to the receiver, numbered, each refused once for a
reason."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, Tampered, required
from server.keys.identity import Identity
from server.keys.sealing import canonical, hpke_seal
from server.keys.signing import verify
from server.packages.contents import Content, decode, encode, kind_of, plan_of
from server.packages.envelope import Envelope, Header, body_info, header_bytes, join, signed_bytes, split
from server.packages.manifest import CONTENT_FILE, MANIFEST_FILE, manifest_bytes, manifest_refusal
from server.packages.models import IncomingRow, OutgoingRow
from server.packages.order import Arrived, Standing, order_refusal
from server.packages.peers import Peer, PeerState, peer_by_fingerprint, peer_by_id, trusted_peer


@dataclass(frozen=True, slots=True)
class OutgoingPackage:
    """One package made here."""

    id: str
    bytes: bytes


@dataclass(frozen=True, slots=True)
class OutgoingFact:
    """One package made here, without its bytes."""

    id: str
    peer: str
    kind: str
    plan: str
    number: int
    created_at: datetime
    acknowledged_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """One package taken: who sent it, and what stood in it."""

    kind: str
    plan: str
    number: int
    content: Content
    sender: Peer
    hash: bytes
    """SHA-256 of the package's bytes."""
    attachments: Mapping[str, bytes]
    ahead: object = None
    """What the content's room wrote ahead of this transaction."""

    @property
    def peer(self) -> Peer:
        """The sender."""
        return self.sender


async def pack(
    act: Act,
    identity: Identity,
    peer: str,
    kind: str,
    plan: str,
    content: Content,
    attachments: Mapping[str, bytes] | None = None,
) -> OutgoingPackage:
    """Make the next package of this kind and plan for a trusted peer (id or name) and put it into the outbox.

    ValueError when kind or plan are not those of the content; NotFound `peer-unknown`.
    """
    if kind != kind_of(content) or plan != plan_of(content):
        raise ValueError(f"a {kind_of(content)} of {plan_of(content)!r} is not a {kind} of {plan!r}")
    to = await trusted_peer(act.session, peer)
    last = await act.session.scalar(
        select(func.max(OutgoingRow.number)).where(
            OutgoingRow.peer == to.id, OutgoingRow.kind == kind, OutgoingRow.plan == plan
        )
    )
    files: dict[str, bytes] = {**(attachments or {}), CONTENT_FILE: encode(content)}
    files[MANIFEST_FILE] = manifest_bytes(files)
    header = header_bytes(
        Header(
            kind=kind,  # type: ignore[arg-type]
            sender=identity.fingerprint,
            receiver=to.fingerprint,
            plan=plan,
            number=(last or 0) + 1,
            created_at=act.now,
            supersedes=last,
            manifest=hashlib.sha256(files[MANIFEST_FILE]).hexdigest(),
        )
    )
    data = assemble(identity, to, header, files)
    row = OutgoingRow(
        id=str(uuid.uuid4()),
        peer=to.id,
        kind=kind,
        plan=plan,
        number=(last or 0) + 1,
        hash=hashlib.sha256(data).digest(),
        data=data,
        created_at=act.now,
        acknowledged_at=None,
        last_error=None,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        f"packages:{kind}:packed",
        {"package": row.id, "peer": to.id, "plan": plan, "number": row.number, "hash": row.hash.hex()},
    )
    return OutgoingPackage(row.id, data)


def assemble(identity: Identity, receiver: Peer, header: bytes, files: Mapping[str, bytes]) -> bytes:
    """Sign the header, encrypt the inner files to the receiver, and join them."""
    signature = identity.signing.sign(signed_bytes(header))
    body = hpke_seal(
        receiver.keys.receiving,
        msgspec.msgpack.encode(dict(sorted(files.items()))),
        body_info(header, signature),
    )
    return join(header, signature, body)


async def receive(act: Act, identity: Identity, data: bytes, expected_plan: str | None = None) -> Received:
    """Check a package completely and write its row; the caller hands the content on in the same transaction.

    BadInput `package-form`; Refused `package-other-receiver`, `sender-unknown`, `sender-revoked`,
    `package-wrong-side`, `package-other-plan`, `package-repeated`, `package-number-taken`,
    `package-superseded`, `package-manifest`, `package-inner-file`; Tampered `package-signature` or
    `package-broken` for a changed byte.
    """
    received = await examine(act.session, identity, data, expected_plan)
    await _keep(act, received, data)
    return received


async def examine(
    session: AsyncSession, identity: Identity, data: bytes, expected_plan: str | None = None
) -> Received:
    """Check a package completely, as `receive` does, and write nothing."""
    envelope = split(data)
    header = envelope.header
    sender = await judged(session, identity, envelope)
    digest = hashlib.sha256(data).digest()
    known = await _standing(session, sender, header)
    files = _inner_files(identity, envelope.header_bytes, envelope.signature, envelope.body)
    required(order_refusal(header, digest, known, expected_plan))
    required(manifest_refusal(files, header.manifest))
    try:
        content = decode(files[CONTENT_FILE])
    except msgspec.DecodeError as error:
        raise BadInput("package-content", reason=str(error)) from error
    if kind_of(content) != header.kind or plan_of(content) != header.plan:
        raise Refused(
            Refusal("package-other-plan", facts={"plan": plan_of(content), "expected": header.plan})
        )
    attachments = {name: data for name, data in files.items() if name not in (CONTENT_FILE, MANIFEST_FILE)}
    return Received(header.kind, header.plan, header.number, content, sender, digest, attachments)


async def keep(
    act: Act, identity: Identity, received: Received, data: bytes, expected_plan: str | None = None
) -> None:
    """Write the row of a package that was examined before, if its sender and order still allow it."""
    envelope = split(data)
    sender = await judged(act.session, identity, envelope)
    known = await _standing(act.session, sender, envelope.header)
    required(order_refusal(envelope.header, received.hash, known, expected_plan))
    await _keep(act, received, data)


async def _keep(act: Act, received: Received, data: bytes) -> None:
    row = IncomingRow(
        id=str(uuid.uuid4()),
        peer=received.sender.id,
        kind=received.kind,
        plan=received.plan,
        number=received.number,
        hash=received.hash,
        data=data,
        received_at=act.now,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        f"packages:{received.kind}:received",
        {
            "package": row.id,
            "peer": received.sender.id,
            "plan": received.plan,
            "number": received.number,
            "hash": received.hash.hex(),
        },
    )


async def judged(session: AsyncSession, identity: Identity, envelope: Envelope) -> Peer:
    """Return the peer that signed a package's header for this node; its body is not looked at.

    Refused `package-other-receiver`, `sender-unknown`, `sender-revoked`; Tampered `package-signature`.
    """
    header = envelope.header
    if header.receiver != identity.fingerprint:
        raise Refused(Refusal("package-other-receiver", facts={"receiver": header.receiver}))
    sender = await peer_by_fingerprint(session, header.sender)
    if sender is None or sender.state is PeerState.PROPOSED:
        raise Refused(Refusal("sender-unknown", facts={"sender": header.sender}))
    try:
        verify(sender.keys.signing, envelope.signature, signed_bytes(envelope.header_bytes))
    except Tampered as error:
        raise Tampered("package-signature") from error
    if sender.state is PeerState.REVOKED:
        raise Refused(Refusal("sender-revoked", facts={"sender": header.sender}))
    return sender


def _inner_files(identity: Identity, header: bytes, signature: bytes, body: bytes) -> dict[str, bytes]:
    try:
        plain = identity.receive(body, body_info(header, signature))
        return msgspec.msgpack.decode(plain, type=dict[str, bytes])
    except (Tampered, msgspec.DecodeError) as error:
        raise Tampered("package-broken") from error


async def _standing(session: AsyncSession, sender: Peer, header: Header) -> Standing:
    arrived = await session.execute(
        select(IncomingRow.number, IncomingRow.hash).where(
            IncomingRow.peer == sender.id, IncomingRow.kind == header.kind, IncomingRow.plan == header.plan
        )
    )
    table = IncomingRow if sender.kind == "registry" else OutgoingRow
    plan_peer = await session.scalar(
        select(table.peer).where(table.kind == "exam", table.plan == header.plan).limit(1)
    )
    before = tuple(Arrived(number, digest) for number, digest in arrived)
    # A peer that changed its keys keeps its plans: names bind, not rows.
    if plan_peer is not None and plan_peer != sender.id:
        plan_peer = sender.id if await _same_name(session, plan_peer, sender) else plan_peer
    return Standing(sender.kind, plan_peer, sender.id, before)


async def _same_name(session: AsyncSession, peer: str, sender: Peer) -> bool:
    other = await peer_by_id(session, peer)
    return (other.kind, other.name) == (sender.kind, sender.name)


async def outgoing(session: AsyncSession, plan: str | None = None) -> tuple[OutgoingFact, ...]:
    """Return the packages made here, oldest first; of one plan when it is named."""
    query = select(
        OutgoingRow.id,
        OutgoingRow.peer,
        OutgoingRow.kind,
        OutgoingRow.plan,
        OutgoingRow.number,
        OutgoingRow.created_at,
        OutgoingRow.acknowledged_at,
        OutgoingRow.last_error,
    ).order_by(OutgoingRow.created_at, OutgoingRow.kind, OutgoingRow.number)
    if plan is not None:
        query = query.where(OutgoingRow.plan == plan)
    return tuple(OutgoingFact(*found) for found in await session.execute(query))


async def outgoing_bytes(session: AsyncSession, package: str) -> bytes:
    """Return the bytes of a package made here; NotFound `package-unknown`."""
    data = await session.scalar(select(OutgoingRow.data).where(OutgoingRow.id == package))
    if data is None:
        raise NotFound("package-unknown")
    return data


async def acknowledged(act: Act, package: str, receipt: Mapping[str, str]) -> None:
    """Record the receiver's signed receipt for a package."""
    await act.session.execute(
        update(OutgoingRow).where(OutgoingRow.id == package).values(acknowledged_at=act.now, last_error=None)
    )
    await act.record("packages:package:acknowledged", {"package": package, "receipt": dict(receipt)})


async def not_sent(act: Act, package: str, reason: str) -> None:
    """Note why the last attempt to send a package failed."""
    await act.session.execute(
        update(OutgoingRow).where(OutgoingRow.id == package).values(last_error=reason[:500])
    )


def receipt_bytes(digest: bytes, received_at: str) -> bytes:
    """Return what a receiver signs to acknowledge a package (canonical JSON)."""
    return canonical({"package": digest.hex(), "purpose": "gongyuan/receipt/1", "received_at": received_at})
