"""Short answers and cases as organisations keep them: in tables, JSON, typed texts."""

import json

import pytest

from server.itembank.interchange.files import read_table
from server.itembank.interchange.forms import Format
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, RowStatus
from server.itembank.interchange.sanitising import sanitised
from server.itembank.items import ItemContent, MarkingPoint

HEADER = "编号,题型,题干,选项A,选项B,答案,评分要点,知识点,难度,分值,所属案例,记分办法\n"


def read(text: str, form: Format) -> Reading:
    """Read a file of one form."""
    table = read_table(text.encode(), form)
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def only(reading: Reading) -> ItemContent:
    """Return the content of the only row that has one."""
    (content,) = [one.content for one in reading.outcomes if one.content is not None]
    return content


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("简答题", "short"), ("问答题", "short"), ("论述题", "short"), ("名词解释", "short"), ("计算题", "short"),
        ("essay", "short"), ("案例分析题", "short"), ("综合题", "short"), ("材料题", "short"),
    ],
)  # fmt: skip
def test_words_for_answers_in_words(word: str, kind: str) -> None:
    """Each common word names a short answer; a case without sub-items but with an answer is one, and says so."""
    reading = read(f"{HEADER}1,{word},为什么？,,,因为,,1.1,0.5,5,,\n", "csv")
    content = only(reading)
    assert (content.type, content.model, content.score) == (kind, "因为", 5.0)
    codes = [one.code for one in reading.outcomes[0].remarks]
    assert codes == (["case-without-sub-items"] if word in ("案例分析题", "综合题", "材料题") else [])


@pytest.mark.parametrize(
    ("cell", "points"),
    [
        ("说明原因（2分）；提出措施（3分）", (("说明原因", 2.0), ("提出措施", 3.0))),
        ("1. 说明原因 2分\n2. 提出措施，3分。", (("说明原因", 2.0), ("提出措施", 3.0))),
        ("（1）说明原因[2分]\n（2）提出措施(3分)", (("说明原因", 2.0), ("提出措施", 3.0))),
        ("（2分）说明原因\n（3分）提出措施", (("说明原因", 2.0), ("提出措施", 3.0))),
        ("①误差不大于 1.5 分（0.5分）；②其余（4.5 分）", (("误差不大于 1.5 分", 0.5), ("其余", 4.5))),
    ],
)
def test_marking_points_as_people_write_them(cell: str, points: tuple[tuple[str, float], ...]) -> None:
    """Scores before or behind each point, by line or by semicolon, are read; together they are the item's score."""
    content = only(read(f'{HEADER}1,简答题,为什么？,,,因为,"{cell}",1.1,0.5,,,\n', "csv"))
    assert content.rubric == tuple(MarkingPoint(*one) for one in points)
    assert content.score == 5.0


def test_marking_points_that_cannot_be_read_are_a_doubt() -> None:
    """Points without scores are no rubric: the row is doubtful; points that differ from the score are refused."""
    unread, differing = read(
        f"{HEADER}1,简答题,为什么？,,,因为,言之有理即可,1.1,0.5,5,,\n2,简答题,怎样？,,,这样,说明（2分）,1.1,0.5,5,,\n",
        "csv",
    ).outcomes
    assert (unread.status, unread.remarks[-1].code) == (RowStatus.DOUBTFUL, "rubric-unreadable")
    assert (differing.content, differing.remarks[-1].code) == (None, "item-rubric-score-differs")


CASE_ROWS = (
    "C1,案例题,某厂停电。,,,,,1.1,0.5,6,,\n"
    "C1-1,单选题,原因？,过载,雷击,A,,,,,C1,\n"
    "C1-2,简答题,措施？,,,减载,,,,,C1,\n"
    "C1-3,判断题,可带电检修,,,×,,,,,C1,\n"
)


def test_rows_that_name_their_case_become_its_sub_items() -> None:
    """Three rows below a case are its sub-items, share its score, and are each accounted for."""
    reading = read(HEADER + CASE_ROWS + "9,判断题,其后,,,√,,1.1,0.5,1,,\n", "csv")
    assert [one.status for one in reading.outcomes] == [RowStatus.IMPORTED] * 5
    assert [one.remarks[0].code for one in reading.outcomes[1:4]] == ["row-is-sub-item"] * 3
    case = reading.outcomes[0].content
    assert case is not None
    assert (case.type, case.score, case.stem) == ("case", 6.0, "某厂停电。")
    assert [(one.type, one.key, one.model, one.score) for one in case.parts] == [
        ("single", ("A",), "", 2.0),
        ("short", (), "减载", 2.0),
        ("judge", ("F",), "", 2.0),
    ]


def test_a_faulty_sub_item_keeps_its_case_out_by_name() -> None:
    """A case whose sub-item is no item is not taken, and the reason names the sub-item; the next row comes in."""
    rows = CASE_ROWS.replace("单选题,原因？,过载,雷击,A", "单选题,原因？,过载,雷击,D")
    first, *below, last = read(HEADER + rows + "9,判断题,其后,,,√,,1.1,0.5,1,,\n", "csv").outcomes
    assert {(one.status, one.remarks[0].code) for one in below} == {(RowStatus.SKIPPED, "case-not-taken")}
    assert (first.content, first.status, first.remarks[-1].code) == (
        None, RowStatus.DOUBTFUL, "item-key-outside-options"
    )  # fmt: skip
    assert first.remarks[-1].facts["part"] == 1
    assert last.content is not None


def test_a_row_without_its_case_is_doubtful() -> None:
    """A row that names a case which no row bears is read as an item of its own, with a doubt."""
    (one,) = read(f"{HEADER}7,判断题,题,,,√,,1.1,0.5,1,C9,\n", "csv").outcomes
    assert (one.status, [r.code for r in one.remarks]) == (RowStatus.DOUBTFUL, ["case-missing"])


@pytest.mark.parametrize(("word", "policy"), [("部分得分", "partial"), ("全对得分", "exact"), ("", None)])
def test_how_an_item_is_scored(word: str, policy: str | None) -> None:
    """The column for scoring sets an item's own policy; without a word the blueprint's holds."""
    content = only(read(f"{HEADER}1,填空题,甲____乙____,,,x；y,,1.1,0.5,2,,{word}\n", "csv"))
    assert (content.accepted, content.policy) == ((("x",), ("y",)), policy)


def test_a_case_in_json() -> None:
    """Sub-items as objects within a case, with marking points as objects within them."""
    case = {
        "id": "C1", "type": "case", "stem": "material", "point": "1.1", "difficulty": "0.5",
        "subQuestions": None,
        "parts": [
            {"type": "single", "question": "q1", "options": ["a", "b"], "answer": "B", "score": 1},
            {"type": "short", "question": "q2", "answer": "because", "rubric": [{"text": "p", "score": 4}]},
        ],
    }  # fmt: skip
    content = only(read(json.dumps([case]), "json"))
    assert (content.type, content.score) == ("case", 5.0)
    assert [(one.type, one.key, one.score) for one in content.parts] == [
        ("single", ("B",), 1.0),
        ("short", (), 4.0),
    ]
    assert content.parts[1].rubric == (MarkingPoint("p", 4.0),)


def test_a_gift_essay_takes_its_feedback_as_model_answer() -> None:
    """An essay with feedback is a short answer; one without is doubtful and not taken."""
    first, second = read("Why? {####because}\n\nHow? {}\n", "gift").outcomes
    assert first.content is not None
    assert (first.content.type, first.content.model) == ("short", "because")
    assert (second.content, second.status) == (None, RowStatus.DOUBTFUL)


TYPED = """一、简答题（每题5分）
1. 简述启动前的检查步骤。（6分）
答：1. 看油位。
2. 看电压。
3. 试点动。
评分标准：看油位（2分）；看电压（2分）；试点动（2分）
2. 什么是短路？
参考答案：电流不经负载。
二、案例分析题
1. 某厂一台电机过热。（共10分）
（1）原因是什么？（4分）
A. 过载 B. 空载
答案：A
（2）怎样处理？（6分）
答案：减载
停机检查
"""


def test_short_answers_and_a_case_as_people_type_them() -> None:
    """Numbered points of an answer stay in it, points behind a stem are its score, （1） and （2） make a case."""
    first, second, case = [one.content for one in read(TYPED, "text").outcomes]
    assert first is not None
    assert second is not None
    assert case is not None
    assert (first.stem, first.score, first.model) == (
        "简述启动前的检查步骤。", 6.0, "1. 看油位。<br>2. 看电压。<br>3. 试点动。"
    )  # fmt: skip
    assert [one.score for one in first.rubric] == [2.0, 2.0, 2.0]
    assert (second.type, second.model, second.score) == ("short", "电流不经负载。", 5.0)
    assert (case.type, case.stem, case.score) == ("case", "某厂一台电机过热。", 10.0)
    assert [(one.type, one.stem, one.key, one.model, one.score) for one in case.parts] == [
        ("single", "原因是什么？", ("A",), "", 4.0),
        ("short", "怎样处理？", (), "减载<br>停机检查", 6.0),
    ]


def test_a_case_with_a_head_and_its_answers_together() -> None:
    """Under `案例一：` plain numbers are its questions, and answers （1） （2） at its end are parted among them."""
    reading = read(
        "案例分析题（每题8分）\n案例一：某班组触电。\n经过如下。\n1. 直接原因？\n2. 如何急救？\n"
        "答案：（1）漏电\n（2）断电\n"
        "案例二：某车间火灾。\n1. 用什么灭火？\n答案：干粉\n",
        "text",
    )
    first, second = [one.content for one in reading.outcomes]
    assert first is not None
    assert second is not None
    assert (first.stem, first.score) == ("某班组触电。<br>经过如下。", 8.0)
    assert [(one.stem, one.model, one.score) for one in first.parts] == [
        ("直接原因？", "漏电", 4.0), ("如何急救？", "断电", 4.0)
    ]  # fmt: skip
    assert [(one.stem, one.model) for one in second.parts] == [("用什么灭火？", "干粉")]


def test_a_number_that_may_be_either_is_told_by_its_answer() -> None:
    """The next number after a point of an answer is a question when it is answered; else a point, and doubtful."""
    first, second = read("简答题\n1. 甲？\n答：\n1. 一\n2. 乙？\n答：三\n", "text").outcomes
    assert (first.status, second.status) == (RowStatus.IMPORTED, RowStatus.IMPORTED)
    (both,) = read("简答题\n1. 甲？\n答：\n1. 一\n2. 二\n", "text").outcomes
    assert both.content is not None
    assert both.content.model == "1. 一<br>2. 二"
    assert "answer-may-go-on" in [one.code for one in both.remarks if one.doubt]
