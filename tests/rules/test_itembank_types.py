"""Short answers and cases: well-formed or named, on the paper without keys, on the sheet with their rubric."""

import hashlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refused
from server.itembank.blueprint import Blueprint, Cell, CellKey, band_of
from server.itembank.items import (
    ItemContent,
    MarkingPoint,
    SubItem,
    body_bytes,
    fault_of,
    hundredths,
    read_body,
)
from server.itembank.showing import shares, shown
from server.papers.drawing import Draw, DrawItem, Place, draw
from server.papers.marking_sheet import MarkingEntry, open_sheet, sheet_bytes
from server.papers.sealed import LARGEST_PAPER, Composer, paper_bytes
from server.protocol.paper import Paper
from server.scoring.marking import Awarded, award

RUBRIC = (MarkingPoint("point one", 3.0), MarkingPoint("point two", 2.0))
SHORT = ItemContent("K1", "short", "Say why.", (), (), (), "1.1", 0.6, 5.0, model="Because.", rubric=RUBRIC)
CASE = ItemContent(
    "K2",
    "case",
    "<p>shared material</p>",
    (),
    (),
    (),
    "1.1",
    0.6,
    10.0,
    "case explanation",
    parts=(
        SubItem("single", "sub one", ("right", "wrong"), ("A",), (), 2.0),
        SubItem("multiple", "sub two", ("x", "y", "z"), ("A", "C"), (), 2.0, policy="partial"),
        SubItem("judge", "sub three", (), ("F",), (), 1.0),
        SubItem("fill", 'sub four <span class="blank" data-blank="1"></span>', (), (), (("3.14±0.01",),), 1.0),
        SubItem("short", "sub five", (), (), (), 4.0, "sub explanation", model="sub model",
                rubric=(MarkingPoint("sub point", 4.0),)),
    ),
)  # fmt: skip
SINGLE = ItemContent("K3", "single", "stem", ("a", "b", "c"), ("B",), (), "1.1", 0.6, 1.0)
CONTENTS = (SHORT, CASE, SINGLE)
BANK = [
    DrawItem(f"item-{n}", 1, bytes(32), one.type, one.point, one.difficulty, len(one.options))
    for n, one in enumerate(CONTENTS)
]


def plan_of(case: float = 10.0, short: float = 5.0) -> Blueprint:
    """Return a blueprint of one item of each type."""
    cells = tuple(
        Cell(CellKey("1.1", one.type, band_of(one.difficulty)), 1, score)
        for one, score in zip(CONTENTS, (short, case, 1.0), strict=True)
    )
    return Blueprint("t", "o", "3", 60, 6.0, cells, True, True, True, "exact", "exact", 0)


def composed(plan: Blueprint) -> tuple[Composer, Draw]:
    """Return a composer and one draw."""
    drawn = draw(hashlib.sha256(b"types").digest(), BANK, plan, [Place("s1", "01", 1)])
    return Composer("plan", "slot", "title", plan, BANK, CONTENTS), drawn[0]


def test_bodies_of_the_new_types_read_back() -> None:
    """The stored form of a short answer, a case and a policy reads back to the same content without fault."""
    for content in (SHORT, CASE, replace(SINGLE, type="multiple", policy="partial")):
        assert fault_of(content) is None
        assert read_body(body_bytes(b"s" * 16, content)) == (b"s" * 16, content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (replace(SHORT, model="", rubric=()), "item-without-model-answer"),
        (replace(SHORT, score=4.0), "item-rubric-score-differs"),
        (replace(SHORT, rubric=(MarkingPoint(" ", 5.0),)), "item-rubric-invalid"),
        (replace(SHORT, rubric=(MarkingPoint("a", 6.0), MarkingPoint("b", -1.0))), "item-rubric-invalid"),
        (replace(SHORT, key=("A",)), "item-key-not-expected"),
        (replace(SHORT, parts=CASE.parts), "item-parts-not-expected"),
        (replace(SHORT, policy="partial"), "item-policy-not-expected"),
        (replace(SHORT, model="x" * 1_500_001), "item-text-too-large"),
        (replace(SINGLE, model="m"), "item-rubric-not-expected"),
        (replace(CASE, parts=()), "item-parts-outside"),
        (replace(CASE, parts=CASE.parts * 5), "item-parts-outside"),
        (replace(CASE, score=9.99), "item-parts-score-differs"),
        (replace(CASE, key=("A",)), "item-case-with-own-answer"),
        (replace(CASE, stem=""), "item-without-stem"),
        (replace(CASE, parts=(replace(CASE.parts[0], type="case"),)), "item-case-within-case"),
        (replace(CASE, parts=(replace(CASE.parts[0], key=("D",)),)), "item-key-outside-options"),
    ],
)
def test_each_fault_of_the_new_types_is_named(content: ItemContent, code: str) -> None:
    """A short answer or case with one fault is refused with its code; a sub-item's fault names its number."""
    fault = fault_of(content)
    assert fault is not None
    assert fault.code == code
    if code in ("item-case-within-case", "item-key-outside-options"):
        assert fault.facts["part"] == 1


def test_a_case_stands_as_one_entry_for_each_sub_item() -> None:
    """Numbers run on through a case, only its first entry carries the material, and bytes equal the encoding."""
    composer, drawn = composed(plan_of())
    paper = composer.paper(drawn)
    assert [one.number for one in paper.items] == list(range(1, 8))
    assert "case" not in {one.type for one in paper.items}
    parts = [one for one in paper.items if one.parts]
    assert [(one.part, one.parts) for one in parts] == [(n, 5) for n in range(1, 6)]
    assert [one.material for one in parts] == ["<p>shared material</p>", "", "", "", ""]
    data = composer.paper_data(drawn)
    assert data == paper_bytes(paper)
    assert msgspec.json.decode(data, type=Paper) == paper
    sheet = composer.sheet(drawn)
    assert composer.sheet_data(drawn) == sheet_bytes(sheet)
    assert open_sheet(sheet_bytes(sheet)) == sheet
    assert [(one.number, one.type) for one in sheet.entries] == [
        (one.number, one.type) for one in paper.items
    ]


def test_the_paper_holds_no_word_of_key_model_or_rubric() -> None:
    """What only markers may read stands on the sheet and nowhere on the paper."""
    composer, drawn = composed(plan_of())
    paper, sheet = composer.paper_data(drawn).decode(), composer.sheet_data(drawn).decode()
    for secret in ("Because.", "point one", "sub model", "sub point", "3.14±0.01", "explanation"):
        assert secret not in paper
        assert (secret in sheet) == ("explanation" not in secret)
    short = next(one for one in composer.sheet(drawn).entries if one.model == "sub model")
    assert (short.part, short.stem, short.material) == (5, "sub five", "<p>shared material</p>")


def test_scores_of_a_case_follow_its_cell() -> None:
    """A cell that gives a case 7 points and a short answer 1 parts them in whole hundredths that make them up."""
    composer, drawn = composed(plan_of(case=7.0, short=1.0))
    sheet = composer.sheet(drawn)
    assert hundredths(one.score for one in sheet.entries if one.part) == 700
    assert [one.score for one in sheet.entries if one.part] == [1.4, 1.4, 0.7, 0.7, 2.8]
    for one in sheet.entries:
        if one.rubric:
            assert hundredths(point.score for point in one.rubric) == hundredths((one.score,))


@given(st.integers(1, 100_000), st.lists(st.integers(1, 100_000), min_size=1, max_size=30))
def test_shares_make_up_the_total(total: int, weights: list[int]) -> None:
    """Shares are never negative, make up the total to the hundredth, and keep the order of their weights."""
    parted = shares(total / 100, [one / 100 for one in weights])
    assert hundredths(parted) == total
    assert min(parted) >= 0
    for left, right in zip(sorted(zip(weights, parted, strict=True)), sorted(parted), strict=True):
        assert abs(left[1] - right) < 0.011


def test_answers_in_words_wait_for_people_and_the_rest_is_marked() -> None:
    """An answer in words needs people, none earns 0 at once, and the other sub-items are marked by machine."""
    composer, drawn = composed(plan_of())
    entries = [one for one in composer.sheet(drawn).entries if one.part]
    given = [("A",), ("A",), ("F",), ("3.145",), ("two lines\nof words",)]
    assert [award(entry, value) for entry, value in zip(entries, given, strict=True)] == [
        Awarded(200, True, True),
        Awarded(100, True, False),
        Awarded(100, True, True),
        Awarded(100, True, True),
        Awarded(0, True, False, needs_people=True),
    ]
    assert award(entries[4], (" \n",)) == Awarded(0, False, False)
    assert award(entries[4], None) == Awarded(0, False, False)


def test_the_policy_of_an_item_goes_before_the_blueprint() -> None:
    """Under an exact blueprint a multiple choice that says partial is scored in part."""
    composer, drawn = composed(plan_of())
    policies = {one.type: one.policy for one in composer.sheet(drawn).entries if one.part}
    assert (policies["multiple"], policies["fill"]) == ("partial", "exact")
    assert isinstance(composer.sheet(drawn).entries[0], MarkingEntry)


def test_a_paper_that_no_kiosk_may_be_sent_is_refused() -> None:
    """A paper above the frame to a kiosk is refused when it is composed, with its length."""
    plan = plan_of()
    large = replace(SHORT, stem="x" * LARGEST_PAPER)
    drawn = draw(hashlib.sha256(b"types").digest(), BANK, plan, [Place("s1", "01", 1)])
    with pytest.raises(Refused, match="paper-too-large"):
        Composer("plan", "slot", "title", plan, BANK, (large, CASE, SINGLE)).paper_data(drawn[0])


def test_the_preview_is_what_stands_on_the_paper() -> None:
    """What `shown` gives a writer equals the paper's entries of the same case but for their numbers."""
    composer, drawn = composed(plan_of())
    on_paper = [one for one in composer.paper(drawn).items if one.part]
    assert list(shown(CASE, on_paper[0].number)) == on_paper
