"""The chart: candles with volume, mark and index, and lines where the account's positions and orders stand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nicegui import ui
from nicegui.elements.echart import EChart

from bulkhead.client import Market, Order, Position
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.candles import INTERVALS, LiveCandles
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.shell import Page
from bulkhead.terminal.trade.depth import Depth

WORDS = {"PT1M": "1m", "PT5M": "5m", "PT15M": "15m", "PT1H": "1h", "PT4H": "4h", "P1D": "1d"}
PRICE_OLD_MS = 20_000  # without a tick of the oracle; a venue that proves its batches has one every 15 s
assert EChart.component is not None, "its library is registered by importing it"


class Chart(ui.element, component="../static/chart.js"):
    """Paints what it is given; prices as floats, for a canvas shows no more digits than they have."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self._props["label"] = label
        self.classes("bh-fill")


def build(page: Page, market: LiveMarket) -> None:
    """The panel with its switches: interval, or depth instead of candles."""
    with parts.panel("Chart", classes="bh-area-chart", mark="chart") as panel:
        head = panel.default_slot.children[0]
        legend, age = _legend(page, market)
        with head, ui.element("span").classes("bh-switch").props('role="group" aria-label="Interval"') as switches:
            pass
        with head:
            begins = parts.Text("", "span", "bh-since")
            begins.props('data-mark="since"').props["title"] = "The venue's own history begins here"
        candles = _Candles(page, market, begins)
        depth = Depth(page, market)
        depth.set_visibility(False)
        with switches:
            _switches(candles, legend, depth)
    page.painter.on(market.priced, lambda: age.told(0 if market.index is None else market.index.time_ms))


def _legend(page: Page, market: LiveMarket) -> tuple[ui.element, parts.Age]:
    """Which line is the mark's and which the index's, with what they are now; and how old they are. Other lines bear
    their names."""
    shown: list[parts.Text] = []
    with ui.element("div").classes("bh-legend"):
        with ui.element("span").props('data-mark="legend"') as made:
            for name in ("mark", "index"):
                with ui.element("span").props(f'data-mark="legend-{name}"'):
                    ui.element("i").classes(f"bh-line-{name}").props('aria-hidden="true"')
                    parts.Text(f"{name.title()} ")
                    shown.append(parts.Text(numbers.NONE, "b"))
        age = parts.Age(old_ms=PRICE_OLD_MS, prefix="index price ", by_exchange=True)

    def paint() -> None:
        for text, price in zip(shown, (market.mark, market.index), strict=True):
            text.show(numbers.price(market.terms, None if price is None else price.price))

    page.painter.on(market.priced, paint)
    return made, age


def _switches(candles: _Candles, legend: ui.element, depth: Depth) -> None:
    made: dict[str, ui.element] = {}

    def choose(name: str) -> None:
        is_depth = name == "depth"
        depth.set_visibility(is_depth)
        candles.chart.set_visibility(not is_depth)
        legend.set_visibility(not is_depth)
        candles.since.set_visibility(not is_depth)
        if is_depth:
            depth.paint()
        else:
            candles.follow(name)
        for other, element in made.items():
            parts.set_attribute(element, "aria-pressed", "true" if other == name else "false")

    def switch(name: str, text: str) -> None:
        made[name] = parts.button(text, lambda: choose(name), mark=f"interval-{text}")

    for interval in INTERVALS:
        switch(interval, WORDS[interval])
    switch("depth", "Depth")
    choose("PT1M")


class _Candles:
    """What the chart of one tab shows."""

    def __init__(self, page: Page, market: LiveMarket, since: parts.Text) -> None:
        self.page = page
        self.market = market
        self.since = since  # from when there are candles at all, where that is in sight
        self.chart = Chart(f"Candles of {market.name} with volume, mark and index price")
        self.candles: LiveCandles | None = None
        self._leave: Callable[[], None] | None = None
        self._lines: list[dict[str, Any]] | None = None
        page.client.on_delete(self.stop)
        page.on_account(
            lambda account: (account.orders_changed, *(one.held for one in page.session.accounts.values())),
            self._paint_lines,
        )

    def follow(self, interval: str) -> None:
        """Show another interval."""
        self.stop()
        session = self.page.session
        self.candles = LiveCandles(session.exchange, session.link, self.market.name, interval)
        self.candles.start()
        self._leave = self.page.painter.on(self.candles, self.paint)

    def stop(self) -> None:
        """Follow nothing more."""
        if self.candles is not None:
            self.candles.stop()
        if self._leave is not None:
            self._leave()

    def paint(self) -> None:
        """All of it: some hundred numbers, at most four times a second."""
        assert self.candles is not None, "followed first"
        if not self.candles.is_known:
            return
        bars = self.candles.bars
        self.since.show(since(self.candles.begins_ms))
        limits = self.market.terms.trading_config
        self._lines = self.lines()
        self.chart.run_method("paint", {
            "candles": [_candle(bar.time_ms, bar.traded) for bar in bars],
            "marks": [None if bar.marked is None else float(bar.marked.close) for bar in bars],
            "indices": [None if bar.indexed is None else float(bar.indexed.close) for bar in bars],
            "lines": self._lines,
            "span": INTERVALS[self.candles.interval],
            "places": numbers.places_of(limits.min_price_change),
            "sizePlaces": numbers.size_places(self.market.terms),
        })  # fmt: skip

    def lines(self) -> list[dict[str, Any]]:
        """Entry and liquidation price of the open position, its orders (the nearest twenty), and where positions in
        this market are liquidated that the owner's other accounts hold."""
        account = self.page.session.active
        if account is None:
            return []
        made, terms = [], self.market.terms
        position = account.positions.get(self.market.name)
        if position is not None:
            made.extend(_held(terms, position))
        for other in self.page.session.accounts.values():
            held = other.positions.get(self.market.name)
            if other is not account and held is not None and held.liquidation_price:
                made.append(_liquidation(terms, held, other))
        middle = self.market.last
        orders = [
            order for order in account.orders.values()
            if order.market == self.market.name and order.price and not order.is_asleep
        ]  # fmt: skip
        orders.sort(key=lambda order: abs((order.price or middle) - middle))
        for order in orders[:20]:
            made.append(_line("order", f"order {order.id}", *_told(terms, order, middle), "muted", "End"))
        return made

    def _paint_lines(self) -> None:
        lines = self.lines()
        if lines != self._lines and self.candles is not None and self.candles.is_known:
            self._lines = lines
            self.chart.run_method("lines", lines)


def since(begins_ms: int) -> str:
    """From when a market's history goes: a time of today, or a day; empty where that is not in sight."""
    if not begins_ms:
        return ""
    return "since " + numbers.dated(begins_ms, "%d.%m.%Y", today="%H:%M UTC")


def _candle(time_ms: int, candle: Any) -> list[float | None]:
    if candle is None:
        return [time_ms, None, None, None, None, 0.0]
    prices = [float(price) for price in (candle.open, candle.close, candle.low, candle.high)]
    return [time_ms, *prices, float(candle.volume or 0)]


def _held(terms: Market, position: Position) -> list[dict[str, Any]]:
    """Lines of the account's own position. Their names are turned away from each other: they may lie close."""
    is_long = position.side == "LONG"
    text = f"{_named(terms, position)} from {numbers.price(terms, position.open_price)}"
    colour = "up" if is_long else "down"
    made = [_line("entry", "entry", position.open_price, text, colour, "Start", below=not is_long)]
    return [*made, _liquidation(terms, position)] if position.liquidation_price else made


def _liquidation(terms: Market, position: Position, other: LiveAccount | None = None) -> dict[str, Any]:
    """Where a position is liquidated, and whose it is: the account's own, or the `other` account's."""
    text = f"liquidation of {_named(terms, position).lower()} at {numbers.price(terms, position.liquidation_price)}"
    text = text.capitalize() if other is None else f"{other.short_label}: {text}"
    name = "liquidation" if other is None else f"liquidation {other.account_id}"
    side = "Start" if other is None else "Middle"
    return _line("liquidation", name, position.liquidation_price, text, "danger", side, below=position.side == "LONG")


def _named(terms: Market, position: Position) -> str:
    """Mode where it is isolated, side and size."""
    mode = "Isolated " if position.margin_mode == "ISOLATED" else ""
    side = position.side.lower() if mode else position.side.title()
    return f"{mode}{side} {numbers.size(terms, position.size)}"


def _line(
    kind: str, name: str, price: Decimal, text: str, colour: str, side: str, *, below: bool = False
) -> dict[str, Any]:
    """Those of positions are named at the left or in the middle, those of orders at the right."""
    return {
        "kind": kind, "name": name, "price": float(price), "text": text, "colour": colour, "side": side,
        "below": below, "held": kind != "order",
    }  # fmt: skip


def _told(terms: Market, order: Order, middle: Decimal) -> tuple[Decimal, str]:
    """Where an order's line stands, which is where it begins to act, and what it is called."""
    exits = (("Take-profit", order.take_profit), ("Stop-loss", order.stop_loss))
    if order.type == "TPSL":
        for name, waits in exits:
            if waits is not None:
                return waits.trigger_price, name
    price = order.trigger.trigger_price if order.trigger is not None else order.price or middle
    once = "" if order.trigger is None else " once triggered"
    return price, f"{order.side.title()} {numbers.size(terms, order.quantity - order.filled)}{once}"
