"""What may be done next in a case against an organisation, and what does it do to its standing?"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

from server.affairs.facts import StandingStatus
from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack
from server.law.workdays import Calendar, Provisional, day_start, due_workday, legal_day


class CaseState(StrEnum):
    """How far a case has come."""

    OPENED = "opened"
    FOUND = "found"
    DEFENDED = "defended"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class CaseEvent(StrEnum):
    """What is done in a case."""

    FIND = "find"
    DEFEND = "defend"
    UPHOLD = "uphold"
    DISMISS = "dismiss"


TRANSITIONS: Mapping[tuple[CaseState, CaseEvent], CaseState] = MappingProxyType(
    {
        (CaseState.OPENED, CaseEvent.FIND): CaseState.FOUND,
        (CaseState.FOUND, CaseEvent.DEFEND): CaseState.DEFENDED,
        (CaseState.FOUND, CaseEvent.UPHOLD): CaseState.UPHELD,
        (CaseState.DEFENDED, CaseEvent.UPHOLD): CaseState.UPHELD,
        (CaseState.OPENED, CaseEvent.DISMISS): CaseState.DISMISSED,
        (CaseState.FOUND, CaseEvent.DISMISS): CaseState.DISMISSED,
        (CaseState.DEFENDED, CaseEvent.DISMISS): CaseState.DISMISSED,
    }
)

CLOSED = frozenset({CaseState.UPHELD, CaseState.DISMISSED})


@cites("BJ-F:4.3.2-2")
def step(state: CaseState, event: CaseEvent) -> CaseState | Refusal:
    """Return the state after the event, or why the event is not possible in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("case-step-out-of-order", "BJ-F:4.3.2-2", {"state": str(state), "event": str(event)})
    return following


@cites("BJ-F:4.3.2-2")
@reads("numbers.defence_workdays")
def defence_until(pack: Pack, calendar: Calendar, received: date) -> date | Provisional:
    """Return the last legal day, inclusive, for the written defence: working days after receipt."""
    return due_workday(calendar, received, pack.number("defence_workdays", received).value)


def may_defend(until: date, now: datetime) -> Refusal | None:
    """Refuse a defence after its last day."""
    if legal_day(now) <= until:
        return None
    return Refusal("case-defence-late", "BJ-F:4.3.2-2", {"until": until.isoformat()})


def may_uphold(state: CaseState, until: date | None, now: datetime) -> Refusal | None:
    """Refuse a final decision against the organisation while it may still defend itself and has not."""
    if state is CaseState.DEFENDED or until is None or legal_day(now) > until:
        return None
    allowed = day_start(until).isoformat()
    return Refusal("case-defence-still-open", "BJ-F:4.3.2-2", {"until": until.isoformat(), "after": allowed})


@cites("BJ-F:4.1", "BJ-F:4.3.2-1", "BJ-F:4.3.2-3")
@reads("tiers", "violations")
def standing_in(pack: Pack, violation: str, state: CaseState) -> StandingStatus:
    """Return the standing that a case in this state asks for.

    Suspicion suspends at once and for as long as the case is open; an upheld case terminates when the
    ground's consequences say so.
    """
    if state is CaseState.DISMISSED:
        return StandingStatus.GOOD
    if state is not CaseState.UPHELD:
        return StandingStatus.SUSPENDED
    consequences = {consequence.code for consequence in pack.violation(violation).consequences}
    return StandingStatus.TERMINATED if "terminate" in consequences else StandingStatus.GOOD
