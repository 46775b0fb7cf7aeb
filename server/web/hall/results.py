"""The plan's counts and results at the centre over JSON, and the packages that carry them to the registry."""

from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.affairs import store as affairs
from server.conduct.counts import Counts, Gap, gaps
from server.packages.contents import NoticeRow
from server.publicity import outgoing
from server.scoring.practical_service import reopen_form
from server.scoring.results import results
from server.web.guards import requires
from server.web.hall.bodies import Why
from server.web.site import Site

Here = NamedDependency[Site]
OFFICE = requires(Role.EXAM_OFFICE, Role.CHIEF)
READERS = requires(Role.EXAM_OFFICE, Role.CHIEF, Role.QUALITY, Role.SUPERVISOR)


class CountsView(msgspec.Struct, frozen=True):
    """All counts of a plan, and every gap by name; `closed` when there is none and the result is uploaded."""

    counts: Counts
    gaps: tuple[Gap, ...]
    closed: bool


class Packed(msgspec.Struct, frozen=True):
    """The package that was made; it stands in the outbox until the registry acknowledges it."""

    package: str
    bytes: int


class HeldBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Candidates whose result is held by an objection or a case, each with its reason."""

    held: dict[str, Annotated[str, msgspec.Meta(min_length=1, max_length=500)]] = {}


@get("/api/plans/{plan:str}/counts", guards=[READERS])
async def plan_counts(plan: FromPath[str], site: Here) -> CountsView:
    """Return every count of a plan at this centre, and every gap."""
    async with site.db.reading() as session:
        await affairs.plan(session, plan)
        counted = await outgoing.counts(session, plan)
    found = gaps(counted)
    return CountsView(counted, found, not found and counted.total.uploaded is not None)


@get("/api/plans/{plan:str}/results", guards=[READERS])
async def plan_results(plan: FromPath[str], site: Here) -> tuple[NoticeRow, ...]:
    """Return every candidate's result; refused while one is open, with the ticket named."""
    async with site.db.reading() as session:
        await affairs.plan(session, plan)
        return await results(session, plan)


@post("/api/plans/{plan:str}/notice", guards=[OFFICE])
async def notice(plan: FromPath[str], site: Here, request: Request[Any, Any, Any]) -> Packed:
    """Make the notice package for the registry."""
    async with site.acting(request.user) as act:
        package = await outgoing.build_notice(act, site.identity, plan)
    return Packed(package.id, len(package.bytes))


@post("/api/plans/{plan:str}/result", guards=[OFFICE])
async def result(
    plan: FromPath[str], data: JSONBody[HeldBack], site: Here, request: Request[Any, Any, Any]
) -> Packed:
    """Make the result package for the registry, without the rows that are held."""
    async with site.acting(request.user) as act:
        package = await outgoing.build_result(act, site.identity, plan, data.held)
    return Packed(package.id, len(package.bytes))


@post("/api/practical/{slot:str}/reopen", guards=[requires(Role.CHIEF)], status_code=204)
async def reopen(
    slot: FromPath[str], data: JSONBody[Why], site: Here, request: Request[Any, Any, Any]
) -> None:
    """Open a closed practical form again for a correction with its cause."""
    async with site.acting(request.user) as act:
        await reopen_form(act, slot, data.reason)


ROUTES = [plan_counts, plan_results, notice, result, reopen]
