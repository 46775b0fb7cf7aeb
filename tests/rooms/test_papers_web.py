"""The check of a blueprint through the doors of a centre."""

from pathlib import Path

import pytest

from server.papers import trial
from tests.support.clock import FakeClock
from tests.support.papers import BANK, BLUEPRINT, SLOT, filed_plan, filled_bank
from tests.support.web import running


async def test_short_cells_are_told_by_the_check_and_before_the_draw_is_opened(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check passes a blueprint that can be filled; of one that cannot it names cell, cause and missing items, and
    the opening of a draw by it is refused before any passphrase, and so is a commitment to it. None of this is
    computed in the serving process."""

    def not_here(*_given: object) -> None:
        raise AssertionError("a trial is computed in the serving process")

    monkeypatch.setattr(trial, "select", not_here)
    monkeypatch.setattr(trial, "short_cells", not_here)
    greedy = BLUEPRINT.decode().replace("count = 2", "count = 9").replace("pass_mark = 6.0", "pass_mark = 6")
    async with running("centre", tmp_path / "data", clock) as server:
        site = server.site
        root = await filled_bank(site.db, site.journal, clock)
        await filed_plan(site.db, site.journal, site.identity, root)
        custodian = await server.signed_in("custodian")
        path = f"/api/banks/{BANK}/blueprint-check"
        fine = (await custodian.post(path, json={"blueprint": BLUEPRINT.decode(), "papers": 8})).json()
        assert (fine["fillable"], fine["short"], fine["items"]) == (True, [], 27)
        short = (await custodian.post(path, json={"blueprint": greedy, "slot": SLOT})).json()
        assert (short["fillable"], short["papers"]) == (False, 10)
        assert short["short"] == [
            {"point": "1.2", "type": "multiple", "band": "easy", "cause": "items", "have": 6, "need": 9, "missing": 3}
        ]  # fmt: skip
        assert "3" in short["reason"]
        body = {"kind": "draw", "slot": SLOT, "bank": BANK, "blueprint": greedy}
        refused = await custodian.post("/api/openings", json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "blueprint-not-fillable")
        assert (await custodian.get("/api/openings")).json() == []
        short_of = {"bank": BANK, "blueprint": greedy, "papers": 8}
        committed = await custodian.post("/api/plans/another/commitment", json=short_of)
        assert (committed.status_code, committed.json()["type"]) == (409, "blueprint-not-fillable")
        fits = {**short_of, "blueprint": BLUEPRINT.decode()}
        assert (await custodian.post("/api/plans/another/commitment", json=fits)).status_code == 200
        odd = await custodian.post("/api/plans/another/commitment", json={"bank": BANK})
        assert odd.status_code == 400
        unknown = await custodian.post("/api/banks/none/blueprint-check", json={"blueprint": greedy})
        assert (unknown.status_code, unknown.json()["type"]) == (404, "bank-unknown")
        unread = await custodian.post(path, json={"blueprint": "[", "papers": 8})
        assert unread.status_code == 400


async def test_the_page_shows_coverage_beside_the_blueprint(tmp_path: Path, clock: FakeClock) -> None:
    """The page names the short cell with what it needs, has and lacks, passes a blueprint that can be filled, and is
    not for an invigilator; the bank's page beside it says how the closed bank is opened."""
    greedy = BLUEPRINT.decode().replace("count = 2", "count = 9").replace("pass_mark = 6.0", "pass_mark = 6")
    async with running("centre", tmp_path / "data", clock) as server:
        await filled_bank(server.site.db, server.site.journal, clock)
        office = await server.signed_in("exam_office")
        path = f"/bank/{BANK}/blueprint"
        assert "核对双向细目表" in (await office.get(path)).text
        closed = (await office.get(f"/bank/{BANK}")).text
        assert "怎样打开题库" in closed and "gongyuan bank serve" in closed
        told = []
        for text in (greedy, BLUEPRINT.decode()):
            answer = await office.post(path, files={"file": ("b.toml", text)}, data={"papers": "8"})
            assert answer.status_code == 200, answer.text
            told.append(answer.text)
        assert "1 格不够，至少还缺 3 题" in told[0] and "缺 3 题</span>" in told[0]
        assert "可以抽卷" in told[1] and "chip bad" not in told[1] and "notice bad" not in told[1]
        stranger = await server.signed_in("invigilator")
        assert (await stranger.get(path)).status_code == 403
