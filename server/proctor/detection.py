"""Finds the faces of a picture with a detector chosen by its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from server.errors import BadInput
from server.proctor.detectors import scripted, yunet
from server.proctor.evidence import Detections, Floats, Frame, Picture
from server.proctor.schedule import Look
from server.proctor.view import View


class FaceDetector(Protocol):
    """Finds faces in a BGR picture."""

    @property
    def key(self) -> str:
        """The name under which the detector is configured and reported."""

    def find(self, picture: Picture, frame: Frame) -> tuple[Floats, Floats]:
        """Boxes float32 (N, 4) as x1, y1, x2, y2 in the picture's pixels, and scores float32 (N,) from 0 to
        1.
        """

    def find_in(
        self, image: Picture, window: tuple[int, int, int, int], frame: Frame
    ) -> tuple[Floats, Floats]:
        """The same for `image` (BGR), which shows the window x1, y1, x2, y2 of the frame's picture, enlarged
        or shrunk; it is searched as large as it comes. Boxes are in the pixels of the frame's picture.
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


def search(
    detector: FaceDetector, view: View, looks: Sequence[Look], frame: Frame
) -> tuple[Detections, tuple[int, ...]]:
    """The faces in the looks' windows, each face once, and for each face the number of its look.

    A face that a window's border cuts is left to a look that shows it whole. A look at the whole picture is
    made in the detector's own size.
    """
    boxes, scores, from_look = (
        [np.empty((0, 4), np.float32)],
        [np.empty((0,), np.float32)],
        [np.empty(0, np.int64)],
    )
    for number, look in enumerate(looks):
        if look.keys is None:
            found, rated = detector.find(view.window(look.window, view.size), frame)
        else:
            found, rated = detector.find_in(view.window(look.window, look.net), look.window, frame)
            whole = _whole_faces(found, look.window, view.size)
            found, rated = found[whole], rated[whole]
        boxes.append(found)
        scores.append(rated)
        from_look.append(np.full(len(found), number))
    every, rates, numbers = np.concatenate(boxes), np.concatenate(scores), np.concatenate(from_look)
    kept = _once(every, rates)
    seen = Detections(frame=frame, boxes=every[kept], scores=rates[kept], detector=detector.key)
    return seen, tuple(int(numbers[index]) for index in kept)


def _whole_faces(
    boxes: Floats, window: tuple[int, int, int, int], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """bool (N,): whose middle is at least 0.4 of its size away from every border that is not the picture's."""
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, 0.4 * (boxes[:, 2:] - boxes[:, :2])
    near, far = np.array(window[:2]), np.array(window[2:])
    low = (near <= 0) | (centre - extent >= near)
    high = (far >= np.array(size)) | (centre + extent <= far)
    return np.asarray((low & high).all(axis=1), dtype=bool)


def _once(boxes: Floats, scores: Floats) -> list[int]:
    """The indices of the boxes without those that overlap a better one by two fifths, or lie in one for the
    greater part: the parts of a face that is seen closely may look like faces too.
    """
    kept: list[int] = []
    for index in (int(i) for i in np.argsort(-scores, kind="stable")):
        if not any(_same(boxes[index], boxes[other]) for other in kept):
            kept.append(index)
    return kept


def _same(one: Floats, other: Floats) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (one, other)]
    return bool(shared >= 0.4 * (sum(areas) - shared) or shared >= 0.6 * min(areas))
