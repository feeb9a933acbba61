"""The frame of every page, in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from bulkhead.terminal.shell import SCREENS
from tests.terminal.browser import Bench


def test_every_screen_opens_clean(bench: Bench) -> None:
    import bulkhead.terminal.screens  # noqa: F401  (registers them)

    for path, screen in SCREENS.items():
        bench.page.goto(bench.at(path))
        bench.ready()
        expect(bench.page.locator('nav a[aria-current="page"]')).to_have_text(screen.title)
        bench.check()
