"""Excel in: .xlsx and .xls as organisations keep them. The only user of python-calamine.

The container is checked before it is opened: number and size of its parts, their names, formulas, entity
declarations. A sheet without a known header is passed over with a remark, never in silence.
"""

import html
import io
import re
import zipfile
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineWorkbook

from server.errors import BadInput, Fact
from server.itembank.interchange.mapping import guess_columns
from server.itembank.interchange.rows import Remark, SourceRow, SourceTable
from server.itembank.interchange.tables import Block, Together, assumed_header, blocks_of, header_place
from server.itembank.interchange.xls_formulas import LARGEST_AREA, too_wide_apart
from server.itembank.interchange.xls_formulas import first_formula as first_formula_of_xls
from server.itembank.interchange.xlsx_parts import SheetParts, WorkbookParts, first_formula

LARGEST_FILE = 64 * 1024 * 1024
LARGEST_UNPACKED = 256 * 1024 * 1024
LARGEST_RATIO = 200
MOST_PARTS = 2000
MOST_ROWS = 100_000
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?r="([A-Z]+\d+)"')
_VALUE = re.compile(rb'<(?:\w+:)?c\s[^>]*?r="([A-Z]{1,3})(\d{1,7})"[^>]*(?<!/)>')


def read_xlsx(data: bytes, named: Collection[str] = ()) -> SourceTable:
    """Read every sheet of a workbook; BadInput when it is not a workbook, is unsafe or holds formulas.

    `named`: columns that a saved mapping names; a sheet's header is then the row that holds them all.
    """
    if len(data) > LARGEST_FILE:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST_FILE)
    if data.startswith(_ZIP):
        _check_container(data)
    elif not data.startswith(_OLE):
        raise BadInput("not-a-workbook")
    elif (formula := first_formula_of_xls(data)) is not None:
        raise BadInput("workbook-has-formulas", place=formula)
    elif (cell := too_wide_apart(data)) is not None:
        raise BadInput("workbook-unsafe", reason="cells too far apart", place=cell)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [(name, _cells(book, name)) for name in book.sheet_names]
    except (
        BaseException
    ) as error:  # the reader's own errors have no common parent, its panics not even Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if isinstance(error, BadInput):
            raise
        raise BadInput("workbook-unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error
    parts = WorkbookParts(data) if data.startswith(_ZIP) else None
    reader = _Sheets(named, parts)
    for name, (cells, merged) in sheets:
        if len(cells) > MOST_ROWS:
            raise BadInput("sheet-too-long", sheet=name, rows=len(cells), limit=MOST_ROWS)
        texts = [
            (number, [_text(cell, f"{name}!{number}") for cell in row])
            for number, row in enumerate(cells, start=1)
        ]
        reader.take(name, texts, merged)
    return reader.table(book.sheet_names)


Merged = Sequence[tuple[tuple[int, int], tuple[int, int]]]
"""Merged cells: the first and the last one of each area, as (row, column) from 0."""
# Fields that a merged cell tells for all rows beside it; a stem over several rows is no repeated stem.
_FOR_ALL = ("type", "point", "difficulty", "score", "parent", "policy")


def _cells(book: CalamineWorkbook, name: str) -> tuple[Sequence[Sequence[object]], Merged]:
    sheet = book.get_sheet_by_name(name)
    return sheet.to_python(skip_empty_area=False), sheet.merged_cell_ranges or []


class _Sheets:
    """The rows of a workbook's sheets, gathered under one name for each thing that columns say."""

    def __init__(self, named: Collection[str], parts: WorkbookParts | None) -> None:
        self.named, self.parts = named, parts
        self.together = Together()
        self.columns: dict[str, None] = {}
        self.rows: list[SourceRow] = []
        self.remarks: list[Remark] = []
        self.unknown: list[tuple[str, list[tuple[int, list[str]]]]] = []

    def take(self, name: str, texts: list[tuple[int, list[str]]], merged: Merged) -> None:
        """Take a sheet: its rows when its header is known, else a remark."""
        told = self.parts.of_sheet(name) if self.parts is not None else SheetParts()
        self._pictured(texts, told)
        filled = [one for one in texts if any(one[1])]
        if not filled:
            self.remarks.append(Remark("sheet-empty", name, False, {"sheet": name}))
            return
        header = header_place(filled, self.named)
        if header is None:
            self.unknown.append((name, filled))
            return
        if told.hidden:
            self.remarks.append(Remark("sheet-hidden", name, True, {"sheet": name}))
        for block in blocks_of(filled, header):
            self._block(name, block, told, merged)

    def _pictured(self, texts: list[tuple[int, list[str]]], told: SheetParts) -> None:
        """Put raised letters and pictures where they stand."""
        for (row, column), markup in told.html.items():
            if row < len(texts) and column < len(texts[row][1]):
                texts[row][1][column] = markup
        for number, cells in texts:
            for column, text in enumerate(cells):
                if "DISPIMG(" in text and self.parts is not None:
                    picture = self.parts.in_cell(text)
                    if picture is not None:
                        cells[column] = picture
                    if picture == "":
                        told.doubts.setdefault(number, []).append(
                            ("picture-missing", {"picture": text[:120]})
                        )
        for (row, column), pictures in told.pictures.items():
            if row >= len(texts) or not any(texts[row][1]):
                self.remarks.append(Remark("picture-beside-rows", f"row {row + 1}", True, {"row": row + 1}))
                continue
            cells = texts[row][1]
            cells += [""] * (column + 1 - len(cells))
            cells[column] = "<br>".join([*([_markup(cells[column])] if cells[column] else []), *pictures])

    def _block(self, name: str, block: Block, told: SheetParts, merged: Merged) -> None:
        names, changed = self.together.renamed(block.names)
        for column, other in changed.items():
            facts: dict[str, Fact] = {"sheet": name, "column": column, "other": other}
            self.remarks.append(Remark("column-read-as", name, False, facts))
        mapping = guess_columns(names)
        hidden = [names[one - 1] for one in told.hidden_columns if one <= len(names)]
        hidden = [one for one in hidden if not one.startswith("column ")]
        if hidden:
            facts = {"sheet": name, "columns": ", ".join(hidden)[:200]}
            self.remarks.append(Remark("columns-hidden", name, False, facts))
        for_all = {mapping.fields.get(field) for field in _FOR_ALL} - {None}
        values = _merged_values(block, merged, [place for place, one in enumerate(names) if one in for_all])
        used: set[int] = {place for place, one in enumerate(block.names) if not one.startswith("column ")}
        for number, cells in block.rows:
            held = {column: cell for column, cell in zip(names, cells, strict=False) if cell}
            for place in [place for place in range(len(names)) if (number, place) in values]:
                held.setdefault(names[place], values[number, place])
            used |= {place for place, cell in enumerate(cells) if cell}
            remarks = [
                Remark(code, f"{name}!{number}", True, facts) for code, facts in told.doubts.get(number, ())
            ]
            if told.hidden or number in told.hidden_rows:
                remarks.append(Remark("row-hidden", f"{name}!{number}", True, {}))
            in_column = [names[at] for row, at in told.pictures if row == number - 1 and at < len(names)]
            known = (*mapping.fields.values(), *mapping.option_columns, *self.named)
            loose = [one for one in in_column if one not in known]
            stem = mapping.column("stem")
            if loose and stem in held:
                # A picture beside the columns belongs to the item of its row.
                held[stem] = "<br>".join(
                    [_markup(held[stem]), *(held.pop(one) for one in dict.fromkeys(loose))]
                )
                remarks.append(Remark("picture-put-in-stem", f"{name}!{number}", True, {"count": len(loose)}))
            self.rows.append(SourceRow(f"{name}!{number}", held, name, tuple(remarks)))
        self.columns.update(dict.fromkeys(column for place, column in enumerate(names) if place in used))

    def table(self, sheets: Sequence[str]) -> SourceTable:
        """Return the whole; a sheet without a known header is remarked on, or read under a header that is assumed
        where no sheet has a known one."""
        for name, filled in self.unknown:
            assumed = assumed_header(filled) if not self.rows else None
            if assumed is not None:
                self.remarks.append(Remark("header-assumed", name, True, {"sheet": name}))
                for block in blocks_of(filled, assumed):
                    self._block(name, block, SheetParts(), ())
            else:
                rows: dict[str, Fact] = {"sheet": name, "rows": len(filled)}
                self.remarks.append(Remark("sheet-without-header", name, True, rows))
        if not self.columns:
            code = "columns-unknown" if self.unknown else "file-without-rows"
            raise BadInput(code, found=", ".join(sheets))
        order = {name: place for place, name in enumerate(sheets)}
        remarks = sorted(self.remarks, key=lambda one: order.get(one.place, len(order)))
        return SourceTable(tuple(self.columns), tuple(self.rows), tuple(remarks))


def _merged_values(block: Block, merged: Merged, columns: Sequence[int]) -> dict[tuple[int, int], str]:
    """Return the text of merged cells for each further row that they span, by (row from 1, column from 0)."""
    texts = dict(block.rows)
    found: dict[tuple[int, int], str] = {}
    for (top, left), (bottom, _) in merged:
        head = texts.get(top + 1)
        if left in columns and head is not None and left < len(head) and head[left]:
            for row in range(top + 2, min(bottom + 1, max(texts, default=0)) + 1):
                if row in texts:
                    found[row, left] = head[left]
    return found


def _markup(text: str) -> str:
    """Return a cell's text as HTML: its own markup as it is, else escaped."""
    marked = text.startswith("<img ") or "<sup>" in text or "<sub>" in text
    return text if marked else html.escape(text, quote=False).replace("\n", "<br>")


def _check_container(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as container:
            parts = container.infolist()
            if len(parts) > MOST_PARTS:
                raise BadInput("workbook-unsafe", reason="too many parts", place=str(len(parts)))
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise BadInput("workbook-unsafe", reason="unpacks too large", place="")
            for part in parts:
                name = part.filename.replace("\\", "/")
                if name.startswith("/") or ".." in name.split("/") or ":" in name:
                    raise BadInput("workbook-unsafe", reason="part outside the file", place=name[:100])
                packed = max(part.compress_size, 1)
                if part.file_size > 4 * 1024 * 1024 and part.file_size // packed > LARGEST_RATIO:
                    raise BadInput("workbook-unsafe", reason="packed too densely", place=name[:100])
                if name.endswith((".xml", ".rels")):
                    _check_part(name, container.read(part))
    except BadInput:
        raise
    except Exception as error:
        # A damaged part raises what zipfile, zlib, lzma or struct raise: kinds without a common parent.
        raise BadInput("workbook-unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error


def _check_part(name: str, content: bytes) -> None:
    if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
        raise BadInput("workbook-unsafe", reason="entity declaration", place=name[:100])
    if "worksheets/" in name:
        formula = first_formula(content)
        if formula is not None:
            cells = _CELL.findall(content[:formula])
            place = cells[-1].decode() if cells else ""
            raise BadInput("workbook-has-formulas", place=f"{name.rsplit('/', 1)[-1]} {place}".strip())
        _check_area(name, content)


def _check_area(name: str, content: bytes) -> None:
    """Refuse cells so far apart that the area between them, which the reader keeps whole, would take all memory."""
    rows = columns = 1
    for letters, digits in _VALUE.findall(content):
        column = 0
        for letter in letters:
            column = column * 26 + letter - 64
        rows, columns = max(rows, int(digits)), max(columns, column)
        if rows * columns > LARGEST_AREA:
            place = f"{name.rsplit('/', 1)[-1]} {(letters + digits).decode()}"
            raise BadInput("workbook-unsafe", reason="cells too far apart", place=place)


def _text(cell: object, place: str) -> str:
    """Return a cell as the text that a person saw; numbers without a needless `.0`."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, int | datetime | date | time | timedelta):
        return str(cell)
    raise BadInput("cell-unreadable", place=place)
