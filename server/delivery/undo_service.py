"""Undo an act with its trace: a correcting act names the old one, and both stay."""

from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery import store
from server.delivery.acts import SITTING, SLOT, stepped
from server.delivery.facts import Extent
from server.delivery.models import AllowanceRow, CommandRow, PauseRow
from server.delivery.sitting import Event, State
from server.delivery.timing import own_end
from server.errors import Fact, NotFound, Refusal, Refused

UNDOABLE = ("absent", "pause", "extra", "delay", "credit", "void")
"""What a person can take back. A move is taken back by another move; words and collected papers cannot be."""

_RESTORED = {
    State.OPENED.value: Event.REOPEN,
    State.HALTED.value: Event.RESTORE_HALTED,
    State.HANDED_IN.value: Event.RESTORE_HANDED_IN,
    State.COLLECTED.value: Event.RESTORE_COLLECTED,
}


async def undo(act: Act, command: str, reason: str) -> str:
    """Take an act back and return the id of the correcting one.

    A withdrawn allowance never ends an exam at once (`undo-would-end`); the time of a pause stays given, and
    only an open one can be undone; a voided sitting is again what it was, and its candidate signs in anew.
    """
    row = await act.session.get(CommandRow, command, with_for_update=True)
    if row is None:
        raise NotFound("act-unknown", act=command)
    if row.undone_by is not None:
        raise Refused(Refusal("act-undone"))
    if row.kind not in UNDOABLE:
        raise Refused(Refusal("act-not-undoable"))
    extent = Extent(row.slot, row.room, row.sitting)
    if row.kind in ("extra", "delay", "credit"):
        await _withdraw(act, row, extent)
    elif row.kind == "pause":
        await _end_pause(act, row)
    elif row.sitting is not None:
        await _restore(act, row, row.sitting)
    made = await commands.issue(act, "undo", extent, reason, undoes=row.id)
    await act.record(
        "delivery:act:undone", {"act": row.id, "kind": row.kind, "sitting": row.sitting, "reason": reason}
    )
    await announce(act.session, SLOT, row.slot)
    if row.sitting is not None:
        await announce(act.session, SITTING, row.sitting)
    return made


async def _withdraw(act: Act, row: CommandRow, extent: Extent) -> None:
    allowance = await act.session.get(AllowanceRow, row.target)
    if allowance is None:
        raise NotFound("act-unknown", act=row.id)
    allowance.withdrawn_at = act.now
    await act.session.flush()
    times = await store.slot_times(act.session, row.slot)
    for sitting in await store.sittings(act.session, row.slot):
        if sitting.state is not State.OPENED or not extent.reaches(sitting.id, sitting.time_room):
            continue
        end = own_end(times.of(sitting.id, sitting.time_room))
        if end is not None and end <= act.now:
            facts: dict[str, Fact] = {"room": sitting.room, "seat": sitting.seat}
            raise Refused(Refusal("undo-would-end", facts=facts))


async def _end_pause(act: Act, row: CommandRow) -> None:
    pause = await act.session.get(PauseRow, row.target)
    if pause is None:
        raise NotFound("act-unknown", act=row.id)
    if pause.ended_at is not None:
        raise Refused(Refusal("undo-pause-over"))
    pause.ended_at = act.now


async def _restore(act: Act, row: CommandRow, sitting: str) -> None:
    found = await store.sitting_row(act.session, sitting, lock=True)
    if row.kind == "absent":
        found.state = stepped(found, Event.UNDO_ABSENT).value
        return
    found.state = stepped(found, _RESTORED[row.before or State.OPENED.value]).value
    ending = await store.ending(act.session, sitting)
    found.ended_at = None if ending is None else ending.at
