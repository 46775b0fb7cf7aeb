"""Anomalies bundled into alerts, the alarm budget, and what people may do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refusal
from server.proctor.alerts import (
    TRANSITIONS,
    AlarmBudget,
    Alert,
    AlertAct,
    AlertEvent,
    AlertState,
    bundle,
    decide,
    end,
    rings,
    step,
    worst_first,
)
from server.proctor.evidence import Anomaly, AnomalyKind

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def anomaly(
    kind: AnomalyKind = AnomalyKind.EMPTY_SEAT, seat: str | None = "5", second: float = 0, score: float = 0.7
) -> Anomaly:
    start = AT + timedelta(seconds=second)
    return Anomaly(f"{kind}:{seat}:{second}", kind, 1, "1", "c", seat, start, start, score, {})


def alert(kind: AnomalyKind = AnomalyKind.EMPTY_SEAT, state: AlertState = AlertState.OPEN) -> Alert:
    seat = None if kind is AnomalyKind.CAMERA_FAULT else "5"
    return replace(bundle([], anomaly(kind, seat), []), state=state)


def test_overlapping_anomalies_of_a_seat_are_one_alert() -> None:
    """A second anomaly on the same seat joins the alert, which takes the worse kind and score."""
    first = bundle([], anomaly(), [])
    both = bundle([first], anomaly(AnomalyKind.CROWDED_SEAT, second=30, score=0.9), [])
    assert (both.key, both.kind, both.score, len(both.anomalies)) == (
        first.key,
        AnomalyKind.CROWDED_SEAT,
        0.9,
        2,
    )


@pytest.mark.parametrize("gap, same", [(60.0, True), (60.001, False)])
def test_soon_after_joins_again(gap: float, same: bool) -> None:
    """An anomaly that starts within 60 seconds of the end joins the ended alert; a later one makes a new
    alert.
    """
    first = end(bundle([], anomaly(), []), [], AT + timedelta(seconds=100))
    later = bundle([first], anomaly(second=100 + gap), [])
    assert (later.key == first.key) is same
    assert later.ended_at is None


@pytest.mark.parametrize("state", [AlertState.CONFIRMED, AlertState.DISMISSED])
def test_decided_alert_takes_nothing_more(state: AlertState) -> None:
    """An anomaly never joins an alert that people have decided."""
    assert bundle([alert(state=state)], anomaly(second=5), []).key != alert().key


def test_alert_ends_with_its_last_anomaly() -> None:
    """An alert of two anomalies does not end while one of them holds."""
    two = bundle([bundle([], anomaly(), [])], anomaly(second=10), [])
    assert end(two, [two.anomalies[1]], AT).ended_at is None
    assert end(two, [], AT + timedelta(seconds=20)).ended_at == AT + timedelta(seconds=20)


@given(st.lists(st.tuples(st.floats(0, 7200), st.floats(0, 1)), max_size=60))
def test_budget_is_never_passed(found: list[tuple[float, float]]) -> None:
    """In no hour more alerts ring than the budget says, and low scores never use its reserve."""
    budget = AlarmBudget(per_hour=6, reserved=2, reserved_score=0.9)
    rung: list[tuple[datetime, float]] = []
    for second, score in sorted(found):
        now = AT + timedelta(seconds=second)
        if rings(score, [at for at, _ in rung], now, budget):
            rung.append((now, score))
    for now, _ in rung:
        hour = [score for at, score in rung if now - timedelta(hours=1) < at <= now]
        assert len(hour) <= 6
        assert sum(score < 0.9 for score in hour) <= 4


def test_confirming_a_finding_on_a_candidate_needs_two() -> None:
    """The same person cannot confirm twice; a second one can; after that nobody can dismiss."""
    first = decide(alert(), AlertAct.CONFIRM, "staff:a")
    assert isinstance(first, Alert)
    assert first.state is AlertState.SECONDED
    again = decide(first, AlertAct.CONFIRM, "staff:a")
    assert isinstance(again, Refusal)
    assert again.code == "alert-second-person"
    second = decide(first, AlertAct.CONFIRM, "staff:b")
    assert isinstance(second, Alert)
    assert (second.state, second.first_by, second.decided_by) == (AlertState.CONFIRMED, "staff:a", "staff:b")
    after = decide(second, AlertAct.DISMISS, "staff:a")
    assert isinstance(after, Refusal)
    assert after.code == "alert-decided"


def test_camera_fault_needs_one() -> None:
    """A camera's fault is confirmed by one person."""
    done = decide(alert(AnomalyKind.CAMERA_FAULT), AlertAct.CONFIRM, "staff:a")
    assert isinstance(done, Alert)
    assert done.state is AlertState.CONFIRMED


def test_note_changes_no_decision() -> None:
    """A note leaves every decided or half-decided state as it is."""
    for state in (AlertState.CONFIRMED, AlertState.DISMISSED, AlertState.SECONDED):
        noted = decide(alert(state=state), AlertAct.NOTE, "staff:a")
        assert isinstance(noted, Alert)
        assert noted.state is state


def test_steps_outside_the_table_are_refused() -> None:
    """Every pair of state and event has a next state in the table or the refusal alert-decided."""
    for state, event in product(AlertState, AlertEvent):
        after = step(state, event)
        assert after == TRANSITIONS.get(
            (state, event), Refusal("alert-decided", facts={"state": state.value})
        )


def test_worst_comes_first() -> None:
    """Undecided alerts stand before decided ones, ringing before silent, higher scores before lower."""
    low, high = replace(alert(), key="low", score=0.2), replace(alert(), key="high", score=0.9)
    silent = replace(alert(), key="silent", score=1.0, rings=False)
    decided = replace(alert(), key="decided", score=1.0, state=AlertState.CONFIRMED)
    assert [a.key for a in worst_first([decided, silent, low, high])] == ["high", "low", "silent", "decided"]


def test_reserve_is_part_of_the_budget() -> None:
    """A budget whose reserve is larger than itself cannot be born."""
    with pytest.raises(ValueError, match="part"):
        AlarmBudget(per_hour=2, reserved=3)
