"""Workbooks: read as organisations keep them, refused when they are unsafe or none."""

import io
import zipfile
from collections.abc import Sequence

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.xlsx import MOST_PARTS, read_xlsx

Sheet = tuple[str, Sequence[Sequence[object]]]
HEADER = ("编号", "题型", "题干", "选项A", "选项B", "答案", "知识点", "难度")
ROW = ("L1", "单选题", "题", "甲", "乙", "A", "1.1", 0.8)


def workbook(*sheets: Sheet, formula: bool = False) -> bytes:
    """Write a workbook; with `formula` the first sheet's cell B9 holds one."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"strings_to_formulas": False, "in_memory": True})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        for place, row in enumerate(rows):
            sheet.write_row(place, 0, row)
        if formula:
            sheet.write_formula("B9", "=1+1")
            formula = False
    book.close()
    return buffer.getvalue()


def repacked(data: bytes, change: dict[str, bytes]) -> bytes:
    """Return a workbook with some parts replaced or added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename not in change:
                new.writestr(part, old.read(part))
        for name, content in change.items():
            new.writestr(name, content)
    return buffer.getvalue()


def test_sheets_come_in_with_their_places() -> None:
    """Rows of two sheets are named sheet!row, numbers lose the needless .0, and a title row above is no item."""
    second = ("title {x}", [["某某题库"], [], [*HEADER], [7, "判断题", "真的", None, None, True, "1.2", 0.5]])
    table = read_xlsx(workbook(("单选题", [HEADER, ROW]), second))
    assert [(row.place, row.sheet) for row in table.rows] == [
        ("单选题!2", "单选题"),
        ("title {x}!4", "title {x}"),
    ]
    assert table.rows[1].cells["编号"] == "7"
    reading = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))
    assert [outcome.content.key for outcome in reading.outcomes if outcome.content] == [("A",), ("T",)]


def test_a_sheet_without_a_header_is_passed_over_with_a_remark() -> None:
    """Notes and empty sheets are named in the remarks with what was not read."""
    table = read_xlsx(workbook(("题", [HEADER, ROW]), ("说明", [["请先读"], ["再写"]]), ("空", [])))
    assert [(remark.code, remark.place) for remark in table.remarks] == [
        ("sheet-without-header", "说明"),
        ("sheet-empty", "空"),
    ]
    assert len(table.rows) == 1


def test_the_sheets_name_gives_the_type() -> None:
    """A sheet called 多选题 makes its rows multiple choice when no column says the type."""
    rows = [("题干", "选项A", "选项B", "答案"), ("题", "甲", "乙", "A")]
    table = read_xlsx(workbook(("多选题", rows)))
    reading = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))
    content = reading.outcomes[0].content
    assert content is not None
    assert content.type == "multiple"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"xl/worksheets/sheet1.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet/>"}, "entity declaration"),
        ({"../evil.xml": b"<a/>"}, "part outside the file"),
        ({"C:/evil.xml": b"<a/>"}, "part outside the file"),
        ({"xl/media/bomb.bin": bytes(8 * 1024 * 1024)}, "packed too densely"),
        ({f"x{number}.bin": b"" for number in range(MOST_PARTS)}, "too many parts"),
    ],
)
def test_an_unsafe_workbook_is_refused(change: dict[str, bytes], reason: str) -> None:
    """Entities, parts outside the file, a bomb and a swarm of parts are each refused with the reason."""
    with pytest.raises(BadInput, match="workbook-unsafe") as refused:
        read_xlsx(repacked(workbook(("题", [HEADER, ROW])), change))
    assert refused.value.facts["reason"] == reason


def test_a_workbook_with_a_formula_is_refused_with_its_cell() -> None:
    """A formula is refused and the facts name sheet and cell."""
    with pytest.raises(BadInput, match="workbook-has-formulas") as refused:
        read_xlsx(workbook(("题", [HEADER, ROW]), formula=True))
    assert refused.value.facts["place"] == "sheet1.xml B9"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-a-workbook"),
        (b"a,b\n1,2", "not-a-workbook"),
        (b"PK\x03\x04 and then nothing", "workbook-unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "workbook-unreadable"),
    ],
)
def test_what_is_no_workbook_is_refused(data: bytes, code: str) -> None:
    """Text, an empty file and a broken container are bad input."""
    with pytest.raises(BadInput, match=code):
        read_xlsx(data)


def test_a_workbook_without_a_known_header_is_refused() -> None:
    """A workbook in which no sheet knows a stem is bad input."""
    with pytest.raises(BadInput, match="columns-unknown"):
        read_xlsx(workbook(("表", [["甲", "乙"], [1, 2]])))


GOOD = workbook(("题", [HEADER, ROW]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_workbook_is_read_or_refused(data: st.DataObject) -> None:
    """Any three changed bytes of a workbook leave it readable or make it bad input; no other error escapes."""
    damaged = bytearray(GOOD)
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_xlsx(bytes(damaged))
    except BadInput:
        return


def test_cells_at_the_ends_of_a_sheet_are_refused() -> None:
    """A workbook of two cells with seventeen thousand million between them is refused before memory is taken."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, "题干")
        sheet.write_string(1_048_575, 16_383, "x")
    with pytest.raises(BadInput, match="workbook-unsafe"):
        read_xlsx(buffer.getvalue())
