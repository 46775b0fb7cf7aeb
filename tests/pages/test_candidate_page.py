"""The candidate page in a real Chromium, against a real centre."""

import re
from collections.abc import Callable
from typing import Any

from tests.conftest import missing_tool
from tests.support.browser import Centre
from tests.support.seat_page import cut, wait_for_mark, wait_for_place

ROOM, SEAT = "01", 1
TICKET, NUMBER = "T0000", "P0000000"


def enrol(page: Any, centre: Centre, seat: int = SEAT, language: str = "") -> None:
    """Open the page on a new machine and give it the seat's one-time code."""
    code = centre.seat_codes()[ROOM, seat]
    page.goto(f"{centre.url}/exam{language}")
    page.fill("#code", f"{code[:5]}-{code[5:]}".lower())
    page.click("button.primary")
    page.wait_for_selector("#ticket")


def sign_in(page: Any, ticket: str = TICKET, number: str = NUMBER) -> None:
    """Type both numbers and send them."""
    page.fill("#ticket", ticket)
    page.fill("#id-number", number)
    page.click("button.primary")


def at_work(page: Any, centre: Centre, language: str = "") -> None:
    """Bring one candidate to the opened paper."""
    enrol(page, centre, language=language)
    centre.run(centre.day.check_in(0))
    sign_in(page)
    page.wait_for_selector(".countdown")
    centre.run(centre.day.ring())
    page.wait_for_selector(".stem")


def answers_on_disk(centre: Centre) -> dict[int, tuple[str, ...]]:
    """Return the final answers of the candidate as the server has them."""
    from server.delivery.store import final_answers

    async def read() -> dict[int, tuple[str, ...]]:
        async with centre.site.db.reading() as session:
            return dict(await final_answers(session, "sitting-0"))

    return centre.run(read())


def held_acknowledgements(page: Any) -> Callable[[], None]:
    """Hold back every acknowledgement of the server on its way to this page; return what lets them go."""
    waiting: list[Callable[[], None]] = []
    state = {"hold": True}

    def between(kiosk: Any) -> None:
        server = kiosk.connect_to_server()
        kiosk.on_message(lambda frame: server.send(frame))

        def to_kiosk(frame: str) -> None:
            if state["hold"] and '"type":"acknowledged"' in frame:
                waiting.append(lambda: kiosk.send(frame))
            else:
                kiosk.send(frame)

        server.on_message(to_kiosk)

    page.route_web_socket(re.compile("/ws/candidate$"), between)

    def let_go() -> None:
        state["hold"] = False
        for send in waiting:
            send()

    return let_go


MOVABLE_CLOCKS = """
  const moved = (window.moved = { date: 0, steady: 0 });
  const now = Date.now.bind(Date), steady = performance.now.bind(performance);
  window.Date = class extends Date {
    constructor(...given) { given.length ? super(...given) : super(now() + moved.date); }
    static now() { return now() + moved.date; }
  };
  performance.now = () => steady() + moved.steady;
"""


def lines_that_fall_silent(page: Any) -> list[dict[str, bool]]:
    """Let a test silence the page's lines: one entry a line opened so far; `silent` keeps it open and idle."""
    lines: list[dict[str, bool]] = []

    def between(kiosk: Any) -> None:
        line = {"silent": False}
        lines.append(line)
        server = kiosk.connect_to_server()
        kiosk.on_message(lambda frame: line["silent"] or server.send(frame))
        server.on_message(lambda frame: line["silent"] or kiosk.send(frame))
        kiosk.on_close(lambda code, reason: None)

    page.route_web_socket(re.compile("/ws/candidate$"), between)
    return lines


def seconds_left(page: Any) -> int:
    """Return what the page shows as the time left, in seconds."""
    seconds = 0
    for part in page.locator("[role=timer]").first.inner_text().split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def test_machine_clock_and_silent_line(page: Any, centre: Centre) -> None:
    """A step of the machine's clock by a day moves nothing that the candidate sees, and a line that carries nothing
    for half a minute is given up for a new one, on which the answer is saved."""
    page.add_init_script(MOVABLE_CLOCKS)
    lines = lines_that_fall_silent(page)
    at_work(page, centre)
    day = page.evaluate("new Date().getTime()") // 86_400_000
    page.evaluate("moved.date = 400 * 86400000")
    before = seconds_left(page)
    page.click(".opt >> nth=1")
    page.wait_for_selector(".itemstate.ok")
    assert page.evaluate("new Date().getTime()") // 86_400_000 >= day + 400
    # Either way: a newer beacon that was longer on its way sets the shown time back by so much.
    assert abs(before - seconds_left(page)) < 600
    lines[-1]["silent"] = True
    opened = len(lines)
    page.keyboard.press("ArrowRight")
    page.click(".opt >> nth=0")
    page.wait_for_selector(".itemstate:not(.ok)")
    page.evaluate("moved.steady = 31000")
    page.wait_for_selector(".itemstate.ok")
    assert len(lines) == opened + 1
    assert sorted(answers_on_disk(centre)) == [1, 2]


def test_whole_walk_from_enrolment_to_the_receipt(page: Any, centre: Centre) -> None:
    """A candidate goes from the seat's code to the receipt: refused before 30 minutes, handed in after them."""
    enrol(page, centre)
    page.wait_for_selector("text=还没有考生签到")
    sign_in(page)
    refused = page.wait_for_selector(".problem").inner_text()
    centre.run(centre.day.check_in(0))
    page.wait_for_selector("text=请在监考员核验证件并签到之后")
    sign_in(page, number="P0000001")
    page.wait_for_selector(".problem")
    assert page.inner_text(".problem") == refused
    sign_in(page)
    page.wait_for_selector(".countdown")
    waiting = page.inner_text("main")
    assert "考试规则" in waiting
    assert "个人信息告知" in waiting
    page.wait_for_selector("text=密封试卷已送达本机")
    assert page.query_selector(".stem") is None

    centre.run(centre.day.ring())
    page.wait_for_selector(".stem")
    assert page.inner_text("#number") == "第 1 题"
    page.click(".opt >> nth=1")
    page.wait_for_selector(".itemstate.ok")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
        if page.query_selector(".opt"):
            label = page.locator(".opt kbd").first.text_content() or "T"
            page.keyboard.press(label if label in "ABCD" else "T")
        else:
            page.fill(".blanks input", "text 1")
            page.keyboard.press("Enter")
    page.wait_for_selector("text=8 题作答已保存到考场服务器")
    assert sorted(answers_on_disk(centre)) == list(range(1, 9))
    page.click(".pal button >> nth=2")
    page.click("text=标记复查")
    assert page.get_attribute(".pal button >> nth=2", "aria-label") == "第 3 题，已答，已标记"

    hand_in = page.locator(".hand button.primary")
    assert hand_in.is_disabled()
    assert "还需等待" in hand_in.inner_text()
    assert "09:00 起可交卷，09:45 起不得交卷。" in page.inner_text(".hand")

    centre.at(31)
    page.wait_for_selector(".hand button.primary:not([disabled])")
    hand_in.click()
    assert "全部题目都已作答" in page.inner_text("[role=dialog]")
    page.click(".dialog .primary")
    code = page.wait_for_selector(".receipt b").inner_text().replace(" ", "")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{14}", code)
    assert "共收到 8 题作答" in page.inner_text("main")
    page.click("text=供下一位考生使用")
    page.wait_for_selector("#ticket")


def test_a_hand_in_that_reaches_the_server_too_early_names_the_minute(page: Any, centre: Centre) -> None:
    """A page that sends a hand-in before its time shows the server's refusal with the minute it opens."""
    at_work(page, centre)
    page.evaluate(
        """() => { const button = document.querySelector(".hand button.primary");
                   button.disabled = false; button.click(); }"""
    )
    page.click(".dialog .primary")
    text = page.wait_for_selector(".hand .problem").inner_text()
    assert "09:00" in text
    assert "BJ-E:A5.2-9" in text


def test_saved_is_shown_only_after_the_acknowledgement(page: Any, centre: Centre) -> None:
    """While the server's acknowledgement is held back the page never says saved, though the answer is on disk."""
    let_go = held_acknowledgements(page)
    at_work(page, centre)
    page.keyboard.press("B")
    page.wait_for_selector("text=正在保存 1 题作答")
    while not answers_on_disk(centre):
        page.wait_for_timeout(20)
    assert "已保存" not in page.inner_text(".exam")
    let_go()
    page.wait_for_selector("text=1 题作答已保存到考场服务器")
    page.wait_for_selector("text=本题作答已保存")


def test_offline_answers_are_kept_and_sent_again(page: Any, centre: Centre) -> None:
    """An answer given while the line is down is shown as not saved and reaches the disk when it is back."""
    at_work(page, centre)
    cut(page, centre)
    page.keyboard.press("C")
    assert "1 题作答存于本机" in page.inner_text(".saved")
    page.context.set_offline(False)
    page.wait_for_selector("text=1 题作答已保存到考场服务器")
    assert answers_on_disk(centre) == {1: ("C",)}


def test_reload_resumes_the_same_question(page: Any, centre: Centre) -> None:
    """A reload comes back to the same question with the answers that stand, without signing in again."""
    at_work(page, centre)
    page.keyboard.press("A")
    page.click(".pal button >> nth=3")
    page.click("text=标记复查")
    page.wait_for_selector("text=1 题作答已保存到考场服务器")
    wait_for_place(page, 4)
    wait_for_mark(page, centre, 4)
    page.reload()
    page.wait_for_selector(".stem")
    assert page.inner_text("#number") == "第 4 题"
    page.wait_for_selector(".pal .m")
    assert page.locator(".pal .a").count() == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".opt.on kbd").inner_text() == "A"


def test_two_quick_keys_act_on_the_question_that_is_shown(page: Any, centre: Centre) -> None:
    """An arrow followed at once by a letter answers the new question and leaves the one before as it was."""
    at_work(page, centre)
    page.evaluate(
        """() => { for (const key of ["a", "ArrowRight", "b", "ArrowRight", "c"])
                     window.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })); }"""
    )
    page.wait_for_selector("text=3 题作答已保存到考场服务器")
    assert answers_on_disk(centre) == {1: ("A",), 2: ("B",), 3: ("C",)}


def test_arrows_in_a_choice_never_change_the_answer(page: Any, centre: Centre) -> None:
    """After a click on an option the right arrow turns the page and the answer stays."""
    at_work(page, centre)
    page.click(".opt >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#number") == "第 2 题"
    page.wait_for_selector("text=1 题作答已保存到考场服务器")
    assert answers_on_disk(centre) == {1: ("A",)}


def test_english_is_an_option_without_losing_the_place(page: Any, centre: Centre) -> None:
    """The language changes in the middle of the paper, and question and answers stay."""
    at_work(page, centre)
    page.keyboard.press("A")
    page.keyboard.press("ArrowRight")
    page.click(".sizes button >> text=EN")
    page.wait_for_selector("text=Question 2")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.wait_for_selector("text=1 answers saved")
    wait_for_place(page, 2)
    page.reload()
    page.wait_for_selector("text=Question 2")


def test_page_carries_no_key_and_nobody_else(page: Any, centre: Centre) -> None:
    """Nothing that reaches the machine names another candidate, a marking key, or an item of the bank."""
    frames: list[str] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda frame: frames.append(str(frame))))
    at_work(page, centre)
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    everything = "\n".join(frames) + page.content()
    assert "T0000" in everything
    for other in range(1, 8):
        assert f"T{other:04}" not in everything
        assert f"P{other:07}" not in everything
        assert f"name {other}" not in everything
    sheet = centre.run(centre.day.sheet("sitting-0"))
    for entry in sheet.entries:
        assert entry.item not in everything
    assert '"key"' not in "".join(f for f in frames if '"type":"paper_key"' not in f)


def test_policy_allows_nothing_inline(page: Any, centre: Centre) -> None:
    """The page's content security policy names no unsafe source and no other host."""
    answer = page.goto(f"{centre.url}/exam")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert "default-src 'none'" in policy
    page.wait_for_selector("#code")  # nothing is left on its way when the page is closed


def test_paused_paper_hides_the_question(page: Any, centre: Centre) -> None:
    """In a pause the question is not shown and no key answers; afterwards both are back."""
    from server.conduct import service as conduct
    from server.delivery.facts import Extent
    from tests.support.papers import SLOT

    async def halt(on: bool) -> None:
        async with centre.day.act() as act:
            if on:
                await conduct.pause(act, Extent(SLOT, None, None), "power")
            else:
                await conduct.resume(act, Extent(SLOT, None, None), "power back")

    at_work(page, centre)
    centre.run(halt(True))
    page.wait_for_selector("text=考试已暂停")
    assert page.query_selector(".stem") is None
    page.keyboard.press("A")
    centre.run(halt(False))
    page.wait_for_selector(".stem")
    assert answers_on_disk(centre) == {}


def test_end_collects_the_paper(page: Any, centre: Centre) -> None:
    """At the end the paper is collected by itself and the page shows the receipt."""
    at_work(page, centre)
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    centre.at(91)
    page.wait_for_selector("text=考试结束，试卷已收")
    assert page.query_selector(".hand") is None, "nothing can be handed in after the end"
    assert "共收到 1 题作答" in page.inner_text("main")


def test_second_window_is_told_to_close(page: Any, centre: Centre) -> None:
    """A second window on the same machine takes the line and the first one says so."""
    enrol(page, centre)
    second = page.context.new_page()
    second.goto(f"{centre.url}/exam")
    second.wait_for_selector("#ticket")
    page.wait_for_selector("text=考试已在另一窗口打开")


def grave_issues(page: Any) -> list[tuple[str, list[Any]]]:
    """Return what axe finds serious or critical on the page as it stands."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing_tool("axe-playwright-python")
    found = Axe().run(page).response["violations"]
    return [
        (v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")
    ]


def test_no_serious_accessibility_issue(page: Any, centre: Centre) -> None:
    """axe finds no serious or critical issue from enrolment to the receipt."""
    page.goto(f"{centre.url}/exam")
    page.wait_for_selector("#code")
    assert grave_issues(page) == []
    enrol(page, centre)
    assert grave_issues(page) == []
    centre.run(centre.day.check_in(0))
    sign_in(page)
    page.wait_for_selector(".countdown")
    assert grave_issues(page) == []
    centre.run(centre.day.ring())
    page.wait_for_selector(".stem")
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")  # nothing is handed in before it
    page.click("text=标记复查")
    assert grave_issues(page) == []
    centre.at(31)
    page.click(".hand button.primary:not([disabled])")
    page.wait_for_selector("[role=dialog]")
    assert grave_issues(page) == []
    page.click(".dialog .primary")
    page.wait_for_selector(".receipt")
    assert grave_issues(page) == []


def test_nothing_overflows(page: Any, centre: Centre) -> None:
    """From 1024×768 to 4K the paper never scrolls sideways and the hand-in stays in view."""
    at_work(page, centre)
    for width, height in ((1024, 768), (1440, 900), (3840, 2160)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function("(size) => `${innerWidth}×${innerHeight}` === size", arg=f"{width}×{height}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        box = page.locator(".hand button.primary").bounding_box()
        assert box["y"] + box["height"] <= height
        assert box["x"] + box["width"] <= width


def test_moved_candidate_is_told_where_to_go(page: Any, centre: Centre) -> None:
    """After a reseat the old machine names the new seat, shows no question any more, and nothing is lost."""
    from server.conduct import service as conduct

    at_work(page, centre)
    centre.run(centre.day.enrol_seat("02", 6))
    page.keyboard.press("D")
    page.wait_for_selector(".itemstate.ok")

    async def reseat() -> None:
        async with centre.day.act() as act:
            await conduct.reseat(act, "sitting-0", "02", 6, "keyboard")

    centre.run(reseat())
    page.wait_for_selector("text=请到 02 考场 6 号继续考试")
    assert page.query_selector(".stem") is None
    assert answers_on_disk(centre) == {1: ("D",)}
    page.click("text=供下一位考生使用")
    page.wait_for_selector("#ticket")


def test_message_stays_until_it_is_put_away(page: Any, centre: Centre) -> None:
    """Words of the chief appear over the question with their time and go when the candidate has read them."""
    from server.conduct import service as conduct
    from server.delivery.facts import Extent
    from tests.support.papers import SLOT

    async def tell() -> None:
        async with centre.day.act() as act:
            await conduct.message(act, Extent(SLOT, None, None), "第 3 题按题干文字作答")

    at_work(page, centre)
    centre.run(tell())
    page.wait_for_selector("text=第 3 题按题干文字作答")
    page.click("text=知道了")
    page.wait_for_selector(".notice-bar", state="detached")


def test_call_reaches_the_invigilators(page: Any, centre: Centre) -> None:
    """A call is on the server with the question it was made at, and the button says that somebody comes."""
    from server.delivery import store
    from tests.support.papers import SLOT

    async def calls() -> tuple[Any, ...]:
        async with centre.site.db.reading() as session:
            return await store.calls(session, SLOT)

    at_work(page, centre)
    page.keyboard.press("ArrowRight")
    page.click("text=呼叫监考员")
    page.wait_for_selector("text=已呼叫")
    (call,) = centre.run(calls())
    assert (call.room, call.seat, call.number) == (ROOM, SEAT, 2)
