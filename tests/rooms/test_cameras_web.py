"""Setting up a camera over HTTP: references, proposals from check-ins, versions, and whose room it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytest_asyncio
from sqlalchemy import select

from server.accounts.roles import Role
from server.db.journal import JournalRecord
from server.delivery.facts import Place, SlotTerms
from server.delivery.service import check_in, prepare_sittings
from server.delivery.timing import Policy
from server.proctor import service, store
from server.proctor.capture import decode
from server.proctor.detectors.yunet import MODEL
from server.proctor.simulation import HallDrawing, HallScript, SeatScript, place
from server.protocol.proctoring import CameraPicture, CameraSample
from tests.support.clock import START, FakeClock
from tests.support.web import Server, running

CAMERA = "camera-1"
SEATS = 12


class Fed:
    """A centre whose one camera is fed as its worker feeds it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        people = tuple(
            SeatScript("1", str(n), START + timedelta(seconds=20 * n), START + timedelta(hours=9))
            for n in range(1, SEATS + 1)
        )
        self.hall = HallDrawing(["1"], SEATS, 2, HallScript(seats=people))
        self.drawn: dict[int, bytes] = {}

    def show(self, seconds: float) -> None:
        """Bring the picture of so many seconds after START, with a face for everybody who sits."""
        at = START + timedelta(seconds=seconds)
        sitting = min(SEATS, max(0, int(seconds // 20)))
        if sitting not in self.drawn:
            done, jpeg = cv2.imencode(".jpg", self.hall.picture("1", at))
            assert done
            self.drawn[sitting] = np.asarray(jpeg).tobytes()
        faces = []
        for n in range(1, SEATS + 1):
            if at >= START + timedelta(seconds=20 * n):
                x, y, head = place(n)
                faces.append((x - head / 2, y - head / 2, x + head / 2, y + head / 2, 0.9))
        seen = self.server.site.observations
        sample: dict[str, Any] = {"camera": CAMERA, "room": "1", "captured_at": at, "width": 1280}
        sample |= {"height": 720, "faults": (), "measures": {}, "seats": (), "stray_faces": ()}
        seen.take(CameraSample(**sample, faces=tuple(faces), detector="scripted"))
        seen.take(CameraPicture(camera=CAMERA, captured_at=at, jpeg=self.drawn[sitting]))


@pytest_asyncio.fixture
async def fed(tmp_path: Path) -> AsyncIterator[Fed]:
    """A centre with one registered camera of room 1 and its people."""
    async with running("centre", tmp_path / "centre", FakeClock()) as server:
        async with server.site.acting("setup") as act:
            camera = store.Camera(CAMERA, "1", "mjpeg", "http://camera", 1280, 720)
            await service.register_camera(act, camera, None)
        await server.account("own", (Role.INVIGILATOR,), "1")
        await server.account("other", (Role.INVIGILATOR,), "2")
        yield Fed(server)


async def test_reference_proposal_and_versions(fed: Fed) -> None:
    """The empty room is taken, a peopled one refused, who sat down is proposed by number, and a stale save fails."""
    browser = await fed.server.signed_in("own")

    async def take(first: float) -> Any:
        asked = asyncio.create_task(
            browser.post(f"/api/cameras/{CAMERA}/reference", json={"light": "lights on"})
        )
        n = 0
        while not asked.done():
            fed.show(first + n / 10_000)
            n += 1
            await asyncio.sleep(0)
        return await asked

    fed.show(0)
    taken = await take(1)
    assert taken.status_code == 200, taken.text
    assert fed.server.site.seating_watch.begun(CAMERA)
    for n in range(30):
        fed.show(30 + 10 * n)
    refused = await take(400)
    assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (409, "reference-people")
    wanted = {"seats": [str(n) for n in range(1, SEATS + 1)], "columns": 6, "numbering_known": True}
    made = (await browser.post(f"/api/cameras/{CAMERA}/proposal", json=wanted)).json()
    assert [seat["seat"] for seat in made["seats"]] == wanted["seats"]
    for seat in made["seats"]:
        x, y, head = place(int(seat["seat"]))
        assert np.hypot(seat["head"][0] - x, seat["head"][1] - y) < 0.5 * head
    saved = {"base": 0, "width": 1280, "height": 720, "seats": made["seats"], "references": [taken.json()]}
    first = await browser.post(f"/api/cameras/{CAMERA}/setup", json=saved)
    assert first.json() == {"version": 1}
    stale = await browser.post(f"/api/cameras/{CAMERA}/setup", json=saved)
    assert (stale.status_code, stale.json()["facts"]["version"]) == (409, 1)
    (shown,) = (await browser.get("/api/cameras")).json()
    assert (shown["seats"], shown["references"], shown["version"]) == (SEATS, 1, 1)
    assert "camera-advice-no-seats" not in [one["code"] for one in shown["advice"]]
    file = await browser.get(f"/api/cameras/{CAMERA}/seats.toml")
    assert file.text.count("[[seats]]") == SEATS


async def test_another_rooms_invigilator_may_not(fed: Fed) -> None:
    """An invigilator of room 2 finds no camera of room 1 in the list and is refused its picture, set-up and saving."""
    fed.show(0)
    browser = await fed.server.signed_in("other")
    assert (await browser.get("/api/cameras")).json() == []
    for path in ("setup", "picture", "seats.toml"):
        assert (await browser.get(f"/api/cameras/{CAMERA}/{path}")).status_code == 403, path
    body = {"base": 0, "width": 1280, "height": 720, "seats": []}
    assert (await browser.post(f"/api/cameras/{CAMERA}/setup", json=body)).status_code == 403
    tech = await fed.server.signed_in("technician")
    assert (await tech.get(f"/api/cameras/{CAMERA}/picture")).content[:2] == b"\xff\xd8"
    assert (await tech.get("/api/cameras/none/setup")).status_code == 404
    flat = {"seat": "1", "polygon": [[0, 0], [1, 0], [1, 1]], "head": [0, 0], "head_px": 9}
    wrong = await tech.post(f"/api/cameras/{CAMERA}/setup", json={**body, "seats": [flat]})
    assert wrong.status_code == 400
    off = await tech.post("/technician/cameras/discover")
    assert off.status_code == 409


@pytest.mark.skipif(not MODEL.is_file(), reason="the face model is not here: run make assets")
async def test_a_seated_room_is_set_up_without_faces_and_keeps_its_seats(fed: Fed) -> None:
    """With somebody checked in the technician's picture has every head masked and the room's invigilator's has none,
    and neither takes a seat out of the set-up; the chief does, journalled. Before it, an invigilator alone may not take
    out all."""
    site = fed.server.site
    fed.show(20.0 * SEATS)
    newest = site.observations.newest(CAMERA)
    assert newest is not None
    own, technician = await fed.server.signed_in("own"), await fed.server.signed_in("technician")
    chief = await fed.server.signed_in("chief")
    path = f"/api/cameras/{CAMERA}"
    body: dict[str, Any] = {"base": 0, "width": 1280, "height": 720}
    seats = []
    for n in range(1, SEATS + 1):
        x, y, head = place(n)
        box = [[x - head, y - head], [x + head, y - head], [x + head, y + head]]
        seats.append({"seat": str(n), "polygon": box, "head": [x, y], "head_px": head})
    assert (await technician.post(f"{path}/setup", json={**body, "seats": seats})).status_code == 200
    empty = await own.post(f"{path}/setup", json={**body, "base": 1, "seats": []})
    assert (empty.status_code, empty.json()["type"]) == (409, "setup-empty")
    assert (await technician.get(f"{path}/picture")).content == newest.jpeg

    terms = SlotTerms("slot", "plan", "", "", START, Policy(90, 30, 15), 1)
    async with site.acting("setup") as act:
        await prepare_sittings(act, terms, [Place("s", "candidate", "甲", "T1", "1", "1", 3)])
        await check_in(act, "s", {"document": True})
    assert (await own.get(f"{path}/picture")).content == newest.jpeg
    clear = decode(newest.jpeg)
    masked = decode((await technician.get(f"{path}/picture")).content)
    assert clear is not None and masked is not None
    for n in range(1, SEATS + 1):
        x, y, third = int(place(n)[0]), int(place(n)[1]), int(place(n)[2]) // 3
        seen = [one[y - third : y + third, x - third : x + third].astype(int) for one in (clear, masked)]
        assert np.abs(seen[0] - seen[1]).mean() > 3, n
    for browser in (own, technician):
        fewer = await browser.post(f"{path}/setup", json={**body, "base": 1, "seats": seats[1:]})
        assert (fewer.status_code, fewer.json()["type"]) == (409, "setup-seats-removed")
    saved = await chief.post(f"{path}/setup", json={**body, "base": 1, "seats": seats[1:]})
    assert saved.json() == {"version": 2}
    async with site.db.reading() as session:
        kept = await session.scalars(
            select(JournalRecord.body).where(JournalRecord.kind == "proctor:setup:saved")
        )
        assert [json.loads(one)["removed"] for one in kept] == [[], ["1"]]
