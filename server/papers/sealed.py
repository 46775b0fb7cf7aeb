"""From a draw and the items' content to canonical paper bytes, associated data and the marking sheet.

The encryption itself is `keys/sealing`, called by `draw_service`. A paper shows labels in reading order;
which of the item's options stands behind a label is known to the marking sheet alone.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from server.itembank.blueprint import Blueprint
from server.itembank.items import LABELS, ItemContent
from server.papers.drawing import Draw, DrawItem
from server.papers.marking_sheet import MarkingEntry, MarkingPolicy, MarkingSheet
from server.protocol.paper import Option, Paper, PaperItem

JUDGE_OPTIONS = (Option("T", "正确"), Option("F", "错误"))
_encoder = msgspec.json.Encoder(order="deterministic")


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
    """Makes papers and marking sheets of one slot. Displayed options are kept from paper to paper."""

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
        self._displayed: dict[tuple[int, tuple[int, ...]], tuple[Option, ...]] = {}
        self._policies: dict[str, MarkingPolicy] = {"multiple": blueprint.multiple, "fill": blueprint.fill}
        self._scores = [float(cell.score) for cell in blueprint.cells]

    def paper(self, draw: Draw) -> Paper:
        """Return the paper of a draw."""
        contents, scores = self._contents, self._scores
        items: list[PaperItem] = []
        drawn = zip(draw.items, draw.cells, draw.orders, strict=True)
        for number, (index, cell, order) in enumerate(drawn, start=1):
            content = contents[index]
            items.append(
                PaperItem(
                    number,
                    content.type,
                    content.stem,
                    scores[cell],
                    JUDGE_OPTIONS if content.type == "judge" else self._options(index, order),
                    len(content.accepted),
                )
            )
        return Paper(draw.paper, self._plan, self._slot, self._title, self._blueprint.minutes, tuple(items))

    def sheet(self, draw: Draw) -> MarkingSheet:
        """Return the marking sheet of a draw: keys in displayed labels."""
        entries: list[MarkingEntry] = []
        drawn = zip(draw.items, draw.cells, draw.orders, strict=True)
        for number, (index, cell, order) in enumerate(drawn, start=1):
            content, item = self._contents[index], self._bank[index]
            if content.type == "fill":
                key = tuple(texts[0] for texts in content.accepted)
            elif order:
                right = {LABELS.index(label) for label in content.key}
                key = tuple(LABELS[place] for place, option in enumerate(order) if option in right)
            else:
                key = content.key
            entries.append(
                MarkingEntry(
                    number,
                    item.item,
                    item.version,
                    content.type,
                    key,
                    self._scores[cell],
                    self._policies.get(content.type, "exact"),
                    content.accepted,
                )
            )
        return MarkingSheet(draw.paper, draw.place.sitting, tuple(entries))

    def _options(self, index: int, order: tuple[int, ...]) -> tuple[Option, ...]:
        found = self._displayed.get((index, order))
        if found is None:
            texts = self._contents[index].options
            found = tuple(Option(LABELS[place], texts[option]) for place, option in enumerate(order))
            self._displayed[index, order] = found
        return found
