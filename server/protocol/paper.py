"""The paper as a candidate may see it: no key, no explanation, no item identity of the bank.

Both ends need this format; `papers/sealed` builds its canonical bytes and the associated data.
"""

from typing import Literal

import msgspec

ItemType = Literal["single", "multiple", "judge", "fill", "short", "case"]
"""short: an answer in words, marked by people. case: shared material with sub-items of the other types; on a
paper it stands as one entry for each sub-item, so `case` is the type of no entry of a paper."""


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One option as displayed: its label on this paper (A, B, …; T and F for true/false) and its sanitised HTML."""

    label: str
    html: str


class PaperItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One item as displayed; `number` (from 1) is its only name on the wire.

    A case stands as `parts` entries one after the other; entry `part` (from 1) is its sub-item of that number,
    and the first of them carries the material that all of them share.
    """

    number: int
    type: ItemType
    stem: str
    """Sanitised HTML; blanks of fill-in items stand as <span class="blank" data-blank="1"></span>."""
    score: float
    options: tuple[Option, ...] = ()
    blanks: int = 0
    part: int = 0
    """0 for an item that stands alone."""
    parts: int = 0
    material: str = ""
    """Sanitised HTML of the material of a case; empty but on its first sub-item."""


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One candidate's paper in clear; exists outside the seal only on the kiosk after the bell."""

    id: str
    plan: str
    slot: str
    title: str
    minutes: int
    items: tuple[PaperItem, ...]


class SealedPaper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paper's ciphertext as stored and as sent before the bell.

    `ciphertext` = AES-256-GCM(key = HMAC-SHA256(start key, b"gongyuan/paper/1" ‖ id), nonce, canonical paper bytes,
    aad); `hash` = SHA-256 of the canonical paper bytes, 32 bytes; `aad` is the canonical JSON (RFC 8785) of
    {"hash": hex, "paper": id, "plan": plan, "policy": policy, "sitting": sitting}. The spare's `sitting` is "spare".
    """

    id: str
    sitting: str
    plan: str
    slot: str
    policy: int
    hash: bytes
    nonce: bytes
    aad: bytes
    ciphertext: bytes


AnswerValue = tuple[str, ...]
"""What a candidate answered: displayed labels of choices in ascending order, ("T",) or ("F",), one text a blank, or
for `short` one text with its line ends."""
