"""What the hall shows over JSON: slots, one slot as the board sees it, sheets to print."""

import json
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.conduct import record_service, store
from server.conduct.counts import slot_gaps
from server.conduct.tally import slot_counts
from server.delivery import store as delivery
from server.delivery.facts import CallFact
from server.errors import NotPermitted
from server.protocol.board import Snapshot
from server.web.guards import requires
from server.web.hall.board import VIEWERS
from server.web.hall.scope import for_reader, login_of, reads_words
from server.web.hall.snapshot import snapshot
from server.web.site import Site

Here = NamedDependency[Site]


class SlotLine(msgspec.Struct, frozen=True):
    """One slot of this centre; `outcome` is closed, cancelled, or None while open."""

    id: str
    plan: str
    plan_name: str
    occupation: str
    level: int
    subject: str
    place: str
    starts_at: datetime
    minutes: int
    candidates: int
    outcome: str | None


class RecordView(msgspec.Struct, frozen=True):
    """One version of a room record; `body` as it was counted, times in UTC."""

    id: str
    room: str
    version: int
    made_at: datetime
    made_by: str
    code: str
    body: dict[str, Any]
    signed_by: str | None
    second: str | None
    signed_at: datetime | None


class GapView(msgspec.Struct, frozen=True):
    """An equation that does not hold."""

    code: str
    left: int
    right: int


@get("/api/hall/slots", guards=[requires(*VIEWERS, Role.CUSTODIAN, Role.EXAMINER, Role.MARKER)])
async def slots(site: Here) -> list[SlotLine]:
    """Return every slot at this centre, in order of plan and start."""
    async with site.db.reading() as session:
        closures = await store.closures(session)
        lines = []
        for plan in await affairs.plans(session):
            people = await affairs.candidates(session, plan.id)
            for slot in await affairs.slots(session, plan.id):
                closure = closures.get(slot.id)
                lines.append(
                    SlotLine(
                        id=slot.id,
                        plan=plan.id,
                        plan_name=plan.name,
                        occupation=plan.occupation,
                        level=plan.level,
                        subject=slot.subject,
                        place=slot.place,
                        starts_at=slot.starts_at,
                        minutes=slot.minutes,
                        candidates=sum(1 for person in people if slot.subject in person.subjects),
                        outcome=closure.outcome if closure else None,
                    )
                )
    return lines


@get("/api/hall/slots/{slot:str}", guards=[requires(*VIEWERS)])
async def slot(slot: FromPath[str], site: Here, request: Request[Any, Any, Any]) -> Snapshot:
    """Return the board's snapshot of a slot, as the socket would send it to this account (`id` 0, no epoch)."""
    return for_reader(login_of(request), await snapshot(site, slot))


@get("/api/hall/slots/{slot:str}/calls", guards=[requires(*VIEWERS)])
async def calls(slot: FromPath[str], site: Here) -> tuple[CallFact, ...]:
    """Return the candidates' open calls, oldest first."""
    async with site.db.reading() as session:
        return await delivery.calls(session, slot)


@get("/api/hall/slots/{slot:str}/gaps", guards=[requires(*VIEWERS)])
async def gaps(slot: FromPath[str], site: Here) -> list[GapView]:
    """Return every equation of the slot that does not hold now."""
    async with site.db.reading() as session:
        return [GapView(gap.code, gap.left, gap.right) for gap in slot_gaps(await slot_counts(session, slot))]


@get("/api/hall/slots/{slot:str}/records", guards=[requires(*VIEWERS)])
async def records(slot: FromPath[str], site: Here, request: Request[Any, Any, Any]) -> list[RecordView]:
    """Return every kept version of the records of those rooms about whose candidates the account may read."""
    login = login_of(request)
    async with site.db.reading() as session:
        kept = await store.records(session, slot)
    return [
        RecordView(
            r.id,
            r.room,
            r.version,
            r.made_at,
            r.made_by,
            r.code,
            json.loads(r.body),
            r.signed_by,
            r.second,
            r.signed_at,
        )
        for r in kept
        if reads_words(login, r.room)
    ]


@get("/api/hall/slots/{slot:str}/rooms/{room:str}/record", guards=[requires(*VIEWERS)])
async def room_count(
    slot: FromPath[str], room: FromPath[str], site: Here, request: Request[Any, Any, Any]
) -> dict[str, Any]:
    """Return the room's record as it would be made now, to those who may read about its candidates; nothing is
    kept."""
    if not reads_words(login_of(request), room):
        raise NotPermitted("findings-not-yours", room=room)
    async with site.db.reading() as session:
        record = await record_service.count_room(session, slot, room, site.clock.legal())
    return record_service.record_body(record)


ROUTES = [slots, slot, calls, gaps, records, room_count]
