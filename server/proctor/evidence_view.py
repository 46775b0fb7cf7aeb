"""Evidence as it is shown: the picture and the clip of a finding with everybody masked whom it does not concern.

Everything here blocks and belongs into a thread.
"""

from __future__ import annotations

import io
import threading
from datetime import UTC, datetime
from functools import cache

import av
import numpy as np

from server.errors import NotFound, Unavailable
from server.proctor.capture import decode
from server.proctor.detection import FaceDetector, create_detector
from server.proctor.drawing import jpeg
from server.proctor.evidence import Frame, Picture
from server.proctor.masking import NOBODY, Box, masked
from server.proctor.seats import CameraLayout
from server.proctor.transcoding import Film

_LOCK = threading.Lock()
_WIDTH = 1280.0


@cache
def _detector() -> FaceDetector | None:
    """The face detector for masking; None where its model is not installed: then seats' heads alone are masked."""
    try:
        return create_detector("yunet", {"width": _WIDTH})
    except Unavailable:
        return None


def faces_in(picture: Picture) -> tuple[Box, ...]:
    """Boxes x1, y1, x2, y2 of the faces in a picture."""
    frame = Frame("", "", datetime(1970, 1, 1, tzinfo=UTC), picture.shape[1], picture.shape[0])
    with _LOCK:
        detector = _detector()
        boxes = () if detector is None else detector.find(picture, frame)[0]
    return tuple((float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in boxes)


def picture_for(data: bytes, layout: CameraLayout | None, about: str) -> bytes:
    """The kept picture (JPEG) of a finding about a seat, or "" for somebody at none, masked, as JPEG again."""
    picture = decode(data)
    if picture is None:
        raise NotFound("evidence-unknown", picture="")
    return jpeg(masked(picture, layout, about, faces_in(picture)))


def picture_of_nobody(data: bytes, layout: CameraLayout) -> bytes:
    """A picture (JPEG) with everybody masked, as JPEG again. Unavailable `camera-not-masked` where no face model is
    installed: seats that are not drawn yet could not be masked."""
    picture = decode(data)
    if picture is None or _detector() is None:
        raise Unavailable("camera-not-masked", camera=layout.camera_id)
    return jpeg(masked(picture, layout, NOBODY, faces_in(picture)))


def clip_for(data: bytes, layout: CameraLayout | None, about: str) -> bytes:
    """The kept clip (Matroska) of a finding, masked, its caption drawn, as MP4. Faces are looked for once a second: a
    mask is wide enough for what a head moves in that time."""
    out = io.BytesIO()
    film = Film(out)
    boxes: tuple[Box, ...] = ()
    searched = -1.0
    captions = _captions(data)
    with av.open(io.BytesIO(data), "r") as video:
        for shown in video.decode(video.streams.video[0]):
            second = float(shown.time or 0.0)
            picture = np.asarray(shown.to_ndarray(format="bgr24"), dtype=np.uint8)
            if searched < 0 or second - searched >= 1.0:
                boxes, searched = faces_in(picture), second
            film.put(masked(picture, layout, about, boxes), second, captions.get(int(second), ()))
    film.close()
    return out.getvalue()


def _captions(data: bytes) -> dict[int, tuple[str, ...]]:
    """The lines of the caption track, by whole second."""
    with av.open(io.BytesIO(data), "r") as video:
        texts = video.streams.subtitles
        if not texts:
            return {}
        return {
            int((packet.pts or 0) * (packet.time_base or 0)): tuple(bytes(packet).decode().split("\n"))
            for packet in video.demux(texts[0])
            if packet.size
        }
