"""Precision per rule and room from what people decided, alarms over time, and advice about cameras."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.proctor.advice import Measured, advice
from server.proctor.alerts import Alert, AlertState
from server.proctor.evidence import AnomalyKind
from server.proctor.precision import alarms_over_time, measured, wilson

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def alert(number: int, kind: AnomalyKind, room: str, state: AlertState, rings: bool = True) -> Alert:
    """Return an alert that opened `number` minutes after START."""
    at = START + timedelta(minutes=number)
    return Alert(f"a{number}", room, "1", kind, 0.7, (), at, at, None, rings, state)


ALERTS = (
    alert(0, AnomalyKind.EMPTY_SEAT, "01", AlertState.CONFIRMED),
    alert(1, AnomalyKind.EMPTY_SEAT, "01", AlertState.DISMISSED),
    alert(2, AnomalyKind.EMPTY_SEAT, "02", AlertState.CONFIRMED),
    alert(3, AnomalyKind.EMPTY_SEAT, "02", AlertState.SECONDED),
    alert(25, AnomalyKind.CAMERA_FAULT, "02", AlertState.OPEN, rings=False),
)


def test_precision_counts_only_what_people_decided() -> None:
    """Confirmed and dismissed alerts make the share, for each rule over all rooms and for each room; waiting ones do
    not.
    """
    found = {(one.kind, one.room): one for one in measured(ALERTS)}
    total = found[AnomalyKind.EMPTY_SEAT, None]
    assert (total.confirmed, total.decided, total.waiting, total.rang) == (2, 3, 1, 4)
    assert found[AnomalyKind.EMPTY_SEAT, "01"].share == 0.5
    assert found[AnomalyKind.EMPTY_SEAT, "02"].share == 1.0
    assert found[AnomalyKind.CAMERA_FAULT, "02"].share is None
    assert [one.room for one in measured(ALERTS)] == [None, None, "01", "02", "02"]


def test_interval_of_a_share() -> None:
    """Wilson's interval of 8 of 10 is 0.490 to 0.943, of nothing everything, and more hits than trials fail."""
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 4)[0] == 0.0
    with pytest.raises(ValueError, match="hits"):
        wilson(2, 1)


def test_alarms_fall_into_half_open_bins() -> None:
    """An alert at a bin's end belongs to the next bin, empty bins are there, and what was silent is counted apart."""
    end = START + timedelta(minutes=30)
    edge = alert(10, AnomalyKind.EXTRA_PERSON, "01", AlertState.OPEN)
    bins = alarms_over_time([*ALERTS, edge], START, end)
    assert [(one.rang, one.silent) for one in bins] == [(4, 0), (1, 0), (0, 1)]
    with pytest.raises(ValueError, match="bins"):
        alarms_over_time(ALERTS, end, START)


def test_a_good_camera_gets_no_advice_and_a_bad_one_the_grave_first() -> None:
    """A camera that does its work is left alone; one without pictures, references and seats is told so first."""
    good = Measured(True, "", 1.0, 0.4, (1280, 720), 30, 0, 1, 26.0)
    assert advice(good) == ()
    bad = replace(good, online=False, references=0, seats=0, interval_s=9.0, picture=(352, 288), face_px=9.0)
    codes = [one.code for one in advice(bad)]
    assert codes[:3] == ["camera-advice-silent", "camera-advice-no-seats", "camera-advice-no-reference"]
    assert set(codes[3:]) == {"camera-advice-slow", "camera-advice-small", "camera-advice-faces"}
