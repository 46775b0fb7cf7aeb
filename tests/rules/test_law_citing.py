"""Citations: the form of article ids and what the decorators record."""

import pytest

from server.errors import BadInput
from server.law import citing
from server.law.citing import article_document, cited, cites, is_article, read_paths, reads
from server.law.loader import load_clauses


@pytest.fixture(autouse=True)
def own_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests record stays among them."""
    monkeypatch.setattr(citing, "_cited", {})
    monkeypatch.setattr(citing, "_read", {})


@pytest.mark.parametrize(
    ("article", "document"),
    [
        ("BJ-E:8", "BJ-E"),
        ("BJ-F:4.2.2-1", "BJ-F"),
        ("BJ-F:2#1", "BJ-F"),
        ("BJ-E:A1.n6", "BJ-E"),
        ("BJ-E:A5.2-10", "BJ-E"),
        ("GX:A1.2.1-1.3", "GX"),
        ("AY:1.4#2", "AY"),
        ("SC:0", "SC"),
    ],
)
def test_article_ids_of_every_form_are_taken(article: str, document: str) -> None:
    """Numbered items, paragraphs, annexes and annex notes are article ids of their document."""
    assert is_article(article)
    assert article_document(article) == document


def test_every_listed_clause_is_an_article() -> None:
    """No clause of the list has an id that a citation would refuse."""
    assert [clause for clause in load_clauses() if not is_article(clause)] == []


@pytest.mark.parametrize("text", ["", "BJ-E", "BJ-E:", "8", "bj-e:8", "BJ-E:8 ", "BJ-E:8-", "BJ-E 8"])
def test_other_texts_are_no_articles(text: str) -> None:
    """A text of another form is no article, and citing it is an error at once."""
    assert not is_article(text)
    with pytest.raises(BadInput) as caught:
        cites("BJ-E:8", text)
    assert caught.value.code == "law-article-form"


def test_citing_records_the_function_and_leaves_it_as_it_is() -> None:
    """A cited function is recorded under each of its articles by module and name and is the same object."""

    def rule() -> int:
        return 7

    assert cites("BJ-E:25", "BJ-E:8")(rule) is rule
    name = f"{rule.__module__}.{rule.__qualname__}"
    assert cited() == {"BJ-E:25": (name,), "BJ-E:8": (name,)}


def test_two_functions_may_cite_one_article() -> None:
    """Two functions that cite one article are both recorded, in order of name."""

    @cites("BJ-E:25")
    def second() -> None: ...

    @cites("BJ-E:25")
    def first() -> None: ...

    names = [name.rsplit(".", 1)[-1] for name in cited()["BJ-E:25"]]
    assert names == ["first", "second"]


def test_reading_records_the_path() -> None:
    """A function that reads an entry of the packs is recorded under the path, not under an article."""

    @reads("numbers.plan_filing_days", "results")
    class Rule: ...

    name = f"{Rule.__module__}.{Rule.__qualname__}"
    assert read_paths() == {"numbers.plan_filing_days": (name,), "results": (name,)}
    assert cited() == {}


@pytest.mark.parametrize("path", ["", "Numbers", "numbers.", "numbers.a.b", "numbers a"])
def test_other_paths_are_refused(path: str) -> None:
    """A path is a section or a section and one code; anything else is an error at once."""
    with pytest.raises(BadInput) as caught:
        reads(path)
    assert caught.value.code == "law-path-form"
