"""The number of people in a room against its roster."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

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
    Frame,
    Quality,
    RoomSample,
    SeatReading,
    SeatState,
)

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
FACE = (10.0, 10.0, 30.0, 35.0, 0.8)
WRITING = SeatStatus.WRITING


def play(
    seconds: range,
    states: dict[str, SeatState],
    roster: dict[str, SeatStatus],
    memory: CameraMemory | None = None,
    strays: int = 0,
    faces: int = 0,
) -> tuple[CameraMemory, list[Anomaly], list[AnomalyEnd]]:
    """Show one camera the same room at these seconds; return its memory, and the counts raised and ended."""
    memory = memory or CameraMemory()
    expected = RoomExpectation("1", tuple(SeatExpectation(seat, is_) for seat, is_ in roster.items()))
    raised, ended = [], []
    for second in seconds:
        at = AT + timedelta(seconds=second)
        sample = RoomSample(
            Quality("c", "1", at, frozenset()),
            Frame("c", "1", at, 64, 36),
            tuple(SeatReading(seat, state, AT, at, None) for seat, state in states.items()),
            (FACE,) * faces,
            (FACE,) * strays,
            "t",
        )
        outcome = compare(memory, sample, expected)
        memory = outcome.memory
        raised += [a for a in outcome.raised if a.kind is AnomalyKind.ROOM_COUNT]
        ended += [e for e in outcome.ended if e.key.startswith("room_count")]
    return memory, raised, ended


def room(occupied: int, empty: int = 0, unknown: int = 0) -> dict[str, SeatState]:
    """Return seats in these states, numbered from 1."""
    states = [SeatState.OCCUPIED] * occupied + [SeatState.EMPTY] * empty + [SeatState.UNKNOWN] * unknown
    return {str(n): state for n, state in enumerate(states, start=1)}


def everyone(count: int, status: SeatStatus = WRITING) -> dict[str, SeatStatus]:
    """Return so many seats of one status."""
    return {str(n): status for n in range(1, count + 1)}


def test_two_people_too_few_are_one_finding_about_the_room() -> None:
    """Two of twelve missing for a minute are one finding with both numbers, which one person may settle; it ends."""
    memory, raised, _ = play(range(60), room(10, 2), everyone(12))
    assert raised == []
    memory, raised, ended = play(range(60, 90), room(10, 2), everyone(12), memory)
    (finding,) = raised
    assert (finding.seat, finding.facts["seen"], finding.facts["roster"]) == (None, 10.0, 12.0)
    assert not finding.kind.on_candidate
    assert ended == []
    _, _, ended = play(range(90, 130), room(12), everyone(12), memory)
    assert [end.key for end in ended] == [finding.key]


def test_one_missing_is_the_seats_own_finding() -> None:
    """One empty seat, one stranger, or seats that cannot be judged raise no count."""
    assert play(range(300), room(11, 1), everyone(12))[1] == []
    assert play(range(300), room(12), everyone(12), strays=1)[1] == []
    assert play(range(300), room(6, 1, 5), everyone(12))[1] == []


def test_too_many_are_found_with_and_without_seats() -> None:
    """Two strangers beyond a full roster, and more faces than roster and staff at a camera without seats, are found."""
    assert len(play(range(90), room(12), everyone(12), strays=2)[1]) == 1
    assert len(play(range(90), {}, everyone(12), faces=16)[1]) == 1
    assert play(range(90), {}, everyone(12), faces=15)[1] == []
    assert play(range(90), {}, everyone(12), faces=1)[1] == []


@given(st.integers(0, 12), st.integers(0, 12))
def test_who_has_handed_in_may_stay_or_go(writing: int, stay: int) -> None:
    """However many of those who have handed in are still there, the count is no finding."""
    stay = min(stay, 12 - writing)
    roster = everyone(writing) | {str(n): SeatStatus.HANDED_IN for n in range(writing + 1, 13)}
    states = room(writing + stay, 12 - writing - stay)
    assert play(range(90), states, roster)[1] == []


def test_before_the_bell_nothing_is_counted() -> None:
    """A room that fills, with nobody writing yet, has no count to differ from."""
    assert play(range(200), room(3, 9), everyone(12, SeatStatus.NOT_DUE))[1] == []
