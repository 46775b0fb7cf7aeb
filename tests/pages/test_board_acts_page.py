"""Each act of the board on a sitting, a room or the hall, and what the candidate sees of it; one centre for all.

Every test has seats of its own; the first one is about the time before the bell.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from server.accounts.roles import Role
from server.affairs.models import SlotRow
from server.delivery.store import final_answers
from tests.pages.test_board_page import open_board, seat
from tests.pages.test_candidate_aids_page import rung
from tests.pages.test_candidate_page import sign_in
from tests.support.browser import PATIENCE_MS, Centre, grave_issues, running_centre
from tests.support.papers import SLOT
from tests.support.seat_page import cut

ENTRY_MINUTES = 15


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre before the bell whose slot has a latest entry, with a chief and an invigilator."""
    with running_centre(tmp_path_factory.mktemp("centre")) as centre:
        centre.account("chief", "主考", Role.CHIEF)
        centre.account("deputy", "副主考", Role.DEPUTY)
        centre.account("wang", "王监考", Role.INVIGILATOR, "02")

        async def bar_late_entry() -> None:
            async with centre.site.db.writing() as session:
                await session.execute(update(SlotRow).where(SlotRow.id == SLOT).values(entry=ENTRY_MINUTES))

        centre.run(bar_late_entry())
        yield centre


def watcher(chromium: Any, shared: Centre, username: str) -> Any:
    """Open the board of one more person."""
    page = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN").new_page()
    page.set_default_timeout(PATIENCE_MS)
    open_board(page, shared, username)
    return page


@pytest.fixture(scope="module")
def board(chromium: Any, shared: Centre) -> Iterator[Any]:
    """The chief's board."""
    page = watcher(chromium, shared, "chief")
    yield page
    page.context.close()


@pytest.fixture
def machine(chromium: Any, shared: Centre) -> Iterator[Callable[[str, int], Any]]:
    """Enrol a machine to a seat and bring it to the sign-in form."""
    contexts = []

    def open_one(room: str, number: int) -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{shared.url}/exam#code={shared.seat_codes()[room, number]}")
        page.wait_for_selector("#ticket")
        return page

    yield open_one
    for context in contexts:
        context.close()


def enter(page: Any, candidate: int) -> None:
    """Sign a candidate in."""
    page.wait_for_selector("button.primary:not([disabled])")
    sign_in(page, f"T{candidate:04}", f"P{candidate:07}")


def at_work(shared: Centre, page: Any, candidate: int) -> Any:
    """Bring a candidate to his paper after the bell."""
    rung(shared)
    shared.run(shared.day.check_in(candidate))
    enter(page, candidate)
    page.wait_for_selector(".stem")
    return page


def choose(board: Any, act: str) -> None:
    board.wait_for_selector("dialog[open]")
    board.click(f"dialog .tabs button:text-is('{act}')")


def on_seat(board: Any, room: int, number: int, act: str) -> None:
    seat(board, room, number).click()
    choose(board, act)


def on_room(board: Any, room: int, act: str) -> None:
    board.locator(f"section.room >> nth={room - 1}").locator("h2 button").click()
    choose(board, act)
    lost_time(board, act)


def on_hall(board: Any, act: str) -> None:
    board.click("text=全场操作")
    choose(board, act)
    lost_time(board, act)


def lost_time(board: Any, act: str) -> None:
    """Wait for what is proposed over a credit: when it comes, the button below it moves."""
    if act == "补时":
        board.wait_for_selector("dialog .lost")


def give(board: Any, reason: str, minutes: int = 0) -> None:
    """Fill in the act that is open and send it."""
    if minutes:
        board.fill("dialog .form input[type=number]", str(minutes))
    board.fill("dialog textarea", reason)
    board.click("dialog .form .primary")
    board.wait_for_selector("dialog", state="detached")


def take_back(board: Any, act: str, reason: str) -> None:
    """Undo the act that was given with this reason, which then stands struck through beside what corrected it."""
    board.click("text=/指令（/")
    board.locator(f".given li:has-text('{reason}')").get_by_text("撤销", exact=True).click()
    board.fill("dialog textarea", "登记有误")
    board.click("dialog .form .primary")
    board.wait_for_selector(f".given li.undone:has-text('{reason}')")
    assert f"更正：{act}" in board.inner_text(".given")
    board.keyboard.press("Escape")
    board.wait_for_selector("dialog", state="detached")


def done_by(board: Any, act: str, kiosks: int) -> None:
    """Wait until the newest act is sent, seen and done at so many kiosks."""
    board.click("text=/指令（/")
    far = f"已发 {kiosks} · 已见 {kiosks} · 完成 {kiosks}/{kiosks}"
    board.wait_for_selector(f".given li:first-child:has-text('{act}'):has-text('{far}')")
    board.keyboard.press("Escape")
    board.wait_for_selector("dialog", state="detached")


def check_in(board: Any, room: int, number: int, admitted: str = "") -> None:
    on_seat(board, room, number, "签到")
    for look in range(4):
        board.check(f"dialog .checks.four input >> nth={look}")
    if admitted:
        # The board has heard of the time after which nobody enters without a reason.
        board.wait_for_selector("dialog label:has-text('准入理由')")
        assert board.locator("dialog .form .primary").is_disabled()
        board.fill("dialog .form label:has-text('准入理由') input", admitted)
    board.click("dialog .form .primary")
    board.wait_for_selector("dialog", state="detached")


def test_acts_before_the_bell(shared: Centre, board: Any, machine: Callable[[str, int], Any]) -> None:
    """Check-in and its correction are on the kiosk at once, a delay moves the time that it counts down to, and a
    delay taken back leaves both acts on the board."""
    kiosk = machine("01", 1)
    kiosk.wait_for_selector("text=本座位还没有考生签到")
    check_in(board, 1, 1)
    kiosk.wait_for_selector("text=请在监考员核验证件并签到之后")
    on_seat(board, 1, 1, "撤销签到")
    give(board, "认错了人")
    kiosk.wait_for_selector("text=本座位还没有考生签到")
    check_in(board, 1, 1)
    kiosk.wait_for_selector("text=请在监考员核验证件并签到之后")
    enter(kiosk, 0)
    kiosk.wait_for_selector("text=08:30 开考")
    on_hall(board, "推迟开考")
    give(board, "考场停电", 10)
    kiosk.wait_for_selector("text=08:40 开考")
    done_by(board, "推迟开考", 1)
    take_back(board, "推迟开考", "考场停电")
    kiosk.wait_for_selector("text=08:30 开考")
    on_seat(board, 1, 1, "发通知")
    give(board, "请坐好等候")
    kiosk.wait_for_selector("text=请坐好等候")


def test_acts_reach_exactly_whom_they_name(
    shared: Centre, board: Any, machine: Callable[[str, int], Any]
) -> None:
    """Extra time of one, credits, pauses, messages, halt and continuation, and forced collection of one, a room or the
    hall are seen on the pages of exactly those, while the others go on."""
    one, other = at_work(shared, machine("01", 2), 1), at_work(shared, machine("02", 2), 5)

    def ends(first: str, second: str) -> None:
        one.wait_for_selector(f".clock >> text={first} 结束")
        other.wait_for_selector(f".clock >> text={second} 结束")

    ends("10:00", "10:00")
    on_seat(board, 1, 2, "延长时间")
    give(board, "视力障碍", 15)
    ends("10:15", "10:00")
    done_by(board, "延长时间", 1)
    on_room(board, 2, "补时")
    give(board, "空调故障", 5)
    ends("10:15", "10:05")
    on_hall(board, "补时")
    give(board, "电压不稳", 2)
    ends("10:17", "10:07")
    take_back(board, "补时", "电压不稳")
    ends("10:15", "10:05")
    for extent, paused, running in (
        (lambda act: on_seat(board, 1, 2, act), (one,), (other,)),
        (lambda act: on_room(board, 2, act), (other,), (one,)),
        (lambda act: on_hall(board, act), (one, other), ()),
    ):
        extent("暂停")
        give(board, "处理情况")
        for page in paused:
            page.wait_for_selector("text=考试已暂停")
            assert page.query_selector(".stem") is None
        for page in running:
            assert page.query_selector(".stem") is not None
        board.wait_for_selector(".seat[data-sign=paused]")
        extent("恢复")
        give(board, "处理完毕")
        for page in paused:
            page.wait_for_selector(".stem")
        board.wait_for_selector(".seat[data-sign=paused]", state="detached")
    on_room(board, 2, "发通知")
    give(board, "请轻声翻页")
    other.wait_for_selector(".notice-bar")
    assert grave_issues(other) == []
    other.click("text=知道了")
    done_by(board, "发通知", 1)
    assert one.query_selector(".notice-bar") is None
    on_hall(board, "发通知")
    give(board, "请勿离开考场")
    for page in (one, other):
        page.wait_for_selector(".notice-bar:has-text('请勿离开考场')")
        page.click("text=知道了")
    board.click("text=/指令（/")
    # Whoever an earlier test left checked in without a machine is counted as reached.
    board.wait_for_selector(".given li:first-child:has-text('发通知'):has-text('完成 2/')")
    board.keyboard.press("Escape")
    board.wait_for_selector("dialog", state="detached")
    halted_and_continued(shared, board, one, other)
    collected_by_force(board, one, other)


def room_chip(room: int, words: str) -> str:
    return f"section.room >> nth={room - 1} >> .chip.bad:has-text('{words}')"


def halted_and_continued(shared: Centre, board: Any, one: Any, other: Any) -> None:
    """Halt room 01 alone, where `one` sits: `other` in room 02 goes on, `one` continues later with the time left."""
    on_room(board, 1, "灾害中止")
    give(board, "房顶漏水")
    one.wait_for_selector("text=考试已中止")
    assert one.query_selector(".stem") is None
    board.wait_for_selector(room_chip(1, "已中止"))
    assert board.query_selector(room_chip(2, "已中止")) is None
    other.keyboard.press("A")
    other.wait_for_selector(".itemstate.ok")
    on_room(board, 1, "安排续考")
    board.fill("dialog input[type=datetime-local]", "2026-03-14T08:40")
    give(board, "房顶已修好")
    board.wait_for_selector(room_chip(1, "08:40 续考"))
    check_in(board, 1, 2)
    enter(one, 1)
    one.wait_for_selector("text=距离续考")
    assert one.query_selector(".stem") is None
    shared.at(10)
    on_room(board, 1, "宣布续考")
    give(board, "开始续考")
    one.wait_for_selector(".stem")
    one.wait_for_selector(".clock >> text=/10:2[0-9] 结束/")
    board.wait_for_selector(room_chip(1, "已中止"), state="detached")
    assert other.query_selector(".clock >> text=10:05 结束") is not None
    assert other.locator(".opt.on kbd").inner_text() == "A"


def collected_by_force(board: Any, one: Any, other: Any) -> None:
    """Collect room 02 with `other`'s answer while `one` goes on in room 01, then the hall."""
    on_room(board, 2, "提前收卷")
    give(board, "考场须腾空")
    other.wait_for_selector(".receipt")
    assert "共收到 1 题作答" in other.inner_text("main")
    board.wait_for_selector("[aria-label^='02 考场 2 号'][data-sign=done]")
    one.keyboard.press("B")
    one.wait_for_selector(".itemstate.ok")
    on_hall(board, "提前收卷")
    give(board, "全部考场须腾空")
    one.wait_for_selector(".receipt")
    assert "共收到 1 题作答" in one.inner_text("main")
    board.wait_for_selector("[aria-label^='01 考场 2 号'][data-sign=done]")


async def standing(shared: Centre, sitting: str) -> dict[int, tuple[str, ...]]:
    async with shared.site.db.reading() as session:
        return dict(await final_answers(session, sitting))


def test_reseat_second_login_and_old_disk(
    shared: Centre, board: Any, machine: Callable[[str, int], Any]
) -> None:
    """Moved by the chief while his machine was off the line, a candidate goes on elsewhere with what was acknowledged;
    his ticket is refused at a seat that is not his; the old machine's late journal overwrites nothing when it comes
    back, nor does a machine that was replaced at the same seat."""
    old, spare, foreign = at_work(shared, machine("01", 3), 2), machine("01", 6), machine("01", 5)
    old.keyboard.press("A")
    old.wait_for_selector("text=1 题作答已保存到考场服务器")
    cut(old, shared, ("01", 3))
    old.keyboard.press("B")
    old.wait_for_selector("text=1 题作答存于本机")
    on_seat(board, 1, 3, "换座")
    board.fill("dialog input[type=number]", "6")
    give(board, "屏幕故障")
    board.wait_for_selector("[aria-label^='01 考场 6 号、name 2']")
    enter(foreign, 2)
    foreign.wait_for_selector(".problem")
    enter(spare, 2)
    spare.wait_for_selector(".stem")
    assert spare.locator(".opt.on kbd").inner_text() == "A"
    spare.keyboard.press("C")
    spare.wait_for_selector(".itemstate.ok")
    old.context.set_offline(False)
    old.wait_for_selector("text=请到 01 考场 6 号继续考试")
    old.wait_for_selector("text=供下一位考生使用")
    assert old.query_selector(".stem") is None
    assert shared.run(standing(shared, "sitting-2")) == {1: ("C",)}
    assert grave_issues(old) == []
    second = machine("01", 6)
    enter(second, 2)
    second.wait_for_selector(".stem")
    spare.wait_for_selector("text=您的考试已在另一台机器上继续")
    assert second.locator(".opt.on kbd").inner_text() == "C"
    second.keyboard.press("D")
    second.wait_for_selector(".itemstate.ok")
    spare.reload()
    spare.wait_for_selector("#code")
    assert shared.run(standing(shared, "sitting-2")) == {1: ("D",)}


def test_absence_late_entry_voiding_and_collection(
    shared: Centre, board: Any, chromium: Any, machine: Callable[[str, int], Any]
) -> None:
    """Absence is corrected with its trace; after the latest entry an invigilator lets nobody in and the chief does
    with a reason; a voided paper ends on the kiosk and comes back when that is taken back; a collected one has its
    receipt."""
    rung(shared)
    kiosk = machine("02", 1)
    on_seat(board, 2, 1, "登记缺考")
    give(board, "开考后仍未到")
    board.wait_for_selector("[aria-label^='02 考场 1 号'][data-sign=absent]")
    enter(kiosk, 4)
    kiosk.wait_for_selector(".problem")
    take_back(board, "登记缺考", "开考后仍未到")
    board.wait_for_selector("[aria-label^='02 考场 1 号'][data-sign=waiting]")
    shared.at(ENTRY_MINUTES + 1)
    invigilator = watcher(chromium, shared, "wang")
    on_seat(invigilator, 2, 1, "签到")
    invigilator.wait_for_selector("text=08:45 起不得入场")
    for look in range(4):
        invigilator.check(f"dialog .checks.four input >> nth={look}")
    assert invigilator.locator("dialog .form .primary").is_disabled()
    invigilator.context.close()
    check_in(board, 2, 1, admitted="地铁停运，有证明")
    enter(kiosk, 4)
    kiosk.wait_for_selector(".stem")
    kiosk.keyboard.press("B")
    kiosk.wait_for_selector(".itemstate.ok")
    on_seat(board, 2, 1, "作废")
    board.fill("dialog textarea", "夹带")
    board.click("dialog .form .primary")
    board.wait_for_selector("dialog .problem")
    choose(board, "记录情况")
    board.select_option("dialog select", "cheating")
    give(board, "桌面有夹带的纸条")
    deputy = watcher(chromium, shared, "deputy")
    found = ".al:has-text('桌面有夹带的纸条')"
    deputy.fill(f"{found} >> .reason input", "已当面核对")
    deputy.click(f"{found} >> text=复核确认")
    deputy.wait_for_selector(found, state="detached")
    deputy.context.close()
    on_seat(board, 2, 1, "作废")
    give(board, "夹带")
    kiosk.wait_for_selector("text=本场考试已由主考终止")
    assert grave_issues(kiosk) == []
    assert kiosk.query_selector(".stem") is None
    done_by(board, "作废", 1)
    take_back(board, "作废", "夹带")
    kiosk.click("text=供下一位考生使用")
    enter(kiosk, 4)
    kiosk.wait_for_selector(".stem")
    assert kiosk.locator(".opt.on kbd").inner_text() == "B"
    on_seat(board, 2, 1, "提前收卷")
    give(board, "身体不适，本人同意")
    kiosk.wait_for_selector(".receipt")
    assert grave_issues(kiosk) == []
    assert "共收到 1 题作答" in kiosk.inner_text("main")
    assert kiosk.query_selector(".hand") is None
    board.wait_for_selector("[aria-label^='02 考场 1 号'][data-sign=done]")
