"""The lines between the serving process and an opening's child: one JSON object a line over stdin and stdout.

Parent to child: begin, then passphrases (ciphertext for the child's ephemeral key). Child to parent: offer,
progress after each passphrase, then done or failed. Done of a start opening alone carries a key.
"""

from collections.abc import Mapping

import msgspec

from server.errors import Fact
from server.keys.sealing import canonical

LONGEST_LINE = 1 << 20


class Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="begin"):
    """What is to be opened."""

    opening: str
    kind: str
    plan: str
    subject: str
    """Slot id; bank id for a ceremony; the change in words for custody; username for a passphrase."""
    actor: str
    parameters: Mapping[str, str] = msgspec.field(default_factory=dict)
    people: tuple[tuple[str, str], ...] = ()
    """(username, name) of each custodian to be made, at a ceremony or a change; of the one whose passphrase
    changes. Empty otherwise."""


class Passphrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="passphrase"):
    """One custodian's passphrase, HPKE-encrypted to the child under `opening_info`."""

    custodian: str
    """Id or username."""
    sealed: bytes
    new: bool = False
    """A passphrase that is to hold from now on, not one that opens. A ceremony has no others."""


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="offer"):
    """The child's ephemeral X25519 key, signed by the centre over `offer_bytes`."""

    public_key: bytes
    signature: bytes


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="progress"):
    """What became of one passphrase: the custodians accepted so far, or why this one was not."""

    accepted: tuple[str, ...]
    code: str | None = None
    article: str | None = None
    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="done"):
    """The act is finished."""

    outcome: Mapping[str, Fact]
    start_key: bytes | None = None


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="failed"):
    """The opening is over without its act."""

    code: str
    article: str | None = None
    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)


ToChild = Begin | Passphrase
FromChild = Offer | Progress | Done | Failed

_encoder = msgspec.json.Encoder()
_to_child = msgspec.json.Decoder(ToChild)
_from_child = msgspec.json.Decoder(FromChild)


def line(message: ToChild | FromChild) -> bytes:
    """Return a message as its line."""
    return _encoder.encode(message) + b"\n"


def read_to_child(data: bytes) -> ToChild:
    """Decode a line that came from the parent; msgspec errors for anything else."""
    message: ToChild = _to_child.decode(data)
    return message


def read_from_child(data: bytes) -> FromChild:
    """Decode a line that came from the child; msgspec errors for anything else."""
    message: FromChild = _from_child.decode(data)
    return message


def opening_info(opening: str) -> bytes:
    """Return the HPKE info that binds a passphrase to one opening."""
    return b"gongyuan/opening/" + opening.encode()


def offer_bytes(opening: str, kind: str, subject: str, public_key: bytes) -> bytes:
    """Return what the centre signs of an offer (canonical JSON); the page builds the same bytes."""
    return canonical(
        {
            "key": public_key.hex(),
            "kind": kind,
            "opening": opening,
            "purpose": "gongyuan/opening-offer/1",
            "subject": subject,
        }
    )
