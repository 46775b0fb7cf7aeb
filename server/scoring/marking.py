"""How one answer is marked against the key of the version drawn.

A choice is exact; a multiple choice is all or nothing, or partial by policy; a fill-in is compared blank
by blank after normalisation, with variants and a numeric tolerance. Points are whole hundredths. A
missing answer earns nothing.

Keys stand in displayed labels: ("B",), ("A", "C"), ("T",) or ("F",); for a fill-in one text a blank, its
variants separated by `|`, a numeric tolerance written `3.14±0.01`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from server.law.citing import cites


class MarkingPolicy(StrEnum):
    """What an answer earns that is right in part.

    EXACT nothing. PARTIAL, for a multiple choice: nothing when any wrong option is chosen, else the
    chosen share of the right ones. HALF, for a multiple choice: half of the points for a right but
    incomplete choice. For a fill-in PARTIAL and HALF pay each right blank its equal share.
    """

    EXACT = "exact"
    PARTIAL = "partial"
    HALF = "half"


@dataclass(frozen=True, slots=True)
class Awarded:
    """What one answer earned: hundredths of a point, whether it was answered at all, and whether it is
    fully right.
    """

    points: int
    answered: bool
    correct: bool


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


def matches(answer: str, key: str) -> bool:
    """Say whether one blank's answer is one of the key's variants."""
    given = normalised(answer)
    if not given:
        return False
    return any(_matches_variant(given, variant) for variant in key.replace("｜", "|").split("|"))


def _matches_variant(given: str, variant: str) -> bool:
    bounds = _TOLERANCE.fullmatch(variant)
    number = number_in(given)
    if bounds is not None:
        value = number_in(normalised(bounds["value"]))
        within = number_in(normalised(bounds["within"]))
        if value is not None and within is not None:
            return number is not None and abs(number - value) <= abs(within)
    wanted = normalised(variant)
    if not wanted:
        return False
    if given == wanted:
        return True
    expected = number_in(wanted)
    return number is not None and expected is not None and number == expected


@cites("BJ-E:24")
def award(
    type: str, key: Sequence[str], answer: Sequence[str] | None, points: int, policy: MarkingPolicy
) -> Awarded:
    """Return what an answer to one item earns.

    `type` is single, judge, multiple or fill; `points` the item's full hundredths. The same arguments
    always earn the same: nothing but them enters.
    """
    given = tuple(value for value in answer or () if value.strip())
    if not given:
        return Awarded(0, False, False)
    if type == "fill":
        return _award_blanks(key, tuple(answer or ()), points, policy)
    if type == "multiple":
        return _award_choices(frozenset(key), frozenset(given), points, policy)
    right = len(key) == 1 and given == tuple(key)
    return Awarded(points if right else 0, True, right)


def _award_choices(key: frozenset[str], given: frozenset[str], points: int, policy: MarkingPolicy) -> Awarded:
    if given == key:
        return Awarded(points, True, True)
    if policy is MarkingPolicy.EXACT or not given < key:
        return Awarded(0, True, False)
    if policy is MarkingPolicy.HALF:
        return Awarded(points // 2, True, False)
    return Awarded(points * len(given) // len(key), True, False)


def _award_blanks(key: Sequence[str], answer: Sequence[str], points: int, policy: MarkingPolicy) -> Awarded:
    right = sum(matches(given, wanted) for given, wanted in zip(answer, key, strict=False))
    whole = right == len(key) and len(answer) <= len(key)
    if whole:
        return Awarded(points, True, True)
    if policy is MarkingPolicy.EXACT:
        return Awarded(0, True, False)
    return Awarded(points * min(right, len(key)) // len(key) if right < len(key) else points, True, False)
