"""One row while it is being read: its cells by field, and the remarks that gather on it."""

import re
from dataclasses import replace

from server.errors import Fact
from server.itembank.interchange.mapping import ColumnMapping
from server.itembank.interchange.rows import Cell, Remark, SourceRow, text_of

STORED, STORED_QUOTED = "html", "html-quoted"
"""Values of the field `markup` in files that this bank wrote: cells hold the stored HTML, word for word; quoted:
a text that a spreadsheet could take for a formula bears an apostrophe in front."""
MARK = "gongyuan-html"
"""Tag of a question that this bank wrote as GIFT or Moodle XML: its texts are the stored HTML."""
_QUOTED = re.compile(r"^'+[=+\\\-@]")
_UNQUOTED = re.compile(r"^'*[=+\\\-@]")
_UNSHOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")


class Skip(Exception):
    """This row is no item of this bank; the remark says why."""

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class RowCells:
    """One row while it is being read: collects remarks."""

    def __init__(self, row: SourceRow, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self.remarks: list[Remark] = list(row.remarks)
        markup = text_of(row.cells.get(mapping.column("markup"))).lower()
        self.stored = markup in (STORED, STORED_QUOTED)
        if markup == STORED_QUOTED:
            row = replace(row, cells={name: _unquoted(cell) for name, cell in row.cells.items()})
        self.row = row

    def cell(self, name: str) -> Cell | None:
        if name == "answer" and self.mapping.answer_columns:
            texts = [text_of(self.row.cells.get(column)) for column in self.mapping.answer_columns]
            return tuple(text for text in texts if text)
        return self.row.cells.get(self.mapping.column(name))

    def text(self, name: str) -> str:
        return text_of(self.cell(name))

    def plain(self, name: str, longest: int) -> str:
        """Return a cell as one line of at most so many characters."""
        return plain(self.text(name))[:longest].strip()

    def note(self, code: str, **facts: Fact) -> None:
        self.remarks.append(Remark(code, self.row.place, False, facts))

    def doubt(self, code: str, **facts: Fact) -> None:
        self.remarks.append(Remark(code, self.row.place, True, facts))


def plain(text: str) -> str:
    """Return a text on one line: white space folded, characters that show nothing taken out."""
    return " ".join(_UNSHOWN.sub("", text).split())


def quoted(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; the reading of `html-quoted` undoes it."""
    return f"'{text}" if _UNQUOTED.match(text) else text


def _unquoted(cell: Cell) -> Cell:
    return cell[1:] if isinstance(cell, str) and _QUOTED.match(cell) else cell
