"""Every route of the desk's process: who may call it, nothing without an opening, no item text without one."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from litestar.routes import WebSocketRoute

from server.accounts.roles import CENTRE_ROLES, Role
from server.app import create_app
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.desk import Desk, running_desk
from tests.support.papers import BANK, ITEM_TEXT
from tests.support.web import Route, filled, routes_of

R = Role
STAFF = frozenset({R.ITEM_WRITER, R.ITEM_REVIEWER, R.EXAM_OFFICE, R.CUSTODIAN, R.CHIEF, R.SUPERVISOR})
OPENERS = frozenset({R.EXAM_OFFICE, R.CUSTODIAN, R.CHIEF})
WRITER, REVIEWER = frozenset({R.ITEM_WRITER}), frozenset({R.ITEM_REVIEWER})
READERS = WRITER | REVIEWER
EVERYBODY = frozenset(Role)
OFFICE = frozenset({R.EXAM_OFFICE})
OPEN = {
    ("GET", "/"),
    ("GET", "/api/time"),
    ("GET", "/static/{file_path:path}"),
    ("HEAD", "/static/{file_path:path}"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/api/login"),
    ("POST", "/logout"),
    ("POST", "/api/logout"),
}
"""Signing in, files, and the way to the desk."""
_ITEM = "/desk/items/{item:str}"
_UPLOAD = "/desk/import/{upload:str}"
WITHOUT_OPENING: Mapping[Route, frozenset[Role]] = {
    ("GET", "/api/me"): EVERYBODY,
    ("GET", "/desk"): STAFF,
    ("GET", "/api/desk"): STAFF,
    ("POST", "/api/desk"): OPENERS,
    ("GET", "/api/desk/offer"): STAFF,
    ("POST", "/api/desk/passphrases"): EVERYBODY,
    ("POST", "/desk/close"): STAFF,
    ("GET", "/bank"): STAFF,
    ("GET", "/bank/{bank:str}"): STAFF,
    ("GET", "/api/schema"): EVERYBODY,
    ("GET", "/api/schema/openapi.json"): EVERYBODY,
    ("GET", "/api/schema/{path:str}"): EVERYBODY,
}
OPENED: Mapping[Route, frozenset[Role]] = {
    ("GET", "/desk/items"): READERS,
    ("GET", _ITEM): READERS,
    ("POST", f"{_ITEM}/submit"): WRITER,
    ("POST", f"{_ITEM}/retire"): REVIEWER,
    ("POST", f"{_ITEM}/enemies"): READERS,
    ("POST", f"{_ITEM}/review"): REVIEWER,
    ("GET", "/desk/new"): WRITER,
    ("GET", f"{_ITEM}/edit"): WRITER,
    ("POST", "/api/desk/preview"): WRITER,
    ("POST", "/api/desk/pictures"): WRITER,
    ("POST", "/api/desk/items"): WRITER,
    ("GET", "/desk/review"): READERS,
    ("POST", "/desk/review"): REVIEWER,
    ("GET", "/desk/import"): WRITER,
    ("POST", "/desk/import"): WRITER,
    ("GET", _UPLOAD): WRITER,
    ("POST", f"{_UPLOAD}/read"): WRITER,
    ("GET", f"{_UPLOAD}/report"): WRITER,
    ("GET", f"{_UPLOAD}/report.csv"): WRITER,
    ("POST", f"{_UPLOAD}/store"): WRITER,
    ("POST", f"{_UPLOAD}/discard"): WRITER,
    ("GET", "/desk/export"): OFFICE,
    ("POST", "/desk/export"): OFFICE,
}
"""Routes that answer nothing while the bank is closed."""
GUARDED = {**WITHOUT_OPENING, **OPENED}


@pytest_asyncio.fixture
async def desk(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    """A desk whose bank is closed."""
    async with running_desk(tmp_path / "data", clock) as running:
        yield running


async def _ask(browser: httpx.AsyncClient, route: Route, **more: Any) -> httpx.Response:
    method, path = route
    if method != "GET" and not path.startswith("/api/"):
        more.setdefault("data", {"x": "y"})
    elif method != "GET":
        more.setdefault("json", {})
    return await browser.request(method, filled(path, {"bank": BANK}), **more)


async def test_the_desk_has_these_routes_and_the_centre_none_that_reads_items(
    desk: Desk, tmp_path: Path
) -> None:
    """The desk's process has exactly the routes of the tables, no candidate's, no hall's and no socket; the process
    that serves candidates has none of those that need an opening."""
    assert set(desk.routes) == OPEN | set(GUARDED)
    assert not [route for route in desk.app.routes if isinstance(route, WebSocketRoute)]
    (tmp_path / "centre").mkdir()
    settings = Settings(role="centre", data=str(tmp_path / "centre"))
    centre = create_app(settings, desk.clock, lambda *_words: ("false",))
    assert not set(OPENED) & set(routes_of(centre))
    assert not [path for _, path in routes_of(centre) if path.startswith(("/desk", "/api/desk"))]


async def test_each_role_gets_what_its_line_says_and_nothing_before_the_opening(desk: Desk) -> None:
    """A stranger gets 401, another role 403, and the right role 409 `desk-closed` from every route of the items until
    two custodians have opened the bank; nothing that comes before holds a word of an item."""
    wrong = []
    stranger = await desk.anonymous()
    for route in GUARDED:
        answer = await _ask(stranger, route)
        if (answer.status_code, answer.json()["type"]) != (401, "not-signed-in"):
            wrong.append(("stranger", route, answer.status_code))
    for role in sorted(CENTRE_ROLES):
        browser = await desk.signed_in(role.value)
        for route, allowed in GUARDED.items():
            answer = await _ask(browser, route)
            problem = answer.headers["content-type"] == "application/problem+json"
            code = answer.json()["type"] if problem else ""
            if (code == "not-permitted") is (role in allowed) or answer.status_code in (401, 500):
                wrong.append((role.value, route, answer.status_code, code))
            if route in OPENED and role in allowed and (answer.status_code, code) != (409, "desk-closed"):
                wrong.append((role.value, route, answer.status_code, code))
            assert ITEM_TEXT.search(answer.text) is None, (role, route)
            assert answer.headers["cache-control"] == "no-store"
    assert wrong == []


async def test_no_act_at_the_desk_without_a_csrf_token(desk: Desk) -> None:
    """With the bank open and a login, but without the token or with a false one, every act is refused."""
    await desk.open()
    for role in ("item_writer", "item_reviewer", "exam_office"):
        browser = await desk.signed_in(role)
        before = await desk.records()
        own = browser.headers.pop("x-csrftoken")
        for route in GUARDED:
            if route[0] == "GET":
                continue
            for headers in ({}, {"x-csrftoken": "0" * len(own)}):
                answer = await _ask(browser, route, headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (403, "csrf-failed"), route
        assert await desk.records() == before


async def test_only_those_who_may_read_items_see_their_text(desk: Desk) -> None:
    """With the bank open, a role that may not read or export items gets no word of one from any route."""
    await desk.open()
    async with desk.site.db.reading() as session:
        item = (await desk.place.bank().items(session))[0].full.item
    seen = set()
    for role in sorted(CENTRE_ROLES):
        browser = await desk.signed_in(role.value)
        for method, path in desk.routes:
            if method != "GET" or path.startswith(
                ("/static", "/api/schema", "/api/me", "/api/time", "/login")
            ):
                continue
            place = filled(path, {"bank": BANK, "item": item})
            answer = await browser.get(place, headers={"accept": "text/html"})
            if ITEM_TEXT.search(answer.text):
                seen.add(role)
                assert answer.headers["cache-control"] == "no-store"
    assert seen == READERS
