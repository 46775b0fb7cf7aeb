"""Corrections of candidates' data: what a procedure must say, when which field is open, and who decides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.affairs.corrections import (
    POSSIBLE,
    TRANSITIONS,
    Approver,
    CorrectionEvent,
    CorrectionState,
    Field,
    Period,
    PeriodRule,
    Procedure,
    Wish,
    may_ask,
    may_decide,
    period_of,
    sound,
    step,
)
from server.affairs.facts import Slot
from server.errors import Refusal

START = datetime(2026, 4, 20, 0, 30, tzinfo=UTC)
SLOT = Slot("s", "p", "theory", "computer", START, 90, 30, 15, 60.0, 100.0, "一考点", 1, None)
LATER = replace(SLOT, id="t", starts_at=START + timedelta(days=3))
RULES = {
    period: PeriodRule(POSSIBLE[period], "考生本人", "身份证原件", Approver.ORGANISATION) for period in Period
}
PROCEDURE = Procedure("o", 2, "更正办法", bytes(32), RULES, START, "staff:a")
WISH = Wish(Field.NAME, "张三", "张叁", "录入错误", "身份证复印件", bytes(32), by_authority=False)


@pytest.mark.parametrize(
    ("minutes", "period"),
    [
        (-1, Period.BEFORE),
        (0, Period.DURING),
        (3 * 1440 + 89, Period.DURING),
        (3 * 1440 + 90, Period.AFTER),
    ],
)
def test_the_period_begins_at_the_first_start_and_ends_at_the_last_end(minutes: int, period: Period) -> None:
    """BJ-E:28: during is [first planned start, last planned end) of the plan."""
    assert period_of((LATER, SLOT), START + timedelta(minutes=minutes)) is period


def test_a_procedure_says_something_of_every_period() -> None:
    """BJ-E:28: a procedure without text, without one of the three periods, without proof, or that opens a ticket
    after the exam is refused."""
    assert sound("办法", RULES) is None
    after = RULES[Period.AFTER]
    wrong = {
        "procedure-text-missing": (" ", RULES),
        "procedure-period-missing": ("办法", {Period.BEFORE: RULES[Period.BEFORE]}),
        "procedure-field-impossible": (
            "办法",
            {**RULES, Period.AFTER: replace(after, fields=frozenset({Field.TICKET}))},
        ),
    }
    for code, (text, rules) in wrong.items():
        refusal = sound(text, rules)
        assert refusal is not None
        assert (refusal.code, refusal.article) == (code, "BJ-E:28")
    unproven = sound("办法", {**RULES, Period.AFTER: replace(after, proof=" ")})
    assert unproven is not None
    assert unproven.facts["period"] == "after"


@pytest.mark.parametrize(
    ("period", "wish", "uploaded", "code"),
    [
        (Period.BEFORE, WISH, False, None),
        (Period.AFTER, WISH, True, "correction-after-upload"),
        (Period.AFTER, replace(WISH, by_authority=True), True, None),
        (Period.AFTER, replace(WISH, by_authority=True), False, "correction-of-organisation"),
        (Period.AFTER, replace(WISH, field=Field.RESULT), False, "correction-result-by-objection"),
        (Period.DURING, replace(WISH, field=Field.SUBJECTS), False, "correction-field-closed"),
        (Period.BEFORE, replace(WISH, after="张三"), False, "correction-changes-nothing"),
        (Period.BEFORE, replace(WISH, evidence=""), False, "correction-proof-missing"),
        (Period.BEFORE, replace(WISH, evidence_sha256=b""), False, "correction-proof-missing"),
    ],
)
def test_who_may_ask_for_what(period: Period, wish: Wish, uploaded: bool, code: str | None) -> None:
    """BJ-E:28: until the upload the organisation asks by its procedure, afterwards the authority alone; every wish
    brings its proof and changes something."""
    refusal = may_ask(PROCEDURE, period, wish, uploaded)
    assert (None if refusal is None else refusal.code) == code


def test_without_a_procedure_nothing_is_corrected() -> None:
    """BJ-E:28: no recorded procedure, no correction."""
    refusal = may_ask(None, Period.BEFORE, WISH, uploaded=False)
    assert refusal is not None
    assert refusal.code == "correction-procedure-missing"


@pytest.mark.parametrize(
    ("approver", "by_authority", "uploaded", "code"),
    [
        (Approver.ORGANISATION, False, False, None),
        (Approver.ORGANISATION, True, False, "correction-other-approver"),
        (Approver.AUTHORITY, True, False, None),
        (Approver.AUTHORITY, False, False, "correction-other-approver"),
        (Approver.ORGANISATION, False, True, "correction-other-approver"),
        (Approver.ORGANISATION, True, True, None),
    ],
)
def test_who_may_decide(approver: Approver, by_authority: bool, uploaded: bool, code: str | None) -> None:
    """BJ-E:28: the side that the procedure names decides, after the upload the authority, and never who asked."""
    rule = replace(RULES[Period.BEFORE], approver=approver)
    refusal = may_decide(rule, "staff:a", "staff:b", by_authority, uploaded)
    assert (None if refusal is None else refusal.code) == code
    same = may_decide(rule, "staff:a", "staff:a", by_authority, uploaded)
    assert same is not None
    assert same.code == "correction-same-person"


def test_a_correction_is_decided_once() -> None:
    """Only what is asked for can be approved or refused; every other step is refused."""
    for state in CorrectionState:
        for event in CorrectionEvent:
            known = TRANSITIONS.get((state, event))
            outcome = step(state, event)
            assert outcome == known if known else isinstance(outcome, Refusal)
