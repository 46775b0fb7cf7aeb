"""How a seat's websocket opens: a plain upgrade without a second parser, and past the layers that pages need.

A hall comes back within seconds. uvicorn writes the request that it has parsed out again for the websocket library,
which parses and judges it anew, and the application's middleware looks for logins, forms and routes; together they
cost as much as TLS, and the library's state and the layers' frames stay for as long as the line lasts. A request for
the seats' socket that is plain in every part is answered here. Everything else goes the long way and is judged there.
"""

import base64
import binascii
import hashlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.protocol import OPEN, Protocol, Side

from server.web.candidate.socket import serve
from server.web.whole_frames import EXTENSION, WholeFramesProtocol

PATH = "/ws/candidate"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3: what a server appends to the client's key."""

Headers = Sequence[tuple[bytes, bytes]]


def plain_key(headers: Headers) -> bytes | None:
    """Return the client's key of an upgrade that is plain in every part (RFC 6455, 4.2.1), else None."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found:
            return None
        found[name] = value
    if (
        found.get(b"upgrade", b"").lower() != b"websocket"
        or found.get(b"sec-websocket-version") != b"13"
        or _foreign(found)
        or b"content-length" in found
        or b"transfer-encoding" in found
    ):
        return None
    key = found.get(b"sec-websocket-key", b"")
    try:
        return key if len(base64.b64decode(key, validate=True)) == 16 else None
    except binascii.Error:
        return None


def _foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a page of another address asks, which `guards.of_this_centre` judges; a kiosk's agent sends none."""
    host, origin = headers.get(b"host"), headers.get(b"origin")
    if host is None or origin is None:
        return host is None
    return urlsplit(origin.decode("latin-1")).netloc.casefold() != host.decode("latin-1").casefold()


class _Unused:
    """Stands for the library's side of an open line until a frame needs it; most lines never do."""

    __slots__ = ("_line",)
    state = OPEN
    parser_exc = None

    def __init__(self, line: "SeatFramesProtocol") -> None:
        self._line = line

    def __getattr__(self, name: str) -> Any:
        line = self._line
        line.conn = Protocol(Side.SERVER, state=OPEN, max_size=line.config.ws_max_size, logger=line.logger)  # type: ignore[assignment]
        return getattr(line.conn, name)


class SeatFramesProtocol(WholeFramesProtocol):
    """The websocket of a seat; of every other path what it is derived from."""

    _answer: bytes | None = None

    def begin(self, url: bytes, headers: Headers, key: bytes) -> None:
        """Take over a plain upgrade of the seats' path."""
        _, _, query = url.partition(b"?")
        offered = next((value for name, value in headers if name == b"sec-websocket-protocol"), b"")
        accepted = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self._answer = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accepted
        self.request = self.response = None  # type: ignore[assignment]
        self.handshake_initiated = True
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": PATH,
            "raw_path": PATH.encode("ascii"),
            "query_string": query,
            "headers": list(headers),
            "subprotocols": [one.strip().decode("latin-1") for one in offered.split(b",") if one.strip()],
            "state": self.app_state.copy(),
            "extensions": {
                "websocket.http.response": {},
                EXTENSION: {"write": self.write_frames, "take": self.offer_to},
            },
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the line; a client that sends before it was let in is cut off."""
        if self._answer is None:
            super().data_received(data)
        else:
            self.transport.close()

    async def send(self, message: Any) -> None:
        """Accept a plain upgrade; everything else as the class above."""
        if self._answer is None or message["type"] != "websocket.accept" or self.disconnected:
            await super().send(message)
            return
        lines = [b"HTTP/1.1 101 Switching Protocols", self._answer]
        if message.get("subprotocol"):
            lines.append(b"Sec-WebSocket-Protocol: " + message["subprotocol"].encode("ascii"))
        lines += [name + b": " + value for name, value in self.default_headers]
        lines += [name + b": " + value for name, value in message.get("headers", [])]
        self._answer = None
        self.conn = _Unused(self)  # type: ignore[assignment]
        self.handshake_complete = True
        if not self.transport.is_closing():
            self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n")
        # No pings of the library's: the hall asks each seat every 20 seconds and lets silent lines go.


class SeatUpgradeProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which hands a plain upgrade of the seats' path over as it was parsed."""

    def handle_websocket_upgrade(self) -> None:
        """Hand the line over to the websocket."""
        headers: Headers = self.headers
        plain = self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1"
        key = plain_key(headers) if plain and self.url.partition(b"?")[0] == PATH.encode("ascii") else None
        if key is None or self.root_path:
            super().handle_websocket_upgrade()
            return
        self.connections.discard(self)
        protocol = SeatFramesProtocol(self.config, self.server_state, self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.begin(self.url, headers, key)


class _Socket:
    """What `serve` needs of a socket, without the framework's."""

    __slots__ = ("receive", "scope", "send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send

    async def accept(self, subprotocols: str | None = None) -> None:
        await self.receive()
        message: Any = {"type": "websocket.accept", "subprotocol": subprotocols, "headers": []}
        await self.send(message)


class SeatDoor:
    """The application with the seats' socket before its layers: a plain opening asks nothing that they know."""

    def __init__(self, app: Litestar) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a seat, or give everything else to the application."""
        if (
            scope["type"] == ScopeType.WEBSOCKET
            and scope["path"] == PATH
            and not _foreign(dict(scope["headers"]))
        ):
            site = self._app.state.site
            if site.hall_runtime is not None:
                await serve(_Socket(scope, receive, send), site.hall_runtime)  # type: ignore[arg-type]
                return
        app: ASGIApp = self._app
        await app(scope, receive, send)


def without_tickets(_config: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the TLS context without session tickets: a restart forgets their keys, and each line would pay for two."""
    context = make()
    context.num_tickets = 0
    return context
