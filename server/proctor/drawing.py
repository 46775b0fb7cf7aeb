"""Draws a recording's caption, and the seats' numbers, on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from server.proctor.captions import caption_lines
from server.proctor.evidence import Picture
from server.proctor.seats import CameraLayout
from server.protocol.recording import CaptionText

FONT = Path(__file__).parents[1] / "web" / "static" / "fonts" / "NotoSansSC-Regular.ttf"
"""Where `make assets` puts it; without it OpenCV's own face for all scripts is used."""
JPEG_QUALITY = 80


@cache
def _face() -> cv2.FontFace:
    return cv2.FontFace(str(FONT)) if FONT.is_file() else cv2.FontFace("uni")


def captioned(
    picture: Picture, caption: CaptionText, moment: datetime, layout: CameraLayout | None = None
) -> Picture:
    """A copy of a picture (BGR) with the five things that must be readable, white on a dark band at its top; with a
    layout, each seat's number at its place."""
    out = lined(picture, caption_lines(caption, moment))
    height, width = out.shape[:2]
    size, band = _measures(height)
    for seat in () if layout is None else layout.scaled(width, height).seats:
        x1, y1, _, _ = seat.bounds
        place = (max(0, x1), max(band + size, y1 + size))
        cv2.putText(out, seat.seat, (place[0] + 1, place[1] + 1), (0, 0, 0), _face(), size, 600)
        cv2.putText(out, seat.seat, place, (255, 255, 255), _face(), size, 600)
    return out


def lined(picture: Picture, lines: Sequence[str]) -> Picture:
    """A copy of a picture (BGR) with up to two lines, white on a dark band at its top."""
    out = picture.copy()
    height, width = out.shape[:2]
    size, band = _measures(height)
    out[:band] = (out[:band] * 0.35).astype(np.uint8)
    for number, line in enumerate(lines):
        at = (size // 2, round(size * (1.25 + 1.4 * number)))
        cv2.putText(out, line, at, (255, 255, 255), _face(), _fitting(line, size, width), 500)
    return out


def _measures(height: int) -> tuple[int, int]:
    """Size of letters and height of the band, in pixels."""
    size = max(12, height // 32)
    return size, round(size * 3.1)


def jpeg(picture: Picture) -> bytes:
    """A picture as JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(data).tobytes() if done else b""


def _fitting(line: str, size: int, width: int) -> int:
    """The largest size up to `size` at which the line fits the picture."""
    _x, _y, wide, _h = cv2.getTextSize((width, size), line, (0, 0), _face(), size, 500)
    return size if wide <= width - size else max(8, int(size * (width - size) / wide))
