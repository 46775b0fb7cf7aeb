"""The check of a blueprint on a page of the centre: each cell beside what the bank has for it; nothing is opened."""

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from server.accounts.roles import Role
from server.errors import BadInput
from server.itembank import store
from server.itembank.blueprint import Blueprint, read_blueprint
from server.itembank.feasibility import CellShortage
from server.papers.trial import BlueprintCheck
from server.papers.trial_process import check_apart
from server.web.catalogue import language_of, say
from server.web.desk.scope import Http
from server.web.guards import requires
from server.web.pages import page
from server.web.site import Site

Here = NamedDependency[Site]
CHECKERS = requires(Role.CHIEF, Role.CUSTODIAN, Role.EXAM_OFFICE)
LARGEST = 200_000
"""Bytes of a blueprint."""
MOST_PAPERS = 20_000


@get("/bank/{bank:str}/blueprint", guards=[CHECKERS])
async def blueprint_page(bank: FromPath[str], request: Http, site: Here) -> Template:
    """Show the form for a blueprint."""
    return await _page(request, site, bank, None, None, 30)


@post(
    "/bank/{bank:str}/blueprint", guards=[CHECKERS], request_max_body_size=LARGEST + 65_536, status_code=200
)
async def check_page(bank: FromPath[str], request: Http, site: Here) -> Template:
    """Check the blueprint of a file (TOML) for so many candidates, and show cell by cell what is short."""
    form = await request.form()
    file, asked = form.get("file"), str(form.get("papers") or "")
    if not isinstance(file, UploadFile) or not file.filename:
        raise BadInput("file-missing")
    data = await file.read()
    if len(data) > LARGEST:
        raise BadInput("file-too-large", bytes=len(data), limit=LARGEST)
    papers = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 8 else 0
    if not 1 <= papers <= MOST_PAPERS:
        raise BadInput("bad-input", reason=f"papers: 1 to {MOST_PAPERS}")
    blueprint = read_blueprint(data)
    url = site.settings.database_url
    found = await check_apart(site.trials, site.db, url, bank, data.decode(), papers)
    return await _page(request, site, bank, blueprint, found, papers)


async def _page(
    request: Http,
    site: Site,
    bank: str,
    blueprint: Blueprint | None,
    found: BlueprintCheck | None,
    papers: int,
) -> Template:
    async with site.db.reading() as session:
        held = await store.bank(session, bank)
        have = await store.bank_coverage(session, bank)
    short: dict[object, list[CellShortage]] = {}
    for one in found.short if found is not None else ():
        short.setdefault(one.key, []).append(one)
    cells = blueprint.cells if blueprint is not None else ()
    refusal = found.refusal if found is not None else None
    return page(
        request,
        "desk/blueprint.html",
        bank=held,
        blueprint=blueprint,
        check=found,
        papers=papers,
        most=MOST_PAPERS,
        rows=[(cell, have.get(cell.key, 0), short.get(cell.key, [])) for cell in cells],
        missing=sum(one.missing for one in found.short) if found is not None else 0,
        reason="" if refusal is None else say(language_of(request), refusal.code, refusal.facts),
    )


ROUTES = [blueprint_page, check_page]
