"""An exchange that stalls, dies mid-order and comes back: the screen says what is so, and nothing is sent twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bulkhead.client import Exchange, Order
from tests.api.remote import Remote
from tests.client.test_restart import free_port
from tests.terminal.browser import Bench
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, owner, rich
from tests.terminal.wire import Wire

SEED, MARKET = 77, "BTC-USD"


class Venue:
    """A node in a process of its own, on a port that it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def start(self) -> None:
        self.remote = Remote(self.folder, BULKHEAD_HTTP__PORT=self.port)
        self.url = self.remote.url

    def send_signal(self, number: int) -> None:
        os.kill(self.remote.process.pid, number)

    def orders(self) -> list[Order]:
        """The owner's, as the exchange has them."""

        async def work(exchange: Exchange) -> list[Order]:
            return await (await owner(exchange, SEED)).orders()

        return ask(self.url, work)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    running = Venue(tmp_path_factory.mktemp("venue"))
    yield running
    running.send_signal(signal.SIGCONT)
    running.remote.stop()


@pytest.fixture(scope="module")
def terminal(venue: Venue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    keys = tmp_path_factory.mktemp("keys")
    key_file(keys, NAMED, ethereum_key(SEED))
    ask(venue.url, lambda exchange: rich(exchange, SEED))
    running = Terminal(venue.url, keys, "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
    yield running
    assert running.stop() == 0, "".join(running.log[-30:])
    assert not running.troubles, "".join(running.log)


@pytest.fixture
def bench(browser: Browser, terminal: Terminal) -> Iterator[Bench]:
    made = Bench(browser, terminal, None)
    yield made
    made.close()


def fill(bench: Bench, venue: Venue) -> Decimal:
    """A limit order well below the market in the ticket; its price."""

    async def price(exchange: Exchange) -> Decimal:
        return (await exchange.statistics(MARKET)).index_price

    below = (ask(venue.url, price) * Decimal("0.97")).to_integral_value()
    bench.page.locator('[data-mark="ticket-price"] input').fill(str(below))
    bench.page.locator('[data-mark="ticket-size"] input').fill("0.01")
    bench.page.wait_for_timeout(600)  # the preview's answer is here
    return below


def test_an_order_sent_to_a_stalled_exchange_is_told_truthfully(bench: Bench, venue: Venue) -> None:
    bench.ready()
    page, light = bench.page, bench.page.locator('[data-mark="light"]')
    price = fill(bench, venue)
    venue.send_signal(signal.SIGSTOP)
    try:
        expect(light).to_have_attribute("data-state", "stale")
        expect(page.locator('[data-mark="banner"]')).to_contain_text("everything below may be old")
        expect(page.locator(".bh-header .bh-age")).to_have_class("bh-age bh-old")
        bench.check()
        page.locator('[data-mark="submit"]').dblclick()
        expect(page.locator('[data-mark="submit"]')).to_be_disabled()
        expect(page.locator('[data-mark="outcome"]')).to_contain_text("sent, no answer yet; looking it up")
        page.keyboard.press("Enter")
    finally:
        venue.send_signal(signal.SIGCONT)
    expect(page.locator('[data-mark="outcome"]')).to_contain_text("acknowledged")
    expect(light).to_have_attribute("data-state", "live")
    expect(page.locator('[data-mark="banner"]')).to_be_hidden()
    assert [order.price for order in venue.orders()] == [price], "once, however often it was clicked"
    page.locator('[data-mark="cancel-all"]').click()
    expect(page.locator('[data-mark="tab-orders"]')).to_have_text("Open orders")


def test_an_order_lost_with_a_killed_exchange_is_looked_up(bench: Bench, venue: Venue) -> None:
    bench.ready()
    page, outcome = bench.page, bench.page.locator('[data-mark="outcome"]')
    fill(bench, venue)
    venue.send_signal(signal.SIGSTOP)
    page.locator('[data-mark="submit"]').click()
    expect(outcome).to_contain_text("sent, no answer yet")
    venue.remote.kill()
    expect(page.locator('[data-mark="light"]')).to_have_attribute("data-state", "down")
    expect(page.locator('[data-mark="banner"]')).to_contain_text("No connection to")
    page.wait_for_timeout(8_000)  # longer than the SDK tries by itself
    expect(outcome).to_contain_text("looking it up")
    venue.start()
    expect(outcome).to_contain_text("it never arrived: nothing was done", timeout=30_000)
    expect(page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
    assert venue.orders() == []
    page.locator('[data-mark="submit"]').click()
    expect(outcome).to_contain_text("acknowledged")
    assert len(venue.orders()) == 1
    expect(page.locator('[data-mark="tab-orders"]')).to_have_text("Open orders 1")


def test_an_order_that_arrived_at_an_exchange_that_then_died_is_found_and_not_sent_again(
    browser: Browser, venue: Venue, tmp_path: Path
) -> None:
    """The worst of all: it is in the journal, and whoever sent it was told nothing before the exchange was killed."""
    key_file(tmp_path, NAMED, ethereum_key(SEED))
    ask(venue.url, lambda exchange: rich(exchange, SEED))
    with ExitStack() as ends:
        wire = Wire(venue.port)
        ends.callback(wire.stop)
        own = Terminal(wire.url, tmp_path, "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
        ends.callback(own.stop)
        bench = Bench(browser, own, None)
        ends.callback(bench.close)
        bench.ready()
        before, price, outcome = len(venue.orders()), fill(bench, venue), bench.page.locator('[data-mark="outcome"]')
        wire.is_mute = True
        bench.page.locator('[data-mark="submit"]').click()
        expect(outcome).to_contain_text("sent, no answer yet")
        until(lambda: len(venue.orders()) == before + 1)
        venue.remote.kill()
        wire.is_mute = False
        expect(bench.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "down")
        expect(bench.page.locator('[data-mark="submit"]')).to_be_disabled()
        venue.start()
        expect(outcome).to_contain_text("acknowledged")
        assert len(venue.orders()) == before + 1, "once"
        assert price in [order.price for order in venue.orders()]
        expect(bench.page.locator('[data-mark="tab-orders"]')).to_have_text(f"Open orders {before + 1}")
        expect(bench.page.locator('[data-mark="submit"]')).to_be_enabled()
    assert not own.troubles, "".join(own.log)


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the exchange tells."""
    end_s = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end_s, "not within 20 s"
        time.sleep(0.1)


def test_a_terminal_waits_for_an_exchange_that_is_not_there(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    alone = Terminal(f"http://127.0.0.1:{port}", tmp_path / "keys")
    bench, remote = Bench(browser, alone, None), None
    try:
        expect(bench.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "down")
        expect(bench.page.locator(".bh-screen")).to_contain_text("Asking the exchange for its markets")
        expect(bench.page.locator(".bh-screen")).to_contain_text("Cannot connect to host")
        bench.check()
        remote = Remote(tmp_path, BULKHEAD_HTTP__PORT=port)
        expect(bench.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
        expect(bench.page.locator('[data-mark="book"]')).to_contain_text("Nobody quotes this market")
    finally:
        bench.close()
        assert alone.stop() == 0
        if remote is not None:
            remote.stop()
    assert not alone.troubles, "".join(alone.log)
