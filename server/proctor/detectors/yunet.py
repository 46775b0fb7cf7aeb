"""YuNet 2023mar, a small face detector, run by OpenCV.

The picture is enlarged before detection: at 1920 wide faces from 15 pixels are found in 1280 x 720 sources;
1280 costs half of that. Tiling brings nothing over enlarging.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from server.errors import BadInput, Tampered, Unavailable
from server.proctor.evidence import Floats, Frame, Picture
from server.proctor.seats import CameraLayout

KEY = "yunet"
MODEL = Path(__file__).parent / "models" / "face_detection_yunet_2023mar.onnx"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
WIDTH, SCORE, OVERLAP, MOST = 1920, 0.5, 0.3, 5000


class YuNet:
    """`width` is how wide pictures are made before detection, `score` the least score that counts
    (inclusive).
    """

    def __init__(self, width: int = WIDTH, score: float = SCORE, model: Path = MODEL) -> None:
        if not 160 <= width <= 4096 or not 0 < score <= 1:
            raise BadInput("detector-option-wrong", detector=KEY, width=width, score=score)
        if not model.is_file():
            raise Unavailable("face-model-missing", file=model.name)
        if hashlib.sha256(model.read_bytes()).hexdigest() != MODEL_SHA256:
            raise Tampered("face-model-changed", file=model.name)
        self._width = width
        self._size = (width, width * 9 // 16)
        with _quiet():
            self._net = cv2.FaceDetectorYN.create(str(model), "", self._size, score, OVERLAP, MOST)

    @property
    def key(self) -> str:
        return KEY

    def find(self, picture: Picture, frame: Frame) -> tuple[Floats, Floats]:
        height, width = picture.shape[:2]
        scale = self._width / width
        size = (self._width, max(1, round(height * scale)))
        smooth = cv2.INTER_LINEAR if scale >= 1 else cv2.INTER_AREA
        image = picture if size == (width, height) else cv2.resize(picture, size, interpolation=smooth)
        boxes, scores = self._detect(np.asarray(image, dtype=np.uint8))
        return (boxes / np.float32(scale)).astype(np.float32), scores

    def find_in(
        self, image: Picture, window: tuple[int, int, int, int], frame: Frame
    ) -> tuple[Floats, Floats]:
        boxes, scores = self._detect(image)
        fx, fy = (window[2] - window[0]) / image.shape[1], (window[3] - window[1]) / image.shape[0]
        spread = np.array([fx, fy, fx, fy], np.float32)
        return boxes * spread + np.array([*window[:2], *window[:2]], np.float32), scores

    def _detect(self, image: Picture) -> tuple[Floats, Floats]:
        """Boxes in the image's pixels, and scores."""
        size = (image.shape[1], image.shape[0])
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        rows: Any = self._net.detect(image)[1]
        if rows is None:
            return np.empty((0, 4), np.float32), np.empty((0,), np.float32)
        rows = rows[(rows[:, 2] > 0) & (rows[:, 3] > 0)]
        corner, extent = rows[:, :2], rows[:, 2:4]
        boxes = np.hstack([corner, corner + extent]).astype(np.float32)
        return boxes, np.clip(rows[:, 14], 0, 1).astype(np.float32)


def width_for(layout: CameraLayout) -> int:
    """1280 where every expected face has 24 pixels or more in a picture 1280 wide, else 1920.

    From that size on both find about as many faces, and the smaller costs half.
    """
    least = min((seat.head_px for seat in layout.seats), default=0.0)
    return 1280 if least * 1280 / layout.width >= 24 else WIDTH


def create(options: Mapping[str, float]) -> YuNet:
    """From `width` and `score`; BadInput for any other option."""
    unknown = set(options) - {"width", "score"}
    if unknown:
        raise BadInput("detector-option-unknown", detector=KEY, options=", ".join(sorted(unknown)))
    return YuNet(width=int(options.get("width", WIDTH)), score=float(options.get("score", SCORE)))


class _quiet:
    """Keeps OpenCV from printing that its new engine ignores the choice of a target, which was not ours."""

    def __enter__(self) -> None:
        self._level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

    def __exit__(self, *_: object) -> None:
        cv2.utils.logging.setLogLevel(self._level)
