"""Reads of exam affairs: rows in, facts out. Unknown ids raise NotFound."""

from typing import cast

import msgspec
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs.facts import (
    Candidate,
    DrawTerms,
    Organisation,
    Plan,
    Room,
    Scope,
    Seating,
    Slot,
    Staff,
    Standing,
    StandingStatus,
    Subject,
)
from server.affairs.models import (
    ARRIVING,
    CandidateRow,
    OrganisationRow,
    PlanRow,
    RoomRow,
    SeatingRow,
    SlotRow,
    StaffRow,
)
from server.errors import NotFound, Unavailable


async def organisation_row(
    session: AsyncSession, organisation: str, *, lock: bool = False
) -> OrganisationRow:
    """Return the row of an organisation, with `lock` for an act that counts what the organisation has."""
    row = await session.get(
        OrganisationRow, organisation, with_for_update={"key_share": True} if lock else None
    )
    if row is None:
        raise NotFound("organisation-unknown", organisation=organisation)
    return row


async def plan_row(session: AsyncSession, plan: str, *, lock: bool = False) -> PlanRow:
    """Return the row of a plan, with `lock` for an act on the plan: acts on one plan come one after the other."""
    row = await session.get(PlanRow, plan, with_for_update={"key_share": True} if lock else None)
    if row is None or row.edition == ARRIVING:
        raise NotFound("plan-unknown", plan=plan)
    return row


async def organisation(session: AsyncSession, organisation: str) -> Organisation:
    """Return an organisation with its newest standing."""
    return organisation_fact(await organisation_row(session, organisation))


async def organisations(session: AsyncSession) -> tuple[Organisation, ...]:
    """Return all organisations in order of name."""
    rows = await session.scalars(select(OrganisationRow).order_by(OrganisationRow.name))
    return tuple(organisation_fact(row) for row in rows)


async def standing(session: AsyncSession, organisation: str) -> Standing:
    """Return the newest standing of an organisation."""
    return standing_fact(await organisation_row(session, organisation))


async def plan(session: AsyncSession, plan: str) -> Plan:
    """Return a plan."""
    return plan_fact(await plan_row(session, plan))


async def plans(session: AsyncSession, organisation: str | None = None) -> tuple[Plan, ...]:
    """Return all plans, or those of one organisation, newest first."""
    query = select(PlanRow).where(PlanRow.edition != ARRIVING)
    query = query.order_by(PlanRow.created_at.desc(), PlanRow.id)
    if organisation is not None:
        query = query.where(PlanRow.organisation == organisation)
    return tuple(plan_fact(row) for row in await session.scalars(query))


async def slots(session: AsyncSession, plan: str) -> tuple[Slot, ...]:
    """Return the slots of a plan in order of start."""
    rows = await session.scalars(
        select(SlotRow).where(SlotRow.plan == plan).order_by(SlotRow.starts_at, SlotRow.id)
    )
    return tuple(slot_fact(row) for row in rows)


async def slot(session: AsyncSession, slot: str) -> Slot:
    """Return one slot."""
    row = await session.get(SlotRow, slot)
    if row is None:
        raise NotFound("slot-unknown", slot=slot)
    return slot_fact(row)


async def lock_slot(session: AsyncSession, slot: str) -> None:
    """Let acts on a slot that ask this first come one after the other; each then sees what the one before did.

    SQLite has one writer at a time and needs no lock.
    """
    await session.execute(select(SlotRow.id).where(SlotRow.id == slot).with_for_update(key_share=True))


async def rooms(session: AsyncSession, plan: str) -> tuple[Room, ...]:
    """Return the rooms of a plan in order of number."""
    rows = await session.scalars(
        select(RoomRow)
        .join(PlanRow, and_(PlanRow.id == RoomRow.plan, PlanRow.edition == RoomRow.edition))
        .where(RoomRow.plan == plan)
        .order_by(RoomRow.number)
    )
    return tuple(Room(row.id, row.plan, row.number, row.name, row.seats) for row in rows)


async def candidates(session: AsyncSession, plan: str) -> tuple[Candidate, ...]:
    """Return the candidates of a plan who were not refused or withdrawn, in order of ticket."""
    rows = await session.scalars(
        select(CandidateRow)
        .where(CandidateRow.plan == plan, CandidateRow.state.not_in(("refused", "withdrawn", ARRIVING)))
        .order_by(CandidateRow.ticket)
    )
    return tuple(candidate_fact(row) for row in rows)


async def numbers_held(session: AsyncSession, plan: str) -> tuple[tuple[str, str, str, str], ...]:
    """Return (candidate, ticket, kind and number of the identity document) of everybody who was ever enrolled in a
    plan: those who were refused or withdrew keep their numbers.
    """
    rows = await session.execute(
        select(CandidateRow.id, CandidateRow.ticket, CandidateRow.id_kind, CandidateRow.id_number).where(
            CandidateRow.plan == plan
        )
    )
    return tuple(rows.tuples())


async def candidate(session: AsyncSession, candidate: str) -> Candidate:
    """Return one candidate, in whatever state."""
    row = await session.get(CandidateRow, candidate)
    if row is None:
        raise NotFound("candidate-unknown", candidate=candidate)
    return candidate_fact(row)


async def seating(session: AsyncSession, slot: str) -> tuple[Seating, ...]:
    """Return the seating of a slot in order of room and seat."""
    rows = await session.scalars(
        select(SeatingRow)
        .join(SlotRow, SlotRow.id == SeatingRow.slot)
        .join(PlanRow, and_(PlanRow.id == SlotRow.plan, PlanRow.edition == SeatingRow.edition))
        .where(SeatingRow.slot == slot)
        .order_by(SeatingRow.room, SeatingRow.seat)
    )
    return tuple(Seating(row.sitting, row.slot, row.candidate, row.room, row.seat) for row in rows)


async def staff(session: AsyncSession, plan: str) -> tuple[Staff, ...]:
    """Return the people on duty in a plan, in order of role and name."""
    rows = await session.scalars(
        select(StaffRow)
        .join(PlanRow, and_(PlanRow.id == StaffRow.plan, PlanRow.edition == StaffRow.edition))
        .where(StaffRow.plan == plan)
        .order_by(StaffRow.role, StaffRow.name, StaffRow.id)
    )
    return tuple(Staff(row.id, row.plan, row.name, row.role, row.room, row.username) for row in rows)


async def lodged_bank_root(session: AsyncSession, organisation: str) -> bytes | None:
    """Return the root that an organisation has lodged of its item bank; None before the first."""
    row = await session.get(OrganisationRow, organisation)
    return None if row is None else row.bank_root


async def draw_terms(session: AsyncSession, plan: str) -> DrawTerms:
    """Return what binds the plan's draw; Unavailable until commitment, nonce and bank root are all there."""
    row = await plan_row(session, plan)
    if row.commitment is None or row.nonce is None or row.bank_root is None:
        raise Unavailable("draw-terms-missing", plan=plan)
    return DrawTerms(row.commitment, row.nonce, row.bank_root)


def standing_fact(row: OrganisationRow) -> Standing:
    """Return the standing that an organisation's row states."""
    return Standing(
        row.id, StandingStatus(row.status), row.standing_serial, row.standing_as_of, row.standing_case
    )


def organisation_fact(row: OrganisationRow) -> Organisation:
    """Return the fact of an organisation's row."""
    return Organisation(
        row.id, row.name, row.jurisdiction, scope_of(row.scope), row.centre, standing_fact(row)
    )


def scope_of(text: str) -> Scope:
    """Return the scope from its stored JSON: {"occupations": [[code, level], …], "venues": [name, …]}."""
    data = msgspec.json.decode(text)
    return Scope(
        frozenset((str(code), int(level)) for code, level in data["occupations"]), frozenset(data["venues"])
    )


def scope_text(scope: Scope) -> str:
    """Return the stored JSON of a scope."""
    pairs = sorted(scope.occupations)
    return msgspec.json.encode({"occupations": pairs, "venues": sorted(scope.venues)}).decode()


def plan_fact(row: PlanRow) -> Plan:
    """Return the fact of a plan's row."""
    return Plan(
        id=row.id,
        organisation=row.organisation,
        name=row.name,
        short_name=row.short_name,
        occupation=row.occupation,
        occupation_code=row.occupation_code,
        level=row.level,
        jurisdiction=row.jurisdiction,
        state=row.state,
        site_district=row.site_district,
        contact=row.contact,
        statement=row.statement,
        created_at=row.created_at,
        filed_at=row.filed_at,
        accepted_at=row.accepted_at,
        confirmed_at=row.confirmed_at,
        candidates_confirmed_at=row.candidates_confirmed_at,
        imported_at=row.imported_at,
        packed_at=row.packed_at,
        purpose=row.purpose,
    )


def slot_fact(row: SlotRow) -> Slot:
    """Return the fact of a slot's row."""
    return Slot(
        id=row.id,
        plan=row.plan,
        subject=cast(Subject, row.subject),
        method=row.method,
        starts_at=row.starts_at,
        minutes=row.minutes,
        early=row.early,
        late=row.late,
        pass_mark=row.pass_mark,
        total=row.total,
        place=row.place,
        policy=row.policy,
        entry=row.entry,
    )


def candidate_fact(row: CandidateRow) -> Candidate:
    """Return the fact of a candidate's row."""
    return Candidate(
        id=row.id,
        plan=row.plan,
        ticket=row.ticket,
        name=row.name,
        id_kind=row.id_kind,
        id_number=row.id_number,
        subjects=tuple(row.subjects.split(",")),
        state=row.state,
    )
