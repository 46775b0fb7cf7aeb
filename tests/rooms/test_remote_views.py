"""Looking at cameras from afar: no look without its journal entry, and no moment outside the calendar."""

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from server.accounts.roles import Role
from server.accounts.service import Login
from server.db.act import Act
from server.proctor.course import Course
from server.proctor.service import register_camera
from server.proctor.store import Camera
from server.protocol.wall import OnScreen
from server.web.hall.wall import WallLine
from tests.support.clock import START, FakeClock
from tests.support.recording import CAPTION, record_piece
from tests.support.web import running

LIVE = "/api/remote/cameras/c1/live"


async def test_a_look_that_cannot_be_journalled_shows_nothing(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the journal cannot be written, a live picture is refused every time, not the first time only; once it can,
    the look is journalled and shown; a moment at the calendar's end is bad input, no fault of the server."""
    async with running("centre", tmp_path / "centre", clock) as server:
        site = server.site
        await record_piece(site, "s1", "c1", "01", "slot", START)
        jpeg = cv2.imencode(".jpg", np.full((180, 320, 3), 90, np.uint8))[1].tobytes()

        async def on(_session: Any) -> tuple[Course, ...]:
            return (Course("slot", "01", START, 90),)

        monkeypatch.setattr(site.recording, "due_now", on)
        monkeypatch.setattr(site.recording, "live", lambda _camera: (jpeg, CAPTION))
        browser = await server.signed_in("quality")

        async def refusing(_act: Act, _kind: str, _body: Any) -> None:
            raise OSError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(Act, "record", refusing)
            for _ in range(2):
                assert (await browser.get(LIVE)).status_code == 500
        before = await server.records()
        shown = await browser.get(LIVE)
        assert shown.headers["content-type"] == "image/jpeg"
        assert await server.records() == before + 1
        for at in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"):
            answer = await browser.get("/api/remote/cameras/c1/recorded", params={"at": at})
            assert (answer.status_code, answer.json()["type"]) == (400, "time-form"), answer.text


async def test_a_wall_shows_no_camera_before_its_journal_entry(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera comes on a wall's screen only once the look at it is in the journal."""
    login = Login("a", "quality", "quality", frozenset({Role.QUALITY}), None)

    async def never() -> Any:
        raise AssertionError("nothing is received here")

    async with running("centre", tmp_path / "centre", clock) as server:
        await record_piece(server.site, "s1", "c1", "01", "slot", START)
        wall = WallLine(server.site, cast(Any, None), login, never)
        await wall._outlines()
        told, write = [], Act.record

        async def watched(act: Act, kind: str, body: Any) -> None:
            told.append((kind, wall._screen.cameras))
            await write(act, kind, body)

        monkeypatch.setattr(Act, "record", watched)
        await wall._show(OnScreen(cameras=("c1",)))
        assert told == [("proctor:wall:viewed", ())]
        assert wall._screen.cameras == ("c1",)


@pytest.mark.parametrize(
    ("role", "scope", "shown"),
    [(Role.INVIGILATOR, "1", ["camera-1"]), (Role.TECHNICIAN, None, []), (Role.EXAM_OFFICE, None, [])],
)
async def test_a_wall_without_the_right_has_states_and_no_picture(
    role: Role, scope: str | None, shown: list[str], tmp_path: Path, clock: FakeClock
) -> None:
    """The technician's and the exam office's wall is told of the camera and that it gets no pictures, and whatever it
    asks for, none comes on its screen; the room's invigilator gets his."""
    async with running("centre", tmp_path / "centre", clock) as server:
        async with server.site.acting("setup") as act:
            await register_camera(act, Camera("camera-1", "1", "mjpeg", "http://x/", 640, 360), None)
        line = WallLine(server.site, cast(Any, None), Login("a", "a", "a", frozenset({role}), scope), _always)
        (told,) = await line._outlines()
        await line._show(OnScreen(cameras=("camera-1",)))
    assert (told.id, told.pictures, list(line._screen.cameras)) == ("camera-1", bool(shown), shown)


async def _always() -> bool:
    return True
