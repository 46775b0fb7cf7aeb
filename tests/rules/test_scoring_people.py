"""Two markers, their allowed difference, and the arbiter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refusal
from server.scoring.people import (
    HALF,
    AnswerState,
    Grade,
    Verdict,
    allowed_spread,
    grade_fault,
    points_fault,
    verdict,
)

A, B = Grade("staff:a", False, 300), Grade("staff:b", False, 350)
C = Grade("staff:c", True, 320)


def test_two_who_agree_make_the_mean_and_one_makes_nothing() -> None:
    """3 and 3.5 points within the spread are 3.25; one mark alone settles nothing."""
    assert verdict([A], 50) == Verdict(AnswerState.OPEN, None)
    assert verdict([A, B], 50) == Verdict(AnswerState.SETTLED, 325)


def test_two_who_differ_need_an_arbiter_who_decides() -> None:
    """One hundredth beyond the spread is a dispute; the arbiter's newest points settle it alone."""
    assert verdict([A, B], 49) == Verdict(AnswerState.DISPUTED, None)
    assert verdict([A, B, Grade("staff:c", True, 100)], 49) == Verdict(AnswerState.SETTLED, 100)


@given(st.integers(0, 4000), st.integers(0, 4000), st.integers(1, 100))
def test_settled_points_lie_between_the_marks(one: int, two: int, percent: int) -> None:
    """Whatever two people give, points are settled only within the spread and lie between theirs."""
    spread = allowed_spread(4000, percent)
    found = verdict([Grade("a", False, one), Grade("b", False, two)], spread)
    assert (found.points is not None) is (abs(one - two) <= spread)
    if found.points is not None:
        assert min(one, two) <= found.points <= max(one, two)


@pytest.mark.parametrize(
    ("most", "percent", "spread"),
    [(1000, 20, 200), (400, 20, 50), (100, 20, 50), (1000, 1, 50), (350, 100, 350)],
)
def test_the_spread_comes_in_whole_halves(most: int, percent: int, spread: int) -> None:
    """A share of the most, rounded down to a half, and never less than one half."""
    assert allowed_spread(most, percent) == spread
    assert spread % HALF == 0


@pytest.mark.parametrize(
    ("points", "most", "fine"),
    [
        (0, 400, True),
        (400, 400, True),
        (250, 400, True),
        (450, 400, False),
        (225, 400, False),
        (333, 333, True),
    ],
)
def test_points_are_halves_up_to_the_most(points: int, most: int, fine: bool) -> None:
    """Nothing above the most and nothing between the halves but the most itself."""
    assert (points_fault(points, most) is None) is fine


@pytest.mark.parametrize(
    ("marker", "arbiter", "assigned", "recused", "state", "grades", "code"),
    [
        ("staff:c", False, True, False, AnswerState.OPEN, [A], None),
        ("staff:a", False, True, False, AnswerState.OPEN, [A], None),
        ("staff:c", False, False, False, AnswerState.OPEN, [], "marker-not-assigned"),
        ("staff:c", False, True, True, AnswerState.OPEN, [], "marker-recused"),
        ("staff:c", False, True, False, AnswerState.OPEN, [A, B], "answer-marked-already"),
        ("staff:a", False, True, False, AnswerState.SETTLED, [A, B], "answer-marked-already"),
        ("staff:c", True, True, False, AnswerState.DISPUTED, [A, B], None),
        ("staff:a", True, True, False, AnswerState.DISPUTED, [A, B], "arbiter-marked-it"),
        ("staff:c", True, True, False, AnswerState.DISPUTED, [A, B, C], "arbiter-marked-it"),
        ("staff:c", True, True, False, AnswerState.SETTLED, [A, B], "answer-not-disputed"),
    ],
)
def test_who_may_mark_what(
    marker: str,
    arbiter: bool,
    assigned: bool,
    recused: bool,
    state: AnswerState,
    grades: list[Grade],
    code: str | None,
) -> None:
    """Only the assigned and not recused mark (BJ-E:24), two of them, and an arbiter only where they differ, once."""
    found = grade_fault(
        marker, arbiter=arbiter, assigned=assigned, recused=recused, state=state, grades=grades
    )
    assert (found.code if isinstance(found, Refusal) else None) == code
