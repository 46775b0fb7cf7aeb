"""The acts of an organisation over JSON: filing, plan, enrolment, arrangement, draw terms, package, objections."""

import hashlib
from datetime import datetime

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.affairs import change_service, packaging, plans, roster_service, service, store
from server.affairs.enrolment import Proof
from server.affairs.facts import Plan
from server.affairs.roster_service import Applicant, RoomDraft, StaffDraft
from server.affairs.service import PlanDraft, SlotDraft
from server.errors import NotFound
from server.packages import outbox
from server.publicity import service as publicity
from server.publicity import store as notices
from server.publicity.models import ObjectionRow
from server.publicity.objections import ObjectionEvent
from server.registry import case_service, certificate_service, filing_service
from server.registry import store as registry
from server.registry.filing import Statement
from server.registry.filing_service import Application, Occupation, Venue
from server.web.catalogue import Language, language_of
from server.web.guards import requires
from server.web.organisation import bodies, views
from server.web.organisation.scope import (
    Http,
    login_of,
    own_organisation,
    own_plan,
    require_organisation,
)
from server.web.site import Site

ORGANISATION = requires(Role.ORGANISATION)
STAFF = requires(Role.ORGANISATION, Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR)
_ENROL_CHUNK = 100

Here = NamedDependency[Site]


class Done(msgspec.Struct, frozen=True):
    """An act that needs no further answer."""

    state: str


@post("/api/filings", guards=[ORGANISATION])
async def apply(data: JSONBody[bodies.ApplicationBody], site: Here, request: Http) -> views.FilingView:
    """Apply for filing; the account's scope becomes the organisation's id."""
    login = login_of(request)
    application = Application(
        data.name,
        data.credit_code,
        data.district,
        data.address,
        data.representative,
        tuple(Occupation(one.code, one.name, one.level) for one in data.occupations),
        tuple(Venue(one.name, one.address, one.seats) for one in data.venues),
        tuple((one.name, one.role) for one in data.staff),
        Statement(data.answers, data.barred, data.materials),
    )
    async with site.acting(login) as act:
        return views.filing_view(
            await filing_service.apply(act, site.pack, own_organisation(login), application)
        )


@post("/api/filings/{filing:str}/withdraw", guards=[ORGANISATION])
async def withdraw_filing(filing: FromPath[str], site: Here, request: Http) -> views.FilingView:
    """Withdraw the own application."""
    login = login_of(request)
    async with site.acting(login) as act:
        found = await filing_service.filing(act.session, filing)
        require_organisation(login, found.organisation)
        return views.filing_view(await filing_service.withdraw(act, filing))


@get("/api/filings", guards=[STAFF])
async def filings(site: Here, request: Http) -> list[views.FilingView]:
    """List filings: an organisation its own, officers all."""
    login = login_of(request)
    own = own_organisation(login) if Role.ORGANISATION in login.roles else None
    async with site.db.reading() as session:
        return [views.filing_view(one) for one in await filing_service.filings(session, own)]


@post("/api/plans", guards=[ORGANISATION])
async def draft_plan(data: JSONBody[bodies.PlanBody], site: Here, request: Http) -> views.PlanView:
    """Write down a plan; it is not filed yet."""
    login = login_of(request)
    draft = PlanDraft(
        data.short_name,
        data.occupation,
        data.occupation_code,
        data.level,
        data.site_district,
        data.contact,
        data.statement,
        tuple(
            SlotDraft(
                one.subject,
                one.method,
                one.starts_at,
                one.minutes,
                one.pass_mark,
                one.total,
                one.place,
                one.early,
                one.late,
                one.entry,
            )
            for one in data.slots
        ),
        data.purpose,
    )
    async with site.acting(login) as act:
        plan = await service.draft_plan(act, site.pack, own_organisation(login), draft)
        return await plan_detail(act.session, site, plan, act.now, language_of(request))


@get("/api/plans", guards=[STAFF])
async def list_plans(site: Here, request: Http) -> list[views.PlanView]:
    """List plans: an organisation its own, officers all."""
    login = login_of(request)
    own = own_organisation(login) if Role.ORGANISATION in login.roles else None
    async with site.db.reading() as session:
        return [views.plan_view(plan) for plan in await store.plans(session, own)]


@get("/api/plans/{plan:str}", guards=[STAFF])
async def show_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """Show one plan with its slots, deadlines and what blocks it."""
    async with site.db.reading() as session:
        found = await own_plan(session, login_of(request), plan)
        return await plan_detail(session, site, found, site.clock.legal(), language_of(request))


@post("/api/plans/{plan:str}/file", guards=[ORGANISATION])
async def file_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """File a plan with the city."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        return views.plan_view(await service.file_plan(act, site.pack, plan))


@post("/api/plans/{plan:str}/confirm", guards=[ORGANISATION])
async def confirm_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """Confirm an accepted plan."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        return views.plan_view(await service.confirm_plan(act, site.pack, plan))


@post("/api/plans/{plan:str}/withdraw", guards=[ORGANISATION])
async def withdraw_plan(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """Withdraw a plan before its candidates are confirmed."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        return views.plan_view(await service.withdraw_plan(act, plan))


@post("/api/plans/{plan:str}/candidates", guards=[ORGANISATION])
async def enrol(
    plan: FromPath[str], data: JSONBody[bodies.EnrolBody], site: Here, request: Http
) -> views.EnrolView:
    """Enrol people; each row that is not accepted says why. Long lists go in several transactions."""
    login = login_of(request)
    language = language_of(request)
    people = [
        Applicant(
            one.name,
            one.id_kind,
            one.id_number,
            one.condition,
            one.committed,
            one.subjects,
            tuple(
                Proof(proof.code, proof.reference, proof.dated, proof.checked, proof.certified)
                for proof in one.proofs
            ),
        )
        for one in data.candidates
    ]
    accepted: list[views.CandidateView] = []
    refused: list[views.RefusedRow] = []
    for start in range(0, len(people), _ENROL_CHUNK):
        async with site.acting(login) as act:
            await own_plan(act.session, login, plan)
            report = await roster_service.enrol(act, plan, people[start : start + _ENROL_CHUNK])
        accepted.extend(views.candidate_view(one) for one in report.accepted)
        refused.extend(
            views.RefusedRow(start + row, views.reason(language, refusal)) for row, refusal in report.refused
        )
    return views.EnrolView(tuple(accepted), tuple(refused))


@get("/api/plans/{plan:str}/candidates", guards=[STAFF])
async def candidates(plan: FromPath[str], site: Here, request: Http) -> list[views.CandidateView]:
    """List the candidates of a plan."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return [views.candidate_view(one) for one in await store.candidates(session, plan)]


@post("/api/plans/{plan:str}/candidates/confirm", guards=[ORGANISATION])
async def confirm_candidates(plan: FromPath[str], site: Here, request: Http) -> views.PlanView:
    """Confirm all enrolled candidates."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        await roster_service.confirm_candidates(act, site.pack, plan)
        found = await store.plan(act.session, plan)
        return await plan_detail(act.session, site, found, act.now, language_of(request))


@post("/api/plans/{plan:str}/arrangement", guards=[ORGANISATION])
async def arrange(
    plan: FromPath[str], data: JSONBody[bodies.ArrangementBody], site: Here, request: Http
) -> views.ArrangementView:
    """Import rooms and staff; every candidate gets a seat."""
    login = login_of(request)
    rooms = [RoomDraft(one.number, one.name, one.seats) for one in data.rooms]
    staff = [StaffDraft(one.name, one.role, one.room, one.username, one.recused) for one in data.staff]
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        warnings = await roster_service.import_arrangement(
            act, site.pack, plan, rooms, staff, data.override_reason
        )
        seats = [
            seat
            for slot in await store.slots(act.session, plan)
            for seat in await store.seating(act.session, slot.id)
        ]
    language = language_of(request)
    return views.ArrangementView(
        tuple(room.number for room in rooms),
        len(seats),
        tuple(views.reason(language, warning) for warning in warnings),
    )


@get("/api/plans/{plan:str}/seating", guards=[STAFF])
async def seating(plan: FromPath[str], site: Here, request: Http) -> list[views.SeatView]:
    """List every sitting's seat."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return [
            views.seat_view(seat)
            for slot in await store.slots(session, plan)
            for seat in await store.seating(session, slot.id)
        ]


@post("/api/plans/{plan:str}/commitment", guards=[ORGANISATION])
async def commit_draw(
    plan: FromPath[str], data: JSONBody[bodies.CommitmentBody], site: Here, request: Http
) -> Done:
    """Lodge the centre's commitment; the registry's nonce is made now and goes out in the exam package."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        await service.lodge_commitment(act, plan, bytes.fromhex(data.commitment))
    return Done("committed")


@post("/api/organisations/{organisation:str}/bank-root", guards=[ORGANISATION])
async def lodge_bank_root(
    organisation: FromPath[str], data: JSONBody[bodies.BankRootBody], site: Here, request: Http
) -> Done:
    """Lodge the Merkle root of the organisation's item bank."""
    login = login_of(request)
    require_organisation(login, organisation)
    async with site.acting(login) as act:
        await service.lodge_bank_root(act, organisation, bytes.fromhex(data.root))
    return Done("lodged")


@post("/api/plans/{plan:str}/package", guards=[requires(Role.ORGANISATION, Role.CITY_OFFICER)])
async def pack_exam(plan: FromPath[str], site: Here, request: Http) -> views.PackageView:
    """Make the exam package for the organisation's centre."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        outgoing = await packaging.pack_exam(act, site.identity, plan)
    return views.PackageView(outgoing.id, hashlib.sha256(outgoing.bytes).hexdigest(), len(outgoing.bytes))


@get("/api/plans/{plan:str}/package", guards=[requires(Role.ORGANISATION, Role.CITY_OFFICER)])
async def exam_package(plan: FromPath[str], site: Here, request: Http) -> Response[bytes]:
    """Give the newest exam package of a plan as a file, to be carried to the centre."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        made = [one for one in await outbox.outgoing(session, plan) if one.kind in ("exam", "correction")]
        if not made:
            raise NotFound("package-unknown")
        data = await outbox.outgoing_bytes(session, made[-1].id)
    return Response(
        data,
        media_type="application/octet-stream",
        headers={"content-disposition": f'attachment; filename="{made[-1].id}.gongyuan"'},
    )


@post("/api/plans/{plan:str}/changes", guards=[ORGANISATION])
async def ask_change(
    plan: FromPath[str], data: JSONBody[bodies.ChangeBody], site: Here, request: Http
) -> views.ChangeView:
    """Ask the city for a slot's new time or place."""
    login = login_of(request)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        change = await change_service.ask_change(
            act, site.pack, plan, data.slot, data.starts_at, data.place, data.reason
        )
        return views.change_view(change)


@get("/api/plans/{plan:str}/changes", guards=[STAFF])
async def list_changes(plan: FromPath[str], site: Here, request: Http) -> list[views.ChangeView]:
    """List the changes of a plan."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return [views.change_view(one) for one in await change_service.changes(session, plan)]


@get("/api/plans/{plan:str}/counts", guards=[STAFF])
async def counts(plan: FromPath[str], site: Here, request: Http) -> views.CountsView:
    """Show the counts of a plan and the first gap."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return views.counts_view(await registry.counts(session, plan), language_of(request))


@post("/api/plans/{plan:str}/certificates", guards=[ORGANISATION])
async def number_certificates(plan: FromPath[str], site: Here, request: Http) -> views.CertificatesView:
    """Number everyone who passed; a chunk at a time until none is left."""
    login = login_of(request)
    made: list[views.CertificateView] = []
    while True:
        async with site.acting(login) as act:
            await own_plan(act.session, login, plan)
            chunk = await certificate_service.number_certificates(act, site.pack, plan)
        if not chunk:
            return views.CertificatesView(tuple(made))
        made.extend(views.certificate_view(one) for one in chunk)


@get("/api/plans/{plan:str}/certificates", guards=[STAFF])
async def list_certificates(plan: FromPath[str], site: Here, request: Http) -> views.CertificatesView:
    """List the certificates of a plan."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        found = await registry.certificates(session, plan)
    return views.CertificatesView(tuple(views.certificate_view(one) for one in found))


@get("/api/plans/{plan:str}/objections", guards=[STAFF])
async def objections(plan: FromPath[str], site: Here, request: Http) -> list[views.ObjectionView]:
    """List the objections to a plan's results."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return [views.objection_view(one) for one in await notices.objections(session, plan)]


@post("/api/objections/{objection:str}/answer", guards=[ORGANISATION])
async def answer_objection(
    objection: FromPath[str], data: JSONBody[bodies.AnswerBody], site: Here, request: Http
) -> views.ObjectionView:
    """Answer an objection in writing."""
    login = login_of(request)
    async with site.acting(login) as act:
        row = await act.session.get(ObjectionRow, objection)
        if row is None:
            raise NotFound("objection-unknown", objection=objection)
        await own_plan(act.session, login, row.plan)
        answered = await publicity.answer_objection(act, objection, ObjectionEvent(data.outcome), data.answer)
        return views.objection_view(answered)


@post("/api/cases/{case:str}/defence", guards=[ORGANISATION])
async def defend(
    case: FromPath[str], data: JSONBody[bodies.TextBody], site: Here, request: Http
) -> views.CaseView:
    """Hand in the written defence."""
    login = login_of(request)
    async with site.acting(login) as act:
        row = await registry.case_row(act.session, case)
        require_organisation(login, row.organisation)
        return views.case_view(await case_service.defend(act, case, data.text))


async def plan_detail(
    session: AsyncSession, site: Site, plan: Plan, now: datetime, language: Language
) -> views.PlanView:
    """Return a plan with its slots, deadlines, blockers, rooms and number of candidates."""
    slots = await store.slots(session, plan.id)
    dated = plans.deadlines(site.pack, plan, plans.first_day(slots)) if slots else ()
    blockers = await service.blockers(session, site.pack, plan.id, now)
    return views.plan_view(
        plan,
        slots,
        tuple(views.deadline_view(one, now) for one in dated),
        tuple(views.reason(language, one) for one in blockers),
        len(await store.candidates(session, plan.id)),
        await store.rooms(session, plan.id),
    )


ACTS = [
    apply,
    withdraw_filing,
    filings,
    draft_plan,
    list_plans,
    show_plan,
    file_plan,
    confirm_plan,
    withdraw_plan,
    enrol,
    candidates,
    confirm_candidates,
    arrange,
    seating,
    commit_draw,
    lodge_bank_root,
    pack_exam,
    exam_package,
    ask_change,
    list_changes,
    counts,
    number_certificates,
    list_certificates,
    objections,
    answer_objection,
    defend,
]
