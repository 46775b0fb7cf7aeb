"""The run sheet of the exam day as a guided checklist: the pack's steps at their minutes, what is done,
what is next.

Minutes count from the planned start until the bell, from the bell after it. A halt of the hall for a disaster moves
what would come after its beginning to its continuation, on that day or another, which is a line of its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from server.delivery.timing import Pause
from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.exam_entries import RunSheetStep

INVIGILATORS = frozenset({"lead_invigilator", "second_invigilator"})
CUSTODY = frozenset(
    {"papers_out", "papers_checked", "papers_to_room", "papers_handed_out", "collection", "return"}
)
"""Steps in which papers change hands: two names and a time each."""

BY_ACT = frozenset({"start", "seals_shown"})
"""Steps that are done by an act of their own (the bell, the seals) and never ticked by hand."""


class StepState(StrEnum):
    """Where a step stands now."""

    AHEAD = "ahead"
    DUE = "due"
    """Its minute has come; it is not done yet, and no later one has come."""
    LATE = "late"
    """Not done although the minute of a later step has come."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Tick:
    """One step done: in a room or, with `room` None, for the hall. `second` is the other name at a hand-
    over.
    """

    code: str
    room: str | None
    at: datetime
    by: str
    second: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the checklist at one moment; `at` is UTC. `open_rooms` are those where it is not done."""

    code: str
    at: datetime
    title_zh: str
    title_en: str
    article: str
    per_room: bool
    two_names: bool
    state: StepState
    open_rooms: tuple[str, ...]
    ticks: tuple[Tick, ...]


def per_room(step: RunSheetStep) -> bool:
    """Say whether each room does the step by itself: only its invigilators are named."""
    return bool(step.who) and set(step.who) <= INVIGILATORS


@cites("BJ-E:A5.1", "BJ-E:A5.2-1", "BJ-E:A5.2-2", "BJ-E:A5.2-3", "BJ-E:A5.2-4", "BJ-E:A5.2-5", "BJ-E:A5.2-6")
@reads("run_sheet")
def checklist(
    steps: Iterable[RunSheetStep],
    ticks: Iterable[Tick],
    rooms: Iterable[str],
    planned: datetime,
    minutes: int,
    bell: datetime | None,
    now: datetime,
    halts: Iterable[Pause] = (),
) -> tuple[Line, ...]:
    """Return every line of the checklist in order of its time.

    A step of every room is done when each of `rooms` has a tick; a step of the hall when it has one
    without a room. `halts` are those of the whole hall; each with a planned continuation adds a line without title,
    `continuation-N` from 1, which is done when it began.
    """
    breaks = sorted((one for one in halts if one.halt), key=lambda one: one.start)
    start = bell or planned
    by_step: dict[str, list[Tick]] = {}
    for tick in ticks:
        by_step.setdefault(tick.code, []).append(tick)
    named = tuple(rooms)
    ordered = sorted(steps, key=lambda s: s.from_start(minutes))
    times = [_moved(start + timedelta(minutes=s.from_start(minutes)), breaks, now) for s in ordered]
    newest = max((at for at in times if at <= now), default=None)
    lines = []
    for entry, at in zip(ordered, times, strict=True):
        done = tuple(by_step.get(entry.code, ()))
        if per_room(entry):
            open_rooms = tuple(room for room in named if room not in {tick.room for tick in done})
            complete = not open_rooms
        else:
            open_rooms = ()
            complete = bool(done)
        lines.append(
            Line(
                code=entry.code,
                at=at,
                title_zh=entry.title.zh,
                title_en=entry.title.en,
                article=entry.article,
                per_room=per_room(entry),
                two_names=entry.code in CUSTODY,
                state=_state(complete, at, newest, now),
                open_rooms=open_rooms,
                ticks=done,
            )
        )
    return tuple(sorted((*lines, *_continuations(breaks, now)), key=lambda line: line.at))


def _moved(at: datetime, breaks: Iterable[Pause], now: datetime) -> datetime:
    """Return a step's time behind the halts that began before it; while none is planned it moves with `now`."""
    for one in breaks:
        if one.start <= at:
            at += (one.end or max(one.resumes_at or now, now)) - one.start
    return at


def _continuations(breaks: Iterable[Pause], now: datetime) -> Iterator[Line]:
    for number, one in enumerate(breaks, 1):
        at = one.end or one.resumes_at
        if at is None:
            continue
        ahead = StepState.AHEAD if at > now else StepState.DUE
        yield Line(
            code=f"continuation-{number}",
            at=at,
            title_zh="",
            title_en="",
            article="BJ-E:A4.1-9",
            per_room=False,
            two_names=False,
            state=ahead if one.end is None else StepState.DONE,
            open_rooms=(),
            ticks=(),
        )


def _state(complete: bool, at: datetime, newest: datetime | None, now: datetime) -> StepState:
    if complete:
        return StepState.DONE
    if at > now:
        return StepState.AHEAD
    return StepState.DUE if at == newest else StepState.LATE


@cites("BJ-E:A4.1-3", "BJ-E:A4.1-6", "BJ-E:A4.3-2")
def tickable(
    steps: Mapping[str, RunSheetStep],
    code: str,
    room: str | None,
    rooms: Iterable[str],
    by: str,
    second: str | None,
) -> Refusal | None:
    """Say whether a person may tick a step: it exists, names the right place, and a hand-over has two
    names.
    """
    entry = steps.get(code)
    if entry is None:
        return Refusal("step-unknown", None, {"step": code})
    if code in BY_ACT:
        return Refusal("step-done-by-its-act", entry.article, {"step": code})
    if per_room(entry) and (room is None or room not in set(rooms)):
        return Refusal("step-needs-room", entry.article, {"step": code})
    if not per_room(entry) and room is not None:
        return Refusal("step-of-the-hall", entry.article, {"step": code})
    if code in CUSTODY and (second is None or not second.strip() or second.strip() == by):
        return Refusal("step-needs-two-names", entry.article, {"step": code})
    return None


def next_line(lines: Iterable[Line]) -> Line | None:
    """Return the first line that is not done, or None when all are."""
    return next((line for line in lines if line.state is not StepState.DONE), None)
