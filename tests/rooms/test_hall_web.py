"""The hall's routes and the live board on the real application frame with a real database."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
import uvicorn
import websockets
from litestar import Litestar
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State as AppState
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.template import TemplateConfig

from server.accounts.roles import Role
from server.accounts.service import Login, create_account, sign_out
from server.affairs.correction_store import take
from server.db.journal import Journal
from server.db.signals import Signals
from server.delivery.sitting import State
from server.keys.identity import Identity
from server.keys.start_keys import StartKeys
from server.law.loader import load_pack
from server.packages.contents import CorrectedContent
from server.proctor.alerts import Alert, AlertState
from server.proctor.evidence import AnomalyKind
from server.proctor.feed import Feed
from server.proctor.store import put_alert
from server.protocol.board import Change, Ended, Snapshot, Tick, Watch, applied, decode_to_board, encode
from server.settings import Settings
from server.web import accounts
from server.web.guards import LoginMiddleware
from server.web.hall import board, page, routes
from server.web.hall.board import LOGIN_AGAIN_S, Boards
from server.web.hall.snapshot import snapshot
from server.web.pages import engine
from server.web.problems import answer
from server.web.site import Site
from server.web.technician import routes as technician
from tests.support.clock import FakeClock
from tests.support.cookies import csrf, login
from tests.support.database import act_on, database
from tests.support.delivery_server import server_config
from tests.support.hall import BELL, LOOKED, PRACTICAL, HallDay
from tests.support.papers import PLAN, SLOT, START_KEY
from tests.support.passwords import hashed
from tests.support.web import log_in, visiting

PASSWORD = "a good password"
STAFF = {
    "chief": (Role.CHIEF, None),
    "deputy": (Role.DEPUTY, None),
    "wang": (Role.INVIGILATOR, "01"),
    "li": (Role.INVIGILATOR, "02"),
    "office": (Role.EXAM_OFFICE, None),
    "tech": (Role.TECHNICIAN, None),
    "zhao": (Role.EXAMINER, None),
    "admin": (Role.ADMINISTRATOR, None),
}


@dataclass(slots=True)
class Centre:
    """A centre's application with a drawn slot, and what stands behind it."""

    app: Litestar
    site: Site
    day: HallDay


@pytest_asyncio.fixture
async def centre(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Centre]:
    """A centre with a drawn slot of eight candidates in two rooms, and one account of each kind."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with database(f"sqlite:///{folder / 'gongyuan.db'}") as db:
        identity = Identity.open_or_create(folder)
        journal = Journal("server")
        site = Site(
            settings=Settings(role="centre", data=str(folder), name="第一考点"),
            clock=clock,
            db=db,
            journal=journal,
            identity=identity,
            signals=Signals(db),
            pack=load_pack("beijing"),
            handlers={},
        )
        site.start_keys_held = StartKeys()
        site.feed_held = Feed()
        day = HallDay(db, clock, identity, journal, site.start_keys)
        await day.draw()
        async with act_on(db) as act:
            for username, (role, scope) in STAFF.items():
                await create_account(act, username, username.title(), await hashed(PASSWORD), (role,), scope)
        await site.signals.start()
        app = Litestar(
            [*accounts.ROUTES, *routes.ROUTES, *page.ROUTES, *technician.ROUTES],
            dependencies={"site": Provide(lambda: site, sync_to_thread=False)},
            middleware=[DefineMiddleware(LoginMiddleware)],
            csrf_config=CSRFConfig(secret="x" * 32, cookie_name=site.csrf_cookie, cookie_secure=True),
            template_config=TemplateConfig(instance=engine()),
            exception_handlers={Exception: answer},
            state=AppState({"site": site}),
            logging_config=None,
        )
        yield Centre(app, site, day)
        await site.signals.stop()


class Browser:
    """One person's browser at the centre."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.http = client

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def post(self, path: str, body: object = None) -> httpx.Response:
        token = csrf(self.http.cookies)
        return await self.http.post(path, json=body, headers={"x-csrftoken": token})


@asynccontextmanager
async def signed_in(centre: Centre, username: str) -> AsyncIterator[Browser]:
    """Give a browser in which this person is signed in."""
    async with visiting(centre.app) as client:
        browser = Browser(client)
        await browser.get("/api/me")
        await log_in(centre.site, client, username)
        yield browser


async def test_a_chief_leads_the_day_over_http(centre: Centre) -> None:
    """Seals, bell, time and closing work over JSON, and the snapshot follows each of them."""
    async with signed_in(centre, "wang") as wang:
        for number in range(4):
            response = await wang.post(f"/api/hall/sittings/sitting-{number}/check-in", LOOKED)
            assert response.status_code == 204
    async with signed_in(centre, "chief") as chief:
        early = await chief.post(f"/api/hall/slots/{SLOT}/bell", {})
        assert (early.status_code, early.json()["type"]) == (409, "bell-too-early")
        assert early.json()["article"] == "BJ-E:A4.2-7"
        centre.day.clock.set(BELL)
        seals = (await chief.post(f"/api/hall/slots/{SLOT}/seals")).json()
        assert (seals["papers"], len(seals["code"])) == (10, 16)
        centre.site.start_keys.put(SLOT, bytearray(START_KEY))
        before = (await chief.get(f"/api/hall/slots/{SLOT}")).json()
        assert (before["slot"]["bell"], before["slot"]["start_key_open"]) == ("ready", True)
        rung = await chief.post(f"/api/hall/slots/{SLOT}/bell", {})
        assert rung.json() == {"rooms": ["01", "02"]}
        assert not centre.site.start_keys.holds(SLOT)
        given = {"kind": "credit", "seconds": 120, "reason": "power cut", "room": "01"}
        assert (await chief.post(f"/api/hall/slots/{SLOT}/time", given)).status_code == 204
        after = (await chief.get(f"/api/hall/slots/{SLOT}")).json()
        assert [room["bell"] for room in after["rooms"]] == ["rung", "rung"]
        first, second = (room["ends_at"] for room in after["rooms"])
        assert (first, second) == ("2026-03-14T02:02:00Z", "2026-03-14T02:00:00Z")
        gap = await chief.post(f"/api/hall/slots/{SLOT}/close")
        assert (gap.status_code, gap.json()["type"]) == (409, "sittings-open")
        slots = (await chief.get("/api/hall/slots")).json()
        assert [(slot["subject"], slot["candidates"]) for slot in slots] == [("theory", 8), ("practical", 8)]


@pytest.mark.parametrize(
    ("username", "path", "body", "status"),
    [
        ("wang", f"/api/hall/slots/{SLOT}/bell", {}, 403),
        ("deputy", f"/api/hall/slots/{SLOT}/bell", {}, 403),
        ("wang", f"/api/hall/slots/{SLOT}/close", None, 403),
        ("wang", "/api/hall/sittings/sitting-0/void", {"reason": "x"}, 403),
        ("wang", "/api/hall/sittings/sitting-4/check-in", LOOKED, 403),
        ("li", "/api/hall/sittings/sitting-4/check-in", LOOKED, 204),
        ("office", "/api/hall/sittings/sitting-4/check-in", LOOKED, 403),
        ("wang", f"/api/hall/slots/{SLOT}/message", {"text": "all", "room": "02"}, 403),
        ("wang", f"/api/hall/slots/{SLOT}/message", {"text": "all"}, 403),
        ("wang", f"/api/hall/slots/{SLOT}/message", {"text": "mine", "room": "01"}, 204),
        ("zhao", f"/api/plans/{PLAN}/notice", None, 403),
        ("office", f"/api/practical/{PRACTICAL}/candidate-0", {"scores": {}}, 403),
        ("wang", "/api/seats/codes", {"slot": SLOT}, 403),
        ("wang", "/api/hall/sittings/sitting-0/check-in", {"ticket": True}, 400),
        ("wang", "/api/hall/sittings/sitting-0/check-in", {**LOOKED, "id_number": "1"}, 400),
        ("chief", "/api/hall/sittings/nobody/check-in", LOOKED, 404),
    ],
)
async def test_who_may_do_what(centre: Centre, username: str, path: str, body: object, status: int) -> None:
    """Each act is open to its roles and rooms only, and a body of another form is refused."""
    async with signed_in(centre, username) as browser:
        response = await browser.post(path, body)
        assert (response.status_code, path) == (status, path)


async def test_nobody_reads_the_hall_without_signing_in(centre: Centre) -> None:
    """Every route of the hall answers 401 to an anonymous request."""
    async with visiting(centre.app) as client:
        for path in ("/api/hall/slots", f"/api/hall/slots/{SLOT}", f"/api/plans/{PLAN}/counts"):
            assert (await client.get(path)).status_code == 401


async def test_a_finding_needs_two_people_over_http(centre: Centre) -> None:
    """The invigilator who recorded a finding cannot settle it, another room's neither settles it nor reads its words on
    the board, in the snapshot or in the record; the chief does both."""
    found = {"kind": "cheating", "note": "a phone", "sitting": "sitting-0"}
    async with signed_in(centre, "wang") as wang:
        made = (await wang.post(f"/api/hall/slots/{SLOT}/incidents", found)).json()["id"]
        other = {"kind": "cheating", "note": "a phone", "sitting": "sitting-4"}
        assert (await wang.post(f"/api/hall/slots/{SLOT}/incidents", other)).status_code == 403
    settle, body = f"/api/hall/incidents/{made}/settle", {"event": "confirm", "reason": "seen"}
    async with signed_in(centre, "li") as li:
        for event in ("confirm", "dismiss"):
            assert (await li.post(settle, body | {"event": event})).json()["type"] == "room-not-yours"
        (seen,) = (await li.get(f"/api/hall/slots/{SLOT}")).json()["incidents"]
        assert (seen["kind"], seen["state"], seen["note"]) == ("cheating", "proposed", "")
        record = await li.get(f"/api/hall/slots/{SLOT}/rooms/01/record")
        assert (record.status_code, record.json()["type"]) == (403, "findings-not-yours")
    line = Line(boards_of(centre), centre.day.clock, Watch(slot=SLOT), bound_to("02"))
    told = await line.next(Snapshot)
    assert isinstance(told, Snapshot) and [one.note for one in told.incidents] == [""]
    await line.close()
    async with signed_in(centre, "chief") as chief:
        assert (await chief.post(settle, body)).json() == {"state": "confirmed"}
        view = (await chief.get(f"/api/hall/slots/{SLOT}")).json()
        shown = [(i["kind"], i["state"], i["note"]) for i in view["incidents"]]
        assert shown == [("cheating", "confirmed", "a phone")]


async def test_an_alert_on_a_candidate_is_confirmed_by_two(centre: Centre) -> None:
    """The first confirmation leaves the alert waiting, the same person again is refused, a second one confirms."""
    now = centre.day.clock.legal()
    alert = Alert(
        key="alert:1",
        room_id="01",
        about="1",
        kind=AnomalyKind.EMPTY_SEAT,
        score=0.9,
        anomalies=("a",),
        opened_at=now,
        last_at=now,
        ended_at=None,
        rings=True,
    )
    async with act_on(centre.day.db) as act:
        await put_alert(act.session, alert)
    async with signed_in(centre, "li") as li:
        assert (await li.post("/api/hall/alerts/alert:1", {"act": "confirm"})).status_code == 403
    centre.site.feed.put_alert(alert, False)
    async with signed_in(centre, "wang") as wang:
        assert (await wang.post("/api/hall/alerts/alert:1", {"act": "confirm"})).json() == {
            "state": "awaiting_second"
        }
        again = await wang.post("/api/hall/alerts/alert:1", {"act": "confirm"})
        assert again.json()["type"] == "alert-second-person"
    async with signed_in(centre, "chief") as chief:
        assert (await chief.post("/api/hall/alerts/alert:1", {"act": "confirm"})).json() == {
            "state": "confirmed"
        }
        view = (await chief.get(f"/api/hall/slots/{SLOT}")).json()
        assert [(a["key"], a["state"]) for a in view["alerts"]] == [("alert:1", "confirmed")]


async def test_an_alert_tells_how_often_its_rule_was_right_in_its_room(centre: Centre) -> None:
    """Four decided alerts of a rule in a room say nothing; with a fifth the alert tells confirmed of decided, and
    neither other rules and rooms nor waiting alerts count. Another room's invigilator and the technician, who may open
    the board, are told nothing of what is behind it."""
    now, empty, seen = centre.day.clock.legal(), AnomalyKind.EMPTY_SEAT, []

    async def put(room: str, kind: AnomalyKind, *states: AlertState) -> None:
        async with act_on(centre.day.db) as act:
            for state in states:
                key = f"c{next(numbers)}"
                alert = Alert(key, room, "1", kind, 0.9, (), now, now, None, True, state)
                await put_alert(act.session, alert)

    numbers = count()
    yes, no = AlertState.CONFIRMED, AlertState.DISMISSED
    await put("01", empty, AlertState.OPEN, yes, yes, no, yes, AlertState.SECONDED)
    await put("02", empty, *[no] * 5)
    await put("01", AnomalyKind.EXTRA_PERSON, *[no] * 5)
    async with signed_in(centre, "wang") as wang:
        for more in ((), (no,)):
            await put("01", empty, *more)
            seen.append((await wang.get("/api/hall/alerts/c0")).json()["checked"])
    assert seen == [None, {"confirmed": 3, "decided": 5}]
    for name in ("li", "tech"):
        async with signed_in(centre, name) as other:
            refused = await other.get("/api/hall/alerts/c0")
            assert (refused.status_code, refused.json()["type"]) == (403, "findings-not-yours")


async def test_seat_codes_are_issued_for_every_seat_and_printed(centre: Centre) -> None:
    """Every seat of the rooms asked for gets one code of its own, as JSON or as a list to print."""
    async with signed_in(centre, "tech") as tech:
        codes = (await tech.post("/api/seats/codes", {"slot": SLOT, "rooms": ["01"]})).json()
        assert [code["seat"] for code in codes] == [1, 2, 3, 4, 5, 6]
        assert len({code["code"] for code in codes}) == 6
        token = csrf(tech.http.cookies)
        page = await tech.http.post(
            "/api/seats/codes", json={"slot": SLOT}, headers={"x-csrftoken": token, "accept": "text/html"}
        )
        assert page.text.count("<tr>") == 12 and "02 考场" in page.text
        health = (await tech.get("/api/technician/health")).json()
        assert health["database"] == "SQLite"
        seats = (await tech.get(f"/api/technician/slots/{SLOT}/seats")).json()
        assert [(room["used"], room["enrolled"]) for room in seats] == [(4, 0), (4, 0)]


async def test_the_practical_form_over_http(centre: Centre) -> None:
    """The office sets the form, an examiner enters points, and whoever has entered his own sees what is there."""
    form = {"items": [{"code": "a", "title": "接线", "most": 60}, {"code": "b", "title": "检修", "most": 40}]}
    async with signed_in(centre, "office") as office:
        assert (await office.post(f"/api/practical/{PRACTICAL}/form", form)).status_code == 204
    centre.day.clock.set(BELL + timedelta(days=7))
    async with signed_in(centre, "zhao") as zhao:
        made = await zhao.post(f"/api/practical/{PRACTICAL}/candidate-0", {"scores": {"a": 50.5, "b": 30}})
        assert made.json() == {"version": 1}
        wrong = await zhao.post(f"/api/practical/{PRACTICAL}/candidate-1", {"scores": {"a": 60.01, "b": 30}})
        assert wrong.json()["type"] == "practical-line-out-of-range"
        view = (await zhao.get(f"/api/practical/{PRACTICAL}")).json()
        assert view["candidates"][0]["entries"][0]["total"] == 80.5
        assert view["candidates"][0]["open"] == "practical-examiner-missing"
        assert view["candidates"][1]["entries"] == []


async def test_no_identity_number_and_no_paper_is_on_the_board(centre: Centre) -> None:
    """Nothing that the board is sent holds an identity-document number, an item text or a key."""
    await centre.day.check_in(*range(7))
    await centre.day.ring()
    await centre.day.open(*range(7))
    await centre.day.answer_right(0)
    text = encode(await snapshot(centre.site, SLOT)).decode()
    assert "P0000001" not in text and "stem" not in text and START_KEY.hex() not in text
    assert '"answered":8' in text


async def test_the_board_shows_what_was_corrected(centre: Centre) -> None:
    """A corrected name shows at the seat with the former one, a corrected identity number without any number."""
    at = centre.day.clock.legal()
    async with act_on(centre.site.db, at) as act:
        seats = (await snapshot(centre.site, SLOT)).seats
        for field, before, after in (("name", "张三", "张叁"), ("id_number", "P0000001", "P0000009")):
            content = CorrectedContent(
                id=field,
                candidate=seats[0].candidate,
                field=field,  # type: ignore[arg-type]
                before=before,
                after=after,
                period="before",
                procedure=1,
                procedure_sha256="00" * 32,
                reason="a slip",
                evidence="a copy",
                evidence_sha256="00" * 32,
                corrects=None,
                asked_at=at,
                asked_by="staff:zhang",
                decided_at=at,
                decided_by="staff:wang",
            )
            await take(act, PLAN, (content,))
    first, second, *_ = (await snapshot(centre.site, SLOT)).seats
    assert [(one.field, one.before) for one in first.corrected] == [("id_number", ""), ("name", "张三")]
    assert second.corrected == ()


class Line:
    """One board's end of `serve`, without a network."""

    def __init__(
        self, boards: Boards, clock: FakeClock, watch: Watch | bytes, reader: Login | None = None
    ) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        data = watch if isinstance(watch, bytes) else encode(watch)

        async def first() -> bytes:
            return data

        self.task = asyncio.create_task(board.serve(first, self.sent.put, boards, clock, reader))

    async def next(self, kind: type) -> msgspec.Struct:
        """Return the next message of a kind, ticks left out."""
        async with asyncio.timeout(60):
            while True:
                message = decode_to_board(await self.sent.get())
                if isinstance(message, kind):
                    return message

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def bound_to(room: str) -> Login:
    """An invigilator's login, bound to a room."""
    return Login("id", "li", "李", frozenset({Role.INVIGILATOR}), room)


def boards_of(centre: Centre) -> Boards:
    async def look(slot: str) -> Snapshot:
        return await snapshot(centre.site, slot)

    return Boards(look, centre.site.signals, centre.day.clock.monotonic)


async def test_snapshot_and_changes_give_what_a_fresh_snapshot_says(centre: Centre) -> None:
    """Applying the changes that the board was sent to its snapshot gives exactly a fresh look, but for the clock."""
    boards = boards_of(centre)
    line = Line(boards, centre.day.clock, Watch(slot=SLOT))
    seen = await line.next(Snapshot)
    assert isinstance(seen, Snapshot) and seen.counts.enrolled == 8
    await centre.day.check_in(0, 1, 2)
    await centre.day.ring()
    await centre.day.open(0, 1)
    await centre.day.answer_right(0)
    await centre.day.end(0, State.COLLECTED)
    boards.stir()
    fresh = await snapshot(centre.site, SLOT)
    while msgspec.structs.replace(seen, now=fresh.now, id=0, epoch="") != msgspec.structs.replace(
        fresh, id=0, epoch=""
    ):
        found = await line.next(Change)
        assert isinstance(found, Change)
        seen = applied(seen, found)
        fresh = await snapshot(centre.site, SLOT)
    assert {seat.sign for seat in seen.seats} == {"done", "writing", "checked_in", "waiting"}
    await line.close()


async def test_a_board_resumes_where_it_was(centre: Centre) -> None:
    """A board that names its epoch and last change gets only what came after; another epoch gets a snapshot."""
    boards = boards_of(centre)
    keeper = Line(boards, centre.day.clock, Watch(slot=SLOT))
    seen = await keeper.next(Snapshot)
    assert isinstance(seen, Snapshot)
    await centre.day.check_in(0)
    boards.stir()
    change = await keeper.next(Change)
    assert isinstance(change, Change)
    resumed = Line(boards, centre.day.clock, Watch(slot=SLOT, epoch=seen.epoch, since=seen.id))
    assert await resumed.next(Snapshot | Change) == change
    stranger = Line(boards, centre.day.clock, Watch(slot=SLOT, epoch="other", since=seen.id))
    assert isinstance(await stranger.next(Snapshot | Change), Snapshot)
    for line in (keeper, resumed, stranger):
        await line.close()
    assert boards.watched == ()


async def test_a_watch_that_makes_no_sense_is_ended_with_its_code(centre: Centre) -> None:
    """An unknown slot and a message of another form end the watch and say why."""
    boards = boards_of(centre)
    for watch, code in ((Watch(slot="none"), "slot-unknown"), (b'{"type":"dance"}', "bad-input")):
        line = Line(boards, centre.day.clock, watch)
        ended = await line.next(Ended)
        assert isinstance(ended, Ended) and ended.code == code
        await line.close()


async def test_a_quiet_board_still_gets_signs_of_life(centre: Centre) -> None:
    """When nothing changes, ticks come with the newest change id."""
    line = Line(boards_of(centre), centre.day.clock, Watch(slot=SLOT))
    await line.next(Snapshot)
    first, second = await line.next(Tick), await line.next(Tick)
    assert isinstance(first, Tick) and isinstance(second, Tick) and first.id == second.id
    await line.close()


@asynccontextmanager
async def served(centre: Centre) -> AsyncIterator[int]:
    """Serve the application on a free loopback port; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(server_config(centre.app, 0, loop="asyncio"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        async with asyncio.timeout(60):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.should_exit = True
            await task


async def test_the_board_socket_needs_a_login(centre: Centre) -> None:
    """Over a real websocket a signed-in viewer gets snapshot and changes until his login ends; without the login
    cookie, or from a page of another site with it, he is refused."""
    async with signed_in(centre, "wang") as browser:
        name, token = login(browser.http.cookies)
    async with served(centre) as port:
        address = f"ws://127.0.0.1:{port}/ws/hall"
        cookie = {"cookie": f"{name}={token}"}
        async with asyncio.timeout(60), websockets.connect(address, additional_headers=cookie) as line:
            await line.send(encode(Watch(slot=SLOT)).decode())
            first = decode_to_board(await line.recv())
            assert isinstance(first, Snapshot) and len(first.seats) == 8
            await centre.day.check_in(0)
            while not isinstance(found := decode_to_board(await line.recv()), Change):
                pass
            assert [seat.sign for seat in found.seats] == ["checked_in"]
            async with centre.site.acting("staff:wang") as act:
                await sign_out(act, token)
            centre.day.clock.advance(seconds=LOGIN_AGAIN_S)
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await line.recv()
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(address)
        async with signed_in(centre, "wang") as browser:
            name, token = login(browser.http.cookies)
        cookie = {"cookie": f"{name}={token}"}
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(address, additional_headers=cookie, origin="https://elsewhere.example")
        here = f"http://127.0.0.1:{port}"
        async with websockets.connect(address, additional_headers=cookie, origin=here):
            pass
