"""A detector for tests of the stages behind it: it answers with the boxes written for a capture time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from server.errors import BadInput
from server.proctor.evidence import Floats, Frame, Picture

KEY = "scripted"
Box = tuple[float, float, float, float]


class Scripted:
    """Faces by (camera, capture time); a time that is not written has none. Every score is 0.9."""

    def __init__(self, script: Mapping[tuple[str, datetime], Sequence[Box]]) -> None:
        self._script = dict(script)

    @property
    def key(self) -> str:
        return KEY

    def find(self, picture: Picture, frame: Frame) -> tuple[Floats, Floats]:
        boxes = self._script.get((frame.camera_id, frame.captured_at), ())
        found = np.array(boxes, np.float32).reshape(-1, 4)
        return found, np.full(len(found), 0.9, np.float32)

    def find_in(
        self, image: Picture, window: tuple[int, int, int, int], frame: Frame
    ) -> tuple[Floats, Floats]:
        boxes, scores = self.find(image, frame)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = ((middle >= np.array(window[:2])) & (middle < np.array(window[2:]))).all(axis=1)
        return boxes[inside], scores[inside]


def create(options: Mapping[str, float]) -> Scripted:
    """Without a script it finds nothing; BadInput for any option."""
    if options:
        raise BadInput("detector-option-unknown", detector=KEY, options=", ".join(sorted(options)))
    return Scripted({})
