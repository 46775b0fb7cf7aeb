"""From source rows to items: every row gets an outcome, nothing is dropped or guessed in silence.

Pure but for two functions that are given: `clean` makes safe HTML of a text, `picture` fetches a picture
as HTML.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.errors import BadInput, Fact
from server.itembank.interchange import answers
from server.itembank.interchange.blanks import BLANK, filled
from server.itembank.interchange.cells import RowCells, Skip
from server.itembank.interchange.mapping import ColumnMapping
from server.itembank.interchange.options import options_of
from server.itembank.interchange.rows import (
    Cell,
    Reading,
    Remark,
    RowOutcome,
    RowStatus,
    SourceRow,
    SourceTable,
    is_empty,
    text_of,
)
from server.itembank.interchange.sameness import marked_twice
from server.itembank.items import LABELS, ItemContent, fault_of
from server.protocol.paper import ItemType

Clean = Callable[[str], str]
NO_POINT = "未分类"
_CODE = re.compile(r"^[A-Za-z]+[-_]?\d[\w-]*$")
_LABEL_BREAK = re.compile(r"[,，、;；/\s]+")


@dataclass(frozen=True, slots=True)
class Picture:
    """How pictures are fetched: a function from a name to HTML that raises BadInput, or none to fetch
    them with."""

    fetch: Callable[[str], str] | None


def read_rows(table: SourceTable, mapping: ColumnMapping, clean: Clean, picture: Picture) -> Reading:
    """Read every row of a table; a bad row never stops the good ones."""
    outcomes: list[RowOutcome] = []
    headed: dict[str, ItemType] = {}
    for source in table.rows:
        heading = _heading(source)
        if heading is not None:
            headed[source.sheet] = heading
            outcomes.append(_skipped(source, "row-is-heading"))
            continue
        if not source.not_held and is_empty(list(source.cells.values())):
            outcomes.append(_skipped(source, "row-empty"))
            continue
        given = headed.get(source.sheet) or answers.type_of(source.sheet) or mapping.default_type
        outcomes.append(_read_row(RowCells(source, mapping), given, clean, picture))
    read = {*mapping.fields.values(), *mapping.option_columns, *mapping.ignored}
    unread = tuple(column for column in table.columns if column not in read)
    return Reading(marked_twice(outcomes), unread, table.remarks)


def _skipped(source: SourceRow, code: str, **facts: Fact) -> RowOutcome:
    return RowOutcome(source.place, "", RowStatus.SKIPPED, (Remark(code, source.place, False, facts),), None)


def _heading(source: SourceRow) -> ItemType | None:
    """Return the type that a row of a single cell names for the rows below it: `一、单选题（每题1分）`."""
    filled = [text_of(cell) for cell in source.cells.values() if text_of(cell)]
    if len(filled) != 1 or len(filled[0]) > 60:
        return None
    return answers.type_of(re.sub(r"[（(].*$", "", filled[0]))


def _read_row(row: RowCells, given: ItemType | None, clean: Clean, picture: Picture) -> RowOutcome:
    label = ""
    try:
        label = _label(row)
        content = _content(row, label, given, clean, picture)
    except Skip as skip:
        row.note(skip.code, **skip.facts)
        return RowOutcome(row.row.place, label, RowStatus.SKIPPED, tuple(row.remarks), None)
    fault = fault_of(content)
    if fault is not None:
        row.doubt(fault.code, **fault.facts)
        return RowOutcome(row.row.place, label, RowStatus.DOUBTFUL, tuple(row.remarks), None)
    doubtful = any(remark.doubt for remark in row.remarks)
    status = RowStatus.DOUBTFUL if doubtful else RowStatus.IMPORTED
    return RowOutcome(row.row.place, label, status, tuple(row.remarks), content)


def _label(row: RowCells) -> str:
    text = row.plain("label", 100)
    if row.stored:
        return text
    if text in row.mapping.placeholders:
        return ""
    parts = [part for part in _LABEL_BREAK.split(text) if part]
    if len(parts) > 1 and all(_CODE.match(part) for part in parts):
        row.doubt("two-labels-in-one-cell", labels=text)
    return text


def _content(
    row: RowCells, label: str, given: ItemType | None, clean: Clean, picture: Picture
) -> ItemContent:
    if row.row.not_held:
        raise Skip("type-not-held", type=row.row.not_held[:60])
    stem = row.text("stem")
    if not stem:
        raise Skip("item-without-stem")
    options = options_of(row)
    key_cell = row.cell("answer")
    found = None if row.stored else answers.key_in_stem(stem)
    key_text = text_of(key_cell)
    kind = _type(row, given, options, key_cell, found)
    accepted: tuple[tuple[str, ...], ...] = ()
    key: tuple[str, ...] = ()
    if kind == "fill":
        stem_html, accepted = filled(row, stem, key_cell, clean)
        options = []
    else:
        key, stem = _key(row, kind, key_text, stem, options, found)
        stem_html = clean(stem)
        if kind == "judge":
            options = []
    return ItemContent(
        label=label,
        type=kind,
        stem=_with_picture(row, stem_html, picture),
        options=tuple(clean(option) for option in options),
        key=key,
        accepted=accepted,
        point=_point(row),
        difficulty=_difficulty(row),
        score=_score(row),
        explanation=clean(row.text("explanation")),
    )


def _type(
    row: RowCells,
    given: ItemType | None,
    options: Sequence[str],
    key_cell: Cell | None,
    found: tuple[str, str] | None,
) -> ItemType:
    word = row.text("type")
    if word:
        named = row.mapping.types.get(answers.folded(word)) or answers.type_of(word)
        if named is not None:
            if named != "single" or answers.folded(word) not in ("选择题", "选择", "choice"):
                return named
        elif answers.names_other_type(word):
            raise Skip("type-not-held", type=word[:40])
        else:
            raise Skip("type-unknown", type=word[:40])
    elif given is not None:
        return given
    key_text = text_of(key_cell) or (found[0] if found else "")
    judged = answers.judge_key(key_text)
    if judged is not None and (not options or _judge_options(options) is not None):
        return "judge"
    labels = answers.choice_key(key_text)
    if options:
        if _judge_options(options) is not None and labels is not None:
            return "judge"
        return "multiple" if labels is not None and len(labels) > 1 else "single"
    if key_text and BLANK.search(row.text("stem")):
        return "fill"
    raise Skip("type-not-told")


def _judge_options(options: Sequence[str]) -> tuple[str, ...] | None:
    """Return what each of two options judges (T, F), when they are the two judgements; else None."""
    judged = [answers.judge_word(option) for option in options]
    if len(judged) == 2 and set(judged) == {"T", "F"}:
        return tuple(one for one in judged if one is not None)
    return None


def _key(
    row: RowCells,
    kind: ItemType,
    key_text: str,
    stem: str,
    options: Sequence[str],
    found: tuple[str, str] | None,
) -> tuple[tuple[str, ...], str]:
    """Return (key, stem without the key in it)."""
    told = _parsed_key(kind, key_text, options) if key_text else None
    if key_text and told is None:
        row.doubt("item-key-unreadable", key=key_text[:60])
    in_stem = _parsed_key(kind, found[0], options) if found else None
    if in_stem is not None and kind != "judge" and in_stem[-1] not in LABELS[: len(options)]:
        in_stem = None  # `（AM）`, `（PC）`: an abbreviation, not a key
    if found is None or in_stem is None:
        return told or (), stem
    if not key_text:
        row.note("key-from-stem", key=",".join(in_stem))
        return in_stem, found[1]
    if told == in_stem:
        row.note("key-taken-out-of-stem", key=",".join(in_stem))
        return told, found[1]
    row.doubt("key-differs-from-stem", key=key_text[:60], stem=found[0])
    return told or (), stem


def _parsed_key(kind: ItemType, text: str, options: Sequence[str]) -> tuple[str, ...] | None:
    if kind == "judge":
        listed = answers.json_texts(text)
        word = listed[0] if listed is not None and len(listed) == 1 else text
        judged = _judge_options(options)
        labels = answers.choice_key(word)
        if judged is not None and labels in (("A",), ("B",)):
            return (judged[LABELS.index(labels[0])],)
        one = answers.judge_key(word)
        return (one,) if one is not None else None
    labels = answers.choice_key(text)
    if labels is None:
        sought = answers.folded(text)
        same = [place for place, option in enumerate(options) if answers.folded(option) == sought]
        return (LABELS[same[0]],) if len(same) == 1 else None
    return labels


def _with_picture(row: RowCells, stem_html: str, picture: Picture) -> str:
    name = row.text("picture")
    if not name:
        return stem_html
    if picture.fetch is None:
        row.doubt("picture-missing", picture=name[:120])
        return stem_html
    try:
        return f"{stem_html}<br>{picture.fetch(name)}"
    except BadInput as error:
        row.doubt(error.code, **error.facts)
        return stem_html


def _point(row: RowCells) -> str:
    text = row.plain("point", 200)
    if text:
        return row.mapping.points.get(text, text)
    if not row.mapping.default_point:
        row.note("point-not-given", point=NO_POINT)
    return row.mapping.default_point or NO_POINT


def _difficulty(row: RowCells) -> float:
    text = row.text("difficulty")
    default = row.mapping.default_difficulty
    if not text:
        row.note("difficulty-not-given", difficulty=default)
        return default
    value = row.mapping.difficulties.get(answers.folded(text))
    if value is None:
        value = answers.difficulty_of(text)
    if value is None:
        row.doubt("difficulty-unreadable", difficulty=text[:40])
        return default
    return value


def _score(row: RowCells) -> float:
    text = answers.folded(row.text("score")).removesuffix("分")
    if not text:
        return row.mapping.default_score
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1000:
        row.doubt("score-unreadable", score=text[:40])
        return row.mapping.default_score
    return value
