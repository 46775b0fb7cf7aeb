"""Proposes where a camera's seats are from how the room filled: who checked in when, and where faces came to stay.

A room's seats stand in rows and columns, so one projective map takes the grid to the picture. Every way of
numbering the grid is tried; that which fits the places and the times best is proposed, with how sure each
seat is. A person looks at it, corrects it and saves it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from server.proctor.seats import SeatRegion, region_at

Points = NDArray[np.float64]

# A place counts once a face was seen there so often, over so many seconds: who only walks by does neither.
SIGHTINGS_LEAST, STAYED_LEAST_S = 3, 15.0
# A face and a check-in that lie so far apart have nothing to do with each other.
TIME_APART_S = 600.0
# How far a face may lie from where the grid puts its seat, in face heights.
REACH = 1.1
UNMATCHED_COST, FOREIGN_COST = 2.0, 0.4
ROUNDS = 6
# From this cost a seat on no other first map is tried.
GOOD_COST = 0.15
MOST_COLUMNS = 12
# A seat that nobody took is only as sure as the grid around it.
INFERRED_MOST, CHANGED_MOST = 0.35, 0.6
OCCLUDED_LEAST = 0.1


@dataclass(frozen=True, slots=True)
class Track:
    """A place where a face was seen again and again: its middle, its height (pixels), when, how often."""

    x: float
    y: float
    head_px: float
    first_at: datetime
    last_at: datetime
    sightings: int

    @property
    def stayed(self) -> bool:
        """True for somebody who sat down there, false for who walked by."""
        lasted = (self.last_at - self.first_at).total_seconds()
        return self.sightings >= SIGHTINGS_LEAST and lasted >= STAYED_LEAST_S


@dataclass(frozen=True, slots=True)
class Change:
    """A place on the picture that has differed from the empty room without a break since `since`."""

    x: float
    y: float
    since: datetime


@dataclass(frozen=True, slots=True)
class Numbering:
    """How seats are numbered over a grid, as the camera sees it: seat 1 is at the near left unless stated.

    `by_row`: numbers run along a row and then to the next; else along a column. `snake`: every second row (or
    column) runs back.
    """

    columns: int
    by_row: bool = True
    from_left: bool = True
    from_near: bool = True
    snake: bool = False

    def cell(self, index: int, count: int) -> tuple[int, int]:
        """The column (0 = left) and row (0 = nearest) of the seat with this index from 0, of `count` seats."""
        rows = -(-count // self.columns)
        line_length = self.columns if self.by_row else rows
        line, step = divmod(index, line_length)
        if self.snake and line % 2:
            step = line_length - 1 - step
        column, row = (step, line) if self.by_row else (line, step)
        return (
            column if self.from_left else self.columns - 1 - column,
            row if self.from_near else rows - 1 - row,
        )


class Basis(StrEnum):
    """What a proposed seat rests on."""

    SEEN = "seen"
    CHANGED = "changed"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class SeatProposal:
    """One proposed seat; `region.sureness` says how sure, `basis` what it rests on, `sightings` how many
    faces.
    """

    region: SeatRegion
    basis: Basis
    sightings: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Proposed seats in the order asked for; seats outside the picture are `unplaced`.

    `numbering` is the way of numbering that fits best, None where too few places were seen to tell.
    `order_sureness` is 0 where another numbering fits as well, 1 where none comes near. `foreign` counts
    places where somebody stayed that are no seat: staff, or a picture on the wall.
    """

    seats: tuple[SeatProposal, ...]
    unplaced: tuple[str, ...]
    numbering: Numbering | None
    order_sureness: float
    foreign: int


@dataclass(frozen=True, slots=True)
class _Fit:
    """One numbering with its map and its cost; `pairs` gives for each seat's index its track's."""

    numbering: Numbering
    homography: Points
    pairs: Mapping[int, int]
    cost: float


def numberings(seats: int, columns: int | None = None) -> tuple[Numbering, ...]:
    """Every way of numbering that many seats, the usual one first; of one width where `columns` is given."""
    widths = [columns] if columns else [c for c in range(2, MOST_COLUMNS + 1) if -(-seats // c) >= 2]
    found: dict[tuple[tuple[int, int], ...], Numbering] = {}
    flags = (True, False)
    for width in widths:
        for snake, by_row, near, left in itertools.product((False, True), flags, flags, flags):
            one = Numbering(width, by_row, left, near, snake)
            found.setdefault(tuple(one.cell(i, seats) for i in range(seats)), one)
    return tuple(found.values())


def propose(
    size: tuple[int, int],
    seats: Sequence[str],
    seated: Mapping[str, datetime],
    tracks: Sequence[Track],
    changes: Iterable[Change] = (),
    known: Sequence[Numbering] = (),
) -> Proposal:
    """Proposes the seats of one picture of `size` (width, height).

    `seats` are the room's seats in order of number; `seated` says when a candidate was checked in at a seat;
    seats that are not in it are taken for empty. Without any check-in every seat is taken for occupied.
    `known` holds the numberings that come into question; without it all of them do.

    Raises:
        ValueError: no seats, or a check-in at a seat that is none of them.
    """
    if not seats or set(seated) - set(seats):
        raise ValueError("every check-in is at one of the seats")
    stayed = [track for track in tracks if track.stayed]
    filled = [i for i, seat in enumerate(seats) if seat in seated] or list(range(len(seats)))
    times = [seated.get(seat) for seat in seats]
    fits = [
        fit
        for numbering in (known or numberings(len(seats)))
        if (fit := _fit(numbering, len(seats), filled, times, stayed, size)) is not None
    ]
    if not fits:
        return Proposal((), tuple(seats), None, 0.0, len(stayed))
    fits.sort(key=lambda fit: fit.cost)
    best = fits[0]
    margin = 1.0 if len(fits) == 1 else (fits[1].cost - best.cost) / max(1, len(best.pairs))
    order = 1.0 if len(fits) == 1 else float(np.clip(margin / 0.05, 0, 1))
    return _proposal(best, order, size, seats, times, stayed, tuple(changes))


def _fit(
    numbering: Numbering,
    count: int,
    filled: Sequence[int],
    times: Sequence[datetime | None],
    tracks: Sequence[Track],
    size: tuple[int, int],
) -> _Fit | None:
    """The map of one numbering, found from the corners and improved by turns of matching and fitting."""
    if len(filled) < 4 or len(tracks) < 4:
        return None
    cells = np.array([numbering.cell(i, count) for i in range(count)], dtype=np.float64)
    places = np.array([(t.x, t.y) for t in tracks], dtype=np.float64)
    heads = np.array([t.head_px for t in tracks], dtype=np.float64)
    best: _Fit | None = None
    often = np.array([t.sightings for t in tracks]) >= np.median([t.sightings for t in tracks]) / 3
    everybody = np.ones(len(tracks), bool)
    # Who stood in a corner of the picture spoils the first map: each such place is left out once.
    starts = [everybody, often, *(everybody & (np.arange(len(tracks)) != one) for one in _outermost(places))]
    for chosen in starts:
        if best is not None and best.cost <= GOOD_COST * len(filled):
            break
        start = _from_corners(cells[list(filled)], places[chosen])
        if start is None:
            continue
        homography, pairs = start, dict[int, int]()
        for _ in range(ROUNDS):
            found = _matched(_mapped(homography, cells), filled, places, heads, times, tracks)
            if len(found) < 4:
                break
            fitted = _homography(cells[list(found)], places[list(found.values())])
            if fitted is None:
                break
            homography, same, pairs = fitted, found == pairs, found
            if same:
                break
        if len(pairs) < 4:
            continue
        fit = _Fit(numbering, homography, pairs, 0.0)
        fit = replace(fit, cost=_cost(fit, cells, filled, times, tracks))
        if best is None or fit.cost < best.cost:
            best = fit
    return best


def _outermost(points: Points) -> list[int]:
    """The indices of the points furthest out towards the four corners of what they span."""
    width = np.maximum(1e-6, points.max(axis=0) - points.min(axis=0))
    shown = (points - points.min(axis=0)) / width
    return [int(np.argmax(shown @ np.array(corner))) for corner in ((-1, -1), (1, -1), (-1, 1), (1, 1))]


def _from_corners(cells: Points, places: Points) -> Points | None:
    """A first map that takes the outermost filled cells to the outermost places; rows nearer are lower."""
    # On the picture y runs down: the nearest row is the lowest.
    of_grid, of_places = _outermost(cells), _outermost(places * np.array((1, -1)))
    if len(set(of_grid)) < 4 or len(set(of_places)) < 4:
        return None
    return _homography(cells[of_grid], places[of_places])


def _homography(cells: Points, places: Points) -> Points | None:
    """The projective map (3, 3) that takes cells to places best; None where they do not determine one."""
    middle, scale = places.mean(axis=0), max(1.0, float(places.std()))
    centre, unit = cells.mean(axis=0), max(0.5, float(cells.std()))
    rows = []
    for (u, v), (x, y) in zip((cells - centre) / unit, (places - middle) / scale, strict=True):
        rows.append((u, v, 1, 0, 0, 0, -x * u, -x * v, -x))
        rows.append((0, 0, 0, u, v, 1, -y * u, -y * v, -y))
    _, values, vectors = np.linalg.svd(np.array(rows))
    if len(values) > 7 and values[7] < 1e-6:
        return None
    inner = vectors[-1].reshape(3, 3)
    back = np.array([[scale, 0, middle[0]], [0, scale, middle[1]], [0, 0, 1]])
    there = np.array([[1 / unit, 0, -centre[0] / unit], [0, 1 / unit, -centre[1] / unit], [0, 0, 1]])
    out: Points = back @ inner @ there
    return out


def _mapped(homography: Points, cells: Points) -> Points:
    """float64 (N, 2): where the map puts the cells; far away where a cell lies behind the camera."""
    held = np.column_stack([cells, np.ones(len(cells))]) @ homography.T
    sign = np.sign(np.median(held[:, 2])) or 1.0
    depth = held[:, 2] * sign
    out: Points = np.where(depth[:, None] > 1e-9, held[:, :2] * sign / np.maximum(1e-9, depth)[:, None], 1e9)
    return out


def _misfit(at: datetime | None, track: Track) -> float:
    """0 where the face came when the candidate was checked in, 1 from ten minutes apart on."""
    if at is None:
        return 0.0
    return min(1.0, abs((track.first_at - at).total_seconds()) / TIME_APART_S)


def _matched(
    expected: Points,
    filled: Sequence[int],
    places: Points,
    heads: Points,
    times: Sequence[datetime | None],
    tracks: Sequence[Track],
) -> dict[int, int]:
    """Which track belongs to which filled seat: the nearest pairs first, each at most once.

    In the first rounds the map is rough, so pairs are allowed up to two heights apart.
    """
    gaps = np.linalg.norm(expected[list(filled)][:, None, :] - places[None, :, :], axis=2) / heads[None, :]
    near = np.argwhere(gaps <= 2 * REACH)
    ordered = sorted(
        (float(gaps[row, track]) + 0.3 * _misfit(times[filled[row]], tracks[track]), int(row), int(track))
        for row, track in near
    )
    found: dict[int, int] = {}
    used: set[int] = set()
    for _, row, track in ordered:
        if filled[row] not in found and track not in used:
            found[filled[row]] = track
            used.add(track)
    return found


def _cost(
    fit: _Fit,
    cells: Points,
    filled: Sequence[int],
    times: Sequence[datetime | None],
    tracks: Sequence[Track],
) -> float:
    expected = _mapped(fit.homography, cells)
    cost = FOREIGN_COST * (len(tracks) - len(fit.pairs))
    for index in filled:
        if index not in fit.pairs:
            cost += UNMATCHED_COST
            continue
        track = tracks[fit.pairs[index]]
        gap = float(np.hypot(*(expected[index] - (track.x, track.y)))) / track.head_px
        cost += min(1.0, (gap / REACH) ** 2) + _misfit(times[index], track)
    return cost


def _proposal(
    fit: _Fit,
    order: float,
    size: tuple[int, int],
    seats: Sequence[str],
    times: Sequence[datetime | None],
    tracks: Sequence[Track],
    changes: Sequence[Change],
) -> Proposal:
    cells = np.array([fit.numbering.cell(i, len(seats)) for i in range(len(seats))], dtype=np.float64)
    expected = _mapped(fit.homography, cells)
    matched = [tracks[track] for track in fit.pairs.values()]
    slope, base = _heights(matched)
    proposed: list[SeatProposal] = []
    unplaced: list[str] = []
    for index, seat in enumerate(seats):
        x, y = float(expected[index, 0]), float(expected[index, 1])
        track = tracks[fit.pairs[index]] if index in fit.pairs else None
        if track is not None:
            gap = float(np.hypot(x - track.x, y - track.y)) / track.head_px
            sure = float(np.exp(-((gap / REACH) ** 2))) * min(1.0, track.sightings / 8)
            sure *= 0.6 + 0.4 * order
            region = region_at(seat, track.x, track.y, track.head_px, round(min(1.0, sure), 4))
            proposed.append(SeatProposal(region, Basis.SEEN, track.sightings))
            continue
        if not (0 <= x < size[0] and 0 <= y < size[1]):
            unplaced.append(seat)
            continue
        region = region_at(seat, x, y, max(4.0, slope * y + base))
        share = _changed_share(region, times[index], changes)
        basis = Basis.CHANGED if share >= 0.25 else Basis.INFERRED
        most = CHANGED_MOST if basis is Basis.CHANGED else INFERRED_MOST
        sure = most * (0.6 + 0.4 * order) * min(1.0, len(matched) / 8)
        proposed.append(SeatProposal(replace(region, sureness=round(sure, 4)), basis, 0))
    regions = with_occlusion([_inside(one.region, size) for one in proposed])
    return Proposal(
        seats=tuple(replace(one, region=region) for one, region in zip(proposed, regions, strict=True)),
        unplaced=tuple(unplaced),
        numbering=fit.numbering,
        order_sureness=round(order, 4),
        foreign=len(tracks) - len(fit.pairs),
    )


def _heights(tracks: Sequence[Track]) -> tuple[float, float]:
    """Slope and base of the height of faces over y: nearer faces are lower and larger."""
    ys, heads = np.array([t.y for t in tracks]), np.array([t.head_px for t in tracks])
    if float(np.ptp(ys)) < 1.0:
        return 0.0, float(np.median(heads))
    slope, base = np.polyfit(ys, heads, 1)
    return float(slope), float(base)


def _changed_share(region: SeatRegion, at: datetime | None, changes: Sequence[Change]) -> float:
    """How much of a seat's upper body has differed from the empty room since about the check-in, 0 to 1.

    Counted in quarters of its box, so that it does not matter how fine the changes are given.
    """
    if at is None:
        return 0.0
    window = timedelta(seconds=TIME_APART_S)
    x1, y1, x2, y2 = region.bounds
    quarters = {
        (min(3, int(4 * (c.x - x1) / (x2 - x1))), min(3, int(4 * (c.y - y1) / (y2 - y1))))
        for c in changes
        if x1 <= c.x < x2 and y1 <= c.y < y2 and abs(c.since - at) <= window
    }
    return len(quarters) / 16


def _inside(region: SeatRegion, size: tuple[int, int]) -> SeatRegion:
    """The region with its polygon kept on the picture."""
    width, height = size
    kept = tuple((min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)) for x, y in region.polygon)
    try:
        return replace(region, polygon=kept)
    except ValueError:
        return region


def with_occlusion(regions: Sequence[SeatRegion]) -> tuple[SeatRegion, ...]:
    """The regions with the seats that stand in front of each named: nearer, and covering a tenth of its box."""
    out = []
    for region in regions:
        x1, y1, x2, y2 = region.bounds
        fronts = []
        for other in regions:
            if other.seat == region.seat or other.head[1] <= region.head[1] + region.head_px / 2:
                continue
            a1, b1, a2, b2 = other.bounds
            covered = max(0, min(x2, a2) - max(x1, a1)) * max(0, min(y2, b2) - max(y1, b1))
            if covered >= OCCLUDED_LEAST * (x2 - x1) * (y2 - y1):
                fronts.append(other.seat)
        out.append(replace(region, hidden_by=tuple(sorted(fronts))))
    return tuple(out)
