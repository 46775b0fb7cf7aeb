"""From a draw and the items' content to canonical paper bytes, associated data and the marking sheet.

The encryption itself is `keys/sealing`, called by `draw_service`. A paper shows labels in reading order;
which of the item's options stands behind a label is known to the marking sheet alone. A case becomes one entry
for each of its sub-items, one after the other.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain, permutations
from typing import cast

import msgspec

from server.errors import Refusal, Refused
from server.itembank.blueprint import Blueprint
from server.itembank.items import LABELS, ItemContent, SubItem
from server.itembank.showing import orders_of_parts, shares, shown
from server.papers.drawing import Draw, DrawItem
from server.papers.marking_sheet import MarkingEntry, MarkingPolicy, MarkingSheet, RubricPoint, sheet_bytes
from server.protocol.paper import Paper, PaperItem

LARGEST_PAPER = 3_000_000
"""Bytes of a paper that still fit into one frame to the kiosk once sealed and written as base64."""
Order = tuple[int, ...]
Pieces = list[dict[Order, tuple[bytes, ...]]]
"""For each item of the bank: order of options → the encoded form of its entries without their numbers."""
Singles = list[bytes | None]
"""The same where every item is one entry: one place for each order of each item, None where not encoded yet."""
_encoder = msgspec.json.Encoder(order="deterministic")
_BEFORE_PIECE = len(b'{"number":0')
_MOST_RANKED = 5
_ORDERS = [tuple(permutations(range(count))) for count in range(_MOST_RANKED + 1)]
_RANKS = {order: rank for orders in _ORDERS for rank, order in enumerate(orders)}
"""Order of up to five options → its place in the lexical sequence."""
_MISSES = 8
"""Orders of an item that are encoded one by one; at the next all are, while its texts are at hand."""
_BEFORE_OPTIONS = b'"options":'
_BEFORE_TEXT = [b'{"label":"%c","html":' % label for label in LABELS.encode()]


def _numbers(count: int) -> list[bytes]:
    """Return what stands before the pieces of `count` items."""
    return [b'{"number":1', *(b',{"number":%d' % number for number in range(2, count + 1))]


_NUMBERS = _numbers(300)


def paper_bytes(paper: Paper) -> bytes:
    """Return the canonical bytes of a paper: UTF-8 JSON without white space, fields in declared order."""
    return _encoder.encode(paper)


def paper_hash(data: bytes) -> bytes:
    """Return the hash that is shown before the bell: SHA-256 of the canonical bytes."""
    return hashlib.sha256(data).digest()


def associated_data(paper: str, plan: str, sitting: str, digest: bytes, policy: int) -> bytes:
    """Return the associated data of a sealed paper (canonical JSON, RFC 8785)."""
    return msgspec.json.encode(
        {"hash": digest.hex(), "paper": paper, "plan": plan, "policy": policy, "sitting": sitting},
        order="sorted",
    )


def sheet_associated_data(paper: str, plan: str, slot: str, sitting: str) -> bytes:
    """Return the associated data of a sealed marking sheet (canonical JSON, RFC 8785)."""
    return msgspec.json.encode(
        {"paper": paper, "plan": plan, "sheet": 1, "sitting": sitting, "slot": slot}, order="sorted"
    )


class Composer:
    """Makes papers and marking sheets of one slot.

    `paper_data` and `sheet_data` give the same bytes as encoding `paper` and `sheet`, from pieces that are encoded
    once: an item with one order of its options looks the same on every paper but for its number.
    """

    def __init__(
        self,
        plan: str,
        slot: str,
        title: str,
        blueprint: Blueprint,
        bank: Sequence[DrawItem],
        contents: Sequence[ItemContent],
    ) -> None:
        """`contents[i]` is the content of `bank[i]`."""
        self._plan, self._slot, self._title = plan, slot, title
        self._blueprint = blueprint
        self._bank = bank
        self._contents = contents
        self._items: Pieces = [{} for _ in bank]
        self._entries: Pieces = [{} for _ in bank]
        self._single = all(one.type != "case" and len(one.options) <= _MOST_RANKED for one in contents)
        sizes = [len(_ORDERS[len(one.options)]) for one in contents] if self._single else []
        self._bases = [0, *accumulate(sizes)]
        self._single_items: Singles = [None] * self._bases[-1]
        self._single_entries: Singles = [None] * self._bases[-1]
        self._misses: dict[tuple[int, int], int] = {}
        self._by_key: dict[tuple[int, tuple[str, ...]], bytes] = {}
        self._cut: dict[int, tuple[bytes, bytes, list[bytes]]] = {}
        self._policies: dict[str, MarkingPolicy] = {"multiple": blueprint.multiple, "fill": blueprint.fill}
        self._scores = [float(cell.score) for cell in blueprint.cells]

    def paper(self, draw: Draw) -> Paper:
        """Return the paper of a draw."""
        items: list[PaperItem] = []
        for index, cell, order in _drawn(draw):
            items += self._shown(len(items) + 1, index, cell, order)
        return self._headed(draw, tuple(items))

    def paper_data(self, draw: Draw) -> bytes:
        """Return the canonical bytes of the paper of a draw; Refused `paper-too-large` when pictures and sounds
        make it longer than a kiosk may be sent."""
        head = _encoder.encode(self._headed(draw, ()))
        if self._single:
            data = self._joined_singles(head, draw, self._single_items, self._item_piece)
        else:
            data = _joined(head, draw, self._items, self._shown)
        if len(data) > LARGEST_PAPER:
            raise Refused(Refusal("paper-too-large", facts={"bytes": len(data), "limit": LARGEST_PAPER}))
        return data

    def sheet(self, draw: Draw) -> MarkingSheet:
        """Return the marking sheet of a draw: keys in displayed labels."""
        entries: list[MarkingEntry] = []
        for index, cell, order in _drawn(draw):
            entries += self._entries_of(len(entries) + 1, index, cell, order)
        return MarkingSheet(draw.paper, draw.place.sitting, tuple(entries))

    def sheet_data(self, draw: Draw) -> bytes:
        """Return the canonical bytes of the marking sheet of a draw."""
        head = sheet_bytes(MarkingSheet(draw.paper, draw.place.sitting, ()))
        if self._single:
            return self._joined_singles(head, draw, self._single_entries, self._entry_piece)
        return _joined(head, draw, self._entries, self._entries_of)

    def _joined_singles(
        self, head: bytes, draw: Draw, pieces: Singles, make: Callable[[int, int, Order], bytes]
    ) -> bytes:
        """Return the same as `_joined` where every item is one entry."""
        bases, ranks = self._bases, _RANKS
        found = [
            pieces[bases[index] + ranks[order]] for index, order in zip(draw.items, draw.orders, strict=True)
        ]
        if None in found:
            for place, (index, cell, order) in enumerate(_drawn(draw)):
                if found[place] is None:
                    found[place] = self._encoded(pieces, make, index, cell, order)
        parts = _template(len(found)).copy()
        parts[2:-1:2] = cast(list[bytes], found)
        parts[0] = head[:-2]
        return b"".join(parts)

    def _encoded(
        self,
        pieces: Singles,
        make: Callable[[int, int, Order], bytes],
        index: int,
        cell: int,
        order: Order,
    ) -> bytes:
        base, miss = self._bases[index], (id(pieces), index)
        self._misses[miss] = self._misses.get(miss, 0) + 1
        orders = _ORDERS[len(self._contents[index].options)]
        if order and len(order) < _MOST_RANKED and self._misses[miss] > _MISSES:
            for rank, one in enumerate(orders, start=base):
                if pieces[rank] is None:
                    pieces[rank] = make(index, cell, one)
        else:
            pieces[base + _RANKS[order]] = make(index, cell, order)
        return cast(bytes, pieces[base + _RANKS[order]])

    def _item_piece(self, index: int, cell: int, order: Order) -> bytes:
        """Return the encoded form of an item without its number: encoded once, the options' texts put in order."""
        texts = self._contents[index].options
        if not texts:
            return _piece(self._shown(0, index, cell, order)[0])
        if index not in self._cut:
            (one,) = self._shown(0, index, cell, order)
            whole, options = _piece(one), _BEFORE_OPTIONS + _encoder.encode(one.options)
            # An unescaped quotation mark stands in no text, so this is the place of the options.
            place = whole.index(options)
            before = whole[: place + len(_BEFORE_OPTIONS)]
            self._cut[index] = (
                before,
                whole[place + len(options) :],
                [_encoder.encode(text) for text in texts],
            )
        before, after, encoded = self._cut[index]
        listed = b"},".join([_BEFORE_TEXT[place] + encoded[option] for place, option in enumerate(order)])
        return b"%b[%b}]%b" % (before, listed, after)

    def _entry_piece(self, index: int, cell: int, order: Order) -> bytes:
        """Return the encoded form of an item's entry without its number; orders with the same key share all but
        the order itself."""
        content = self._contents[index]
        key = self._key(content, order)
        found = self._by_key.get((index, key))
        if found is None:
            (one,) = self._entries_of(0, index, cell, order)
            found = self._by_key[index, key] = _piece(msgspec.structs.replace(one, order=""))
        # The order is an entry's last field, so it can be put before the closing brace.
        return b'%b,"order":"%b"}' % (found[:-1], _labels(order).encode()) if order else found

    @staticmethod
    def _key(content: ItemContent | SubItem, order: Order) -> tuple[str, ...]:
        """Return the right labels as displayed, or the first accepted text of each blank."""
        if content.type == "fill":
            return tuple(texts[0] for texts in content.accepted)
        if not order:
            return content.key
        right = {LABELS.index(label) for label in content.key}
        return tuple([LABELS[place] for place, option in enumerate(order) if option in right])

    def _headed(self, draw: Draw, items: tuple[PaperItem, ...]) -> Paper:
        return Paper(draw.paper, self._plan, self._slot, self._title, self._blueprint.minutes, items)

    def _shown(self, number: int, index: int, cell: int, order: tuple[int, ...]) -> Sequence[PaperItem]:
        return shown(self._contents[index], number, order, self._scores[cell])

    def _entries_of(self, number: int, index: int, cell: int, order: tuple[int, ...]) -> list[MarkingEntry]:
        content = self._contents[index]
        if content.type != "case":
            return [self._entry(number, index, content, order, self._scores[cell])]
        scores = shares(self._scores[cell], [part.score for part in content.parts])
        orders = orders_of_parts(content, order)
        return [
            self._entry(
                number + place,
                index,
                part,
                orders[place],
                score,
                part=place + 1,
                material=content.stem if part.type == "short" else "",
            )
            for place, (part, score) in enumerate(zip(content.parts, scores, strict=True))
        ]

    def _entry(
        self,
        number: int,
        index: int,
        content: ItemContent | SubItem,
        order: tuple[int, ...],
        score: float,
        part: int = 0,
        material: str = "",
    ) -> MarkingEntry:
        item = self._bank[index]
        key = self._key(content, order)
        worth = shares(score, [one.score for one in content.rubric])
        return MarkingEntry(
            number,
            item.item,
            item.version,
            content.type,
            key,
            score,
            content.policy or self._policies.get(content.type, "exact"),
            content.accepted,
            part,
            tuple(RubricPoint(one.text, share) for one, share in zip(content.rubric, worth, strict=True)),
            content.model,
            content.stem if content.type == "short" else "",
            material,
            _labels(order),
        )


def _piece(one: PaperItem | MarkingEntry) -> bytes:
    """Return the encoded form of an entry of number 0 without that beginning."""
    return _encoder.encode(one)[_BEFORE_PIECE:]


def _labels(order: Sequence[int]) -> str:
    """Return the bank's labels of the options in the order displayed."""
    return "".join([LABELS[option] for option in order])


def _drawn(draw: Draw) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    return zip(draw.items, draw.cells, draw.orders, strict=True)


def _joined(
    head: bytes,
    draw: Draw,
    pieces: Pieces,
    make: Callable[[int, int, int, tuple[int, ...]], Sequence[PaperItem | MarkingEntry]],
) -> bytes:
    """Return the head (which ends in an empty list) with the numbered pieces of a draw in that list."""
    try:
        found = [pieces[index][order] for index, order in zip(draw.items, draw.orders, strict=True)]
    except KeyError:
        for index, cell, order in _drawn(draw):
            if order not in pieces[index]:
                made = make(0, index, cell, order)
                # Encoded under the number 0 all of them, so that each has the same length of beginning.
                pieces[index][order] = tuple(_piece(msgspec.structs.replace(one, number=0)) for one in made)
        found = [pieces[index][order] for index, order in zip(draw.items, draw.orders, strict=True)]
    entries = list(chain.from_iterable(found))
    numbers = _NUMBERS if len(entries) <= len(_NUMBERS) else _numbers(len(entries))
    return b"".join((head[:-2], *chain.from_iterable(zip(numbers, entries, strict=False)), b"]}"))


@lru_cache(maxsize=8)
def _template(count: int) -> list[bytes]:
    """Return the parts of a paper of `count` entries: head, then number and piece of each, and the end."""
    parts = [b""]
    for number in _numbers(count) if count else []:
        parts += [number, b""]
    return [*parts, b"]}"]
