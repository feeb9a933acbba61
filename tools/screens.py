"""Take the pictures in docs/screens of a terminal that runs: what a venue with makers, candles and proofs looks like.

    python tools/screens.py ADDRESS [--only trade,operator] [--folder docs/screens]

ADDRESS is what `bulkhead up` prints, with its token; in a folder of its own name (`--folder up`) it shows no path of
your machine. Each screen is taken dark and light at 1280 by 800, or as long as it is, when the exchange is live and the
page has come to rest; one on which something overlaps or is cut off is refused. Comparison and wizard show the what-if
that stands on Compare by itself; deviations need 30 minutes of history. Screens whose state has to be made first (a
margin call, a way out) are taken by their tests: BULKHEAD_SCREENS=1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

from bulkhead.terminal import numbers  # noqa: E402
from tests.conftest import chromium  # noqa: E402
from tests.terminal.browser import ARGUMENTS, CUT_OFF, SCREENS, SIZE  # noqa: E402

COMPARE = "/compare?market=BTC-USD&move=-10&reach=50&correlation=one"
PATHS = {
    "trade": "/?market=BTC-USD&side=BUY&type=MARKET&size=0.5&price=1",  # with a ticket that is filled in
    "compare": COMPARE,
    "wizard": COMPARE,
    "settlement": "/settlement",
    "operator": "/operator",
    "keys": "/keys",
}
FURTHER = {"wizard": '[data-mark="to-wizard"]'}  # clicked once there is an answer, for it hands over the question
THEMES = ("dark", "light")
REST_MS = 4_000  # statistics, candles and what is asked every few seconds are there


def take(page: Page, base: str, names: list[str], folder: Path) -> list[str]:
    """Every picture; what is wrong with a screen, for each that was refused."""
    found = []
    for theme in THEMES:
        for name in names:
            page.goto(base + PATHS[name])
            expect(page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
            if PATHS[name] == COMPARE:
                expect(page.locator('[data-mark="margin-cross"]')).not_to_have_text(numbers.NONE)
            if name in FURTHER:
                page.locator(FURTHER[name]).click()
                expect(page.locator('[data-mark="advice"]')).to_be_visible()
            turn(page, theme)
            page.wait_for_timeout(REST_MS)
            wrong = page.evaluate(CUT_OFF)
            found += [f"{name}, {theme}: {one}" for one in wrong]
            if not wrong:
                page.screenshot(path=str(folder / f"{name}-{theme}.png"), full_page=True)
    return found


def turn(page: Page, theme: str) -> None:
    """Show the page in a theme."""
    page.locator('[data-mark="theme"]').select_option(theme)
    page.wait_for_selector(f'html[data-theme="{theme}"]')


def main() -> int:
    """0 if every picture was taken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("address", help="as `bulkhead up` prints it, with its token")
    parser.add_argument("--only", default=",".join(PATHS), help="names, with commas between them")
    parser.add_argument("--folder", type=Path, default=SCREENS)
    chosen = parser.parse_args()
    names, program = chosen.only.split(","), chromium()
    unknown = [name for name in names if name not in PATHS]
    if unknown:
        parser.error(f"no such screen: {', '.join(unknown)}; there are {', '.join(PATHS)}")
    parts = urlsplit(chosen.address)
    if not parts.netloc or "token" not in parse_qs(parts.query):
        parser.error("the address has no token: copy it whole from what the terminal printed")
    if program is None:
        parser.error("there is no Chromium: install it, or name it by BULKHEAD_CHROMIUM")
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        viewport = {"width": SIZE[0], "height": SIZE[1]}
        page = browser.new_context(viewport=viewport, reduced_motion="reduce").new_page()  # type: ignore[arg-type]
        page.goto(chosen.address)  # its token becomes a cookie
        found = take(page, f"{parts.scheme}://{parts.netloc}", names, chosen.folder)
        browser.close()
    for one in found:
        print(one, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
