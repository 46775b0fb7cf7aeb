"""Moodle XML becomes rows like any other file; what this bank does not hold is skipped by name."""

from collections import Counter
from pathlib import Path

import pytest

from server.errors import BadInput
from server.itembank.interchange.files import read_file
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.moodle_xml import read_moodle_xml
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading
from server.itembank.interchange.sanitising import sanitised
from server.itembank.interchange.xml_tree import DEEPEST, parsed

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def quiz(*questions: str) -> bytes:
    """Write a quiz of questions."""
    return f'<?xml version="1.0" encoding="UTF-8"?><quiz>{"".join(questions)}</quiz>'.encode()


def question(kind: str, stem: str, *parts: str) -> str:
    """Write one question."""
    return (
        f'<question type="{kind}"><name><text>n1</text></name>'
        f'<questiontext format="html"><text><![CDATA[{stem}]]></text></questiontext>{"".join(parts)}</question>'
    )


def answer(share: str, text: str, *parts: str) -> str:
    """Write one answer."""
    return f'<answer fraction="{share}"><text>{text}</text>{"".join(parts)}</answer>'


def read(data: bytes) -> Reading:
    """Read a quiz by its columns."""
    table = read_moodle_xml(data)
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


@pytest.mark.parametrize(
    ("text", "kind", "key", "accepted"),
    [
        (question("multichoice", "Q", "<single>true</single>", answer("100", "a"), answer("0", "b")),
         "single", ("A",), ()),
        (question("multichoice", "Q", "<single>false</single>", answer("50", "a"), answer("-50", "b"),
                  answer("50", "c")), "multiple", ("A", "C"), ()),
        (question("truefalse", "Q", answer("0", "true"), answer("100", "false")), "judge", ("F",), ()),
        (question("shortanswer", "Q", answer("100", "x"), answer("100", "y"), answer("0", "z")),
         "fill", (), (("x", "y"),)),
        (question("numerical", "Q", answer("100", "3.14", "<tolerance>0.01</tolerance>")),
         "fill", (), (("3.14±0.01",),)),
        (question("numerical", "Q", answer("100", "4", "<tolerance>0</tolerance>")), "fill", (), (("4",),)),
        (question("cloze", "a {1:SHORTANSWER:=x~=y} b {1:NM:=2:0.5}"), "fill", (), (("x", "y"), ("2±0.5",))),
    ],
)  # fmt: skip
def test_a_moodle_question_becomes_an_item(
    text: str, kind: str, key: tuple[str, ...], accepted: tuple[tuple[str, ...], ...]
) -> None:
    """Each kind that the bank can hold gives its type and key."""
    content = read(quiz(text)).outcomes[0].content
    assert content is not None
    assert (content.type, content.key, content.accepted, content.label) == (kind, key, accepted, "n1")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (question("matching", "Q"), "matching"),
        (question("ddmarker", "Q"), "ddmarker"),
        (question("cloze", "no gaps"), "cloze (no gap)"),
        (question("cloze", "{1:MULTICHOICE}"), "cloze (unreadable gap)"),
        (question("cloze", "{1:MULTICHOICE:%50%a~=b}"), "cloze (part credit)"),
        (question("cloze", "{1:MCV:~%50%a~b}"), "cloze (part credit)"),
        (question("cloze", "{1:MC:~=a~%-50%b} {1:SA:=c}"), "cloze (penalty)"),
        (question("cloze", "{1:SA:=a~%50%b}"), "cloze (part credit)"),
        (question("cloze", "{1:SA:=a*}"), "cloze (pattern)"),
        (question("cloze", "{1:NM:=two}"), "cloze (pattern)"),
        (question("cloze", "{1:SA:a}"), "cloze (gap without an answer)"),
        (question("cloze", "{0:SA:=a} {1:SA:=b}"), "cloze (gap without a score)"),
        (question("cloze", "{1:MATCH:=a}"), "cloze (MATCH)"),
        (question("shortanswer", "Q", answer("100", "a*")), "shortanswer (pattern)"),
        (question("shortanswer", "Q", answer("100", "a"), answer("50", "b")), "shortanswer (part credit)"),
        (question("multichoice", "Q", "<single>true</single>", answer("100", "a"), answer("50", "b")),
         "multichoice (part credit)"),
        (question("numerical", "Q", answer("100", "*")), "numerical (part credit or pattern)"),
    ],
)  # fmt: skip
def test_what_the_bank_does_not_hold_is_skipped_by_name(text: str, named: str) -> None:
    """Other kinds, part credit and patterns are skipped, and the reason names them."""
    outcome = read(quiz(text)).outcomes[0]
    assert (outcome.content, outcome.remarks[-1].code) == (None, "type-not-held")
    assert outcome.remarks[-1].facts["type"] == named


def test_an_essay_is_a_short_answer_by_what_its_graders_are_told() -> None:
    """What graders are told is the model answer; an essay that tells them nothing is a doubt and not taken."""
    told = '<graderinfo format="html"><text>&lt;p&gt;because&lt;/p&gt;</text></graderinfo>'
    with_answer, without = read(quiz(question("essay", "Why?", told), question("essay", "How?"))).outcomes
    assert with_answer.content is not None
    assert (with_answer.content.type, with_answer.content.model) == ("short", "<p>because</p>")
    assert (without.content, without.remarks[-1].code) == (None, "item-without-model-answer")


def test_pictures_come_along_and_other_attachments_are_doubts() -> None:
    """A picture of the question stands in the stem; a sound that it links to is named as left out."""
    stem = '<p><img src="@@PLUGINFILE@@/a%20b.png" alt="x"> <a href="@@PLUGINFILE@@/s.mp3">hear</a></p>'
    files = f'<file name="a b.png" encoding="base64">{PNG}</file>'
    text = question("truefalse", "Q", answer("100", "true")).replace(
        "<![CDATA[Q]]></text>", f"<![CDATA[{stem}]]></text>{files}"
    )
    outcome = read(quiz(text)).outcomes[0]
    assert outcome.content is not None
    assert 'src="data:image/png;base64,' in outcome.content.stem
    assert [one.facts for one in outcome.remarks if one.code == "attachment-left-out"] == [
        {"attachment": "s.mp3"}
    ]


def test_a_category_is_the_point_without_moodles_roots() -> None:
    """The path of a category names the knowledge point; a doubled slash is one within a name."""
    category = (
        '<question type="category"><category><text>$course$/top/Safety/a//b</text></category></question>'
    )
    outcome = read(quiz(category, question("truefalse", "Q", answer("100", "true")))).outcomes[0]
    assert outcome.content is not None
    assert outcome.content.point == "Safety/a/b"


BOMB = b'<!DOCTYPE quiz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><quiz>&b;</quiz>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BOMB, "xml-unsafe"),
        (b'<!DOCTYPE quiz [<!ENTITY x SYSTEM "file:///etc/passwd">]><quiz>&x;</quiz>', "xml-unsafe"),
        (b'<!DOCTYPE quiz SYSTEM "http://127.0.0.1/x.dtd"><quiz>&x;</quiz>', "xml-unsafe"),
        (b"<quiz>" + b"<a>" * DEEPEST + b"</a>" * DEEPEST + b"</quiz>", "xml-unsafe"),
        (b"<quiz><a></quiz>", "xml-broken"),
        (b"<quiz>&nbsp;</quiz>", "xml-broken"),
        (b"", "xml-broken"),
        (b"\xff\xfe\x00", "xml-broken"),
        (b'<?xml version="1.0" encoding="x-none"?><quiz/>', "xml-broken"),
        (b"<html><body/></html>", "moodle-without-questions"),
        (b"<quiz/>", "moodle-without-questions"),
    ],
)
def test_unsafe_and_broken_xml_is_refused_whole(data: bytes, code: str) -> None:
    """Entities, endless nesting, broken markup and other documents are bad input."""
    with pytest.raises(BadInput, match=code):
        read_moodle_xml(data)


@pytest.mark.parametrize("encoding", ["gb2312", "GBK", "gb18030", "utf-16", "big5"])
def test_xml_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    """Chinese text comes in from XML in each encoding that such files are kept in."""
    data = f'<?xml version="1.0" encoding="{encoding}"?><quiz>一二三</quiz>'.encode(encoding)
    assert parsed(data).text() == "一二三"


def test_every_question_of_the_real_moodle_files_is_accounted_for(shared: Path) -> None:
    """Each question of the thirteen real files is imported, doubtful or skipped with a reason."""
    folder = shared / "data" / "moodle" / "question" / "format" / "xml" / "tests" / "fixtures"
    if not folder.is_dir():
        pytest.skip("../shared/data/moodle is not here")
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for path in sorted(folder.glob("*.xml")):
        read_of = read_file(path)
        assert read_of.format == "moodle"
        questions = path.read_text(encoding="utf-8").count("<question type=")
        categories = path.read_text(encoding="utf-8").count('<question type="category"')
        assert len(read_of.reading.outcomes) == questions - categories, path.name
        for outcome in read_of.reading.outcomes:
            assert outcome.content is not None or outcome.remarks
            counts[outcome.status.value] += 1
            kinds.update(str(one.facts["type"]) for one in outcome.remarks if one.code == "type-not-held")
    assert sum(counts.values()) == 25
    assert kinds == {
        "cloze (no gap)": 1,
        "cloze (part credit)": 3,
        "cloze (pattern)": 1,
        "cloze (unreadable gap)": 1,
    }
    assert counts["skipped"] == 6


def test_a_flood_of_open_gaps_is_no_cloze() -> None:
    """A text of forty thousand gaps that never close is skipped as cloze without a search from each of them."""
    outcome = read(quiz(question("cloze", "{1:SA:" * 40_000))).outcomes[0]
    assert outcome.remarks[-1].facts["type"] == "cloze (unreadable gap)"


def test_a_cloze_with_choices_is_a_case() -> None:
    """Each gap becomes a sub-item worth its weight, and a number stands in its place; all variants of Moodle's
    choices are read, with feedback, escapes and entities."""
    text = (
        "<p>x &lt; 2: {2:MULTICHOICE:~=a &amp; b#well done~%0%c~d\\}} and {1:MCVS:e~%100%&#60;f#no}, "
        "{:MULTIRESPONSE_H:%50%g~%50%h~%-100%i}, {3:SHORTANSWER:=R&amp;D~=&#39;q&#39;#yes~*#wrong}, "
        "{1:NUMERICAL:=2:0.5~=3}</p>"
    )
    outcome = read(quiz(question("cloze", text))).outcomes[0]
    content = outcome.content
    assert content is not None
    assert not [one for one in outcome.remarks if one.doubt]
    assert (content.type, content.score) == ("case", 8.0)
    assert (
        content.stem
        == "<p>x &lt; 2: <b>（1）</b> and <b>（2）</b>, <b>（3）</b>, <b>（4）</b>, <b>（5）</b></p>"
    )
    assert [(one.type, one.options, one.key, one.accepted, one.score) for one in content.parts] == [
        ("single", ("a &amp; b", "c", "d}"), ("A",), (), 2.0),
        ("single", ("e", "&lt;f"), ("B",), (), 1.0),
        ("multiple", ("g", "h", "i"), ("A", "B"), (), 1.0),
        ("fill", (), (), (("R&D", "'q'"),), 3.0),
        ("fill", (), (), (("2±0.5", "3"),), 1.0),
    ]


def test_a_cloze_of_one_choice_is_that_choice_and_uneven_gaps_are_a_case() -> None:
    """One gap to choose in is a choice with brackets in its sentence; blanks that weigh differently keep their weights,
    scaled to the grade that the question states."""
    one, uneven, even = read(
        quiz(
            question("cloze", "The sky is {1:MC:red~=blue}."),
            question("cloze", "a {1:SA:=x} b {3:SA:=y}", "<defaultgrade>2</defaultgrade>"),
            question("cloze", "a {2:SA:=x} b {2:SA:=y}"),
        )
    ).outcomes
    assert one.content is not None and uneven.content is not None and even.content is not None
    assert (one.content.type, one.content.stem, one.content.options, one.content.key) == (
        "single", "The sky is （　）.", ("red", "blue"), ("B",)
    )  # fmt: skip
    assert [(part.accepted, part.score) for part in uneven.content.parts] == [
        ((("x",),), 0.5),
        ((("y",),), 1.5),
    ]
    assert (even.content.type, even.content.score) == ("fill", 4.0)
