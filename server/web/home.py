"""The front page of a server: which pages it offers, by role and by who is signed in."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template

from server.accounts.roles import Role
from server.web.pages import page
from server.web.site import Site

_HALL = frozenset({Role.CHIEF, Role.DEPUTY, Role.INVIGILATOR, Role.QUALITY})
_MARKS = frozenset({Role.CHIEF, Role.DEPUTY, Role.EXAM_OFFICE, Role.QUALITY, Role.SUPERVISOR})
_OFFICERS = frozenset({Role.CITY_OFFICER, Role.DISTRICT_OFFICER, Role.SUPERVISOR})

_PAGES: dict[str, tuple[tuple[str, str, frozenset[Role] | None], ...]] = {
    "centre": (
        ("/exam", "home-exam", None),
        ("/hall", "home-hall", _HALL),
        ("/hall/wall", "home-wall", _HALL | {Role.TECHNICIAN, Role.EXAM_OFFICE, Role.SUPERVISOR}),
        ("/results", "home-results", _MARKS),
        ("/custody", "home-custody", frozenset({Role.CUSTODIAN, Role.CHIEF})),
        (
            "/bank",
            "home-bank",
            frozenset({Role.ITEM_WRITER, Role.ITEM_REVIEWER, Role.EXAM_OFFICE, Role.CUSTODIAN}),
        ),
        (
            "/cameras",
            "home-cameras",
            frozenset({Role.REMOTE_OFFICER, Role.CHIEF, Role.DEPUTY, Role.QUALITY, Role.SUPERVISOR}),
        ),
        ("/technician", "home-technician", frozenset({Role.TECHNICIAN, Role.CHIEF})),
    ),
    "registry": (
        ("/public", "home-public", None),
        ("/organisation", "home-organisation", frozenset({Role.ORGANISATION})),
        ("/regulator", "home-regulator", _OFFICERS),
    ),
}
"""Address, text code, and the roles it is for (None: anyone)."""


@get("/")
async def home(request: Request[Any, Any, Any], site: NamedDependency[Site]) -> Template:
    """List the pages of this server; those for other roles say whom they are for."""
    pages = [
        {"address": address, "code": code, "roles": sorted(roles or ())}
        for address, code, roles in _PAGES[site.settings.role]
    ]
    return page(request, "home.html", pages=pages, role=site.settings.role)


ROUTES = [home]
