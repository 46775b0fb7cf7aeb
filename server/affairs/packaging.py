"""The exam package of a plan: what a centre needs for the day, built on the registry and taken in at
the centre.
"""

from typing import Literal, cast

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import correction_store, store
from server.affairs.facts import Organisation, Plan, Slot, Standing
from server.affairs.models import OrganisationRow
from server.affairs.plans import PlanEvent
from server.affairs.service import moved
from server.affairs.standing import ActKind, may
from server.affairs.taking import Ahead, accept_exam, state_organisation
from server.affairs.viewers import viewers
from server.db.act import Act
from server.errors import Refusal, Refused, required
from server.keys.identity import Identity
from server.packages.contents import (
    CandidateContent,
    CorrectionContent,
    ExamContent,
    RoomContent,
    SeatingContent,
    SlotContent,
    StaffContent,
    StandingContent,
)
from server.packages.outbox import OutgoingPackage, outgoing, pack
from server.packages.peers import trusted_peer

_Status = Literal["good", "suspended", "terminated"]


async def pack_exam(act: Act, identity: Identity, plan: str) -> OutgoingPackage:
    """Make the exam package of a ready plan for its organisation's centre.

    Refused unless the centre's commitment and the bank's root were lodged before, and while suspended.
    """
    row = await store.plan_row(act.session, plan, lock=True)
    organisation = await store.organisation_row(act.session, row.organisation)
    required(may(ActKind.EXAM_PACKAGE, store.standing_fact(organisation)))
    following = moved(row, PlanEvent.PACK)
    if row.commitment is None or row.nonce is None:
        raise Refused(Refusal("package-commitment-missing", None, {"plan": plan}))
    if organisation.bank_root is None:
        raise Refused(Refusal("package-bank-root-missing", None, {"organisation": organisation.id}))
    if organisation.centre is None:
        raise Refused(Refusal("package-centre-missing", None, {"organisation": organisation.id}))
    row.bank_root = organisation.bank_root
    content = await build_exam(act.session, plan)
    made = await pack(act, identity, organisation.centre, "exam", plan, content)
    row.state = following
    row.packed_at = act.now
    await act.session.flush()
    await act.record(
        "affairs:exam:packed",
        {"plan": plan, "package": made.id, "sittings": len(content.seating), "nonce": content.nonce},
    )
    return made


async def build_exam(session: AsyncSession, plan: str) -> ExamContent:
    """Return the exam content of a plan whose draw terms are complete."""
    facts = await store.plan(session, plan)
    organisation = await store.organisation(session, facts.organisation)
    terms = await store.draw_terms(session, plan)
    slots = await store.slots(session, plan)
    seating = [
        SeatingContent(
            sitting=one.sitting, slot=one.slot, candidate=one.candidate, room=one.room, seat=one.seat
        )
        for slot in slots
        for one in await store.seating(session, slot.id)
    ]
    return ExamContent(
        plan=plan,
        name=facts.name,
        organisation=organisation.id,
        organisation_name=organisation.name,
        occupation=facts.occupation,
        occupation_code=facts.occupation_code,
        level=facts.level,
        jurisdiction=facts.jurisdiction,
        purpose="rehearsal" if facts.purpose == "rehearsal" else "live",
        slots=tuple(_slot_content(slot) for slot in slots),
        rooms=tuple(
            RoomContent(number=room.number, name=room.name, seats=room.seats)
            for room in await store.rooms(session, plan)
        ),
        candidates=tuple(
            CandidateContent(
                id=one.id,
                ticket=one.ticket,
                name=one.name,
                id_kind=one.id_kind,
                id_number=one.id_number,
                subjects=one.subjects,
            )
            for one in await store.candidates(session, plan)
        ),
        seating=tuple(seating),
        staff=tuple(
            StaffContent(id=one.id, name=one.name, role=one.role, room=one.room, username=one.username)
            for one in await store.staff(session, plan)
        ),
        commitment=terms.commitment.hex(),
        nonce=terms.nonce.hex(),
        bank_root=terms.bank_root.hex(),
        standing=standing_content(organisation.standing),
        viewers=await viewers(session, plan),
    )


async def require_centre(session: AsyncSession, organisation: Organisation, sender: str) -> None:
    """Refuse a package whose sender (peer id or name) is not the centre bound to the organisation."""
    peer = await trusted_peer(session, sender)
    if organisation.centre != peer.name:
        raise Refused(Refusal("package-not-of-this-centre", None, {"organisation": organisation.id}))


async def pack_correction(act: Act, identity: Identity, plan: str, reason: str) -> OutgoingPackage:
    """Make a correction in place of the newest exam package or correction of a packed plan."""
    facts = await store.plan(act.session, plan)
    organisation = await store.organisation(act.session, facts.organisation)
    before = [one for one in await outgoing(act.session, plan) if one.kind in ("exam", "correction")]
    if organisation.centre is None or not before:
        raise Refused(Refusal("correction-before-package", None, {"plan": plan}))
    content = CorrectionContent(
        plan=plan,
        corrects=before[-1].number,
        reason=reason,
        exam=await build_exam(act.session, plan),
        corrected=await correction_store.contents(act.session, plan),
    )
    return await pack(act, identity, organisation.centre, "correction", plan, content)


async def accept_correction(act: Act, content: CorrectionContent, ahead: Ahead | None = None) -> Plan:
    """Take in a correction at the centre, in place of the exam package it names."""
    if content.exam.plan != content.plan:
        raise Refused(Refusal("package-other-plan", None, {"plan": content.exam.plan}))
    await store.plan(act.session, content.plan)
    plan = await accept_exam(act, content.exam, ahead)
    new = await correction_store.take(act, content.plan, content.corrected)
    await act.record(
        "affairs:exam:corrected",
        {"plan": content.plan, "corrects": content.corrects, "reason": content.reason, "corrections": new},
    )
    return plan


async def pack_standing(act: Act, identity: Identity, organisation: str) -> OutgoingPackage | None:
    """Make a standing package for the organisation's centre; None while no centre is bound to it."""
    fact = await store.organisation(act.session, organisation)
    if fact.centre is None:
        return None
    return await pack(act, identity, fact.centre, "standing", "", standing_content(fact.standing))


def standing_content(standing: Standing) -> StandingContent:
    """Return a standing as it is sent."""
    return StandingContent(
        organisation=standing.organisation,
        status=cast(_Status, str(standing.status)),
        serial=standing.serial,
        as_of=standing.as_of,
        case=standing.case,
    )


async def accept_standing(act: Act, content: StandingContent) -> None:
    """Take in a standing at the centre: the highest serial counts, an older one changes nothing."""
    row = await act.session.get(OrganisationRow, content.organisation)
    if row is None:
        raise Refused(Refusal("standing-of-other-organisation", None, {"organisation": content.organisation}))
    if content.serial <= row.standing_serial:
        return
    state_organisation(row, content)
    await act.session.flush()
    await act.record(
        "affairs:standing:received",
        {"organisation": row.id, "status": row.status, "serial": row.standing_serial, "case": content.case},
    )


def _slot_content(slot: Slot) -> SlotContent:
    return SlotContent(
        id=slot.id,
        subject=slot.subject,
        method=slot.method,
        starts_at=slot.starts_at,
        minutes=slot.minutes,
        hand_in_early=slot.early,
        hand_in_late=slot.late,
        pass_mark=slot.pass_mark,
        total=slot.total,
        place=slot.place,
        policy=slot.policy,
        latest_entry=slot.entry,
    )
