"""Chromium and a running centre for the tests of pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing_tool
from tests.support.browser import ARGUMENTS, CHROMIUM, PATIENCE_MS, Centre, chromium_missing, running_centre


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; skip visibly where there is none."""
    if chromium_missing():
        missing_tool("Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS), timeout=2 * PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre with a drawn slot, before check-in."""
    with running_centre(tmp_path) as running:
        yield running


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A fresh browser of one machine; any script error or policy violation fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda m: troubles.append(m.text) if "Content Security Policy" in m.text else None)
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    context.close()
    assert troubles == []
