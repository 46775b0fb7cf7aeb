"""Drawing: which items stand on which paper, in which order, with which order of options.

Every cell's items are dealt along the seats (`dealing`), exchanges between papers keep enemies apart, neighbours
different and difficulty within its band (`bounds`); what exchanges cannot meet a solver assembles (`assembly`), and
its part stands in the draw's record, since another release of the solver may choose another of equally good ones.
All else follows from seed, bank, blueprint and places by whole numbers, on any machine.

Order: stream "order" gives each paper one 32-bit word an item in the order dealt, and the items of a section stand
sorted by their words, equal ones as dealt; stream "options" gives one 32-bit word an item in the paper's order, and
word mod n! is the place of the order in the lexical sequence of the orders of n options, for n up to 5 (no order is
favoured by more than three in a hundred million); more options take an order from a stream of their own. The
sub-items of a case take their orders in turn from the stream "parts/" with the paper's and the case's place from 0.
A paper equal to an earlier one is ordered again (streams "order/1", …).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import factorial

import msgspec
import numpy as np

from server.errors import Refusal, Refused
from server.itembank.blueprint import Blueprint, CellKey, blueprint_bytes, key_of
from server.itembank.feasibility import CellShortage, Usable, refusal_of, shortages_of
from server.papers.bounds import Bounds, band_of_sums, breaches, neighbours_of, repaired
from server.papers.dealing import deal
from server.papers.stream import Stream, derived_id
from server.protocol.paper import ItemType

SPARE = "spare"


@dataclass(frozen=True, slots=True)
class DrawItem:
    """What the draw knows of an item version: no text. `options` is the number of options, 0 for judge
    and fill; `parts` those of each sub-item of a case."""

    item: str
    version: int
    hash: bytes
    type: ItemType
    point: str
    difficulty: float
    options: int
    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a paper is drawn for: a sitting on its seat, or a spare of a room (`sitting` "spare", numbered
    seat)."""

    sitting: str
    room: str
    seat: int


@dataclass(frozen=True, slots=True)
class Draw:
    """One paper as drawn: parallel tuples in the paper's order.

    `items` are indexes into the bank as given, `cells` indexes into the blueprint's cells, `orders` say which
    option of the item stands first, second, … (indexes from 0; empty for items without options). A case whose
    sub-items are shuffled has the orders of all of them, one after the other.
    """

    paper: str
    place: Place
    items: tuple[int, ...]
    cells: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Given:
    """What the bank brings to a draw beside its items: pairs of enemies (item ids), and on how many papers of
    earlier draws each (item, version) has stood."""

    enemies: tuple[tuple[str, str], ...] = ()
    exposures: Mapping[tuple[str, int], int] = field(default_factory=dict)


NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class Problem:
    """What a solver is asked: hands that break bounds, and the bounds.

    `pools[cell]` are the items of a cell, `caps` how many papers may hold each item. `hands[paper]` names items
    cell after cell, in the spans of `bounds`. `seed` gives its preferences among equally good answers.
    """

    seed: bytes
    hands: tuple[tuple[int, ...], ...]
    pools: tuple[tuple[int, ...], ...]
    caps: Mapping[int, int]
    bounds: Bounds


Solution = Mapping[int, tuple[int, ...]]
"""Paper → its hand, for the papers that the solver changed."""
Solver = Callable[[Problem], Solution]


def places_of(seating: Sequence[Place], spares: int) -> tuple[Place, ...]:
    """Return the places in the draw's order: by room and seat, each room's spares after its last seat."""
    by_room: dict[str, list[Place]] = {}
    for place in seating:
        by_room.setdefault(place.room, []).append(place)
    ordered: list[Place] = []
    for room in sorted(by_room):
        ordered.extend(sorted(by_room[room], key=lambda place: (place.seat, place.sitting)))
        ordered.extend(Place(SPARE, room, -number) for number in range(1, spares + 1))
    return tuple(ordered)


def list_hash(
    slot: str,
    title: str,
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    places: Sequence[Place],
    given: Given = NOTHING_GIVEN,
) -> bytes:
    """Return SHA-256 of the list that is drawn from: slot, title, item versions, blueprint, places, enemies and
    earlier exposure.

    Whoever commits to a secret before this list is fixed cannot choose the outcome.
    """
    whole = [
        slot,
        title,
        [[i.item, i.version, i.hash.hex(), i.type, i.point, i.difficulty, i.options] for i in bank],
        blueprint_bytes(blueprint).decode(),
        [[p.sitting, p.room, p.seat] for p in places],
        given.enemies,
        [[item, version, papers] for (item, version), papers in sorted(given.exposures.items())],
    ]
    return hashlib.sha256(b"gongyuan/list/1\0" + msgspec.json.encode(whole)).digest()


def commitment_of(secret: bytes) -> bytes:
    """Return the commitment to a secret: SHA-256 of it."""
    return hashlib.sha256(secret).digest()


def seed_of(secret: bytes, nonce: bytes, listed: bytes) -> bytes:
    """Return the seed: SHA-256(own secret ‖ the other side's nonce ‖ hash of the list drawn from)."""
    return hashlib.sha256(secret + nonce + listed).digest()


def draw(
    seed: bytes,
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    candidates: Sequence[Place],
    given: Given = NOTHING_GIVEN,
    solver: Solver | None = None,
) -> tuple[Draw, ...]:
    """Draw one paper for each place, in their order.

    `bank` must stand in ascending order of (item, version); its items that no cell names are left aside.
    Refused `blueprint-not-fillable` with the short cells, `blueprint-bounds-unmet` when neither exchanges nor the
    solver meet a bound, `paper-variants-equal` when two papers must be equal.
    """
    return draw_solved(seed, bank, blueprint, candidates, given, solver)[0]


def draw_solved(
    seed: bytes,
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    candidates: Sequence[Place],
    given: Given = NOTHING_GIVEN,
    solver: Solver | None = None,
) -> tuple[tuple[Draw, ...], Solution]:
    """Draw as `draw` does; return also what the solver changed, which belongs to the draw's record."""
    hands, solution = select(seed, bank, blueprint, candidates, given, solver)
    return _arranged(seed, bank, blueprint, candidates, hands), solution


def select(
    seed: bytes,
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    candidates: Sequence[Place],
    given: Given = NOTHING_GIVEN,
    solver: Solver | None = None,
) -> tuple[list[list[int]], Solution]:
    """Return which items stand on each paper, cell after cell, and what the solver changed; refused as `draw`."""
    papers = len(candidates)
    fixed = blueprint.papers == "fixed"
    dealt = min(1, papers) if fixed else papers
    table = _laid(bank, blueprint, papers, given)
    pools, caps, enemies = table.pools, table.caps, table.enemies
    refusal = refusal_of(blueprint, table.short)
    if refusal is not None:
        raise Refused(refusal)
    columns = [
        deal(
            Stream(seed, f"cell/{number}"),
            pools[number],
            [caps[item] for item in pools[number]],
            cell.count,
            dealt,
        )
        for number, cell in enumerate(blueprint.cells)
    ]
    hands = _hands(columns, [cell.count for cell in blueprint.cells], dealt)
    bounds = _bounds(bank, blueprint, [] if fixed else candidates, enemies, hands)
    hands = repaired(Stream(seed, "exchanges"), hands, bounds)
    left = breaches(hands, bounds)
    solution: Solution = {}
    if left:
        if solver is not None:
            problem = Problem(
                seed, tuple(tuple(hand) for hand in hands), tuple(tuple(pool) for pool in pools), caps, bounds
            )
            solution = solver(problem)
            for paper, hand in solution.items():
                hands[paper] = list(hand)
            left = breaches(hands, bounds)
        if left:
            raise Refused(_unmet(candidates, left))
        _check_solution(blueprint, pools, caps, hands)
    return (hands * papers if fixed else hands), solution


@dataclass(frozen=True, slots=True)
class _Table:
    """What a draw deals from: items of each cell, papers that each item may stand on, enemies, and what is short."""

    pools: list[list[int]]
    caps: dict[int, int]
    enemies: dict[int, frozenset[int]]
    short: tuple[CellShortage, ...]


def _laid(bank: Sequence[DrawItem], blueprint: Blueprint, papers: int, given: Given) -> _Table:
    pools = _pools(bank, blueprint)
    limit = blueprint.exposure_limit
    caps = {
        item: papers
        if limit is None
        else min(papers, max(0, limit - given.exposures.get((bank[item].item, bank[item].version), 0)))
        for pool in pools
        for item in pool
    }
    if blueprint.papers == "fixed":  # all papers are one hand: an item serves all of them or none
        caps = {item: int(cap == papers) for item, cap in caps.items()}
    enemies = _enemies(bank, blueprint, given)
    usable = [[Usable(bank[item].item, caps[item]) for item in pool] for pool in pools]
    named = [(bank[one].item, bank[other].item) for one, those in enemies.items() for other in those]
    hands = min(1, papers) if blueprint.papers == "fixed" else papers
    return _Table(pools, caps, enemies, shortages_of(blueprint, usable, named, hands))


def short_cells(
    bank: Sequence[DrawItem], blueprint: Blueprint, papers: int, given: Given = NOTHING_GIVEN
) -> tuple[CellShortage, ...]:
    """Return the cells that cannot be filled for so many papers, and by how many items each is short."""
    return _laid(bank, blueprint, papers, given).short


def _unmet(candidates: Sequence[Place], left: Sequence[object]) -> Refusal:
    kinds = sorted({getattr(one, "kind", "") for one in left})
    papers = len({getattr(one, "paper", -1) for one in left})
    return Refusal(
        "blueprint-bounds-unmet", facts={"papers": papers, "of": len(candidates), "bounds": ", ".join(kinds)}
    )


def _check_solution(
    blueprint: Blueprint, pools: Sequence[Sequence[int]], caps: Mapping[int, int], hands: list[list[int]]
) -> None:
    """Refuse hands of a solver, or of a record, that are not exact on a cell or pass the exposure limit."""
    uses: dict[int, int] = {}
    for hand in hands:
        start = 0
        for cell, pool in zip(blueprint.cells, pools, strict=True):
            part = set(hand[start : start + cell.count])
            if len(part) != cell.count or not part <= set(pool):
                raise Refused(Refusal("solution-not-exact"))
            start += cell.count
        if start != len(hand):
            raise Refused(Refusal("solution-not-exact"))
        for item in hand:
            uses[item] = uses.get(item, 0) + 1
    if blueprint.exposure_limit is not None and any(count > caps[item] for item, count in uses.items()):
        raise Refused(Refusal("solution-not-exact"))


def _hands(columns: Sequence[list[int]], counts: Sequence[int], papers: int) -> list[list[int]]:
    if not papers:
        return []
    parts = [
        np.asarray(column, dtype=np.int64).reshape(papers, count)
        for column, count in zip(columns, counts, strict=True)
    ]
    return [list(map(int, row)) for row in np.concatenate(parts, axis=1).tolist()]


def _enemies(bank: Sequence[DrawItem], blueprint: Blueprint, given: Given) -> dict[int, frozenset[int]]:
    """Return item → its enemies, as indexes of the bank: the bank's pairs and the blueprint's groups."""
    place = {one.item: index for index, one in enumerate(bank)}
    pairs = list(given.enemies)
    for group in blueprint.enemies:
        pairs += [(one, other) for one in group for other in group if one != other]
    found: dict[int, set[int]] = {}
    for one, other in pairs:
        if one in place and other in place:
            found.setdefault(place[one], set()).add(place[other])
            found.setdefault(place[other], set()).add(place[one])
    return {index: frozenset(those) for index, those in sorted(found.items())}


def _bounds(
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    candidates: Sequence[Place],
    enemies: Mapping[int, frozenset[int]],
    hands: list[list[int]],
) -> Bounds:
    spans: list[tuple[int, int]] = []
    for cell in blueprint.cells:
        start = spans[-1][1] if spans else 0
        spans.append((start, start + cell.count))
    beside: tuple[tuple[int, ...], ...] = ()
    tied = blueprint.overlap_limit is not None or blueprint.difficulty_spread is not None
    if candidates and (tied or blueprint.seat_rows or enemies):
        beside = neighbours_of([(place.room, place.seat) for place in candidates], blueprint.seat_rows)
    worth: list[int] = []
    low = high = None
    if blueprint.difficulty_spread is not None and hands:
        scores = {cell.key: round(cell.score * 100) for cell in blueprint.cells}
        worth = [
            round(item.difficulty * 10_000) * scores.get(key, 0)
            for item, key in zip(bank, keys_of(bank), strict=True)
        ]
        low, high = band_of_sums(hands, worth, round(blueprint.difficulty_spread * 1_000_000))
    return Bounds(
        tuple(spans),
        enemies,
        beside,
        blueprint.overlap_limit,
        worth,
        low,
        high,
        lessen=bool(beside),
    )


def _arranged(
    seed: bytes,
    bank: Sequence[DrawItem],
    blueprint: Blueprint,
    places: Sequence[Place],
    hands: list[list[int]],
) -> tuple[Draw, ...]:
    """Put each hand in its order, with its orders of options, so that no two papers are equal."""
    arranger = _Arranger(seed, bank, blueprint)
    drawn = arranger.papers("", list(range(len(places))), places, hands)
    if blueprint.papers == "fixed" and not blueprint.shuffle_items and not blueprint.shuffle_options:
        return tuple(drawn)
    for again in range(1, 100):
        seen: set[tuple[object, object]] = set()
        equal: list[int] = []
        for number, one in enumerate(drawn):
            face = (one.items, one.orders)
            if face in seen:
                equal.append(number)
            seen.add(face)
        if not equal:
            return tuple(drawn)
        those = [places[number] for number in equal]
        for number, one in zip(
            equal, arranger.papers(f"/{again}", equal, those, [hands[n] for n in equal]), strict=True
        ):
            drawn[number] = one
    raise Refused(Refusal("paper-variants-equal", facts={"papers": len(equal)}))


class _Arranger:
    def __init__(self, seed: bytes, bank: Sequence[DrawItem], blueprint: Blueprint) -> None:
        self._seed, self._blueprint = seed, blueprint
        self._counts = np.array([item.options for item in bank], dtype=np.int64)
        self._tables = {count: tuple(permutations(range(count))) for count in range(6)}
        facts = [factorial(count) if count < 6 else 1 for count in range(27)]
        self._factorials = np.array(facts, dtype=np.uint32)
        shuffled = enumerate(bank) if blueprint.shuffle_parts else ()
        self._parts = {index: item.parts for index, item in shuffled if any(item.parts)}
        cells = [number for number, cell in enumerate(blueprint.cells) for _ in range(cell.count)]
        self._cells = np.array(cells, dtype=np.int64)
        self._sections = _sections(blueprint, cells)

    def papers(
        self, salt: str, numbers: Sequence[int], places: Sequence[Place], hands: list[list[int]]
    ) -> list[Draw]:
        """Return the papers of the hands; `salt` tells one attempt from another."""
        if not hands:
            return []
        held = np.array(hands, dtype=np.int64)
        count, width = held.shape
        if self._blueprint.shuffle_items:
            words = Stream(self._seed, "order" + salt).words(count * width).reshape(count, width)
            order = np.concatenate(
                [part[np.argsort(words[:, part], axis=1, kind="stable")] for part in self._sections], axis=1
            )
        else:
            order = np.broadcast_to(np.concatenate(self._sections), (count, width))
        held = np.take_along_axis(held, order, axis=1)
        cells = self._cells[order].tolist()
        items = held.tolist()
        orders = self._orders(salt, held, items)
        if self._parts:
            rows = zip(numbers, items, orders, strict=True)
            orders = [self._with_parts(salt, number, row, found) for number, row, found in rows]
        return [
            Draw(
                derived_id(self._seed, f"paper/{number}/{place.sitting}/{place.room}/{place.seat}"),
                place,
                tuple(items[row]),
                tuple(cells[row]),
                orders[row],
            )
            for row, (number, place) in enumerate(zip(numbers, places, strict=True))
        ]

    def _with_parts(
        self, salt: str, number: int, items: list[int], orders: tuple[tuple[int, ...], ...]
    ) -> tuple[tuple[int, ...], ...]:
        """Return a paper's orders with those of the sub-items of its cases."""
        found = list(orders)
        for place, item in enumerate(items):
            if item in self._parts:
                stream = Stream(self._seed, f"parts{salt}/{number}/{place}")
                found[place] = tuple(option for count in self._parts[item] for option in stream.order(count))
        return tuple(found)

    def _orders(
        self, salt: str, held: "np.ndarray[tuple[int, int], np.dtype[np.int64]]", items: list[list[int]]
    ) -> list[tuple[tuple[int, ...], ...]]:
        counts = self._counts[held]
        tables = self._tables
        if not self._blueprint.shuffle_options:
            return [tuple(tuple(range(count)) for count in row) for row in counts.tolist()]
        words = Stream(self._seed, "options" + salt).words(held.size).reshape(held.shape)
        ranks = (words % self._factorials[counts]).tolist()
        long = bool((counts > 5).any())
        if not long:
            return [
                tuple([tables[count][rank] for count, rank in zip(row, places, strict=True)])
                for row, places in zip(counts.tolist(), ranks, strict=True)
            ]
        return [
            tuple(
                tables[count][rank]
                if count < 6
                else tuple(Stream(self._seed, f"options{salt}/{number}/{place}").order(count))
                for place, (count, rank) in enumerate(zip(row, found, strict=True))
            )
            for number, (row, found) in enumerate(zip(counts.tolist(), ranks, strict=True))
        ]


def keys_of(bank: Sequence[DrawItem]) -> tuple[CellKey, ...]:
    """Return the cell key of each item."""
    return tuple(key_of(item.point, item.type, item.difficulty) for item in bank)


def _pools(bank: Sequence[DrawItem], blueprint: Blueprint) -> list[list[int]]:
    pools: dict[CellKey, list[int]] = {cell.key: [] for cell in blueprint.cells}
    for index, key in enumerate(keys_of(bank)):
        if key in pools:
            pools[key].append(index)
    return [pools[cell.key] for cell in blueprint.cells]


def _sections(
    blueprint: Blueprint, cells: Sequence[int]
) -> "list[np.ndarray[tuple[int], np.dtype[np.int64]]]":
    """Return the places of a hand by section: one section a type in the order first named, or all in one."""
    if not blueprint.sections:
        return [np.arange(len(cells), dtype=np.int64)]
    by_type: dict[ItemType, list[int]] = {}
    for place, cell in enumerate(cells):
        by_type.setdefault(blueprint.cells[cell].key.type, []).append(place)
    return [np.array(places, dtype=np.int64) for places in by_type.values()]
