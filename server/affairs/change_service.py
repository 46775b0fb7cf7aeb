"""Use cases of a change of time or place once rooms are imported: asked by the organisation, filed by the city."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import plans, store
from server.affairs.facts import Slot
from server.affairs.models import ChangeRow, SlotRow
from server.affairs.packaging import pack_correction
from server.affairs.plans import PlanState
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import BadInput, NotFound, Refusal, Refused, required
from server.keys.identity import Identity
from server.law.loader import load_calendar
from server.law.pack import Pack

ASKED, FILED, REFUSED = "asked", "filed", "refused"


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `state` is asked, filed or refused. Only a filed one is in force."""

    id: str
    plan: str
    slot: str
    starts_at: datetime
    place: str
    reason: str
    state: str
    asked_at: datetime
    answer: str


async def changes(session: AsyncSession, plan: str | None = None) -> tuple[Change, ...]:
    """Return all changes, or those of one plan, oldest first."""
    query = select(ChangeRow).order_by(ChangeRow.asked_at, ChangeRow.id)
    if plan is not None:
        query = query.where(ChangeRow.plan == plan)
    return tuple(_fact(row) for row in await session.scalars(query))


async def ask_change(
    act: Act, pack: Pack, plan: str, slot: str, starts_at: datetime, place: str, reason: str
) -> Change:
    """Ask for a slot's new time or place because of force majeure, at least 3 working days before (BJ-E:23)."""
    if not reason.strip():
        raise BadInput("reason-missing")
    found = await store.plan(act.session, plan)
    organisation = await store.organisation(act.session, found.organisation)
    required(may(ActKind.PLAN, organisation.standing))
    if found.state not in (PlanState.READY, PlanState.PACKED):
        raise Refused(Refusal("change-before-import", "BJ-E:23", {"state": found.state}))
    await _check(act, pack, plan, slot, starts_at, place)
    row = ChangeRow(
        id=str(uuid.uuid4()),
        plan=plan,
        slot=slot,
        starts_at=starts_at,
        place=place,
        reason=reason,
        state=ASKED,
        asked_at=act.now,
        asked_by=act.actor,
        answer="",
        decided_by="",
    )
    act.session.add(row)
    await act.session.flush()
    await act.record(
        "affairs:change:asked",
        {"change": row.id, "plan": plan, "slot": slot, "starts_at": starts_at.isoformat(), "place": place},
    )
    return _fact(row)


async def file_change(act: Act, pack: Pack, identity: Identity, change: str) -> Change:
    """The city files a change: the slot is moved, and a packed plan's centre is sent a correction."""
    row = await _asked(act, change)
    await _check(act, pack, row.plan, row.slot, row.starts_at, row.place)
    slot = await act.session.get(SlotRow, row.slot)
    if slot is None:
        raise NotFound("slot-unknown", slot=row.slot)
    slot.starts_at, slot.place = row.starts_at, row.place
    row.state, row.decided_at, row.decided_by = FILED, act.now, act.actor
    await act.session.flush()
    await act.record("affairs:change:filed", {"change": change, "plan": row.plan, "slot": row.slot})
    plan = await store.plan(act.session, row.plan)
    if plan.state == PlanState.PACKED:
        await pack_correction(act, identity, row.plan, row.reason)
    return _fact(row)


async def refuse_change(act: Act, change: str, answer: str) -> Change:
    """The city refuses a change with its reason; the filed time and place stay."""
    if not answer.strip():
        raise BadInput("reason-missing")
    row = await _asked(act, change)
    row.state, row.answer, row.decided_at, row.decided_by = REFUSED, answer, act.now, act.actor
    await act.session.flush()
    await act.record("affairs:change:refused", {"change": change, "answer": answer})
    return _fact(row)


async def _check(act: Act, pack: Pack, plan: str, slot: str, starts_at: datetime, place: str) -> None:
    found = await store.plan(act.session, plan)
    organisation = await store.organisation(act.session, found.organisation)
    slots = await store.slots(act.session, plan)
    before = next((one for one in slots if one.id == slot), None)
    if before is None:
        raise NotFound("slot-unknown", slot=slot)
    changed: Slot = replace(before, starts_at=starts_at, place=place)
    required(plans.may_change(pack, load_calendar(), before, changed, act.now))
    moved = tuple(changed if one.id == slot else one for one in slots)
    required(plans.within_scope(organisation.scope, found.occupation_code, found.level, moved))
    required(plans.in_order(pack, moved))


async def _asked(act: Act, change: str) -> ChangeRow:
    row = await act.session.get(ChangeRow, change, with_for_update=True)
    if row is None:
        raise NotFound("change-unknown", change=change)
    if row.state != ASKED:
        raise Refused(Refusal("change-decided-already", "BJ-E:23", {"state": row.state}))
    return row


def _fact(row: ChangeRow) -> Change:
    return Change(
        row.id,
        row.plan,
        row.slot,
        row.starts_at,
        row.place,
        row.reason,
        row.state,
        row.asked_at,
        row.answer,
    )
