"""Which face belongs to which seat, and layouts written and read."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.proctor.evidence import Detections, Frame
from server.proctor.seats import (
    CameraLayout,
    SeatRegion,
    assign_faces,
    layout_from_table,
    layout_to_table,
    region_at,
)

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def square(seat: str, x: float, y: float, head: float = 20.0) -> SeatRegion:
    corners = ((x - head, y - head), (x + head, y - head), (x + head, y + 2 * head), (x - head, y + 2 * head))
    return SeatRegion(seat, corners, (x, y), head)


LAYOUT = CameraLayout(
    "c",
    "1",
    640,
    360,
    (square("1", 100, 100), square("2", 160, 100), square("3", 400, 200)),
    (((500, 0), (640, 0), (640, 360), (500, 360)),),
)


def faces(*middles: tuple[float, float], tall: float = 20.0) -> Detections:
    boxes = [[x - tall * 0.4, y - tall / 2, x + tall * 0.4, y + tall / 2] for x, y in middles]
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(Frame("c", "1", AT, 640, 360), found, np.full(len(found), 0.9), "t")


def test_nearest_head_point_wins() -> None:
    """A face between two seats goes to the nearer head point and to that seat alone."""
    assignment = assign_faces(LAYOUT, faces((126, 100), (134, 100)))
    assert assignment.by_seat == {"1": (0,), "2": (1,), "3": ()}


def test_face_out_of_reach_is_stray_or_staff() -> None:
    """A face farther than 1.5 face heights from every head point is a stray, and staff inside the staff zone."""
    assignment = assign_faces(LAYOUT, faces((100, 70.5), (100, 69.0), (560, 100)))
    assert (assignment.by_seat["1"], assignment.stray, assignment.staff) == ((0,), (1,), (2,))


def test_face_of_another_size_is_stray() -> None:
    """A face more than twice as tall as expected at its place does not belong to the seat."""
    assert assign_faces(LAYOUT, faces((100, 100), tall=41.0)).stray == (0,)


@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 360)), max_size=30))
def test_every_face_has_one_place(middles: list[tuple[float, float]]) -> None:
    """Each face is given to exactly one of: one seat, the strays, the staff."""
    assignment = assign_faces(LAYOUT, faces(*middles))
    placed = [face for seat in assignment.by_seat.values() for face in seat]
    assert sorted([*placed, *assignment.stray, *assignment.staff]) == list(range(len(middles)))


def test_layout_survives_its_table() -> None:
    """A layout written as a table and read again is the same layout."""
    assert layout_from_table(layout_to_table(LAYOUT)) == LAYOUT


@pytest.mark.parametrize("change", [{"colour": 1}, {"seats": [{"seat": "1"}]}, {"width": None}])
def test_wrong_table_is_refused(change: dict[str, object]) -> None:
    """A table with an unknown, missing or wrong field is refused with a ValueError."""
    with pytest.raises(ValueError, match=r"layout|field|unknown"):
        layout_from_table({**layout_to_table(LAYOUT), **change})


def test_scaled_layout_gives_the_same_assignment() -> None:
    """A layout scaled to a picture twice as large assigns the faces of that picture alike."""
    middles = ((100, 100), (150, 95), (410, 205))
    twice = LAYOUT.scaled(1280, 720)
    large = faces(*((2 * x, 2 * y) for x, y in middles), tall=40.0)
    moved = Detections(Frame("c", "1", AT, 1280, 720), large.boxes, large.scores, "t")
    assert assign_faces(twice, moved) == assign_faces(LAYOUT, faces(*middles))


@pytest.mark.parametrize(
    "change",
    [
        {"polygon": ((0, 0), (1, 1))},
        {"polygon": ((0, 0), (1, 1), (2, 2))},
        {"head_px": 0},
        {"sureness": 1.1},
    ],
)
def test_impossible_region_is_refused(change: dict[str, object]) -> None:
    """A region with two corners, no area, no face height or a sureness over 1 cannot be born."""
    with pytest.raises(ValueError, match="seat 9"):
        replace(square("9", 50, 50), **change)  # type: ignore[arg-type]


def test_impossible_layout_is_refused() -> None:
    """A layout that names a seat twice, or one hidden by a seat it does not have, cannot be born."""
    with pytest.raises(ValueError, match="twice"):
        replace(LAYOUT, seats=(LAYOUT.seats[0], LAYOUT.seats[0]))
    with pytest.raises(ValueError, match="unknown seats"):
        replace(LAYOUT, seats=(replace(LAYOUT.seats[0], hidden_by=("7",)),))


def test_usual_region_holds_its_head_and_ends_at_the_desk() -> None:
    """The usual region contains the head point and no point two face heights below or one beside it."""
    region = region_at("1", 100, 100, 20)
    assert [region.contains(x, y) for x, y in ((100, 100), (100, 140), (120, 100))] == [True, False, False]
    assert region.bounds == (84, 86, 116, 133)


def test_faces_without_seats_are_stray() -> None:
    """Where a camera has no seats every face is a stray, and a layout is only used at its own size."""
    bare = replace(LAYOUT, seats=(), staff_zones=())
    assert assign_faces(bare, faces((100, 100))).stray == (0,)
    assert bare.scaled(640, 360) is bare
    with pytest.raises(ValueError, match="another picture size"):
        assign_faces(LAYOUT.scaled(1280, 720), faces((100, 100)))
