"""Camera findings and recordings in a real Chromium: two people decide by the picture; an officer looks from afar."""

from datetime import timedelta
from typing import Any

import numpy as np

from server.accounts.roles import Role
from server.proctor import store
from server.proctor.alerts import Alert, AlertState
from server.proctor.drawing import jpeg
from server.proctor.evidence import Anomaly, AnomalyKind
from server.proctor.seats import CameraLayout, region_at
from tests.pages.test_board_page import open_board
from tests.support.browser import PASSWORD, Centre, grave_issues
from tests.support.hall import BELL
from tests.support.papers import PLAN, SLOT
from tests.support.recording import record_piece

LAYOUT = CameraLayout("c1", "01", 640, 360, tuple(region_at(str(n), 130 * n, 160, 40) for n in range(1, 5)))


async def _found(centre: Centre, seat: int) -> None:
    """An empty seat is found by a camera, with its picture, and boards see it."""
    site, at = centre.site, centre.clock.legal()
    name = site.evidence.put(
        jpeg(np.random.default_rng(seat).integers(0, 255, (360, 640, 3), dtype=np.uint8))
    )
    anomaly = Anomaly(
        key=f"empty:{seat}",
        kind=AnomalyKind.EMPTY_SEAT,
        rule_version=1,
        room_id="01",
        camera_id="c1",
        seat=str(seat),
        started_at=at - timedelta(seconds=30),
        found_at=at,
        score=0.9,
        facts={"structure": 0.1},
    )
    key = f"alert:{anomaly.key}"
    alert = Alert(key, "01", str(seat), anomaly.kind, 0.9, (anomaly.key,), at, at, None, True)
    async with site.db.writing() as session:
        await store.put_camera(session, store.Camera("c1", "01", "mjpeg", "", 640, 360), LAYOUT, at)
        await store.put_alert(session, alert)
        await store.add_anomaly(session, anomaly, key, name)
    site.feed.put_alert(alert, True)
    site.signals.tell("slot", SLOT)


def test_two_people_decide_by_the_picture(page: Any, chromium: Any, centre: Centre) -> None:
    """A finding shows its picture on the board; one invigilator's confirmation waits for a second person and cannot be
    his own; the second's confirms it, and another finding is dismissed."""
    for name in ("wang", "li"):
        centre.account(name, name, Role.INVIGILATOR, "01")
    centre.run(centre.day.check_in(0, 1, 2, 3))
    open_board(page, centre, "wang")
    centre.run(_found(centre, 2))
    card = page.locator(".feed article.al")
    card.wait_for()
    page.wait_for_function("() => document.querySelector('.feed article.al img')?.naturalWidth === 640")
    card.locator("button.pic").click()
    page.wait_for_function("() => document.querySelector('dialog img.full')?.naturalWidth === 640")
    assert page.locator("dialog a[href$='/clip']").count() == 1
    page.keyboard.press("Escape")
    card.locator(".act button.primary").click()
    # The button is disabled while it is being sent, too.
    page.wait_for_selector(".feed article.al >> text=须由另一人复核")
    assert page.locator(".feed .act button.primary").is_disabled()
    other = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN").new_page()
    open_board(other, centre, "li")
    other.locator(".feed .act button.primary").click()
    for board in (page, other):
        board.wait_for_selector(".feed .al.past")
    confirmed = centre.site.feed.alert("alert:empty:2")
    assert confirmed is not None
    assert (confirmed.state, confirmed.first_by, confirmed.decided_by) == (
        AlertState.CONFIRMED,
        "staff:wang",
        "staff:li",
    )
    centre.run(_found(centre, 3))
    other.locator(".feed article.al .act button >> nth=1").click()
    other.wait_for_function("() => document.querySelectorAll('.feed .al.past').length === 2")
    dismissed = centre.site.feed.alert("alert:empty:3")
    assert dismissed is not None
    assert dismissed.state is AlertState.DISMISSED
    other.context.close()


def test_an_officer_looks_at_a_recording(page: Any, centre: Centre) -> None:
    """An officer's camera page shows the recorded picture of the time he types, steps by ten seconds, has no download,
    passes axe and never scrolls sideways at 360 px."""
    centre.account("remote-zhang", "张督导", Role.REMOTE_OFFICER, PLAN)
    centre.run(record_piece(centre.site, "s1", "c1", "01", SLOT, BELL, (640, 360)))
    page.goto(f"{centre.url}/login?next=/cameras")
    page.fill("input[name=username]", "remote-zhang")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("input[name=at]")
    assert page.input_value("input[name=at]").startswith("2026-03-14T08:30")
    page.fill("input[name=at]", "2026-03-14T08:30:05")
    page.click("form[action='/cameras'] button")
    page.wait_for_function("() => document.querySelector('#moment img')?.naturalWidth === 640")
    assert page.locator("a[download], video").count() == 0
    page.click("#moment a >> nth=0")
    page.wait_for_selector("#moment img[src*='08%3A29%3A55']")
    page.go_back()
    page.wait_for_function("() => document.querySelector('#moment img')?.naturalWidth === 640")
    assert grave_issues(page) == []
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
