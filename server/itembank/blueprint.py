"""The blueprint (双向细目表): knowledge points × types × difficulty bands, with counts and scores."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from server.errors import BadInput
from server.protocol.paper import ItemType

Band = Literal["easy", "medium", "hard"]
Papers = Literal["per-candidate", "fixed"]
EASY_FROM = 0.7
HARD_BELOW = 0.5


def band_of(difficulty: float) -> Band:
    """Return the band of a facility: easy from 0.7 (inclusive), hard below 0.5 (exclusive), else medium."""
    if difficulty >= EASY_FROM:
        return "easy"
    return "hard" if difficulty < HARD_BELOW else "medium"


_CODE = re.compile(r"^([A-Za-z]?\d+(?:[.-]\d+)*)[\s　、]+\S")


def point_code(point: str) -> str:
    """Return what a knowledge point is matched by: its code (`1.1` of `1.1 职业道德`), else its whole text."""
    found = _CODE.match(point.strip())
    return found[1] if found else point.strip()


@dataclass(frozen=True, slots=True)
class CellKey:
    """Which items a cell draws from; `point` is a point's code (`point_code`)."""

    point: str
    type: ItemType
    band: Band


@dataclass(frozen=True, slots=True)
class Cell:
    """`count` items of one key, each worth `score`."""

    key: CellKey
    count: int
    score: float


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What every paper of a slot is made of. `minutes` is the sitting's length; scores are in points.

    `sections`: items stand in sections by type, in the order in which the cells first name each type;
    without it they are mixed. `multiple` says how multiple choice is scored. `spares` is the number of
    spare papers a room. `papers`: every candidate has his own items, or all have the same ones (fixed).
    `exposure_limit`: papers on which one item version may stand, earlier draws counted. `overlap_limit`:
    items that neighbouring seats may have in common. `seat_rows`: seats in a column of the room, numbered in a
    snake (affairs/seating); 0: only seats that follow one another are neighbours. `difficulty_spread`: the
    largest difference of two papers in the points that their items' facilities promise (facility × score,
    summed). `enemies`: groups of item ids that may not meet on a paper, besides those that the bank names.
    None: no such bound. `shuffle_parts`: the options of a case's sub-items are shuffled too; a file that says
    nothing of it does so when `shuffle_options` does and a cell draws cases.
    """

    title: str
    occupation: str
    level: str
    minutes: int
    pass_mark: float
    cells: tuple[Cell, ...]
    shuffle_items: bool
    shuffle_options: bool
    sections: bool
    multiple: Literal["exact", "partial"]
    fill: Literal["exact", "partial"]
    spares: int
    papers: Papers = "per-candidate"
    exposure_limit: int | None = None
    overlap_limit: int | None = None
    seat_rows: int = 0
    difficulty_spread: float | None = None
    enemies: tuple[tuple[str, ...], ...] = ()
    shuffle_parts: bool = False

    @property
    def count(self) -> int:
        """Items on a paper."""
        return sum(cell.count for cell in self.cells)

    @property
    def total(self) -> float:
        """Score of a wholly right paper."""
        return round(sum(cell.count * cell.score for cell in self.cells), 6)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A cell that the bank cannot fill: it has `have` items, one paper needs `need`."""

    key: CellKey
    have: int
    need: int


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: str
    occupation: str
    level: int | str
    minutes: int
    pass_mark: float
    shuffle_items: bool = True
    shuffle_options: bool = True
    sections: bool = True
    multiple: Literal["exact", "partial"] = "exact"
    fill: Literal["exact", "partial"] = "exact"
    spares: int = 1
    papers: Papers = "per-candidate"
    exposure_limit: int | None = None
    overlap_limit: int | None = None
    seat_rows: int = 0
    difficulty_spread: float | None = None
    enemies: tuple[tuple[str, ...], ...] = ()
    # Left out of the canonical bytes when false, so that the bytes of earlier draws stay what they were.
    shuffle_parts: bool | msgspec.UnsetType = msgspec.UNSET


class _Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    point: str
    type: ItemType
    band: Band
    count: int
    score: float


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    blueprint: _Head
    cell: list[_Cell]


def read_blueprint(data: bytes) -> Blueprint:
    """Read a blueprint from TOML; BadInput names the place of what is wrong."""
    try:
        file = msgspec.toml.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("blueprint-invalid", reason=str(error)) from error
    blueprint = _checked(file)
    if file.blueprint.shuffle_parts is msgspec.UNSET:
        cases = any(cell.key.type == "case" for cell in blueprint.cells)
        return replace(blueprint, shuffle_parts=blueprint.shuffle_options and cases)
    return blueprint


def blueprint_bytes(blueprint: Blueprint) -> bytes:
    """Return the canonical bytes of a blueprint (UTF-8 JSON); `blueprint_from_bytes` reads them."""
    head = _Head(
        title=blueprint.title,
        occupation=blueprint.occupation,
        level=blueprint.level,
        minutes=blueprint.minutes,
        pass_mark=blueprint.pass_mark,
        shuffle_items=blueprint.shuffle_items,
        shuffle_options=blueprint.shuffle_options,
        sections=blueprint.sections,
        multiple=blueprint.multiple,
        fill=blueprint.fill,
        spares=blueprint.spares,
        papers=blueprint.papers,
        exposure_limit=blueprint.exposure_limit,
        overlap_limit=blueprint.overlap_limit,
        seat_rows=blueprint.seat_rows,
        difficulty_spread=blueprint.difficulty_spread,
        enemies=blueprint.enemies,
        shuffle_parts=True if blueprint.shuffle_parts else msgspec.UNSET,
    )
    cells = [
        _Cell(
            point=cell.key.point,
            type=cell.key.type,
            band=cell.key.band,
            count=cell.count,
            score=cell.score,
        )
        for cell in blueprint.cells
    ]
    return msgspec.json.encode(_File(head, cells), order="deterministic")


def blueprint_from_bytes(data: bytes) -> Blueprint:
    """Read the canonical bytes of a blueprint; BadInput when they are not of the form."""
    try:
        return _checked(msgspec.json.decode(data, type=_File))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput("blueprint-invalid", reason=str(error)) from error


def _checked(file: _File) -> Blueprint:
    head = file.blueprint
    cells = tuple(Cell(CellKey(point_code(c.point), c.type, c.band), c.count, c.score) for c in file.cell)
    if not cells:
        raise BadInput("blueprint-invalid", reason="no [[cell]]")
    seen: set[CellKey] = set()
    for place, cell in enumerate(cells, start=1):
        named = f"cell {place}: {cell.key.point} / {cell.key.type} / {cell.key.band}"
        if cell.count < 1:
            raise BadInput("blueprint-invalid", reason=f"{named}: count must be at least 1")
        if not 0 < cell.score <= 1000:
            raise BadInput("blueprint-invalid", reason=f"{named}: score must be above 0 and at most 1000")
        if cell.key in seen:
            raise BadInput("blueprint-invalid", reason=f"{named}: stands twice")
        seen.add(cell.key)
    blueprint = Blueprint(
        title=head.title,
        occupation=head.occupation,
        level=str(head.level),
        minutes=head.minutes,
        pass_mark=head.pass_mark,
        cells=cells,
        shuffle_items=head.shuffle_items,
        shuffle_options=head.shuffle_options,
        sections=head.sections,
        multiple=head.multiple,
        fill=head.fill,
        spares=head.spares,
        papers=head.papers,
        exposure_limit=head.exposure_limit,
        overlap_limit=head.overlap_limit,
        seat_rows=head.seat_rows,
        difficulty_spread=head.difficulty_spread,
        enemies=head.enemies,
        shuffle_parts=head.shuffle_parts is True,
    )
    _check_bounds(blueprint)
    if not 1 <= blueprint.minutes <= 1440:
        raise BadInput("blueprint-invalid", reason="minutes must be 1 to 1440")
    if not 0 <= blueprint.pass_mark <= blueprint.total:
        raise BadInput("blueprint-invalid", reason="pass_mark must be within 0 and the total score")
    if not 0 <= blueprint.spares <= 20:
        raise BadInput("blueprint-invalid", reason="spares must be 0 to 20")
    return blueprint


def _check_bounds(blueprint: Blueprint) -> None:
    limit, overlap, spread = blueprint.exposure_limit, blueprint.overlap_limit, blueprint.difficulty_spread
    if limit is not None and limit < 1:
        raise BadInput("blueprint-invalid", reason="exposure_limit must be at least 1")
    if overlap is not None and (overlap < 0 or blueprint.papers == "fixed"):
        raise BadInput("blueprint-invalid", reason="overlap_limit is at least 0, and not for fixed papers")
    if not 0 <= blueprint.seat_rows <= 1000:
        raise BadInput("blueprint-invalid", reason="seat_rows must be 0 to 1000")
    if spread is not None and not 0 < spread <= 1_000_000:
        raise BadInput("blueprint-invalid", reason="difficulty_spread must be above 0")
    if any(len(set(group)) < 2 or len(set(group)) < len(group) for group in blueprint.enemies):
        raise BadInput("blueprint-invalid", reason="enemies: a group names at least two different items")


def key_of(point: str, kind: ItemType, difficulty: float) -> CellKey:
    """Return the cell key that an item belongs to."""
    return CellKey(point_code(point), kind, band_of(difficulty))


def coverage(keys: Iterable[CellKey]) -> Mapping[CellKey, int]:
    """Count the items of each point × type × band."""
    counts: dict[CellKey, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def shortages(blueprint: Blueprint, have: Mapping[CellKey, int]) -> tuple[Shortage, ...]:
    """Return the cells that the bank cannot fill, in the blueprint's order; empty when it can."""
    return tuple(
        Shortage(cell.key, have.get(cell.key, 0), cell.count)
        for cell in blueprint.cells
        if have.get(cell.key, 0) < cell.count
    )
