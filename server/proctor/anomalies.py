"""Compares what the camera says with what the exam expects, and tells which differences are worth a look.

Every rule is data with a version. A finding starts at the capture time its evidence began, is raised once
that has lasted for the rule's seconds, and ends when it has been absent for the rule's seconds. While the
picture cannot be used, seats and counts are neither raised nor ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from server.proctor.evidence import (
    Anomaly,
    AnomalyEnd,
    AnomalyKind,
    CameraFault,
    RoomSample,
    SeatReading,
    SeatState,
)


class SeatStatus(StrEnum):
    """What the exam knows of a seat. A seat that is not named in an expectation has no sitting."""

    NOT_DUE = "not_due"
    WRITING = "writing"
    HANDED_IN = "handed_in"
    ABSENT = "absent"
    PAUSED = "paused"
    EXCUSED = "excused"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class SeatExpectation:
    """What to expect at one seat. `kiosk_active_s`: seconds since the kiosk's last answer there; None if
    never.
    """

    seat: str
    status: SeatStatus
    kiosk_active_s: float | None = None


@dataclass(frozen=True, slots=True)
class RoomExpectation:
    """What to expect in one room: its seats with sittings, and how many staff may walk outside the staff
    zones.
    """

    room_id: str
    seats: tuple[SeatExpectation, ...]
    walking_staff: int = 0

    @property
    def running(self) -> bool:
        """True while anyone in the room is writing: only then are strangers and free seats judged."""
        return any(seat.status is SeatStatus.WRITING for seat in self.seats)


@dataclass(frozen=True, slots=True)
class AnomalyRule:
    """One rule: how long the evidence must last before it is raised, how long it must be gone before it ends.

    Seconds of capture time, both reached inclusive; `samples` is the least number of pictures for either.
    """

    kind: AnomalyKind
    version: int
    hold_s: float
    clear_s: float
    samples: int
    score: float


RULES: Mapping[AnomalyKind, AnomalyRule] = MappingProxyType(
    {
        rule.kind: rule
        for rule in (
            AnomalyRule(AnomalyKind.EMPTY_SEAT, 1, hold_s=10, clear_s=5, samples=1, score=0.7),
            AnomalyRule(AnomalyKind.NEVER_SEATED, 1, hold_s=300, clear_s=5, samples=2, score=0.5),
            AnomalyRule(AnomalyKind.CROWDED_SEAT, 1, hold_s=2, clear_s=10, samples=1, score=0.7),
            AnomalyRule(AnomalyKind.UNEXPECTED_OCCUPANT, 1, hold_s=30, clear_s=10, samples=2, score=0.6),
            AnomalyRule(AnomalyKind.EXTRA_PERSON, 1, hold_s=4, clear_s=20, samples=1, score=0.6),
            AnomalyRule(AnomalyKind.ROOM_COUNT, 1, hold_s=60, clear_s=20, samples=3, score=0.65),
            AnomalyRule(AnomalyKind.CAMERA_FAULT, 1, hold_s=1, clear_s=3, samples=2, score=1.0),
        )
    }
)

# A stranger counts when more strays than walking staff were seen in this many of the latest pictures
# (vision: 3 of 5).
STRAY_LEAST, STRAY_OF = 3, 5
# Pictures older than this many seconds speak of another moment, however few came since.
STRAY_WITHIN_S = 200.0
# One person more or less is a seat's own finding or a stranger's; so many are the room's.
COUNT_APART = 2
# Staff whose faces may be among those of a camera without seats.
STAFF_SEEN = 2
# A kiosk that answered within this many seconds while its seat is empty is the strongest lead.
KIOSK_ACTIVE_S = 60.0
KIOSK_LEAD_SCORE = 0.95
OBJECT_SCORE = 0.5
ROOM_KINDS = (AnomalyKind.EXTRA_PERSON, AnomalyKind.ROOM_COUNT)
VACANT = (SeatState.EMPTY, SeatState.OBJECT)
TAKEN = (SeatState.OCCUPIED, SeatState.CROWDED)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about: the kind, and the seat, the camera fault, or "" for the room."""

    kind: AnomalyKind
    about: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that holds in the latest picture: since when, how strongly, and its numbers."""

    subject: Subject
    since: datetime
    score: float
    facts: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Pending:
    """How long a condition has held, or, once raised, since when it has been gone."""

    since: datetime
    samples: int
    raised: Anomaly | None = None
    gone_since: datetime | None = None
    gone_samples: int = 0


@dataclass(frozen=True, slots=True)
class CameraMemory:
    """What the rules remember of one camera between two samples."""

    seated: frozenset[str] = frozenset()
    status_since: Mapping[str, tuple[SeatStatus, datetime]] = field(default_factory=dict)
    strays: tuple[tuple[datetime, int, float], ...] = ()
    pending: Mapping[Subject, Pending] = field(default_factory=dict)

    @property
    def open(self) -> tuple[Anomaly, ...]:
        """The anomalies that are raised and not ended."""
        return tuple(entry.raised for entry in self.pending.values() if entry.raised is not None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome of one sample: the memory to keep, what was raised and what ended."""

    memory: CameraMemory
    raised: tuple[Anomaly, ...]
    ended: tuple[AnomalyEnd, ...]


def compare(
    memory: CameraMemory,
    sample: RoomSample,
    expected: RoomExpectation,
    rules: Mapping[AnomalyKind, AnomalyRule] = RULES,
) -> Comparison:
    """Compares one camera's sample with what its room expects.

    Raises:
        ValueError: the expectation is for another room.
    """
    if sample.quality.room_id != expected.room_id:
        raise ValueError("the expectation is for another room")
    usable = sample.quality.usable and sample.frame is not None
    memory = _remember(memory, sample, expected, usable)
    findings = [_fault_finding(fault, sample) for fault in sorted(sample.quality.faults)]
    judged: set[Subject] = {Subject(AnomalyKind.CAMERA_FAULT, fault) for fault in CameraFault}
    if usable:
        known = {reading.seat for reading in sample.seats if reading.state is not SeatState.UNKNOWN}
        judged |= {s for s in memory.pending if s.kind in ROOM_KINDS or s.about in known}
        findings += _seat_findings(memory, sample, expected)
        findings += _stray_findings(memory, expected)
        findings += _count_findings(sample, expected)
    return _settle(memory, sample, {finding.subject: finding for finding in findings}, judged, rules)


def _remember(
    memory: CameraMemory, sample: RoomSample, expected: RoomExpectation, usable: bool
) -> CameraMemory:
    since: dict[str, tuple[SeatStatus, datetime]] = {}
    for seat in expected.seats:
        before = memory.status_since.get(seat.seat)
        since[seat.seat] = before if before and before[0] is seat.status else (seat.status, sample.at)
    if not usable:
        return replace(memory, status_since=since)
    due = (SeatStatus.WRITING, SeatStatus.PAUSED, SeatStatus.EXCUSED)
    here = {seat.seat for seat in expected.seats if seat.status in due}
    writing = {seat.seat for seat in expected.seats if seat.status is SeatStatus.WRITING}
    taken = {reading.seat for reading in sample.seats if reading.state in TAKEN}
    best = max((box[4] for box in sample.stray_faces), default=0.0)
    recent = sample.at - timedelta(seconds=STRAY_WITHIN_S)
    kept = tuple(entry for entry in memory.strays if entry[0] >= recent)
    # A picture that was not searched says nothing of strangers.
    strays = (*kept, (sample.at, len(sample.stray_faces), best))[-STRAY_OF:] if sample.looked else kept
    return replace(
        memory, status_since=since, seated=(memory.seated & here) | (taken & writing), strays=strays
    )


def _fault_finding(fault: CameraFault, sample: RoomSample) -> Finding:
    facts: dict[str, float | str] = {"fault": fault.value, **sample.quality.measures}
    score = RULES[AnomalyKind.CAMERA_FAULT].score
    return Finding(Subject(AnomalyKind.CAMERA_FAULT, fault), sample.at, score, facts)


def _seat_findings(memory: CameraMemory, sample: RoomSample, expected: RoomExpectation) -> list[Finding]:
    by_seat = {seat.seat: seat for seat in expected.seats}
    found: list[Finding] = []
    for reading in sample.seats:
        seat = by_seat.get(reading.seat)
        if seat is None:
            if expected.running and reading.state in TAKEN:
                found.append(_finding(AnomalyKind.UNEXPECTED_OCCUPANT, reading, reading.since, "no_sitting"))
            continue
        since = max(reading.since, memory.status_since[seat.seat][1])
        if seat.status is SeatStatus.WRITING and reading.state in VACANT:
            found.append(_vacant(memory, reading, seat, since))
        elif seat.status is SeatStatus.WRITING and reading.state is SeatState.CROWDED:
            found.append(_finding(AnomalyKind.CROWDED_SEAT, reading, since, seat.status))
        elif seat.status in (SeatStatus.ABSENT, SeatStatus.MOVED) and reading.state in TAKEN:
            found.append(_finding(AnomalyKind.UNEXPECTED_OCCUPANT, reading, since, seat.status))
    return found


def _vacant(memory: CameraMemory, reading: SeatReading, seat: SeatExpectation, since: datetime) -> Finding:
    """The writing candidate's seat is empty; a kiosk that goes on answering makes it the strongest lead.

    That somebody has sat there is known from the camera or from the kiosk's answers, so that a camera
    process that was started again in the middle of the exam does not take a departure for an absence.
    """
    sat = seat.seat in memory.seated or seat.kiosk_active_s is not None
    kind = AnomalyKind.EMPTY_SEAT if sat else AnomalyKind.NEVER_SEATED
    finding = _finding(kind, reading, since, seat.status)
    facts = dict(finding.facts)
    score = OBJECT_SCORE if reading.state is SeatState.OBJECT else RULES[kind].score
    if seat.kiosk_active_s is not None:
        facts["kiosk_active_s"] = seat.kiosk_active_s
        if seat.kiosk_active_s <= KIOSK_ACTIVE_S:
            score = KIOSK_LEAD_SCORE
    return replace(finding, score=score, facts=facts)


def _finding(kind: AnomalyKind, reading: SeatReading, since: datetime, status: str) -> Finding:
    facts: dict[str, float | str] = {"state": reading.state.value, "status": str(status)}
    evidence = reading.evidence
    if evidence is not None:
        if evidence.faces is not None:
            facts["faces"] = float(evidence.faces)
            facts["face_score"] = evidence.face_score
        if evidence.structure is not None:
            facts["structure"] = evidence.structure
        if evidence.motion is not None:
            facts["motion"] = evidence.motion
    return Finding(Subject(kind, reading.seat), since, RULES[kind].score, facts)


def _stray_findings(memory: CameraMemory, expected: RoomExpectation) -> list[Finding]:
    """More faces that fit no seat than staff who may walk there, in enough of the latest pictures."""
    if not expected.running:
        return []
    over = [(at, count, best) for at, count, best in memory.strays if count > expected.walking_staff]
    if len(over) < STRAY_LEAST:
        return []
    best = max(score for _, _, score in over)
    most = max(count for _, count, _ in over)
    facts: dict[str, float | str] = {
        "strays": float(most),
        "walking_staff": float(expected.walking_staff),
        "pictures": float(len(over)),
        "face_score": best,
    }
    score = min(1.0, RULES[AnomalyKind.EXTRA_PERSON].score + 0.3 * best)
    return [Finding(Subject(AnomalyKind.EXTRA_PERSON, ""), over[0][0], score, facts)]


def _count_findings(sample: RoomSample, expected: RoomExpectation) -> list[Finding]:
    """The people seen against the roster, where more than one seat's difference lies between them.

    Who writes must be there; who has handed in, is excused or paused may be. Seats that cannot be judged
    count for either side. Without seats the faces of a camera say only how many are there at least.
    """
    if not expected.running:
        return []
    watched = {reading.seat for reading in sample.seats}
    due = [seat for seat in expected.seats if not watched or seat.seat in watched]
    least = sum(seat.status is SeatStatus.WRITING for seat in due)
    most = sum(seat.status not in (SeatStatus.ABSENT, SeatStatus.MOVED) for seat in due)
    strays = len(sample.stray_faces)
    if watched:
        seen = sum(reading.state in TAKEN for reading in sample.seats) + strays
        unclear = sum(reading.state is SeatState.UNKNOWN for reading in sample.seats)
        few, many = seen + unclear, seen - expected.walking_staff
    else:
        seen = len(sample.faces)
        few, many = least, seen - expected.walking_staff - STAFF_SEEN
    if few > least - COUNT_APART and many < most + COUNT_APART:
        return []
    facts: dict[str, float | str] = {"seen": float(seen), "roster": float(least), "roster_most": float(most)}
    score = RULES[AnomalyKind.ROOM_COUNT].score
    return [Finding(Subject(AnomalyKind.ROOM_COUNT, ""), sample.at, score, facts)]


def _settle(
    memory: CameraMemory,
    sample: RoomSample,
    findings: Mapping[Subject, Finding],
    judged: set[Subject],
    rules: Mapping[AnomalyKind, AnomalyRule],
) -> Comparison:
    """Applies hold and clear times; what could not be judged in this sample is left as it was."""
    pending = dict(memory.pending)
    raised: list[Anomaly] = []
    ended: list[AnomalyEnd] = []
    for subject, finding in findings.items():
        entry = pending.get(subject)
        if entry is None:
            entry = Pending(since=finding.since, samples=0)
        entry = replace(entry, samples=entry.samples + 1, gone_since=None, gone_samples=0)
        if entry.raised is None and _held(entry, sample.at, rules[subject.kind]):
            anomaly = _raise(entry, finding, sample, rules[subject.kind])
            entry = replace(entry, raised=anomaly)
            raised.append(anomaly)
        pending[subject] = entry
    for subject in [s for s in pending if s in judged and s not in findings]:
        entry = pending[subject]
        raised_before = entry.raised
        if raised_before is None:
            del pending[subject]
            continue
        entry = replace(entry, gone_since=entry.gone_since or sample.at, gone_samples=entry.gone_samples + 1)
        pending[subject] = entry
        if _cleared(entry, sample.at, rules[subject.kind]):
            ended.append(AnomalyEnd(raised_before.key, entry.gone_since or sample.at))
            del pending[subject]
    return Comparison(replace(memory, pending=pending), tuple(raised), tuple(ended))


def _held(entry: Pending, at: datetime, rule: AnomalyRule) -> bool:
    return entry.samples >= rule.samples and at - entry.since >= timedelta(seconds=rule.hold_s)


def _cleared(entry: Pending, at: datetime, rule: AnomalyRule) -> bool:
    gone = entry.gone_since or at
    return entry.gone_samples >= rule.samples and at - gone >= timedelta(seconds=rule.clear_s)


def _raise(entry: Pending, finding: Finding, sample: RoomSample, rule: AnomalyRule) -> Anomaly:
    subject = finding.subject
    on_seat = subject.kind not in (AnomalyKind.CAMERA_FAULT, *ROOM_KINDS)
    quality = sample.quality
    start = entry.since.strftime("%Y%m%dT%H%M%S.%f")
    return Anomaly(
        key=f"{subject.kind}:{quality.room_id}:{quality.camera_id}:{subject.about or '-'}:{start}",
        kind=subject.kind,
        rule_version=rule.version,
        room_id=quality.room_id,
        camera_id=quality.camera_id,
        seat=subject.about if on_seat else None,
        started_at=entry.since,
        found_at=sample.at,
        score=finding.score,
        facts=finding.facts,
    )
