"""The screen Risk in a real browser: numbers as the API has them, moving margin, a margin call, a liquidation told."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from threading import Thread

from playwright.sync_api import Locator, expect

from bulkhead.client import AssetLeg, Compartments, NewOrder, Trader
from bulkhead.terminal import numbers
from tests.api.live import Live
from tests.terminal.browser import Bench
from tests.terminal.owner import by_owner
from tests.terminal.venue import ask, quote

MARKET, ETHER = "BTC-USD", "ETH-USD"


def line(bench: Bench, name: str) -> Locator:
    """A line of a grid by what its first cell says."""
    return bench.page.locator(f'tr:has(> td:first-child > span:text-is("{name}"))')


def cell(bench: Bench, name: str, mark: str) -> Locator:
    """One of its cells."""
    return line(bench, name).locator(f'[data-cell="{mark}"]')


def buy(bench: Bench, market: str, size: str, price: int, leverage: int) -> None:
    """Hold a long position in a compartment of its own."""

    async def work(trader: Trader) -> None:
        await trader.choose_mode(market, "isolated", leverage=leverage)
        await trader.take(market, "BUY", size)

    quote(bench.live.url, market, str(price - 1), str(price), size)
    by_owner(bench, work)


def compartments(bench: Bench) -> Compartments:
    return by_owner(bench, lambda trader: trader.compartments())


def test_accounts_are_shown_as_the_exchange_has_them(bench: Bench) -> None:
    buy(bench, MARKET, "0.5", 60_000, 10)
    bench.page.goto(bench.at("/risk"))
    bench.ready()
    held = compartments(bench)
    cross, child = held.compartments
    for name, one in (("cross", cross), ("isolated BTC-USD", child)):
        for mark, value in (
            ("value", one.value), ("initial", one.initial), ("maintenance", one.maintenance),
            ("close-out", one.close_out),
        ):  # fmt: skip
            expect(cell(bench, name, mark)).to_have_text(numbers.dollars(value))
        assert one.used is not None
        expect(cell(bench, name, "used")).to_have_text(numbers.percent(one.used))
        worst = one.worst_loss if one.positions else Decimal(0)
        expect(cell(bench, name, "worst")).to_have_text(numbers.dollars(worst))
    [earned] = by_owner(bench, lambda trader: trader.evidence.profit())
    profit = Decimal(earned["realisedPnl"]) + Decimal(earned["unrealisedPnl"])
    assert int(earned["accountId"]) == cross.account_id and profit < 0, "fees were paid"
    expect(cell(bench, "cross", "profit")).to_have_text(numbers.dollars(profit, sign=True))
    expect(cell(bench, "Everything", "total-profit")).to_have_text(numbers.dollars(profit, sign=True))
    expect(cell(bench, "Everything", "total-worst")).to_have_text(numbers.dollars(held.together[0].loss))
    expect(cell(bench, "Everything", "total-value")).to_have_text(numbers.dollars(held.value))
    liquidation = child.positions[0].liquidation_price
    market = ask(bench.live.url, lambda exchange: exchange.market(MARKET))
    expect(cell(bench, "BTC-USD long", "liquidation")).to_have_text(numbers.price(market, liquidation))
    answers = bench.page.locator('[data-mark="answer"]')
    expect(answers).to_have_count(5)
    expect(answers.nth(0)).to_contain_text(numbers.dollars(held.together[0].loss))
    apart = sum((one.worst_loss for one in held.compartments), Decimal(0))
    expect(answers.nth(0)).to_contain_text(f"each compartment at its worst, at once{numbers.dollars(apart)} USD")
    expect(answers.nth(1)).to_contain_text("liquidates isolated BTC-USD first")
    expect(answers.nth(2)).not_to_contain_text("by force")  # this venue has no contract that could be forced
    expect(answers.nth(4)).to_contain_text("1 of 1 oracle signers")
    for place in range(5):
        expect(answers.nth(place)).to_contain_text("From GET /api/v1/")
    bench.check()


def test_margin_is_moved_by_a_form_that_judges_before_it_signs(bench: Bench) -> None:
    bench.page.goto(bench.at("/risk"))
    bench.ready()
    before = compartments(bench)
    cross, child = before.compartments
    form = bench.page.locator('[data-mark="move"]')
    verdict, send = form.locator('[data-mark="move-verdict"]'), form.locator('[data-mark="move-send"]')
    expect(send).to_be_disabled()
    form.get_by_label("From", exact=True).select_option(str(child.account_id))
    form.get_by_label("To", exact=True).select_option(str(cross.account_id))
    form.get_by_label("Amount").fill("90000000")
    expect(verdict).to_contain_text("It would be refused.")
    expect(send).to_be_disabled()
    form.get_by_label("From", exact=True).select_option(str(cross.account_id))
    form.get_by_label("To", exact=True).select_option(str(child.account_id))
    form.get_by_label("Amount").fill("1,500.25")
    expect(verdict).to_have_text("It would be accepted now.")
    wanted = numbers.dollars(child.value + Decimal("1500.25"))
    expect(form.locator('[data-cell="before-value"]').nth(1)).to_have_text(numbers.dollars(child.value))
    expect(form.locator('[data-cell="after-value"]').nth(1)).to_have_text(wanted)
    for width in (1280, 1680):  # the form stands in a column of its own there
        bench.page.set_viewport_size({"width": width, "height": 1050})
        bench.check_layout()
    late = Thread(target=lambda: bench.live.on_loop(lambda: time.sleep(2.0)))
    late.start()
    send.click()
    expect(verdict).to_have_text("Move 1,500.25 USD: sent…")
    expect(send).to_be_disabled()
    late.join()
    expect(verdict).to_have_text("Move 1,500.25 USD: done.")
    expect(cell(bench, "isolated BTC-USD", "value")).to_have_text(wanted)
    assert compartments(bench).of(child.account_id).value == child.value + Decimal("1500.25")
    bench.page.wait_for_timeout(1_000)  # in which nothing else was entered
    expect(verdict).to_have_text("Move 1,500.25 USD: done.")
    form.get_by_label("Amount").fill("a lot")
    expect(verdict).to_contain_text("is no number")
    form.get_by_label("Amount").fill("0.0000001")
    expect(verdict).to_have_text("Six decimal places at most.")
    expect(send).to_be_disabled()


def test_a_position_goes_home_and_a_strategy_is_opened(bench: Bench) -> None:
    bench.page.goto(bench.at("/risk"))
    bench.ready()
    cross, child = compartments(bench).compartments
    form = bench.page.locator('[data-mark="move"]')
    form.get_by_label("From", exact=True).select_option(str(child.account_id))
    form.get_by_label("To", exact=True).select_option(str(cross.account_id))
    form.get_by_label("Amount").fill("0.1")  # dollars, and no coins in a moment
    form.get_by_label("What").select_option(MARKET)
    expect(form.get_by_label("Size, BTC")).to_have_value("")
    form.get_by_label("Size, BTC").fill("0.1234567")
    expect(form.locator('[data-mark="move-verdict"]')).to_contain_text("In steps of 0.000001")
    form.get_by_label("Size, BTC").fill("")
    expect(form.locator('[data-mark="move-verdict"]')).to_have_text("It would be accepted now.")
    form.locator('[data-mark="move-send"]').click()
    expect(form.locator('[data-mark="move-verdict"]')).to_contain_text("done")
    held = compartments(bench).of(cross.account_id)
    assert [one.market for one in held.positions] == [MARKET]
    made = bench.page.locator('[data-mark="new-strategy"]')
    made.get_by_label("Name").fill("basis")
    made.get_by_role("button").click()
    expect(line(bench, "strategy basis")).to_be_visible()
    made.get_by_label("Name").fill("basis")
    made.get_by_role("button").click()
    expect(made).to_contain_text("There is a strategy of that name")
    for width in (1280, 1600):
        bench.page.set_viewport_size({"width": width, "height": 800})
        bench.check_layout()
    mode = bench.page.locator('[data-mark="mode"]')
    mode.get_by_label("In").select_option("ETH-USD")
    expect(mode.locator('[data-mark="mode-now"]')).to_contain_text("Now cross, ")
    for wrong in ("0", "5000"):
        mode.get_by_label("Leverage").fill(wrong)
        mode.get_by_role("button").click()
        expect(mode).to_contain_text("From 1 to ")
    mode.get_by_label("Leverage").fill("5")
    mode.get_by_role("button").click()
    expect(mode.locator('[data-mark="mode-note"]')).to_contain_text("ETH-USD is isolated")
    expect(mode.locator('[data-mark="mode-now"]')).to_contain_text("Now isolated, 5x, for orders of ")
    expect(bench.page.locator('[data-mark="last-action"]')).to_contain_text("acknowledged")
    placed = by_owner(bench, order_of_strategy)
    trade_as_the_strategy(bench)
    bench.page.goto(bench.at("/settlement"))
    way = bench.page.locator(f'tr[data-id="order-{placed}"]')
    way.get_by_role("button", name="Check the receipt").click()
    expect(bench.page.locator('[data-mark="ways"]')).to_contain_text("has the order that your key signed")


def trade_as_the_strategy(bench: Bench) -> None:
    """The ticket offers every account of the owner, and trades as the one that is chosen."""
    bench.page.goto(bench.at(f"/?market={MARKET}"))
    bench.ready()
    chosen = bench.page.locator('[data-mark="ticket-account"] select')
    main = compartments(bench).compartments[0].account_id
    strategy = by_owner(bench, lambda trader: trader.strategies()).strategies[0]
    expect(chosen).to_have_value(str(main))
    chosen.select_option(str(strategy.l2_vault))
    expect(bench.page.locator('[data-mark="account"] select')).to_have_value(str(strategy.l2_vault))
    expect(bench.page.locator('[data-mark="margin"]')).to_contain_text("in a strategy")
    expect(bench.page.locator('[data-mark="equity"]')).to_have_text("2,000.00")
    bench.check_layout()
    chosen.select_option(str(main))
    expect(bench.page.locator('[data-mark="account"] select')).to_have_value(str(main))


async def order_of_strategy(trader: Trader) -> int:
    """Money for the strategy, and an order of its own."""
    [strategy] = (await trader.strategies()).strategies
    await trader.move([AssetLeg(trader.account_id, strategy.l2_vault, Decimal(2_000))])
    own = await trader.strategy(strategy.l2_vault)
    order = NewOrder(market=MARKET, side="BUY", quantity="0.01", price="57000", post_only=True)
    return (await own.place(order)).id


def test_a_margin_call_is_told_on_every_screen_and_a_liquidation_explained(bench: Bench) -> None:
    buy(bench, ETHER, "20", 3_000, 20)
    bench.page.goto(bench.at("/keys"))
    bench.ready()
    alert = bench.page.locator('[data-mark="margin-call"]')
    expect(alert).to_be_hidden()
    other = bench.tab()
    price = 3_000.0
    while not any(one.call for one in compartments(bench).compartments):
        price -= 8.0
        assert price > 2_700, "nobody is called"
        bench.live.source.now[ETHER] = price
        bench.page.wait_for_timeout(250)  # a tick
    expect(alert).to_contain_text("Margin call")
    expect(other.locator('[data-mark="margin-call"]')).to_be_visible()
    bench.page.goto(bench.at("/risk"))
    bench.ready()
    expect(alert).to_be_visible()
    note = bench.page.locator(".bh-note-row td")
    called = line(bench, "isolated ETH-USD").locator("td").first
    expect(note).to_have_css("padding-left", called.evaluate("one => getComputedStyle(one).paddingLeft"))
    told = bench.page.locator('[data-mark="answer"]').nth(1)
    expect(told).to_contain_text("1 of 2 compartments is called now: isolated ETH-USD.")
    used = cell(bench, "isolated ETH-USD", "used")
    end_s = time.monotonic() + 10  # the checklist's prices are the table's: when both are painted, they say the same
    while f"maintenance used{used.text_content()}" not in (told.text_content() or ""):
        assert time.monotonic() < end_s, (used.text_content(), told.text_content())
    bench.shoot("risk")
    own = bench.page.locator('[data-mark="own-liquidations"]')
    while not by_owner(bench, lambda trader: trader.evidence.liquidations()):
        price -= 6.0
        assert price > 2_600, "nobody is liquidated"
        bench.live.source.now[ETHER] = price
        bench.page.wait_for_timeout(250)
    expect(own.get_by_role("button", name="Why").first).to_be_visible()
    rows = by_owner(bench, lambda trader: trader.evidence.liquidations())
    expect(own.locator('[data-cell="slippage"]').first).to_have_text(numbers.fixed(Decimal(rows[0]["slippageBp"]), 0))
    own.get_by_role("button", name="Why").first.click()
    story = bench.page.locator('[data-mark="story"]')
    told = by_owner(bench, lambda trader: trader.evidence.explain(rows[0]["id"]))
    expect(story).to_contain_text(told["story"].split("\n")[0])
    expect(story).to_contain_text("the rules agree")
    bench.check()



def test_the_longest_name_of_a_strategy_runs_over_nothing(bench: Bench, live: Live) -> None:
    name, page = "W" * 128, bench.page
    quote(live.url, MARKET, "59900", "60100", seed=209)
    page.goto(bench.at("/risk"))
    bench.ready()
    page.locator('[data-mark="new-strategy"] input').fill(name)
    page.locator('[data-mark="strategy-send"]').click()
    chosen = page.locator('[data-mark="account"] select')
    expect(chosen.locator("option", has_text=name)).to_have_count(1)

    async def hold(trader: Trader) -> int:
        [account_id] = [one.l2_vault for one in (await trader.strategies()).strategies if one.description == name]
        await trader.move([AssetLeg(trader.account_id, account_id, Decimal(3_000))])
        await (await trader.strategy(account_id)).take(MARKET, "BUY", "0.2", slippage="0.01")
        return account_id

    account_id = by_owner(bench, hold)
    for mark in ("compartments", "positions"):
        shown = page.locator(f'[data-mark="{mark}"] td.bh-name > span', has_text=name)
        expect(shown).to_have_attribute("title", re.compile(name))
        assert (shown.bounding_box() or {})["width"] <= 190
    bench.check_layout()
    page.goto(bench.at(f"/?market={MARKET}"))
    bench.ready()
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    expect(chart).to_have_attribute("data-lines", re.compile(f"liquidation {account_id}"))
    ends = chart.evaluate(
        """(element) => element.bhChart.getZr().storage.getDisplayList().filter((one) => one.style?.text !== undefined)
          .map((one) => { const box = one.getBoundingRect().clone(); box.applyTransform(one.transform);
            return [box.x, box.x + box.width, element.clientWidth]; })"""
    )
    assert ends and all(begin >= 0 and end <= wide for begin, end, wide in ends)
    chosen.select_option(str(account_id))
    for path in ("/", "/compare", "/settlement"):
        page.goto(bench.at(path))
        bench.ready()
        expect(chosen).to_have_attribute("title", f"{name} · {account_id}")
        bench.check_layout()
