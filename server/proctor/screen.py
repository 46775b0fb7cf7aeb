"""Which picture one wall gets next: only cameras that are on its screen, the newest picture wins, none starves.

A wall says which cameras its reader sees and acknowledges each picture; so a slow line gets fewer pictures,
never older ones, and nothing is queued for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

# Pictures that may be under way to one wall, and the least time between two of the same camera.
UNDER_WAY, EACH_S = 3, 0.45
MOST_CAMERAS = 64


class Screen:
    """The state of one wall. Times are monotonic seconds; capture times only tell pictures apart."""

    def __init__(self) -> None:
        self.cameras: tuple[str, ...] = ()
        self.width = 0
        self._under_way = 0
        self._sent: dict[str, tuple[datetime, float]] = {}

    def show(self, cameras: tuple[str, ...], width: int) -> tuple[str, ...]:
        """Takes what is on the screen now; returns the cameras that were not there before.

        Raises:
            ValueError: more than 64 cameras, or one of them twice.
        """
        if len(cameras) > MOST_CAMERAS or len(set(cameras)) != len(cameras):
            raise ValueError("a screen shows at most 64 cameras, each once")
        fresh = tuple(camera for camera in cameras if camera not in self.cameras)
        if width != self.width:
            self._sent.clear()
        self.cameras, self.width = cameras, width
        self._sent = {camera: sent for camera, sent in self._sent.items() if camera in cameras}
        return fresh

    def acknowledge(self) -> None:
        """The wall has drawn a picture."""
        self._under_way = max(0, self._under_way - 1)

    def next(self, newest: Mapping[str, datetime], now: float) -> str | None:
        """The camera whose newest picture is to be sent now: one not sent yet, of those the one sent longest
        ago; None where nothing is due.

        `newest` holds the capture time of each camera's newest picture.
        """
        if self._under_way >= UNDER_WAY:
            return None
        due = []
        for order, camera in enumerate(self.cameras):
            captured = newest.get(camera)
            sent = self._sent.get(camera)
            if captured is None or (sent is not None and (captured <= sent[0] or now - sent[1] < EACH_S)):
                continue
            due.append((sent is not None, 0.0 if sent is None else sent[1], order, camera))
        return min(due)[3] if due else None

    def sent(self, camera: str, captured_at: datetime, now: float) -> None:
        """Notes that a picture is under way."""
        self._sent[camera] = (captured_at, now)
        self._under_way += 1
