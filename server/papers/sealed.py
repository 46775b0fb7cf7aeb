"""From a draw and the items' content to canonical paper bytes, associated data and the marking sheet.

The encryption itself is `keys/sealing`, called by `draw_service`. A paper shows labels in reading order;
which of the item's options stands behind a label is known to the marking sheet alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import msgspec

from server.itembank.blueprint import Blueprint
from server.itembank.items import LABELS, ItemContent
from server.papers.drawing import Draw, DrawItem
from server.papers.marking_sheet import MarkingEntry, MarkingPolicy, MarkingSheet
from server.protocol.paper import Option, Paper, PaperItem

JUDGE_OPTIONS = (Option("T", "正确"), Option("F", "错误"))
Pieces = list[dict[tuple[int, ...], bytes]]
"""For each item of the bank: order of options → its encoded form without the number."""
_encoder = msgspec.json.Encoder(order="deterministic")
_BEFORE_PIECE = len(b'{"number":0')


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
        self._policies: dict[str, MarkingPolicy] = {"multiple": blueprint.multiple, "fill": blueprint.fill}
        self._scores = [float(cell.score) for cell in blueprint.cells]

    def paper(self, draw: Draw) -> Paper:
        """Return the paper of a draw."""
        items = [
            self._item(number, index, cell, order)
            for number, (index, cell, order) in enumerate(_drawn(draw), start=1)
        ]
        return self._headed(draw, tuple(items))

    def paper_data(self, draw: Draw) -> bytes:
        """Return the canonical bytes of the paper of a draw."""
        head = _encoder.encode(self._headed(draw, ()))
        return _joined(head, draw, self._items, self._item)

    def sheet(self, draw: Draw) -> MarkingSheet:
        """Return the marking sheet of a draw: keys in displayed labels."""
        entries = [
            self._entry(number, index, cell, order)
            for number, (index, cell, order) in enumerate(_drawn(draw), start=1)
        ]
        return MarkingSheet(draw.paper, draw.place.sitting, tuple(entries))

    def sheet_data(self, draw: Draw) -> bytes:
        """Return the canonical bytes of the marking sheet of a draw."""
        head = _encoder.encode(MarkingSheet(draw.paper, draw.place.sitting, ()))
        return _joined(head, draw, self._entries, self._entry)

    def _headed(self, draw: Draw, items: tuple[PaperItem, ...]) -> Paper:
        return Paper(draw.paper, self._plan, self._slot, self._title, self._blueprint.minutes, items)

    def _item(self, number: int, index: int, cell: int, order: tuple[int, ...]) -> PaperItem:
        content = self._contents[index]
        options: tuple[Option, ...] = JUDGE_OPTIONS
        if content.type != "judge":
            texts = content.options
            options = tuple(Option(LABELS[place], texts[option]) for place, option in enumerate(order))
        return PaperItem(
            number, content.type, content.stem, self._scores[cell], options, len(content.accepted)
        )

    def _entry(self, number: int, index: int, cell: int, order: tuple[int, ...]) -> MarkingEntry:
        content, item = self._contents[index], self._bank[index]
        if content.type == "fill":
            key = tuple(texts[0] for texts in content.accepted)
        elif order:
            right = {LABELS.index(label) for label in content.key}
            key = tuple(LABELS[place] for place, option in enumerate(order) if option in right)
        else:
            key = content.key
        return MarkingEntry(
            number,
            item.item,
            item.version,
            content.type,
            key,
            self._scores[cell],
            self._policies.get(content.type, "exact"),
            content.accepted,
        )


def _drawn(draw: Draw) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    return zip(draw.items, draw.cells, draw.orders, strict=True)


def _joined(
    head: bytes,
    draw: Draw,
    pieces: Pieces,
    make: Callable[[int, int, int, tuple[int, ...]], PaperItem | MarkingEntry],
) -> bytes:
    """Return the head (which ends in an empty list) with the numbered pieces of a draw in that list."""
    try:
        found = [pieces[index][order] for index, order in zip(draw.items, draw.orders, strict=True)]
    except KeyError:
        for index, cell, order in _drawn(draw):
            if order not in pieces[index]:
                pieces[index][order] = _encoder.encode(make(0, index, cell, order))[_BEFORE_PIECE:]
        found = [pieces[index][order] for index, order in zip(draw.items, draw.orders, strict=True)]
    numbers = _NUMBERS if len(found) <= len(_NUMBERS) else _numbers(len(found))
    return b"".join((head[:-2], *chain.from_iterable(zip(numbers, found, strict=False)), b"]}"))
