"""What one wall is sent: the cameras on its screen, the newest picture, never a queue; and its messages."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.proctor.screen import EACH_S, UNDER_WAY, Screen
from server.protocol.proctoring import (
    CameraChanged,
    CameraHealth,
    FeedEvent,
    FeedSnapshot,
    SeatsChanged,
    SeatSeen,
    applied,
)
from server.protocol.wall import (
    OnScreen,
    decode_from_wall,
    event_for,
    pack_picture,
    snapshot_for,
    unpack_picture,
)

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a capture time."""
    return START + timedelta(seconds=seconds)


def test_a_slow_line_gets_the_newest_and_never_more_than_three_under_way() -> None:
    """A wall that acknowledges nothing gets three pictures, and after one acknowledgement the newest of all."""
    screen = Screen()
    screen.show(("a",), 480)
    sent = []
    for second in range(20):
        camera = screen.next({"a": at(second)}, float(second))
        if camera is not None:
            screen.sent(camera, at(second), float(second))
            sent.append(second)
    assert sent == [0, 1, 2]
    screen.acknowledge()
    assert screen.next({"a": at(19)}, 20.0) == "a"


@given(st.lists(st.lists(st.integers(0, 7), max_size=8), max_size=60))
def test_only_what_is_on_the_screen_is_sent_and_none_starves(rounds: list[list[int]]) -> None:
    """Whatever cameras bring pictures when, nothing off the screen is sent, and of two due the longer waiting goes."""
    screen = Screen()
    shown = tuple(f"c{n}" for n in range(5))
    screen.show(shown, 480)
    newest: dict[str, datetime] = {}
    last: dict[str, float] = {}
    for turn, fresh in enumerate(rounds):
        now = turn * 0.2
        newest |= {f"c{n}": at(now) for n in fresh}
        camera = screen.next(newest, now)
        if camera is None:
            continue
        assert camera in shown
        assert now - last.get(camera, -9) >= EACH_S
        waiting = [
            c
            for c in shown
            if c in newest
            and c != camera
            and c in last
            and newest[c] > at(last[c])
            and now - last[c] >= EACH_S
        ]
        assert all(last.get(camera, -9) <= last[c] for c in waiting)
        screen.sent(camera, newest[camera], now)
        last[camera] = now
        screen.acknowledge()


def test_a_camera_that_leaves_the_screen_is_forgotten() -> None:
    """A camera that comes back on the screen is new again and gets its picture at once, though it was sent before."""
    screen = Screen()
    assert screen.show(("a", "b"), 480) == ("a", "b")
    screen.sent("a", at(0), 0.0)
    assert screen.show(("b",), 480) == ()
    assert screen.show(("a", "b"), 480) == ("a",)
    assert screen.next({"a": at(0)}, 0.1) == "a"
    with pytest.raises(ValueError, match="64"):
        screen.show(tuple(str(n) for n in range(65)), 480)
    assert UNDER_WAY == 3


@given(st.text(min_size=1, max_size=40), st.binary(max_size=50), st.integers(-(10**12), 10**13))
def test_a_picture_frame_comes_back_as_it_went(camera: str, jpeg: bytes, ms: int) -> None:
    """Every id, time to the millisecond and JPEG survive the binary frame."""
    taken = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert unpack_picture(pack_picture(camera, taken, jpeg)) == (camera, taken, jpeg)


def test_broken_frames_and_unknown_fields_are_refused() -> None:
    """A cut frame and a message with a field too many are errors, not guesses."""
    whole = pack_picture("camera-1", START, b"x")
    for cut in (b"", whole[:1], whole[:8], b"\x02" + whole[1:]):
        with pytest.raises(ValueError, match="wall"):
            unpack_picture(cut)
    with pytest.raises(msgspec.DecodeError):
        decode_from_wall('{"type":"screen","cameras":[],"colour":1}')
    with pytest.raises(msgspec.DecodeError):
        decode_from_wall('{"type":"screen","cameras":[],"width":4000}')
    assert decode_from_wall('{"type":"screen","cameras":["a"]}') == OnScreen(cameras=("a",))


def test_a_room_sees_its_own_facts_and_misses_no_number() -> None:
    """Filtered events applied to a filtered snapshot give the filtered new one, also when all are another room's."""
    health = [
        CameraHealth(camera=c, room=r, online=True, faults=(), last_at=START, faces=0, interval_s=1.0)
        for c, r in (("c1", "01"), ("c2", "02"))
    ]
    seats = tuple(SeatSeen(room=r, seat="1", state="empty", since=START, at=START) for r in ("01", "02"))
    events: list[FeedEvent] = [
        SeatsChanged(id=1, seats=seats),
        CameraChanged(id=2, camera=health[0]),
        CameraChanged(id=3, camera=health[1]),
    ]
    whole = own = FeedSnapshot(id=0, seats=(), cameras=(), alerts=())
    for event in events:
        whole, own = applied(whole, event), applied(own, event_for(event, "01"))
    assert own == snapshot_for(whole, "01")
    assert [camera.camera for camera in own.cameras] == ["c1"]
    assert snapshot_for(whole, None) == whole
