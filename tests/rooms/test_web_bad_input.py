"""What is sent in the wrong form: every route of both roles refuses it in words, writes nothing and never breaks."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import inspect

from server.accounts.roles import CENTRE_ROLES, REGISTRY_ROLES, Role
from server.affairs import store as affairs
from server.keys.identity import Identity
from tests.support.clock import FakeClock
from tests.support.hall import PRACTICAL, HallDay
from tests.support.papers import PLAN, SLOT
from tests.support.registry import ORGANISATION, World
from tests.support.web import Server, filled, running

MALFORMED = {
    "empty": b"",
    "broken": b'{"reason": ',
    "list": b"[]",
    "text": b'"text"',
    "null": b"null",
    "number": b"12",
    "unknown field": b'{"nobody-knows-this": 1}',
    "not a number": b'{"reason": NaN}',
    "infinite": b'{"reason": 1e999}',
    "broken UTF-8": b'{"reason": "\xff\xfe\xc3\x28"}',
    "half a pair": b'{"reason": "\\ud800"}',
    "deep": b'{"reason": ' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One act that takes a JSON body."""

    method: str
    path: str
    body: Any
    optional: bool


@dataclass(slots=True)
class Filled:
    """A server that has been worked with, what its paths may name, and a browser for each role."""

    server: Server
    values: dict[str, str]
    browsers: dict[Role, httpx.AsyncClient]

    async def allowed(self, method: str, path: str) -> httpx.AsyncClient:
        """Return a browser whose role may call this route; the one without a login where anybody may."""
        roles = next(
            (found for (a, b), found in _guards(self.server) if (a, b) == (method, path)), frozenset(Role)
        )
        return next(browser for role, browser in self.browsers.items() if role in roles)


def _handlers(server: Server) -> Iterator[tuple[str, HTTPRouteHandler]]:
    for route in server.app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.http_methods != {"OPTIONS"}:
                    yield route.path, handler


def _guards(server: Server) -> Iterator[tuple[tuple[str, str], frozenset[Role]]]:
    for path, handler in _handlers(server):
        named = [cell.cell_contents for guard in handler.guards or () for cell in guard.__closure__ or ()]
        roles = frozenset(role for found in named for role in found) or frozenset(Role)
        for method in handler.http_methods:
            yield (str(method), path), roles


def _entries(server: Server) -> tuple[Entry, ...]:
    """Return every act whose body is a closed message."""
    found = []
    for path, handler in _handlers(server):
        field = handler.parsed_fn_signature.parameters.get("data")
        if (
            field is not None
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, msgspec.Struct)
        ):
            method = str(next(iter(handler.http_methods)))
            optional = not any(one.required for one in msgspec.structs.fields(field.annotation))
            found.append(Entry(method, path, field.annotation, optional))
    return tuple(found)


@pytest_asyncio.fixture(params=["centre", "registry"])
async def filled_server(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Filled]:
    """A centre with a drawn slot and its sittings, or a registry with a packed plan."""
    async with running(request.param, tmp_path / "data", clock) as server:
        site = server.site
        if request.param == "centre":
            day = HallDay(site.db, clock, site.identity, site.journal, site.start_keys)
            await day.draw()
            values = {
                "plan": PLAN,
                "slot": SLOT,
                "sitting": "sitting-0",
                "room": "01",
                "candidate": "candidate-0",
            }
            names: dict[Role, str] = {role: role.value for role in CENTRE_ROLES}
        else:
            world = World(site.db, site.identity)
            filing = await world.filed(Identity.open_or_create(tmp_path / "centre"))
            plan = await world.planned()
            people = await world.enrolled(plan.id)
            clock.set(world.now)
            async with site.db.reading() as session:
                slot = (await affairs.slots(session, plan.id))[0].id
            values = {"plan": plan.id, "slot": slot, "filing": filing, "organisation": ORGANISATION}
            values |= {"candidate": people[0].id}
            await server.account("own", (Role.ORGANISATION,), ORGANISATION)
            names = {role: role.value for role in REGISTRY_ROLES} | {Role.ORGANISATION: "own"}
        browsers = {role: await server.signed_in(name) for role, name in sorted(names.items())}
        yield Filled(server, values, browsers)


def _is_problem(answer: httpx.Response, language: str) -> bool:
    """Tell whether an answer is a refusal in words of this language."""
    if not 400 <= answer.status_code < 500 or answer.headers["content-type"] != "application/problem+json":
        return False
    body = answer.json()
    said = str(body["title"])
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in said)
    return said != body["type"] and chinese is (language == "zh") and body["status"] == answer.status_code


async def test_malformed_bodies_are_refused_in_words(filled_server: Filled) -> None:
    """Every act with a message refuses each malformed body with a 4xx problem in both languages, and writes nothing."""
    server = filled_server.server
    before, wrong = await server.records(), []
    entries = _entries(server)
    assert len(entries) > 15
    for entry in entries:
        browser = await filled_server.allowed(entry.method, entry.path)
        for name, body in MALFORMED.items():
            for language in ("zh", "en"):
                answer = await browser.request(
                    entry.method,
                    filled(entry.path, filled_server.values),
                    content=body,
                    params={"lang": language},
                    headers={"content-type": "application/json"},
                )
                if not _is_problem(answer, language):
                    wrong.append((entry.path, name, language, answer.status_code, answer.text[:200]))
    assert wrong == [], "\n".join(map(str, wrong[:12]))
    assert await server.records() == before


async def test_a_body_of_ten_megabytes_is_refused_unread(filled_server: Filled) -> None:
    """Every act answers 413 `body-too-large` to 10 MB and writes nothing."""
    server = filled_server.server
    before = await server.records()
    body = b'{"reason": "' + b"x" * (10 << 20) + b'"}'
    for entry in _entries(server):
        browser = await filled_server.allowed(entry.method, entry.path)
        for language in ("zh", "en"):
            answer = await browser.request(
                entry.method,
                filled(entry.path, filled_server.values),
                content=body,
                params={"lang": language},
                headers={"content-type": "application/json"},
            )
            assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large"), entry.path
            assert _is_problem(answer, language)
    assert await server.records() == before


_LONG = 20_000


def _extreme(kind: inspect.Type, how: str) -> Any:
    """Return a value that the form allows and that is as large, long or odd as it allows."""
    match kind:
        case inspect.StrType(pattern=str(pattern)):
            return "a" * 18 if "18" in pattern else "ab" * 32
        case inspect.StrType(min_length=least, max_length=most):
            letter = {"long": "长", "odd": "\x00", "large": "9"}[how]
            return letter * max(min(most or _LONG, _LONG), least or 0)
        case inspect.BoolType():
            return True
        case inspect.IntType(le=most):
            return most if most is not None else 10**30
        case inspect.FloatType():
            return {"long": 0.1234567890123, "odd": -1.0, "large": 1.7e308}[how]
        case inspect.DateTimeType():
            return "9999-12-31T23:59:59Z" if how == "large" else "0001-01-01T00:00:00Z"
        case inspect.DateType():
            return "9999-12-31" if how == "large" else "0001-01-01"
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.EnumType(cls=members):
            return next(iter(members)).value
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return [_extreme(item, how)]
        case inspect.TupleType(item_types=items):
            return [_extreme(item, how) for item in items]
        case inspect.FrozenSetType(item_type=item) | inspect.SetType(item_type=item):
            return [_extreme(item, how)]
        case inspect.DictType(key_type=key, value_type=value):
            return {_extreme(key, how): _extreme(value, how)}
        case inspect.UnionType(types=types):
            return _extreme(next(one for one in types if not isinstance(one, inspect.NoneType)), how)
        case inspect.StructType(cls=cls):
            return {
                one.name: _extreme(inspect.type_info(one.type), how) for one in msgspec.structs.fields(cls)
            }
    raise AssertionError(f"no extreme for {kind}")


async def test_extreme_values_break_nothing(filled_server: Filled) -> None:
    """No act answers 5xx to the longest, largest or oddest body that its message allows, on names that exist."""
    wrong = []
    for entry in _entries(filled_server.server):
        browser = await filled_server.allowed(entry.method, entry.path)
        for how in ("long", "odd", "large"):
            body = _extreme(inspect.type_info(entry.body), how)
            for values in (filled_server.values, {**filled_server.values, "slot": PRACTICAL}):
                answer = await browser.request(entry.method, filled(entry.path, values), json=body)
                if answer.status_code >= 500 or (answer.status_code >= 400 and not _is_problem(answer, "zh")):
                    wrong.append((entry.path, how, answer.status_code, answer.text[:300]))
    assert wrong == [], "\n".join(map(str, wrong[:12]))


async def test_strange_names_in_paths_are_not_found(filled_server: Filled) -> None:
    """A name that is too long, or holds control characters, markup or dots, never breaks a route."""
    wrong = []
    for method, path in filled_server.server.routes:
        if "{" not in path or path.startswith("/static"):
            continue
        browser = await filled_server.allowed(method, path)
        for name in (
            "x" * 5000,
            "%00",
            "a%0d%0aset-cookie:b=c",
            "..%2f..%2fetc%2fpasswd",
            "%3Cscript%3E",
            "%ff%fe",
        ):
            values = dict.fromkeys(
                (
                    "plan",
                    "slot",
                    "sitting",
                    "room",
                    "candidate",
                    "key",
                    "opening",
                    "package",
                    "filing",
                    "case",
                    "objection",
                    "organisation",
                    "change",
                    "number",
                    "username",
                    "record",
                    "incident",
                    "call",
                    "code",
                    "which",
                    "step",
                    "path",
                ),
                name,
            )
            answer = await browser.request(method, filled(path, values), json=None if method == "GET" else {})
            if answer.status_code >= 500 or "set-cookie" in answer.headers:
                wrong.append((method, path, name[:30], answer.status_code, answer.text[:200]))
    assert wrong == [], "\n".join(map(str, wrong[:12]))


async def test_strange_questions_break_nothing(filled_server: Filled) -> None:
    """No GET answers 5xx to odd query values: numbers that are none, control characters, foreign languages."""
    wrong = []
    for method, path in filled_server.server.routes:
        if method != "GET" or path.startswith("/static"):
            continue
        browser = await filled_server.allowed(method, path)
        for value in ("nan", "-inf", "1e999", "%00", "%ff", "x" * 2000, "%F0%9F%98%80"):
            query = "&".join(
                f"{key}={value}" for key in ("wait", "plan", "slot", "lang", "number", "name", "next")
            )
            answer = await browser.get(f"{filled(path, filled_server.values)}?{query}")
            if answer.status_code >= 500:
                wrong.append((path, value[:10], answer.status_code, answer.text[:200]))
    assert wrong == [], "\n".join(map(str, wrong[:12]))
