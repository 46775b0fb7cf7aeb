"""Items, blueprints and seats for tests of the draw."""

from server.itembank.blueprint import Blueprint, Cell, CellKey
from server.papers.drawing import DrawItem, Place
from server.protocol.paper import ItemType


def bank_of(*cells: tuple[str, ItemType, int], difficulties: tuple[float, ...] = (0.6,)) -> list[DrawItem]:
    """Return items: (point, type, how many) for each cell, the difficulties in turn."""
    made: list[DrawItem] = []
    for point, kind, count in cells:
        for _ in range(count):
            number = len(made)
            options = 4 if kind in ("single", "multiple") else 0
            hard = difficulties[number % len(difficulties)]
            made.append(DrawItem(f"{number:04}", 1, number.to_bytes(32, "big"), kind, point, hard, options))
    return made


def blueprint_of(*cells: tuple[str, ItemType, int]) -> Blueprint:
    """Return a blueprint of (point, type, count) cells in the medium band, one point an item."""
    made = tuple(Cell(CellKey(point, kind, "medium"), count, 1.0) for point, kind, count in cells)
    return Blueprint("t", "o", "4", 90, 1.0, made, True, True, True, "exact", "exact", 1)


def seats(count: int, room: str = "01") -> list[Place]:
    """Return places of one room, seats from 1."""
    return [Place(f"s{room}-{seat}", room, seat) for seat in range(1, count + 1)]
