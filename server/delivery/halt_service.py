"""Halt a room or the slot for a disaster, plan its continuation, and give the bell that continues it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from server.db.act import Act
from server.db.signals import announce
from server.delivery import command_service as commands
from server.delivery import store
from server.delivery.acts import SITTING, SLOT, new_id, reached, stepped
from server.delivery.facts import Extent
from server.delivery.halting import halt_state, may_continue, may_halt, may_plan
from server.delivery.models import LeaseRow, PauseRow, SittingRow
from server.delivery.sitting import Event, State
from server.delivery.timing import PhaseKind, phase_of
from server.errors import Refusal, Refused, required

STOPPED = (PhaseKind.WAITING, PhaseKind.RUNNING, PhaseKind.PAUSED)
"""Whose own end is past is not halted: the collection goes on."""


@dataclass(frozen=True, slots=True)
class Halted:
    """The sittings that an act halted, and the rooms that were halted before and keep a halt of their own."""

    sittings: tuple[str, ...]
    before: tuple[str, ...] = ()


async def halt(act: Act, extent: Extent, reason: str) -> Halted:
    """Halt a room, or the slot, for a disaster from now on.

    Time stands still, everybody's lease ends (devices send what is left and forget), and each candidate must be
    checked in and sign in again to continue. A room of the slot that is halted already stays so until its own
    continuation.
    """
    times = await store.slot_times(act.session, extent.slot)
    rung = set(times.bells) if extent.room is None else {extent.room} & set(times.bells)
    standing = {h.extent.room for h in times.halts if h.pause.halt and h.pause.end is None}
    required(may_halt(bool(rung), None in standing or rung <= standing))
    before = tuple(sorted(room for room in standing if room is not None)) if extent.room is None else ()
    rows = await act.session.scalars(
        select(SittingRow)
        .where(
            SittingRow.slot == extent.slot,
            SittingRow.state.in_((State.CHECKED_IN.value, State.OPENED.value)),
        )
        .order_by(SittingRow.id)
        .with_for_update()
    )
    halted = [
        row
        for row in rows
        if extent.reaches(row.id, row.time_room)
        and phase_of(times.of(row.id, row.time_room), act.now).kind in STOPPED
    ]
    pause = PauseRow(
        id=new_id(),
        slot=extent.slot,
        room=extent.room,
        sitting=None,
        started_at=act.now,
        halt=True,
        actor=act.actor,
        reason=reason,
    )
    act.session.add(pause)
    await commands.issue(act, "halt", extent, reason, target=pause.id)
    for row in halted:
        row.state = stepped(row, Event.HALT).value
        row.lease += 1
        act.session.add(LeaseRow(sitting=row.id, lease=row.lease, seat=None, taken_at=act.now))
        await announce(act.session, SITTING, row.id)
    ids = tuple(row.id for row in halted)
    await _end_pauses(act, extent, set(ids))
    await act.record(
        "delivery:time:halted",
        reached(extent) | {"reason": reason, "sittings": list(ids), "before": list(before)},
    )
    await announce(act.session, SLOT, extent.slot)
    return Halted(ids, before)


async def plan_continuation(act: Act, extent: Extent, starts_at: datetime, reason: str) -> None:
    """Name when the halt of exactly this extent shall go on; may be named anew until it does."""
    row = await _open_halt(act, extent)
    required(may_plan(halt_state(row.resumes_at, row.ended_at), starts_at, act.now))
    row.resumes_at = starts_at
    await commands.issue(act, "plan", extent, reason, target=row.id)
    await act.record(
        "delivery:time:continuation-planned",
        reached(extent) | {"starts_at": starts_at.isoformat(), "reason": reason},
    )
    await announce(act.session, SLOT, extent.slot)


async def continue_exam(act: Act, extent: Extent, reason: str) -> None:
    """Give the bell that continues the halt of exactly this extent: unused time runs on from now."""
    row = await _open_halt(act, extent)
    required(may_continue(halt_state(row.resumes_at, row.ended_at), row.resumes_at, act.now))
    row.ended_at = act.now
    await commands.issue(act, "continue", extent, reason, target=row.id)
    await act.record("delivery:time:continued", reached(extent) | {"reason": reason})
    await announce(act.session, SLOT, extent.slot)


async def _end_pauses(act: Act, extent: Extent, halted: set[str]) -> None:
    """A pause that was open goes over into the halt: the continuation's bell is then the only thing to wait for."""
    rows = await act.session.scalars(
        select(PauseRow).where(
            PauseRow.slot == extent.slot, PauseRow.halt.is_(False), PauseRow.ended_at.is_(None)
        )
    )
    for row in rows:
        inside = row.sitting in halted if row.sitting is not None else row.room == extent.room
        if extent.room is None or inside:
            row.ended_at = act.now


async def _open_halt(act: Act, extent: Extent) -> PauseRow:
    rows = await act.session.scalars(
        select(PauseRow).where(
            PauseRow.slot == extent.slot, PauseRow.halt.is_(True), PauseRow.ended_at.is_(None)
        )
    )
    for row in rows:
        if row.room == extent.room:
            return row
    raise Refused(Refusal("halt-not-open"))
