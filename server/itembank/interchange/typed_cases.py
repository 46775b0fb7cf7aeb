"""Cases as people type them: a material, and below it questions numbered （1） or, under `案例一：`, 1."""

import re
from collections.abc import Mapping, Sequence

from server.itembank.interchange import answers
from server.itembank.interchange.blanks import BLANK

_HEAD = re.compile(
    r"^\s*[【\[]?(?:案例|材料|资料|背景资料|综合题)\s*[一二三四五六七八九十\d]{0,3}\s*[】\]]?\s*[:：、.．]\s*(?P<rest>.*)$"
)
_BRACKETED = re.compile(r"^\s*(?:问题\s*)?[（(【]\s*(\d{1,2})\s*[）)】]\s*[.．、:：]?\s*(\S.*)$")
_ASKED = re.compile(r"^\s*(?:问题|小题)\s*(\d{1,2})\s*[.．、:：]\s*(\S.*)$")
_PLAIN = re.compile(r"^\s*(\d{1,2})\s*[.．、:：)）]\s*(?!\d)(\S.*)$")
_POINTS = re.compile(r"[（(]\s*(?:本(?:小)?题|共|满分)?\s*(\d{1,3}(?:\.\d{1,2})?)\s*分\s*[）)]\s*$")
_GIVEN = re.compile(r"(?:^|\n)\s*(?:问题\s*)?[（(]?(\d{1,2})\s*[）).．、:：]\s*")


def case_head(text: str) -> str | None:
    """Return what follows on a line that begins a case (`案例一：…`), or None when it begins none."""
    found = _HEAD.match(text)
    return found["rest"] if found is not None else None


def sub_question(text: str, headed: bool) -> tuple[int, str] | None:
    """Return (number, text) of a line that begins a question of a case, or None. `headed`: the case began with a head
    of its own, so that plain numbers are free for its questions."""
    found = _BRACKETED.match(text) or _ASKED.match(text) or (_PLAIN.match(text) if headed else None)
    return (int(found[1]), found[2]) if found is not None else None


def points_behind(stem: str) -> tuple[str, str]:
    """Return (stem without the points behind it, the points): `简述原因。（5分）`; no points are an empty text."""
    found = _POINTS.search(stem)
    return (stem[: found.start()].rstrip(), found[1]) if found is not None else (stem, "")


def parted_answer(text: str, count: int) -> Sequence[str] | None:
    """Return one answer for each of so many questions from `（1）… （2）…`, or None when it is not parted so."""
    pieces = _GIVEN.split(text if text.lstrip()[:1] in "（(0123456789问" else "")
    numbers = [int(one) for one in pieces[1::2]]
    if count < 1 or pieces[0].strip() or numbers != list(range(1, count + 1)):
        return None
    return [one.strip() for one in pieces[2::2]]


def kind_of(cells: Mapping[str, str], options: Sequence[str]) -> str:
    """Return the word for the type of a question of a case, or an empty text where key and options tell it."""
    judged = answers.judge_key(cells.get("答案", "")) is not None
    return "" if options or judged or BLANK.search(cells.get("题干", "")) else "简答题"
