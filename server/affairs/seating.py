"""Who sits where? Seat numbers in a snake from the door, one candidate one seat, rooms filled within
their limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.affairs.facts import Room
from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack


@dataclass(frozen=True, slots=True)
class Place:
    """Where a seat number stands: row from the front and column from the door side, both from 0."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """One candidate's room number and seat number (from 1)."""

    candidate: str
    room: str
    seat: int


@cites("BJ-E:A3.3-4")
def snake(seat: int, rows: int) -> Place:
    """Return where seat `seat` (from 1) stands when columns of `rows` seats are numbered in a snake.

    The first column, at the door, runs from front to back, the next from back to front, and so on.
    """
    column, along = divmod(seat - 1, rows)
    return Place(along if column % 2 == 0 else rows - 1 - along, column)


@cites("BJ-E:A3.3-1")
@reads("numbers.room_seats")
def rooms_allowed(pack: Pack, rooms: Sequence[Room]) -> Refusal | None:
    """Refuse no rooms, two rooms of one number, an empty room, or one with more seats than the pack
    allows.
    """
    if not rooms:
        return Refusal("rooms-missing", "BJ-E:15")
    limit = pack.number("room_seats")
    seen: set[str] = set()
    for room in rooms:
        if room.number in seen:
            return Refusal("room-number-twice", "BJ-E:A3.3-1", {"room": room.number})
        seen.add(room.number)
        if not 0 < room.seats <= limit.value:
            return Refusal(
                "room-too-large",
                limit.article,
                {"room": room.number, "seats": room.seats, "limit": limit.value},
            )
    return None


@cites("BJ-E:A3.3-2")
def assign(candidates: Sequence[str], rooms: Sequence[Room]) -> tuple[Assignment, ...] | Refusal:
    """Seat candidates in the order given, room after room, seat after seat; refuse when seats do not
    suffice.
    """
    seats = sum(room.seats for room in rooms)
    if seats < len(candidates):
        return Refusal("seats-too-few", "BJ-E:A3.3-2", {"candidates": len(candidates), "seats": seats})
    places = ((room.number, seat) for room in rooms for seat in range(1, room.seats + 1))
    pairs = zip(candidates, places, strict=False)
    return tuple(Assignment(candidate, room, seat) for candidate, (room, seat) in pairs)


def spread(candidates: Sequence[str], slots: Sequence[str], seats: int) -> dict[str, tuple[str, ...]]:
    """Divide candidates over the slots of one subject, each slot filled to `seats` before the next."""
    return {slot: tuple(candidates[at * seats : (at + 1) * seats]) for at, slot in enumerate(slots)}
