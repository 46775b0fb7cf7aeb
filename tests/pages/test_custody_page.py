"""The custody pages in real Chromium: a passphrase typed there leaves the browser only encrypted."""

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Request, async_playwright

from server.keys.ring import unlock
from server.keys.service import openings
from tests.conftest import missing_tool
from tests.support.browser import PATIENCE_MS
from tests.support.centre import PASSPHRASES, PASSWORD, centre

pytestmark = pytest.mark.pages
NEW = "a passphrase of the newcomer"


@pytest.fixture
def chromium() -> str:
    """Path of a Chromium that can be driven."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing_tool("Chromium")
    return str(found)


async def test_custody_typed_into_the_page_sends_no_passphrase(tmp_path: Path, chromium: str) -> None:
    """Ceremony, change of a custodian and rehearsed recovery are typed into the page; nothing that leaves the browser
    contains a passphrase, and afterwards the custodian who stayed and the new one open the bank key."""
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.append(f"{request.url} {request.post_data or ''}")

    async with centre(tmp_path) as here, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(ignore_https_errors=True, locale="zh-CN")
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)

        await page.goto(f"{here.url}/login?next=/custody")
        await page.fill("input[name=username]", "everyone")
        await page.fill("input[name=password]", PASSWORD)
        await page.click("main button")
        await page.wait_for_url("**/custody")

        page.on("request", note)
        form = page.locator("form[data-kind=ceremony]")
        usernames, names = form.locator("input[name=username]"), form.locator("input[name=name]")
        for place, username in enumerate(PASSPHRASES):
            await usernames.nth(place).fill(username)
            await names.nth(place).fill(f"保密员{place + 1}")
        await form.locator("input[name=bank]").fill("bank-1")
        await form.locator("button").click()
        await page.wait_for_url("**/custody/openings/*")

        entry = page.locator("#passphrase-form")
        status = entry.locator("[role=status]")
        await entry.locator("select").select_option("chen")
        await entry.locator("input[name=passphrase]").fill(PASSPHRASES["chen"])
        await entry.locator("input[name=again]").fill("something else here")
        await entry.locator("button").click()
        await status.get_by_text("两次输入的口令不一致").wait_for()
        for username, passphrase in PASSPHRASES.items():
            await entry.locator("select").select_option(username)
            await entry.locator("input[name=passphrase]").fill(passphrase)
            await entry.locator("input[name=again]").fill(passphrase)
            await entry.locator("button").click()
            await page.wait_for_function(
                "name => document.querySelector('#passphrase-form [role=status]').textContent.includes(name)"
                " || 'over' in document.querySelector('#passphrase-form').dataset",
                arg=username,
            )
        await page.locator("#passphrase-form[data-over]").wait_for()
        await status.get_by_text("启封已完成").wait_for()
        await page.reload()
        assert "已完成" in await page.inner_text("main")

        await page.goto(f"{here.url}/custody")
        change = page.locator("form[data-kind=custody]")
        await change.locator("select[data-custodian=chen]").select_option("lost")
        await change.locator("button").click()
        await change.get_by_text("口令未遗失的保密员只有 1 名").wait_for()
        faults.clear()  # the browser itself notes a refusal's status
        await change.locator("select[data-custodian=chen]").select_option("retired")
        await change.locator("input[name=username]").first.fill("xu")
        await change.locator("input[name=name]").first.fill("许保密")
        await change.locator("button").click()
        await page.wait_for_url("**/custody/openings/*")
        assert "+xu -chen" in await page.inner_text("main")
        # Which custodian types a passphrase twice is on the page once its script listens.
        await page.locator("#passphrase-form:not([inert])").wait_for()
        again = entry.locator("input[name=again]")
        for label, passphrase in (("保密员1", None), ("保密员2", None), ("许保密", NEW)):
            await entry.locator("select").select_option(label=label)
            assert await again.is_visible() == (passphrase is not None)
            typed = passphrase or PASSPHRASES["chen" if label == "保密员1" else "sun"]
            await entry.locator("input[name=passphrase]").fill(typed)
            if passphrase is not None:
                await again.fill(passphrase)
            await entry.locator("button").click()
            if passphrase is None:
                await status.get_by_text("chen" if label == "保密员1" else "sun").wait_for()
        await page.locator("#passphrase-form[data-over]").wait_for()

        await page.goto(f"{here.url}/custody")
        assert "已离任" in await page.inner_text("main")
        await page.locator("form[data-kind=drill] button").click()
        await page.wait_for_url("**/custody/openings/*")
        for label, typed in (("保密员2", PASSPHRASES["sun"]), ("许保密", NEW)):
            await entry.locator("select").select_option(label=label)
            await entry.locator("input[name=passphrase]").fill(typed)
            await entry.locator("button").click()
            if label == "保密员2":
                await status.get_by_text("sun").wait_for()
        await page.locator("#passphrase-form[data-over]").wait_for()
        await page.goto(f"{here.url}/custody?lang=en")
        assert "Bank key" in await page.inner_text("main")
        await browser.close()

        assert faults == []
        assert len(sent) > 3
        for passphrase in (*PASSPHRASES.values(), NEW):
            assert not any(passphrase in one for one in sent)
        async with here.db.reading() as session:
            now = {"sun": PASSPHRASES["sun"], "xu": NEW}
            assert len(await unlock(session, "bank", "bank-1", now)) == 32
            assert (await openings(session))[-1].outcome == {"keys": 1}
