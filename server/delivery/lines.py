"""The sockets of one process: each with a bounded queue of frames, so that one that never reads harms nobody
else.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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
    opened: bool = False
    """Its paper's opening is on disk, also where `sitting` was read before."""


class Line:
    """One socket as the hall sees it; the socket takes frames from `frames` and sends them."""

    __slots__ = (
        "close_code",
        "conversation",
        "expecting",
        "frames",
        "heard_at",
        "held",
        "live",
        "nonce",
        "opened_at",
        "pings",
        "seat",
        "stir",
        "waiting",
    )

    def __init__(self, opened_at: float) -> None:
        self.nonce = secrets.token_bytes(32)
        self.conversation = Conversation()
        self.frames: deque[bytes | None] = deque()
        """Frames to send, in order; None means: close with `close_code`."""
        self.stir: Callable[[], None] = _nobody
        """Called when something stands in `frames`; set by the socket."""
        self.close_code: int | None = None
        self.opened_at = opened_at
        self.heard_at = opened_at
        self.waiting = 0
        """Answers not acknowledged yet, as the kiosk's last pong said."""
        self.seat: Seat | None = None
        self.live: Live | None = None
        self.expecting: bool | None = None
        self.pings = 0
        self.held = False
        """Frames wait for `let_go`, so that they go out as one write."""

    def let_go(self) -> None:
        """Send what was held."""
        self.held = False
        if self.frames:
            self.stir()

    def send(self, message: ToKiosk) -> None:
        """Queue a message; a full queue cuts the line off (the kiosk comes back)."""
        self.send_frame(encode(message))

    def send_frame(self, frame: bytes) -> None:
        """Queue an encoded message, for broadcasts that encode once."""
        if self.close_code is not None:
            return
        if len(self.frames) >= QUEUE_FRAMES:
            self.close(CLOSE_SLOW, at_once=True)
            return
        self.frames.append(frame)
        if not self.held:
            self.stir()

    def send_frames(self, frames: Sequence[bytes]) -> None:
        """Queue encoded messages that belong together, for one write."""
        if self.close_code is not None:
            return
        if len(self.frames) + len(frames) > QUEUE_FRAMES:
            self.close(CLOSE_SLOW, at_once=True)
            return
        self.frames.extend(frames)
        if not self.held:
            self.stir()

    def close(self, code: int, *, at_once: bool = False) -> None:
        """Close after what is queued, or at once, throwing it away."""
        if self.close_code is not None:
            return
        self.close_code = code
        if at_once or len(self.frames) >= QUEUE_FRAMES:
            self.frames.clear()
        self.frames.append(None)
        self.stir()


def _nobody() -> None:
    return None


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
        self.by_place: dict[tuple[str, int], Line] = {}
        """The proved ones by room and seat number."""
        self.by_sitting: dict[str, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(self.all)

    def prove(self, line: Line, seat: Seat) -> None:
        """Note whose line this is."""
        line.seat = seat
        self.by_seat[seat.id] = self.by_place[(seat.room, seat.number)] = line

    def drop(self, line: Line) -> None:
        """Forget a closed socket, but for its sitting."""
        self.all.discard(line)
        if line.seat is None:
            return
        if self.by_seat.get(line.seat.id) is line:
            del self.by_seat[line.seat.id]
        place = (line.seat.room, line.seat.number)
        if self.by_place.get(place) is line:
            del self.by_place[place]

    def of_slot(self, slot: str) -> list[Line]:
        """Return the seated devices of a slot."""
        return [
            line
            for line in self.by_sitting.values()
            if line.live is not None and line.live.sitting.slot == slot
        ]
