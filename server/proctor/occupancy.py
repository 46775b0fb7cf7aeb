"""Decides the state of one seat from pictures over time.

One picture never settles a state: evidence must last for seconds of capture time *and* come from at least
two pictures, so that the same rule works at one picture a second and at one in thirty seconds. Faces alone
never make a seat empty: people write with their heads down. A picture that cannot be used makes the seat
UNKNOWN, never EMPTY.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from server.proctor.evidence import SeatEvidence, SeatReading, SeatState


@dataclass(frozen=True, slots=True)
class OccupancyRule:
    """The thresholds of the seat state, with the version that readings were decided under.

    Shares are 0 to 1. Durations are seconds of capture time; a duration is fulfilled when it is reached, not
    only when it is passed. `samples` is the least number of pictures that must agree.
    """

    version: int = 2
    structure_occupied: float = 0.35
    structure_empty: float = 0.22
    visible_least: float = 0.25
    motion_alive: float = 0.02
    life_s: float = 60.0
    object_after_s: float = 120.0
    empty_after_s: float = 0.5
    occupied_after_s: float = 0.5
    crowded_least: int = 3
    crowded_of: int = 5
    face_without_reference_s: float = 60.0
    contradicted_s: float = 10.0
    unknown_doubt_s: float = 20.0
    face_sure: float = 0.65
    gap_s: float = 150.0
    samples: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.structure_empty < self.structure_occupied <= 1:
            raise ValueError("the empty threshold lies below the occupied one, both within 0 to 1")
        if self.samples < 2:
            raise ValueError("one picture never settles a seat state")
        if not 2 <= self.crowded_least <= self.crowded_of:
            raise ValueError("a crowd is seen in at least two of the latest pictures")


RULE = OccupancyRule()


@dataclass(frozen=True, slots=True)
class SeatMemory:
    """What is remembered of a seat between two pictures. A new seat starts UNKNOWN at the first capture time.

    `leaning` is the state that the latest pictures speak for, since `leaning_since`, in `leaning_samples`
    pictures. `lively_at` is the last capture time with a face or motion while something sat there. `crowd`
    holds the capture times of the latest pictures searched and how many people they showed at the seat;
    `state` itself is never CROWDED. `contradicted_at` is the last capture time at which a face was seen where
    the chair looked empty.
    """

    state: SeatState
    since: datetime
    leaning: SeatState
    leaning_since: datetime
    leaning_samples: int
    lively_at: datetime | None
    seen_at: datetime
    crowd: tuple[tuple[datetime, int], ...] = ()
    contradicted_at: datetime | None = None


def begin(at: datetime) -> SeatMemory:
    """The memory of a seat before its first picture."""
    unknown = SeatState.UNKNOWN
    return SeatMemory(
        state=unknown,
        since=at,
        leaning=unknown,
        leaning_since=at,
        leaning_samples=0,
        lively_at=None,
        seen_at=at,
    )


def decide(
    memory: SeatMemory, seat: str, evidence: SeatEvidence | None, at: datetime, rule: OccupancyRule = RULE
) -> tuple[SeatMemory, SeatReading]:
    """Takes one picture's evidence into account and tells the seat's state at `at`.

    `evidence` None means that the picture could not be used: the seat is UNKNOWN at once and starts again
    after. A gap between pictures longer than `gap_s` also starts again. Evidence between the two structure
    thresholds speaks for nothing: the state stays.

    Raises:
        ValueError: `at` lies before the last picture.
    """
    if at < memory.seen_at:
        raise ValueError("pictures are decided in order of capture")
    if evidence is None:
        held = memory.state is SeatState.UNKNOWN
        blind = replace(begin(at), since=memory.since if held else at)
        return blind, SeatReading(seat, SeatState.UNKNOWN, blind.since, at, None)
    if at - memory.seen_at > timedelta(seconds=rule.gap_s):
        memory = begin(at)
    memory = replace(
        memory,
        seen_at=at,
        lively_at=at if _lively(memory, evidence, rule) else memory.lively_at,
        contradicted_at=at if _contradicted(evidence, rule) else memory.contradicted_at,
    )
    speaks = _speaks_for(memory, evidence, at, rule)
    if speaks is not None and speaks is memory.leaning:
        memory = replace(memory, leaning_samples=memory.leaning_samples + 1)
    elif speaks is not None:
        memory = replace(memory, leaning=speaks, leaning_since=at, leaning_samples=1)
    if memory.leaning is not memory.state and _settled(memory, at, rule):
        memory = replace(memory, state=memory.leaning, since=memory.leaning_since)
    crowd = memory.crowd
    if evidence.faces is not None:
        crowd = (*crowd, (at, evidence.faces + evidence.beside))[-rule.crowded_of :]
        memory = replace(memory, crowd=crowd)
    together = [seen_at for seen_at, faces in crowd if faces >= 2]
    # Faces come and go between pictures, so a crowd is counted over the latest pictures, not in a row.
    if len(together) >= rule.crowded_least:
        return memory, SeatReading(seat, SeatState.CROWDED, together[0], at, evidence)
    return memory, SeatReading(seat, memory.state, memory.since, at, evidence)


def _lively(memory: SeatMemory, evidence: SeatEvidence, rule: OccupancyRule) -> bool:
    """A face, or motion in a seat that differs from its empty reference (a shadow on an empty chair is no
    life).

    A bag may look like a face once in many looks: an unsure face counts when one of the two looks before it
    found one too.
    """
    if evidence.faces and (
        evidence.structure is None
        or evidence.face_score >= rule.face_sure
        or any(faces for _, faces in memory.crowd[-2:])
    ):
        return True
    sits = evidence.structure is not None and evidence.structure >= rule.structure_empty
    return sits and evidence.motion is not None and evidence.motion > rule.motion_alive


def _contradicted(evidence: SeatEvidence, rule: OccupancyRule) -> bool:
    empty = evidence.structure is not None and evidence.structure < rule.structure_empty
    return empty and bool(evidence.faces)


def in_doubt(memory: SeatMemory, at: datetime, rule: OccupancyRule = RULE) -> bool:
    """True where a look for faces would help: the state is about to change or newly unknown, two faces were seen
    lately, a face contradicts an empty chair, or no sign of life has come for half of the time allowed.
    """
    if memory.leaning is not memory.state:
        return True
    if memory.state is SeatState.UNKNOWN:
        return at - memory.since <= timedelta(seconds=rule.unknown_doubt_s)
    lately = at - timedelta(seconds=rule.contradicted_s)
    if any(faces >= 2 and seen_at >= lately for seen_at, faces in memory.crowd):
        return True
    if memory.contradicted_at is not None and memory.contradicted_at >= lately:
        return True
    return memory.state is SeatState.OCCUPIED and not _alive(memory, at, rule.life_s / 2)


def _speaks_for(
    memory: SeatMemory, evidence: SeatEvidence, at: datetime, rule: OccupancyRule
) -> SeatState | None:
    """What this picture, with the life of the last minute, speaks for; None where it speaks for nothing."""
    if evidence.structure is None or evidence.visible < rule.visible_least:
        return _without_structure(memory, evidence, at, rule)
    if evidence.structure >= rule.structure_occupied:
        return SeatState.OCCUPIED if _alive(memory, at, rule.life_s) else SeatState.OBJECT
    if evidence.structure < rule.structure_empty:
        # A face where the chair looks empty contradicts the reference: neither is believed alone, until a
        # look finds no face or none was seen for a while.
        if evidence.faces is None:
            recently = memory.contradicted_at is not None and at - memory.contradicted_at < timedelta(
                seconds=rule.contradicted_s
            )
            return None if recently else SeatState.EMPTY
        return SeatState.EMPTY if evidence.faces == 0 else None
    if evidence.faces:
        return SeatState.OCCUPIED
    # Neither an empty chair nor clearly a person: with life it stays what it was, without it is a thing.
    return None if _alive(memory, at, rule.life_s) else SeatState.OBJECT


def _without_structure(
    memory: SeatMemory, evidence: SeatEvidence, at: datetime, rule: OccupancyRule
) -> SeatState:
    """Without a reference, or hidden by the row in front, faces can show that somebody is there, never that
    nobody is.
    """
    if evidence.faces or _alive(memory, at, rule.face_without_reference_s):
        return SeatState.OCCUPIED
    return SeatState.UNKNOWN


def _alive(memory: SeatMemory, at: datetime, within_s: float) -> bool:
    return memory.lively_at is not None and at - memory.lively_at <= timedelta(seconds=within_s)


def _settled(memory: SeatMemory, at: datetime, rule: OccupancyRule) -> bool:
    """True once the leaning has lasted long enough, in enough pictures."""
    if memory.leaning_samples < rule.samples:
        return False
    return at - memory.leaning_since >= timedelta(seconds=_hold_s(memory.leaning, rule))


def _hold_s(state: SeatState, rule: OccupancyRule) -> float:
    match state:
        case SeatState.OCCUPIED:
            return rule.occupied_after_s
        case SeatState.EMPTY:
            return rule.empty_after_s
        case SeatState.OBJECT:
            # Counted from the last sign of life: the life window itself is the first part of the wait.
            return max(0.0, rule.object_after_s - rule.life_s)
        case SeatState.UNKNOWN | SeatState.CROWDED:
            return 0.0
