"""Items out in a form that others read. What is written is read back before it is handed out: an item that the
form cannot hold word for word is left out, by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from server.errors import BadInput
from server.itembank.interchange.export_tables import csv_bytes, json_bytes, too_long_for_workbook, xlsx_bytes
from server.itembank.interchange.export_texts import case_in_gaps, gift_bytes, moodle_bytes
from server.itembank.interchange.files import read_table
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Remark, RowOutcome
from server.itembank.interchange.sanitising import sanitised
from server.itembank.items import ItemContent

ExportForm = Literal["xlsx", "csv", "json", "gift", "moodle"]
EXPORT_FORMS: tuple[ExportForm, ...] = ("xlsx", "csv", "json", "gift", "moodle")
_WRITERS: Mapping[ExportForm, Callable[[Sequence[ItemContent]], bytes]] = {
    "xlsx": xlsx_bytes,
    "csv": csv_bytes,
    "json": json_bytes,
    "gift": gift_bytes,
    "moodle": moodle_bytes,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file of items, how many it holds, and a remark for each that it does not hold (place: `item N`, from 1)."""

    data: bytes
    written: int
    left_out: tuple[Remark, ...]


def exported(items: Sequence[ItemContent], form: ExportForm) -> Exported:
    """Write items in a form. BadInput `nothing-to-export` when none is given or the form can hold none of them."""
    kept: list[tuple[int, ItemContent]] = []
    left: list[Remark] = []
    for number, one in enumerate(items, start=1):
        reason = _refused(one, form)
        if reason:
            left.append(_left(number, one, reason))
        else:
            kept.append((number, one))
    # Leaving out one item can change what is read of another only through the file as a whole; twice is enough
    # for single items, and a file that still differs is not handed out.
    for _ in range(3):
        if not kept:
            raise BadInput("nothing-to-export", left_out=len(left))
        data = _WRITERS[form]([one for _, one in kept])
        differing = _differing([one for _, one in kept], data, form)
        if not differing:
            return Exported(data, len(kept), tuple(sorted(left, key=lambda one: int(one.place.split()[-1]))))
        left += [_left(*kept[place], "would not read back the same") for place in sorted(differing)]
        kept = [one for place, one in enumerate(kept) if place not in differing]
    raise BadInput("nothing-to-export", left_out=len(left))


def _refused(content: ItemContent, form: ExportForm) -> str:
    if form == "xlsx" and too_long_for_workbook(content):
        return "longer than a cell"
    if form == "gift" and len(content.accepted) > 1:
        return "several blanks"
    if form == "gift" and content.type == "short":
        return "model answer"
    if content.type == "case" and (form == "gift" or (form == "moodle" and not case_in_gaps(content))):
        return "sub-items"
    return ""


def _left(number: int, content: ItemContent, reason: str) -> Remark:
    return Remark("item-not-exported", f"item {number}", True, {"label": content.label, "reason": reason})


def _differing(items: Sequence[ItemContent], data: bytes, form: ExportForm) -> set[int]:
    """Return the places of items that do not read back as they are."""
    table = read_table(data, form)
    outcomes = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
    if len(outcomes) != len(items):
        return set(range(len(items)))
    return {
        place
        for place, (one, read) in enumerate(zip(items, outcomes, strict=True))
        if read.content != one and not _twice(read)
    }


def _twice(outcome: RowOutcome) -> bool:
    """Say whether a row was read and only then set aside as a copy of one above it."""
    return any(one.code == "item-twice-in-file" for one in outcome.remarks)
