"""The launcher runs a real Chromium against a real centre over TLS."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kiosk.finding import pinned
from kiosk.launcher import Launcher, Told
from kiosk.settings import KioskSettings
from server.delivery.health import machines
from server.errors import Tampered
from server.keys.authority import ensure_tls
from tests.conftest import missing_tool
from tests.support.browser import CHROMIUM, PATIENCE_MS, Centre, chromium_missing, running_centre

Result = TypeVar("Result")
FURTHER = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0")


@dataclass
class Heard:
    """What a launcher told, and who waits for it."""

    told: list[Told] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, one: Told) -> None:
        self.told.append(one)
        self.changed.set()

    async def count(self, what: str, least: int) -> list[Told]:
        """Wait until something was told so often."""
        async with asyncio.timeout(60):
            while True:
                found = [one for one in self.told if one.what == what]
                if len(found) >= least:
                    return found
                self.changed.clear()
                await self.changed.wait()


async def seen(centre: Centre, look: Callable[[], Result]) -> Result:
    """Look at something in the centre's own thread: what it holds changes meanwhile."""

    async def there() -> Result:
        return look()

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(there(), centre.loop))


async def until(centre: Centre, true: Callable[[], bool]) -> None:
    """Wait until something holds at the centre."""
    async with asyncio.timeout(60):
        while not await seen(centre, true):
            await asyncio.sleep(0.05)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").splitlines() if file.exists() else []


@asynccontextmanager
async def page_of(profile: Path) -> AsyncIterator[Any]:
    """Look at the page that the launcher's browser shows."""
    from playwright.async_api import async_playwright

    # Written by the browser beside its work on the page: two lines, when it is whole.
    async with asyncio.timeout(60):
        while len(told := _lines(profile / "DevToolsActivePort")) < 2:
            await asyncio.sleep(0.05)
    port = told[0]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page = browser.contexts[0].pages[0]
        page.set_default_timeout(PATIENCE_MS)
        yield page


async def test_a_killed_browser_comes_back_with_its_seat_and_its_candidate(tmp_path: Path) -> None:
    """The code enrols the machine; after SIGKILL the browser is started again, proves the same seat, resumes the
    candidate's sitting, and the centre has the launcher's report of one restart."""
    if chromium_missing():
        missing_tool("Chromium")
    tls = ensure_tls(tmp_path / "centre" / "tls", ())
    with running_centre(tmp_path / "centre", tls) as centre:
        hall, heard = centre.site.hall, Heard()
        settings = KioskSettings(
            server=centre.url, pin=tls.spki, folder=str(tmp_path / "kiosk"), browser=CHROMIUM
        )
        code = await asyncio.to_thread(lambda: centre.seat_codes()["01", 1])
        launcher = Launcher(settings, heard.take, code, FURTHER)
        running = asyncio.create_task(launcher.run())
        try:
            await until(centre, lambda: bool(hall.seats_online()))
            (seat,) = await seen(centre, hall.seats_online)
            await asyncio.to_thread(lambda: centre.run(centre.day.check_in(0)))
            async with page_of(settings.profile) as page:
                assert page.url == f"{centre.url}/exam"
                await page.fill("#ticket", "T0000")
                await page.fill("#id-number", "P0000000")
                await page.click("button.primary")
                await until(centre, lambda: "sitting-0" in hall.presence())
            before = await seen(centre, lambda: hall._lines.by_sitting["sitting-0"])
            (started,) = await heard.count("started", 1)
            (settings.profile / "DevToolsActivePort").unlink()
            os.kill(int(started.figure), signal.SIGKILL)
            await heard.count("started", 2)
            # On a line of its own: the centre may still hold the one whose browser was killed.
            await until(centre, lambda: hall._lines.by_sitting.get("sitting-0") not in (None, before))
            assert await seen(centre, lambda: list(hall.seats_online())) == [seat]
            while True:
                told = len([one for one in heard.told if one.what == "reported"])
                report = await asyncio.to_thread(reported, centre)
                if report is not None and report.running:
                    break
                await heard.count("reported", told + 1)
            assert report.restarts == 1
            assert report.browser.startswith("Chromium")
            assert report.clock_difference_ms is not None
        finally:
            launcher.stop()
            await running


def reported(centre: Centre) -> Any:
    """Return the newest report of the one machine, as the technician's page reads it, once it tells of a restart."""

    async def read() -> Any:
        await centre.site.health.write()
        async with centre.site.db.reading() as session:
            found = await machines(session)
        return found[0].report if found and found[0].report.restarts else None

    return centre.run(read())


async def test_another_servers_key_is_refused(tmp_path: Path) -> None:
    """A launcher whose pin is another than the server's starts no browser."""
    tls = ensure_tls(tmp_path / "centre" / "tls", ())
    with running_centre(tmp_path / "centre", tls) as centre:
        heard = Heard()
        settings = KioskSettings(server=centre.url, pin="00" * 32, folder=str(tmp_path), browser=CHROMIUM)
        with pytest.raises(Tampered, match="kiosk-pin-other"):
            await Launcher(settings, heard.take).run()
        assert heard.told == []
        assert await pinned(centre.url, tls.spki)
