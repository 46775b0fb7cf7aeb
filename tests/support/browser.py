"""A real centre that a real Chromium visits: `create_app`, served as `gongyuan serve` does, over a real SQLite file.

The hall is `tests.support.hall.HallDay`; the test moves the legal clock. Nothing is stood in for: the page
talks to the same routes, sockets, answer writer and database as in use.
"""

import asyncio
import contextlib
import shutil
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from litestar import Litestar

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.affairs import store as affairs
from server.app import create_app
from server.cli.serve import serving
from server.delivery import acts
from server.delivery.seating import issue_seat_codes
from server.keys.authority import TlsFiles
from server.settings import Listen, Settings
from server.web.site import Site
from tests.support.clock import RunningClock
from tests.support.database import with_tables
from tests.support.hall import BELL, HallDay
from tests.support.papers import PLAN, SLOT
from tests.support.passwords import hashed

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "a long enough word for tests"
PATIENCE_MS = 60_000
"""How long an event of a page is waited for. Nothing is measured by it: a busy machine on which everything takes ten
times as long (a child process of Python starts in ten seconds there) must get to the event.
"""
WORK_S = 240
"""How long work on the server's own loop may take, below the limit of a whole test, for the same reason."""
Result = TypeVar("Result")


def chromium_missing() -> bool:
    """Tell whether Debian's Chromium or Playwright is not there."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return True
    return not Path(CHROMIUM).exists() and shutil.which("chromium") is None


@dataclass
class Centre:
    """A running centre; `day` drives the exam from inside, `url` is what browsers open."""

    url: str
    site: Site
    day: HallDay
    clock: RunningClock
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something on the server's own event loop and wait for it."""
        future: Future[Result] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result(WORK_S)

    def at(self, minutes: float) -> None:
        """Put the legal clock so many minutes after the planned start and tell every kiosk."""
        self.clock.set(BELL + timedelta(minutes=minutes))

        async def tell() -> None:
            self.site.hall.send_beacon()
            self.site.signals.tell(acts.SLOT, SLOT)

        self.run(tell())

    def account(self, username: str, name: str, role: Role, room: str | None = None) -> None:
        """Make an account with the password of the tests, bound to a room where one is named."""

        async def make() -> None:
            async with self.day.act("test") as act:
                await create_account(act, username, name, await hashed(PASSWORD), (role,), room)

        self.run(make())

    def open_start_key(self, key: bytes) -> None:
        """Hold the slot's start key as after its opening by two custodians."""
        self.site.start_keys.put(SLOT, bytearray(key))

    def seat_codes(self) -> dict[tuple[str, int], str]:
        """Issue enrolment codes for every seat."""

        async def issue() -> dict[tuple[str, int], str]:
            async with self.day.act() as act:
                rooms = await affairs.rooms(act.session, PLAN)
                return {(code.room, code.seat): code.code for code in await issue_seat_codes(act, rooms)}

        return self.run(issue())


@contextlib.contextmanager
def served(app: Litestar, tls: TlsFiles | None = None) -> Iterator[tuple[str, asyncio.AbstractEventLoop]]:
    """Serve an application in a thread; give its address and event loop, and stop it at the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = serving(app, tls, stop_within_s=1)
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    def work() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(main())

    thread = threading.Thread(target=work, name="server", daemon=True)
    thread.start()
    started = threading.Event()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        started.wait(0.02)
    try:
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", loops[0]
    finally:
        server.should_exit = True
        thread.join(20)


@contextlib.contextmanager
def running_centre(folder: Path, tls: TlsFiles | None = None) -> Iterator[Centre]:
    """Start a centre with a drawn slot (8 candidates, rooms 01 and 02), over TLS where its files are given; stop it at
    the end."""
    clock = RunningClock()
    settings = Settings(
        role="centre", data=str(folder), name="测试考点", secure_cookies=False, listen=Listen(port=0)
    )
    with_tables(folder / "gongyuan.db")
    app = create_app(settings, clock, lambda *_words: ("false",))
    site: Site = app.state.site
    with served(app, tls) as (url, loop):
        day = HallDay(site.db, clock, site.identity, start_keys=site.start_keys)
        centre = Centre(url, site, day, clock, loop)
        centre.run(day.draw())
        yield centre


WATCH_LIVENESS = """() => { const board = document.querySelector(".board"), seen = (window.wasGrey = { grey: false });
  if (!board) return;
  const look = () => { seen.grey ||= !board.classList.contains("live"); };
  look(), new MutationObserver(look).observe(board, { attributes: true, attributeFilter: ["class"] }); }"""


def grave_issues(page: Any) -> list[tuple[str, list[str]]]:
    """Return what axe finds serious or critical on the page as it stands: rule and the elements' HTML.

    axe holds the page's thread: a board on a busy machine may hear nothing meanwhile and grey what is old, by design
    with less contrast. Such a run says nothing of the live board and is made again.
    """
    from axe_playwright_python.sync_playwright import Axe

    while True:
        page.evaluate(WATCH_LIVENESS)
        found = Axe().run(page).response["violations"]
        if not page.evaluate("window.wasGrey.grey"):
            break
        page.wait_for_selector(".board.live")
    return [
        (v["id"], [n["html"][:160] for n in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
