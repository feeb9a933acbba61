"""The strip above the chart: prices of now, funding, volume; and the account's money."""

from __future__ import annotations

from decimal import Decimal

from nicegui import ui

from bulkhead.terminal import numbers, parts
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.shell import Page


class _Figure:
    """A name above a number."""

    def __init__(self, name: str, mark: str) -> None:
        with ui.element("div").classes("bh-figure"):
            parts.Text(name, "span", "bh-label")
            self.text = parts.Text(numbers.NONE, "b").props(f'data-mark="{mark}"')

    def show(self, text: str, style: str = "") -> None:
        """Another number."""
        self.text.show(text, style)


def build(page: Page, market: LiveMarket) -> None:
    """Market on the left, money on the right."""
    with ui.element("section").classes("bh-panel bh-area-strip bh-strip").props('aria-label="Prices and money"'):
        parts.Text(market.name, "h1")
        status = parts.Text("", "b", "bh-warning").props('data-mark="market-status"')
        _prices(page, market)
        page.painter.every(1.0, lambda: status.show(_status(market)))
        ui.element("span").classes("bh-spring")
        _money(page)


def _status(market: LiveMarket) -> str:
    """What a market takes, where that is not everything."""
    return "" if market.terms.status == "ACTIVE" else market.terms.status.replace("_", " ").lower()


def _prices(page: Page, market: LiveMarket) -> None:
    last, mark, index = _Figure("Last", "last"), _Figure("Mark", "mark"), _Figure("Index", "index")
    funding, next_in = _Figure("Funding, hourly", "funding"), _Figure("Paid in", "funding-in")
    volume, interest = _Figure("Volume 24 h, USD", "volume"), _Figure("Open interest, USD", "open-interest")

    def paint_prices() -> None:
        mark.show(numbers.price(market.terms, None if market.mark is None else market.mark.price))
        index.show(numbers.price(market.terms, None if market.index is None else market.index.price))

    def paint_last() -> None:
        trade = market.trades[0] if market.trades else None
        style = "" if trade is None else "bh-up" if trade.side == "BUY" else "bh-down"
        last.show(numbers.price(market.terms, market.last), style)

    def paint_statistics() -> None:
        found = market.statistics
        if found is None:
            return
        funding.show(numbers.percent(found.funding_rate, places=4, sign=True))
        volume.show(numbers.short_dollars(found.daily_volume))
        interest.show(numbers.short_dollars(found.open_interest))
        paint_last()

    def paint_time() -> None:
        found, link = market.statistics, page.session.link
        if found is not None:
            left_s = max(0, found.next_funding_rate - link.exchange_ms) // 1000
            next_in.show(f"{left_s // 60:02d}:{left_s % 60:02d}")

    page.painter.on(market.priced, paint_prices)
    page.painter.on(market.traded, paint_last)
    page.painter.on(market.counted, paint_statistics)
    page.painter.every(1.0, paint_time)


def _money(page: Page) -> None:
    equity, profit = _Figure("Equity, USD", "equity"), _Figure("Unrealised, USD", "unrealised")
    free, ratio = _Figure("Free margin, USD", "free"), _Figure("Margin used", "ratio")

    def paint() -> None:
        account = page.session.active
        balance = None if account is None else account.balance
        if balance is None:
            for figure in (equity, profit, free, ratio):
                figure.show(numbers.NONE)
            return
        gain = balance.unrealised_pnl
        equity.show(numbers.dollars(balance.equity))
        profit.show(numbers.dollars(gain, sign=True), "bh-up" if gain > 0 else "bh-down" if gain < 0 else "")
        free.show(numbers.dollars(balance.available_for_trade))
        style = "bh-danger" if balance.margin_ratio >= Decimal("0.8") else ""
        ratio.show(numbers.percent(balance.margin_ratio, places=1), style)

    page.on_account(lambda account: (account.money,), paint)
