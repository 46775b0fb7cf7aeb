"""Messages between a centre and its recorder: what to record, what was recorded.

Both pipes carry the frames of `protocol.pipe`. All times are UTC.
"""

from datetime import datetime

import msgspec

from server.protocol.pipe import framed

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


def frame(message: ToRecorder | FromRecorder) -> bytes:
    """Return the message as it is piped."""
    return framed(message, MOST_BYTES)
