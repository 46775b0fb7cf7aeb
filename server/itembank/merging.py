"""What becomes of an item that is read from a file when the bank already holds items."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from server.errors import Fact
from server.itembank.interchange.answers import folded
from server.itembank.interchange.rows import Remark, RowOutcome, RowStatus
from server.itembank.interchange.sameness import right_texts, same_options
from server.itembank.items import FullItem, ItemContent


@dataclass(frozen=True, slots=True)
class Placed:
    """One row placed in the bank: its outcome, and the item it becomes a version of.

    `item` None with content: a new item. `version` is the number the new version gets, 0 when nothing is
    stored.
    """

    outcome: RowOutcome
    item: str | None
    version: int


class Holdings:
    """The newest version of every item that a bank holds, found by label and by stem."""

    def __init__(self, items: Iterable[FullItem]) -> None:
        newest: dict[str, FullItem] = {}
        for full in items:
            if full.item not in newest or full.version > newest[full.item].version:
                newest[full.item] = full
        self._by_label: dict[str, FullItem] = {}
        self._by_stem: dict[str, FullItem] = {}
        for full in newest.values():
            if full.content.label:
                self._by_label.setdefault(full.content.label, full)
            self._by_stem.setdefault(folded(full.content.stem), full)

    def place(self, outcome: RowOutcome) -> Placed:
        """Say what a row becomes: nothing, a new item, or a new version of one that the bank holds."""
        content = outcome.content
        if content is None:
            return Placed(outcome, None, 0)
        facts: Mapping[str, Fact]
        labelled = self._by_label.get(content.label) if content.label else None
        stemmed = self._by_stem.get(folded(content.stem))
        for held in (labelled, stemmed):
            if held is not None and _equal(held.content, content):
                facts = {"item": held.item, "version": held.version}
                return _done(
                    outcome, RowStatus.UNCHANGED, Remark("item-held-already", outcome.place, False, facts)
                )
        if labelled is not None and _related(labelled.content, content):
            return _new_version(outcome, content, labelled)
        if stemmed is not None and stemmed.content.type == content.type:
            if same_options(stemmed.content, content):
                return _new_version(outcome, content, stemmed)
            facts = {"item": stemmed.item}
            return _doubt(outcome, Remark("stem-held-already", outcome.place, True, facts))
        if labelled is not None:
            facts = {"label": content.label, "item": labelled.item}
            return _doubt(outcome, Remark("label-held-by-another", outcome.place, True, facts))
        return Placed(outcome, None, 1)


def _equal(held: ItemContent, read: ItemContent) -> bool:
    return replace(held, label="") == replace(read, label="") and (not read.label or held.label == read.label)


def _related(held: ItemContent, read: ItemContent) -> bool:
    if held.type != read.type:
        return False
    if folded(held.stem) == folded(read.stem):
        return True
    return bool(held.options) and same_options(held, read)


def _done(outcome: RowOutcome, status: RowStatus, remark: Remark) -> Placed:
    return Placed(replace(outcome, status=status, remarks=(*outcome.remarks, remark)), None, 0)


def _doubt(outcome: RowOutcome, remark: Remark) -> Placed:
    return Placed(replace(outcome, status=RowStatus.DOUBTFUL, remarks=(*outcome.remarks, remark)), None, 1)


def _new_version(outcome: RowOutcome, content: ItemContent, held: FullItem) -> Placed:
    facts: Mapping[str, Fact] = {"item": held.item, "version": held.version + 1}
    disagrees = right_texts(held.content) != right_texts(content)
    code = "key-disagrees-with-bank" if disagrees else "item-new-version"
    remark = Remark(code, outcome.place, disagrees, facts)
    status = RowStatus.DOUBTFUL if disagrees else outcome.status
    return Placed(
        replace(outcome, status=status, remarks=(*outcome.remarks, remark)), held.item, held.version + 1
    )


def counted(outcomes: Iterable[RowOutcome]) -> Mapping[str, int]:
    """Count rows by status; every status stands in it."""
    counts = {status.value: 0 for status in RowStatus}
    for outcome in outcomes:
        counts[outcome.status.value] += 1
    return counts
