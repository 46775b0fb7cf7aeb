"""How articles are called before people."""

import pytest

from server.errors import BadInput
from server.law.loader import article_title, jurisdictions, load_clauses, load_pack
from server.law.naming import article_name


@pytest.mark.parametrize(
    ("article", "zh", "en"),
    [
        ("BJ-E:8", "第八条", "article 8"),
        ("BJ-E:10", "第十条", "article 10"),
        ("BJ-E:25", "第二十五条", "article 25"),
        ("BJ-E:20", "第二十条", "article 20"),
        ("BJ-E:4-2", "第四条第2项", "article 4, item 2"),
        ("BJ-E:5#1", "第五条第1款", "article 5, paragraph 1"),
        ("BJ-E:A1", "附件1", "annex 1"),
        ("BJ-E:A1.n6", "附件1填表说明6", "annex 1, note 6"),
        ("BJ-E:A2-3", "附件2第3项", "annex 2, item 3"),
        ("BJ-E:A5.2-9", "附件5二第9项", "annex 5, part 2, item 9"),
        ("BJ-F:2.5.4", "二（五）4", "section 2.5.4"),
        ("BJ-F:4.2.3-16", "四（二）3第16项", "section 4.2.3, item 16"),
        ("GX:A2.2.5#2", "附件2二（五）第2款", "annex 2, part 2.5, paragraph 2"),
        ("GX:A1.2.1-1.3", "附件1二（一）第1.3项", "annex 1, part 2.1, item 1.3"),
        ("AY:6.3-1", "第六章第三条第1项", "chapter 6, article 3, item 1"),
        ("AY:2.8#2", "第二章第八条第2款", "chapter 2, article 8, paragraph 2"),
        ("SC:0", "前言", "preamble"),
        ("BJ-E:8.1", "八（一）", "section 8.1"),
        ("BJ-E:120", "第120条", "article 120"),
    ],
)
def test_place_in_words(article: str, zh: str, en: str) -> None:
    """The name ends with the place in the document's own way of numbering, in Chinese and in English."""
    title = article_title(article)
    assert title.zh.startswith("《") and title.zh.endswith(f"》{zh}")
    assert title.en.endswith(f", {en}")


def test_every_listed_clause_has_a_name() -> None:
    """Each clause of the list is called by its document's title, never by its bare id."""
    for clause in load_clauses():
        assert clause not in article_title(clause).zh


def test_another_packs_document_has_no_name_here() -> None:
    """A pack names only articles of its own documents, and an article of no pack keeps its id."""
    assert article_name(load_pack("beijing"), "AY:6.3-1") is None
    assert "XX" not in jurisdictions()
    assert article_title("XX:7").zh == "XX:7"


def test_annex_note_deep_inside_is_left_as_it_is() -> None:
    """A note inside a numbered part keeps its short form."""
    assert article_title("BJ-E:A1.2.n6").zh.endswith("》A1.2.n6")


def test_text_that_is_no_article_is_refused() -> None:
    """A text that is no article id has no name."""
    with pytest.raises(BadInput):
        article_title("article eight")
