"""Items typed as plain text: stems, options, answers in the stem, below it, or in a list at the end."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.editing_service import stored_stem
from server.itembank.interchange.blanks import STORED_BLANK
from server.itembank.interchange.files import read_file
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of, read_mapping
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.typed import options_in, read_text
from server.itembank.interchange.typed_keys import pairs_in


def read(text: str) -> Reading:
    """Read typed text."""
    table = read_text(text.encode())
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def told(reading: Reading) -> list[tuple[str, tuple[str, ...], tuple[str, ...]] | None]:
    """Return type, options and key of each row."""
    return [
        (one.content.type, one.content.options, one.content.key) if one.content else None
        for one in reading.outcomes
    ]


ONE = ("single", ("甲", "乙", "丙", "丁"), ("C",))


@pytest.mark.parametrize(
    "text",
    [
        "1. 题（C）\nA. 甲\nB. 乙\nC. 丙\nD. 丁",
        "1、题（ ）\nA、甲 B、乙 C、丙 D、丁\n答案：C",
        "1．题\nA．甲  B．乙\nC．丙  D．丁\n【答案】C\n【解析】因为",
        "（1）题（ ） A.甲 B.乙 C.丙 D.丁 答案：C",
        "第1题 题\n(A) 甲\n(B) 乙\n(C) 丙\n(D) 丁\n正确答案是C",
        "1.题\nA.甲B.乙C.丙D.丁\n参考答案：C",
        "1 ) 题\nA 甲\nB 乙\nC 丙\nD 丁\n答案: c",
        "1. 题\nA 甲  B 乙  C 丙  D 丁\n标准答案：C；",
        "1. 题\na. 甲\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n\n参考答案\n1.C 2.D".replace("a. 甲\n", ""),
        "一、选择题（每题1分）\n1. 题\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案\n1-1 C",
    ],
)
def test_one_item_in_many_writings(text: str) -> None:
    """In each writing the same item comes in: four options, and the third is right."""
    assert told(read(text)) == [ONE]


def test_a_whole_paper_with_its_list_of_answers() -> None:
    """Sections name the types and scores, the list's headings find them again, and what is over is remarked on."""
    reading = read(
        "试卷\n一、单项选择题（每题2分，共4分）\n1. 甲\nA. x\nB. y\n2. 乙\nA. x\nB. y\n"
        "二、多选题\n1. 丙\nA. x\nB. y\nC. z\n三、判断题\n1. 丁。（ ）\n2. 戊。（×）\n四、填空题\n1. 己是____。\n"
        "五、简答题\n1. 庚\n参考答案\n一、单项选择题\n1-2 AB\n二、多选题\n1.AC\n三、判断题\n1.√\n"
        "四、填空题\n1. 一 / 壹\n9. 多"
    )
    assert told(reading) == [
        ("single", ("x", "y"), ("A",)),
        ("single", ("x", "y"), ("B",)),
        ("multiple", ("x", "y", "z"), ("A", "C")),
        ("judge", (), ("T",)),
        ("judge", (), ("F",)),
        ("fill", (), ()),
        None,
    ]
    contents = [one.content for one in reading.outcomes]
    assert contents[0] is not None
    assert contents[0].score == 2.0
    assert contents[5] is not None
    assert contents[5].accepted == (("一", "壹"),)
    assert [(one.code, one.place) for one in reading.remarks] == [
        ("line-not-read", "line 1"),
        ("answer-without-item", "line 30"),
    ]


def test_numbers_that_begin_again_are_matched_by_their_order() -> None:
    """Without headings the second run of numbers in the list belongs to the second run of stems."""
    reading = read("1. 甲\nA. x\nB. y\n2. 乙\nA. x\nB. y\n1. 丙（ ）\n2. 丁（ ）\n答案：\n1.A 2.B\n1.√ 2.×")
    assert [one[2] if one else None for one in told(reading)] == [("A",), ("B",), ("T",), ("F",)]


def test_an_answer_that_differs_from_the_list_is_doubtful() -> None:
    """The answer under an item counts, and the other one in the list makes it doubtful."""
    reading = read("1. 题\nA. x\nB. y\n答案：A\n2. 又\nA. x\nB. y\n参考答案\n1.B 2.A")
    assert [one.status.value for one in reading.outcomes] == ["doubtful", "imported"]
    assert reading.outcomes[0].remarks[0].code == "key-differs-from-list"


def test_a_number_with_decimals_begins_no_item() -> None:
    """A further line `1.5 mm` or `(2) …` belongs to the stem above it; one with a year after the number does not."""
    reading = read("1. 导线为\n1.5 mm的是\n（2）又\nA. x\nB. y\n答案：A\n2.2024年的是\nA. x\nB. y\n答案：B")
    assert [one.content.stem for one in reading.outcomes if one.content] == [
        "导线为<br>1.5 mm的是<br>（2）又",
        "2024年的是",
    ]


def test_fields_below_an_item_are_read() -> None:
    """知识点, 难度, 分值 and 解析 of two lines go to their fields."""
    reading = read(
        "1. 题\nA. x\nB. y\n答案：A\n解析：一\n二\n知识点：1.1 基础\n难度：0.7\n分值：2\n2. 又（√）"
    )
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.explanation, content.point, content.difficulty, content.score) == (
        "一<br>二", "1.1 基础", 0.7, 2.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("1.A 2.B 3.C", [(1, "A"), (2, "B"), (3, "C")]),
        ("1-5 ABCDA", [(1, "A"), (2, "B"), (3, "C"), (4, "D"), (5, "A")]),
        ("1~3：√×√", [(1, "√"), (2, "×"), (3, "√")]),
        ("1-2 AB CD", [(1, "AB"), (2, "CD")]),
        ("1、ABC；2、BD", [(1, "ABC"), (2, "BD")]),
        ("1.A2.B", [(1, "A"), (2, "B")]),
        ("1对 2错", [(1, "对"), (2, "错")]),
        ("1-3 AB", None),
        ("见附件", None),
    ],
)
def test_a_line_of_the_list_gives_numbers_and_answers(text: str, pairs: list[tuple[int, str]] | None) -> None:
    """Single answers and runs are read only when the whole line is of that form."""
    assert pairs_in(text) == pairs


@pytest.mark.parametrize("text", ["维生素B. 的", "见图A.1所示", "The A. B", "题"])
def test_letters_amid_a_text_are_no_options(text: str) -> None:
    """A line without a sequence of letters from A on holds no options."""
    assert options_in(text, 0) == (text, [])


def test_a_text_without_numbers_is_refused() -> None:
    """Prose is no list of items."""
    with pytest.raises(BadInput, match="text-without-items"):
        read_text("随便写写。\n没有题。".encode())


@pytest.mark.parametrize(
    ("text", "form"),
    [("1. 题\nA. x", "text"), ("题干,答案\n1. 题,√", "csv"), ("题干\t答案\n1、题\t√", "csv"), ("甲,乙", "csv"),
     ("Q\nA. x\nANSWER: A", "aiken"), ("Q {=a ~b}", "gift")],
)  # fmt: skip
def test_a_text_files_form_is_told_by_its_contents(text: str, form: str) -> None:
    """A .txt may be typed items, a table, GIFT or Aiken."""
    assert format_of("x.txt", text.encode()) == form


typed = st.lists(
    st.text(alphabet=st.sampled_from("12.、（）()ABCD 题答案：√×一二判断单选___解析-\t"), max_size=20),
    max_size=12,
).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(typed)
def test_every_line_is_read_or_named(text: str) -> None:
    """Whatever is typed, the reader returns rows with an outcome each, or refuses the text."""
    try:
        reading = read(text)
    except BadInput as error:
        assert error.code == "text-without-items"
        return
    assert all(one.content is not None or one.remarks for one in reading.outcomes)


def test_the_defaults_of_a_mapping_hold_for_typed_items(tmp_path: Path) -> None:
    """A mapping's point, difficulty and score are taken where the text gives none; its columns are passed over."""
    path = tmp_path / "bank.txt"
    path.write_text("1. 题（√）", encoding="utf-8")
    mapping = b'[fields]\nstem = "Q"\n[defaults]\npoint = "1.1"\ndifficulty = 0.7\nscore = 2'
    content = read_file(path, saved=read_mapping(mapping)).reading.outcomes[0].content
    assert content is not None
    assert (content.point, content.difficulty, content.score) == ("1.1", 0.7, 2.0)


def test_only_typed_brackets_make_a_blank() -> None:
    """The characters by which the program keeps a blank's place, typed as they are or by number, make none."""
    for place in ("\ue0002\ue001", "&#xE000;2&#xE001;", "&#57344;2&#57345;", "&#xE0\ue00000;2&#xE001;"):
        assert len(STORED_BLANK.findall(stored_stem(f"甲[[]]乙{place}"))) == 1, place
