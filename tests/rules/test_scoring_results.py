"""Results and the practical form."""

from datetime import date

import pytest

from server.errors import Refusal
from server.scoring.outcome import Attendance, Outcome, SubjectOutcome, outcome
from server.scoring.practical import (
    FormItem,
    FormTemplate,
    entry_fault,
    gap_fault,
    practical_score,
    template_fault,
)

FORM = FormTemplate((FormItem("a", "接线", 6000), FormItem("b", "检修", 4000)), 1000)


def subject(points: int | None, attendance: Attendance = Attendance.PRESENT) -> SubjectOutcome:
    return SubjectOutcome("theory", attendance, points, 6000)


@pytest.mark.parametrize(
    ("subjects", "cheated", "expected"),
    [
        ([subject(6000), subject(9900)], False, Outcome.PASS),
        ([subject(5999), subject(9900)], False, Outcome.FAIL),
        ([subject(9900), subject(None, Attendance.ABSENT)], False, Outcome.ABSENT),
        ([subject(9900), subject(9900)], True, Outcome.CHEAT),
        ([subject(None, Attendance.OPEN)], True, Outcome.CHEAT),
    ],
)
def test_a_pass_needs_every_required_subject(
    subjects: list[SubjectOutcome], cheated: bool, expected: Outcome
) -> None:
    """Exactly the pass mark in every subject passes; one hundredth less in one fails; a cheat outweighs
    all.
    """
    assert outcome(subjects, cheated) is expected


@pytest.mark.parametrize("subjects", [[], [subject(None)], [subject(None, Attendance.OPEN)]])
def test_no_result_is_guessed(subjects: list[SubjectOutcome]) -> None:
    """A result with a subject not settled is an error."""
    with pytest.raises(ValueError, match="settled"):
        outcome(subjects, False)


def test_a_form_must_add_up() -> None:
    """A form whose lines do not add up to the subject's total, repeat a code, or are empty is refused."""
    assert template_fault(FORM, 10000) is None
    codes = [
        template_fault(FORM, 9999),
        template_fault(FormTemplate((), 0), 0),
        template_fault(FormTemplate((FormItem("a", "x", 1), FormItem("a", "y", 1)), 0), 2),
        template_fault(FormTemplate((FormItem("a", "x", 0),), 0), 0),
    ]
    assert [c.code for c in codes if c] == [
        "practical-form-total",
        "practical-form-empty",
        "practical-form-line-twice",
        "practical-form-line-without-points",
    ]


@pytest.mark.parametrize(
    ("scores", "code"),
    [
        ({"a": 6000, "b": 0}, None),
        ({"a": 6001, "b": 0}, "practical-line-out-of-range"),
        ({"a": -1, "b": 0}, "practical-line-out-of-range"),
        ({"a": 1}, "practical-line-missing"),
        ({"a": 1, "b": 1, "c": 1}, "practical-line-unknown"),
    ],
)
def test_an_entry_fits_its_form(scores: dict[str, int], code: str | None) -> None:
    """Every line has points between zero and its most, none is missing and none is added."""
    fault = entry_fault(FORM, scores)
    assert (fault and fault.code) == code


@pytest.mark.parametrize(
    ("theory", "practical", "code"),
    [
        (date(2026, 3, 14), date(2026, 3, 14), None),
        (date(2026, 3, 14), date(2026, 4, 14), None),
        (date(2026, 3, 14), date(2026, 4, 15), "practical-too-late"),
        (date(2026, 1, 31), date(2026, 2, 28), None),
        (date(2026, 1, 31), date(2026, 3, 1), "practical-too-late"),
        (date(2026, 3, 14), date(2026, 3, 13), "practical-before-theory"),
    ],
)
def test_the_practical_lies_within_a_month_of_the_theory(
    theory: date, practical: date, code: str | None
) -> None:
    """The last allowed day is the same day number a month later, or that month's last day."""
    fault = gap_fault(theory, practical, 1)
    assert (fault and fault.code) == code


def test_two_examiners_make_a_score() -> None:
    """One examiner is not enough, two make the mean, and two apart by more than the spread must confer."""
    one, both, apart = (practical_score(FORM, t) for t in ([7000], [7000, 8000], [7000, 8001]))
    assert isinstance(one, Refusal) and one.code == "practical-examiner-missing"
    assert both == 7500
    assert isinstance(apart, Refusal) and apart.code == "practical-examiners-apart"
