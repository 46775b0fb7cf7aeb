"""What an item is, when it is well formed, and the states that it passes through.

An item's content is a fact of one version. The hash of a version covers a secret salt, so that the public
hash confirms nothing to a person who only suspects a text.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from server.errors import Refusal, Tampered
from server.protocol.paper import ItemType

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SALT_BYTES = 16
JUDGE_TRUE, JUDGE_FALSE = "T", "F"


class ItemState(StrEnum):
    """Where an item version stands; only approved versions may be drawn (source: BJ-E:18, GX:2.1)."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class ItemEvent(StrEnum):
    """What may happen to an item version."""

    APPROVE = "approve"
    RETIRE = "retire"


TRANSITIONS: Mapping[tuple[ItemState, ItemEvent], ItemState] = {
    (ItemState.DRAFT, ItemEvent.APPROVE): ItemState.APPROVED,
    (ItemState.DRAFT, ItemEvent.RETIRE): ItemState.RETIRED,
    (ItemState.APPROVED, ItemEvent.RETIRE): ItemState.RETIRED,
}


def step(state: ItemState, event: ItemEvent) -> ItemState | Refusal:
    """Return the next state, or why the event is not allowed."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("item-state-refused", facts={"state": state.value, "event": event.value})
    return following


@dataclass(frozen=True, slots=True)
class ItemContent:
    """All that one item version says.

    `stem`, `options` and `explanation` are sanitised HTML. `key`: choices: ascending labels A, B, … of
    `options`; judge: ("T",) or ("F",), without options; fill: empty. `accepted` (fill only): the accepted
    texts of each blank. `difficulty` is the facility: the share of right answers expected, 0 to 1, higher
    is easier. `score` is the item's usual score; a blueprint cell may give another.
    """

    label: str
    type: ItemType
    stem: str
    options: tuple[str, ...]
    key: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    point: str
    difficulty: float
    score: float
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class ItemVersion:
    """The public face of one item version: what may be read without an opening."""

    item: str
    version: int
    hash: bytes
    type: ItemType
    point: str
    difficulty: float
    score: float
    state: ItemState


@dataclass(frozen=True, slots=True)
class FullItem:
    """One item version with its text and key; exists only inside a desk, draw or marking opening."""

    item: str
    version: int
    hash: bytes
    state: ItemState
    salt: bytes
    content: ItemContent


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The stored form of a version, before encryption."""

    salt: bytes
    label: str
    type: ItemType
    stem: str
    options: tuple[str, ...]
    key: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    point: str
    difficulty: float
    score: float
    explanation: str


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(_Body)


def fault_of(content: ItemContent) -> Refusal | None:
    """Return why the content is not a well-formed item, or None."""
    labels = LABELS[: len(content.options)]
    if not content.stem.strip():
        return Refusal("item-without-stem")
    if not content.point.strip():
        return Refusal("item-without-point")
    if not 0.0 <= content.difficulty <= 1.0:
        return Refusal("item-difficulty-outside", facts={"difficulty": content.difficulty})
    if not 0.0 < content.score <= 1000.0:
        return Refusal("item-score-outside", facts={"score": content.score})
    if content.type in ("single", "multiple"):
        return _choice_fault(content, labels)
    if content.options:
        return Refusal("item-options-not-expected", facts={"type": content.type})
    if content.type == "judge":
        if content.key not in ((JUDGE_TRUE,), (JUDGE_FALSE,)) or content.accepted:
            return Refusal("item-key-invalid", facts={"key": ",".join(content.key)})
        return None
    if not content.accepted or any(not texts or "" in texts for texts in content.accepted) or content.key:
        return Refusal("item-blanks-without-answer")
    return None


def _choice_fault(content: ItemContent, labels: str) -> Refusal | None:
    if not 2 <= len(content.options) <= len(LABELS):
        return Refusal("item-options-too-few", facts={"options": len(content.options)})
    if any(not option.strip() for option in content.options):
        return Refusal("item-option-empty")
    if len(set(content.options)) != len(content.options):
        return Refusal("item-options-equal")
    if not content.key or content.accepted:
        return Refusal("item-without-key")
    outside = [label for label in content.key if label not in labels]
    if outside:
        return Refusal("item-key-outside-options", facts={"key": ",".join(outside)})
    if list(content.key) != sorted(set(content.key)):
        return Refusal("item-key-invalid", facts={"key": ",".join(content.key)})
    if content.type == "single" and len(content.key) != 1:
        return Refusal("item-single-with-many-keys", facts={"key": ",".join(content.key)})
    return None


def body_bytes(salt: bytes, content: ItemContent) -> bytes:
    """Return the canonical bytes of a version (UTF-8 JSON, fields in declared order)."""
    return _encoder.encode(
        _Body(
            salt=salt,
            label=content.label,
            type=content.type,
            stem=content.stem,
            options=content.options,
            key=content.key,
            accepted=content.accepted,
            point=content.point,
            difficulty=content.difficulty,
            score=content.score,
            explanation=content.explanation,
        )
    )


def read_body(data: bytes) -> tuple[bytes, ItemContent]:
    """Return salt and content of canonical bytes; Tampered when they are not of the form."""
    try:
        body = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Tampered("item-body-unreadable", reason=str(error)) from error
    content = ItemContent(
        label=body.label,
        type=body.type,
        stem=body.stem,
        options=body.options,
        key=body.key,
        accepted=body.accepted,
        point=body.point,
        difficulty=body.difficulty,
        score=body.score,
        explanation=body.explanation,
    )
    return body.salt, content


def version_hash(item: str, version: int, body: bytes) -> bytes:
    """Return SHA-256(b"gongyuan/item/1" ‖ item id ‖ 0 ‖ version as 4 bytes, big-endian ‖ body)."""
    digest = hashlib.sha256(b"gongyuan/item/1" + item.encode() + b"\0" + version.to_bytes(4, "big"))
    digest.update(body)
    return digest.digest()


def version_aad(bank: str, item: str, version: int) -> bytes:
    """Return the associated data of a version's ciphertext: canonical JSON of bank, item and version."""
    return msgspec.json.encode({"bank": bank, "item": item, "version": version}, order="sorted")


def review_refusal(writer: str, reviewer: str) -> Refusal | None:
    """Refuse a review without two named, different people (BJ-E:A4.3-3 keeps papers by two; GX:2.1 wants
    review)."""
    if not writer.strip() or not reviewer.strip():
        return Refusal("review-people-missing")
    if writer.strip().casefold() == reviewer.strip().casefold():
        return Refusal("review-by-writer", facts={"name": writer.strip()})
    return None
