"""CSV in and out: UTF-8 with or without a byte order mark, UTF-16 with one, else GB18030; never guessed
per field."""

import csv
import io
from collections.abc import Collection

from server.errors import BadInput
from server.itembank.interchange.rows import SourceRow, SourceTable
from server.itembank.interchange.tables import table_of

LARGEST = 64 * 1024 * 1024
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def decoded(data: bytes) -> str:
    """Return the text of a file: by its byte order mark, strict UTF-8, or GB18030; BadInput when none
    fits."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            encoding = "gb18030"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput("file-encoding-unknown", place=f"byte {error.start}") from error


def read_csv(data: bytes, named: Collection[str] = ()) -> SourceTable:
    """Read a CSV file with a header row; the separator is the one of `,` `;` and tab that the header uses
    most."""
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    text = decoded(data)
    if "\0" in text:
        raise BadInput("file-not-text", place=f"character {text.index(chr(0)) + 1}")
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count) if first else ","
    rows: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            rows.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise BadInput("csv-broken", place=f"line {reader.line_num}", reason=str(error)) from error
    columns, found = table_of(rows, named)
    return SourceTable(columns, tuple(SourceRow(place, cells) for place, cells in found))
