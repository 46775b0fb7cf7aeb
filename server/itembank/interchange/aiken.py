"""Aiken: a question, lettered options, a line `ANSWER: X`. Read into rows like any other file."""

import re
from dataclasses import replace

from server.errors import BadInput
from server.itembank.interchange.csv import LARGEST, decoded
from server.itembank.interchange.rows import Cell, SourceRow, SourceTable
from server.itembank.items import LABELS

COLUMNS = ("type", "stem", "options", "answer")
_OPTION = re.compile(r"^\s*([A-Za-z])[.)]\s+(.*)$")
_ANSWER = re.compile(r"^\s*ANSWER\b\s*[:：]?\s*(.*?)\s*$")
_NUMBER = re.compile(r"^\s*(\d{1,4})\s*[.)．、]\s*(?=\S)")


def read_aiken(data: bytes, encoding: str | None = None) -> SourceTable:
    """Read an Aiken file; a question without its options or answer is a row that the reading rejects with
    a reason.

    BadInput `aiken-without-answers` when no line says ANSWER: the file is something else.
    """
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    rows: list[SourceRow] = []
    stem: list[str] = []
    options: list[tuple[str, str]] = []
    start = 0
    answered = False
    for number, line in enumerate(decoded(data, encoding).splitlines(), start=1):
        answer, option = _ANSWER.match(line), _OPTION.match(line)
        if answer is not None:
            rows.append(_row(start or number, stem, options, answer[1]))
            stem, options, start, answered = [], [], 0, True
        elif option is not None and option[1].upper() == LABELS[len(options) % 26]:
            start = start or number
            options.append((option[1].upper(), option[2].strip()))
        elif line.strip():
            if options:  # a question that ended without an answer
                rows.append(_row(start, stem, options, ""))
                stem, options, start = [], [], 0
            stem.append(line.strip())
            start = start or number
    if stem or options:
        rows.append(_row(start, stem, options, ""))
    if not rows:
        raise BadInput("file-without-rows")
    if not answered:
        raise BadInput("aiken-without-answers")
    return SourceTable(COLUMNS, tuple(_unnumbered(rows)))


def _unnumbered(rows: list[SourceRow]) -> list[SourceRow]:
    """Take the numbers off stems when they count all questions from 1."""
    stems = [str(row.cells["stem"]) for row in rows]
    found = [_NUMBER.match(stem) for stem in stems]
    if [int(one[1]) if one is not None else 0 for one in found] != list(range(1, len(rows) + 1)):
        return rows
    bare = [stem[one.end() :] if one is not None else stem for one, stem in zip(found, stems, strict=True)]
    return [replace(row, cells={**row.cells, "stem": stem}) for row, stem in zip(rows, bare, strict=True)]


def _row(line: int, stem: list[str], options: list[tuple[str, str]], answer: str) -> SourceRow:
    cells: dict[str, Cell] = {
        "type": "单选题",
        "stem": "\n".join(stem),
        "options": tuple(options),
        "answer": answer,
    }
    return SourceRow(f"line {line}", cells)
