"""Every route of both roles: who may call it, that no act goes without a CSRF token, that no item text comes out."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar.routes import WebSocketRoute

from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from server.affairs.corrections import POSSIBLE, Approver, Field, Period, PeriodRule
from server.keys.identity import Identity
from server.registry import correction_service
from server.registry.correction_service import Asked
from tests.support.clock import FakeClock
from tests.support.hall import HallDay
from tests.support.papers import PLAN, SLOT, small_bank
from tests.support.registry import ORGANISATION as ORGANISATION_ID
from tests.support.registry import PLACE, World
from tests.support.web import Route, Server, filled, running

R = Role
EVERYBODY = frozenset(Role)
OFFICE = frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CITY_OFFICER, R.SUPERVISOR})
SENDERS = OFFICE - {R.SUPERVISOR}
ADMINISTRATOR = frozenset({R.ADMINISTRATOR})
CHIEF = frozenset({R.CHIEF})
LEAD = CHIEF | {R.DEPUTY}
FLOOR = LEAD | {R.INVIGILATOR}
VIEWERS = FLOOR | {R.EXAM_OFFICE, R.TECHNICIAN, R.QUALITY, R.SUPERVISOR}
RESULT_READERS = frozenset({R.EXAM_OFFICE, R.CHIEF, R.QUALITY, R.SUPERVISOR})
RESULT_OFFICE = frozenset({R.EXAM_OFFICE, R.CHIEF})
MARK_READERS = RESULT_READERS | {R.DEPUTY}
SEEING = LEAD | {R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN, R.SUPERVISOR}
OPENERS = LEAD | {R.EXAM_OFFICE, R.CUSTODIAN}
DRAW = frozenset({R.CHIEF, R.CUSTODIAN, R.EXAM_OFFICE})
TECHNICIAN = frozenset({R.TECHNICIAN, R.CHIEF})
CALIBRATORS = FLOOR | {R.TECHNICIAN}
REMOTE = LEAD | {R.QUALITY, R.SUPERVISOR, R.REMOTE_OFFICER}
DESK = frozenset({R.ITEM_WRITER, R.ITEM_REVIEWER, R.EXAM_OFFICE, R.CUSTODIAN, R.CHIEF, R.SUPERVISOR})
"""The state of the banks, without text; the items themselves are another process's (test_desk_routes)."""
ORGANISATION = frozenset({R.ORGANISATION})
CITY = frozenset({R.CITY_OFFICER})
DISTRICT = frozenset({R.DISTRICT_OFFICER})
EITHER = CITY | DISTRICT
OFFICERS = EITHER | {R.SUPERVISOR}
STAFF = ORGANISATION | OFFICERS

OPEN: Mapping[Route, str] = {
    ("GET", "/"): "the front page says which pages there are, and for whom",
    ("GET", "/api/time"): "kiosks and pages ask for the time before anybody signs in",
    ("GET", "/api/node"): "people compare the node's public keys with the letter",
    ("GET", "/static/{file_path:path}"): "styles, scripts and fonts of the sign-in page too",
    ("HEAD", "/static/{file_path:path}"): "the same without the bodies",
    ("GET", "/login"): "the sign-in form",
    ("POST", "/login"): "signing in",
    ("POST", "/api/login"): "signing in",
    ("POST", "/logout"): "a login that has ended may be ended again",
    ("POST", "/api/logout"): "a login that has ended may be ended again",
    ("POST", "/api/packages"): "the package's own signature counts, not the caller",
    ("GET", "/exam"): "the candidate's page; a candidate has no account",
    ("GET", "/exam/texts"): "its sentences",
    ("POST", "/api/seats/enrol"): "a one-time code proves the machine",
    ("POST", "/api/seats/health"): "the signature of an enrolled machine's launcher proves it",
    ("GET", "/api/seats/token"): "Safe Exam Browser's headers prove it",
    ("GET", "/public"): "for the public",
    ("GET", "/public/certificate"): "for the public",
    ("GET", "/public/notices/{plan:str}"): "for the public",
    ("GET", "/public/yearly/{organisation:str}"): "for the public",
    ("POST", "/public/notices/{plan:str}"): "anybody may object",
    ("GET", "/api/directory"): "for the public",
    ("GET", "/api/notices"): "for the public",
    ("GET", "/api/notices/{plan:str}"): "for the public",
    ("POST", "/api/notices/{plan:str}/objections"): "anybody may object",
    ("GET", "/api/certificates/check"): "for the public, limited by address",
    ("GET", "/api/certificates/paper"): "for the public, limited by address",
}
"""Routes that need no login, each with its reason."""

WITHOUT_CSRF = {("POST", "/api/packages"), ("POST", "/api/seats/enrol"), ("POST", "/api/seats/health")}
"""Acts of nodes and kiosks that hold no cookie."""

SHARED: Mapping[Route, frozenset[Role]] = {
    ("GET", "/api/me"): EVERYBODY,
    ("POST", "/api/me/password"): EVERYBODY,
    ("GET", "/password"): EVERYBODY,
    ("POST", "/password"): EVERYBODY,
    ("GET", "/api/accounts"): ADMINISTRATOR,
    ("POST", "/api/accounts"): ADMINISTRATOR,
    ("POST", "/api/accounts/{username:str}/close"): ADMINISTRATOR,
    ("GET", "/api/peers"): OFFICE,
    ("POST", "/api/peers"): SENDERS,
    ("GET", "/api/packages/outgoing"): OFFICE,
    ("GET", "/api/packages/outgoing/{package:str}"): OFFICE,
    ("POST", "/api/packages/send"): SENDERS,
    ("GET", "/api/schema"): EVERYBODY,
    ("GET", "/api/schema/openapi.json"): EVERYBODY,
    ("GET", "/api/schema/{path:str}"): EVERYBODY,
}
_SLOT = "/api/hall/slots/{slot:str}"
_SITTING = "/api/hall/sittings/{sitting:str}"
CENTRE: Mapping[Route, frozenset[Role]] = {
    **SHARED,
    ("GET", "/hall"): VIEWERS,
    ("GET", "/hall/texts"): VIEWERS,
    ("GET", "/api/hall/slots"): VIEWERS | {R.CUSTODIAN, R.EXAMINER, R.MARKER},
    ("GET", _SLOT): VIEWERS,
    ("GET", f"{_SLOT}/calls"): VIEWERS,
    ("GET", f"{_SLOT}/gaps"): VIEWERS,
    ("GET", f"{_SLOT}/records"): VIEWERS,
    ("GET", f"{_SLOT}/rooms/{{room:str}}/record"): VIEWERS,
    ("POST", f"{_SLOT}/rooms/{{room:str}}/record"): FLOOR,
    ("POST", f"{_SLOT}/prepare"): LEAD | {R.TECHNICIAN},
    ("POST", f"{_SLOT}/seals"): CHIEF,
    ("POST", f"{_SLOT}/bell"): CHIEF,
    ("POST", f"{_SLOT}/cancel"): CHIEF,
    ("POST", f"{_SLOT}/close"): CHIEF,
    ("POST", f"{_SLOT}/time"): LEAD,
    ("POST", f"{_SLOT}/pause"): LEAD,
    ("POST", f"{_SLOT}/resume"): LEAD,
    ("POST", f"{_SLOT}/message"): FLOOR,
    ("POST", f"{_SLOT}/halt"): CHIEF,
    ("POST", f"{_SLOT}/continuation"): CHIEF,
    ("POST", f"{_SLOT}/continue"): CHIEF,
    ("POST", f"{_SLOT}/collect"): CHIEF,
    ("GET", f"{_SLOT}/lost-time"): VIEWERS,
    ("POST", "/api/hall/acts/{act_id:str}/undo"): FLOOR,
    ("POST", f"{_SITTING}/leave"): FLOOR,
    ("POST", f"{_SITTING}/return"): FLOOR,
    ("POST", f"{_SLOT}/steps/{{code:str}}"): FLOOR,
    ("POST", f"{_SLOT}/incidents"): FLOOR,
    ("DELETE", f"{_SLOT}/calls/{{call:str}}"): FLOOR,
    ("POST", f"{_SITTING}/check-in"): FLOOR,
    ("POST", f"{_SITTING}/check-in/undo"): FLOOR,
    ("POST", f"{_SITTING}/absent"): FLOOR,
    ("POST", f"{_SITTING}/collect"): LEAD,
    ("POST", f"{_SITTING}/reseat"): LEAD,
    ("POST", f"{_SITTING}/void"): CHIEF,
    ("POST", "/api/hall/incidents/{incident:str}/settle"): FLOOR,
    ("POST", "/api/hall/incidents/{incident:str}/report"): LEAD,
    ("POST", "/api/hall/records/{record:str}/sign"): FLOOR,
    ("GET", "/api/hall/alerts/{key:str}"): VIEWERS,
    ("POST", "/api/hall/alerts/{key:str}"): FLOOR,
    ("GET", "/cameras"): REMOTE,
    ("GET", "/api/remote/cameras/{camera:str}/live"): REMOTE,
    ("GET", "/api/remote/cameras/{camera:str}/recorded"): REMOTE,
    ("GET", "/api/hall/alerts/{key:str}/clip"): FLOOR | {R.QUALITY, R.SUPERVISOR},
    ("GET", "/technician/recordings"): TECHNICIAN,
    ("GET", "/api/hall/alerts/{key:str}/picture"): FLOOR | {R.QUALITY, R.SUPERVISOR},
    ("GET", "/api/practical/{slot:str}"): RESULT_READERS | {R.EXAMINER},
    ("POST", "/api/practical/{slot:str}/form"): RESULT_OFFICE,
    ("POST", "/api/practical/{slot:str}/reopen"): CHIEF,
    ("POST", "/api/practical/{slot:str}/{candidate:str}"): frozenset({R.EXAMINER}),
    ("GET", "/api/plans/{plan:str}/counts"): RESULT_READERS,
    ("GET", "/api/plans/{plan:str}/results"): RESULT_READERS,
    ("POST", "/api/plans/{plan:str}/notice"): RESULT_OFFICE,
    ("POST", "/api/plans/{plan:str}/result"): RESULT_OFFICE,
    ("GET", "/api/slots/{slot:str}/statistics"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/decisions"): MARK_READERS,
    ("POST", "/api/slots/{slot:str}/decisions"): CHIEF,
    ("POST", "/api/decisions/{decision:str}"): MARK_READERS - {R.SUPERVISOR},
    ("POST", "/api/slots/{slot:str}/rescore"): CHIEF,
    ("POST", "/api/slots/{slot:str}/marks/reopen"): CHIEF,
    ("GET", "/results"): MARK_READERS,
    ("GET", "/results/{slot:str}"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/similarity"): frozenset({R.QUALITY, R.SUPERVISOR}),
    ("GET", "/api/slots/{slot:str}/marking"): MARK_READERS,
    ("GET", "/api/slots/{slot:str}/marking.csv"): MARK_READERS,
    ("POST", "/api/slots/{slot:str}/markers"): RESULT_OFFICE,
    ("POST", "/api/slots/{slot:str}/spread"): CHIEF,
    ("POST", "/api/slots/{slot:str}/review"): CHIEF,
    ("GET", "/api/slots/{slot:str}/statistics.csv"): MARK_READERS,
    ("GET", "/api/banks/{bank:str}/statistics"): MARK_READERS,
    ("GET", "/api/banks/{bank:str}/statistics.csv"): MARK_READERS,
    ("POST", "/api/plans/{plan:str}/commitment"): DRAW,
    ("GET", "/api/banks"): DRAW,
    ("POST", "/api/banks/{bank:str}/blueprint-check"): DRAW,
    ("GET", "/api/custodians"): SEEING,
    ("POST", "/api/ceremony"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/changes"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/drill"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("POST", "/api/custody/passphrase"): frozenset({R.ADMINISTRATOR, R.EXAM_OFFICE, R.CUSTODIAN}),
    ("GET", "/api/openings"): SEEING,
    ("POST", "/api/openings"): OPENERS,
    ("GET", "/hall/late/{slot:str}"): VIEWERS,
    ("GET", "/api/hall/slots/{slot:str}/late"): VIEWERS,
    ("POST", "/api/hall/journals"): LEAD | {R.TECHNICIAN},
    ("POST", "/api/hall/sittings/{sitting:str}/late/proposal"): LEAD,
    ("POST", "/api/hall/sittings/{sitting:str}/late/return"): FLOOR,
    ("POST", "/api/hall/sittings/{sitting:str}/late/confirm"): FLOOR,
    ("POST", "/api/hall/sittings/{sitting:str}/spare"): CHIEF,
    ("GET", "/hall/receipt"): LEAD | {R.EXAM_OFFICE, R.SUPERVISOR},
    ("GET", "/api/hall/receipts/{code:str}"): LEAD | {R.EXAM_OFFICE, R.SUPERVISOR},
    ("GET", "/api/openings/{opening:str}"): SEEING,
    ("GET", "/api/openings/{opening:str}/offer"): SEEING,
    ("POST", "/api/openings/{opening:str}/passphrases"): EVERYBODY,
    ("POST", "/api/openings/{opening:str}/abort"): OPENERS,
    ("GET", "/custody"): SEEING,
    ("GET", "/custody/openings/{opening:str}"): SEEING,
    ("POST", "/api/seats/codes"): TECHNICIAN,
    ("GET", "/api/technician/health"): TECHNICIAN | ADMINISTRATOR,
    ("GET", "/api/technician/slots/{slot:str}/seats"): TECHNICIAN,
    ("GET", "/hall/wall"): VIEWERS,
    ("GET", "/hall/cameras"): VIEWERS,
    ("GET", "/hall/cameras/texts"): VIEWERS,
    ("GET", "/api/hall/cameras/plots"): VIEWERS,
    ("GET", "/technician/cameras"): CALIBRATORS,
    ("GET", "/technician/cameras/{camera:str}"): CALIBRATORS,
    ("POST", "/technician/cameras/discover"): TECHNICIAN,
    ("GET", "/api/cameras"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/setup"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/setup"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/picture"): CALIBRATORS,
    ("GET", "/api/cameras/{camera:str}/seats.toml"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/proposal"): CALIBRATORS,
    ("POST", "/api/cameras/{camera:str}/reference"): CALIBRATORS,
    ("GET", "/technician"): TECHNICIAN,
    ("POST", "/technician/codes"): TECHNICIAN,
    ("GET", "/bank"): DESK,
    ("GET", "/bank/{bank:str}"): DESK,
}
_PLAN = "/api/plans/{plan:str}"
_FILING = "/api/filings/{filing:str}"
REGISTRY: Mapping[Route, frozenset[Role]] = {
    **SHARED,
    ("GET", "/api/filings"): STAFF,
    ("POST", "/api/filings"): ORGANISATION,
    ("POST", f"{_FILING}/withdraw"): ORGANISATION,
    ("POST", f"{_FILING}/recommend"): DISTRICT,
    ("POST", f"{_FILING}/evaluate"): CITY,
    ("POST", f"{_FILING}/notice"): CITY,
    ("POST", f"{_FILING}/letter"): CITY,
    ("POST", f"{_FILING}/publish"): CITY,
    ("POST", f"{_FILING}/refuse"): EITHER,
    ("GET", "/regulator/plans/{plan:str}/remote-view"): OFFICERS,
    ("POST", "/regulator/plans/{plan:str}/remote-view"): OFFICERS,
    ("POST", "/api/plans/{plan:str}/remote-view"): OFFICERS,
    ("GET", "/api/plans"): STAFF,
    ("POST", "/api/plans"): ORGANISATION,
    ("GET", _PLAN): STAFF,
    ("POST", f"{_PLAN}/file"): ORGANISATION,
    ("POST", f"{_PLAN}/confirm"): ORGANISATION,
    ("POST", f"{_PLAN}/withdraw"): ORGANISATION,
    ("GET", f"{_PLAN}/candidates"): STAFF,
    ("POST", f"{_PLAN}/candidates"): ORGANISATION,
    ("POST", f"{_PLAN}/candidates/confirm"): ORGANISATION,
    ("POST", f"{_PLAN}/arrangement"): ORGANISATION,
    ("GET", f"{_PLAN}/seating"): STAFF,
    ("POST", f"{_PLAN}/commitment"): ORGANISATION,
    ("POST", "/api/organisations/{organisation:str}/bank-root"): ORGANISATION,
    ("GET", f"{_PLAN}/package"): ORGANISATION | CITY,
    ("POST", f"{_PLAN}/package"): ORGANISATION | CITY,
    ("GET", f"{_PLAN}/changes"): STAFF,
    ("POST", f"{_PLAN}/changes"): ORGANISATION,
    ("GET", f"{_PLAN}/counts"): STAFF,
    ("GET", f"{_PLAN}/certificates"): STAFF,
    ("POST", f"{_PLAN}/certificates"): ORGANISATION,
    ("GET", f"{_PLAN}/objections"): STAFF,
    ("POST", "/api/objections/{objection:str}/answer"): ORGANISATION,
    ("POST", "/api/cases/{case:str}/defence"): ORGANISATION,
    ("GET", "/organisation"): ORGANISATION,
    ("POST", "/organisation/bank-root"): ORGANISATION,
    ("GET", "/organisation/plans/{plan:str}"): ORGANISATION | CITY | {R.SUPERVISOR},
    ("POST", "/organisation/plans/{plan:str}/{step:str}"): ORGANISATION,
    ("GET", "/api/procedures"): ORGANISATION,
    ("POST", "/api/procedures"): ORGANISATION,
    ("GET", f"{_PLAN}/corrections"): STAFF,
    ("POST", f"{_PLAN}/corrections"): ORGANISATION | CITY,
    ("POST", "/api/corrections/{correction:str}/approve"): ORGANISATION | CITY,
    ("POST", "/api/corrections/{correction:str}/refuse"): ORGANISATION | CITY,
    ("GET", "/api/organisations/{organisation:str}/yearly"): STAFF,
    ("POST", "/api/organisations/{organisation:str}/yearly"): ORGANISATION,
    ("GET", "/organisation/yearly"): ORGANISATION,
    ("POST", "/organisation/yearly"): ORGANISATION,
    ("GET", "/organisation/procedure"): ORGANISATION,
    ("POST", "/organisation/procedure"): ORGANISATION,
    ("GET", "/organisation/plans/{plan:str}/corrections"): STAFF,
    ("POST", "/organisation/plans/{plan:str}/corrections"): ORGANISATION | CITY,
    ("POST", "/organisation/corrections/{correction:str}/{answer:str}"): ORGANISATION | CITY,
    ("POST", f"{_PLAN}/accept"): CITY,
    ("POST", f"{_PLAN}/return"): CITY,
    ("POST", f"{_PLAN}/stop"): CITY,
    ("POST", "/api/changes/{change:str}/file"): CITY,
    ("POST", "/api/changes/{change:str}/refuse"): CITY,
    ("GET", f"{_PLAN}/spot-check"): OFFICERS,
    ("POST", f"{_PLAN}/spot-check/commitment"): EITHER,
    ("POST", f"{_PLAN}/spot-check/draw"): EITHER,
    ("POST", f"{_PLAN}/spot-check/report"): EITHER,
    ("POST", f"{_PLAN}/certificates/issue"): CITY,
    ("POST", "/api/certificates/{number:str}/revoke"): CITY,
    ("GET", "/api/violations"): OFFICERS,
    ("GET", "/api/cases"): OFFICERS,
    ("POST", "/api/cases"): EITHER,
    ("GET", "/api/leads"): OFFICERS,
    ("POST", "/api/cases/{case:str}/finding"): CITY,
    ("POST", "/api/cases/{case:str}/decision"): CITY,
    ("GET", "/regulator"): OFFICERS,
    ("GET", "/regulator/cases"): OFFICERS,
    ("POST", "/regulator/plans/{plan:str}/accept"): CITY,
    ("POST", "/regulator/filings/{which:str}/{step:str}"): EITHER,
}
GUARDED = {"centre": CENTRE, "registry": REGISTRY}
SOCKETS: Mapping[str, frozenset[Role] | None] = {
    "/ws/candidate": None,
    "/ws/hall": VIEWERS,
    "/ws/wall": VIEWERS,
}
"""Websockets with their roles; None: the seat's key proves itself inside."""
_OF_SIDE = {"centre": CENTRE_ROLES, "registry": REGISTRY_ROLES}


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
    for role in sorted(_OF_SIDE[server.site.settings.role]):
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


_ITEM_TEXT = re.compile(r"(single|multiple|judge|fill) stem|right \d|wrong \d+[abcxy]")


async def test_no_route_of_a_centre_gives_item_text(tmp_path: Path, clock: FakeClock) -> None:
    """After a whole drawn, sat and closed day no answer to any role holds a stem or an option of the bank."""
    for item in small_bank():
        assert _ITEM_TEXT.search(item.stem) and all(_ITEM_TEXT.search(option) for option in item.options)
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
                    assert _ITEM_TEXT.search(answer.text) is None, (role, method, path)
                    fine += answer.status_code == 200
        assert fine > 100


_CHANGE = {"starts_at": "2026-04-21T00:30:00Z", "place": PLACE, "reason": "storm"}
_ROOMS = [{"number": "1", "name": "room", "seats": 30}]
_STAFF = [{"name": "x", "role": "chief", "username": "xx"}]
_PERSON = {"name": "x", "id_kind": "resident", "id_number": "1", "condition": "c", "committed": True}
BODIES: Mapping[Route, Mapping[str, Any]] = {
    ("POST", f"{_PLAN}/candidates"): {"candidates": [_PERSON]},
    ("POST", f"{_PLAN}/arrangement"): {"rooms": _ROOMS, "staff": _STAFF},
    ("POST", f"{_PLAN}/commitment"): {"commitment": "ab" * 32},
    ("POST", "/api/organisations/{organisation:str}/bank-root"): {"root": "ab" * 32},
    ("POST", f"{_PLAN}/changes"): {"slot": "none", **_CHANGE},
    ("POST", "/api/objections/{objection:str}/answer"): {"outcome": "dismiss", "answer": "no"},
    ("POST", "/api/cases/{case:str}/defence"): {"text": "not so"},
    ("POST", f"{_PLAN}/corrections"): {
        "candidate": "none",
        "field": "name",
        "value": "a name",
        "reason": "a slip",
        "evidence": "a copy",
        "evidence_sha256": "ab" * 32,
    },
    ("POST", "/api/corrections/{correction:str}/refuse"): {"reason": "no"},
    ("POST", "/api/organisations/{organisation:str}/yearly"): {
        "code": "overall_plan",
        "year": 2027,
        "text": "x",
    },
}


async def test_an_organisation_sees_and_does_nothing_of_another(tmp_path: Path, clock: FakeClock) -> None:
    """Of another organisation's filing, plan, candidates, change, objection and case an organisation's account gets
    no word from any route, may act on none of them, and leaves no record by trying."""
    async with running("registry", tmp_path / "data", clock) as server:
        world = World(server.site.db, server.site.identity)
        filing = await world.filed(Identity.open_or_create(tmp_path / "centre"))
        plan = await world.planned()
        people = await world.enrolled(plan.id)
        await world.packed(plan.id)
        await world.noticed(plan.id, people)
        clock.set(world.now + timedelta(days=1))
        anyone, city = await server.anonymous(), await server.signed_in("city_officer")
        shown = (await anyone.get(f"/api/notices/{plan.id}")).json()
        objection = await anyone.post(
            f"/api/notices/{plan.id}/objections",
            json={"row": shown["rows"][0]["id"], "text": "objected-words", "contact": "contact-words"},
        )
        case = await city.post(
            "/api/cases",
            json={
                "organisation": ORGANISATION_ID,
                "violation": "BJ-ordered-5",
                "suspicion": "suspected-words",
            },
        )
        assert (objection.status_code, case.status_code) == (201, 201), (objection.text, case.text)
        async with world.act("staff:own") as act:
            rules = {one: PeriodRule(POSSIBLE[one], "own", "paper", Approver.ORGANISATION) for one in Period}
            await correction_service.record_procedure(act, ORGANISATION_ID, "a procedure", rules)
            wish = Asked(people[0].id, Field.NAME, "corrected-words", "a slip", "a copy", bytes(32))
            correction = await correction_service.ask(act, plan.id, wish, by_authority=False)
        theirs = {
            "correction": correction.id,
            "answer": "approve",
            "plan": plan.id,
            "filing": filing,
            "organisation": ORGANISATION_ID,
            "objection": objection.json()["id"],
            "case": case.json()["id"],
            "step": "file",
        }
        secret = re.compile(
            "|".join(
                [*(one.name for one in people), *(one.ticket for one in people), "[a-z]+-words", plan.name]
            )
        )
        await server.account("own", (Role.ORGANISATION,), ORGANISATION_ID)
        await server.account("other", (Role.ORGANISATION,), "91110105MA0000002X")
        own, other = await server.signed_in("own"), await server.signed_in("other")
        assert secret.search((await own.get("/api/plans")).text)
        assert secret.search((await own.get(f"/api/plans/{plan.id}/objections")).text)
        before, closed = await server.records(), 0
        for route, roles in REGISTRY.items():
            method, path = route
            if Role.ORGANISATION not in roles or path.startswith(("/api/me", "/api/schema")):
                continue
            answer = await other.request(
                method, filled(path, theirs), json=None if method == "GET" else BODIES.get(route, {})
            )
            assert secret.search(answer.text) is None, route
            if "{" in path:
                assert (answer.status_code, answer.json()["type"]) == (403, "organisation-not-yours"), route
                closed += 1
        assert closed > 20
        assert await server.records() == before
