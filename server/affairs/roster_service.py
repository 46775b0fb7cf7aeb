"""Use cases of people and places of a plan: enrol, confirm, import rooms, seating and staff."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, insert, select, update

from server.affairs import plans, seating, staffing, store
from server.affairs.enrolment import (
    Application,
    EnrolmentEvent,
    EnrolmentState,
    Proof,
    may_enrol,
    proven,
    step,
)
from server.affairs.facts import Candidate, Room, Slot, Staff
from server.affairs.identity_number import identity_fault, normal
from server.affairs.models import CandidateRow, RoomRow, SeatingRow, StaffRow
from server.affairs.plans import PlanEvent, PlanState
from server.affairs.service import moved
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import Refusal, Refused, required
from server.law.loader import load_pack
from server.law.pack import Pack
from server.law.workdays import legal_day

_ENROLLING = frozenset({PlanState.FILED, PlanState.ACCEPTED, PlanState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Applicant:
    """One person who wants to be enrolled; `subjects` empty means every subject of the plan."""

    name: str
    id_kind: str
    id_number: str
    condition: str
    committed: bool
    subjects: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """Who was accepted, and which rows (from 0) were refused and why."""

    accepted: tuple[Candidate, ...]
    refused: tuple[tuple[int, Refusal], ...]


@dataclass(frozen=True, slots=True)
class RoomDraft:
    """One room as imported."""

    number: str
    name: str
    seats: int


@dataclass(frozen=True, slots=True)
class StaffDraft:
    """One person on duty as imported; `recused` holds tickets of candidates whom that person must not
    examine.
    """

    name: str
    role: str
    room: str | None
    username: str
    recused: tuple[str, ...] = ()


async def enrol(act: Act, plan: str, applicants: Sequence[Applicant]) -> EnrolmentReport:
    """Enrol the applicants who qualify and say of each other row why not; tickets go on from the
    highest given.

    Open from filing until the candidates are confirmed. The caller divides long lists (100 rows an act).
    """
    row = await store.plan_row(act.session, plan, lock=True)
    required(may(ActKind.ENROLMENT, await store.standing(act.session, row.organisation)))
    if PlanState(row.state) not in _ENROLLING:
        raise Refused(Refusal("enrolment-closed", "BJ-E:12", {"state": row.state}))
    slots = await store.slots(act.session, plan)
    subjects = frozenset(slot.subject for slot in slots)
    held = await store.numbers_held(act.session, plan)
    taken = {(kind, number) for _, _, kind, number in held}
    tickets = {ticket for _, ticket, _, _ in held}
    serial = len(held)
    today, first, pack = legal_day(act.now), plans.first_day(slots), load_pack(row.jurisdiction)
    values: list[dict[str, object]] = []
    refused: list[tuple[int, Refusal]] = []
    for index, applicant in enumerate(applicants):
        number = normal(applicant.id_number)
        wanted = applicant.subjects or tuple(sorted(subjects))
        application = Application(
            applicant.name,
            applicant.id_kind,
            number,
            identity_fault(applicant.id_kind, number, today),
            applicant.condition,
            applicant.committed,
            wanted,
        )
        refusal = may_enrol(application, subjects, frozenset(taken)) or proven(
            pack, applicant.proofs, applicant.committed, today
        )
        if refusal is not None:
            refused.append((index, refusal))
            continue
        taken.add((applicant.id_kind, number))
        serial += 1
        while (ticket := f"{first:%y%m%d}{row.level}{serial:05d}") in tickets:  # a corrected one
            serial += 1
        values.append(
            {
                "id": str(uuid.uuid4()),
                "plan": plan,
                "ticket": ticket,
                "name": applicant.name.strip(),
                "id_kind": applicant.id_kind,
                "id_number": number,
                "subjects": ",".join(wanted),
                "state": EnrolmentState.ENROLLED,
                "condition": applicant.condition,
                "committed": applicant.committed,
                "proofs": msgspec.json.encode(applicant.proofs).decode(),
                "enrolled_at": act.now,
            }
        )
    if values:
        await act.session.execute(insert(CandidateRow), values)
    await act.record(
        "affairs:candidates:enrolled",
        {"plan": plan, "accepted": [str(value["id"]) for value in values], "refused": len(refused)},
    )
    ids = [str(value["id"]) for value in values]
    rows = await act.session.scalars(
        select(CandidateRow).where(CandidateRow.id.in_(ids)).order_by(CandidateRow.ticket)
    )
    return EnrolmentReport(tuple(store.candidate_fact(found) for found in rows), tuple(refused))


async def change_enrolment(act: Act, candidate: str, event: EnrolmentEvent, reason: str) -> None:
    """Refuse or withdraw one enrolment, with the reason told to the candidate; seats of the plan are
    freed.
    """
    row = await act.session.get(CandidateRow, candidate)
    if row is None:
        raise Refused(Refusal("candidate-unknown", None, {"candidate": candidate}))
    outcome = step(EnrolmentState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    plan = await store.plan_row(act.session, row.plan, lock=True)
    if plan.packed_at is not None:
        raise Refused(Refusal("plan-packed-already", None, {"plan": plan.id}))
    row.state = outcome
    await act.session.execute(delete(SeatingRow).where(SeatingRow.candidate == candidate))
    await act.session.flush()
    await act.record(
        "affairs:candidate:changed", {"candidate": candidate, "state": str(outcome), "reason": reason}
    )


async def confirm_candidates(act: Act, pack: Pack, plan: str) -> int:
    """Confirm every enrolled candidate, in time before the first day; return how many."""
    row = await store.plan_row(act.session, plan, lock=True)
    required(may(ActKind.ENROLMENT, await store.standing(act.session, row.organisation)))
    following = moved(row, PlanEvent.CONFIRM_CANDIDATES)
    first = plans.first_day(await store.slots(act.session, plan))
    required(plans.in_time(pack, store.plan_fact(row), PlanEvent.CONFIRM_CANDIDATES, first, act.now))
    count = len(await store.candidates(act.session, plan))
    if count == 0:
        raise Refused(Refusal("plan-without-candidates", "BJ-E:12"))
    await act.session.execute(
        update(CandidateRow)
        .where(CandidateRow.plan == plan, CandidateRow.state == EnrolmentState.ENROLLED)
        .values(state=EnrolmentState.CONFIRMED)
    )
    row.state = following
    row.candidates_confirmed_at = act.now
    await act.session.flush()
    await act.record("affairs:candidates:confirmed", {"plan": plan, "candidates": count})
    return count


async def import_arrangement(
    act: Act,
    pack: Pack,
    plan: str,
    rooms: Sequence[RoomDraft],
    staff: Sequence[StaffDraft],
    override_reason: str = "",
) -> tuple[Refusal, ...]:
    """Import rooms and staff, seat every candidate, and return the warnings that were set aside.

    In time before the first day, else the plan cannot go on (BJ-E:15). What the rules want only in
    principle is
    refused without `override_reason`, and recorded with it. A later import before packing replaces this one.
    """
    row = await store.plan_row(act.session, plan, lock=True)
    required(may(ActKind.PLAN, await store.standing(act.session, row.organisation)))
    following = moved(row, PlanEvent.IMPORT)
    slots = await store.slots(act.session, plan)
    facts = store.plan_fact(row)
    required(plans.in_time(pack, facts, PlanEvent.IMPORT, plans.first_day(slots), act.now))
    halls = tuple(Room(str(uuid.uuid4()), plan, room.number, room.name, room.seats) for room in rooms)
    required(seating.rooms_allowed(pack, halls))
    candidates = await store.candidates(act.session, plan)
    seats = _seat(slots, halls, candidates)
    people = tuple(
        Staff(str(uuid.uuid4()), plan, person.name, person.role, person.room, person.username)
        for person in staff
    )
    strange = sorted({person.room for person in people if person.room} - {hall.number for hall in halls})
    if strange:
        raise Refused(Refusal("staff-room-unknown", "BJ-E:15", {"room": strange[0]}))
    found = staffing.review(pack, people, _fullest(seats), _recused(people, staff, candidates, seats))
    if found.refusals:
        raise Refused(found.refusals[0])
    if found.warnings and not override_reason.strip():
        raise Refused(found.warnings[0])
    await _replace(act, plan, halls, seats, people)
    row.state = following
    row.imported_at = act.now
    await act.session.flush()
    await act.record(
        "affairs:arrangement:imported",
        {
            "plan": plan,
            "rooms": [hall.number for hall in halls],
            "staff": len(people),
            "sittings": len(seats),
            "set_aside": [warning.code for warning in found.warnings],
            "reason": override_reason,
        },
    )
    return found.warnings


_Seat = tuple[str, seating.Assignment]


def _seat(slots: Sequence[Slot], rooms: Sequence[Room], candidates: Sequence[Candidate]) -> tuple[_Seat, ...]:
    capacity = sum(room.seats for room in rooms)
    found: list[_Seat] = []
    for subject in {slot.subject: None for slot in slots}:
        of_subject = [slot.id for slot in slots if slot.subject == subject]
        wanting = [candidate.id for candidate in candidates if subject in candidate.subjects]
        if len(wanting) > capacity * len(of_subject):
            facts = {"candidates": len(wanting), "seats": capacity * len(of_subject)}
            raise Refused(Refusal("seats-too-few", "BJ-E:A3.3-2", facts))
        for slot, share in seating.spread(wanting, of_subject, capacity).items():
            outcome = seating.assign(share, rooms)
            if isinstance(outcome, Refusal):
                raise Refused(outcome)
            found.extend((slot, assignment) for assignment in outcome)
    return tuple(found)


def _fullest(seats: Sequence[_Seat]) -> dict[str, int]:
    by_slot = Counter((slot, assignment.room) for slot, assignment in seats)
    fullest: dict[str, int] = {}
    for (_slot, room), count in by_slot.items():
        fullest[room] = max(fullest.get(room, 0), count)
    return fullest


def _recused(
    people: Sequence[Staff],
    drafts: Sequence[StaffDraft],
    candidates: Sequence[Candidate],
    seats: Sequence[_Seat],
) -> Mapping[str, frozenset[str]]:
    ids = {candidate.ticket: candidate.id for candidate in candidates}
    rooms_of: dict[str, set[str]] = {}
    for _slot, assignment in seats:
        rooms_of.setdefault(assignment.candidate, set()).add(assignment.room)
    return {
        person.id: frozenset(
            room for ticket in draft.recused for room in rooms_of.get(ids.get(ticket, ""), set())
        )
        for person, draft in zip(people, drafts, strict=True)
    }


async def _replace(
    act: Act, plan: str, rooms: Sequence[Room], seats: Sequence[_Seat], people: Sequence[Staff]
) -> None:
    ids = [slot.id for slot in await store.slots(act.session, plan)]
    await act.session.execute(delete(SeatingRow).where(SeatingRow.slot.in_(ids)))
    await act.session.execute(delete(RoomRow).where(RoomRow.plan == plan))
    await act.session.execute(delete(StaffRow).where(StaffRow.plan == plan))
    await act.session.execute(insert(RoomRow), [room_values(room) for room in rooms])
    await act.session.execute(insert(StaffRow), [staff_values(person) for person in people])
    values = [
        {
            "sitting": str(uuid.uuid4()),
            "slot": slot,
            "candidate": assignment.candidate,
            "room": assignment.room,
            "seat": assignment.seat,
        }
        for slot, assignment in seats
    ]
    if values:
        await act.session.execute(insert(SeatingRow), values)


def room_values(room: Room) -> dict[str, object]:
    """Return the column values that store a room."""
    return {
        "id": room.id,
        "plan": room.plan,
        "number": room.number,
        "name": room.name,
        "seats": room.seats,
    }


def staff_values(person: Staff) -> dict[str, object]:
    """Return the column values that store a person on duty."""
    return {
        "id": person.id,
        "plan": person.plan,
        "name": person.name,
        "role": person.role,
        "room": person.room,
        "username": person.username,
    }
