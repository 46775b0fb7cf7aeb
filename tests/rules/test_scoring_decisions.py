"""What a voided question does to marks, and who may decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refusal
from server.scoring.decisions import (
    TRANSITIONS,
    DecisionEvent,
    DecisionState,
    Question,
    VoidPolicy,
    policy_fault,
    rescored,
    step,
)
from server.scoring.facts import Mark, Script

FAULTY = Question("item-2", 1)


def mark(number: int, earned: int | None, most: int = 200, part: int = 0) -> Mark:
    """Give a mark of item-<number>; None is an answer in words that nobody has marked."""
    return Mark(
        sitting="s",
        number=number,
        item=f"item-{number}",
        version=1,
        answered=True,
        correct=earned == most,
        points=earned or 0,
        most=most,
        part=part,
        earned=earned,
        by_people=earned is None,
    )


def scored(marks: list[Mark], policy: VoidPolicy | None, people: dict[int, int] | None = None) -> Script:
    """Score one paper with FAULTY voided where there is a policy."""
    found = rescored("p", marks, [FAULTY] if policy else [], policy, people or {})
    assert not isinstance(found, Refusal)
    return found[0]


def test_credit_gives_everybody_who_had_it_full_points() -> None:
    """Under `credit` a wrong answer to the voided question earns what a right one would, and nothing else moves."""
    marks = [mark(1, 200), mark(2, 0), mark(3, 100)]
    assert (scored(marks, None).points, scored(marks, VoidPolicy.CREDIT).points) == (300, 500)
    assert scored(marks, VoidPolicy.CREDIT).most == 600


def test_scale_takes_it_out_and_keeps_the_total() -> None:
    """Under `scale` 300 of the 400 that are left become 450 of 600; a right answer to it earns nothing."""
    assert scored([mark(1, 200), mark(2, 0), mark(3, 100)], VoidPolicy.SCALE).points == 450
    assert scored([mark(1, 200), mark(2, 200), mark(3, 100)], VoidPolicy.SCALE).points == 450


def test_scaling_rounds_half_up_to_the_hundredth() -> None:
    """1 of 8 left in a paper of 12 is 1.5 hundredths and becomes 2."""
    assert scored([mark(1, 1, 8), mark(2, 0, 4)], VoidPolicy.SCALE).points == 2


def test_a_paper_without_the_question_keeps_its_points() -> None:
    """Who did not have the voided question has the same points under either policy."""
    for policy in VoidPolicy:
        assert scored([mark(1, 123), mark(3, 77)], policy).points == 200


def test_nothing_left_is_refused() -> None:
    """A paper whose every question is voided cannot be scaled."""
    found = rescored("p", [mark(2, 100)], [FAULTY], VoidPolicy.SCALE, {})
    assert isinstance(found, Refusal) and found.code == "void-nothing-left"


def test_a_void_covers_every_part_of_a_case_unless_one_is_named() -> None:
    """Without a part all sub-items of the case are voided, with one only that."""
    parts = [mark(2, 0, part=1), mark(2, 0, part=2)]
    whole = rescored("p", parts, [FAULTY], VoidPolicy.CREDIT, {})
    one = rescored("p", parts, [Question("item-2", 1, 2)], VoidPolicy.CREDIT, {})
    assert not isinstance(whole, Refusal) and not isinstance(one, Refusal)
    assert (whole[0].points, one[0].points) == (400, 200)


def test_an_answer_in_words_is_pending_until_people_or_a_void_settle_it() -> None:
    """It counts as pending and as nothing, until its points are given or the question is voided."""
    marks = [mark(1, 200), mark(2, None)]
    assert (scored(marks, None).pending, scored(marks, None).points) == (1, 200)
    assert (scored(marks, None, {2: 150}).pending, scored(marks, None, {2: 150}).points) == (0, 350)
    assert scored(marks, VoidPolicy.CREDIT).pending == 0


@given(
    earned=st.lists(st.integers(0, 1000), min_size=2, max_size=30),
    policy=st.sampled_from(VoidPolicy),
)
def test_rescoring_starts_from_what_was_earned(earned: list[int], policy: VoidPolicy) -> None:
    """Voiding, voiding again and taking it back gives the first points; points stay within 0 and the total."""
    marks = [mark(n, value, 1000) for n, value in enumerate(earned, 1)]
    first = rescored("p", marks, [], None, {})
    assert not isinstance(first, Refusal)
    once = rescored("p", first[1], [FAULTY], policy, {})
    assert not isinstance(once, Refusal)
    twice = rescored("p", once[1], [FAULTY], policy, {})
    assert twice == once
    assert 0 <= once[0].points <= once[0].most
    assert rescored("p", once[1], [], None, {}) == first


def test_one_slot_has_one_policy() -> None:
    """A void needs a policy, the one of the voids that stand."""
    missing, other = policy_fault(None, []), policy_fault(VoidPolicy.SCALE, [VoidPolicy.CREDIT])
    assert missing is not None and missing.code == "void-policy-needed"
    assert other is not None and other.code == "void-policy-differs"
    assert policy_fault(VoidPolicy.SCALE, [VoidPolicy.SCALE]) is None


@pytest.mark.parametrize("state", DecisionState)
@pytest.mark.parametrize("event", DecisionEvent)
def test_what_one_asked_another_confirms(state: DecisionState, event: DecisionEvent) -> None:
    """Only what the table lists happens, and nobody confirms what he asked for himself."""
    after = step(state, event, "staff:a", "staff:b")
    alone = step(state, event, "staff:a", "staff:a")
    if (state, event) in TRANSITIONS:
        assert after is TRANSITIONS[state, event]
        if event is DecisionEvent.CONFIRM:
            assert isinstance(alone, Refusal) and alone.code == "decision-second-person"
    else:
        assert isinstance(after, Refusal) and isinstance(alone, Refusal)
