"""Where SQLite's write-ahead log stands, read from its index file: pure.

The layouts are those of SQLite's documents "WAL-mode File Format" and "Database File Format". The index's header is
written after a commit is on disk and stands twice; both copies agree unless it is being written just now.
"""

import struct
from dataclasses import dataclass

WAL_HEADER = 32
FRAME_HEADER = 24
INDEX_BYTES = 100
"""Bytes of the index file that hold both headers and how far the log is copied into the database."""
_COPY = 48


@dataclass(frozen=True, slots=True)
class WalStand:
    """The log's generation (its salts, 8 bytes), its committed frames, those already in the database, page size."""

    salt: bytes
    frames: int
    backfilled: int
    page_size: int

    @property
    def end(self) -> int:
        """Length in bytes of the log up to the last committed frame; 0 for none."""
        return WAL_HEADER + self.frames * (FRAME_HEADER + self.page_size) if self.frames else 0


def read_stand(index: bytes) -> WalStand | None:
    """Read the first INDEX_BYTES bytes of `<database>-shm`; None when it is being written or not there yet."""
    if len(index) < INDEX_BYTES or index[:_COPY] != index[_COPY : 2 * _COPY] or not index[12]:
        return None
    size, frames = struct.unpack_from("=HI", index, 14)[0], struct.unpack_from("=I", index, 16)[0]
    (backfilled,) = struct.unpack_from("=I", index, 2 * _COPY)
    return WalStand(index[32:40], frames, backfilled, 65536 if size == 1 else size)


def salt_of(log: bytes) -> bytes:
    """Return the generation that a log's header names; b"" when there is none."""
    return log[16:24] if len(log) >= WAL_HEADER else b""
