"""The doors of a server: headers and cookies of every answer, signing in, and packages from strangers."""

import os
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar import WebSocket
from litestar.routes import WebSocketRoute

from server.accounts.roles import Role
from server.conduct.models import RoomRecordRow
from server.delivery.models import CallRow
from server.errors import NotPermitted
from server.keys.identity import Identity
from server.keys.sealing import hpke_seal
from server.packages import envelope
from server.packages.contents import StandingContent
from server.packages.outbox import pack
from server.packages.peers import register_peer
from server.web.edges import HEADERS
from server.web.guards import of_this_centre, same_origin
from server.web.site import CSRF_COOKIE, LOGIN_COOKIE, cookie_tag
from tests.support.clock import FakeClock
from tests.support.cookies import csrf
from tests.support.database import act_on, database
from tests.support.hall import HallDay
from tests.support.papers import SLOT
from tests.support.web import PASSWORD, Server, running

PAGE = {"accept": "text/html"}


@pytest_asyncio.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """A centre with one account for every role."""
    async with running("centre", tmp_path / "data", clock) as found:
        yield found


async def _sign_in(
    browser: httpx.AsyncClient, password: str = PASSWORD, name: str = "chief"
) -> httpx.Response:
    return await browser.post("/api/login", json={"username": name, "password": password})


async def test_every_answer_has_the_security_headers(server: Server) -> None:
    """Pages, JSON, files, redirects and every kind of error carry each security header; only files may be cached."""
    browser, chief = await server.anonymous(), await server.signed_in("chief")
    answers = [
        await browser.get("/"),
        await browser.get("/api/time"),
        await browser.get("/static/app.css"),
        await browser.get("/static/none.css"),
        await browser.get("/nowhere"),
        await browser.get("/nowhere", headers=PAGE),
        await browser.get("/hall", headers=PAGE),
        await browser.get("/api/me"),
        await browser.put("/api/me"),
        await browser.options("/api/me"),
        await browser.post("/api/login", content=b"{", headers={"x-csrftoken": ""}),
        await _sign_in(browser, "wrong"),
        await chief.post("/api/accounts", json={}),
        await chief.get("/api/hall/slots/none"),
        await chief.post("/api/login", content=b"x" * (9 << 20)),
    ]
    assert {answer.status_code for answer in answers} >= {200, 204, 302, 401, 403, 404, 405, 413}
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, (str(answer.url), answer.status_code, name)
        assert (answer.headers.get("cache-control") == "no-store") is ("/static/" not in str(answer.url))


async def test_an_unexpected_error_says_nothing_of_the_inside(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When code breaks, the answer to a program or a browser names neither the exception nor a file."""

    def broken(_self: object) -> datetime:
        raise ZeroDivisionError("secret inside /etc/secret")

    browser = await server.anonymous()
    monkeypatch.setattr(FakeClock, "legal", broken)
    for headers in ({}, PAGE):
        answer = await browser.get("/api/time", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (500, "internal-error")
        assert not re.search(r"secret|Zero|Traceback|\.py|line \d", answer.text)
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_login_cookie_is_kept_from_scripts_and_other_sites(server: Server) -> None:
    """The login cookie is HttpOnly, Secure and SameSite=Strict, the CSRF cookie Secure and SameSite=Strict."""
    browser = server.stranger()
    token = (await browser.get("/api/time")).headers["set-cookie"]
    assert "Secure" in token and "samesite=strict" in token.lower()
    browser.headers["x-csrftoken"] = csrf(browser.cookies)
    answer = await _sign_in(browser)
    login = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(LOGIN_COOKIE))
    assert "HttpOnly" in login and "Secure" in login and "samesite=strict" in login.lower()
    assert "max-age" not in login.lower() and "expires" not in login.lower()


async def test_a_foreign_csrf_cookie_is_replaced(server: Server) -> None:
    """A CSRF cookie of another server at the same host name is replaced with the next page, and acts work again."""
    browser = server.stranger()
    browser.cookies.set(server.site.csrf_cookie, "ab" * 64, domain="testserver.local")
    assert (await _sign_in(browser)).status_code == 403
    fresh = csrf((await browser.get("/login")).cookies)
    answer = await browser.post(
        "/api/login",
        json={"username": "chief", "password": PASSWORD},
        headers={"x-csrftoken": fresh, "cookie": f"{server.site.csrf_cookie}={fresh}"},
    )
    assert answer.status_code == 200


async def test_wrong_passwords_lock_a_name(server: Server) -> None:
    """After five wrong passwords the right one is refused for 30 s with the wait named, and afterwards accepted."""
    browser = await server.anonymous()
    for _ in range(5):
        assert (await _sign_in(browser, "wrong password")).status_code == 401
    locked = await _sign_in(browser)
    assert (locked.status_code, locked.json()["type"]) == (409, "sign-in-locked")
    assert locked.json()["facts"]["wait_seconds"] <= 31
    form = await browser.post("/login", data={"username": " CHIEF", "password": PASSWORD})
    assert form.status_code == 409 and server.site.login_cookie not in form.cookies
    server.clock.advance(seconds=31)
    assert (await _sign_in(browser)).status_code == 200


async def test_an_endless_name_or_password_costs_nothing(server: Server) -> None:
    """A name over 63 or a password over 1,000 characters is refused before it is hashed or remembered."""
    browser = await server.anonymous()
    for name, password in (("x" * 5000, "p"), ("chief", "p" * 100_000)):
        form = await browser.post("/login", data={"username": name, "password": password})
        assert form.status_code == 401
        assert (await _sign_in(browser, password, name)).status_code == 400
    assert "sign_in_failures" not in server.app.state


async def test_a_planted_login_is_not_taken_over(server: Server) -> None:
    """Signing in gives a new token whatever cookie the browser brought, and ends the login it brought."""
    planted = await server.signed_in("invigilator")
    before = planted.cookies[server.site.login_cookie]
    answer = await _sign_in(planted)
    assert answer.cookies[server.site.login_cookie] != before
    thief = await server.anonymous()
    thief.cookies.set(server.site.login_cookie, before, domain="testserver.local")
    assert (await thief.get("/api/me")).status_code == 401


async def test_signing_out_ends_the_login_everywhere(server: Server) -> None:
    """After signing out, by program or by form, the old token opens nothing, and the cookie is taken away."""
    for path in ("/api/logout", "/logout"):
        browser = await server.signed_in("chief")
        token = browser.cookies[server.site.login_cookie]
        assert (await browser.get("/api/me")).status_code == 200
        answer = await browser.post(path)
        gone = answer.headers["set-cookie"]
        assert f"{server.site.login_cookie}=" in gone and "Max-Age=0" in gone
        again = await server.anonymous()
        again.cookies.set(server.site.login_cookie, token, domain="testserver.local")
        assert (await again.get("/api/me")).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
async def test_signing_in_leads_to_no_other_site(server: Server, target: str) -> None:
    """Whatever `next` says, the sign-in form leads to this server's own pages."""
    browser = await server.anonymous()
    form = {"username": "chief", "password": PASSWORD, "next": target}
    answer = await browser.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    shown = await browser.get("/login", params={"next": target})
    assert "evil" not in shown.text and "alert" not in shown.text


async def test_signing_in_leads_on_to_the_page_asked_for(server: Server) -> None:
    """A page that needs a login leads to the form and from there back to itself, with its name quoted."""
    browser = await server.anonymous()
    led = await browser.get("/custody/openings/a%26b%20c", headers=PAGE)
    assert led.headers["location"] == "/login?next=/custody/openings/a%26b%20c"
    form = {"username": "chief", "password": PASSWORD, "next": "/custody"}
    assert (await browser.post("/login", data=form)).headers["location"] == "/custody"


async def test_a_refusal_names_its_article_as_people_call_it(server: Server) -> None:
    """A problem gives the article's id and its title in the reader's language."""
    site = server.site
    day = HallDay(site.db, server.clock, site.identity, site.journal, site.start_keys)
    await day.draw()
    chief = await server.signed_in("chief")
    for language, title in (("zh", "附件4"), ("en", "annex 4")):
        answer = await chief.post(f"/api/hall/slots/{SLOT}/bell", json={}, params={"lang": language})
        assert (answer.status_code, answer.json()["article"]) == (409, "BJ-E:A4.2-7")
        assert title in answer.json()["article_title"]


async def test_an_invigilator_acts_in_no_other_room(server: Server) -> None:
    """An account bound to room 02 may neither sign a record nor answer a call of room 01."""
    site = server.site
    day = HallDay(site.db, server.clock, site.identity, site.journal, site.start_keys)
    await day.draw()
    await server.account("li", (Role.INVIGILATOR,), "02")
    now = server.clock.legal()
    async with site.db.writing() as session:
        session.add(
            RoomRecordRow(
                id="r", slot=SLOT, room="01", version=1, made_at=now, made_by="x", code="c", body=b"{}"
            )
        )
        session.add(CallRow(id="c", sitting="sitting-0", at=now, reason="help", number=None, text=""))
    browser, before = await server.signed_in("li"), await server.records()
    for method, path, body in (
        ("POST", "/api/hall/records/r/sign", {"second": "赵"}),
        ("DELETE", f"/api/hall/slots/{SLOT}/calls/c", None),
    ):
        answer = await browser.request(method, path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (403, "room-not-yours"), path
    assert await server.records() == before


class _Upload(httpx.AsyncByteStream):
    """A body that counts how many of its chunks were asked for."""

    def __init__(self, first: bytes, chunks: int) -> None:
        self.first, self.chunks, self.asked = first, chunks, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.first
        for _ in range(self.chunks):
            self.asked += 1
            yield bytes(1 << 20)


def _signed(sender: Identity, receiver: Identity, body: bytes, **changes: object) -> bytes:
    """Return a package whose header is the sender's and whose body is anything."""
    header = envelope.Header(
        kind="standing",
        sender=sender.fingerprint,
        receiver=receiver.fingerprint,
        plan="",
        number=1,
        created_at=datetime.fromisoformat("2026-03-14T00:00:00+00:00"),
        supersedes=None,
        manifest="00" * 32,
    )
    raw = envelope.header_bytes(msgspec.structs.replace(header, **changes))
    return envelope.join(raw, sender.signing.sign(envelope.signed_bytes(raw)), body)


@pytest_asyncio.fixture
async def registry(server: Server, tmp_path: Path) -> Identity:
    """A registry that the centre trusts."""
    found = Identity.open_or_create(tmp_path / "registry")
    async with server.site.acting("setup") as act:
        keys = found.public
        await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, ("a", "b"))
    return found


async def test_a_strangers_package_is_not_read_to_its_end(
    server: Server, registry: Identity, tmp_path: Path
) -> None:
    """Of 60 MB without a peer's signed header no more than the first two megabytes are asked for; nothing is kept."""
    stranger, ours = Identity.open_or_create(tmp_path / "stranger"), server.site.identity
    forged = bytearray(_signed(registry, ours, b"x" * 8192))
    forged[len(forged) - 8192 - 10] ^= 1
    before = await server.records()
    for first, code in (
        (b"x" * 8192, "package-form"),
        (envelope.MAGIC + b"\xff" * 8192, "package-form"),
        (_signed(stranger, ours, b"x" * 8192), "sender-unknown"),
        (_signed(registry, stranger, b"x" * 8192), "package-other-receiver"),
        (bytes(forged), "package-signature"),
    ):
        upload, browser = _Upload(first, 60), server.stranger()
        answer = await browser.post("/api/packages", content=upload)
        assert answer.json()["type"] == code
        assert upload.asked <= 2, code
    assert await server.records() == before


async def test_a_package_over_64_megabytes_is_refused(server: Server, registry: Identity) -> None:
    """Even a peer's package gets 413 beyond 64 MiB, with and without a length stated before."""
    first = _signed(registry, server.site.identity, bytes(8192))
    answer = await server.stranger().post("/api/packages", content=_Upload(first, 70))
    assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large")
    stated = {"content-length": str(65 << 20)}
    answer = await server.stranger().post("/api/packages", content=first, headers=stated)
    assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large")


@pytest.mark.parametrize(
    "inner",
    [
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x81\xa1a" * 50_000,
        b"",
        os.urandom(64),
    ],
    ids=[
        "a map of 4 thousand million files",
        "a file of 4 GB",
        "deep lists",
        "deep maps",
        "nothing",
        "noise",
    ],
)
async def test_a_peers_bomb_is_refused(server: Server, registry: Identity, inner: bytes) -> None:
    """A peer's package whose inside claims gigabytes or nests without end is refused with a 4xx and not kept."""
    ours = server.site.identity
    empty = envelope.split(_signed(registry, ours, b"x" * 10))
    body = hpke_seal(ours.public.receiving, inner, envelope.body_info(empty.header_bytes, empty.signature))
    answer = await server.stranger().post("/api/packages", content=_signed(registry, ours, body))
    assert (answer.status_code, answer.json()["type"]) == (422, "package-broken")


async def test_a_sound_package_in_small_pieces_is_taken(
    server: Server, registry: Identity, tmp_path: Path, clock: FakeClock
) -> None:
    """A peer's package that arrives in pieces of 97 bytes is read whole: what refuses it is its content's own room."""
    content = StandingContent(organisation="o", status="good", serial=1, as_of=clock.legal(), case=None)
    async with database(f"sqlite:///{tmp_path / 'registry.db'}") as db, act_on(db) as act:
        keys = server.site.identity.public
        await register_peer(act, "centre", "centre", keys.signing, keys.receiving, None, ("a", "b"))
        data = (await pack(act, registry, "centre", "standing", "", content)).bytes

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 97):
            yield data[start : start + 97]

    answer = await server.stranger().post("/api/packages", content=pieces())
    assert (answer.status_code, answer.json()["type"]) == (409, "standing-of-other-organisation")


async def test_a_new_password_asks_for_the_present_one(server: Server) -> None:
    """Without the present password nothing changes; with it every login of the account ends, in other browsers too,
    and only the new password signs in."""
    browser, other = await server.signed_in("chief"), await server.signed_in("chief")
    new = "quite another password"
    wrong = await browser.post("/api/me/password", json={"present": "not this one", "password": new})
    assert (wrong.status_code, wrong.json()["type"]) == (409, "password-wrong")
    assert (await browser.post("/api/me/password", json={"password": new})).status_code == 400
    assert (await other.get("/api/me")).status_code == 200
    answer = await browser.post("/api/me/password", json={"present": PASSWORD, "password": new})
    assert answer.status_code == 204
    assert [(await one.get("/api/me")).status_code for one in (browser, other)] == [401, 401]
    stranger = await server.anonymous()
    assert (await _sign_in(stranger)).status_code == 401
    assert (await _sign_in(stranger, new)).status_code == 200


async def test_the_page_of_the_own_password_is_in_every_header(server: Server) -> None:
    """A signed-in page links to it; two different entries or a wrong present password are said there and change
    nothing; then the new password signs in."""
    browser, new = await server.signed_in("technician"), "quite another password"
    front = await browser.get("/", headers={"accept": "text/html"})
    assert 'href="/password"' in front.text
    form = {"present": PASSWORD, "password": new, "again": new}
    for wrong, said in (({"again": "x"}, "两次输入不一致"), ({"present": "x"}, "现在的密码不正确")):
        answer = await browser.post("/password", data={**form, **wrong})
        assert (answer.status_code, said in answer.text) == (409, True)
    done = await browser.post("/password", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/login?changed=1")
    assert (await browser.get("/api/me")).status_code == 401
    stranger = await server.anonymous()
    assert (await _sign_in(stranger, new, "technician")).status_code == 200


async def test_two_servers_on_one_host_do_not_share_cookies(server: Server) -> None:
    """The names of login and CSRF cookie differ between roles and between nodes, and pages name the CSRF cookie."""
    site = server.site
    tags = {cookie_tag(role, print_) for role in ("registry", "centre") for print_ in ("AA", "BB")}
    assert len(tags) == 4
    tag = cookie_tag(site.settings.role, site.identity.fingerprint)
    assert (site.login_cookie, site.csrf_cookie) == (f"{LOGIN_COOKIE}-{tag}", f"{CSRF_COOKIE}-{tag}")
    shown = await server.stranger().get("/login", headers={"accept": "text/html"})
    assert f'data-csrf-cookie="{site.csrf_cookie}"' in shown.text
    assert site.csrf_cookie in shown.cookies


async def test_sockets_are_opened_from_this_site_only(server: Server) -> None:
    """Each websocket refuses a browser whose Origin is another host or port, and takes an agent that sends none."""
    sockets = [route for route in server.app.routes if isinstance(route, WebSocketRoute)]
    assert sockets
    seat = [route for route in sockets if of_this_centre in route.route_handler.guards]
    assert [route.path for route in seat] == ["/ws/candidate"]
    assert all(same_origin in route.route_handler.guards for route in sockets if route not in seat)

    def asked(guard: Any, origin: str | None) -> None:
        headers = [(b"host", b"testserver.local")]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        scope = {
            "type": "websocket",
            "path": "/",
            "headers": headers,
            "query_string": b"",
            "litestar_app": server.app,
        }
        guard(WebSocket(cast(Any, scope)), sockets[0].route_handler)

    for guard in (same_origin, of_this_centre):
        for origin in (None, "https://testserver.local", "HTTPS://TestServer.local"):
            asked(guard, origin)
        for origin in (
            "https://testserver.local:8443",
            "https://testserver.local.evil.example",
            "null",
            "",
        ):
            with pytest.raises(NotPermitted, match="foreign-origin"):
                asked(guard, origin)
