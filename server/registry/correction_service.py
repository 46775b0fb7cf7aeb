"""Use cases of corrections of candidates' data: record the procedure, ask, approve, refuse.

They stand on the registry's floor, since results and certificates follow a correction.
"""

import hashlib
import re
import uuid
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import correction_store, store
from server.affairs import corrections as rules
from server.affairs.corrections import (
    Correction,
    CorrectionEvent,
    CorrectionState,
    Field,
    Period,
    PeriodRule,
    Procedure,
    Wish,
)
from server.affairs.facts import Candidate
from server.affairs.identity_number import identity_fault, normal
from server.affairs.models import CandidateRow, CorrectionRow, ProcedureRow
from server.affairs.packaging import pack_correction
from server.affairs.plans import PlanState
from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.keys.identity import Identity
from server.law.workdays import legal_day
from server.publicity.notice import RESULTS, Outcome, coherent
from server.registry import store as registry
from server.registry.certificate_form import signed
from server.registry.certificates import CertificateState
from server.registry.models import CertificateRow, FormerDocumentRow, ResultRow

_TICKET = re.compile(r"[0-9A-Za-z]{4,40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BEFORE_SEATS = frozenset(
    {PlanState.FILED, PlanState.ACCEPTED, PlanState.CONFIRMED, PlanState.CANDIDATES_CONFIRMED}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants corrected, and on what proof; `value` in the form of the field (see `ask`)."""

    candidate: str
    field: Field
    value: str
    reason: str
    evidence: str
    evidence_sha256: bytes


class _Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A result as the text of a correction."""

    result: str
    theory: float | None = None
    practical: float | None = None
    review: float | None = None


async def record_procedure(
    act: Act, organisation: str, text: str, periods: dict[Period, PeriodRule]
) -> Procedure:
    """Record the next version of an organisation's procedure; corrections asked for before keep theirs."""
    required(rules.sound(text, periods))
    await store.organisation_row(act.session, organisation, lock=True)
    before = await correction_store.newest_procedure(act.session, organisation)
    row = ProcedureRow(
        id=str(uuid.uuid4()),
        organisation=organisation,
        version=1 if before is None else before.version + 1,
        text=text,
        sha256=hashlib.sha256(text.encode()).digest(),
        rules=correction_store.rules_text(periods),
        recorded_at=act.now,
        recorded_by=act.actor,
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "affairs:procedure:recorded",
        {"organisation": organisation, "version": row.version, "sha256": row.sha256.hex()},
    )
    return await correction_store.procedure(act.session, organisation, row.version)


async def ask(act: Act, plan: str, asked: Asked, by_authority: bool) -> Correction:
    """Ask for one datum of a candidate to be corrected.

    Values: a name, an identity number, a ticket number (4 to 40 letters and digits), the SHA-256 of the new photo's
    file (hex), subjects separated by commas, or a result as JSON {"result", "theory", "practical", "review"}.
    """
    found = await store.plan(act.session, plan)
    person = await store.candidate(act.session, asked.candidate)
    if person.plan != plan:
        raise NotFound("candidate-unknown", candidate=asked.candidate)
    procedure = await correction_store.newest_procedure(act.session, found.organisation)
    period = rules.period_of(await store.slots(act.session, plan), act.now)
    earlier = await correction_store.newest_of(act.session, person.id, asked.field)
    before = await _present(act.session, person, asked.field, earlier)
    wish = Wish(
        asked.field,
        before,
        _typed(asked.field, asked.value),
        asked.reason,
        asked.evidence,
        asked.evidence_sha256,
        by_authority,
    )
    required(rules.may_ask(procedure, period, wish, await _uploaded(act.session, plan)))
    assert procedure is not None
    await _possible(act, found.state, person, wish.field, wish.after)
    row = CorrectionRow(
        id=str(uuid.uuid4()),
        plan=plan,
        candidate=person.id,
        field=wish.field,
        before=before,
        after=wish.after,
        period=period,
        procedure=procedure.version,
        procedure_sha256=procedure.sha256,
        reason=wish.reason.strip(),
        evidence=wish.evidence.strip(),
        evidence_sha256=wish.evidence_sha256,
        corrects=None if earlier is None else earlier.id,
        state=CorrectionState.ASKED,
        asked_at=act.now,
        asked_by=act.actor,
        decided_by="",
        answer="",
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "affairs:correction:asked",
        {
            "correction": row.id,
            "candidate": person.id,
            "field": row.field,
            "procedure": row.procedure,
            "evidence": row.evidence_sha256.hex(),
        },
    )
    return correction_store.fact(row)


def _typed(field: Field, value: str) -> str:
    """Return a value in the form in which it stands: no white space around, a subject once and in order."""
    match field:
        case Field.ID_NUMBER:
            return normal(value)
        case Field.SUBJECTS:
            return ",".join(sorted({one.strip() for one in value.split(",")}))
    return value.strip()


async def approve(
    act: Act, identity: Identity, authority: str, correction: str, by_authority: bool
) -> Correction:
    """Approve a correction: what stands follows, a packed plan's centre is told, certificates are made anew.

    Refused `correction-overtaken` when what stands is no longer what it was asked against.
    """
    row = await _decided(act, correction, CorrectionEvent.APPROVE, by_authority)
    person = await store.candidate(act.session, row.candidate)
    field = Field(row.field)
    earlier = await correction_store.newest_of(act.session, person.id, field)
    if await _present(act.session, person, field, earlier) != row.before:
        raise Refused(Refusal("correction-overtaken", "BJ-E:28", {"field": row.field}))
    found = await store.plan(act.session, row.plan)
    await _possible(act, found.state, person, field, row.after)
    row.state = CorrectionState.APPROVED
    await _apply(act, row)
    await act.session.flush()
    await act.record(
        "affairs:correction:approved",
        {"correction": row.id, "candidate": row.candidate, "field": row.field, "corrects": row.corrects},
    )
    if await _uploaded(act.session, row.plan):
        await _certificates(act, identity, authority, row)
    elif found.state == PlanState.PACKED:
        await pack_correction(act, identity, row.plan, row.reason)
    return correction_store.fact(row)


async def refuse(act: Act, correction: str, answer: str, by_authority: bool) -> Correction:
    """Refuse a correction with its reason; what stands is not touched."""
    if not answer.strip():
        raise BadInput("reason-missing")
    row = await _decided(act, correction, CorrectionEvent.REFUSE, by_authority)
    row.state, row.answer = CorrectionState.REFUSED, answer.strip()
    await act.session.flush()
    await act.record("affairs:correction:refused", {"correction": row.id, "answer": row.answer})
    return correction_store.fact(row)


async def _decided(act: Act, correction: str, event: CorrectionEvent, by_authority: bool) -> CorrectionRow:
    row = await correction_store.correction_row(act.session, correction, lock=True)
    outcome = rules.step(CorrectionState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    plan = await store.plan(act.session, row.plan)
    procedure = await correction_store.procedure(act.session, plan.organisation, row.procedure)
    rule = procedure.rules[Period(row.period)]
    uploaded = await _uploaded(act.session, row.plan)
    required(rules.may_decide(rule, row.asked_by, act.actor, by_authority, uploaded))
    row.decided_at, row.decided_by = act.now, act.actor
    return row


async def _uploaded(session: AsyncSession, plan: str) -> bool:
    return bool(await registry.uploads(session, plan))


async def _present(session: AsyncSession, person: Candidate, field: Field, earlier: Correction | None) -> str:
    """What stands of a candidate's datum, as the text that a correction names."""
    if field is Field.RESULT:
        row = await session.get(ResultRow, (person.plan, person.id))
        if row is None:
            return ""
        result = _Result(row.result, row.theory, row.practical, row.review)
        return msgspec.json.encode(result).decode()
    if field is Field.PHOTO:
        return "" if earlier is None else earlier.after
    if field is Field.SUBJECTS:
        return ",".join(sorted(person.subjects))
    return {Field.NAME: person.name, Field.ID_NUMBER: person.id_number, Field.TICKET: person.ticket}[field]


async def _possible(act: Act, state: str, person: Candidate, field: Field, value: str) -> None:
    """Refuse a value that the enrolment itself would have refused."""
    held = [one for one in await store.numbers_held(act.session, person.plan) if one[0] != person.id]
    wrong: str | None = None
    match field:
        case Field.NAME:
            wrong = "enrolment-name-missing" if len(value) > 80 else None
        case Field.ID_NUMBER:
            wrong = identity_fault(person.id_kind, value, legal_day(act.now))
            if any((kind, number) == (person.id_kind, value) for _, _, kind, number in held):
                wrong = "enrolment-duplicate"
        case Field.TICKET:
            if _TICKET.fullmatch(value) is None or any(ticket == value for _, ticket, _, _ in held):
                wrong = "correction-ticket-taken"
        case Field.PHOTO:
            wrong = None if _DIGEST.fullmatch(value) else "correction-photo-form"
        case Field.SUBJECTS:
            slots = await store.slots(act.session, person.plan)
            if not set(value.split(",")) <= {slot.subject for slot in slots}:
                wrong = "enrolment-subject-not-in-plan"
            elif PlanState(state) not in _BEFORE_SEATS:
                wrong = "correction-subject-seated"
        case Field.RESULT:
            await _result_possible(act, person, value)
    if wrong is not None:
        facts = {"name": person.name, "field": str(field), "subject": value, "value": value}
        raise Refused(Refusal(wrong, "BJ-E:28", facts))


async def _result_possible(act: Act, person: Candidate, value: str) -> None:
    try:
        wanted = msgspec.json.decode(value, type=_Result)
    except msgspec.DecodeError as error:
        raise BadInput("correction-result-form", reason=str(error)) from error
    if wanted.result not in RESULTS:
        raise Refused(Refusal("notice-result-unknown", "BJ-E:25", {"result": wanted.result}))
    outcome = Outcome(person.id, person.ticket, wanted.theory, wanted.practical, wanted.review, wanted.result)
    required(coherent([outcome], [person], await store.slots(act.session, person.plan)))
    held = await act.session.scalar(
        select(CertificateRow.number).where(
            CertificateRow.candidate == person.id, CertificateRow.state != CertificateState.REVOKED
        )
    )
    if held is not None and wanted.result != "pass":
        raise Refused(Refusal("correction-revoke-first", "BJ-F:4.4.3", {"number": held}))


async def _apply(act: Act, row: CorrectionRow) -> None:
    """Let what stands follow the correction; the correction itself keeps what stood."""
    field = Field(row.field)
    if field is Field.RESULT:
        result = await act.session.get(ResultRow, (row.plan, row.candidate))
        if result is None:
            raise NotFound("candidate-unknown", candidate=row.candidate)
        wanted = msgspec.json.decode(row.after, type=_Result)
        result.result = wanted.result
        result.theory, result.practical, result.review = wanted.theory, wanted.practical, wanted.review
        return
    person = await act.session.get(CandidateRow, row.candidate)
    assert person is not None
    if field is not Field.PHOTO:
        setattr(person, field.value, row.after)


async def _certificates(act: Act, identity: Identity, authority: str, row: CorrectionRow) -> None:
    """Make the candidate's certificate say what stands now; an issued one is signed anew, naming the former one."""
    held = await act.session.scalar(
        select(CertificateRow).where(
            CertificateRow.plan == row.plan,
            CertificateRow.candidate == row.candidate,
            CertificateRow.state != CertificateState.REVOKED,
        )
    )
    if held is None or Field(row.field) is Field.PHOTO:
        return
    person = await store.candidate(act.session, row.candidate)
    held.name = person.name
    held.id_digest = hashlib.sha256(f"{held.number}:{person.id_number}".encode()).hexdigest()
    result = await act.session.get(ResultRow, (row.plan, row.candidate))
    if result is not None:
        held.theory, held.practical, held.review = result.theory, result.practical, result.review
    if held.state == CertificateState.ISSUED:
        former = held.document
        digest = hashlib.sha256(former.encode()).hexdigest()
        act.session.add(
            FormerDocumentRow(
                correction=row.id, number=held.number, sha256=digest, document=former, replaced_at=act.now
            )
        )
        fact = replace(registry.certificate_fact(held), corrects=digest)
        held.document = signed(
            identity.signing, fact.document(identity.signing.public.hex(), authority)
        ).decode()
    await act.session.flush()
    await act.record(
        "registry:certificate:corrected", {"number": held.number, "correction": row.id, "state": held.state}
    )
