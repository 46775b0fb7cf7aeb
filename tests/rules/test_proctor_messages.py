"""Messages between camera worker, parent and boards."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.proctor.alerts import bundle
from server.proctor.evidence import Anomaly, AnomalyKind, SeatReading, SeatState
from server.proctor.feed import Feed
from server.proctor.supervisor import sample_of
from server.proctor.worker import message_of
from server.protocol.pipe import Frames
from server.protocol.proctoring import (
    MOST_BYTES,
    CameraPicture,
    CameraSample,
    FromWorker,
    SeatLine,
    SourceTrouble,
    WorkerAlive,
    WorkerReady,
    applied,
    frame,
)

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
SAMPLE = CameraSample(
    camera="camera-1",
    room="1",
    captured_at=AT,
    width=1280,
    height=720,
    faults=("frozen",),
    measures={"std": 31.5},
    seats=(
        SeatLine(
            seat="5",
            state="occupied",
            since=AT - timedelta(seconds=90),
            structure=0.75,
            visible=1.0,
            motion=0.125,
            faces=1,
            face_score=0.5,
        ),
    ),
    faces=((1.0, 2.0, 3.0, 4.0, 0.5),),
    stray_faces=((1.0, 2.0, 3.0, 4.0, 0.5),),
    detector="yunet",
)
MESSAGES = [
    WorkerReady(version=1, detector="yunet", cameras=("camera-1",)),
    CameraPicture(camera="camera-1", captured_at=AT, jpeg=b"\xff\xd8\x00"),
    SAMPLE,
    SourceTrouble(camera="camera-1", code="camera-source-trouble", reason="refused"),
    WorkerAlive(samples=3),
]


@given(st.lists(st.integers(1, 400), min_size=1))
def test_messages_survive_any_cutting(cuts: list[int]) -> None:
    """Whatever pieces the pipe gives, the reader returns the same messages in order."""
    stream = b"".join(frame(message) for message in MESSAGES)
    reader, out, position = Frames[FromWorker](FromWorker, MOST_BYTES), [], 0
    while position < len(stream):
        size = cuts[len(out) % len(cuts)]
        out += list(reader.receive(stream[position : position + size]))
        position += size
    assert out == MESSAGES


def test_bytes_of_a_sign_of_life_are_pinned() -> None:
    """The frame of a worker's sign of life, with its counts, has exactly these bytes."""
    alive = WorkerAlive(samples=3, looks=2, camera_s=1.5, oldest_s=4.0)
    assert frame(alive) == (
        b"\x00\x00\x00\x40\x85\xa4type\xa5alive\xa7samples\x03\xa5looks\x02"
        b"\xa8camera_s\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xa8oldest_s\xcb\x40\x10\x00\x00\x00\x00\x00\x00"
    )


def test_sample_survives_the_pipe() -> None:
    """A sample turned into facts and back is the same message."""
    assert message_of(sample_of(SAMPLE)) == SAMPLE


@pytest.mark.parametrize(
    "stream",
    [
        (MOST_BYTES + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x0d\x82\xa4type\xa3spy\xa1a\x01",
    ],
)
def test_nonsense_is_refused(stream: bytes) -> None:
    """A frame that is too long, no MessagePack or of an unknown kind is an error, not a message."""
    with pytest.raises((ValueError, msgspec.DecodeError)):
        list(Frames[FromWorker](FromWorker, MOST_BYTES).receive(stream))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(list(SeatState)), st.integers(0, 3)), max_size=40
    )
)
def test_snapshot_and_events_are_a_fresh_snapshot(steps: list[tuple[str, SeatState, int]]) -> None:
    """An old snapshot with the events after it applied equals a fresh snapshot, whatever happened."""
    feed = Feed(first_id=100)
    old = feed.snapshot()
    for index, (seat, state, kind) in enumerate(steps):
        now = AT + timedelta(seconds=index)
        if kind == 0:
            faults = ("dark",) if state is SeatState.UNKNOWN else ()
            feed.put_camera(seat, "1", faults=faults, online=True, at=now, faces=1, interval_s=None)
        elif kind == 1:
            found = Anomaly(f"k{index}", AnomalyKind.EMPTY_SEAT, 1, "1", "c", seat, now, now, 0.5, {})
            feed.put_alert(bundle(feed.alerts(), found, []), picture=False)
        else:
            feed.put_seats("1", (SeatReading(seat, state, AT, now, None),))
    events = feed.since(old.id)
    assert events is not None
    for event in events:
        old = applied(old, event)
    assert old == feed.snapshot()


def test_forgotten_and_foreign_ids_need_a_snapshot() -> None:
    """Events are given only for an id of this feed whose successors are all remembered."""
    feed = Feed(first_id=100, history=3)
    for k in range(6):
        feed.put_camera(f"c{k}", "1", faults=(), online=True, at=AT, faces=0, interval_s=None)
    assert [feed.since(k) is None for k in (99, 102, 103, 106, 107)] == [True, True, False, False, True]
    with pytest.raises(ValueError, match="follow"):
        applied(Feed().snapshot(), feed.since(105)[0])  # type: ignore[index]


def test_message_over_the_limit_is_not_sent() -> None:
    """A picture that would make a frame of over 8 MiB is refused where it is made."""
    with pytest.raises(ValueError, match="too long"):
        frame(CameraPicture(camera="c", captured_at=AT, jpeg=bytes(MOST_BYTES)))
