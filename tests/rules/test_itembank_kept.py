"""Workbooks and CSV files as organisations keep them: what one sheet words otherwise, hides, merges or shows."""

import io
from collections.abc import Callable

import pytest
import xlsxwriter

from server.itembank.interchange import answers
from server.itembank.interchange.csv import read_csv
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, SourceTable
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.xlsx import read_xlsx

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f00030601"
    "801a34e9350000000049454e44ae426082"
)
Book = xlsxwriter.Workbook


def written(write: Callable[[Book], None]) -> bytes:
    """Return the bytes of a workbook that a function writes."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False})
    write(book)
    book.close()
    return buffer.getvalue()


def one_sheet(*rows: tuple[object, ...], name: str = "题库") -> bytes:
    """Return a workbook of one sheet."""

    def write(book: Book) -> None:
        sheet = book.add_worksheet(name)
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)

    return written(write)


def reading_of(table: SourceTable) -> Reading:
    """Read a table under the columns that its headers tell."""
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def told(reading: Reading) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return type, key and whether it is certain, of each item."""
    contents = [(one.content, one.status.value == "imported") for one in reading.outcomes]
    return [(content.type, content.key, sure) for content, sure in contents if content is not None]


def codes(reading: Reading) -> list[str]:
    """Return the codes of what was remarked on rows."""
    common = {"point-not-given", "difficulty-not-given"}
    return [remark.code for one in reading.outcomes for remark in one.remarks if remark.code not in common]


def test_sheets_that_word_their_headers_differently_come_in_together() -> None:
    """A sheet for each type, headed in its own words, gives all its items, of the type that its title names; each
    renamed column is remarked on."""

    def write(book: Book) -> None:
        for name, rows in (
            ("电工-单选", [("题干", "A", "B", "答案"), ("题一", "甲", "乙", "A")]),
            ("多项选择题（50道）", [("试题内容", "选项1", "选项2", "标答"), ("题二", "甲", "乙", "A、B")]),
            ("判断题", [("题目", "正确答案"), ("题三", "×")]),
        ):  # fmt: skip
            sheet = book.add_worksheet(name)
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)

    reading = reading_of(read_xlsx(written(write)))
    assert told(reading) == [
        ("single", ("A",), True),
        ("multiple", ("A", "B"), True),
        ("judge", ("F",), True),
    ]
    assert {one.code for one in reading.remarks} == {"column-read-as"} and len(reading.remarks) == 6


def test_headers_in_two_rows_and_again_within_a_sheet_are_headers() -> None:
    """`选项` above `A B` is one header, and a header that comes again below a section's title is no item."""
    rows = (("序号", "题干", "选项", None, "答案"), (None, None, "A", "B", None), (1, "题一", "甲", "乙", "A"),
            ("二、判断题（每题2分）",), ("序号", "题目", "答案"), (1, "题二", "对"))  # fmt: skip
    reading = reading_of(read_xlsx(one_sheet(*rows)))
    assert told(reading) == [("single", ("A",), True), ("judge", ("T",), True)]
    assert [one.content.score for one in reading.outcomes if one.content] == [1.0, 2.0]


def test_what_a_workbook_hides_merges_raises_or_pictures_is_told() -> None:
    """A merged point holds for its rows, a hidden row is a doubt, raised digits stay raised, and a picture over a
    cell stands in its item."""

    def write(book: Book) -> None:
        sheet = book.add_worksheet("题库")
        sheet.write_row(0, 0, ("知识点", "题干", "A", "B", "答案"))
        for row in range(1, 5):
            sheet.write_row(row, 1, (f"题{row}", "甲", "乙", "A"))
        sheet.merge_range("A2:A4", "安全")
        sheet.write_rich_string("B2", "10", book.add_format({"font_script": 1}), "2", "等于")
        sheet.set_row(2, options={"hidden": True})
        sheet.insert_image("C4", "a.png", {"image_data": io.BytesIO(PNG)})
        sheet.insert_image("H5", "b.png", {"image_data": io.BytesIO(PNG)})

    reading = reading_of(read_xlsx(written(write)))
    contents = [one.content for one in reading.outcomes if one.content is not None]
    assert [one.point for one in contents] == ["安全", "安全", "安全", "未分类"]
    assert contents[0].stem == "10<sup>2</sup>等于"
    assert contents[2].options[0].startswith('甲<br><img src="data:image/png')
    assert "<img" in contents[3].stem
    assert codes(reading) == ["row-hidden", "picture-put-in-stem"]


@pytest.mark.parametrize(
    ("options", "key", "expected", "code"),
    [
        ("①甲 ②乙 ③丙", "③", ("single", ("C",), True), "key-by-number"),
        ("a.甲 b.乙", "b", ("single", ("B",), True), ""),
        ("甲、乙、丙", "C", ("single", ("C",), False), "options-parted-by-sign"),
        ("A.甲\nB.乙", "A.甲", ("single", ("A",), True), ""),
        ("A.甲\nB.乙\nC.丙", "甲；丙", ("multiple", ("A", "C"), True), ""),
        ("A.甲\nB.乙\nC.丙", "选B", ("single", ("B",), True), ""),
        ("A.甲\nB.乙\nC.丙", "1,3", ("multiple", ("A", "C"), False), "key-by-number"),
    ],
)
def test_options_and_keys_in_one_cell(
    options: str, key: str, expected: tuple[str, tuple[str, ...], bool], code: str
) -> None:
    """Each way of writing options and key gives the item it means; what signs or places tell is remarked on."""
    reading = reading_of(read_xlsx(one_sheet(("题干", "选项", "答案"), ("题是什么", options, key))))
    assert told(reading) == [expected]
    assert codes(reading) == ([code] if code else [])


def test_options_below_the_stem_are_taken_out_of_it() -> None:
    """A stem with its options in the same cell becomes a stem and options."""
    row = ("下列是导体的是（ ）\nA．铜\nB．木", "A")
    reading = reading_of(read_xlsx(one_sheet(("题目", "答案"), row)))
    assert [(one.content.stem, one.content.options) for one in reading.outcomes if one.content] == [
        ("下列是导体的是（ ）", ("铜", "木"))
    ]


def test_difficulty_steps_are_told_by_their_whole_column() -> None:
    """1 to 5 are steps from the easiest, 0 and 1 among decimals are facilities, stars count, 1 to 3 tell nothing."""
    assert answers.difficulty_steps(["1", "3", "5"]) == {"1": 0.85, "3": 0.6, "5": 0.3}
    assert answers.difficulty_steps(["0", "1", "0.5"]) == {"0": 0.0, "1": 1.0}
    assert answers.difficulty_steps(["★★★★☆", "★"]) == {"★★★★☆": 0.45, "★": 0.85}
    assert answers.difficulty_steps(["1", "2", "3"]) == answers.difficulty_steps(["易", "1"]) == {}


@pytest.mark.parametrize(
    ("stem", "key", "accepted", "code"),
    [
        ("首都是____。", "北京|北京市", (("北京", "北京市"),), ""),
        ("首都是      。", "北京", (("北京",),), "blanks-from-spaces"),
        ("首都是__北京__。", "", (("北京",),), "answers-from-stem"),
        ("首都是（北京）。", "", (("北京",),), "answers-from-brackets"),
        ("电流____。", "相等 或 处处相等", (("相等", "处处相等"),), ""),
    ],
)
def test_blanks_as_people_write_them(
    stem: str, key: str, accepted: tuple[tuple[str, ...], ...], code: str
) -> None:
    """Wide spaces, lines with their answers over them and brackets are blanks; those taken from brackets are a
    doubt."""
    reading = reading_of(read_xlsx(one_sheet(("题型", "题干", "答案"), ("填空题", stem, key))))
    assert [one.content.accepted for one in reading.outcomes if one.content] == [accepted]
    assert codes(reading) == ([code] if code else [])


@pytest.mark.parametrize(
    "text", ["题型|题干|A|B|答案\n单选|题|甲|乙|A\n", "sep=;\n题型;题干;A;B;答案\n单选;题;甲;乙;A\n"]
)
def test_a_csv_tells_its_separator_by_its_header(text: str) -> None:
    """Bars and a stated separator part the cells, behind a GB18030 byte order mark as well."""
    assert told(reading_of(read_csv(f"\ufeff{text}".encode("gb18030")))) == [("single", ("A",), True)]
