"""Every route of both roles: who may call it, that no act goes without a CSRF token, that no item text comes out."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar.routes import WebSocketRoute

from server.accounts.roles import CENTRE_ROLES, Role
from tests.support.clock import FakeClock
from tests.support.hall import HallDay
from tests.support.papers import ITEM_TEXT, PLAN, SLOT, small_bank
from tests.support.routes import GUARDED, OF_SIDE, OPEN, SOCKETS, WITHOUT_CSRF
from tests.support.web import Route, Server, filled, running


@pytest_asyncio.fixture(params=["centre", "registry"])
async def server(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """A server of each role with one account for every role of its side."""
    async with running(request.param, tmp_path / "data", clock) as found:
        yield found


def _guarded(server: Server) -> Mapping[Route, frozenset[Role]]:
    return GUARDED[server.site.settings.role]


async def _ask(browser: httpx.AsyncClient, route: Route, **more: Any) -> httpx.Response:
    method, path = route
    if method in ("POST", "PUT", "PATCH") and "json" not in more and "content" not in more:
        more["json"] = {}
    return await browser.request(method, filled(path), **more)


async def test_every_route_stands_in_the_tables(server: Server) -> None:
    """The application has exactly the routes of the tables: a new one needs a line with its roles or its reason."""
    guarded = set(_guarded(server))
    assert not guarded & set(OPEN)
    assert set(server.routes) - set(OPEN) == guarded


async def test_a_stranger_gets_no_further_than_the_open_routes(server: Server) -> None:
    """Without a login every guarded route answers 401 to a program, and a page's address leads to the sign-in form."""
    browser = await server.anonymous()
    for route in _guarded(server):
        answer = await _ask(browser, route)
        assert (answer.status_code, answer.json()["type"]) == (401, "not-signed-in"), route
        if route[0] == "GET" and not route[1].startswith("/api/"):
            led = await _ask(browser, route, headers={"accept": "text/html"})
            assert led.headers["location"].startswith("/login?next="), route
    for route in set(OPEN) & set(server.routes):
        assert (await _ask(browser, route)).status_code != 401 or "login" in route[1], route


async def test_each_role_gets_what_its_line_says(server: Server) -> None:
    """A role without a line for a route gets 403 `not-permitted`; one with a line is never refused for its role."""
    wrong = []
    for role in sorted(OF_SIDE[server.site.settings.role]):
        browser = await server.signed_in(role.value)
        for route, allowed in _guarded(server).items():
            answer = await _ask(browser, route)
            refused = answer.status_code == 403 and answer.json()["type"] == "not-permitted"
            if refused is (role in allowed) or answer.status_code in (401, 500):
                wrong.append((role.value, route, answer.status_code))
    assert wrong == []


async def test_no_act_without_a_csrf_token(server: Server) -> None:
    """With a login but no CSRF token, or a false one, every act is refused, those of nodes and kiosks excepted."""
    acts = [route for route in server.routes if route[0] not in ("GET", "HEAD")]
    assert WITHOUT_CSRF & set(acts)
    for role in ("administrator", "chief" if server.site.settings.role == "centre" else "city_officer"):
        browser = await server.signed_in(role)
        before = await server.records()
        own = browser.headers.pop("x-csrftoken")
        for route in set(acts) - WITHOUT_CSRF:
            for token in (
                None,
                "",
                "0" * len(own),
                own[:-1] + ("0" if own[-1] != "0" else "1"),
                "é" * len(own),
            ):
                headers = {} if token is None else {"x-csrftoken": token.encode("utf-8")}
                answer = await _ask(browser, route, headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (403, "csrf-failed"), (route, token)
        assert await server.records() == before


async def _close_code(server: Server, path: str, cookie: str) -> int | None:
    """Open a websocket; return its close code, None when it was accepted."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if not sent else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "wss",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver.local"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("testserver.local", 443),
        "subprotocols": [],
        "state": {},
    }
    await server.app(scope, receive, send)  # type: ignore[arg-type]
    return None if sent[0]["type"] == "websocket.accept" else int(sent[0]["code"])


async def test_each_socket_takes_only_its_roles(server: Server) -> None:
    """A websocket that names roles is closed before it is accepted for everybody else, signed in or not."""
    paths = [route.path for route in server.app.routes if isinstance(route, WebSocketRoute)]
    assert set(paths) == (set(SOCKETS) if server.site.settings.role == "centre" else set())
    for path in paths:
        roles = SOCKETS[path]
        assert (await _close_code(server, path, "") is None) is (roles is None)
        for role in sorted(CENTRE_ROLES):
            browser = await server.signed_in(role.value)
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            accepted = await _close_code(server, path, cookie) is None
            assert accepted is (roles is None or role in roles), (path, role)


@pytest.mark.timeout(1200)  # every route twice for every role
async def test_no_route_of_a_centre_gives_item_text(tmp_path: Path, clock: FakeClock) -> None:
    """After a whole drawn, sat and closed day no answer to any role holds a stem or an option of the bank."""
    for item in small_bank():
        assert ITEM_TEXT.search(item.stem) and all(ITEM_TEXT.search(option) for option in item.options)
    async with running("centre", tmp_path / "data", clock) as server:
        site = server.site
        day = HallDay(site.db, clock, site.identity, site.journal, site.start_keys)
        await day.whole_day()
        values = {
            "plan": PLAN,
            "slot": SLOT,
            "sitting": "sitting-0",
            "room": "01",
            "candidate": "candidate-0",
        }
        fine = 0
        for role in sorted(CENTRE_ROLES):
            browser = await server.signed_in(role.value)
            for method, path in server.routes:
                if path.startswith("/static") or "logout" in path:
                    continue
                for place in (values, {**values, "slot": "slot-2", "sitting": "sitting-7", "room": "02"}):
                    body: dict[str, str] | None = None if method == "GET" else {}
                    answer = await browser.request(method, filled(path, place), json=body)
                    assert ITEM_TEXT.search(answer.text) is None, (role, method, path)
                    fine += answer.status_code == 200
        assert fine > 100
