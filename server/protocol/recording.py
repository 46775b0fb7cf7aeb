"""Messages between a centre and its recorder: what to record, what was recorded.

Both pipes carry frames: four bytes of length (big-endian, without themselves), then MessagePack of one closed, tagged
message. All times are UTC.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

LENGTH_BYTES = 4
MOST_BYTES = 1024 * 1024


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, closed, fields by name."""


class CaptionText(_Message, frozen=True):
    """What every picture of a recording must tell beside its time: point, method, room and layout (article 22)."""

    point: str
    method: str
    room: str
    layout: str


class RunKey(_Message, frozen=True, tag="key"):
    """First message to a recorder: the key of this run, and the same wrapped under the centre's storage key."""

    key: bytes
    wrapped: bytes


class RecordCamera(_Message, frozen=True, tag="record"):
    """Record this camera from now on; a newer caption begins a new segment."""

    camera: str
    room: str
    caption: CaptionText


class StopCamera(_Message, frozen=True, tag="stop"):
    """Record this camera no longer."""

    camera: str


ToRecorder = RunKey | RecordCamera | StopCamera


class SegmentOpened(_Message, frozen=True, tag="opened"):
    """A segment has begun; `path` is relative to the folder of recordings."""

    segment: str
    camera: str
    path: str
    started_at: datetime
    caption: CaptionText


class SegmentClosed(_Message, frozen=True, tag="closed"):
    """A segment is whole on the disk: end (exclusive), bytes and SHA-256 (hex) of the file, pictures, codec."""

    segment: str
    camera: str
    ended_at: datetime
    size: int
    sha256: str
    pictures: int
    codec: str


class RecorderTrouble(_Message, frozen=True, tag="trouble"):
    """A camera brings nothing to record, or the disk takes nothing; `reason` is for the technician."""

    camera: str
    code: str
    reason: str


class RecorderAlive(_Message, frozen=True, tag="alive"):
    """Sign of life, every two real seconds: cameras whose recording goes on."""

    recording: tuple[str, ...]


FromRecorder = SegmentOpened | SegmentClosed | RecorderTrouble | RecorderAlive

_encoder = msgspec.msgpack.Encoder()
Either = TypeVar("Either")


def frame(message: ToRecorder | FromRecorder) -> bytes:
    """The message with its length before it."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Frames(Generic[Either]):
    """Takes bytes as they come and gives whole messages of one kind of union; it does no reading itself."""

    def __init__(self, kind: object) -> None:
        self._held = bytearray()
        self._decoder: msgspec.msgpack.Decoder[Either] = msgspec.msgpack.Decoder(kind)

    def receive(self, data: bytes) -> Iterator[Either]:
        """The messages completed by `data`, in order. ValueError or msgspec.DecodeError where they are none."""
        self._held += data
        while len(self._held) >= LENGTH_BYTES:
            length = int.from_bytes(self._held[:LENGTH_BYTES], "big")
            if length > MOST_BYTES:
                raise ValueError(f"a frame of {length} bytes is announced")
            if len(self._held) < LENGTH_BYTES + length:
                return
            body = bytes(self._held[LENGTH_BYTES : LENGTH_BYTES + length])
            del self._held[: LENGTH_BYTES + length]
            yield self._decoder.decode(body)
