"""Mutated files of every form: each is read to the last row or refused as bad input; no other error escapes."""

import html
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from random import Random

import pytest

from server.errors import BadInput
from server.itembank.interchange.exporting import EXPORT_FORMS, exported
from server.itembank.interchange.files import read_table
from server.itembank.interchange.forms import Format, format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import RowStatus
from server.itembank.interchange.sanitising import sanitised
from server.itembank.items import ItemContent, MarkingPoint, SubItem, fault_of
from tests.support.measured import append_measured
from tests.support.papers import small_bank

QTI = (
    '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="i1">'
    '<responseDeclaration identifier="R" cardinality="multiple" baseType="identifier"><correctResponse>'
    '<value>x</value></correctResponse><mapping><mapEntry mapKey="x" mappedValue="1"/></mapping>'
    '</responseDeclaration><outcomeDeclaration identifier="MAXSCORE"><defaultValue><value>2</value></defaultValue>'
    '</outcomeDeclaration><itemBody><p>Q <math><mi>x</mi></math><img src="p.png"/></p>'
    '<choiceInteraction responseIdentifier="R"><prompt>P</prompt><simpleChoice identifier="x">1</simpleChoice>'
    '<simpleChoice identifier="y">2</simpleChoice></choiceInteraction>'
    '<rubricBlock view="scorer">r</rubricBlock><extendedTextInteraction responseIdentifier="S"/></itemBody>'
    '<responseProcessing template="http://x/match_correct"/></assessmentItem>'
)
TYPED = (
    "案例题\n案例一：材\n1. 甲？（2分）\nA.x B.y\n答案：A\n2. 乙？\n答：（1）一\n（2）二\n"
    "简答题\n1. 丙？\n答：1. 一\n2. 二\n评分标准：一（1分）；二（2分）\n"
    "一、单选题（每题2分）\n1. 题（C）\nA.甲 B.乙 C.丙\n2、又____\nA 甲  B 乙\n答案：A 解析：略\n"
    "二、判断题\n1. 丁（ ）\n参考答案\n一、单选题\n1-2 CA\n二、判断题\n1.√\n"
)
AIKEN = "Q?\nA. a\nB) b\nANSWER: B\n\nR?\nA. a\nANSWER: A\n"
GIFT = (
    "// [id:x] [tag:difficulty:0.5]\n$CATEGORY: a/b\n\n::t::[html]Q{=a ~%50%b#no}\n\nR {#3.1:0.2}\n\n"
    "S {T####e}\n\nU {=a -> b}\n\nV {####w}\n"
)
WORD = (
    '<w:document xmlns:w="w" xmlns:m="m"><w:body><w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/>'
    '</w:numPr></w:pPr><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>题（A）</w:t></w:r></w:p>'
    "<w:p><w:r><w:t>A. 甲</w:t></w:r></w:p><w:p><w:r><w:t>B. 乙</w:t><w:drawing/></w:r></w:p><w:tbl><w:tr/></w:tbl>"
    "<w:p><m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:rad><m:deg/><m:e><m:r><m:t>x</m:t></m:r></m:e>"
    '</m:rad></m:den></m:f><m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:e/></m:nary></m:oMath></w:p><w:tbl><w:tr>'
    '<w:tc><w:tcPr><w:gridSpan w:val="2"/><w:vMerge w:val="restart"/></w:tcPr><w:p><w:r><w:t>格</w:t></w:r></w:p>'
    "</w:tc></w:tr><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr></w:tc></w:tr></w:tbl>"
    "</w:body></w:document>"
)
NUMBERS = (
    '<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
    '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)
FURTHER = (
    ItemContent("K1", "short", "为什么？", (), (), (), "1.1", 0.6, 3.0, model="因为",
                rubric=(MarkingPoint("一", 1.0), MarkingPoint("二", 2.0))),
    ItemContent("K2", "case", "材料", (), (), (), "1.1", 0.6, 3.0, parts=(
        SubItem("single", "甲", ("x", "y"), ("A",), (), 1.0), SubItem("short", "乙", (), (), (), 2.0, model="略"))),
)  # fmt: skip
ROWS = (
    "编号,题型,题干,选项A,选项B,答案,评分要点,分值,所属案例,小题\nC,案例题,材料,,,,,6,,\nC1,单选题,甲,x,y,A,,2,C,\n"
    'C2,简答题,乙,,,略,"一（2分）；二（2分）",4,C,\nD,综合题,丙,,,,,,,"[{""stem"": ""丁"", ""answer"": ""√""}]"\n'
)
TOKENS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"<", b">", b"&", b"]]>", b"<!--", b"<![CDATA[", b"<!DOCTYPE a>", b"\"", b"'",
    b"{", b"}", b"=", b"~", b"#", b"\\", b"->", b"%", b"%100%", b"1e999", b"nan", b"-", b"9" * 40, b"\n", b"\r",
    b"\t", b",", b";", b"/", b"::", b"A.", b"1.", "答案".encode(), "（A）".encode(), b"____",
    "题".encode("gb18030"), "\u2028".encode(), b"[[", b"{}", b"null", b"\\ud800", b"&#xd800;", b"&#1;",
    b"PK\x03\x04", b"@@PLUGINFILE@@/x", b"{1:SHORTANSWER:=", b"<file name='x'>", b"<img src=x>", b"html",
)  # fmt: skip


def container(**parts: str) -> bytes:
    """Write a zip of parts, stored so that a mutation reaches their text."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def documents() -> Mapping[str, tuple[str, Callable[[Random], bytes]]]:
    """Return form → (file name, maker of mutated files)."""
    out = {form: exported((*small_bank()[:6], *FURTHER), form).data for form in EXPORT_FORMS}
    plain = {
        "csv": ("a.csv", out["csv"]),
        "csv-cases": ("a.csv", ROWS.encode()),
        "json": ("a.json", out["json"]),
        "jsonl": (
            "a.jsonl",
            b'{"stem": "Q", "answer": ["T"]}\n{"stem": "R", "options": {"A": "x", "B": 1}}\n',
        ),
        "gift": ("a.gift", GIFT.encode()),
        "gift-own": ("a.gift", out["gift"]),
        "aiken": ("a.aiken", AIKEN.encode()),
        "moodle": ("a.xml", out["moodle"]),
        "qti": ("a.xml", QTI.encode()),
        "text": ("a.txt", TYPED.encode()),
        "xlsx": ("a.xlsx", out["xlsx"]),
    }
    made: dict[str, tuple[str, Callable[[Random], bytes]]] = {
        form: (name, lambda random, data=data: mutated(data, random))  # type: ignore[misc]
        for form, (name, data) in plain.items()
    }
    made["docx"] = (
        "a.docx",
        lambda random: mutated_parts(random, {"word/document.xml": WORD, "word/numbering.xml": NUMBERS}),
    )
    made["qti-package"] = (
        "a.zip",
        lambda random: mutated_parts(random, {"a.xml": QTI, "imsmanifest.xml": MANIFEST}),
    )
    return made


MANIFEST = '<manifest><resources><resource type="imsqti_item_xmlv2p1" href="a.xml"/></resources></manifest>'


def mutated(data: bytes, random: Random) -> bytes:
    """Return a file with one to six changes: bytes changed, taken out or doubled, tokens put in, an end cut off."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(changed) + 1)
        kind = random.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] = random.randrange(256)
        elif kind == 1:
            del changed[at : at + random.randint(1, 20)]
        elif kind == 2:
            changed[at:at] = random.choice(TOKENS)
        elif kind == 3:
            changed[at:at] = changed[at : at + random.randint(1, 60)]
        elif kind == 4:
            changed[at : at + random.randint(1, 8)] = random.choice(TOKENS)
        elif random.random() < 0.2:
            del changed[at:]
    return bytes(changed)


def well_formed(text: str, random: Random) -> str:
    """Return an XML text that still is one: words changed, elements without others inside taken out or doubled."""
    for _ in range(random.randint(1, 6)):
        if random.random() < 0.5:
            pieces = re.split(r"(<[^>]*>)", text)
            worded = [place for place in range(0, len(pieces), 2) if pieces[place].strip()]
            if worded:
                place = random.choice(worded)
                changed = mutated(html.unescape(pieces[place]).encode(), random).decode("utf-8", "replace")
                pieces[place] = html.escape(_UNWRITTEN.sub("", changed))
            text = "".join(pieces)
        elif found := list(_INNER.finditer(text)):
            one = random.choice(found)
            text = text[: one.start()] + one.group() * random.choice((0, 2, 3)) + text[one.end() :]
    return text


_INNER = re.compile(r"<([\w:]+)(?:\s[^<>]*)?(?:/>|>[^<>]*</\1>)")
_UNWRITTEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def mutated_parts(random: Random, parts: Mapping[str, str]) -> bytes:
    """Return a container of mutated parts, or a mutated container."""
    if random.random() < 0.2:
        return mutated(container(**parts), random)
    if random.random() < 0.6:
        return container(**{name: well_formed(text, random) for name, text in parts.items()})
    return container(
        **{name: mutated(text.encode(), random).decode("utf-8", "replace") for name, text in parts.items()}
    )


DOCUMENTS = documents()


def attack(form: str, seed: int, times: int) -> int:
    """Read so many mutated files of a form; return how many were read and not refused."""
    random = Random(f"{form} {seed}")
    name, make = DOCUMENTS[form]
    read = 0
    for _ in range(times):
        data = make(random)
        try:
            chosen: Format = format_of(name, data)
            table = read_table(data, chosen)
            reading = read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))
        except BadInput:
            continue
        read += 1
        assert len(reading.outcomes) == len(table.rows)
        for outcome in reading.outcomes:
            assert outcome.content is not None or outcome.remarks
            assert outcome.content is None or fault_of(outcome.content) is None
            below = any(one.code == "row-is-sub-item" for one in outcome.remarks)
            assert outcome.status is not RowStatus.IMPORTED or outcome.content is not None or below
    return read


@pytest.mark.parametrize("form", sorted(DOCUMENTS))
def test_mutated_files_are_read_or_refused(form: str) -> None:
    """Of 200 mutated files of each form none raises anything but BadInput, and some are still read."""
    assert attack(form, 1, 200) > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_mutated_files_are_read_or_refused() -> None:
    """Of 9,000 mutated files of each form, 117,000 of thirteen, none raises anything but BadInput."""
    read = {form: attack(form, 2, 9_000) for form in sorted(DOCUMENTS)}
    assert all(read.values())
    figures = {f"{form}: read of 9,000": count for form, count in read.items()}
    append_measured("mutated import files", {"files": 9_000 * len(read), **figures, "other errors": 0})
