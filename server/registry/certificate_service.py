"""Use cases of certificates: number, file and issue, hold, release, revoke."""

import hashlib

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from server.affairs import store as affairs
from server.affairs.models import CandidateRow
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, required
from server.keys.identity import Identity
from server.law.pack import Pack
from server.law.workdays import legal_day
from server.publicity import store as publicity
from server.publicity.notice import Outcome
from server.registry import certificates as rules
from server.registry import store
from server.registry.certificate_form import signed
from server.registry.certificates import Certificate, CertificateEvent, CertificateState
from server.registry.filing_service import standing_filing
from server.registry.models import CertificateRow, SerialRow

CHUNK = 100
"""Most certificates of one act, so that no transaction lasts long; callers repeat until none is left."""


async def number_certificates(act: Act, pack: Pack, plan: str) -> tuple[Certificate, ...]:
    """Number the next candidates of a plan who passed everything, at most CHUNK; () when none is left.

    Refused while the plan's counts do not close. While the organisation's standing holds certificates the
    numbers are made and held: the data is not lost.
    """
    facts = await affairs.plan(act.session, plan)
    organisation = await affairs.organisation(act.session, facts.organisation)
    counts = await store.counts(act.session, plan)
    required(counts.gap())
    if counts.uploaded == 0:
        raise Refused(Refusal("certificate-before-result", "BJ-E:26", {"plan": plan}))
    body = (await standing_filing(act.session, facts.organisation)).body
    slots = await affairs.slots(act.session, plan)
    marks: dict[str, float] = {slot.subject: slot.pass_mark for slot in slots}
    notice = await publicity.notice(act.session, plan)
    chosen = await _unnumbered(act, plan, tuple(marks), marks)
    if not chosen:
        return ()
    day = legal_day(act.now)
    state = rules.first_state(organisation.standing)
    made: list[str] = []
    of_body = "".join((body.kind, body.ministry, body.province, body.body))
    last = await _take_serials(act, of_body, day.year, facts.level)
    people = await _people(act, [row.candidate for row in chosen])
    for serial, row in enumerate(chosen, start=last.last + 1):
        required(
            rules.may_number(
                row, tuple(marks), marks, organisation.scope, (facts.occupation_code, facts.level)
            )
        )
        number = rules.number(pack, body, day, facts.level, serial)
        if isinstance(number, Refusal):
            raise Refused(number)
        name, id_number = people[row.candidate]
        act.session.add(
            CertificateRow(
                number=number,
                plan=plan,
                candidate=row.candidate,
                notice=notice.number,
                name=name,
                id_digest=hashlib.sha256(f"{number}:{id_number}".encode()).hexdigest(),
                occupation=facts.occupation,
                occupation_code=facts.occupation_code,
                level=facts.level,
                organisation=organisation.id,
                organisation_name=organisation.name,
                theory=row.theory,
                practical=row.practical,
                review=row.review,
                state=state,
                numbered_at=act.now,
                reason="",
                case=organisation.standing.case if state is CertificateState.HELD else None,
                document="",
            )
        )
        made.append(number)
    last.last += len(made)
    await act.session.flush()
    await act.record(
        "registry:certificates:numbered",
        {"plan": plan, "first": made[0], "last": made[-1], "state": str(state)},
    )
    found = await act.session.scalars(
        select(CertificateRow).where(CertificateRow.number.in_(made)).order_by(CertificateRow.number)
    )
    return tuple(store.certificate_fact(row) for row in found)


async def issue_certificates(
    act: Act, identity: Identity, authority: str, plan: str
) -> tuple[Certificate, ...]:
    """The city files the next numbered certificates of a plan, at most CHUNK, and signs each; () when
    none is left.

    Refused while the organisation's standing holds certificates.
    """
    facts = await affairs.plan(act.session, plan)
    required(may(ActKind.CERTIFICATE, await affairs.standing(act.session, facts.organisation)))
    rows = tuple(
        await act.session.scalars(
            select(CertificateRow)
            .where(CertificateRow.plan == plan, CertificateRow.state == CertificateState.NUMBERED)
            .order_by(CertificateRow.number)
            .limit(CHUNK)
        )
    )
    if not rows:
        return ()
    for row in rows:
        row.state = _stepped(row, CertificateEvent.ISSUE)
        row.issued_at = act.now
        document = store.certificate_fact(row).document(identity.signing.public.hex(), authority)
        row.document = signed(identity.signing, document).decode()
    await act.session.flush()
    await act.record(
        "registry:certificates:issued",
        {"plan": plan, "numbers": [row.number for row in rows], "key": identity.signing.public.hex()},
    )
    return tuple(store.certificate_fact(row) for row in rows)


async def hold_certificates(act: Act, organisation: str, case: str) -> int:
    """Hold every certificate of an organisation that is numbered and not yet issued; return how many."""
    return await _move_all(act, organisation, CertificateState.NUMBERED, CertificateEvent.HOLD, case)


async def release_certificates(act: Act, organisation: str) -> int:
    """Release the held certificates of an organisation; the city may issue them then. Return how many."""
    return await _move_all(act, organisation, CertificateState.HELD, CertificateEvent.RELEASE, None)


async def revoke_certificate(act: Act, number: str, article: str, reason: str) -> Certificate:
    """Revoke one certificate for good, naming the clause; it stays findable as revoked."""
    if not reason.strip() or not article.strip():
        raise BadInput("reason-missing")
    row = await store.certificate_row(act.session, number)
    row.state = _stepped(row, CertificateEvent.REVOKE)
    row.revoked_at = act.now
    row.reason = reason
    await act.session.flush()
    await act.record("registry:certificate:revoked", {"number": number, "article": article, "reason": reason})
    return store.certificate_fact(row)


async def _unnumbered(
    act: Act, plan: str, subjects: tuple[str, ...], marks: dict[str, float]
) -> tuple[Outcome, ...]:
    done = set(await act.session.scalars(select(CertificateRow.candidate).where(CertificateRow.plan == plan)))
    waiting = [
        row
        for row in await store.results(act.session, plan)
        if row.candidate not in done and rules.passed_all(row, subjects, marks)
    ]
    return tuple(waiting[:CHUNK])


async def _people(act: Act, candidates: list[str]) -> dict[str, tuple[str, str]]:
    rows = await act.session.execute(
        select(CandidateRow.id, CandidateRow.name, CandidateRow.id_number).where(
            CandidateRow.id.in_(candidates)
        )
    )
    return {identifier: (name, id_number) for identifier, name, id_number in rows}


async def _take_serials(act: Act, body: str, year: int, level: int) -> SerialRow:
    """Lock the serial row of (body, year, level) for this transaction, making it at the first need."""
    locked = (
        select(SerialRow)
        .where(SerialRow.body == body, SerialRow.year == year, SerialRow.level == level)
        .with_for_update()
    )
    row: SerialRow | None = await act.session.scalar(locked)
    if row is not None:
        return row
    try:
        async with act.session.begin_nested():
            act.session.add(SerialRow(body=body, year=year, level=level, last=0))
    except IntegrityError:
        pass  # another transaction made it meanwhile; ours waits for its lock below
    row = await act.session.scalar(locked.execution_options(populate_existing=True))
    assert row is not None
    return row


async def _move_all(
    act: Act, organisation: str, state: CertificateState, event: CertificateEvent, case: str | None
) -> int:
    rows = tuple(
        await act.session.scalars(
            select(CertificateRow).where(
                CertificateRow.organisation == organisation, CertificateRow.state == state
            )
        )
    )
    for row in rows:
        row.state = _stepped(row, event)
        row.case = case
    await act.session.flush()
    if rows:
        await act.record(
            "registry:certificates:moved",
            {"organisation": organisation, "event": str(event), "numbers": [row.number for row in rows]},
        )
    return len(rows)


def _stepped(row: CertificateRow, event: CertificateEvent) -> CertificateState:
    outcome = rules.step(CertificateState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return outcome
