"""A spare paper in place of a spoiled one: damaged, wrongly sealed, or not to be opened at the new seat."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.db.act import Act
from server.delivery import acts, store
from server.delivery.late_models import ReplacementRow
from server.delivery.models import LeaseRow, MarkRow, SittingRow
from server.delivery.sitting import State
from server.errors import Refusal, Refused
from server.papers import store as papers

SPARE = "spare"


@dataclass(frozen=True, slots=True)
class Replacement:
    """One spare given: `before` and `spare` are papers' ids, `lease` the first lease that answers on it."""

    sitting: str
    at: datetime
    before: str
    spare: str
    lease: int
    actor: str
    reason: str


async def replacements(session: AsyncSession, slot: str) -> tuple[Replacement, ...]:
    """Return the spares given in a slot, in order of time."""
    rows = await session.scalars(
        select(ReplacementRow)
        .join(SittingRow, SittingRow.id == ReplacementRow.sitting)
        .where(SittingRow.slot == slot)
        .order_by(ReplacementRow.at, ReplacementRow.lease)
    )
    return tuple(
        Replacement(row.sitting, row.at, row.before, row.spare, row.lease, row.actor, row.reason)
        for row in rows
    )


async def replace_paper(act: Act, sitting: str, reason: str) -> Replacement:
    """Give a sitting the next spare, of its own room first; its device goes on with it under a new lease.

    What was answered on the paper before is kept and counts no more. Refused `replace-state` unless checked in or
    opened, `replace-no-paper` without sealed papers, `spare-none` when every spare of the slot is given.
    """
    row = await store.sitting_row(act.session, sitting, lock=True)
    if State(row.state) not in (State.CHECKED_IN, State.OPENED):
        raise Refused(Refusal("replace-state", facts={"state": row.state}))
    drawn = await papers.sealed_paper(act.session, sitting)
    if drawn is None:
        raise Refused(Refusal("replace-no-paper"))
    given = {one.spare for one in await replacements(act.session, row.slot)}
    seals = [seal for seal in await papers.seals(act.session, row.slot) if seal.sitting == SPARE]
    left = [seal for seal in seals if seal.paper not in given]
    if not left:
        raise Refused(Refusal("spare-none", facts={"spares": len(seals)}))
    spare = next((seal for seal in left if seal.room == row.room), left[0]).paper
    held = await act.session.get(LeaseRow, (sitting, row.lease))
    before, row.paper, row.items = row.paper or drawn.id, spare, None
    # The lease steps now: answers of the paper before cannot stand for items of this one.
    row.lease += 1
    seat = None if held is None else held.seat
    act.session.add(LeaseRow(sitting=sitting, lease=row.lease, seat=seat, taken_at=act.now))
    made = ReplacementRow(
        id=str(uuid.uuid4()),
        sitting=sitting,
        at=act.now,
        before=before,
        spare=spare,
        lease=row.lease,
        actor=act.actor,
        reason=reason,
    )
    act.session.add(made)
    await act.session.execute(delete(MarkRow).where(MarkRow.sitting == sitting))
    await acts.note(act, row, "delivery:paper:replaced", {"before": before, "spare": spare, "reason": reason})
    return Replacement(sitting, act.now, before, spare, row.lease, act.actor, reason)


async def takes_up(session: AsyncSession, sitting: str, lease: int, seat: str) -> bool:
    """Tell whether this lease was made by a replacement for the device of this seat, which goes on by itself."""
    row = await session.get(LeaseRow, (sitting, lease))
    if row is None or row.seat != seat:
        return False
    found = select(ReplacementRow.id).where(ReplacementRow.sitting == sitting, ReplacementRow.lease == lease)
    return await session.scalar(found) is not None
