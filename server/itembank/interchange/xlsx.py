"""Excel in: .xlsx and .xls as organisations keep them. The only user of python-calamine.

The container is checked before it is opened: number and size of its parts, their names, formulas, entity
declarations. A sheet without a known header is passed over with a remark, never in silence.
"""

import io
import re
import zipfile
from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from python_calamine import CalamineWorkbook

from server.errors import BadInput
from server.itembank.interchange.rows import Remark, SourceRow, SourceTable
from server.itembank.interchange.tables import header_place, table_of
from server.itembank.interchange.xls_formulas import LARGEST_AREA, first_formula, too_wide_apart

LARGEST_FILE = 64 * 1024 * 1024
LARGEST_UNPACKED = 256 * 1024 * 1024
LARGEST_RATIO = 200
MOST_PARTS = 2000
MOST_ROWS = 100_000
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s>/]")
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
    elif (formula := first_formula(data)) is not None:
        raise BadInput("workbook-has-formulas", place=formula)
    elif (cell := too_wide_apart(data)) is not None:
        raise BadInput("workbook-unsafe", reason="cells too far apart", place=cell)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [
            (name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names
        ]
    except (
        BaseException
    ) as error:  # the reader's own errors have no common parent, its panics not even Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise BadInput("workbook-unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error
    columns: dict[str, None] = {}
    rows: list[SourceRow] = []
    remarks: list[Remark] = []
    for name, cells in sheets:
        texts = [
            (number, [_text(cell, f"{name}!{number}") for cell in row])
            for number, row in enumerate(cells[:MOST_ROWS], start=1)
        ]
        if len(cells) > MOST_ROWS:
            raise BadInput("sheet-too-long", sheet=name, rows=len(cells), limit=MOST_ROWS)
        filled = [one for one in texts if any(one[1])]
        if not filled:
            remarks.append(Remark("sheet-empty", name, False, {"sheet": name}))
            continue
        if header_place(filled, named) is None:
            remarks.append(Remark("sheet-without-header", name, True, {"sheet": name, "rows": len(filled)}))
            continue
        names, found = table_of(texts, named, f"{name}!")
        columns.update(dict.fromkeys(names))
        rows.extend(SourceRow(place, held, name) for place, held in found)
    if not columns:
        raise BadInput(
            "file-without-rows" if not remarks else "columns-unknown", found=", ".join(book.sheet_names)
        )
    return SourceTable(tuple(columns), tuple(rows), tuple(remarks))


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
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise BadInput("workbook-unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error
    except Exception as error:
        if isinstance(error, BadInput):
            raise
        # zlib.error has no parent of its own that could be named without importing zlib
        raise BadInput("workbook-unreadable", reason=f"{type(error).__name__}: {error}"[:200]) from error


def _check_part(name: str, content: bytes) -> None:
    if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
        raise BadInput("workbook-unsafe", reason="entity declaration", place=name[:100])
    if "worksheets/" in name:
        formula = _FORMULA.search(content)
        if formula is not None:
            cells = _CELL.findall(content[: formula.start()])
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
