"""The screen Compare and its wizard, in a real browser: what is shown is what the exchange says."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from bulkhead.client import Exchange, NewOrder, Owner, Trader
from bulkhead.client.models import Preview
from bulkhead.client.what_if import ModeWhatIf, WhatIf
from bulkhead.node.settings import HttpSettings
from bulkhead.node.store import tables
from bulkhead.node.store.candles import INDICES
from bulkhead.terminal import numbers
from bulkhead.terminal.compare.link import MODES
from tests.api.live import Fixed, Live, settings_for
from tests.terminal.browser import SIZE, Bench
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, quote, rich

BTC, ETH = "BTC-USD", "ETH-USD"
ORDER = NewOrder(market=BTC, side="BUY", quantity="1.5", price="60100")
ADDRESS = f"/compare?market={BTC}&side=BUY&size=1.5&price=60100&leverage=10&reach=50&correlation=zero&move=-23"


async def owner(exchange: Exchange, seed: int) -> Trader:
    return await Owner(exchange, ethereum_key(seed)).trader()


def told(bench: Bench, moves: list[dict[str, str]], order: NewOrder = ORDER) -> tuple[Preview, WhatIf]:
    """The same questions through the SDK."""

    async def work(exchange: Exchange) -> tuple[Preview, WhatIf]:
        trader = await owner(exchange, bench.terminal.seed)
        return await trader.preview(order, leverage=10), await trader.what_if(order, moves, leverage=10)

    return ask(bench.live.url, work)


@pytest.fixture(scope="module", autouse=True)
def standing(live: Live, terminal: Terminal) -> Iterator[None]:
    """Makers on both sides, a position in another market, and two hundred hours of candles in which both moved."""
    quote(live.url, BTC, "59900", "60100", size="5")
    quote(live.url, ETH, "2990", "3010", size="50")

    async def buy(exchange: Exchange) -> None:
        await (await owner(exchange, terminal.seed)).take(ETH, "BUY", "20", slippage="0.01")

    ask(live.url, buy)
    past(live)
    yield


def past(live: Live) -> None:
    """History of two hundred hours: BTC swings by 1 % an hour, ETH by 1.6 %, against it in every fifth hour."""
    hour_ms = 3_600_000
    now_ms = int(live.on_loop(lambda: int(live.node.exchange.state.time_ms))) // hour_ms * hour_ms
    rows: list[dict[str, Any]] = []
    for hour in range(1, 201):
        swing = Decimal(1 if hour % 2 else -1)
        for market_id, base, share in ((1, 60_000, 5), (2, 3_000, 8 if hour % 5 else -8)):
            price = str(base + swing * base * share / 1_000)
            prices = dict.fromkeys(("open", "high", "low", "close"), price)
            rows.append(
                {"market_id": market_id, "kind": INDICES, "minute_ms": now_ms - hour * hour_ms, "lots": 0, **prices}
            )
    with live.node.store.database.engine.begin() as connection:
        connection.execute(tables.candles.insert(), rows)


def returns(bench: Bench, market: str) -> list[float]:
    """Hourly log returns of the index, from the exchange's candles, oldest first."""

    async def work(exchange: Exchange) -> list[float]:
        found = await exchange.candles(market, "PT1H", kind="index-prices", limit=720)
        closes = [math.log(one.close) for one in sorted(found, key=lambda one: one.time_ms)]
        return [now - before for before, now in zip(closes, closes[1:], strict=False)]

    return ask(bench.live.url, work)


def cell(page: Page, row: str, mode: str) -> Any:
    return page.locator(f'[data-mark="{row}-{mode}"]')


def text_in(page: Page, row: str, mode: str) -> str:
    return cell(page, row, mode).inner_text()


def go(page: Page, address: str) -> None:
    """Go on when the page before has all that it asked for: a server that is hung up on says so in its log."""
    page.wait_for_load_state("networkidle")
    page.goto(address)


def opened(bench: Bench, address: str = ADDRESS) -> Page:
    """The screen with an answer in it."""
    go(bench.page, bench.at(address))
    bench.ready()
    expect(cell(bench.page, "margin", "cross")).not_to_have_text(numbers.NONE)
    return bench.page


def test_the_comparison_is_the_exchanges(bench: Bench) -> None:
    page = opened(bench)
    preview, what_if = told(bench, [{BTC: "-0.23"}])
    assert [one.margin_mode for one in preview.modes] == ["cross", "isolated", "strategy", "scenario"]
    for mode in preview.modes:
        name = mode.margin_mode
        assert numbers.read(text_in(page, "margin", name)) == round(mode.margin, 2)
        assert numbers.read(text_in(page, "stake", name)) == round(mode.at_stake, 2)
        assert numbers.read(text_in(page, "free", name)) == round(mode.free_after, 2)
        fee, l1_share = text_in(page, "fees", name).split("·")
        assert (numbers.read(fee), numbers.read(l1_share)) == (round(mode.fee, 2), round(mode.l1_share, 2))
        worst, stress = text_in(page, "worst", name).split(" · ")
        assert numbers.read(worst) == -round(mode.worst[0].loss, 2) and stress == mode.worst[0].name
        shared = [market for market in mode.shared_with if market != BTC]
        assert text_in(page, "shared", name) == (", ".join(shared) or "nothing")
        for row, price in (("liquidation", mode.liquidation_price), ("close-out", mode.close_out_price)):
            text = text_in(page, row, name)
            assert text == "none" if price is None else abs(numbers.read(text) - price) <= 1
    assert text_in(page, "shared", "cross") == ETH != text_in(page, "shared", "isolated")
    daily = statistics.stdev(returns(bench, BTC)) * math.sqrt(24)
    for mode in preview.modes:
        if mode.liquidation_price is None:
            assert text_in(page, "distance", mode.margin_mode) == "out of reach"
            continue
        share = mode.liquidation_price / 60_000 - 1
        sigmas = Decimal(repr(abs(math.log1p(float(share))) / daily))
        said = f"{numbers.percent(share, sign=True)} · {numbers.fixed(sigmas, 1)} σ"
        assert text_in(page, "distance", mode.margin_mode) == said
    assert "Daily σ of BTC-USD" in page.locator('[data-mark="about"]').inner_text()
    assert "from 200 1-hour bars, scaled to a day" in page.locator('[data-mark="about"]').inner_text()
    assert what_if.modes[0].points[0].equity > 0
    expect(page.locator('[data-mark="summary"]')).to_contain_text("isolated is liquidated")
    bench.check()
    assert page.evaluate("() => document.documentElement.scrollHeight") <= SIZE[1], "all of it in sight at once"


def slide(page: Page, share: str) -> None:
    """Drag the slider to a move."""
    page.locator('[data-mark="slider"] input').evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }",
        str(100 * Decimal(share)),
    )


def shown_at(page: Page, mode: ModeWhatIf) -> None:
    """What the table says of a mode at the slider is what the exchange said of it."""
    name, point = mode.margin_mode, mode.points[0]
    expect(cell(page, "equity", name)).to_have_text(numbers.dollars(point.equity))
    expect(cell(page, "left", name)).to_have_text(numbers.dollars(point.owner_left))
    state = text_in(page, "state", name)
    assert ("closed out" in state) == (mode.container_id in point.closed)
    assert (mode.container_id in point.down) == ("closed out" in state or "step by step" in state)
    assert (text_in(page, "down", name) == "nothing") == (not point.down)


def test_the_slider_shows_the_exchanges_points_and_its_liquidations(bench: Bench) -> None:
    page = opened(bench)
    slider = page.locator('[data-mark="slider"] input')
    for share in ("0", "-0.07", "-0.23", "-0.45", "0.3"):
        slide(page, share)
        expect(page.locator('[data-mark="entry-move"] input')).to_have_value(
            str(int(100 * Decimal(share)))
        )
        _, found = told(bench, [{BTC: share}])
        for mode in found.modes:
            shown_at(page, mode)
    slide(page, "-0.23")
    summary = page.locator('[data-mark="summary"]')
    expect(summary).to_contain_text("At \u221223% (BTC-USD at 46,200")
    expect(summary).to_contain_text("isolated is liquidated and loses up to")
    expect(summary).to_contain_text("cross still has")
    drawn = page.locator(".bh-whatif").evaluate(
        "one => one.bhChart.getOption().series.map(drawn => [drawn.id, drawn.markPoint?.data.map(at => at.coord[0])])"
    )
    marks = {name: at for name, at in drawn if name != "cursor"}
    preview, _ = told(bench, [])
    for mode in preview.modes:  # each mark stands at the exchange's price, and the slider stops there
        price = mode.liquidation_price
        far = price is None or price / 60_000 - 1 < Decimal("-0.5")
        expected = [] if far or price is None else [pytest.approx(float(100 * (price / 60_000 - 1)), abs=1e-4)]
        assert marks[mode.margin_mode] == expected
    assert marks["isolated"] and not marks["cross"]
    slider.focus()
    for key, percent in (("ArrowLeft", "-24"), ("Home", "-50"), ("PageUp", "-40")):
        page.keyboard.press(key)
        expect(page.locator('[data-mark="entry-move"] input')).to_have_value(percent)
    slide(page, "-0.089")  # to the nearest stop, which is where isolated margin is liquidated
    expect(page.locator('[data-mark="state-isolated"]')).to_contain_text("step by step")
    slide(page, "-0.08")
    expect(page.locator('[data-mark="state-isolated"]')).to_contain_text("none")


def test_other_markets_move_as_the_correlation_says(bench: Bench) -> None:
    page = opened(bench)
    where = page.locator(".bh-section")
    expect(where).to_have_text("If BTC-USD moves by \u221223% to 46,200")
    choice = page.locator('[data-mark="entry-correlation"] select')
    first, second = returns(bench, BTC), returns(bench, ETH)
    ratio = statistics.stdev(second) / statistics.stdev(first)
    beta = statistics.correlation(first, second) * ratio
    assert 0 < beta < ratio, "ETH went the other way in every fifth hour"
    for name, factor in (("one", ratio), ("intact", beta)):  # as many of its own deviations each; each by its beta
        before = where.inner_text()
        choice.select_option(name)
        expect(where).not_to_have_text(before)
        share = Decimal(repr(math.expm1(factor * math.log(0.77)))).quantize(Decimal("0.000001"))
        assert numbers.read(where.inner_text().split(ETH)[1]) == round(100 * share, 1)
        _, found = told(bench, [{BTC: "-0.23", ETH: str(share)}])
        for mode in found.modes:
            shown_at(page, mode)
    choice.select_option("zero")
    expect(where).to_have_text("If BTC-USD moves by \u221223% to 46,200")


def test_an_entry_is_answered_at_once_and_a_wrong_one_says_why(bench: Bench) -> None:
    page = opened(bench)
    size, before = page.locator('[data-mark="entry-size"] input'), text_in(page, "margin", "isolated")
    size.fill("0.5")
    expect(cell(page, "margin", "isolated")).not_to_have_text(before)
    assert int(page.locator('[data-mark="comparison"]').get_attribute("data-took") or "9999") < 1_000
    size.fill("lots")
    expect(page.locator('[data-mark="entry-size"]')).to_contain_text("size is a number, not 'lots'")
    for mark in ("comparison", "along"):
        expect(page.locator(f'[data-mark="{mark}"]')).to_have_class(re.compile("bh-is-old"))
    for is_light in (False, True):
        bench.light(is_light)
        bench.check_axe()  # what is old is paler, and can be read
    size.fill("100")
    for mode in MODES:
        expect(cell(page, "status", mode)).to_have_text("Refused. The account's free margin does not cover this")
        expect(page.locator(f'[data-mark="take-{mode}"]')).to_be_disabled()
    todo = re.compile(r"^Where it is refused: ask for less, .*deposit\.$")  # told once, beside the entries
    expect(page.locator('[data-mark="problem"]')).to_have_text(todo)
    expect(page.locator('[data-mark="summary"]')).to_contain_text("no mode would take the order")
    bench.check_layout()
    _, found = told(bench, [], replace(ORDER, quantity="100"))
    at_once = [mode.margin_mode for mode in found.modes if mode.container_id in mode.now.down]
    assert at_once, "that is no distance, whatever its price is"
    for mode in MODES:
        assert ("liquidated at once" in text_in(page, "distance", mode)) == (mode in at_once)
    size.fill("0.0000001")
    expect(page.locator('[data-mark="entry-size"]')).to_contain_text("in steps of 0.000001")
    size.fill("1,5")
    expect(page.locator('[data-mark="entry-size"]')).to_contain_text("a comma parts thousands")
    size.fill("0.5")
    page.locator('[data-mark="entry-price"] input').fill("90000")
    expect(page.locator('[data-mark="problem"]')).to_contain_text("Refused in every mode.")
    expect(cell(page, "margin", "cross")).to_have_text(numbers.NONE)
    page.locator('[data-mark="entry-price"] input').fill("60100")
    page.locator('[data-mark="entry-loss"] input').fill("500")
    terms = ask(bench.live.url, lambda exchange: exchange.market(BTC))
    for mode in MODES:
        async def size_for(exchange: Exchange, mode: str = mode) -> Decimal:
            return await (await owner(exchange, bench.terminal.seed)).size_for(BTC, "BUY", 500, mode=mode, leverage=10)

        expect(cell(page, "size", mode)).not_to_have_text(numbers.NONE)
        size_most = ask(bench.live.url, size_for)
        assert text_in(page, "size", mode) == (numbers.size(terms, size_most) if size_most else "none")


def test_a_link_opens_the_same_what_if_and_the_ticket_is_filled(bench: Bench) -> None:
    page = opened(bench)
    page.locator('[data-mark="sell"]').click()
    expect(page.locator('[data-mark="sell"]')).to_have_css("color", "rgb(240, 145, 58)")  # of its side, under the hand
    bench.check_axe()
    page.locator('[data-mark="entry-size"] input').fill("0.75")
    page.locator('[data-mark="entry-move"] input').fill("12.5")
    expect(page.locator('[data-mark="summary"]')).to_contain_text("At +12.5%")
    expect(page).to_have_url(re.compile("side=SELL.*size=0.75.*move=12.5"))
    rows = ("margin", "liquidation", "distance", "stake", "worst", "equity", "left", "down")
    shown = [text_in(page, row, mode) for row in rows for mode in MODES]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator('[data-mark="copy-link"]').click()
    expect(page.locator('[data-mark="copied"]')).to_have_text("Copied.")
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link == page.url
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.locator('[data-mark="copy-link"]').click()
    expect(page.locator('[data-mark="copied"]')).to_contain_text("copy the address bar")
    again = bench.tab()
    go(again, link)
    expect(again.locator('[data-mark="summary"]')).to_have_text(page.locator('[data-mark="summary"]').inner_text())
    assert [text_in(again, row, mode) for row in rows for mode in MODES] == shown
    again.wait_for_load_state("networkidle")
    again.close()
    page.locator('[data-mark="take-isolated"]').click()
    expect(page).to_have_url(re.compile(r"/\?market=BTC-USD&.*side=SELL.*size=0.75.*price=60100.*mode=isolated"))
    expect(page.locator('[data-mark="ticket-size"] input')).to_have_value("0.75")
    expect(page.locator('[data-mark="ticket-price"] input')).to_have_value("60100")
    expect(page.locator('[data-mark="side-sell"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator('[data-mark="margin-form"]')).to_contain_text("Compared in isolated at 10x: sign that first")
    expect(page.locator('[data-mark="margin-form"] select')).to_have_value("isolated")
    page.wait_for_load_state("networkidle")


def test_a_link_that_is_none_says_which_part(bench: Bench) -> None:
    go(bench.page, bench.at(f"/compare?market={BTC}&size=1&price=60000&leverage=1000"))
    bench.ready()
    expect(bench.page.locator('[data-mark="entry-leverage"]')).to_contain_text("whole number up to 100")
    go(bench.page, bench.at(f"/compare?market={BTC}&size=1&price=60000&account=640"))
    expect(bench.page.locator('[data-mark="problem"]')).to_contain_text("Unlock account 640 first")
    expect(bench.page.locator('[data-mark="slider"] input')).to_be_disabled()
    go(bench.page, bench.at(f"/compare?market={BTC}&size={10**12}&price=60000"))
    expect(bench.page.locator('[data-mark="problem"]')).to_contain_text("code 1133: quote amount", ignore_case=True)


def test_a_first_question_stands_there_already(bench: Bench) -> None:
    page = opened(bench, "/compare")
    assert numbers.read(page.locator('[data-mark="entry-size"] input').input_value()) > 1
    expect(page.locator('[data-mark="summary"]')).to_contain_text("At \u221210%")
    size = page.locator('[data-mark="entry-size"] input')
    size.fill("")  # to enter another one
    expect(page.locator('[data-mark="problem"], [data-mark="entry-size"] .bh-danger').first).not_to_be_empty()
    page.wait_for_timeout(1_200)  # prices go on
    expect(size).to_have_value("", timeout=100)


def test_too_few_bars_are_said_to_be_too_few(bench: Bench) -> None:
    page = opened(bench, "/compare?market=XRP-USD&size=1000&price=0.6&move=-10&correlation=one")
    about = page.locator('[data-mark="about"]')
    said = r"Daily σ of XRP-USD is not known: \d+ 1-minute bars, 30 are needed\. Held still: .*ETH-USD"
    expect(about).to_have_text(re.compile(said))
    assert "σ" not in text_in(page, "distance", "isolated") + page.locator('[data-mark="summary"]').inner_text()
    expect(page.locator(".bh-section")).not_to_contain_text(ETH)


def test_history_begins_where_there_is_nothing_before(bench: Bench) -> None:
    """Of the index there is one minute in each hour: bars of either are as many, and begin together."""
    page = opened(bench)
    go(page, bench.at(f"/?market={BTC}"))
    bench.ready()
    hours = ask(bench.live.url, lambda exchange: exchange.candles(BTC, "PT1H", kind="index-prices", limit=480))
    begins = time.gmtime(min(one.time_ms for one in hours) / 1000)
    for interval in ("1m", "1h"):
        page.locator(f'[data-mark="interval-{interval}"]').click()
        page.wait_for_selector('[data-mark="chart"] [data-candles]')
        expect(page.locator('[data-mark="since"]')).to_have_text(time.strftime("since %d.%m.%Y", begins))
    page.wait_for_load_state("networkidle")


def test_the_wizard_gives_presets_their_modes_with_the_traders_own_numbers(bench: Bench) -> None:
    page = opened(bench)
    stake = text_in(page, "stake", "isolated")
    page.locator('[data-mark="to-wizard"]').click()
    advised = page.locator('[data-mark="advised"]')
    expect(advised).to_have_text("Isolated")
    expect(cell(page, "stake", "isolated")).to_have_text(stake)
    for preset, mode in (("market-maker", "Cross"), ("hybrid", "Strategy"), ("swing-trader", "Isolated")):
        page.locator(f'[data-mark="preset-{preset}"]').click()
        expect(advised).to_have_text(mode)
        expect(page.locator(f'[data-mark="preset-{preset}"]')).to_have_attribute("aria-pressed", "true")
    page.locator('[data-mark="answer-book-hedged"]').click()
    expect(advised).to_have_text("Strategy")
    expect(page.locator('[data-mark="advice-against"] li').first).to_be_visible()
    bench.check()
    page.locator('[data-mark="to-compare"]').click()
    expect(cell(page, "stake", "isolated")).to_have_text(stake)


def test_an_exchange_that_is_down_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """A venue and a terminal of its own."""
    settings = settings_for(tmp_path / "node")
    with ExitStack() as ends:
        running = [Live(settings, Fixed())]
        ends.callback(lambda: [one.stop() for one in running])
        first = running[0]
        key_file(tmp_path / "keys", NAMED, ethereum_key(7))
        ask(first.url, lambda exchange: rich(exchange, 7))
        terminal = Terminal(first.url, tmp_path / "keys", "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
        ends.callback(terminal.stop)
        bench = Bench(browser, terminal, first)
        ends.callback(bench.close)
        page = opened(bench)
        shown = text_in(page, "margin", "isolated")
        running.pop().stop()
        page.locator('[data-mark="entry-size"] input').fill("0.5")
        problem, comparison = page.locator('[data-mark="problem"]'), page.locator('[data-mark="comparison"]')
        expect(problem).to_contain_text("The exchange gives no answer: what is shown is old.")
        expect(comparison).to_have_class(re.compile("bh-is-old"))
        assert text_in(page, "margin", "isolated") == shown
        port = int(first.url.rsplit(":", 1)[1])
        running.append(Live(msgspec.structs.replace(settings, http=HttpSettings(port=port)), Fixed()))
        expect(problem).to_be_empty()
        expect(cell(page, "margin", "isolated")).not_to_have_text(shown)
        expect(comparison).not_to_have_class(re.compile("bh-is-old"))
