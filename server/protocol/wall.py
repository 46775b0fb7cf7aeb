"""Messages of the camera wall on `/ws/wall`: the proctoring feed as text, pictures as binary frames.

The wall opens the socket with its login cookie and sends one `watch`; it gets a `start` with the feed's
snapshot, or, when `since` is still known to this process (`epoch`), the `events` after it. It tells with
`screen` which cameras its reader sees and acknowledges every picture with `seen`; only those cameras' newest
pictures are sent, at most three unacknowledged. A `tick` comes every 2 real seconds even when nothing happens.
An account bound to a room gets that room's facts only, and pictures go to those alone who may see people there; the
numbers of events stay without a gap.

A picture is one binary frame: a byte 1 (version), a byte with the length of the camera's id, the id (UTF-8),
eight bytes with the capture time (milliseconds since 1970 UTC, big-endian, signed), then the JPEG.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from server.protocol.proctoring import (
    AlertChanged,
    CameraChanged,
    FeedEvent,
    FeedSnapshot,
    SeatsChanged,
)

PICTURE_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, closed, fields by name."""


class WallWatch(_Message, frozen=True, tag="watch"):
    """First message of a wall; `epoch` and `since` tell what it knows from before."""

    epoch: str | None = None
    since: int | None = None


class OnScreen(_Message, frozen=True, tag="screen"):
    """The cameras on the screen now, at most 64, and how wide their pictures are wanted, in pixels."""

    cameras: tuple[str, ...]
    width: Literal[320, 480, 960] = 480


class Seen(_Message, frozen=True, tag="seen"):
    """The wall has drawn one picture."""


FromWall = WallWatch | OnScreen | Seen


class SeatOutline(_Message, frozen=True):
    """One seat's polygon in pixels of its camera's `width` x `height`, and how sure it is, 0 to 1."""

    seat: str
    polygon: tuple[tuple[float, float], ...]
    sureness: float


class WallCamera(_Message, frozen=True):
    """One camera on the wall; `version` is that of its set-up, 0 before the first saved one. Where `pictures` is false
    this account is sent none of it: its health and the seats' states alone."""

    id: str
    room: str
    width: int
    height: int
    version: int
    seats: tuple[SeatOutline, ...]
    pictures: bool = True


class WallStart(_Message, frozen=True, tag="start"):
    """Everything as of event `snapshot.id` of `epoch`, and the cameras with their seats."""

    epoch: str
    snapshot: FeedSnapshot
    cameras: tuple[WallCamera, ...]


class WallEvents(_Message, frozen=True, tag="events"):
    """Events after the last ones, oldest first."""

    events: tuple[FeedEvent, ...]


class WallCameras(_Message, frozen=True, tag="cameras"):
    """The cameras with their seats, after a set-up was saved."""

    cameras: tuple[WallCamera, ...]


class WallTick(_Message, frozen=True, tag="tick"):
    """The legal time and its rate; `id` is the newest event's."""

    id: int
    now: datetime
    rate: float


class WallEnded(_Message, frozen=True, tag="ended"):
    """The socket closes; `code` names the text that says why."""

    code: str


ToWall = WallStart | WallEvents | WallCameras | WallTick | WallEnded

_encoder = msgspec.json.Encoder()
_from_wall: msgspec.json.Decoder[FromWall] = msgspec.json.Decoder(FromWall)


def encode(message: ToWall) -> bytes:
    """The JSON of a message to a wall."""
    return _encoder.encode(message)


def decode_from_wall(data: bytes | str) -> FromWall:
    """Reads a message of a wall; msgspec.DecodeError when it is not of the form."""
    return _from_wall.decode(data)


def pack_picture(camera: str, captured_at: datetime, jpeg: bytes) -> bytes:
    """The binary frame of a picture. ValueError when the id is longer than 255 bytes of UTF-8."""
    name = camera.encode()
    if not 0 < len(name) <= 255:
        raise ValueError("a camera's id has 1 to 255 bytes")
    ms = (captured_at - _EPOCH) // timedelta(milliseconds=1)
    return bytes((PICTURE_VERSION, len(name))) + name + ms.to_bytes(8, "big", signed=True) + jpeg


def unpack_picture(data: bytes) -> tuple[str, datetime, bytes]:
    """Reads what `pack_picture` made; ValueError when it is not of the form."""
    if len(data) < 2 or data[0] != PICTURE_VERSION or len(data) < 10 + data[1]:
        raise ValueError("not a picture of the wall")
    end = 2 + data[1]
    ms = int.from_bytes(data[end : end + 8], "big", signed=True)
    return data[2:end].decode(), _EPOCH + timedelta(milliseconds=ms), data[end + 8 :]


def snapshot_for(snapshot: FeedSnapshot, room: str | None) -> FeedSnapshot:
    """The snapshot with one room's facts only; all of it where `room` is None."""
    if room is None:
        return snapshot
    return FeedSnapshot(
        id=snapshot.id,
        seats=tuple(seat for seat in snapshot.seats if seat.room == room),
        cameras=tuple(camera for camera in snapshot.cameras if camera.room == room),
        alerts=tuple(alert for alert in snapshot.alerts if alert.room == room),
    )


def event_for(event: FeedEvent, room: str | None) -> FeedEvent:
    """The event with one room's facts only: one of another room becomes a change of no seat, with its number."""
    if room is None:
        return event
    match event:
        case SeatsChanged():
            return SeatsChanged(id=event.id, seats=tuple(seat for seat in event.seats if seat.room == room))
        case CameraChanged():
            own = event.camera.room == room
        case AlertChanged():
            own = event.alert.room == room
    return event if own else SeatsChanged(id=event.id, seats=())
