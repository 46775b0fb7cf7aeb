"""Acts that move the deadlines of one sitting, a room or the slot."""

from sqlalchemy import select

from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery.acts import SLOT, checked, new_id, reached
from server.delivery.facts import Extent
from server.delivery.models import AllowanceRow, PauseRow
from server.errors import BadInput, Refusal, Refused


async def extend(act: Act, extent: Extent, seconds: int, reason: str) -> None:
    """Give extra time, a right of the candidate: whole seconds on the own end."""
    await _allow(act, extent, "extra", seconds, reason)


async def delay(act: Act, extent: Extent, seconds: int, reason: str) -> None:
    """Record a late start. Granted before the bell it moves the planned start, before which no bell is struck; after
    it own start and own end move, and the early hand-in limit still counts from the bell."""
    await _allow(act, extent, "delay", seconds, reason)


async def credit(act: Act, extent: Extent, seconds: int, reason: str) -> None:
    """Give lost time back: own end and both hand-in limits move."""
    await _allow(act, extent, "credit", seconds, reason)


async def _allow(act: Act, extent: Extent, kind: str, seconds: int, reason: str) -> None:
    if not 0 < seconds <= 24 * 3600:
        raise BadInput("allowance-seconds", seconds=seconds)
    await checked(act, extent)
    row = AllowanceRow(
        id=new_id(),
        slot=extent.slot,
        room=extent.room,
        sitting=extent.sitting,
        kind=kind,
        seconds=seconds,
        at=act.now,
        actor=act.actor,
        reason=reason,
    )
    act.session.add(row)
    await commands.issue(act, kind, extent, reason, target=row.id)
    await act.record(f"delivery:time:{kind}", reached(extent) | {"seconds": seconds, "reason": reason})
    await announce(act.session, SLOT, extent.slot)


async def pause(act: Act, extent: Extent, reason: str) -> str:
    """Halt one sitting, a room or the slot from now on; return the pause's id. Refused while such a one is
    open.
    """
    await checked(act, extent)
    if await _open_pause(act, extent) is not None:
        raise Refused(Refusal("pause-open"))
    row = PauseRow(
        id=new_id(),
        slot=extent.slot,
        room=extent.room,
        sitting=extent.sitting,
        started_at=act.now,
        actor=act.actor,
        reason=reason,
    )
    act.session.add(row)
    await commands.issue(act, "pause", extent, reason, target=row.id)
    await act.record("delivery:time:paused", reached(extent) | {"reason": reason})
    await announce(act.session, SLOT, extent.slot)
    return row.id


async def resume(act: Act, extent: Extent, reason: str = "") -> None:
    """Go on after the open pause of exactly this extent; refused when none is open."""
    row = await _open_pause(act, extent)
    if row is None:
        raise Refused(Refusal("pause-not-open"))
    row.ended_at = act.now
    await commands.issue(act, "resume", extent, reason, target=row.id)
    await act.record("delivery:time:resumed", reached(extent) | {"reason": reason})
    await announce(act.session, SLOT, extent.slot)


async def _open_pause(act: Act, extent: Extent) -> PauseRow | None:
    rows = await act.session.scalars(
        select(PauseRow).where(
            PauseRow.slot == extent.slot, PauseRow.ended_at.is_(None), PauseRow.halt.is_(False)
        )
    )
    for row in rows:
        if (row.room, row.sitting) == (extent.room, extent.sitting):
            return row
    return None
