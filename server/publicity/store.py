"""Reads of notices and objections."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.models import CandidateRow
from server.errors import NotFound
from server.law.workdays import Period
from server.publicity.models import NoticeRow, ObjectionRow, OutcomeRow
from server.publicity.notice import Notice, Outcome, masked_name, masked_ticket
from server.publicity.objections import Objection, ObjectionState


@dataclass(frozen=True, slots=True)
class PublicOutcome:
    """One row as anybody may see it; `id` names it in an objection."""

    id: str
    ticket: str
    name: str
    theory: float | None
    practical: float | None
    review: float | None
    result: str


async def current_notice_row(session: AsyncSession, plan: str) -> NoticeRow | None:
    """Return the newest notice row of a plan, or None before the first."""
    rows = await session.scalars(
        select(NoticeRow).where(NoticeRow.plan == plan).order_by(NoticeRow.number.desc()).limit(1)
    )
    return rows.first()


async def notice(session: AsyncSession, plan: str) -> Notice:
    """Return the newest notice of a plan with its unmasked rows in order of ticket; NotFound before
    the first.
    """
    row = await current_notice_row(session, plan)
    if row is None:
        raise NotFound("notice-unknown", plan=plan)
    outcomes = await session.scalars(
        select(OutcomeRow).where(OutcomeRow.notice == row.id).order_by(OutcomeRow.ticket)
    )
    return Notice(
        id=row.id,
        plan=row.plan,
        number=row.number,
        published_at=row.published_at,
        period=Period(row.first_day, row.last_day),
        journal_head=row.journal_head,
        rows=tuple(outcome_fact(outcome) for outcome in outcomes),
    )


async def notices(session: AsyncSession) -> tuple[NoticeRow, ...]:
    """Return all notice rows, newest first; superseded ones too."""
    return tuple(await session.scalars(select(NoticeRow).order_by(NoticeRow.published_at.desc())))


async def public_outcomes(session: AsyncSession, notice: str) -> tuple[PublicOutcome, ...]:
    """Return the masked rows of a notice in order of ticket."""
    rows = await session.execute(
        select(OutcomeRow, CandidateRow.name)
        .join(CandidateRow, CandidateRow.id == OutcomeRow.candidate)
        .where(OutcomeRow.notice == notice)
        .order_by(OutcomeRow.ticket)
    )
    return tuple(
        PublicOutcome(
            row.id,
            masked_ticket(row.ticket),
            masked_name(name),
            row.theory,
            row.practical,
            row.review,
            row.result,
        )
        for row, name in rows
    )


async def objections(session: AsyncSession, plan: str | None = None) -> tuple[Objection, ...]:
    """Return all objections, or those of one plan, oldest first."""
    query = select(ObjectionRow).order_by(ObjectionRow.filed_at, ObjectionRow.id)
    if plan is not None:
        query = query.where(ObjectionRow.plan == plan)
    return tuple(objection_fact(row) for row in await session.scalars(query))


async def held_by_objection(session: AsyncSession, plan: str) -> dict[str, str]:
    """Return candidate → objection id for every candidate of the plan with an open objection."""
    return {
        objection.candidate: objection.id
        for objection in await objections(session, plan)
        if objection.state is ObjectionState.OPEN
    }


def outcome_fact(row: OutcomeRow) -> Outcome:
    """Return the fact of an outcome's row."""
    return Outcome(row.candidate, row.ticket, row.theory, row.practical, row.review, row.result)


def objection_fact(row: ObjectionRow) -> Objection:
    """Return the fact of an objection's row."""
    return Objection(
        id=row.id,
        plan=row.plan,
        candidate=row.candidate,
        text=row.text,
        contact=row.contact,
        state=ObjectionState(row.state),
        filed_at=row.filed_at,
        answer=row.answer,
        answered_at=row.answered_at,
    )
