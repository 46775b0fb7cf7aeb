"""Messages of proctoring: from a camera worker to its parent, and from the feed to boards.

A worker writes the frames of `protocol.pipe` to its standard output. The feed is a snapshot and numbered events: a
snapshot with the events after it applied equals a fresh snapshot. All times are UTC; all positions are pixels of the
camera's layout.
"""

from datetime import datetime

import msgspec

from server.protocol.pipe import framed

VERSION = 1
MOST_BYTES = 8 * 1024 * 1024
"""Longest frame, in bytes: a picture of a camera and room to spare."""

Face = tuple[float, float, float, float, float]
"""x1, y1, x2, y2, score."""


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all messages share: immutable, closed, fields by name."""


# ---------------------------------------------------------------- worker to parent


class SeatLine(_Message, frozen=True):
    """One seat of a sample: its state since when, and the evidence of this picture; None where none was
    taken.
    """

    seat: str
    state: str
    since: datetime
    structure: float | None
    visible: float | None
    motion: float | None
    faces: int | None
    face_score: float | None


class WorkerReady(_Message, frozen=True, tag="ready"):
    """First message of a worker: its protocol version, its detector's key and its cameras."""

    version: int
    detector: str
    cameras: tuple[str, ...]


class CameraSample(_Message, frozen=True, tag="sample"):
    """One picture of one camera after all stages. `width` and `height` are 0 where there was no picture;
    `looked` is false where it was not searched for faces.
    """

    camera: str
    room: str
    captured_at: datetime
    width: int
    height: int
    faults: tuple[str, ...]
    measures: dict[str, float]
    seats: tuple[SeatLine, ...]
    faces: tuple[Face, ...]
    stray_faces: tuple[Face, ...]
    detector: str
    looked: bool = True


class CameraPicture(_Message, frozen=True, tag="picture"):
    """The picture (JPEG) of the sample with this capture time; sent before the sample itself."""

    camera: str
    captured_at: datetime
    jpeg: bytes


class SourceTrouble(_Message, frozen=True, tag="trouble"):
    """A source could not be opened or broke; the worker goes on trying. `reason` is for the technician."""

    camera: str
    code: str
    reason: str


class WorkerAlive(_Message, frozen=True, tag="alive"):
    """Sign of life, with what the worker did since its start: pictures judged, looks for faces (windows and
    whole pictures), seconds of its cameras' time, and the longest that any seat waited for a look.
    """

    samples: int
    looks: int = 0
    camera_s: float = 0.0
    oldest_s: float = 0.0


FromWorker = WorkerReady | CameraSample | CameraPicture | SourceTrouble | WorkerAlive


def frame(message: FromWorker) -> bytes:
    """Return the message as it is piped. ValueError when it is longer than MOST_BYTES."""
    return framed(message, MOST_BYTES)


# ---------------------------------------------------------------- feed


class SeatSeen(_Message, frozen=True):
    """The newest state of one seat by the cameras of its room."""

    room: str
    seat: str
    state: str
    since: datetime
    at: datetime


class CameraHealth(_Message, frozen=True):
    """The newest health of one camera; `online` is false while no picture comes."""

    camera: str
    room: str
    online: bool
    faults: tuple[str, ...]
    last_at: datetime | None
    faces: int
    interval_s: float | None


class AlertSeen(_Message, frozen=True):
    """One alert as a board shows it; `about` is a seat, `camera:<id>`, or "" for the room."""

    key: str
    room: str
    about: str
    kind: str
    score: float
    state: str
    rings: bool
    opened_at: datetime
    last_at: datetime
    ended_at: datetime | None
    first_by: str | None
    needs_second: bool
    anomalies: int
    picture: bool


class FeedSnapshot(_Message, frozen=True, tag="feed_snapshot"):
    """Everything as of event `id`."""

    id: int
    seats: tuple[SeatSeen, ...]
    cameras: tuple[CameraHealth, ...]
    alerts: tuple[AlertSeen, ...]


class SeatsChanged(_Message, frozen=True, tag="seats"):
    """Seats whose state or since changed; replace them by room and seat."""

    id: int
    seats: tuple[SeatSeen, ...]


class CameraChanged(_Message, frozen=True, tag="camera"):
    """A camera's health changed; replace it."""

    id: int
    camera: CameraHealth


class AlertChanged(_Message, frozen=True, tag="alert"):
    """An alert is new or changed; replace it by its key."""

    id: int
    alert: AlertSeen


FeedEvent = SeatsChanged | CameraChanged | AlertChanged


def applied(snapshot: FeedSnapshot, event: FeedEvent) -> FeedSnapshot:
    """The snapshot after one event. ValueError when an event was missed."""
    if event.id != snapshot.id + 1:
        raise ValueError(f"event {event.id} does not follow {snapshot.id}")
    seats = {(seat.room, seat.seat): seat for seat in snapshot.seats}
    cameras = {camera.camera: camera for camera in snapshot.cameras}
    alerts = {alert.key: alert for alert in snapshot.alerts}
    match event:
        case SeatsChanged():
            seats |= {(seat.room, seat.seat): seat for seat in event.seats}
        case CameraChanged():
            cameras[event.camera.camera] = event.camera
        case AlertChanged():
            alerts[event.alert.key] = event.alert
    return FeedSnapshot(
        id=event.id,
        seats=tuple(seats[key] for key in sorted(seats)),
        cameras=tuple(cameras[key] for key in sorted(cameras)),
        alerts=tuple(alerts[key] for key in sorted(alerts)),
    )
