"""What an old workbook (.xls) must not hold: formulas, and cells so far apart that the cell reader, which keeps the
whole area between them, would take all memory. Walks the compound file to the workbook's stream and its records.
The cell reader shows a formula's last value as if it had been typed."""

import struct
from collections.abc import Iterator

_END = 0xFFFFFFFA
_FORMULAS = frozenset({0x0006, 0x0206, 0x0406})
_RUNS = frozenset({0x00BD, 0x00BE})
_CELLS = (
    _FORMULAS
    | _RUNS
    | {0x0001, 0x0002, 0x0003, 0x0004, 0x0005, 0x00D6, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E}
)
_DIMENSIONS = 0x0200
_SHEET_BEGINS = frozenset({0x0009, 0x0209, 0x0409, 0x0809})
ROWS, COLUMNS = 65_536, 256
LARGEST_AREA = 4_000_000
"""Cells of the area that a sheet uses."""
_STREAMS = ("Workbook", "Book")


def first_formula(data: bytes) -> str | None:
    """Return the cell (`row 2, column 3`, from 1) of the first formula of a workbook, or None.

    None too for a file whose structure is broken: the cell reader refuses that one.
    """
    for kind, row, column, _ in _cells(data):
        if kind in _FORMULAS:
            return f"row {row + 1}, column {column + 1}"
    return None


def too_wide_apart(data: bytes) -> str | None:
    """Return the first cell that lies outside the sheet or makes its used area larger than `LARGEST_AREA`, or None."""
    top = left = bottom = right = -1
    for kind, row, column, last in _cells(data):
        if kind in _SHEET_BEGINS:
            top = left = bottom = right = -1
            continue
        top, left = (row, column) if top < 0 else (min(top, row), min(left, column))
        bottom, right = max(bottom, row), max(right, last)
        if right >= COLUMNS or bottom >= ROWS or (bottom - top + 1) * (right - left + 1) > LARGEST_AREA:
            return f"row {row + 1}, column {last + 1}"
    return None


def _cells(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Give (record, row, first column, last column) of each cell, of each stated area's end and each sheet's begin."""
    try:
        stream = _stream(data)
        at = 0
        while at + 4 <= len(stream):
            kind, length = struct.unpack_from("<HH", stream, at)
            if kind in _SHEET_BEGINS:
                yield kind, 0, 0, 0
            elif kind == _DIMENSIONS and length >= 10:
                form = "<IIHH" if length >= 14 else "<HHHH"
                top, rows, left, columns = struct.unpack_from(form, stream, at + 4)
                # An area that ends before it begins is none: the cell reader would count it from the other side.
                upright = top <= rows and left <= columns
                yield kind, max(rows, 1) - 1 if upright else ROWS, 0, max(columns, 1) - 1
            elif kind in _CELLS and length >= 4 and at + 8 <= len(stream):
                row, column = struct.unpack_from("<HH", stream, at + 4)
                last = column
                if kind in _RUNS and length >= 6:
                    last = max(column, struct.unpack_from("<H", stream, at + 2 + length)[0])
                yield kind, row, column, last
            at += 4 + length
    except (struct.error, IndexError, ValueError):
        return


def _stream(data: bytes) -> bytes:
    size = 1 << min(struct.unpack_from("<H", data, 30)[0], 16)
    tables, directory = struct.unpack_from("<I", data, 44)[0], struct.unpack_from("<I", data, 48)[0]
    further, more = struct.unpack_from("<II", data, 68)
    listed = list(struct.unpack_from("<109I", data, 76))
    for _ in range(min(more, len(data) // size)):
        block = struct.unpack_from(f"<{size // 4}I", data, (further + 1) * size)
        listed += block[:-1]
        further = block[-1]
    table: list[int] = []
    for sector in listed[: min(tables, len(data) // size)]:
        if sector < _END:
            table += struct.unpack_from(f"<{size // 4}I", data, (sector + 1) * size)
    entries = b"".join(_chain(data, size, table, directory))
    for at in range(0, len(entries) - 127, 128):
        length = struct.unpack_from("<H", entries, at + 64)[0]
        name = entries[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
        if name in _STREAMS:
            start, held = struct.unpack_from("<II", entries, at + 116)
            if held < struct.unpack_from("<I", data, 56)[0]:
                return _small_stream(data, size, table, entries, start)[:held]
            return b"".join(_chain(data, size, table, start))[:held]
    return b""


def _small_stream(data: bytes, size: int, table: list[int], entries: bytes, start: int) -> bytes:
    """Return a stream below the cutoff: it lies in short sectors within the stream of the root entry."""
    short = 1 << min(struct.unpack_from("<H", data, 32)[0], 12)
    block = b"".join(_chain(data, size, table, struct.unpack_from("<I", data, 60)[0]))
    held = b"".join(_chain(data, size, table, struct.unpack_from("<I", entries, 116)[0]))
    following = struct.unpack(f"<{len(block) // 4}I", block[: len(block) // 4 * 4])
    pieces: list[bytes] = []
    while start < len(following) and len(pieces) <= len(held) // short:
        pieces.append(held[start * short : (start + 1) * short])
        start = following[start]
    return b"".join(pieces)


def _chain(data: bytes, size: int, table: list[int], sector: int) -> Iterator[bytes]:
    seen = 0
    while sector < len(table) and sector < _END and seen <= len(data) // size:
        yield data[(sector + 1) * size : (sector + 2) * size]
        sector = table[sector]
        seen += 1
