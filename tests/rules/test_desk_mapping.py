"""Guessing a file's columns by their contents, saved mappings, and what differs between two versions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.itembank.differing import differences, pieces_of
from server.itembank.interchange.guessing import guess_table
from server.itembank.interchange.mapping import FIELDS, ColumnMapping, read_mapping
from server.itembank.interchange.mapping_text import mapping_text
from server.itembank.interchange.rows import SourceRow, SourceTable
from server.itembank.items import ItemContent

ITEM = ItemContent("L1", "single", "水的沸点是多少", ("100", "90"), ("A",), (), "1.1", 0.6, 1.0)
text = st.text(min_size=1, max_size=20)


def table(columns: tuple[str, ...], *rows: tuple[str, ...]) -> SourceTable:
    return SourceTable(
        columns,
        tuple(
            SourceRow(f"row {place}", dict(zip(columns, row, strict=True)))
            for place, row in enumerate(rows, start=2)
        ),
    )


def test_columns_without_known_names_are_told_by_what_stands_in_them() -> None:
    """Type, key, facility, stem, point and options are found by their contents and marked as guessed; a known header
    goes before."""
    rows = [
        (
            ("单选题", "多选题")[n % 2],
            f"第{n}题的题干是一段比较长的文字",
            f"甲{n}",
            f"乙{n}",
            ("A", "AB")[n % 2],
            f"0.{n}",
            "1.1 道德",
        )
        for n in range(1, 9)
    ]
    guess = guess_table(table(("u", "v", "w", "x", "y", "难度", "z"), *rows))
    assert guess.mapping.fields == {
        "type": "u",
        "stem": "v",
        "answer": "y",
        "difficulty": "难度",
        "point": "z",
    }
    assert guess.mapping.option_columns == ("w", "x")
    assert guess.by_contents == {"type", "stem", "answer", "point", "options"}


def test_two_columns_that_fit_alike_are_not_guessed() -> None:
    """Where two columns could be the key, neither is taken for it."""
    rows = [(f"第{n}题的题干是一段比较长的文字", "A", "B") for n in range(6)]
    assert "answer" not in guess_table(table(("q", "x", "y"), *rows)).mapping.fields


@given(
    st.dictionaries(st.sampled_from(FIELDS), text, min_size=1),
    st.lists(text, max_size=4),
    st.dictionaries(text, st.sampled_from(("single", "fill")), max_size=3),
    st.floats(0, 1),
)
def test_a_saved_mapping_is_read_back_the_same(
    fields: dict[str, str], options: list[str], points: dict[str, str], difficulty: float
) -> None:
    """Whatever stands in a header, the written mapping is read back word for word."""
    fields = {**fields, "stem": fields.get("stem", "题干")}
    if options:
        fields.pop("options", None)
    mapping = ColumnMapping(fields, tuple(options), default_difficulty=difficulty, points=points)
    columns = read_mapping(mapping_text(mapping).encode("utf-8")).columns
    assert columns is not None
    assert (columns.fields, columns.option_columns) == (fields, tuple(options))
    assert (columns.points, columns.default_difficulty) == (points, difficulty)


@given(st.text(max_size=60), st.text(max_size=60))
def test_pieces_make_up_both_texts(older: str, newer: str) -> None:
    """What is the same and out makes the older text, what is the same and in the newer one."""
    pieces = pieces_of(older, newer)
    if older != newer:
        assert "".join(one.text for one in pieces if one.kind != "in") == older
        assert "".join(one.text for one in pieces if one.kind != "out") == newer


@pytest.mark.parametrize(
    ("change", "field", "place"),
    [
        ({"stem": "水的冰点是多少"}, "stem", ""),
        ({"options": ("100", "80")}, "option", "B"),
        ({"key": ("B",)}, "key", ""),
        ({"difficulty": 0.5}, "difficulty", ""),
        ({"explanation": "看气压"}, "explanation", ""),
    ],
)
def test_every_changed_field_is_named(change: dict[str, object], field: str, place: str) -> None:
    """A change of one field is that field's difference and no other's; equal versions differ in nothing."""
    found = differences(ITEM, replace(ITEM, **change))  # type: ignore[arg-type]
    assert [(one.field, one.place) for one in found] == [(field, place)]
    assert differences(ITEM, ITEM) == ()
