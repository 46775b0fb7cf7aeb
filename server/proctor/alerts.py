"""Bundles anomalies into alerts, keeps them within an alarm budget, and records what people make of them.

An alert is what an invigilator sees. Findings are leads: only people decide, and a finding on a candidate is
confirmed by two of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from server.errors import Refusal
from server.proctor.evidence import Anomaly, AnomalyKind


class AlertState(StrEnum):
    """Where an alert stands with the people who look at it."""

    OPEN = "open"
    SECONDED = "awaiting_second"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    NOTED = "noted"


class AlertAct(StrEnum):
    """What a person may do with an alert."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"
    NOTE = "note"


class AlertEvent(StrEnum):
    """What happens to an alert's state. CONFIRM_FIRST is the first of the two confirmations a candidate is
    owed.
    """

    CONFIRM = "confirm"
    CONFIRM_FIRST = "confirm_first"
    DISMISS = "dismiss"
    NOTE = "note"


TRANSITIONS: Mapping[tuple[AlertState, AlertEvent], AlertState] = {
    (AlertState.OPEN, AlertEvent.CONFIRM): AlertState.CONFIRMED,
    (AlertState.OPEN, AlertEvent.CONFIRM_FIRST): AlertState.SECONDED,
    (AlertState.OPEN, AlertEvent.DISMISS): AlertState.DISMISSED,
    (AlertState.OPEN, AlertEvent.NOTE): AlertState.NOTED,
    (AlertState.NOTED, AlertEvent.CONFIRM): AlertState.CONFIRMED,
    (AlertState.NOTED, AlertEvent.CONFIRM_FIRST): AlertState.SECONDED,
    (AlertState.NOTED, AlertEvent.DISMISS): AlertState.DISMISSED,
    (AlertState.NOTED, AlertEvent.NOTE): AlertState.NOTED,
    (AlertState.SECONDED, AlertEvent.CONFIRM): AlertState.CONFIRMED,
    (AlertState.SECONDED, AlertEvent.DISMISS): AlertState.DISMISSED,
    (AlertState.SECONDED, AlertEvent.NOTE): AlertState.SECONDED,
    (AlertState.CONFIRMED, AlertEvent.NOTE): AlertState.CONFIRMED,
    (AlertState.DISMISSED, AlertEvent.NOTE): AlertState.DISMISSED,
}


def step(state: AlertState, event: AlertEvent) -> AlertState | Refusal:
    """The next state; `alert-decided` where people have confirmed or dismissed the alert before."""
    after = TRANSITIONS.get((state, event))
    return Refusal("alert-decided", facts={"state": state.value}) if after is None else after


@dataclass(frozen=True, slots=True)
class Alert:
    """One or more anomalies shown as one. `kind` and `score` are those of the worst.

    `about` is the seat, `camera:<id>` for a camera's faults, or "" for the room. `ended_at` is exclusive and
    None while any of the anomalies still holds. `rings` tells whether it came within the alarm budget; the
    others are listed in silence. `first_by` is who confirmed first, waiting for a second person.
    """

    key: str
    room_id: str
    about: str
    kind: AnomalyKind
    score: float
    anomalies: tuple[str, ...]
    opened_at: datetime
    last_at: datetime
    ended_at: datetime | None
    rings: bool
    state: AlertState = AlertState.OPEN
    first_by: str | None = None
    decided_by: str | None = None

    @property
    def on_candidate(self) -> bool:
        """True where the alert can speak against a candidate."""
        return self.kind.on_candidate


@dataclass(frozen=True, slots=True)
class AlarmBudget:
    """How many alerts may ring for one invigilator in any hour.

    The last `reserved` of them are kept for scores of at least `reserved_score`, so that a busy hour cannot
    use up the place of the one that matters.
    """

    per_hour: int = 6
    reserved: int = 2
    reserved_score: float = 0.9

    def __post_init__(self) -> None:
        if not 0 <= self.reserved <= self.per_hour:
            raise ValueError("the reserve is a part of the budget")


BUDGET = AlarmBudget()

# An anomaly that starts this soon after the last one ended belongs to the same alert.
REJOIN_S = 60.0


def subject_of(anomaly: Anomaly) -> str:
    """What an alert about this anomaly is about: seat, camera, or "" for the room."""
    if anomaly.kind in (AnomalyKind.CAMERA_FAULT, AnomalyKind.RECORDING_GAP):
        return f"camera:{anomaly.camera_id}"
    return anomaly.seat or ""


def joins(alert: Alert, anomaly: Anomaly) -> bool:
    """True if the anomaly belongs to the alert: same room and subject, overlapping or nearly so, and
    undecided.
    """
    if alert.state in (AlertState.CONFIRMED, AlertState.DISMISSED):
        return False
    if (alert.room_id, alert.about) != (anomaly.room_id, subject_of(anomaly)):
        return False
    return alert.ended_at is None or anomaly.started_at <= alert.ended_at + timedelta(seconds=REJOIN_S)


def bundle(
    alerts: Sequence[Alert], anomaly: Anomaly, rung: Sequence[datetime], budget: AlarmBudget = BUDGET
) -> Alert:
    """The alert that the anomaly makes or joins, as a new fact with the old one's key.

    `rung` are the times at which alerts rang for this invigilator. An alert that joins keeps its ring, and
    rings now if only the worse score brings it within the budget.
    """
    for alert in alerts:
        if joins(alert, anomaly):
            worse = anomaly.score > alert.score
            score = max(alert.score, anomaly.score)
            return replace(
                alert,
                kind=anomaly.kind if worse else alert.kind,
                score=score,
                anomalies=(*alert.anomalies, anomaly.key),
                last_at=max(alert.last_at, anomaly.found_at),
                ended_at=None,
                rings=alert.rings or rings(score, rung, anomaly.found_at, budget),
            )
    return Alert(
        key=f"alert:{anomaly.key}",
        room_id=anomaly.room_id,
        about=subject_of(anomaly),
        kind=anomaly.kind,
        score=anomaly.score,
        anomalies=(anomaly.key,),
        opened_at=anomaly.found_at,
        last_at=anomaly.found_at,
        ended_at=None,
        rings=rings(anomaly.score, rung, anomaly.found_at, budget),
    )


def rings(score: float, rung: Sequence[datetime], now: datetime, budget: AlarmBudget = BUDGET) -> bool:
    """True if an alert of this score may ring at `now`; an hour is (now - 60 min, now]."""
    used = sum(1 for at in rung if now - timedelta(hours=1) < at <= now)
    free = budget.per_hour - used
    return free > (0 if score >= budget.reserved_score else budget.reserved)


def end(alert: Alert, still_open: Sequence[str], ended_at: datetime) -> Alert:
    """The alert after one of its anomalies ended; it ends itself when none of them is in `still_open`."""
    if any(key in still_open for key in alert.anomalies):
        return alert
    return replace(alert, ended_at=ended_at, last_at=max(alert.last_at, ended_at))


def worst_first(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """Undecided before decided, ringing before silent, higher score first, then the newest."""
    undecided = (AlertState.OPEN, AlertState.SECONDED, AlertState.NOTED)
    return tuple(
        sorted(
            alerts, key=lambda a: (a.state not in undecided, not a.rings, -a.score, -a.opened_at.timestamp())
        )
    )


def decide(alert: Alert, act: AlertAct, person: str) -> Alert | Refusal:
    """What the alert becomes when `person` acts on it, or why not.

    A finding on a candidate is CONFIRMED by the second person who confirms it; the first leaves it awaiting
    a second. Codes: `alert-decided` (it was confirmed or dismissed before), `alert-second-person` (the same
    person again).
    """
    event = AlertEvent(act.value)
    if act is AlertAct.CONFIRM and alert.on_candidate:
        if alert.state is AlertState.SECONDED and alert.first_by == person:
            return Refusal("alert-second-person", facts={"alert": alert.key})
        if alert.state is not AlertState.SECONDED:
            event = AlertEvent.CONFIRM_FIRST
    after = step(alert.state, event)
    if isinstance(after, Refusal):
        return after
    if act is AlertAct.NOTE:
        return replace(alert, state=after)
    if after is AlertState.SECONDED:
        return replace(alert, state=after, first_by=person)
    return replace(alert, state=after, decided_by=person)
