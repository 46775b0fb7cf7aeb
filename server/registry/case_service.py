"""Use cases of enforcement: open a case (which suspends at once), find, defend, decide."""

import uuid
from datetime import date

from sqlalchemy import select, update

from server.affairs.facts import StandingStatus
from server.affairs.service import set_standing
from server.affairs.store import standing
from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, Unavailable, required
from server.law.loader import load_calendar
from server.law.pack import Pack
from server.law.workdays import Provisional
from server.registry import enforcement, store
from server.registry.certificate_service import hold_certificates, release_certificates
from server.registry.enforcement import CLOSED, CaseEvent, CaseState
from server.registry.filing_service import terminate
from server.registry.models import CaseRow, LeadRow
from server.registry.store import Case, case_fact


async def open_case(
    act: Act, pack: Pack, organisation: str, violation: str, suspicion: str, lead: str | None = None
) -> Case:
    """Open a case on suspicion of one ground of the catalogue; the organisation is suspended at once.

    Its numbered certificates are held; data of exams under way go on being recorded (BJ-F:4.3.2-1).
    """
    if not suspicion.strip():
        raise BadInput("reason-missing")
    ground = pack.violation(violation)
    if (await standing(act.session, organisation)).status is StandingStatus.TERMINATED:
        raise Refused(Refusal("organisation-terminated", ground.article, {"act": "case"}))
    row = CaseRow(
        id=str(uuid.uuid4()),
        organisation=organisation,
        violation=violation,
        article=ground.article,
        state=CaseState.OPENED,
        suspicion=suspicion,
        opened_at=act.now,
        opened_by=act.actor,
        finding="",
        defence="",
        decision="",
        decided_by="",
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "registry:case:opened", {"case": row.id, "organisation": organisation, "violation": violation}
    )
    if lead is not None:
        await act.session.execute(update(LeadRow).where(LeadRow.id == lead).values(case=row.id))
    await set_standing(act, organisation, StandingStatus.SUSPENDED, row.id)
    await hold_certificates(act, organisation, row.id)
    return case_fact(row)


async def find(act: Act, pack: Pack, case: str, finding: str, received_on: date) -> Case:
    """Record the written finding and the day the organisation received it; its time for defence starts."""
    if not finding.strip():
        raise BadInput("reason-missing")
    row = await _moved(act, case, CaseEvent.FIND)
    until = enforcement.defence_until(pack, load_calendar(), received_on)
    if isinstance(until, Provisional):
        raise Unavailable("law-year-unknown", year=until.year)
    row.finding = finding
    row.received_on = received_on
    row.defence_until = until
    return await _done(act, row, "registry:case:found")


async def defend(act: Act, case: str, defence: str) -> Case:
    """Record the organisation's written defence, within its working days."""
    if not defence.strip():
        raise BadInput("reason-missing")
    row = await _moved(act, case, CaseEvent.DEFEND)
    if row.defence_until is not None:
        required(enforcement.may_defend(row.defence_until, act.now))
    row.defence = defence
    row.defended_at = act.now
    return await _done(act, row, "registry:case:defended")


async def decide(act: Act, pack: Pack, case: str, event: CaseEvent, decision: str) -> Case:
    """Decide a case for good: UPHOLD (after defence or its deadline) or DISMISS; standing follows."""
    if not decision.strip():
        raise BadInput("reason-missing")
    before = await store.case_row(act.session, case, lock=True)
    if event is CaseEvent.UPHOLD:
        required(enforcement.may_uphold(CaseState(before.state), before.defence_until, act.now))
    row = await _moved(act, case, event)
    row.decision = decision
    row.decided_at = act.now
    row.decided_by = act.actor
    fact = await _done(act, row, "registry:case:decided", decided=True)
    await _settle(act, pack, row)
    return fact


async def _settle(act: Act, pack: Pack, row: CaseRow) -> None:
    status = enforcement.standing_in(pack, row.violation, CaseState(row.state))
    if status is StandingStatus.TERMINATED:
        kind = next(
            kind.code for kind in pack.terminations if kind.tier == pack.violation(row.violation).tier
        )
        await terminate(act, pack, row.organisation, kind, row.decision)
        await set_standing(act, row.organisation, status, row.id)
        return
    others = await act.session.scalars(
        select(CaseRow.id).where(
            CaseRow.organisation == row.organisation,
            CaseRow.state.not_in(tuple(CLOSED)),
            CaseRow.id != row.id,
        )
    )
    other = others.first()
    # Two cases may be open at once: the suspension ends with the last of them.
    if other is not None:
        await set_standing(act, row.organisation, StandingStatus.SUSPENDED, other)
        return
    await set_standing(act, row.organisation, StandingStatus.GOOD, None)
    await release_certificates(act, row.organisation)


async def _moved(act: Act, case: str, event: CaseEvent) -> CaseRow:
    row = await store.case_row(act.session, case, lock=True)
    outcome = enforcement.step(CaseState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    row.state = outcome
    return row


async def _done(act: Act, row: CaseRow, kind: str, decided: bool = False) -> Case:
    await act.session.flush()
    facts = {"case": row.id, "organisation": row.organisation, "state": row.state}
    await act.record(kind, {**facts, "decision": row.decision} if decided else facts)
    return case_fact(row)
