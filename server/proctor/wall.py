"""Small pictures for the wall: made once for all who look, in one thread that stands behind the exam."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import cv2
import numpy as np

from server.protocol.proctoring import CameraPicture

QUALITY = 62
NICENESS = 10
WIDTHS = (320, 480, 960)


class Wall:
    """The small pictures of one process; `newest` gives a camera's newest picture.

    Only cameras that somebody asks for cost anything. Called from the event loop's thread.
    """

    def __init__(self, newest: Callable[[str], CameraPicture | None]) -> None:
        self._newest = newest
        self._pool: ThreadPoolExecutor | None = None
        self._made: dict[tuple[str, int], tuple[datetime, asyncio.Future[bytes]]] = {}
        self.layouts = 0

    async def picture(self, camera: str, width: int) -> tuple[datetime, bytes] | None:
        """The newest picture of a camera at most so wide, as JPEG, and its capture time; None where there is
        none or it cannot be read.
        """
        newest = self._newest(camera)
        if newest is None:
            return None
        key = (camera, width)
        held = self._made.get(key)
        if held is None or held[0] != newest.captured_at:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, "wall", _stand_behind)
            made = asyncio.get_running_loop().run_in_executor(self._pool, smaller, newest.jpeg, width)
            held = (newest.captured_at, made)
            self._made[key] = held
        jpeg = await asyncio.shield(held[1])
        return (held[0], jpeg) if jpeg else None

    def seats_changed(self) -> None:
        """A camera's seats were saved: every wall asks for them again."""
        self.layouts += 1

    def stop(self) -> None:
        """Ends the thread."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _stand_behind() -> None:
    """Answers go before pictures: the thread gives way to every other of the process (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def smaller(jpeg: bytes, width: int) -> bytes:
    """The picture at most so wide; b"" where it cannot be read. A picture that fits is given as it is."""
    data = np.frombuffer(jpeg, np.uint8)
    if not len(data):
        return b""
    # A JPEG is decoded at half its size for a fraction of the work where that is still wide enough.
    picture = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 if width <= 640 else cv2.IMREAD_COLOR)
    if picture is None:
        return b""
    if picture.shape[1] < width:
        full = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if full is None or full.shape[1] <= width:
            return jpeg
        picture = full
    if picture.shape[1] > width:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    done, out = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(out).tobytes() if done else b""
