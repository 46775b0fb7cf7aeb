"""The node's public face, its peers, and packages in and out."""

import logging
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.accounts.service import Login
from server.errors import BadInput, GongyuanError
from server.keys.authority import served_spki
from server.packages import outbox, peers
from server.packages.dispatch import Receipt, take
from server.packages.envelope import HEADER_WITHIN, LONGEST_PACKAGE, split
from server.packages.transport import Sent, send_pending
from server.web.guards import requires
from server.web.site import Site

_log = logging.getLogger("gongyuan.packages")
_OFFICE = requires(Role.ADMINISTRATOR, Role.EXAM_OFFICE, Role.CITY_OFFICER, Role.SUPERVISOR)
_SENDERS = requires(Role.ADMINISTRATOR, Role.EXAM_OFFICE, Role.CITY_OFFICER)
_FROM_STRANGERS = {"package-form", "package-signature", "package-other-receiver", "sender-unknown"}
"""Refusals that anyone can cause at will: they are logged, not journalled, so that nobody can fill the journal."""


class NodeView(msgspec.Struct, frozen=True):
    """What this node shows to everybody. Keys are hex; people compare the fingerprint with the letter."""

    role: str
    name: str
    fingerprint: str
    signing: str
    receiving: str
    tls_spki: str | None


class PeerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A peer's keys with the fingerprint typed from the letter; a second person sends the same again to confirm."""

    kind: Literal["registry", "centre"]
    name: str
    signing: str
    receiving: str
    fingerprint: str
    tls_spki: str | None = None
    url: str | None = None


class PeerView(msgspec.Struct, frozen=True):
    """One peer."""

    id: str
    kind: str
    name: str
    fingerprint: str
    state: str
    url: str | None
    proposed_by: str
    confirmed_by: str | None


class OutgoingView(msgspec.Struct, frozen=True):
    """One package made here."""

    id: str
    peer: str
    kind: str
    plan: str
    number: int
    created_at: datetime
    acknowledged_at: datetime | None
    last_error: str | None


def _peer(peer: peers.Peer) -> PeerView:
    return PeerView(
        peer.id,
        peer.kind,
        peer.name,
        peer.fingerprint,
        peer.state.value,
        peer.url,
        peer.proposed_by,
        peer.confirmed_by,
    )


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BadInput("public-key-form") from error


@get("/api/node")
async def node(site: NamedDependency[Site]) -> NodeView:
    """Show this node's public keys and fingerprint."""
    public = site.identity.public
    return NodeView(
        site.settings.role,
        site.settings.name,
        public.fingerprint,
        public.signing.hex(),
        public.receiving.hex(),
        served_spki(site.settings.folder / "tls"),
    )


@get("/api/peers", guards=[_OFFICE])
async def list_peers(site: NamedDependency[Site]) -> tuple[PeerView, ...]:
    """List all peers in every state."""
    async with site.db.reading() as session:
        return tuple(_peer(peer) for peer in await peers.peers(session))


@post("/api/peers", guards=[_SENDERS])
async def enter_peer(
    request: Request[Login, Any, Any], data: JSONBody[PeerEntry], site: NamedDependency[Site]
) -> PeerView:
    """Enter a peer's keys: state `proposed` after the first person, `trusted` after a second, different one."""
    async with site.acting(request.user) as act:
        peer = await peers.enter_peer(
            act,
            data.kind,
            data.name,
            _key(data.signing),
            _key(data.receiving),
            data.tls_spki,
            data.fingerprint,
            data.url,
        )
    return _peer(peer)


@post("/api/packages", request_max_body_size=LONGEST_PACKAGE + 1)
async def take_package(request: Request[Login | None, Any, Any], site: NamedDependency[Site]) -> Receipt:
    """Take a package, sent by its peer or carried by anybody: its signature, not the caller, is what counts.

    201 with the signed receipt; otherwise the code of the first reason why it was not taken, and nothing is kept.
    """
    expected = request.query_params.get("plan")
    data = bytearray()
    try:
        await _read(request, site, data)
        return await take(
            site.db,
            partial(site.acting, "node:packages"),
            site.identity,
            site.handlers,
            site.stage,
            bytes(data),
            expected,
        )
    except GongyuanError as error:
        if error.code in _FROM_STRANGERS:
            _log.warning("a package was refused: %s", error)
            raise
        header = split(bytes(data)).header
        async with site.acting("node:packages") as act:
            await act.record(
                "packages:package:refused",
                {
                    "code": error.code,
                    "kind": header.kind,
                    "plan": header.plan,
                    "number": header.number,
                    "sender": header.sender,
                },
            )
        raise


async def _read(request: Request[Login | None, Any, Any], site: Site, data: bytearray) -> None:
    """Read a package into `data`; as soon as its signed header is there, refuse a stranger's without reading on.

    So nobody but a peer makes this server hold more than a header.
    """
    judged = False
    async for chunk in request.stream():
        data += chunk
        if not judged and len(data) >= HEADER_WITHIN:
            async with site.db.reading() as session:
                await outbox.judged(session, site.identity, split(bytes(data)))
            judged = True


@get("/api/packages/outgoing", guards=[_OFFICE])
async def list_outgoing(
    request: Request[Login, Any, Any], site: NamedDependency[Site]
) -> tuple[OutgoingView, ...]:
    """List the packages made here, of one plan with `?plan=`."""
    async with site.db.reading() as session:
        found = await outbox.outgoing(session, request.query_params.get("plan"))
    return tuple(OutgoingView(**asdict(one)) for one in found)


@get("/api/packages/outgoing/{package:str}", guards=[_OFFICE])
async def outgoing_file(package: FromPath[str], site: NamedDependency[Site]) -> Response[bytes]:
    """Give a package as a file, to be carried where there is no line."""
    async with site.db.reading() as session:
        data = await outbox.outgoing_bytes(session, package)
    return Response(
        data,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{package}.gongyuan"'},
    )


@post("/api/packages/send", guards=[_SENDERS], status_code=200)
async def send_now(request: Request[Login, Any, Any], site: NamedDependency[Site]) -> tuple[Sent, ...]:
    """Try to send every package that waits, and say what became of each."""
    return await send_pending(site.db, site.journal, site.clock, f"staff:{request.user.username}")


ROUTES: list[Any] = [
    node,
    list_peers,
    enter_peer,
    take_package,
    list_outgoing,
    outgoing_file,
    send_now,
]
