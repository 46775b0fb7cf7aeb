"""When a sitting begins, ends, pauses and may be handed in: the one deadline function of the house.

All intervals are half-open [start, end). All times are aware UTC. Three numbers are never mixed: `extra` is a
right of the candidate, `delay` a late start, a credit is lost time given back. A delay granted before the bell moves
the planned start; what of it is over when the bell is struck is not counted again (`delay_after_bell`). Own start =
bell + delay. Own end = own start + minutes + extra + credits + pauses. Hand-in is allowed in [bell + early, own end
− late): the early limit counts from the bell, never from a late sign-in; pauses and credits move both limits
(BJ-E A5.2-9, A5.2-10).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from server.errors import Refusal
from server.protocol.link import GRACE_LEGAL_S

GRACE = timedelta(seconds=GRACE_LEGAL_S)
NEVER = datetime.max.replace(tzinfo=UTC)
"""Later than any time that is compared with it."""


class PhaseKind(StrEnum):
    """Where a sitting stands in time."""

    WAITING = "waiting"
    """Before the own start: no bell, or a delayed start."""
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    """Halted for a disaster: everybody leaves, and the chief's bell continues it at a new planned time."""
    GRACE = "grace"
    """The own end is past; answers that were on their way are taken for 30 s."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Policy:
    """Filed times of a slot in whole minutes; `early` and `late` bar hand-in at the beginning and at the
    end.
    """

    minutes: int
    early: int = 30
    late: int = 15


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause [start, end); `end` None while it is open.

    `halt`: for a disaster, with everybody leaving; `resumes_at` is then the newest planned continuation.
    """

    start: datetime
    end: datetime | None
    halt: bool = False
    resumes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """All that moves one sitting's deadline, as `phase_at` takes it."""

    policy: Policy
    bell: datetime | None = None
    extra: timedelta = timedelta()
    delay: timedelta = timedelta()
    """Before the bell: from the planned start to the own start; from the bell on: from the bell to it."""
    credits: timedelta = timedelta()
    """Sum of the time given back."""
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase and its half-open interval; None means unbounded or not known (no bell yet, pause still
    open).
    """

    kind: PhaseKind
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class HandInWindow:
    """Hand-in is allowed from `opens` to before `closes`; `closes` is None while a pause is open."""

    opens: datetime
    closes: datetime | None


def policy_refusal(policy: Policy) -> Refusal | None:
    """Refuse a policy under which nobody could ever hand in, or whose numbers make no sense."""
    facts = {"minutes": policy.minutes, "early": policy.early, "late": policy.late}
    if policy.minutes <= 0 or policy.early < 0 or policy.late < 0:
        return Refusal("policy-numbers", facts=facts)
    if policy.early + policy.late >= policy.minutes:
        return Refusal("hand-in-window-empty", "BJ-E:A5.2-9", facts)
    return None


def delay_after_bell(
    planned: datetime, bell: datetime, granted_before: timedelta, granted_after: timedelta
) -> timedelta:
    """Return how long after the bell the own start is.

    What was granted before the bell counts from the planned start, so the own start is the later of the bell and the
    moved planned start; the same lateness never counts twice. What was granted after the bell counts from it.
    """
    left = planned + granted_before - bell
    return min(granted_before, max(timedelta(), left)) + granted_after


def phase_at(
    policy: Policy,
    bell: datetime | None,
    extra: timedelta,
    delay: timedelta,
    credits: timedelta,
    pauses: Iterable[Pause],
    now: datetime,
) -> Phase:
    """Return the phase that holds at `now`, with its bounds.

    Pauses may overlap (a room's inside the hall's): their union counts, from the own start on. A pause that
    begins at or after the own end moves nothing. While a pause is open no end is known. A halt is a pause to the
    arithmetic: unused time is what was left when it began.
    """
    pauses = tuple(pauses)
    if bell is None:
        return Phase(PhaseKind.WAITING, None, None)
    own_start = bell + delay
    if now < own_start:
        return Phase(PhaseKind.WAITING, None, own_start)
    merged = _merged(pauses, own_start)
    planned_end = own_start + timedelta(minutes=policy.minutes) + extra + credits
    own_end = _moved(planned_end, merged)
    for pause in merged:
        if pause.start <= now and (pause.end is None or now < pause.end) and pause.start < (own_end or NEVER):
            halted = any(p.halt and p.start <= now and (p.end is None or now < p.end) for p in pauses)
            return Phase(PhaseKind.HALTED if halted else PhaseKind.PAUSED, pause.start, pause.end)
    if own_end is None or now < own_end:
        return Phase(PhaseKind.RUNNING, own_start, own_end)
    if now < own_end + GRACE:
        return Phase(PhaseKind.GRACE, own_end, own_end + GRACE)
    return Phase(PhaseKind.ENDED, own_end + GRACE, None)


def phase_of(times: Times, now: datetime) -> Phase:
    """Return `phase_at` of a sitting's times."""
    return phase_at(times.policy, times.bell, times.extra, times.delay, times.credits, times.pauses, now)


def own_end(times: Times) -> datetime | None:
    """Return the own end (exclusive); None before the bell or while a pause is open."""
    if times.bell is None:
        return None
    own_start = times.bell + times.delay
    planned = own_start + timedelta(minutes=times.policy.minutes) + times.extra + times.credits
    return _moved(planned, _merged(times.pauses, own_start))


def continues_at(times: Times) -> datetime | None:
    """Return the planned continuation of the open halt; None when nothing is halted or planned."""
    planned = [p.resumes_at for p in times.pauses if p.halt and p.end is None and p.resumes_at is not None]
    return max(planned, default=None)


def hand_in_window(times: Times) -> HandInWindow | None:
    """Return when hand-in is allowed; None before the bell, or when an open pause came before it opened."""
    if times.bell is None:
        return None
    early = times.bell + timedelta(minutes=times.policy.early) + times.credits
    opens = _moved(early, _merged(times.pauses, times.bell))
    if opens is None:
        return None
    end = own_end(times)
    return HandInWindow(opens, None if end is None else end - timedelta(minutes=times.policy.late))


def _merged(pauses: Iterable[Pause], from_moment: datetime) -> tuple[Pause, ...]:
    """Return the union of the pauses after a moment, in order, without overlaps."""
    paused = tuple(pauses)
    if not paused:
        return ()  # Nearly every answer is judged by times without one.
    merged: list[Pause] = []
    for pause in sorted(paused, key=lambda p: (p.start, p.end or NEVER)):
        start = max(pause.start, from_moment)
        if pause.end is not None and pause.end <= start:
            continue
        last = merged[-1] if merged else None
        if last is not None and (last.end is None or start <= last.end):
            end = None if last.end is None or pause.end is None else max(last.end, pause.end)
            merged[-1] = Pause(last.start, end)
        else:
            merged.append(Pause(start, pause.end))
    return tuple(merged)


def _moved(moment: datetime, merged: tuple[Pause, ...]) -> datetime | None:
    """Return a deadline moved by the pauses that begin before it; None when one of them is open."""
    for pause in merged:
        if pause.start >= moment:
            break
        if pause.end is None:
            return None
        moment += pause.end - pause.start
    return moment
