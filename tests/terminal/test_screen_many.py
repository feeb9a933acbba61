"""Ten thousand open orders: listed, not all drawn; and the ticket still answers.

The exchange takes a thousand of an account, and hands a listener no more than a mebibyte at once. For this test both
are lifted: what is held to ten thousand here is the terminal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from bulkhead.client import Exchange
from bulkhead.engine import admission
from bulkhead.engine.order import Terms
from bulkhead.lab.liquidity import Signer, _placing
from bulkhead.node.settings import StreamSettings
from bulkhead.terminal import numbers
from tests.api.live import Fixed, Live, settings_for
from tests.terminal.browser import Bench
from tests.terminal.test_screen_trade import Desk, mine
from tests.terminal.venue import Terminal, ask, owner

COUNT = 10_000
TOGETHER = 500
LOTS = 10_000  # of LTC in one


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A node without the two bounds."""
    patch = pytest.MonkeyPatch()
    patch.setattr(admission, "ORDERS_PER_ACCOUNT_MAX", 2 * COUNT)
    settings = settings_for(tmp_path_factory.mktemp("node"))
    running = Live(replace(settings, streams=StreamSettings(queue_bytes=1 << 26)), Fixed())
    yield running
    running.stop()
    patch.undo()


def fill_up(live: Live, private_key: int) -> None:
    """Sign and place them at the writer's door: a hundredth of a coin each, at prices from 73 to 74."""

    async def place() -> None:
        signer = Signer(live.node, private_key)
        await signer.join(0, 0)
        terms = next(one for one in live.node.exchange.state.config.markets if one.name == "LTC-USD")
        for first in range(0, COUNT, TOGETHER):
            orders = [signer.order(terms, LOTS // 100, 7_300 + (first + place) // 100) for place in range(TOGETHER)]
            await asyncio.gather(*(signer.send(_placing(order, Terms(post_only=True))) for order in orders))

    asyncio.run_coroutine_threadsafe(place(), live._loop).result(120)


def test_ten_thousand_orders(bench: Bench, live: Live, terminal: Terminal) -> None:
    async def key(exchange: Exchange) -> int:
        return (await owner(exchange, terminal.seed)).signer._private

    fill_up(live, ask(live.url, key))
    desk = Desk(bench, "LTC-USD")
    tab = desk.page.locator('[data-mark="tab-orders"]')
    tab.click()
    expect(tab).to_have_text(f"Open orders {COUNT:,}", timeout=20_000)
    table = desk.page.locator('[data-mark="table-orders"]')
    rows = table.locator("tbody tr[data-id]")
    expect(rows.first).to_be_visible()
    assert rows.count() < 100, "only those in sight are drawn"
    table.evaluate("(box) => { box.scrollTop = box.scrollHeight / 2; }")
    middle = numbers.fixed(Decimal(7_350) / 100, 2)
    expect(table.get_by_text(middle).first).to_be_visible()
    desk.fill(price="73", size="1")
    desk.done()
    expect(tab).to_have_text(f"Open orders {COUNT + 1:,}")
    desk.page.locator('[data-mark="cancel-all"]').click()
    expect(tab).to_have_text("Open orders", timeout=30_000)
    assert mine(bench) == []
