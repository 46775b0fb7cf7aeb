"""The technician: enrolment codes of the seats as a printed list, and what is broken now."""

import html
from datetime import datetime
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy import select

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.db.journal import JournalChain
from server.delivery import seating
from server.delivery import store as delivery
from server.errors import NotFound
from server.keys.anchors import newest_anchor
from server.protocol.proctoring import CameraHealth
from server.web.catalogue import language_of, say
from server.web.guards import requires
from server.web.hall.bodies import SeatCodes
from server.web.site import Site
from server.web.technician import cameras, page

Here = NamedDependency[Site]
TECHNICIAN = requires(Role.TECHNICIAN, Role.CHIEF)


class CodeView(msgspec.Struct, frozen=True):
    """One seat's one-time enrolment code; shown once, kept only as a hash."""

    room: str
    seat: int
    code: str


class SeatHealth(msgspec.Struct, frozen=True):
    """Seats of one room: enrolled machines of the seats that the slot uses."""

    room: str
    used: int
    enrolled: int
    missing: tuple[int, ...]


class Health(msgspec.Struct, frozen=True):
    """What a technician looks at first; times are UTC, `anchored_at` None before the first anchor."""

    now: datetime
    rate: float
    database: str
    journal_chains: int
    anchored_at: datetime | None
    cameras: tuple[CameraHealth, ...]
    detectors: tuple[str, ...]


@post("/api/seats/codes", guards=[TECHNICIAN])
async def seat_codes(
    data: JSONBody[SeatCodes], site: Here, request: Request[Any, Any, Any]
) -> Response[list[CodeView]] | Response[str]:
    """Issue a fresh one-time code for every seat of rooms of a slot; unused older codes of these rooms
    become void.

    With `Accept: text/html` the answer is the list to print and cut.
    """
    async with site.acting(request.user) as act:
        slot = await affairs.slot(act.session, data.slot)
        rooms = await affairs.rooms(act.session, slot.plan)
        unknown = sorted(set(data.rooms) - {room.number for room in rooms})
        if unknown:
            raise NotFound("hall-room-unknown", room=unknown[0])
        wanted = [room for room in rooms if not data.rooms or room.number in data.rooms]
        issued = await seating.issue_seat_codes(act, wanted, data.kind)
    codes = [CodeView(code.room, code.seat, code.code) for code in issued]
    if "text/html" in request.headers.get("accept", ""):
        return Response(printed(request, codes), media_type=MediaType.HTML)
    return Response(codes)


def printed(request: Request[Any, Any, Any], codes: list[CodeView]) -> str:
    """Return the list to print: one table a room, in order of seat."""
    language = language_of(request)
    tables = []
    for room in sorted({code.room for code in codes}):
        rows = "".join(
            f"<tr><th>{code.seat}</th><td>{html.escape(code.code)}</td></tr>"
            for code in codes
            if code.room == room
        )
        heading = html.escape(say(language, "seat-codes-room", {"room": room}))
        tables.append(f"<h2>{heading}</h2><table>{rows}</table>")
    title = html.escape(say(language, "seat-codes-title"))
    lang = "zh-CN" if language == "zh" else "en"
    return (
        f'<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="stylesheet" href="/static/app.css"><h1>{title}</h1>{"".join(tables)}</html>'
    )


@get("/api/technician/health", guards=[requires(Role.TECHNICIAN, Role.CHIEF, Role.ADMINISTRATOR)])
async def health(site: Here) -> Health:
    """Return the state of the parts that a technician answers for."""
    async with site.db.reading() as session:
        chains = list(await session.scalars(select(JournalChain.id)))
        anchored = await newest_anchor(session)
    return Health(
        now=site.clock.legal(),
        rate=site.clock.rate(),
        database="SQLite" if site.db.is_sqlite else "PostgreSQL",
        journal_chains=len(chains),
        anchored_at=anchored.at if anchored else None,
        cameras=site.feed.snapshot().cameras,
        detectors=tuple(sorted(site.detectors)),
    )


@get("/api/technician/slots/{slot:str}/seats", guards=[TECHNICIAN])
async def seats(slot: FromPath[str], site: Here) -> list[SeatHealth]:
    """Return, room by room, which seats of a slot have no enrolled machine yet."""
    async with site.db.reading() as session:
        await affairs.slot(session, slot)
        places = await affairs.seating(session, slot)
        machines = {(seat.room, seat.number) for seat in await delivery.seats(session)}
    found = []
    for room in sorted({place.room for place in places}):
        used = sorted(place.seat for place in places if place.room == room)
        missing = tuple(seat for seat in used if (room, seat) not in machines)
        found.append(SeatHealth(room, len(used), len(used) - len(missing), missing))
    return found


ROUTES = [seat_codes, health, seats, *page.ROUTES, *cameras.ROUTES]
