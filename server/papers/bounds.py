"""What papers may not do beside holding each cell's count: enemies on one paper, neighbours with too much in common,
papers easier or harder than a band allows; and the exchanges that put dealt hands right.

An exchange gives one item of a cell from a paper to another paper and takes back an item of the same cell, so counts
of the cells and uses of the items stay as they were dealt. Numbers are whole, so any machine decides the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from server.affairs.seating import snake
from server.papers.stream import Stream

PASSES = 12
TRIES = 300
"""Papers that are asked for one exchange."""
LESSENING = 20_000
"""Papers asked in all to lessen what neighbours share beyond what is demanded."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one draw; items and papers by index.

    `spans`: first and behind-last place of each cell in a hand. `enemies`: item → items that may not stand with it.
    `neighbours`: paper → papers at neighbouring seats. `overlap`: most common items of neighbours, None without
    bound. `worth`: item → points that its facility promises, in millionths. `low`, `high`: least and most worth
    of a paper, both inclusive; None without band. `lessen`: go on to lessen what neighbours share.
    """

    spans: tuple[tuple[int, int], ...]
    enemies: Mapping[int, frozenset[int]] = field(default_factory=dict)
    neighbours: tuple[tuple[int, ...], ...] = ()
    overlap: int | None = None
    worth: Sequence[int] = ()
    low: int | None = None
    high: int | None = None
    lessen: bool = False


@dataclass(frozen=True, slots=True)
class Breach:
    """One bound that one paper breaks: enemies, overlap (with `other`) or difficulty."""

    paper: int
    kind: str
    other: int = -1


def neighbours_of(places: Sequence[tuple[str, int]], rows: int) -> tuple[tuple[int, ...], ...]:
    """Return for each place, given as (room, seat; below 1 for a spare), the places of its neighbours.

    Neighbours follow one another in seat number in one room; with `rows` seats in a column, numbered in a snake,
    also stand side by side or one behind the other. A spare has none.
    """
    found: list[set[int]] = [set() for _ in places]
    seated = [place for place, (_, seat) in enumerate(places) if seat > 0]
    for one, other in pairwise(seated):
        if places[one][0] == places[other][0]:
            found[one].add(other)
            found[other].add(one)
    if rows:
        at: dict[tuple[str, int, int], int] = {}
        for place in seated:
            room, seat = places[place]
            where = snake(seat, rows)
            at[room, where.row, where.column] = place
        for (room, row, column), place in at.items():
            for beside in ((row + 1, column), (row, column + 1)):
                other_place = at.get((room, *beside))
                if other_place is not None and other_place != place:
                    found[place].add(other_place)
                    found[other_place].add(place)
    return tuple(tuple(sorted(one)) for one in found)


def band_of_sums(hands: Sequence[Sequence[int]], worth: Sequence[int], spread: int) -> tuple[int, int]:
    """Return the lowest and the highest sum that lie within `spread` around the mean sum of all hands, inclusive."""
    total, papers = sum(worth[item] for hand in hands for item in hand), len(hands)
    low = -((papers * spread - 2 * total) // (2 * papers))
    return low, (2 * total + papers * spread) // (2 * papers)


def breaches(hands: Sequence[Sequence[int]], bounds: Bounds) -> tuple[Breach, ...]:
    """Return every bound that a paper breaks, by paper; a pair of neighbours is named at its first paper."""
    if not bounds.enemies and bounds.overlap is None and bounds.low is None:
        return ()
    return tuple(_Table([list(hand) for hand in hands], bounds).breaches())


def repaired(stream: Stream, hands: list[list[int]], bounds: Bounds) -> list[list[int]]:
    """Return the hands after exchanges between papers until no bound is broken or no exchange helps."""
    if not bounds.enemies and bounds.overlap is None and bounds.low is None and not bounds.lessen:
        return hands
    table = _Table(hands, bounds)
    for _ in range(PASSES):
        found = list(table.breaches())
        if not found:
            break
        moved = [table.mend(stream, breach) for breach in found]
        if not any(moved):
            break
    if bounds.lessen:
        table.lessen(stream)
    return table.hands


class _Table:
    """Hands under exchange. `held` are the hands as sets, `sums` their worth."""

    def __init__(self, hands: list[list[int]], bounds: Bounds) -> None:
        self.hands, self.bounds = hands, bounds
        self.held = [set(hand) for hand in hands]
        worth = bounds.worth
        self.sums = [sum(worth[item] for item in hand) for hand in hands] if bounds.low is not None else []
        self.feared = set(bounds.enemies)

    def breaches(self) -> Iterator[Breach]:
        bounds = self.bounds
        for paper, held in enumerate(self.held):
            if self.feared and self._quarrels(paper):
                yield Breach(paper, "enemies")
            if bounds.overlap is not None:
                for other in bounds.neighbours[paper]:
                    if other > paper and len(held & self.held[other]) > bounds.overlap:
                        yield Breach(paper, "overlap", other)
            if self.sums and self._off(self.sums[paper]):
                yield Breach(paper, "difficulty")

    def _quarrels(self, paper: int) -> list[int]:
        held, enemies = self.held[paper], self.bounds.enemies
        return sorted(item for item in held & self.feared if enemies[item] & held)

    def mend(self, stream: Stream, breach: Breach) -> bool:
        """Make exchanges for one breach as it now stands; whether any was made or none is needed."""
        paper = breach.paper
        if breach.kind == "enemies":
            moved = False
            while quarrel := self._quarrels(paper):
                if not any(self._exchange(stream, paper, item) for item in reversed(quarrel)):
                    return moved
                moved = True
            return True
        if breach.kind == "overlap":
            return self._part(stream, paper, breach.other)
        return self._level(stream, paper)

    def _part(self, stream: Stream, paper: int, other: int) -> bool:
        limit = self.bounds.overlap
        assert limit is not None
        moved = False
        for one in (paper, other):
            for item in sorted(self.held[paper] & self.held[other]):
                if len(self.held[paper] & self.held[other]) <= limit:
                    return True
                moved |= self._exchange(stream, one, item, apart=paper + other - one)
        return moved

    def _level(self, stream: Stream, paper: int) -> bool:
        """Bring one paper's worth nearer to the band until it is within."""
        moved = False
        for start, stop in self.bounds.spans:
            for place in range(start, stop):
                if not self._off(self.sums[paper]):
                    return True
                moved |= self._exchange(stream, paper, self.hands[paper][place], tries=8, level=True)
        return moved

    def lessen(self, stream: Stream) -> None:
        """Lessen what neighbours have in common, as far as a bounded number of tries goes."""
        left = LESSENING
        for paper, beside in enumerate(self.bounds.neighbours):
            for other in beside:
                if other < paper:
                    continue
                for item in sorted(self.held[paper] & self.held[other]):
                    if left <= 0:
                        return
                    left -= 20
                    self._exchange(stream, paper, item, apart=other, tries=20, lessen=True)

    def _span(self, place: int) -> tuple[int, int]:
        return next(span for span in self.bounds.spans if span[0] <= place < span[1])

    def _exchange(
        self,
        stream: Stream,
        paper: int,
        item: int,
        *,
        apart: int = -1,
        tries: int = TRIES,
        level: bool = False,
        lessen: bool = False,
    ) -> bool:
        """Exchange an item of a paper for one of another paper; whether a paper was found that may.

        `apart`: the item taken may not stand on this paper, and neighbours may not share more than before.
        `level`: the worth of the paper must come nearer to the band.
        """
        place = self.hands[paper].index(item)
        start, stop = self._span(place)
        papers = len(self.hands)
        first = stream.numbers(papers, 1)[0]
        mine = self.held[paper]
        for step in range(min(papers, tries)):
            other = (first + step) % papers
            theirs = self.held[other]
            if other == paper or item in theirs:
                continue
            for there in range(start, stop):
                taken = self.hands[other][there]
                if taken in mine or (apart >= 0 and taken in self.held[apart]):
                    continue
                if level and not self._nearer(paper, item, taken):
                    continue
                change = self._change(paper, item, taken, other)
                if change is None or (apart >= 0 and change >= 0):
                    continue
                back = self._change(other, taken, item, paper)
                if back is None or (lessen and change + back >= 0):
                    continue
                self._give(paper, place, item, taken)
                self._give(other, there, taken, item)
                return True
        return False

    def _give(self, paper: int, place: int, out: int, taken: int) -> None:
        self.hands[paper][place] = taken
        self.held[paper].remove(out)
        self.held[paper].add(taken)
        if self.sums:
            self.sums[paper] += self.bounds.worth[taken] - self.bounds.worth[out]

    def _nearer(self, paper: int, out: int, taken: int) -> bool:
        step = self.bounds.worth[taken] - self.bounds.worth[out]
        return self._off(self.sums[paper] + step) < self._off(self.sums[paper])

    def _off(self, worth: int) -> int:
        """Return how far a sum lies outside of the band; 0 within."""
        low, high = self.bounds.low, self.bounds.high
        assert low is not None and high is not None
        return low - worth if worth < low else max(0, worth - high)

    def _change(self, paper: int, out: int, taken: int, partner: int) -> int | None:
        """Return by how much the common items with all neighbours would change, or None when a bound forbids
        the exchange."""
        bounds, held = self.bounds, self.held[paper]
        quarrel = bounds.enemies.get(taken)
        if quarrel and not (quarrel & held) <= {out}:
            return None
        if self.sums:
            then = self._off(self.sums[paper] + bounds.worth[taken] - bounds.worth[out])
            if then and then > self._off(self.sums[paper]):
                return None
        change = 0
        if bounds.neighbours:
            for beside in bounds.neighbours[paper]:
                if beside == partner:
                    return None
                near = self.held[beside]
                if out in near:
                    change -= 1
                if taken in near:
                    change += 1
                    full = bounds.overlap is not None and len(held & near) >= bounds.overlap
                    if full and out not in near:
                        return None
        return change
