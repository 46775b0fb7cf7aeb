"""A desk of a centre: the real application of `bank serve` over a bank with a real key and two custodians."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn

from server.accounts.roles import CENTRE_ROLES, Role
from server.accounts.service import begin_login, create_account
from server.app import create_desk_app
from server.db.engine import Database
from server.db.journal import Journal
from server.keys.ceremony import NewCustodian, store_custodians, wrap_new
from server.keys.openings_wire import opening_info
from server.keys.ring import KeyKind, create_key
from server.keys.sealing import hpke_seal
from server.settings import Listen, Settings
from server.web.desk.workplace import Workplace
from server.web.site import Site
from tests.support.clock import FakeClock
from tests.support.database import act_on, with_tables
from tests.support.papers import BANK, BANK_KEY, filled_bank
from tests.support.passwords import hashed
from tests.support.web import PASSWORD, Server

Result = TypeVar("Result")
PASSPHRASES = {"chen": "perihelion-saffron-41", "sun": "quarrystone-lilac-73"}


def desk_settings(folder: Path, secure: bool = True) -> Settings:
    """Settings of the centre whose bank is worked on."""
    folder.mkdir(exist_ok=True)
    return Settings(
        role="centre", data=str(folder), name="测试考点", secure_cookies=secure, listen=Listen(port=0)
    )


@cache
def _custodians() -> tuple[NewCustodian, ...]:
    """Made once a process: each takes a third of a second."""
    return tuple(wrap_new(name, name, passphrase) for name, passphrase in PASSPHRASES.items())


async def with_bank(db: Database, clock: FakeClock) -> None:
    """Make two custodians, the bank's key among them, and the small bank under it."""
    async with act_on(db) as act:
        await store_custodians(act, _custodians())
        await create_key(act, KeyKind.BANK, BANK, BANK_KEY)
    await filled_bank(db, Journal("import"), clock)


@dataclass
class Desk(Server):
    """A running desk. `ended` counts how often the process was told to end."""

    ended: list[str] = field(default_factory=list)

    @property
    def place(self) -> Workplace:
        """What the desk's process holds."""
        found: Workplace = self.app.state["desk"]
        return found

    async def open(self, minutes: int = 60, opener: str = "exam_office") -> None:
        """Open the bank as two custodians do at the page."""
        browser = await self.signed_in(opener)
        asked = await browser.post("/api/desk", json={"bank": BANK, "minutes": minutes})
        assert asked.status_code == 201, asked.text
        for custodian in PASSPHRASES:
            given = await self.give(browser, asked.json(), custodian, PASSPHRASES[custodian])
            assert given.status_code == 200, given.text
        assert given.json()["state"] == "open"

    async def give(
        self, browser: httpx.AsyncClient, offer: dict[str, Any], custodian: str, passphrase: str
    ) -> httpx.Response:
        """Send one passphrase encrypted to the desk."""
        public = bytes.fromhex(offer["public_key"])
        sealed = hpke_seal(public, passphrase.encode(), opening_info(offer["id"])).hex()
        body = {"opening": offer["id"], "custodian": custodian, "sealed": sealed}
        return await browser.post("/api/desk/passphrases", json=body)


@asynccontextmanager
async def running_desk(folder: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    """Run the desk with one account for each role of a centre, named as the role; the bank is closed."""
    ended: list[str] = []
    with_tables(folder / "gongyuan.db")
    app = create_desk_app(desk_settings(folder), clock, lambda: ended.append("ended"))
    desk = Desk(app, clock, await hashed(PASSWORD), ended=ended)
    ready, done = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            ready.set()
            await done.wait()

    # One task enters and leaves the application's life, in the loop of the requests.
    life = asyncio.create_task(live())
    await ready.wait()
    try:
        await with_bank(desk.site.db, clock)
        for role in sorted(CENTRE_ROLES):
            await desk.account(role.value, (role,))
        yield desk
    finally:
        for browser in desk.browsers:
            await browser.aclose()
        done.set()
        await life


@dataclass
class VisitedDesk:
    """A desk that real browsers open; `run` does something on its event loop."""

    url: str
    site: Site
    clock: FakeClock
    loop: asyncio.AbstractEventLoop
    ended: list[str]

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something on the desk's own event loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def login(self, username: str, name: str, roles: Iterable[Role]) -> dict[str, str]:
        """Make an account and a login of it; return the cookie that a browser is given."""

        async def make() -> str:
            async with self.site.acting("setup") as act:
                account = await create_account(act, username, name, await hashed(PASSWORD), roles)
                return await begin_login(act, account, "127.0.0.1", self.clock.monotonic())

        return {"name": self.site.login_cookie, "value": self.run(make()), "url": self.url}


@contextmanager
def visited_desk(folder: Path, clock: FakeClock) -> Iterator[VisitedDesk]:
    """Serve a desk with the small bank on a free port of this machine."""
    ended: list[str] = []
    with_tables(folder / "gongyuan.db")
    app = create_desk_app(desk_settings(folder, secure=False), clock, lambda: ended.append("ended"))
    site: Site = app.state.site
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(app, ws="none", log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="desk", daemon=True)
    thread.start()
    waiting = threading.Event()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the desk did not start")
        waiting.wait(0.02)
    desk = VisitedDesk(f"http://127.0.0.1:{listener.getsockname()[1]}", site, clock, loops[0], ended)
    try:
        desk.run(with_bank(site.db, clock))
        yield desk
    finally:
        server.should_exit = True
        thread.join(20)
