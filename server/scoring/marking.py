"""How one answer is marked against the marking sheet of the paper drawn.

A choice is exact; a multiple choice is all or nothing, or by policy half for a right but incomplete choice; a
fill-in is compared blank by blank after normalisation, with variants and a numeric tolerance written
`3.14±0.01`. Points are whole hundredths. A missing answer earns nothing; an answer in words that is there waits
for people.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from server.law.citing import cites
from server.papers.marking_sheet import MarkingEntry
from server.protocol.paper import AnswerValue
from server.scoring.points import points

PEOPLE_MARK: frozenset[str] = frozenset({"short"})
"""Types of entries whose answers people mark."""


@dataclass(frozen=True, slots=True)
class Awarded:
    """What one answer earned: hundredths of a point, whether it was answered at all, and whether it is
    fully right. With `needs_people` it is an answer in words: its points (0 here) are for markers to give.
    """

    points: int
    answered: bool
    correct: bool
    needs_people: bool = False


_PUNCTUATION = str.maketrans(
    {
        "。": ".",
        "、": ",",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "「": '"',
        "」": '"',
        "《": "<",
        "》": ">",
        "〈": "<",
        "〉": ">",
        "【": "[",
        "】": "]",
        "〔": "[",
        "〕": "]",
        "—": "-",
        "–": "-",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "～": "~",
        "×": "*",
        "÷": "/",
        "µ": "u",
        "μ": "u",
    }
)
_SPACE = re.compile(r"[\s\u200b-\u200d\ufeff]+")
_EDGE = " .,;:!?\"'"
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17}|[1-9]\d{0,2}(?:,\d{3}){1,5})(?:\.\d{1,18})?")
_TOLERANCE = re.compile(r"(?P<value>[^±]+)±(?P<within>[^±]+)")


def normalised(text: str) -> str:
    """Return a text as answers are compared: NFKC, no space, lower case, one form of punctuation, none at
    the edges.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_PUNCTUATION).casefold()
    return _SPACE.sub("", folded).strip(_EDGE)


def number_in(text: str) -> Decimal | None:
    """Return the decimal that a normalised text stands for, or None; `007` is a code and not a number."""
    if _NUMBER.fullmatch(text) is None:
        return None
    return Decimal(text.replace(",", ""))


def matches(answer: str, variants: Iterable[str]) -> bool:
    """Say whether one blank's answer is one of its accepted texts."""
    given = normalised(answer)
    return bool(given) and any(_matches_variant(given, variant) for variant in variants)


def _matches_variant(given: str, variant: str) -> bool:
    number = number_in(given)
    bounds = _TOLERANCE.fullmatch(variant)
    if bounds is not None:
        value = number_in(normalised(bounds["value"]))
        within = number_in(normalised(bounds["within"]))
        if value is not None and within is not None:
            return number is not None and abs(number - value) <= abs(within)
    wanted = normalised(variant)
    if given == wanted:
        return True
    expected = number_in(wanted)
    return number is not None and expected is not None and number == expected


@cites("BJ-E:24")
def award(entry: MarkingEntry, answer: AnswerValue | None) -> Awarded:
    """Return what an answer to one item earns.

    The same entry and answer always earn the same: nothing but them enters.
    """
    full = points(entry.score)
    given = tuple(answer or ())
    if not any(value.strip() for value in given):
        return Awarded(0, False, False)
    if entry.type in PEOPLE_MARK:
        return Awarded(0, True, False, needs_people=True)
    if entry.type == "fill":
        return _award_blanks(entry, given, full)
    if entry.type == "multiple":
        return _award_choices(entry, frozenset(given), full)
    right = len(entry.key) == 1 and given == entry.key
    return Awarded(full if right else 0, True, right)


def _award_choices(entry: MarkingEntry, given: frozenset[str], full: int) -> Awarded:
    key = frozenset(entry.key)
    if given == key:
        return Awarded(full, True, True)
    part = entry.policy == "partial" and given < key
    return Awarded(full // 2 if part else 0, True, False)


def _award_blanks(entry: MarkingEntry, given: AnswerValue, full: int) -> Awarded:
    blanks = entry.accepted or tuple((text,) for text in entry.key)
    right = sum(matches(text, variants) for text, variants in zip(given, blanks, strict=False))
    if right == len(blanks) and len(given) == len(blanks):
        return Awarded(full, True, True)
    shared = entry.policy == "partial" and len(given) <= len(blanks)
    return Awarded(full * right // len(blanks) if shared else 0, True, False)
