"""What the cameras may expect of a room, from the exam day's facts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from server.conduct.expectations import expectation, seat_status
from server.delivery.facts import Move, RoomFact
from server.delivery.sitting import State
from server.delivery.timing import Phase, PhaseKind
from server.proctor.anomalies import SeatStatus
from tests.support.clock import START

RUNNING = Phase(PhaseKind.RUNNING, START, START + timedelta(minutes=90))
FACT = RoomFact(sitting="s", room="1", seat=7, state=State.OPENED, phase=RUNNING)


@pytest.mark.parametrize(
    ("state", "kind", "status"),
    [
        (State.OPENED, PhaseKind.RUNNING, SeatStatus.WRITING),
        (State.OPENED, PhaseKind.PAUSED, SeatStatus.PAUSED),
        (State.CHECKED_IN, PhaseKind.WAITING, SeatStatus.NOT_DUE),
        (State.HANDED_IN, PhaseKind.RUNNING, SeatStatus.HANDED_IN),
        (State.ABSENT, PhaseKind.RUNNING, SeatStatus.ABSENT),
    ],
)
def test_only_one_who_writes_must_be_at_the_seat(state: State, kind: PhaseKind, status: SeatStatus) -> None:
    """Handed in, absent, paused and not yet started are no empty seats."""
    assert seat_status(replace(FACT, state=state, phase=replace(RUNNING, kind=kind))) is status


def test_who_is_out_with_an_escort_is_excused() -> None:
    """In an escorted break the empty seat is excused, and in a halt nobody is due."""
    assert seat_status(replace(FACT, away_since=START)) is SeatStatus.EXCUSED
    halted = replace(RUNNING, kind=PhaseKind.HALTED)
    assert seat_status(replace(FACT, phase=halted)) is SeatStatus.NOT_DUE
    assert seat_status(replace(FACT, state=State.HALTED)) is SeatStatus.NOT_DUE


def test_the_newest_answer_tells_whether_the_machine_is_used() -> None:
    """A seat whose newest answer came 20 seconds ago says so; one without an answer says nothing."""
    now = START + timedelta(seconds=50)
    told = expectation("1", [replace(FACT, answered_at=START + timedelta(seconds=30))], [], now)
    silent = expectation("1", [FACT], [], now)
    assert told is not None
    assert silent is not None
    assert (told.seats[0].kiosk_active_s, silent.seats[0].kiosk_active_s) == (20.0, None)


def test_a_seat_left_by_a_move_is_named_and_an_absentees_seat_goes_to_who_sits_there() -> None:
    """The old seat reads MOVED; the absentee's seat that the moved candidate took reads WRITING."""
    absent = replace(FACT, sitting="a", seat=30, state=State.ABSENT)
    moved = replace(FACT, seat=30)
    move = Move("s", START, "1", 7, "1", 30, "键盘故障")
    for facts in ([absent, moved], [moved, absent]):
        found = expectation("1", facts, [move], START)
        assert found is not None
        assert {seat.seat: seat.status for seat in found.seats} == {
            "7": SeatStatus.MOVED,
            "30": SeatStatus.WRITING,
        }


def test_a_room_without_sittings_expects_nothing() -> None:
    """No sitting and no move in the room: only the camera itself is judged there."""
    assert expectation("2", [FACT], [], START) is None
