"""One camera's stages in order: picture, quality, faces where they are wanted, seats. What comes out is one
RoomSample for each picture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from server.proctor import occupancy, quality, schedule
from server.proctor.detection import FaceDetector, search
from server.proctor.evidence import (
    CameraFault,
    Detections,
    Frame,
    Picture,
    Quality,
    RoomSample,
    SeatEvidence,
    SeatReading,
    SeatState,
)
from server.proctor.gaze import Gaze
from server.proctor.quality import QualityGauge
from server.proctor.seats import CameraLayout, FaceAssignment, SeatRegion, assign_faces
from server.proctor.structure import SeatMeasure, SeatScale
from server.proctor.view import View, view_of

# A stray face smaller than this share of a face at the nearest seat is a picture on the wall or a mistake.
STRAY_SIZE = 0.6
# A face this many face heights off the head point is hardly the candidate's own.
BESIDE = 1.0


class CameraPipeline:
    """The stages of one camera and what they remember.

    `references` are pictures of the empty room, colour or grey, of the layout's size; the first is also the
    camera's own reference for blur and movement. Without references seats cannot become EMPTY. `counts` tells
    what was looked at so far.
    """

    def __init__(
        self,
        layout: CameraLayout,
        references: Sequence[Picture],
        detector: FaceDetector,
        occupancy_rule: occupancy.OccupancyRule = occupancy.RULE,
        quality_rule: quality.QualityRule = quality.RULE,
        look_rule: schedule.LookRule = schedule.RULE,
    ) -> None:
        self.layout = layout
        self._detector = detector
        self._rule = occupancy_rule
        greys = [_grey(reference) for reference in references]
        self._gauge = QualityGauge(greys[0] if greys else None, quality_rule, fixed_part(layout))
        self._scale = SeatScale(layout, greys) if layout.seats else None
        self._gaze = Gaze(layout, greys[0] if greys else None, look_rule)
        self._memory: dict[str, occupancy.SeatMemory] = {}
        self._states: dict[str, SeatState] = {}
        self._last: datetime | None = None

    @property
    def counts(self) -> schedule.LookCount:
        """What was looked at since the start."""
        return self._gaze.counts

    def process(self, picture: Picture | View, captured_at: datetime) -> RoomSample | None:
        """Takes one picture (BGR pixels or a view) through all stages; None where it is not newer than the
        last one.

        A picture of another size than the layout's is brought to it: positions in the sample are the
        layout's pixels.
        """
        if self._last is not None and captured_at <= self._last:
            return None
        self._last = captured_at
        size = (self.layout.width, self.layout.height)
        view = view_of(picture).scaled(size)
        frame = Frame(self.layout.camera_id, self.layout.room_id, captured_at, *size)
        judged = self._gauge.assess(view, frame)
        if not judged.usable:
            return self._blind(judged, frame)
        small = self._gauge.small
        if small is not None:
            self._gaze.notice(small, captured_at)
        doubts = [
            seat
            for seat, memory in self._memory.items()
            if occupancy.in_doubt(memory, captured_at, self._rule)
        ]
        looks = self._gaze.looks(doubts, captured_at)
        found, from_look = search(self._detector, view, looks, frame)
        given = assign_faces(self.layout, found)
        seats = self._seats(view, found, given, self._gaze.seats_settled(looks), captured_at)
        stray = [index for index in given.stray if self._tall_enough(found, index)]
        boxes = [_box(found, index) for index in range(len(found))]
        self._gaze.remember(looks, boxes, from_look, stray, captured_at)
        return RoomSample(
            judged, frame, seats, self._gaze.faces, self._gaze.strays, self._detector.key, bool(looks)
        )

    def lost(self, at: datetime) -> RoomSample:
        """The sample that says that no picture comes; `at` is the legal time of the finding."""
        at = at if self._last is None else max(at, self._last)
        self._last = at
        gone = Quality(self.layout.camera_id, self.layout.room_id, at, frozenset({CameraFault.LOST}))
        return self._blind(gone, None)

    def _tall_enough(self, found: Detections, index: int) -> bool:
        if not self.layout.seats:
            return True
        x, y = (float(value) for value in found.centres[index])
        near = min(self.layout.seats, key=lambda seat: (seat.head[0] - x) ** 2 + (seat.head[1] - y) ** 2)
        return bool(found.heights[index] >= STRAY_SIZE * near.head_px)

    def _blind(self, judged: Quality, frame: Frame | None) -> RoomSample:
        """Nothing is known of any seat while the picture cannot be used."""
        if self._scale is not None:
            self._scale.forget()
        self._gaze.forget()
        seats = tuple(self._decide(seat.seat, None, judged.at) for seat in self.layout.seats)
        return RoomSample(judged, frame, seats, (), (), self._detector.key, looked=False)

    def _seats(
        self,
        view: View,
        faces: Detections,
        given: FaceAssignment,
        settled: Collection[str],
        at: datetime,
    ) -> tuple[SeatReading, ...]:
        if self._scale is None:
            return ()
        hiding = (SeatState.OCCUPIED, SeatState.CROWDED, SeatState.OBJECT)
        taken = {seat for seat, state in self._states.items() if state in hiding}
        measured = self._scale.measure(view, taken)
        readings = []
        for seat in self.layout.seats:
            mine = given.by_seat[seat.seat]
            # A face that is seen counts wherever it was found; that none is there, only a look can tell.
            count = len(mine) if mine or seat.seat in settled else None
            aside = len(mine) == 1 and _off(faces, mine[0], seat) >= BESIDE and self._gaze.filled(seat.seat)
            evidence = _evidence(seat.seat, measured[seat.seat], faces, mine, count, aside)
            readings.append(self._decide(seat.seat, evidence, at))
        return tuple(readings)

    def _decide(self, seat: str, evidence: SeatEvidence | None, at: datetime) -> SeatReading:
        memory = self._memory.get(seat) or occupancy.begin(at)
        self._memory[seat], reading = occupancy.decide(memory, seat, evidence, at, self._rule)
        self._states[seat] = reading.state
        return reading


def fixed_part(layout: CameraLayout) -> NDArray[np.bool_]:
    """bool (height, width): what is no seat; people come and go on seats, and a camera is recognised by the
    rest.
    """
    canvas = np.ones((layout.height, layout.width), np.uint8)
    for seat in layout.seats:
        cv2.fillPoly(canvas, [np.rint(np.array(seat.polygon)).astype(np.int32)], 0)
    return np.asarray(canvas, dtype=bool)


def _evidence(
    seat: str,
    measured: SeatMeasure,
    faces: Detections,
    mine: tuple[int, ...],
    count: int | None,
    beside: bool,
) -> SeatEvidence:
    return SeatEvidence(
        seat=seat,
        structure=measured.structure,
        visible=measured.visible,
        motion=measured.motion,
        faces=count,
        face_score=max((float(faces.scores[index]) for index in mine), default=0.0),
        beside=beside,
    )


def _off(faces: Detections, index: int, seat: SeatRegion) -> float:
    """How far a face is from the seat's head point, in face heights."""
    x, y = (float(value) for value in faces.centres[index])
    return float(np.hypot(x - seat.head[0], y - seat.head[1])) / seat.head_px


def _box(faces: Detections, index: int) -> tuple[float, float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in faces.boxes[index])
    return x1, y1, x2, y2, float(faces.scores[index])


def _grey(picture: Picture) -> Picture:
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
