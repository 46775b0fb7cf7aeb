"""Drawing: which items stand on which paper, in which order, with which order of options.

Each cell of the blueprint is a deck of its items. The deck is shuffled once and dealt along the seats in
order, so that neighbours get different items for as long as the deck lasts. When it is used up it is
shuffled again in two halves, the half dealt longer ago first: an item comes back only after at least half
of the deck has passed. Every candidate gets exactly the cell's count; no item is used more than once
oftener than another of its cell. The same seed, bank, blueprint and places give the same papers on any
machine.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import msgspec

from server.errors import Refused
from server.itembank.blueprint import Blueprint, CellKey, blueprint_bytes, fillable, key_of
from server.papers.stream import Stream, derived_id
from server.protocol.paper import ItemType

SPARE = "spare"


@dataclass(frozen=True, slots=True)
class DrawItem:
    """What the draw knows of an item version: no text. `options` is the number of options, 0 for judge
    and fill."""

    item: str
    version: int
    hash: bytes
    type: ItemType
    point: str
    difficulty: float
    options: int


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
    option of the item stands first, second, … (indexes from 0; empty for items without options).
    """

    paper: str
    place: Place
    items: tuple[int, ...]
    cells: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]


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
    slot: str, title: str, bank: Sequence[DrawItem], blueprint: Blueprint, places: Sequence[Place]
) -> bytes:
    """Return SHA-256 of the list that is drawn from: slot, title, item versions, blueprint and places.

    Whoever commits to a secret before this list is fixed cannot choose the outcome.
    """
    whole = [
        slot,
        title,
        [[i.item, i.version, i.hash.hex(), i.type, i.point, i.difficulty, i.options] for i in bank],
        blueprint_bytes(blueprint).decode(),
        [[p.sitting, p.room, p.seat] for p in places],
    ]
    return hashlib.sha256(b"gongyuan/list/1\0" + msgspec.json.encode(whole)).digest()


def commitment_of(secret: bytes) -> bytes:
    """Return the commitment to a secret: SHA-256 of it."""
    return hashlib.sha256(secret).digest()


def seed_of(secret: bytes, nonce: bytes, listed: bytes) -> bytes:
    """Return the seed: SHA-256(own secret ‖ the other side's nonce ‖ hash of the list drawn from)."""
    return hashlib.sha256(secret + nonce + listed).digest()


def draw(
    seed: bytes, bank: Sequence[DrawItem], blueprint: Blueprint, candidates: Sequence[Place]
) -> tuple[Draw, ...]:
    """Draw one paper for each place, in their order; Refused `blueprint-not-fillable` names the short cells.

    `bank` must stand in ascending order of (item, version); its items that no cell names are left aside.
    """
    decks = _decks(seed, bank, blueprint)
    orders = _Orders(bank, blueprint.shuffle_options)
    sections = _sections(blueprint)
    drawn: list[Draw] = []
    for number, place in enumerate(candidates):
        label = f"paper/{number}/{place.sitting}/{place.room}/{place.seat}"
        stream = Stream(seed, label)
        items: list[int] = []
        cells: list[int] = []
        for section in sections:
            held: list[int] = []
            of: list[int] = []
            for cell in section:
                dealt = decks[cell].deal(blueprint.cells[cell].count)
                held += dealt
                of += [cell] * len(dealt)
            if blueprint.shuffle_items:
                order = stream.order(len(held))
                items += [held[index] for index in order]
                cells += [of[index] for index in order]
            else:
                items += held
                cells += of
        drawn.append(
            Draw(derived_id(seed, label), place, tuple(items), tuple(cells), orders.drawn(stream, items))
        )
    return tuple(drawn)


class _Deck:
    """The items of one cell, dealt along the places."""

    __slots__ = ("_cards", "_next", "_stream")

    def __init__(self, stream: Stream, cards: list[int]) -> None:
        self._stream = stream
        self._cards = self._shuffled(cards)
        self._next = 0

    def _shuffled(self, cards: list[int]) -> list[int]:
        return [cards[index] for index in self._stream.order(len(cards))]

    def deal(self, count: int) -> list[int]:
        """Return `count` different cards; the deck holds at least so many."""
        if self._next + count <= len(self._cards):
            hand = self._cards[self._next : self._next + count]
            self._next += count
            return hand
        hand = self._cards[self._next :]
        self._again()
        held = set(hand)
        fresh = [card for card in self._cards if card not in held][: count - len(hand)]
        # The cards passed over stay in front of the rest, so that none of them falls a round behind.
        taken = set(fresh)
        self._cards = fresh + [card for card in self._cards if card not in taken]
        self._next = len(fresh)
        return hand + fresh

    def _again(self) -> None:
        half = len(self._cards) // 2
        self._cards = self._shuffled(self._cards[:half]) + self._shuffled(self._cards[half:])
        self._next = 0


class _Orders:
    """Orders of options. Items with the same number of options are drawn together, in the paper's order,
    smaller
    numbers first: up to 5 options one number an item, an index into all orders in lexical sequence; else
    an order."""

    __slots__ = ("_counts", "_shuffle", "_tables")

    def __init__(self, bank: Sequence[DrawItem], shuffle: bool) -> None:
        self._counts = [item.options for item in bank]
        self._shuffle = shuffle
        self._tables = {count: tuple(permutations(range(count))) for count in range(6)}

    def drawn(self, stream: Stream, items: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        counts = [self._counts[item] for item in items]
        if not self._shuffle:
            return tuple(tuple(range(count)) for count in counts)
        found: list[tuple[int, ...]] = [()] * len(items)
        for count in sorted(set(counts)):
            places = [place for place, options in enumerate(counts) if options == count]
            if count == 0:
                continue
            if count < 6:
                table = self._tables[count]
                for place, index in zip(places, stream.numbers(len(table), len(places)), strict=True):
                    found[place] = table[index]
            else:
                for place in places:
                    found[place] = tuple(stream.order(count))
        return tuple(found)


def keys_of(bank: Sequence[DrawItem]) -> tuple[CellKey, ...]:
    """Return the cell key of each item."""
    return tuple(key_of(item.point, item.type, item.difficulty) for item in bank)


def _decks(seed: bytes, bank: Sequence[DrawItem], blueprint: Blueprint) -> list[_Deck]:
    pools: dict[CellKey, list[int]] = {}
    for index, key in enumerate(keys_of(bank)):
        pools.setdefault(key, []).append(index)
    refusal = fillable(blueprint, {key: len(pool) for key, pool in pools.items()})
    if refusal is not None:
        raise Refused(refusal)
    return [
        _Deck(Stream(seed, f"cell/{number}"), list(pools[cell.key]))
        for number, cell in enumerate(blueprint.cells)
    ]


def _sections(blueprint: Blueprint) -> tuple[tuple[int, ...], ...]:
    """Return the cells of each section: one section a type in the order first named, or all in one."""
    if not blueprint.sections:
        return (tuple(range(len(blueprint.cells))),)
    by_type: dict[ItemType, list[int]] = {}
    for index, cell in enumerate(blueprint.cells):
        by_type.setdefault(cell.key.type, []).append(index)
    return tuple(tuple(cells) for cells in by_type.values())


@dataclass(frozen=True, slots=True)
class DrawFigures:
    """What can be said of a draw without naming an item: counts, exposure and neighbours' common items."""

    papers: int
    spares: int
    items: int
    used: int
    exposure: int
    """Papers on which the most used item stands."""
    overlap: int
    """Most common items of two papers that follow each other in a room."""


def figures_of(draws: Sequence[Draw]) -> DrawFigures:
    """Count papers, spares, items a paper, items used, the largest exposure and the largest overlap."""
    exposure: dict[int, int] = {}
    for one in draws:
        for item in one.items:
            exposure[item] = exposure.get(item, 0) + 1
    overlap = 0
    for left, right in pairwise(draws):
        if left.place.room == right.place.room:
            overlap = max(overlap, len(set(left.items) & set(right.items)))
    spares = sum(one.place.sitting == SPARE for one in draws)
    return DrawFigures(
        papers=len(draws) - spares,
        spares=spares,
        items=len(draws[0].items) if draws else 0,
        used=len(exposure),
        exposure=max(exposure.values(), default=0),
        overlap=overlap,
    )


def figures_as_facts(figures: DrawFigures) -> Mapping[str, int]:
    """Return the figures as facts for journal and report."""
    return {
        "papers": figures.papers,
        "spares": figures.spares,
        "items": figures.items,
        "used": figures.used,
        "exposure": figures.exposure,
        "overlap": figures.overlap,
    }
