"""Typed papers as they are kept: answers at the end in every form, marks on options, tags, page numbers, no numbers."""

import pytest

from server.itembank.interchange.aiken import read_aiken
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.typed import read_text

CHOICES = "1．题一\nA．甲  B．乙  C．丙\n2．题二\nA．甲  B．乙  C．丙\n"


def read(text: str) -> Reading:
    """Read a typed text."""
    table = read_text(text.encode())
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def keys(text: str) -> list[str]:
    """Return the keys of a text's items, `!` behind doubtful ones, `-` for those that are none."""
    return [
        "".join(one.content.key) + ("!" if one.status.value == "doubtful" else "") if one.content else "-"
        for one in read(text).outcomes
    ]


@pytest.mark.parametrize(
    "listed",
    [
        "答案：1、B 2、C\n",
        "【答案】\n1～2：BC\n",
        "参考答案\n一、单选题：1-2 BC\n",
        "一、单选题答案\n1.B 2.C\n",
        "答案\n一、单选题\n1-2 BC\n",
        "答案：\n题号 1 2\n答案 B C\n",
        "参考答案：\n1、B\n解析：因为乙\n2、C\n",
    ],
)
def test_answers_at_the_end_find_their_items(listed: str) -> None:
    """Each way of listing answers behind the questions gives both their keys."""
    assert keys(f"一、单选题\n{CHOICES}{listed}") == ["B", "C"]


def test_explanations_in_a_list_of_answers_belong_to_their_items() -> None:
    """A line `解析：` below a listed answer is the explanation of that item."""
    outcomes = read(f"{CHOICES}参考答案：\n1、B\n解析：因为乙\n2、C\n").outcomes
    assert [one.content.explanation for one in outcomes if one.content] == ["因为乙", ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.甲题[单选题]\nA.甲\nB.乙(正确答案)\n2.乙题[多选题]\n*A.甲\n*B.乙\nC.丙\n", ["B", "AB"]),
        ("1.甲题\nA.甲\nB.乙\n答案 B\n", ["B"]),
        ("1. What?\na) Volt\nb) Ohm\nAnswer: B\n", ["B"]),
        ("1.甲题\nA甲 B乙 C丙\n答案：C\n", ["C"]),
        ("甲题（ ）\nA.甲\nB.乙\n答案：A\n\n乙题\nA.甲\nB.乙\n答案：B\n", ["A", "B"]),
        ("判断题\n（√）1、甲。\n（×）2、乙。\n3、丙。 √\n4、丁（ F ）\n", ["T", "F", "T", "F"]),
        (
            "1.甲题\nA.甲\nB.乙\n答案：A\n- 2 -\n第 3 页 共 9 页\n我的答案：B\n2.乙题\nA.甲\nB.乙\n答案：B\n",
            ["A", "B"],
        ),
        ("1.甲题\nA.甲\nB.乙\n2.乙题\nA.甲\nB.乙\n答案：AB\n", ["-", "AB!"]),
        ("1.甲题\nA.甲\nB.乙, 其中 C. 丁\nC.丙\n答案：A\n", ["A!"]),
        ("1.甲题\nA.甲\nB.乙\n答案：A\n乙题没有题号\nA.甲\nB.乙\n答案：B\n", ["-"]),
    ],
)
def test_typed_items_are_read_and_never_swallowed(text: str, expected: list[str]) -> None:
    """Marks, tags, English words and missing numbers are read; a line that may belong to another item, an answer
    that may be a whole list and an option letter that stands twice are doubts."""
    assert keys(text) == expected


def test_a_tag_in_a_stem_tells_type_and_points() -> None:
    """`（多选题，2分）` is no part of the stem."""
    content = read("4.（多选题，2分）甲题\nA.甲\nB.乙\n答案：B\n").outcomes[0].content
    assert content is not None and (content.type, content.stem, content.score) == ("multiple", "甲题", 2.0)


def test_every_section_is_a_heading() -> None:
    """`三、名词解释` ends the section before it, so that its first item does not become part of another's answer."""
    text = "二、简答题\n1、什么是接地？\n答案：连到大地。\n三、名词解释\n1、短路\n答：电流不经负载。\n"
    outcomes = read(text).outcomes
    assert [(one.content.stem, one.content.model) for one in outcomes if one.content] == [
        ("什么是接地？", "连到大地。"),
        ("短路", "电流不经负载。"),
    ]


def test_aiken_as_people_type_it() -> None:
    """Counted stems lose their numbers, small letters and a wide colon are read."""
    text = "1. 题一\na) 甲\nb) 乙\nANSWER：B\n\n2. 题二\nA. 甲\nB. 乙\nANSWER: A\n".encode()
    assert format_of("a.txt", text) == "aiken"
    cells = [row.cells for row in read_aiken(text).rows]
    assert [(one["stem"], one["answer"]) for one in cells] == [("题一", "B"), ("题二", "A")]
