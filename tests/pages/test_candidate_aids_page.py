"""What helps a candidate, in Chromium on one shared centre: practice, keyboard alone, contrast, and every hand-in."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from server.delivery.models import EndingRow
from tests.pages.test_candidate_page import sign_in
from tests.support.browser import PATIENCE_MS, Centre, grave_issues, running_centre
from tests.support.seat_page import cut

KEEPS_THE_LINE = re.compile('"type":"(pong|hello|resume)"')
"""What a page says of itself alone: that it is there, which seat and sitting it holds."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre before the bell with four candidates of room 01 checked in."""
    with running_centre(tmp_path_factory.mktemp("centre")) as centre:
        centre.run(centre.day.check_in(0, 1, 2, 3))
        yield centre


@pytest.fixture(scope="module")
def codes(shared: Centre) -> dict[tuple[str, int], str]:
    return shared.seat_codes()


@pytest.fixture
def machine(chromium: Any, shared: Centre, codes: dict[tuple[str, int], str]) -> Iterator[Callable[..., Any]]:
    """Enrol a machine of room 01 and bring it to the sign-in form; what its page sends is put into a given list."""
    contexts = []

    def open_one(seat: int, sent: list[str] | None = None) -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        if sent is not None:
            page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(str(frame))))
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{shared.url}/exam")
        page.wait_for_selector("#code:focus")
        page.keyboard.type(codes["01", seat])
        page.keyboard.press("Enter")
        page.wait_for_selector("#ticket:focus")
        return page

    yield open_one
    for context in contexts:
        context.close()


def rung(shared: Centre) -> None:
    """Strike the bell unless an earlier test did."""

    async def bells() -> int:
        from server.delivery.store import slot_times
        from tests.support.papers import SLOT

        async with shared.site.db.reading() as session:
            return len((await slot_times(session, SLOT)).bells)

    if not shared.run(bells()):
        shared.run(shared.day.ring())


def test_practice_before_the_bell_sends_nothing(shared: Centre, machine: Callable[..., Any]) -> None:
    """Before the bell a candidate tries choice, judgement and Chinese input on made-up questions; no frame leaves the
    machine, axe has nothing serious to say, and the chosen contrast and size outlive a reload.
    """
    sent: list[str] = []
    page = machine(1, sent)
    sign_in(page)
    page.wait_for_selector(".countdown")
    assert page.query_selector(".hand") is None, "nothing to hand in before the bell"
    assert "开考 30 分钟后方可交卷" in page.inner_text(".rules")
    assert any('"type":"sign_in"' in frame for frame in sent)
    sent.clear()
    page.click("text=练习答题（开考前试用）")
    page.click(".practice .opt >> nth=2")
    page.wait_for_selector("text=已作答（练习不保存）")
    for _ in range(3):
        page.click(".practice .foot .primary")
    page.locator(".practice input[type=text]").first.fill("星期六")
    page.wait_for_selector("text=已作答（练习不保存）")
    assert grave_issues(page) == []
    assert [frame for frame in sent if not KEEPS_THE_LINE.search(frame)] == []
    rung(shared)
    page.wait_for_selector(".exam .stem")
    assert page.query_selector(".practice") is None
    page.click("[aria-label=高对比度显示]")
    page.click("[aria-label=放大文字]")
    assert grave_issues(page) == []
    page.reload()
    page.wait_for_selector(".exam.size-2 .stem")
    assert page.evaluate("document.documentElement.dataset.contrast") == "high"


def focus(page: Any, selector: str) -> None:
    """Go on with Tab until something has the focus."""
    for _ in range(80):
        if page.evaluate("(wanted) => document.activeElement?.matches(wanted)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_whole_exam_by_keyboard_alone(shared: Centre, machine: Callable[[int], Any]) -> None:
    """From the seat's code to the receipt a candidate needs no mouse: sign-in, answers, mark, report, call, hand-in."""
    page = machine(2)
    page.keyboard.type("T0001")
    page.keyboard.press("Tab")
    page.keyboard.type("P0000001")
    page.keyboard.press("Enter")
    page.wait_for_selector(".countdown, .stem")
    rung(shared)
    shared.at(31)
    page.wait_for_selector(".stem")
    for _ in range(8):
        if page.query_selector(".opt"):
            label = page.locator(".opt kbd").first.text_content() or "T"
            page.keyboard.press(label if label in "ABCD" else "T")
        else:
            focus(page, ".blanks input, .blanks textarea")
            page.keyboard.type("text 1")
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
    page.wait_for_selector("text=8 题作答已保存到考场服务器")
    focus(page, ".foot button[aria-pressed]")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=取消标记")
    focus(page, ".foot button.plain")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=dialog]")
    page.keyboard.press("Escape")
    page.wait_for_selector("[role=dialog]", state="detached")
    focus(page, ".hand button:not(.primary)")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=已呼叫，监考员会过来")
    focus(page, ".hand button.primary")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=dialog] button:focus")
    focus(page, "[role=dialog] .primary")
    page.keyboard.press("Enter")
    page.wait_for_selector(".receipt")


def test_nothing_is_announced_every_second(shared: Centre, machine: Callable[[int], Any]) -> None:
    """The running time is a timer that is not live; of the time left only 15, 5 and 1 minutes are said, politely."""
    page = machine(3)
    sign_in(page, "T0002", "P0000002")
    rung(shared)
    shared.at(40)
    page.wait_for_selector(".stem")
    assert page.get_attribute(".clock [role=timer]", "aria-live") == "off"
    assert page.inner_text(".unseen[role=status]") == ""
    said = []
    for minute, text in ((75.2, "15"), (79, "15"), (85.2, "5"), (89.2, "1")):
        shared.at(minute)
        page.wait_for_function(
            "(text) => document.querySelector('.unseen').textContent.includes(text)", arg=f"还剩 {text} 分钟"
        )
        said.append(page.inner_text(".unseen"))
    assert said == ["还剩 15 分钟", "还剩 15 分钟", "还剩 5 分钟", "还剩 1 分钟"]


def send_hand_in(page: Any) -> str:
    """Send a hand-in that the page does not offer, and return what the server's refusal says on the page."""
    page.evaluate(
        """() => { const button = document.querySelector(".hand button.primary");
                   button.disabled = false; button.click(); }"""
    )
    page.click(".dialog .primary")
    found: str = page.wait_for_selector(".hand .problem").inner_text()
    return found


def test_every_hand_in_says_why_and_when(shared: Centre, machine: Callable[[int], Any]) -> None:
    """Too early, off the line, with open questions, twice, too late and after the end each do what a person expects,
    in one sentence, naming the minute where there is one.
    """
    # The time first: another test may have left the clock shortly before the end, and no page is to hear of that.
    rung(shared)
    shared.at(10)
    page = machine(4)
    sign_in(page, "T0003", "P0000003")
    page.wait_for_selector(".stem")
    button = page.locator(".hand button.primary")
    page.wait_for_selector(".hand button.primary:disabled:text-matches('还需等待 (20|19) 分')")
    early = send_hand_in(page)
    assert re.search(r"09:00:\d\d 起可以交卷", early)
    assert "BJ-E:A5.2-9" in early

    shared.at(76)
    page.wait_for_selector("text=交卷 · 结束前不再受理")
    late = send_hand_in(page)
    assert re.search(r"自 09:45:\d\d 起", late)
    assert re.search(r"10:00:\d\d 统一收卷", late)

    shared.at(40)
    page.wait_for_selector(".hand button.primary:not([disabled])")
    page.keyboard.press("A")
    page.wait_for_selector(".itemstate.ok")
    cut(page, shared, ("01", 4))
    button.click()
    page.click(".dialog .primary")
    page.wait_for_selector("text=未交卷：本机已断线。请呼叫监考员，留在座位上。")
    page.context.set_offline(False)
    page.wait_for_selector("text=1 题作答已保存到考场服务器")
    button.click()
    assert "还有 7 题未作答：第 2、3、4、5、6、7、8 题" in page.inner_text("[role=dialog]")
    page.dblclick(".dialog .primary")
    page.wait_for_selector(".receipt")
    assert shared.run(endings(shared, "sitting-3")) == 1


async def endings(shared: Centre, sitting: str) -> int:
    async with shared.site.db.reading() as session:
        query = select(func.count()).select_from(EndingRow).where(EndingRow.sitting == sitting)
        return await session.scalar(query) or 0
