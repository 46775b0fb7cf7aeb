"""Word documents: typed lines with automatic numbers, pictures and raised text; unsafe ones are refused."""

import base64
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.archive import MOST_PARTS
from server.itembank.interchange.docx import read_docx
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, RowStatus
from server.itembank.interchange.sanitising import sanitised

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OTHERS = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NUMBERING = f"""<w:numbering {W}>
<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>
<w:lvlText w:val="%1."/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="upperLetter"/>
<w:lvlText w:val="%1."/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>
</w:num></w:numbering>"""
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="image" Target="media/image1.png"/>'
    '<Relationship Id="rId2" Type="image" Target="http://127.0.0.1/x.png" TargetMode="External"/>'
    "</Relationships>"
)


def paragraph(*runs: str, number: int = 0) -> str:
    """Write a paragraph of runs, numbered by a list when one is named."""
    style = (
        f'<w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="{number}"/></w:numPr></w:pPr>' if number else ""
    )
    return f"<w:p>{style}{''.join(runs)}</w:p>"


def run(text: str, raised: str = "") -> str:
    """Write a run, raised or lowered."""
    style = f'<w:rPr><w:vertAlign w:val="{raised}"/></w:rPr>' if raised else ""
    return f'<w:r>{style}<w:t xml:space="preserve">{text}</w:t></w:r>'


def document(*blocks: str, **parts: bytes) -> bytes:
    """Write a document of blocks, with its list definitions and one picture."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        body = f"<w:document {W} {OTHERS}><w:body>{''.join(blocks)}</w:body></w:document>"
        file.writestr("word/document.xml", body)
        file.writestr("word/numbering.xml", NUMBERING)
        file.writestr("word/_rels/document.xml.rels", RELATIONS)
        file.writestr("word/media/image1.png", PNG)
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def table(*rows: tuple[str, ...]) -> str:
    """Write a table of texts."""
    cells = ("".join(f"<w:tc>{paragraph(run(text))}</w:tc>" for text in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def read(data: bytes) -> Reading:
    """Read a document."""
    table = read_docx(data)
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def lines(*texts: str) -> list[str]:
    """Write a paragraph for each text."""
    return [paragraph(run(text)) for text in texts]


def test_typed_paragraphs_become_items() -> None:
    """Paragraphs are read like the lines of a text, also when a stem is cut into several runs."""
    data = document(
        *lines("一、单选题"),
        paragraph(run("1. 水的"), run("沸点（B）。")),
        *lines("A. 90", "B. 100"),
        *lines("二、判断题", "1. 冰是热的。（×）"),
    )
    assert format_of("x.docx", data) == "docx"
    outcomes = read(data).outcomes
    assert [(one.place, one.content.key if one.content else None) for one in outcomes] == [
        ("paragraph 2", ("B",)),
        ("paragraph 6", ("F",)),
    ]


def test_automatic_numbers_and_letters_count_as_typed_ones() -> None:
    """Stems numbered and options lettered by Word's own lists come in, and a restarted list begins at A again."""
    data = document(
        paragraph(run("甲（A）"), number=1),
        paragraph(run("x"), number=2),
        paragraph(run("y"), number=2),
        paragraph(run("乙（B）"), number=1),
        paragraph(run("x"), number=3),
        paragraph(run("y"), number=3),
    )
    contents = [one.content for one in read(data).outcomes]
    assert [(one.stem, one.options, one.key) for one in contents if one] == [
        ("甲（　）", ("x", "y"), ("A",)),
        ("乙（　）", ("x", "y"), ("B",)),
    ]


def test_raised_and_lowered_text_and_pictures_come_along() -> None:
    """Superscripts become <sup>, an embedded picture stands in the stem, and a `<` beside them is escaped."""
    drawing = '<w:r><w:drawing><a:blip r:embed="rId1"/></w:drawing></w:r>'
    data = document(
        paragraph(
            run("1. 面积 &lt; 5 m"), run("2", "superscript"), drawing, run(" H"), run("2", "subscript")
        ),
        *lines("A. 是", "B. 不是", "答案：A"),
    )
    outcome = read(data).outcomes[0]
    assert outcome.content is not None
    assert outcome.content.stem.startswith('面积 &lt; 5 m<sup>2</sup><img src="data:image/png;base64,')
    assert outcome.content.stem.endswith(" H<sub>2</sub>")


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (
            "<w:p><m:oMath><m:phant><m:e><m:r><m:t>x=1</m:t></m:r></m:e></m:phant></m:oMath></w:p>",
            "formula-not-whole",
        ),
        ('<w:p><w:r><w:drawing><a:blip r:embed="rId2"/></w:drawing></w:r></w:p>', "picture-format-unknown"),
        ("<w:p><w:r><w:pict/></w:r></w:p>", "textbox-left-out"),
    ],
)
def test_what_is_passed_over_makes_its_item_doubtful(block: str, code: str) -> None:
    """A part of a formula, a picture from outside or a drawing is named on the item above it."""
    outcomes = read(document(*lines("1. 甲（√）"), block, *lines("2. 乙（√）"))).outcomes
    assert [one.status for one in outcomes] == [RowStatus.DOUBTFUL, RowStatus.IMPORTED]
    assert code in [remark.code for remark in outcomes[0].remarks]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"../evil.xml": b"x"}, "part outside the file"),
        ({"C:/evil.xml": b"x"}, "part outside the file"),
        ({"word/media/bomb.bin": bytes(8 * 1024 * 1024)}, "packed too densely"),
        ({f"x{number}": b"" for number in range(MOST_PARTS)}, "too many parts"),
    ],
)
def test_an_unsafe_container_is_refused(parts: dict[str, bytes], reason: str) -> None:
    """A part outside, a bomb and a swarm of parts are refused with the reason."""
    with pytest.raises(BadInput, match="archive-unsafe") as refused:
        read_docx(document(*lines("1. 甲（√）"), **parts))
    assert refused.value.facts["reason"] == reason


def test_an_entity_bomb_within_a_document_is_refused() -> None:
    """A document type with entities in the main part is refused."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("word/document.xml", '<!DOCTYPE w [<!ENTITY a "aa">]><w>&a;</w>')
    with pytest.raises(BadInput, match="xml-unsafe"):
        read_docx(buffer.getvalue())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "archive-unreadable"),
        (b"PK\x03\x04 no", "archive-unreadable"),
        (b"{\\rtf1}", "archive-unreadable"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, code: str) -> None:
    """An empty file, a broken container and another form are bad input."""
    with pytest.raises(BadInput, match=code):
        read_docx(data)


GOOD = document(*lines("1. 题（A）", "A. 甲", "B. 乙"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_document_is_read_or_refused(data: st.DataObject) -> None:
    """Any three changed bytes leave a document readable or make it bad input; no other error escapes."""
    damaged = bytearray(GOOD)
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(damaged))
    except BadInput:
        return


def t(text: str) -> str:
    """Write a run of a formula."""
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("formula", "mathml"),
    [
        (f"<m:f><m:num>{t('1')}</m:num><m:den>{t('2a')}</m:den></m:f>",
         "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn><mi>a</mi></mrow></mfrac>"),
        (f"<m:f><m:fPr><m:type m:val='lin'/></m:fPr><m:num>{t('x')}</m:num><m:den>{t('y')}</m:den></m:f>",
         "<mrow><mrow><mi>x</mi></mrow><mo>/</mo><mrow><mi>y</mi></mrow></mrow>"),
        (f"<m:sSup><m:e>{t('x')}</m:e><m:sup>{t('2')}</m:sup></m:sSup>",
         "<msup><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></msup>"),
        (f"<m:sSubSup><m:e>{t('x')}</m:e><m:sub>{t('i')}</m:sub><m:sup>{t('2')}</m:sup></m:sSubSup>",
         "<msubsup><mrow><mi>x</mi></mrow><mrow><mi>i</mi></mrow><mrow><mn>2</mn></mrow></msubsup>"),
        (f"<m:rad><m:radPr><m:degHide m:val='1'/></m:radPr><m:deg/><m:e>{t('b-4')}</m:e></m:rad>",
         "<msqrt><mi>b</mi><mo>−</mo><mn>4</mn></msqrt>"),
        (f"<m:rad><m:deg>{t('3')}</m:deg><m:e>{t('8')}</m:e></m:rad>",
         "<mroot><mrow><mn>8</mn></mrow><mrow><mn>3</mn></mrow></mroot>"),
        (f"<m:d><m:dPr><m:begChr m:val='{{'/><m:endChr m:val=''/></m:dPr><m:e>{t('x')}</m:e></m:d>",
         '<mrow><mo stretchy="true" fence="true">{</mo><mrow><mrow><mi>x</mi></mrow></mrow></mrow>'),
        (f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{t('i')}</m:sub><m:sup>{t('n')}</m:sup><m:e>{t('i')}"
         "</m:e></m:nary>",
         '<mrow><munderover><mo largeop="true" movablelimits="false">∑</mo><mrow><mi>i</mi></mrow>'
         "<mrow><mi>n</mi></mrow></munderover><mrow><mi>i</mi></mrow></mrow>"),
        (f"<m:m><m:mr><m:e>{t('1')}</m:e><m:e>{t('0')}</m:e></m:mr></m:m>",
         "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr></mtable>"),
        ("<m:r><m:rPr><m:sty m:val='p'/></m:rPr><m:t>sin</m:t></m:r>", "<mi>sin</mi>"),
        (t("电压=220"), "<mtext>电压</mtext><mo>=</mo><mn>220</mn>"),
        (t("a&lt;b"), "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)  # fmt: skip
def test_formulas_become_mathml(formula: str, mathml: str) -> None:
    """Each usual structure of Word's formulas stands in the stem as MathML that the sanitiser keeps as it is."""
    data = document(paragraph(run("1. 求 "), f"<m:oMath>{formula}</m:oMath>", run("（√）")))
    (outcome,) = read(data).outcomes
    assert outcome.content is not None
    assert f"<math>{mathml}</math>" in outcome.content.stem
    assert "formula-not-whole" not in [one.code for one in outcome.remarks]


def test_a_table_stands_in_its_item() -> None:
    """A table keeps its cells, joined ones among them, and a formula within a cell."""
    joined = (
        '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p><w:r><w:t>参数&lt;表</w:t></w:r></w:p>'
        "</w:tc></w:tr>"
        f"<w:tr><w:tc><w:p><w:r><w:t>甲</w:t></w:r></w:p></w:tc><w:tc><w:p><m:oMath>{t('x')}</m:oMath></w:p></w:tc></w:tr></w:tbl>"
    )
    (outcome,) = read(document(*lines("1. 见下表（√）"), joined)).outcomes
    assert outcome.content is not None
    assert (
        '<table><tbody><tr><td colspan="2">参数&lt;表</td></tr><tr><td>甲</td><td><math><mi>x</mi></math></td></tr>'
        "</tbody></table>"
    ) in outcome.content.stem


def test_options_laid_out_in_a_table_and_answers_in_one() -> None:
    """A table of lettered cells gives options; a table of numbers and answers is the list of answers."""
    data = document(
        *lines("一、单选题", "1. 甲（　）"),
        table(("A. 一", "B. 二"), ("C. 三", "D. 四")),
        *lines("2. 乙（　）", "A. 一  B. 二"),
        table(("题号", "1", "2"), ("答案", "C", "B")),
    )
    contents = [one.content for one in read(data).outcomes]
    assert [(one.options, one.key) for one in contents if one] == [
        (("一", "二", "三", "四"), ("C",)),
        (("一", "二"), ("B",)),
    ]


def styled(text: str, style: str) -> str:
    """Write a run of a style."""
    return f'<w:r><w:rPr>{style}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


RED, BOLD, LINE = '<w:color w:val="FF0000"/>', "<w:b/>", '<w:u w:val="single"/>'


def test_an_option_set_off_from_the_others_is_the_key_and_a_doubt() -> None:
    """A red option, or a bold one within a line of options, is taken for the key of an item that has none; where all
    are bold, or the key is told, letters say nothing."""
    blocks = (*lines("1. 甲", "A. 子"), paragraph(styled("B. 丑", RED)), *lines("2. 乙"),
              paragraph(run("A. 子  "), styled("B. 丑", BOLD), run("  C. 寅")),
              *(paragraph(styled(text, BOLD)) for text in ("3. 丙", "A. 子", "B. 丑", "答案：A")))  # fmt: skip
    outcomes = read(document(*blocks)).outcomes
    assert [(one.content.key, one.status.value) for one in outcomes if one.content] == [
        (("B",), "doubtful"),
        (("B",), "doubtful"),
        (("A",), "imported"),
    ]


def test_tables_of_items_are_items() -> None:
    """Each row of a table of items is one, of the type that the heading above tells, beside typed items."""
    items = table(("序号", "题目", "A", "B", "答案"), ("1", "甲", "x", "y", "B"))
    judged = table(("题干", "答案"), ("丙", "×"))
    reading = read(document(*lines("1. 乙（√）"), items, *lines("二、判断题"), judged))
    assert [(one.content.type, one.content.key) for one in reading.outcomes if one.content] == [
        ("judge", ("T",)),
        ("single", ("B",)),
        ("judge", ("F",)),
    ]


def test_answers_below_each_other_and_lines_to_write_on() -> None:
    """A table of numbers beside answers is a list of answers, and underlined spaces are a blank."""
    typed = (*lines("一、填空题"), paragraph(run("1. 首都是"), styled("     ", LINE), run("。")),
             *lines("答案：北京", "二、判断题", "2. 乙（ ）", "3. 丙（ ）"))  # fmt: skip
    reading = read(document(*typed, table(("题号", "答案"), ("2", "√"), ("3", "×"))))
    contents = [one.content for one in reading.outcomes if one.content]
    assert [(one.accepted, one.key) for one in contents] == [((("北京",),), ()), ((), ("T",)), ((), ("F",))]
