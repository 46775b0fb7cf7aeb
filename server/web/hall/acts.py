"""The acts of the exam day over JSON: each one calls a use case of conduct and says what came of it.

Roles: the bell, cancelling, closing and voiding are the chief's; time, halts and moves the chief's or the
deputy's; check-in, absence, the run sheet, incidents and calls an invigilator's too, in the room of his
account.
"""

from typing import Any

import msgspec
from litestar import Request, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.conduct import incident_service, record_service, runsheet_service, service
from server.conduct.incidents import IncidentEvent, IncidentKind
from server.conduct.models import IncidentRow, RoomRecordRow
from server.db.signals import announce
from server.delivery import store as delivery
from server.delivery.facts import Extent
from server.delivery.models import CallRow
from server.errors import BadInput, NotFound, NotPermitted
from server.proctor import store as proctor
from server.proctor.alerts import AlertAct as AlertVerb
from server.proctor.service import decide_alert
from server.web.guards import requires
from server.web.hall import bodies
from server.web.hall.scope import leads, login_of, require_room, require_sitting
from server.web.site import Site

CHIEF = requires(Role.CHIEF)
LEAD = requires(Role.CHIEF, Role.DEPUTY)
FLOOR = requires(Role.CHIEF, Role.DEPUTY, Role.INVIGILATOR)

Http = Request[Any, Any, Any]
Here = NamedDependency[Site]


class Prepared(msgspec.Struct, frozen=True):
    """How many sittings were made."""

    sittings: int


class Rung(msgspec.Struct, frozen=True):
    """The rooms whose bell was struck by this act."""

    rooms: tuple[str, ...]


class Made(msgspec.Struct, frozen=True):
    """The id of what was made."""

    id: str


class State(msgspec.Struct, frozen=True):
    """The state that something is in after the act."""

    state: str


class SealsShown(msgspec.Struct, frozen=True):
    """How many sealed papers were shown, and the journal's code of that moment."""

    papers: int
    code: str


@post("/api/hall/slots/{slot:str}/prepare", guards=[requires(Role.CHIEF, Role.DEPUTY, Role.TECHNICIAN)])
async def prepare(slot: FromPath[str], site: Here, request: Http) -> Prepared:
    """Make the sittings of a slot from its seating, so that papers go to the kiosks as they sign in."""
    async with site.acting(login_of(request)) as act:
        return Prepared(await service.prepare(act, slot))


@post("/api/hall/sittings/{sitting:str}/check-in", guards=[FLOOR], status_code=204)
async def check_in(sitting: FromPath[str], data: JSONBody[bodies.CheckIn], site: Here, request: Http) -> None:
    """Check a candidate in at the door."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        if data.admitted_late and not leads(login):
            raise NotPermitted("late-entry-chief")
        await service.check_in(
            act,
            sitting,
            ticket=data.ticket,
            document=data.document,
            photo=data.photo,
            signature=data.signature,
            exception=data.exception,
            admitted_late=data.admitted_late,
        )


@post("/api/hall/sittings/{sitting:str}/check-in/undo", guards=[FLOOR], status_code=204)
async def undo_check_in(
    sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http
) -> None:
    """Take a check-in back, while the paper is not opened."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        await service.undo_check_in(act, sitting, data.reason)


@post("/api/hall/sittings/{sitting:str}/collect", guards=[LEAD], status_code=204)
async def collect(sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http) -> None:
    """Collect one opened paper before its end."""
    async with site.acting(login_of(request)) as act:
        await service.collect(act, sitting, data.reason, site.identity)


@post("/api/hall/sittings/{sitting:str}/absent", guards=[FLOOR], status_code=204)
async def absent(sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http) -> None:
    """Enter a candidate as absent, after the room's bell."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        await service.mark_absent(act, sitting, data.reason)


@post("/api/hall/sittings/{sitting:str}/reseat", guards=[LEAD], status_code=204)
async def reseat(sitting: FromPath[str], data: JSONBody[bodies.Reseat], site: Here, request: Http) -> None:
    """Move a candidate to a free seat."""
    async with site.acting(login_of(request)) as act:
        await service.reseat(act, sitting, data.room, data.seat, data.reason)


@post("/api/hall/sittings/{sitting:str}/void", guards=[CHIEF], status_code=204)
async def void(sitting: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http) -> None:
    """Void an opened sitting: counted as present, never scored."""
    async with site.acting(login_of(request)) as act:
        await service.void(act, sitting, data.reason)


@post("/api/hall/slots/{slot:str}/seals", guards=[CHIEF])
async def seals(slot: FromPath[str], site: Here, request: Http) -> SealsShown:
    """Record that the seals were shown whole; opens the way to the start opening."""
    async with site.acting(login_of(request)) as act:
        shown = await service.show_seals(act, slot, site.identity)
        return SealsShown(shown.papers, shown.code)


@post("/api/hall/slots/{slot:str}/bell", guards=[CHIEF])
async def bell(slot: FromPath[str], data: JSONBody[bodies.Bell], site: Here, request: Http) -> Rung:
    """Strike the bell, for rooms or for the hall: the intention is committed first, then the act."""
    login = login_of(request)
    async with site.acting(login) as act:
        rooms = await service.intend_bell(act, slot, data.rooms, site.start_keys)
    async with site.acting(login) as act:
        rung = await service.ring_bell(act, slot, rooms, site.start_keys, site.identity)
    async with site.db.reading() as session:
        times = await delivery.slot_times(session, slot)
        waiting = {s.time_room for s in await delivery.sittings(session, slot)} - set(times.bells)
    if not waiting:
        site.start_keys.forget(slot)
    return Rung(rung)


@post("/api/hall/slots/{slot:str}/time", guards=[LEAD], status_code=204)
async def time(slot: FromPath[str], data: JSONBody[bodies.Allowance], site: Here, request: Http) -> None:
    """Give extra time, a delay or a credit."""
    async with site.acting(login_of(request)) as act:
        extent = await _extent(act.session, slot, data.room, data.sitting)
        await service.allow(act, extent, data.kind, data.seconds, data.reason)


@post("/api/hall/slots/{slot:str}/pause", guards=[LEAD], status_code=204)
async def pause(slot: FromPath[str], data: JSONBody[bodies.Halt], site: Here, request: Http) -> None:
    """Halt a sitting, a room or the slot."""
    async with site.acting(login_of(request)) as act:
        await service.pause(act, await _extent(act.session, slot, data.room, data.sitting), data.reason)


@post("/api/hall/slots/{slot:str}/resume", guards=[LEAD], status_code=204)
async def resume(slot: FromPath[str], data: JSONBody[bodies.Halt], site: Here, request: Http) -> None:
    """End a halt."""
    async with site.acting(login_of(request)) as act:
        await service.resume(act, await _extent(act.session, slot, data.room, data.sitting), data.reason)


@post("/api/hall/slots/{slot:str}/message", guards=[FLOOR], status_code=204)
async def message(slot: FromPath[str], data: JSONBody[bodies.Words], site: Here, request: Http) -> None:
    """Show words to candidates; an invigilator in his own room only."""
    login = login_of(request)
    async with site.acting(login) as act:
        extent = await _extent(act.session, slot, data.room, data.sitting)
        if data.sitting is not None:
            await require_sitting(act.session, login, data.sitting)
        else:
            require_room(login, data.room)
        await service.message(act, extent, data.text)


@post("/api/hall/slots/{slot:str}/cancel", guards=[CHIEF], status_code=204)
async def cancel(slot: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http) -> None:
    """Cancel a slot before its first bell."""
    async with site.acting(login_of(request)) as act:
        await service.cancel(act, slot, data.reason)


@post("/api/hall/slots/{slot:str}/close", guards=[CHIEF], status_code=204)
async def close(slot: FromPath[str], site: Here, request: Http) -> None:
    """Close a slot whose counts close; otherwise the first gap is named."""
    async with site.acting(login_of(request)) as act:
        await service.close_slot(act, slot)


@post("/api/hall/slots/{slot:str}/steps/{code:str}", guards=[FLOOR], status_code=204)
async def tick(
    slot: FromPath[str], code: FromPath[str], data: JSONBody[bodies.Tick], site: Here, request: Http
) -> None:
    """Tick a step of the run sheet."""
    login = login_of(request)
    if data.room is not None:
        require_room(login, data.room)
    async with site.acting(login) as act:
        await runsheet_service.tick(act, site.pack, slot, code, data.room, data.second, data.note)
        await announce(act.session, service.TOPIC, slot)


@post("/api/hall/slots/{slot:str}/incidents", guards=[FLOOR])
async def incident(
    slot: FromPath[str], data: JSONBody[bodies.NewIncident], site: Here, request: Http
) -> Made:
    """Record an incident; a finding on a candidate waits for a second person."""
    login = login_of(request)
    if data.kind not in IncidentKind.__members__.values():
        raise BadInput("incident-kind", kind=data.kind)
    async with site.acting(login) as act:
        room = data.room
        if data.sitting is not None:
            sitting = await delivery.sitting(act.session, data.sitting)
            if sitting.slot != slot:
                raise NotFound("sitting-unknown", sitting=data.sitting)
            room = sitting.room
        require_room(login, room)
        made = await incident_service.record_incident(
            act,
            slot,
            IncidentKind(data.kind),
            data.note,
            room=room,
            sitting=data.sitting,
            alert=data.alert,
        )
        await announce(act.session, service.TOPIC, slot)
    return Made(made)


@post("/api/hall/incidents/{incident:str}/settle", guards=[FLOOR])
async def settle(incident: FromPath[str], data: JSONBody[bodies.Settle], site: Here, request: Http) -> State:
    """Confirm or dismiss a finding as its second person; only chief and deputy confirm, and an invigilator dismisses
    in his own room only."""
    login = login_of(request)
    async with site.acting(login) as act:
        kept = await act.session.get(IncidentRow, incident)
        if kept is not None:
            require_room(login, kept.room)
        state = await incident_service.settle_incident(
            act, incident, IncidentEvent(data.event), data.reason, chief=leads(login)
        )
        await announce(act.session, service.TOPIC, incident)
    return State(state)


@post("/api/hall/incidents/{incident:str}/report", guards=[LEAD], status_code=204)
async def report(incident: FromPath[str], data: JSONBody[bodies.Reported], site: Here, request: Http) -> None:
    """Note an urgent report: who was told, when, and their receipt."""
    async with site.acting(login_of(request)) as act:
        await incident_service.report_incident(act, incident, data.told, data.receipt)


@post("/api/hall/alerts/{key:str}", guards=[FLOOR])
async def alert(key: FromPath[str], data: JSONBody[bodies.AlertAct], site: Here, request: Http) -> State:
    """Confirm, dismiss or note a camera alert; one on a candidate is confirmed by two people."""
    login = login_of(request)
    async with site.acting(login) as act:
        before = await proctor.alert(act.session, key)
        if before is not None:
            require_room(login, before.room_id)
        after = await decide_alert(act, key, AlertVerb(data.act), data.note)
        await announce(act.session, service.TOPIC, key)
    seen = next((a for a in site.feed.snapshot().alerts if a.key == key), None)
    site.feed.put_alert(after, seen.picture if seen is not None else False)
    return State(after.state)


@post("/api/hall/slots/{slot:str}/rooms/{room:str}/record", guards=[FLOOR])
async def make_record(slot: FromPath[str], room: FromPath[str], site: Here, request: Http) -> Made:
    """Keep a version of the room record as it stands."""
    login = login_of(request)
    require_room(login, room)
    async with site.acting(login) as act:
        return Made(await record_service.make_record(act, site.identity, slot, room))


@post("/api/hall/records/{record:str}/sign", guards=[FLOOR], status_code=204)
async def sign_record(record: FromPath[str], data: JSONBody[bodies.Sign], site: Here, request: Http) -> None:
    """Sign a room record with a second name beside one's own; an invigilator his own room's only."""
    login = login_of(request)
    async with site.acting(login) as act:
        kept = await act.session.get(RoomRecordRow, record)
        if kept is not None:
            require_room(login, kept.room)
        await record_service.sign_record(act, record, data.second)


@delete("/api/hall/slots/{slot:str}/calls/{call:str}", guards=[FLOOR])
async def answer_call(slot: FromPath[str], call: FromPath[str], site: Here, request: Http) -> None:
    """Note that somebody went to the candidate who called; an invigilator in his own room only."""
    login = login_of(request)
    async with site.acting(login) as act:
        kept = await act.session.get(CallRow, call)
        if kept is not None:
            await require_sitting(act.session, login, kept.sitting)
        await service.answer_call(act, call, slot)


async def _extent(session: Any, slot: str, room: str | None, sitting: str | None) -> Extent:
    """Return what an act reaches; NotFound when the sitting is not of the slot."""
    if sitting is not None and (await delivery.sitting(session, sitting)).slot != slot:
        raise NotFound("sitting-unknown", sitting=sitting)
    return Extent(slot, room, sitting)


ROUTES = [
    prepare,
    check_in,
    undo_check_in,
    collect,
    absent,
    reseat,
    void,
    seals,
    bell,
    time,
    pause,
    resume,
    message,
    cancel,
    close,
    tick,
    incident,
    settle,
    report,
    alert,
    make_record,
    sign_record,
    answer_call,
]
