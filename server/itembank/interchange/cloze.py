"""Gaps within a text as Moodle writes them, `{1:SHORTANSWER:=a~=b}` and `{1:NUMERICAL:=3.14:0.01}`."""

import re
from dataclasses import dataclass

import msgspec

from server.itembank.interchange.blanks import STORED_BLANK, blank

_GAP = re.compile(r"\{(\d{0,4}):([A-Z_]{1,20}):((?:\\.|[^\\{}]){0,4000})\}", re.DOTALL)
_ANY = re.compile(r"\{\d{0,4}:[A-Z_]{1,20}[:}]")
_SHORT = frozenset({"SHORTANSWER", "SA", "MW", "SHORTANSWER_C", "SAC", "MWC"})
_NUMBERS = frozenset({"NUMERICAL", "NM"})
_PARTS = re.compile(r"(?:\\.|[^\\~])+", re.DOTALL)
_FEEDBACK = re.compile(r"(?<!\\)#.*$", re.DOTALL)
_SPECIAL = re.compile(r'([}#~/"\\*=%{])')
_NUMBER = re.compile(r"^-?\d{1,30}(?:\.\d{1,30})?$")
_TOLERANT = re.compile(r"^(-?\d{1,30}(?:\.\d{1,30})?)±(\d{1,30}(?:\.\d{1,30})?)$")


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap: where it stands in the text, and what is accepted in it."""

    start: int
    end: int
    accepted: tuple[str, ...]


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


def gaps_in(text: str) -> tuple[Gap, ...] | None:
    """Return the gaps of a text, or None when there is none or one of them is of another kind."""
    found: list[Gap] = []
    for one in _GAP.finditer(text):
        accepted = _accepted(one[2], one[3])
        if accepted is None:
            return None
        found.append(Gap(one.start(), one.end(), accepted))
    return tuple(found) if found and len(found) == len(_ANY.findall(text)) else None


def _accepted(kind: str, body: str) -> tuple[str, ...] | None:
    right: list[str] = []
    for part in _PARTS.findall(body):
        text = _FEEDBACK.sub("", part).strip()
        if text.startswith("%100%"):
            text = f"={text.removeprefix('%100%')}"
        elif text.startswith("%0%"):
            continue
        elif text.startswith("%"):
            return None  # part credit
        if not text.startswith("="):
            continue  # a wrong answer with its feedback
        text = text[1:]
        if kind in _NUMBERS:
            value, _, within = text.partition(":")
            if not is_number(value) or not is_number(within or "0"):
                return None
            right.append(with_tolerance(value, within or "0"))
        elif kind in _SHORT:
            if re.search(r"(?<!\\)\*", text):
                return None  # a pattern
            right.append(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL).strip())
        else:
            return None
    return tuple(right) or None


def with_blanks(text: str, gaps: tuple[Gap, ...], stored: bool) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Return (text with a blank for each gap, what is accepted in each)."""
    pieces: list[str] = []
    last = 0
    for number, gap in enumerate(gaps, start=1):
        pieces += [text[last : gap.start], blank(number) if stored else "____"]
        last = gap.end
    return "".join([*pieces, text[last:]]), tuple(gap.accepted for gap in gaps)


def json_of(accepted: tuple[tuple[str, ...], ...]) -> str:
    """Return accepted texts as one cell that the reading takes word for word."""
    return msgspec.json.encode(accepted).decode()


def with_gaps(stem: str, accepted: tuple[tuple[str, ...], ...]) -> str:
    """Return a stored stem with Moodle's gaps in place of its blanks."""
    waiting = iter(accepted)
    return STORED_BLANK.sub(lambda _: _gap(next(waiting, ())), stem.replace("{", "&#123;"))


def _gap(accepted: tuple[str, ...]) -> str:
    numbers = [tolerant(text) for text in accepted]
    if numbers and all(numbers):
        body = "~".join(f"={one[0]}:{one[1]}" for one in numbers if one is not None)
        return f"{{1:NUMERICAL:{body}}}"
    escaped = (_SPECIAL.sub(r"\\\1", text) for text in accepted)
    return "{1:SHORTANSWER:" + "~".join(f"={text}" for text in escaped) + "}"
