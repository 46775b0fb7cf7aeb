"""The options of a row: in columns, in one cell, in a list; with or without their own letters."""

import re

from server.itembank.interchange import answers
from server.itembank.interchange.cells import RowCells
from server.itembank.interchange.rows import text_of
from server.itembank.interchange.typed import options_in
from server.itembank.items import LABELS

_OPTION_LEAD = re.compile(r"^\s*[（(【]?([A-Ha-hＡ-Ｈ])[）)】]?\s*[.．、:：)）]\s*(?=\S)")
_PACKED_BREAK = re.compile(r"(?:^|[\s;；|｜$#]+)[（(]?([A-HＡ-Ｈ])[）)]?[.．、:：)）]\s*")

_LOWER = re.compile(r"(?:^|[\s;；|｜]+)[（(]?([a-h])[.．、:：)）]\s*")
_CIRCLES = "①②③④⑤⑥⑦⑧"
_CIRCLED = re.compile(rf"\s*([{_CIRCLES}])\s*")


def options_of(row: RowCells) -> list[str]:
    """Return the texts of a row's options in order of label, without their letters."""
    packed = row.cell("options")
    if packed is not None and not isinstance(packed, str):
        texts = [(part if isinstance(part, str) else part[1]).strip() for part in packed]
        return texts if row.stored else _unlabelled(row, texts)
    if packed:
        listed = answers.json_texts(packed)
        if listed is not None:
            return _unlabelled(row, listed)
        return _unpacked(row, packed)
    texts = [text_of(row.row.cells.get(column)) for column in row.mapping.option_columns]
    while texts and not texts[-1]:
        texts.pop()
    return texts if row.stored else _unlabelled(row, texts)


def _unpacked(row: RowCells, text: str) -> list[str]:
    """Return the options of one cell: `A.… B.…`, a line each, or parted by | or ；."""
    leads = list(_PACKED_BREAK.finditer(text))
    letters = [answers.folded(lead[1]).upper() for lead in leads]
    if len(leads) >= 2 and letters == list(LABELS[: len(letters)]):
        ends = [lead.start() for lead in leads[1:]] + [len(text)]
        return [text[lead.end() : end].strip(" \n;；|｜") for lead, end in zip(leads, ends, strict=True)]
    for pattern in (_LOWER, _CIRCLED):
        leads = list(pattern.finditer(text))
        marks = "".join(lead[1] for lead in leads)
        if len(marks) >= 2 and marks in ("abcdefgh"[: len(marks)], _CIRCLES[: len(marks)]):
            ends = [lead.start() for lead in leads[1:]] + [len(text)]
            return [text[lead.end() : end].strip(" \n;；|｜") for lead, end in zip(leads, ends, strict=True)]
    for mark in ("\n", "|", "｜", "$$", "；", ";"):
        parts = [part.strip() for part in text.split(mark)]
        if len(parts) > 1 and all(parts):
            return parts
    for sign in (r"\s*[/／]\s*", r"[、]", r"[,，]\s*"):
        parts = re.split(sign, text.strip())
        if len(parts) > 1 and all(parts):
            row.doubt("options-parted-by-sign", options=len(parts))
            return parts
    return [text.strip()]


def options_in_stem(stem: str) -> tuple[str, list[str]]:
    """Return (stem without its options, options) where they stand below or behind it as `A.… B.…`; else the stem and
    none."""
    before: list[str] = []
    options: list[str] = []
    for line in stem.split("\n"):
        text, found = options_in(line, len(options))
        options += found
        if found and text and len(options) == len(found):
            before.append(text)
        elif not found and options:
            options[-1] = f"{options[-1]}\n{line}".strip()
        elif not found:
            before.append(line)
    return ("\n".join(before).strip(), options) if len(options) > 1 and before else (stem, [])


def _unlabelled(row: RowCells, texts: list[str]) -> list[str]:
    """Take `A.` and the like off when every option bears its own letter; two letters in one cell are a
    doubt."""
    leads = [_OPTION_LEAD.match(text) for text in texts]
    letters = [answers.folded(lead[1]).upper() if lead else "" for lead in leads]
    if texts and letters == list(LABELS[: len(texts)]):
        return [text[lead.end() :].strip() if lead else text for text, lead in zip(texts, leads, strict=True)]
    for text in texts:
        inner = [answers.folded(lead[1]).upper() for lead in _PACKED_BREAK.finditer(text)]
        if len(inner) >= 2 and inner == sorted(set(inner)):
            row.doubt("two-options-in-one-cell", option=text[:80])
    return texts
