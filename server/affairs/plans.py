"""May a plan take its next step, and by when must it? Order, scope, dates and deadlines of a batch plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType

from server.affairs.facts import SUBJECT_ORDER, Plan, Scope, Slot
from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack
from server.law.workdays import Calendar, add_months, latest_date_before, latest_workday_before, legal_day


class PlanState(StrEnum):
    """How far a plan has come."""

    DRAFT = "draft"
    FILED = "filed"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    CANDIDATES_CONFIRMED = "candidates_confirmed"
    READY = "ready"
    PACKED = "packed"
    RETURNED = "returned"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"


class PlanEvent(StrEnum):
    """What is done to a plan."""

    FILE = "file"
    ACCEPT = "accept"
    RETURN = "return"
    CONFIRM = "confirm"
    CONFIRM_CANDIDATES = "confirm_candidates"
    IMPORT = "import"
    PACK = "pack"
    STOP = "stop"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[tuple[PlanState, PlanEvent], PlanState] = MappingProxyType(
    {
        (PlanState.DRAFT, PlanEvent.FILE): PlanState.FILED,
        (PlanState.RETURNED, PlanEvent.FILE): PlanState.FILED,
        (PlanState.FILED, PlanEvent.ACCEPT): PlanState.ACCEPTED,
        (PlanState.FILED, PlanEvent.RETURN): PlanState.RETURNED,
        (PlanState.ACCEPTED, PlanEvent.CONFIRM): PlanState.CONFIRMED,
        (PlanState.CONFIRMED, PlanEvent.CONFIRM_CANDIDATES): PlanState.CANDIDATES_CONFIRMED,
        (PlanState.CANDIDATES_CONFIRMED, PlanEvent.IMPORT): PlanState.READY,
        (PlanState.READY, PlanEvent.IMPORT): PlanState.READY,
        (PlanState.READY, PlanEvent.PACK): PlanState.PACKED,
        (PlanState.CANDIDATES_CONFIRMED, PlanEvent.STOP): PlanState.STOPPED,
        (PlanState.DRAFT, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.RETURNED, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.FILED, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.ACCEPTED, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.CONFIRMED, PlanEvent.WITHDRAW): PlanState.WITHDRAWN,
    }
)


def step(state: PlanState, event: PlanEvent) -> PlanState | Refusal:
    """Return the state after the event, or why the event is not possible in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("plan-step-out-of-order", None, {"state": str(state), "event": str(event)})
    return following


@dataclass(frozen=True, slots=True)
class Deadline:
    """A step of a plan and the last legal day (inclusive) on which it may be done."""

    event: PlanEvent
    article: str
    days: int
    latest: date
    done_at: datetime | None

    def missed(self, now: datetime) -> bool:
        """Tell whether the step is not done and its last day lies behind."""
        return self.done_at is None and legal_day(now) > self.latest


_NUMBERS: tuple[tuple[PlanEvent, str], ...] = (
    (PlanEvent.FILE, "plan_filing_days"),
    (PlanEvent.CONFIRM, "plan_confirmation_days"),
    (PlanEvent.CONFIRM_CANDIDATES, "candidate_confirmation_days"),
    (PlanEvent.IMPORT, "room_import_days"),
)


def first_day(slots: Sequence[Slot]) -> date:
    """Return the legal day of the plan's first slot; `slots` is not empty."""
    return min(slot.day for slot in slots)


@reads(
    "numbers.plan_filing_days",
    "numbers.plan_confirmation_days",
    "numbers.candidate_confirmation_days",
    "numbers.room_import_days",
)
@cites("BJ-E:8", "BJ-E:12", "BJ-E:15")
def deadlines(pack: Pack, plan: Plan, first: date) -> tuple[Deadline, ...]:
    """Return the dated steps of a plan in order: at the latest on (first exam day − n)."""
    done = {
        PlanEvent.FILE: plan.filed_at,
        PlanEvent.CONFIRM: plan.confirmed_at,
        PlanEvent.CONFIRM_CANDIDATES: plan.candidates_confirmed_at,
        PlanEvent.IMPORT: plan.imported_at,
    }
    found = []
    for event, name in _NUMBERS:
        number = pack.number(name, first)
        latest = latest_date_before(first, number.value)
        found.append(Deadline(event, number.article, number.value, latest, done[event]))
    return tuple(found)


def in_time(pack: Pack, plan: Plan, event: PlanEvent, first: date, now: datetime) -> Refusal | None:
    """Refuse a dated step after its last day, naming rule, days and the date it would have needed."""
    for deadline in deadlines(pack, plan, first):
        if deadline.event is event and legal_day(now) > deadline.latest:
            return Refusal(
                "plan-step-late",
                deadline.article,
                {
                    "event": str(event),
                    "days": deadline.days,
                    "first_day": first.isoformat(),
                    "latest": deadline.latest.isoformat(),
                    "today": legal_day(now).isoformat(),
                },
            )
    return None


@cites("BJ-E:A1.n2")
def plan_name(first: date, short_name: str) -> str:
    """Return the plan's name: year, month and day of the first exam, then the short name."""
    return f"{first:%Y%m%d}{short_name}"


@cites("BJ-E:A1.n3", "BJ-E:A1.n4")
def within_scope(scope: Scope, occupation_code: str, level: int, slots: Sequence[Slot]) -> Refusal | None:
    """Refuse an occupation and level, or a place, that the filing letter does not name."""
    if (occupation_code, level) not in scope.occupations:
        return Refusal("plan-outside-scope", "BJ-E:A1.n3", {"occupation": occupation_code, "level": level})
    for slot in slots:
        if slot.place not in scope.venues:
            return Refusal("plan-venue-not-filed", "BJ-E:A1.n4", {"place": slot.place})
    return None


@cites("BJ-E:A1.n6")
@reads("numbers.subject_gap_months")
def in_order(pack: Pack, slots: Sequence[Slot]) -> Refusal | None:
    """Refuse subjects out of the order theory, practical, review, or done later than the pack's months
    after.
    """
    by_subject = {
        subject: [slot for slot in slots if slot.subject == subject]
        for subject in SUBJECT_ORDER
        if any(slot.subject == subject for slot in slots)
    }
    present = list(by_subject)
    for before, after in pairwise(present):
        ended = max(slot.ends_at for slot in by_subject[before])
        started = min(slot.starts_at for slot in by_subject[after])
        facts = {"before": before, "after": after}
        if started < ended:
            return Refusal("plan-subjects-out-of-order", "BJ-E:A1.n6", facts)
        number = pack.number("subject_gap_months", legal_day(ended))
        latest = add_months(legal_day(ended), number.value)
        if max(slot.day for slot in by_subject[after]) > latest:
            return Refusal(
                "plan-subject-too-late",
                number.article,
                {**facts, "months": number.value, "latest": latest.isoformat()},
            )
    return None


@cites("BJ-E:A5.2-9", "BJ-E:A5.2-10")
def hand_in_possible(slot: Slot) -> Refusal | None:
    """Refuse a slot whose hand-in window [start + early, end − late) is empty."""
    if slot.early + slot.late < slot.minutes:
        return None
    return Refusal(
        "plan-hand-in-window-empty",
        "BJ-E:A5.2-10",
        {"subject": slot.subject, "minutes": slot.minutes, "early": slot.early, "late": slot.late},
    )


METHODS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "theory": frozenset({"written", "computer", "machine"}),
        "practical": frozenset({"workshop", "simulation", "computer", "written"}),
        "review": frozenset({"interview", "written", "computer"}),
    }
)
"""The methods of the plan form by subject; which of them a plan takes is the occupation's standard's to say."""


@cites("BJ-E:A1", "BJ-E:A1.n5")
def complete(slots: Sequence[Slot]) -> Refusal | None:
    """Refuse a plan without a slot, with a method that the form does not know for the subject, or with a slot whose
    marks or times are impossible."""
    if not slots:
        return Refusal("plan-without-slots", "BJ-E:A1")
    for slot in slots:
        if slot.method not in METHODS[slot.subject]:
            facts = {"subject": slot.subject, "method": slot.method}
            return Refusal("plan-method-unknown", "BJ-E:A1.n5", facts)
        sound = 0 < slot.pass_mark <= slot.total and slot.minutes > 0 and slot.early >= 0 and slot.late >= 0
        if not sound:
            return Refusal("plan-slot-impossible", "BJ-E:A1", {"subject": slot.subject})
    return None


def counting(plan: Plan) -> Refusal | None:
    """Say whether scores and results of this plan may be taken in: those of a rehearsal never count."""
    return Refusal("plan-is-rehearsal", facts={"plan": plan.name}) if plan.purpose != "live" else None


@cites("BJ-E:23")
@reads("numbers.change_workdays")
def may_change(pack: Pack, calendar: Calendar, slot: Slot, changed: Slot, now: datetime) -> Refusal | None:
    """Refuse a change of time or place asked for later than the pack's working days before the old or new time.

    YearUnknown when a calendar on the way is not loaded.
    """
    day = min(slot.day, changed.day)
    number = pack.number("change_workdays", day)
    latest = latest_workday_before(calendar, day, number.value)
    if legal_day(now) <= latest:
        return None
    return Refusal("change-late", number.article, {"workdays": number.value, "latest": latest.isoformat()})


def may_file(pack: Pack, plan: Plan, scope: Scope, slots: Sequence[Slot], now: datetime) -> Refusal | None:
    """Return the first reason why a plan cannot be filed now, or None."""
    refusal = complete(slots)
    if refusal is not None:
        return refusal
    checks = (
        within_scope(scope, plan.occupation_code, plan.level, slots),
        in_order(pack, slots),
        *(hand_in_possible(slot) for slot in slots),
        in_time(pack, plan, PlanEvent.FILE, first_day(slots), now),
    )
    return next((refusal for refusal in checks if refusal is not None), None)
