"""Gathers the faces of one camera into places where people stay, picture after picture, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from server.proctor.proposals import Track

# Faces nearer than this many face heights belong to one person who moved between pictures.
SAME_PLACE = 1.2
POINTS_KEPT = 32
MOST_PLACES = 240
# A place with few faces is forgotten after this many seconds without one; any place after the longer time.
PASSING_S, GONE_S = 300.0, 5400.0
# One picture in so many seconds is enough: who sits down stays for an hour.
EVERY_S = 2.0

Face = tuple[float, float, float, float, float]
"""x1, y1, x2, y2, score."""


@dataclass(slots=True)
class _Place:
    points: deque[tuple[float, float, float]]
    first_at: datetime
    last_at: datetime
    sightings: int = 1

    @property
    def middle(self) -> tuple[float, float, float]:
        x, y, tall = np.median(np.array(self.points), axis=0)
        return float(x), float(y), float(tall)


@dataclass(slots=True)
class Gathering:
    """The places of one camera's picture of `size`. Pictures of another size start it anew."""

    size: tuple[int, int] = (0, 0)
    pictures: int = 0
    _places: list[_Place] = field(default_factory=list)
    _seen_at: datetime | None = None

    def add(self, size: tuple[int, int], at: datetime, faces: Sequence[Face]) -> None:
        """Takes the faces of one picture; pictures that follow within two seconds, or go back, are left out."""
        if size != self.size:
            self.size, self.pictures, self._places, self._seen_at = size, 0, [], None
        if self._seen_at is not None and at < self._seen_at + timedelta(seconds=EVERY_S):
            return
        self._seen_at = at
        self.pictures += 1
        self._forget(at)
        known = np.array([place.points[-1] for place in self._places], dtype=np.float64).reshape(-1, 3)
        used: set[int] = set()
        for x1, y1, x2, y2, _ in sorted(faces, key=lambda face: -face[4]):
            point = ((x1 + x2) / 2, (y1 + y2) / 2, y2 - y1)
            near = _nearest(known, point, used)
            if near is None:
                if len(self._places) < MOST_PLACES:
                    self._places.append(_Place(deque([point], POINTS_KEPT), at, at))
                continue
            used.add(near)
            place = self._places[near]
            place.points.append(point)
            place.last_at, place.sightings = at, place.sightings + 1

    def tracks(self) -> tuple[Track, ...]:
        """The places known now, the most often seen first."""
        ordered = sorted(self._places, key=lambda place: -place.sightings)
        return tuple(
            Track(*place.middle, place.first_at, place.last_at, place.sightings) for place in ordered
        )

    def _forget(self, at: datetime) -> None:
        def kept(place: _Place) -> bool:
            silent = (at - place.last_at).total_seconds()
            return silent <= (GONE_S if place.sightings >= POINTS_KEPT // 4 else PASSING_S)

        if not all(map(kept, self._places)):
            self._places = [place for place in self._places if kept(place)]


def _nearest(
    known: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    point: tuple[float, float, float],
    used: set[int],
) -> int | None:
    if not len(known):
        return None
    gaps = np.hypot(known[:, 0] - point[0], known[:, 1] - point[1])
    fits = gaps <= SAME_PLACE * np.maximum(known[:, 2], point[2])
    fits[list(used)] = False
    if not fits.any():
        return None
    return int(np.argmin(np.where(fits, gaps, np.inf)))
