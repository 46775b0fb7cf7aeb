"""Use cases of a batch plan on the registry: draft, file, accept, return, confirm, withdraw; standing."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import plans, store
from server.affairs.facts import SUBJECT_ORDER, Plan, Scope, Slot, Standing, StandingStatus, Subject
from server.affairs.models import OrganisationRow, PlanRow, SlotRow
from server.affairs.plans import PlanEvent, PlanState
from server.affairs.standing import ActKind, may
from server.db.act import Act
from server.errors import BadInput, Refusal, Refused, required
from server.law.citing import cites
from server.law.pack import Pack


@dataclass(frozen=True, slots=True)
class SlotDraft:
    """One slot as the organisation asks for it; None for a hand-in limit takes the pack's default, in
    minutes.
    """

    subject: Subject
    method: str
    starts_at: datetime
    minutes: int
    pass_mark: float
    total: float
    place: str
    early: int | None = None
    late: int | None = None
    entry: int | None = None
    """Latest entry in minutes after the bell; None: no bar, as no text sets one (regulations A11)."""


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan as the organisation writes it."""

    short_name: str
    occupation: str
    occupation_code: str
    level: int
    site_district: str
    contact: str
    statement: str
    slots: tuple[SlotDraft, ...]
    purpose: str = "live"
    """live or rehearsal."""


@cites("BJ-E:A1.n1")
async def put_organisation(
    act: Act, organisation: str, name: str, jurisdiction: str, scope: Scope, centre: str | None
) -> None:
    """Write an organisation as its filing letter names it; its standing starts good and is kept
    afterwards. Plans and packages carry no other name than this one.
    """
    row = await act.session.get(OrganisationRow, organisation)
    if row is None:
        row = OrganisationRow(
            id=organisation,
            jurisdiction=jurisdiction,
            status=StandingStatus.GOOD,
            standing_serial=1,
            standing_as_of=act.now,
            standing_case=None,
        )
        act.session.add(row)
    row.name = name
    row.scope = store.scope_text(scope)
    row.centre = centre
    await act.session.flush()


async def set_standing(act: Act, organisation: str, status: StandingStatus, case: str | None) -> Standing:
    """State an organisation's standing anew, with the next serial; return it."""
    row = await store.organisation_row(act.session, organisation)
    row.status = status
    row.standing_serial += 1
    row.standing_as_of = act.now
    row.standing_case = case
    await act.session.flush()
    await act.record(
        "affairs:standing:stated",
        {"organisation": organisation, "status": str(status), "serial": row.standing_serial, "case": case},
    )
    return store.standing_fact(row)


async def draft_plan(act: Act, pack: Pack, organisation: str, draft: PlanDraft) -> Plan:
    """Write down a plan that is not yet filed; its name follows from the first day and the short name."""
    required(may(ActKind.PLAN, await store.standing(act.session, organisation)))
    plan = str(uuid.uuid4())
    slots = tuple(_slot(pack, plan, slot) for slot in draft.slots)
    required(plans.complete(slots))
    row = PlanRow(
        id=plan,
        organisation=organisation,
        name=plans.plan_name(plans.first_day(slots), draft.short_name),
        short_name=draft.short_name,
        occupation=draft.occupation,
        occupation_code=draft.occupation_code,
        level=draft.level,
        jurisdiction=pack.jurisdiction,
        purpose=draft.purpose,
        state=PlanState.DRAFT,
        site_district=draft.site_district,
        contact=draft.contact,
        statement=draft.statement,
        created_at=act.now,
    )
    act.session.add(row)
    await act.session.flush()
    act.session.add_all(slot_row(slot) for slot in slots)
    await act.session.flush()
    await act.record(
        "affairs:plan:drafted",
        {"plan": plan, "organisation": organisation, "name": row.name, "purpose": row.purpose},
    )
    return store.plan_fact(row)


async def file_plan(act: Act, pack: Pack, plan: str) -> Plan:
    """File a drafted or returned plan with the city: scope, venue, order and the filing deadline are
    judged now.
    """
    row = await store.plan_row(act.session, plan, lock=True)
    organisation = await store.organisation(act.session, row.organisation)
    required(may(ActKind.PLAN, organisation.standing))
    slots = await store.slots(act.session, plan)
    following = moved(row, PlanEvent.FILE)
    required(plans.may_file(pack, store.plan_fact(row), organisation.scope, slots, act.now))
    row.state = following
    row.filed_at = act.now
    return await _stepped(act, row, "affairs:plan:filed")


async def accept_plan(act: Act, plan: str) -> Plan:
    """The city accepts a filed plan."""
    row = await store.plan_row(act.session, plan, lock=True)
    row.state = moved(row, PlanEvent.ACCEPT)
    row.accepted_at = act.now
    return await _stepped(act, row, "affairs:plan:accepted")


async def return_plan(act: Act, plan: str, reason: str) -> Plan:
    """The city sends a filed plan back with its reason; it may be filed again in time."""
    if not reason.strip():
        raise BadInput("reason-missing")
    row = await store.plan_row(act.session, plan, lock=True)
    row.state = moved(row, PlanEvent.RETURN)
    row.filed_at = None
    return await _stepped(act, row, "affairs:plan:returned", {"reason": reason})


async def confirm_plan(act: Act, pack: Pack, plan: str) -> Plan:
    """The organisation confirms an accepted plan in the system, in time before the first day."""
    row = await _with_good_standing(act, plan)
    following = moved(row, PlanEvent.CONFIRM)
    first = plans.first_day(await store.slots(act.session, plan))
    required(plans.in_time(pack, store.plan_fact(row), PlanEvent.CONFIRM, first, act.now))
    row.state = following
    row.confirmed_at = act.now
    return await _stepped(act, row, "affairs:plan:confirmed")


async def withdraw_plan(act: Act, plan: str) -> Plan:
    """The organisation withdraws a plan whose candidates are not yet confirmed."""
    row = await store.plan_row(act.session, plan, lock=True)
    row.state = moved(row, PlanEvent.WITHDRAW)
    return await _stepped(act, row, "affairs:plan:withdrawn")


async def stop_plan(act: Act, pack: Pack, plan: str) -> Plan:
    """End a plan whose rooms and staff were not imported in time (BJ-E:15); refused while there is
    still time.
    """
    row = await store.plan_row(act.session, plan, lock=True)
    following = moved(row, PlanEvent.STOP)
    first = plans.first_day(await store.slots(act.session, plan))
    if plans.in_time(pack, store.plan_fact(row), PlanEvent.IMPORT, first, act.now) is None:
        raise Refused(Refusal("plan-still-in-time", "BJ-E:15"))
    row.state = following
    return await _stepped(act, row, "affairs:plan:stopped")


async def lodge_commitment(act: Act, plan: str, commitment: bytes) -> bytes:
    """Record the centre's commitment for the draw and make the registry's nonce after it; return the nonce.

    Both are 32 bytes. A second, different commitment is refused: the nonce is known by then.
    """
    if len(commitment) != 32:
        raise BadInput("commitment-length-wrong", length=len(commitment))
    row = await _with_good_standing(act, plan)
    if row.commitment is not None and row.commitment != commitment:
        raise Refused(Refusal("commitment-lodged-already", facts={"plan": plan}))
    if row.nonce is None:
        row.commitment = commitment
        row.committed_at = act.now
        row.nonce = secrets.token_bytes(32)
        await act.session.flush()
        await act.record("affairs:draw:committed", {"plan": plan, "commitment": commitment.hex()})
    return row.nonce


async def lodge_bank_root(act: Act, organisation: str, root: bytes) -> None:
    """Record the Merkle root of an organisation's item bank: 32 bytes; plans packed later are bound to it."""
    if len(root) != 32:
        raise BadInput("bank-root-length-wrong", length=len(root))
    row = await store.organisation_row(act.session, organisation)
    row.bank_root = root
    await act.session.flush()
    await act.record("affairs:bank:lodged", {"organisation": organisation, "root": root.hex()})


async def publish_draw(act: Act, plan: str, seed: str | None, secret: str | None) -> None:
    """Keep the draw's seed and secret, which a result package reveals, so that anyone can redraw."""
    await act.session.execute(
        update(PlanRow).where(PlanRow.id == plan).values(draw_seed=seed, draw_secret=secret)
    )


async def blockers(session: AsyncSession, pack: Pack, plan: str, now: datetime) -> tuple[Refusal, ...]:
    """Return what stands in the way of a plan now: standing, missed or coming deadlines, missing draw
    terms.
    """
    row = await store.plan_row(session, plan)
    found: list[Refusal] = []
    standing = may(ActKind.PLAN, await store.standing(session, row.organisation))
    if standing is not None:
        found.append(standing)
    slots = await store.slots(session, plan)
    if slots and row.state not in (PlanState.STOPPED, PlanState.WITHDRAWN, PlanState.PACKED):
        for deadline in plans.deadlines(pack, store.plan_fact(row), plans.first_day(slots)):
            if deadline.missed(now):
                facts = {"event": str(deadline.event), "latest": deadline.latest.isoformat()}
                found.append(Refusal("plan-deadline-missed", deadline.article, facts))
    if row.state == PlanState.READY:
        organisation = await store.organisation_row(session, row.organisation)
        if row.commitment is None:
            found.append(Refusal("package-commitment-missing", None, {"plan": plan}))
        if organisation.bank_root is None:
            found.append(Refusal("package-bank-root-missing", None, {"organisation": organisation.id}))
        if organisation.centre is None:
            found.append(Refusal("package-centre-missing", None, {"organisation": organisation.id}))
    return tuple(found)


def moved(row: PlanRow, event: PlanEvent) -> PlanState:
    """Return the state a plan's row would be in after the event; Refused when it is out of order."""
    outcome = plans.step(PlanState(row.state), event)
    if isinstance(outcome, Refusal):
        raise Refused(outcome)
    return outcome


async def _with_good_standing(act: Act, plan: str) -> PlanRow:
    row = await store.plan_row(act.session, plan, lock=True)
    required(may(ActKind.PLAN, await store.standing(act.session, row.organisation)))
    return row


async def _stepped(act: Act, row: PlanRow, kind: str, facts: Mapping[str, str] | None = None) -> Plan:
    await act.session.flush()
    await act.record(kind, {"plan": row.id, "name": row.name, "state": row.state, **(facts or {})})
    return store.plan_fact(row)


def _slot(pack: Pack, plan: str, draft: SlotDraft) -> Slot:
    if draft.starts_at.tzinfo is None:
        raise BadInput("law-instant-naive", instant=draft.starts_at.isoformat())
    if draft.subject not in SUBJECT_ORDER:
        raise BadInput("subject-unknown", subject=draft.subject)
    whole_minute = draft.starts_at.replace(second=0, microsecond=0)
    if draft.starts_at - whole_minute > timedelta():
        raise BadInput("start-not-whole-minute", starts_at=draft.starts_at.isoformat())
    early = pack.number("hand_in_early_minutes").value if draft.early is None else draft.early
    late = pack.number("hand_in_late_minutes").value if draft.late is None else draft.late
    return Slot(
        id=str(uuid.uuid4()),
        plan=plan,
        subject=draft.subject,
        method=draft.method,
        starts_at=draft.starts_at,
        minutes=draft.minutes,
        early=early,
        late=late,
        pass_mark=draft.pass_mark,
        total=draft.total,
        place=draft.place,
        policy=1,
        entry=draft.entry,
    )


def slot_row(slot: Slot) -> SlotRow:
    """Return the row that stores a slot."""
    return SlotRow(
        id=slot.id,
        plan=slot.plan,
        subject=slot.subject,
        method=slot.method,
        starts_at=slot.starts_at,
        minutes=slot.minutes,
        early=slot.early,
        late=slot.late,
        pass_mark=slot.pass_mark,
        total=slot.total,
        place=slot.place,
        policy=slot.policy,
        entry=slot.entry,
    )
