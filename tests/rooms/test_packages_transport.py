"""Packages over real TLS to a peer whose key is pinned."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from server.db.engine import Database
from server.db.journal import Journal
from server.errors import GongyuanError
from server.keys.authority import TlsFiles, ensure_tls
from server.keys.identity import Identity
from server.packages import outbox
from server.packages.contents import HeadContent
from server.packages.dispatch import accept
from server.packages.models import PeerRow
from server.packages.peers import register_peer
from server.packages.transport import pinned_context, send_pending
from tests.support.clock import START, FakeClock
from tests.support.database import act_on, database

Answer = Callable[[bytes], Awaitable[tuple[int, bytes]]]


@asynccontextmanager
async def https(tls: TlsFiles, answer: Answer) -> AsyncIterator[str]:
    """Serve POST bodies to `answer` over TLS on a free port; give the base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = [line.split(b":") for line in head.lower().splitlines()]
        length = int(next(field[1] for field in fields if field[0] == b"content-length"))
        status, body = await answer(await reader.readexactly(length))
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nconnection: close\r\n" % status
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        await writer.drain()
        writer.close()

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()  # the look at the certificate, which sends nothing

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server = await asyncio.start_server(quiet, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@dataclass(slots=True)
class Pair:
    """A centre with a package for its registry, and the registry."""

    db: Database
    centre: Identity
    registry_db: Database
    registry: Identity
    tls: TlsFiles
    clock: FakeClock

    async def receive(self, data: bytes) -> tuple[int, bytes]:
        """Answer as the registry's route does."""

        async def head(_act: object, _received: outbox.Received) -> None:
            return None

        try:
            async with act_on(self.registry_db) as act:
                receipt = await accept(act, self.registry, {"head": head}, data)
        except GongyuanError as error:
            return error.status, msgspec.json.encode({"type": error.code})
        return 201, msgspec.json.encode(receipt)

    async def pack(self, url: str, spki: str) -> str:
        """Register the registry at this address and pack a head for it; return the package's id."""
        two = ("staff:a", "staff:b")
        keys = self.registry.public
        async with act_on(self.db) as act:
            peer = await register_peer(
                act, "registry", "registry", keys.signing, keys.receiving, spki, two, url
            )
            content = HeadContent(
                number=1, at=START, heads={}, previous="00", hash="00", signature="00", code="A" * 16
            )
            return (await outbox.pack(act, self.centre, peer.id, "head", "", content)).id

    async def sent(self) -> list[tuple[bool, str | None]]:
        """Send what waits; return (acknowledged, code) of each."""
        done = await send_pending(self.db, Journal("test"), self.clock)
        return [(one.acknowledged, one.code) for one in done]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Data folders of centre and registry."""
    return tmp_path / "centre", tmp_path / "registry"


@asynccontextmanager
async def pair(db: Database, folders: tuple[Path, Path], clock: FakeClock) -> AsyncIterator[Pair]:
    centre, registry = (Identity.open_or_create(folder) for folder in folders)
    async with database(f"sqlite:///{folders[1] / 'registry.db'}") as registry_db:
        async with act_on(registry_db) as act:
            keys = centre.public
            two = ("staff:a", "staff:b")
            await register_peer(act, "centre", "org-1", keys.signing, keys.receiving, None, two)
        tls = await asyncio.to_thread(ensure_tls, folders[1] / "tls", ())
        yield Pair(db, centre, registry_db, registry, tls, clock)


async def test_a_waiting_package_is_sent_and_acknowledged_by_a_signed_receipt(
    db: Database, folders: tuple[Path, Path], clock: FakeClock
) -> None:
    """A package goes over pinned TLS once; with the receipt recorded it waits no longer."""
    async with pair(db, folders, clock) as both, https(both.tls, both.receive) as url:
        await both.pack(url, both.tls.spki)
        assert await both.sent() == [(True, None)]
        assert await both.sent() == []


async def test_a_lost_receipt_does_not_send_for_ever(
    db: Database, folders: tuple[Path, Path], clock: FakeClock
) -> None:
    """When the answer to a taken package is lost, the next attempt is answered as repeated and settles it."""
    async with pair(db, folders, clock) as both:

        async def losing(data: bytes) -> tuple[int, bytes]:
            await both.receive(data)
            return 502, b"{}"

        async with https(both.tls, losing) as url:
            await both.pack(url, both.tls.spki)
            assert await both.sent() == [(False, "peer-refused")]
        async with https(both.tls, both.receive) as again:
            await repoint(both, again)
            assert await both.sent() == [(True, None)]


async def repoint(both: Pair, url: str) -> None:
    async with both.db.writing() as session:
        await session.execute(update(PeerRow).values(url=url))


async def test_nothing_is_sent_to_a_server_with_another_key(
    db: Database, folders: tuple[Path, Path], clock: FakeClock, tmp_path: Path
) -> None:
    """A server with a certificate of its own at the peer's address gets no byte of the package."""
    async with pair(db, folders, clock) as both:
        got: list[bytes] = []

        async def stealing(data: bytes) -> tuple[int, bytes]:
            got.append(data)
            return 201, b"{}"

        other = await asyncio.to_thread(ensure_tls, tmp_path / "other", ())
        async with https(other, stealing) as url:
            package = await both.pack(url, both.tls.spki)
            assert await both.sent() == [(False, "peer-tls-key")]
        assert got == []
        async with db.reading() as session:
            (waiting,) = await outbox.outgoing(session)
        assert (waiting.id, waiting.acknowledged_at) == (package, None)
        assert waiting.last_error is not None


async def test_a_receipt_of_somebody_else_is_not_taken(
    db: Database, folders: tuple[Path, Path], clock: FakeClock
) -> None:
    """A receipt that the peer did not sign, or no receipt at all, leaves the package waiting."""
    async with pair(db, folders, clock) as both:

        async def forging(data: bytes) -> tuple[int, bytes]:
            status, body = await both.receive(data)
            receipt = msgspec.json.decode(body)
            signature = both.centre.signing.sign(b"something else").hex()
            return status, msgspec.json.encode({**receipt, "signature": signature})

        async with https(both.tls, forging) as url:
            await both.pack(url, both.tls.spki)
            assert await both.sent() == [(False, "receipt-wrong")]


async def test_a_peer_that_is_down_leaves_the_package_waiting(
    db: Database, folders: tuple[Path, Path], clock: FakeClock
) -> None:
    """An unreachable peer, and an address that is not https, are told apart."""
    async with pair(db, folders, clock) as both:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # held, so that nobody else listens there meanwhile
            await both.pack(f"https://127.0.0.1:{nobody.getsockname()[1]}", both.tls.spki)
            assert await both.sent() == [(False, "peer-unreachable")]
        await repoint(both, "http://127.0.0.1:1")
        assert await both.sent() == [(False, "peer-url")]


async def test_the_pin_is_checked_before_trust(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A pinned context is given for the pinned key alone."""
    tls = await asyncio.to_thread(ensure_tls, tmp_path / "tls", ())

    async def never(_data: bytes) -> tuple[int, bytes]:
        return 500, b"{}"

    async with https(tls, never) as url:
        assert isinstance(await pinned_context(url, tls.spki.upper()), ssl.SSLContext)
        with pytest.raises(GongyuanError, match="peer-tls-key"):
            await pinned_context(url, "00" * 32)
