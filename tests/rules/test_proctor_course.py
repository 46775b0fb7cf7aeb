"""When a course is recorded, what its gaps are, how long it is kept, what disk it needs."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refusal
from server.law.loader import load_pack
from server.proctor.captions import caption_lines
from server.proctor.course import (
    FIRST_CHAIN,
    TOLERANCE,
    Course,
    Stretch,
    at_hand,
    chained,
    disk_plan,
    due,
    gaps,
    kept_until,
    may_erase,
)
from server.protocol.recording import CaptionText

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_a_course_is_recorded_from_the_report_to_the_count() -> None:
    """Recording is due from 60 minutes before the start (inclusive) to 15 after the end (exclusive), longer only
    while a sitting is open and never over 6 hours."""
    closed, held = Course("s", "1", START, 90), Course("s", "1", START, 90, open=True)
    moments = (-60.01, -60, 0, 104.99, 105, 449.99, 450)
    assert [due(closed, at(m)) for m in moments] == [False, True, True, True, False, False, False]
    assert [due(held, at(m)) for m in moments] == [False, True, True, True, True, True, False]


@given(st.lists(st.tuples(st.integers(-30, 130), st.integers(0, 40)), max_size=12))
def test_gaps_and_pieces_cover_the_course(drawn: list[tuple[int, int]]) -> None:
    """No second of a course lies outside both its pieces and its gaps but those within the tolerance, and no gap
    holds a recorded second."""
    pieces = [Stretch(at(a / 60), at((a + n) / 60)) for a, n in drawn]
    wanted = Stretch(at(0), at(100 / 60))
    found = gaps(wanted, pieces)
    lost = timedelta(0)
    for second in range(100):
        moment = at((second + 0.5) / 60)
        on_piece = any(p.start <= moment < p.end for p in pieces)
        in_gap = any(g.start <= moment < g.end for g in found)
        assert not (on_piece and in_gap)
        lost = timedelta(0) if on_piece or in_gap else lost + timedelta(seconds=1)
        assert lost <= TOLERANCE


def test_a_chain_shows_a_piece_left_out() -> None:
    """The chain after three pieces differs when the second is left out, exchanged, or dated otherwise."""
    pieces = [("a", 0, "11"), ("b", 1, "22"), ("c", 2, "33")]

    def value(which: list[tuple[str, int, str]]) -> str:
        before = FIRST_CHAIN
        for segment, minute, sha256 in which:
            before = chained(before, segment, at(minute), at(minute + 1), sha256)
        return before

    others = [
        [pieces[0], pieces[2]],
        [pieces[0], ("b", 1, "23"), pieces[2]],
        [pieces[0], ("b", 5, "22"), pieces[2]],
    ]
    assert value(pieces) not in [value(other) for other in others]


def test_recordings_are_kept_for_the_packs_years() -> None:
    """Sichuan keeps video for 3 years, Guangxi, Beijing and Anyang for 5, to the end of the last day; a hold or a
    day of the term forbids erasing."""
    until = {name: kept_until(load_pack(name), START) for name in ("sichuan", "guangxi", "beijing", "anyang")}
    assert until == {
        "sichuan": (date(2029, 3, 14), "SC:5.2"),
        "guangxi": (date(2031, 3, 14), "GX:2.1"),
        "beijing": (date(2031, 3, 14), "BJ-E:29"),
        "anyang": (date(2031, 3, 14), "AY:3.4"),
    }
    last, article = until["sichuan"]
    end = datetime(2029, 3, 14, 16, 0, tzinfo=UTC)
    kept = may_erase(last, article, (), end - timedelta(seconds=1))
    assert isinstance(kept, Refusal)
    assert (kept.code, kept.article) == ("recording-kept", "SC:5.2")
    assert may_erase(last, article, (), end) is None
    held = may_erase(last, article, ("objection o1",), end)
    assert held is not None
    assert held.code == "recording-held"


def test_the_disk_plan_counts_cameras_and_minutes() -> None:
    """Two cameras at 4,000 kbit/s for one course of 165 minutes need 9.9 GB, and a disk that holds just that without
    the reserve is not enough."""
    courses = [Course("s", "1", START, 90), Course("old", "1", at(-3000), 90), Course("s", "2", START, 90)]
    plan = disk_plan(courses, {"1": 2}, 4000, 10_000_000_000, 0, at(-100))
    assert (plan.cameras, plan.minutes, plan.needed, plan.enough) == (2, 330, 9_900_000_000, True)
    assert not disk_plan(courses, {"1": 2}, 4000, 10_000_000_000, 2**30, at(-100)).enough


def test_a_caption_tells_all_five() -> None:
    """The two lines of a picture name point, Shanghai time to the second, method, room and layout."""
    caption = CaptionText(point="朝阳考点", method="机考", room="第1考场", layout="30座")
    assert caption_lines(caption, at(0)) == ("朝阳考点　2026-03-14 09:00:00", "机考　第1考场　30座")


def test_the_exam_that_is_on_keeps_the_rooms_recording() -> None:
    """While a room's morning exam is on, its pieces are the morning's, though the report of the next has begun; from
    the next one's start on they are the next one's, even when a sitting of the morning was left open."""
    first, second = Course("a", "1", START, 90, open=True), Course("b", "1", at(120), 90)
    other = Course("c", "2", at(120), 90)
    shown = [
        {room: one.slot for room, one in at_hand((second, other, first), at(m)).items()}
        for m in (-61, 0, 60, 119, 120, 209)
    ]
    assert [one.get("1") for one in shown] == [None, "a", "a", "a", "b", "b"]
    assert [one.get("2") for one in shown] == [None, None, "c", "c", "c", "c"]
    assert at_hand((first, second), at(-60))["1"].slot == "a"
