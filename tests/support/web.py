"""A whole server of either role as a browser meets it: the real application, one account for each role."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
from litestar import Litestar
from litestar.routes import HTTPRoute
from sqlalchemy import func, select

from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from server.accounts.service import begin_login, create_account
from server.accounts.store import account_named
from server.app import create_app
from server.db.journal import JournalRecord
from server.keys.passwords import HashedPassword
from server.settings import Role as Side
from server.settings import Settings
from server.web.site import Site
from tests.support.clock import FakeClock
from tests.support.cookies import csrf
from tests.support.database import with_tables
from tests.support.passwords import hashed

PASSWORD = "a good password 7"
BASE = "https://testserver.local"
_PARAMETER = re.compile(r"\{(\w+):\w+\}")

Route = tuple[str, str]
"""Method and path as the application writes it."""


def routes_of(app: Litestar) -> tuple[Route, ...]:
    """Return every HTTP route but those that the framework adds for OPTIONS, in order of path."""
    found = {
        (str(method), route.path)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }
    return tuple(sorted(found, key=lambda one: (one[1], one[0])))


def filled(path: str, values: dict[str, str] | None = None) -> str:
    """Return a route's path with its parameters named; those without a value are `none`."""
    return _PARAMETER.sub(lambda found: (values or {}).get(found[1], "none"), path)


@asynccontextmanager
async def living(app: Litestar) -> AsyncIterator[None]:
    """Start the application and stop it at the end, in the event loop of the test.

    Litestar's own test client keeps a loop in another thread; a lock of the application that a test waits for
    in its own loop then belongs to the other.
    """
    started, ending = asyncio.Event(), asyncio.Event()

    async def life() -> None:
        async with app.lifespan():
            started.set()
            await ending.wait()

    # One task enters and leaves; a fixture's beginning and end are two.
    task = asyncio.create_task(life())
    begun = asyncio.create_task(started.wait())
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    try:
        if started.is_set():
            yield
    finally:
        ending.set()
        await task


@asynccontextmanager
async def visiting(app: Litestar, base_url: str = BASE) -> AsyncIterator[httpx.AsyncClient]:
    """Start the application and give a new browser at it."""
    transport = httpx.ASGITransport(cast(Any, app))
    async with living(app), httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


async def log_in(site: Site, browser: httpx.AsyncClient, username: str) -> None:
    """Give a browser a login of this account, without the third of a second that checking a password takes."""
    async with site.acting("setup") as act:
        account = await account_named(act.session, username)
        assert account is not None
        token = await begin_login(act, account, "127.0.0.1", site.clock.monotonic())
    browser.cookies.set(site.login_cookie, token, domain="testserver.local")


@dataclass
class Server:
    """A running server of one role."""

    app: Litestar
    clock: FakeClock
    hashed: HashedPassword
    browsers: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def site(self) -> Site:
        """What the server's process holds."""
        found: Site = self.app.state.site
        return found

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every HTTP route."""
        return routes_of(self.app)

    async def account(self, username: str, roles: Iterable[Role], scope: str | None = None) -> None:
        """Make an account whose password is PASSWORD."""
        async with self.site.acting("setup") as act:
            await create_account(act, username, username, self.hashed, roles, scope)

    def stranger(self) -> httpx.AsyncClient:
        """Give a new browser with no cookie."""
        made = httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, self.app)), base_url=BASE)
        self.browsers.append(made)
        return made

    async def anonymous(self) -> httpx.AsyncClient:
        """Give a browser that has been here (it holds a CSRF token, sent with every request) and has no login."""
        browser = self.stranger()
        await browser.get("/api/time")
        browser.headers["x-csrftoken"] = csrf(browser.cookies)
        return browser

    async def signed_in(self, username: str) -> httpx.AsyncClient:
        """Give a browser with a login of this account."""
        browser = await self.anonymous()
        await log_in(self.site, browser, username)
        return browser

    async def records(self) -> int:
        """Return how many records the journal holds."""
        async with self.site.db.reading() as session:
            return await session.scalar(select(func.count()).select_from(JournalRecord)) or 0


def _application(side: Side, folder: Path, clock: FakeClock) -> Litestar:
    with_tables(folder / "gongyuan.db")
    settings = Settings(role=side, data=str(folder), name="考试中心")
    return create_app(settings, clock, _child)


def _child(entry: str, *_words: str) -> Sequence[str]:
    """Of all child processes only the trial draw is real here: the others need settings in a file."""
    return (sys.executable, "-m", "server", entry) if entry == "paper-trial" else ("false",)


@asynccontextmanager
async def running(side: Side, folder: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """Run a server with one account for each role of its side, named as the role."""
    app = _application(side, folder, clock)
    server = Server(app, clock, await hashed(PASSWORD))
    async with living(app):
        try:
            for role in sorted(CENTRE_ROLES if side == "centre" else REGISTRY_ROLES):
                await server.account(role.value, (role,), "none-01" if role is Role.ORGANISATION else None)
            yield server
        finally:
            for browser in server.browsers:
                await browser.aclose()
