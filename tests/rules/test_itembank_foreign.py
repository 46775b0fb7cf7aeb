"""Files as other producers write them: WPS's pictures in cells, prefixed namespaces, CDATA, byte order marks, CRLF,
rubrics, feedback, mappings and assets in folders; what is not taken is named."""

import base64
import io
import zipfile

import pytest
import xlsxwriter

from server.itembank.interchange.files import read_table
from server.itembank.interchange.forms import Format, format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading
from server.itembank.interchange.sanitising import sanitised

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f00030601"
    "801a34e9350000000049454e44ae426082"
)


def read(name: str, data: bytes, expected: Format) -> Reading:
    """Read a file as the form that it is found to be."""
    form = format_of(name, data)
    assert form == expected
    table = read_table(data, form, None, None)
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def doubts(reading: Reading) -> list[list[str]]:
    """Return the codes of the doubts of each row."""
    return [[one.code for one in outcome.remarks if one.doubt] for outcome in reading.outcomes]


def zipped(parts: dict[str, str | bytes], onto: bytes = b"") -> bytes:
    """Return a container with these parts, added to one that exists."""
    buffer = io.BytesIO(onto)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_pictures_that_wps_keeps_in_cells_come_along() -> None:
    """A cell of `DISPIMG` shows its picture as stem or option; one whose picture is missing is a doubt, not dropped."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("单选题")
    sheet.write_row(0, 0, ("题干", "A", "B", "答案", "题图"))
    for row in (1, 2):
        sheet.write_row(row, 0, (f"第{row}题", "甲", "乙", "A"))
    for place, name in (("B2", "ID_A1"), ("E2", "ID_B2"), ("E3", "ID_GONE")):
        sheet.write_formula(place, f'=_xlfn.DISPIMG("{name}",1)', None, f'=DISPIMG("{name}",1)')
    book.close()
    image = (
        '<etc:cellImage><xdr:pic><xdr:nvPicPr><xdr:cNvPr id="2" name="{}"/></xdr:nvPicPr><xdr:blipFill>'
        '<a:blip r:embed="{}"/></xdr:blipFill></xdr:pic></etc:cellImage>'
    )
    space = "http://schemas.openxmlformats.org"
    related = '<Relationship Id="{0}" Type="image" Target="media/{0}.png"/>'
    data = zipped(
        {
            "xl/cellimages.xml": f'<etc:cellImages xmlns:etc="e" xmlns:xdr="{space}/x" xmlns:a="{space}/a" '
            f'xmlns:r="{space}/r">{image.format("ID_A1", "rId1")}{image.format("ID_B2", "rId2")}</etc:cellImages>',
            "xl/_rels/cellimages.xml.rels": f"<Relationships>{related.format('rId1')}{related.format('rId2')}"
            "</Relationships>",
            "xl/media/rId1.png": PNG,
            "xl/media/rId2.png": PNG,
        },
        buffer.getvalue(),
    )
    reading = read("wps.xlsx", data, "xlsx")
    first, second = (one.content for one in reading.outcomes)
    assert first is not None and second is not None
    assert first.options[0].startswith('<img src="data:image/png')
    assert first.stem.startswith("第1题<br><img src=")
    assert doubts(reading) == [[], ["picture-missing"]]


def test_moodle_xml_of_another_producer() -> None:
    """A byte order mark, CRLF, comments, CDATA beside escaped text and a picture in a folder change nothing; a wrong
    answer's penalty and feedback are no key."""
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\r\n<!-- kept by another -->\r\n<quiz>\r\n'
        '<question type="multichoice">\r\n<name><text><![CDATA[Q-7]]></text></name>\r\n'
        '<questiontext format="html">\r\n<text><![CDATA[<p>x &lt; 2 &amp;]]>&lt;img '
        'src="@@PLUGINFILE@@/img/p%201.png"&gt;<![CDATA[</p>]]></text>\r\n'
        f'<file name="p 1.png" path="/img/" encoding="base64">\r\n{base64.b64encode(PNG).decode()}\r\n</file>'
        "</questiontext>\r\n<defaultgrade>2.0000000</defaultgrade><single>true</single>"
        "<shuffleanswers>1</shuffleanswers><correctfeedback><text>good</text></correctfeedback>\r\n"
        '<answer fraction="100.00000" format="html"><text><![CDATA[1]]></text><feedback><text>yes</text></feedback>'
        '</answer>\r\n<answer fraction="-33.33333"><text>3</text></answer>\r\n</question>\r\n</quiz>\r\n'
    )
    reading = read("q.xml", b"\xef\xbb\xbf" + text.encode(), "moodle")
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.label, content.type, content.key, content.options, content.score) == (
        "Q-7", "single", ("A",), ("1", "3"), 2.0
    )  # fmt: skip
    assert content.stem.startswith('<p>x &lt; 2 &amp;<img src="data:image/png')
    assert doubts(reading) == [[]]


def _qti(space: str) -> str:
    """Write a QTI 2 item with a prefix, a mapping, a rubric for scorers and feedback after the answer."""
    return (
        f'<q:assessmentItem xmlns:q="http://www.imsglobal.org/xsd/{space}" identifier="i9" adaptive="false">\r\n'
        '<q:responseDeclaration identifier="R" cardinality="multiple" baseType="identifier"><q:correctResponse>'
        "<q:value>a</q:value>\r\n<q:value> c </q:value></q:correctResponse><q:mapping defaultValue='0'>"
        '<q:mapEntry mapKey="a" mappedValue="1"/><q:mapEntry mapKey="c" mappedValue="1"/>'
        '<q:mapEntry mapKey="b" mappedValue="-1"/></q:mapping></q:responseDeclaration>'
        '<q:outcomeDeclaration identifier="MAXSCORE"><q:defaultValue><q:value>2.0</q:value></q:defaultValue>'
        '</q:outcomeDeclaration>\r\n<q:itemBody><q:div><q:p><![CDATA[x < 2]]> <q:img src="../assets/img/p.png" '
        'alt=""/></q:p></q:div><q:rubricBlock view="scorer"><q:p>look</q:p></q:rubricBlock>'
        '<q:choiceInteraction responseIdentifier="R" maxChoices="0"><q:prompt>Which?</q:prompt>'
        '<q:simpleChoice identifier="a">A1<q:feedbackInline outcomeIdentifier="F" identifier="a">well done'
        '</q:feedbackInline></q:simpleChoice><q:simpleChoice identifier="b">B1</q:simpleChoice>'
        '<q:simpleChoice identifier="c">C1</q:simpleChoice></q:choiceInteraction></q:itemBody>'
        '<q:responseProcessing template="http://www.imsglobal.org/question/qti/rptemplates/map_response"/>'
        '<q:modalFeedback outcomeIdentifier="F" identifier="x" showHide="show">told later</q:modalFeedback>'
        "</q:assessmentItem>"
    )


@pytest.mark.parametrize("space", ["imsqti_v2p1", "imsqti_v2p2"])
def test_a_qti_package_of_another_producer(space: str) -> None:
    """A prefixed item in a folder with its picture in another comes in whole; its rubric and its feedback within an
    option are named as left out and stand nowhere in the item."""
    manifest = (
        '<m:manifest xmlns:m="http://www.imsglobal.org/xsd/imscp_v1p1"><m:resources>'
        f'<m:resource type="imsqti_item_xmlv{space[-3:]}" href="items/one/i9.xml"><m:file href="items/one/i9.xml"/>'
        "</m:resource></m:resources></m:manifest>"
    )
    item = b"\xef\xbb\xbf" + _qti(space).encode()
    parts: dict[str, str | bytes] = {
        "imsmanifest.xml": manifest,
        "items/one/i9.xml": item,
        "items/assets/img/p.png": PNG,
    }
    reading = read("p.zip", zipped(parts), "qti")
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.label, content.type, content.key, content.options, content.score) == (
        "i9", "multiple", ("A", "C"), ("A1", "B1", "C1"), 2.0
    )  # fmt: skip
    assert 'src="data:image/png' in content.stem and "x &lt; 2" in content.stem and "Which?" in content.stem
    assert not [word for word in ("look", "well done", "told later") if word in repr(content)]
    assert doubts(reading) == [["part-left-out"] * len(doubts(reading)[0])]
    left = [one.facts["text"] for one in reading.outcomes[0].remarks if one.code == "part-left-out"]
    assert "told later" in left and "look" in left


def test_qti_3_of_another_producer() -> None:
    """Lower-case names with hyphens under a prefix, texts of a mapping as variants of a blank, and two gaps in one
    sentence come in as one fill-in item; a value with blanks around it is that value."""
    declared = (
        '<x:qti-response-declaration identifier="{0}" cardinality="single" base-type="string">'
        "<x:qti-correct-response><x:qti-value>\r\n {1} </x:qti-value></x:qti-correct-response>"
        '<x:qti-mapping default-value="0"><x:qti-map-entry map-key="{1}" mapped-value="1"/>'
        '<x:qti-map-entry map-key="{2}" mapped-value="1" case-sensitive="false"/></x:qti-mapping>'
        "</x:qti-response-declaration>"
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<x:qti-assessment-item xmlns:x="http://www.imsglobal.org/xsd/imsqtiasi_v3p0" identifier="b1" title="t">'
        f"{declared.format('R', 'H2O', 'water')}{declared.format('S', '100', 'one hundred')}"
        '<x:qti-item-body><x:p>It is <x:qti-text-entry-interaction response-identifier="R"/> at '
        '<x:qti-text-entry-interaction response-identifier="S"/> degrees.</x:p></x:qti-item-body>'
        '<x:qti-response-processing template="https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/map_response.xml"/>'
        "</x:qti-assessment-item>"
    )
    reading = read("b.xml", text.encode(), "qti")
    content = reading.outcomes[0].content
    assert content is not None
    assert (content.label, content.type) == ("b1", "fill")
    assert content.accepted == (("H2O", "water"), ("100", "one hundred"))
    assert content.stem.count('class="blank"') == 2
    assert doubts(reading) == [[]]
