"""Scope, order, dates and steps of a batch plan."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.affairs import plans
from server.affairs.facts import Plan, Scope, Slot, Standing, StandingStatus, Subject
from server.affairs.plans import PlanEvent, PlanState
from server.affairs.standing import STOPS, ActKind, may
from server.errors import Refusal
from server.law.loader import load_calendar, load_pack
from server.law.workdays import day_start

PACK = load_pack("beijing")
SCOPE = Scope(frozenset({("4-04-05-05", 3)}), frozenset({"第一考点"}))
SLOT = Slot(
    "s",
    "p",
    "theory",
    "computer",
    datetime(2026, 4, 20, 0, 30, tzinfo=UTC),
    90,
    30,
    15,
    60,
    100,
    "第一考点",
    1,
)
PLAN = Plan(
    "p", "o", "n", "s", "训练师", "4-04-05-05", 3, "beijing", "draft", "", "", "",
    datetime(2026, 3, 1, tzinfo=UTC), None, None, None, None, None, None,
)  # fmt: skip


def _code(outcome: object) -> str | None:
    return outcome.code if isinstance(outcome, Refusal) else None


@pytest.mark.parametrize(
    ("event", "last"),
    [
        (PlanEvent.FILE, date(2026, 3, 31)),
        (PlanEvent.CONFIRM, date(2026, 4, 5)),
        (PlanEvent.CONFIRM_CANDIDATES, date(2026, 4, 8)),
        (PlanEvent.IMPORT, date(2026, 4, 13)),
    ],
)
def test_each_step_is_open_to_the_last_second_of_its_last_day(event: PlanEvent, last: date) -> None:
    """A step is allowed at 23:59:59 in Shanghai of its last day and refused one second later, naming that day."""
    end = day_start(last + timedelta(days=1))
    assert plans.in_time(PACK, PLAN, event, date(2026, 4, 20), end - timedelta(seconds=1)) is None
    refusal = plans.in_time(PACK, PLAN, event, date(2026, 4, 20), end)
    assert refusal is not None
    assert refusal.facts["latest"] == last.isoformat()
    assert refusal.article in ("BJ-E:8", "BJ-E:12", "BJ-E:15")


def test_steps_without_a_date_are_never_late() -> None:
    """Accepting a plan has no deadline of its own."""
    assert plans.in_time(PACK, PLAN, PlanEvent.ACCEPT, date(2026, 4, 20), SLOT.starts_at) is None


def test_a_done_step_is_not_missed() -> None:
    """A deadline counts as missed only while its step is not done."""
    late = datetime(2026, 5, 1, tzinfo=UTC)
    filed = replace(PLAN, filed_at=datetime(2026, 3, 20, tzinfo=UTC))
    missed = {one.event for one in plans.deadlines(PACK, filed, date(2026, 4, 20)) if one.missed(late)}
    assert missed == {PlanEvent.CONFIRM, PlanEvent.CONFIRM_CANDIDATES, PlanEvent.IMPORT}


@given(st.sampled_from(list(PlanState)), st.sampled_from(list(PlanEvent)))
def test_steps_outside_the_table_are_refused(state: PlanState, event: PlanEvent) -> None:
    """A step leads to the state of the table or is refused by `plan-step-out-of-order`."""
    outcome = plans.step(state, event)
    if (state, event) in plans.TRANSITIONS:
        assert outcome is plans.TRANSITIONS[state, event]
    else:
        assert _code(outcome) == "plan-step-out-of-order"


def test_the_name_is_the_first_day_and_the_short_name() -> None:
    """A plan whose first exam is on 3 November 2020 is named 20201103 and its short name."""
    assert plans.plan_name(date(2020, 11, 3), "成人按摩") == "20201103成人按摩"


def test_only_filed_occupations_levels_and_venues() -> None:
    """Another occupation, another level and another venue are each outside the filing."""
    assert plans.within_scope(SCOPE, "4-04-05-05", 3, [SLOT]) is None
    assert _code(plans.within_scope(SCOPE, "4-04-05-06", 3, [SLOT])) == "plan-outside-scope"
    assert _code(plans.within_scope(SCOPE, "4-04-05-05", 2, [SLOT])) == "plan-outside-scope"
    elsewhere = replace(SLOT, place="第二考点")
    assert _code(plans.within_scope(SCOPE, "4-04-05-05", 3, [elsewhere])) == "plan-venue-not-filed"


def _after(days: int) -> Slot:
    return replace(SLOT, id="s2", subject="practical", starts_at=SLOT.starts_at + timedelta(days=days))


def test_practice_follows_theory_within_a_month() -> None:
    """Practice may start when theory ends and on 20 May, but neither before nor on 21 May."""
    assert plans.in_order(PACK, [SLOT]) is None
    starts = replace(_after(0), starts_at=SLOT.ends_at)
    assert plans.in_order(PACK, [SLOT, starts]) is None
    earlier = replace(starts, starts_at=SLOT.ends_at - timedelta(minutes=1))
    assert _code(plans.in_order(PACK, [earlier, SLOT])) == "plan-subjects-out-of-order"
    assert plans.in_order(PACK, [SLOT, _after(30)]) is None
    assert _code(plans.in_order(PACK, [SLOT, _after(31)])) == "plan-subject-too-late"


def test_a_change_is_asked_three_working_days_before_the_earlier_time() -> None:
    """For an exam on Monday 20 April a change is in time on Wednesday 15 April and late on Thursday."""
    calendar, later = load_calendar(), replace(SLOT, starts_at=SLOT.starts_at + timedelta(days=3))
    end = day_start(date(2026, 4, 16))
    assert plans.may_change(PACK, calendar, SLOT, later, end - timedelta(seconds=1)) is None
    assert plans.may_change(PACK, calendar, later, SLOT, end - timedelta(seconds=1)) is None
    assert _code(plans.may_change(PACK, calendar, SLOT, later, end)) == "change-late"


def test_someone_must_be_able_to_hand_in() -> None:
    """Limits of 30 and 15 minutes leave a window in 46 minutes and none in 45."""
    assert plans.hand_in_possible(replace(SLOT, minutes=46)) is None
    assert _code(plans.hand_in_possible(replace(SLOT, minutes=45))) == "plan-hand-in-window-empty"


def test_a_plan_needs_possible_slots() -> None:
    """No slot, no minutes, a pass mark above the total or a negative limit make a plan incomplete."""
    assert _code(plans.complete([])) == "plan-without-slots"
    for change in ({"minutes": 0}, {"pass_mark": 101}, {"pass_mark": 0}, {"early": -1}, {"late": -1}):
        assert _code(plans.complete([replace(SLOT, **change)])) == "plan-slot-impossible"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("subject", "method", "code"),
    [
        ("theory", "computer", None),
        ("theory", "interview", "plan-method-unknown"),
        ("practical", "simulation", None),
        ("practical", "interview", "plan-method-unknown"),
        ("review", "interview", None),
        ("review", "workshop", "plan-method-unknown"),
        ("theory", "", "plan-method-unknown"),
    ],
)
def test_a_method_is_one_of_the_form_for_its_subject(subject: Subject, method: str, code: str | None) -> None:
    """BJ-E:A1.n5: theory is written or on a machine, the review an interview; anything else is refused by name."""
    refusal = plans.complete([replace(SLOT, subject=subject, method=method)])
    assert (refusal.code if refusal else None) == code


def test_filing_reports_the_first_reason() -> None:
    """A sound plan may be filed in time, and an impossible one is refused for that before its date."""
    now = datetime(2026, 3, 20, tzinfo=UTC)
    assert plans.may_file(PACK, PLAN, SCOPE, [SLOT], now) is None
    assert _code(plans.may_file(PACK, PLAN, SCOPE, [], now)) == "plan-without-slots"
    late = datetime(2026, 4, 2, tzinfo=UTC)
    assert _code(plans.may_file(PACK, PLAN, SCOPE, [SLOT], late)) == "plan-step-late"


@pytest.mark.parametrize("status", list(StandingStatus))
@pytest.mark.parametrize("act", list(ActKind))
def test_standing_stops_what_its_table_says(status: StandingStatus, act: ActKind) -> None:
    """Each standing refuses exactly the acts of its table, with the clause, and running exams never."""
    standing = Standing("o", status, 2, datetime(2026, 3, 1, tzinfo=UTC), "case")
    refusal = may(act, standing)
    assert (refusal is not None) == (act in STOPS[status])
    if refusal is not None:
        assert refusal.article in ("BJ-F:4.3.2-1", "BJ-F:4.1")
    assert may("running", standing) is None
    assert may("notice", standing) is None
    assert may("result", standing) is None
