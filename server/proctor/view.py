"""One picture as the stages read it: small grey patches for the tests of picture and seats, and small colour
windows for the detector.

A decoded video picture is never converted whole: patches come from its brightness plane, and only the windows
that are looked at become colour.
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np

from server.proctor.evidence import Picture

Window = tuple[int, int, int, int]


class View(Protocol):
    """A picture of `size` (width, height) in pixels; what it gives is in these pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""

    def grey(self) -> Picture:
        """uint8 (H, W), 0 black to 255 white."""

    def patch(self, window: Window, size: tuple[int, int]) -> Picture:
        """The pixels x1, y1, x2, y2 in grey, brought to `size` (width, height): halved while they are twice as
        large or more, then interpolated.
        """

    def window(self, window: Window, net: tuple[int, int]) -> Picture:
        """The pixels x1, y1, x2, y2 brought to `net` (width, height): uint8 BGR, contiguous."""

    def scaled(self, size: tuple[int, int]) -> View:
        """The same picture in another size."""


class PixelsView:
    """A view of BGR pixels, or of grey ones where colour windows are not wanted."""

    def __init__(self, pixels: Picture) -> None:
        self._pixels = pixels
        self._grey: Picture | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self._pixels.shape[1], self._pixels.shape[0]

    def grey(self) -> Picture:
        if self._grey is None:
            colour = self._pixels.ndim == 3
            self._grey = _bytes(cv2.cvtColor(self._pixels, cv2.COLOR_BGR2GRAY)) if colour else self._pixels
        return self._grey

    def patch(self, window: Window, size: tuple[int, int]) -> Picture:
        x1, y1, x2, y2 = window
        return _quickly(self.grey()[y1:y2, x1:x2], size)

    def window(self, window: Window, net: tuple[int, int]) -> Picture:
        x1, y1, x2, y2 = window
        return _to(self._pixels[y1:y2, x1:x2], net)

    def scaled(self, size: tuple[int, int]) -> View:
        return self if size == self.size else PixelsView(_to(self._pixels, size))


class PlanesView:
    """A view of a planar 4:2:0 picture as video decoders give it.

    `luma` is uint8 (H, W), `blue` and `red` uint8 (H/2, W/2); `full` tells that brightness runs from 0 to 255
    instead of the usual 16 to 235. `size` is that of the view, whatever the planes have.
    """

    def __init__(
        self, luma: Picture, blue: Picture, red: Picture, full: bool, size: tuple[int, int] | None = None
    ) -> None:
        self._luma, self._blue, self._red, self._full = luma, blue, red, full
        self._size = size or (luma.shape[1], luma.shape[0])
        self._grey: Picture | None = None

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def grey(self) -> Picture:
        if self._grey is None:
            self._grey = self._stretched(_to(self._luma, self._size))
        return self._grey

    def patch(self, window: Window, size: tuple[int, int]) -> Picture:
        fx, fy = self._luma.shape[1] / self._size[0], self._luma.shape[0] / self._size[1]
        x1, y1, x2, y2 = (round(edge * by) for edge, by in zip(window, (fx, fy, fx, fy), strict=True))
        return self._stretched(_quickly(self._luma[y1 : max(y1 + 1, y2), x1 : max(x1 + 1, x2)], size))

    def _stretched(self, luma: Picture) -> Picture:
        if self._full:
            return luma
        return _bytes(cv2.convertScaleAbs(luma, alpha=255 / 219, beta=-16 * 255 / 219))

    def window(self, window: Window, net: tuple[int, int]) -> Picture:
        fx, fy = self._luma.shape[1] / self._size[0], self._luma.shape[0] / self._size[1]
        # Windows of colour planes start and end at even pixels.
        x1, x2 = (round(x * fx / 2) * 2 for x in window[0::2])
        y1, y2 = (round(y * fy / 2) * 2 for y in window[1::2])
        width, height = net[0] // 2 * 2, net[1] // 2 * 2
        half = (width // 2, height // 2)
        luma = _to(self._luma[y1:y2, x1:x2], (width, height))
        if self._full:
            luma = np.asarray(cv2.convertScaleAbs(luma, alpha=219 / 255, beta=16), dtype=np.uint8)
        colour = [
            _to(plane[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2], half).ravel()
            for plane in (self._blue, self._red)
        ]
        planes = np.concatenate([luma.ravel(), *colour]).reshape(height * 3 // 2, width)
        out = np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), dtype=np.uint8)
        return _to(out, net)

    def scaled(self, size: tuple[int, int]) -> View:
        return PlanesView(self._luma, self._blue, self._red, self._full, size)


def view_of(picture: Picture | View) -> View:
    """A view of BGR pixels, or the view itself."""
    return PixelsView(picture) if isinstance(picture, np.ndarray) else picture


def _to(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture in that size, contiguous; the same array where nothing is to be done."""
    picture = _halved(picture, size)
    height, width = picture.shape[:2]
    if (width, height) == size:
        return np.ascontiguousarray(picture)
    smooth = cv2.INTER_AREA if size[0] < width else cv2.INTER_LINEAR
    return _bytes(cv2.resize(picture, size, interpolation=smooth))


def _quickly(picture: Picture, size: tuple[int, int]) -> Picture:
    """The same by plain interpolation, which is enough below a halving and costs a quarter."""
    picture = _halved(picture, size)
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    return _bytes(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR))


def _halved(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture halved as long as it is twice that size or more; means of four pixels are the cheapest there are."""
    height, width = picture.shape[:2]
    while width >= 2 * size[0] and height >= 2 * size[1]:
        # Halving an even size is quick, any other slow: an odd edge is left out.
        width, height = width // 2, height // 2
        even = picture[: 2 * height, : 2 * width]
        picture = _bytes(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return picture


def _bytes(picture: Any) -> Picture:
    return np.asarray(picture, dtype=np.uint8)
