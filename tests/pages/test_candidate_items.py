"""What stands on the candidate page for each kind of item, in a real Chromium."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from server.itembank.interchange.sanitising import sanitised
from server.itembank.items import ItemContent, MarkingPoint, SubItem
from tests.pages.test_candidate_page import answers_on_disk, at_work
from tests.support import papers
from tests.support.browser import Centre

FORMULA = (
    '<math display="block"><mi>x</mi><mo>=</mo><mfrac><mrow><mo>−</mo><mi>b</mi><mo>±</mo><msqrt><msup><mi>b</mi>'
    "<mn>2</mn></msup><mo>−</mo><mn>4</mn><mi>a</mi><mi>c</mi></msqrt></mrow><mrow><mn>2</mn><mi>a</mi></mrow>"
    "</mfrac></math>"
)
TABLE = (
    "<table><caption>表1 设备参数</caption><tr><th>项目</th><th>数值</th></tr>"
    "<tr><td>电压</td><td>220 V</td></tr><tr><td>电流</td><td>5 A</td></tr></table>"
)
BLANK = '<span class="blank" data-blank="{}"></span>'
BANK = (
    ItemContent("F", "fill", f"额定功率为 {BLANK.format(1)} kW，效率为 {BLANK.format(2)}。", (), (),
                (("1.1±0.05",), ("90%", "0.9")), "1.1", 0.6, 2.0, policy="partial"),
    ItemContent("S", "short", sanitised(f"<p>写出下列方程求根公式的推导步骤。</p>{FORMULA}"), (), (), (), "1.1",
                0.6, 3.0, model="配方", rubric=(MarkingPoint("移项", 1.0), MarkingPoint("配方", 2.0))),
    ItemContent("C", "case", sanitised(f"<p>某车间一台设备运行中电流升高，参数见下表。</p>{TABLE}"), (), (), (),
                "1.1", 0.6, 4.0, parts=(SubItem("single", "设备的功率是多少？", ("1100 W", "44 W"), ("A",), (), 1.0),
                       SubItem("short", "分析电流升高的原因。", (), (), (), 2.0, model="过载"),
                       SubItem("judge", "可以带电检修。", (), ("F",), (), 1.0))),
)  # fmt: skip
# Papers must differ from each other: what makes them differ stands last.
SINGLES = tuple(
    ItemContent(
        f"N{n}", "single", f"数 {n}", tuple(f"{n}{o}" for o in "甲乙丙丁"), ("A",), (), "1.1", 0.6, 1.0
    )
    for n in range(12)
)
CELL = '[[cell]]\npoint = "1.1"\ntype = "{}"\nband = "medium"\ncount = 1\nscore = {}\n'
BLUEPRINT = (
    '[blueprint]\ntitle = "各种题型"\noccupation = "test occupation"\nlevel = 4\nminutes = 90\npass_mark = 6.0\n'
    "shuffle_items = false\nspares = 0\n"
    + "".join(CELL.format(one.type, one.score) for one in (*BANK, SINGLES[0]))
)


def shot(page: Any, name: str) -> None:
    """Keep a picture where a folder for pictures is asked for."""
    folder = os.environ.get("GONGYUAN_PICTURES")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.fixture
def rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put items of the further types into the bank that the centre's fixture draws from."""
    monkeypatch.setattr(papers, "small_bank", lambda: (*BANK, *SINGLES))
    monkeypatch.setattr(papers, "BLUEPRINT", BLUEPRINT.encode())


WATERMARKS = """(contrast) => {
  document.documentElement.dataset.contrast = contrast;
  const all = document.querySelector(".mark");
  const seen = all.getClientRects().length && Number(getComputedStyle(all).opacity) > 0;
  return seen ? [...all.children].map((one) => JSON.parse(getComputedStyle(one, "::before").content)) : [];
}"""


def test_blanks_words_cases_tables_and_formulas(rich: None, page: Any, centre: Centre) -> None:
    """Two blanks, an answer in words typed by composition, and a case under its material reach the disk, each under
    its own number; formula and table are drawn by the browser; ticket and time stand all over the screen as a
    watermark, under high contrast as well."""
    sent: list[str] = []
    page.on("websocket", lambda line: line.on("framesent", lambda frame: sent.append(str(frame))))
    at_work(page, centre)
    inputs = page.locator(".blanks input")
    assert inputs.count() == 2
    for contrast in ("high", ""):
        marks = page.evaluate(WATERMARKS, contrast)
        assert len(marks) == 24
        ticket, _, time = marks[0].partition("\u3000")
        assert ticket in str(page.text_content(".who")) and re.fullmatch(r"\d\d:\d\d(:\d\d)?", time)
    inputs.nth(0).fill("1.1")
    inputs.nth(1).fill("90%")
    inputs.nth(1).press("Enter")
    page.wait_for_selector(".itemstate.ok")
    shot(page, "fill")

    page.click("text=下一题")
    assert page.evaluate("document.querySelector('.stem mfrac').getBoundingClientRect().height") > 30
    words = page.get_by_label("请在此作答")
    words.focus()
    # What an input method sends: an open composition whose text is no answer yet.
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "pei", "selectionStart": 3, "selectionEnd": 3})
    page.wait_for_function("document.querySelector('textarea').value === 'pei'")
    assert page.inner_text(".itemstate") == "本题未作答"
    keyboard.send("Input.insertText", {"text": "配方，"})
    page.keyboard.press("Enter")
    page.keyboard.insert_text("开方")
    shot(page, "short")
    page.keyboard.press("Tab")
    page.wait_for_selector(".itemstate.ok")

    page.click("text=下一题")
    assert page.inner_text(".material h3") == "阅读材料（第 3 至 5 题共用）"
    assert page.locator(".material td").count() == 4
    page.keyboard.press("a")
    page.wait_for_selector(".itemstate.ok")
    shot(page, "case-1")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#number") == "第 4 题"
    assert page.locator(".material td").count() == 4
    page.get_by_label("请在此作答").fill("过载\n\n")
    shot(page, "case-2")
    page.click("text=下一题")
    page.keyboard.press("f")
    page.wait_for_selector("text=5 题作答已保存到考场服务器")
    assert answers_on_disk(centre) == {
        1: ("1.1", "90%"),
        2: ("配方，\n开方",),
        3: ("A",),
        4: ("过载",),
        5: ("F",),
    }
    assert not [frame for frame in sent if "pei" in frame]
