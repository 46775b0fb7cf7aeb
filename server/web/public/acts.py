"""What anybody may ask and do over JSON: directory, notices, objections, certificate look-up."""

from asyncio import to_thread
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from server.affairs import store as affairs
from server.clock import SHANGHAI
from server.errors import NotFound
from server.law.workdays import Period
from server.publicity import service as publicity
from server.publicity import store as notices
from server.registry import filing_service
from server.registry import store as registry
from server.registry.certificate_paper import pdf
from server.registry.filing import FilingState
from server.registry.transparency import PublicCertificate, public_certificate
from server.web.catalogue import language_of, say
from server.web.organisation.views import OccupationView
from server.web.pages import TEMPLATES
from server.web.public.limits import limits_of
from server.web.site import Site

_FONTS = TEMPLATES.parent / "static" / "fonts"

Here = NamedDependency[Site]
Http = Request[Any, Any, Any]


class DirectoryView(msgspec.Struct, frozen=True):
    """One organisation of the public directory."""

    organisation: str
    name: str
    code: str
    address: str
    letter: str
    scope: tuple[OccupationView, ...]
    status: str


class NoticeView(msgspec.Struct, frozen=True):
    """One notice; `ends_at` is the end of its period, exclusive: 24:00 of the last day."""

    plan: str
    plan_name: str
    organisation: str
    occupation: str
    level: int
    number: int
    published_at: datetime
    first_day: date
    last_day: date
    ends_at: datetime
    journal_head: str


class NoticeLine(msgspec.Struct, frozen=True):
    """One masked row; `id` names it in an objection."""

    id: str
    ticket: str
    name: str
    theory: float | None
    practical: float | None
    review: float | None
    result: str


class NoticeDetail(msgspec.Struct, frozen=True):
    """One notice with its masked rows."""

    notice: NoticeView
    rows: tuple[NoticeLine, ...]


class ObjectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An objection to one row."""

    row: str
    text: Annotated[str, msgspec.Meta(max_length=2000)]
    contact: Annotated[str, msgspec.Meta(max_length=200)]


class Raised(msgspec.Struct, frozen=True):
    """An objection that was taken in."""

    id: str
    state: str


class CertificateCheck(msgspec.Struct, frozen=True):
    """A certificate as anybody may see it; `document` is the signed form, empty when revoked."""

    number: str
    name: str
    occupation: str
    occupation_code: str
    level: int
    organisation: str
    state: str
    issued_at: datetime | None
    reason: str
    document: str


async def directory_of(session: AsyncSession) -> list[DirectoryView]:
    """Return the published organisations with their standing, and those terminated."""
    shown = []
    for filing in await filing_service.filings(session):
        if filing.state not in (FilingState.PUBLISHED, FilingState.TERMINATED) or filing.letter_at is None:
            continue
        standing = await affairs.standing(session, filing.organisation)
        shown.append(
            DirectoryView(
                filing.organisation,
                filing.name,
                filing.credit_code,
                filing.address,
                filing.letter_number,
                tuple(OccupationView(one.code, one.name, one.level) for one in filing.occupations),
                standing.status,
            )
        )
    return shown


async def notices_of(session: AsyncSession) -> list[NoticeView]:
    """Return the newest notice of every plan, newest first."""
    shown: dict[str, NoticeView] = {}
    for row in await notices.notices(session):
        if row.plan in shown and shown[row.plan].number > row.number:
            continue
        plan = await affairs.plan(session, row.plan)
        organisation = await affairs.organisation(session, plan.organisation)
        shown[row.plan] = NoticeView(
            plan.id,
            plan.name,
            organisation.name,
            plan.occupation,
            plan.level,
            row.number,
            row.published_at,
            row.first_day,
            row.last_day,
            Period(row.first_day, row.last_day).end,
            row.journal_head,
        )
    return list(shown.values())


async def notice_detail(session: AsyncSession, plan: str) -> NoticeDetail:
    """Return the newest notice of a plan with its masked rows; NotFound before it is published."""
    row = await notices.current_notice_row(session, plan)
    if row is None:
        raise NotFound("notice-unknown", plan=plan)
    header = next(one for one in await notices_of(session) if one.plan == plan)
    lines = await notices.public_outcomes(session, row.id)
    return NoticeDetail(
        header,
        tuple(
            NoticeLine(one.id, one.ticket, one.name, one.theory, one.practical, one.review, one.result)
            for one in lines
        ),
    )


async def look_up(site: Site, request: Http, number: str, name: str) -> tuple[PublicCertificate, str]:
    """Return a certificate and its signed form; the same NotFound for a wrong number and a wrong name."""
    limits_of(request).look_ups.take(address_of(request), site.clock.monotonic())
    async with site.db.reading() as session:
        try:
            row = await registry.certificate_row(session, number.strip().upper())
        except NotFound:
            raise NotFound("certificate-not-found") from None
        shown = public_certificate(registry.certificate_fact(row), name)
        if shown is None:
            raise NotFound("certificate-not-found")
        return shown, row.document if shown.state == "issued" else ""


def address_of(request: Http) -> str:
    """Return the address a request came from."""
    return request.client.host if request.client is not None else "unknown"


@get("/api/directory")
async def directory(site: Here) -> list[DirectoryView]:
    """List the filed organisations."""
    async with site.db.reading() as session:
        return await directory_of(session)


@get("/api/notices")
async def list_notices(site: Here) -> list[NoticeView]:
    """List the notices, newest first."""
    async with site.db.reading() as session:
        return await notices_of(session)


@get("/api/notices/{plan:str}")
async def show_notice(plan: FromPath[str], site: Here) -> NoticeDetail:
    """Show one notice, masked."""
    async with site.db.reading() as session:
        return await notice_detail(session, plan)


@post("/api/notices/{plan:str}/objections")
async def object_to(plan: FromPath[str], data: JSONBody[ObjectionBody], site: Here, request: Http) -> Raised:
    """Raise an objection to one published row; anybody may."""
    limits_of(request).objections.take(address_of(request), site.clock.monotonic())
    async with site.acting("public:objection") as act:
        objection = await publicity.raise_objection(act, plan, data.row, data.text, data.contact)
        await publicity.forward_objection(act, site.identity, objection)
        return Raised(objection.id, objection.state)


@get("/api/certificates/check")
async def check_certificate(
    number: FromQuery[str], name: FromQuery[str], site: Here, request: Http
) -> CertificateCheck:
    """Look up one certificate by number and name."""
    shown, document = await look_up(site, request, number, name)
    return CertificateCheck(
        shown.number,
        shown.name,
        shown.occupation,
        shown.occupation_code,
        shown.level,
        shown.organisation,
        shown.state,
        shown.issued_at,
        shown.reason,
        document,
    )


@get("/api/certificates/paper")
async def certificate_paper(
    number: FromQuery[str], name: FromQuery[str], site: Here, request: Http
) -> Response[bytes]:
    """Give the printable certificate as PDF to whoever knows number and name."""
    shown, document = await look_up(site, request, number, name)
    if not document or shown.issued_at is None:
        raise NotFound("certificate-not-found")
    language = language_of(request)
    fields: tuple[str, ...] = (
        "title",
        "name",
        "number",
        "occupation",
        "level",
        "theory",
        "practical",
        "review",
    )
    fields += ("organisation", "issued", "authority", "verify", "key")
    labels = {field: say(language, f"certificate-{field}") for field in fields}
    labels["subtitle"] = say(language, "certificate-subtitle")
    labels["level_name"] = say(language, f"level-{shown.level}")
    labels["issued_day"] = f"{shown.issued_at.astimezone(SHANGHAI):%Y-%m-%d}"
    data = await to_thread(pdf, document.encode(), labels, _FONTS)
    return Response(
        data,
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{shown.number}.pdf"'},
    )


ACTS = [directory, list_notices, show_notice, object_to, check_certificate, certificate_paper]
