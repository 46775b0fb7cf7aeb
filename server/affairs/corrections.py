"""May a candidate's data be corrected now, of which field, on what proof, and by which two people?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from server.affairs.facts import Slot
from server.errors import Refusal
from server.law.citing import cites


class Period(StrEnum):
    """When a mistake is put right: before the first planned start of the plan, up to its last planned end, after."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Field(StrEnum):
    """What can be corrected. A photo and evidence are named by the SHA-256 of their file."""

    NAME = "name"
    ID_NUMBER = "id_number"
    TICKET = "ticket"
    PHOTO = "photo"
    SUBJECTS = "subjects"
    RESULT = "result"


class Approver(StrEnum):
    """Whose person approves: another one of the organisation, or the authority."""

    ORGANISATION = "organisation"
    AUTHORITY = "authority"


class CorrectionState(StrEnum):
    """Where a correction stands; only an approved one is in force."""

    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"


class CorrectionEvent(StrEnum):
    """What is done to a correction that was asked for."""

    APPROVE = "approve"
    REFUSE = "refuse"


TRANSITIONS: Mapping[tuple[CorrectionState, CorrectionEvent], CorrectionState] = MappingProxyType(
    {
        (CorrectionState.ASKED, CorrectionEvent.APPROVE): CorrectionState.APPROVED,
        (CorrectionState.ASKED, CorrectionEvent.REFUSE): CorrectionState.REFUSED,
    }
)

POSSIBLE: Mapping[Period, frozenset[Field]] = MappingProxyType(
    {
        Period.BEFORE: frozenset({Field.NAME, Field.ID_NUMBER, Field.TICKET, Field.PHOTO, Field.SUBJECTS}),
        Period.DURING: frozenset({Field.NAME, Field.ID_NUMBER, Field.TICKET, Field.PHOTO}),
        # The ticket stands in the notice, so it stays what it was when the papers were written.
        Period.AFTER: frozenset({Field.NAME, Field.ID_NUMBER, Field.PHOTO, Field.RESULT}),
    }
)
"""What a procedure may open in each period."""


@dataclass(frozen=True, slots=True)
class PeriodRule:
    """What the organisation's procedure says of one period: which fields, who asks, on what proof, who approves."""

    fields: frozenset[Field]
    asker: str
    proof: str
    approver: Approver


@dataclass(frozen=True, slots=True)
class Procedure:
    """One version of an organisation's procedure, from 1; `sha256` is over its text in UTF-8."""

    organisation: str
    version: int
    text: str
    sha256: bytes
    rules: Mapping[Period, PeriodRule]
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A correction as it is asked for. `evidence_sha256` is over the file of the proof; `by_authority` tells
    an officer from the organisation's own people."""

    field: Field
    before: str
    after: str
    reason: str
    evidence: str
    evidence_sha256: bytes
    by_authority: bool


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction of a candidate's datum; `before` is what stood, and `corrects` the correction that put it there.

    `decided_at` is None and `decided_by` empty while it is only asked for.
    """

    id: str
    plan: str
    candidate: str
    field: Field
    before: str
    after: str
    period: Period
    procedure: int
    procedure_sha256: bytes
    reason: str
    evidence: str
    evidence_sha256: bytes
    corrects: str | None
    state: CorrectionState
    asked_at: datetime
    asked_by: str
    decided_at: datetime | None
    decided_by: str
    answer: str


def step(state: CorrectionState, event: CorrectionEvent) -> CorrectionState | Refusal:
    """Return the state after the event, or why the event is not possible in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("correction-decided-already", "BJ-E:28", {"state": str(state), "event": str(event)})
    return following


@cites("BJ-E:28")
def period_of(slots: Sequence[Slot], now: datetime) -> Period:
    """Return the period of the plan in which `now` falls: during is [first planned start, last planned end)."""
    if not slots or now < min(slot.starts_at for slot in slots):
        return Period.BEFORE
    return Period.DURING if now < max(slot.ends_at for slot in slots) else Period.AFTER


@cites("BJ-E:28")
def sound(text: str, rules: Mapping[Period, PeriodRule]) -> Refusal | None:
    """Refuse a procedure that leaves out a period or its proof, or that opens what cannot be corrected then."""
    if not text.strip():
        return Refusal("procedure-text-missing", "BJ-E:28")
    for period in Period:
        rule = rules.get(period)
        if rule is None or not rule.fields or not rule.asker.strip() or not rule.proof.strip():
            return Refusal("procedure-period-missing", "BJ-E:28", {"period": str(period)})
        strange = sorted(rule.fields - POSSIBLE[period])
        if strange:
            facts = {"period": str(period), "field": str(strange[0])}
            return Refusal("procedure-field-impossible", "BJ-E:28", facts)
    return None


@cites("BJ-E:28")
def may_ask(procedure: Procedure | None, period: Period, wish: Wish, uploaded: bool) -> Refusal | None:
    """Return why a correction cannot be asked for, or None.

    Until the results are uploaded the organisation's own procedure decides; afterwards the authority's own act alone.
    """
    if procedure is None:
        return Refusal("correction-procedure-missing", "BJ-E:28")
    if uploaded and not wish.by_authority:
        return Refusal("correction-after-upload", "BJ-E:28")
    if wish.by_authority and not uploaded:
        return Refusal("correction-of-organisation", "BJ-E:28")
    if wish.field is Field.RESULT and not uploaded:
        return Refusal("correction-result-by-objection", "BJ-E:25")
    if wish.field not in procedure.rules[period].fields:
        return Refusal(
            "correction-field-closed",
            "BJ-E:28",
            {"field": str(wish.field), "period": str(period), "version": procedure.version},
        )
    if not wish.after.strip() or wish.after == wish.before:
        return Refusal("correction-changes-nothing", "BJ-E:28", {"field": str(wish.field)})
    if not wish.evidence.strip() or not wish.reason.strip() or len(wish.evidence_sha256) != 32:
        return Refusal("correction-proof-missing", "BJ-E:28", {"proof": procedure.rules[period].proof})
    return None


@cites("BJ-E:28")
def may_decide(
    rule: PeriodRule, asked_by: str, decided_by: str, by_authority: bool, uploaded: bool
) -> Refusal | None:
    """Return why this person may not decide, or None: never the one who asked, and of the side that the procedure
    names; after the upload the authority's."""
    if asked_by == decided_by:
        return Refusal("correction-same-person", "BJ-E:28")
    wanted = Approver.AUTHORITY if uploaded else rule.approver
    if by_authority is not (wanted is Approver.AUTHORITY):
        return Refusal("correction-other-approver", "BJ-E:28", {"approver": str(wanted)})
    return None
