"""Reads of results, certificates, cases and leads."""

from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.errors import Fact, NotFound
from server.publicity import store as publicity
from server.publicity.notice import Outcome
from server.registry.certificates import Certificate, CertificateState
from server.registry.enforcement import CaseState
from server.registry.models import (
    CaseRow,
    CertificateRow,
    HeldRow,
    LeadRow,
    ResultRow,
    UploadRow,
)
from server.registry.results import Counts, tally


@dataclass(frozen=True, slots=True)
class Upload:
    """One result package as it was taken in."""

    plan: str
    number: int
    notice_number: int
    uploaded_at: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One enforcement case."""

    id: str
    organisation: str
    violation: str
    article: str
    state: CaseState
    suspicion: str
    opened_at: datetime
    finding: str
    received_on: date | None
    defence_until: date | None
    defence: str
    decision: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lead:
    """Something the software noticed, with the clause it may touch."""

    id: str
    organisation: str
    plan: str | None
    code: str
    article: str
    facts: dict[str, Fact]
    found_at: datetime
    case: str | None


async def uploads(session: AsyncSession, plan: str) -> tuple[Upload, ...]:
    """Return the uploads of a plan in order of number."""
    rows = await session.scalars(select(UploadRow).where(UploadRow.plan == plan).order_by(UploadRow.number))
    return tuple(Upload(row.plan, row.number, row.notice_number, row.uploaded_at, row.late) for row in rows)


async def results(session: AsyncSession, plan: str) -> tuple[Outcome, ...]:
    """Return the uploaded results of a plan in order of ticket."""
    rows = await session.scalars(select(ResultRow).where(ResultRow.plan == plan).order_by(ResultRow.ticket))
    return tuple(
        Outcome(row.candidate, row.ticket, row.theory, row.practical, row.review, row.result) for row in rows
    )


async def held(session: AsyncSession, plan: str) -> dict[str, str]:
    """Return candidate → reason for every noticed candidate whose result is held back."""
    rows = await session.scalars(select(HeldRow).where(HeldRow.plan == plan))
    return {row.candidate: row.reason for row in rows}


async def counts(session: AsyncSession, plan: str) -> Counts:
    """Return the counts of a plan; everything published is 0 before the notice."""
    enrolled = len(await affairs.candidates(session, plan))
    uploaded = await session.scalar(select(func.count()).select_from(ResultRow).where(ResultRow.plan == plan))
    back = await session.scalar(select(func.count()).select_from(HeldRow).where(HeldRow.plan == plan))
    notice = await publicity.current_notice_row(session, plan)
    rows = (await publicity.notice(session, plan)).rows if notice is not None else ()
    return tally(enrolled, rows, uploaded or 0, back or 0)


async def certificate_row(session: AsyncSession, number: str) -> CertificateRow:
    """Return the row of a certificate."""
    row = await session.get(CertificateRow, number)
    if row is None:
        raise NotFound("certificate-unknown", number=number)
    return row


async def certificate(session: AsyncSession, number: str) -> Certificate:
    """Return a certificate."""
    return certificate_fact(await certificate_row(session, number))


async def certificates(session: AsyncSession, plan: str) -> tuple[Certificate, ...]:
    """Return the certificates of a plan in order of number."""
    rows = await session.scalars(
        select(CertificateRow).where(CertificateRow.plan == plan).order_by(CertificateRow.number)
    )
    return tuple(certificate_fact(row) for row in rows)


async def case_row(session: AsyncSession, case: str, *, lock: bool = False) -> CaseRow:
    """Return the row of a case, with `lock` for an act on it."""
    row = await session.get(CaseRow, case, with_for_update=lock or None)
    if row is None:
        raise NotFound("case-unknown", case=case)
    return row


async def cases(session: AsyncSession, organisation: str | None = None) -> tuple[Case, ...]:
    """Return all cases, or those of one organisation, newest first."""
    query = select(CaseRow).order_by(CaseRow.opened_at.desc(), CaseRow.id)
    if organisation is not None:
        query = query.where(CaseRow.organisation == organisation)
    return tuple(case_fact(row) for row in await session.scalars(query))


async def leads(session: AsyncSession) -> tuple[Lead, ...]:
    """Return all leads, newest first."""
    rows = await session.scalars(select(LeadRow).order_by(LeadRow.found_at.desc(), LeadRow.id))
    return tuple(
        Lead(
            row.id,
            row.organisation,
            row.plan,
            row.code,
            row.article,
            msgspec.json.decode(row.facts, type=dict[str, Fact]),
            row.found_at,
            row.case,
        )
        for row in rows
    )


def certificate_fact(row: CertificateRow) -> Certificate:
    """Return the fact of a certificate's row."""
    return Certificate(
        number=row.number,
        plan=row.plan,
        candidate=row.candidate,
        notice=row.notice,
        name=row.name,
        id_digest=row.id_digest,
        occupation=row.occupation,
        occupation_code=row.occupation_code,
        level=row.level,
        organisation=row.organisation,
        organisation_name=row.organisation_name,
        theory=row.theory,
        practical=row.practical,
        review=row.review,
        state=CertificateState(row.state),
        numbered_at=row.numbered_at,
        issued_at=row.issued_at,
        reason=row.reason,
    )


def case_fact(row: CaseRow) -> Case:
    """Return the fact of a case's row."""
    return Case(
        id=row.id,
        organisation=row.organisation,
        violation=row.violation,
        article=row.article,
        state=CaseState(row.state),
        suspicion=row.suspicion,
        opened_at=row.opened_at,
        finding=row.finding,
        received_on=row.received_on,
        defence_until=row.defence_until,
        defence=row.defence,
        decision=row.decision,
        decided_at=row.decided_at,
    )
