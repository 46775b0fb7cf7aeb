"""The yearly texts of an organisation, over JSON and as a page, and the year's notice for anybody."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, JSONBody
from litestar.response import Redirect, Template

from server.accounts.roles import Role
from server.affairs import store, yearly, yearly_service
from server.affairs.yearly import NOTICE, SECTIONS, Lodged
from server.errors import BadInput, NotFound, Refusal, Refused
from server.law.workdays import legal_day
from server.web.guards import requires
from server.web.organisation.scope import Http, login_of, own_organisation, require_organisation
from server.web.pages import page
from server.web.site import Site

ORGANISATION = requires(Role.ORGANISATION)
STAFF = requires(Role.ORGANISATION, Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR)

Here = NamedDependency[Site]
LONGEST_SECTION, LONGEST_TEXT = 20_000, 100_000
Section = Annotated[str, msgspec.Meta(max_length=LONGEST_SECTION)]


class YearlyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text for a year: `text`, or the six sections of a year's notice in order (see `affairs.yearly.SECTIONS`)."""

    code: Annotated[str, msgspec.Meta(max_length=40)]
    year: int
    text: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""
    sections: tuple[Section, ...] = ()


class LodgedView(msgspec.Struct, frozen=True):
    """One lodged text."""

    code: str
    year: int
    version: int
    text: str
    sha256: str
    late: bool
    lodged_at: datetime
    lodged_by: str


class DueView(msgspec.Struct, frozen=True):
    """One text that is due, with its last day."""

    code: str
    article: str
    year: int
    latest: date
    lodged: bool
    missed: bool


class YearlyView(msgspec.Struct, frozen=True):
    """What is due and what was lodged."""

    due: tuple[DueView, ...]
    lodged: tuple[LodgedView, ...]


def _view(one: Lodged) -> LodgedView:
    return LodgedView(
        one.code, one.year, one.version, one.text, one.sha256.hex(), one.late, one.lodged_at, one.lodged_by
    )


def _text(code: str, text: str, sections: tuple[str, ...]) -> str:
    if code != NOTICE:
        return text
    found = yearly.notice_text(sections)
    if isinstance(found, Refusal):
        raise Refused(found)
    return found


@get("/api/organisations/{organisation:str}/yearly", guards=[STAFF])
async def list_yearly(organisation: FromPath[str], site: Here, request: Http) -> YearlyView:
    """Show what an organisation must lodge next, and what it lodged."""
    require_organisation(login_of(request), organisation)
    today = legal_day(site.clock.legal())
    async with site.db.reading() as session:
        found = await yearly_service.lodged(session, organisation)
    due = tuple(
        DueView(one.code, one.article, one.year, one.latest, one.lodged is not None, one.missed(today))
        for one in yearly.dues(site.pack, found, today)
    )
    return YearlyView(due, tuple(_view(one) for one in found))


@post("/api/organisations/{organisation:str}/yearly", guards=[ORGANISATION])
async def lodge(
    organisation: FromPath[str], data: JSONBody[YearlyBody], site: Here, request: Http
) -> LodgedView:
    """Lodge the overall plan or the notice of a year; a late one is taken and marked late."""
    login = login_of(request)
    require_organisation(login, organisation)
    text = _text(data.code, data.text, data.sections)
    async with site.acting(login) as act:
        return _view(await yearly_service.lodge(act, site.pack, organisation, data.code, data.year, text))


@get("/organisation/yearly", guards=[ORGANISATION])
async def yearly_page(request: Http, site: Here) -> Template:
    """Show what is due by which day, with a form for each, and what was lodged."""
    today = legal_day(site.clock.legal())
    async with site.db.reading() as session:
        found = await yearly_service.lodged(session, own_organisation(login_of(request)))
    return page(
        request,
        "organisation/yearly.html",
        dues=yearly.dues(site.pack, found, today),
        lodged=found,
        titles={one.code: one.title for one in site.pack.yearly},
        sections=SECTIONS,
        notice=NOTICE,
        today=today,
    )


@post("/organisation/yearly", guards=[ORGANISATION])
async def lodge_from_page(
    request: Http,
    data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
    site: Here,
) -> Redirect:
    """Lodge a text for a year from its page."""
    login, code, year = login_of(request), data.get("code", ""), data.get("year", "")
    if not year.isdecimal() or len(year) > 4:
        raise BadInput("bad-input", reason="year")
    whole, sections = data.get("text", ""), tuple(data.get(one, "") for one in SECTIONS)
    if len(whole) > LONGEST_TEXT or any(len(one) > LONGEST_SECTION for one in sections):
        raise BadInput("bad-input", reason="text")
    text = _text(code, whole, sections)
    async with site.acting(login) as act:
        await yearly_service.lodge(act, site.pack, own_organisation(login), code, int(year), text)
    return Redirect("/organisation/yearly", status_code=303)


@get("/public/yearly/{organisation:str}")
async def public_notice(organisation: FromPath[str], request: Http, site: Here) -> Template:
    """Show an organisation's newest notice of the year to anybody."""
    async with site.db.reading() as session:
        found = await yearly_service.newest_notice(session, organisation)
        if found is None:
            raise NotFound("not-found")
        name = (await store.organisation(session, organisation)).name
    return page(request, "public/yearly.html", name=name, notice=found)


ROUTES_OF_YEARLY: list[Any] = [list_yearly, lodge, yearly_page, lodge_from_page, public_notice]
