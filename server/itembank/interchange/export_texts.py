"""Items out as GIFT and as Moodle XML, with tags for what these forms have no place for."""

import html
import re
from collections.abc import Sequence

from server.itembank.interchange.blanks import STORED_BLANK
from server.itembank.interchange.categories import path_of
from server.itembank.interchange.cells import MARK
from server.itembank.interchange.cloze import case_gaps, tolerant, with_gaps
from server.itembank.interchange.export_tables import decimal_text
from server.itembank.interchange.moodle_xml import CASE_TAG
from server.itembank.interchange.sanitising import plain_of
from server.itembank.items import ItemContent, MarkingPoint

_SPECIAL = re.compile(r"([~=#{}:\\*])")
_NAME_LENGTH = 60
_MOODLE_TYPES = {
    "single": "multichoice",
    "multiple": "multichoice",
    "judge": "truefalse",
    "fill": "cloze",
    "short": "essay",
    "case": "cloze",
}


def gift_bytes(items: Sequence[ItemContent]) -> bytes:
    """Return items as GIFT (UTF-8); fill-in items must have one blank, and none may be marked by
    people."""
    blocks: list[str] = []
    point = None
    for one in items:
        if one.point != point:
            point = one.point
            blocks.append(f"$CATEGORY: {path_of(point)}")
        identity = re.sub(r"([\]\\])", r"\\\1", one.label)
        tags = (*_tags(one), f"score:{decimal_text(one.score)}")
        comment = " ".join((f"// [id:{identity}]", *(f"[tag:{tag}]" for tag in tags)))
        blocks.append(f"{comment}\n{_gift(one)}")
    return ("\n\n".join(blocks) + "\n").encode()


def _tags(content: ItemContent) -> tuple[str, ...]:
    policy = (f"policy:{content.policy}",) if content.policy else ()
    return (MARK, f"difficulty:{decimal_text(content.difficulty)}", *policy)


def _gift(content: ItemContent) -> str:
    title = f"::{_escaped(content.label)}::" if content.label else ""
    answers = _gift_answers(content)
    if content.explanation:
        answers += f"####{_escaped(content.explanation)}"
    before, after = content.stem, ""
    if content.type == "fill":
        before, after = STORED_BLANK.split(content.stem, maxsplit=1)
    return f"{title}[html]{_escaped(before)}{{{answers}}}{_escaped(after)}"


def _gift_answers(content: ItemContent) -> str:
    if content.type == "judge":
        return "TRUE" if content.key == ("T",) else "FALSE"
    if content.type == "fill":
        variants = content.accepted[0]
        number = tolerant(variants[0]) if len(variants) == 1 else None
        if number is not None:
            return f"#{number[0]}:{number[1]}"
        return " ".join(f"={_escaped(text)}" for text in variants)
    right = {ord(label) - ord("A") for label in content.key}
    share = f"{100 / max(len(right), 1):.5f}".rstrip("0").rstrip(".")
    pieces: list[str] = []
    for place, option in enumerate(content.options):
        text = _escaped(f"&#37;{option[1:]}" if option.startswith("%") else option)
        if content.type == "single":
            pieces.append(f"{'=' if place in right else '~'}{text}")
        else:
            pieces.append(f"~%{share if place in right else -100}%{text}")
    return " ".join(pieces)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", "\\n")


def case_in_gaps(content: ItemContent) -> bool:
    """Say whether a case is a text with gaps, as one that came in from a cloze is."""
    return case_gaps(content.stem, content.parts) is not None


def moodle_bytes(items: Sequence[ItemContent]) -> bytes:
    """Return items as Moodle XML (UTF-8); fill-in items become cloze questions with a gap for each blank,
    answers in words essays whose graders' information holds model answer and marking points. Of cases only those
    whose sub-items are gaps in their text (`case_in_gaps`)."""
    blocks: list[str] = []
    point = None
    for one in items:
        if one.point != point:
            point = one.point
            path = html.escape(path_of(point))
            blocks.append(f'<question type="category"><category><text>{path}</text></category></question>')
        blocks.append(_moodle(one))
    body = "\n".join(blocks)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n{body}\n</quiz>\n'.encode()


def _moodle(content: ItemContent) -> str:
    kind = _MOODLE_TYPES[content.type]
    stem, tags = content.stem, _tags(content)
    if content.type == "fill":
        stem = with_gaps(stem, content.accepted)
    elif content.type == "case":
        stem, tags = case_gaps(stem, content.parts) or stem, (*tags, CASE_TAG)
    parts = [
        f"<name>{_text(content.label or plain_of(stem)[:_NAME_LENGTH])}</name>",
        f'<questiontext format="html">{_text(stem)}</questiontext>',
        f'<generalfeedback format="html">{_text(content.explanation)}</generalfeedback>',
        f"<defaultgrade>{decimal_text(content.score)}</defaultgrade>",
        f"<idnumber>{html.escape(content.label)}</idnumber>",
        *_moodle_answers(content),
        "<tags>" + "".join(f"<tag>{_text(tag)}</tag>" for tag in tags) + "</tags>",
    ]
    return f'<question type="{kind}">\n' + "\n".join(parts) + "\n</question>"


def _moodle_answers(content: ItemContent) -> list[str]:
    if content.type in ("fill", "case"):
        return []
    if content.type == "short":
        graded = content.model + rubric_list(content.rubric)
        return [
            "<responseformat>editor</responseformat>",
            f'<graderinfo format="html">{_text(graded)}</graderinfo>',
        ]
    if content.type == "judge":
        right = content.key == ("T",)
        return [_answer("100" if right else "0", "true"), _answer("0" if right else "100", "false")]
    places = {ord(label) - ord("A") for label in content.key}
    share = "100" if content.type == "single" else f"{100 / max(len(places), 1):.5f}"
    wrong = "0" if content.type == "single" else "-100"
    answers = [_answer(share if place in places else wrong, one) for place, one in enumerate(content.options)]
    return [f"<single>{'true' if content.type == 'single' else 'false'}</single>", *answers]


def rubric_list(rubric: Sequence[MarkingPoint]) -> str:
    """Return marking points as a list that graders read and `rubric_in_list` reads back; empty for none."""
    lines = (f"<dt>{decimal_text(one.score)}</dt><dd>{one.text}</dd>" for one in rubric)
    return f"<dl>{''.join(lines)}</dl>" if rubric else ""


def _answer(share: str, text: str) -> str:
    return f'<answer fraction="{share}" format="html">{_text(text)}</answer>'


def _text(text: str) -> str:
    return f"<text>{html.escape(text, quote=False)}</text>"
