"""The invigilator board in a real Chromium, against a real centre."""

import re
from typing import Any

from server.accounts.roles import Role
from tests.conftest import missing_tool
from tests.support.browser import PASSWORD, Centre, grave_issues
from tests.support.papers import SLOT, START_KEY


def open_board(page: Any, centre: Centre, username: str = "chief") -> None:
    """Sign in through the page's form and open the board of the theory slot."""
    page.goto(f"{centre.url}/login?next=/hall")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector(".seat")
    page.wait_for_selector(".liveness.live")


def seat(page: Any, room: int, number: int) -> Any:
    """Return the button of a seat."""
    return page.locator(f"section.room >> nth={room - 1} >> .seat >> nth={number - 1}")


def chief(centre: Centre) -> None:
    """Make the chief's account."""
    centre.account("chief", "主考", Role.CHIEF)


def test_board_shows_every_seat_live(page: Any, centre: Centre) -> None:
    """A check-in made elsewhere appears on its seat by sign, class and text without a reload."""
    chief(centre)
    open_board(page, centre)
    assert page.locator(".seat[data-sign]").count() == 8
    assert page.locator(".seat.free").count() == 4
    assert seat(page, 1, 2).get_attribute("data-sign") == "waiting"
    assert "未签到" in seat(page, 1, 2).inner_text()
    centre.run(centre.day.check_in(1))
    page.wait_for_selector(".seat[data-sign=checked_in]")
    assert seat(page, 1, 2).get_attribute("data-sign") == "checked_in"
    assert "已签到" in seat(page, 1, 2).inner_text()
    assert "已签到 1/8" in page.inner_text(".counts")


def test_check_in_by_keyboard_alone(page: Any, centre: Centre) -> None:
    """An invigilator finds a candidate by the ticket's last digits and checks him in without a mouse."""
    centre.account("wang", "王监考", Role.INVIGILATOR, "01")
    open_board(page, centre, "wang")
    page.keyboard.press("/")
    page.keyboard.type("0002")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .person >> text=name 2")
    for _ in range(4):
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=name 2 已签到，01 考场 3 号")
    page.wait_for_selector(".seat[data-sign=checked_in]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_invigilator_sees_no_act_of_the_chief_nor_another_room(page: Any, centre: Centre) -> None:
    """An invigilator of room 01 has no bell, no seals, and no act on a seat of room 02."""
    centre.account("wang", "王监考", Role.INVIGILATOR, "01")
    open_board(page, centre, "wang")
    assert page.query_selector(".ready button") is None
    seat(page, 2, 1).click()
    page.wait_for_selector("dialog[open]")
    assert page.query_selector("dialog .tabs") is None
    page.keyboard.press("Escape")
    seat(page, 1, 1).click()
    acts = page.inner_text("dialog .tabs")
    assert "签到" in acts
    assert "作废" not in acts


def test_bell_is_asked_once_and_starts_the_exam(page: Any, centre: Centre) -> None:
    """The chief shows the seals, is refused nothing at the planned time, and the bell starts both rooms."""
    chief(centre)
    centre.run(centre.day.check_in(0, 1, 2))
    open_board(page, centre)
    page.click("text=展示密封")
    page.click("dialog .primary")
    page.wait_for_selector("dialog .code")
    page.keyboard.press("Escape")
    ring = page.locator(".ready .primary")
    page.wait_for_selector("text=密封已展示")
    assert ring.is_disabled()
    centre.open_start_key(START_KEY)
    centre.at(0.1)
    page.wait_for_selector(".ready .primary:not([disabled])")
    ring.click()
    asked = page.inner_text("dialog")
    assert "08:30" in asked
    assert "10:00 结束" in asked
    assert "已签到 3 人，应考 8 人" in asked
    page.click("dialog .primary")
    page.wait_for_selector("dialog", state="detached")
    page.wait_for_selector("text=08:30 开考，10:00 结束")
    assert page.query_selector(".ready") is None
    assert "下一步" in page.inner_text(".run")


def test_bell_before_its_time_is_refused_with_the_minute(page: Any, centre: Centre) -> None:
    """A bell that reaches the server too early shows the server's reason and the minute beside the button."""
    chief(centre)
    centre.open_start_key(START_KEY)
    open_board(page, centre)
    page.click("text=展示密封")
    page.click("dialog .primary")
    page.wait_for_selector("dialog .code")
    page.keyboard.press("Escape")
    refusal = page.evaluate(
        """async (slot) => { const name = document.documentElement.dataset.csrfCookie + "=";
             const token = document.cookie.split(name)[1].split(";")[0];
             const answer = await fetch(`/api/hall/slots/${slot}/bell`, { method: "POST", body: '{"rooms":[]}',
               headers: { "content-type": "application/json", "x-csrftoken": token } });
             return [answer.status, (await answer.json()).title]; }""",
        SLOT,
    )
    assert refusal[0] == 409
    assert "08:30" in refusal[1]
    page.wait_for_selector("text=密封已展示")
    assert page.locator(".ready .primary").is_disabled()


def test_seat_panel_acts_with_a_reason(page: Any, centre: Centre) -> None:
    """A message needs its words, a reseat its reason, and the moved candidate stands on the new seat."""
    chief(centre)
    centre.run(centre.day.enrol_seat("01", 6))
    centre.run(centre.day.check_in(0))
    open_board(page, centre)
    seat(page, 1, 1).click()
    page.click("dialog .tabs >> text=换座")
    assert page.locator("dialog .form .primary").is_disabled()
    page.fill("dialog input[type=number]", "6")
    page.fill("dialog textarea", "screen broken")
    page.click("dialog .form .primary")
    page.wait_for_selector("dialog", state="detached")
    page.wait_for_selector("[aria-label^='01 考场 6 号、name 0']")


def test_refusal_stays_beside_what_was_typed(page: Any, centre: Centre) -> None:
    """A refused act shows the server's sentence, and what was typed is still there."""
    chief(centre)
    centre.run(centre.day.check_in(0))
    open_board(page, centre)
    seat(page, 1, 1).click()
    page.click("dialog .tabs >> text=换座")
    page.fill("dialog input[type=number]", "2")
    page.fill("dialog textarea", "wants to sit there")
    page.click("dialog .form .primary")
    page.wait_for_selector("dialog .problem")
    assert page.input_value("dialog textarea") == "wants to sit there"


def test_lost_line_is_never_shown_as_live(page: Any, centre: Centre) -> None:
    """When the line goes the board says so and since when, greys the seats, and comes back by itself."""
    chief(centre)
    lines: list[Any] = []

    def between(board: Any) -> None:
        if len(lines) == 1 and "cut" in lines[0]:
            board.close()
            return
        server = board.connect_to_server()
        lines.append({"board": board, "server": server})
        board.on_message(lambda frame: server.send(frame))
        server.on_message(lambda frame: board.send(frame))

    page.route_web_socket(re.compile("/ws/hall$"), between)
    open_board(page, centre)
    lines[0]["cut"] = True
    lines[0]["board"].close()
    page.wait_for_selector(".board.offline .banner")
    assert "已断开" in page.inner_text(".banner")
    assert page.query_selector(".liveness.live") is None
    lines.clear()
    page.wait_for_selector(".board.live")
    assert page.query_selector(".banner") is None


def test_silent_server_makes_the_board_stale(page: Any, centre: Centre) -> None:
    """A socket that is open but says nothing for six seconds shows the age of what is on the screen."""
    chief(centre)
    said = {"on": True}

    def between(board: Any) -> None:
        server = board.connect_to_server()
        board.on_message(lambda frame: server.send(frame))
        server.on_message(lambda frame: board.send(frame) if said["on"] else None)

    page.route_web_socket(re.compile("/ws/hall$"), between)
    open_board(page, centre)
    said["on"] = False
    page.wait_for_selector(".board.stale .banner")
    assert re.search(r"最近更新于 \d+ 秒前", page.inner_text(".banner"))
    said["on"] = True
    page.wait_for_selector(".board.live")


def test_arrow_keys_walk_the_seats(page: Any, centre: Centre) -> None:
    """One tab stop a room: arrows go from seat to seat, Enter opens the panel, Esc gives the focus back."""
    chief(centre)
    open_board(page, centre)
    seat(page, 1, 1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert "01 考场 3 号" in page.inner_text("dialog h2")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("01 考场 3 号")


def test_board_never_shows_documents_or_answers(page: Any, centre: Centre) -> None:
    """No frame or page of the board names an identity document or an answer, and seats mask the names."""
    frames: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda frame: frames.append(str(frame))))
    chief(centre)
    open_board(page, centre)
    everything = "\n".join(frames) + page.content()
    for number in range(8):
        assert f"P{number:07}" not in everything
    assert "single stem" not in everything
    assert "name 1" not in seat(page, 1, 2).inner_text()


def test_no_serious_accessibility_issue_and_no_overflow(page: Any, centre: Centre) -> None:
    """axe finds nothing serious on the board and its dialogs, and nothing overflows from 1024×768 to 4K."""
    try:
        import axe_playwright_python  # noqa: F401
    except ImportError:
        missing_tool("axe-playwright-python")
    chief(centre)
    centre.run(centre.day.check_in(0, 1))
    open_board(page, centre)
    assert grave_issues(page) == []
    for width, height in ((1024, 768), (1440, 900), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    seat(page, 1, 1).click()
    page.click("dialog .tabs >> text=记录情况")
    assert grave_issues(page) == []
    page.keyboard.press("Escape")
    page.click("text=监考流程")
    page.wait_for_selector(".steps")
    assert grave_issues(page) == []
    page.keyboard.press("Escape")
    centre.run(centre.day.ring())
    page.wait_for_selector("text=08:30 开考，10:00 结束")
    assert grave_issues(page) == []


def test_board_needs_a_login_of_the_hall(page: Any, centre: Centre) -> None:
    """A visitor is sent to the sign-in; a custodian without a hall role is refused."""
    page.goto(f"{centre.url}/hall")
    assert "/login" in page.url
    centre.account("guardian", "保密员", Role.CUSTODIAN)
    page.goto(f"{centre.url}/login?next=/hall")
    page.fill("input[name=username]", "guardian")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("text=您的账号没有做此事的权限")
