"""The acts of a day that does not go as planned, seen by board and candidate in Chromium; one centre for all.

Every test takes a candidate of its own (seat 01-1, 01-2, …), so that nothing of one is left for the next.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from server.accounts.roles import Role
from server.conduct import service
from server.delivery.facts import Extent
from tests.support.browser import PATIENCE_MS, Centre, grave_issues, running_centre
from tests.support.hall import BELL
from tests.support.papers import SLOT


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre after the bell, four candidates of room 01 checked in, a chief and an invigilator's accounts."""
    with running_centre(tmp_path_factory.mktemp("centre")) as centre:
        centre.account("chief", "主考", Role.CHIEF)
        centre.run(centre.day.check_in(0, 1, 2, 3))
        centre.run(centre.day.ring())
        yield centre


@pytest.fixture
def kiosks(chromium: Any, shared: Centre) -> Iterator[Callable[[int], Any]]:
    """Bring the candidate of a seat of room 01 to his paper, on a machine of its own."""
    codes = shared.seat_codes()
    contexts = []

    def open_one(seat: int) -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{shared.url}/exam")
        page.fill("#code", codes["01", seat])
        page.click("button.primary")
        sign_in(page, seat)
        page.wait_for_selector(".stem, .countdown")
        return page

    yield open_one
    for context in contexts:
        context.close()


def sign_in(page: Any, seat: int) -> None:
    page.wait_for_selector("#ticket")
    page.fill("#ticket", f"T{seat - 1:04}")
    page.fill("#id-number", f"P{seat - 1:07}")
    page.click("button.primary")


def board(chromium: Any, centre: Centre) -> Any:
    from tests.pages.test_board_page import open_board

    page = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN").new_page()
    page.set_default_timeout(PATIENCE_MS)
    open_board(page, centre)
    return page


def test_orders_show_sent_seen_and_done(chromium: Any, shared: Centre, kiosks: Callable[[int], Any]) -> None:
    """A message of the chief counts as seen when the kiosk has it and as done when the candidate has put it away."""
    kiosk, chief = kiosks(1), board(chromium, shared)

    async def tell() -> None:
        async with shared.day.act() as act:
            await service.message(act, Extent(SLOT, None, "sitting-0"), "请检查姓名")

    shared.run(tell())
    kiosk.wait_for_selector("text=请检查姓名")
    chief.wait_for_selector("text=指令（1 项未完成）")
    chief.click("text=指令（1 项未完成）")
    chief.wait_for_selector("text=已发 1 · 已见 1 · 完成 0/1")
    assert "未完成：01-1" in chief.inner_text(".given")
    kiosk.click("text=知道了")
    chief.wait_for_selector("text=已发 1 · 已见 1 · 完成 1/1")
    chief.context.close()


def test_credit_is_given_and_taken_back_with_its_trace(
    chromium: Any, shared: Centre, kiosks: Callable[[int], Any]
) -> None:
    """A credit given on the board moves the kiosk's end; undone it is struck through and names its correction."""
    kiosk, chief = kiosks(2), board(chromium, shared)
    ended = kiosk.inner_text(".clock small")
    chief.click(".seat >> nth=1")
    chief.click("dialog .tabs >> text=补时")
    chief.fill("dialog input[type=number]", "10")
    chief.fill("dialog textarea", "键盘故障")
    chief.click("dialog .form .primary")
    kiosk.wait_for_selector("text=10:10 结束")
    chief.click("text=/指令（/")
    chief.click(".given li:has-text('补时') >> text=撤销")
    chief.fill("dialog textarea", "加错考生")
    chief.click("dialog .form .primary")
    chief.wait_for_selector(".given li.undone")
    kiosk.wait_for_selector(f"text={ended}")
    assert "更正：补时" in chief.inner_text(".given")
    chief.context.close()


def test_escorted_break_covers_the_paper(chromium: Any, shared: Centre, kiosks: Callable[[int], Any]) -> None:
    """A break names its escort, covers the question, shows on the board since when, and ends with the return."""
    kiosk, chief = kiosks(3), board(chromium, shared)
    chief.click(".seat >> nth=2")
    chief.click("dialog .tabs >> text=陪同离座")
    chief.fill("dialog textarea", "洗手间")
    assert chief.locator("dialog .form .primary").is_disabled()
    chief.fill("dialog .form input", "李监考")
    chief.click("dialog .form .primary")
    kiosk.wait_for_selector("text=试题已遮住")
    assert grave_issues(kiosk) == []
    assert kiosk.query_selector(".stem") is None
    chief.wait_for_selector(".seat[data-sign=away]")
    chief.click(".seat >> nth=2")
    chief.click("dialog .tabs >> text=返回座位")
    chief.click("dialog .form .primary")
    kiosk.wait_for_selector(".stem")
    chief.wait_for_selector(".seat[data-sign=away]", state="detached")
    chief.context.close()


def test_report_of_a_question_reaches_the_board(
    chromium: Any, shared: Centre, kiosks: Callable[[int], Any]
) -> None:
    """A reported question appears on the board with its number, what is wrong and the candidate's words; the answer
    stays.
    """
    kiosk, chief = kiosks(3), board(chromium, shared)
    kiosk.click(".opt >> nth=0")
    kiosk.click("text=报告本题")
    kiosk.click("text=选项有问题")
    kiosk.fill("[role=dialog] input[type=text]", "两个选项相同")
    kiosk.click("[role=dialog] .primary")
    kiosk.wait_for_selector("text=已报告本题")
    assert kiosk.locator(".opt.on").count() == 1
    chief.wait_for_selector("text=题目报告：第 1 题 1 人")
    assert "两个选项相同" in chief.inner_text(".feed")
    chief.context.close()


def test_halted_exam_continues_another_day(
    chromium: Any, shared: Centre, kiosks: Callable[[int], Any]
) -> None:
    """Halted by the chief on the board the kiosk forgets the paper; two days later, checked in and signed in again, the
    candidate counts down to the continuation and then has the paper, the answer and the unused time.
    """
    kiosk, chief = kiosks(4), board(chromium, shared)
    kiosk.click(".opt >> nth=1")
    kiosk.wait_for_selector(".itemstate.ok")
    stem = kiosk.inner_text(".stem")
    shared.at(40)
    chief.click("text=全场操作")
    chief.click("dialog .tabs >> text=灾害中止")
    chief.fill("dialog textarea", "地震疏散")
    chief.click("dialog .form .primary")
    kiosk.wait_for_selector("text=考试已中止")
    assert grave_issues(kiosk) == []
    assert kiosk.query_selector(".stem") is None
    chief.wait_for_selector(".room .chip.bad >> text=已中止")
    assert "须立即报告鉴定管理机构" in chief.inner_text(".feed")
    again = BELL + timedelta(days=2)
    chief.click("text=全场操作")
    chief.click("dialog .tabs >> text=安排续考")
    chief.fill("dialog input[type=datetime-local]", "2026-03-16T08:30")
    chief.fill("dialog textarea", "余震结束")
    chief.click("dialog .form .primary")
    chief.wait_for_selector("text=3月16日 08:30 续考")
    chief.click(".doing >> text=流程")
    assert re.search(r"3月16日 08:30\s*续考开始", chief.inner_text("dialog .steps"))
    chief.keyboard.press("Escape")

    shared.clock.set(again - timedelta(minutes=10))
    shared.run(shared.day.check_in(3))
    sign_in(kiosk, 4)
    kiosk.wait_for_selector("text=距离续考")
    assert grave_issues(kiosk) == []
    assert kiosk.query_selector(".stem") is None

    shared.clock.set(again)
    chief.click("text=全场操作")
    chief.click("dialog .tabs >> text=宣布续考")
    chief.fill("dialog textarea", "开始续考")
    chief.click("dialog .form .primary")
    kiosk.wait_for_selector(".stem")
    assert kiosk.inner_text(".stem") == stem
    assert kiosk.locator(".opt.on").count() == 1
    assert re.search("09:(19|20) 结束", kiosk.inner_text(".clock"))
    chief.context.close()
