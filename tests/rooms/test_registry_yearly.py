"""The yearly texts over HTTP: lodged from the page, marked when late, the notice read by anybody."""

from pathlib import Path

from server.accounts.roles import Role
from server.affairs.yearly import SECTIONS
from server.keys.identity import Identity
from tests.support.clock import START, FakeClock
from tests.support.registry import ORGANISATION, World
from tests.support.web import running


async def test_a_year_is_lodged_and_its_notice_is_public(tmp_path: Path) -> None:
    """On 12 March the notice of the year is missed and the next overall plan is not: both are taken, the notice marked
    late and shown to anybody once all six sections are written, the plan to officers only."""
    clock = FakeClock(START)
    async with running("registry", tmp_path / "data", clock) as server:
        world = World(server.site.db, server.site.identity)
        await world.filed(Identity.open_or_create(tmp_path / "centre"))
        clock.set(world.now)
        await server.account("own", (Role.ORGANISATION,), ORGANISATION)
        own, anyone = await server.signed_in("own"), await server.anonymous()
        city = await server.signed_in("city_officer")
        address = f"/api/organisations/{ORGANISATION}/yearly"
        due = {(one["code"], one["year"]): one for one in (await own.get(address)).json()["due"]}
        assert due[("yearly_notice", 2026)]["missed"] and not due[("overall_plan", 2027)]["missed"]
        assert due[("overall_plan", 2027)]["latest"] == "2026-11-30"
        notice = {"code": "yearly_notice", "year": "2026", **{one: f"words of {one}" for one in SECTIONS}}
        short = await own.post("/organisation/yearly", data={**notice, "fees": " "})
        assert short.json()["type"] == "yearly-section-missing"
        assert (await own.post("/organisation/yearly", data=notice)).status_code == 303
        plan = {"code": "overall_plan", "year": 2027, "text": "plan-words"}
        assert (await own.post(address, json=plan)).status_code == 201
        lodged = {one["code"]: one for one in (await city.get(address)).json()["lodged"]}
        assert (lodged["yearly_notice"]["late"], lodged["overall_plan"]["late"]) == (True, False)
        assert f"/public/yearly/{ORGANISATION}" in (await anyone.get("/public")).text
        shown = (await anyone.get(f"/public/yearly/{ORGANISATION}")).text
        assert "words of fees" in shown and "plan-words" not in shown
        assert "2026" in (await own.get("/organisation/yearly")).text


async def test_the_page_takes_no_more_than_the_interface(tmp_path: Path) -> None:
    """A section above 20,000 characters or a year of five thousand digits is refused as bad input, nothing kept."""
    async with running("registry", tmp_path / "data", FakeClock(START)) as server:
        await server.account("own", (Role.ORGANISATION,), ORGANISATION)
        own = await server.signed_in("own")
        notice = {"code": "yearly_notice", "year": "2026", **dict.fromkeys(SECTIONS, "words")}
        for wrong in ({"fees": "x" * 20_001}, {"year": "2" * 5000}):
            answer = await own.post("/organisation/yearly", data={**notice, **wrong})
            assert (answer.status_code, answer.json()["type"]) == (400, "bad-input")
