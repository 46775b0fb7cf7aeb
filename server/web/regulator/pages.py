"""Pages of the officers: what waits for them, the earliest date first, and the cases and leads."""

from dataclasses import dataclass
from datetime import date, datetime

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import correction_store, plans, service, store
from server.affairs.corrections import Approver
from server.affairs.plans import PlanEvent, PlanState
from server.errors import NotFound, NotPermitted
from server.law.pack import Pack
from server.law.workdays import Period, legal_day
from server.publicity import store as notices
from server.publicity.notice import upload_until
from server.registry import filing, filing_service
from server.registry import store as registry
from server.registry.filing import FilingState
from server.web.organisation.scope import Http, login_of
from server.web.pages import page
from server.web.regulator.acts import CITY, EITHER, OFFICERS
from server.web.site import Site

Here = NamedDependency[Site]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for an officer: what, about whom, and by when (None: no date is set)."""

    code: str
    about: str
    due: date | None
    address: str
    step: str | None

    def overdue(self, today: date) -> bool:
        """Tell whether the date lies behind."""
        return self.due is not None and self.due < today


@get("/regulator", guards=[OFFICERS])
async def inbox(request: Http, site: Here) -> Template:
    """Show what waits, the earliest date first."""
    now = site.clock.legal()
    async with site.db.reading() as session:
        waiting = [
            *await _filings(session, site.pack),
            *await _plans(session, site.pack),
            *await _results(session, site.pack),
            *await _cases(session),
            *await _corrections(session),
        ]
        leads = await registry.leads(session)
        today_plans = await _of_today(session, legal_day(now))
    return page(
        request,
        "regulator/inbox.html",
        waiting=sorted(waiting, key=lambda one: (one.due is None, one.due or date.max, one.about)),
        leads=leads,
        plans_today=today_plans,
        today=legal_day(now),
    )


@get("/regulator/cases", guards=[OFFICERS])
async def cases(request: Http, site: Here) -> Template:
    """Show all cases and the organisations with their standing."""
    async with site.db.reading() as session:
        found = await registry.cases(session)
        organisations = await store.organisations(session)
    grounds = {one.code: one.text for one in site.pack.violations}
    return page(
        request,
        "regulator/cases.html",
        cases=found,
        organisations=organisations,
        names={one.id: one.name for one in organisations},
        grounds=grounds,
    )


@post("/regulator/plans/{plan:str}/accept", guards=[CITY])
async def accept(plan: FromPath[str], request: Http, site: Here) -> Redirect:
    """Accept a filed plan from the inbox."""
    async with site.acting(login_of(request)) as act:
        await service.accept_plan(act, plan)
    return Redirect("/regulator", status_code=303)


_FILING_STEPS = {
    "recommend": filing_service.recommend,
    "evaluate": filing_service.evaluate,
    "notice": filing_service.publish_notice,
    "publish": filing_service.publish,
}


@post("/regulator/filings/{which:str}/{step:str}", guards=[EITHER])
async def step_filing(which: FromPath[str], step: FromPath[str], request: Http, site: Here) -> Redirect:
    """Take a filing's next step from the inbox, by the officer whose desk it is; the letter goes by its form."""
    verb = _FILING_STEPS.get(step)
    if verb is None:
        raise NotFound("not-found")
    login = login_of(request)
    if filing.DESKS[filing.FilingEvent(step)] not in login.roles:
        raise NotPermitted("not-permitted")
    async with site.acting(login) as act:
        if verb is filing_service.recommend:
            await filing_service.recommend(act, which, login.scope)
        else:
            await verb(act, which)
    return Redirect("/regulator", status_code=303)


_FILING_WAITS: dict[FilingState, tuple[str, str | None]] = {
    FilingState.APPLIED: ("wait-filing-recommend", "recommend"),
    FilingState.RECOMMENDED: ("wait-filing-evaluate", "evaluate"),
    FilingState.EVALUATED: ("wait-filing-notice", "notice"),
    FilingState.NOTICED: ("wait-filing-letter", None),
    FilingState.FILED: ("wait-filing-publish", "publish"),
}


async def _filings(session: AsyncSession, pack: Pack) -> list[Waiting]:
    found = []
    for one in await filing_service.filings(session):
        if one.state not in _FILING_WAITS:
            continue
        code, step = _FILING_WAITS[one.state]
        due = None
        if one.state is FilingState.NOTICED and one.noticed_at is not None:
            due = legal_day(filing.notice_period(pack, one.noticed_at).end)
        address = f"/regulator/filings/{one.id}/{step}" if step else ""
        found.append(Waiting(code, one.name, due, address, step))
    return found


async def _plans(session: AsyncSession, pack: Pack) -> list[Waiting]:
    found = []
    for plan in await store.plans(session):
        if plan.state != PlanState.FILED:
            continue
        first = plans.first_day(await store.slots(session, plan.id))
        due = next(one.latest for one in plans.deadlines(pack, plan, first) if one.event is PlanEvent.CONFIRM)
        found.append(
            Waiting("wait-plan-accept", plan.name, due, f"/regulator/plans/{plan.id}/accept", "accept")
        )
    return found


async def _results(session: AsyncSession, pack: Pack) -> list[Waiting]:
    found = []
    for row in await notices.notices(session):
        if await registry.uploads(session, row.plan):
            continue
        plan = await store.plan(session, row.plan)
        if (await notices.notice(session, row.plan)).number == row.number:
            due = upload_until(pack, Period(row.first_day, row.last_day))
            found.append(Waiting("wait-result", plan.name, due, "", None))
    return found


async def _cases(session: AsyncSession) -> list[Waiting]:
    names = {one.id: one.name for one in await store.organisations(session)}
    return [
        Waiting("wait-case", names[one.organisation], one.defence_until, "/regulator/cases", None)
        for one in await registry.cases(session)
        if one.decided_at is None
    ]


async def _corrections(session: AsyncSession) -> list[Waiting]:
    """Corrections that the procedure, or an upload made since, leaves to the authority."""
    found: dict[str, Waiting] = {}
    for one in await correction_store.waiting(session):
        plan = await store.plan(session, one.plan)
        procedure = await correction_store.procedure(session, plan.organisation, one.procedure)
        ours = procedure.rules[one.period].approver is Approver.AUTHORITY
        if ours or await registry.uploads(session, one.plan):
            address = f"/organisation/plans/{plan.id}/corrections"
            found[plan.id] = Waiting("wait-correction", plan.name, None, address, None)
    return list(found.values())


async def _of_today(session: AsyncSession, today: date) -> list[tuple[str, datetime, str]]:
    found = []
    for plan in await store.plans(session):
        for slot in await store.slots(session, plan.id):
            if slot.day == today and plan.state == PlanState.PACKED:
                found.append((plan.name, slot.starts_at, slot.place))
    return sorted(found, key=lambda one: one[1])


ROUTES_OF_PAGES = [inbox, cases, accept, step_filing]
