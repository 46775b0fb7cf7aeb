"""Decides where to look for faces in the next picture: what is in doubt first and larger, what moved next,
what is quiet seldom, and no seat longer ago than a stated time.

A look is a window of the picture that is brought to one small size for the detector, so that every look costs
the same. How far it is enlarged follows from the size that faces have there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
# The urgency from which on a place is in doubt.
DOUBT = 100.0


@dataclass(frozen=True, slots=True)
class LookRule:
    """How much is looked at. Durations are seconds of capture time.

    A window is `net` pixels for the detector. Faces are brought to `face_px` pixels there, to `doubt_px` where
    a place is in doubt. A place that moved is looked at again after `moved_s`, a still one after `still_s`; no
    seat waits longer than `oldest_s` while a picture comes each second. The whole picture is looked at every
    `whole_s`, and at every picture where pictures come less often than every `seldom_s`.
    """

    version: int = 1
    net: tuple[int, int] = (320, 192)
    face_px: float = 30.0
    doubt_px: float = 40.0
    most_scale: float = 2.5
    moved_s: float = 5.0
    still_s: float = 9.0
    oldest_s: float = 12.0
    doubt_s: float = 0.8
    whole_s: float = 60.0
    seldom_s: float = 10.0
    doubt_windows: int = 2
    most_windows: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.moved_s <= self.still_s <= self.oldest_s <= self.whole_s:
            raise ValueError("what moved is looked at before what is still, and both before the oldest bound")
        if not 1 <= self.doubt_windows <= self.most_windows:
            raise ValueError("the windows for doubts are among the windows of a picture")


RULE = LookRule()


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a face may be: its box in source pixels and how tall a face is there.

    `bounded` is true for seats: they are looked at within the rule's `oldest_s`, moved or not.
    """

    key: str
    box: Box
    face_px: float
    bounded: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """Why a place wants a look: seconds since the last one (infinite before the first), in doubt, moved since."""

    age_s: float
    doubt: bool = False
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """One window: source pixels x1, y1, x2, y2, its size for the detector, and the places it settles.

    `keys` None settles every place: the look is at the whole picture.
    """

    window: tuple[int, int, int, int]
    net: tuple[int, int]
    keys: tuple[str, ...] | None


def urgency(place: Place, need: Need, rule: LookRule = RULE) -> float:
    """0 where no look is wanted yet; 1 and more where one is; 100 and more where the place is in doubt."""
    if need.doubt:
        return DOUBT + min(need.age_s, 99.0) if need.age_s >= rule.doubt_s else 0.0
    if need.moved and need.age_s >= rule.moved_s:
        return min(need.age_s / rule.moved_s, 90.0)
    if place.bounded and need.age_s >= rule.still_s:
        return min(need.age_s / rule.still_s, 90.0)
    return 0.0


def plan(
    places: Sequence[Place],
    needs: Mapping[str, Need],
    size: tuple[int, int],
    since_whole_s: float,
    interval_s: float,
    rule: LookRule = RULE,
) -> tuple[Look, ...]:
    """The looks that the next picture gets, at most `most_windows`; one at the whole picture stands alone.

    `size` is the picture's width and height, `since_whole_s` the seconds since the whole was looked at,
    `interval_s` those since the last picture; both are infinite at the start. A place without a need has never
    been looked at.
    """
    whole = Look((0, 0, *size), size, None)
    if not places or since_whole_s >= rule.whole_s or interval_s >= rule.seldom_s:
        return (whole,)
    known = [needs.get(place.key, Need(float("inf"))) for place in places]
    wants = np.array([urgency(place, need, rule) for place, need in zip(places, known, strict=True)])
    boxes = np.array([place.box for place in places], np.float64)
    faces = np.array([place.face_px for place in places], np.float64)
    # A window that is opened anyway takes along what would be wanted next.
    gain = wants + np.array([min(need.age_s, rule.oldest_s) for need in known]) / rule.oldest_s * 0.3
    looks: list[Look] = []
    doubts = routine = 0
    while len(looks) < rule.most_windows:
        first = int(np.argmax(wants))
        if wants[first] < 1.0:
            break
        doubt = wants[first] >= DOUBT
        if doubt and doubts == rule.doubt_windows:
            # The other doubts wait for the next picture: quiet seats must not starve.
            wants[wants >= DOUBT] = 0.0
            continue
        overdue = places[first].bounded and known[first].age_s >= rule.oldest_s - interval_s
        if not doubt and routine and not overdue:
            break
        doubts, routine = doubts + doubt, routine + (not doubt)
        window, scale, inside = _window(first, boxes, faces, gain, size, rule, doubt)
        looks.append(
            Look(
                window,
                _net(window, scale),
                tuple(p.key for p, settled in zip(places, inside, strict=True) if settled),
            )
        )
        wants[inside] = 0.0
        gain[inside] = 0.0
    settled = {key for look in looks for key in look.keys or ()}
    late = [p for p, n in zip(places, known, strict=True) if p.bounded and n.age_s >= rule.oldest_s]
    return (whole,) if any(place.key not in settled for place in late) else tuple(looks)


def _window(
    first: int,
    boxes: NDArray[np.float64],
    faces: NDArray[np.float64],
    gain: NDArray[np.float64],
    size: tuple[int, int],
    rule: LookRule,
    doubt: bool,
) -> tuple[tuple[int, int, int, int], float, NDArray[np.bool_]]:
    """The window around place `first` that takes along the most urgent others; its scale; who is inside."""
    x1, y1, x2, y2 = boxes[first]
    wanted = (rule.doubt_px if doubt else rule.face_px) / faces[first]
    scale = min(rule.most_scale, wanted, rule.net[0] / (x2 - x1), rule.net[1] / (y2 - y1))
    # No window is larger than the picture.
    scale = max(scale, rule.net[0] / size[0], rule.net[1] / size[1])
    width, height = min(size[0], rule.net[0] / scale), min(size[1], rule.net[1] / scale)
    lefts = np.clip([x1, (x1 + x2 - width) / 2, x2 - width], 0, size[0] - width)
    tops = np.clip([y1, (y1 + y2 - height) / 2, y2 - height], 0, size[1] - height)
    left, top = (grid.ravel() for grid in np.meshgrid(lefts, tops))
    reach = boxes.copy()
    # What sticks out of the picture cannot be looked at.
    reach[:, 0::2] = np.clip(reach[:, 0::2], 0, size[0])
    reach[:, 1::2] = np.clip(reach[:, 1::2], 0, size[1])
    inside: Any = (
        (reach[None, :, 0] >= left[:, None] - 1)
        & (reach[None, :, 2] <= left[:, None] + width + 1)
        & (reach[None, :, 1] >= top[:, None] - 1)
        & (reach[None, :, 3] <= top[:, None] + height + 1)
        & (faces[None, :] * scale >= 0.7 * rule.face_px)
    )
    inside[:, first] = True
    best = int(np.argmax((inside * gain[None, :]).sum(axis=1)))
    corner_x, corner_y = int(left[best]), int(top[best])
    window = (
        corner_x,
        corner_y,
        min(size[0], corner_x + round(width)),
        min(size[1], corner_y + round(height)),
    )
    return window, scale, np.asarray(inside[best], dtype=bool)


def _net(window: tuple[int, int, int, int], scale: float) -> tuple[int, int]:
    """The window's size for the detector in whole pixels, both even."""
    x1, y1, x2, y2 = window
    return max(32, round((x2 - x1) * scale / 2) * 2), max(32, round((y2 - y1) * scale / 2) * 2)


@dataclass(frozen=True, slots=True)
class LookCount:
    """What was looked at in some stretch of capture time, for the figures of benchmarks and of the set-up page.

    `looks` counts windows and whole pictures alike; `oldest_s` is the longest that any seat waited for a look
    while the camera's picture was usable.
    """

    samples: int = 0
    looks: int = 0
    wholes: int = 0
    seconds: float = 0.0
    oldest_s: float = 0.0

    @property
    def looks_per_minute(self) -> float:
        """Looks in a minute of the camera's time; 0 before any time has passed."""
        return 60 * self.looks / self.seconds if self.seconds else 0.0


def oldest(seen: Mapping[str, datetime], places: Sequence[Place], at: datetime) -> float:
    """Seconds since the least recently seen bounded place was looked at; 0 where none has been yet."""
    times = [seen[place.key] for place in places if place.bounded and place.key in seen]
    return (at - min(times)).total_seconds() if times else 0.0
