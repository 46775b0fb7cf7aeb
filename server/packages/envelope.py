"""The outer form of a package: bytes that can be carried as a file or sent, and what of them is signed.

Magic ‖ header length (4 bytes, big-endian) ‖ header (canonical JSON) ‖ Ed25519 signature of the sender (64
bytes) ‖ body. The body is the inner files (MessagePack map of name to bytes), HPKE-encrypted to the receiver;
its info binds it to this header. The encryption stands in outbox, because this file is pure.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import rfc8785

from server.errors import BadInput

MAGIC = b"gongyuan-package-1\n"
SIGNATURE_BYTES = 64
LONGEST_HEADER = 4096
LONGEST_PACKAGE = 64 << 20
"""Bytes: larger ones are refused unread."""
HEADER_WITHIN = len(MAGIC) + 4 + LONGEST_HEADER + SIGNATURE_BYTES + 1
"""Bytes of a package's beginning that hold all of its header and signature."""
_PURPOSE = b"gongyuan/package/1"

Kind = Literal["exam", "correction", "standing", "head", "notice", "objection", "result"]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What everybody may read of a package."""

    kind: Kind
    sender: str
    """Fingerprint of the sending node."""
    receiver: str
    """Fingerprint of the receiving node."""
    plan: str
    """Plan id, "" for standing and heads."""
    number: int
    """From 1, rising by one within (sender, receiver, kind, plan)."""
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    supersedes: int | None
    """Number of the package of the same kind and plan that this one replaces."""
    manifest: str
    """Hex SHA-256 of the manifest."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A package taken apart; nothing in it is checked yet but its form."""

    header: Header
    header_bytes: bytes
    signature: bytes
    body: bytes


def header_bytes(header: Header) -> bytes:
    """Return the canonical JSON of a header."""
    return rfc8785.dumps(msgspec.to_builtins(header))


def signed_bytes(header: bytes) -> bytes:
    """Return what the sender signs."""
    return _PURPOSE + b"\x00" + header


def body_info(header: bytes, signature: bytes) -> bytes:
    """Return the HPKE info that binds a body to its signed header."""
    return _PURPOSE + hashlib.sha256(header + signature).digest()


def join(header: bytes, signature: bytes, body: bytes) -> bytes:
    """Return the package's bytes."""
    return MAGIC + len(header).to_bytes(4, "big") + header + signature + body


def split(data: bytes) -> Envelope:
    """Take a package apart; BadInput `package-form` when it is not one."""
    start = len(MAGIC) + 4
    if not data.startswith(MAGIC) or len(data) < start or len(data) > LONGEST_PACKAGE:
        raise BadInput("package-form", reason="size or first bytes")
    length = int.from_bytes(data[len(MAGIC) : start], "big")
    end = start + length
    if length > LONGEST_HEADER or len(data) <= end + SIGNATURE_BYTES:
        raise BadInput("package-form", reason="header length")
    raw = data[start:end]
    try:
        header = msgspec.json.decode(raw, type=Header)
    except msgspec.DecodeError as error:
        raise BadInput("package-form", reason=str(error)) from error
    return Envelope(header, raw, data[end : end + SIGNATURE_BYTES], data[end + SIGNATURE_BYTES :])
