"""GIFT and Aiken files become rows like any other; what this bank does not hold is skipped by name."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import BadInput
from server.itembank.interchange.aiken import read_aiken
from server.itembank.interchange.files import Format, read_file
from server.itembank.interchange.gift import read_gift
from server.itembank.interchange.mapping import columns_of
from server.itembank.interchange.reading import Picture, read_rows
from server.itembank.interchange.rows import Reading, SourceTable
from server.itembank.interchange.sanitising import sanitised


def read(table: SourceTable) -> Reading:
    """Read a table by its wording."""
    return read_rows(table, columns_of(table.columns, None), sanitised, Picture(None))


@pytest.mark.parametrize(
    ("question", "kind", "key", "accepted"),
    [
        ("Q {=right ~wrong ~other}", "single", ("A",), ()),
        ("Q {~wrong#no =right#yes}", "single", ("B",), ()),
        ("Q {~%50%one ~%50%two ~%-100%three}", "multiple", ("A", "B"), ()),
        ("::T:: Q {TRUE#well done}", "judge", ("T",), ()),
        ("Q {F}", "judge", ("F",), ()),
        ("Q {=one =two}", "fill", (), (("one", "two"),)),
        ("Q {#3.14:0.01}", "fill", (), (("3.14±0.01",),)),
        ("Q {#1..5}", "fill", (), (("3±2",),)),
        ("Q {#=4}", "fill", (), (("4",),)),
        (r"Q \{x\} {=a\=b ~c\~d}", "single", ("A",), ()),
    ],
)
def test_a_gift_question_becomes_an_item(
    question: str, kind: str, key: tuple[str, ...], accepted: tuple[tuple[str, ...], ...]
) -> None:
    """Each form of answer that the bank can hold gives its type and key."""
    content = read(read_gift(question.encode())).outcomes[0].content
    assert content is not None
    assert (content.type, content.key, content.accepted) == (kind, key, accepted)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Q {=a -> b =c -> d}", "matching"),
        ("No braces at all\n\nQ {T}", "description"),
        ("Q {=%100%one =%50%two}", "weighted"),
        ("Q {=right ~%50%half ~wrong}", "weighted"),
        ("Q {=Frog =*}", "weighted"),
        ("Q {#=1 =2}", "numerical"),
        ("Q {nothing known}", "unreadable"),
    ],
)
def test_what_the_bank_does_not_hold_is_skipped_by_name(question: str, named: str) -> None:
    """Matching, texts, part credit, patterns and unreadable answers are skipped with their kind."""
    outcome = read(read_gift(question.encode())).outcomes[0]
    assert outcome.content is None
    assert outcome.remarks[-1].code == "type-not-held"
    assert outcome.remarks[-1].facts["type"] == named


def test_escapes_comments_categories_and_text_after_the_braces() -> None:
    """Escaped marks are shown, comments are left out, the category is the point, a gap stands for the braces."""
    text = "// note\n$CATEGORY: safety\n\n::one:: [html]<b>A\\=B</b> {=x ~y} end.\n"
    outcome = read(read_gift(text.encode())).outcomes[0]
    assert outcome.place == "line 4"
    assert outcome.content is not None
    assert (outcome.content.label, outcome.content.point) == ("one", "safety")
    assert outcome.content.stem == "<b>A=B</b> ____ end."


def test_an_aiken_file_gives_its_questions_and_names_the_broken_ones() -> None:
    """A whole question comes in; without an answer, with another answer text or without a stem it does not."""
    text = (
        "One?\nA. a\nB) b\nANSWER: B\n\n"
        "Two?\nA. a\nB. b\n\nThree?\nA. a\nB. b\nANSWER: perhaps\n\nA. a\nB. b\nANSWER: A\n"
    )
    outcomes = read(read_aiken(text.encode())).outcomes
    assert [(outcome.place, outcome.status.value) for outcome in outcomes] == [
        ("line 1", "imported"), ("line 6", "doubtful"), ("line 10", "doubtful"), ("line 15", "skipped")
    ]  # fmt: skip
    content = outcomes[0].content
    assert content is not None
    assert (content.stem, content.options, content.key) == ("One?", ("a", "b"), ("B",))


@pytest.mark.parametrize(
    ("form", "code"), [("gift", "gift-without-questions"), ("aiken", "aiken-without-answers")]
)
def test_another_file_is_refused_whole(form: Format, code: str, tmp_path: Path) -> None:
    """Plain prose is neither GIFT nor Aiken."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear all,\n\nnothing here.\n", encoding="utf-8")
    with pytest.raises(BadInput, match=code):
        read_file(path, form)


def test_the_real_moodle_files_account_for_every_question(shared: Path) -> None:
    """Each question of the real GIFT and Aiken files is imported, doubtful or skipped with a reason."""
    folder = shared / "data" / "moodle" / "question" / "format"
    if not folder.is_dir():
        pytest.skip("../shared/data/moodle is not here")
    files: tuple[tuple[str, Format, int], ...] = (
        ("gift/tests/fixtures/questions.gift.txt", "gift", 9),
        ("gift/tests/fixtures/questions_in_category.gift.txt", "gift", 4),
        ("gift/examples.txt", "gift", 43),
        ("aiken/tests/fixtures/questions.aiken.txt", "aiken", 2),
    )
    for name, form, questions in files:
        outcomes = read_file(folder / name, form).reading.outcomes
        assert len(outcomes) == questions
        assert all(outcome.content is not None or outcome.remarks for outcome in outcomes)


gift_text = st.text(alphabet=st.sampled_from("ab {}=~#%50:\\.->\n$/TRUEF*"), max_size=80)


@settings(max_examples=400, deadline=None)
@given(gift_text)
def test_random_gift_and_aiken_raise_only_bad_input(text: str) -> None:
    """Whatever the text, both readers and the reading after them return or raise BadInput."""
    for reader in (read_gift, read_aiken):
        try:
            table = reader(text.encode())
        except BadInput:
            continue
        assert len(read(table).outcomes) == len(table.rows)


def test_a_stated_encoding_reads_what_no_guess_could(shared: Path) -> None:
    """Moodle's windows-1252 file shows its umlaut when the encoding is stated, and an assumption is remarked on."""
    path = shared / "data/moodle/question/format/gift/tests/fixtures/questions_encoding_windows-1252.gift.txt"
    if not path.is_file():
        pytest.skip("../shared/data/moodle is not here")
    stated = read_file(path, encoding="windows-1252")
    assert (stated.format, [one.content for one in stated.reading.outcomes]) == ("gift", [None] * 3)
    shown = "Grün? {=grün ~blau}".encode("windows-1252")
    assert [row.cells["stem"] for row in read_gift(shown, "windows-1252").rows] == ["Grün?"]
    assumed = read_file(path).reading.remarks
    assert [(one.code, one.facts["encoding"]) for one in assumed] == [("encoding-assumed", "gb18030")]
    with pytest.raises(BadInput, match="encoding-not-known"):
        read_file(path, encoding="rot13")


def test_a_stated_encoding_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    """A file that is not in the stated encoding is bad input with the place."""
    path = tmp_path / "q.gift"
    path.write_bytes("题 {T}".encode("gb18030"))
    with pytest.raises(BadInput, match="file-encoding-differs") as refused:
        read_file(path, encoding="utf-8")
    assert refused.value.facts["place"] == "byte 0"
    assert read_file(path, encoding="gb18030").reading.outcomes[0].content is not None
