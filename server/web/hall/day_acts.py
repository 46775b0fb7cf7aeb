"""Acts of a day that does not go as planned, over JSON: halt and continuation, breaks, undo, lost time.

Halt, continuation and the undo of a voiding are the chief's; other undos the chief's or the deputy's; a break is
an invigilator's too, in the room of his account, and so is the undo of an absence there.
"""

from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.conduct import hall_service
from server.conduct.hall_service import CreditProposal
from server.delivery import command_store
from server.delivery.facts import Extent
from server.errors import NotPermitted
from server.web.guards import requires
from server.web.hall import bodies
from server.web.hall.acts import CHIEF, FLOOR
from server.web.hall.board import VIEWERS
from server.web.hall.scope import leads, login_of, require_sitting
from server.web.site import Site

Http = Request[Any, Any, Any]
Here = NamedDependency[Site]


TOGETHER = 20
"""Papers that one transaction of a collection takes in."""


class Halted(msgspec.Struct, frozen=True):
    """How many sittings were halted, and the rooms that were halted before and need a continuation of their own."""

    sittings: int
    before: tuple[str, ...]


class Collected(msgspec.Struct, frozen=True):
    """How many papers came in by this act."""

    sittings: int


class Out(msgspec.Struct, frozen=True):
    """Whole seconds that a candidate was out of the seat."""

    seconds: int


class Corrected(msgspec.Struct, frozen=True):
    """The id of the correcting act."""

    id: str


@post("/api/hall/slots/{slot:str}/halt", guards=[CHIEF])
async def halt(slot: FromPath[str], data: JSONBody[bodies.HallHalt], site: Here, request: Http) -> Halted:
    """Halt a room or the slot for a disaster; everybody leaves."""
    async with site.acting(login_of(request)) as act:
        halted = await hall_service.halt(act, Extent(slot, data.room), data.reason)
    return Halted(len(halted.sittings), halted.before)


@post("/api/hall/slots/{slot:str}/continuation", guards=[CHIEF], status_code=204)
async def plan_continuation(
    slot: FromPath[str], data: JSONBody[bodies.Continuation], site: Here, request: Http
) -> None:
    """Name when a halted exam shall go on."""
    async with site.acting(login_of(request)) as act:
        await hall_service.plan_continuation(act, Extent(slot, data.room), data.starts_at, data.reason)


@post("/api/hall/slots/{slot:str}/continue", guards=[CHIEF], status_code=204)
async def continue_exam(
    slot: FromPath[str], data: JSONBody[bodies.HallHalt], site: Here, request: Http
) -> None:
    """Give the bell of a continuation."""
    async with site.acting(login_of(request)) as act:
        await hall_service.continue_exam(act, Extent(slot, data.room), data.reason)


@post("/api/hall/slots/{slot:str}/collect", guards=[CHIEF])
async def collect_all(
    slot: FromPath[str], data: JSONBody[bodies.HallHalt], site: Here, request: Http
) -> Collected:
    """Collect every open paper of a room or the slot now, in short transactions."""
    login, collected = login_of(request), 0
    async with site.acting(login) as act:
        sittings = await hall_service.order_collection(act, Extent(slot, data.room), data.reason)
    for start in range(0, len(sittings), TOGETHER):
        async with site.acting(login) as act:
            collected += await hall_service.collect_some(
                act, sittings[start : start + TOGETHER], site.identity
            )
    return Collected(collected)


@post("/api/hall/sittings/{sitting:str}/leave", guards=[FLOOR], status_code=204)
async def leave(sitting: FromPath[str], data: JSONBody[bodies.Leave], site: Here, request: Http) -> None:
    """Let a candidate out with an escort."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        await hall_service.leave_seat(act, sitting, data.escort, data.reason)


@post("/api/hall/sittings/{sitting:str}/return", guards=[FLOOR])
async def come_back(sitting: FromPath[str], site: Here, request: Http) -> Out:
    """Record that a candidate is back in the seat."""
    login = login_of(request)
    async with site.acting(login) as act:
        await require_sitting(act.session, login, sitting)
        return Out(await hall_service.return_to_seat(act, sitting))


@post("/api/hall/acts/{act_id:str}/undo", guards=[FLOOR])
async def undo(act_id: FromPath[str], data: JSONBody[bodies.Why], site: Here, request: Http) -> Corrected:
    """Take an act back; both acts stay and name each other."""
    login = login_of(request)
    async with site.acting(login) as act:
        found = await command_store.command(act.session, act_id)
        if found.kind == "void" and Role.CHIEF not in login.roles:
            raise NotPermitted("undo-chief")
        if not leads(login):
            if found.kind != "absent" or found.sitting is None:
                raise NotPermitted("undo-chief")
            await require_sitting(act.session, login, found.sitting)
        return Corrected(await hall_service.undo(act, act_id, data.reason))


@get("/api/hall/slots/{slot:str}/lost-time", guards=[requires(*VIEWERS)])
async def lost_time(slot: FromPath[str], site: Here) -> tuple[CreditProposal, ...]:
    """Return what the heartbeat ledger proposes as credit; a person grants it with the time act."""
    async with site.db.reading() as session:
        return await hall_service.credit_proposals(session, slot, site.clock.legal())


ROUTES = [halt, plan_continuation, continue_exam, collect_all, leave, come_back, undo, lost_time]
