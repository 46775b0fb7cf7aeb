"""Acts of the exam day that came after the first ones: halt and continuation, breaks, lost time, undo."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from server.conduct.incident_service import record_incident
from server.conduct.incidents import IncidentKind
from server.conduct.service import TOPIC, require_open
from server.db.act import Act
from server.db.signals import announce
from server.delivery import break_service, command_service, command_store, halt_service, undo_service
from server.delivery import service as delivery_acts
from server.delivery import store as delivery
from server.delivery.facts import Command, Extent
from server.delivery.halt_service import Halted
from server.delivery.lost_time import losses
from server.delivery.sitting import State
from server.errors import Refusal, Refused
from server.keys.identity import Identity
from server.law.citing import cites

COLLECTABLE = (State.OPENED, State.HALTED)


@dataclass(frozen=True, slots=True)
class CreditProposal:
    """Running time that a sitting's line was lost since its newest credit, in whole seconds rounded up."""

    sitting: str
    room: str
    seat: int
    seconds: int
    times: int


@cites("BJ-E:A4.1-9", "BJ-E:A4.2-5")
async def halt(act: Act, extent: Extent, reason: str) -> Halted:
    """Halt a room or the slot for a disaster; return whom. The incident, which must be reported to the authority,
    is recorded by the same act.
    """
    await require_open(act, extent.slot)
    halted = await halt_service.halt(act, extent, reason)
    await record_incident(act, extent.slot, IncidentKind.DISASTER, reason, room=extent.room)
    await announce(act.session, TOPIC, extent.slot)
    return halted


async def plan_continuation(act: Act, extent: Extent, starts_at: datetime, reason: str) -> None:
    """Name when a halted exam shall go on; candidates are told, and come to be checked in again."""
    await require_open(act, extent.slot)
    await halt_service.plan_continuation(act, extent, starts_at, reason)
    await announce(act.session, TOPIC, extent.slot)


@cites("BJ-E:A4.1-4")
async def continue_exam(act: Act, extent: Extent, reason: str) -> None:
    """Give the bell of a continuation: unused time and the same papers."""
    await require_open(act, extent.slot)
    await halt_service.continue_exam(act, extent, reason)
    await announce(act.session, TOPIC, extent.slot)


async def leave_seat(act: Act, sitting: str, escort: str, reason: str) -> None:
    """Let a candidate out with an escort; recorded as an absence from the seat."""
    found = await delivery.sitting(act.session, sitting)
    await require_open(act, found.slot)
    await break_service.leave(act, sitting, escort, reason)
    note = f"{reason} ({escort.strip()})"
    await record_incident(act, found.slot, IncidentKind.ABSENCE, note, room=found.room, sitting=sitting)
    await announce(act.session, TOPIC, found.slot)


async def return_to_seat(act: Act, sitting: str) -> int:
    """Record that a candidate is back; return the whole seconds out of the seat."""
    found = await delivery.sitting(act.session, sitting)
    await require_open(act, found.slot)
    seconds = await break_service.come_back(act, sitting)
    await announce(act.session, TOPIC, found.slot)
    return seconds


async def order_collection(act: Act, extent: Extent, reason: str) -> tuple[str, ...]:
    """Order that every open paper of a room or the slot comes in now; return their sittings for `collect_some`."""
    await require_open(act, extent.slot)
    found = tuple(
        one.id
        for one in await delivery.sittings(act.session, extent.slot)
        if one.state in COLLECTABLE and extent.reaches(one.id, one.time_room)
    )
    if not found:
        raise Refused(Refusal("collect-none"))
    await command_service.issue(act, "collect", extent, reason)
    await act.record(
        "conduct:papers:collection-ordered",
        {"slot": extent.slot, "room": extent.room, "sittings": len(found), "reason": reason},
    )
    return found


async def collect_some(act: Act, sittings: Iterable[str], identity: Identity) -> int:
    """Collect these papers with what is acknowledged; one that came in meanwhile is passed over. Return how many."""
    count = 0
    for sitting in sittings:
        found = await delivery.sitting(act.session, sitting)
        if found.state in COLLECTABLE:
            await delivery_acts.collect(act, identity.signing.sign, sitting)
            await announce(act.session, TOPIC, found.slot)
            count += 1
    return count


async def undo(act: Act, command: str, reason: str) -> str:
    """Take an act back with its trace; return the id of the correcting act."""
    found: Command = await command_store.command(act.session, command)
    await require_open(act, found.slot)
    made = await undo_service.undo(act, command, reason)
    await announce(act.session, TOPIC, found.slot)
    return made


async def credit_proposals(session: AsyncSession, slot: str, now: datetime) -> tuple[CreditProposal, ...]:
    """Return what the heartbeat ledger proposes as credit, for open papers, the longest first."""
    times = await delivery.slot_times(session, slot)
    beats = await delivery.heartbeats(session, slot)
    credited = await delivery.newest_credits(session, slot)
    found = []
    for sitting in await delivery.sittings(session, slot):
        if sitting.state is not State.OPENED:
            continue
        since = max(
            (at for extent, at in credited if extent.reaches(sitting.id, sitting.time_room)), default=None
        )
        lost = losses(beats.get(sitting.id, ()), times.of(sitting.id, sitting.time_room), since, now)
        if lost:
            whole = sum((loss.length for loss in lost), timedelta())
            seconds = -int(-whole.total_seconds() // 1)
            found.append(CreditProposal(sitting.id, sitting.room, sitting.seat, seconds, len(lost)))
    return tuple(sorted(found, key=lambda one: (-one.seconds, one.room, one.seat)))
