"""CSV in and out: UTF-8 with or without a byte order mark, UTF-16 with one, else GB18030; never guessed
per field."""

import csv
import io
import re
from collections.abc import Collection

from server.errors import BadInput
from server.itembank.interchange.mapping import known_columns
from server.itembank.interchange.rows import SourceRow, SourceTable
from server.itembank.interchange.tables import HEADER_WITHIN, table_of

LARGEST = 64 * 1024 * 1024
csv.field_size_limit(LARGEST)  # a stem may hold a picture
_SEPARATOR = re.compile(r"^\ufeff?sep=([,;|\t])\r?\n")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def text_in(data: bytes, encoding: str) -> str:
    """Return the text of a file in a stated encoding; BadInput when there is no such encoding or it does not
    fit."""
    try:
        return data.decode(encoding)
    except LookupError as error:
        raise BadInput("encoding-not-known", encoding=encoding[:40]) from error
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise BadInput("file-encoding-differs", encoding=encoding, place=f"byte {at}") from error


def assumed_encoding(data: bytes) -> str | None:
    """Return the encoding that is taken for a file: by its mark, else None for UTF-8, else GB18030."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is not None:
        return marked
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return None


def decoded(data: bytes, encoding: str | None = None) -> str:
    """Return the text of a file: in the stated encoding, or by its byte order mark, strict UTF-8, or GB18030;
    BadInput when none fits."""
    if encoding is not None:
        return text_in(data, encoding).removeprefix("\ufeff")
    try:
        return data.decode(assumed_encoding(data) or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise BadInput("file-encoding-unknown", place=f"byte {error.start}") from error


def read_csv(data: bytes, named: Collection[str] = (), encoding: str | None = None) -> SourceTable:
    """Read a CSV file with a header row; the separator is the one of `,` `;` `|` and tab that gives the header most
    known names, or the one that a line `sep=;` before it states."""
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    text = decoded(data, encoding)
    if "\0" in text:
        raise BadInput("file-not-text", place=f"character {text.index(chr(0)) + 1}")
    told = _SEPARATOR.match(text)
    separator = told[1] if told is not None else _separator(text)
    if told is not None:
        text = text[told.end() :]
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            rows.append((reader.line_num + (told is not None), [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise BadInput("csv-broken", place=f"line {reader.line_num}", reason=str(error)) from error
    columns, found = table_of(rows, named)
    return SourceTable(columns, tuple(SourceRow(place, cells) for place, cells in found))


def _separator(text: str) -> str:
    head = [line for line in text[:20_000].splitlines() if line.strip()][:HEADER_WITHIN]
    known = {mark: max((known_columns(_cells(line, mark)) for line in head), default=0) for mark in ",;\t|"}
    if max(known.values(), default=0):
        return max(known, key=lambda mark: known[mark])
    return max(",;\t", key=head[0].count) if head else ","


def _cells(line: str, mark: str) -> list[str]:
    return [one.strip().strip('"') for one in line.split(mark)]
