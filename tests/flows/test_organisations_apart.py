"""An organisation's account and what is another's: no word of it, no act on it, by any route of the registry."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from server.accounts.roles import Role
from server.affairs.corrections import POSSIBLE, Approver, Field, Period, PeriodRule
from server.keys.identity import Identity
from server.registry import correction_service
from server.registry.correction_service import Asked
from tests.support.clock import FakeClock
from tests.support.registry import ORGANISATION as ORGANISATION_ID
from tests.support.registry import PLACE, World
from tests.support.routes import PLAN_ROUTE, REGISTRY
from tests.support.web import Route, filled, running

_CHANGE = {"starts_at": "2026-04-21T00:30:00Z", "place": PLACE, "reason": "storm"}
_ROOMS = [{"number": "1", "name": "room", "seats": 30}]
_STAFF = [{"name": "x", "role": "chief", "username": "xx"}]
_PERSON = {"name": "x", "id_kind": "resident", "id_number": "1", "condition": "c", "committed": True}
_BODIES: Mapping[Route, Mapping[str, Any]] = {
    ("POST", f"{PLAN_ROUTE}/candidates"): {"candidates": [_PERSON]},
    ("POST", f"{PLAN_ROUTE}/arrangement"): {"rooms": _ROOMS, "staff": _STAFF},
    ("POST", f"{PLAN_ROUTE}/commitment"): {"commitment": "ab" * 32},
    ("POST", "/api/organisations/{organisation:str}/bank-root"): {"root": "ab" * 32},
    ("POST", f"{PLAN_ROUTE}/changes"): {"slot": "none", **_CHANGE},
    ("POST", "/api/objections/{objection:str}/answer"): {"outcome": "dismiss", "answer": "no"},
    ("POST", "/api/cases/{case:str}/defence"): {"text": "not so"},
    ("POST", f"{PLAN_ROUTE}/corrections"): {
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
                method, filled(path, theirs), json=None if method == "GET" else _BODIES.get(route, {})
            )
            assert secret.search(answer.text) is None, route
            if "{" in path:
                assert (answer.status_code, answer.json()["type"]) == (403, "organisation-not-yours"), route
                closed += 1
        assert closed > 20
        assert await server.records() == before
