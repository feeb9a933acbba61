"""A tab of a real browser: its console, accessibility by axe, layout, and screenshots."""

from __future__ import annotations

import os
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.api.live import Live
from tests.terminal.venue import TOKEN, Terminal

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--force-device-scale-factor=1", "--hide-scrollbars",
)  # fmt: skip
expect.set_options(timeout=30_000)  # machines of tests are loaded
SIZE = (1280, 800)
BLANK = "about:blank"
SCREENS = Path(__file__).resolve().parents[2] / "docs" / "screens"
SHOOT = "BULKHEAD_SCREENS"  # set it to renew the pictures in docs/screens
SERIOUS = ("serious", "critical")
CUT_OFF = """() => {
  const found = [], visible = (element) => element.checkVisibility() && element.getClientRects().length;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width + 1) found.push("the page is wider than the window");
  const marked = [...document.querySelectorAll("[data-mark]")].filter(visible);
  const name = (element) => element.dataset.mark;
  for (const element of marked) {
    const box = element.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1) found.push(name(element) + " is outside the window");
    const style = getComputedStyle(element);
    const scrolls = /auto|scroll/.test(style.overflowX);
    if (!scrolls && element.scrollWidth > element.clientWidth + 1 && style.display !== "inline")
      found.push(name(element) + " is cut off: " + element.scrollWidth + " in " + element.clientWidth);
  }
  for (const one of [...document.querySelectorAll(".bh-scroll")].filter(visible))
    if (one.scrollWidth > one.clientWidth + 1) found.push(one.ariaLabel + " is cut off at its last columns");
  const pen = document.createElement("canvas").getContext("2d"), ARROW = 20;
  for (const one of [...document.querySelectorAll("select")].filter(visible)) {
    const style = getComputedStyle(one), text = one.selectedOptions[0]?.text || "";
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;  // `font` says nothing of tabular figures
    const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - ARROW;
    const isTold = text.length > 40 && one.title === text;  // a name that may have 128 letters
    if (pen.measureText(text).width > room + 1 && !isTold) found.push("the choice " + text + " is cut off");
  }
  for (const one of marked) for (const other of marked) {
    if (one === other || one.contains(other) || other.contains(one)) continue;
    if (!(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
    const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1 && !one.closest("[data-floats]") && !other.closest("[data-floats]"))
      found.push(name(one) + " overlaps " + name(other));
  }
  return found;
}"""


class Bench:
    """What a test of a screen has: `page` (Playwright's), `terminal`, `live`.

    `is_open`: the page shows the first screen; else nothing, for most tests begin with a screen of their own.
    """

    def __init__(self, browser: Browser, terminal: Terminal, live: Live | None, *, is_open: bool = True) -> None:
        self.terminal = terminal
        self.live = live  # None where a test has a venue of another kind
        self.context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce")
        self.context.set_default_timeout(30_000)
        self.problems: list[str] = []
        self.expected: list[str] = []  # parts of console errors that a test provokes
        self.page = self.tab() if is_open else self._blank()
        terminal.is_fresh = False

    def tab(self) -> Page:
        """Another tab of the same browser, let in."""
        page = self._blank()
        page.goto(self.at("/"))
        return page

    def _blank(self) -> Page:
        page = self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        return page

    def at(self, path: str) -> str:
        """The address of a screen, with the token that opens it."""
        return f"{self.terminal.url}{path}{'&' if '?' in path else '?'}token={TOKEN}"

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"{message.text} ({message.location.get('url', '')})")

    def light(self, is_light: bool) -> None:
        """Show the page light or dark."""
        wanted = "light" if is_light else "dark"
        self.page.locator('[data-mark="theme"]').select_option(wanted)
        expect(self.page.locator(f'html[data-theme="{wanted}"]')).to_have_count(1)

    def ready(self) -> None:
        """Wait until the exchange answers and the account is there; on the first screen where none was opened yet."""
        if self.page.url == BLANK:
            self.page.goto(self.at("/"))
        expect(self.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
        expect(self.page.locator('[data-mark="account"]')).to_be_visible()

    def check(self, page: Page | None = None) -> None:
        """No serious complaint of axe, nothing that overlaps or is cut off among what is marked."""
        self.check_layout(page)
        self.check_axe(page)

    def check_layout(self, page: Page | None = None) -> None:
        """Nothing overlaps or is cut off among what is marked, and no table's last columns are out of sight."""
        found = (page or self.page).evaluate(CUT_OFF)
        assert not found, found

    def check_axe(self, page: Page | None = None) -> None:
        """No serious complaint about accessibility."""
        found = Axe().run(page or self.page).response["violations"]
        serious = [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}"
            for one in found
            if one["impact"] in SERIOUS
        ]
        assert not serious, serious

    def shoot(self, name: str) -> None:
        """Keep pictures of the page, dark and light, in docs/screens; only where BULKHEAD_SCREENS asks for it."""
        if not os.environ.get(SHOOT):
            return
        SCREENS.mkdir(parents=True, exist_ok=True)
        for is_light in (False, True):
            self.light(is_light)
            self.page.wait_for_timeout(1_500)  # canvases are painted when the page has come to rest
            self.page.screenshot(path=str(SCREENS / f"{name}-{'light' if is_light else 'dark'}.png"))
        self.light(False)

    def close(self) -> None:
        """Close every tab; fails for what the console said."""
        self.context.close()
        unexpected = [
            problem for problem in self.problems if not any(part in problem for part in self.expected)
        ]
        assert not unexpected, unexpected
