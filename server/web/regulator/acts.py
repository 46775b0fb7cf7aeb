"""The acts of officers over JSON: filings, plans, spot checks, certificates, cases."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from server.accounts.roles import Role
from server.affairs import change_service, packaging, service, spot_check_service
from server.db.act import Act
from server.registry import case_service, certificate_service, filing_service
from server.registry import store as registry
from server.registry.certificates import BodyCode
from server.registry.enforcement import CaseEvent
from server.registry.filing_service import Letter
from server.web.guards import requires
from server.web.organisation import views
from server.web.organisation.bodies import ReasonBody
from server.web.organisation.scope import Http, login_of
from server.web.regulator import bodies
from server.web.site import Site

CITY = requires(Role.CITY_OFFICER)
DISTRICT = requires(Role.DISTRICT_OFFICER)
EITHER = requires(Role.CITY_OFFICER, Role.DISTRICT_OFFICER)
OFFICERS = requires(Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR)

Here = NamedDependency[Site]


class ViolationView(msgspec.Struct, frozen=True):
    """One ground of the catalogue."""

    code: str
    tier: str
    article: str
    zh: str
    en: str


@post("/api/filings/{filing:str}/recommend", guards=[DISTRICT])
async def recommend(filing: FromPath[str], site: Here, request: Http) -> views.FilingView:
    """The district recommends an application to the city."""
    login = login_of(request)
    async with site.acting(login) as act:
        return views.filing_view(await filing_service.recommend(act, filing, login.scope))


@post("/api/filings/{filing:str}/evaluate", guards=[CITY])
async def evaluate(filing: FromPath[str], site: Here, request: Http) -> views.FilingView:
    """The city records that its evaluation was passed."""
    async with site.acting(login_of(request)) as act:
        return views.filing_view(await filing_service.evaluate(act, filing))


@post("/api/filings/{filing:str}/notice", guards=[CITY])
async def publish_notice(filing: FromPath[str], site: Here, request: Http) -> views.FilingView:
    """The city publishes its intention to file."""
    async with site.acting(login_of(request)) as act:
        return views.filing_view(await filing_service.publish_notice(act, filing))


@post("/api/filings/{filing:str}/letter", guards=[CITY])
async def issue_letter(
    filing: FromPath[str], data: JSONBody[bodies.LetterBody], site: Here, request: Http
) -> views.FilingView:
    """Issue the filing letter; the centre's keys in it become those of a trusted peer."""
    letter = Letter(
        data.number,
        data.valid_until,
        BodyCode(data.kind, data.ministry, data.province, data.body),
        data.second,
        data.centre_signing,
        data.centre_receiving,
        data.centre_tls,
    )
    async with site.acting(login_of(request)) as act:
        return views.filing_view(await filing_service.issue_letter(act, site.pack, filing, letter))


@post("/api/filings/{filing:str}/publish", guards=[CITY])
async def publish(filing: FromPath[str], site: Here, request: Http) -> views.FilingView:
    """Put a filed organisation into the public directory."""
    async with site.acting(login_of(request)) as act:
        return views.filing_view(await filing_service.publish(act, filing))


@post("/api/filings/{filing:str}/refuse", guards=[EITHER])
async def refuse(
    filing: FromPath[str], data: JSONBody[ReasonBody], site: Here, request: Http
) -> views.FilingView:
    """Refuse an application in writing."""
    async with site.acting(login_of(request)) as act:
        return views.filing_view(await filing_service.refuse(act, filing, data.reason))


@post("/api/plans/{plan:str}/accept", guards=[CITY])
async def accept_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """Accept a filed plan."""
    async with site.acting(login_of(request)) as act:
        return views.plan_view(await service.accept_plan(act, plan))


@post("/api/plans/{plan:str}/return", guards=[CITY])
async def return_plan(
    plan: FromPath[str], data: JSONBody[ReasonBody], site: Here, request: Http
) -> views.PlanView:
    """Send a plan back with the reason."""
    async with site.acting(login_of(request)) as act:
        return views.plan_view(await service.return_plan(act, plan, data.reason))


@post("/api/changes/{change:str}/file", guards=[CITY])
async def file_change(change: FromPath[str], site: Here, request: Http) -> views.ChangeView:
    """File a change; a packed plan's centre is sent a correction."""
    async with site.acting(login_of(request)) as act:
        return views.change_view(await change_service.file_change(act, site.pack, site.identity, change))


@post("/api/changes/{change:str}/refuse", guards=[CITY])
async def refuse_change(
    change: FromPath[str], data: JSONBody[ReasonBody], site: Here, request: Http
) -> views.ChangeView:
    """Refuse a change with the reason."""
    async with site.acting(login_of(request)) as act:
        return views.change_view(await change_service.refuse_change(act, change, data.reason))


@post("/api/plans/{plan:str}/stop", guards=[CITY])
async def stop_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """End a plan whose rooms and staff came too late."""
    async with site.acting(login_of(request)) as act:
        return views.plan_view(await service.stop_plan(act, site.pack, plan))


@post("/api/plans/{plan:str}/spot-check/commitment", guards=[EITHER])
async def commit_spot_check(plan: FromPath[str], site: Here, request: Http) -> views.SpotCheckView:
    """Commit to a secret for the spot check."""
    async with site.acting(login_of(request)) as act:
        return views.spot_check_view(await spot_check_service.commit_spot_check(act, plan))


@post("/api/plans/{plan:str}/spot-check/draw", guards=[EITHER])
async def draw_spot_check(plan: FromPath[str], site: Here, request: Http) -> views.SpotCheckView:
    """Draw the candidates to be checked."""
    async with site.acting(login_of(request)) as act:
        return views.spot_check_view(await spot_check_service.draw_spot_check(act, site.pack, plan))


@post("/api/plans/{plan:str}/spot-check/report", guards=[EITHER])
async def report_spot_check(
    plan: FromPath[str], data: JSONBody[bodies.SpotCheckBody], site: Here, request: Http
) -> views.SpotCheckView:
    """Report the result of the spot check."""
    async with site.acting(login_of(request)) as act:
        return views.spot_check_view(
            await spot_check_service.report_spot_check(act, plan, data.unqualified, data.reason)
        )


@get("/api/plans/{plan:str}/spot-check", guards=[OFFICERS])
async def show_spot_check(plan: FromPath[str], site: Here) -> views.SpotCheckView:
    """Show a plan's spot check."""
    async with site.db.reading() as session:
        return views.spot_check_view(await spot_check_service.spot_check_of(session, plan))


@post("/api/plans/{plan:str}/certificates/issue", guards=[CITY])
async def issue_certificates(plan: FromPath[str], site: Here, request: Http) -> views.CertificatesView:
    """File and sign every numbered certificate of a plan; a chunk at a time until none is left."""
    login = login_of(request)
    made: list[views.CertificateView] = []
    while True:
        async with site.acting(login) as act:
            chunk = await certificate_service.issue_certificates(act, site.identity, site.settings.name, plan)
        if not chunk:
            return views.CertificatesView(tuple(made))
        made.extend(views.certificate_view(one) for one in chunk)


@post("/api/certificates/{number:str}/revoke", guards=[CITY])
async def revoke_certificate(
    number: FromPath[str], data: JSONBody[bodies.RevocationBody], site: Here, request: Http
) -> views.CertificateView:
    """Revoke a certificate for good, naming the clause."""
    async with site.acting(login_of(request)) as act:
        return views.certificate_view(
            await certificate_service.revoke_certificate(act, number, data.article, data.reason)
        )


@get("/api/violations", guards=[OFFICERS])
async def violations(site: Here) -> list[ViolationView]:
    """List the catalogue of grounds."""
    return [
        ViolationView(one.code, one.tier, one.article, one.text.zh, one.text.en)
        for one in site.pack.violations
    ]


@get("/api/cases", guards=[OFFICERS])
async def cases(site: Here) -> list[views.CaseView]:
    """List all cases, newest first."""
    async with site.db.reading() as session:
        return [views.case_view(one) for one in await registry.cases(session)]


@get("/api/leads", guards=[OFFICERS])
async def leads(site: Here) -> list[views.LeadView]:
    """List all leads, newest first."""
    async with site.db.reading() as session:
        return [views.lead_view(one) for one in await registry.leads(session)]


@post("/api/cases", guards=[EITHER])
async def open_case(data: JSONBody[bodies.CaseBody], site: Here, request: Http) -> views.CaseView:
    """Open a case; the organisation is suspended and its centre told at once."""
    async with site.acting(login_of(request)) as act:
        case = await case_service.open_case(
            act, site.pack, data.organisation, data.violation, data.suspicion, data.lead
        )
        await _tell_centre(act, site, case.organisation)
        return views.case_view(case)


@post("/api/cases/{case:str}/finding", guards=[CITY])
async def find(
    case: FromPath[str], data: JSONBody[bodies.FindingBody], site: Here, request: Http
) -> views.CaseView:
    """Record the written finding and its receipt."""
    async with site.acting(login_of(request)) as act:
        return views.case_view(await case_service.find(act, site.pack, case, data.finding, data.received_on))


@post("/api/cases/{case:str}/decision", guards=[CITY])
async def decide(
    case: FromPath[str], data: JSONBody[bodies.DecisionBody], site: Here, request: Http
) -> views.CaseView:
    """Decide a case; the new standing goes to the centre."""
    async with site.acting(login_of(request)) as act:
        decided = await case_service.decide(act, site.pack, case, CaseEvent(data.outcome), data.decision)
        await _tell_centre(act, site, decided.organisation)
        return views.case_view(decided)


async def _tell_centre(act: Act, site: Site, organisation: str) -> None:
    await packaging.pack_standing(act, site.identity, organisation)


ACTS = [
    recommend,
    evaluate,
    publish_notice,
    issue_letter,
    publish,
    refuse,
    accept_plan,
    return_plan,
    stop_plan,
    file_change,
    refuse_change,
    commit_spot_check,
    draw_spot_check,
    report_spot_check,
    show_spot_check,
    issue_certificates,
    revoke_certificate,
    violations,
    cases,
    leads,
    open_case,
    find,
    decide,
]
