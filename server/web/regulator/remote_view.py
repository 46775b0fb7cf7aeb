"""An officer's pass to a centre's camera page: made here, shown once, carried by the exam package."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from server.affairs import store as affairs
from server.affairs import viewers
from server.keys.passwords import prepared_password
from server.web.organisation.scope import Http, login_of
from server.web.pages import page
from server.web.regulator.acts import OFFICERS
from server.web.site import Site

Here = NamedDependency[Site]


class PassView(msgspec.Struct, frozen=True):
    """A pass as it is shown once: sign in with it at the centre."""

    username: str
    password: str


async def _made(site: Site, request: Http, plan: str) -> PassView:
    login = login_of(request)
    password = viewers.fresh_password()
    hashed = await prepared_password(password, login.username)
    async with site.acting(login) as act:
        username = await viewers.make_pass(act, plan, login.username, login.display_name, hashed)
    return PassView(username, password)


@get("/regulator/plans/{plan:str}/remote-view", guards=[OFFICERS])
async def remote_view_page(plan: FromPath[str], request: Http, site: Here) -> Template:
    """Say what a pass is for, and offer to make one."""
    async with site.db.reading() as session:
        found = await affairs.plan(session, plan)
    return page(request, "regulator/remote_view.html", plan=found, made=None)


@post("/regulator/plans/{plan:str}/remote-view", guards=[OFFICERS], status_code=200)
async def make_on_page(plan: FromPath[str], request: Http, site: Here) -> Template:
    """Make the caller's pass and show it once."""
    made = await _made(site, request, plan)
    async with site.db.reading() as session:
        found = await affairs.plan(session, plan)
    return page(request, "regulator/remote_view.html", plan=found, made=made)


@post("/api/plans/{plan:str}/remote-view", guards=[OFFICERS])
async def make(plan: FromPath[str], request: Http, site: Here) -> PassView:
    """Make the caller's pass for the cameras of a plan's centre, in place of an earlier one."""
    return await _made(site, request, plan)


ROUTES = [remote_view_page, make_on_page, make]
