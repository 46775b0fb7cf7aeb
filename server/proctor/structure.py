"""Measures each seat of a picture against its empty references: what changed in structure, and what moves.

A seat's crop is shrunk to 48 x 48 grey and compared in 6 x 6 cells. Correlation within a cell does not care
for light; a cell's mean is compared after the seat's own gain is taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from server.proctor.evidence import Picture
from server.proctor.seats import CameraLayout
from server.proctor.view import View, view_of

SIDE, CELLS = 48, 6
CELL = SIDE // CELLS
CORRELATION_LEAST = 0.5
# A cell counts as textured when both pictures show more than this, or one of them far more.
TEXTURE_STD, TEXTURE_STD_ONE = 5.0, 10.0
MEAN_CHANGE = 28.0
MOTION_LEVELS = 12.0
GAIN_LEAST, GAIN_MOST = 0.3, 3.5

Crops = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SeatMeasure:
    """Structure (share of changed visible cells, None without reference or view), visible share, motion
    share.
    """

    structure: float | None
    visible: float
    motion: float | None


class SeatScale:
    """Measures the seats of one camera, picture after picture; it remembers only the picture before.

    `references` are grey pictures of the empty room in the layout's size, one for each light, or none at
    all: then structure is None throughout. Of several references the one that fits a seat best counts.

    Raises:
        ValueError: a reference is not grey or not of the layout's size.
    """

    def __init__(self, layout: CameraLayout, references: Sequence[Picture]) -> None:
        for reference in references:
            if reference.shape != (layout.height, layout.width):
                raise ValueError(f"a reference is grey and {layout.width} x {layout.height}")
        self._layout = layout
        self._windows = [_window(layout, index) for index in range(len(layout.seats))]
        self._inside = np.stack([_polygon_mask(layout, i, w) for i, w in enumerate(self._windows)])
        self._cells = self._inside.reshape(-1, CELLS, CELL, CELLS, CELL).mean(axis=(2, 4)) >= 0.5
        self._hiding = {
            seat.seat: self._hidden_cells(seat.hidden_by, i) for i, seat in enumerate(layout.seats)
        }
        self._references = [_cells_of(self._crops(view_of(reference))) for reference in references]
        self._before: Crops | None = None

    def measure(self, picture: Picture | View, taken: Collection[str] = ()) -> Mapping[str, SeatMeasure]:
        """Measures every seat of a picture (grey pixels or a view); `taken` names seats whose occupants hide what
        is behind them.
        """
        view = view_of(picture)
        if view.size != (self._layout.width, self._layout.height):
            raise ValueError("the picture has another size than the layout")
        crops = self._crops(view)
        visible = self._cells.copy()
        for index, seat in enumerate(self._layout.seats):
            for front, hidden in self._hiding[seat.seat].items():
                if front in taken:
                    visible[index] &= ~hidden
        total = np.maximum(1, self._cells.sum(axis=(1, 2)))
        seen = visible.sum(axis=(1, 2))
        now = _cells_of(crops)
        scores = [_changed(now, reference, visible) for reference in self._references]
        motion = None if self._before is None else _motion(crops, self._before, self._inside)
        self._before = crops
        out: dict[str, SeatMeasure] = {}
        for index, seat in enumerate(self._layout.seats):
            structure = min((float(score[index]) for score in scores), default=None)
            out[seat.seat] = SeatMeasure(
                structure=structure if seen[index] > 0 else None,
                visible=float(seen[index] / total[index]),
                motion=None if motion is None else float(motion[index]),
            )
        return out

    def forget(self) -> None:
        """Forgets the picture before: motion across a gap or a bad picture is no life."""
        self._before = None

    def _crops(self, view: View) -> Crops:
        """float32 (seats, 48, 48)."""
        crops = np.empty((len(self._windows), SIDE, SIDE), np.float32)
        for index, window in enumerate(self._windows):
            crops[index] = cv2.GaussianBlur(view.patch(window, (SIDE, SIDE)), (3, 3), 0)
        return crops

    def _hidden_cells(self, fronts: Sequence[str], index: int) -> dict[str, Mask]:
        """For each seat in front the cells of this seat that its polygon covers by a fifth or more."""
        by_name = {seat.seat: position for position, seat in enumerate(self._layout.seats)}
        window = self._windows[index]
        out: dict[str, Mask] = {}
        for front in fronts:
            covered = _polygon_mask(self._layout, by_name[front], window)
            out[front] = covered.reshape(CELLS, CELL, CELLS, CELL).mean(axis=(1, 3)) >= 0.2
        return out


def _window(layout: CameraLayout, index: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = layout.seats[index].bounds
    x1, y1 = max(0, x1), max(0, y1)
    x2, y2 = min(layout.width, x2), min(layout.height, y2)
    if x2 - x1 < 4 or y2 - y1 < 4:
        raise ValueError(f"seat {layout.seats[index].seat}: the polygon lies outside the picture")
    return x1, y1, x2, y2


def _polygon_mask(layout: CameraLayout, index: int, window: tuple[int, int, int, int]) -> Mask:
    """bool (48, 48): which pixels of the window belong to the seat's polygon."""
    x1, y1, x2, y2 = window
    scale = np.array([SIDE / (x2 - x1), SIDE / (y2 - y1)])
    corners = (np.array(layout.seats[index].polygon) - (x1, y1)) * scale
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 1)
    return np.asarray(canvas, dtype=bool)


def _cell_means(crops: Crops) -> Crops:
    """float32 (seats, 6, 6): the mean of each cell."""
    tall = crops.reshape(-1, SIDE)
    small = cv2.resize(tall, (CELLS, tall.shape[0] // CELL), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(-1, CELLS, CELLS)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Crops with the mean and the standard deviation of each of their cells."""

    crops: Crops
    mean: Crops
    std: Crops


def _cells_of(crops: Crops) -> _Cells:
    mean = _cell_means(crops)
    variance = _cell_means(crops * crops) - mean * mean
    return _Cells(crops, mean, np.sqrt(np.maximum(0, variance)))


def _changed(now: _Cells, then: _Cells, visible: Mask) -> NDArray[np.float64]:
    """float64 (seats,): the share of visible cells that differ from the reference."""
    product = _cell_means(now.crops * then.crops) - now.mean * then.mean
    correlation = product / np.maximum(1e-3, now.std * then.std)
    both = np.minimum(now.std, then.std) > TEXTURE_STD
    one = np.maximum(now.std, then.std) > TEXTURE_STD_ONE
    gain = _median(now.mean / np.maximum(np.float32(1), then.mean), visible)
    gain = np.clip(gain, GAIN_LEAST, GAIN_MOST)[:, None, None]
    changed = (both | one) & (correlation < CORRELATION_LEAST)
    changed |= np.abs(now.mean - gain * then.mean) > MEAN_CHANGE
    return np.asarray((changed & visible).sum(axis=(1, 2)) / np.maximum(1, visible.sum(axis=(1, 2))))


def _median(ratio: NDArray[Any], visible: Mask) -> NDArray[np.float64]:
    """float64 (seats,): the median over a seat's visible cells; 1 where none is visible."""
    ordered = np.sort(np.where(visible, ratio, np.inf).reshape(len(ratio), -1), axis=1)
    count = visible.reshape(len(visible), -1).sum(axis=1)
    row = np.arange(len(ordered))
    low, high = ordered[row, np.maximum(0, count - 1) // 2], ordered[row, count // 2]
    return np.asarray(np.where(count > 0, (low + high) / 2, 1.0), dtype=np.float64)


def _motion(crops: Crops, before: Crops, inside: Mask) -> NDArray[np.float64]:
    """float64 (seats,): the share of the polygon's pixels that changed by more than 12 levels, light taken
    out.
    """
    ratio = crops.reshape(len(crops), -1).mean(axis=1) / np.maximum(
        1.0, before.reshape(len(before), -1).mean(axis=1)
    )
    moved = np.abs(crops - np.clip(ratio, GAIN_LEAST, GAIN_MOST)[:, None, None] * before) > MOTION_LEVELS
    return np.asarray((moved & inside).sum(axis=(1, 2)) / np.maximum(1, inside.sum(axis=(1, 2))))
