"""The chart of the Trade screen: what its lines are called, and what of it is in sight as candles come and go."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from bulkhead.terminal import numbers
from tests.terminal.browser import Bench
from tests.terminal.venue import ask

MARKET = "BTC-USD"
CANDLES_COME = """(element, [counts, zoom, dropped]) => {
  const chart = element.bhChart, given = (count, gone) => {
    const times = Array.from({ length: count }, (_, at) => 60_000 * (at + gone)), marks = times.map(() => 100);
    return { candles: times.map((at) => [at, 100, 101, 99, 102, 1]), marks, indices: marks, span: 60_000 };
  };
  const inSight = (gone) => {
    const [one] = chart.getOption().dataZoom;
    return [one.startValue + gone, one.endValue + gone];
  };
  const component = getElement(Number(element.id.slice(1)));
  component.paint({ ...given(1, 0), span: 0 });  // another interval: whatever was in sight before counts no more
  return counts.map((count, place) => {
    component.paint(given(count, dropped[place] || 0));
    if (zoom && !place) chart.dispatchAction({ type: "dataZoom", startValue: zoom[0], endValue: zoom[1] });
    return inSight(dropped[place] || 0);
  });
}"""


def on_trade(bench: Bench) -> Page:
    """The page, with the market's screen."""
    bench.page.goto(bench.at(f"/?market={MARKET}"))
    bench.ready()
    return bench.page


def test_the_legend_says_which_line_is_the_marks_and_which_the_indexs(bench: Bench) -> None:
    """Told apart by dashes and by colour, as they are drawn; with what the exchange says they are now."""
    page = on_trade(bench)
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    for is_light in (False, True):
        bench.light(is_light)
        now = ask(bench.live.url, lambda exchange: exchange.statistics(MARKET))
        terms = ask(bench.live.url, lambda exchange: exchange.market(MARKET))
        expect(chart).to_have_attribute("data-paints", re.compile("."))
        for name, price, style in (("mark", now.mark_price, "solid"), ("index", now.index_price, "dashed")):
            key = page.locator(f'[data-mark="legend-{name}"]')
            expect(key).to_have_text(f"{name.title()} {numbers.price(terms, price)}")
            shown = key.locator("i").evaluate(
                "(one) => [getComputedStyle(one).borderTopStyle, getComputedStyle(one).borderTopColor]"
            )
            drawn = chart.evaluate(
                """(element, name) => {
                  const { color, type } = element.bhChart.getOption().series.find((one) => one.id === name).lineStyle;
                  const pen = document.createElement("i");
                  pen.style.color = color;
                  return [type === "solid" ? "solid" : "dashed", pen.style.color];
                }""", name,
            )  # fmt: skip
            assert shown == drawn and shown[0] == style
        bench.check()
    bench.light(False)
    page.locator('[data-mark="interval-Depth"]').click()
    expect(page.locator('[data-mark="legend"]')).to_be_hidden()
    expect(page.locator('[data-mark="chart"] .bh-age')).to_be_visible()


SIGHTS = {
    "young": ([60, 61, 119, 120, 121, 150], None, [], [(0, 59), (0, 60), (0, 118), (0, 119), (1, 120), (30, 149)]),
    "kept": ([480, 480, 480], None, [0, 1, 5], [(360, 479), (361, 480), (365, 484)]),
    "near": ([200, 201, 210], (170, 199), [], [(170, 199), (171, 200), (180, 209)]),
    "everything": ([100, 130, 140], (0, 99), [], [(0, 99), (0, 129), (0, 139)]),
    "scrolled": ([200, 201, 300], (50, 90), [], [(50, 90), (50, 90), (50, 90)]),
    "gone": ([480, 480, 480, 480], (50, 90), [0, 1, 30, 100], [(50, 90), (50, 90), (50, 90), (460, 579)]),
}
"""How many candles there are, one after another; where it was scrolled to after the first; how many of the oldest have
gone; and which places are in sight then, counted from the first candle ever."""


def test_a_candle_that_comes_is_seen_and_what_was_scrolled_to_stays(bench: Bench) -> None:
    page = on_trade(bench)
    chart = page.locator('[data-mark="chart"] .bh-canvas').first
    expect(chart).to_have_attribute("data-paints", re.compile("."))
    for name, (counts, zoom, dropped, wanted) in SIGHTS.items():
        assert [tuple(one) for one in chart.evaluate(CANDLES_COME, [counts, zoom, dropped])] == wanted, name
