"""The frame of every page, in a real browser."""

from __future__ import annotations

import re
from decimal import Decimal

from playwright.sync_api import expect

from bulkhead.client import Exchange, Order
from bulkhead.terminal.shell import SCREENS
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.venue import ask, owner, quote


def test_every_screen_opens_clean(bench: Bench) -> None:
    import bulkhead.terminal.screens  # noqa: F401  (registers them)

    for path, screen in SCREENS.items():
        bench.page.goto(bench.at(path))
        bench.ready()
        expect(bench.page.locator('nav a[aria-current="page"]')).to_have_text(screen.title)
        bench.check()
        text = bench.page.locator("body").inner_text()
        assert "$" not in text, "amounts are in USD, everywhere"
        assert not re.search(r"\d\s%", text), "and percent stand beside their number"


def test_two_tabs_show_the_same_and_send_once(bench: Bench, live: Live) -> None:
    quote(live.url, "BTC-USD", "59900", "60100")
    first, second = bench.page, bench.tab()
    bench.ready()
    for page in (first, second):
        page.locator('[data-mark="tab-orders"]').click()
    first.locator('[data-mark="ticket-price"] input').fill("59000")
    first.locator('[data-mark="ticket-size"] input').fill("0.1")
    first.locator('[data-mark="submit"]').dblclick()
    for page in (first, second):
        rows = page.locator('[data-mark="table-orders"] tbody tr[data-id]')
        expect(rows).to_have_count(1)
        expect(page.locator('[data-mark="last-action"]')).to_have_text("Buy 0.1000 BTC-USD at 59,000: acknowledged")
        expect(page.locator('[data-mark="book"] .bh-own')).to_have_count(1)
    expect(first.locator('[data-mark="outcome"]')).to_contain_text("acknowledged")
    expect(second.locator('[data-mark="outcome"]')).to_have_text("")
    second.get_by_role("button", name="Cancel the order").click()
    for page in (first, second):
        expect(page.locator('[data-mark="table-orders"] tbody tr[data-id]')).to_have_count(0)
    history = ask(live.url, lambda exchange: past(exchange, bench.terminal.seed))
    assert [order.quantity for order in history].count(Decimal("0.1")) == 1


async def past(exchange: Exchange, seed: int) -> list[Order]:
    """Orders of the owner that have left."""
    return await (await owner(exchange, seed)).orders_history()
