"""The windows and states of the openings."""

from dataclasses import replace
from datetime import timedelta

import pytest

from server.errors import Refusal
from server.keys.openings import (
    TRANSITIONS,
    OpeningEvent,
    OpeningFacts,
    OpeningKind,
    OpeningState,
    desk_window,
    giver_refusal,
    step,
    window,
)
from tests.support.clock import START

FREE = (OpeningKind.CEREMONY, OpeningKind.PASSPHRASE)
PLANNED = START + timedelta(hours=1)
READY = OpeningFacts(
    candidates_confirmed=True,
    papers_drawn=True,
    planned_start=PLANNED,
    seals_shown=True,
    open_slots_of_bank=0,
    check_in_began=False,
    sittings_open=0,
)


def code(refusal: Refusal | None) -> str | None:
    return None if refusal is None else refusal.code


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(-11, "start-too-early"), (-10, None), (-10 - 1 / 60, "start-too-early"), (0, None), (60, None)],
)
def test_start_opens_ten_minutes_before_the_planned_start(minutes: float, expected: str | None) -> None:
    """The start key may be opened from exactly 10 minutes before the planned start and not a second earlier."""
    assert code(window(OpeningKind.START, READY, PLANNED + timedelta(minutes=minutes))) == expected


def test_start_refusal_names_the_minute_at_which_it_would_be_allowed() -> None:
    """A start opening that comes too early is told from when it is allowed."""
    refusal = window(OpeningKind.START, READY, PLANNED - timedelta(hours=1))
    assert refusal is not None
    assert refusal.facts["allowed_from"] == (PLANNED - timedelta(minutes=10)).isoformat()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seals_shown": False}, "seals-not-shown"),
        ({"bell_struck": True}, "bell-struck"),
        ({"papers_drawn": False}, "not-drawn"),
        ({"planned_start": None}, "not-drawn"),
    ],
)
def test_start_needs_seals_shown_papers_and_no_bell(change: dict[str, object], expected: str) -> None:
    """The start key stays sealed without papers, before the seals were shown, and after the bell."""
    facts = replace(READY, **change)  # type: ignore[arg-type]
    assert code(window(OpeningKind.START, facts, PLANNED)) == expected


def test_draw_needs_confirmed_candidates_and_happens_once() -> None:
    """Papers are drawn after the candidates are confirmed, never a second time, never after the bell."""
    fresh = replace(READY, papers_drawn=False)
    assert window(OpeningKind.DRAW, fresh, START) is None
    unconfirmed = replace(fresh, candidates_confirmed=False)
    assert code(window(OpeningKind.DRAW, unconfirmed, START)) == "draw-before-confirmation"
    assert code(window(OpeningKind.DRAW, READY, START)) == "already-drawn"
    assert code(window(OpeningKind.DRAW, replace(fresh, bell_struck=True), START)) == "bell-struck"


@pytest.mark.parametrize(
    ("slots", "expected"), [(0, None), (1, "sittings-not-closed"), (None, "opening-facts-unknown")]
)
def test_marking_waits_for_every_slot_of_the_bank_version(slots: int | None, expected: str | None) -> None:
    """The marking sheets stay sealed while any slot of the same bank version is open, or when that is not known."""
    facts = replace(READY, open_slots_of_bank=slots)
    assert code(window(OpeningKind.MARKING, facts, START)) == expected


@pytest.mark.parametrize(
    ("began", "open_sittings", "expected"),
    [
        (False, 60, None),
        (True, 60, "desk-during-exam"),
        (True, 1, "desk-during-exam"),
        (True, 0, None),
        (None, 0, "opening-facts-unknown"),
        (False, None, "opening-facts-unknown"),
    ],
)
def test_desk_is_closed_from_check_in_to_the_last_sitting(
    began: bool | None, open_sittings: int | None, expected: str | None
) -> None:
    """The desk is refused from the first check-in until the last sitting of the day is closed."""
    facts = replace(READY, check_in_began=began, sittings_open=open_sittings)
    assert code(desk_window(facts, timedelta(hours=1))) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(8, None), (8 + 1 / 3600, "desk-duration"), (0, "desk-duration"), (-1, "desk-duration"), (0.1, None)],
)
def test_desk_lasts_at_most_eight_hours(hours: float, expected: str | None) -> None:
    """A desk opening of exactly 8 hours is allowed, a second more and nothing at all are not."""
    assert code(desk_window(READY, timedelta(hours=hours))) == expected


@pytest.mark.parametrize("kind", [kind for kind in OpeningKind if kind not in FREE])
def test_no_facts_mean_no_opening(kind: OpeningKind) -> None:
    """With default facts every opening is refused but the ceremony and the change of one's own passphrase."""
    assert window(kind, OpeningFacts(), START) is not None


def test_ceremony_has_no_window() -> None:
    """A ceremony is refused by no window: what guards it is that custodians are made once."""
    assert window(OpeningKind.CEREMONY, OpeningFacts(), START) is None


@pytest.mark.parametrize("state", list(OpeningState))
@pytest.mark.parametrize("event", list(OpeningEvent))
def test_step_answers_for_every_pair(state: OpeningState, event: OpeningEvent) -> None:
    """Every pair of state and event gives the state of the table or a refusal that names both."""
    following = step(state, event)
    if (state, event) in TRANSITIONS:
        assert following is TRANSITIONS[state, event]
    else:
        assert isinstance(following, Refusal)
        assert following.facts == {"state": state.value, "event": event.value}


def test_a_closed_opening_never_moves() -> None:
    """No event leads out of failed, aborted or forgotten, and none but forgetting out of done."""
    ended = {OpeningState.FAILED, OpeningState.ABORTED, OpeningState.FORGOTTEN}
    assert not [pair for pair in TRANSITIONS if pair[0] in ended]
    assert [event for state, event in TRANSITIONS if state is OpeningState.DONE] == [OpeningEvent.FORGET]


@pytest.mark.parametrize(
    ("giver", "refused"),
    [("chen", False), ("admin", False), ("sun", True), ("guard", True), ("staff:admin", True), ("", True)],
)
def test_a_passphrase_is_taken_from_its_custodian_or_where_the_opening_was_begun(
    giver: str, refused: bool
) -> None:
    """Nobody but the custodian himself and the login that began the opening may send his passphrase."""
    refusal = giver_refusal(giver, "chen", "staff:admin")
    assert (refusal is not None) is refused
    assert refusal is None or refusal.code == "passphrase-not-yours"
