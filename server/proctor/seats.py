"""Where seats are on the picture, and whose face is whose.

A layout belongs to one camera and one picture size; `scaled` gives it for another. Polygons hold chair back,
torso and head; the head point is where the face is expected, `head_px` how tall it is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.proctor.evidence import Detections

Point = tuple[float, float]

# A face belongs to a seat when its middle is nearer to the head point than this many expected face heights:
# people lean and write, but a person standing behind the chair is more than two heights away.
REACH = 1.5
# A seat's usual polygon around its head point, in face heights: to the sides, above and below the middle of
# the face.
SIDE, ABOVE, BELOW = 0.8, 0.7, 1.65


@dataclass(frozen=True, slots=True)
class SeatRegion:
    """One seat on one picture: polygon (at least 3 points), expected head point, face height in pixels.

    `hidden_by` names the seats in front whose occupants cover a part of this one. `sureness` is 0 to 1: how
    well the region was established; 1 for one that a person drew or confirmed.
    """

    seat: str
    polygon: tuple[Point, ...]
    head: Point
    head_px: float
    hidden_by: tuple[str, ...] = ()
    sureness: float = 1.0

    def __post_init__(self) -> None:
        if len(self.polygon) < 3:
            raise ValueError(f"seat {self.seat}: a polygon has at least three points")
        if self.head_px <= 0:
            raise ValueError(f"seat {self.seat}: the face height is positive")
        if not 0 <= self.sureness <= 1:
            raise ValueError(f"seat {self.seat}: sureness lies between 0 and 1")
        if abs(_area(self.polygon)) < 1:
            raise ValueError(f"seat {self.seat}: the polygon has no area")

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 of the polygon, whole pixels, x2 and y2 exclusive."""
        xs = [p[0] for p in self.polygon]
        ys = [p[1] for p in self.polygon]
        return int(min(xs)), int(min(ys)), int(np.ceil(max(xs))), int(np.ceil(max(ys)))

    def contains(self, x: float, y: float) -> bool:
        """True if the point is inside the polygon (even-odd rule)."""
        return _inside(self.polygon, x, y)


def region_at(seat: str, x: float, y: float, head_px: float, sureness: float = 1.0) -> SeatRegion:
    """The usual region of a seat seen from the front, from its head point and the height of a face there."""
    corners = (
        (x - SIDE * head_px, y - ABOVE * head_px),
        (x + SIDE * head_px, y - ABOVE * head_px),
        (x + SIDE * head_px, y + BELOW * head_px),
        (x - SIDE * head_px, y + BELOW * head_px),
    )
    return SeatRegion(seat, corners, (x, y), head_px, sureness=sureness)


@dataclass(frozen=True, slots=True)
class CameraLayout:
    """The seats one camera watches, and the zones where staff stand, for pictures of `width` x `height`."""

    camera_id: str
    room_id: str
    width: int
    height: int
    seats: tuple[SeatRegion, ...]
    staff_zones: tuple[tuple[Point, ...], ...] = ()

    def __post_init__(self) -> None:
        names = [seat.seat for seat in self.seats]
        if len(set(names)) != len(names):
            raise ValueError(f"camera {self.camera_id}: a seat appears twice")
        known = set(names)
        for seat in self.seats:
            missing = set(seat.hidden_by) - known
            if missing:
                raise ValueError(f"seat {seat.seat}: hidden by unknown seats {sorted(missing)}")

    def scaled(self, width: int, height: int) -> CameraLayout:
        """The same layout for pictures of another size."""
        if (width, height) == (self.width, self.height):
            return self
        fx, fy = width / self.width, height / self.height

        def points(polygon: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple((x * fx, y * fy) for x, y in polygon)

        seats = tuple(
            replace(
                seat,
                polygon=points(seat.polygon),
                head=(seat.head[0] * fx, seat.head[1] * fy),
                head_px=seat.head_px * fy,
            )
            for seat in self.seats
        )
        zones = tuple(points(zone) for zone in self.staff_zones)
        return replace(self, width=width, height=height, seats=seats, staff_zones=zones)

    def in_staff_zone(self, x: float, y: float) -> bool:
        """True if the point lies where staff stand, so that a face there is nobody's finding."""
        return any(_inside(zone, x, y) for zone in self.staff_zones)


@dataclass(frozen=True, slots=True)
class FaceAssignment:
    """Who is whose in one picture: for each seat the indices of its faces, best first; then faces that fit
    no seat.
    """

    by_seat: Mapping[str, tuple[int, ...]]
    stray: tuple[int, ...]
    staff: tuple[int, ...]


def assign_faces(layout: CameraLayout, detections: Detections) -> FaceAssignment:
    """Gives each face to at most one seat: that with the nearest expected head point, within its reach.

    Distance counts in expected face heights, so that near and far rows are treated alike. A face that is
    twice as tall or less than half as tall as expected does not fit. Faces outside every reach are staff
    inside a staff zone and strays elsewhere.

    Raises:
        ValueError: the layout is for pictures of another size.
    """
    if (layout.width, layout.height) != (detections.frame.width, detections.frame.height):
        raise ValueError("the layout is for another picture size: use scaled()")
    by_seat: dict[str, list[tuple[float, int]]] = {seat.seat: [] for seat in layout.seats}
    stray: list[int] = []
    staff: list[int] = []
    distances = _distances(layout, detections)
    for face in range(len(detections)):
        nearest = int(np.argmin(distances[face])) if layout.seats else -1
        if nearest >= 0 and distances[face, nearest] <= REACH:
            by_seat[layout.seats[nearest].seat].append((float(distances[face, nearest]), face))
            continue
        x, y = detections.centres[face]
        (staff if layout.in_staff_zone(float(x), float(y)) else stray).append(face)
    ordered = {seat: tuple(face for _, face in sorted(found)) for seat, found in by_seat.items()}
    return FaceAssignment(by_seat=ordered, stray=tuple(stray), staff=tuple(staff))


def _distances(layout: CameraLayout, detections: Detections) -> NDArray[np.float64]:
    """float64 (faces, seats): distance in expected face heights; infinite where the size does not fit."""
    heads = np.array([seat.head for seat in layout.seats], dtype=np.float64).reshape(-1, 2)
    sizes = np.array([seat.head_px for seat in layout.seats], dtype=np.float64)
    centres = detections.centres.astype(np.float64)
    gaps = np.linalg.norm(centres[:, None, :] - heads[None, :, :], axis=2) / sizes[None, :]
    ratio = detections.heights.astype(np.float64)[:, None] / sizes[None, :]
    out: NDArray[np.float64] = np.where((ratio < 0.5) | (ratio > 2.0), np.inf, gaps)
    return out


def layout_to_table(layout: CameraLayout) -> dict[str, Any]:
    """The layout as plain tables, lists, strings and numbers, as they stand in `seats.toml`."""
    return {
        "camera": layout.camera_id,
        "room": layout.room_id,
        "width": layout.width,
        "height": layout.height,
        "staff_zones": [_points_out(zone) for zone in layout.staff_zones],
        "seats": [
            {
                "seat": seat.seat,
                "polygon": _points_out(seat.polygon),
                "head": [round(seat.head[0], 2), round(seat.head[1], 2)],
                "head_px": round(seat.head_px, 2),
                "hidden_by": list(seat.hidden_by),
                "sureness": round(seat.sureness, 4),
            }
            for seat in layout.seats
        ],
    }


def layout_from_table(table: Mapping[str, Any]) -> CameraLayout:
    """Reads what `layout_to_table` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong kind; the message names it.
    """
    _only(table, {"camera", "room", "width", "height", "staff_zones", "seats"}, "layout")
    try:
        seats = []
        for row in table["seats"]:
            _only(row, {"seat", "polygon", "head", "head_px", "hidden_by", "sureness"}, "seat")
            x, y = row["head"]
            seats.append(
                SeatRegion(
                    seat=str(row["seat"]),
                    polygon=_points_in(row["polygon"]),
                    head=(float(x), float(y)),
                    head_px=float(row["head_px"]),
                    hidden_by=tuple(str(name) for name in row.get("hidden_by", ())),
                    sureness=float(row.get("sureness", 1.0)),
                )
            )
        return CameraLayout(
            camera_id=str(table["camera"]),
            room_id=str(table["room"]),
            width=int(table["width"]),
            height=int(table["height"]),
            seats=tuple(seats),
            staff_zones=tuple(_points_in(zone) for zone in table.get("staff_zones", ())),
        )
    except KeyError as error:
        raise ValueError(f"the seat layout lacks {error.args[0]!r}") from error
    except TypeError as error:
        raise ValueError(f"the seat layout has a field of the wrong kind: {error}") from error


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = set(table) - known
    if unknown:
        raise ValueError(f"{where}: unknown fields {sorted(unknown)}")


def _points_out(polygon: Sequence[Point]) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in polygon]


def _points_in(rows: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in rows)


def _inside(polygon: Sequence[Point], x: float, y: float) -> bool:
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _area(polygon: Sequence[Point]) -> float:
    pairs = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2
