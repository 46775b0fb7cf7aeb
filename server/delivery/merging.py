"""Which late answers may be merged, and what two people need to see to decide: pure.

A late answer is one that did not count by itself: it came after the end and its grace, or lies in a journal
that was offered or carried later. It may become the item's answer only when it is newer by (lease, seq) than
what stands, its capture evidence puts it before the end, and two named people accept it with a reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from server.delivery.answers import Standing, newer
from server.delivery.sitting import State
from server.errors import Refusal
from server.protocol.paper import AnswerValue

SHORTEST_REASON = 2
"""Characters that a reason has at least."""


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """One answer that did not count. `source` is line or journal; `beacon_at` and `captured_at` are None
    without a beacon that the centre signed."""

    number: int
    value: AnswerValue
    lease: int
    seq: int
    source: str
    beacon_at: datetime | None
    captured_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stands:
    """The answer that stands for an item."""

    value: AnswerValue
    lease: int
    seq: int


@dataclass(frozen=True, slots=True)
class Beat:
    """One entry of the heartbeat ledger: the line came (`here`) or was lost."""

    at: datetime
    here: bool


@dataclass(frozen=True, slots=True)
class Absence:
    """The line was away from `start` until before `end` (None: it never came back)."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class LateItem:
    """One item with what stands and what came late. `absence` is the one in which it was captured, if any;
    `refusal` says why it cannot be merged at all."""

    stands: Stands | None
    late: LateAnswer
    absence: Absence | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person proposes for one item; it names the very answer by (lease, seq)."""

    number: int
    lease: int
    seq: int
    accept: bool
    reason: str


def absences(beats: Iterable[Beat]) -> tuple[Absence, ...]:
    """Return when the line was away, from a sitting's heartbeats in order of time."""
    found: list[Absence] = []
    lost: datetime | None = None
    for beat in beats:
        if not beat.here:
            lost = lost or beat.at
        elif lost is not None:
            found.append(Absence(lost, beat.at))
            lost = None
    if lost is not None:
        found.append(Absence(lost, None))
    return tuple(found)


def absence_at(away: Sequence[Absence], moment: datetime | None) -> Absence | None:
    """Return the absence in which a moment lies, or None."""
    if moment is None:
        return None
    return next((a for a in away if a.start <= moment and (a.end is None or moment < a.end)), None)


def late_refusal(late: LateAnswer, stands: Stands | None, until: datetime) -> Refusal | None:
    """Refuse a late answer that no two people may accept; `until` is the end (exclusive)."""
    before = None if stands is None else Standing(stands.lease, stands.seq)
    if not newer(late.lease, late.seq, before):
        return Refusal("late-superseded", facts={"number": late.number})
    if late.captured_at is None:
        return Refusal("late-without-evidence", facts={"number": late.number})
    if late.captured_at >= until:
        return Refusal("late-after-end", "BJ-E:A5.2-11", {"number": late.number, "ends": until.isoformat()})
    return None


def late_items(
    answers: Iterable[LateAnswer], stands: Mapping[int, Stands], until: datetime, away: Sequence[Absence]
) -> tuple[LateItem, ...]:
    """Return one line an item, ascending: the newest late answer that may be merged, or else the newest of
    all with the reason why not. An answer that stands already is left out."""
    found: dict[int, LateItem] = {}
    for late in sorted(answers, key=lambda a: (a.lease, a.seq)):
        standing = stands.get(late.number)
        if standing is not None and (standing.lease, standing.seq) == (late.lease, late.seq):
            continue
        refusal = late_refusal(late, standing, until)
        before = found.get(late.number)
        if before is None or before.refusal is not None or refusal is None:
            away_then = absence_at(away, late.captured_at)
            found[late.number] = LateItem(standing, late, away_then, refusal)
    return tuple(found[number] for number in sorted(found))


def open_items(items: Iterable[LateItem], decided: frozenset[tuple[int, int]]) -> tuple[LateItem, ...]:
    """Return the items that two people must still judge; `decided` are (lease, seq) judged before."""
    return tuple(i for i in items if i.refusal is None and (i.late.lease, i.late.seq) not in decided)


def sitting_refusal(state: State) -> Refusal | None:
    """Refuse to merge into a paper that is not collected: a handed-in one was signed as it is, an open one may
    still change."""
    match state:
        case State.COLLECTED:
            return None
        case State.HANDED_IN:
            return Refusal("late-handed-in")
        case State.OPENED:
            return Refusal("late-sitting-open", "BJ-E:A5.2-11")
        case _:
            return Refusal("late-sitting-state", facts={"state": state.value})


def proposal_refusal(items: Sequence[LateItem], decisions: Sequence[Decision]) -> Refusal | None:
    """Refuse a proposal that does not name each open item once, with a reason, as it is now."""
    if not items:
        return Refusal("late-nothing-open")
    named = {(d.number, d.lease, d.seq) for d in decisions}
    wanted = {(i.late.number, i.late.lease, i.late.seq) for i in items}
    if len(named) != len(decisions) or named - wanted:
        return Refusal("late-other-items")
    left = sorted(number for number, _, _ in wanted - named)
    if left:
        return Refusal(
            "late-items-missing", facts={"count": len(left), "numbers": ", ".join(map(str, left[:20]))}
        )
    short = [d.number for d in decisions if len(d.reason.strip()) < SHORTEST_REASON]
    return Refusal("late-reason-missing", facts={"number": short[0]}) if short else None


def second_refusal(first: str, second: str) -> Refusal | None:
    """Refuse a confirmation by the person who proposed."""
    return Refusal("late-second-person") if first == second else None
