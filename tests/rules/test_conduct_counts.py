"""Counts must close, and a gap is named."""

from dataclasses import replace

import pytest

from server.conduct.counts import Counts, PlanCounts, SlotCounts, gaps, plan_gaps, scoring_gaps, slot_gaps

# 60 enrolled, 1 absent, 2 spares of which one replaced a faulty paper, 3 handed in, 1 voided.
SLOT = SlotCounts(
    slot="s",
    subject="theory",
    enrolled=60,
    present=59,
    absent=1,
    drawn=62,
    opened=60,
    returned_unopened=1,
    spare_unused=1,
    replaced=1,
    handed_in=3,
    collected=55,
    voided=1,
    scored=58,
    moves=1,
)
PRACTICAL = replace(
    SLOT,
    slot="p",
    subject="practical",
    **dict.fromkeys(
        (
            "drawn",
            "opened",
            "returned_unopened",
            "spare_unused",
            "replaced",
            "handed_in",
            "collected",
            "voided",
        )
    ),
    scored=59,
)
PLAN = PlanCounts(60, 60, 40, 18, 1, 1, 58, 2)


def test_closing_counts_have_no_gap() -> None:
    """A plan whose people and papers are all accounted for has no gap."""
    assert gaps(Counts("plan", (SLOT, PRACTICAL), PLAN)) == ()


@pytest.mark.parametrize(
    ("field", "codes"),
    [
        ("enrolled", {"enrolled=present+absent"}),
        (
            "present",
            {"enrolled=present+absent", "opened=present+replaced", "present=handed_in+collected+voided"},
        ),
        ("absent", {"enrolled=present+absent"}),
        ("drawn", {"drawn=opened+returned+spare"}),
        ("opened", {"drawn=opened+returned+spare", "opened=present+replaced"}),
        ("returned_unopened", {"drawn=opened+returned+spare"}),
        ("spare_unused", {"drawn=opened+returned+spare"}),
        ("replaced", {"opened=present+replaced"}),
        ("handed_in", {"present=handed_in+collected+voided", "scored=handed_in+collected"}),
        ("collected", {"present=handed_in+collected+voided", "scored=handed_in+collected"}),
        ("voided", {"present=handed_in+collected+voided"}),
        ("scored", {"scored=handed_in+collected"}),
        ("moves", set()),
    ],
)
def test_one_person_or_paper_too_many_opens_exactly_its_equations(field: str, codes: set[str]) -> None:
    """Each number but the moves stands in at least one equation, and one more of it opens those and no
    other.
    """
    wrong = replace(SLOT, **{field: getattr(SLOT, field) + 1})
    assert {gap.code for gap in (*slot_gaps(wrong), *scoring_gaps(wrong))} == codes


@pytest.mark.parametrize("field", ["published", "passed", "failed", "absent", "cheat", "uploaded", "held"])
def test_a_result_too_many_is_named(field: str) -> None:
    """One result more anywhere opens an equation of the plan."""
    assert plan_gaps(replace(PLAN, **{field: getattr(PLAN, field) + 1}))


def test_what_nobody_has_counted_yet_is_no_gap() -> None:
    """Before marking, publishing and upload their equations are not judged."""
    before = replace(SLOT, scored=None)
    assert gaps(Counts("plan", (before,), PlanCounts(60, None, None, None, None, None, None, None))) == ()


def test_a_gap_says_both_sides() -> None:
    """The refusal of a gap carries the equation and both numbers."""
    (gap,) = slot_gaps(replace(SLOT, absent=0))
    assert gap.refusal().facts == {"gap": "enrolled=present+absent", "left": 60, "right": 59}
