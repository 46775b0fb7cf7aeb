"""The registry's main job through its public door, with real packages from a centre's own identity."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from server.accounts.roles import Role
from server.accounts.service import create_account
from server.app import create_app
from server.db.act import Act
from server.db.journal import Journal
from server.keys.identity import Identity
from server.packages import outbox
from server.packages.contents import NoticeContent, ResultContent
from server.packages.peers import register_peer
from server.registry.certificate_form import verified
from server.settings import Settings
from tests.support.clock import FakeClock
from tests.support.cookies import csrf
from tests.support.database import database
from tests.support.passwords import hashed
from tests.support.registry import ORGANISATION, PACK, PLACE, STAFF, TRAINER, identity_number, rows
from tests.support.web import visiting

_UNTRANSLATED = re.compile(r">\s*((?:subject|level|field|plan|result|filing|standing|wait|do)-[a-z_-]+)")
_PASSWORD = "correct-horse-battery-7"


def _at(day: str, hour: int = 9) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(hours=hour - 8)


class Registry:
    """A running registry and its people, each with a browser of his own."""

    def __init__(self, app: Any, clock: FakeClock) -> None:
        self.app, self.clock = app, clock
        self.people: dict[str, httpx.AsyncClient] = {}

    async def call(self, who: str, method: str, path: str, body: Any = None, status: int = 0) -> Any:
        client = self.people[who]
        token = csrf(client.cookies)
        answer = await client.request(method, path, json=body, headers={"x-csrftoken": token})
        expected = status or (201 if method == "POST" else 200)
        assert answer.status_code == expected, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """A registry on SQLite with a city officer, a district officer and an organisation."""
    clock = FakeClock(_at("2026-03-02"))
    settings = Settings(
        role="registry", data=str(tmp_path / "data"), name="市鉴定管理中心", secure_cookies=False
    )
    (tmp_path / "data").mkdir()
    app = create_app(settings, clock, lambda *_words: ())
    made = Registry(app, clock)
    people = (
        ("city", Role.CITY_OFFICER, None),
        ("district", Role.DISTRICT_OFFICER, None),
        ("organisation", Role.ORGANISATION, ORGANISATION),
        ("stranger", Role.ORGANISATION, "91110105MA0000002X"),
    )
    async with visiting(app, "http://testserver") as client:
        for name, role, scope in people:
            async with app.state.site.acting("setup") as act:
                await create_account(act, name, name, await hashed(_PASSWORD), {role}, scope)
            transport = httpx.ASGITransport(app)
            own = httpx.AsyncClient(transport=transport, base_url="http://testserver")
            await own.get("/api/time")
            token = csrf(own.cookies)
            answer = await own.post(
                "/api/login", json={"username": name, "password": _PASSWORD}, headers={"x-csrftoken": token}
            )
            assert answer.status_code == 200, answer.text
            made.people[name] = own
        await client.get("/api/time")
        made.people["public"] = client
        yield made
        for name, _role, _scope in people:
            await made.people[name].aclose()


_APPLICATION = {
    "name": "北京市示例技能评价中心",
    "credit_code": ORGANISATION,
    "district": "朝阳区",
    "address": "北京市朝阳区示例路1号",
    "representative": "李示例",
    "occupations": [{"code": TRAINER[0], "name": TRAINER[1], "level": TRAINER[2]}],
    "venues": [{"name": PLACE, "address": "示例路1号", "seats": 60}],
    "answers": {criterion.code: True for criterion in PACK.criteria},
    "materials": ["basic_form", "work_plan"],
}


async def _filed(registry: Registry, centre: Identity) -> None:
    filing = (await registry.call("organisation", "POST", "/api/filings", _APPLICATION))["id"]
    await registry.call("district", "POST", f"/api/filings/{filing}/recommend")
    await registry.call("city", "POST", f"/api/filings/{filing}/evaluate")
    await registry.call("city", "POST", f"/api/filings/{filing}/notice")
    letter = {
        "number": "京备〔2026〕1号",
        "kind": "S",
        "ministry": "0000",
        "province": "11",
        "body": "000001",
        "second": "复核员",
        "centre_signing": centre.public.signing.hex(),
        "centre_receiving": centre.public.receiving.hex(),
    }
    early = await registry.call("city", "POST", f"/api/filings/{filing}/letter", letter, status=409)
    assert early["type"] == "filing-letter-before-notice-end"
    registry.clock.set(_at("2026-03-12"))
    await registry.call("city", "POST", f"/api/filings/{filing}/letter", letter)
    await registry.call("city", "POST", f"/api/filings/{filing}/publish")


async def _packed(registry: Registry) -> tuple[str, list[dict[str, Any]]]:
    slot = {
        "subject": "theory",
        "method": "computer",
        "starts_at": "2026-04-20T00:30:00Z",
        "minutes": 90,
        "pass_mark": 60,
        "total": 100,
        "place": PLACE,
        "entry": 15,
    }
    body = {
        "short_name": "示例中心",
        "occupation": TRAINER[1],
        "occupation_code": TRAINER[0],
        "level": TRAINER[2],
        "site_district": "朝阳区",
        "contact": "010",
        "statement": "说明",
        "slots": [slot],
    }
    registry.clock.set(_at("2026-03-20"))
    plan = (await registry.call("organisation", "POST", "/api/plans", body))["id"]
    assert (await registry.call("stranger", "POST", f"/api/plans/{plan}/file", status=403))["status"] == 403
    await registry.call("organisation", "POST", f"/api/plans/{plan}/file")
    await registry.call("city", "POST", f"/api/plans/{plan}/accept")
    await registry.call("organisation", "POST", f"/api/plans/{plan}/confirm")
    people = [
        {
            "name": f"考生{chr(0x4E00 + k)}",
            "id_kind": "resident",
            "id_number": identity_number(k),
            "condition": "满足申报条件",
            "committed": True,
        }
        for k in range(4)
    ]
    path = f"/api/plans/{plan}"
    report = await registry.call("organisation", "POST", f"{path}/candidates", {"candidates": people})
    assert report["refused"] == []
    await registry.call("district", "POST", f"{path}/spot-check/commitment")
    registry.clock.advance(minutes=1)
    await registry.call("organisation", "POST", f"{path}/candidates/confirm")
    check = await registry.call("district", "POST", f"{path}/spot-check/draw")
    assert len(check["drawn"]) == 2
    await registry.call("district", "POST", f"{path}/spot-check/report", {"unqualified": []})
    registry.clock.set(_at("2026-04-10"))
    staff = [
        {"name": one.name, "role": one.role, "room": one.room, "username": one.username} for one in STAFF
    ]
    rooms = [{"number": "1", "name": "一考场", "seats": 30}]
    await registry.call("organisation", "POST", f"{path}/arrangement", {"rooms": rooms, "staff": staff})
    await registry.call("organisation", "POST", f"{path}/commitment", {"commitment": "ab" * 32})
    await registry.call(
        "organisation", "POST", f"/api/organisations/{ORGANISATION}/bank-root", {"root": "cd" * 32}
    )
    await registry.call("organisation", "POST", f"{path}/package")
    return plan, report["accepted"]


async def test_the_whole_way_over_http(registry: Registry, tmp_path: Path) -> None:
    """From application to a certificate that verifies offline, with packages carried in both directions."""
    centre = Identity.open_or_create(tmp_path / "centre")
    await _filed(registry, centre)
    plan, candidates = await _packed(registry)
    site = registry.app.state.site
    carried = (await registry.people["organisation"].get(f"/api/plans/{plan}/package")).content
    journal = Journal("centre")
    async with database(f"sqlite:///{tmp_path / 'centre.db'}") as db:

        async def packed(content: NoticeContent | ResultContent, kind: str) -> bytes:
            async with db.writing() as session:
                act = Act(session, journal, registry.clock.legal(), "staff:chief")
                return (await outbox.pack(act, centre, "registry", kind, plan, content)).bytes

        async with db.writing() as session:
            act = Act(session, journal, registry.clock.legal(), "staff:chief")
            keys = site.identity.public
            await register_peer(act, "registry", "registry", keys.signing, keys.receiving, None, ("a", "b"))
            received = await outbox.receive(act, centre, carried)
        assert (received.kind, received.plan) == ("exam", plan)
        assert received.content.commitment == "ab" * 32  # type: ignore[union-attr]

        people = tuple(_Candidate(one["id"], one["ticket"]) for one in candidates)
        registry.clock.set(_at("2026-04-22"))
        notice = await packed(
            NoticeContent(plan=plan, rows=rows(people), journal_head="h", counts={}),  # type: ignore[arg-type]
            "notice",
        )
        public = registry.people["public"]
        assert (await public.post("/api/packages", content=notice)).status_code == 201
        shown = await registry.call("public", "GET", f"/api/notices/{plan}")
        assert all("＊" in row["name"] and "＊" in row["ticket"] for row in shown["rows"])
        assert (shown["notice"]["first_day"], shown["notice"]["last_day"]) == ("2026-04-23", "2026-04-29")
        result = await packed(
            ResultContent(plan=plan, rows=rows(people), notice_number=1, journal_head="h"),  # type: ignore[arg-type]
            "result",
        )
        early = await public.post("/api/packages", content=result)
        assert (early.status_code, early.json()["type"]) == (409, "result-before-notice-end")
        registry.clock.set(_at("2026-04-30"))
        assert (await public.post("/api/packages", content=result)).status_code == 201
        again = await public.post("/api/packages", content=result)
        assert (again.status_code, again.json()["type"]) == (409, "package-repeated")
    counts = await registry.call("city", "GET", f"/api/plans/{plan}/counts")
    assert (counts["published"], counts["passed"], counts["uploaded"], counts["gap"]) == (4, 2, 4, None)
    made = await registry.call("organisation", "POST", f"/api/plans/{plan}/certificates")
    issued = await registry.call("city", "POST", f"/api/plans/{plan}/certificates/issue")
    assert [one["number"] for one in made["certificates"]] == [
        one["number"] for one in issued["certificates"]
    ]
    first = issued["certificates"][0]
    query = f"number={first['number']}&name={first['name']}"
    found = await registry.call("public", "GET", f"/api/certificates/check?{query}")
    assert verified(found["document"].encode(), site.identity.signing.public)["number"] == first["number"]
    other = f"/api/certificates/check?number={first['number']}&name=他人"
    assert (await registry.call("public", "GET", other, status=404))["type"] == "certificate-not-found"
    paper = await public.get(f"/api/certificates/paper?{query}")
    assert paper.content.startswith(b"%PDF")


class _Candidate:
    """Id and ticket, as `rows` reads them."""

    def __init__(self, identifier: str, ticket: str) -> None:
        self.id, self.ticket = identifier, ticket


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_renders(registry: Registry, tmp_path: Path, language: str) -> None:
    """Each page of organisation, officers and public answers 200 in both languages and names no missing text; the
    plan's shows its latest entry."""
    await _filed(registry, Identity.open_or_create(tmp_path / "centre"))
    plan, _candidates = await _packed(registry)
    await registry.call(
        "city",
        "POST",
        "/api/cases",
        {"organisation": ORGANISATION, "violation": "BJ-ordered-5", "suspicion": "举报"},
    )
    for who, path in (
        ("organisation", "/organisation"),
        ("organisation", f"/organisation/plans/{plan}"),
        ("city", "/regulator"),
        ("city", "/regulator/cases"),
        ("public", "/public"),
        ("public", "/public/certificate?number=1&name=2"),
    ):
        answer = await registry.people[who].get(f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert answer.status_code == 200, (path, answer.text)
        assert "{" not in answer.text, path
        assert _UNTRANSLATED.findall(answer.text.split("<main", 1)[1]) == [], path
        if path.startswith("/organisation/plans"):
            assert {"zh": "开考 15 分钟后不得入场", "en": "no entry from 15 min"}[language] in answer.text


async def test_looking_up_in_bulk_is_refused(registry: Registry) -> None:
    """After thirty look-ups at once the same address gets 429."""
    public = registry.people["public"]
    answers = [(await public.get("/api/certificates/check?number=S1&name=a")).status_code for _ in range(31)]
    assert answers == [404] * 30 + [429]
