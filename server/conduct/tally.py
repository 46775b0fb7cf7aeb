"""What the counts of one slot are made of: seating, sealed papers, sittings, incidents."""

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.conduct import store
from server.conduct.counts import SlotCounts
from server.conduct.incidents import IncidentKind
from server.delivery import replacing
from server.delivery import store as delivery
from server.delivery.sitting import State
from server.papers import store as papers

SPARE = "spare"


async def slot_counts(session: AsyncSession, slot: str) -> SlotCounts:
    """Count a slot with drawn papers as it stands; `scored` is None here, since marking comes later.

    Each number comes from its own source: enrolled from the seating, drawn from the seals, opened from
    the sittings and the spares given, replaced from the incidents. Equal numbers are therefore a finding,
    not a tautology.
    """
    found = await affairs.slot(session, slot)
    seating = await affairs.seating(session, slot)
    seals = await papers.seals(session, slot)
    sittings = await delivery.sittings(session, slot)
    incidents = await store.incidents(session, slot)
    moves = await delivery.moves(session, slot)
    by_state = {state: sum(1 for s in sittings if s.state is state) for state in State}
    given = {one.spare for one in await replacing.replacements(session, slot)}
    absent = {s.id for s in sittings if s.state is State.ABSENT}
    spares = {seal.paper for seal in seals if seal.sitting == SPARE}
    return SlotCounts(
        slot=slot,
        subject=found.subject,
        enrolled=len(seating),
        present=sum(1 for s in sittings if s.state.present),
        absent=len(absent),
        drawn=len(seals),
        opened=sum(1 for s in sittings if s.opened_at is not None) + len(given),
        returned_unopened=sum(1 for seal in seals if seal.sitting in absent),
        spare_unused=len(spares - given),
        replaced=sum(1 for i in incidents if i.kind is IncidentKind.PAPER_REPLACED),
        handed_in=by_state[State.HANDED_IN],
        collected=by_state[State.COLLECTED],
        voided=by_state[State.VOIDED],
        scored=None,
        moves=len(moves),
    )
