"""Reports in a real browser: drawn in light and in dark, without errors, addresses or barriers. Needs Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright

from bulkhead.lab.pages import write
from bulkhead.lab.pages.plots import ON_DARK, PALETTE
from tests.conftest import chromium
from tests.lab.pages.test_pages import page

BROWSER = chromium()
RGB = "[...document.querySelectorAll('.plot path')].map((path) => getComputedStyle(path).stroke).join(' ')"


def rgb(colour: str) -> str:
    """A colour as browsers tell it."""
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


def told(tab: Tab) -> list[str]:
    """What goes wrong in a tab, and what it asks the network for."""
    found: list[str] = []
    tab.on("pageerror", lambda error: found.append(str(error)))
    tab.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: found.append(request.url) if request.url.startswith("http") else None)
    return found


if BROWSER is not None:

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_report_is_drawn_without_network_and_can_be_read_by_everybody(scheme: str, tmp_path: Path) -> None:
        file = write(page(), tmp_path / "report.html")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=BROWSER)
            try:
                tab = browser.new_page(color_scheme="dark" if scheme == "dark" else "light")
                wrong = told(tab)
                tab.goto(file.as_uri())
                tab.wait_for_selector(".plot .main-svg")
                assert wrong == []
                strokes = tab.evaluate(RGB)
                own, other = (ON_DARK, PALETTE) if scheme == "dark" else (PALETTE, ON_DARK)
                assert rgb(own[0]) in strokes
                assert rgb(other[0]) not in strokes
                found = Axe().run(tab).response["violations"]
                assert [each["id"] for each in found] == []
                tab.set_viewport_size({"width": 390, "height": 800})
                tab.wait_for_function("document.documentElement.scrollWidth <= 390")
            finally:
                browser.close()
