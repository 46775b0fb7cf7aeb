"""Gaps within a text as Moodle writes them: `{1:SHORTANSWER:=a~=b}`, `{1:NUMERICAL:=3.14:0.01}`,
`{2:MULTICHOICE:=a~b}`, `{1:MULTIRESPONSE:=a~=b~c}`; the number is what the gap is worth."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Literal

import msgspec

from server.itembank.interchange.blanks import STORED_BLANK, blank
from server.itembank.items import SubItem, hundredths

_GAP = re.compile(r"\{(\d{0,4}):([A-Z_]{1,20}):((?:\\.|[^\\{}])*+)\}", re.DOTALL)
_ANY = re.compile(r"\{\d{0,4}:[A-Z_]{1,20}[:}]")
_SHORT = frozenset({"SHORTANSWER", "SA", "MW", "SHORTANSWER_C", "SAC", "MWC"})
_NUMBERS = frozenset({"NUMERICAL", "NM"})
_ONE_OF = frozenset(
    {"MULTICHOICE", "MC", "MULTICHOICE_V", "MCV", "MULTICHOICE_H", "MCH", "MULTICHOICE_S", "MCS",
     "MULTICHOICE_VS", "MCVS", "MULTICHOICE_HS", "MCHS"}
)  # fmt: skip
_SOME_OF = frozenset({"MULTIRESPONSE", "MR", "MULTIRESPONSE_H", "MRH", "MULTIRESPONSE_S", "MRS",
                      "MULTIRESPONSE_HS", "MRHS"})  # fmt: skip
_PARTS = re.compile(r"(?:\\.|[^\\~])+", re.DOTALL)
# What follows `#` is feedback, unless it is escaped or within an entity.
_FEEDBACK = re.compile(r"(?<!\\)(?<!&)(?<!&amp;)#.*$", re.DOTALL)
_SHARE = re.compile(r"^%(-?\d{1,3}(?:\.\d{0,7})?)%")
_SPECIAL = re.compile(r'([}#~/"\\*=%{])')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"^-?\d{1,30}(?:\.\d{1,30})?$")
_TOLERANT = re.compile(r"^(-?\d{1,30}(?:\.\d{1,30})?)±(\d{1,30}(?:\.\d{1,30})?)$")


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap: where it stands in the text, what it is worth beside the others, and what is right in it: texts, or
    places (from 0) of options in HTML."""

    start: int
    end: int
    weight: int
    kind: Literal["fill", "single", "multiple"]
    accepted: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    right: tuple[int, ...] = ()


class _NotHeld(Exception):
    """A gap of a kind that the bank does not hold, by name."""


def is_number(text: str) -> bool:
    """Say whether a text is a plain decimal number."""
    return _NUMBER.match(text.strip()) is not None


def with_tolerance(value: str, within: str) -> str:
    """Return `value±within`, or the value alone when nothing beside it is accepted."""
    return f"{value.strip()}±{within.strip()}" if float(within) else value.strip()


def tolerant(text: str) -> tuple[str, str] | None:
    """Return (value, within) of an accepted text `value±within`, or None when it is no such text."""
    found = _TOLERANT.match(text)
    return (found[1], found[2]) if found is not None and float(found[2]) else None


def gaps_in(text: str) -> tuple[Gap, ...] | str:
    """Return the gaps of a text (at least one), or the name of what the bank does not hold in them."""
    found: list[Gap] = []
    try:
        for one in _GAP.finditer(text):
            found.append(_gap_of(one))
    except _NotHeld as reason:
        return str(reason)
    if len(found) != len(_ANY.findall(text)):
        return "unreadable gap"
    return tuple(found) or "no gap"


def _gap_of(found: re.Match[str]) -> Gap:
    weight = int(found[1] or "1")
    if not weight:
        raise _NotHeld("gap without a score")
    kind = found[2]
    answers = [_share(part) for part in _PARTS.findall(found[3])]
    if kind in _ONE_OF or kind in _SOME_OF:
        several = kind in _SOME_OF
        right = tuple(place for place, (share, _) in enumerate(answers) if share > 0)
        options = tuple(_ESCAPED.sub(r"\1", option) for _, option in answers)
        shares = {answers[place][0] for place in right}
        if len(shares) > 1 or (shares - {100.0} and not several):
            raise _NotHeld("part credit")
        if not several and any(share < 0 for share, _ in answers):
            raise _NotHeld("penalty")
        return Gap(*found.span(), weight, "multiple" if several else "single", (), options, right)
    if any(0 < share < 100 for share, _ in answers):
        raise _NotHeld("part credit")
    right_texts = [one for share, one in answers if share > 0]
    if kind in _NUMBERS:
        accepted = tuple(map(_numbered, right_texts))
    elif kind in _SHORT:
        if any(re.search(r"(?<!\\)\*", one) for one in right_texts):
            raise _NotHeld("pattern")
        accepted = tuple(html.unescape(_ESCAPED.sub(r"\1", one)).strip() for one in right_texts)
    else:
        raise _NotHeld(kind)
    if not accepted:
        raise _NotHeld("gap without an answer")
    return Gap(*found.span(), weight, "fill", accepted)


def _share(part: str) -> tuple[float, str]:
    """Return (per cent of the gap's score, text) of one answer within a gap, without its feedback."""
    text = _FEEDBACK.sub("", part).strip()
    if text.startswith("="):
        return 100.0, text[1:].strip()
    told = _SHARE.match(text)
    if told is not None:
        return float(told[1]), text[told.end() :].strip()
    return 0.0, text


def _numbered(text: str) -> str:
    value, _, within = text.partition(":")
    if not is_number(value) or not is_number(within or "0"):
        raise _NotHeld("pattern")
    return with_tolerance(value, within or "0")


def with_blanks(text: str, gaps: tuple[Gap, ...], stored: bool) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return (text with a blank for each gap, what is accepted in each)."""
    marks = [blank(number) if stored else "____" for number in range(1, len(gaps) + 1)]
    return _marked(text, gaps, marks), tuple(gap.accepted for gap in gaps)


def with_numbers(text: str, gaps: tuple[Gap, ...]) -> str:
    """Return the text with （1）, （2）, … where its gaps stand; a text with markup shows them bold."""
    bold = "</" in text
    marks = [f"<b>（{number}）</b>" if bold else f"（{number}）" for number in range(1, len(gaps) + 1)]
    return _marked(text, gaps, marks)


def with_bracket(text: str, gap: Gap) -> str:
    """Return the text of a single choice with empty brackets where its gap stands."""
    return _marked(text, (gap,), ["（　）"])


def _marked(text: str, gaps: tuple[Gap, ...], marks: list[str]) -> str:
    pieces: list[str] = []
    last = 0
    for gap, mark in zip(gaps, marks, strict=True):
        pieces += [text[last : gap.start], mark]
        last = gap.end
    return "".join([*pieces, text[last:]])


def json_of(accepted: tuple[tuple[str, ...], ...]) -> str:
    """Return accepted texts as one cell that the reading takes word for word."""
    return msgspec.json.encode(accepted).decode()


def with_gaps(stem: str, accepted: tuple[tuple[str, ...], ...]) -> str:
    """Return a stored stem with Moodle's gaps in place of its blanks."""
    waiting = iter(accepted)
    return STORED_BLANK.sub(lambda _: _gap(next(waiting, ())), stem.replace("{", "&#123;"))


def case_gaps(stem: str, parts: Sequence[SubItem]) -> str | None:
    """Return a stored stem with a gap behind the number of each sub-item, （1）, （2）, …; None for sub-items that ask
    more than their number does, are marked by people, or whose numbers do not stand in the stem in their order."""
    pieces: list[str] = []
    rest = stem.replace("{", "&#123;")
    weights = [hundredths((part.score,)) for part in parts]
    if not all(weights):
        return None  # worth less than a hundredth: no whole number beside the others
    for number, part in enumerate(parts, start=1):
        if part.type not in ("single", "multiple", "fill") or part.stem != asked_by_number(number, part.type):
            return None
        before, mark, rest = rest.partition(f"（{number}）")
        if not mark:
            return None
        bold = "</b>" if rest.startswith("</b>") else ""
        rest = rest.removeprefix(bold)
        pieces += [before, mark, bold, _part_gap(part, weights[number - 1] // gcd(*weights))]
    return "".join([*pieces, rest])


def asked_by_number(number: int, kind: str) -> str:
    """Return the stored stem of a sub-item that is nothing but a gap in the text of its case."""
    return f"（{number}）{blank(1)}" if kind == "fill" else f"（{number}）"


def without_gaps(text: str, gaps: tuple[Gap, ...]) -> str:
    """Return the text as it stood before `case_gaps`."""
    return _marked(text, gaps, [""] * len(gaps))


def _part_gap(part: SubItem, weight: int) -> str:
    if part.type == "fill":
        return _gap(part.accepted[0], weight)
    right = {ord(label) - ord("A") for label in part.key}
    options = [_SPECIAL.sub(r"\\\1", option) for option in part.options]
    if part.type == "single":
        body = "~".join(f"{'=' if place in right else ''}{text}" for place, text in enumerate(options))
        return f"{{{weight}:MULTICHOICE:{body}}}"
    share = f"{100 / len(right):.5f}"
    body = "~".join(f"%{share if place in right else -100}%{text}" for place, text in enumerate(options))
    return f"{{{weight}:MULTIRESPONSE:{body}}}"


def _gap(accepted: tuple[str, ...], weight: int = 1) -> str:
    numbers = [tolerant(text) or ((text, "0") if is_number(text) else None) for text in accepted]
    if all(numbers) and any(tolerant(text) for text in accepted):
        body = "~".join(f"={one[0]}:{one[1]}" for one in numbers if one is not None)
        return f"{{{weight}:NUMERICAL:{body}}}"
    escaped = (_SPECIAL.sub(r"\\\1", html.escape(text, quote=False)) for text in accepted)
    return f"{{{weight}:SHORTANSWER:" + "~".join(f"={text}" for text in escaped) + "}"
