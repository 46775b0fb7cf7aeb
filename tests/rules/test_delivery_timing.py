"""The deadline function, the hand-in window and the states of a sitting."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.delivery.facts import Allowance, Extent, SlotTerms, SlotTimes
from server.delivery.handin import content_refusal, time_refusal
from server.delivery.sitting import TRANSITIONS, Event, State, step
from server.delivery.timing import (
    Pause,
    PhaseKind,
    Policy,
    Times,
    delay_after_bell,
    hand_in_window,
    own_end,
    phase_of,
    policy_refusal,
)
from server.errors import Refusal

BELL = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
TINY = timedelta(microseconds=1)
POLICY = Policy(90, 30, 15)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (minutes(0), "hand-in-too-early"),
        (minutes(30) - TINY, "hand-in-too-early"),
        (minutes(30), None),
        (minutes(75) - TINY, None),
        (minutes(75), "hand-in-too-late"),
        (minutes(90) - TINY, "hand-in-too-late"),
        (minutes(90), "hand-in-after-end"),
        (minutes(90) + timedelta(seconds=30), "hand-in-after-end"),
    ],
)
def test_hand_in_boundaries(after: timedelta, code: str | None) -> None:
    """At exactly 30:00 hand-in is allowed, at exactly 15:00 before the end it is not."""
    refusal = time_refusal(Times(POLICY, BELL), BELL + after)
    assert (None if refusal is None else refusal.code) == code


def test_hand_in_dense_sampling() -> None:
    """Second by second over the whole exam, hand-in is allowed in [30:00, 75:00) and nowhere else."""
    times = Times(POLICY, BELL)
    allowed = [s for s in range(-60, 91 * 60) if time_refusal(times, BELL + timedelta(seconds=s)) is None]
    assert allowed == list(range(30 * 60, 75 * 60))


def test_refusal_names_the_minute() -> None:
    """A hand-in ten minutes after the bell is told that it opens at 09:30:00, in 20 minutes."""
    refusal = time_refusal(Times(POLICY, BELL), BELL + minutes(10))
    assert refusal is not None
    assert (refusal.facts["opens"], refusal.facts["wait_minutes"]) == ("09:30:00", 20)
    assert refusal.article == "BJ-E:A5.2-9"


def test_named_second_is_allowed() -> None:
    """When the bell has a fraction of a second, hand-in at the named second is allowed."""
    times = Times(POLICY, BELL + timedelta(milliseconds=250))
    refusal = time_refusal(times, BELL + minutes(1))
    assert refusal is not None
    assert refusal.facts["opens"] == "09:30:01"
    assert time_refusal(times, BELL + minutes(30) + timedelta(seconds=1)) is None


def test_no_bell_is_waiting() -> None:
    """Without a bell the phase is waiting without bounds, and hand-in is refused."""
    phase = phase_of(Times(POLICY), BELL)
    assert (phase.kind, phase.start, phase.end) == (PhaseKind.WAITING, None, None)
    refusal = time_refusal(Times(POLICY), BELL)
    assert refusal is not None and refusal.code == "hand-in-before-start"


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (timedelta() - TINY, PhaseKind.WAITING),
        (timedelta(), PhaseKind.RUNNING),
        (minutes(90) - TINY, PhaseKind.RUNNING),
        (minutes(90), PhaseKind.GRACE),
        (minutes(90) + timedelta(seconds=30) - TINY, PhaseKind.GRACE),
        (minutes(90) + timedelta(seconds=30), PhaseKind.ENDED),
    ],
)
def test_phase_boundaries(after: timedelta, kind: PhaseKind) -> None:
    """Phases change exactly at their bounds, and each phase contains the moment it is asked for."""
    now = BELL + after
    phase = phase_of(Times(POLICY, BELL), now)
    assert phase.kind is kind
    assert phase.start is None or phase.start <= now
    assert phase.end is None or now < phase.end


def test_three_numbers() -> None:
    """Extra time moves the end only; delay moves start and end but not the early limit; credit moves both
    limits.
    """
    extra = Times(POLICY, BELL, extra=minutes(20))
    delayed = Times(POLICY, BELL, delay=minutes(5))
    credited = Times(POLICY, BELL, credits=minutes(7))
    windows = [hand_in_window(times) for times in (extra, delayed, credited)]
    opens = [window.opens - BELL for window in windows if window is not None]
    assert opens == [minutes(30), minutes(30), minutes(37)]
    assert [own_end(times) for times in (extra, delayed, credited)] == [
        BELL + minutes(110),
        BELL + minutes(95),
        BELL + minutes(97),
    ]
    assert phase_of(delayed, BELL + minutes(4)).kind is PhaseKind.WAITING


def test_open_pause_has_no_end() -> None:
    """While a pause is open the phase is paused, no end is known, and hand-in is refused as paused."""
    times = Times(POLICY, BELL, pauses=(Pause(BELL + minutes(40), None),))
    now = BELL + minutes(300)
    assert phase_of(times, now).kind is PhaseKind.PAUSED
    assert own_end(times) is None
    refusal = time_refusal(times, now)
    assert refusal is not None and refusal.code == "hand-in-paused"


def test_overlapping_pauses_count_once() -> None:
    """A room's pause inside the hall's adds nothing; their union moves the end."""
    pauses = (
        Pause(BELL + minutes(40), BELL + minutes(50)),
        Pause(BELL + minutes(42), BELL + minutes(45)),
        Pause(BELL + minutes(48), BELL + minutes(55)),
    )
    assert own_end(Times(POLICY, BELL, pauses=pauses)) == BELL + minutes(105)


def test_pause_after_the_end_moves_nothing() -> None:
    """A pause that begins at the own end leaves the end where it was."""
    pauses = (Pause(BELL + minutes(90), BELL + minutes(100)),)
    assert own_end(Times(POLICY, BELL, pauses=pauses)) == BELL + minutes(90)
    assert phase_of(Times(POLICY, BELL, pauses=pauses), BELL + minutes(95)).kind is PhaseKind.ENDED


def test_early_pause_moves_both_limits() -> None:
    """A pause before the early limit moves the early limit, the late limit and the end alike."""
    times = Times(POLICY, BELL, pauses=(Pause(BELL + minutes(10), BELL + minutes(20)),))
    window = hand_in_window(times)
    assert window is not None
    assert (window.opens, window.closes) == (BELL + minutes(40), BELL + minutes(85))


PLAN = SlotTerms("slot", "plan", "", "", BELL, POLICY, 1)


def slot_times(bell: float | None, *delays: tuple[Extent, float, float]) -> SlotTimes:
    """Return a slot planned at BELL with the bell of rooms 01 and 02 (minutes after it) and delays, each with its
    extent, minutes, and when it was granted."""
    rung = {} if bell is None else dict.fromkeys(("01", "02"), BELL + minutes(bell))
    given = tuple(
        Allowance(extent, "delay", minutes(length), BELL + minutes(at)) for extent, length, at in delays
    )
    return SlotTimes(PLAN, rung, given, ())


HALL, ROOM, ONE = Extent("slot"), Extent("slot", "01"), Extent("slot", None, "one")


@pytest.mark.parametrize(
    ("bell", "delays", "start", "other"),
    [
        (10, ((HALL, 10, -5),), 10, 10),  # struck at the moved planned start
        (17, ((HALL, 10, -5),), 17, 17),  # struck later still: the end follows the bell
        (10, ((HALL, 4, -9), (HALL, 6, -5)), 10, 10),
        (10, ((HALL, 10, 7),), 10, 10),  # granted after the planned time, before the bell
        (0, ((ROOM, 10, -5),), 10, 0),
        (3, ((ONE, 10, -5),), 10, 3),  # one candidate's later start counts from the plan, too
        (12, ((ONE, 10, -5),), 12, 12),
        (10, ((HALL, 10, -5), (ONE, 5, -4)), 15, 10),
        (2, ((HALL, 10, 3),), 12, 12),  # granted after the bell: counted from it
        (10, ((HALL, 10, -5), (ONE, 5, 11)), 15, 10),
        (4, (), 4, 4),
        (-2, ((HALL, 10, -5),), 8, 8),  # a bell that a rebuild put before the plan
    ],
)
def test_one_lateness_counts_once(
    bell: float, delays: tuple[tuple[Extent, float, float], ...], start: float, other: float
) -> None:
    """Work begins at the later of the bell and the planned start moved by what was granted before it, what is granted
    afterwards counts from the bell, and everybody has the whole 90 minutes."""
    times = slot_times(bell, *delays)
    for sitting, room, begins in (("one", "01", start), ("two", "02", other)):
        own = times.of(sitting, room)
        assert own.bell is not None
        phase = phase_of(own, BELL + minutes(begins))
        assert (phase.kind, phase.start) == (PhaseKind.RUNNING, BELL + minutes(begins))
        assert phase_of(own, BELL + minutes(begins) - TINY).kind is PhaseKind.WAITING
        assert own_end(own) == BELL + minutes(begins + 90)


def test_a_delay_moves_the_planned_start_until_the_bell() -> None:
    """Before the bell a room's planned start moves by its own delays and the slot's, not by one candidate's; a delay
    granted after the bell moves it no more."""
    waiting = slot_times(None, (HALL, 5, -9), (ROOM, 10, -8), (ONE, 20, -7))
    assert [waiting.moved_by(room) for room in ("", "01", "02")] == [minutes(5), minutes(15), minutes(5)]
    assert waiting.of("one", "01").delay == minutes(35)
    assert slot_times(0, (HALL, 5, -9), (HALL, 7, 1)).moved_by("01") == minutes(5)


@given(
    before=st.lists(st.integers(1, 3600), max_size=3),
    after=st.lists(st.integers(1, 3600), max_size=3),
    late=st.integers(0, 7200),
)
def test_nobody_gains_or_loses_by_a_delay(before: list[int], after: list[int], late: int) -> None:
    """Whatever was granted and whenever the bell came, nobody starts before bell or moved plan, nor later than both
    but for what was granted after the bell, and the working time is whole."""
    bell = timedelta(seconds=late)
    granted, later = (timedelta(seconds=sum(part)) for part in (before, after))
    own = bell + delay_after_bell(BELL, BELL + bell, granted, later)
    assert own == max(bell, granted) + later
    assert own_end(Times(POLICY, BELL + bell, delay=own - bell)) == BELL + own + minutes(90)


SPANS = st.integers(min_value=0, max_value=3600).map(lambda s: timedelta(seconds=s))


@given(
    extra=SPANS,
    delay=SPANS,
    credit=SPANS,
    cuts=st.lists(st.integers(0, 7200), min_size=0, max_size=6).map(sorted),
    probe=st.integers(-600, 20_000),
)
def test_phases_tile_time(
    extra: timedelta, delay: timedelta, credit: timedelta, cuts: list[int], probe: int
) -> None:
    """Whatever moves the deadline, each moment lies in its own phase, and the own time outside pauses is
    unchanged.
    """
    pauses = tuple(
        Pause(BELL + timedelta(seconds=a), BELL + timedelta(seconds=b))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    )
    times = Times(POLICY, BELL, extra, delay, credit, pauses)
    now = BELL + timedelta(seconds=probe)
    phase = phase_of(times, now)
    assert phase.start is None or phase.start <= now
    assert phase.end is None or now < phase.end
    end, start = own_end(times), BELL + delay
    assert end is not None
    halted = {
        second
        for pause in pauses
        if pause.end is not None
        for second in range(
            int((pause.start - BELL).total_seconds()), int((pause.end - BELL).total_seconds())
        )
        if start <= BELL + timedelta(seconds=second) < end
    }
    assert end - start - timedelta(seconds=len(halted)) == minutes(90) + extra + credit


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (Policy(90, 30, 15), None),
        (Policy(45, 30, 15), "hand-in-window-empty"),
        (Policy(46, 30, 15), None),
        (Policy(0, 0, 0), "policy-numbers"),
        (Policy(90, -1, 15), "policy-numbers"),
    ],
)
def test_policy_refusal(policy: Policy, code: str | None) -> None:
    """A policy whose hand-in window is empty is refused, one whose window is a minute long is not."""
    refusal = policy_refusal(policy)
    assert (None if refusal is None else refusal.code) == code


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_step_follows_the_table(state: State, event: Event) -> None:
    """A step is the table's state, or a refusal naming state and event; nothing else."""
    after = step(state, event)
    if (state, event) in TRANSITIONS:
        assert after is TRANSITIONS[(state, event)]
    else:
        assert isinstance(after, Refusal)
        assert after.facts == {"state": state.value, "event": event.value}


def test_opened_papers_cannot_become_absent() -> None:
    """Once a paper was opened the sitting is present for good."""
    reachable, edge = {State.OPENED}, [State.OPENED]
    while edge:
        state = edge.pop()
        for (before, _), after in TRANSITIONS.items():
            if before is state and after not in reachable:
                reachable.add(after)
                edge.append(after)
    assert all(state.present for state in reachable)


@pytest.mark.parametrize(
    ("state", "lease", "same", "code"),
    [
        (State.OPENED, 2, True, None),
        (State.OPENED, 1, True, "lease-superseded"),
        (State.OPENED, 2, False, "hand-in-differs"),
        (State.HANDED_IN, 2, True, "hand-in-already"),
        (State.COLLECTED, 2, True, "hand-in-state"),
    ],
)
def test_hand_in_content(state: State, lease: int, same: bool, code: str | None) -> None:
    """A hand-in counts only for an open paper, from the newest device, with the answers that are on disk."""
    refusal = content_refusal(state, lease, 2, same, same, 5)
    assert (None if refusal is None else refusal.code) == code
