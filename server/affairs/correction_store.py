"""Rows of procedures and corrections, facts out; and corrections as they travel in a correction package."""

from typing import Literal, cast

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.corrections import (
    Approver,
    Correction,
    CorrectionState,
    Field,
    Period,
    PeriodRule,
    Procedure,
)
from server.affairs.models import CorrectionRow, ProcedureRow
from server.db.act import Act
from server.errors import NotFound
from server.packages.contents import CorrectedContent

_Sent = Literal["name", "id_number", "ticket", "photo", "subjects"]


class _Rule(msgspec.Struct, frozen=True):
    fields: tuple[Field, ...]
    asker: str
    proof: str
    approver: Approver


def rules_text(rules: dict[Period, PeriodRule]) -> str:
    """Return the rules of a procedure as they are stored."""
    stored = {
        period.value: _Rule(tuple(sorted(rule.fields)), rule.asker, rule.proof, rule.approver)
        for period, rule in rules.items()
    }
    return msgspec.json.encode(stored).decode()


async def procedures(session: AsyncSession, organisation: str) -> tuple[Procedure, ...]:
    """Return the versions of an organisation's procedure, newest first."""
    rows = await session.scalars(
        select(ProcedureRow)
        .where(ProcedureRow.organisation == organisation)
        .order_by(ProcedureRow.version.desc())
    )
    return tuple(_procedure(row) for row in rows)


async def newest_procedure(session: AsyncSession, organisation: str) -> Procedure | None:
    """Return the procedure in force; None before the first."""
    row = await session.scalar(
        select(ProcedureRow)
        .where(ProcedureRow.organisation == organisation)
        .order_by(ProcedureRow.version.desc())
        .limit(1)
    )
    return None if row is None else _procedure(row)


async def procedure(session: AsyncSession, organisation: str, version: int) -> Procedure:
    """Return one version of a procedure."""
    row = await session.scalar(
        select(ProcedureRow).where(ProcedureRow.organisation == organisation, ProcedureRow.version == version)
    )
    if row is None:
        raise NotFound("procedure-unknown", organisation=organisation, version=version)
    return _procedure(row)


async def correction_row(session: AsyncSession, correction: str, *, lock: bool = False) -> CorrectionRow:
    """Return the row of a correction, with `lock` for an act on it."""
    row = await session.get(CorrectionRow, correction, with_for_update=lock or None)
    if row is None:
        raise NotFound("correction-unknown", correction=correction)
    return row


async def corrections(session: AsyncSession, plan: str) -> tuple[Correction, ...]:
    """Return the corrections of a plan, oldest first, the refused ones too."""
    rows = await session.scalars(
        select(CorrectionRow)
        .where(CorrectionRow.plan == plan)
        .order_by(CorrectionRow.asked_at, CorrectionRow.id)
    )
    return tuple(fact(row) for row in rows)


async def waiting(session: AsyncSession) -> tuple[Correction, ...]:
    """Return all corrections that nobody has decided, oldest first."""
    rows = await session.scalars(
        select(CorrectionRow)
        .where(CorrectionRow.state == CorrectionState.ASKED)
        .order_by(CorrectionRow.asked_at, CorrectionRow.id)
    )
    return tuple(fact(row) for row in rows)


async def standing(session: AsyncSession, plan: str) -> dict[str, tuple[Correction, ...]]:
    """Return the approved corrections of a plan by candidate, in order of approval."""
    found: dict[str, tuple[Correction, ...]] = {}
    for one in await _approved(session, plan):
        found[one.candidate] = (*found.get(one.candidate, ()), one)
    return found


async def newest_of(session: AsyncSession, candidate: str, field: Field) -> Correction | None:
    """Return the correction that a candidate's datum rests on; None: the enrolment."""
    row = await session.scalar(
        select(CorrectionRow)
        .where(
            CorrectionRow.candidate == candidate,
            CorrectionRow.field == field,
            CorrectionRow.state == CorrectionState.APPROVED,
        )
        .order_by(CorrectionRow.decided_at.desc(), CorrectionRow.id.desc())
        .limit(1)
    )
    return None if row is None else fact(row)


async def contents(session: AsyncSession, plan: str) -> tuple[CorrectedContent, ...]:
    """Return a plan's approved corrections as they are sent; results do not travel to the centre."""
    return tuple(
        CorrectedContent(
            id=one.id,
            candidate=one.candidate,
            field=cast(_Sent, one.field.value),
            before=one.before,
            after=one.after,
            period=one.period.value,
            procedure=one.procedure,
            procedure_sha256=one.procedure_sha256.hex(),
            reason=one.reason,
            evidence=one.evidence,
            evidence_sha256=one.evidence_sha256.hex(),
            corrects=one.corrects,
            asked_at=one.asked_at,
            asked_by=one.asked_by,
            decided_at=one.decided_at,
            decided_by=one.decided_by,
        )
        for one in await _approved(session, plan)
        if one.field is not Field.RESULT and one.decided_at is not None
    )


async def take(act: Act, plan: str, contents: tuple[CorrectedContent, ...]) -> list[str]:
    """Keep the corrections of a package that are new here; return their ids."""
    known = set(await act.session.scalars(select(CorrectionRow.id).where(CorrectionRow.plan == plan)))
    new = [one for one in contents if one.id not in known]
    act.session.add_all(
        CorrectionRow(
            id=one.id,
            plan=plan,
            candidate=one.candidate,
            field=one.field,
            before=one.before,
            after=one.after,
            period=one.period,
            procedure=one.procedure,
            procedure_sha256=bytes.fromhex(one.procedure_sha256),
            reason=one.reason,
            evidence=one.evidence,
            evidence_sha256=bytes.fromhex(one.evidence_sha256),
            corrects=one.corrects,
            state=CorrectionState.APPROVED,
            asked_at=one.asked_at,
            asked_by=one.asked_by,
            decided_at=one.decided_at,
            decided_by=one.decided_by,
            answer="",
        )
        for one in new
    )
    await act.session.flush()
    return [one.id for one in new]


def fact(row: CorrectionRow) -> Correction:
    """Return the fact of a correction's row."""
    return Correction(
        id=row.id,
        plan=row.plan,
        candidate=row.candidate,
        field=Field(row.field),
        before=row.before,
        after=row.after,
        period=Period(row.period),
        procedure=row.procedure,
        procedure_sha256=row.procedure_sha256,
        reason=row.reason,
        evidence=row.evidence,
        evidence_sha256=row.evidence_sha256,
        corrects=row.corrects,
        state=CorrectionState(row.state),
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        answer=row.answer,
    )


async def _approved(session: AsyncSession, plan: str) -> tuple[Correction, ...]:
    rows = await session.scalars(
        select(CorrectionRow)
        .where(CorrectionRow.plan == plan, CorrectionRow.state == CorrectionState.APPROVED)
        .order_by(CorrectionRow.decided_at, CorrectionRow.id)
    )
    return tuple(fact(row) for row in rows)


def _procedure(row: ProcedureRow) -> Procedure:
    rules = msgspec.json.decode(row.rules, type=dict[Period, _Rule])
    return Procedure(
        organisation=row.organisation,
        version=row.version,
        text=row.text,
        sha256=row.sha256,
        rules={
            period: PeriodRule(frozenset(rule.fields), rule.asker, rule.proof, rule.approver)
            for period, rule in rules.items()
        },
        recorded_at=row.recorded_at,
        recorded_by=row.recorded_by,
    )
