"""The markers' desk and the chief's page of marks in a real Chromium, on their own servers."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.app import create_app, create_marking_app
from server.db.engine import Database
from server.scoring import people_service, service
from server.settings import Listen, Settings
from server.web.site import Site
from tests.support.browser import PASSWORD, Centre, RunningClock, grave_issues, served
from tests.support.hall import HallDay
from tests.support.papers import MARKING_KEY, SLOT
from tests.support.words import ask_for_words

PEOPLE = {"zhao": Role.MARKER, "qian": Role.MARKER, "chief": Role.CHIEF, "deputy": Role.DEPUTY}


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Centre, str]]:
    """A centre after a marked day with answers in words, and the address of its markers' desk."""
    folder = tmp_path_factory.mktemp("centre")
    settings = Settings(
        role="centre", data=str(folder), name="测试考点", secure_cookies=False, listen=Listen(port=0)
    )
    clock = RunningClock()
    app = create_app(settings, clock, lambda *_words: ("false",))
    site: Site = app.state.site
    # The day is done in another event loop than the server's, so with a database of its own.
    apart = Database(settings.database_url)
    day = HallDay(apart, clock, site.identity, start_keys=site.start_keys)

    async def whole() -> None:
        await day.whole_day()
        await ask_for_words(day)
        await service.mark_slot(
            day.db, day.journal, day.clock, "staff:chief", SLOT, MARKING_KEY, day.identity
        )
        async with day.act("test") as act:
            for username, role in PEOPLE.items():
                await create_account(act, username, username, PASSWORD, (role,))
            for marker in ("zhao", "qian"):
                await people_service.assign(act, SLOT, f"staff:{marker}")
        await apart.close()

    # Before the server runs, since its collector would collect the papers that the day collects; in a thread of its
    # own, since Playwright keeps a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, whole()).result()
    day.db = site.db
    with served(app) as (url, loop), served(create_marking_app(settings, clock)) as (marking, _):
        yield Centre(url, site, day, clock, loop), marking


def sign_in(page: Any, url: str, username: str, target: str) -> None:
    """Sign in through the form and go on to the target."""
    page.goto(f"{url}/login?next={target}")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{url}{target}")


def held(page: Any, sent: list[Any], count: int) -> Any:
    """Wait until the page has sent so many; return the last one, which is held back."""
    while len(sent) < count:
        page.wait_for_timeout(20)
    return sent[-1]


def test_a_marker_marks_by_keys_and_sees_no_candidate(page: Any, desks: tuple[Centre, str]) -> None:
    """Number key, full stop and Enter give points once and bring the next code, over lost lines too; no name, ticket
    or seat is on the page."""
    _, marking = desks
    sign_in(page, marking, "zhao", "/marking")
    assert grave_issues(page) == []
    page.click("a.primary >> nth=0")
    page.wait_for_selector("#marking[data-code]")
    first = page.inner_text("#code")
    assert len(first) == 12
    assert re.fullmatch(r"text \d", page.inner_text("#answer"))
    words = page.inner_text("main")
    assert "names the fault" in words and "model answer" in words
    assert re.search(r"T0\d\d\d|candidate|sitting-", page.content()) is None
    assert grave_issues(page) == []
    page.focus("#answer")
    page.keyboard.press("3")
    page.keyboard.press(".")
    assert page.input_value("#points") == "3.5"
    sent: list[Any] = []
    page.route("**/api/marking/answers/*", lambda route: sent.append(route))
    with page.expect_request("**/api/marking/answers/*"):
        page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    held(page, sent, 1).abort()
    page.wait_for_selector("#status.bad:has-text('请再按一次提交')")
    page.wait_for_selector("#send:not([disabled])")
    page.route("**/next", lambda route: route.abort(), times=1)
    page.keyboard.press("Enter")
    route = held(page, sent, 2)
    page.keyboard.press("Enter")
    with page.expect_event("requestfailed", lambda lost: lost.url.endswith("/next")):
        route.continue_()
    page.wait_for_selector("#status.bad")
    page.wait_for_selector("#send:not([disabled])")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#marking:not([data-code='{first}'])")
    assert len(sent) == 2, "nothing was sent while another was under way, nor again what was recorded"
    page.unroute("**/api/marking/answers/*")
    while page.inner_text("#code"):
        at = page.inner_text("#code")
        page.check("[data-score] >> nth=0")
        assert page.input_value("#points") == "2.5"
        page.click("#send")
        page.wait_for_selector(f"#status.ok:has-text('{at}')")
        page.wait_for_selector(f"#marking:not([data-code='{at}'])")
    assert "没有待您评的答案了" in page.inner_text("#answer")
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_chief_voids_a_question_and_the_deputy_confirms(page: Any, desks: tuple[Centre, str]) -> None:
    """The decision waits for the second person, then the slot is scored again and its figures are shown."""
    centre, _ = desks
    sheet = centre.run(centre.day.sheet("sitting-0"))
    entry = next(one for one in sheet.entries if one.order)
    sign_in(page, centre.url, "chief", "/results")
    assert grave_issues(page) == []
    page.click("text=提出勘误或作废")
    page.fill("input[name=item]", entry.item)
    page.fill("input[name=version]", str(entry.version))
    page.fill("form[data-json$=decisions] input[name=reason]", "两个选项都对")
    page.click("form[data-json$=decisions] button.primary")
    page.wait_for_selector("text=待确认")
    page.wait_for_load_state()
    assert page.locator("form[data-json*='/api/decisions/']").count() == 1
    page.context.clear_cookies()
    sign_in(page, centre.url, "deputy", "/results")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("form[data-json*='/api/decisions/'] button")
    page.wait_for_selector("span.chip.ok >> text=有效")
    page.wait_for_load_state()
    assert "取代" in page.inner_text("main")
    page.click("text=试题统计")
    page.wait_for_selector("svg")
    page.wait_for_load_state()
    assert grave_issues(page) == []
    assert entry.item not in page.inner_text("tbody")
