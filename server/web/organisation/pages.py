"""Pages of an organisation: its filing, its plans with the deadlines ahead, and what blocks each."""

import re
from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template

from server.accounts.roles import Role
from server.affairs import roster_service, service, store
from server.affairs.plans import PlanState
from server.errors import BadInput, NotFound
from server.publicity import store as notices
from server.registry import filing_service
from server.registry import store as registry
from server.web.catalogue import language_of
from server.web.guards import requires
from server.web.organisation import views
from server.web.organisation.acts import ORGANISATION, plan_detail
from server.web.organisation.scope import Http, login_of, own_organisation, own_plan
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
_ROOT = re.compile(r"[0-9a-f]{64}")

_NEXT = {
    PlanState.DRAFT: "file",
    PlanState.RETURNED: "file",
    PlanState.ACCEPTED: "confirm",
    PlanState.CONFIRMED: "candidates",
}
"""The step that a page offers in each state."""


@get("/organisation", guards=[ORGANISATION])
async def overview(request: Http, site: Here) -> Template:
    """Show the organisation's filing, standing and plans, the nearest open deadline first."""
    organisation = own_organisation(login_of(request))
    now, language = site.clock.legal(), language_of(request)
    async with site.db.reading() as session:
        filings = await filing_service.filings(session, organisation)
        details = [
            await plan_detail(session, site, plan, now, language)
            for plan in await store.plans(session, organisation)
        ]
        root = await store.lodged_bank_root(session, organisation)
        cases = [one for one in await registry.cases(session, organisation) if one.decided_at is None]
    return page(
        request,
        "organisation/overview.html",
        filings=[views.filing_view(one) for one in filings],
        plans=sorted(details, key=_nearest),
        next_of=next_deadline,
        cases=cases,
        root=root,
        now=now,
    )


@get(
    "/organisation/plans/{plan:str}", guards=[requires(Role.ORGANISATION, Role.CITY_OFFICER, Role.SUPERVISOR)]
)
async def plan_page(plan: FromPath[str], request: Http, site: Here) -> Template:
    """Show one plan: steps with their dates, slots, rooms, staff, counts, objections."""
    now, language = site.clock.legal(), language_of(request)
    async with site.db.reading() as session:
        found = await own_plan(session, login_of(request), plan)
        detail = await plan_detail(session, site, found, now, language)
        candidates = await store.candidates(session, plan)
        staff = await store.staff(session, plan)
        counts = views.counts_view(await registry.counts(session, plan), language)
        objections = await notices.objections(session, plan)
        notice = await notices.current_notice_row(session, plan)
    return page(
        request,
        "organisation/plan.html",
        plan=detail,
        candidates=candidates,
        staff=staff,
        counts=counts,
        objections=objections,
        notice=notice,
        next_step=_NEXT.get(PlanState(found.state)),
    )


@post("/organisation/plans/{plan:str}/{step:str}", guards=[ORGANISATION])
async def take_step(plan: FromPath[str], step: FromPath[str], request: Http, site: Here) -> Redirect:
    """Take the next step of a plan from its page: file, confirm, or confirm the candidates."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        if step == "file":
            await service.file_plan(act, site.pack, plan)
        elif step == "confirm":
            await service.confirm_plan(act, site.pack, plan)
        elif step == "candidates":
            await roster_service.confirm_candidates(act, site.pack, plan)
        else:
            raise NotFound("not-found")
    return Redirect(f"/organisation/plans/{plan}", status_code=303)


@post("/organisation/bank-root", guards=[ORGANISATION])
async def lodge_root(request: Http, data: Form, site: Here) -> Redirect:
    """Lodge the root of the organisation's item bank from its page, as the centre's page of the bank shows it."""
    login = login_of(request)
    text = "".join(data.get("root", "").split()).lower()
    if _ROOT.fullmatch(text) is None:
        raise BadInput("bank-root-form")
    async with site.acting(login) as act:
        await service.lodge_bank_root(act, own_organisation(login), bytes.fromhex(text))
    return Redirect("/organisation", status_code=303)


def next_deadline(plan: views.PlanView) -> views.DeadlineView | None:
    """Return the earliest step that is not done, or None when all are."""
    return next((one for one in plan.deadlines if one.done_at is None), None)


def _nearest(plan: views.PlanView) -> tuple[bool, str]:
    due = next_deadline(plan)
    return (due is None, due.latest.isoformat() if due else "")


ROUTES_OF_PAGES = [overview, plan_page, take_step, lodge_root]
