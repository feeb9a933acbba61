"""The screen Trade in a real browser: every type of order, cancelling, rejections in words, lines, empty books."""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from bulkhead.client import Exchange, Exit, Order, Position
from bulkhead.terminal import numbers
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.test_screen_editing import placed, take
from tests.terminal.venue import Terminal, ask, owner, quote

MARKET = "BTC-USD"


def mine(bench: Bench, market: str | None = None) -> list[Order]:
    """The owner's open orders, as the exchange has them."""

    async def work(exchange: Exchange) -> list[Order]:
        return await (await owner(exchange, bench.terminal.seed)).orders(market)

    return ask(bench.live.url, work)


def past(bench: Bench) -> list[Order]:
    """The owner's orders that have left, as the exchange tells of them."""

    async def work(exchange: Exchange) -> list[Order]:
        return await (await owner(exchange, bench.terminal.seed)).orders_history()

    return ask(bench.live.url, work)


def held(bench: Bench) -> list[Position]:
    """The owner's positions, as the exchange has them."""

    async def work(exchange: Exchange) -> list[Position]:
        return await (await owner(exchange, bench.terminal.seed)).positions()

    return ask(bench.live.url, work)


@pytest.fixture(autouse=True)
def clean(bench: Bench) -> None:
    """No orders of another test."""

    async def work(exchange: Exchange) -> None:
        await (await owner(exchange, bench.terminal.seed)).cancel_all()

    ask(bench.live.url, work)


class Desk:
    """Hands at the ticket."""

    def __init__(self, bench: Bench, market: str = MARKET) -> None:
        self.bench = bench
        self.page = bench.page
        self.page.goto(bench.at(f"/?market={market}"))
        bench.ready()

    def fill(self, **entries: str) -> None:
        for name, text in entries.items():
            self.page.locator(f'[data-mark="ticket-{name}"] input').fill(text)

    def choose(self, **entries: str) -> None:
        for name, value in entries.items():
            self.page.locator(f'[data-mark="ticket-{name}"] select').select_option(value)

    def tick(self, name: str, is_ticked: bool = True) -> None:
        self.page.locator(f'[data-mark="ticket-{name}"] input').set_checked(is_ticked)

    def side(self, side: str) -> None:
        self.page.locator(f'[data-mark="side-{side}"]').click()

    def send(self, said: str) -> None:
        outcome = self.page.locator('[data-mark="outcome"]')
        before = outcome.inner_text()
        self.page.locator('[data-mark="submit"]').click()
        if before:  # what is said of the order before may say the same
            expect(outcome).not_to_have_text(before)
        expect(outcome).to_contain_text(said)

    def done(self) -> None:
        self.send("acknowledged")


def test_each_type_of_order_is_sent_and_shown(bench: Bench, live: Live, terminal: Terminal) -> None:
    quote(live.url, MARKET, "59900", "60100")
    desk = Desk(bench)
    desk.fill(price="58,000", size="0.1")
    desk.tick("post_only")
    desk.done()
    desk.tick("post_only", False)
    desk.fill(price="57000", size="0.2", take_profit="59000", stop_loss="56000")
    desk.done()
    desk.fill(take_profit="", stop_loss="")
    desk.choose(kind="stop", source="INDEX", direction="UP")
    desk.fill(trigger="61000", price="61100", size="0.3")
    desk.done()
    by_size = {order.quantity: order for order in mine(bench)}
    assert by_size[Decimal("0.1")].post_only and by_size[Decimal("0.1")].price == 58_000
    assert by_size[Decimal("0.2")].take_profit is not None and by_size[Decimal("0.2")].stop_loss is not None
    waits = by_size[Decimal("0.3")]
    assert waits.status == "UNTRIGGERED" and waits.trigger is not None and waits.trigger.trigger_price == 61_000

    desk.page.locator('[data-mark="tab-orders"]').click()
    rows = desk.page.locator('[data-mark="table-orders"] tbody tr[data-id]')
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("index 61,000")
    bench.check()

    desk.choose(kind="market")
    desk.fill(size="0.05")
    desk.done()
    [position] = held(bench)
    assert (position.signed_size, position.open_price) == (Decimal("0.05"), 60_100)
    desk.choose(kind="limit", force="IOC")
    desk.side("sell")
    desk.fill(price="59900", size="0.02")
    desk.tick("reduce_only")
    desk.done()
    assert held(bench)[0].signed_size == Decimal("0.03")
    desk.choose(kind="protect", source="INDEX")
    desk.fill(take_profit="65000", stop_loss="55000")
    desk.done()
    assert sorted(order.type for order in mine(bench)) == ["CONDITIONAL", "LIMIT", "LIMIT", "TPSL", "TPSL"]

    desk.page.locator('[data-mark="cancel-all"]').click()
    expect(rows).to_have_count(0)
    assert mine(bench) == []
    desk.page.locator('[data-mark="tab-orders-past"]').click()
    gone = desk.page.locator('[data-mark="table-orders-past"] tbody tr[data-id]')
    expect(gone.first).to_contain_text("cancelled")
    exits = [one for one in past(bench) if one.type == "TPSL" and one.tp_sl_type == "POSITION"]
    assert [one.quantity for one in exits] == [0, 0], "an exit of a position that never fired had no size"
    for one in exits:
        expect(desk.page.locator(f'[data-mark="table-orders-past"] tr[data-id="{one.id}"]')).to_contain_text("whole")
    desk.page.locator('[data-mark="tab-fills"]').click()
    fills = desk.page.locator('[data-mark="table-fills"] tbody tr[data-id]')
    expect(fills).to_have_count(2)
    expect(fills.last).to_contain_text("60,100")
    assert not held(bench)[0].liquidation_price, "no price of this market alone liquidates it"
    desk.page.locator('[data-mark="tab-positions"]').click()
    expect(desk.page.locator('[data-mark="table-positions"] tr[data-id="BTC-USD"]')).to_contain_text("none")
    assert not terminal.troubles


def test_the_liquidation_line_stands_at_the_price_of_the_exchange(bench: Bench, live: Live) -> None:
    quote(live.url, MARKET, "59950", "60050", seed=202)
    desk = Desk(bench)
    desk.page.locator('[data-mark="margin-change"]').click()
    form = desk.page.locator('[data-mark="margin-form"]')
    form.locator("select").select_option("isolated")
    form.locator("input").first.fill("40")
    rows = desk.page.locator('[data-mark="table-positions"] tbody tr[data-id]')
    if held(bench):  # of another test
        desk.page.get_by_role("button", name="Close the position").click()
        expect(rows).to_have_count(0)
    desk.page.locator('[data-mark="margin-sign"]').click()
    expect(desk.page.locator('[data-mark="margin"]')).to_contain_text("Isolated 40x")
    desk.choose(kind="market")
    desk.fill(size="0.5")
    expect(desk.page.locator('[data-mark="preview"]')).not_to_contain_text("Liquidation\u2013")
    desk.done()
    [position] = held(bench)
    terms = ask(live.url, lambda exchange: exchange.market(MARKET))
    expect(rows).to_contain_text(numbers.price(terms, position.liquidation_price))
    expect(rows).to_contain_text("Isolated")

    indices = ask(live.url, lambda exchange: exchange.candles(MARKET, "PT1M", kind="index-prices", limit=480))
    begins_s = min(candle.time_ms for candle in indices) / 1000
    since = time.strftime("since %H:%M UTC", time.gmtime(begins_s))
    expect(desk.page.locator('[data-mark="since"]')).to_have_text(since)
    chart = desk.page.locator('[data-mark="chart"] .bh-canvas').first
    expect(chart).to_have_attribute("data-lines", re.compile("liquidation"))
    lines = dict(json.loads(chart.get_attribute("data-lines") or "[]"))
    assert Decimal(str(lines["liquidation"])) == position.liquidation_price
    assert Decimal(str(lines["entry"])) == position.open_price
    drawn = chart.evaluate(
        """(element) => {
          const chart = element.bhChart, axis = chart.getModel().getComponent("yAxis", 0).axis;
          const lines = chart.getOption().series.find((one) => one.id === "candles").markLine.data;
          const line = lines.find((one) => one.name === "liquidation");
          const y = chart.convertToPixel({ yAxisIndex: 0 }, line.yAxis);
          return { price: chart.convertFromPixel({ yAxisIndex: 0 }, y), y, top: 0, bottom: element.clientHeight,
            reach: axis.scale.getExtent() };
        }"""
    )
    assert drawn["price"] == float(position.liquidation_price) and drawn["top"] < drawn["y"] < drawn["bottom"]
    assert drawn["reach"][0] <= drawn["price"] <= drawn["reach"][1], "and it is in sight"
    assert chart.get_attribute("data-beyond") == ""


def test_an_exit_that_closes_nothing_has_no_line(bench: Bench, live: Live) -> None:
    """Its position has gone while the rest of its order may still fill; when that fills it closes again."""
    market = "LTC-USD"
    desk = Desk(bench, market)
    exits = {"take_profit": Exit(trigger=84, price=83), "stop_loss": Exit(trigger=77, price=76)}
    placed(bench, market=market, side="BUY", quantity="3", price=80, protects="POSITION", **exits)
    take(live, "1", 80, market, "SELL")
    own = {f"order {one.id}" for one in mine(bench, market) if one.type == "TPSL"}
    assert len(own) == 2
    chart = desk.page.locator('[data-mark="chart"] .bh-canvas').first

    def shown() -> set[str]:
        return {name for name, _ in json.loads(chart.get_attribute("data-lines") or "[]")} & own

    expect(chart).to_have_attribute("data-lines", re.compile(".*".join(sorted(own))))
    quote(live.url, market, "81", "83", size="1", seed=208)
    placed(bench, market=market, side="SELL", quantity="1", price=81, time_in_force="IOC")
    assert not [one for one in held(bench) if one.market == market]
    expect(chart).not_to_have_attribute("data-lines", re.compile("|".join(own)))
    assert shown() == set()
    desk.page.locator('[data-mark="tab-orders"]').click()
    for name in own:
        row = desk.page.locator(f'[data-mark="table-orders"] tr[data-id="{name.split()[1]}"]')
        expect(row).to_contain_text("asleep")
    take(live, "1", 80, market, "SELL")
    expect(chart).to_have_attribute("data-lines", re.compile(".*".join(sorted(own))))
    desk.page.locator('[data-mark="cancel-all"]').click()
    expect(chart).not_to_have_attribute("data-lines", re.compile("order"))
    assert shown() == set()
    quote(live.url, market, "81", "83", size="1", seed=208)
    placed(bench, market=market, side="SELL", quantity="1", price=81, time_in_force="IOC", reduce_only=True)


def test_a_rejection_is_told_in_words_with_what_to_do(bench: Bench, live: Live) -> None:
    quote(live.url, "ETH-USD", "2990", "3010", seed=203)
    desk = Desk(bench, "ETH-USD")
    desk.fill(price="3000.05", size="1")
    desk.page.locator('[data-mark="submit"]').click()
    expect(desk.page.locator('[data-mark="ticket-price"]')).to_contain_text("in steps of")
    desk.fill(price="3050", size="1")
    desk.tick("post_only")
    desk.send("It would have traded at once, and you wanted it to rest")
    expect(desk.page.locator('[data-mark="outcome"]')).to_contain_text("untick post-only")
    desk.tick("post_only", False)
    desk.fill(price="2980", size="2000")
    desk.send("rejected")
    expect(desk.page.locator('[data-mark="outcome"]')).to_contain_text("The account's free margin does not cover this")
    desk.fill(price="100", size="1")
    desk.send("The price is too far from the index")
    desk.choose(force="FOK")
    desk.fill(price="3020", size="50")
    desk.send("The book does not hold the whole size at your price")
    desk.choose(force="GTT")
    desk.tick("reduce_only")
    desk.fill(price="2995", size="1")
    desk.send("rejected")
    assert mine(bench) == []


def test_an_order_that_leaves_after_it_was_acknowledged_says_why(bench: Bench, live: Live) -> None:
    quote(live.url, "EOS-USD", "0.99", "1.01", size="500", seed=205)
    desk = Desk(bench, "EOS-USD")
    desk.choose(force="IOC")
    desk.fill(price="1", size="100")
    desk.send("Then it was cancelled: Nothing more rested in the book at your price")
    desk.choose(kind="market")
    desk.fill(size="100")
    desk.done()
    desk.side("sell")
    desk.choose(kind="limit", force="GTT")
    desk.tick("reduce_only")
    desk.fill(price="1.05", size="100")
    desk.done()
    [position] = [one for one in held(bench) if one.market == "EOS-USD"]
    assert position.size == 100
    desk.page.locator('[data-mark="table-positions"] tr[data-id="EOS-USD"]').get_by_role("button").click()
    expect(desk.page.locator('[data-mark="outcome"]')).to_contain_text("There was nothing left to reduce")
    assert mine(bench, "EOS-USD") == []


def test_a_price_feed_that_stops_shows_its_age(bench: Bench, live: Live) -> None:
    desk = Desk(bench, "ETH-USD")
    age = desk.page.locator('[data-mark="chart"] .bh-age')
    expect(age).to_have_text(re.compile(r"index price 0\.\d s ago"))
    kept, live.source.now = live.source.now, {}
    try:
        expect(age).to_have_text(re.compile(r"index price [3-9]\.\d s ago"))
        behind = """(ms) => document.querySelector(".bh-header .bh-age").dataset.ahead = ms"""
        desk.page.evaluate(behind, 3_600_000)  # an hour: only what the exchange dated is that much older
        expect(age).to_have_text(re.compile(r"index price 60 min ago"))
        expect(desk.page.locator(".bh-header .bh-age")).to_have_text(re.compile(r"^[01]\.\d s ago"))
        desk.page.evaluate(behind, 0)
        expect(desk.page.locator('[data-mark="light"]')).to_have_attribute("data-state", "live")
        desk.page.evaluate("() => { const now = Date.now; Date.now = () => now() + 20_000; }")
        expect(age).to_have_class("bh-age bh-old")
    finally:
        live.source.now = kept


def test_a_market_without_a_book_says_so(bench: Bench) -> None:
    desk = Desk(bench, "XRP-USD")
    expect(desk.page.locator('[data-mark="book"]')).to_contain_text("Nobody quotes this market")
    expect(desk.page.locator('[data-mark="trades"]')).to_contain_text("Nothing was traded yet")
    desk.choose(kind="market")
    desk.fill(size="100")
    desk.page.locator('[data-mark="submit"]').click()
    expect(desk.page.locator('[data-mark="ticket-kind"]')).to_contain_text("nobody is on the other side")
    bench.check()


def test_keys_are_enough(bench: Bench, live: Live) -> None:
    quote(live.url, "ETH-USD", "2991", "3009", seed=204)
    desk = Desk(bench, "ETH-USD")
    keys = desk.page.keyboard
    desk.page.locator("h1").click()
    keys.press("?")
    expect(desk.page.locator('[data-mark="help"]')).to_be_visible()
    bench.check_axe()
    keys.press("Escape")
    expect(desk.page.locator('[data-mark="help"]')).to_be_hidden()
    for key in "slp":
        keys.press(key)
    expect(desk.page.locator('[data-mark="side-sell"]')).to_have_attribute("aria-pressed", "true")
    expect(desk.page.locator('[data-mark="ticket-price"] input')).to_be_focused()
    keys.type("3100")
    desk.page.locator('[data-mark="ticket-size"] input').fill("0.5")
    keys.press("Enter")
    expect(desk.page.locator('[data-mark="outcome"]')).to_contain_text("acknowledged")
    assert [(order.side, order.price) for order in mine(bench, "ETH-USD")] == [("SELL", 3_100)]
    desk.page.locator("h1").click()
    keys.press("2")
    expect(desk.page.locator('[data-mark="table-orders"] tbody tr[data-id]')).to_have_count(1)
    book = desk.page.locator('[data-mark="book"] .bh-own')
    keys.press("Shift+X")
    expect(desk.page.locator('[data-mark="table-orders"] tbody tr[data-id]')).to_have_count(0)
    expect(book).to_have_count(0)
    assert mine(bench) == []
