"""What one camera's search for faces remembers: what moved since each place was looked at, which strangers
stand where, and which faces were seen last.

`schedule` decides where to look; this keeps what it needs to know, on a grey copy of 320 x 180.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from server.proctor import schedule
from server.proctor.evidence import Picture
from server.proctor.quality import SMALL, shrunk
from server.proctor.schedule import Look, LookCount, LookRule, Need, Place
from server.proctor.seats import CameraLayout, SeatRegion

FaceBox = tuple[float, float, float, float, float]

# A seat's place reaches this many face heights to the sides of its head point, above and below it: who leans
# over to it is in view.
BESIDE, ABOVE, BELOW = 1.75, 1.45, 0.9
# Cells of the grey copy, in its pixels: movement in small ones, what is no seat in large ones.
FINE, COARSE = 10, 40
# A pixel moved when it changed by more than this many levels, and a cell when this share of it did.
LEVELS, SHARE = 14, 0.12
# A cell off the seats holds something when this share of it differs from the empty room by this many levels.
THING_LEVELS, THING_SHARE = 24, 0.12
# Something that comes to stand off the seats is in doubt at once, unless it was there this short while ago.
FILLED_AGAIN = timedelta(seconds=10)
# A stranger's place stays in doubt for this long after he was seen, and is this many face heights around him.
STRANGER_S, STRANGER_AROUND = 8.0, 2.0
# A stranger whose place was not looked at in a picture still counts in it for this long.
UNSEEN_S = 3.0
# Faces elsewhere in the picture are as they were for this long.
FACES_S = 15.0


class Gaze:
    """The memory of one camera's looks. `reference` is grey, of the layout's size."""

    def __init__(self, layout: CameraLayout, reference: Picture | None, rule: LookRule) -> None:
        self._layout, self._rule = layout, rule
        self._size = (layout.width, layout.height)
        self._seats = tuple(_seat_place(seat) for seat in layout.seats)
        self._grounds = _ground_places(layout) if reference is not None and layout.seats else ()
        self._cells = {place.key: _cells(place, self._size) for place in (*self._seats, *self._grounds)}
        self._off_seats = _off_seats(layout)
        self._empty = None if reference is None else shrunk(reference)
        self._before: Picture | None = None
        self._looked_at: dict[str, datetime] = {}
        self._whole_at: datetime | None = None
        self._moved: set[str] = set()
        # When something stood off the seats in a place last, and where it has come since the last look.
        self._filled: dict[str, datetime] = {}
        self._risen: set[str] = set()
        self._strangers: list[tuple[Place, FaceBox, datetime]] = []
        self._shown: tuple[FaceBox, ...] = ()
        self._faces: list[tuple[FaceBox, datetime]] = []
        self._last: datetime | None = None
        self._interval_s = float("inf")
        self.counts = LookCount()

    @property
    def faces(self) -> tuple[FaceBox, ...]:
        """The faces last seen in each part of the picture."""
        return tuple(face for face, _ in self._faces)

    @property
    def strays(self) -> tuple[FaceBox, ...]:
        """The strangers among them that the newest picture shows, or that were not looked for in it."""
        return self._shown

    def notice(self, small: Picture, at: datetime) -> None:
        """Takes the grey copy of a usable picture: what moved since the one before, what stands off the
        seats.
        """
        if self._last is not None:
            self._interval_s = (at - self._last).total_seconds()
        if self._before is not None:
            gain = small.mean() / max(1.0, self._before.mean())
            before = self._before if abs(gain - 1) < 0.02 else cv2.convertScaleAbs(self._before, alpha=gain)
            moved = _shares(_bytes(cv2.absdiff(small, _bytes(before))), LEVELS, FINE) > SHARE
            self._moved |= {key for key, (rows, columns) in self._cells.items() if moved[rows, columns].any()}
        if self._empty is not None and self._grounds:
            gain = float(np.median(small[::8, ::8] / np.maximum(1.0, self._empty[::8, ::8])))
            usual = cv2.convertScaleAbs(self._empty, alpha=gain)
            apart = _bytes(cv2.bitwise_and(cv2.absdiff(small, _bytes(usual)), self._off_seats))
            filled = _shares(apart, THING_LEVELS, FINE) > THING_SHARE
            for key, (rows, columns) in self._cells.items():
                if not filled[rows, columns].any():
                    continue
                last = self._filled.get(key)
                if last is None or at - last > FILLED_AGAIN:
                    self._risen.add(key)
                self._filled[key] = at
        self._before = small
        self._last = at

    def looks(self, doubts: Collection[str], at: datetime) -> tuple[Look, ...]:
        """Where to look in the picture of `at`; `doubts` are seats."""
        strangers = [place for place, _, _ in self._strangers]
        grounds = [place for place in self._grounds if self._filled.get(place.key) == at]
        places = (*self._seats, *grounds, *strangers)
        doubted = {f"seat {seat}" for seat in doubts} | {place.key for place in strangers} | self._risen
        needs = {}
        for place in places:
            seen_at = self._looked_at.get(place.key)
            if seen_at is not None:
                age = (at - seen_at).total_seconds()
                needs[place.key] = Need(age, place.key in doubted, place.key in self._moved)
        whole = float("inf") if self._whole_at is None else (at - self._whole_at).total_seconds()
        return schedule.plan(places, needs, self._size, whole, self._interval_s, self._rule)

    def filled(self, seat: str) -> bool:
        """True where something stands off the seats around that one in the newest picture."""
        return self._last is not None and self._filled.get(f"seat {seat}") == self._last

    def seats_settled(self, looks: Sequence[Look]) -> set[str]:
        """The seats of which the looks tell how many faces are there."""
        keys = {key for look in looks for key in look.keys or ()}
        whole = any(look.keys is None for look in looks)
        return {seat.seat for seat in self._layout.seats if whole or f"seat {seat.seat}" in keys}

    def remember(
        self,
        looks: Sequence[Look],
        faces: Sequence[FaceBox],
        from_look: Sequence[int],
        strays: Sequence[int],
        at: datetime,
    ) -> None:
        """Takes what the looks at the picture of `at` found; `strays` are indices into `faces`."""
        waited = schedule.oldest(self._looked_at, self._seats, at)
        for look in looks:
            keys = list(self._cells) if look.keys is None else look.keys
            for key in keys:
                self._looked_at[key] = at
                self._moved.discard(key)
                self._risen.discard(key)
            if look.keys is None:
                self._whole_at = at
        seen = [look.window for look in looks]
        self._faces = [
            (face, then)
            for face, then in self._faces
            if not _in_any(face, seen) and at - then <= timedelta(seconds=FACES_S)
        ] + [(face, at) for face in faces]
        self._follow_strangers(seen, [faces[index] for index in strays], at)
        self._count(looks, waited, at)

    def forget(self) -> None:
        """After a picture that could not be used: nothing is known of faces, and the whole is looked at next."""
        self._before = self._last = self._whole_at = None
        self._interval_s = float("inf")
        self._looked_at.clear()
        self._moved.clear()
        self._filled.clear()
        self._risen.clear()
        self._faces.clear()
        self._strangers.clear()
        self._shown = ()

    def _follow_strangers(
        self, seen: Sequence[tuple[int, int, int, int]], strays: Sequence[FaceBox], at: datetime
    ) -> None:
        """A stranger found again keeps one place; one not found where he was is looked for some seconds more."""
        kept = []
        for place, face, seen_at in self._strangers:
            near = any(_near(face, stray) for stray in strays)
            if not near and at - seen_at <= timedelta(seconds=STRANGER_S):
                kept.append((place, face, seen_at))
        fresh = [(_stranger_place(face, number), face, at) for number, face in enumerate(strays)]
        self._strangers = [
            (Place(f"stranger {number}", place.box, place.face_px, bounded=False), face, then)
            for number, (place, face, then) in enumerate((*fresh, *kept))
        ]
        for place, _, _ in self._strangers:
            # He is looked for in every picture until he is lost.
            self._looked_at[place.key] = at
        unseen = timedelta(seconds=UNSEEN_S)
        self._shown = tuple(
            face
            for _, face, then in self._strangers
            if then == at or (at - then <= unseen and not _in_any(face, seen))
        )

    def _count(self, looks: Sequence[Look], waited: float, at: datetime) -> None:
        counts = self.counts
        passed = self._interval_s if np.isfinite(self._interval_s) else 0.0
        wholes = sum(look.keys is None for look in looks)
        self.counts = LookCount(
            samples=counts.samples + 1,
            looks=counts.looks + len(looks),
            wholes=counts.wholes + wholes,
            seconds=counts.seconds + passed,
            oldest_s=max(counts.oldest_s, waited),
        )


def _seat_place(seat: SeatRegion) -> Place:
    x, y = seat.head
    tall = seat.head_px
    box = (x - BESIDE * tall, y - ABOVE * tall, x + BESIDE * tall, y + BELOW * tall)
    return Place(f"seat {seat.seat}", box, tall)


def _stranger_place(face: FaceBox, number: int) -> Place:
    x, y, tall = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2, face[3] - face[1]
    around = STRANGER_AROUND * tall
    return Place(f"stranger {number}", (x - around, y - around, x + around, y + around), tall, bounded=False)


def _ground_places(layout: CameraLayout) -> tuple[Place, ...]:
    """Cells of the whole picture; a face in one is as tall as at the nearest seat."""
    heads = np.array([seat.head for seat in layout.seats])
    step_x, step_y = layout.width * COARSE / SMALL[0], layout.height * COARSE / SMALL[1]
    places = []
    for row in range(-(-SMALL[1] // COARSE)):
        for column in range(-(-SMALL[0] // COARSE)):
            x1, y1 = column * step_x, row * step_y
            x2, y2 = min(layout.width, x1 + step_x), min(layout.height, y1 + step_y)
            nearest = int(np.argmin(np.linalg.norm(heads - ((x1 + x2) / 2, (y1 + y2) / 2), axis=1)))
            tall = layout.seats[nearest].head_px
            places.append(Place(f"ground {row} {column}", (x1, y1, x2, y2), tall, bounded=False))
    return tuple(places)


def _off_seats(layout: CameraLayout) -> Picture:
    """uint8 (180, 320): 255 where no seat is within half a face height, 0 elsewhere."""
    canvas = np.full((SMALL[1], SMALL[0]), 255, np.uint8)
    fx, fy = SMALL[0] / layout.width, SMALL[1] / layout.height
    for seat in layout.seats:
        corners = np.rint(np.array(seat.polygon) * (fx, fy)).astype(np.int32)
        cv2.fillPoly(canvas, [corners], 0)
        cv2.polylines(canvas, [corners], True, 0, max(1, round(seat.head_px * fx)))
    return canvas


def _cells(place: Place, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the fine cells that a place touches."""
    fx, fy = SMALL[0] / size[0] / FINE, SMALL[1] / size[1] / FINE
    x1, y1, x2, y2 = place.box
    rows = slice(max(0, int(y1 * fy)), max(1, int(np.ceil(y2 * fy))))
    return rows, slice(max(0, int(x1 * fx)), max(1, int(np.ceil(x2 * fx))))


def _shares(difference: Picture, levels: int, cell: int) -> NDArray[np.float32]:
    """float32 (rows, columns): the share of each cell's pixels over so many levels."""
    over = cv2.threshold(difference, levels, 255, cv2.THRESH_BINARY)[1]
    size = (SMALL[0] // cell, SMALL[1] // cell)
    return np.asarray(
        cv2.resize(over, size, interpolation=cv2.INTER_AREA) / np.float32(255), dtype=np.float32
    )


def _bytes(picture: NDArray[Any]) -> Picture:
    return np.asarray(picture, dtype=np.uint8)


def _in_any(face: FaceBox, windows: Sequence[tuple[int, int, int, int]]) -> bool:
    x, y = (face[0] + face[2]) / 2, (face[1] + face[3]) / 2
    return any(x1 <= x < x2 and y1 <= y < y2 for x1, y1, x2, y2 in windows)


def _near(one: FaceBox, other: FaceBox) -> bool:
    """True where two boxes may be one person's: their middles are less than one face height apart."""
    across = (one[0] + one[2] - other[0] - other[2]) / 2
    down = (one[1] + one[3] - other[1] - other[3]) / 2
    return bool(np.hypot(across, down) < max(one[3] - one[1], other[3] - other[1]))
