"""axe on every page that people work with, of a centre in the middle of its day and of a registry after its notice."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.accounts.roles import Role
from server.accounts.service import begin_login, create_account
from server.accounts.store import account_named
from server.app import create_app
from server.keys.identity import Identity
from server.papers.trial_runner import TrialRunner
from server.settings import Listen, Settings
from server.web.site import Site
from tests.conftest import missing_tool
from tests.support.browser import (
    PASSWORD,
    PATIENCE_MS,
    WORK_S,
    Centre,
    RunningClock,
    grave_issues,
    running_centre,
    served,
)
from tests.support.papers import BANK, BLUEPRINT
from tests.support.passwords import hashed
from tests.support.registry import ORGANISATION, World


@pytest.fixture(scope="module", autouse=True)
def _axe() -> None:
    try:
        import axe_playwright_python  # noqa: F401
    except ImportError:
        missing_tool("axe-playwright-python")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre after the bell."""
    with running_centre(tmp_path_factory.mktemp("centre")) as centre:
        centre.site.trials_held = TrialRunner((sys.executable, "-m", "server", "paper-trial"))
        for role in (Role.CHIEF, Role.CUSTODIAN, Role.TECHNICIAN, Role.EXAM_OFFICE):
            centre.account(role.value, role.value, role)
        centre.run(centre.day.check_in(0, 1))
        centre.run(centre.day.ring())
        yield centre


CHECK = f"/bank/{BANK}/blueprint"


def entered(chromium: Any, url: str, cookie: str, token: str) -> Any:
    """Give a browser's page that holds a login."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="zh-CN")
    context.add_cookies([{"name": cookie, "value": token, "url": url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


async def login(site: Site, username: str) -> str:
    """Return the token of a new login."""
    async with site.acting("setup") as act:
        account = await account_named(act.session, username)
        assert account is not None
        return await begin_login(act, account, "127.0.0.1", site.clock.monotonic())


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (Role.CHIEF, ("/", "/hall", "/results", "/custody")),
        (Role.CUSTODIAN, ("/custody",)),
        (Role.TECHNICIAN, ("/technician",)),
        (Role.EXAM_OFFICE, (CHECK,)),
        (None, ("/login", "/exam")),
    ],
)
def test_pages_of_the_centre(
    chromium: Any, shared: Centre, role: Role | None, paths: tuple[str, ...]
) -> None:
    """axe finds nothing serious on the centre's pages, on the board not with its dialogs open either."""
    token = shared.run(login(shared.site, role.value)) if role else "none"
    page = entered(chromium, shared.url, shared.site.login_cookie, token)
    found = {}
    for path in paths:
        page.goto(shared.url + path)
        page.wait_for_selector(".seat" if path == "/hall" else "main")
        found[path] = grave_issues(page)
        if path == CHECK:
            greedy = BLUEPRINT.replace(b"count = 2", b"count = 9").replace(
                b"pass_mark = 6.0", b"pass_mark = 6"
            )
            file = {"name": "b.toml", "mimeType": "text/plain", "buffer": greedy}
            page.set_input_files("input[type=file]", [file])
            page.locator("main form button").click()
            page.wait_for_selector("table.coverage .chip.bad")
            found["checked"] = grave_issues(page)
            if folder := os.environ.get("GONGYUAN_PICTURES"):
                page.screenshot(path=f"{folder}/blueprint.png")
        if path == "/hall":
            for name in ("全场操作", "监考流程", "指令（"):
                page.locator(f"text={name}").first.click()
                page.wait_for_selector("dialog[open]")
                found[name] = grave_issues(page)
                page.keyboard.press("Escape")
            page.locator(".seat").first.click()
            page.click("dialog .tabs >> text=换座")
            found["seat"] = grave_issues(page)
    page.context.close()
    assert {path: issues for path, issues in found.items() if issues} == {}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Site, Any, str]]:
    """A registry with a filing, a plan and a published notice; its address, site, runner and the plan's id."""
    clock, folder = RunningClock(), tmp_path_factory.mktemp("registry")
    settings = Settings(
        role="registry", data=str(folder), name="鉴定中心", secure_cookies=False, listen=Listen(port=0)
    )
    app = create_app(settings, clock, lambda *_words: ("false",))
    site: Site = app.state.site
    serving: AbstractContextManager[tuple[str, asyncio.AbstractEventLoop]] = served(app)
    with serving as (url, loop):

        def run(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(WORK_S)

        async def filled(centre: Path) -> str:
            world = World(site.db, site.identity)
            await world.filed(Identity.open_or_create(centre))
            plan = await world.planned()
            people = await world.enrolled(plan.id)
            await world.packed(plan.id)
            await world.noticed(plan.id, people)
            clock.set(world.now + timedelta(days=1))
            async with site.acting("setup") as act:
                for role, scope in ((Role.CITY_OFFICER, None), (Role.ORGANISATION, ORGANISATION)):
                    await create_account(act, role.value, role.value, await hashed(PASSWORD), (role,), scope)
            return plan.id

        yield url, site, run, run(filled(tmp_path_factory.mktemp("peer")))


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        (
            Role.ORGANISATION,
            (
                "/organisation",
                "/organisation/plans/{plan}",
                "/organisation/plans/{plan}/corrections",
                "/organisation/procedure",
                "/organisation/yearly",
                "/password",
            ),
        ),
        (Role.CITY_OFFICER, ("/regulator", "/regulator/cases")),
        (None, ("/", "/public", "/public/notices/{plan}", "/public/certificate", "/login")),
    ],
)
def test_pages_of_the_registry(
    chromium: Any, registry: tuple[str, Site, Any, str], role: Role | None, paths: tuple[str, ...]
) -> None:
    """axe finds nothing serious on the pages of the organisation, the officers and the public."""
    url, site, run, plan = registry
    token = run(login(site, role.value)) if role else "none"
    page = entered(chromium, url, site.login_cookie, token)
    found = {}
    for path in paths:
        answer = page.goto(url + path.format(plan=plan))
        assert answer.status == 200, path
        page.wait_for_selector("main")
        found[path] = grave_issues(page)
    page.context.close()
    assert {path: issues for path, issues in found.items() if issues} == {}
