"""Kiosks for a load: the least a client can be, so that two cores measure the server and not the load.

One asyncio protocol a kiosk reads and writes websocket frames (RFC 6455) itself: the frames are unfragmented and
unmasked from the server, and masked with a zero key to it. It proves its seat, signs in, takes paper and key,
and counts acknowledgements; after a loss it takes its sitting up again, as a real kiosk does.
"""

import asyncio
import base64
import os
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec

from benchmarks.hall import ITEMS, Guest
from kiosk.vault import SeatKey, open_paper
from server.protocol import codec, exam
from server.protocol.envelope import holding
from server.protocol.ids import SUBPROTOCOL

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_ACKNOWLEDGED = b'{"type":"acknowledged"'
_BEACON = b'{"type":"beacon"'
_PAPER_KEY = b'{"type":"paper_key"'


class Socket(asyncio.Protocol):
    """One websocket of a client: whole text frames in, text frames out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._upgraded = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def heard(self, frame: bytes) -> None:
        """Take a text frame."""

    def lost(self) -> None:
        """The line is gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast(asyncio.Transport, transport)
        stream.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if not self.open.done():
            self.open.set_exception(ConnectionError("the line was lost before the socket opened"))
            self.open.exception()
        self.lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        while frame := self._next():
            kind, body = frame
            if kind == _TEXT:
                self.heard(body)
            elif kind == _PING:
                self._write(_PONG, body)
            elif kind == _CLOSE:
                self.abort()
                return

    def send(self, frame: bytes) -> None:
        """Send a text frame; nothing when the line is gone."""
        self._write(_TEXT, frame)

    def abort(self) -> None:
        """Drop the line at once."""
        if self._transport is not None:
            self._transport.abort()

    def _upgrade(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.abort()
            return False
        self._buffer = bytearray(rest)
        self._upgraded = True
        self.open.set_result(None)
        return True

    def _next(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 0x7F, 2
        if length >= 126:
            wide = 2 if length == 126 else 8
            if len(buffer) < 2 + wide:
                return None
            length, at = int.from_bytes(buffer[2 : 2 + wide], "big"), 2 + wide
        if len(buffer) < at + length:
            return None
        frame = buffer[0] & 0x0F, bytes(buffer[at : at + length])
        del buffer[: at + length]
        return frame

    def _write(self, kind: int, body: bytes) -> None:
        if self._transport is None:
            return
        length = len(body)
        if length < 126:
            head = bytes((0x80 | kind, 0x80 | length))
        elif length < 65536:
            head = bytes((0x80 | kind, 0x80 | 126)) + length.to_bytes(2, "big")
        else:
            head = bytes((0x80 | kind, 0x80 | 127)) + length.to_bytes(8, "big")
        self._transport.write(head + b"\0\0\0\0" + body)


@dataclass(slots=True)
class Line:
    """How to reach the centre."""

    port: int
    tls: ssl.SSLContext | None = None

    async def connect(self, make: Callable[[], Socket]) -> Socket:
        """Open one websocket; OSError when it cannot be opened."""
        name = "127.0.0.1" if self.tls is not None else None
        _, socket = await asyncio.get_running_loop().create_connection(
            make, "127.0.0.1", self.port, ssl=self.tls, server_hostname=name
        )
        await socket.open
        return socket


def trusting(folder: Path) -> ssl.SSLContext:
    """Return a context that trusts the certificate authority of a centre's data folder, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(folder / "tls" / "ca.pem"))
    return context


@dataclass(slots=True)
class Beacons:
    """The newest beacon, decoded once for all kiosks of this process."""

    frame: bytes = b""
    message: exam.Beacon | None = None

    def take(self, frame: bytes) -> None:
        """Hear a beacon's frame."""
        if frame != self.frame:
            message = codec.to_kiosk(frame)
            if isinstance(message, exam.Beacon):
                self.frame, self.message = frame, message


@dataclass(slots=True)
class Kiosk:
    """One seat and its candidate. Times are monotonic seconds."""

    guest: Guest
    beacons: Beacons
    key: SeatKey = field(init=False)
    socket: Socket | None = None
    lease: int = 0
    sitting: str = ""
    token: str = ""
    seq: int = 0
    paper: bytes = b""
    """The sealed paper's frame as it came."""
    released: bytes = b""
    """The frame that brought the paper's key."""
    keyed_at: float = 0.0
    beacon_at: float = 0.0
    seated: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is no line."""
    sent: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    """Answers on their way by seq: when they were sent first, and their frame."""
    latencies: list[float] = field(default_factory=list)
    """Milliseconds from sending to acknowledgement."""
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = SeatKey.load(bytes.fromhex(self.guest.key))

    async def come(self, line: Line) -> None:
        """Open a line, prove the seat, sign in (or take the sitting up) and wait to be seated."""
        self.seated.clear()
        await line.connect(lambda: _KioskSocket(self))
        await asyncio.wait_for(self.seated.wait(), 60)

    def answer(self) -> None:
        """Send the next answer; nothing while nobody is seated here."""
        if self.socket is None or not self.lease:
            return
        self.seq += 1
        frame = codec.encode(
            exam.Answer(
                lease=self.lease,
                seq=self.seq,
                number=self.seq % ITEMS + 1,
                value=("ABCD"[self.seq % 4],),
                beacon=self.beacons.message,
            )
        )
        self.sent[self.seq] = time.monotonic(), frame
        self.socket.send(frame)

    def hear(self, frame: bytes) -> None:
        """Take one frame of the centre."""
        if frame.startswith(_ACKNOWLEDGED):
            seq = int(frame.split(b'"seq":', 1)[1].split(b",", 1)[0])
            sent = self.sent.pop(seq, None)
            if sent is not None:
                self.latencies.append((time.monotonic() - sent[0]) * 1000)
            self.acknowledged.set()
        elif frame.startswith(_BEACON):
            self.beacon_at = time.monotonic()
            self.beacons.take(frame)
        elif frame.startswith(_PAPER_KEY):
            self.keyed_at = time.monotonic()
            self.released = frame
        else:
            self._hear_other(frame)

    def _hear_other(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"sealed_paper"'):
            self.paper = frame
            return
        match codec.to_kiosk(frame):
            case exam.Challenge() as challenge:
                proof = self.key.prove(bytes.fromhex(challenge.nonce), self.guest.seat)
                self._say(exam.Hello(seat=self.guest.seat, signature=proof.hex()))
                if self.lease:
                    self._say(self._resume())
            case exam.Expecting(on=True) if not self.lease:
                self._say(exam.SignIn(ticket=self.guest.ticket, id_number=self.guest.id_number))
            case exam.Seated() as seated:
                self.lease, self.sitting, self.token = seated.lease, seated.sitting, seated.token
                for _, waiting in self.sent.values():
                    self._send(waiting)
                self.seated.set()
            case exam.Ping() as ping:
                self._say(exam.Pong(n=ping.n, waiting=len(self.sent)))
            case exam.Refused() as refused:
                self.refusals.append(refused.code)

    def _resume(self) -> exam.Resume:
        held = None
        if self.paper:
            sealed = msgspec.json.decode(self.paper, type=exam.PaperSealed).paper
            held = holding(sealed.hash, sealed.nonce)
        return exam.Resume(sitting=self.sitting, lease=self.lease, token=self.token, paper=held)

    def _say(self, message: exam.FromKiosk) -> None:
        self._send(codec.encode(message))

    def _send(self, frame: bytes) -> None:
        if self.socket is not None:
            self.socket.send(frame)


class _KioskSocket(Socket):
    def __init__(self, kiosk: Kiosk) -> None:
        super().__init__("/ws/candidate")
        self._kiosk = kiosk
        self._kiosk.socket = self
        self._kiosk.away.clear()

    def heard(self, frame: bytes) -> None:
        self._kiosk.hear(frame)

    def lost(self) -> None:
        if self._kiosk.socket is self:
            self._kiosk.socket = None
            self._kiosk.away.set()


class Echo(Socket):
    """A socket on the bare echo."""

    def __init__(self) -> None:
        super().__init__("/echo")
        self.back = asyncio.Event()

    def heard(self, _frame: bytes) -> None:
        self.back.set()


async def seat_all(kiosks: Sequence[Kiosk], line: Line, together: int = 50) -> float:
    """Bring every kiosk in, so many at a time; return the seconds it took."""
    begin, gate = time.monotonic(), asyncio.Semaphore(together)

    async def one(kiosk: Kiosk) -> None:
        async with gate:
            await kiosk.come(line)

    await asyncio.gather(*(one(kiosk) for kiosk in kiosks))
    return time.monotonic() - begin


def refused(kiosks: Sequence[Kiosk]) -> dict[str, int]:
    """Count the refusals heard by code."""
    counts: dict[str, int] = {}
    for kiosk in kiosks:
        for code in kiosk.refusals:
            counts[code] = counts.get(code, 0) + 1
    return counts


def opened(kiosk: Kiosk) -> int:
    """Open a kiosk's paper with the key it was given; return how many items it has."""
    sealed = msgspec.json.decode(kiosk.paper, type=exam.PaperSealed)
    key = msgspec.json.decode(kiosk.released, type=exam.PaperKey)
    paper = open_paper(sealed.paper, bytes.fromhex(key.key))
    return len(paper.items)
