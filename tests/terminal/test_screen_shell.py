"""The frame of every page, in a real browser."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from playwright.sync_api import Page, expect

from bulkhead.client import Exchange, Order
from bulkhead.signing import Domain
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


def test_another_exchange_at_the_address_is_named_and_sent_nothing(bench: Bench, live: Live) -> None:
    """An upgrade beneath a running terminal, or a test venue where another one was."""
    page, authority = bench.page, live.node.exchange.machine.authority
    page.goto(bench.at("/?market=BTC-USD"))
    bench.ready()
    price, size = (page.locator(f'[data-mark="ticket-{name}"] input') for name in ("price", "size"))
    light, banner, submit = (page.locator(f'[data-mark="{name}"]') for name in ("light", "banner", "submit"))
    price.fill("58000")
    size.fill("0.123")
    known, authority.domain = authority.domain, Domain("BH_1_other")
    try:
        expect(light).to_have_attribute("data-state", "other")
        expect(banner).to_contain_text(f"chain BH_1_other, where {known.chain_id} is known")
        expect(banner).to_contain_text("name this terminal the address of the exchange that you mean")
        expect(submit).to_be_disabled()
        size.press("Enter")
        expect(page.locator('[data-mark="outcome"]')).to_contain_text("Nothing was sent. Another exchange answers")
        page.locator('[data-mark="margin-change"]').click()
        page.locator('[data-mark="margin-sign"]').click()
        expect(page.locator('[data-mark="margin-form"]')).to_contain_text("rejected. Another exchange answers")
        page.get_by_role("button", name="Leave").click()
        expect(page.locator('[data-mark="margin-form"]')).to_be_hidden()
        bench.check()
        page.goto(bench.at("/risk"))
        expect(banner).to_contain_text("chain BH_1_other")
        page.goto(bench.at("/?market=BTC-USD"))
        expect(submit).to_be_disabled()
    finally:
        authority.domain = known
    expect(light).to_have_attribute("data-state", "live")
    expect(banner).to_be_hidden()
    price.fill("58000")
    size.fill("0.123")
    expect(submit).to_be_enabled()
    submit.click()
    expect(page.locator('[data-mark="outcome"]')).to_contain_text("acknowledged")
    found = ask(live.url, lambda exchange: past(exchange, bench.terminal.seed, is_open=True))
    assert [order.quantity for order in found] == [Decimal("0.123")]


PAINTED = """([element, names]) => {
  const style = getComputedStyle(document.documentElement), canvas = element.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return names.map((name) => {
    const [, ...hex] = style.getPropertyValue("--" + name).match(/^#(..)(..)(..)$/);
    const wanted = hex.map((one) => parseInt(one, 16));
    let count = 0;
    for (let at = 0; at < data.length; at += 4)
      if (data[at + 3] > 150 && wanted.every((one, place) => Math.abs(one - data[at + place]) < 3)) count += 1;
    return count;
  });
}"""
GROUNDS = {"dark": "rgb(18, 22, 28)", "light": "rgb(244, 246, 248)"}


def painted(page: Page, mark: str, *names: str) -> list[int]:
    """How many pixels of the visible canvas in a panel have the theme's colours of these names."""
    found = page.locator(f'[data-mark="{mark}"] .bh-canvas').filter(visible=True)
    return list(found.evaluate(f"(element, names) => ({PAINTED})([element, names])", list(names)))


def entered(page: Page) -> list[str]:
    """What stands in every field of the screen."""
    return list(
        page.locator(".bh-screen").evaluate(
            """(screen) => [...screen.querySelectorAll(".bh-field :is(input, select)")]
              .map((one) => one.type === "checkbox" ? String(one.checked) : one.value)"""
        )
    )


def test_another_theme_loses_nothing_that_was_typed(bench: Bench) -> None:
    page = bench.page
    for path in ("/", "/compare", "/risk", "/settlement"):
        page.goto(bench.at(path))
        bench.ready()
        page.evaluate("() => { window.isThisPage = true; }")
        fields = page.locator(".bh-screen .bh-field input:not([type=checkbox]):enabled:visible")
        expect(fields.first).to_be_editable()
        for place in range(fields.count()):
            fields.nth(place).fill(str(7 + place))
        before = entered(page)
        assert "8" in before
        for wanted in ("light", "dark"):
            bench.light(wanted == "light")
            assert page.evaluate("() => window.isThisPage") is True
            assert entered(page) == before
            assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == GROUNDS[wanted]


def test_chart_and_depth_are_repainted_in_the_colours_of_the_theme(bench: Bench, live: Live) -> None:
    quote(live.url, "ETH-USD", "2990", "3010", seed=206)
    page = bench.page
    page.goto(bench.at("/?market=ETH-USD"))
    bench.ready()
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    expect(chart).to_have_attribute("data-candles", re.compile("[1-9]"))
    chart.evaluate("(one) => one.bhChart.dispatchAction({ type: 'dataZoom', start: 40, end: 60 })")
    zoom = "(one) => one.bhChart.getOption().dataZoom.map(({ start, end }) => [start, end])"
    wanted = chart.evaluate(zoom)
    for is_light in (True, False):
        bench.light(is_light)
        assert painted(page, "chart", "muted")[0] > 50, "what stands at the axes"
        page.locator("html").evaluate("(one, name) => { one.dataset.theme = name; }", "dark" if is_light else "light")
        assert painted(page, "chart", "muted") == [0], "and nothing is left of the other theme"
        page.locator("html").evaluate("(one, name) => { one.dataset.theme = name; }", "light" if is_light else "dark")
        assert chart.evaluate(zoom) == wanted, "what was in sight stays"
    page.locator('[data-mark="interval-Depth"]').click()
    for is_light in (True, False):
        bench.light(is_light)
        expect(page.locator('[data-mark="chart"] .bh-canvas').filter(visible=True)).to_have_count(1)
        assert min(painted(page, "chart", "up", "down", "muted")) > 20


def test_lines_of_modes_that_lie_on_each_other_are_all_seen(bench: Bench, live: Live) -> None:
    """What cross and scenario leave is the same at every move."""
    page = bench.page
    page.goto(bench.at("/compare?market=BTC-USD&side=BUY&type=LIMIT&size=0.2&price=60000&reach=50"))
    bench.ready()
    expect(page.locator('[data-mark="margin-cross"]')).not_to_have_text("–")
    chart = page.locator(".bh-whatif")
    page.wait_for_function("() => document.querySelector('.bh-whatif').bhChart?.getOption().series.length > 1")
    told = chart.evaluate(
        "(one) => one.bhChart.getZr().storage.getDisplayList().map((one) => one.style?.text).filter(Boolean)"
    )
    assert "cross = scenario" in told and "scenario = cross" in told
    for is_light in (True, False):
        bench.light(is_light)
        counts = painted(page, "along", "isolated", "cross", "strategy", "scenario")
        assert min(counts) > 100 and max(counts) < 2.5 * min(counts), "dashes of one where the others have none"


def test_the_theme_is_kept_for_the_next_visit_and_never_flashes(bench: Bench) -> None:
    page = bench.page
    page.goto(bench.at("/keys"))
    other = bench.context.new_page()
    other.goto(bench.at("/keys"))
    bench.light(True)
    expect(other.locator('html[data-theme="light"]')).to_have_count(1)
    expect(other.locator('[data-mark="theme"]')).to_have_value("light")
    page.add_init_script(
        """window.grounds = [];
        const look = () => {
          if (document.body) window.grounds.push(getComputedStyle(document.body).backgroundColor);
          requestAnimationFrame(look);
        };
        requestAnimationFrame(look);"""
    )
    page.reload()
    expect(page.locator('[data-mark="theme"]')).to_have_value("light")
    assert json.loads(page.evaluate("() => JSON.stringify([...new Set(window.grounds)])")) == [GROUNDS["light"]]
    page.locator('[data-mark="theme"]').select_option("auto")
    for machine in ("dark", "light"):
        page.emulate_media(color_scheme=machine)
        expect(page.locator(f'html[data-theme="{machine}"]')).to_have_count(1)
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == GROUNDS[machine]


async def past(exchange: Exchange, seed: int, *, is_open: bool = False) -> list[Order]:
    """Orders of the owner that have left, or those that are open."""
    trader = await owner(exchange, seed)
    return await (trader.orders() if is_open else trader.orders_history())
