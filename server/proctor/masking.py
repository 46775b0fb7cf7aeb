"""Makes people unrecognisable whom a finding does not concern: their heads become coarse blocks.

The head place of every other seat is masked whether a face was found there or not, for people write with their heads
down; faces found elsewhere are masked as well.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from server.proctor.evidence import Picture
from server.proctor.seats import CameraLayout

BLOCKS = 5
"""A masked head is shown in so many blocks a side."""
HEAD = 0.95
"""Half the side of what is masked around a seat's head point, in face heights: people lean."""
WIDER = 0.25
"""A found face is masked with so much of its size around it."""
NOBODY = "\0"
"""What is concerned where nobody may be recognised; no seat is called so."""
Box = tuple[float, float, float, float]


def masked(picture: Picture, layout: CameraLayout | None, concerned: str, faces: Iterable[Box]) -> Picture:
    """A copy of a picture (BGR) in which only those whom the finding concerns can be recognised.

    `concerned` is a seat: then heads and faces outside its polygon are masked. Where it is "", somebody at no seat is
    meant: then all seats are masked, and faces in them. With `NOBODY` everybody is masked. `faces` are boxes
    x1, y1, x2, y2 in pixels.
    """
    out = picture.copy()
    height, width = picture.shape[:2]
    here = None if layout is None else layout.scaled(width, height)
    seats = () if here is None else here.seats
    own = next((seat for seat in seats if seat.seat == concerned), None)
    for seat in seats:
        if seat is own:
            continue
        (x, y), half = seat.head, HEAD * seat.head_px
        _blocks(out, (x - half, y - half, x + half, y + half))
    for x1, y1, x2, y2 in faces:
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        if own is not None and own.contains(*middle):
            continue
        if own is None and not concerned and not any(seat.contains(*middle) for seat in seats):
            continue
        dx, dy = WIDER * (x2 - x1), WIDER * (y2 - y1)
        _blocks(out, (x1 - dx, y1 - dy, x2 + dx, y2 + dy))
    if own is not None:
        # Neighbours' masks may reach into the seat that matters: it is shown as it was.
        inside = np.zeros((height, width), np.uint8)
        cv2.fillPoly(inside, [np.rint(np.array(own.polygon)).astype(np.int32)], 1)
        out[inside == 1] = picture[inside == 1]
    return out


def _blocks(picture: Picture, box: Box) -> None:
    height, width = picture.shape[:2]
    x1, y1 = max(0, int(box[0])), max(0, int(box[1]))
    x2, y2 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if x2 - x1 < 2 or y2 - y1 < 2:
        return
    part = picture[y1:y2, x1:x2]
    small = cv2.resize(part, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA)
    picture[y1:y2, x1:x2] = cv2.resize(small, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)
