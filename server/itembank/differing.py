"""What differs between two versions of an item, field by field and, in texts, word by word."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

from server.itembank.items import LABELS, ItemContent, SubItem

Kind = Literal["same", "out", "in"]
_WORD = re.compile(r"<[^<>]*>|&\w+;|[A-Za-z0-9.]+|\s+|.", re.DOTALL)
_LONGEST = 20_000
"""Characters of a text that is compared word by word; a longer one (a picture) is shown whole, old and new."""
_PICTURE = re.compile(r"data:[\w/+-]+;base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text: in both versions, only in the older one (out), or only in the newer one (in)."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs: `field` is a text code's tail, `place` the option, blank or sub-item, or empty."""

    field: str
    place: str
    pieces: tuple[Piece, ...]


def differences(older: ItemContent, newer: ItemContent) -> tuple[Difference, ...]:
    """Return the fields in which two versions differ, in the order in which a page shows them; empty when equal."""
    before, after = dict(_fields(older)), dict(_fields(newer))
    ordered = [*after, *(key for key in before if key not in after)]
    return tuple(
        Difference(key[0], key[1], pieces_of(before.get(key, ""), after.get(key, "")))
        for key in ordered
        if before.get(key, "") != after.get(key, "")
    )


def pieces_of(older: str, newer: str) -> tuple[Piece, ...]:
    """Return what is the same, out and in, in reading order."""
    older, newer = _PICTURE.sub("…", older), _PICTURE.sub("…", newer)
    if older == newer:  # two pictures that differ
        return (Piece("out", older), Piece("in", newer))
    if len(older) + len(newer) > _LONGEST:
        return tuple(piece for piece in (Piece("out", older), Piece("in", newer)) if piece.text)
    a, b = _WORD.findall(older), _WORD.findall(newer)
    found: list[Piece] = []
    for step, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if step == "equal":
            found.append(Piece("same", "".join(a[i:j])))
            continue
        if i < j:
            found.append(Piece("out", "".join(a[i:j])))
        if k < m:
            found.append(Piece("in", "".join(b[k:m])))
    return tuple(found)


def _fields(content: ItemContent) -> Iterator[tuple[tuple[str, str], str]]:
    yield ("label", ""), content.label
    yield ("type", ""), content.type
    yield ("point", ""), content.point
    yield ("difficulty", ""), f"{content.difficulty:g}"
    yield from _question(content, "")
    for number, part in enumerate(content.parts, start=1):
        yield ("type", f"({number})"), part.type
        yield from _question(part, f"({number}) ")


def _question(one: ItemContent | SubItem, place: str) -> Iterator[tuple[tuple[str, str], str]]:
    yield ("score", place.strip()), f"{one.score:g}"
    yield ("stem", place.strip()), one.stem
    for label, option in zip_longest(LABELS[: len(one.options)], one.options):
        yield ("option", f"{place}{label}"), option
    yield ("key", place.strip()), " ".join(one.key)
    for number, texts in enumerate(one.accepted, start=1):
        yield ("accepted", f"{place}{number}"), " / ".join(texts)
    yield ("policy", place.strip()), one.policy or ""
    yield ("model", place.strip()), one.model
    for number, point in enumerate(one.rubric, start=1):
        yield ("rubric", f"{place}{number}"), f"{point.text} ({point.score:g})"
    yield ("explanation", place.strip()), one.explanation
