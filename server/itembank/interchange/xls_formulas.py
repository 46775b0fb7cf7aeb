"""Whether an old workbook (.xls) holds formulas: walks its compound file to the workbook's stream and that
stream's records. The cell reader shows a formula's last value as if it had been typed."""

import struct
from collections.abc import Iterator

_END = 0xFFFFFFFA
_FORMULAS = frozenset({0x0006, 0x0206, 0x0406})
_STREAMS = ("Workbook", "Book")


def first_formula(data: bytes) -> str | None:
    """Return the cell (`row 2, column 3`, from 1) of the first formula of a workbook, or None.

    None too for a file whose structure is broken: the cell reader refuses that one.
    """
    try:
        stream = _stream(data)
    except (struct.error, IndexError, ValueError):
        return None
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind in _FORMULAS and at + 8 <= len(stream):
            row, column = struct.unpack_from("<HH", stream, at + 4)
            return f"row {row + 1}, column {column + 1}"
        at += 4 + length
    return None


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
            return b"".join(_chain(data, size, table, start))[:held]
    return b""


def _chain(data: bytes, size: int, table: list[int], sector: int) -> Iterator[bytes]:
    seen = 0
    while sector < len(table) and sector < _END and seen <= len(data) // size:
        yield data[(sector + 1) * size : (sector + 2) * size]
        sector = table[sector]
        seen += 1
