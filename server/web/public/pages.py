"""Pages for anybody: directory, notices, one notice with its objection form, the certificate check."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Template

from server.affairs import yearly_service
from server.errors import NotFound
from server.keys.signing import fingerprint
from server.publicity import service as publicity
from server.web.pages import page
from server.web.public.acts import (
    Http,
    address_of,
    directory_of,
    look_up,
    notice_detail,
    notices_of,
)
from server.web.public.limits import limits_of
from server.web.site import Site

Here = NamedDependency[Site]


class ObjectionForm(msgspec.Struct, frozen=True):
    """The objection form of a notice's page."""

    row: str
    text: Annotated[str, msgspec.Meta(max_length=2000)]
    contact: Annotated[str, msgspec.Meta(max_length=200)]


@get("/public")
async def overview(request: Http, site: Here) -> Template:
    """Show the directory, the notices and the certificate check."""
    async with site.db.reading() as session:
        directory = await directory_of(session)
        notices = await notices_of(session)
        yearly = await yearly_service.notice_years(session)
    key = site.identity.signing.public
    return page(
        request,
        "public/overview.html",
        directory=directory,
        notices=notices,
        yearly=yearly,
        key=key.hex(),
        fingerprint=fingerprint(key),
    )


@get("/public/notices/{plan:str}")
async def notice_page(plan: FromPath[str], request: Http, site: Here) -> Template:
    """Show one notice, masked, with the objection form while its period runs."""
    return await _notice(request, site, plan, None)


@post("/public/notices/{plan:str}")
async def object_page(
    plan: FromPath[str], data: URLEncodedBody[ObjectionForm], request: Http, site: Here
) -> Template:
    """Take in an objection from the form and show its number."""
    limits_of(request).objections.take(address_of(request), site.clock.monotonic())
    async with site.acting("public:objection") as act:
        objection = await publicity.raise_objection(act, plan, data.row, data.text, data.contact)
        await publicity.forward_objection(act, site.identity, objection)
    return await _notice(request, site, plan, objection.id)


@get("/public/certificate")
async def certificate_page(
    request: Http, site: Here, number: FromQuery[str | None] = None, name: FromQuery[str | None] = None
) -> Template:
    """Show the form of the certificate check and, when asked, what was found."""
    found, document, missing = None, "", False
    if number and name:
        try:
            found, document = await look_up(site, request, number, name)
        except NotFound:
            missing = True
    return page(
        request,
        "public/certificate.html",
        found=found,
        document=document,
        missing=missing,
        number=number or "",
        name=name or "",
    )


async def _notice(request: Http, site: Site, plan: str, raised: str | None) -> Template:
    async with site.db.reading() as session:
        detail = await notice_detail(session, plan)
    running = site.clock.legal() < detail.notice.ends_at
    return page(
        request,
        "public/notice.html",
        notice=detail.notice,
        rows=detail.rows,
        running=running,
        raised=raised,
    )


ROUTES_OF_PAGES = [overview, notice_page, object_page, certificate_page]
