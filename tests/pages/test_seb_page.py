"""The candidate page in Safe Exam Browser, which a Chromium plays that sends its headers."""

from typing import Any

from server.delivery.seb_keys import allow_seb_key, withdraw_seb_key
from server.protocol.seb import CONFIG_KEY_HEADER, request_hash
from tests.support.browser import PATIENCE_MS, Centre

KEY = "ab" * 32


def test_a_seat_in_safe_exam_browser_enrols_signs_in_and_is_shut_out_without_its_settings(
    chromium: Any, centre: Centre
) -> None:
    """The page enrols as Safe Exam Browser, its line opens with a token, and after a reload with other settings the
    page is refused in words."""

    async def allow() -> None:
        async with centre.site.acting("test") as act:
            await allow_seb_key(act, "config", KEY)

    async def withdraw() -> None:
        async with centre.site.acting("test") as act:
            await withdraw_seb_key(act, KEY)

    def prove(route: Any) -> None:
        asked = route.request
        route.continue_(headers={**asked.headers, CONFIG_KEY_HEADER: request_hash(asked.url, KEY)})

    centre.run(allow())
    code = centre.seat_codes()["01", 1]
    context = chromium.new_context(user_agent="Mozilla/5.0 Chrome/140.0 SEB/3.10", locale="zh-CN")
    context.route("**/*", prove)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{centre.url}/exam#code={code}&report={'cd' * 32}")
    page.wait_for_selector("#ticket")
    assert page.url == f"{centre.url}/exam"
    assert page.evaluate("document.cookie").find("gongyuan-seat") == -1
    centre.run(centre.day.check_in(0))
    page.fill("#ticket", "T0000")
    page.fill("#id-number", "P0000000")
    page.click("button.primary")
    page.wait_for_selector(".countdown")
    centre.run(withdraw())
    refused = page.goto(f"{centre.url}/exam")
    assert refused.status == 403
    page.wait_for_selector("text=本考点尚未登记 Safe Exam Browser 的配置密钥")
    context.close()
