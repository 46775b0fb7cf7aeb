"""From a file on disk to rows read: picks the form by what the file is, not only by its name."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from server.errors import BadInput
from server.itembank.interchange.aiken import read_aiken
from server.itembank.interchange.csv import read_csv
from server.itembank.interchange.gift import read_gift
from server.itembank.interchange.json import read_json
from server.itembank.interchange.mapping import ColumnMapping, SavedMapping, columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, SourceTable
from server.itembank.interchange.sanitising import picture_from, sanitised
from server.itembank.interchange.xlsx import read_xlsx

Format = Literal["xlsx", "csv", "json", "gift", "aiken"]
FORMATS: tuple[Format, ...] = ("xlsx", "csv", "json", "gift", "aiken")
_SUFFIXES: dict[str, Format] = {
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xls": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".gift": "gift",
    ".aiken": "aiken",
}


@dataclass(frozen=True, slots=True)
class FileRead:
    """What was read of a file: its form, hash, the mapping used, and every row."""

    format: Format
    sha256: bytes
    mapping: ColumnMapping
    reading: Reading


def format_of(path: Path, data: bytes) -> Format:
    """Return the form of a file: by its first bytes where they tell, else by its name; BadInput when
    neither does."""
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
        return "xlsx"
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise BadInput("file-format-unknown", file=path.name)
    if found == "xlsx":
        raise BadInput("not-a-workbook")
    return found


def read_table(data: bytes, form: Format, saved: SavedMapping | None) -> SourceTable:
    """Read the rows of a file of one form."""
    named = saved.named if saved is not None else ()
    if form == "xlsx":
        return read_xlsx(data, named)
    if form == "csv":
        return read_csv(data, named)
    reader = {"json": read_json, "gift": read_gift, "aiken": read_aiken}[form]
    return reader(data)


def read_file(
    path: Path, form: Format | None = None, saved: SavedMapping | None = None, pictures: Path | None = None
) -> FileRead:
    """Read a file of items. `pictures` is the folder that picture names are relative to (default: the
    file's own).

    BadInput refuses the whole file with the place when it is not what it says it is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput("file-unreadable", file=path.name, reason=error.strerror or str(error)) from error
    chosen = form or format_of(path, data)
    table = read_table(data, chosen, saved)
    mapping = columns_of(table.columns, saved)
    picture = Picture(partial(picture_from, pictures or path.parent))
    reading = read_rows(table, mapping, sanitised, picture)
    return FileRead(chosen, hashlib.sha256(data).digest(), mapping, reading)
