"""What a centre and its standby say to each other over TLS: length (4 bytes, big-endian) and MessagePack, tagged.

← Greeting      the standby: its epoch, where its copy stands, and a nonce
→ Proof         the centre: HMAC of the nonce under the secret that both hold, its epoch
→ Snapshot …    the whole database, in parts, when the copies have nothing in common; ← Kept
→ Frames        committed frames of the log from a byte on; ← Kept after fsync
                a log of another generation: the standby copies the one before into its database first
"""

import hmac
import socket
import struct
from typing import Any

import msgspec

from server.errors import BadInput

MOST = 64 << 20
"""Longest message, in bytes."""
MOST_UNPROVED = 1 << 10
"""Longest message of a sender that has not proved itself, in bytes."""
PART = 4 << 20
"""Bytes of one part of a snapshot, or of one message of frames, at most."""


class Greeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="greeting"):
    """Where the standby stands. `epoch` is what it has seen or, once promoted, made."""

    epoch: int
    promoted: bool
    salt: bytes
    length: int
    nonce: bytes


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="proof"):
    """Who speaks, and under which epoch it serves."""

    epoch: int
    mac: bytes


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="snapshot"):
    """A part of the database file, in order."""

    at: int
    data: bytes
    last: bool


class Frames(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="frames"):
    """Bytes of the log from `at` on; `whole` when they end with its last commit."""

    salt: bytes
    at: int
    data: bytes
    whole: bool


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="ping"):
    """Are you there? Answered by Kept."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="kept"):
    """What was sent is on the standby's disk."""


Message = Greeting | Proof | Snapshot | Frames | Ping | Kept
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def proof_mac(secret: str, nonce: bytes, epoch: int) -> bytes:
    """Return what proves the centre to its standby."""
    return hmac.digest(
        secret.encode("ascii"), b"gongyuan/standby/1\x00" + nonce + str(epoch).encode(), "sha256"
    )


def send(line: socket.socket, message: Any) -> None:
    """Send one message."""
    data = msgspec.msgpack.encode(message)
    line.sendall(struct.pack(">I", len(data)) + data)


def receive(line: socket.socket, most: int = MOST) -> Message:
    """Receive one message of `most` bytes; ConnectionError at the line's end, BadInput `standby-form` for another
    form."""
    (length,) = struct.unpack(">I", _exactly(line, 4))
    if length > most:
        raise BadInput("standby-form", reason="length")
    try:
        return _decoder.decode(_exactly(line, length))
    except msgspec.DecodeError as error:
        raise BadInput("standby-form", reason=str(error)) from error


def _exactly(line: socket.socket, count: int) -> bytes:
    parts, left = [], count
    while left:
        part = line.recv(min(left, 1 << 20))
        if not part:
            raise ConnectionError("the line ended")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
