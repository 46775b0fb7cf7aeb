"""What differs from the exam's expectation, when it is raised and when it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from server.proctor.anomalies import (
    CameraMemory,
    RoomExpectation,
    SeatExpectation,
    SeatStatus,
    compare,
)
from server.proctor.evidence import (
    Anomaly,
    AnomalyEnd,
    AnomalyKind,
    CameraFault,
    Frame,
    Quality,
    RoomSample,
    SeatEvidence,
    SeatReading,
    SeatState,
)

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
STRAY = (10.0, 10.0, 30.0, 35.0, 0.8)


def at(second: float) -> datetime:
    return AT + timedelta(seconds=second)


class Room:
    """Plays samples of one camera and collects what comes of them."""

    def __init__(self) -> None:
        self.memory = CameraMemory()
        self.raised: list[Anomaly] = []
        self.ended: list[AnomalyEnd] = []

    def see(
        self,
        second: float,
        state: SeatState = SeatState.OCCUPIED,
        status: SeatStatus | None = SeatStatus.WRITING,
        since: float | None = None,
        strays: int = 0,
        faults: frozenset[CameraFault] = frozenset(),
        kiosk: float | None = None,
        staff: int = 0,
    ) -> None:
        moment = at(second)
        seats = (SeatReading("5", state, at(second if since is None else since), moment, None),)
        sample = RoomSample(
            Quality("c", "1", moment, faults),
            Frame("c", "1", moment, 64, 36),
            seats,
            (),
            (STRAY,) * strays,
            "t",
        )
        others = (SeatExpectation("6", SeatStatus.WRITING),)
        mine = () if status is None else (SeatExpectation("5", status, kiosk),)
        outcome = compare(self.memory, sample, RoomExpectation("1", (*mine, *others), staff))
        self.memory = outcome.memory
        self.raised += outcome.raised
        self.ended += outcome.ended


def test_empty_seat_is_raised_once_and_ends() -> None:
    """A candidate who sat and leaves for ten minutes makes one anomaly, from when he left until he was back."""
    room = Room()
    for k in range(4):
        room.see(30 * k)
    for k in range(4, 24):
        room.see(30 * k, SeatState.EMPTY, since=120)
    for k in range(24, 28):
        room.see(30 * k)
    assert [(a.kind, a.seat, a.started_at, a.found_at) for a in room.raised] == [
        (AnomalyKind.EMPTY_SEAT, "5", at(120), at(150))
    ]
    assert room.ended == [AnomalyEnd(room.raised[0].key, at(720))]


@pytest.mark.parametrize(
    "status",
    [
        SeatStatus.NOT_DUE,
        SeatStatus.HANDED_IN,
        SeatStatus.ABSENT,
        SeatStatus.PAUSED,
        SeatStatus.EXCUSED,
        SeatStatus.MOVED,
    ],
)
def test_empty_seat_of_who_is_not_writing_is_none(status: SeatStatus) -> None:
    """An empty seat is an anomaly only while its candidate should be writing."""
    room = Room()
    room.see(0)
    for k in range(1, 100):
        room.see(k * 10, SeatState.EMPTY, status, since=10)
    assert room.raised == []


def test_hand_in_ends_the_anomaly() -> None:
    """An open empty-seat anomaly ends when the candidate has handed in, though the seat stays empty."""
    room = Room()
    room.see(0)
    for k in range(1, 5):
        room.see(10 * k, SeatState.EMPTY, since=10)
    for k in range(5, 8):
        room.see(10 * k, SeatState.EMPTY, SeatStatus.HANDED_IN, since=10)
    assert room.ended == [AnomalyEnd(room.raised[0].key, at(50))]


def test_start_is_not_before_the_status() -> None:
    """A seat that was empty before the exam started counts from the start, not from before."""
    room = Room()
    room.see(0, SeatState.OCCUPIED)
    room.see(10, SeatState.EMPTY, SeatStatus.PAUSED, since=10)
    for k in range(2, 6):
        room.see(10 * k, SeatState.EMPTY, since=10)
    assert room.raised[0].started_at == at(20)
    assert room.raised[0].found_at == at(30)


def test_kiosk_that_goes_on_answering_is_the_strongest_lead() -> None:
    """An empty seat scores higher when its kiosk answered within the last minute, and says so."""
    quiet, busy = Room(), Room()
    for room, kiosk in ((quiet, 300.0), (busy, 3.0)):
        room.see(0, kiosk=kiosk)
        room.see(20, SeatState.EMPTY, since=5, kiosk=kiosk)
    assert busy.raised[0].score > quiet.raised[0].score
    assert busy.raised[0].facts["kiosk_active_s"] == 3.0


def test_never_seated_waits_five_minutes() -> None:
    """A seat at which nobody was ever seen is raised after five minutes of writing, as another kind."""
    room = Room()
    for k in range(11):
        room.see(30 * k, SeatState.EMPTY, since=0)
    assert [(a.kind, a.found_at) for a in room.raised] == [(AnomalyKind.NEVER_SEATED, at(300))]


def test_a_departure_after_a_restart_is_an_empty_seat() -> None:
    """A camera process that starts after the candidate left knows from the kiosk's answers that he had sat."""
    room = Room()
    for k in range(2):
        room.see(10 * k, SeatState.EMPTY, since=0, kiosk=90.0)
    assert [a.kind for a in room.raised] == [AnomalyKind.EMPTY_SEAT]


def test_unknown_neither_raises_nor_ends() -> None:
    """While a seat is UNKNOWN an open anomaly stays open and no new one is made."""
    room = Room()
    room.see(0)
    room.see(15, SeatState.EMPTY, since=5)
    for k in range(2, 60):
        room.see(15 * k, SeatState.UNKNOWN, faults=frozenset({CameraFault.DARK}))
    assert [a.kind for a in room.raised] == [AnomalyKind.EMPTY_SEAT, AnomalyKind.CAMERA_FAULT]
    assert room.ended == []


@pytest.mark.parametrize("step", [1.0, 30.0])
def test_extra_person_needs_three_of_five_pictures(step: float) -> None:
    """Strays in two of five pictures are nothing; in three of five they are one anomaly."""
    room = Room()
    for k in range(5):
        room.see(k * step, strays=1 if k in (0, 2) else 0)
    assert room.raised == []
    for k in range(5, 12):
        room.see(k * step, strays=1 if k % 2 else 0)
    assert [a.kind for a in room.raised] == [AnomalyKind.EXTRA_PERSON]


def test_walking_staff_count_aside() -> None:
    """As many strays as staff who may walk in the room are no anomaly; one more is."""
    room = Room()
    for k in range(10):
        room.see(k, strays=1, staff=1)
    assert room.raised == []
    for k in range(10, 20):
        room.see(k, strays=2, staff=1)
    assert [a.kind for a in room.raised] == [AnomalyKind.EXTRA_PERSON]


@pytest.mark.parametrize("status", [SeatStatus.ABSENT, SeatStatus.MOVED, None])
def test_occupant_of_a_free_seat(status: SeatStatus | None) -> None:
    """Somebody at a seat of an absent or moved candidate, or without a sitting, is raised after 30 seconds."""
    room = Room()
    for k in range(8):
        room.see(10 * k, SeatState.OCCUPIED, status, since=0)
    assert [(a.kind, a.found_at) for a in room.raised] == [(AnomalyKind.UNEXPECTED_OCCUPANT, at(30))]


def test_camera_fault_needs_two_pictures() -> None:
    """A fault in a single picture raises nothing; in two pictures it is one anomaly of the camera, on no
    candidate.
    """
    room = Room()
    room.see(0, SeatState.UNKNOWN, faults=frozenset({CameraFault.WHITE}))
    room.see(30)
    assert room.raised == []
    room.see(60, SeatState.UNKNOWN, faults=frozenset({CameraFault.WHITE}))
    room.see(90, SeatState.UNKNOWN, faults=frozenset({CameraFault.WHITE}))
    assert [(a.kind, a.seat, a.kind.on_candidate) for a in room.raised] == [
        (AnomalyKind.CAMERA_FAULT, None, False)
    ]


def test_other_room_is_refused() -> None:
    """An expectation for another room than the sample's is refused."""
    sample = RoomSample(Quality("c", "1", AT, frozenset()), None, (), (), (), "t")
    with pytest.raises(ValueError, match="another room"):
        compare(CameraMemory(), sample, RoomExpectation("2", ()))


def test_crowded_seat_says_what_was_seen() -> None:
    """Two people at a writing candidate's seat are an anomaly with the numbers of the picture."""
    memory, raised = CameraMemory(), []
    shown = SeatEvidence("5", 0.6, 1.0, 0.2, 2, 0.9)
    for second in (0, 1, 2, 3):
        reading = SeatReading("5", SeatState.CROWDED, AT, at(second), shown)
        quality = Quality("c", "1", at(second), frozenset())
        sample = RoomSample(quality, Frame("c", "1", at(second), 64, 36), (reading,), (), (), "t")
        outcome = compare(memory, sample, RoomExpectation("1", (SeatExpectation("5", SeatStatus.WRITING),)))
        memory, raised = outcome.memory, [*raised, *outcome.raised]
    (found,) = raised
    assert (found.kind, found.found_at) == (AnomalyKind.CROWDED_SEAT, at(2))
    assert (found.facts["faces"], found.facts["structure"], found.facts["motion"]) == (2.0, 0.6, 0.2)
    assert [a.key for a in memory.open] == [found.key]


def test_room_where_nobody_writes_has_no_strangers() -> None:
    """Before anyone writes, strangers and occupied free seats are nobody's finding."""
    memory, quiet = CameraMemory(), RoomExpectation("1", ())
    for second in range(60):
        reading = SeatReading("5", SeatState.OCCUPIED, AT, at(second), None)
        quality = Quality("c", "1", at(second), frozenset())
        frame = Frame("c", "1", at(second), 64, 36)
        outcome = compare(memory, RoomSample(quality, frame, (reading,), (), (STRAY,), "t"), quiet)
        memory = outcome.memory
        assert outcome.raised == ()


def test_bag_in_place_of_a_candidate_scores_lower() -> None:
    """A thing on the candidate's seat is the same anomaly at a lower score than an empty seat."""
    bag, empty = Room(), Room()
    for room, state in ((bag, SeatState.OBJECT), (empty, SeatState.EMPTY)):
        room.see(0)
        room.see(20, state, since=5)
    assert bag.raised[0].kind is empty.raised[0].kind is AnomalyKind.EMPTY_SEAT
    assert bag.raised[0].score < empty.raised[0].score


def test_short_absence_is_forgotten() -> None:
    """An absence of under ten seconds raises nothing, and the next one starts anew."""
    room = Room()
    room.see(0)
    room.see(5, SeatState.EMPTY, since=4)
    room.see(10)
    room.see(15, SeatState.EMPTY, since=14)
    room.see(20, SeatState.EMPTY, since=14)
    assert room.raised == []
    room.see(24, SeatState.EMPTY, since=14)
    assert [a.started_at for a in room.raised] == [at(14)]


def test_strangers_of_another_hour_do_not_add_up() -> None:
    """Strays in three of five pictures that lie an hour apart are no anomaly."""
    room = Room()
    for k in range(10):
        room.see(3600 * k, strays=1)
    assert room.raised == []
