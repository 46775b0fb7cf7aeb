"""The routes of accounts, custody and packages, on the real application frame with a real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest_asyncio
from litestar import Litestar
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.template import TemplateConfig
from sqlalchemy import select

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.db.engine import Database
from server.db.journal import Journal, JournalRecord
from server.db.signals import Signals
from server.errors import BadInput
from server.keys.identity import Identity
from server.keys.openings_launcher import Launcher, child_command
from server.keys.openings_wire import offer_bytes, opening_info
from server.keys.sealing import hpke_seal
from server.keys.signing import verify
from server.keys.start_keys import StartKeys
from server.law.loader import load_pack
from server.packages.contents import HeadContent, StandingContent
from server.packages.outbox import Received, pack, receipt_bytes
from server.packages.peers import register_peer
from server.settings import Settings
from server.web import accounts, packages_routes
from server.web.guards import LoginMiddleware
from server.web.hall import custody
from server.web.pages import engine
from server.web.problems import answer
from server.web.site import Site
from tests.support.clock import START, FakeClock
from tests.support.cookies import csrf
from tests.support.database import act_on, database
from tests.support.passwords import hashed
from tests.support.web import visiting

PASSWORD = "a good password"
STAFF = {
    "admin": (Role.ADMINISTRATOR,),
    "office": (Role.EXAM_OFFICE,),
    "chief": (Role.CHIEF,),
    "guard": (Role.INVIGILATOR,),
}


@dataclass(slots=True)
class Running:
    """A centre's application and what stands behind it."""

    app: Litestar
    site: Site
    folder: Path
    standings: list[Received]


@pytest_asyncio.fixture
async def centre(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Running]:
    """A centre with four accounts, its openings in child processes, and a room that takes standings."""
    folder = tmp_path / "data"
    folder.mkdir()
    config = tmp_path / "centre.toml"
    config.write_text('role = "centre"\ndata = "data"\n', encoding="utf-8")
    standings: list[Received] = []

    async def standing(_act: object, received: Received) -> None:
        content = received.content
        if isinstance(content, StandingContent) and content.serial == 13:
            raise BadInput("not-now")
        standings.append(received)

    async with database(f"sqlite:///{folder / 'gongyuan.db'}") as db:
        site = make_site(folder, db, clock)
        site.handlers["standing"] = standing
        site.start_keys_held = StartKeys()
        command = child_command(config, None)
        site.launcher_process = Launcher(db, site.journal, clock, command, site.start_keys)
        async with act_on(db) as act:
            for username, roles in STAFF.items():
                await create_account(act, username, username.title(), await hashed(PASSWORD), roles)
        yield Running(make_app(site), site, folder, standings)
        await site.launcher.stop()


def make_site(folder: Path, db: Database, clock: FakeClock) -> Site:
    return Site(
        settings=Settings(role="centre", data=str(folder), name="第一考点"),
        clock=clock,
        db=db,
        journal=Journal("server"),
        identity=Identity.open_or_create(folder),
        signals=Signals(db),
        pack=load_pack("beijing"),
        handlers={},
    )


def make_app(site: Site) -> Litestar:
    return Litestar(
        [*accounts.ROUTES, *packages_routes.ROUTES, *custody.ROUTES],
        dependencies={"site": Provide(lambda: site, sync_to_thread=False)},
        middleware=[DefineMiddleware(LoginMiddleware)],
        csrf_config=CSRFConfig(
            secret="x" * 32,
            cookie_name=site.csrf_cookie,
            cookie_secure=True,
            exclude=["^/api/packages$"],
        ),
        template_config=TemplateConfig(instance=engine()),
        exception_handlers={Exception: answer},
        state=State({"site": site}),
        logging_config=None,
    )


class Browser:
    """One browser at the centre, with cookies and the CSRF token."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def post(self, path: str, body: object) -> httpx.Response:
        token = csrf(self.http.cookies)
        return await self.http.post(path, json=body, headers={"x-csrftoken": token})

    async def sign_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        await self.get("/api/node")
        return await self.post("/api/login", {"username": username, "password": password})


@pytest_asyncio.fixture
async def browser(centre: Running) -> AsyncIterator[Browser]:
    """A browser that nobody has signed in at."""
    async with visiting(centre.app) as client:
        yield Browser(client)


async def test_a_sign_in_gives_a_cookie_that_no_script_and_no_other_site_can_use(browser: Browser) -> None:
    """The login cookie is HttpOnly, Secure and SameSite=Strict, ends with the browser, and says who is there."""
    response = await browser.sign_in("chief")
    assert response.status_code == 200
    cookie = next(
        value for value in response.headers.get_list("set-cookie") if value.startswith("gongyuan-login-")
    )
    lowered = cookie.lower()
    assert "httponly" in lowered
    assert "secure" in lowered
    assert "samesite=strict" in lowered
    assert "max-age" not in lowered
    me = (await browser.get("/api/me")).json()
    assert me == {"username": "chief", "display_name": "Chief", "roles": ["chief"], "scope": None}
    assert (await browser.post("/api/logout", {})).status_code == 200
    assert (await browser.get("/api/me")).status_code == 401


async def test_wrong_sign_ins_are_refused_in_the_readers_language_and_then_locked(browser: Browser) -> None:
    """A wrong password is a 401 problem in Chinese or English, and after five the name waits at this address."""
    first = await browser.sign_in("chief", "wrong password")
    assert (first.status_code, first.json()["type"]) == (401, "sign-in-wrong")
    assert first.headers["content-type"].startswith("application/problem+json")
    assert first.json()["title"] == "用户名或密码不正确。"
    for _ in range(4):
        await browser.sign_in("chief", "wrong password")
    locked = await browser.post("/api/login?lang=en", {"username": "chief", "password": PASSWORD})
    assert (locked.status_code, locked.json()["type"]) == (409, "sign-in-locked")
    assert locked.json()["title"].startswith("Too many mistakes")


async def test_a_post_without_the_csrf_token_is_refused(browser: Browser) -> None:
    """A sign-in without the CSRF header is refused even with the right password."""
    await browser.get("/api/node")
    response = await browser.http.post("/api/login", json={"username": "chief", "password": PASSWORD})
    assert (response.status_code, response.json()["type"]) == (403, "csrf-failed")


async def test_an_unknown_field_is_an_error_that_names_it(browser: Browser) -> None:
    """A body with a field that the form does not have is a 400 problem."""
    await browser.get("/api/node")
    response = await browser.post("/api/login", {"username": "a", "password": "b", "admin": True})
    assert response.status_code == 400
    assert "admin" in response.json()["title"]


async def test_only_the_administrator_makes_accounts_and_only_of_this_side(browser: Browser) -> None:
    """A chief may not make accounts; an administrator may, but no registry role on a centre."""
    body = {"username": "new", "display_name": "新", "password": PASSWORD, "roles": ["invigilator"]}
    await browser.get("/api/node")
    assert (await browser.post("/api/accounts", body)).status_code == 401
    await browser.sign_in("chief")
    assert (await browser.post("/api/accounts", body)).status_code == 403
    await browser.sign_in("admin")
    assert (await browser.post("/api/accounts", body)).status_code == 201
    wrong = await browser.post("/api/accounts", {**body, "username": "other", "roles": ["city_officer"]})
    assert wrong.json()["type"] == "role-other-side"
    assert "new" in {one["username"] for one in (await browser.get("/api/accounts")).json()}


async def test_the_login_page_signs_in_without_script(browser: Browser) -> None:
    """The form signs in and goes on to the asked page, never to another site; a mistake shows the form again."""
    form = await browser.get("/login?next=/custody", accept="text/html")
    assert 'name="next" value="/custody"' in form.text
    token = csrf(browser.http.cookies)

    async def submit(password: str, target: str) -> httpx.Response:
        return await browser.http.post(
            "/login",
            data={"_csrf_token": token, "username": "chief", "password": password, "next": target},
            follow_redirects=False,
        )

    wrong = await submit("wrong password", "/custody")
    assert wrong.status_code == 401
    assert "用户名或密码不正确" in wrong.text
    right = await submit(PASSWORD, "/custody")
    assert (right.status_code, right.headers["location"]) == (303, "/custody")
    for elsewhere in ("https://example.org/", "//example.org", "/\\example.org"):
        assert (await submit(PASSWORD, elsewhere)).headers["location"] == "/"


async def test_a_ceremony_through_the_page_makes_custodians(centre: Running, browser: Browser) -> None:
    """Passphrases encrypted to the signed offer make custodians and a bank key; the pages show them, in both
    languages, and no sentence is missing."""
    await browser.sign_in("guard")
    assert (await browser.post("/api/ceremony", {})).status_code == 403
    await browser.sign_in("admin")
    people = [{"username": "chen", "name": "陈保密"}, {"username": "sun", "name": "孙保密"}]
    offer = (await browser.post("/api/ceremony", {"custodians": people, "bank": "bank-1"})).json()
    public = bytes.fromhex(offer["public_key"])
    signed = offer_bytes(offer["id"], "ceremony", "bank-1", public)
    verify(centre.site.identity.public.signing, bytes.fromhex(offer["signature"]), signed)
    waiting = await browser.get(f"/custody/openings/{offer['id']}", accept="text/html")
    assert 'id="passphrase-form"' in waiting.text
    await browser.sign_in("office")
    mine = hpke_seal(public, b"a stranger's passphrase", opening_info(offer["id"])).hex()
    foreign = await browser.post(
        f"/api/openings/{offer['id']}/passphrases", {"custodian": "chen", "sealed": mine}
    )
    assert (foreign.status_code, foreign.json()["type"]) == (409, "passphrase-not-yours")
    await browser.sign_in("admin")
    for username, passphrase in (("chen", "first long passphrase"), ("sun", "second long passphrase")):
        sealed = hpke_seal(public, passphrase.encode(), opening_info(offer["id"])).hex()
        path = f"/api/openings/{offer['id']}/passphrases?wait=30"
        given = await browser.post(path, {"custodian": username, "sealed": sealed})
        assert given.status_code == 200, given.text
    progress = (await browser.get(f"/api/openings/{offer['id']}?wait=30")).json()
    assert (progress["done"], progress["accepted"]) == (True, ["chen", "sun"])
    named = [one["username"] for one in (await browser.get("/api/custodians")).json()]
    assert named == ["chen", "sun"]
    for language in ("zh", "en"):
        for path in ("/custody", f"/custody/openings/{offer['id']}"):
            shown = await browser.get(f"{path}?lang={language}", accept="text/html")
            assert shown.status_code == 200, shown.text
            assert "opening-" not in shown.text.replace("data-text", "").replace("/openings/", "")


async def test_two_people_enter_the_registry_and_its_package_is_taken(
    centre: Running, browser: Browser, tmp_path: Path
) -> None:
    """After two different people entered the registry's keys its package is taken with a signed receipt; before,
    repeated, or refused by its room, it is not."""
    registry = Identity.open_or_create(tmp_path / "registry")
    node = (await browser.get("/api/node")).json()
    assert node["fingerprint"] == centre.site.identity.fingerprint
    data = await standing_package(registry, centre, tmp_path, 1)
    body = {
        "kind": "registry",
        "name": "registry",
        "signing": registry.public.signing.hex(),
        "receiving": registry.public.receiving.hex(),
        "fingerprint": registry.fingerprint,
    }
    await browser.sign_in("admin")
    assert (await browser.post("/api/peers", body)).json()["state"] == "proposed"
    unknown = await browser.http.post("/api/packages", content=data)
    assert (unknown.status_code, unknown.json()["type"]) == (409, "sender-unknown")
    alone = await browser.post("/api/peers", body)
    assert (alone.status_code, alone.json()["type"]) == (409, "second-person-needed")
    await browser.sign_in("office")
    assert (await browser.post("/api/peers", body)).json()["state"] == "trusted"
    taken = await browser.http.post("/api/packages", content=data)
    assert taken.status_code == 201, taken.text
    receipt = taken.json()
    signed = receipt_bytes(bytes.fromhex(receipt["package"]), receipt["received_at"])
    verify(centre.site.identity.public.signing, bytes.fromhex(receipt["signature"]), signed)
    assert [one.number for one in centre.standings] == [1]
    again = await browser.http.post("/api/packages", content=data)
    assert (again.status_code, again.json()["type"]) == (409, "package-repeated")
    assert again.json()["title"] == "这个数据包（standing 第 1 号）已经收过。"
    refused = await standing_package(registry, centre, tmp_path, 13)
    assert (await browser.http.post("/api/packages", content=refused)).json()["type"] == "not-now"
    garbage = await browser.http.post("/api/packages", content=b"no package")
    assert (garbage.status_code, garbage.json()["type"]) == (400, "package-form")
    async with centre.site.db.reading() as session:
        kinds = (
            await session.scalars(
                select(JournalRecord.kind)
                .where(JournalRecord.kind.like("packages:%"))
                .order_by(JournalRecord.id)
            )
        ).all()
    assert kinds == [
        "packages:peer:proposed",
        "packages:peer:trusted",
        "packages:standing:received",
        "packages:package:refused",
        "packages:package:refused",
    ]


async def standing_package(registry: Identity, centre: Running, tmp_path: Path, serial: int) -> bytes:
    """Make the registry's next standing package in the registry's own database."""
    content = StandingContent(organisation="org-1", status="good", serial=serial, as_of=START)
    async with database(f"sqlite:///{tmp_path / 'registry.db'}") as db, act_on(db) as act:
        public = centre.site.identity.public
        two = ("staff:a", "staff:b")
        await register_peer(act, "centre", "org-1", public.signing, public.receiving, None, two)
        return (await pack(act, registry, "org-1", "standing", "", content)).bytes


async def test_a_package_made_here_can_be_carried_as_a_file(centre: Running, browser: Browser) -> None:
    """The office lists the packages made here and downloads each as the bytes that were packed; others may not."""
    registry = Identity.open_or_create(centre.folder / "other")
    head = HeadContent(number=1, at=START, heads={}, previous="00", hash="00", signature="00", code="A" * 16)
    async with act_on(centre.site.db) as act:
        two = ("staff:a", "staff:b")
        keys = registry.public
        await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, two)
        made = await pack(act, centre.site.identity, "registry", "head", "", head)
    await browser.sign_in("guard")
    assert (await browser.get("/api/packages/outgoing")).status_code == 403
    await browser.sign_in("office")
    listed = (await browser.get("/api/packages/outgoing")).json()
    assert [(one["id"], one["kind"], one["number"]) for one in listed] == [(made.id, "head", 1)]
    assert (await browser.get(f"/api/packages/outgoing/{made.id}")).content == made.bytes
    assert (await browser.get("/api/packages/outgoing/none")).status_code == 404
    assert (await browser.post("/api/packages/send", {})).json() == []
