"""Tracing a leak: from what a person typed off a photograph to the papers that show it.

A fragment is plain text: an item begins with its number (`12.` or `12、`) or after an empty line; lines that begin with
a label (`A.`, `B、`) are its options as displayed; the rest is its stem. A few words of each are enough, and misread
characters are borne. `matched` finds the bank's items, `ranked` the papers: every paper of the slot is compared by
which of the items it has, under which numbers and with which order of options.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from math import factorial

LEAST_LIKENESS = 0.6
"""Share of a typed text's letter pairs that must stand in an item's text."""
NEAR = 0.03
"""Items whose likeness is at most so far below the best are possible too."""
_NUMBERED = re.compile(r"^\s*(\d{1,3})\s*[.．、:：)）]\s*(.*)$")
_LABELLED = re.compile(r"^\s*[(（]?([A-Za-zＡ-Ｚａ-ｚ])\s*[.．、:：)）]\s*(.*)$")
_MARKUP = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class TypedItem:
    """One item as typed: its number on the paper (0: not typed), its stem, its options as (label from 0, or −1, text)
    in the order typed."""

    number: int
    stem: str
    options: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class ItemText:
    """The texts of one item that a draw used: stem (with those of sub-items), options; `entries` are the numbers that
    it takes on a paper."""

    stem: str
    options: tuple[str, ...]
    entries: int = 1


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one typed item says of papers: the items that it may be, with likeness 0 to 1, its number (0: none), and of
    each item the options seen: (place displayed from 0, or −1, option of the item), in the order typed."""

    number: int
    items: tuple[tuple[int, float], ...]
    seen: Mapping[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One paper of the slot as far as tracing compares it: items, orders of options, and number of each item's first
    entry; parallel."""

    paper: str
    items: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A paper and how much of the fragment it shows.

    `items`, `numbers`, `orders`: typed items found on it, numbers that agree, orders of options that agree, each of
    `of_items`, `of_numbers`, `of_orders`. `chance`: papers of the slot that would be expected to show as much by
    coincidence, at most the number of papers.
    """

    paper: str
    items: int
    numbers: int
    orders: int
    of_items: int
    of_numbers: int
    of_orders: int
    chance: float


def read_fragment(text: str) -> tuple[TypedItem, ...]:
    """Return the items of a typed fragment, in order; what has neither stem nor option is left out."""
    found: list[TypedItem] = []
    number, stem, options = 0, "", list[tuple[int, str]]()

    def close() -> None:
        nonlocal number, stem, options
        if stem.strip() or options:
            found.append(TypedItem(number, stem.strip(), tuple(options)))
        number, stem, options = 0, "", []

    for line in text.splitlines():
        if not line.strip():
            close()
        elif numbered := _NUMBERED.match(line):
            close()
            number, stem = int(numbered[1]), numbered[2]
        elif labelled := _LABELLED.match(line):
            label = unicodedata.normalize("NFKC", labelled[1]).upper()
            options.append((ord(label) - ord("A"), labelled[2].strip()))
        elif options:
            options[-1] = (options[-1][0], f"{options[-1][1]} {line.strip()}")
        else:
            stem = f"{stem} {line.strip()}"
    close()
    return tuple(found)


def plain(html: str) -> str:
    """Return the letters and digits of a text without mark-up, width and case."""
    text = unicodedata.normalize("NFKC", unescape(_MARKUP.sub("", html))).casefold()
    return "".join(letter for letter in text if letter.isalnum())


def _pairs(text: str) -> frozenset[str]:
    letters = plain(text)
    if len(letters) < 2:
        return frozenset((letters,)) if letters else frozenset()
    return frozenset(letters[place : place + 2] for place in range(len(letters) - 1))


def _likeness(typed: frozenset[str], text: frozenset[str]) -> float:
    return len(typed & text) / len(typed) if typed else 0.0


def matched(typed: Sequence[TypedItem], texts: Sequence[ItemText]) -> tuple[Sighting, ...]:
    """Say for each typed item which of the texts it may be; a sighting without items was not recognised."""
    stems = [_pairs(one.stem) for one in texts]
    options = [[_pairs(option) for option in one.options] for one in texts]
    found: list[Sighting] = []
    for one in typed:
        stem = _pairs(one.stem)
        given = [_pairs(text) for _, text in one.options]
        wanted = stem.union(*given) if given else stem
        scored: list[tuple[float, int]] = []
        for index, text in enumerate(stems):
            likeness = _likeness(wanted, text.union(*options[index]) if given else text)
            if likeness >= LEAST_LIKENESS:
                scored.append((likeness, index))
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        best = [(index, likeness) for likeness, index in scored if likeness >= scored[0][0] - NEAR][:20]
        seen = {index: _seen(one.options, given, options[index]) for index, _ in best}
        found.append(Sighting(one.number, tuple(best), seen))
    return tuple(found)


def _seen(
    typed: Sequence[tuple[int, str]], given: Sequence[frozenset[str]], options: Sequence[frozenset[str]]
) -> tuple[tuple[int, int], ...]:
    """Return (place displayed, option) for each typed option that is like exactly one option of the item."""
    found: list[tuple[int, int]] = []
    for (place, _), pairs in zip(typed, given, strict=True):
        # Both ways, so that "2 years" is not taken for "12 years".
        likeness = [(_likeness(pairs, one) + _likeness(one, pairs)) / 2 for one in options]
        best = max(likeness, default=0.0)
        if best >= LEAST_LIKENESS / 2 and likeness.count(best) == 1:
            found.append((place, likeness.index(best)))
    return tuple(found)


def _agrees(order: Sequence[int], seen: Sequence[tuple[int, int]]) -> bool:
    """Whether options stand where they were seen, those without label in the order typed."""
    places = {option: place for place, option in enumerate(order)}
    if any(place >= 0 and places.get(option) != place for place, option in seen):
        return False
    standing = [places.get(option, -1) for _, option in seen]
    return standing == sorted(standing) and -1 not in standing


def _order_chance(order: Sequence[int], seen: Sequence[tuple[int, int]]) -> float:
    """Return the share of all orders of the options that agree with what was seen."""
    if all(place >= 0 for place, _ in seen):
        return factorial(len(order) - len(seen)) / factorial(len(order))
    return 1 / factorial(len(seen))


def ranked(
    sightings: Sequence[Sighting], sheets: Sequence[Sheet], shuffled: bool, most: int = 10
) -> tuple[Suspect, ...]:
    """Return the papers that show most of what was seen, best first; none that show nothing of it.

    `shuffled`: orders of options were drawn, so they tell papers apart.
    """
    known = [one for one in sightings if one.items]
    holding: dict[int, int] = {}
    width = max((sheet.numbers[-1] for sheet in sheets if sheet.numbers), default=1)
    for sheet in sheets:
        for item in sheet.items:
            holding[item] = holding.get(item, 0) + 1
    of_numbers = sum(one.number > 0 for one in known)
    of_orders = sum(shuffled and any(one.seen.values()) for one in known)
    found: list[Suspect] = []
    for sheet in sheets:
        places = {item: place for place, item in enumerate(sheet.items)}
        items = numbers = orders = 0
        chance = float(len(sheets))
        for one in known:
            best = (0, 0, 0, 1.0)
            for item, _ in one.items:
                if item in places:
                    best = max(
                        best, _shown(one, item, places[item], sheet, holding, len(sheets), width, shuffled)
                    )
            items += best[0]
            numbers += best[1]
            orders += best[2]
            chance *= best[3]
        if items:
            found.append(
                Suspect(
                    sheet.paper,
                    items,
                    numbers,
                    orders,
                    len(sightings),
                    of_numbers,
                    of_orders,
                    min(float(len(sheets)), chance),
                )
            )
    found.sort(key=lambda one: (-(one.items + one.numbers + one.orders), one.chance, one.paper))
    return tuple(found[:most])


def _shown(
    one: Sighting,
    item: int,
    place: int,
    sheet: Sheet,
    holding: Mapping[int, int],
    papers: int,
    width: int,
    shuffled: bool,
) -> tuple[int, int, int, float]:
    """Return (1, number agrees, order agrees, share of papers that would show as much by coincidence)."""
    chance = holding[item] / papers
    number = int(one.number > 0 and one.number == sheet.numbers[place])
    if number:
        chance /= width
    seen = one.seen.get(item, ())
    order = int(shuffled and bool(seen) and _agrees(sheet.orders[place], seen))
    if order:
        chance *= _order_chance(sheet.orders[place], seen)
    return 1, number, order, chance
