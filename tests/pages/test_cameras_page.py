"""The camera wall, the seat set-up page and the cameras' figures in a real Chromium."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sqlalchemy import select

from server.accounts.roles import Role
from server.db.journal import JournalRecord
from server.proctor import service, store
from server.proctor.evidence import SeatReading, SeatState
from server.proctor.models import SeatStateRow
from server.proctor.simulation import HallDrawing, HallScript, SeatScript, place
from server.protocol.proctoring import CameraPicture, CameraSample
from tests.support.browser import PASSWORD, Centre, grave_issues
from tests.support.clock import START

SHOTS = os.environ.get("SHOTS")


def shot(page: Any, name: str) -> None:
    """Keep a screenshot where one is wanted."""
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


class Cameras:
    """Two drawn cameras of a running centre, fed as workers feed it."""

    def __init__(self, centre: Centre, seats: int = 6) -> None:
        self.centre, self.seats = centre, seats
        people = tuple(
            SeatScript(room, str(n), START, START + timedelta(hours=9))
            for room in ("01", "02")
            for n in range(1, seats + 1)
        )
        self.hall = HallDrawing(["01", "02"], seats, 2, HallScript(seats=people))
        centre.run(self._register())

    async def _register(self) -> None:
        async with self.centre.day.act("test") as act:
            for room in ("01", "02"):
                kept = store.Camera(f"camera-{room}", room, "mjpeg", "http://camera", 1280, 720)
                await service.register_camera(act, kept, self.hall.layout(room))

    def show(self, room: str, state: SeatState = SeatState.OCCUPIED) -> None:
        """Let a room's camera bring its picture of now, its faces, and every seat in one state."""
        self.centre.run(self._show(room, state))

    async def _show(self, room: str, state: SeatState) -> None:
        site, now = self.centre.site, self.centre.clock.legal()
        done, jpeg = cv2.imencode(".jpg", self.hall.picture(room, now))
        assert done
        camera = f"camera-{room}"
        faces = []
        for n in range(1, self.seats + 1):
            x, y, head = place(n)
            faces.append((x - head / 2, y - head / 2, x + head / 2, y + head / 2, 0.9))
        site.observations.take(CameraPicture(camera=camera, captured_at=now, jpeg=np.asarray(jpeg).tobytes()))
        site.observations.take(
            CameraSample(
                camera=camera,
                room=room,
                captured_at=now,
                width=1280,
                height=720,
                faults=(),
                measures={},
                seats=(),
                faces=tuple(faces),
                stray_faces=(),
                detector="scripted",
            )
        )
        readings = [SeatReading(str(n), state, now, now, None) for n in range(1, self.seats + 1)]
        site.feed.put_seats(room, readings)
        site.feed.put_camera(camera, room, faults=(), online=True, at=now, faces=self.seats, interval_s=1.0)


def sign_in(page: Any, centre: Centre, username: str, target: str) -> None:
    """Sign in through the page's form and go on to the target."""
    page.goto(f"{centre.url}/login?next={target}")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{centre.url}{target}")


def records(centre: Centre, kind: str) -> list[str]:
    """Return the facts of the journal's records of a kind."""

    async def read() -> list[str]:
        async with centre.site.db.reading() as session:
            rows = await session.scalars(select(JournalRecord).where(JournalRecord.kind == kind))
            return [str(row.body) for row in rows]

    return centre.run(read())


def test_wall_shows_pictures_and_states_and_only_of_ones_own_room(page: Any, centre: Centre) -> None:
    """A room's invigilator sees that room's picture and seats change live, never the other's, and it is journalled."""
    cameras = Cameras(centre)
    cameras.show("01")
    cameras.show("02")
    centre.account("wang", "王监考", Role.INVIGILATOR, "01")
    sign_in(page, centre, "wang", "/hall/wall")
    page.wait_for_selector("canvas[data-at]")
    assert page.locator(".tile").count() == 1
    assert "有人 6" in page.inner_text(".tile .seats")
    assert page.locator(".seat.occupied polygon").count() == 6
    shown = page.evaluate(
        """() => { const c = document.querySelector("canvas"), pen = c.getContext("2d");
             const d = pen.getImageData(0, 0, c.width, c.height).data;
             return [c.width, c.height, new Set(d).size > 40]; }"""
    )
    assert shown == [480, 270, True]
    before = page.get_attribute("canvas", "data-at")
    cameras.show("01", SeatState.EMPTY)
    page.wait_for_selector(".seat.empty polygon")
    page.wait_for_function("(t) => document.querySelector('canvas').dataset.at !== t", arg=before)
    shot(page, "wall")
    viewed = records(centre, "proctor:wall:viewed")
    assert len(viewed) == 1
    assert "camera-01" in viewed[0]
    assert "camera-02" not in viewed[0]
    assert grave_issues(page) == []


def test_seats_are_proposed_corrected_by_hand_and_saved(page: Any, centre: Centre) -> None:
    """Twelve who sat down are proposed; seats and staff zones are drawn, moved, reshaped and taken out by dragging, by
    keys alone and by single clicks alone, each told in words; the version is kept."""
    cameras = Cameras(centre, seats=12)
    centre.run(_forget_seats(centre))
    centre.account("tech", "技术员", Role.TECHNICIAN)
    for n in range(10):
        centre.clock.set(START + timedelta(seconds=4 * n))
        cameras.show("01")
    sign_in(page, centre, "tech", "/technician/cameras")
    assert "1280×720" in page.inner_text("tbody tr >> nth=0")
    assert "还没有标定座位" in page.inner_text("tbody tr >> nth=0")
    shot(page, "camera-list")
    page.goto(f"{centre.url}/technician/cameras/camera-01")
    page.fill("label:has-text('座位数') input", "12")
    page.fill("label:has-text('列数') input", "6")
    page.select_option("select", "rows")
    page.click("button:has-text('提出座位')")
    page.wait_for_selector("g[data-seat='12']")
    x, y, _ = place(9)
    box = page.locator(".picture svg").bounding_box()
    scale = box["width"] / 1280
    page.mouse.move(box["x"] + x * scale, box["y"] + (y + 30) * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + (x + 20) * scale, box["y"] + (y + 50) * scale, steps=3)
    page.mouse.up()
    page.focus("g[data-seat='3']")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".seat.on[data-seat='3']")
    page.wait_for_selector("[role=status]:has-text('3 号座位：头部点')")
    for left, right in ((100, 300), (900, 1180)):
        page.click("button:has-text('画一个区域')")
        box = page.locator(".picture svg").bounding_box()
        page.mouse.move(box["x"] + right * scale, box["y"] + 300 * scale)
        page.mouse.down()
        page.mouse.move(box["x"] + left * scale, box["y"] + 20 * scale, steps=3)
        page.mouse.up()
    page.wait_for_selector("li:has-text('区域 2')")
    shot(page, "zones")
    page.click("button[aria-label='去掉区域 1']")
    page.wait_for_selector("li:has-text('区域 2')", state="detached")
    _by_keys(page)
    _by_clicks(page)
    shot(page, "calibration")
    assert grave_issues(page) == []
    page.click("button:has-text('保存')")
    page.wait_for_selector("text=已保存第 1 版")
    saved = centre.run(_newest(centre))
    seats = {seat.seat: seat for seat in saved.layout.seats}
    assert len(seats) == 12
    drawn = ((900, 20, 1180, 300), (502, 288, 770, 432), (30, 40, 130, 90))
    for zone, sides in zip(
        (*saved.layout.staff_zones, seats["12"].polygon), (*drawn, (600, 500, 700, 700)), strict=True
    ):
        assert _upright(zone, sides), (zone, sides)
    for name, dx, dy in (("9", 20, 20), ("3", -10, 0), ("1", 0, 0), ("11", 40, -30)):
        x, y, _ = place(int(name))
        assert abs(seats[name].head[0] - x - dx) < 4, name
        assert abs(seats[name].head[1] - y - dy) < 4, name
    assert (seats["9"].sureness, seats["3"].sureness) == (1.0, 1.0)
    assert "camera-01" in records(centre, "proctor:setup:saved")[0]
    assert (centre.site.settings.folder / "proctor" / "setups" / "camera-01.toml").is_file()


def _by_keys(page: Any) -> None:
    """Put a zone in the middle, move it, pull its first corner out, take it out and back again; no mouse."""
    page.focus("button:has-text('在中间放一个')")
    page.keyboard.press("Enter")
    page.wait_for_selector("g[data-zone='1']:focus")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.wait_for_selector("[role=status]:has-text('现在移动：角 1')")
    page.keyboard.press("Shift+ArrowLeft")
    told = "[role=status]:has-text('区域 2：左 502，上 288，宽 268，高 144')"
    page.wait_for_selector(told)
    shot(page, "zone-by-keys")
    page.keyboard.press("Delete")
    page.wait_for_selector("[role=status]:has-text('已去掉区域 2')")
    page.wait_for_selector("g[data-zone='0']:focus")
    page.keyboard.press("Control+z")
    page.wait_for_selector("li:has-text('左 502，上 288，宽 268，高 144')")


def _by_clicks(page: Any) -> None:
    """Draw a zone by two corners, give a seat its outline by two, and put another where one click is; no dragging."""

    def click(x: float, y: float) -> None:
        box = page.locator(".picture svg").bounding_box()
        page.mouse.click(box["x"] + x * box["width"] / 1280, box["y"] + y * box["height"] / 720)

    page.click("button:has-text('画一个区域')")
    click(130, 90)
    page.wait_for_selector("[role=status]:has-text('第一个角在')")
    click(30, 40)
    page.wait_for_selector("g[data-zone='2']")
    page.click("ul[aria-label='座位'] li:nth-child(12) button")
    page.click("button:has-text('点两角定框')")
    click(600, 500)
    page.wait_for_selector("circle.draft")
    shot(page, "outline-by-clicks")
    click(700, 700)
    page.wait_for_selector("circle.draft", state="detached")
    page.click("ul[aria-label='座位'] li:nth-child(11) button")
    page.click("button:has-text('点一下放过去')")
    x, y, _ = place(11)
    click(x + 40, y - 30)
    page.wait_for_selector("button[aria-pressed='false']:has-text('点一下放过去')")


def _upright(points: Any, sides: tuple[int, int, int, int]) -> bool:
    """Tell whether points are the upright rectangle of left, top, right, bottom, to 4 pixels."""
    left, top, right, bottom = sides
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return all(abs(a - c) < 4 and abs(b - d) < 4 for (a, b), (c, d) in zip(points, corners, strict=True))


async def _forget_seats(centre: Centre) -> None:
    async with centre.day.act("test") as act:
        kept = store.Camera("camera-01", "01", "mjpeg", "http://camera", 0, 0)
        await service.register_camera(act, kept, None)


async def _newest(centre: Centre) -> Any:
    from server.proctor import setups

    async with centre.site.db.reading() as session:
        return await setups.newest(session, "camera-01")


def test_figures_are_drawn(page: Any, centre: Centre) -> None:
    """The figures page draws alarms and occupancy, names precision in words, and passes axe."""
    Cameras(centre)
    centre.account("chief", "主考", Role.CHIEF)
    centre.run(_some_day(centre))
    sign_in(page, centre, "chief", "/hall/cameras")
    page.wait_for_selector(".uplot canvas")
    assert "空座" in page.inner_text("table:not(.u-legend)")
    assert "1/2 · 50%" in page.inner_text("table:not(.u-legend)")
    assert page.locator("section canvas").count() == 2
    shot(page, "plots")
    assert grave_issues(page) == []


async def _some_day(centre: Centre) -> None:
    from server.proctor.alerts import Alert, AlertState
    from server.proctor.evidence import AnomalyKind

    now = centre.clock.legal()
    states = ("occupied", "empty", "occupied", "object", "unknown")
    async with centre.day.act("test") as act:
        for n, state in enumerate((AlertState.CONFIRMED, AlertState.DISMISSED, AlertState.OPEN)):
            at = now - timedelta(minutes=15 * n + 1)
            alert = Alert(f"a{n}", "01", "3", AnomalyKind.EMPTY_SEAT, 0.7, (), at, at, None, n < 2, state)
            await store.put_alert(act.session, alert)
        for seat in range(1, 7):
            for n, said in enumerate(states):
                act.session.add(
                    SeatStateRow(
                        room="01",
                        camera="camera-01",
                        seat=str(seat),
                        state=said,
                        since=now - timedelta(minutes=200 - 37 * n - 4 * seat),
                    )
                )
