"""The kiosk's local journal: every answer with its capture evidence, sealed and signed, before it is sent.

One journal is one lease of one sitting on one seat. Its data key is 32 fresh bytes: the kiosk keeps it where
it cannot be copied (a browser: a non-extractable key), and carries it wrapped (HPKE, RFC 9180 base mode) for
the slot's journal recovery key, whose private half two custodians open. Each entry is AES-256-GCM under the
data key and signed by the seat; the signatures form a chain from the head, so that no entry can be changed,
left out in the middle, put under another sitting or seat, or come from another machine.

Texts that signatures cover are ASCII lines; hashes and keys in them lower-case hexadecimal.
"""

import hashlib
from typing import Annotated, Literal

import msgspec

from server.errors import BadInput
from server.protocol.ids import Hex32, Hex64, Id, Sequence

ENTRIES_A_FRAME = 40
"""Entries that one `late_journal` frame carries at most."""
MOST_ENTRIES = 20_000
"""Entries that one journal holds at most."""
MOST_FILE = 8 * 1024 * 1024
"""Longest journal file, in bytes."""

Wrapped = Annotated[str, msgspec.Meta(min_length=160, max_length=160, pattern="^[0-9a-f]{160}$")]
"""HPKE of 32 bytes: encapsulated key (32 bytes), ciphertext and tag (48 bytes), as hexadecimal."""


class JournalHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose journal this is. `signature` is the seat's Ed25519 over `head_bytes`; `wrapped` the data key under
    `wrap_info`."""

    sitting: Id
    lease: Sequence
    seat: Id
    wrapped: Wrapped
    signature: Hex64


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer as sealed: `data` is AES-256-GCM (tag at the end) of an `exam.Captured`, `signature` the seat's
    Ed25519 over `entry_bytes`."""

    seq: Sequence
    iv: Annotated[bytes, msgspec.Meta(min_length=12, max_length=12)]
    data: Annotated[bytes, msgspec.Meta(min_length=16, max_length=64 * 1024)]
    signature: Hex64


class JournalReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre acknowledged of one entry: the fields of `exam.Acknowledged`. `signature` is the seat's
    Ed25519 over `settled_bytes`, so that who carries it cannot change what it says."""

    seq: Sequence
    outcome: Literal["counted", "superseded", "late"]
    number: Annotated[int, msgspec.Meta(ge=1)]
    """Receipt number, from 1 per sitting."""
    hash: Hex32
    mac: Hex32
    signature: Hex64


class JournalCopy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One journal from its first entry on, in the order in which it was written. `receipts` are of those entries
    that were acknowledged; only a centre that lost its own answers asks for them."""

    head: JournalHead
    entries: Annotated[tuple[JournalEntry, ...], msgspec.Meta(max_length=MOST_ENTRIES)]
    receipts: Annotated[tuple[JournalReceipt, ...], msgspec.Meta(max_length=MOST_ENTRIES)] = ()


class JournalFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="gongyuan-journal/1"
):
    """What is carried by hand: the journals of one seat."""

    journals: Annotated[tuple[JournalCopy, ...], msgspec.Meta(max_length=200)]


def wrap_info(sitting: str, lease: int, seat: str) -> bytes:
    """Return the HPKE info that binds a wrapped data key to its journal."""
    return f"gongyuan/journal-key/1\n{sitting}\n{lease}\n{seat}".encode("ascii")


def head_bytes(sitting: str, lease: int, seat: str, wrapped: str) -> bytes:
    """Return what the seat signs of a journal's head; SHA-256 of it is the chain's first hash."""
    return f"gongyuan/journal/1\n{sitting}\n{lease}\n{seat}\n{wrapped}".encode("ascii")


def entry_aad(sitting: str, lease: int, seq: int) -> bytes:
    """Return the associated data of an entry's encryption."""
    return f"gongyuan/journal-answer/1\n{sitting}\n{lease}\n{seq}".encode("ascii")


def entry_bytes(previous: bytes, seq: int, iv: bytes, data: bytes) -> bytes:
    """Return what the seat signs of an entry: the hash before it, its seq, and its ciphertext's hash."""
    digest = hashlib.sha256(iv + data).hexdigest()
    return f"gongyuan/journal-entry/1\n{previous.hex()}\n{seq}\n{digest}".encode("ascii")


def settled_bytes(
    sitting: str, lease: int, seq: int, outcome: str, number: int, digest: str, mac: str
) -> bytes:
    """Return what the seat signs of an acknowledgement that it keeps."""
    text = f"gongyuan/journal-receipt/1\n{sitting}\n{lease}\n{seq}\n{outcome}\n{number}\n{digest}\n{mac}"
    return text.encode("ascii")


def link(signed: bytes) -> bytes:
    """Return the chain's hash after a head or an entry: SHA-256 of the bytes that the seat signed."""
    return hashlib.sha256(signed).digest()


_files: msgspec.json.Decoder[JournalFile] = msgspec.json.Decoder(JournalFile)


def read_file(data: bytes) -> JournalFile:
    """Read a journal file; BadInput `journal-file-form` when it is none."""
    if len(data) > MOST_FILE:
        raise BadInput("journal-file-form", reason="length")
    try:
        return _files.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("journal-file-form", reason=str(error)) from error
