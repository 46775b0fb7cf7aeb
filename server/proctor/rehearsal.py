"""Rehearses the rules in a drawn hall: writes a random but repeatable day, plays it through all stages,
counts.

The drawn hall is evaluated beside real footage and never instead of it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import msgspec

from server.errors import BadInput
from server.proctor.anomalies import CameraMemory, RoomExpectation, SeatExpectation, SeatStatus, compare
from server.proctor.calibration import CameraSetup, empty_reference, save_setup
from server.proctor.detection import FaceDetector
from server.proctor.evidence import Anomaly, AnomalyKind, CameraFault, SeatState
from server.proctor.pipeline import CameraPipeline
from server.proctor.simulation import (
    CameraFailure,
    ExtraPerson,
    HallDrawing,
    HallScript,
    Interval,
    LightChange,
    SeatScript,
    SecondPerson,
)

# What happens in an hour of one room, by kind: how often, and how long in seconds (least, most).
EVENTS: Mapping[str, tuple[int, int, int]] = {
    "away": (6, 30, 400),
    "bag": (2, 240, 500),
    "extra": (2, 40, 200),
    "second": (3, 30, 120),
    "light": (4, 0, 0),
    "failure": (2, 30, 90),
}
FAULTS = (CameraFault.DARK, CameraFault.COVERED, CameraFault.BLURRED, CameraFault.MOVED, CameraFault.FROZEN)
# An alarm belongs to an event when it is found from its start until this many seconds after its end.
AFTER_S = 15.0
# Between two events of a room, so that each alarm has one cause.
APART_S = 40.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One scripted event that ought to be alarmed, and within how many seconds of its start."""

    kind: str
    seat: str | None
    interval: Interval
    within_s: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One room's script: `happenings` ought to be alarmed, everything else not."""

    room: str
    start: datetime
    end: datetime
    script: HallScript
    happenings: tuple[Happening, ...]


@dataclass(slots=True)
class RehearsalScore:
    """Counts over all rooms rehearsed. `late` events were alarmed, but not within their time.

    `missed` names events without an alarm. `looks` are searches for faces, in windows and whole pictures, and
    `oldest_look_s` is the longest that any seat waited for one.

    `samples` are seat samples with a usable picture; `wrong` of them were called empty though somebody sat
    there or occupied though nobody did, later than ten seconds after a change; `unknown` were UNKNOWN.
    """

    room_hours: float = 0.0
    events: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    samples: int = 0
    wrong: int = 0
    unknown: int = 0
    pictures: int = 0
    looks: int = 0
    oldest_look_s: float = 0.0


def random_rehearsal(room: str, seats: int, seed: int, start: datetime, minutes: float) -> Rehearsal:
    """A room's random script for that many minutes after five of settling in; the same seed gives the same
    one.
    """
    dice = random.Random(seed)
    first, end = start + timedelta(minutes=2), start + timedelta(minutes=2 + minutes)
    candidates = [str(n) for n in range(1, seats + 1)]
    dice.shuffle(candidates)
    kinds = [
        kind for kind, (often, _, _) in EVENTS.items() for _ in range(_times(often * minutes / 60, dice))
    ]
    dice.shuffle(kinds)
    slots = _slots(kinds, first, end, dice)
    away: dict[str, tuple[Interval, ...]] = {}
    bags: dict[str, tuple[Interval, ...]] = {}
    extras, seconds, lights, failures, happenings = [], [], [], [], []
    for kind, slot in slots:
        if kind in ("away", "bag", "second"):
            if not candidates:
                continue
            seat = candidates.pop()
            if kind == "second":
                seconds.append(SecondPerson(room, seat, slot))
                happenings.append(Happening(kind, seat, slot, 15.0))
            else:
                away[seat] = (slot,)
                bags[seat] = (slot,) if kind == "bag" else ()
                happenings.append(Happening(kind, seat, slot, 20.0 if kind == "away" else 180.0))
        elif kind == "extra":
            extras.append(ExtraPerson(room, slot, dice.randrange(1, 5)))
            happenings.append(Happening(kind, None, slot, 15.0))
        elif kind == "light":
            lights.append(LightChange(room, slot.start, dice.uniform(0.6, 1.25)))
        else:
            failures.append(CameraFailure(room, dice.choice(FAULTS), slot))
            happenings.append(Happening(kind, None, slot, 10.0))
    day_end = end + timedelta(hours=1)
    sitting = tuple(
        SeatScript(
            room, str(n), start + timedelta(seconds=30), day_end, away.get(str(n), ()), bags.get(str(n), ())
        )
        for n in range(1, seats + 1)
    )
    script = HallScript(sitting, tuple(extras), tuple(seconds), tuple(lights), tuple(failures))
    return Rehearsal(room, start, end, script, tuple(happenings))


def _times(mean: float, dice: random.Random) -> int:
    whole = int(mean)
    return whole + (dice.random() < mean - whole)


def _slots(
    kinds: Sequence[str], first: datetime, end: datetime, dice: random.Random
) -> list[tuple[str, Interval]]:
    """Events one after another with a pause between, as many as fit."""
    out: list[tuple[str, Interval]] = []
    at = first
    for kind in kinds:
        _, least, most = EVENTS[kind]
        at += timedelta(seconds=APART_S + dice.uniform(0, 20))
        length = timedelta(seconds=max(1.0, dice.uniform(least, most)))
        if at + length > end:
            continue
        out.append((kind, Interval(at, at + length)))
        at += length
    return out


def rehearse(
    rehearsal: Rehearsal,
    seats: int,
    seed: int,
    detector: FaceDetector,
    step_s: float,
    score: RehearsalScore,
) -> None:
    """Plays one room's script through all stages at a picture each `step_s` seconds, and adds to the score."""
    hall = HallDrawing([rehearsal.room], seats, seed, rehearsal.script)
    reference = empty_reference(hall.references(rehearsal.room, rehearsal.start))
    stages = CameraPipeline(hall.layout(rehearsal.room), (reference,), detector)
    expected = RoomExpectation(
        rehearsal.room, tuple(SeatExpectation(str(n), SeatStatus.WRITING) for n in range(1, seats + 1))
    )
    waiting = RoomExpectation(
        rehearsal.room, tuple(SeatExpectation(str(n), SeatStatus.NOT_DUE) for n in range(1, seats + 1))
    )
    memory, raised = CameraMemory(), list[Anomaly]()
    settled = rehearsal.start + timedelta(minutes=1, seconds=30)
    at = rehearsal.start
    changed: dict[str, tuple[SeatState, datetime]] = {}
    while at < rehearsal.end:
        sample = stages.process(hall.picture(rehearsal.room, at), at)
        if sample is not None:
            outcome = compare(memory, sample, expected if at >= settled else waiting)
            memory = outcome.memory
            raised += outcome.raised
            score.pictures += 1
            truth = hall.truth(rehearsal.room, at)
            for seat, state in truth.seats.items():
                if changed.get(seat, (None, at))[0] is not state:
                    changed[seat] = (state, at)
            if truth.failure is None and at >= settled:
                for reading in sample.seats:
                    _count(score, reading.state, *changed[reading.seat], at)
        at += timedelta(seconds=step_s)
    score.looks += stages.counts.looks
    score.oldest_look_s = max(score.oldest_look_s, stages.counts.oldest_s)
    score.room_hours += (rehearsal.end - settled).total_seconds() / 3600
    tally(rehearsal, raised, score)


def _count(score: RehearsalScore, said: SeatState, true: SeatState, since: datetime, at: datetime) -> None:
    score.samples += 1
    taken = (SeatState.OCCUPIED, SeatState.CROWDED)
    if said is SeatState.UNKNOWN:
        score.unknown += 1
    # A bag is told from a still person only after two minutes.
    elif true is not SeatState.OBJECT and (said in taken) != (true in taken):
        score.wrong += (at - since).total_seconds() > 10


def tally(rehearsal: Rehearsal, raised: Sequence[Anomaly], score: RehearsalScore) -> None:
    """Adds to the score what was alarmed of a room's script, and which alarms no event of it explains."""
    used: set[str] = set()
    for event in rehearsal.happenings:
        score.events[event.kind] = score.events.get(event.kind, 0) + 1
        during = [anomaly for anomaly in raised if _during(event, anomaly)]
        mine = [anomaly for anomaly in during if _belongs(event, anomaly)]
        used |= {anomaly.key for anomaly in mine}
        used |= {anomaly.key for anomaly in during if _counted(event, anomaly)}
        if not mine:
            score.missed.append(f"{event.kind} {event.seat or '-'} {event.interval.start.isoformat()}")
            continue
        wait = (min(anomaly.found_at for anomaly in mine) - event.interval.start).total_seconds()
        where = score.found if wait <= event.within_s else score.late
        where[event.kind] = where.get(event.kind, 0) + 1
    score.false_alarms += [f"{a.key} {dict(a.facts)}" for a in raised if a.key not in used]


def _during(event: Happening, anomaly: Anomaly) -> bool:
    last = event.interval.end + timedelta(seconds=AFTER_S)
    return event.interval.start <= anomaly.found_at <= last


def _belongs(event: Happening, anomaly: Anomaly) -> bool:
    """Whether the anomaly is the alarm that the event ought to have."""
    kinds = {
        "away": (AnomalyKind.EMPTY_SEAT,),
        "bag": (AnomalyKind.EMPTY_SEAT,),
        "second": (AnomalyKind.CROWDED_SEAT, AnomalyKind.EXTRA_PERSON),
        "extra": (AnomalyKind.EXTRA_PERSON, AnomalyKind.CROWDED_SEAT),
        "failure": (AnomalyKind.CAMERA_FAULT,),
    }
    if anomaly.kind not in kinds[event.kind]:
        return False
    return anomaly.seat is None or event.seat is None or anomaly.seat == event.seat


def _counted(event: Happening, anomaly: Anomaly) -> bool:
    """Whether the anomaly counts the room as the event left it: too few while somebody is away, too many while
    somebody is there who should not be. It leads to the event, but is not the alarm that the event ought to have.
    """
    if anomaly.kind is not AnomalyKind.ROOM_COUNT:
        return False
    few = float(anomaly.facts["seen"]) < float(anomaly.facts["roster"])
    return event.kind in (("away", "bag") if few else ("second", "extra"))


def added(scores: Sequence[RehearsalScore]) -> RehearsalScore:
    """The counts of several rehearsals together."""
    whole = RehearsalScore()
    for score in scores:
        for name in ("room_hours", "samples", "wrong", "unknown", "pictures", "looks"):
            setattr(whole, name, getattr(whole, name) + getattr(score, name))
        for mine, theirs in zip(
            (whole.events, whole.found, whole.late), (score.events, score.found, score.late), strict=True
        ):
            for kind, count in theirs.items():
                mine[kind] = mine.get(kind, 0) + count
        whole.missed += score.missed
        whole.false_alarms += score.false_alarms
        whole.oldest_look_s = max(whole.oldest_look_s, score.oldest_look_s)
    return whole


def report(score: RehearsalScore) -> str:
    """The score as lines of text for the terminal."""
    lines = [f"rehearsed: {score.room_hours:.2f} room-hours, {score.pictures} pictures"]
    for kind in sorted(score.events):
        lines.append(
            f"  {kind:<8} {score.found.get(kind, 0)} of {score.events[kind]} in time, {score.late.get(kind, 0)} late"
        )
    per_hour = len(score.false_alarms) / max(1e-9, score.room_hours)
    lines.append(f"  false alarms {len(score.false_alarms)} ({per_hour:.2f} a room-hour)")
    lines += [f"  missed {event}" for event in score.missed]
    lines.append(f"  looks {score.looks}, oldest look at a seat {score.oldest_look_s:.0f} s ago")
    lines.append(f"  seat samples {score.samples}, wrong {score.wrong}, unknown {score.unknown}")
    return "\n".join(lines)


def write_simulation(
    folder: Path, hall: HallDrawing, room: str, start: datetime, end: datetime, step_s: float
) -> int:
    """Writes a drawn room as pictures, truth (one JSON line each) and camera set-up; returns how many
    pictures.

    Pictures are named by their capture time, so that `analyse` reads the folder as it would read a camera's.

    Raises:
        BadInput: `start` is not before `end` or the step is not positive (`simulation-wrong`).
    """
    if start >= end or step_s <= 0:
        raise BadInput("simulation-wrong", reason="start, end, step")
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    save_setup(folder, CameraSetup(hall.layout(room), (empty_reference(hall.references(room, start)),)))
    count, at = 0, start
    with (folder / "truth.jsonl").open("wb") as truth:
        while at < end:
            name = pictures / f"{room}_{at.strftime('%Y%m%dT%H%M%S.%fZ')}.jpg"
            if not cv2.imwrite(str(name), hall.picture(room, at), [cv2.IMWRITE_JPEG_QUALITY, 92]):
                raise OSError(f"{name} could not be written")
            line: dict[str, Any] = msgspec.to_builtins(hall.truth(room, at))
            truth.write(msgspec.json.encode({"file": f"pictures/{name.name}", **line}) + b"\n")
            count += 1
            at += timedelta(seconds=step_s)
    return count
