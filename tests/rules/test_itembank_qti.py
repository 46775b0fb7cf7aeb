"""QTI items of both vocabularies, loose and in packages; other interactions are skipped by name."""

import base64
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.files import read_file
from server.itembank.interchange.forms import format_of
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.qti_package import read_qti_item, read_qti_package
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, SourceTable
from server.itembank.interchange.sanitising import sanitised

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ABC = "".join(f'<simpleChoice identifier="{name}">{name}</simpleChoice>' for name in ("x", "y", "z"))


def item(body: str, *values: str, cardinality: str = "single", more: str = "", mapping: str = "") -> str:
    """Write an item with one declared response."""
    right = "".join(f"<value>{value}</value>" for value in values)
    correct = f"<correctResponse>{right}</correctResponse>" if values else ""
    return (
        '<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="i1">'
        f'<responseDeclaration identifier="R" cardinality="{cardinality}" baseType="identifier">{correct}{mapping}'
        f"</responseDeclaration><itemBody>{body}</itemBody>{more}</assessmentItem>"
    )


def choice(inner: str = ABC, maximum: int = 1) -> str:
    """Write a choice interaction below a question."""
    return f'<p>Q</p><choiceInteraction responseIdentifier="R" maxChoices="{maximum}">{inner}</choiceInteraction>'


def third(text: str) -> str:
    """Write the same in the vocabulary of QTI 3."""
    for old, new in (
        ("assessmentItem", "qti-assessment-item"), ("responseDeclaration", "qti-response-declaration"),
        ("correctResponse", "qti-correct-response"), ("value>", "qti-value>"), ("itemBody", "qti-item-body"),
        ("choiceInteraction", "qti-choice-interaction"), ("simpleChoice", "qti-simple-choice"),
        ("responseIdentifier", "response-identifier"), ("maxChoices", "max-choices"),
        ("baseType", "base-type"), ("imsqti_v2p1", "imsqtiasi_v3p0"),
    ):  # fmt: skip
        text = text.replace(old, new)
    return text


def read(table: SourceTable) -> Reading:
    """Read a table by its columns."""
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


def package(**parts: str | bytes) -> bytes:
    """Write a package of parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("vocabulary", [str, third])
def test_both_vocabularies_give_the_same_item(vocabulary: type[str]) -> None:
    """A choice of QTI 2 and of QTI 3 comes in with the same label, stem, options and key."""
    text = vocabulary(
        item(f"<p>Q<sub>1</sub> &lt; 2</p>{choice(maximum=0)}", "x", "z", cardinality="multiple")
    )
    content = read(read_qti_item(text.encode())).outcomes[0].content
    assert content is not None
    assert (content.label, content.type, content.key) == ("i1", "multiple", ("A", "C"))
    assert (content.stem, content.options) == ("<p>Q<sub>1</sub> &lt; 2</p><p>Q</p>", ("x", "y", "z"))


def test_text_entries_become_blanks() -> None:
    """Each text entry is a blank with the texts that its own declaration accepts."""
    entry = '<textEntryInteraction responseIdentifier="{}"/>'
    mapping = (
        '<mapping><mapEntry mapKey="b" mappedValue="1"/><mapEntry mapKey="c" mappedValue="0"/></mapping>'
    )
    text = item(f"<p>1 {entry.format('R')} 2 {entry.format('S')}</p>", "a").replace(
        "<itemBody>",
        f'<responseDeclaration identifier="S" cardinality="single" baseType="string">{mapping}'
        "</responseDeclaration><itemBody>",
    )
    content = read(read_qti_item(text.encode())).outcomes[0].content
    assert content is not None
    assert (content.type, content.accepted) == ("fill", (("a",), ("b",)))
    assert content.stem.count('class="blank"') == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (item('<orderInteraction responseIdentifier="R"/>'), "orderInteraction"),
        (third(item("<qti-match-interaction/>")), "qti-match-interaction"),
        (item("<p>text</p>"), "item without interaction"),
        (item(choice() + '<hottextInteraction responseIdentifier="S"/>', "x"), "hottextInteraction"),
        (item(choice(), "x", more="<templateProcessing/>"), "templated item"),
        (item(choice(), "x", cardinality="ordered"), "choiceInteraction (ordered)"),
    ],
)
def test_what_the_bank_does_not_hold_is_skipped_by_name(text: str, named: str) -> None:
    """Other interactions, alone or beside known ones, templates and orders are skipped, and the reason names them."""
    outcome = read(read_qti_item(text.encode())).outcomes[0]
    assert (outcome.content, outcome.remarks[-1].code) == (None, "type-not-held")
    assert outcome.remarks[-1].facts["type"] == named


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (item(choice(), "x", mapping='<mapping><mapEntry mapKey="y" mappedValue="1"/></mapping>'),
         "key-differs-from-mapping"),
        (item(choice(), "gone"), "item-key-outside-options"),
        (item(choice(), "x", more="<responseProcessing><random/></responseProcessing>"), "scored-by-own-rules"),
        (item(choice(), "x", more='<responseProcessing template="http://x/own"/>'), "scored-by-own-rules"),
        (item('<p><object data="a.mp4">film</object></p>' + choice(), "x"), "attachment-left-out"),
        (item("<feedbackBlock><p>no</p></feedbackBlock>" + choice(), "x"), "part-left-out"),
        (item('<img src="a.png"/>' + choice(), "x"), "picture-missing"),
    ],
)  # fmt: skip
def test_what_a_person_must_look_at_is_doubtful(text: str, code: str) -> None:
    """Keys that disagree, scoring by code and parts that were left out make the item doubtful."""
    outcome = read(read_qti_item(text.encode())).outcomes[0]
    assert outcome.status.value == "doubtful"
    assert code in [one.code for one in outcome.remarks]


ESSAY = '<extendedTextInteraction responseIdentifier="S"><prompt>Why?</prompt></extendedTextInteraction>'
ENTRY = '<responseDeclaration identifier="T" cardinality="single" baseType="string"><correctResponse><value>7</value>'


def test_extended_text_is_a_short_answer() -> None:
    """What scorers are told is the model answer of an extended text, and stands nowhere in the stem."""
    told = '<rubricBlock view="scorer"><p>because</p></rubricBlock>'
    outcome = read(read_qti_item(item(f"{told}<p>Q</p>{ESSAY}").encode())).outcomes[0]
    assert outcome.content is not None
    assert (outcome.content.type, outcome.content.model) == ("short", "<p>because</p>")
    assert "because" not in outcome.content.stem
    assert not [one for one in outcome.remarks if one.doubt]
    untold = read(read_qti_item(item(f"<p>Q</p>{ESSAY}").encode())).outcomes[0]
    assert (untold.content, untold.remarks[-1].code) == (None, "item-without-model-answer")


def test_an_inline_choice_leaves_a_gap() -> None:
    """An inline choice is a single choice whose place in the sentence is a gap."""
    inline = '<p>a <inlineChoiceInteraction responseIdentifier="R"><inlineChoice identifier="x">1</inlineChoice>' \
        '<inlineChoice identifier="y">2</inlineChoice></inlineChoiceInteraction> b</p>'  # fmt: skip
    content = read(read_qti_item(item(inline, "y").encode())).outcomes[0].content
    assert content is not None
    assert (content.type, content.stem, content.options, content.key) == (
        "single", "<p>a （　） b</p>", ("1", "2"), ("B",)
    )  # fmt: skip


def test_several_interactions_make_a_case() -> None:
    """The body is the material with a number for each question; prompts are the questions, and all share the score."""
    body = (
        f'<p>M</p><choiceInteraction responseIdentifier="R"><prompt>P</prompt>{ABC}</choiceInteraction>'
        '<p>n = <textEntryInteraction responseIdentifier="T"/></p>'
    )
    text = item(body, "x").replace("<itemBody>", f"{ENTRY}</correctResponse></responseDeclaration><itemBody>")
    content = read(read_qti_item(text.encode())).outcomes[0].content
    assert content is not None
    assert (content.type, content.stem) == ("case", "<p>M</p><b>（1）</b><p>n = <b>（2）</b></p>")
    assert [(one.type, one.key, one.accepted) for one in content.parts] == [
        ("single", ("A",), ()), ("fill", (), (("7",),))
    ]  # fmt: skip


def test_a_stimulus_stands_before_the_question() -> None:
    """The stimulus that an item of a package names is part of its stem; one that is missing makes it doubtful."""
    ref = '<assessmentStimulusRef identifier="s" href="{}"/>'
    data = package(
        **{
            "items/a.xml": item(choice(), "x").replace("<itemBody>", f"{ref.format('../s.xml')}<itemBody>"),
            "items/b.xml": item(choice(), "y").replace("<itemBody>", f"{ref.format('gone.xml')}<itemBody>"),
            "s.xml": "<assessmentStimulus><stimulusBody><p>text to read</p></stimulusBody></assessmentStimulus>",
        }
    )
    first, second = read(read_qti_package(data)).outcomes
    assert first.content is not None
    assert first.content.stem.startswith("<div><p>text to read</p></div>")
    assert "part-missing" in [one.code for one in second.remarks if one.doubt]


def test_a_package_accounts_for_every_part() -> None:
    """Items come in the manifest's order with their pictures; broken, missing and foreign parts are named."""
    manifest = (
        '<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"><resources>'
        '<resource type="imsqti_item_xmlv2p2" href="items/b.xml"/>'
        '<resource type="imsqti_item_xmlv2p2" href="items/gone.xml"/>'
        '<resource type="imsqti_test_xmlv2p2" href="test.xml"/></resources></manifest>'
    )
    data = package(
        **{
            "imsmanifest.xml": manifest,
            "items/a.xml": item(choice(), "x"),
            "items/b.xml": item('<p><img src="../img/p.png"/></p>' + choice(), "y"),
            "items/c.xml": "<broken",
            "img/p.png": PNG,
            "test.xml": "<assessmentTest/>",
            "notes.xml": "<notes/>",
        }
    )
    assert format_of("p.zip", data) == "qti"
    table = read_qti_package(data)
    assert [row.place for row in table.rows] == ["items/b.xml", "items/a.xml", "items/c.xml"]
    reading = read(table)
    first = reading.outcomes[0].content
    assert first is not None
    assert 'src="data:image/png;base64,' in first.stem
    assert [one.code for one in reading.outcomes[2].remarks] == ["xml-broken", "type-not-held"]
    assert [(one.code, one.place) for one in reading.remarks] == [
        ("part-missing", "items/gone.xml"), ("part-not-an-item", "notes.xml")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (package(**{"../a.xml": "<a/>"}), "archive-unsafe"),
        (package(**{"a.xml": "<a/>"}), "qti-without-items"),
        (package(**{"a.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><assessmentItem/>", "b.bin": bytes(9 * 1024 * 1024)}),
         "archive-unsafe"),
        (b"PK\x03\x04", "archive-unreadable"),
    ],
)  # fmt: skip
def test_an_unsafe_or_empty_package_is_refused(data: bytes, code: str) -> None:
    """Parts outside, bombs, broken containers and packages without items are bad input."""
    with pytest.raises(BadInput, match=code):
        read_qti_package(data)


def test_an_entity_bomb_in_an_item_leaves_the_other_items() -> None:
    """An item with entities is a row with its reason, and the good one beside it is imported."""
    data = package(
        **{"a.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><assessmentItem/>", "b.xml": item(choice(), "x")}
    )
    reading = read(read_qti_package(data))
    assert [one.remarks[0].code if one.content is None else "" for one in reading.outcomes] == [
        "xml-unsafe",
        "",
    ]


def test_every_real_qti_file_is_accounted_for(shared: Path) -> None:
    """Each of the 171 real files is one row with an outcome and a reason, a companion named as such, or refused."""
    folder = shared / "data" / "qti-pie"
    if not folder.is_dir():
        pytest.skip("../shared/data/qti-pie is not here")
    counts: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.xml")):
        try:
            outcomes = read_file(path).reading.outcomes
        except BadInput as error:
            counts[error.code] += 1
            continue
        assert len(outcomes) == 1
        assert outcomes[0].content is not None or outcomes[0].remarks
        counts[outcomes[0].status.value] += 1
    assert sum(counts.values()) == 171
    assert (counts["qti-without-items"], counts["xml-broken"]) == (15, 1)
    assert counts["imported"] >= 43
    assert counts["skipped"] == 89


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_item_is_read_or_refused(data: st.DataObject) -> None:
    """Any three changed bytes leave an item readable or make it bad input; no other error escapes."""
    damaged = bytearray(item(f"<p>Q</p>{choice()}", "x").encode())
    for _ in range(3):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(read_qti_item(bytes(damaged)))
    except BadInput:
        return
