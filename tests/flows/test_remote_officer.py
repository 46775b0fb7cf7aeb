"""An officer's account comes in the exam package: what it shows, what it journals, and that it opens nothing else."""

import io
import re
from datetime import timedelta
from pathlib import Path

import av
import cv2
import msgspec
import numpy as np
from sqlalchemy import select

from server.accounts.roles import Role
from server.accounts.service import close_account
from server.affairs import viewers
from server.affairs.packaging import accept_exam, build_exam
from server.db.journal import JournalRecord
from server.keys.passwords import prepared_password
from server.packages.contents import ExamContent
from server.proctor.recording_store import segments
from tests.support.clock import START, FakeClock
from tests.support.papers import PLAN, SLOT, filed_plan
from tests.support.recording import record_piece
from tests.support.web import Server, running


async def _content(server: Server) -> ExamContent:
    site = server.site
    await filed_plan(site.db, site.journal, site.identity, bytes(32), 1, 2)
    password = await prepared_password("a pass word 77", "officer")
    async with site.acting("staff:officer") as act:
        await viewers.make_pass(act, PLAN, "zhang", "市中心 张督导", password)
    async with site.db.reading() as session:
        return await build_exam(session, PLAN)


async def test_an_officer_looks_and_does_nothing_else(tmp_path: Path, clock: FakeClock) -> None:
    """With the pass of the package an officer signs in at the centre, sees recorded pictures of the plan's slots with
    their caption, each look journalled, none of other slots, no live picture of another room, and no page but his; a
    package without him ends his login, one that names him again opens it, unless a person closed his account."""
    async with running("centre", tmp_path / "centre", clock) as server:
        site = server.site
        content = await _content(server)
        assert [one.username for one in content.viewers] == ["remote-zhang-plan1"]
        async with site.acting("package:registry") as act:
            await accept_exam(act, content)
        await record_piece(site, "s1", "c1", "01", SLOT, START)
        await record_piece(site, "s2", "c2", "02", "another slot", START)
        browser = await server.anonymous()
        answer = await browser.post(
            "/api/login", json={"username": content.viewers[0].username, "password": "a pass word 77"}
        )
        assert answer.status_code in (200, 201), answer.text
        assert (await browser.get("/api/me")).json()["roles"] == [Role.REMOTE_OFFICER.value]
        page = await browser.get("/cameras", params={"camera": "c1", "at": START.isoformat()})
        assert page.status_code == 200
        assert "c1" in page.text
        # A token of the page may hold these two characters; a camera's name stands alone.
        assert re.search(r"\bc2\b", page.text) is None
        before = await server.records()
        levels = []
        for second in (0, 4.5, 9):
            at = (START + timedelta(seconds=second)).isoformat()
            shown = await browser.get("/api/remote/cameras/c1/recorded", params={"at": at})
            assert shown.headers["content-type"] == "image/jpeg"
            picture = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_COLOR)
            assert int(picture[:24].max()) > 200
            levels.append(round(float(picture[60:].mean()) / 10))
        assert levels == [6, 10, 15]
        assert await server.records() == before + 3
        assert (await browser.get("/api/remote/cameras/c1/live")).json()["type"] == "recording-none"
        refused = {
            "/api/remote/cameras/c2/recorded": "camera-view-slot",
            "/api/remote/cameras/c2/live": "camera-view-closed",
            "/hall": "not-permitted",
            "/api/hall/slots": "not-permitted",
            "/results": "not-permitted",
            "/technician": "not-permitted",
        }
        for path, code in refused.items():
            answer = await browser.get(
                path, params={"at": START.isoformat()}, headers={"accept": "application/json"}
            )
            assert (answer.status_code, answer.json()["type"]) == (403, code), path
        async with site.db.reading() as session:
            kinds = set(await session.scalars(select(JournalRecord.kind)))
            (kept,) = await segments(session, "c1")
        assert {"proctor:cameras:page", "proctor:recording:viewed"} <= kinds
        with av.open(io.BytesIO(site.recording.read(kept))) as video:
            assert sum(1 for _ in video.decode(video.streams.video[0])) == 10
        clock.set(START + timedelta(hours=16))
        late = await browser.get("/cameras", headers={"accept": "application/json"})
        assert (late.status_code, late.json()["type"]) == (403, "camera-view-over")
        clock.set(START)
        async with site.acting("package:registry") as act:
            await accept_exam(act, msgspec.structs.replace(content, viewers=()))
        assert (await browser.get("/api/me")).status_code == 401
        again = {"username": content.viewers[0].username, "password": "a pass word 77"}
        assert (await browser.post("/api/login", json=again)).status_code == 401
        async with site.acting("package:registry") as act:
            await accept_exam(act, content)
        assert (await browser.post("/api/login", json=again)).status_code in (200, 201)
        async with site.acting("staff:administrator") as act:
            await close_account(act, again["username"])
        async with site.acting("package:registry") as act:
            await accept_exam(act, content)
        assert (await browser.post("/api/login", json=again)).status_code == 401
