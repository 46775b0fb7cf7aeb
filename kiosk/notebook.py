"""The local journal on a headless kiosk's disk: a file for each lease, written before an answer is sent.

A file's first line is the journal's head, each further line an entry or a mark that an answer is settled (the
centre has it on disk, or will never take it). Nothing in it can be read here again: the data key is in memory
only, so that a kiosk started anew begins a new journal under a new lease.
"""

import os
from pathlib import Path

import msgspec

from kiosk.brain import Opening
from kiosk.vault import JournalBook, SeatKey
from server.errors import BadInput
from server.protocol.exam import Acknowledged, Answer, Seated
from server.protocol.journal import (
    JournalCopy,
    JournalEntry,
    JournalFile,
    JournalHead,
    JournalReceipt,
)

_SUFFIX = ".journal"


class Settled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="settled"):
    """An answer that is not sent again; `seq` 0 settles the whole journal. `receipt` when it was acknowledged."""

    seq: int
    receipt: JournalReceipt | None = None


class Notebook:
    """The journals of one seat in one folder."""

    def __init__(self, folder: Path, key: SeatKey, seat: str) -> None:
        self._folder = folder
        self._key = key
        self._seat = seat
        self._books: dict[tuple[str, int], JournalBook] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in folder.glob(f"*{_SUFFIX}"):
            _without_half_line(path)

    def keep(self, seated: Seated, answer: Answer, opening: Opening | None = None) -> None:
        """Write an answer to its lease's journal and to the disk itself; nothing where the slot has no
        recovery key. `opening` is when this device opened the paper."""
        if seated.journal_key is None:
            return
        name = (seated.sitting, answer.lease)
        book = self._books.get(name)
        if book is None:
            recovery = bytes.fromhex(seated.journal_key)
            book = self._books[name] = JournalBook(self._key, self._seat, *name, recovery)
            self._append(name, msgspec.json.encode(book.head))
        self._append(name, msgspec.json.encode(book.write(answer, opening)))

    def settle(self, sitting: str, lease: int, seq: int, told: Acknowledged | None = None) -> None:
        """Note that an answer needs no sending any more (0 for all of a journal), with its acknowledgement."""
        name = (sitting, lease)
        if self._path(name).exists():
            book = self._books.get(name)
            receipt = None if book is None or told is None else book.settle(told)
            self._append(name, msgspec.json.encode(Settled(seq, receipt)))

    def left(self) -> list[JournalCopy]:
        """Return the journals of earlier runs and other sittings that the centre has not all of."""
        found = []
        for path in _begun(self._folder):
            copy, settled = _read(path)
            copy = msgspec.structs.replace(copy, receipts=())
            name = (copy.head.sitting, copy.head.lease)
            unsent = {entry.seq for entry in copy.entries} - settled
            if name not in self._books and unsent and 0 not in settled:
                found.append(copy)
        return found

    def _path(self, name: tuple[str, int]) -> Path:
        return self._folder / f"{name[0]}-{name[1]}{_SUFFIX}"

    def _append(self, name: tuple[str, int], line: bytes) -> None:
        with self._path(name).open("ab") as out:
            out.write(line + b"\n")
            out.flush()
            os.fsync(out.fileno())


def _begun(folder: Path) -> list[Path]:
    """The journals of a folder whose head is there: a power cut may leave a file without it, and no answer either."""
    return [path for path in sorted(folder.glob(f"*{_SUFFIX}")) if b"\n" in path.read_bytes()]


def _without_half_line(path: Path) -> None:
    """Cut off a last line that a power cut left half-written, so that what is appended has a line of its own."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)


def export(folder: Path) -> bytes:
    """Return every journal of a kiosk's folder as one file to be carried; BadInput `journal-file-form` where a
    file is none."""
    copies = [_read(path)[0] for path in _begun(folder)]
    return msgspec.json.encode(JournalFile(journals=tuple(copies)))


_lines: msgspec.json.Decoder[dict[str, object]] = msgspec.json.Decoder(dict[str, object])


def _read(path: Path) -> tuple[JournalCopy, set[int]]:
    """Read a journal; a last line that a power cut left half-written is left out."""
    head, *rest = path.read_bytes().split(b"\n")
    entries: list[JournalEntry] = []
    settled: set[int] = set()
    receipts: list[JournalReceipt] = []
    try:
        made = msgspec.json.decode(head, type=JournalHead)
        for line in rest[:-1]:
            if "signature" in _lines.decode(line):
                entries.append(msgspec.json.decode(line, type=JournalEntry))
            else:
                mark = msgspec.json.decode(line, type=Settled)
                settled.add(mark.seq)
                receipts += [mark.receipt] if mark.receipt is not None else []
    except msgspec.DecodeError as error:
        raise BadInput("journal-file-form", reason=path.name) from error
    return JournalCopy(head=made, entries=tuple(entries), receipts=tuple(receipts)), settled
