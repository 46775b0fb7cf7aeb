"""The desk in real Chromium: two custodians open it, a file comes in, an item is edited, reviewed and approved."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from server.accounts.roles import Role
from tests.support.browser import grave_issues
from tests.support.clock import FakeClock
from tests.support.desk import PASSPHRASES, visited_desk

pytestmark = pytest.mark.pages
ROWS = "编号,题干,答案,选项A,选项B,选项C,知识点,难度\n"
for number in range(8):
    choice = f"{'ABC'[number % 3]},甲{number},乙{number},丙{number}"
    ROWS += f"C{number},第{number}道从文件导入的题目,{choice},2.1 安全生产,0.{4 + number % 5}\n"
ROWS += "C8,这一道没有答案,,甲,乙,丙,2.1 安全生产,0.6\n"


def _drawn(hue: int) -> dict[str, Any]:
    """Return a picture file: a disc on white, 240 × 120 pixels."""
    image = np.full((120, 240, 3), 255, np.uint8)
    cv2.circle(image, (120, 60), 48, (hue, 120, 255 - hue), 6)
    return {"name": "d.png", "mimeType": "image/png", "buffer": cv2.imencode(".png", image)[1].tobytes()}


def _seen(page: Any, name: str) -> None:
    """See that axe finds nothing serious; keep a picture where GONGYUAN_PICTURES names a folder."""
    assert grave_issues(page) == [], name
    if folder := os.environ.get("GONGYUAN_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_a_day_at_the_desk(page: Any, tmp_path: Path, clock: FakeClock) -> None:
    """Two passphrases typed into the page open the bank and leave the browser only encrypted; a file is imported with
    its report; an item is edited beside the candidate's rendering, pictures in it; a second person approves it and
    it covers its cell; closing ends the process."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    with visited_desk(tmp_path / "data", clock) as desk:
        context = page.context
        office = desk.login("office", "考务 李", (Role.EXAM_OFFICE,))
        writer = desk.login("wang", "命题 王", (Role.ITEM_WRITER,))
        reviewer = desk.login("zhao", "审题 赵", (Role.ITEM_REVIEWER,))

        context.add_cookies([office])
        page.goto(f"{desk.url}/desk")
        _seen(page, "desk-1-closed")
        page.locator("#begin-form button").click()
        page.wait_for_selector("#passphrase-form")
        _seen(page, "desk-2-waiting")
        for custodian, passphrase in PASSPHRASES.items():
            page.locator("select[name=custodian]").select_option(label=custodian)
            page.locator("input[name=passphrase]").fill(passphrase)
            page.locator("#passphrase-form button").click()
            page.wait_for_selector(
                "#desk[data-state=open]" if custodian == "sun" else ".steps b:has-text('chen')"
            )
        assert not any(word in one for word in PASSPHRASES.values() for one in sent)
        _seen(page, "desk-3-open")

        context.add_cookies([writer])
        page.goto(f"{desk.url}/desk/import")
        _seen(page, "desk-4-import")
        file = {"name": "items.csv", "mimeType": "text/csv", "buffer": ROWS.encode("utf-8-sig")}
        page.set_input_files("input[type=file]", [file])
        page.get_by_role("button", name="上传").click()
        page.wait_for_selector("table.mapping")
        _seen(page, "desk-5-mapping")
        page.get_by_role("button", name="读取并看结果").click()
        page.wait_for_selector("table.report")
        _seen(page, "desk-6-report")
        assert "共 9 行，可存入 8 道题" in page.inner_text("main")
        page.get_by_role("button", name="存入 8 道题").click()
        page.wait_for_selector("text=存入 8 道题，其中 8 道已送审")
        _seen(page, "desk-7-stored")

        page.goto(f"{desk.url}/desk/items?words=single+stem+3")
        _seen(page, "desk-8-items")
        page.locator("table.items a").first.click()
        page.wait_for_selector(".opts")
        page.get_by_role("link", name="修改题目").click()
        preview = page.locator(".preview .stem")
        preview.wait_for()
        page.locator("textarea").first.fill("single stem 3：水的沸点是 <b>多少</b>？")
        page.locator(".preview .stem b", has_text="多少").wait_for()
        page.locator("textarea").first.press("End")
        files = page.locator("input[type=file]")
        files.nth(0).set_input_files([{"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}])
        page.wait_for_selector("text=图片不是 PNG、JPEG、GIF 或 WebP。")
        files.nth(0).set_input_files([_drawn(200)])
        page.locator(".preview .stem img").wait_for()
        assert page.locator("textarea").first.input_value().endswith("[[图1]]")
        files.nth(1).set_input_files([_drawn(20)])
        page.locator(".preview .opt img").wait_for()
        page.locator(".pictures input").first.fill("一个圆")
        page.locator('.preview .stem img[alt="一个圆"]').wait_for()
        assert page.locator(".pictures img").count() == 2
        page.locator(".preview .opt").nth(1).click()
        assert page.locator(".preview .opt.on").count() == 1
        _seen(page, "desk-9-editor")
        page.get_by_role("button", name="存为新版本").click()
        page.wait_for_selector(".differ ins")
        page.get_by_role("button", name="送审").click()
        page.wait_for_selector("text=已送审，等待命题人以外的审题人")
        place = page.url
        assert page.locator(".opts img").count() == 1
        page.get_by_role("link", name="修改题目").click()
        page.locator('.preview .stem img[alt="一个圆"]').wait_for()
        assert page.locator("textarea").first.input_value().endswith("[[图1]]")
        page.goto(place)
        _seen(page, "desk-10-item")

        context.add_cookies([reviewer])
        page.goto(f"{desk.url}/desk/review")
        _seen(page, "desk-11-review")
        for box in page.locator("input[name=place]").all():
            box.check()
        page.get_by_role("button", name="通过勾选的题目").click()
        page.wait_for_selector("text=没有等您审的题目")
        page.goto(place)
        page.wait_for_selector("text=已通过，可以抽用")
        page.goto(f"{desk.url}/bank/bank-1")
        assert page.locator("tr", has_text="2.1 安全生产").locator("td.number b").inner_text() == "8"
        _seen(page, "desk-12-standing")
        page.goto(f"{desk.url}/desk")
        page.get_by_role("button", name="现在关闭题库").click()
        page.wait_for_selector("text=密钥已销毁")
        _seen(page, "desk-13-closed")
        assert desk.ended == ["ended"]
