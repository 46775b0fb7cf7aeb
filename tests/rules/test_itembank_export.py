"""What was imported goes out and comes in again as the same items, in every form."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.exporting import EXPORT_FORMS, ExportForm, exported
from server.itembank.interchange.files import read_file, read_table
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import SourceRow, SourceTable
from server.itembank.interchange.sanitising import picture_html, sanitised
from server.itembank.items import ItemContent, MarkingPoint, SubItem, fault_of
from tests.support.papers import small_bank

COLUMNS = (
    "编号",
    "题型",
    "题干",
    "选项",
    "答案",
    "知识点",
    "难度",
    "分值",
    "解析",
    "评分要点",
    "记分办法",
    "小题",
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def read_back(data: bytes, form: ExportForm) -> list[ItemContent | None]:
    """Read an exported file as a stranger would: by its bytes and columns alone."""
    table = read_table(data, form)
    outcomes = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
    return [one.content for one in outcomes]


def imported(rows: list[dict[str, str | tuple[str, ...]]]) -> list[ItemContent]:
    """Return the items that come in from rows as people typed them."""
    table = SourceTable(COLUMNS, tuple(SourceRow(f"row {place}", row) for place, row in enumerate(rows)))
    outcomes = read_rows(table, columns_of(COLUMNS, None), sanitised, Picture(None)).outcomes
    return [one.content for one in outcomes if one.content is not None]


ITEMS = (
    ItemContent("L1", "single", "a &lt; b<br>c", ("x", "<b>y</b>"), ("B",), (), "1.1 基础", 0.65, 2.0, "因为"),
    ItemContent("", "multiple", "=1+1", ("100%", "%50%", "-3"), ("A", "C"), (), "1.1 基础", 1.0, 0.5),
    ItemContent("'-L", "judge", "{判断} ~ # : \\ \\n", (), ("F",), (), "a/b", 0.0, 1.0),
    ItemContent("L4", "fill", sanitised('甲<span class="blank" data-blank="1"></span>乙'), (), (),
                (("3.14±0.01",),), "1.1 基础", 0.6, 1.0),
    ItemContent("L5", "fill", sanitised('<span class="blank" data-blank="1"></span> 是 A，<span class="blank" '
                'data-blank="2"></span>'), (), (), (("a；b", "c"), ("[x]",)), "1.1 基础", 0.6, 1.0),
    ItemContent("L6", "judge", f"<p>题</p>{picture_html(PNG, '图')}", (), ("T",), (), "top", 0.6, 1.0),
    ItemContent("L7", "short", "为什么？<br>说明", (), (), (), "1.1 基础", 0.6, 2.5, "略", None,
                "因为 = {a} ~ #<br>第二行", (MarkingPoint("第一点；（1分）", 1.5), MarkingPoint("<b>=2</b>", 1.0))),
    ItemContent("L8", "short", "列点", (), (), (), "1.1 基础", 0.6, 1.0, rubric=(MarkingPoint("只有要点", 1.0),)),
    ItemContent("L9", "multiple", "按项", ("x", "y", "z"), ("A", "C"), (), "1.1 基础", 0.5, 2.0, policy="partial"),
    ItemContent("L10", "case", "=材料<table><tbody><tr><td>1</td></tr></tbody></table>", (), (), (), "1.1 基础", 0.5,
                6.0, "总说明", parts=(
        SubItem("single", "甲", ("x", "y"), ("B",), (), 1.0, "因为"),
        SubItem("multiple", "乙", ("x", "y", "z"), ("A", "C"), (), 1.0, policy="exact"),
        SubItem("judge", "丙", (), ("F",), (), 0.5),
        SubItem("fill", '丁 <span class="blank" data-blank="1"></span>', (), (), (("1±0.1", "a；b"),), 0.5),
        SubItem("short", "戊", (), (), (), 3.0, model="答<br>案",
                rubric=(MarkingPoint("一", 1.0), MarkingPoint("二", 2.0))),
    )),
)  # fmt: skip
WITHOUT = {"gift": ["L5", "L7", "L8", "L10"], "moodle": ["L10"]}


@pytest.mark.parametrize("form", EXPORT_FORMS)
def test_awkward_items_come_back_the_same(form: ExportForm) -> None:
    """Marks, formulas, braces, escapes, pictures, blanks, rubrics and sub-items survive; GIFT and Moodle name what
    they have no place for."""
    assert [fault_of(one) for one in ITEMS] == [None] * len(ITEMS)
    out = exported(ITEMS, form)
    left = [one.facts["label"] for one in out.left_out]
    assert left == WITHOUT.get(form, [])
    assert read_back(out.data, form) == [one for one in ITEMS if one.label not in left]


GAPS = """<quiz><question type="category"><category><text>top/1.1</text></category></question>
<question type="cloze"><name><text>n1</text></name><defaultgrade>{grade}</defaultgrade><questiontext><text>{text}</text>
</questiontext></question></quiz>"""
CLOZES = {
    "choices": "<p>甲 {2:MULTICHOICE:~=a &amp; b#well~%0%c~d\\}} 乙 {1:MCVS:e~%100%<b>f</b>} "
    "{:MR:~%50%=g~%50%%h~%-100%i}，"
    "{3:SHORTANSWER:=R&amp;D~='q'/} {1:NUMERICAL:=2:0.5~=3}</p>",
    "plain": "a {1:MC:red~=blue} b {3:SA:=y}",
    "blanks alone": "a {1:SA:=x} b {3:SA:=y\\{~=1\\~2}",
    "thirds": "{1:MC:=x~y}{1:NM:=1.5:0.1}{1:MR:=x~=y~=z}",
}


@pytest.mark.parametrize("name", CLOZES)
def test_a_case_made_of_a_cloze_goes_back_as_one(name: str) -> None:
    """A case whose sub-items are gaps is exported to Moodle as a cloze with these gaps, and comes in again as the same
    case, from Moodle and from every table; GIFT leaves it out by name."""
    data = GAPS.format(grade=10, text=CLOZES[name].replace("&", "&amp;").replace("<", "&lt;")).encode()
    table = read_table(data, "moodle")
    (outcome,) = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None)).outcomes
    item = outcome.content
    assert item is not None and item.type == "case" and fault_of(item) is None
    for form in EXPORT_FORMS:
        if form == "gift":
            with pytest.raises(BadInput, match="nothing-to-export"):
                exported([item], form)
            continue
        out = exported([item, ITEMS[0]], form)
        assert (out.left_out, read_back(out.data, form)) == ((), [item, ITEMS[0]]), form
    again = exported([item], "moodle").data.decode()
    assert len(re.findall(r"（\d）(?:</b>|&lt;/b&gt;)?\{\d+:[A-Z]+:", again)) == len(item.parts)


def test_the_small_bank_survives_every_form() -> None:
    """Each form holds the whole small bank."""
    for form in EXPORT_FORMS:
        out = exported(small_bank(), form)
        assert (out.written, out.left_out) == (len(small_bank()), ())
        assert read_back(out.data, form) == list(small_bank())


def test_a_csv_holds_no_formula() -> None:
    """No cell of an exported CSV begins with a mark that a spreadsheet computes, and Excel sees its encoding."""
    data = exported(ITEMS, "csv").data
    assert data.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_a_text_longer_than_a_cell_is_left_out_by_name() -> None:
    """A workbook leaves out an item with a large picture and says so; the other forms hold it."""
    large = replace(ITEMS[5], stem=picture_html(b"\x89PNG\r\n\x1a\n" + bytes(40_000), "图"))
    out = exported((ITEMS[0], large), "xlsx")
    assert (out.written, [one.place for one in out.left_out]) == (1, ["item 2"])
    assert exported((ITEMS[0], large), "json").written == 2
    assert exported((ITEMS[0], large), "csv").written == 2


def test_nothing_to_export_is_refused() -> None:
    """No item, or none that the form can hold, is bad input."""
    with pytest.raises(BadInput, match="nothing-to-export"):
        exported((), "json")
    with pytest.raises(BadInput, match="nothing-to-export"):
        exported((ITEMS[4],), "gift")


ALPHABET = "ABC√×对（）()_;；、,|\n一 12%<p></p>&amp;=\"'[]{}*~#:\\/±-+@\u3000\xa0\x01\u2028<b>"
text = st.text(alphabet=st.sampled_from(ALPHABET), max_size=16)
shown = st.text(alphabet=st.sampled_from(ALPHABET), min_size=1, max_size=12).map("甲{}".format)
COMMON = {
    "编号": text,
    "知识点": text,
    "难度": st.sampled_from(["", "0.5", "0.123456789", "70%", "易"]),
    "分值": st.sampled_from(["", "2", "0.5", "1e-3"]),
    "解析": text,
}
choices = st.fixed_dictionaries(
    {
        **COMMON,
        "题型": st.sampled_from(["单选题", "多选题"]),
        "题干": shown,
        "选项": st.lists(shown, min_size=3, max_size=10, unique=True).map(tuple),
        "答案": st.sampled_from(["A", "B", "C"]),
    }
)
several = choices.map(lambda one: {**one, "题型": "多选题", "答案": "AC"})
judgements = st.fixed_dictionaries(
    {**COMMON, "题型": st.just("判断题"), "题干": shown, "答案": st.sampled_from(["√", "×"])}
)
blanks = st.fixed_dictionaries(
    {
        **COMMON,
        "题型": st.just("填空题"),
        "题干": st.builds("{}____{}".format, text, text),
        "答案": st.one_of(
            st.sampled_from(["x / y", "1.5±0.1", "1.5±0", "a；b", "*", "%50%x", "[[1]]"]), text
        ),
    }
)
words = st.fixed_dictionaries(
    {
        **COMMON,
        "题型": st.sampled_from(["简答题", "论述题"]),
        "题干": shown,
        "答案": shown,
        "分值": st.just(""),
        "评分要点": st.lists(
            st.builds("{}（{}分）".format, shown, st.sampled_from(["1", "0.5", "12"])), max_size=3
        ).map("\n".join),
    }
)
SUB_COLUMNS = ("题型", "题干", "选项", "答案", "评分要点", "分值", "解析")
cases = st.fixed_dictionaries(
    {
        **COMMON,
        "题型": st.just("案例分析题"),
        "题干": shown,
        "分值": st.just(""),
        "小题": st.lists(st.one_of(several, judgements, blanks, words), min_size=1, max_size=4).map(
            lambda parts: json.dumps(
                [{name: one[name] for name in SUB_COLUMNS if name in one} for one in parts]
            )
        ),
    }
)
gaps = st.one_of(choices, several, blanks)
clozes = st.builds(
    lambda case, words, parts: {
        **case,
        "题干": "".join(f"{word}（{number}）" for number, word in enumerate(words[: len(parts)], start=1)),
        "小题": json.dumps(
            [
                {name: one[name] for name in SUB_COLUMNS if name in one and name != "解析"}
                | {"题干": f"（{number}）{'____' if one['题型'] == '填空题' else ''}"}
                for number, one in enumerate(parts, start=1)
            ]
        ),
    },
    cases,
    st.lists(shown, min_size=4, max_size=4),
    st.lists(gaps, min_size=1, max_size=4),
)
row: st.SearchStrategy[dict[str, str | tuple[str, ...]]] = st.one_of(
    choices, several, judgements, blanks, words, cases, clozes
)


def survives(rows: list[dict[str, str | tuple[str, ...]]]) -> None:
    """Assert that what rows give comes back the same from every form that says it holds it."""
    items = imported(rows)
    for form in EXPORT_FORMS if items else ():
        try:
            out = exported(items, form)
        except BadInput as error:
            assert error.code == "nothing-to-export"
            assert form in ("gift", "moodle")
            continue
        left = {int(one.place.split()[-1]) - 1 for one in out.left_out}
        assert not left or form in ("gift", "moodle"), (form, [items[place] for place in left])
        kept = [one for place, one in enumerate(items) if place not in left]
        assert [
            (back, one) for back, one in zip(read_back(out.data, form), kept, strict=True) if back != one
        ] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(row, min_size=1, max_size=4, unique_by=lambda one: (one["题干"],)))
def test_what_was_imported_is_exported_and_imported_again(
    rows: list[dict[str, str | tuple[str, ...]]],
) -> None:
    """Tables and JSON hold every imported item; GIFT and Moodle XML return what they hold and name the rest."""
    survives(rows)


@pytest.mark.long
@settings(max_examples=5000, deadline=None)
@given(st.lists(row, min_size=1, max_size=6, unique_by=lambda one: (one["题干"],)))
def test_the_round_trip_holds_for_many_more(rows: list[dict[str, str | tuple[str, ...]]]) -> None:
    """The same over thousands of files."""
    survives(rows)


def test_the_real_items_survive_every_form(shared: Path) -> None:
    """The 900 items of a real bank come back the same from each form."""
    path = shared / "data" / "itembank" / "ai-trainer-l3" / "data.json"
    if not path.is_file():
        pytest.skip("../shared/data/itembank is not here")
    items = [one.content for one in read_file(path).reading.outcomes if one.content is not None]
    for form in EXPORT_FORMS:
        out = exported(items, form)
        assert (out.written, out.left_out) == (900, ())
        assert read_back(out.data, form) == items
