"""The sockets of one process: each with a bounded queue of frames, so that one that never reads harms nobody
else.
"""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from server.delivery.conversation import Conversation
from server.delivery.facts import Seat, Sitting
from server.delivery.timing import Phase, Times
from server.protocol.codec import encode
from server.protocol.exam import ToKiosk
from server.protocol.link import CLOSE_SLOW, QUEUE_FRAMES


@dataclass(slots=True)
class Live:
    """What this process holds of a seated sitting: facts as last read, where it stands in time, its keys'
    state.
    """

    sitting: Sitting
    times: Times
    phase: Phase
    receipt_key: bytes
    paper: str | None
    key_sent: bool = False


class Line:
    """One socket as the hall sees it; the socket's own task takes frames from `frames` and sends them."""

    def __init__(self, opened_at: float) -> None:
        self.nonce = secrets.token_bytes(32)
        self.conversation = Conversation()
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_FRAMES)
        """Frames to send, in order; None means: close with `close_code`."""
        self.close_code: int | None = None
        self.opened_at = opened_at
        self.heard_at = opened_at
        self.waiting = 0
        """Answers not acknowledged yet, as the kiosk's last pong said."""
        self.seat: Seat | None = None
        self.live: Live | None = None
        self.expecting: bool | None = None
        self.pings = 0

    def send(self, message: ToKiosk) -> None:
        """Queue a message; a full queue cuts the line off (the kiosk comes back)."""
        self.send_frame(encode(message))

    def send_frame(self, frame: bytes) -> None:
        """Queue an encoded message, for broadcasts that encode once."""
        if self.close_code is not None:
            return
        if self.frames.full():
            self.close(CLOSE_SLOW, at_once=True)
            return
        self.frames.put_nowait(frame)

    def close(self, code: int, *, at_once: bool = False) -> None:
        """Close after what is queued, or at once, throwing it away."""
        if self.close_code is not None:
            return
        self.close_code = code
        if at_once or self.frames.full():
            while not self.frames.empty():
                self.frames.get_nowait()
        self.frames.put_nowait(None)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a sitting's device is on a line of this process; seconds since it was heard; answers it still
    holds.
    """

    online: bool
    heard_s: float
    waiting: int


class Lines:
    """The lines of one process: all sockets, the proved ones by seat, and those of seated devices by
    sitting.
    """

    def __init__(self) -> None:
        self.all: set[Line] = set()
        self.by_seat: dict[str, Line] = {}
        self.by_sitting: dict[str, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(self.all)

    def of_slot(self, slot: str) -> list[Line]:
        """Return the seated devices of a slot."""
        return [
            line
            for line in self.by_sitting.values()
            if line.live is not None and line.live.sitting.slot == slot
        ]
