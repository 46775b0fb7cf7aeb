"""May this person be enrolled in this plan? Identity, condition of the level, commitment, duplicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from server.errors import Refusal
from server.law.citing import cites, reads
from server.law.pack import Pack

ID_KINDS = frozenset({"resident", "passport", "permit"})


class EnrolmentState(StrEnum):
    """Where one person's enrolment stands."""

    ENROLLED = "enrolled"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class EnrolmentEvent(StrEnum):
    """What is done to an enrolment."""

    CONFIRM = "confirm"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


TRANSITIONS: Mapping[tuple[EnrolmentState, EnrolmentEvent], EnrolmentState] = MappingProxyType(
    {
        (EnrolmentState.ENROLLED, EnrolmentEvent.CONFIRM): EnrolmentState.CONFIRMED,
        (EnrolmentState.ENROLLED, EnrolmentEvent.REFUSE): EnrolmentState.REFUSED,
        (EnrolmentState.ENROLLED, EnrolmentEvent.WITHDRAW): EnrolmentState.WITHDRAWN,
        (EnrolmentState.CONFIRMED, EnrolmentEvent.REFUSE): EnrolmentState.REFUSED,
    }
)


def step(state: EnrolmentState, event: EnrolmentEvent) -> EnrolmentState | Refusal:
    """Return the state after the event, or why the event is not possible in this state."""
    following = TRANSITIONS.get((state, event))
    if following is None:
        return Refusal("enrolment-step-out-of-order", None, {"state": str(state), "event": str(event)})
    return following


@dataclass(frozen=True, slots=True)
class Application:
    """What an applicant states. `identity_fault` is None when the document's number is sound, else a code.

    `committed` is the signed commitment for training or work history; `condition` names the condition
    of the level.
    """

    name: str
    id_kind: str
    id_number: str
    identity_fault: str | None
    condition: str
    committed: bool
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What an applicant shows for a condition of the level, under a code of the pack.

    `reference` is the online code, the number of the certificate or of the official document; `dated` the day on
    which an online code was given out; `checked` tells that the organisation looked it up and that its content meets
    the condition; `certified` that a paper certification stands in place of an online code.
    """

    code: str
    reference: str = ""
    dated: date | None = None
    checked: bool = False
    certified: bool = False


@reads("proofs", "numbers.diploma_code_days")
def proven(pack: Pack, proofs: Sequence[Proof], committed: bool, today: date) -> Refusal | None:
    """Return why one of the proofs does not hold, or None.

    A commitment must be signed, and a school diploma's content checked too; an online code must be looked up while
    it is valid (day given out + the pack's days, inclusive), unless the paper is certified; an earlier certificate
    needs its number looked up, any other case the official document verified.
    """
    known = {one.code: one for one in pack.proofs}
    for proof in proofs:
        rule = known.get(proof.code)
        if rule is None:
            return Refusal("enrolment-proof-unknown", "BJ-E:A2#1", {"proof": proof.code})
        facts = {"proof": proof.code}
        if rule.how == "commitment" and not committed:
            return Refusal("enrolment-commitment-missing", rule.article, facts)
        if (
            rule.how in ("online_code", "certificate_look_up", "official_document")
            and not proof.reference.strip()
        ):
            return Refusal("enrolment-proof-number-missing", rule.article, facts)
        if not proof.checked and proof.code != "experience":
            return Refusal("enrolment-proof-unchecked", rule.article, facts)
        if rule.max_age and not proof.certified:
            days = pack.number(rule.max_age, today).value
            if proof.dated is None or not proof.dated <= today <= proof.dated + timedelta(days=days):
                return Refusal("enrolment-code-expired", rule.article, {**facts, "days": days})
    return None


@cites("BJ-E:9", "BJ-E:10", "BJ-E:A2#1", "BJ-E:A2-1", "BJ-E:A2-2")
def may_enrol(
    application: Application,
    plan_subjects: frozenset[str],
    taken: frozenset[tuple[str, str]],
) -> Refusal | None:
    """Return why an applicant is not accepted, or None; `taken` holds (id kind, id number) already
    enrolled.
    """
    if not application.name.strip():
        return Refusal("enrolment-name-missing", "BJ-E:9")
    if application.id_kind not in ID_KINDS:
        return Refusal("enrolment-id-kind-unknown", "BJ-E:19", {"kind": application.id_kind})
    if application.identity_fault is not None:
        return Refusal(application.identity_fault, "BJ-E:A2-1", {"name": application.name})
    if (application.id_kind, application.id_number) in taken:
        return Refusal("enrolment-duplicate", "BJ-E:9", {"name": application.name})
    if not application.condition.strip():
        return Refusal("enrolment-condition-missing", "BJ-E:A2#1", {"name": application.name})
    if not application.committed:
        return Refusal("enrolment-commitment-missing", "BJ-E:A2-2", {"name": application.name})
    strange = sorted(set(application.subjects) - plan_subjects)
    if strange or not application.subjects:
        return Refusal("enrolment-subject-not-in-plan", "BJ-E:10", {"subject": strange[0] if strange else ""})
    return None
