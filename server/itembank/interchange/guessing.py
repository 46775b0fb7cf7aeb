"""Which column means what, told by what stands in it, where its header does not tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from server.itembank.interchange import answers
from server.itembank.interchange.mapping import ColumnMapping, guess_columns
from server.itembank.interchange.rows import SourceTable, text_of

LOOKED_AT = 200
"""Rows of a table that are looked at."""
_MOST_OF = 0.8
_ANSWER_LENGTH = 12
_ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """A mapping for a table, and the fields in it that only the contents told."""

    mapping: ColumnMapping
    by_contents: frozenset[str]


def guess_table(table: SourceTable, defaults: ColumnMapping | None = None) -> Guess:
    """Map a table's columns: by the wording of their headers first, then by their contents.

    A column is taken for a field by its contents only where no header named that field and no other column fits.
    """
    mapping = guess_columns(table.columns, defaults)
    named = {*mapping.fields.values(), *mapping.option_columns, *mapping.ignored}
    values = {column: _values(table, column) for column in table.columns if column not in named}
    values = {column: texts for column, texts in values.items() if texts}
    fields = dict(mapping.fields)
    found: set[str] = set()
    for name, fits in _FITS.items():
        if name in fields:
            continue
        fitting = [column for column, texts in values.items() if _share(texts, fits) >= _MOST_OF]
        if len(fitting) == 1:
            fields[name] = fitting[0]
            found.add(name)
            del values[fitting[0]]
    if "stem" not in fields and (stem := _stem(values)) is not None:
        fields["stem"] = stem
        found.add("stem")
        del values[stem]
    if "point" not in fields and (point := _point(values)) is not None:
        fields["point"] = point
        found.add("point")
        del values[point]
    options = mapping.option_columns
    if not options and "options" not in fields and "stem" in found:
        options = _options(table.columns, fields["stem"], values)
        if options:
            found.add("options")
    return Guess(replace(mapping, fields=fields, option_columns=options), frozenset(found))


def samples(table: SourceTable, most: int = 3) -> Mapping[str, tuple[str, ...]]:
    """Return the first texts of each column, cut to one line of at most 60 characters."""
    return {
        column: tuple(" ".join(text.split())[:60] for text in _values(table, column)[:most])
        for column in table.columns
    }


def _values(table: SourceTable, column: str) -> list[str]:
    texts = (text_of(row.cells.get(column)) for row in table.rows[:LOOKED_AT])
    return [text for text in texts if text]


def _share(texts: Sequence[str], fits: Callable[[str], bool]) -> float:
    return sum(map(fits, texts)) / len(texts)


def _is_answer(text: str) -> bool:
    short = len(text) <= _ANSWER_LENGTH
    return short and (answers.choice_key(text) is not None or answers.judge_key(text) is not None)


def _is_facility(text: str) -> bool:
    try:
        return "." in text and 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


_FITS: Mapping[str, Callable[[str], bool]] = {
    "type": lambda text: len(text) <= 20 and answers.type_of(text) is not None,
    "answer": _is_answer,
    "difficulty": _is_facility,
}


def _stem(values: Mapping[str, Sequence[str]]) -> str | None:
    """Return the column with the longest texts, when they are long and hardly ever the same."""
    best, most = None, 8.0
    for column, texts in values.items():
        mean = sum(map(len, texts)) / len(texts)
        if mean > most and len(set(texts)) >= _MOST_OF * len(texts):
            best, most = column, mean
    return best


def _point(values: Mapping[str, Sequence[str]]) -> str | None:
    """Return the one column whose texts come again and again, as the points of a syllabus do."""
    again = [
        column
        for column, texts in values.items()
        if len(texts) >= _ENOUGH
        and len(set(texts)) <= len(texts) / 2
        and 2 <= sum(map(len, texts)) / len(texts) <= 60
        and not all(text.replace(".", "").isdecimal() for text in texts)
    ]
    return again[0] if len(again) == 1 else None


def _options(columns: Sequence[str], stem: str, values: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the columns behind the stem, one after the other, that hold texts: at least two, at most eight."""
    found: list[str] = []
    for column in columns[columns.index(stem) + 1 :]:
        if column in values:
            found.append(column)
        elif found:
            break
    return tuple(found) if 2 <= len(found) <= 8 else ()
