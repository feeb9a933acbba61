"""The screen Operator in a real browser: what the node tells of itself, witnesses, a draft that applies nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
from playwright.sync_api import Locator, expect

from bulkhead.client import Trader
from bulkhead.client.draft import Draft, config_of, digest_of, parameters
from bulkhead.node.settings import Settings
from bulkhead.terminal import numbers
from tests.terminal.browser import Bench
from tests.terminal.owner import by_owner
from tests.terminal.venue import ask, quote

MARKET, ETHER = "BTC-USD", "ETH-USD"


def line(bench: Bench, panel: str, name: str) -> Locator:
    """A line of a panel's grid by what its first cell says."""
    return bench.page.locator(f'[data-mark="{panel}"] tr:has(> td:first-child > span:text-is("{name}"))')


def test_the_venue_is_shown_as_it_tells_itself(bench: Bench) -> None:
    quote(bench.live.url, MARKET, "59990", "60010", "1")
    by_owner(bench, lambda trader: trader.take(MARKET, "BUY", "0.4"))
    bench.live.source.now[MARKET] = 60_120.0
    bench.page.goto(bench.at("/operator"))
    bench.ready()
    markets = ask(bench.live.url, lambda exchange: exchange.markets())
    stats = markets[MARKET].market_stats
    shown = line(bench, "markets", MARKET)
    expect(shown.locator('[data-cell="open-interest"]')).to_have_text(numbers.dollars(stats.open_interest))
    expect(shown.locator('[data-cell="index"]')).to_have_text(numbers.price(markets[MARKET], Decimal(60_120)))
    expect(shown.locator('[data-cell="age"]')).to_contain_text("ago")
    books = ask(bench.live.url, lambda exchange: exchange.books.insurance())
    for budget in books["budgets"]:
        left = line(bench, "insurance", budget["market"]).locator('[data-cell="left"]')
        expect(left).to_have_text(numbers.dollars(Decimal(budget["left"])))
    expect(line(bench, "oracle", "0").locator('[data-cell="signed"]')).to_contain_text("ago")
    figure = bench.page.locator('[data-figure="latency"]')
    expect(figure).to_contain_text("ms")
    expect(bench.page.locator('[data-figure="brown-out"]')).to_contain_text("off")
    expect(bench.page.locator('[data-figure="health"]')).to_contain_text("well")
    bench.page.wait_for_timeout(5_500)  # ranks are worked out again when they are five seconds old
    levels = ask(bench.live.url, lambda exchange: exchange.statistics(MARKET)).deleverage_levels
    assert [one.level for one in levels.long_positions] == [10], "one long is in profit"
    least = numbers.dollars(levels.long_positions[0].ranking_lower_bound)
    expect(line(bench, "deleveraging", MARKET)).to_contain_text(least)
    bench.check()


def test_the_longest_words_of_the_figures_stay_in_their_frames(bench: Bench) -> None:
    node = bench.live.node
    kept = node.settings
    limits = msgspec.structs.replace(kept.limits, brown_out_batches=1_000_000)

    def become(settings: Settings) -> None:
        node.settings = settings

    bench.live.on_loop(lambda: become(msgspec.structs.replace(kept, limits=limits)))
    try:
        bench.page.goto(bench.at("/operator"))
        bench.ready()
        note = bench.page.locator('[data-figure="brown-out"] .bh-note')
        expect(note).to_have_text("from 3,000 waiting, 1,000,000 unproven")
        for width in (1280, 1600):
            bench.page.set_viewport_size({"width": width, "height": 800})
            bench.check_layout()
    finally:
        bench.live.on_loop(lambda: become(kept))


def test_a_parameter_is_drafted_checked_saved_and_never_applied(bench: Bench) -> None:
    bench.page.goto(bench.at("/operator"))
    bench.ready()
    before = ask(bench.live.url, lambda exchange: exchange.books.operator())["configuration"]
    form = bench.page.locator('[data-mark="draft"]')
    verdict = form.locator('[data-mark="draft-verdict"]')
    expect(verdict).to_contain_text("Configuration 0x")
    form.get_by_label("Of", exact=True).select_option("BTC-USD.tier1")
    form.get_by_label("Parameter", exact=True).select_option("BTC-USD.tier1.maintenance")
    form.get_by_label("New value").fill("90")
    form.locator('[data-mark="draft-change"]').click()
    expect(verdict).to_contain_text("Refused. BTC-USD: tier 1")
    form.get_by_label("New value").fill("1.1")
    form.locator('[data-mark="draft-change"]').click()
    expect(verdict).to_contain_text("The rules allow it")
    expect(form.locator('[data-cell="would-be"]')).to_have_text("1.1")
    form.get_by_label("Name").fill("../tier")
    form.locator('[data-mark="draft-save"]').click()
    expect(form).to_contain_text("61 at most")
    form.get_by_label("Name").fill("tier")
    form.get_by_label("Why").fill("wider")
    form.locator('[data-mark="draft-save"]').click()
    expect(verdict).to_contain_text("Saved as")
    expect(verdict).to_contain_text("bulkhead l1 propose --exchange FOLDER --draft ")
    saved = bench.terminal.keys.parent / "drafts" / "tier.json"
    with bench.page.expect_download() as download:
        form.locator('[data-mark="draft-export"]').click()
    exported = Path(download.value.path()).read_text(encoding="utf-8")
    assert exported == saved.read_text(encoding="utf-8")
    config = config_of(ask(bench.live.url, lambda exchange: exchange.books.genesis()))
    draft = Draft.from_json(exported)
    assert json.loads(exported)["result"] == digest_of(draft.applied(config)) != before == digest_of(config)
    assert draft.note == "wider" and draft.changes == {"BTC-USD.tier1.maintenance": Decimal("1.1")}
    assert parameters(config)["BTC-USD.tier1.maintenance"].value == Decimal("1.2")
    after = ask(bench.live.url, lambda exchange: exchange.books.operator())["configuration"]
    assert after == before, "nothing is applied"
    bench.page.reload()
    form.get_by_label("Saved drafts").select_option("tier")
    form.locator('[data-mark="draft-open"]').click()
    expect(form.locator('[data-cell="would-be"]')).to_have_text("1.1")
    form.get_by_role("button", name="Take BTC-USD.tier1.maintenance out of the draft").click()
    expect(form).to_contain_text("changes nothing yet")


def test_a_liquidation_is_recomputed_from_its_witness(bench: Bench) -> None:
    async def leveraged(trader: Trader) -> None:
        await trader.choose_mode(ETHER, "isolated", leverage=20)
        await trader.take(ETHER, "BUY", "5")

    quote(bench.live.url, ETHER, "2999", "3000", "5")
    by_owner(bench, leveraged)
    bench.page.goto(bench.at("/operator"))
    bench.ready()
    price = 3_000.0
    while not ask(bench.live.url, lambda exchange: exchange.books.liquidations()):
        price -= 12.0
        assert price > 2_600, "nobody is liquidated"
        bench.live.source.now[ETHER] = price
        bench.page.wait_for_timeout(250)
    rows = ask(bench.live.url, lambda exchange: exchange.books.liquidations())
    panel = bench.page.locator('[data-mark="liquidations"]')
    expect(panel.locator('[data-cell="slippage"]').first).to_have_text(
        numbers.fixed(Decimal(rows[0]["slippageBp"]), 0)
    )
    expect(panel).to_contain_text("the book")
    panel.get_by_role("button", name="Recompute").first.click()
    expect(panel).to_contain_text("the rules agree with its witness")
    bench.check()
