"""What typed lines say beside stems and options: page numbers, type tags, marks on right options, answers in two
lines, and where questions begin that nobody numbered."""

import re
from collections.abc import Sequence

from server.itembank.interchange import answers
from server.itembank.items import LABELS

OUTSTANDING = "\ue106"
"""Stands behind an option whose letters a document sets off from the others'."""
Line = tuple[str, str]
"""Place and text."""
_PAGE = re.compile(
    r"^\s*(?:[-—–·]+\s*\d{1,4}\s*[-—–·]+|第\s*\d{1,4}\s*页(?:\s*[,，/]?\s*共\s*\d{1,4}\s*页)?)\s*$"
)
_OWN = re.compile(r"^\s*[【\[（(]?\s*(?:我的|您的|你的|考生|学生)答案")
_NUMBER_ROW = re.compile(r"^\s*(?:题号|序号)[\s:：]*((?:\d{1,4}[\s、,，|]*)+)$")
_ANSWER_ROW = re.compile(r"^\s*(?:答案|选项|参考答案)[\s:：]*(.+)$")
_NUMBERED = re.compile(r"^\s*(?:\d{1,4}\s*[.．、:：)）]|第\s*\d{1,4}\s*题|[（(【]\s*\d{1,4}\s*[）)】])")
_OPTION = re.compile(r"^\s*[（(]?[A-HＡ-Ｈa-h][)）]?\s*[.．、:：)）]")
_ANSWERED = re.compile(r"^\s*[【\[（(]?\s*(?:正确|参考|标准)?答案\s*[】\]）)]?\s*[:：]")
_MARK_FIRST = re.compile(
    r"^\s*[（(]\s*(?P<mark>√|×|✓|✗|✔|✘|对|错|正确|错误|[TF]|)\s*[）)]\s*(?P<number>\d{1,4}\s*[.．、:：])\s*(?P<text>\S.*)$"
)
_STAR = re.compile(r"^\s*\*\s*(?=[A-HＡ-Ｈ]\s*[.．、:：)）])")
_RIGHT = re.compile(r"\s*(?:[（(【\[]\s*(?:正确(?:答案|选项)?|√|✓|✔|对)\s*[）)】\]]|[√✓✔])\s*$")
_TAG = re.compile(r"^\s*[【\[（(]\s*(?P<tag>[^】\]）)]{2,20})[】\]）)]\s*(?=\S)")
_TAG_BEHIND = re.compile(r"\s*[【\[]\s*(?P<tag>[^】\]]{2,20})[】\]]\s*\*?\s*$")
_POINTS = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*分")
_BARE_MARK = re.compile(r"\s*([√×✓✗✔✘])\s*[。.]?\s*$")


def is_beside(text: str) -> bool:
    """Say whether a line is a page number or what a candidate answered: no part of an item."""
    return _PAGE.match(text) is not None or _OWN.match(text) is not None


def prepared(lines: Sequence[Line]) -> list[Line]:
    """Return the lines, with answers in two lines (`题号 1 2` above `答案 A B`) as `1.A 2.B`, and with numbers where
    nobody numbered the questions but options and answers show where they begin. Empty lines are left out."""
    filled = [(place, text.replace("\u3000", "  ").strip()) for place, text in lines if text.strip()]
    numbered = any(_NUMBERED.match(text) for _, text in filled)
    answered = any(_ANSWERED.match(text) for _, text in filled)
    if not numbered and answered and any(_OPTION.match(text) for _, text in filled):
        filled = _counted(lines)
    found: list[Line] = []
    for place, text in filled:
        above = _NUMBER_ROW.match(found[-1][1]) if found else None
        given = _ANSWER_ROW.match(text) if above is not None else None
        if above is not None and given is not None:
            numbers = re.findall(r"\d+", above[1])
            texts = [one for one in re.split(r"[\s、,，|]+", given[1]) if one]
            if len(texts) == len(numbers):
                pairs = zip(numbers, texts, strict=True)
                found[-1] = (found[-1][0], " ".join(f"{number}.{answer}" for number, answer in pairs))
                continue
        found.append((place, text))
    return found


def _counted(lines: Sequence[Line]) -> list[Line]:
    """Number the first line of each question: the first one of all, and each that follows an empty line behind an
    answer."""
    found: list[Line] = []
    number, begins, answered = 0, True, False
    for place, text in lines:
        text = text.replace("\u3000", "  ").strip()
        if not text:
            begins = begins or answered
            continue
        heading = answers.type_titled(text) is not None and len(text) < 40 and not _OPTION.match(text)
        if begins and not heading and not _OPTION.match(text):
            number, begins, answered = number + 1, False, False
            text = f"{number}、{text}"
        answered = answered or _ANSWERED.match(text) is not None
        found.append((place, text))
    return found


def with_mark_behind(text: str) -> str:
    """Return a judgement's line with its mark behind it: `（√）3、甲` as `3、甲（√）`."""
    found = _MARK_FIRST.match(text)
    return f"{found['number']}{found['text']}（{found['mark']}）" if found is not None else text


def with_right_mark(text: str) -> str:
    """Return an option's line whose star says that it is right with the mark in words."""
    return f"{_STAR.sub('', text)}（正确答案）" if _STAR.match(text) else text


def right_marked(options: Sequence[str]) -> tuple[list[str], str]:
    """Return (options without marks, the labels of those that bear a mark of being right)."""
    marked = [label for label, option in zip(LABELS, options, strict=False) if _RIGHT.search(option)]
    if not marked or len(marked) == len(options):
        return list(options), ""
    return [_RIGHT.sub("", option) for option in options], "".join(marked)


def set_off(options: Sequence[str]) -> tuple[list[str], str]:
    """Return (options without the sign of being set off, the labels of those that bear it); all or none say nothing."""
    marked = [label for label, option in zip(LABELS, options, strict=False) if OUTSTANDING in option]
    bare = [option.replace(OUTSTANDING, "") for option in options]
    return bare, "".join(marked) if len(marked) < len(options) else ""


def judged_behind(stem: str) -> tuple[str, str]:
    """Return (stem without the bare mark behind it, the mark or an empty text)."""
    found = _BARE_MARK.search(stem)
    return (stem[: found.start()], found[1]) if found is not None else (stem, "")


def tagged(text: str) -> tuple[str, str, str]:
    """Return (stem without its type tag, the type's word, its points): `（单选题，2分）` or, behind, `[单选题]`."""
    for pattern in (_TAG, _TAG_BEHIND):
        found = pattern.search(text)
        if found is None:
            continue
        word = re.split(r"[,，、;；:：\s]", found["tag"].strip())[0]
        named = word if answers.type_of(word) is not None and not word.isascii() and len(word) > 1 else ""
        if named:
            points = _POINTS.search(found["tag"])
            return (text[: found.start()] + text[found.end() :]).strip(), named, points[1] if points else ""
    return text, "", ""
