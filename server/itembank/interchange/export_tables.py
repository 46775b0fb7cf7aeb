"""Items out as tables: .xlsx, CSV for Excel (UTF-8 with a byte order mark) and JSON. Cells hold the stored HTML;
the column 文本格式 says so, and the import takes them word for word."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import xlsxwriter

from server.itembank.interchange.blanks import accepted_in
from server.itembank.interchange.cells import STORED, STORED_QUOTED, quoted
from server.itembank.interchange.cloze import json_of
from server.itembank.interchange.in_words import rubric_json
from server.itembank.items import LABELS, ItemContent, SubItem

LONGEST_CELL = 32_767
"""Characters (UTF-16) that a cell of a workbook may hold."""
TYPE_WORDS = {
    "single": "单选题",
    "multiple": "多选题",
    "judge": "判断题",
    "fill": "填空题",
    "short": "简答题",
    "case": "案例题",
}
_BEFORE = ("编号", "题型", "题干")
_AFTER = ("答案", "知识点", "难度", "分值", "解析", "文本格式")


def decimal_text(value: float) -> str:
    """Return the shortest decimal that reads back as the same number, never in powers of ten."""
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"


def key_text(content: ItemContent | SubItem) -> str:
    """Return an item's key as people write it; nested JSON where that would not read back; for an answer in words the
    model answer."""
    if content.type == "short":
        return content.model
    if content.type == "judge":
        return "√" if content.key == ("T",) else "×"
    if content.type != "fill":
        return "".join(content.key)
    text = "；".join(" / ".join(variants) for variants in content.accepted)
    return text if accepted_in(text, len(content.accepted)) == content.accepted else json_of(content.accepted)


def csv_bytes(items: Sequence[ItemContent]) -> bytes:
    """Return items as CSV; texts that a spreadsheet could take for a formula bear an apostrophe in front."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    header, rows = _table(items, STORED_QUOTED)
    writer.writerow(header)
    writer.writerows([quoted(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")


def too_long_for_workbook(content: ItemContent) -> bool:
    """Say whether a text of an item is longer than a cell of a workbook may be."""
    texts = (
        content.stem,
        content.explanation,
        *content.options,
        key_text(content),
        rubric_json(content.rubric),
        parts_json(content.parts),
    )
    return any(len(text.encode("utf-16-le")) > 2 * LONGEST_CELL for text in texts)


def xlsx_bytes(items: Sequence[ItemContent]) -> bytes:
    """Return items as a workbook of one sheet, every cell a text; none may be `too_long_for_workbook`."""
    header, rows = _table(items, STORED)
    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, {**options, "in_memory": True}) as book:
        text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        head = book.add_format({"bold": True})
        sheet = book.add_worksheet("题库")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 1, 10, text)
        sheet.set_column(2, 2, 60, text)
        sheet.set_column(3, len(header) - 1, 18, text)
        for place, name in enumerate(header):
            sheet.write_string(0, place, name, head)
        for number, row in enumerate(rows, start=1):
            for place, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, place, cell, text)
    return buffer.getvalue()


def json_bytes(items: Sequence[ItemContent]) -> bytes:
    """Return items as one JSON object with the list `items`."""
    held = [
        {
            "label": one.label,
            **_question(one),
            "point": one.point,
            "difficulty": decimal_text(one.difficulty),
            **({"parts": [_question(part) for part in one.parts]} if one.parts else {}),
            "markup": STORED,
        }
        for one in items
    ]
    return msgspec.json.format(msgspec.json.encode({"version": 1, "items": held}), indent=1)


def _question(one: ItemContent | SubItem) -> dict[str, object]:
    """Return what items and sub-items have alike, as JSON holds it."""
    row: dict[str, object] = {"type": one.type, "stem": one.stem}
    if one.options:
        row["options"] = list(one.options)
    if one.type == "short":
        row["answer"] = one.model
    elif one.type != "case":
        row["answer"] = json_of(one.accepted) if one.type == "fill" else list(one.key)
    row |= {"score": decimal_text(one.score), "explanation": one.explanation}
    if one.policy:
        row["policy"] = one.policy
    if one.rubric:
        row["rubric"] = rubric_json(one.rubric)
    return row


def parts_json(parts: Sequence[SubItem]) -> str:
    """Return sub-items as one cell that the reading takes word for word; empty for none."""
    return msgspec.json.encode([_question(part) for part in parts]).decode() if parts else ""


def _further(items: Sequence[ItemContent]) -> tuple[str, ...]:
    """Return the columns that only some banks need, and of them those that this one does."""
    needed = {
        "评分要点": any(one.rubric for one in items),
        "记分办法": any(one.policy for one in items),
        "小题": any(one.parts for one in items),
    }
    return tuple(name for name, wanted in needed.items() if wanted)


def _further_cells(one: ItemContent, columns: Sequence[str]) -> list[str]:
    cells = {"评分要点": rubric_json(one.rubric), "记分办法": one.policy or "", "小题": parts_json(one.parts)}
    return [cells[name] for name in columns]


def _table(items: Sequence[ItemContent], markup: str) -> tuple[list[str], list[list[str]]]:
    most = max((len(one.options) for one in items), default=0)
    further = _further(items)
    header = [*_BEFORE, *(f"选项{label}" for label in LABELS[:most]), *further, *_AFTER]
    rows = [
        [
            one.label,
            TYPE_WORDS[one.type],
            one.stem,
            *one.options,
            *[""] * (most - len(one.options)),
            *_further_cells(one, further),
            key_text(one),
            one.point,
            decimal_text(one.difficulty),
            decimal_text(one.score),
            one.explanation,
            markup,
        ]
        for one in items
    ]
    return header, rows
