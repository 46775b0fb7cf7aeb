"""The technician's page: which seats have no machine yet, their one-time codes to print, the cameras' health."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.affairs.facts import Slot
from server.delivery import seating
from server.delivery import store as delivery
from server.delivery.facts import SeatCode
from server.delivery.health import machines
from server.protocol.health import HealthReport
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

TECHNICIAN = requires(Role.TECHNICIAN, Role.CHIEF)
MOST_SHOWN = 200
"""Machines in trouble that the page lists; the count is of all."""


@dataclass(frozen=True, slots=True)
class RoomMachines:
    """One room of a slot: how many seats it uses, how many of them have a machine, and which have none."""

    number: str
    used: int
    enrolled: int
    missing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotMachines:
    """The rooms of one slot whose candidates sit at machines."""

    slot: Slot
    plan: str
    rooms: tuple[RoomMachines, ...]


def _fine(report: HealthReport) -> bool:
    return report.running and not report.faults and not report.restarts


@get("/technician", guards=[TECHNICIAN])
async def technician_page(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Template:
    """Show every slot's seats without a machine, and the cameras."""
    await site.health.write()
    async with site.db.reading() as session:
        slots = await _machines(session)
        reports = await machines(session)
    cameras = site.feed.snapshot().cameras
    now = site.clock.legal()
    wrong = [machine for machine in reports if machine.silent(now) or not _fine(machine.report)]
    return page(
        request,
        "technician/overview.html",
        slots=slots,
        cameras=cameras,
        reported=len(reports),
        wrong=wrong[:MOST_SHOWN],
        wrong_count=len(wrong),
        now=now,
    )


@post("/technician/codes", guards=[TECHNICIAN], status_code=200)
async def technician_codes(
    request: Request[Any, Any, Any],
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
    site: NamedDependency[Site],
) -> Template:
    """Issue fresh codes for one room of a slot and show them once, to be printed and cut."""
    number = data.get("room", "")
    async with site.acting(request.user) as act:
        slot = await affairs.slot(act.session, data.get("slot", ""))
        rooms = [room for room in await affairs.rooms(act.session, slot.plan) if room.number == number]
        codes: tuple[SeatCode, ...] = await seating.issue_seat_codes(act, rooms, data.get("kind") or None)
    return page(request, "technician/codes.html", room=number, codes=codes)


async def _machines(session: AsyncSession) -> tuple[SlotMachines, ...]:
    enrolled = {(seat.room, seat.number) for seat in await delivery.seats(session)}
    found = []
    for plan in await affairs.plans(session):
        for slot in await affairs.slots(session, plan.id):
            places = await affairs.seating(session, slot.id)
            rooms = []
            for number in sorted({place.room for place in places}):
                used = sorted(place.seat for place in places if place.room == number)
                missing = tuple(seat for seat in used if (number, seat) not in enrolled)
                rooms.append(RoomMachines(number, len(used), len(used) - len(missing), missing))
            if rooms:
                found.append(SlotMachines(slot, plan.name, tuple(rooms)))
    return tuple(found)


ROUTES = [technician_page, technician_codes]
