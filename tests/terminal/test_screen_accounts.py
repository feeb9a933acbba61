"""An owner with a position in each kind of compartment: whose each line, link and what-if is, on Trade and Compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from bulkhead.client import AssetLeg, Exchange, NewOrder, Position
from bulkhead.client.models import Preview
from bulkhead.terminal import numbers
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, owner, quote, rich

BTC, XRP = "BTC-USD", "XRP-USD"
SEED = 91
LINK = f"/compare?market={BTC}&side=BUY&size=0.5&price=60100&leverage=10&reach=50&correlation=zero&move=-10"
DRAWN = """(element) => {
  const chart = element.bhChart, lines = chart.getZr().storage.getDisplayList().filter((one) => one.type === "ec-line");
  const found = lines.map((one) => one.getClipPath && one.shape).filter((shape) => shape && shape.y1 === shape.y2);
  return found.map((shape) => chart.convertFromPixel({ yAxisIndex: 0 }, shape.y1));
}"""

TEXTS = """(element) => element.bhChart.getZr().storage.getDisplayList()
  .filter((one) => one.style && typeof one.style.text === "string").map((one) => one.style.text)"""


@pytest.fixture(scope="module")
def strategy(live: Live) -> int:
    """XRP short in isolation, ETH long in the account, and BTC long in a strategy, whose account id this is."""
    quote(live.url, BTC, "59900", "60100", size="5")
    quote(live.url, "ETH-USD", "2990", "3010", size="50", seed=202)
    quote(live.url, XRP, "0.599", "0.601", size="50000", seed=203)

    async def work(exchange: Exchange) -> int:
        trader = await rich(exchange, SEED)
        await trader.take("ETH-USD", "BUY", "20", slippage="0.01")
        await trader.choose_mode(XRP, "isolated", leverage=10)
        await trader.take(XRP, "SELL", "30000", slippage="0.01")
        made = await trader.add_strategy("basis")
        await trader.move([AssetLeg(trader.account_id, made.account_id, Decimal(20_000))])
        await made.take(BTC, "BUY", "1", slippage="0.01")
        return made.account_id

    return ask(live.url, work)


@pytest.fixture(scope="module")
def terminal(live: Live, strategy: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """One that finds the strategy when it starts."""
    keys: Path = tmp_path_factory.mktemp("keys")
    key_file(keys, NAMED, ethereum_key(SEED))
    running = Terminal(live.url, keys, "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
    yield running
    assert running.stop() == 0, "".join(running.log[-30:])
    assert not running.troubles, "".join(running.log)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Its main account is chosen, whatever another test chose."""
    bench.ready()
    field = bench.page.locator('[data-mark="account"] select')
    expect(field.locator("option")).to_have_count(2)
    field.select_option(label=field.locator("option").first.inner_text())
    expect(bench.page.locator('[data-mark="table-positions"] tr[data-id="ETH-USD"]')).to_be_visible()
    return bench


def positions(bench: Bench, strategy: int = 0) -> dict[str, Position]:
    """By market, of the main account or the strategy, as the exchange has them."""

    async def work(exchange: Exchange) -> list[Position]:
        trader = await owner(exchange, SEED)
        return await (await trader.strategy(strategy) if strategy else trader).positions()

    return {one.market: one for one in ask(bench.live.url, work)}


def preview(bench: Bench, strategy: int = 0) -> Preview:
    """Of the order of LINK."""

    async def work(exchange: Exchange) -> Preview:
        trader = await owner(exchange, SEED)
        asked = await trader.strategy(strategy) if strategy else trader
        return await asked.preview(NewOrder(market=BTC, side="BUY", quantity="0.5", price="60100"), leverage=10)

    return ask(bench.live.url, work)


def go(bench: Bench, address: str) -> Any:
    """Another page, once the one before has all that it asked for."""
    bench.page.wait_for_load_state("networkidle")
    bench.page.goto(bench.at(address))
    bench.ready()
    return bench.page


def test_lines_of_small_prices_are_drawn_where_they_are(bench: Bench) -> None:
    """Not at what two places leave of them."""
    page = go(bench, f"/?market={XRP}")
    held = positions(bench)[XRP]
    assert held.margin_mode == "ISOLATED" and held.open_price == Decimal("0.599")
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    beyond = f"Liquidation of isolated short 30,000 at {held.liquidation_price:.5f} \u2191"
    expect(chart).to_have_attribute("data-beyond", re.compile(re.escape(beyond)))
    assert any(abs(price - 0.599) < 0.00002 for price in chart.evaluate(DRAWN)), chart.evaluate(DRAWN)
    bench.check()
    told = chart.evaluate(TEXTS)
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("element => element.innerText.includes('UTC')", arg=chart.element_handle())
    pointed = [text for text in chart.evaluate(TEXTS) if text not in told]
    assert any(re.fullmatch(r"0\.\d{5}", text) for text in pointed), "a price of the market's step"
    assert not any(re.search(r"\d{9}", text) for text in pointed), "a time, and no milliseconds"


def test_where_another_account_is_liquidated_is_drawn_and_says_whose_it_is(bench: Bench, strategy: int) -> None:
    page = go(bench, f"/?market={BTC}")
    price = positions(bench, strategy)[BTC].liquidation_price
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    said = f"basis · {strategy}: liquidation of long 1.0000 at {price:,.0f}"
    expect(chart).to_have_attribute("data-lines", f'[["liquidation {strategy}",{float(price)}]]')
    assert said in (chart.get_attribute("data-beyond") or "")
    page.locator('[data-mark="account"] select').select_option(str(strategy))
    expect(chart).to_have_attribute("data-lines", re.compile('"entry",60100'))
    assert "Liquidation of long 1.0000 at" in (chart.get_attribute("data-beyond") or "")


def test_a_link_is_of_the_account_and_market_that_it_was_made_for(bench: Bench, strategy: int) -> None:
    page = go(bench, LINK)
    left = page.locator('[data-mark="free-isolated"]')

    def shown(account: int) -> str:
        found = {one.margin_mode: one for one in preview(bench, account).modes}
        return numbers.dollars(found["isolated"].free_after)

    assert shown(0) != shown(strategy)
    expect(left).to_have_text(shown(0))
    expect(page).to_have_url(re.compile(r"account=\d+"))
    page = go(bench, f"{LINK}&account={strategy}")
    whose = page.locator('[data-mark="whose"]')
    expect(left).to_have_text(shown(strategy))
    expect(whose).to_have_text(f"Asked of basis · {strategy}, not of the account chosen above.")
    bench.check()
    account = page.locator('[data-mark="account"] select')
    account.select_option(str(strategy))
    expect(whose).to_be_empty()
    account.select_option(label=account.locator("option").first.inner_text())  # what is chosen above is asked now
    expect(left).to_have_text(shown(0))
    page = go(bench, f"{LINK}&account=777")
    expect(page.locator('[data-mark="problem"]')).to_contain_text("Unlock account 777 first")
    expect(page.locator('[data-mark="slider"] input')).to_be_disabled()
    page.locator('[data-mark="ask-of-mine"]').click()
    expect(left).to_have_text(shown(0))
    expect(page.locator('[data-mark="ask-of-mine"]')).to_be_hidden()
    # The size and price of a market that is gone mean nothing in the one that is shown instead.
    page = go(bench, "/compare?market=DOGE-USD&side=SELL&size=70000&price=0.1&leverage=3&move=5")
    said = "The address asks for 'DOGE-USD': no market here. This is BTC-USD."
    expect(page.locator('[data-mark="stranger"]')).to_have_text(said)
    expect(page.locator('[data-mark="entry-price"] input')).to_have_value("60100")
    expect(page.locator('[data-mark="entry-leverage"] input')).to_have_value("10")
    expect(page.locator('[data-mark="summary"]')).to_contain_text("At \u221210%")


def test_cross_of_a_strategys_what_if_is_traded_in_the_main_account(bench: Bench, strategy: int) -> None:
    page = go(bench, f"{LINK}&account={strategy}")
    expect(page.locator('[data-mark="status-strategy"]')).to_have_text("Your mode here now")
    main = page.locator('[data-mark="account"] select').input_value()
    page.locator('[data-mark="take-strategy"]').click()
    account, outcome = page.locator('[data-mark="account"] select'), page.locator('[data-mark="outcome"]')
    expect(account).to_have_value(str(strategy))
    expect(page.locator('[data-mark="margin-form"]')).to_contain_text("Compared in strategy at 10x: sign that first")
    expect(outcome).to_be_empty()
    page = go(bench, f"{LINK}&account={strategy}")
    page.locator('[data-mark="take-cross"]').click()
    expect(account).to_have_value(main)
    expect(outcome).to_contain_text("that is the main account, which is chosen now")
    expect(page.locator('[data-mark="ticket-size"] input')).to_have_value("0.5")
    page.wait_for_load_state("networkidle")


def test_the_wizard_shows_the_numbers_of_the_comparison(bench: Bench) -> None:
    page = go(bench, f"{LINK}&view=wizard")
    expect(page.locator('[data-mark="asked"]')).to_have_text("Buy 0.5000 BTC-USD at 60,100, 10x, by your last what-if:")
    for mode in preview(bench).modes:
        name = mode.margin_mode
        for row, value in (("margin", mode.margin), ("stake", mode.at_stake), ("free", mode.free_after)):
            expect(page.locator(f'[data-mark="{row}-{name}"]')).to_have_text(numbers.dollars(value))
        worst = f"{numbers.dollars(-mode.worst[0].loss)} · {mode.worst[0].name}"
        expect(page.locator(f'[data-mark="worst-{name}"]')).to_have_text(worst)
    page.locator('[data-mark="answer-book-hedged"]').click()
    expect(page.locator('[data-mark="unfit"]')).to_contain_text("Two answers do not fit")
    page.locator('[data-mark="answer-hedges-elsewhere"]').click()
    expect(page.locator('[data-mark="unfit"]')).to_be_empty()
    expect(page.locator('[data-mark="advice-against"]')).to_contain_text("Legs elsewhere do not count here")
    bench.check()
