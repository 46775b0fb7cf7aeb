"""One camera's stages in order: picture, quality, faces, seats. What comes out is one RoomSample for each
picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from server.proctor import occupancy, quality
from server.proctor.detection import FaceDetector, detect
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
from server.proctor.quality import QualityGauge
from server.proctor.seats import CameraLayout, FaceAssignment, assign_faces
from server.proctor.structure import SeatMeasure, SeatScale

# A stray face smaller than this share of the smallest expected face is a picture on the wall or a mistake.
STRAY_SIZE = 0.6


class CameraPipeline:
    """The stages of one camera and what they remember.

    `references` are pictures of the empty room, colour or grey, of the layout's size; the first is also the
    camera's own reference for blur and movement. Without references seats cannot become EMPTY.
    """

    def __init__(
        self,
        layout: CameraLayout,
        references: Sequence[Picture],
        detector: FaceDetector,
        occupancy_rule: occupancy.OccupancyRule = occupancy.RULE,
        quality_rule: quality.QualityRule = quality.RULE,
    ) -> None:
        self.layout = layout
        self._detector = detector
        self._rule = occupancy_rule
        greys = [_grey(reference) for reference in references]
        self._gauge = QualityGauge(greys[0] if greys else None, quality_rule, _fixed(layout))
        self._scale = SeatScale(layout, greys) if layout.seats else None
        self._memory: dict[str, occupancy.SeatMemory] = {}
        self._states: dict[str, SeatState] = {}
        self._last: datetime | None = None

    def process(self, picture: Picture, captured_at: datetime) -> RoomSample | None:
        """Takes one BGR picture through all stages; None where it is not newer than the last one.

        A picture of another size than the layout's is brought to it: positions in the sample are the
        layout's pixels.
        """
        if self._last is not None and captured_at <= self._last:
            return None
        self._last = captured_at
        size = (self.layout.width, self.layout.height)
        if (picture.shape[1], picture.shape[0]) != size:
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        frame = Frame(self.layout.camera_id, self.layout.room_id, captured_at, *size)
        judged = self._gauge.assess(picture, frame)
        if not judged.usable:
            return self._blind(judged, frame)
        faces = detect(self._detector, picture, frame)
        given = assign_faces(self.layout, faces)
        seats = self._seats(picture, faces, given, captured_at)
        least = STRAY_SIZE * min((seat.head_px for seat in self.layout.seats), default=0.0)
        stray = tuple(_box(faces, i) for i in given.stray if faces.heights[i] >= least)
        every = tuple(_box(faces, i) for i in range(len(faces)))
        return RoomSample(judged, frame, seats, every, stray, self._detector.key)

    def lost(self, at: datetime) -> RoomSample:
        """The sample that says that no picture comes; `at` is the legal time of the finding."""
        at = at if self._last is None else max(at, self._last)
        self._last = at
        gone = Quality(self.layout.camera_id, self.layout.room_id, at, frozenset({CameraFault.LOST}))
        return self._blind(gone, None)

    def _blind(self, judged: Quality, frame: Frame | None) -> RoomSample:
        """Nothing is known of any seat while the picture cannot be used."""
        if self._scale is not None:
            self._scale.forget()
        seats = tuple(self._decide(seat.seat, None, judged.at) for seat in self.layout.seats)
        return RoomSample(judged, frame, seats, (), (), self._detector.key)

    def _seats(
        self, picture: Picture, faces: Detections, given: FaceAssignment, at: datetime
    ) -> tuple[SeatReading, ...]:
        if self._scale is None:
            return ()
        hiding = (SeatState.OCCUPIED, SeatState.CROWDED, SeatState.OBJECT)
        taken = {seat for seat, state in self._states.items() if state in hiding}
        measured = self._scale.measure(_grey(picture), taken)
        readings = []
        for seat in self.layout.seats:
            mine = given.by_seat[seat.seat]
            readings.append(
                self._decide(seat.seat, _evidence(seat.seat, measured[seat.seat], faces, mine), at)
            )
        return tuple(readings)

    def _decide(self, seat: str, evidence: SeatEvidence | None, at: datetime) -> SeatReading:
        memory = self._memory.get(seat) or occupancy.begin(at)
        self._memory[seat], reading = occupancy.decide(memory, seat, evidence, at, self._rule)
        self._states[seat] = reading.state
        return reading


def _fixed(layout: CameraLayout) -> NDArray[np.bool_]:
    """bool (height, width): what is no seat; people come and go on seats, and a camera is recognised by the
    rest.
    """
    canvas = np.ones((layout.height, layout.width), np.uint8)
    for seat in layout.seats:
        cv2.fillPoly(canvas, [np.rint(np.array(seat.polygon)).astype(np.int32)], 0)
    return np.asarray(canvas, dtype=bool)


def _evidence(seat: str, measured: SeatMeasure, faces: Detections, mine: tuple[int, ...]) -> SeatEvidence:
    return SeatEvidence(
        seat=seat,
        structure=measured.structure,
        visible=measured.visible,
        motion=measured.motion,
        faces=len(mine),
        face_score=max((float(faces.scores[index]) for index in mine), default=0.0),
    )


def _box(faces: Detections, index: int) -> tuple[float, float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in faces.boxes[index])
    return x1, y1, x2, y2, float(faces.scores[index])


def _grey(picture: Picture) -> Picture:
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
