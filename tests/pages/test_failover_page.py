"""A candidate's page whose server dies goes on at the promoted standby, from the address at which it was opened."""

import asyncio
import base64
import signal
import subprocess
from pathlib import Path
from typing import Any

from server.clock import DemoClock
from server.db.engine import Database
from server.db.migrate import upgrade
from server.delivery.store import final_answers
from server.delivery.timing import Policy
from server.keys.authority import served_spki
from server.tables import load_models
from tests.conftest import missing_tool
from tests.faults.test_standby_promotion import PHRASE, command, machine, ran
from tests.support.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, chromium_missing
from tests.support.centre import ROOT
from tests.support.delivery import Scene, prepare_scene
from tests.support.exam_centre import Centre
from tests.support.ports import free_port
from tests.support.seat_page import ENTRIES

PLACE = ("1", 1)


async def two_machines(folder: Path) -> tuple[Centre, Centre, Scene]:
    """Prepare a centre in the middle of an exam and its standby; both settings name both addresses."""
    address = f"localhost:{free_port()}"
    first, second = machine(folder / "first", address), machine(folder / "second", address)
    servers = ", ".join(f'"https://127.0.0.1:{one.port}"' for one in (first, second))
    for one in (first, second):
        with (one.base / "centre.toml").open("a") as settings:
            settings.write(f"servers = [{servers}]\n")
    load_models()
    db = Database(f"sqlite:///{first.data / 'gongyuan.db'}")
    await asyncio.to_thread(upgrade, db)
    clock = DemoClock(first.base / "clock.json")
    scene = await prepare_scene(db, clock, first.data, Policy(600, 30, 15), enrol=False)
    await scene.check_in(PLACE)
    await scene.ring()
    await db.close()
    bundle = str(folder / "keys.bundle")
    for one, act in ((first, "export"), (second, "prepare")):
        done = await ran(one, "standby", act, bundle, "--passphrase-stdin", given=PHRASE)
        assert done.returncode == 0, done.stderr
    return first, second, scene


async def answers_at(machine: Centre, sitting: str) -> dict[int, tuple[str, ...]]:
    """Return the final answers that this machine's database holds."""
    db = Database(f"sqlite:///{machine.data / 'gongyuan.db'}")
    try:
        async with db.reading() as session:
            return dict(await final_answers(session, sitting))
    finally:
        await db.close()


async def at_work(page: Any, address: str, scene: Scene) -> None:
    """Enrol the seat and bring its candidate to the paper; wait until the machine has kept the page."""
    ticket, number = scene.numbers(PLACE)
    await page.goto(f"{address}/exam#code={scene.codes[PLACE]}")
    await page.fill("#ticket", ticket)
    await page.fill("#id-number", number)
    await page.click("button.primary")
    await page.wait_for_selector(".stem")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.wait_for_function(
        "caches.open('gongyuan-page').then((store) => store.match('/exam')).then(Boolean)"
    )


async def test_a_page_goes_on_at_the_promoted_standby(tmp_path: Path) -> None:
    """The server is killed, an answer is given, the page is loaded anew with nobody at its address, a named person
    promotes the standby: there the page has its candidate back, every answer is acknowledged, and none is lost."""
    if chromium_missing():
        missing_tool("Chromium")
    from playwright.async_api import async_playwright

    first, second, scene = await two_machines(tmp_path)
    pin = served_spki(first.data / "tls")
    assert pin is not None and pin == served_spki(second.data / "tls")
    pinned = f"--ignore-certificate-errors-spki-list={base64.b64encode(bytes.fromhex(pin)).decode()}"
    receiving = await asyncio.create_subprocess_exec(
        *command(second, "standby", "serve"), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        assert receiving.stdout is not None and await receiving.stdout.readline() == b"standby\n"
        await first.start()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, pinned])
            page = await browser.new_page(locale="zh-CN")
            page.set_default_timeout(PATIENCE_MS)
            address = f"https://127.0.0.1:{first.port}"
            await at_work(page, address, scene)
            await page.keyboard.press("A")
            await page.wait_for_selector("text=1 题作答已保存到考场服务器")
            await first.kill()
            receiving.send_signal(signal.SIGTERM)
            await receiving.wait()
            await page.wait_for_selector(".saved.warn")
            await page.keyboard.press("ArrowRight")
            await page.keyboard.press("B")
            await page.wait_for_selector("text=1 题作答存于本机")
            await page.wait_for_function(ENTRIES, arg=2)
            await page.reload()
            await page.wait_for_selector("text=连接")
            done = await ran(second, "standby", "promote", "--by", "钱主考", "--reason", "主服务器断电")
            assert done.returncode == 0, done.stderr
            await second.start()
            await page.wait_for_selector("text=2 题作答已保存到考场服务器")
            assert await page.inner_text("#number") == "第 2 题"
            await page.keyboard.press("ArrowRight")
            await page.keyboard.press("C")
            await page.wait_for_selector("text=3 题作答已保存到考场服务器")
            assert page.url == f"{address}/exam"
            await browser.close()
        await second.kill()
        sitting = scene.sittings[PLACE]
        assert await answers_at(second, sitting) == {1: ("A",), 2: ("B",), 3: ("C",)}
    finally:
        if receiving.returncode is None:
            receiving.kill()
        await first.kill()
        await second.kill()
