"""Corrections of candidates' data: the organisation's procedure and the corrections of a plan, over JSON and as pages.

The file of a proof stays with whoever keeps the archive; the page sends it once, so that its SHA-256 is taken here.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.roles import Role
from server.accounts.service import Login
from server.affairs import correction_store, store
from server.affairs.corrections import (
    POSSIBLE,
    Approver,
    Correction,
    Field,
    Period,
    PeriodRule,
    Procedure,
    period_of,
)
from server.db.act import Act
from server.errors import BadInput, NotFound
from server.registry import correction_service
from server.registry import store as registry
from server.registry.correction_service import Asked
from server.web.guards import requires
from server.web.organisation.bodies import Hex32, Line, ReasonBody
from server.web.organisation.scope import Http, login_of, own_organisation, own_plan
from server.web.pages import page
from server.web.site import Site

ORGANISATION = requires(Role.ORGANISATION)
CORRECTING = requires(Role.ORGANISATION, Role.CITY_OFFICER)
READING = requires(Role.ORGANISATION, Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR)
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]

Here = NamedDependency[Site]


class PeriodBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a procedure says of one period."""

    fields: tuple[Field, ...]
    asker: Line
    proof: Line
    approver: Approver


class ProcedureBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new version of the procedure."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
    before: PeriodBody
    during: PeriodBody
    after: PeriodBody


class CorrectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction asked for; the form of `value` by field: see `correction_service.ask`."""

    candidate: str
    field: Field
    value: Text
    reason: Text
    evidence: Text
    evidence_sha256: Hex32


class ProcedureView(msgspec.Struct, frozen=True):
    """One version of a procedure."""

    version: int
    text: str
    sha256: str
    recorded_at: datetime
    recorded_by: str
    periods: dict[str, PeriodBody]


class CorrectionView(msgspec.Struct, frozen=True):
    """One correction as it stands."""

    id: str
    plan: str
    candidate: str
    field: str
    before: str
    after: str
    period: str
    procedure: int
    procedure_sha256: str
    reason: str
    evidence: str
    evidence_sha256: str
    corrects: str | None
    state: str
    asked_at: datetime
    asked_by: str
    decided_at: datetime | None
    decided_by: str
    answer: str


def _procedure_view(one: Procedure) -> ProcedureView:
    periods = {
        period.value: PeriodBody(tuple(sorted(rule.fields)), rule.asker, rule.proof, rule.approver)
        for period, rule in one.rules.items()
    }
    return ProcedureView(one.version, one.text, one.sha256.hex(), one.recorded_at, one.recorded_by, periods)


def _view(one: Correction) -> CorrectionView:
    return CorrectionView(
        id=one.id,
        plan=one.plan,
        candidate=one.candidate,
        field=one.field,
        before=one.before,
        after=one.after,
        period=one.period,
        procedure=one.procedure,
        procedure_sha256=one.procedure_sha256.hex(),
        reason=one.reason,
        evidence=one.evidence,
        evidence_sha256=one.evidence_sha256.hex(),
        corrects=one.corrects,
        state=one.state,
        asked_at=one.asked_at,
        asked_by=one.asked_by,
        decided_at=one.decided_at,
        decided_by=one.decided_by,
        answer=one.answer,
    )


def _authority(login: Login) -> bool:
    return Role.CITY_OFFICER in login.roles


def _rule(body: PeriodBody) -> PeriodRule:
    return PeriodRule(frozenset(body.fields), body.asker, body.proof, body.approver)


@get("/api/procedures", guards=[ORGANISATION])
async def list_procedures(site: Here, request: Http) -> list[ProcedureView]:
    """List the versions of one's own organisation's procedure, newest first."""
    async with site.db.reading() as session:
        found = await correction_store.procedures(session, own_organisation(login_of(request)))
    return [_procedure_view(one) for one in found]


@post("/api/procedures", guards=[ORGANISATION])
async def record_procedure(data: JSONBody[ProcedureBody], site: Here, request: Http) -> ProcedureView:
    """Record the next version of one's own organisation's procedure."""
    login = login_of(request)
    periods = {
        Period.BEFORE: _rule(data.before),
        Period.DURING: _rule(data.during),
        Period.AFTER: _rule(data.after),
    }
    async with site.acting(login) as act:
        made = await correction_service.record_procedure(act, own_organisation(login), data.text, periods)
    return _procedure_view(made)


@get("/api/plans/{plan:str}/corrections", guards=[READING])
async def list_corrections(plan: FromPath[str], site: Here, request: Http) -> list[CorrectionView]:
    """List the corrections of a plan, the refused ones too."""
    async with site.db.reading() as session:
        await own_plan(session, login_of(request), plan)
        return [_view(one) for one in await correction_store.corrections(session, plan)]


@post("/api/plans/{plan:str}/corrections", guards=[CORRECTING])
async def ask(
    plan: FromPath[str], data: JSONBody[CorrectionBody], site: Here, request: Http
) -> CorrectionView:
    """Ask for a candidate's datum to be corrected."""
    login = login_of(request)
    proof = bytes.fromhex(data.evidence_sha256)
    asked = Asked(data.candidate, data.field, data.value, data.reason, data.evidence, proof)
    async with site.acting(login) as act:
        await own_plan(act.session, login, plan)
        return _view(await correction_service.ask(act, plan, asked, _authority(login)))


@post("/api/corrections/{correction:str}/approve", guards=[CORRECTING])
async def approve(correction: FromPath[str], site: Here, request: Http) -> CorrectionView:
    """Approve a correction that another person asked for; a packed plan's centre is sent it."""
    login = login_of(request)
    async with site.acting(login) as act:
        await _own(act.session, login, correction)
        return _view(await _approved(act, site, login, correction))


@post("/api/corrections/{correction:str}/refuse", guards=[CORRECTING])
async def refuse(
    correction: FromPath[str], data: JSONBody[ReasonBody], site: Here, request: Http
) -> CorrectionView:
    """Refuse a correction with the reason."""
    login = login_of(request)
    async with site.acting(login) as act:
        await _own(act.session, login, correction)
        return _view(await correction_service.refuse(act, correction, data.reason, _authority(login)))


@get("/organisation/procedure", guards=[ORGANISATION])
async def procedure_page(request: Http, site: Here) -> Template:
    """Show the procedure in force, the form for the next version, and the earlier ones."""
    async with site.db.reading() as session:
        found = await correction_store.procedures(session, own_organisation(login_of(request)))
    return page(
        request,
        "organisation/procedure.html",
        procedures=found,
        periods=list(Period),
        possible=POSSIBLE,
        fields=list(Field),
        approvers=list(Approver),
    )


@post("/organisation/procedure", guards=[ORGANISATION])
async def record_from_page(request: Http, site: Here) -> Redirect:
    """Record the next version of the procedure from its page."""
    login, form = login_of(request), await request.form()
    periods = {
        period: PeriodRule(
            frozenset(one for one in Field if f"{period}-{one}" in form),
            str(form.get(f"{period}-asker", "")),
            str(form.get(f"{period}-proof", "")),
            Approver.AUTHORITY if form.get(f"{period}-approver") == "authority" else Approver.ORGANISATION,
        )
        for period in Period
    }
    async with site.acting(login) as act:
        text = str(form.get("text", "")).replace("\r\n", "\n").strip()
        await correction_service.record_procedure(act, own_organisation(login), text, periods)
    return Redirect("/organisation/procedure", status_code=303)


@get("/organisation/plans/{plan:str}/corrections", guards=[READING])
async def corrections_page(plan: FromPath[str], request: Http, site: Here) -> Template:
    """Show the corrections of a plan, and the form for another where this login may ask now."""
    login = login_of(request)
    async with site.db.reading() as session:
        found = await own_plan(session, login, plan)
        candidates = await store.candidates(session, plan)
        corrections = await correction_store.corrections(session, plan)
        procedure = await correction_store.newest_procedure(session, found.organisation)
        period = period_of(await store.slots(session, plan), site.clock.legal())
        uploaded = bool(await registry.uploads(session, plan))
    asks = (Role.CITY_OFFICER if uploaded else Role.ORGANISATION) in login.roles
    return page(
        request,
        "organisation/corrections.html",
        plan=found,
        candidates=candidates,
        people={one.id: one for one in candidates},
        corrections=corrections,
        procedure=procedure,
        period=period,
        rule=procedure.rules[period] if procedure else None,
        asks=asks and procedure is not None,
        decides=not {Role.CITY_OFFICER, Role.ORGANISATION}.isdisjoint(login.roles),
        me=f"staff:{login.username}",
        uploaded=uploaded,
    )


@post("/organisation/plans/{plan:str}/corrections", guards=[CORRECTING])
async def ask_from_page(plan: FromPath[str], request: Http, site: Here) -> Redirect:
    """Ask for a correction from the page; the file of the proof is hashed and not kept."""
    login = login_of(request)
    async with site.db.reading() as session:
        await own_plan(session, login, plan)
        candidates = await store.candidates(session, plan)
    form = await request.form()
    ticket = "".join(str(form.get("ticket", "")).split())
    person = next((one for one in candidates if one.ticket == ticket), None)
    if person is None:
        raise NotFound("candidate-unknown", candidate=ticket)
    try:
        field = Field(str(form.get("field", "")))
    except ValueError as error:
        raise BadInput("bad-input", reason="field") from error
    asked = Asked(
        person.id,
        field,
        str(form.get("value", "")),
        str(form.get("reason", "")),
        str(form.get("evidence", "")),
        await _digest(form.get("file")),
    )
    async with site.acting(login) as act:
        await correction_service.ask(act, plan, asked, _authority(login))
    return Redirect(f"/organisation/plans/{plan}/corrections", status_code=303)


@post("/organisation/corrections/{correction:str}/{answer:str}", guards=[CORRECTING])
async def decide_from_page(
    correction: FromPath[str], answer: FromPath[str], request: Http, site: Here
) -> Redirect:
    """Approve or refuse a correction from the page."""
    login = login_of(request)
    async with site.db.reading() as session:
        plan = await _own(session, login, correction)
    form = await request.form()
    async with site.acting(login) as act:
        if answer == "approve":
            await _approved(act, site, login, correction)
        elif answer == "refuse":
            reason = str(form.get("reason", ""))
            await correction_service.refuse(act, correction, reason, _authority(login))
        else:
            raise NotFound("not-found")
    return Redirect(f"/organisation/plans/{plan}/corrections", status_code=303)


async def _own(session: AsyncSession, login: Login, correction: str) -> str:
    """Return the plan of a correction that this login may touch."""
    row = await correction_store.correction_row(session, correction)
    return (await own_plan(session, login, row.plan)).id


async def _approved(act: Act, site: Site, login: Login, correction: str) -> Correction:
    authority = site.settings.name
    return await correction_service.approve(act, site.identity, authority, correction, _authority(login))


async def _digest(file: Any) -> bytes:
    if not isinstance(file, UploadFile) or not file.filename:
        return b""
    return hashlib.sha256(await file.read()).digest()


ROUTES_OF_CORRECTIONS: list[Any] = [
    list_procedures,
    record_procedure,
    list_corrections,
    ask,
    approve,
    refuse,
    procedure_page,
    record_from_page,
    corrections_page,
    ask_from_page,
    decide_from_page,
]
