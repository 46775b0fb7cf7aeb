"""Use cases of the run sheet: read it at a moment, tick a step."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.conduct import store
from server.conduct.models import StepRow
from server.conduct.opening_facts import times_of
from server.conduct.runsheet import Line, checklist, tickable
from server.db.act import Act
from server.delivery.facts import Extent
from server.errors import Refusal, Refused, required
from server.law.pack import Pack


async def run_sheet(
    session: AsyncSession, pack: Pack, slot: str, bell: datetime | None, now: datetime
) -> tuple[Line, ...]:
    """Return the run sheet of a slot as it stands at `now` (UTC); `bell` is the hall's first bell, if any."""
    found = await affairs.slot(session, slot)
    rooms = tuple(sorted({seat.room for seat in await affairs.seating(session, slot)}))
    ticks = await store.ticks(session, slot)
    times = await times_of(session, slot)
    if times is None:
        return checklist(pack.run_sheet, ticks, rooms, found.starts_at, found.minutes, bell, now)
    planned = found.starts_at + times.moved_by()
    halts = [one.pause for one in times.halts if one.extent == Extent(slot)]
    return checklist(pack.run_sheet, ticks, rooms, planned, found.minutes, bell, now, halts)


async def tick(
    act: Act, pack: Pack, slot: str, code: str, room: str | None, second: str | None, note: str
) -> None:
    """Tick a step as done by the actor; refused twice, in the wrong place, or a hand-over with one name."""
    await affairs.slot(act.session, slot)
    rooms = {seat.room for seat in await affairs.seating(act.session, slot)}
    by = act.actor.removeprefix("staff:")
    required(tickable({s.code: s for s in pack.run_sheet}, code, room, rooms, by, second))
    await put_tick(act, slot, code, room, second, note)


async def put_tick(
    act: Act, slot: str, code: str, room: str | None = None, second: str | None = None, note: str = ""
) -> None:
    """Store a tick; refused when the step is done already. Acts with a step of their own call it
    themselves.
    """
    key = {"slot": slot, "code": code, "room": room or ""}
    if await act.session.get(StepRow, (slot, code, room or "")) is not None:
        raise Refused(Refusal("step-done-already", None, {"step": code}))
    act.session.add(StepRow(**key, done_at=act.now, done_by=act.actor, second=second, note=note))
    await act.session.flush()
    await act.record("conduct:step:done", {**key, "second": second, "note": note})
