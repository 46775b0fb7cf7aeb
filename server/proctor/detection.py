"""Finds the faces of a picture with a detector chosen by its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from server.errors import BadInput
from server.proctor.detectors import scripted, yunet
from server.proctor.evidence import Detections, Floats, Frame, Picture


class FaceDetector(Protocol):
    """Finds faces in a BGR picture."""

    @property
    def key(self) -> str:
        """The name under which the detector is configured and reported."""

    def find(self, picture: Picture, frame: Frame) -> tuple[Floats, Floats]:
        """Boxes float32 (N, 4) as x1, y1, x2, y2 in the picture's pixels, and scores float32 (N,) from 0 to
        1.
        """


DETECTORS: Mapping[str, Callable[[Mapping[str, float]], FaceDetector]] = {
    yunet.KEY: yunet.create,
    scripted.KEY: scripted.create,
}


def create_detector(key: str, options: Mapping[str, float] | None = None) -> FaceDetector:
    """The detector of that key.

    Raises:
        BadInput: no detector has the key (`detector-unknown`), or it does not know an option.
        Unavailable: its model file is missing (`face-model-missing`).
        Tampered: its model file is not the expected one (`face-model-changed`).
    """
    make = DETECTORS.get(key)
    if make is None:
        raise BadInput("detector-unknown", detector=key, known=", ".join(sorted(DETECTORS)))
    return make(options or {})


def detect(detector: FaceDetector, picture: Picture, frame: Frame) -> Detections:
    """The faces of one picture as one validated value."""
    boxes, scores = detector.find(picture, frame)
    return Detections(frame=frame, boxes=boxes, scores=scores, detector=detector.key)
