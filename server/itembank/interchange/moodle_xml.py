"""Moodle XML: a `quiz` of questions. Read into rows like any other file.

Taken: multichoice with one or several wholly right answers, truefalse, shortanswer and numerical (as
fill-in), cloze, essay (what graders are told is the model answer). A cloze whose gaps are all short answers or
numbers of one weight is a fill-in item, one with a single gap to choose in is a choice, every other is a case with
a sub-item for each gap.
Every other kind, part credit for one answer and patterns (`*`) are rows of a type that is not held. Categories
name the knowledge point.
"""

import base64
import binascii
import re
from urllib.parse import unquote

from server.errors import BadInput
from server.itembank.interchange import cloze
from server.itembank.interchange.blanks import BLANK
from server.itembank.interchange.categories import point_in
from server.itembank.interchange.cells import MARK, STORED
from server.itembank.interchange.in_words import rubric_in_list
from server.itembank.interchange.rows import Cell, Remark, SourceRow, SourceTable, text_of
from server.itembank.interchange.sanitising import picture_html, plain_of
from server.itembank.interchange.xml_tree import Element, parsed
from server.itembank.items import LABELS
from server.itembank.showing import shares

COLUMNS = (
    "label", "type", "stem", "options", "answer", "explanation", "category", "rubric", "score", "difficulty",
    "policy", "markup"
)  # fmt: skip
CASE_TAG = "type:case"
"""A cloze that is a case of this bank, whatever its gaps are."""
_PICTURE = re.compile(
    r"""<img\b[^>]{0,500}?\bsrc\s*=\s*["']@@PLUGINFILE@@/([^"'?]+)[^"']*["'][^>]*>""", re.IGNORECASE
)
_ATTACHED = re.compile(r"@@PLUGINFILE@@/([^\"'?<>\s]+)")


def read_moodle_xml(data: bytes, encoding: str | None = None) -> SourceTable:
    """Read a Moodle XML file; BadInput `moodle-without-questions` when its root is no quiz with questions."""
    root = parsed(data, encoding=encoding)
    if root.name != "quiz":
        raise BadInput("moodle-without-questions", root=root.name[:60])
    rows: list[SourceRow] = []
    category = ""
    for question in root.elements("question"):
        if question.attributes.get("type") == "category":
            category = point_in(question.text_at("category", "text"))
        else:
            rows.append(_Question(question, category).row())
    if not rows:
        raise BadInput("moodle-without-questions", root="quiz")
    return SourceTable(COLUMNS, tuple(rows))


class _Question:
    """One question while its row is made."""

    def __init__(self, element: Element, category: str) -> None:
        self.element = element
        self.place = f"line {element.line}"
        self.kind = element.attributes.get("type", "").strip() or "unknown"
        self.remarks: list[Remark] = []
        self.tags = [tag.text_at("text") for tag in _within(element, "tags", "tag")]
        self.stored = MARK in self.tags
        self.cells: dict[str, Cell] = {"category": category}
        self.parts: tuple[SourceRow, ...] = ()

    def row(self) -> SourceRow:
        stem = self._html(self.element.first("questiontext"))
        self.cells["stem"] = stem
        name = self.element.text_at("name", "text")
        label = self.element.text_at("idnumber")
        # Moodle itself names a question by the beginning of its text: such a name is no label.
        if not label and name and not plain_of(stem).startswith(plain_of(name)):
            label = name
        self.cells["label"] = label
        self.cells["explanation"] = self._html(self.element.first("generalfeedback"))
        self.cells["score"] = self.element.text_at("defaultgrade")
        for tag in self.tags:
            if tag.startswith("difficulty:"):
                self.cells["difficulty"] = tag.removeprefix("difficulty:").strip()
            elif tag.startswith("policy:"):
                self.cells["policy"] = tag.removeprefix("policy:").strip()
        if self.stored:
            self.cells["markup"] = STORED
        if self.element.text_at("image_base64"):
            self._old_picture()
        not_held = self._answers(stem)
        return SourceRow(
            self.place, self.cells, remarks=tuple(self.remarks), not_held=not_held, parts=self.parts
        )

    def _answers(self, stem: str) -> str:
        """Fill the cells of type and key; return the name of a kind that is not held, or an empty text."""
        if self.kind == "multichoice":
            return self._choice()
        if self.kind == "truefalse":
            return self._judgement()
        if self.kind == "shortanswer":
            return self._short(stem)
        if self.kind == "numerical":
            return self._number(stem)
        if self.kind == "cloze":
            return self._gaps(stem)
        if self.kind == "essay":
            return self._essay()
        return self.kind

    def _essay(self) -> str:
        self.cells["type"] = "short"
        told = self._html(self.element.first("graderinfo"))
        if self.stored:
            told, self.cells["rubric"] = rubric_in_list(told)
        self.cells["answer"] = told
        return ""

    def _choice(self) -> str:
        answers = self.element.elements("answer")
        shares = [_share(one) for one in answers]
        single = self.element.text_at("single").lower() in ("true", "1")
        right = [place for place, share in enumerate(shares) if share is not None and share > 0]
        if single and any(shares[place] != 100 for place in right):
            return "multichoice (part credit)"
        if not single and right and _uneven([shares[place] or 0.0 for place in right]):
            self._doubt("key-weights-uneven")
        self.cells["type"] = "single" if single else "multiple"
        self.cells["options"] = tuple(self._html(one) for one in answers)
        self.cells["answer"] = "".join(LABELS[place] for place in right if place < len(LABELS))
        return ""

    def _judgement(self) -> str:
        self.cells["type"] = "judge"
        right = [one.text_at("text").lower() for one in self.element.elements("answer") if _share(one) == 100]
        self.cells["answer"] = right[0] if len(right) == 1 else ""
        return ""

    def _short(self, stem: str) -> str:
        answers = self.element.elements("answer")
        shares = [_share(one) or 0.0 for one in answers]
        right = [one.text_at("text") for one, share in zip(answers, shares, strict=True) if share == 100]
        if any(0 < share < 100 for share in shares):
            return "shortanswer (part credit)"
        if any("*" in one.replace("\\*", "") for one in right):
            return "shortanswer (pattern)"
        self._fill(stem, [one.replace("\\*", "*") for one in right])
        return ""

    def _number(self, stem: str) -> str:
        right: list[str] = []
        for one in self.element.elements("answer"):
            share = _share(one) or 0.0
            if share <= 0:
                continue
            value, within = one.text_at("text"), one.text_at("tolerance") or "0"
            if share != 100 or not cloze.is_number(value) or not cloze.is_number(within):
                return "numerical (part credit or pattern)"
            right.append(cloze.with_tolerance(value, within))
        if self.element.first("units") is not None and self.element.elements("units")[0].elements():
            self._doubt("units-left-out")
        self._fill(stem, right)
        return ""

    def _fill(self, stem: str, right: list[str]) -> None:
        self.cells["type"] = "fill"
        self.cells["answer"] = (" / ".join(right),) if right else ""
        if len(BLANK.split(stem)) != 2:
            self.cells["stem"] = f"{stem} ____"

    def _gaps(self, stem: str) -> str:
        found = cloze.gaps_in(stem)
        if isinstance(found, str):
            return f"cloze ({found})"
        weights = [gap.weight for gap in found]
        total = self.cells["score"] = text_of(self.cells["score"]) or str(sum(weights))
        if self.stored and CASE_TAG in self.tags:
            self._case_again(stem, found, total)
        elif all(gap.kind == "fill" for gap in found) and len(set(weights)) == 1:
            self.cells["type"] = "fill"
            self.cells["stem"], accepted = cloze.with_blanks(stem, found, self.stored)
            if self.stored:
                self.cells["answer"] = cloze.json_of(accepted)
            else:
                self.cells["answer"] = tuple(" / ".join(texts) for texts in accepted)
        elif len(found) == 1:
            self.cells |= _asked(found[0])
            self.cells["stem"] = cloze.with_bracket(stem, found[0])
        else:
            self.cells["type"] = "case"
            self.cells["stem"] = cloze.with_numbers(stem, found)
            split = shares(float(total), weights) if cloze.is_number(total) else weights
            self.parts = tuple(
                SourceRow(
                    f"{self.place}/{number}",
                    _asked(gap)
                    | {"stem": f"（{number}）{' ____' if gap.kind == 'fill' else ''}", "score": f"{score:g}"},
                )
                for number, (gap, score) in enumerate(zip(found, split, strict=True), start=1)
            )
        return ""

    def _case_again(self, stem: str, found: tuple[cloze.Gap, ...], total: str) -> None:
        """Take a case word for word as it was exported: its numbers stand in its text already."""
        self.cells["type"] = "case"
        self.cells["stem"] = cloze.without_gaps(stem, found)
        weights = [gap.weight for gap in found]
        split = shares(float(total), weights) if cloze.is_number(total) else weights
        parts: list[SourceRow] = []
        for number, (gap, score) in enumerate(zip(found, split, strict=True), start=1):
            cells = _asked(gap) | {"markup": STORED, "score": f"{score:g}"}
            cells["stem"] = cloze.asked_by_number(number, gap.kind)
            if gap.kind == "fill":
                cells["answer"] = cloze.json_of((gap.accepted,))
            parts.append(SourceRow(f"{self.place}/{number}", cells))
        self.parts = tuple(parts)

    def _html(self, element: Element | None) -> str:
        """Return a text with its own pictures in it; what cannot be held in a text is a doubt."""
        if element is None:
            return ""
        text = element.text_at("text") if element.first("text") is not None else element.text().strip()
        files = {unquote(one.attributes.get("name", "")): one for one in element.elements("file")}

        def shown(found: re.Match[str]) -> str:
            name = unquote(found[1]).rsplit("/", 1)[-1]
            return self._picture(name, files[name].text() if name in files else "") or found[0]

        text = _PICTURE.sub(shown, text)
        for name in dict.fromkeys(unquote(one) for one in _ATTACHED.findall(text)):
            self._doubt("attachment-left-out", attachment=name[:120])
        return text

    def _picture(self, name: str, encoded: str) -> str:
        try:
            return picture_html(base64.b64decode(encoded), name)
        except (binascii.Error, ValueError, BadInput):
            return ""

    def _old_picture(self) -> None:
        """Take a picture of the form before Moodle 2, which stands beside the text."""
        name = self.element.text_at("image")
        shown = self._picture(name, self.element.text_at("image_base64"))
        if shown:
            self.cells["stem"] = f"{self.cells['stem']}<br>{shown}"
        else:
            self._doubt("attachment-left-out", attachment=name[:120])

    def _doubt(self, code: str, **facts: str) -> None:
        self.remarks.append(Remark(code, self.place, True, facts))


def _asked(gap: cloze.Gap) -> dict[str, Cell]:
    """Return type, options and key of one gap."""
    if gap.kind == "fill":
        return {"type": "fill", "answer": (" / ".join(gap.accepted),)}
    key = "".join(LABELS[place] for place in gap.right if place < len(LABELS))
    return {"type": gap.kind, "options": gap.options, "answer": key}


def _within(element: Element, *path: str) -> list[Element]:
    found = [element]
    for name in path:
        found = [inner for one in found for inner in one.elements(name)]
    return found


def _share(answer: Element) -> float | None:
    """Return how much of the score an answer gives, in per cent; None when nothing readable says it."""
    text = answer.attributes.get("fraction", "") or answer.text_at("fraction")
    try:
        return float(text) if len(text) < 30 else None
    except ValueError:
        return None


def _uneven(shares: list[float]) -> bool:
    """Say whether right answers weigh differently, or do not make up the whole."""
    return max(shares) - min(shares) > 0.5 or abs(sum(shares) - 100) > 1
