"""uvicorn's websocket on short paths: whole text frames in and out, everything else through the library.

A kiosk's messages are short, whole text frames. The library's parser and the layers between an ASGI `send` and the
transport cost several times what such a frame is worth; here it is unmasked and queued, or written, by itself. What
is not a whole, plain text frame (fragments, control frames, anything malformed) goes to the library frame by frame,
which judges it as before.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn.protocols.utils import is_ssl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C where built
from websockets.protocol import OPEN

EXTENSION = "gongyuan.frames"
"""Key in the ASGI scope's `extensions`: `write(frames)` sends text frames at once, and `take(taker)` names who is
offered a text frame's bytes before the application, in the turn in which they came."""
WAITING_MOST = 16
"""Messages that wait for the application before the socket is read no further."""
PIECE = 4 << 10
"""Bytes handed to TLS at once: its outgoing buffer keeps the size of the largest for as long as the line lasts."""
_WHOLE_TEXT = 0x81
_MASKED = 0x80


def framed(payload: bytes) -> bytes:
    """Return a payload as one whole unmasked text frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((_WHOLE_TEXT, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", _WHOLE_TEXT, 126, length) + payload
    return struct.pack("!BBQ", _WHOLE_TEXT, 127, length) + payload


def frame_end(buffer: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Return where the payload of the masked frame at `at` begins and ends, its length as announced; None while the
    header is not whole. An unmasked frame, which a client may not send, counts no mask.
    """
    if len(buffer) < at + 2:
        return None
    length, begin = buffer[at + 1] & 0x7F, at + 2
    if length >= 126:
        wide = 2 if length == 126 else 8
        if len(buffer) < begin + wide:
            return None
        length, begin = int.from_bytes(buffer[begin : begin + wide], "big"), begin + wide
    if buffer[at + 1] & _MASKED:
        begin += 4
    return begin, begin + length


class Inbox:
    """The messages that wait for the application: what `asyncio.Queue` does for this use, in a fifth of its memory."""

    __slots__ = ("_messages", "_waiting")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiting: list[asyncio.Future[None]] = []

    def put_nowait(self, message: Any) -> None:
        """Add a message and wake who waits for one."""
        self._messages.append(message)
        self._wake()

    async def get(self) -> Any:
        """Return the oldest message, as soon as there is one."""
        while not self._messages:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and self._messages:
                    # It was woken and goes away: the message is for the next one.
                    self._wake()
                raise
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
        return self._messages.pop(0)

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return

    def awaited(self) -> bool:
        """Tell whether the application waits for a message, done with all before."""
        return bool(self._waiting) and not self._messages

    def empty(self) -> bool:
        """Tell whether no message waits."""
        return not self._messages

    def qsize(self) -> int:
        """Return how many messages wait."""
        return len(self._messages)


class WholeFramesProtocol(WebSocketsSansIOProtocol):
    """Given to `uvicorn.Config(ws=…)`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.queue = Inbox()  # type: ignore[assignment]
        self._arrived: bytearray | None = None
        self._fragments = False
        """The library holds the beginning of a fragmented message."""
        self._taker: Callable[[bytes], bool] | None = None
        self._given_up = False
        """Bytes go to the library as they come: a frame above the limit, or a failed line."""

    def handle_connect(self, event: Any) -> None:
        """Offer the short way out to the application."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            self.scope["extensions"][EXTENSION] = {
                "write": self.write_frames,
                "take": self.offer_to,
            }

    def data_received(self, data: bytes) -> None:
        """Take bytes of the line."""
        if self._given_up or not self.handshake_initiated:
            super().data_received(data)
            return
        if self._arrived is not None:
            self._arrived += data
            del self._arrived[: self._take(self._arrived)]
            if not self._arrived:
                self._arrived = None
        else:
            rest = self._take(data)
            if rest < len(data):
                self._arrived = bytearray(data[rest:])

    def _take(self, buffer: bytes | bytearray) -> int:
        """Take the whole frames in a buffer; return how many of its bytes were taken."""
        at = 0
        while not self._given_up:
            bounds = frame_end(buffer, at)
            if bounds is None:
                return at
            begin, end = bounds
            if end - begin > self.config.ws_max_size or self.conn.state is not OPEN:
                self._given_up = True
                break
            if end > len(buffer):
                return at
            if buffer[at] == _WHOLE_TEXT and buffer[at + 1] & _MASKED and not self._fragments:
                payload = apply_mask(bytes(buffer[begin:end]), bytes(buffer[begin - 4 : begin]))
                if not self._taken(payload):
                    self.curr_msg_data_type = "text"
                    self.frames = [payload]
                    self.send_receive_event_to_app()
            else:
                if not buffer[at] & 0x08:
                    self._fragments = not buffer[at] & 0x80
                super().data_received(bytes(buffer[at:end]))
                self._given_up = self.conn.parser_exc is not None
            at = end
        super().data_received(bytes(buffer[at:]))
        return len(buffer)

    def offer_to(self, taker: Callable[[bytes], bool] | None) -> None:
        """Offer whole text frames to a taker from now on, None to nobody. What it does not take (False) goes the
        application's way; while the application is at a message nothing is offered, so that the order stays.
        """
        self._taker = taker

    def _taken(self, payload: bytes) -> bool:
        taker = self._taker
        return taker is not None and self.queue.awaited() and not self.close_sent and taker(payload)  # type: ignore[attr-defined]

    def send_receive_event_to_app(self) -> None:
        """Queue a message; read no further only when many wait (the base class stops after each)."""
        was_paused, self.read_paused = self.read_paused, True
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if not was_paused and self.queue.qsize() >= WAITING_MOST:
            self.read_paused = True
            self.transport.pause_reading()

    def write_frames(self, payloads: Sequence[bytes]) -> bool:
        """Write payloads (UTF-8) as text frames now, all of them; False, with none written, when the line is not open
        or has more waiting than its transport takes.
        """
        if (
            not self.writable.is_set()
            or self.disconnected
            or self.close_sent
            or not self.handshake_complete
            or self.conn.state is not OPEN
        ):
            return False
        if self.request is not None:
            # Two and a half kilobytes of headers that only the handshake needed.
            self.request = self.response = None  # type: ignore[assignment]
        data = b"".join(map(framed, payloads))
        if len(data) > PIECE and is_ssl(self.transport):
            for at in range(0, len(data), PIECE):
                self.transport.write(data[at : at + PIECE])
        else:
            self.transport.write(data)
        return True
