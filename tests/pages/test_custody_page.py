"""The custody pages in real Chromium: a passphrase typed there leaves the browser only encrypted."""

import shutil
from pathlib import Path

import pytest
from playwright.async_api import Request, async_playwright

from server.keys.ring import unlock
from tests.conftest import missing_tool
from tests.support.centre import PASSPHRASES, PASSWORD, centre

pytestmark = pytest.mark.pages


@pytest.fixture
def chromium() -> str:
    """Path of a Chromium that can be driven."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing_tool("Chromium")
    return str(found)


async def test_a_ceremony_typed_into_the_page_sends_no_passphrase(tmp_path: Path, chromium: str) -> None:
    """Two people type their passphrases into the page; nothing that leaves the browser contains one, the page says
    that the opening is done, and the two open the new bank key."""
    sent: list[str] = []

    def note(request: Request) -> None:
        sent.append(f"{request.url} {request.post_data or ''}")

    async with centre(tmp_path) as here, async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(ignore_https_errors=True, locale="zh-CN")
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
        await page.goto(f"{here.url}/custody?lang=en")
        assert "Bank key" in await page.inner_text("main")
        await browser.close()

        assert faults == []
        assert len(sent) > 3
        for passphrase in PASSPHRASES.values():
            assert not any(passphrase in one for one in sent)
        async with here.db.reading() as session:
            assert len(await unlock(session, "bank", "bank-1", PASSPHRASES)) == 32
