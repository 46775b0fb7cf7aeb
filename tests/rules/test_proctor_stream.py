"""Which packets of a camera's stream are decoded, which pictures are taken, and when they were captured."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.proctor.stream import Sampling, StreamClock

AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def play(gop: int, pictures: int, fps: int = 25, every_s: float = 1.0) -> tuple[list[float], list[float]]:
    """The times decoded and the times taken of a stream with a key frame each `gop` pictures."""
    sampling, decoded, taken = Sampling(every_s), [], []
    for number in range(pictures):
        second = number / fps
        if sampling.decodes(number % gop == 0, second):
            decoded.append(second)
            if sampling.takes(second):
                taken.append(second)
    return decoded, taken


def test_only_key_frames_are_decoded_where_they_come_often() -> None:
    """With a key frame each second nothing else is decoded after the second one, and each is taken."""
    decoded, taken = play(gop=25, pictures=250)
    assert [second for second in decoded if second > 1] == [float(n) for n in range(2, 10)]
    assert taken == [float(n) for n in range(10)]


@pytest.mark.parametrize("gop", [100, 250, 100_000])
def test_long_gaps_are_decoded_whole(gop: int) -> None:
    """With key frames four seconds apart, ten, or only one at all, one picture a second is still taken."""
    decoded, taken = play(gop, pictures=750)
    assert len(decoded) == 750
    assert taken == [float(n) for n in range(30)]


def test_nothing_is_decoded_before_the_first_key_frame() -> None:
    """A stream that is joined between two key frames gives nothing until the next."""
    sampling = Sampling(1.0)
    assert [sampling.decodes(False, n / 25) for n in range(3)] == [False] * 3
    assert sampling.decodes(True, 0.12)
    assert sampling.decodes(False, 0.16)


def test_dense_key_frames_are_thinned() -> None:
    """Five key frames a second give one picture a second."""
    assert play(gop=5, pictures=125)[1] == [0.0, 1.0, 2.0, 3.0, 4.0]


@given(st.lists(st.floats(0, 1.5), min_size=2, max_size=40))
def test_delay_makes_no_picture_younger(delays: list[float]) -> None:
    """Once a packet has come without delay, every picture is dated by the stream however late its packet came."""
    clock = StreamClock()
    clock.time_of(0.0, AT)
    for second, delay in enumerate(delays, start=1):
        shown = clock.time_of(float(second), AT + timedelta(seconds=second + delay))
        assert shown == AT + timedelta(seconds=second)


def test_a_jump_of_a_clock_ties_them_anew() -> None:
    """When the camera's clock starts again the next picture is dated by its arrival, not by a minute ago."""
    clock = StreamClock()
    clock.time_of(60.0, AT)
    assert clock.time_of(0.0, AT + timedelta(seconds=1)) == AT + timedelta(seconds=1)
    assert clock.time_of(1.0, AT + timedelta(seconds=2)) == AT + timedelta(seconds=2)
