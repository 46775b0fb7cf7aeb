"""What a recovery file holds, and its form: pure. The seals are put on by `file.py`.

Two kinds of file stand at the second place: `centre.gyr`, small and written anew after every change that matters, and
one `papers-<set>.gyr` a drawn set, written once. Both are Magic ‖ header length (4 bytes, big-endian) ‖ header
(canonical JSON) ‖ Ed25519 signature of the centre (64 bytes) ‖ body (HPKE to the recovery code).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import rfc8785

from server.errors import BadInput
from server.protocol.ids import Hex32

MAGIC = b"gongyuan-recovery-1\n"
SIGNATURE_BYTES = 64
LONGEST_HEADER = 2048
CENTRE_FILE = "centre.gyr"

TABLES = (
    "packages_peer",
    "packages_incoming",
    "packages_outgoing",
    "accounts_account",
    "keys_custodian",
    "keys_key",
    "keys_share",
    "keys_recovery_code",
    "affairs_organisation",
    "affairs_plan",
    "affairs_slot",
    "affairs_room",
    "affairs_candidate",
    "affairs_seating",
    "affairs_staff",
    "papers_commitment",
    "delivery_journal_key",
    "delivery_slot",
    "delivery_sitting",
    "delivery_seat",
    "delivery_seat_code",
    "delivery_lease",
    "delivery_check_in",
    "delivery_bell",
    "delivery_allowance",
    "delivery_pause",
    "delivery_move",
    "delivery_replacement",
    "conduct_seal_showing",
    "conduct_step",
    "conduct_incident",
)
"""Tables of `centre.gyr`, each after those it refers to. Answers are not among them: kiosks hold them."""
PAPER_TABLES = ("papers_set", "papers_paper", "papers_draw", "papers_marking_sheet")
"""Tables of `papers-<set>.gyr`."""


class Rows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of one table, values in the order of the columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class CentreBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The small file's inside: rows, the node's own keys, its certificate authority, and what else belongs to it."""

    tables: dict[str, Rows]
    node: bytes
    tls: dict[str, bytes]
    heads: dict[str, str]
    """Journal chains as they stood: chain to "seq:hash"."""
    papers: dict[str, str]
    """Set id to SHA-256 of the body of its paper file."""


class PapersBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A paper file's inside."""

    tables: dict[str, Rows]


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What everybody may read."""

    kind: Literal["centre", "papers"]
    signing: Hex32
    receiving: Hex32
    recovery: Hex32
    """Public key of the recovery code that opens it."""
    number: int
    """Of the small file, from 1; a paper file has 0."""
    written_at: Annotated[datetime, msgspec.Meta(tz=True)]
    set_id: str
    body: Hex32
    """SHA-256 of the body."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A file taken apart; nothing in it is checked yet but its form."""

    header: Header
    header_bytes: bytes
    signature: bytes
    body: bytes


def papers_file(set_id: str) -> str:
    """Return the name of a set's paper file."""
    return f"papers-{set_id}.gyr"


def header_bytes(header: Header) -> bytes:
    """Return the canonical JSON of a header."""
    return rfc8785.dumps(msgspec.to_builtins(header))


def signed_bytes(header: bytes) -> bytes:
    """Return what the centre signs."""
    return b"gongyuan/recovery-file/1\x00" + header


def body_info(signing: bytes, recovery: bytes) -> bytes:
    """Return the HPKE info of a body."""
    return b"gongyuan/recovery-body/1\x00" + signing + recovery


def join(header: bytes, signature: bytes, body: bytes) -> bytes:
    """Return the file's bytes."""
    return MAGIC + len(header).to_bytes(4, "big") + header + signature + body


def split(data: bytes) -> Parts:
    """Take a file apart; BadInput `recovery-file-form` when it is none."""
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or len(data) < start:
        raise BadInput("recovery-file-form", reason="first bytes")
    end = start + int.from_bytes(data[len(MAGIC) : start], "big")
    if end > start + LONGEST_HEADER or len(data) <= end + SIGNATURE_BYTES:
        raise BadInput("recovery-file-form", reason="header length")
    try:
        header = msgspec.json.decode(data[start:end], type=Header)
    except msgspec.DecodeError as error:
        raise BadInput("recovery-file-form", reason=str(error)) from error
    return Parts(header, data[start:end], data[end : end + SIGNATURE_BYTES], data[end + SIGNATURE_BYTES :])
