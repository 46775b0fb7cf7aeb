"""The board's messages: golden bytes, closed form, and the law of snapshot and changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol.board import (
    Change,
    Ended,
    HallCounts,
    IncidentView,
    RoomView,
    SeatView,
    SlotView,
    Snapshot,
    StepView,
    Tick,
    Watch,
    applied,
    change,
    decode_to_board,
    decode_watch,
    encode,
)
from server.protocol.proctoring import AlertSeen, CameraHealth

AT = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)
SLOT = SlotView(
    id="slot-1",
    plan="plan-1",
    plan_name="20260314电工",
    occupation="电工",
    level=4,
    subject="theory",
    place="第一考点",
    starts_at=AT,
    ends_at=AT + timedelta(minutes=90),
    minutes=90,
    early=30,
    late=15,
    seals_shown_at=AT - timedelta(minutes=5),
    papers_sealed=62,
    start_key_open=True,
    bell="ready",
    standing="good",
    outcome=None,
)
COUNTS = HallCounts(
    enrolled=60,
    checked_in=59,
    present=0,
    absent=0,
    writing=0,
    handed_in=0,
    collected=0,
    voided=0,
    online=58,
    saved=5214,
    gaps=("enrolled=present+absent",),
)


def room(number: str, bell: str = "early") -> RoomView:
    return RoomView(
        number=number,
        name=f"{number} 考场",
        seats=30,
        bell=bell,
        bell_at=None,
        ends_at=None,
        hand_in_opens=None,
        hand_in_closes=None,
        paused=False,
        halted=False,
        resumes_at=None,
        invigilators=("王", "李"),
    )


def seat(sitting: str, answered: int = 0, sign: str = "writing") -> SeatView:
    return SeatView(
        sitting=sitting,
        candidate=f"c-{sitting}",
        ticket="T0001",
        name="张三",
        room="01",
        seat=14,
        state="opened",
        sign=sign,
        answered=answered,
        items=80,
        online=True,
        last_heard=AT,
        ends_at=AT + timedelta(minutes=90),
        camera="occupied",
        calls=0,
    )


def alert(key: str, state: str = "open") -> AlertSeen:
    return AlertSeen(
        key=key,
        room="01",
        about="14",
        kind="empty_seat",
        score=0.9,
        state=state,
        rings=True,
        opened_at=AT,
        last_at=AT,
        ended_at=None,
        first_by=None,
        needs_second=True,
        anomalies=1,
        picture=True,
    )


def snapshot(**changes: Any) -> Snapshot:
    made = Snapshot(
        id=7,
        epoch="e",
        now=AT,
        rate=1.0,
        slot=SLOT,
        rooms=(room("01"), room("02")),
        seats=(seat("a"), seat("b")),
        counts=COUNTS,
        steps=(
            StepView(
                code="start",
                at=AT,
                title="宣布开考",
                title_en="The start is announced",
                article="BJ-E:A5.2-8",
                per_room=False,
                two_names=False,
                state="due",
                open_rooms=(),
                done=0,
            ),
        ),
        alerts=(alert("x"),),
        cameras=(
            CameraHealth(
                camera="01-front", room="01", online=True, faults=(), last_at=AT, faces=29, interval_s=30.0
            ),
        ),
        incidents=(
            IncidentView(
                id="i",
                kind="phone",
                state="proposed",
                room="01",
                sitting="a",
                note="铃响",
                recorded_at=AT,
                recorded_by="staff:wang",
                report_to="chief",
                reported_at=None,
            ),
        ),
    )
    return msgspec.structs.replace(made, **changes)


GOLDEN = {
    Watch(slot="slot-1", epoch="e", since=7): b'{"type":"watch","slot":"slot-1","epoch":"e","since":7}',
    Tick(id=8, now=AT, rate=60.0): b'{"type":"tick","id":8,"now":"2026-03-14T00:30:00Z","rate":60.0}',
    Ended(code="slot-unknown"): b'{"type":"ended","code":"slot-unknown"}',
}


@pytest.mark.parametrize("message", GOLDEN)
def test_small_messages_have_these_bytes(message: Any) -> None:
    """A message is exactly these bytes on the wire, and the bytes are read as the message."""
    assert encode(message) == GOLDEN[message]
    read = decode_watch if isinstance(message, Watch) else decode_to_board
    assert read(GOLDEN[message]) == message


def test_a_seat_has_these_bytes() -> None:
    """A seat's view carries nothing but these fields, in this order."""
    assert msgspec.json.encode(seat("a", 57)).decode() == (
        '{"sitting":"a","candidate":"c-a","ticket":"T0001","name":"张三","room":"01","seat":14,"state":"opened",'
        '"sign":"writing","answered":57,"items":80,"online":true,"last_heard":"2026-03-14T00:30:00Z",'
        '"ends_at":"2026-03-14T02:00:00Z","camera":"occupied","calls":0,'
        '"away_since":null,"corrected":[]}'
    )


def test_a_whole_snapshot_comes_back_as_it_was() -> None:
    """A snapshot with every part filled is read as it was written."""
    assert decode_to_board(encode(snapshot())) == snapshot()


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"type":"watch"}', b'{"type":"watch","slot":"a","more":1}', b'{"type":"tick","id":1}'],
)
def test_any_other_form_is_an_error(data: bytes) -> None:
    """A missing or unknown field, another tag, or no JSON is an error and never half a message."""
    with pytest.raises(msgspec.DecodeError):
        decode_watch(data)


def test_the_clock_alone_is_no_change() -> None:
    """Two looks that differ in time only make no change."""
    assert change(snapshot(), snapshot(now=AT + timedelta(seconds=5))) is None


def test_a_change_holds_what_differs_and_nothing_else() -> None:
    """One seat that goes on makes a change of that seat alone."""
    found = change(snapshot(), snapshot(seats=(seat("a", 1), seat("b"))))
    assert found == Change(id=8, now=AT, seats=(seat("a", 1),))


def test_a_missed_change_is_noticed() -> None:
    """Applying a change that does not follow is an error."""
    with pytest.raises(ValueError, match="does not follow"):
        applied(snapshot(), Change(id=9, now=AT))


keys = st.sampled_from("abcd")
alerts = st.dictionaries(keys, st.sampled_from(["open", "noted"])).map(
    lambda found: tuple(alert(key, found[key]) for key in sorted(found))
)


@given(st.lists(st.tuples(st.sets(keys), st.sampled_from(["early", "rung"]), alerts), min_size=1, max_size=6))
def test_snapshot_and_changes_are_a_fresh_snapshot(looks: list[Any]) -> None:
    """However the hall goes on, the changes applied to an old snapshot give the newest one."""
    shown = snapshot()
    for number, (writing, bell, seen) in enumerate(looks):
        fresh = snapshot(
            id=shown.id,
            seats=tuple(seat(key, number if key in writing else 0) for key in "ab"),
            rooms=(room("01", bell), room("02")),
            alerts=seen,
        )
        found = change(shown, fresh)
        if found is not None:
            assert decode_to_board(encode(found)) == found
            shown = applied(shown, found)
        by_key = sorted(shown.alerts, key=lambda one: one.key)
        assert (shown.seats, shown.rooms, tuple(by_key)) == (fresh.seats, fresh.rooms, seen)
