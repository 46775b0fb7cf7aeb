"""What a person records in the exam hall: kinds, who must be told, and the second person for a finding on
a candidate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from server.errors import Refusal
from server.law.citing import cites


class IncidentKind(StrEnum):
    """What happened."""

    CHEATING = "cheating"
    DISORDER = "disorder"
    IDENTITY = "identity"
    """The person on the seat is not, or may not be, the candidate."""
    PHONE = "phone"
    ABSENCE = "absence"
    """A candidate left the seat for a while: toilet, doctor."""
    ILLNESS = "illness"
    PAPER_FAULT = "paper_fault"
    PAPER_REPLACED = "paper_replaced"
    LATE_ANSWERS = "late_answers"
    """Two named people judged answers that came late."""
    EQUIPMENT = "equipment"
    NEVER_OPENED = "never_opened"
    """Checked in, but the paper was never opened: counted as absent."""
    OUTSIDER = "outsider"
    LEAK = "leak"
    DISASTER = "disaster"
    STAFF = "staff"
    OTHER = "other"


FINDINGS = frozenset(
    {IncidentKind.CHEATING, IncidentKind.DISORDER, IncidentKind.IDENTITY, IncidentKind.PHONE}
)
"""Kinds that speak against a candidate: one person alone may not settle them."""

VOIDING = frozenset({IncidentKind.CHEATING, IncidentKind.IDENTITY})
"""Kinds that, once confirmed, make the candidate's result `cheat`."""

SEATED = frozenset(
    {
        *FINDINGS,
        IncidentKind.ABSENCE,
        IncidentKind.ILLNESS,
        IncidentKind.PAPER_FAULT,
        IncidentKind.PAPER_REPLACED,
        IncidentKind.LATE_ANSWERS,
        IncidentKind.NEVER_OPENED,
    }
)
"""Kinds that must name a sitting."""


class IncidentState(StrEnum):
    """Where an incident stands. NOTED ones need no second person."""

    NOTED = "noted"
    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class IncidentEvent(StrEnum):
    """What a person does with a proposed finding."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"


TRANSITIONS: Mapping[tuple[IncidentState, IncidentEvent], IncidentState] = {
    (IncidentState.PROPOSED, IncidentEvent.CONFIRM): IncidentState.CONFIRMED,
    (IncidentState.PROPOSED, IncidentEvent.DISMISS): IncidentState.DISMISSED,
}


class ReportTo(StrEnum):
    """Who must be told at once; None of them stands for: the chief, through the record."""

    AUTHORITY = "authority"
    EXAM_OFFICE = "exam_office"
    CHIEF = "chief"


@dataclass(frozen=True, slots=True)
class Incident:
    """One recorded incident; who settled it and why are empty while it is open."""

    id: str
    kind: IncidentKind
    state: IncidentState
    room: str | None
    sitting: str | None
    recorded_by: str


def first_state(kind: IncidentKind) -> IncidentState:
    """Return the state in which an incident of this kind is recorded."""
    return IncidentState.PROPOSED if kind in FINDINGS else IncidentState.NOTED


@cites("BJ-E:A4.2-5", "BJ-E:A4.3-2", "BJ-E:A4.1-9")
def report_to(kind: IncidentKind) -> ReportTo:
    """Return who must be told at once: a leak goes to the exam office, a disaster to the authority, the
    rest to the chief.
    """
    if kind is IncidentKind.LEAK:
        return ReportTo.EXAM_OFFICE
    if kind is IncidentKind.DISASTER:
        return ReportTo.AUTHORITY
    return ReportTo.CHIEF


def recordable(kind: IncidentKind, sitting: str | None, note: str) -> Refusal | None:
    """Refuse an incident on a candidate that names none, and a finding without a word of what was seen."""
    if kind in SEATED and sitting is None:
        return Refusal("incident-names-nobody", None, {"kind": kind.value})
    if kind in FINDINGS and not note.strip():
        return Refusal("incident-without-note", None, {"kind": kind.value})
    return None


def step(state: IncidentState, event: IncidentEvent) -> IncidentState | Refusal:
    """Return the next state, or say that the incident is settled already."""
    return TRANSITIONS.get((state, event)) or Refusal("incident-settled", None, {"state": state.value})


@cites("BJ-E:A4.1-5")
def settle(incident: Incident, event: IncidentEvent, person: str, chief: bool) -> IncidentState | Refusal:
    """Return the state after a second person's word.

    Refuses the person who recorded it, and a confirmation by anyone but the chief or deputy, whose act
    the handling of a violation is.
    """
    after = step(incident.state, event)
    if isinstance(after, Refusal):
        return after
    if person == incident.recorded_by:
        return Refusal("incident-second-person", None, {"recorded_by": incident.recorded_by})
    if event is IncidentEvent.CONFIRM and not chief:
        return Refusal("incident-chief-needed", "BJ-E:A4.1-5")
    return after
