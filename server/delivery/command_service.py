"""Acts of people as commands to kiosks: whom each reaches, and what corrects which."""

from collections.abc import Iterable

from sqlalchemy import select, update

from server.db.act import Act
from server.db.signals import announce
from server.delivery.acts import COMMAND, new_id
from server.delivery.facts import Extent
from server.delivery.models import CommandReachRow, CommandRow, SittingRow
from server.delivery.sitting import State

AT_A_KIOSK = (State.CHECKED_IN, State.OPENED)
"""States in which somebody may sit at a kiosk that must hear of an act."""


async def issue(
    act: Act,
    kind: str,
    extent: Extent,
    reason: str,
    *,
    command: str | None = None,
    target: str | None = None,
    before: State | None = None,
    undoes: str | None = None,
    states: Iterable[State] = AT_A_KIOSK,
    by_seat: bool = False,
) -> str:
    """Keep an act as a command for the sittings of the extent that are in one of `states`; return its id (a
    message's own).

    To be called before the act changes those states. A room reaches those who follow its times, or with
    `by_seat` those who sit in it.
    """
    row = CommandRow(
        id=command or new_id(),
        slot=extent.slot,
        room=extent.room,
        sitting=extent.sitting,
        kind=kind,
        at=act.now,
        actor=act.actor,
        reason=reason,
        target=target,
        before=None if before is None else before.value,
        undoes=undoes,
    )
    act.session.add(row)
    await act.session.flush()
    query = select(SittingRow.id).where(
        SittingRow.slot == extent.slot, SittingRow.state.in_([state.value for state in states])
    )
    if extent.sitting is not None:
        query = query.where(SittingRow.id == extent.sitting)
    elif extent.room is not None:
        query = query.where((SittingRow.room if by_seat else SittingRow.time_room) == extent.room)
    reached = [CommandReachRow(command=row.id, sitting=one) for one in await act.session.scalars(query)]
    act.session.add_all(reached)
    if undoes is not None:
        await act.session.execute(update(CommandRow).where(CommandRow.id == undoes).values(undone_by=row.id))
    await announce(act.session, COMMAND, row.id)
    return row.id
