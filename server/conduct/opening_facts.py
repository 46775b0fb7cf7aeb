"""The facts by which the windows of the openings are judged; only conduct sees papers, sittings and
standing at once.
"""

from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.affairs.standing import ActKind, may
from server.conduct import store
from server.delivery import late_journals
from server.delivery import store as delivery
from server.delivery.facts import SlotTimes
from server.errors import NotFound, required
from server.keys.openings import OpeningFacts, OpeningKind
from server.law.citing import cites
from server.law.workdays import legal_day
from server.papers import draw_store
from server.papers import store as papers


@cites("BJ-E:A4.3-3")
async def opening_facts(session: AsyncSession, slot: str, kind: OpeningKind | str) -> OpeningFacts:
    """Return the facts for a draw, start, marking or journal opening of one slot.

    Two custodians keep the papers, and nobody, not they together either, opens them outside the window that these
    facts decide.

    Raises Refused when the organisation's standing forbids the start of a slot whose bell has not been struck
    (BJ-F:4.3.2-1); after the bell a standing stops nothing.
    """
    found = await affairs.slot(session, slot)
    times = await times_of(session, slot)
    bells = {} if times is None else times.bells
    if OpeningKind(kind) is OpeningKind.START and not bells:
        await require_standing(session, found.plan)
    sealed = await papers.sealed_set(session, slot)
    return OpeningFacts(
        candidates_confirmed=bool(await affairs.candidates(session, found.plan)),
        papers_drawn=sealed is not None,
        planned_start=found.starts_at if times is None else found.starts_at + times.moved_by(),
        seals_shown=await store.seal_showing(session, slot) is not None,
        bell_struck=bool(bells),
        open_slots_of_bank=await _open_slots(session, slot),
        late_journals=await late_journals.waiting(session, slot),
    )


async def desk_facts(session: AsyncSession, now: datetime) -> OpeningFacts:
    """Return the facts for a desk opening at this centre on the legal day of `now`. A slot that was halted has the
    days of its continuations, too."""
    began, open_sittings, today = False, 0, legal_day(now)
    for plan in await affairs.plans(session):
        for slot in await affairs.slots(session, plan.id):
            if slot.day > today or await store.closure(session, slot.id) is not None:
                continue
            if slot.day != today and today not in await _continued(session, slot.id):
                continue
            sittings = await delivery.sittings(session, slot.id)
            moments = [s.checked_in_at for s in sittings if s.checked_in_at is not None]
            began = began or any(legal_day(moment) == today for moment in moments)
            open_sittings += sum(1 for s in sittings if not s.state.closed)
    return OpeningFacts(check_in_began=began, sittings_open=open_sittings)


async def _continued(session: AsyncSession, slot: str) -> set[date]:
    """Return the legal days on which a halted slot went on or is planned to."""
    times = await times_of(session, slot)
    if times is None:
        return set()
    moments = [one.pause.end or one.pause.resumes_at for one in times.halts if one.pause.halt]
    return {legal_day(moment) for moment in moments if moment is not None}


async def require_standing(session: AsyncSession, plan: str) -> None:
    """Refuse the start of a slot while the newest standing received is not good."""
    found = await affairs.plan(session, plan)
    required(may(ActKind.START, await affairs.standing(session, found.organisation)))


async def bells_of(session: AsyncSession, slot: str) -> dict[str, datetime]:
    """Return the recorded bells of a slot by room; none while its sittings are not prepared."""
    times = await times_of(session, slot)
    return {} if times is None else times.bells


async def times_of(session: AsyncSession, slot: str) -> SlotTimes | None:
    """Return all that moves the deadlines of a slot; None while its sittings are not prepared."""
    try:
        return await delivery.slot_times(session, slot)
    except NotFound:
        return None


async def _open_slots(session: AsyncSession, slot: str) -> int | None:
    """Return how many slots of the same plan, subject and bank version are not closed; None when nothing
    is drawn.
    """
    found = await affairs.slot(session, slot)
    drawn = await draw_store.draw(session, slot)
    if drawn is None:
        return None
    count = 0
    for other in await draw_store.slots_drawn_from(session, found.plan, drawn.bank_root):
        if (await affairs.slot(session, other)).subject != found.subject:
            continue
        sittings = await delivery.sittings(session, other)
        open_sittings = any(not s.state.closed for s in sittings)
        if await store.closure(session, other) is None or open_sittings:
            count += 1
    return count
