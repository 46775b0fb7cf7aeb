"""Tables of a Word document: laid-out options and lists of answers as typed lines, all else as HTML."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.itembank.interchange.answers import folded
from server.itembank.interchange.tables import is_header
from server.itembank.interchange.xml_tree import Element

_OPTION = re.compile(r"^\s*[（(]?[A-HＡ-Ｈ][)）]?\s*[.．、:：]")
_KEY = re.compile(r"^(?:[a-h](?:[、,;]?[a-h])*|√|×|✓|✗|对|错|正确|错误|t|f)$")
_NUMBERS = frozenset({"题号", "序号", "题目"})
_ANSWERS = frozenset({"答案", "选项", "参考答案", "正确答案"})
_SCORES = frozenset({"得分", "评分人", "评卷人", "阅卷人", "签名", "复核人"})


@dataclass(frozen=True, slots=True)
class TableRead:
    """What a table is: `lines` to be read as typed, `html` to stand in the item, or `items`, the texts of a header and
    of a row for each item; `left_out` says why none of these."""

    lines: tuple[str, ...] = ()
    html: str = ""
    left_out: str = ""
    items: tuple[tuple[str, ...], ...] = ()


@dataclass(slots=True)
class _Cell:
    text: str
    html: str
    column: int
    columns: int
    rows: int = 1
    goes_on: bool = False


def table_read(
    element: Element, text_in: Callable[[Element], str], markup: Callable[[str], str]
) -> TableRead:
    """Read a table; `text_in` gives a paragraph's text with marks, `markup` makes HTML of such a text."""
    rows = [_cells(row, text_in, markup) for row in element.elements("tr")]
    texts = [[folded(cell.text) for cell in row] for row in rows]
    heads = [row[0] if row else "" for row in texts]
    if any(head in _SCORES for head in heads):
        return TableRead(left_out="form for the marker")
    if len(rows) > 1 and is_header([cell.text.strip() for cell in rows[0]]):
        return TableRead(items=_rows(rows))
    listed = _answers(texts)
    if listed:
        return TableRead(lines=(" ".join(listed),))
    filled = [cell.text for row in rows for cell in row if cell.text.strip()]
    if filled and all(_OPTION.match(text) for text in filled):
        return TableRead(lines=tuple(filled))
    return TableRead(html=_html(rows)) if filled else TableRead(left_out="empty table")


def _rows(rows: Sequence[Sequence[_Cell]]) -> tuple[tuple[str, ...], ...]:
    """Return the texts of a table's cells by column; a cell merged downwards holds for all of its rows."""
    found: list[tuple[str, ...]] = []
    for row in rows:
        texts = [""] * max((cell.column + cell.columns for cell in row), default=0)
        for cell in row:
            above = found[-1][cell.column] if found and cell.column < len(found[-1]) else ""
            texts[cell.column] = above if cell.goes_on else cell.text.strip()
        found.append(tuple(texts))
    return tuple(found)


def _cells(row: Element, text_in: Callable[[Element], str], markup: Callable[[str], str]) -> list[_Cell]:
    found: list[_Cell] = []
    column = 0
    for one in _held(row, "tc"):
        style = one.first("tcPr")
        span = style.first("gridSpan") if style is not None else None
        width = span.attributes.get("val", "1") if span is not None else "1"
        columns = min(int(width), 60) if width.isascii() and width.isdecimal() and 0 < len(width) < 4 else 1
        merged = style.first("vMerge") if style is not None else None
        text = "\n".join(text for text in (text_in(inner) for inner in _held(one, "p")) if text.strip())
        goes_on = merged is not None and merged.attributes.get("val", "continue") == "continue"
        found.append(_Cell(text, markup(text), column, max(columns, 1), 1, goes_on))
        column += max(columns, 1)
    return found


def _held(element: Element, name: str) -> list[Element]:
    found: list[Element] = []
    for one in element.elements():
        if one.name == name:
            found.append(one)
        elif one.name in ("sdt", "sdtContent", "ins", "customXml"):
            found += _held(one, name)
    return found


def _answers(texts: Sequence[Sequence[str]]) -> list[str]:
    """Return `1.A` and so on for rows of numbers each followed by a row of answers; empty for another table."""
    downwards = _downwards(texts)
    if downwards:
        return downwards
    found: list[str] = []
    if len(texts) % 2:
        return []
    for numbers, given in zip(texts[::2], texts[1::2], strict=True):
        if not numbers or not given or numbers[0] not in _NUMBERS or given[0] not in _ANSWERS:
            return []
        pairs = list(zip(numbers[1:], given[1:], strict=False))
        if any(number and not number.isdecimal() for number, _ in pairs):
            return []
        found += [f"{number}.{answer.upper()}" for number, answer in pairs if number and answer]
    return found


def _downwards(texts: Sequence[Sequence[str]]) -> list[str]:
    """Return `1.A` and so on for columns of numbers each beside a column of answers; empty for another table."""
    headed = bool(texts) and all(text in _NUMBERS for text in texts[0][::2])
    rows = texts[1:] if headed and all(text in _ANSWERS for text in texts[0][1::2]) else texts
    pairs = [pair for row in rows for pair in zip(row[::2], row[1::2], strict=False) if any(pair)]
    if any(len(row) % 2 for row in rows) or len(pairs) < 2:
        return []
    if not all(number.isdecimal() and _KEY.match(answer) for number, answer in pairs):
        return []
    ordered = sorted(pairs, key=lambda pair: int(pair[0]))
    return [f"{number}.{answer.upper()}" for number, answer in ordered]


def _html(rows: list[list[_Cell]]) -> str:
    above: dict[int, _Cell] = {}
    for row in rows:
        for cell in row:
            head = above.get(cell.column)
            if cell.goes_on and head is not None:
                head.rows += 1
            else:
                above[cell.column] = cell
                cell.goes_on = False
    lines = []
    for row in rows:
        cells = "".join(
            f"<td{_span('colspan', cell.columns)}{_span('rowspan', cell.rows)}>{cell.html}</td>"
            for cell in row
            if not cell.goes_on
        )
        lines.append(f"<tr>{cells}</tr>")
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def _span(name: str, count: int) -> str:
    return f' {name}="{count}"' if count > 1 else ""
