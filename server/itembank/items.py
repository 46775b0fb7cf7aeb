"""What an item is, when it is well formed, and the states that it passes through.

An item's content is a fact of one version. The hash of a version covers a secret salt, so that the public
hash confirms nothing to a person who only suspects a text.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from server.errors import Refusal, Tampered
from server.protocol.paper import ItemType

Policy = Literal["exact", "partial"]
LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SALT_BYTES = 16
JUDGE_TRUE, JUDGE_FALSE = "T", "F"
MOST_PARTS = 20
MOST_RUBRIC = 30
LARGEST_TEXT = 1_500_000
"""Characters of one text of an item, its pictures and sounds included."""


class ItemState(StrEnum):
    """Where an item version stands; only approved versions may be drawn (source: BJ-E:18, GX:2.1)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    """Its writer is done with it; a reviewer, who is never its writer, is to approve or return it."""
    APPROVED = "approved"
    RETIRED = "retired"


class ItemEvent(StrEnum):
    """What may happen to an item version."""

    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    RETIRE = "retire"


TRANSITIONS: Mapping[tuple[ItemState, ItemEvent], ItemState] = {
    (ItemState.DRAFT, ItemEvent.SUBMIT): ItemState.SUBMITTED,
    (ItemState.DRAFT, ItemEvent.RETIRE): ItemState.RETIRED,
    (ItemState.SUBMITTED, ItemEvent.APPROVE): ItemState.APPROVED,
    (ItemState.SUBMITTED, ItemEvent.RETURN): ItemState.DRAFT,
    (ItemState.SUBMITTED, ItemEvent.RETIRE): ItemState.RETIRED,
    (ItemState.APPROVED, ItemEvent.RETIRE): ItemState.RETIRED,
}


def step(state: ItemState, event: ItemEvent) -> ItemState | Refusal:
    """Return the next state, or why the event is not allowed."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("item-state-refused", facts={"state": state.value, "event": event.value})
    return following


@dataclass(frozen=True, slots=True)
class MarkingPoint:
    """One thing that a marker looks for in an answer in words: sanitised HTML, and what it is worth."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class SubItem:
    """One question of a case; fields as in `ItemContent`. Its type is any but `case`."""

    type: ItemType
    stem: str
    options: tuple[str, ...]
    key: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    score: float
    explanation: str = ""
    policy: Policy | None = None
    model: str = ""
    rubric: tuple[MarkingPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemContent:
    """All that one item version says.

    `stem`, `options`, `explanation` and `model` are sanitised HTML. `key`: choices: ascending labels A, B, … of
    `options`; judge: ("T",) or ("F",), without options; else empty. `accepted` (fill only): the accepted
    texts of each blank. `difficulty` is the facility: the share of right answers expected, 0 to 1, higher
    is easier. `score` is the item's usual score; a blueprint cell may give another. `policy` (multiple and fill
    only) goes before the blueprint's; None leaves it to the blueprint. `model` and `rubric` (short only): the
    model answer and the marking points, whose scores make up `score`. `parts` (case only): the sub-items, whose
    scores make up `score`; the case's `stem` is the material that they share.
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
    policy: Policy | None = None
    model: str = ""
    rubric: tuple[MarkingPoint, ...] = ()
    parts: tuple[SubItem, ...] = ()


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


class _Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored form of a marking point."""

    text: str
    score: float


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """The stored form of a sub-item."""

    type: ItemType
    stem: str
    options: tuple[str, ...]
    key: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    score: float
    explanation: str
    policy: Policy | None = None
    model: str = ""
    rubric: tuple[_Point, ...] = ()


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
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
    policy: Policy | None = None
    model: str = ""
    rubric: tuple[_Point, ...] = ()
    parts: tuple[_Part, ...] = ()


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(_Body)


def fault_of(content: ItemContent) -> Refusal | None:
    """Return why the content is not a well-formed item, or None. What is wrong with a sub-item is refused with its
    number as the fact `part`."""
    if not content.point.strip():
        return Refusal("item-without-point")
    if not 0.0 <= content.difficulty <= 1.0:
        return Refusal("item-difficulty-outside", facts={"difficulty": content.difficulty})
    if not 0.0 < content.score <= 1000.0:
        return Refusal("item-score-outside", facts={"score": content.score})
    if content.type == "case":
        return _case_fault(content)
    if content.parts:
        return Refusal("item-parts-not-expected", facts={"type": content.type})
    return _question_fault(content)


def _case_fault(content: ItemContent) -> Refusal | None:
    if not content.stem.strip():
        return Refusal("item-without-stem")
    if (
        content.options
        or content.key
        or content.accepted
        or content.rubric
        or content.model
        or content.policy
    ):
        return Refusal("item-case-with-own-answer")
    if not 1 <= len(content.parts) <= MOST_PARTS:
        return Refusal("item-parts-outside", facts={"parts": len(content.parts), "most": MOST_PARTS})
    for number, part in enumerate(content.parts, start=1):
        if part.type == "case":
            return Refusal("item-case-within-case", facts={"part": number})
        fault = _question_fault(part)
        if fault is not None:
            return Refusal(fault.code, fault.article, {**fault.facts, "part": number})
    if hundredths(part.score for part in content.parts) != hundredths((content.score,)):
        scores = sum(part.score for part in content.parts)
        return Refusal("item-parts-score-differs", facts={"parts": round(scores, 2), "score": content.score})
    return _size_fault(content.stem, content.explanation)


def hundredths(scores: Iterable[float]) -> int:
    """Return the sum of scores in whole hundredths, each read by its shortest decimal form."""
    return int(sum((Decimal(repr(score)) for score in scores), Decimal()) * 100 + Decimal("0.5"))


def _question_fault(content: ItemContent | SubItem) -> Refusal | None:
    if not content.stem.strip():
        return Refusal("item-without-stem")
    if not 0.0 < content.score <= 1000.0:
        return Refusal("item-score-outside", facts={"score": content.score})
    if content.policy is not None and content.type not in ("multiple", "fill"):
        return Refusal("item-policy-not-expected", facts={"type": content.type})
    if content.type != "short" and (content.model or content.rubric):
        return Refusal("item-rubric-not-expected", facts={"type": content.type})
    size = _size_fault(content.stem, content.explanation, content.model, *content.options)
    if size is not None:
        return size
    if content.type in ("single", "multiple"):
        return _choice_fault(content, LABELS[: len(content.options)])
    if content.options:
        return Refusal("item-options-not-expected", facts={"type": content.type})
    if content.type == "short":
        return _short_fault(content)
    if content.type == "judge":
        if content.key not in ((JUDGE_TRUE,), (JUDGE_FALSE,)) or content.accepted:
            return Refusal("item-key-invalid", facts={"key": ",".join(content.key)})
        return None
    if not content.accepted or any(not texts or "" in texts for texts in content.accepted) or content.key:
        return Refusal("item-blanks-without-answer")
    return None


def _short_fault(content: ItemContent | SubItem) -> Refusal | None:
    if content.key or content.accepted:
        return Refusal("item-key-not-expected", facts={"type": content.type})
    if not content.model.strip() and not content.rubric:
        return Refusal("item-without-model-answer")
    if len(content.rubric) > MOST_RUBRIC or any(not one.text.strip() for one in content.rubric):
        return Refusal("item-rubric-invalid", facts={"points": len(content.rubric), "most": MOST_RUBRIC})
    if not all(0.0 < one.score <= 1000.0 for one in content.rubric):
        return Refusal("item-rubric-invalid", facts={"points": len(content.rubric), "most": MOST_RUBRIC})
    given = hundredths(one.score for one in content.rubric)
    if content.rubric and given != hundredths((content.score,)):
        return Refusal("item-rubric-score-differs", facts={"points": given / 100, "score": content.score})
    return None


def _size_fault(*texts: str) -> Refusal | None:
    longest = max(map(len, texts))
    if longest > LARGEST_TEXT:
        return Refusal("item-text-too-large", facts={"characters": longest, "limit": LARGEST_TEXT})
    return None


def _choice_fault(content: ItemContent | SubItem, labels: str) -> Refusal | None:
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
            policy=content.policy,
            model=content.model,
            rubric=_points(content.rubric),
            parts=tuple(
                _Part(
                    type=part.type,
                    stem=part.stem,
                    options=part.options,
                    key=part.key,
                    accepted=part.accepted,
                    score=part.score,
                    explanation=part.explanation,
                    policy=part.policy,
                    model=part.model,
                    rubric=_points(part.rubric),
                )
                for part in content.parts
            ),
        )
    )


def _points(rubric: tuple[MarkingPoint, ...]) -> tuple[_Point, ...]:
    return tuple(_Point(one.text, one.score) for one in rubric)


def _rubric(points: tuple[_Point, ...]) -> tuple[MarkingPoint, ...]:
    return tuple(MarkingPoint(one.text, one.score) for one in points)


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
        policy=body.policy,
        model=body.model,
        rubric=_rubric(body.rubric),
        parts=tuple(
            SubItem(
                type=part.type,
                stem=part.stem,
                options=part.options,
                key=part.key,
                accepted=part.accepted,
                score=part.score,
                explanation=part.explanation,
                policy=part.policy,
                model=part.model,
                rubric=_rubric(part.rubric),
            )
            for part in body.parts
        ),
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
