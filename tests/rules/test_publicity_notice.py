"""Notice periods, completeness, masking, objections."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.affairs.facts import Candidate, Slot
from server.errors import Refusal
from server.law.loader import load_pack
from server.law.workdays import Period
from server.publicity import notice as rules
from server.publicity.notice import Outcome
from server.publicity.objections import (
    LONGEST_TEXT,
    TRANSITIONS,
    ObjectionEvent,
    ObjectionState,
    may_object,
    step,
)

PACK = load_pack("beijing")
PEOPLE = [Candidate(k, "p", f"T{k}", k, "resident", k, ("theory",), "confirmed") for k in "ab"]
SLOT = Slot("s", "p", "theory", "c", datetime(2026, 4, 20, tzinfo=UTC), 90, 30, 15, 60, 100, "x", 1)
PASS = Outcome("a", "Ta", 60.0, None, None, "pass")
FAIL = Outcome("b", "Tb", 59.9, None, None, "fail")


def _code(outcome: object) -> str | None:
    return outcome.code if isinstance(outcome, Refusal) else None


@given(st.integers(0, 10 * 365 * 86_400))
def test_a_notice_runs_seven_whole_days_after_its_day(second: int) -> None:
    """From publication to the end lie at least 7 and less than 8 days, and the end is midnight in Shanghai."""
    published = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    period = rules.notice_period(PACK, published)
    assert timedelta(days=7) <= period.end - published < timedelta(days=8, microseconds=1)
    assert (period.end + timedelta(hours=8)).time() == datetime.min.time()
    assert rules.may_upload(period, period.end) is None
    early = rules.may_upload(period, period.end - timedelta(microseconds=1))
    assert early is not None
    assert early.facts["allowed_from"] == period.end.isoformat()


def test_the_upload_is_due_seven_days_after_the_notice() -> None:
    """A notice that ends on 29 April leaves until 6 May, inclusive."""
    assert rules.upload_until(PACK, Period(date(2026, 4, 23), date(2026, 4, 29))) == date(2026, 5, 6)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([PASS, FAIL], None),
        ([PASS], "notice-incomplete"),
        ([PASS, FAIL, FAIL], "notice-candidate-twice"),
        ([PASS, replace(FAIL, candidate="z")], "notice-candidate-unknown"),
        ([PASS, replace(FAIL, ticket="Ta")], "notice-candidate-unknown"),
        ([PASS, replace(FAIL, result="maybe")], "notice-result-unknown"),
    ],
)
def test_a_notice_names_everybody_once(rows: list[Outcome], code: str | None) -> None:
    """Only a notice with each enrolled candidate once, and one of the four results, is complete."""
    assert _code(rules.complete(rows, PEOPLE)) == code


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (PASS, None),
        (FAIL, None),
        (replace(PASS, theory=59.9), "notice-result-contradicts-scores"),
        (replace(FAIL, theory=60.0), "notice-result-contradicts-scores"),
        (replace(PASS, theory=None), "notice-result-contradicts-scores"),
        (replace(PASS, theory=None, result="absent"), None),
        (replace(PASS, theory=90.0, result="cheat"), None),
        (replace(PASS, theory=100.5), "notice-score-impossible"),
        (replace(PASS, theory=-1.0), "notice-score-impossible"),
    ],
)
def test_a_result_agrees_with_its_scores(row: Outcome, code: str | None) -> None:
    """Pass needs every subject at its mark, fail needs one below, and cheating stands whatever the score."""
    assert _code(rules.coherent([row], PEOPLE, [SLOT])) == code


@given(st.text(min_size=2, max_size=8))
def test_a_masked_name_hides_something(name: str) -> None:
    """A masked name keeps its first character, shows at most two, and is never the name itself."""
    masked = rules.masked_name(name)
    assert masked[0] == name[0]
    assert sum(1 for character in masked if character != rules.HIDDEN) <= 2
    assert rules.HIDDEN in masked


def test_a_masked_ticket_keeps_both_ends() -> None:
    """Of twelve characters six are hidden."""
    assert rules.masked_ticket("260420300001") == "26＊＊＊＊＊＊0001"


def test_objections_end_with_the_notice() -> None:
    """An objection is taken in the last microsecond of the period, refused at its end, and never without words."""
    period = Period(date(2026, 4, 23), date(2026, 4, 29))
    last = period.end - timedelta(microseconds=1)
    assert may_object(period, "有误", last) is None
    assert _code(may_object(period, "有误", period.end)) == "objection-after-notice"
    assert _code(may_object(period, "  ", last)) == "objection-text-missing"
    assert _code(may_object(period, "x" * (LONGEST_TEXT + 1), last)) == "objection-text-missing"


@given(st.sampled_from(list(ObjectionState)), st.sampled_from(list(ObjectionEvent)))
def test_an_objection_is_answered_once(state: ObjectionState, event: ObjectionEvent) -> None:
    """An answer is possible only from OPEN."""
    assert isinstance(step(state, event), Refusal) == ((state, event) not in TRANSITIONS)
    assert (state is ObjectionState.OPEN) == ((state, event) in TRANSITIONS)
