"""Rows as they stand in a file, before anyone decides what they mean, and what became of each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.errors import Fact
from server.itembank.items import ItemContent

Cell = str | tuple[str, ...] | tuple[tuple[str, str], ...]
"""Text; a list of texts; or labelled texts (label, text) in order."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: where it stands (`sheet!row` or `row`), its cells by column name, and its sheet's name.

    `remarks` are what its reader had to say of it; `not_held` names a kind of item that the bank does not hold.
    `parts` are the sub-items of a case, with the same columns.
    """

    place: str
    cells: Mapping[str, Cell]
    sheet: str = ""
    remarks: tuple["Remark", ...] = ()
    not_held: str = ""
    parts: tuple["SourceRow", ...] = ()


@dataclass(frozen=True, slots=True)
class SourceTable:
    """All rows of one file in order, with the columns in order of first appearance."""

    columns: tuple[str, ...]
    rows: tuple[SourceRow, ...]
    remarks: tuple["Remark", ...] = ()
    """What was passed over before rows were made (an empty sheet, a sheet without a known header)."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about a place in a file; `code` is a text code, `doubt` asks a person to look."""

    code: str
    place: str
    doubt: bool
    facts: Mapping[str, Fact]


class RowStatus(StrEnum):
    """What became of a row."""

    IMPORTED = "imported"
    DOUBTFUL = "doubtful"
    """Taken as a draft that a person must look at, or not taken when it is no well-formed item."""
    SKIPPED = "skipped"
    UNCHANGED = "unchanged"
    """The bank already holds exactly this."""


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """One row of the report. `content` is the item read from it, or None when none could be made."""

    place: str
    label: str
    status: RowStatus
    remarks: tuple[Remark, ...]
    content: ItemContent | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Every row of a file with its outcome, columns that were not read, and remarks on the whole."""

    outcomes: tuple[RowOutcome, ...]
    unread_columns: tuple[str, ...]
    remarks: tuple[Remark, ...]

    def count(self, status: RowStatus) -> int:
        """Rows of one status."""
        return sum(outcome.status is status for outcome in self.outcomes)


def text_of(cell: Cell | None) -> str:
    """Return a cell as one text: empty for None, lists joined by line ends."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    return "\n".join(part if isinstance(part, str) else part[1] for part in cell)


def is_empty(cells: Sequence[Cell]) -> bool:
    """Say whether no cell holds anything."""
    return not any(text_of(cell) for cell in cells)
