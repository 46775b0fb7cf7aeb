"""What this process has seen of each camera just now: its newest picture, its rhythm, and where people stay.

Fed with the workers' messages; asked by the wall, by the set-up page and by whoever proposes seats. Nothing here
is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from server.proctor.gathering import Face, Gathering
from server.protocol.proctoring import CameraPicture, CameraSample, FromWorker, SourceTrouble

MEASURED = 30


@dataclass(slots=True)
class Observed:
    """One camera. `size` is that of the positions in its samples, `picture_size` that of the pictures sent;
    (0, 0) before the first. `intervals_s` are between captures, `delays_s` from capture to arrival here, both
    legal seconds of the newest pictures.
    """

    picture: CameraPicture | None = None
    picture_size: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    faces: tuple[Face, ...] = ()
    faults: tuple[str, ...] = ()
    detector: str = ""
    trouble: str = ""
    captured_at: datetime | None = None
    intervals_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED))
    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED))
    gathering: Gathering = field(default_factory=Gathering)

    @property
    def interval_s(self) -> float | None:
        """The median between two pictures, legal seconds; None before the second."""
        return round(median(self.intervals_s), 2) if self.intervals_s else None

    @property
    def delay_s(self) -> float | None:
        """The median from capture to here, legal seconds; None before the first picture."""
        return round(median(self.delays_s), 2) if self.delays_s else None


class Observations:
    """All cameras of this process. `legal` is the legal clock. Called from the event loop's thread only."""

    def __init__(self, legal: Callable[[], datetime]) -> None:
        self._legal = legal
        self._cameras: dict[str, Observed] = {}
        self._news = asyncio.Event()

    def of(self, camera: str) -> Observed:
        """What was seen of a camera; empty before its first message."""
        return self._cameras.setdefault(camera, Observed())

    def newest(self, camera: str) -> CameraPicture | None:
        """The newest picture; None before the first, and while the camera is lost."""
        seen = self._cameras.get(camera)
        return None if seen is None or "lost" in seen.faults else seen.picture

    async def news(self) -> None:
        """Returns when the next picture of any camera has come."""
        await self._news.wait()

    async def pictures(self, camera: str, count: int) -> tuple[CameraPicture, ...]:
        """The next pictures of a camera, as they come; the caller bounds the wait."""
        found: list[CameraPicture] = []
        before = self.of(camera).picture
        while len(found) < count:
            await self.news()
            newest = self.newest(camera)
            if newest is not None and newest is not before:
                found.append(newest)
                before = newest
        return tuple(found)

    def take(self, message: FromWorker) -> None:
        """Takes one message of a worker."""
        match message:
            case CameraPicture():
                self._take_picture(message)
            case CameraSample():
                self._take_sample(message)
            case SourceTrouble():
                self.of(message.camera).trouble = message.reason

    def _take_picture(self, message: CameraPicture) -> None:
        seen = self.of(message.camera)
        before = seen.picture
        if before is None or len(before.jpeg) != len(message.jpeg):
            seen.picture_size = jpeg_size(message.jpeg) or seen.picture_size
        seen.picture = message
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _take_sample(self, message: CameraSample) -> None:
        seen = self.of(message.camera)
        seen.faults, seen.detector = message.faults, message.detector
        if "lost" in message.faults:
            seen.captured_at = None
            return
        if seen.captured_at is not None and message.captured_at > seen.captured_at:
            seen.intervals_s.append((message.captured_at - seen.captured_at).total_seconds())
        seen.captured_at = message.captured_at
        seen.delays_s.append(max(0.0, (self._legal() - message.captured_at).total_seconds()))
        if message.faults or not message.width:
            return
        seen.trouble, seen.size, seen.faces = "", (message.width, message.height), message.faces
        seen.gathering.add(seen.size, message.captured_at, message.faces)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height written in a JPEG's frame header (ITU-T T.81, B.2.2); None where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = (
                int.from_bytes(data[at + 5 : at + 7], "big"),
                int.from_bytes(data[at + 7 : at + 9], "big"),
            )
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
