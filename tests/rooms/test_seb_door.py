"""The door for seats in Safe Exam Browser, over the application's own routes."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from kiosk.vault import SeatKey
from server.app import create_app
from server.db.journal import JournalRecord
from server.delivery import seating, seb_keys
from server.delivery.admission import Admission, Proved
from server.errors import BadInput, NotFound, Refusal
from server.keys.passwords import HashedPassword
from server.protocol.exam import Hello
from server.protocol.seb import BROWSER_KEY_HEADER, CONFIG_KEY_HEADER, request_hash
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.web import Server, living

CONFIG, BROWSER = "ab" * 32, "cd" * 32


class Room:
    """A room of two seats."""

    number = "01"
    seats = 2


@pytest_asyncio.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Server]:
    """A centre that takes one Config Key."""
    (tmp_path / "data").mkdir()
    settings = Settings(role="centre", data=str(tmp_path / "data"), name="考点")
    found = Server(create_app(settings, clock, lambda *_words: ("false",)), clock, HashedPassword("unused"))
    async with living(found.app):
        async with found.site.acting("test") as act:
            await seb_keys.allow_seb_key(act, "config", CONFIG.upper(), "kit")
        yield found
        for browser in found.browsers:
            await browser.aclose()


async def _codes(server: Server, kind: str | None = None) -> list[str]:
    async with server.site.acting("test") as act:
        return [code.code for code in await seating.issue_seat_codes(act, [Room()], kind)]


def _headers(client: httpx.AsyncClient, path: str, browser: str | None = None) -> dict[str, str]:
    url = f"{client.base_url}".rstrip("/") + path
    found = {CONFIG_KEY_HEADER: request_hash(url, CONFIG)}
    return found if browser is None else found | {BROWSER_KEY_HEADER: request_hash(url, browser)}


async def _enrol(
    server: Server, client: httpx.AsyncClient, key: SeatKey, code: str, kind: str
) -> httpx.Response:
    path = "/api/seats/enrol"
    headers = _headers(client, path) if kind == "seb" else {}
    body = {"code": code, "public_key": key.public.hex(), "kind": kind}
    return await client.post(path, json=body, headers=headers)


async def _refusals(server: Server) -> list[dict[str, str]]:
    async with server.site.db.reading() as session:
        rows = await session.scalars(
            select(JournalRecord).where(JournalRecord.kind == "delivery:seat:seb-refused")
        )
        return [dict(json.loads(row.body)) for row in rows]


async def test_every_request_of_the_seat_proves_the_browser(server: Server, clock: FakeClock) -> None:
    """After enrolment in Safe Exam Browser pages, files and calls are answered with the right hash of their own
    address only, and five minutes of refusals leave one line in the journal."""
    client, key = server.stranger(), SeatKey.generate()
    (code, _) = await _codes(server, "seb")
    enrolled = await _enrol(server, client, key, code, "seb")
    assert enrolled.status_code == 201
    seat = enrolled.json()["seat"]
    for path in ("/exam", "/exam/texts?lang=en", "/static/tokens.css", "/api/time"):
        assert (await client.get(path, headers=_headers(client, path))).status_code == 200, path
        refused = await client.get(path)
        assert (refused.status_code, refused.json()["type"]) == (403, "seb-header-missing"), path
        refused = await client.get(path, headers=_headers(client, path + "x"))
        assert (refused.status_code, refused.json()["type"]) == (403, "seb-config-other"), path
    assert await _refusals(server) == [{"seat": seat, "reason": "seb-header-missing", "path": "/exam"}]
    clock.advance(seconds=301)
    await client.get("/exam")
    assert len(await _refusals(server)) == 2


async def test_a_socket_opens_with_the_token_of_its_own_challenge(server: Server) -> None:
    """The seat's key alone does not open a socket, nor does the token of another challenge or seat; and no token is
    given without the headers for that very address."""
    client, key = server.stranger(), SeatKey.generate()
    (code, _) = await _codes(server)
    seat = (await _enrol(server, client, key, code, "seb")).json()["seat"]
    admission = server.site.hall._admission

    async def proved(nonce: bytes, token: str) -> Proved | Refusal:
        return await admission.prove(
            nonce, Hello(seat=seat, signature=key.prove(nonce, seat).hex(), token=token)
        )

    async def token(nonce: bytes) -> str:
        path = f"/api/seats/token?seat={seat}&nonce={nonce.hex()}"
        answer = await client.get(path, headers=_headers(client, path))
        assert answer.status_code == 200
        return str(answer.json()["token"])

    nonce, other = secrets.token_bytes(32), secrets.token_bytes(32)
    assert isinstance(admission, Admission)
    assert await proved(nonce, "") == Refusal("seb-token-needed")
    assert await proved(nonce, await token(other)) == Refusal("seb-token-needed")
    assert isinstance(await proved(nonce, await token(nonce)), Proved)
    naked = server.stranger()
    path = f"/api/seats/token?seat={seat}&nonce={nonce.hex()}"
    assert (await naked.get(path)).json()["type"] == "seb-header-missing"
    assert (await naked.get(path, headers=_headers(naked, path[:-1]))).json()["type"] == "seb-config-other"
    assert (await naked.get("/api/seats/token?seat=x&nonce=zz")).status_code == 400


async def test_the_kind_is_fixed_by_the_code_and_at_enrolment(server: Server) -> None:
    """A code for Safe Exam Browser enrols no ordinary browser and is not used up by the attempt; without the headers
    nothing enrols as Safe Exam Browser; another kind is no kind."""
    client, key = server.stranger(), SeatKey.generate()
    (code, _) = await _codes(server, "seb")
    assert (await _enrol(server, client, key, code, "page")).json()["type"] == "seat-kind-other"
    naked = await client.post(
        "/api/seats/enrol", json={"code": code, "public_key": key.public.hex(), "kind": "seb"}
    )
    assert (naked.status_code, naked.json()["type"]) == (403, "seb-header-missing")
    assert (await _enrol(server, client, key, code, "seb")).status_code == 201
    with pytest.raises(BadInput, match="seat-kind"):
        await _codes(server, "other")


async def test_enrolling_anew_as_a_page_ends_the_asking(server: Server) -> None:
    """A machine that was Safe Exam Browser's and is enrolled anew as a page is asked for headers no more."""
    client = server.stranger()
    first, second = await _codes(server)
    await _enrol(server, client, SeatKey.generate(), first, "seb")
    path = "/api/seats/enrol"
    body = {"code": second, "public_key": SeatKey.generate().public.hex(), "kind": "page"}
    assert (await client.post(path, json=body)).status_code == 403
    assert (await client.post(path, json=body, headers=_headers(client, path))).status_code == 201
    assert (await client.get("/exam")).status_code == 200


async def test_the_lists_of_keys_count_at_once(server: Server) -> None:
    """An allow list of Browser Exam Keys lets only these in from the moment it has one; a withdrawn Config Key lets
    nobody in."""
    client = server.stranger()
    (code, _) = await _codes(server)
    await _enrol(server, client, SeatKey.generate(), code, "seb")
    assert (await client.get("/exam", headers=_headers(client, "/exam"))).status_code == 200
    async with server.site.acting("test") as act:
        await seb_keys.allow_seb_key(act, "browser", BROWSER)
    assert (await client.get("/exam", headers=_headers(client, "/exam"))).json()[
        "type"
    ] == "seb-browser-other"
    assert (await client.get("/exam", headers=_headers(client, "/exam", BROWSER))).status_code == 200
    async with server.site.acting("test") as act:
        await seb_keys.withdraw_seb_key(act, CONFIG)
    assert (await client.get("/exam", headers=_headers(client, "/exam", BROWSER))).json()[
        "type"
    ] == "seb-keys-none"
    async with server.site.acting("test") as act:
        with pytest.raises(NotFound):
            await seb_keys.withdraw_seb_key(act, CONFIG)
        with pytest.raises(BadInput):
            await seb_keys.allow_seb_key(act, "config", "short")


async def test_made_up_seats_fill_no_journal(server: Server) -> None:
    """Requests for tokens of a hundred made-up seats leave one line, and a forged cookie names no seat."""
    client = server.stranger()
    for n in range(100):
        await client.get(f"/api/seats/token?seat=seat-{n}&nonce={'00' * 32}")
    assert len(await _refusals(server)) == 1
    client.cookies.set(server.site.seb.cookie_name, f"seat-1.{'00' * 32}")
    assert (await client.get("/exam")).status_code == 200
