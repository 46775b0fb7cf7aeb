"""GIFT: questions parted by empty lines, answers in braces. Read into rows like any other file.

Taken: multiple choice with one or several right answers, true/false, short answer and numbers (as
fill-in, a number with its tolerance as `value±within`), essays (the general feedback is the model answer).
Matching, part credit for one answer, patterns (`*`) and texts without an answer are rows of a type that is not
held.
"""

import re
from dataclasses import dataclass, field

from server.errors import BadInput
from server.itembank.interchange.blanks import blank
from server.itembank.interchange.categories import point_in
from server.itembank.interchange.cells import MARK, STORED
from server.itembank.interchange.csv import LARGEST, decoded
from server.itembank.interchange.rows import Cell, SourceRow, SourceTable
from server.itembank.items import LABELS

COLUMNS = (
    "label", "type", "stem", "options", "answer", "explanation", "category", "difficulty", "score", "policy", "markup"
)  # fmt: skip
_TAG = re.compile(r"\[(id|tag):((?:\\.|[^\]\\]){0,300})\]")
_ESCAPE = re.compile(r"\\([~=#{}:\\n*])")
_FORMAT = re.compile(r"^\s*\[(html|moodle|plain|markdown)\]\s*")
_TITLE = re.compile(r"^\s*::(.*?)::", re.DOTALL)
_WEIGHT = re.compile(r"^%(-?\d+(?:\.\d+)?)%")
_NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$")
# Escaped characters stand as single private-use characters while a question is taken apart.
_HIDDEN = {mark: chr(0xE000 + place) for place, mark in enumerate("~=#{}:\\n*")}
_OURS = re.compile(f"[{''.join(_HIDDEN.values())}]")


@dataclass(slots=True)
class _Question:
    """What one question says, still with hidden escapes."""

    kind: str
    options: list[str] = field(default_factory=list)
    key: str = ""
    accepted: list[str] = field(default_factory=list)
    feedback: str = ""


def read_gift(data: bytes, encoding: str | None = None) -> SourceTable:
    """Read a GIFT file; BadInput `gift-without-questions` when no braces stand in it."""
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    rows: list[SourceRow] = []
    category = ""
    for line, block, comments in _blocks(decoded(data, encoding)):
        if block.startswith("$CATEGORY:"):
            category = point_in(block.removeprefix("$CATEGORY:").strip())
            continue
        rows.append(_row(line, block, category, _told(comments)))
    if not any("answer" in row.cells for row in rows):
        raise BadInput("gift-without-questions")
    return SourceTable(COLUMNS, tuple(rows))


def _blocks(text: str) -> list[tuple[int, str, str]]:
    """Return (first line, text, comments before and in it) of each question; a category line stands alone."""
    found: list[tuple[int, str, str]] = []
    held: list[str] = []
    comments: list[str] = []
    start = 0
    for number, line in enumerate([*re.split(r"\r\n?|\n", text), ""], start=1):
        if line.lstrip().startswith("//"):
            comments.append(line)
            continue
        if line.strip() and not line.startswith("$CATEGORY:"):
            start = start or number
            held.append(line)
            continue
        if held:
            found.append((start, "\n".join(held), "\n".join(comments)))
            held, comments, start = [], [], 0
        if line.strip():
            found.append((number, line, ""))
            comments = []
    return found


def _told(comments: str) -> dict[str, Cell]:
    """Return the cells that comments tell: `[id:…]` and the tags that this bank writes."""
    cells: dict[str, Cell] = {}
    for kind, escaped in _TAG.findall(comments):
        value = re.sub(r"\\(.)", r"\1", escaped)
        name, colon, told = value.partition(":")
        if kind == "id":
            cells["label"] = value
        elif value == MARK:
            cells["markup"] = STORED
        elif colon and name in ("difficulty", "score", "policy"):
            cells[name] = told
    return cells


def _hidden(text: str) -> str:
    return _ESCAPE.sub(lambda found: _HIDDEN[found[1]], _OURS.sub(" ", text))


def _shown(text: str, strip: bool = True) -> str:
    for mark, hidden in _HIDDEN.items():
        text = text.replace(hidden, "\n" if mark == "n" else mark)
    text = _FORMAT.sub("", text)
    return text.strip() if strip else text


def _row(line: int, block: str, category: str, told: dict[str, Cell]) -> SourceRow:
    text = _hidden(block)
    title = _TITLE.match(text)
    if title is not None:
        text = text[title.end() :]
    opening = text.find("{")
    closing = text.find("}", opening)
    cells: dict[str, Cell] = {"category": category}
    if title is not None:
        cells["label"] = _shown(title[1])
    cells |= told
    if opening < 0 or closing < 0:
        cells |= {"type": "description", "stem": _shown(text)}
        return SourceRow(f"line {line}", cells)
    before, inside, after = text[:opening], text[opening + 1 : closing], text[closing + 1 :]
    question = _question(inside.strip())
    gap = "____" if question.kind == "fill" or after.strip() else ""
    stem = f"{_shown(before)} {gap} {_shown(after)}".strip()
    if STORED in told.values():
        held = blank(1) if question.kind == "fill" else ""
        stem = f"{_shown(before, False)}{held}{_shown(after, False)}"
    cells |= {"type": question.kind, "stem": stem}
    if question.kind == "essay":
        cells["answer"] = _shown(question.feedback)
        question.feedback = ""
    elif question.kind == "fill":
        cells["answer"] = (" / ".join(_shown(one) for one in question.accepted),)
    else:
        cells["answer"] = question.key
        cells["options"] = tuple(_shown(one) for one in question.options)
    if question.feedback:
        cells["explanation"] = _shown(question.feedback)
    return SourceRow(f"line {line}", cells)


def _question(inside: str) -> _Question:
    inside, _, feedback = inside.partition("####")
    inside = inside.strip()
    if not inside:
        return _Question("essay", feedback=feedback)
    judged = inside.split("#", 1)[0].strip().upper()
    if judged in ("T", "TRUE", "F", "FALSE"):
        return _Question("judge", key=judged[0], feedback=feedback)
    if inside.startswith("#"):
        return _number(inside[1:], feedback)
    if "->" in inside:
        return _Question("matching", feedback=feedback)
    return _choice(inside, feedback)


def _number(inside: str, feedback: str) -> _Question:
    value = inside.split("#", 1)[0].strip()
    if value.startswith("="):
        value = value[1:].strip()
    low, dots, high = value.partition("..")
    if dots and _NUMBER.match(low.strip()) and _NUMBER.match(high.strip()):
        middle = (float(low) + float(high)) / 2
        return _Question("fill", accepted=[f"{middle:g}±{float(high) - middle:g}"], feedback=feedback)
    number, colon, within = value.partition(":")
    if _NUMBER.match(number.strip()) and (not colon or _NUMBER.match(within.strip())):
        accepted = f"{number.strip()}±{within.strip()}" if colon else number.strip()
        return _Question("fill", accepted=[accepted], feedback=feedback)
    return _Question("numerical", feedback=feedback)


def _choice(inside: str, feedback: str) -> _Question:
    parts = re.findall(r"([=~])([^=~]*)", inside)
    options: list[str] = []
    right: list[int] = []
    weighted: list[int] = []
    partial = False
    for mark, body in parts:
        text = body.split("#", 1)[0].strip()
        weight = _WEIGHT.match(text)
        if weight is not None:
            text = text[weight.end() :].strip()
            share = float(weight[1])
            partial = partial or (mark == "=" and share != 100) or 0 < share < 100
            if share > 0 and mark == "~":
                weighted.append(len(options))
        if mark == "=":
            right.append(len(options))
        options.append(text)
    only_right = bool(parts) and all(mark == "=" for mark, _ in parts)
    # Part credit for one answer and a pattern that takes any text have no place in a key of this bank.
    if (partial and (only_right or right)) or (only_right and any("*" in option for option in options)):
        return _Question("weighted", feedback=feedback)
    if only_right:
        return _Question("fill", accepted=options, feedback=feedback)
    if not parts:
        return _Question("unreadable", feedback=feedback)
    key = right or weighted
    kind = "single" if right and len(right) == 1 else "multiple"
    labels = "".join(LABELS[place] for place in key if place < len(LABELS))
    return _Question(kind, options, labels, feedback=feedback)
