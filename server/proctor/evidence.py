"""The facts of the camera flow: Frame, Quality, Detections, SeatReading, Anomaly, Alert.

Each is made by one stage and never edited; a correction is a new fact that names the old one. All times are
capture times in UTC. All positions are pixels of the source picture, origin at the top left, x to the right,
y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]


def require_utc(moment: datetime, name: str) -> None:
    """Raises ValueError unless `moment` is aware and in UTC: a capture time without a zone is no evidence."""
    if moment.tzinfo is None or moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError(f"{name} must be an aware UTC time")


class CameraFault(StrEnum):
    """What is wrong with a camera or its picture. While any is on, its seats are UNKNOWN."""

    DARK = "dark"
    WHITE = "white"
    COVERED = "covered"
    BLURRED = "blurred"
    MOVED = "moved"
    LOST_REFERENCE = "lost_reference"
    FROZEN = "frozen"
    LOST = "lost"


class SeatState(StrEnum):
    """What a camera says of one seat. OBJECT is a thing without life: a seat not verified as empty."""

    OCCUPIED = "occupied"
    EMPTY = "empty"
    OBJECT = "object"
    CROWDED = "crowded"
    UNKNOWN = "unknown"


class AnomalyKind(StrEnum):
    """The question an anomaly answers; the rule that found it adds its version."""

    EMPTY_SEAT = "empty_seat"
    NEVER_SEATED = "never_seated"
    CROWDED_SEAT = "crowded_seat"
    EXTRA_PERSON = "extra_person"
    UNEXPECTED_OCCUPANT = "unexpected_occupant"
    ROOM_COUNT = "room_count"
    CAMERA_FAULT = "camera_fault"
    RECORDING_GAP = "recording_gap"

    @property
    def on_candidate(self) -> bool:
        """True where the finding can speak against a candidate: then one person alone may not confirm it."""
        return self not in (AnomalyKind.ROOM_COUNT, AnomalyKind.CAMERA_FAULT, AnomalyKind.RECORDING_GAP)


@dataclass(frozen=True, slots=True)
class Frame:
    """The reference of one picture: which camera, which room, when captured (UTC), how large in pixels."""

    camera_id: str
    room_id: str
    captured_at: datetime
    width: int
    height: int

    def __post_init__(self) -> None:
        require_utc(self.captured_at, "captured_at")
        if self.width <= 0 or self.height <= 0:
            raise ValueError("a frame has a positive width and height")


@dataclass(frozen=True, slots=True)
class Quality:
    """What the quality stage found: the faults that are on, and the measures they were judged by.

    `measures` holds the numbers by name: `std` (grey levels), `mean` (grey levels), `sharpness` (share of the
    reference's), `shift` (pixels at 1280 wide), `inliers` (count), `familiar` (share), `difference` (mean
    grey levels to the last picture). A measure that could not be taken is absent.
    """

    camera_id: str
    room_id: str
    at: datetime
    faults: frozenset[CameraFault]
    measures: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        require_utc(self.at, "at")

    @property
    def usable(self) -> bool:
        """True while no fault is on: only then may seats and counts be judged."""
        return not self.faults


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces of one frame as a struct of arrays.

    `boxes` float32 (N, 4): x1, y1, x2, y2 in source pixels with x1 < x2 and y1 < y2. `scores` float32 (N,):
    0 to 1. `detector` names the detector's key. Both arrays become read-only.

    Raises:
        ValueError: a shape does not fit, a number is not finite, a box is empty, or a score is outside 0 to
        1.
    """

    frame: Frame
    boxes: Floats
    scores: Floats
    detector: str

    def __post_init__(self) -> None:
        boxes = np.array(self.boxes, dtype=np.float32, copy=True)
        scores = np.array(self.scores, dtype=np.float32, copy=True)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes must be (N, 4), not {boxes.shape}")
        if scores.shape != (boxes.shape[0],):
            raise ValueError(f"scores must be ({boxes.shape[0]},), not {scores.shape}")
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError("boxes and scores must be finite")
        if bool((boxes[:, 2:] <= boxes[:, :2]).any()):
            raise ValueError("a box must have x1 < x2 and y1 < y2")
        if bool(((scores < 0) | (scores > 1)).any()):
            raise ValueError("a score lies between 0 and 1")
        boxes.setflags(write=False)
        scores.setflags(write=False)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "scores", scores)

    def __len__(self) -> int:
        return int(self.boxes.shape[0])

    @property
    def centres(self) -> Floats:
        """float32 (N, 2): the middle of each box."""
        middle: Floats = (self.boxes[:, :2] + self.boxes[:, 2:]) / np.float32(2)
        return middle

    @property
    def heights(self) -> Floats:
        """float32 (N,): the height of each box in pixels."""
        tall: Floats = self.boxes[:, 3] - self.boxes[:, 1]
        return tall


@dataclass(frozen=True, slots=True)
class SeatEvidence:
    """What one picture shows of one seat.

    `structure` is the share of changed cells against the empty reference, 0 to 1, or None without a
    reference or with too little in view; `visible` the share of the seat's cells not hidden by the row in
    front; `motion` the share of pixels that changed since the picture before, None on the first; `faces` how
    many faces were given to this seat, None where this picture was not searched for faces there; `face_score`
    the best of them, 0 when none. `beside` tells that the only face seen is well off the seat's head point
    while something stands beside the seat: somebody else's, over a candidate whose head is down.
    """

    seat: str
    structure: float | None
    visible: float
    motion: float | None
    faces: int | None
    face_score: float
    beside: bool = False


@dataclass(frozen=True, slots=True)
class SeatReading:
    """The state of one seat at one capture time, since when it holds, and the evidence of that picture.

    `since` is the capture time of the first picture that spoke for the state, not of the one that settled it.
    `evidence` is None where the picture could not be used.
    """

    seat: str
    state: SeatState
    since: datetime
    at: datetime
    evidence: SeatEvidence | None

    def __post_init__(self) -> None:
        require_utc(self.since, "since")
        require_utc(self.at, "at")


@dataclass(frozen=True, slots=True)
class RoomSample:
    """Everything one camera says at one capture time: what the worker sends and the rules compare.

    `faces` are those last seen in each part of the picture, at most some seconds ago; `stray_faces` those of
    them, as boxes (x1, y1, x2, y2, score), that fit no seat and lie outside the staff zones. `looked` is
    false where this picture was not searched for faces at all. `seats` is empty on a camera that has no
    layout.
    """

    quality: Quality
    frame: Frame | None
    seats: tuple[SeatReading, ...]
    faces: tuple[tuple[float, float, float, float, float], ...]
    stray_faces: tuple[tuple[float, float, float, float, float], ...]
    detector: str
    looked: bool = True

    @property
    def at(self) -> datetime:
        """The capture time, or for a lost camera the time of the loss."""
        return self.quality.at


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One machine finding: a lead for a person, never a verdict.

    `key` is unique: rule, room, camera, seat and start. `started_at` is when the evidence began, `found_at`
    when the rule was satisfied. `score` is 0 to 1, higher is more worth a look. `facts` are the numbers that
    led to it.
    """

    key: str
    kind: AnomalyKind
    rule_version: int
    room_id: str
    camera_id: str
    seat: str | None
    started_at: datetime
    found_at: datetime
    score: float
    facts: Mapping[str, float | str]

    def __post_init__(self) -> None:
        require_utc(self.started_at, "started_at")
        require_utc(self.found_at, "found_at")
        if self.found_at < self.started_at:
            raise ValueError("an anomaly is not found before it starts")
        if not 0 <= self.score <= 1:
            raise ValueError("a score lies between 0 and 1")


@dataclass(frozen=True, slots=True)
class AnomalyEnd:
    """The fact that an anomaly, named by its key, no longer holds; `ended_at` is exclusive."""

    key: str
    ended_at: datetime

    def __post_init__(self) -> None:
        require_utc(self.ended_at, "ended_at")
