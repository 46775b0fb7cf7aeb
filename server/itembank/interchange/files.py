"""From a file on disk to rows read: picks the form by what the file is, not only by its name."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from server.errors import BadInput
from server.itembank.interchange.aiken import read_aiken
from server.itembank.interchange.csv import assumed_encoding, read_csv
from server.itembank.interchange.docx import read_docx
from server.itembank.interchange.forms import FORMATS, Format, format_of
from server.itembank.interchange.gift import read_gift
from server.itembank.interchange.json import read_json
from server.itembank.interchange.mapping import ColumnMapping, SavedMapping, columns_of
from server.itembank.interchange.moodle_xml import read_moodle_xml
from server.itembank.interchange.qti_package import read_qti_item, read_qti_package
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, Remark, SourceTable
from server.itembank.interchange.sanitising import picture_from, sanitised
from server.itembank.interchange.typed import read_text
from server.itembank.interchange.xlsx import read_xlsx

__all__ = ["ENCODINGS", "FORMATS", "FileRead", "Format", "format_of", "read_file", "read_table"]
ENCODINGS = ("utf-8", "utf-16", "gb18030", "gbk", "big5", "windows-1252", "iso-8859-1", "shift_jis", "koi8-r")
_TEXTS: Mapping[Format, Callable[[bytes, str | None], SourceTable]] = {
    "json": read_json,
    "gift": read_gift,
    "aiken": read_aiken,
    "moodle": read_moodle_xml,
    "text": read_text,
}


@dataclass(frozen=True, slots=True)
class FileRead:
    """What was read of a file: its form, hash, the mapping used, and every row."""

    format: Format
    sha256: bytes
    mapping: ColumnMapping
    reading: Reading


def read_table(
    data: bytes,
    form: Format,
    saved: SavedMapping | None = None,
    encoding: str | None = None,
    picture: Callable[[str], str] | None = None,
) -> SourceTable:
    """Read the rows of a file of one form.

    `encoding`: what a text is written in, when it does not tell itself. `picture` fetches a picture that a
    loose QTI item names.
    """
    named = saved.named if saved is not None else ()
    if encoding is not None and encoding not in ENCODINGS:
        raise BadInput("encoding-not-known", encoding=encoding[:40])
    if form == "xlsx":
        return read_xlsx(data, named)
    if form == "docx":
        return read_docx(data)
    if form == "qti":
        return read_qti_package(data) if data.startswith(b"PK") else read_qti_item(data, encoding, picture)
    table = read_csv(data, named, encoding) if form == "csv" else _TEXTS[form](data, encoding)
    assumed = assumed_encoding(data) if encoding is None and form != "moodle" else None
    if assumed == "gb18030":  # every other one stands in the file's own mark
        remark = Remark("encoding-assumed", "file", False, {"encoding": assumed})
        table = replace(table, remarks=(remark, *table.remarks))
    return table


def read_file(
    path: Path,
    form: Format | None = None,
    saved: SavedMapping | None = None,
    pictures: Path | None = None,
    encoding: str | None = None,
) -> FileRead:
    """Read a file of items. `pictures` is the folder that picture names are relative to (default: the
    file's own).

    BadInput refuses the whole file with the place when it is not what it says it is.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput("file-unreadable", file=path.name, reason=error.strerror or str(error)) from error
    chosen = form or format_of(path.name, data)
    fetch = partial(picture_from, pictures or path.parent)
    table = read_table(data, chosen, saved, encoding, fetch)
    if saved is not None and chosen not in ("xlsx", "csv", "json"):
        saved = SavedMapping(
            None, saved.defaults
        )  # these forms have no columns to name; defaults hold for them
    mapping = columns_of(table.columns, saved)
    reading = read_rows(table, mapping, sanitised, Picture(fetch))
    return FileRead(chosen, hashlib.sha256(data).digest(), mapping, reading)
