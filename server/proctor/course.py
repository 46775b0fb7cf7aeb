"""When the course of an exam is recorded, where the recording has gaps, how long it is kept, and what disk it needs.

All intervals are half-open, in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from server.errors import Refusal, Unavailable
from server.law.citing import cites, reads
from server.law.pack import Pack
from server.law.workdays import add_years, legal_day

BEFORE = timedelta(minutes=60)
"""Recording starts with the first step of the run sheet, the report an hour before the start."""
AFTER = timedelta(minutes=15)
"""It goes on for so long after the planned end: papers are counted and sealed in the picture."""
LONGEST = timedelta(hours=6)
"""And while a sitting is open, at most for so long after the planned end."""
TOLERANCE = timedelta(seconds=3)
"""Two pieces nearer than this follow each other: a piece starts at a key frame, which a camera sends every second or
two."""
FIRST_CHAIN = "0" * 64


@dataclass(frozen=True, slots=True)
class Course:
    """One room's part of a slot as it is to be recorded; `open` while any sitting of the slot has not ended.

    `point`, `method` (as filed), `name` and `seats` are what the picture must tell of it.
    """

    slot: str
    room: str
    starts_at: datetime
    minutes: int
    open: bool = False
    point: str = ""
    method: str = ""
    name: str = ""
    seats: int = 0

    @property
    def begins(self) -> datetime:
        """From when on the room is recorded."""
        return self.starts_at - BEFORE

    @property
    def planned_end(self) -> datetime:
        """Until when it is recorded if all goes as planned (exclusive)."""
        return self.starts_at + timedelta(minutes=self.minutes) + AFTER


@dataclass(frozen=True, slots=True)
class Stretch:
    """One camera's time from `start` to `end` (exclusive)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """What the coming exams need on the disk, in bytes; `reserve` is left to answers and journal."""

    cameras: int
    minutes: int
    needed: int
    free: int
    reserve: int

    @property
    def enough(self) -> bool:
        """True where the recordings fit and the reserve stays untouched."""
        return self.needed + self.reserve <= self.free


@cites("BJ-E:22", "SC:A1.5-4")
def due(course: Course, now: datetime) -> bool:
    """True while the course must be recorded: from an hour before the start to a quarter of an hour after the end,
    and as long as a sitting is open."""
    if now < course.begins:
        return False
    if now < course.planned_end:
        return True
    return course.open and now < course.planned_end - AFTER + LONGEST


def at_hand(courses: Iterable[Course], now: datetime) -> dict[str, Course]:
    """The one course of each room that what is recorded at `now` belongs to, of those that are due.

    It is the one that started last; while none has started, the one that starts first. So the report before the next
    exam takes no picture from the exam that is still on in the room.
    """
    found: dict[str, Course] = {}
    for one in sorted((one for one in courses if due(one, now)), key=lambda one: one.starts_at):
        if one.room not in found or one.starts_at <= now:
            found[one.room] = one
    return found


def gaps(wanted: Stretch, recorded: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """What of `wanted` is on no piece; holes up to the tolerance are none."""
    found: list[Stretch] = []
    at = wanted.start
    for piece in sorted(recorded, key=lambda one: one.start):
        if piece.start >= wanted.end:
            break
        if piece.start - at > TOLERANCE:
            found.append(Stretch(at, piece.start))
        at = max(at, piece.end)
    if wanted.end - at > TOLERANCE:
        found.append(Stretch(at, wanted.end))
    return tuple(found)


def chained(before: str, segment: str, started_at: datetime, ended_at: datetime, sha256: str) -> str:
    """The value of a camera's chain (hex) after a piece: who leaves one out or exchanges one changes all later ones."""
    line = f"{before} {segment} {started_at.isoformat()} {ended_at.isoformat()} {sha256}"
    return hashlib.sha256(line.encode()).hexdigest()


def disk_plan(
    courses: Sequence[Course],
    cameras_of: dict[str, int],
    kilobits: float,
    free: int,
    reserve: int,
    now: datetime,
) -> DiskPlan:
    """What the courses that are not over need: each camera of a room for the whole of its course at `kilobits` a
    second."""
    coming = [one for one in courses if one.planned_end > now]
    spans = [
        (cameras_of.get(one.room, 0), one.planned_end - max(now, one.begins))
        for one in coming
        if cameras_of.get(one.room, 0)
    ]
    seconds = sum(count * span.total_seconds() for count, span in spans)
    cameras = sum(cameras_of[room] for room in {one.room for one in coming if one.room in cameras_of})
    return DiskPlan(cameras, round(seconds / 60), round(seconds * kilobits * 1000 / 8), free, reserve)


@cites("BJ-E:29", "GX:2.1", "AY:3.4", "SC:5.2")
@reads("retention")
def kept_until(pack: Pack, archived: datetime) -> tuple[date, str]:
    """The last legal day (inclusive) on which recordings and evidence archived then must be kept, with its article.

    The pack's rule for video counts, else the one for electronic records. Unavailable `retention-not-stated` where
    the pack has neither.
    """
    for record in ("video", "electronic"):
        for rule in pack.retention:
            if rule.record == record and rule.number:
                years = pack.number(rule.number, legal_day(archived)).value
                return add_years(legal_day(archived), years), rule.article
    raise Unavailable("retention-not-stated", jurisdiction=pack.jurisdiction)


def may_erase(until: date, article: str, held: Sequence[str], now: datetime) -> Refusal | None:
    """None where a recording may be erased. `recording-held` while an objection or a case is open; `recording-kept`
    with the last day of its term."""
    if held:
        return Refusal("recording-held", facts={"holds": ", ".join(held)})
    if legal_day(now) <= until:
        return Refusal("recording-kept", article, {"until": until.isoformat()})
    return None
