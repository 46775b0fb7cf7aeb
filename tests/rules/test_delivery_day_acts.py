"""Rules of halt and continuation, latest entry, lost time: pure, on the second."""

from datetime import UTC, datetime, timedelta

import pytest

from server.conduct.entry import may_enter
from server.delivery.answers import Timeliness, timeliness
from server.delivery.halting import HaltState, halt_state, may_continue, may_halt, may_plan
from server.delivery.lost_time import Beat, losses
from server.delivery.timing import (
    GRACE,
    Pause,
    PhaseKind,
    Policy,
    Times,
    continues_at,
    hand_in_window,
    own_end,
    phase_of,
)

BELL = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
POLICY = Policy(90, 30, 15)


def minute(minutes: float) -> datetime:
    return BELL + timedelta(minutes=minutes)


def halted(end: datetime | None, planned: datetime | None = None) -> Times:
    return Times(POLICY, BELL, pauses=(Pause(minute(40), end, halt=True, resumes_at=planned),))


def test_a_halt_keeps_the_unused_time_to_the_second() -> None:
    """Halted at 40 of 90 minutes and continued 26 hours later, 50 minutes are left and both limits moved alike."""
    again = minute(40) + timedelta(hours=26)
    times = halted(again)
    assert own_end(times) == again + timedelta(minutes=50)
    window = hand_in_window(times)
    assert window is not None
    assert window.opens == minute(30)
    assert window.closes == again + timedelta(minutes=35)
    assert phase_of(times, again - timedelta(microseconds=1)).kind is PhaseKind.HALTED
    assert phase_of(times, again).kind is PhaseKind.RUNNING


def test_an_open_halt_has_no_end_and_names_its_plan() -> None:
    """While halted no end is known; the planned continuation is told only as a plan."""
    times = halted(None, minute(3000))
    assert own_end(times) is None
    assert phase_of(times, minute(5000)).kind is PhaseKind.HALTED
    assert continues_at(times) == minute(3000)
    assert continues_at(halted(minute(3001), minute(3000))) is None


def test_a_pause_inside_a_halt_counts_once() -> None:
    """A room's pause that overlaps the hall's halt moves the end by their union, and the phase is the halt's."""
    pauses = (Pause(minute(35), minute(45)), Pause(minute(40), minute(100), halt=True))
    times = Times(POLICY, BELL, pauses=pauses)
    assert own_end(times) == minute(90 + 65)
    assert phase_of(times, minute(37)).kind is PhaseKind.PAUSED
    assert phase_of(times, minute(42)).kind is PhaseKind.HALTED


def test_in_a_halt_only_the_grace_is_on_its_way() -> None:
    """An answer that arrives 30 s into a halt is late, one that arrives just before is in time."""
    times = halted(None)
    assert timeliness(times, minute(40) + GRACE - timedelta(seconds=1), None) is Timeliness.IN_TIME
    assert timeliness(times, minute(40) + GRACE, None) is Timeliness.LATE


def test_a_halt_follows_its_table() -> None:
    """No continuation without a plan nor before its second, no plan in the past, nothing after it continued."""
    assert may_halt(True, False) is None
    assert halt_state(None, None) is HaltState.HALTED
    assert halt_state(minute(1), None) is HaltState.PLANNED
    assert halt_state(minute(1), minute(2)) is HaltState.CONTINUED

    def code(refusal: object) -> str | None:
        return getattr(refusal, "code", None)

    assert code(may_halt(False, False)) == "halt-before-bell"
    assert code(may_continue(HaltState.HALTED, None, BELL)) == "continuation-not-planned"
    early = may_continue(HaltState.PLANNED, minute(5), minute(4))
    assert early is not None and early.facts["allowed"] == minute(5).isoformat()
    assert may_continue(HaltState.PLANNED, minute(5), minute(5)) is None
    assert code(may_plan(HaltState.PLANNED, minute(1), minute(2))) == "continuation-in-past"
    assert code(may_plan(HaltState.CONTINUED, minute(3), minute(2))) == "halt-not-open"


@pytest.mark.parametrize(
    ("minutes", "at", "admitted", "refused"),
    [
        (None, 80.0, "", False),
        (15, 14.99, "", False),
        (15, 15.0, "", True),
        (15, 80.0, "train was late", False),
    ],
)
def test_latest_entry_binds_only_where_it_is_filed(
    minutes: int | None, at: float, admitted: str, refused: bool
) -> None:
    """Without the body's own rule nobody is barred; with it, from bell + minutes on only with the chief's reason."""
    assert (may_enter(minutes, BELL, admitted, minute(at)) is not None) is refused
    assert may_enter(minutes, None, "", minute(at)) is None


def test_lost_time_is_the_lines_own_without_pauses_and_short_breaks() -> None:
    """Of a loss of 29 s, one of 10 minutes with a pause of 4 inside, and one still open, 6 minutes and the last
    count; what was lost before the newest credit does not.
    """
    beats = [
        Beat(minute(-5), True),
        Beat(minute(5), False),
        Beat(minute(5) + timedelta(seconds=29), True),
        Beat(minute(10), False),
        Beat(minute(20), True),
        Beat(minute(30), False),
    ]
    times = Times(POLICY, BELL, pauses=(Pause(minute(12), minute(16)),))
    found = losses(beats, times, None, minute(33))
    assert [loss.length for loss in found] == [timedelta(minutes=6), timedelta(minutes=3)]
    assert [loss.length for loss in losses(beats, times, minute(25), minute(33))] == [timedelta(minutes=3)]
    assert losses(beats, Times(POLICY), None, minute(33)) == ()
    assert losses(beats, times, None, minute(500))[-1].end == own_end(times)
