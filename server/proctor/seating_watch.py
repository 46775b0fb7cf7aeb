"""While a room fills: compares cameras' pictures with the empty room, so that seats can be proposed from what
changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from server.proctor.calibration import ChangedPlaces, grey_of
from server.proctor.evidence import Picture
from server.proctor.proposals import Change
from server.protocol.proctoring import CameraPicture

# Each camera is compared so often, in real seconds, and at most so long after it was begun: sign-in ends by then.
EVERY_S, LONGEST_S = 5.0, 3 * 3600.0
MOST_CAMERAS = 64


@dataclass(slots=True)
class _Watched:
    places: ChangedPlaces
    begun_at: float
    seen_at: datetime | None = None


class SeatingWatch:
    """The cameras whose rooms fill now."""

    def __init__(self, newest: Callable[[str], CameraPicture | None], monotonic: Callable[[], float]) -> None:
        self._newest, self._monotonic = newest, monotonic
        self._watched: dict[str, _Watched] = {}

    def begin(self, camera: str, reference: Picture) -> None:
        """Starts with the empty room's grey picture; a camera begun before starts anew."""
        self._watched.pop(camera, None)
        while len(self._watched) >= MOST_CAMERAS:
            del self._watched[next(iter(self._watched))]
        self._watched[camera] = _Watched(ChangedPlaces(reference), self._monotonic())

    def begun(self, camera: str) -> bool:
        """True while a camera is compared."""
        return camera in self._watched

    def changes(self, camera: str) -> tuple[Change, ...]:
        """Where the camera's picture differs from the empty room now; nothing for one that was not begun."""
        watched = self._watched.get(camera)
        return () if watched is None else watched.places.changes()

    async def run(self) -> None:
        """Compares until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Compares every camera that has a newer picture once."""
        for camera, watched in list(self._watched.items()):
            if self._monotonic() - watched.begun_at > LONGEST_S:
                del self._watched[camera]
                continue
            newest = self._newest(camera)
            if newest is None or newest.captured_at == watched.seen_at:
                continue
            watched.seen_at = newest.captured_at
            await asyncio.to_thread(_compare, watched.places, newest)


def _compare(places: ChangedPlaces, newest: CameraPicture) -> None:
    grey = grey_of(newest.jpeg)
    if grey is not None:
        places.add(grey, newest.captured_at)
