"""The state of one seat over time, at one picture a second and at one in thirty seconds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.proctor.evidence import SeatEvidence, SeatReading, SeatState
from server.proctor.occupancy import RULE, begin, decide

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
Line = tuple[float, SeatEvidence | None]


def shows(
    structure: float | None = 0.8, faces: int = 0, motion: float | None = 0.1, visible: float = 1.0
) -> SeatEvidence:
    return SeatEvidence("5", structure, visible, motion, faces, 0.9 if faces else 0.0)


SITS, WRITES, GONE, BAG = shows(faces=1), shows(), shows(0.0, motion=0.0), shows(0.5, motion=0.0)


def play(lines: list[Line]) -> list[SeatReading]:
    memory, out = begin(AT), []
    for second, evidence in lines:
        memory, reading = decide(memory, "5", evidence, AT + timedelta(seconds=second))
        out.append(reading)
    return out


def every(step: float, start: float, end: float, evidence: SeatEvidence | None) -> list[Line]:
    count = int((end - start) / step)
    return [(start + step * index, evidence) for index in range(count)]


@pytest.mark.parametrize("step", [1.0, 5.0, 30.0])
def test_leaving_is_found_with_its_beginning(step: float) -> None:
    """A person who leaves is EMPTY at the second picture without him, dated from the first."""
    readings = play(every(step, 0, 120, SITS) + every(step, 120, 240, GONE))
    empty = [r for r in readings if r.state is SeatState.EMPTY]
    assert empty[0].since == AT + timedelta(seconds=120)
    assert empty[0].at == AT + timedelta(seconds=120 + step)


@pytest.mark.parametrize("step", [1.0, 30.0])
def test_head_down_is_not_empty(step: float) -> None:
    """An hour of writing with no face to be seen never leaves OCCUPIED once it is settled."""
    readings = play(every(step, 0, 60, SITS) + every(step, 60, 3600, WRITES))
    assert {r.state for r in readings[2:]} == {SeatState.OCCUPIED}


@pytest.mark.parametrize("step", [1.0, 30.0])
def test_bag_becomes_an_object(step: float) -> None:
    """Structure without life for over two minutes is OBJECT, never OCCUPIED and never EMPTY."""
    readings = play(every(step, 0, 120, SITS) + every(step, 120, 420, BAG))
    last_life = 120 - step
    states = {r.state for r in readings if (r.at - AT).total_seconds() > last_life + 120 + 2 * step}
    assert states == {SeatState.OBJECT}


def test_one_picture_settles_nothing() -> None:
    """A single picture of an empty chair between pictures of a person changes no state."""
    lines = [(30.0 * i, GONE if i == 5 else SITS) for i in range(12)]
    assert {r.state for r in play(lines)[1:]} == {SeatState.OCCUPIED}


def test_bad_picture_is_unknown_and_never_empty() -> None:
    """While pictures cannot be used the seat is UNKNOWN, and after them evidence starts from nothing."""
    lines = [*every(1, 0, 20, SITS), *every(1, 20, 80, None), (80, GONE), (85, GONE)]
    readings = play(lines)
    assert {r.state for r in readings[20:81]} == {SeatState.UNKNOWN}
    assert readings[81].state is SeatState.EMPTY
    assert readings[81].since == AT + timedelta(seconds=80)


def test_without_reference_nothing_is_empty() -> None:
    """A seat without a reference is OCCUPIED by its faces and otherwise UNKNOWN, never EMPTY."""
    lines = every(1, 0, 10, shows(None, faces=1)) + every(1, 10, 300, shows(None))
    assert {r.state for r in play(lines)} == {SeatState.UNKNOWN, SeatState.OCCUPIED}


def test_hidden_seat_is_not_empty() -> None:
    """With less than a quarter of the seat in view, an unchanged rest does not make it EMPTY."""
    lines = every(1, 0, 300, shows(0.0, visible=0.2, motion=0.0))
    assert {r.state for r in play(lines)} == {SeatState.UNKNOWN}


def test_crowd_is_counted_over_pictures() -> None:
    """Two faces in three of the last five pictures are CROWDED, in two of them not."""
    two = shows(faces=2)
    assert play([*every(1, 0, 5, SITS), (5, two), (6, SITS), (7, two)])[-1].state is SeatState.OCCUPIED
    crowded = play([*every(1, 0, 5, SITS), (5, two), (6, SITS), (7, two), (8, SITS), (9, two)])[-1]
    assert (crowded.state, crowded.since) == (SeatState.CROWDED, AT + timedelta(seconds=5))


def test_order_is_required() -> None:
    """A picture captured before the last one is refused."""
    memory, _ = decide(begin(AT), "5", SITS, AT + timedelta(seconds=5))
    with pytest.raises(ValueError, match="order"):
        decide(memory, "5", SITS, AT)


evidence = st.one_of(
    st.none(),
    st.builds(
        shows,
        structure=st.one_of(st.none(), st.floats(0, 1)),
        faces=st.integers(0, 3),
        motion=st.one_of(st.none(), st.floats(0, 1)),
        visible=st.floats(0, 1),
    ),
)


@given(st.lists(st.tuples(st.floats(0.1, 60), evidence), max_size=60))
def test_empty_always_has_its_evidence(steps: list[tuple[float, SeatEvidence | None]]) -> None:
    """Whatever comes, EMPTY is only said when the two latest telling pictures showed no face and no
    structure.
    """
    second, lines = 0.0, []
    for step, shown in steps:
        second += step
        lines.append((second, shown))
    for index, reading in enumerate(play(lines)):
        assert reading.since <= reading.at
        shown = lines[index][1]
        if shown is None:
            assert reading.state is SeatState.UNKNOWN
        if reading.state is SeatState.EMPTY and (
            index == 0 or play(lines[:index])[-1].state is not SeatState.EMPTY
        ):
            assert shown is not None
            assert shown.structure is not None
            assert shown.faces == 0
            assert shown.structure < 0.22


@pytest.mark.parametrize(
    "change", [{"structure_empty": 0.4}, {"samples": 1}, {"crowded_least": 1}, {"crowded_of": 2}]
)
def test_impossible_rule_is_refused(change: dict[str, float]) -> None:
    """A rule whose thresholds cross, or that one picture could fulfil, cannot be born."""
    with pytest.raises(ValueError, match=r"."):
        replace(RULE, **change)  # type: ignore[arg-type]


def test_long_gap_starts_again() -> None:
    """After a gap of more than 150 seconds the old state is not carried on: the seat is UNKNOWN until it is
    settled.
    """
    readings = play([*every(1, 0, 10, SITS), (160.5, SITS), (161.5, SITS)])
    assert [r.state for r in readings[-2:]] == [SeatState.UNKNOWN, SeatState.OCCUPIED]


def test_between_the_thresholds_nothing_changes() -> None:
    """Structure between the thresholds keeps the state, and a face on an empty-looking chair keeps it too."""
    lines = [*every(1, 0, 10, SITS), *every(1, 10, 60, shows(0.3)), *every(1, 60, 120, shows(0.0, faces=1))]
    assert {r.state for r in play(lines)[2:]} == {SeatState.OCCUPIED}
    back = play([*every(1, 0, 10, GONE), *every(1, 10, 20, shows(0.3, faces=1))])
    assert back[-1].state is SeatState.OCCUPIED


def test_small_bag_becomes_an_object() -> None:
    """Structure between the thresholds without life for two minutes is OBJECT, whoever sat there before."""
    readings = play([*every(5, 0, 60, SITS), *every(5, 60, 300, shows(0.3, motion=0.0))])
    assert readings[-1].state is SeatState.OBJECT
