"""Sending packages over HTTPS to a peer whose TLS key is pinned. What cannot be sent stays in the outbox and
can be carried as a file."""

import asyncio
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from server.clock import Clock
from server.db.act import Act
from server.db.engine import Database
from server.db.journal import Journal
from server.errors import BadInput, Tampered, Unavailable
from server.keys.authority import spki_of_der
from server.keys.signing import verify
from server.packages import outbox
from server.packages.peers import Peer, PeerState, peer_by_id

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """Outcome of one attempt: acknowledged, or the code of what went wrong."""

    package: str
    acknowledged: bool
    code: str | None


async def pinned_context(url: str, spki: str) -> ssl.SSLContext:
    """Return a TLS context that trusts exactly the certificate that the peer shows now, whose key must be the
    pinned one. Tampered `peer-tls-key` when it is not; Unavailable `peer-unreachable`."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        raise BadInput("peer-url", url=url)
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE  # nothing is sent on this connection; the key is compared below
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=looking)
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
    except (OSError, TimeoutError) as error:
        raise Unavailable("peer-unreachable", url=url) from error
    if spki_of_der(certificate) != spki.lower():
        raise Tampered("peer-tls-key", url=url)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False  # the certificate itself is pinned
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(certificate))
    return trusting


async def send(peer: Peer, data: bytes) -> dict[str, str]:
    """Send one package to a peer and return its verified receipt.

    Tampered `receipt-wrong` when the receipt is not the peer's for this package; Unavailable `peer-refused`
    with the peer's code when it was not taken.
    """
    if peer.url is None or peer.tls_spki is None:
        raise BadInput("peer-without-line", peer=peer.name)
    context = await pinned_context(peer.url, peer.tls_spki)
    async with httpx.AsyncClient(verify=context, timeout=TIMEOUT_S, trust_env=False) as client:
        try:
            answer = await client.post(
                f"{peer.url}/api/packages",
                content=data,
                headers={"content-type": "application/octet-stream"},
            )
        except httpx.HTTPError as error:
            raise Unavailable("peer-unreachable", url=peer.url) from error
    body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if answer.status_code >= 300:
        raise Unavailable("peer-refused", reason=str(body.get("type", answer.status_code)))
    try:
        digest = bytes.fromhex(body["package"])
        signed = outbox.receipt_bytes(digest, body["received_at"])
        verify(peer.keys.signing, bytes.fromhex(body["signature"]), signed)
    except (KeyError, TypeError, ValueError, Tampered) as error:
        raise Tampered("receipt-wrong", peer=peer.name) from error
    return {name: str(body[name]) for name in ("package", "received_at", "signature")}


async def send_pending(
    db: Database, journal: Journal, clock: Clock, actor: str = "timer:packages"
) -> tuple[Sent, ...]:
    """Try every package that was not acknowledged and whose peer has a line, oldest first."""
    async with db.reading() as session:
        waiting = [found for found in await outbox.outgoing(session) if found.acknowledged_at is None]
        known = {found.peer: await peer_by_id(session, found.peer) for found in waiting}
    done: list[Sent] = []
    for package in waiting:
        peer = known[package.peer]
        if peer.state is not PeerState.TRUSTED or peer.url is None or peer.tls_spki is None:
            continue
        done.append(await _attempt(db, journal, clock, actor, package.id, peer))
    return tuple(done)


async def _attempt(
    db: Database, journal: Journal, clock: Clock, actor: str, package: str, peer: Peer
) -> Sent:
    async with db.reading() as session:
        data = await outbox.outgoing_bytes(session, package)
    try:
        receipt = await send(peer, data)
    except (Tampered, Unavailable, BadInput) as error:
        if error.facts.get("reason") == "package-repeated":
            # The peer has it: its receipt was lost on the way.
            async with db.writing() as session:
                act = Act(session, journal, clock.legal(), actor)
                await outbox.acknowledged(act, package, {"note": "package-repeated"})
            return Sent(package, True, None)
        async with db.writing() as session:
            await outbox.not_sent(Act(session, journal, clock.legal(), actor), package, str(error))
        return Sent(package, False, error.code)
    async with db.writing() as session:
        await outbox.acknowledged(Act(session, journal, clock.legal(), actor), package, receipt)
    return Sent(package, True, None)
