"""A candidate goes out of the room with an escort and comes back; the time out of the seat is kept."""

from sqlalchemy import select

from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery import store
from server.delivery.acts import SITTING, SLOT, new_id
from server.delivery.facts import Extent
from server.delivery.models import BreakRow
from server.delivery.sitting import State
from server.errors import BadInput, Refusal, Refused


async def leave(act: Act, sitting: str, escort: str, reason: str) -> str:
    """Let a candidate out with an escort; return the break's id.

    The exam's time goes on and the paper is covered until the return. Refused unless the paper is open and the
    candidate is in the seat.
    """
    if not 0 < len(escort.strip()) <= 120:
        raise BadInput("break-escort")
    row = await store.sitting_row(act.session, sitting, lock=True)
    if row.state != State.OPENED.value:
        raise Refused(Refusal("break-state", facts={"state": row.state}))
    if await _open_break(act, sitting) is not None:
        raise Refused(Refusal("break-open"))
    out = BreakRow(
        id=new_id(),
        sitting=sitting,
        left_at=act.now,
        escort=escort.strip(),
        reason=reason,
        actor=act.actor,
    )
    act.session.add(out)
    await commands.issue(act, "leave", Extent(row.slot, sitting=sitting), reason, target=out.id)
    await act.record("delivery:break:left", {"sitting": sitting, "escort": out.escort, "reason": reason})
    await _tell(act, row.slot, sitting)
    return out.id


async def come_back(act: Act, sitting: str) -> int:
    """Record that the candidate is back in the seat; return the whole seconds that he was out."""
    row = await store.sitting_row(act.session, sitting, lock=True)
    out = await _open_break(act, sitting)
    if out is None:
        raise Refused(Refusal("break-not-open"))
    out.returned_at, out.received_by = act.now, act.actor
    seconds = int((act.now - out.left_at).total_seconds())
    await commands.issue(act, "return", Extent(row.slot, sitting=sitting), out.reason, target=out.id)
    await act.record("delivery:break:returned", {"sitting": sitting, "seconds": seconds})
    await _tell(act, row.slot, sitting)
    return seconds


async def _open_break(act: Act, sitting: str) -> BreakRow | None:
    found: BreakRow | None = await act.session.scalar(
        select(BreakRow).where(BreakRow.sitting == sitting, BreakRow.returned_at.is_(None))
    )
    return found


async def _tell(act: Act, slot: str, sitting: str) -> None:
    await announce(act.session, SLOT, slot)
    await announce(act.session, SITTING, sitting)
