"""The technician's page and the front pages in a real Chromium."""

from typing import Any

from server.accounts.roles import Role
from tests.conftest import missing_tool
from tests.support.browser import PASSWORD, Centre


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


def sign_in(page: Any, centre: Centre, username: str, target: str) -> None:
    """Sign in through the page's form and go on to the target."""
    page.goto(f"{centre.url}/login?next={target}")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{centre.url}{target}")


def test_codes_are_shown_once_and_enrol_a_machine(page: Any, centre: Centre) -> None:
    """A code from the printed list enrols one machine, and the page then counts it."""
    centre.account("tech", "技术员", Role.TECHNICIAN)
    sign_in(page, centre, "tech", "/technician")
    assert "0/4" in page.inner_text("table >> nth=0")
    page.click("tbody button >> nth=0")
    page.wait_for_selector(".codes b")
    assert page.locator(".codes b").count() == 6
    code = page.inner_text(".codes b >> nth=0")
    machine = page.context.browser.new_context().new_page()
    machine.goto(f"{centre.url}/exam")
    machine.fill("#code", code)
    machine.click("button.primary")
    machine.wait_for_selector("#ticket")
    assert "01 考场 1 号" in machine.inner_text("main")
    machine.context.close()
    page.goto(f"{centre.url}/technician")
    assert "1/4" in page.inner_text("table >> nth=0")
    assert code not in page.content()


def test_staff_pages_have_no_serious_issue_at_any_width(page: Any, centre: Centre) -> None:
    """Front page, sign-in, refusal and technician's page pass axe and never scroll sideways at 360 px."""
    centre.account("tech", "技术员", Role.TECHNICIAN)
    for address in ("/", "/login", "/nothing-here"):
        page.goto(centre.url + address)
        assert grave_issues(page) == [], address
    sign_in(page, centre, "tech", "/technician")
    assert grave_issues(page) == []
    page.set_viewport_size({"width": 360, "height": 640})
    for address in ("/", "/nothing-here", "/technician"):
        page.goto(centre.url + address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_technician_page_is_not_for_invigilators(page: Any, centre: Centre) -> None:
    """An invigilator who opens the technician's page is refused in words."""
    centre.account("wang", "王监考", Role.INVIGILATOR, "01")
    sign_in(page, centre, "wang", "/")
    page.goto(f"{centre.url}/technician")
    page.wait_for_selector("text=您的账号没有做此事的权限")
