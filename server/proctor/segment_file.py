"""One piece of a camera's recording on disk, encrypted chunk by chunk as it grows.

Form: `GYSEG1` and a line feed; four bytes of length (big-endian) and the header as JSON; then chunks, each with one
byte (1 for the last, else 0), four bytes of length and the ciphertext. The segment's key is derived from the key of
the run that wrote it; the header holds that key, wrapped under the centre's storage key. A file without its last
chunk was cut, by a power failure or a killed process: it is read up to its last whole chunk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from server.errors import NotFound, Tampered
from server.keys.streams import TAG_BYTES, ChunkOpener, ChunkSealer, file_key

MAGIC = b"GYSEG1\n"
CHUNK_BYTES = 512 * 1024
"""A chunk is written when it holds this much, or when its writer says so."""
MOST_CHUNK = 64 * 1024 * 1024
RUN_AAD = b"gongyuan/recording-run/1"
Unwrap = Callable[[bytes, bytes], bytes]


class SegmentHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in clear at the head of a segment; `wrapped` is the run's key under the storage key."""

    segment: str
    camera: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A finished or cut segment: bytes on disk, SHA-256 of them as hex, and whether it has its end."""

    size: int
    sha256: str
    complete: bool


class SegmentWriter:
    """Writes one segment; what was `flush`ed is on the disk (fsync). It is a file for a muxer: it has `write` only."""

    def __init__(self, path: Path, header: SegmentHeader, run_key: bytes) -> None:
        head = msgspec.json.encode(header)
        self._sealer = ChunkSealer(file_key(run_key, header.segment), head)
        self._held = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0
        self._failed: OSError | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("xb")
        self._put(MAGIC + len(head).to_bytes(4, "big") + head)

    @property
    def size(self) -> int:
        """Bytes given to the disk so far."""
        return self._size

    def write(self, data: bytes) -> int:
        """Take bytes; a full chunk goes to the disk."""
        self._held += data
        if len(self._held) >= CHUNK_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Bring what is held to the disk as one chunk."""
        if self._held:
            self._chunk(last=False)

    def close(self) -> Written:
        """Write the last chunk and end the file. OSError where this or an earlier write failed: it is then cut."""
        try:
            self._chunk(last=True)
        finally:
            with contextlib.suppress(OSError):
                self._file.close()
        return Written(self._size, self._hash.hexdigest(), True)

    def _chunk(self, last: bool) -> None:
        sealed = self._sealer.seal(self._held, last)
        self._held.clear()
        self._put(bytes([last]) + len(sealed).to_bytes(4, "big") + sealed)

    def _put(self, data: bytes) -> None:
        if self._failed is not None:
            # Half a chunk may be on the disk: what came after it could not be read, and no end may be made of it.
            raise self._failed
        try:
            self._file.write(data)
            self._file.flush()
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self._failed = error
            raise
        self._hash.update(data)
        self._size += len(data)


def header_of(path: Path) -> SegmentHeader:
    """The header of a segment. NotFound `recording-missing` without a file, Tampered `recording-changed` if no head."""
    return _parts(path)[0]


def read_segment(path: Path, unwrap: Unwrap, sha256: str | None = None) -> tuple[bytes, Written]:
    """The recorded bytes of a segment (Matroska) and what is on disk; a cut end is left out.

    Raises:
        NotFound: no file (`recording-missing`). Tampered: the file is not what was written (`recording-changed`);
        with `sha256`, also when any byte of it differs.
    """
    header, head, body, raw = _parts(path)
    try:
        opener = ChunkOpener(file_key(unwrap(header.wrapped, RUN_AAD), header.segment), head)
        found, whole, complete = bytearray(), len(raw) - len(body), False
        at = 0
        while not complete and at + 5 <= len(body):
            last, length = body[at], int.from_bytes(body[at + 1 : at + 5], "big")
            sealed = body[at + 5 : at + 5 + length]
            if len(sealed) < length or not TAG_BYTES <= length <= MOST_CHUNK:
                break
            found += opener.open(bytes(sealed), bool(last))
            at += 5 + length
            complete = bool(last)
        whole += at
    except Tampered as error:
        raise Tampered("recording-changed", segment=path.stem) from error
    if complete and whole != len(raw):
        raise Tampered("recording-changed", segment=path.stem)
    digest = hashlib.sha256(raw).hexdigest()
    if sha256 is not None and digest != sha256:
        raise Tampered("recording-changed", segment=path.stem)
    return bytes(found), Written(len(raw), digest, complete)


def _parts(path: Path) -> tuple[SegmentHeader, bytes, memoryview, bytes]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise NotFound("recording-missing", segment=path.stem) from error
    start = len(MAGIC) + 4
    length = int.from_bytes(raw[len(MAGIC) : start], "big")
    head = raw[start : start + length]
    try:
        header = msgspec.json.decode(head, type=SegmentHeader)
    except msgspec.DecodeError as error:
        raise Tampered("recording-changed", segment=path.stem) from error
    if raw[: len(MAGIC)] != MAGIC:
        raise Tampered("recording-changed", segment=path.stem)
    return header, head, memoryview(raw)[start + length :], raw
