"""Cases: which rows are sub-items of which, and what they make together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from server.itembank.interchange.cells import STORED, RowCells, Skip, plain
from server.itembank.interchange.json import cells_of
from server.itembank.interchange.mapping import ColumnMapping, guess_columns
from server.itembank.interchange.rows import (
    Cell,
    Remark,
    RowOutcome,
    RowStatus,
    SourceRow,
    SourceTable,
    text_of,
)
from server.itembank.items import ItemContent, SubItem, hundredths
from server.itembank.showing import shares


def children_of(table: SourceTable, mapping: ColumnMapping) -> Mapping[str, tuple[SourceRow, ...]]:
    """Return the rows that name another row as their case, by the label that they name."""
    column, label = mapping.column("parent"), mapping.column("label")
    if not column:
        return {}
    found: dict[str, list[SourceRow]] = {}
    for row in table.rows:
        parent = plain(text_of(row.cells.get(column)))
        # A case that names itself stands at the head of its own group.
        if parent and parent != plain(text_of(row.cells.get(label))):
            found.setdefault(parent, []).append(row)
    return {parent: tuple(rows) for parent, rows in found.items()}


def written_parts(row: RowCells) -> list[RowCells]:
    """Return the sub-items that stand within a case's row: its parts, or one cell with a list of objects.

    Skip `parts-unreadable` when the cell is no such list.
    """
    text = row.text("parts")
    if not text:
        return [RowCells(one, row.mapping) for one in row.row.parts]
    try:
        listed: list[dict[str, Any]] = msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Skip("parts-unreadable", reason=str(error)[:80]) from error
    parts: list[RowCells] = []
    for number, one in enumerate(listed, start=1):
        cells: dict[str, Cell] = dict(cells_of(one))
        mapping = guess_columns(list(cells), row.mapping)
        if row.stored:
            cells["markup"] = STORED
            mapping = replace(mapping, fields={**mapping.fields, "markup": "markup"})
        parts.append(RowCells(SourceRow(f"{row.row.place}/{number}", cells), mapping))
    return parts


def part_of(content: ItemContent) -> SubItem:
    """Return an item as a sub-item of a case."""
    return SubItem(
        type=content.type,
        stem=content.stem,
        options=content.options,
        key=content.key,
        accepted=content.accepted,
        score=content.score,
        explanation=content.explanation,
        policy=content.policy,
        model=content.model,
        rubric=content.rubric,
    )


def with_parts(
    row: RowCells, content: ItemContent, parts: Sequence[tuple[RowCells, ItemContent]], scored: bool
) -> ItemContent:
    """Return a case with its sub-items; what was remarked on them is remarked on the case.

    `scored`: the row itself says what the case is worth. Sub-items without scores of their own share that; else
    the case is worth what they make up.
    """
    for one, _ in parts:
        row.remarks += one.remarks
    made = [part_of(part) for _, part in parts]
    if made and scored and not any(one.text("score") for one, _ in parts):
        split = shares(content.score, [1.0] * len(made))
        made = [
            replace(part, score=score) if not part.rubric else part
            for part, score in zip(made, split, strict=True)
        ]
    elif made and not scored:
        content = replace(content, score=hundredths(part.score for part in made) / 100)
    return replace(content, parts=tuple(made))


def as_part(source: SourceRow, label: str, case: RowOutcome | None) -> RowOutcome:
    """Return the outcome of a row that is a sub-item of the case of that label: what became of the case.

    The item stands in the case's own outcome alone.
    """
    taken = case is not None and case.content is not None
    remark = Remark("row-is-sub-item" if taken else "case-not-taken", source.place, False, {"label": label})
    status = case.status if case is not None and taken else RowStatus.SKIPPED
    return RowOutcome(source.place, label, status, (remark,), None)
