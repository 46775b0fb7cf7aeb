"""From source rows to items: every row gets an outcome, nothing is dropped or guessed in silence.

Pure but for two functions that are given: `clean` makes safe HTML of a text, `picture` fetches a picture
as HTML.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from server.errors import BadInput, Fact
from server.itembank.interchange import answers
from server.itembank.interchange.blanks import filled
from server.itembank.interchange.cases import as_part, children_of, with_parts, written_parts
from server.itembank.interchange.cells import RowCells, Skip, plain
from server.itembank.interchange.in_words import rubric_of, worth
from server.itembank.interchange.mapping import ColumnMapping
from server.itembank.interchange.options import options_in_stem, options_of
from server.itembank.interchange.rows import (
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
from server.itembank.interchange.sanitising import sources
from server.itembank.interchange.telling import key_told, type_told
from server.itembank.items import ItemContent, Policy, fault_of
from server.protocol.paper import ItemType

Clean = Callable[[str], str]
NO_POINT = "未分类"
_OF_THE_WHOLE = frozenset({"point-not-given", "difficulty-not-given"})
"""Remarks that say nothing of a sub-item: point and difficulty are its case's."""
_POLICIES: Mapping[Policy, frozenset[str]] = {
    "exact": answers.words("exact 全对得分 全对给分 全部正确得分 错选不得分 all allornothing"),
    "partial": answers.words(
        "partial 部分得分 少选得分 漏选得分 少选得一半分 按空得分 按空给分 每空得分 perblank"
    ),
}
_CODE = re.compile(r"^[A-Za-z]+[-_]?\d[\w-]*$")
_EACH = re.compile(r"每\s*小?题\s*(\d{1,3}(?:\.\d{1,2})?)\s*分")
_POINTS = re.compile(r"[（(]\s*(\d{1,3}(?:\.\d{1,2})?)\s*分\s*[）)]")
_COUNTED = re.compile(
    r"^\s*(?:第[一二三四五六七八九十\d]+部分|[（(]?[一二三四五六七八九十]+[）)]?\s*[、.．])"
)
_LABEL_BREAK = re.compile(r"[,，、;；/\s]+")


@dataclass(frozen=True, slots=True)
class Picture:
    """How pictures are fetched: a function from a name to HTML that raises BadInput, or none to fetch
    them with."""

    fetch: Callable[[str], str] | None


def read_rows(table: SourceTable, mapping: ColumnMapping, clean: Clean, picture: Picture) -> Reading:
    """Read every row of a table; a bad row never stops the good ones."""
    outcomes: list[RowOutcome] = []
    below_case: list[tuple[int, SourceRow]] = []
    read: dict[str, RowOutcome] = {}
    headed: dict[str, ItemType] = {}
    children = children_of(table, mapping)
    cases = {plain(text_of(row.cells.get(mapping.column("label")))) for row in table.rows} & children.keys()
    parts = {id(row): label for label in cases for row in children[label]}
    remarks = list(table.remarks)
    scores: dict[str, float] = {}
    steps = answers.difficulty_steps(
        text_of(row.cells.get(mapping.column("difficulty"))) for row in table.rows
    )
    if steps:
        mapping = replace(mapping, difficulties={**steps, **mapping.difficulties})
        if max(steps) != "1":
            facts: dict[str, Fact] = {"column": mapping.column("difficulty")}
            remarks.append(Remark("difficulty-in-steps", mapping.column("difficulty"), False, facts))
    for source in table.rows:
        if id(source) in parts:
            below_case.append((len(outcomes), source))
            outcomes.append(as_part(source, parts[id(source)], None))
            continue
        heading = _heading(source)
        if heading is not None:
            headed[source.sheet] = heading
            scores[source.sheet] = _each(source) or mapping.default_score
            outcomes.append(_skipped(source, "row-is-heading"))
            continue
        if not source.not_held and is_empty(list(source.cells.values())):
            outcomes.append(_skipped(source, "row-empty"))
            continue
        given = headed.get(source.sheet) or answers.type_titled(source.sheet) or mapping.default_type
        own = scores.get(source.sheet, mapping.default_score)
        row = RowCells(
            source, mapping if own == mapping.default_score else replace(mapping, default_score=own)
        )
        label = plain(row.text("label"))
        below = [RowCells(one, mapping) for one in children[label]] if label in cases else []
        if row.text("parent") and label not in cases:
            row.doubt("case-missing", label=row.plain("parent", 60))
        outcomes.append(_read_row(row, given, clean, picture, below))
        if below:
            read[label] = outcomes[-1]
    for place, source in below_case:
        outcomes[place] = as_part(source, parts[id(source)], read.get(parts[id(source)]))
    known = {*mapping.fields.values(), *mapping.option_columns, *mapping.answer_columns, *mapping.ignored}
    unread = tuple(column for column in table.columns if column not in known)
    return Reading(marked_twice(outcomes), unread, tuple(remarks))


def _skipped(source: SourceRow, code: str, **facts: Fact) -> RowOutcome:
    return RowOutcome(source.place, "", RowStatus.SKIPPED, (Remark(code, source.place, False, facts),), None)


def _heading(source: SourceRow) -> ItemType | None:
    """Return the type that a row of a single cell names for the rows below it: `一、单选题（每题1分）`."""
    filled = [text_of(cell) for cell in source.cells.values() if text_of(cell)]
    if len(filled) != 1 or len(filled[0]) > 120:
        return None
    title = re.sub(r"[（(:：].*$", "", filled[0], flags=re.DOTALL)
    counted = len(title) <= 20 and _COUNTED.match(title) is not None
    return answers.type_of(title) or (answers.type_titled(title) if counted else None)


def _each(source: SourceRow) -> float | None:
    """Return the points of each item that a heading states: `每题1.5分`."""
    found = _EACH.search(" ".join(text_of(cell) for cell in source.cells.values()))
    return float(found[1]) if found is not None and float(found[1]) > 0 else None


def _read_row(
    row: RowCells, given: ItemType | None, clean: Clean, picture: Picture, below: Sequence[RowCells] = ()
) -> RowOutcome:
    label = ""
    try:
        label = _label(row)
        content = _content(row, label, given, clean, picture, below)
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
    row: RowCells,
    label: str,
    given: ItemType | None,
    clean: Clean,
    picture: Picture,
    below: Sequence[RowCells] = (),
) -> ItemContent:
    counting = _Counting(clean)
    clean = counting.clean
    if row.row.not_held:
        raise Skip("type-not-held", type=row.row.not_held[:60])
    stem = row.text("stem")
    if not stem:
        raise Skip("item-without-stem")
    options = options_of(row)
    key_cell = row.cell("answer")
    key_text = text_of(key_cell)
    if not options and not row.stored and _may_hold_options(row, given, stem, key_text):
        stem, options = options_in_stem(stem)
        if options:
            row.note("options-from-stem", options=len(options))
    found = None if row.stored else answers.key_in_stem(stem)
    inside = [*written_parts(row), *below]
    kind = "case" if inside else type_told(row, given, options, key_cell, found)
    if kind == "case" and not inside and key_text:
        row.note("case-without-sub-items")  # one answer in words to the whole
        kind = "short"
    accepted: tuple[tuple[str, ...], ...] = ()
    key: tuple[str, ...] = ()
    rubric = rubric_of(row, clean) if kind == "short" else ()
    if kind == "fill":
        stem_html, accepted = filled(row, stem, key_cell, clean)
        options = []
    elif kind in ("short", "case"):
        stem_html = clean(stem)
        if options:
            row.doubt("options-not-taken", options=len(options))
            options = []
    else:
        key, stem = key_told(row, kind, key_text, stem, options, found)
        stem_html = clean(stem)
        if kind == "judge":
            options = []
    scored = bool(row.text("score"))
    content = ItemContent(
        label=label,
        type=kind,
        stem=_with_picture(row, stem_html, picture, clean),
        options=tuple(clean(option) for option in options),
        key=key,
        accepted=accepted,
        point=_point(row),
        difficulty=_difficulty(row),
        score=worth(rubric) if rubric and not scored else _score(row, key_text if kind == "short" else ""),
        explanation=clean(row.text("explanation")),
        policy=_policy(row, kind),
        model=clean(key_text) if kind == "short" else "",
        rubric=rubric,
    )
    if inside:
        parts = [(one, _part(one, clean, picture)) for one in inside]
        content = with_parts(row, content, parts, scored)
    if counting.lost:
        row.doubt("picture-shows-nothing", count=counting.lost)
    return content


def _may_hold_options(row: RowCells, given: ItemType | None, stem: str, key_text: str) -> bool:
    """Say whether a row without options may have them in its stem: it is a choice, or its key is of labels."""
    kind = answers.type_of(row.text("type")) or (None if row.text("type") else given)
    if kind is None and not row.text("type"):
        return answers.choice_key(key_text) is not None or answers.key_in_stem(stem) is not None
    return kind in ("single", "multiple", "judge")


class _Counting:
    """Makes safe HTML and counts the pictures and sounds that are not in it any more."""

    def __init__(self, clean: Clean) -> None:
        self._clean, self.lost = clean, 0

    def clean(self, text: str) -> str:
        safe = self._clean(text)
        self.lost += max(sources(text) - sources(safe), 0)
        return safe


def _part(row: RowCells, clean: Clean, picture: Picture) -> ItemContent:
    """Return a sub-item; Skip names its place when it is none."""
    quiet = RowCells(row.row, replace(row.mapping, default_point=row.mapping.default_point or NO_POINT))
    try:
        if quiet.text("parts"):
            raise Skip("item-case-within-case", part=row.row.place)
        content = _content(quiet, "", None, clean, picture)
    except Skip as skip:
        raise Skip("sub-item-skipped", place=row.row.place, reason=skip.code) from skip
    row.remarks = [one for one in quiet.remarks if one.code not in _OF_THE_WHOLE]
    return content


def _policy(row: RowCells, kind: ItemType) -> Policy | None:
    word = answers.folded(row.text("policy"))
    if not word or kind not in ("multiple", "fill"):
        return None
    for policy, names in _POLICIES.items():
        if word in names:
            return policy
    row.doubt("policy-unreadable", policy=word[:40])
    return None


def _with_picture(row: RowCells, stem_html: str, picture: Picture, clean: Clean) -> str:
    name = row.text("picture")
    if not name:
        return stem_html
    if name.startswith("<img "):
        return f"{stem_html}<br>{clean(name)}"
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


def _score(row: RowCells, model: str = "") -> float:
    """Return what an item is worth: as its row says, else what the points in its model answer make up."""
    text = answers.folded(row.text("score")).removesuffix("分")
    points = sum(map(float, _POINTS.findall(model)))
    if not text and 0 < points <= 1000:
        row.note("score-from-answer", score=points)
        return points
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
