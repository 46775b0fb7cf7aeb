"""From source rows to items: every row gets an outcome, nothing is dropped or guessed in silence.

Pure but for two functions that are given: `clean` makes safe HTML of a text, `picture` fetches a picture
as HTML.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.errors import BadInput, Fact
from server.itembank.interchange import answers
from server.itembank.interchange.mapping import ColumnMapping
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
from server.itembank.items import LABELS, ItemContent, fault_of
from server.protocol.paper import ItemType

Clean = Callable[[str], str]
NO_POINT = "未分类"
_BLANK = re.compile(r"_{2,}|＿{2,}|﹍{2,}|（[\s　]*）|\([\s　]*\)|【[\s　]*】|\[[\s　]*\]")
_CODE = re.compile(r"^[A-Za-z]+[-_]?\d[\w-]*$")
_LABEL_BREAK = re.compile(r"[,，、;；/\s]+")
_OPTION_LEAD = re.compile(r"^\s*[（(【]?([A-Ha-hＡ-Ｈ])[）)】]?\s*[.．、:：)）]\s*(?=\S)")
_PACKED_BREAK = re.compile(r"(?:^|[\s;；|｜$#]+)[（(]?([A-HＡ-Ｈ])[）)]?[.．、:：)）]\s*")
_VARIANTS = re.compile(r"\s+/\s+|／")


@dataclass(frozen=True, slots=True)
class Picture:
    """How pictures are fetched: a function from a name to HTML that raises BadInput, or none to fetch
    them with."""

    fetch: Callable[[str], str] | None


class _Skip(Exception):
    """This row is no item of this bank; the remark says why."""

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class _Row:
    """One row while it is being read: collects remarks."""

    def __init__(self, row: SourceRow, mapping: ColumnMapping) -> None:
        self.row, self.mapping = row, mapping
        self.remarks: list[Remark] = []

    def cell(self, name: str) -> Cell | None:
        return self.row.cells.get(self.mapping.column(name))

    def text(self, name: str) -> str:
        return text_of(self.cell(name))

    def note(self, code: str, **facts: Fact) -> None:
        self.remarks.append(Remark(code, self.row.place, False, facts))

    def doubt(self, code: str, **facts: Fact) -> None:
        self.remarks.append(Remark(code, self.row.place, True, facts))


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
        if is_empty(list(source.cells.values())):
            outcomes.append(_skipped(source, "row-empty"))
            continue
        given = headed.get(source.sheet) or answers.type_of(source.sheet) or mapping.default_type
        outcomes.append(_read_row(_Row(source, mapping), given, clean, picture))
    read = {*mapping.fields.values(), *mapping.option_columns, *mapping.ignored}
    unread = tuple(column for column in table.columns if column not in read)
    return Reading(_marked_twice(outcomes), unread, table.remarks)


def _skipped(source: SourceRow, code: str, **facts: Fact) -> RowOutcome:
    return RowOutcome(source.place, "", RowStatus.SKIPPED, (Remark(code, source.place, False, facts),), None)


def _heading(source: SourceRow) -> ItemType | None:
    """Return the type that a row of a single cell names for the rows below it: `一、单选题（每题1分）`."""
    filled = [text_of(cell) for cell in source.cells.values() if text_of(cell)]
    if len(filled) != 1 or len(filled[0]) > 60:
        return None
    return answers.type_of(re.sub(r"[（(].*$", "", filled[0]))


def _read_row(row: _Row, given: ItemType | None, clean: Clean, picture: Picture) -> RowOutcome:
    label = ""
    try:
        label = _label(row)
        content = _content(row, label, given, clean, picture)
    except _Skip as skip:
        row.note(skip.code, **skip.facts)
        return RowOutcome(row.row.place, label, RowStatus.SKIPPED, tuple(row.remarks), None)
    fault = fault_of(content)
    if fault is not None:
        row.doubt(fault.code, **fault.facts)
        return RowOutcome(row.row.place, label, RowStatus.DOUBTFUL, tuple(row.remarks), None)
    doubtful = any(remark.doubt for remark in row.remarks)
    status = RowStatus.DOUBTFUL if doubtful else RowStatus.IMPORTED
    return RowOutcome(row.row.place, label, status, tuple(row.remarks), content)


def _label(row: _Row) -> str:
    text = row.text("label")[:100]
    if text in row.mapping.placeholders:
        return ""
    parts = [part for part in _LABEL_BREAK.split(text) if part]
    if len(parts) > 1 and all(_CODE.match(part) for part in parts):
        row.doubt("two-labels-in-one-cell", labels=text)
    return text


def _content(row: _Row, label: str, given: ItemType | None, clean: Clean, picture: Picture) -> ItemContent:
    stem = row.text("stem")
    if not stem:
        raise _Skip("item-without-stem")
    options = _options(row)
    key_cell = row.cell("answer")
    found = answers.key_in_stem(stem)
    key_text = text_of(key_cell)
    kind = _type(row, given, options, key_cell, found)
    accepted: tuple[tuple[str, ...], ...] = ()
    key: tuple[str, ...] = ()
    if kind == "fill":
        stem_html, accepted = _fill(row, stem, key_cell, clean)
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
    row: _Row,
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
            raise _Skip("type-not-held", type=word[:40])
        else:
            raise _Skip("type-unknown", type=word[:40])
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
    if key_text and _BLANK.search(row.text("stem")):
        return "fill"
    raise _Skip("type-not-told")


def _judge_options(options: Sequence[str]) -> tuple[str, ...] | None:
    """Return what each of two options judges (T, F), when they are the two judgements; else None."""
    judged = [answers.judge_word(option) for option in options]
    if len(judged) == 2 and set(judged) == {"T", "F"}:
        return tuple(one for one in judged if one is not None)
    return None


def _options(row: _Row) -> list[str]:
    packed = row.cell("options")
    if packed is not None and not isinstance(packed, str):
        texts = [part if isinstance(part, str) else part[1] for part in packed]
        return _unlabelled(row, [text.strip() for text in texts])
    if packed:
        listed = answers.json_texts(packed)
        if listed is not None:
            return _unlabelled(row, listed)
        return _unpacked(packed)
    texts = [text_of(row.row.cells.get(column)) for column in row.mapping.option_columns]
    while texts and not texts[-1]:
        texts.pop()
    return _unlabelled(row, texts)


def _unpacked(text: str) -> list[str]:
    """Return the options of one cell: `A.… B.…`, a line each, or parted by | or ；."""
    leads = list(_PACKED_BREAK.finditer(text))
    letters = [answers.folded(lead[1]).upper() for lead in leads]
    if len(leads) >= 2 and letters == list(LABELS[: len(letters)]):
        ends = [lead.start() for lead in leads[1:]] + [len(text)]
        return [text[lead.end() : end].strip(" \n;；|｜") for lead, end in zip(leads, ends, strict=True)]
    for mark in ("\n", "|", "｜", "$$", "；", ";"):
        parts = [part.strip() for part in text.split(mark)]
        if len(parts) > 1 and all(parts):
            return parts
    return [text.strip()]


def _unlabelled(row: _Row, texts: list[str]) -> list[str]:
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


def _key(
    row: _Row, kind: ItemType, key_text: str, stem: str, options: Sequence[str], found: tuple[str, str] | None
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


def _fill(
    row: _Row, stem: str, key_cell: Cell | None, clean: Clean
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    parts = _BLANK.split(stem)
    blanks = len(parts) - 1
    if blanks == 0:
        raise _Skip("item-without-blank")
    accepted = _fill_answers(key_cell, blanks)
    if len(accepted) != blanks:
        raise _Skip("blank-count-differs", blanks=blanks, answers=len(accepted))
    pieces = [clean(parts[0])]
    for number, part in enumerate(parts[1:], start=1):
        pieces.append(f'<span class="blank" data-blank="{number}"></span>')
        pieces.append(clean(part))
    return "".join(pieces), accepted


def _fill_answers(key_cell: Cell | None, blanks: int) -> tuple[tuple[str, ...], ...]:
    """Return the accepted texts of each blank: blanks parted by ；or | (or 、), variants by ` / ` or ／."""
    if key_cell is not None and not isinstance(key_cell, str):
        texts = [part if isinstance(part, str) else part[1] for part in key_cell]
    else:
        whole = text_of(key_cell)
        listed = answers.json_texts(whole)
        texts = listed if listed is not None else [whole]
        if listed is None and blanks > 1:
            for marks in (r"[;；|｜\n]", r"[、,，]", r"\s+"):
                parts = [part.strip() for part in re.split(marks, whole) if part.strip()]
                if len(parts) == blanks:
                    texts = parts
                    break
    found = [tuple(v.strip() for v in _VARIANTS.split(text) if v.strip()) for text in texts]
    return tuple(variants for variants in found if variants)


def _with_picture(row: _Row, stem_html: str, picture: Picture) -> str:
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


def _point(row: _Row) -> str:
    text = row.text("point")
    if text:
        return row.mapping.points.get(text, text)[:200]
    if not row.mapping.default_point:
        row.note("point-not-given", point=NO_POINT)
    return row.mapping.default_point or NO_POINT


def _difficulty(row: _Row) -> float:
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


def _score(row: _Row) -> float:
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


def _marked_twice(outcomes: Sequence[RowOutcome]) -> tuple[RowOutcome, ...]:
    """Mark what stands twice in one file: the same item (skipped), the same label, the same stem, another
    key."""
    labels: dict[str, str] = {}
    stems: dict[str, RowOutcome] = {}
    marked: list[RowOutcome] = []
    for outcome in outcomes:
        content = outcome.content
        if content is None:
            marked.append(outcome)
            continue
        doubts: list[Remark] = []
        stem = answers.folded(content.stem)
        earlier = stems.setdefault(stem, outcome)
        if earlier is not outcome and earlier.content is not None:
            code = _sameness(earlier.content, content)
            if code == "item-twice-in-file":
                remark = Remark(code, outcome.place, False, {"first": earlier.place})
                marked.append(
                    replace(
                        outcome, status=RowStatus.SKIPPED, content=None, remarks=(*outcome.remarks, remark)
                    )
                )
                continue
            doubts.append(Remark(code, outcome.place, True, {"first": earlier.place}))
        if content.label:
            first = labels.setdefault(content.label, outcome.place)
            if first != outcome.place:
                doubts.append(
                    Remark(
                        "label-twice-in-file", outcome.place, True, {"label": content.label, "first": first}
                    )
                )
        if doubts:
            outcome = replace(outcome, status=RowStatus.DOUBTFUL, remarks=(*outcome.remarks, *doubts))
        marked.append(outcome)
    return tuple(marked)


def right_texts(content: ItemContent) -> frozenset[str]:
    """Return what is right in words, so that two orders of the same options compare equal."""
    if content.type in ("single", "multiple"):
        return frozenset(answers.folded(content.options[LABELS.index(label)]) for label in content.key)
    if content.type == "fill":
        return frozenset("\n".join(texts) for texts in content.accepted)
    return frozenset(content.key)


def same_options(left: ItemContent, right: ItemContent) -> bool:
    """Say whether two items offer the same options, in whatever order."""
    return sorted(map(answers.folded, left.options)) == sorted(map(answers.folded, right.options))


def _sameness(earlier: ItemContent, later: ItemContent) -> str:
    if earlier.type == later.type and same_options(earlier, later):
        same = right_texts(earlier) == right_texts(later)
        return "item-twice-in-file" if same else "key-disagrees-with-copy"
    return "stem-twice-in-file"
