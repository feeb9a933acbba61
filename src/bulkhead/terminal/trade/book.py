"""The book as a ladder with own orders marked, and the public trades."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from bulkhead.client import Market, PublicTrade
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.events import Words, told
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.shell import Page
from bulkhead.terminal.table import Cell, Column, Row, Table

LEVELS = 20  # of each side that a ladder can show


class Ladder(ui.element, component="../static/book.js"):
    """Painted at most twenty times a second, with its `age`; a click on a price tells `on_price`."""

    def __init__(self, page: Page, market: LiveMarket, age: parts.Age, on_price: Callable[[str], None]) -> None:
        super().__init__()
        self.classes("bh-fill")
        self._props["age"] = age.html_id
        self._age = age
        self._page = page
        self._market = market
        self._shown: dict[str, Any] = {}
        self.on("price", lambda event: self._told(event, on_price))
        page.painter.on(market.book, self.paint)
        page.on_account(lambda account: (account.orders_changed,), self.paint)

    @staticmethod
    def _told(event: GenericEventArguments, on_price: Callable[[str], None]) -> None:
        price: str | None = told(event, Words)
        if price is not None and numbers.typed(price) is not None:
            on_price(price)

    def paint(self) -> None:
        """The best levels of each side; nothing is sent when nothing has changed."""
        market, account = self._market, self._page.session.active
        own = set() if account is None else {
            order.price for order in account.orders.values()
            if order.market == market.name and order.status != "UNTRIGGERED"
        }  # fmt: skip
        at_ms = market.book.changed_ms if market.is_book_current else 0
        state = {
            "asks": self._side(market.asks, own, False),
            "bids": self._side(market.bids, own, True),
            "middle": self._middle(),
            "empty": self._empty(),
            "at": at_ms,
        }
        self._age.written(at_ms)
        if state != self._shown:
            self._shown = state
            self.run_method("paint", state)

    def _side(self, levels: dict[Decimal, Decimal], own: set[Decimal | None], is_bid: bool) -> list[list[Any]]:
        best = sorted(levels.items(), reverse=is_bid)[:LEVELS]
        terms = self._market.terms
        totals = accumulate(size for _, size in best)
        return [
            [*_texts(terms, price, size, total), price in own, float(total)]
            for (price, size), total in zip(best, totals, strict=True)
        ]

    def _middle(self) -> str:
        bid, ask = self._market.best_bid, self._market.best_ask
        if bid is None or ask is None:
            return ""
        spread = ask - bid
        share = numbers.fixed(10_000 * spread / ask, 1)
        return f"Spread {numbers.price(self._market.terms, spread)} ({share} bp)"

    def _empty(self) -> str:
        market = self._market
        if not market.is_book_current:
            why = market.problems.get("book")
            return f"The book is not followed: {why}" if why else "The book is not here yet"
        if market.is_empty:
            return "Nobody quotes this market: a market order would find nothing, a limit order would be the first"
        if not market.bids or not market.asks:
            return "Nobody " + ("bids" if not market.bids else "asks")
        return ""


def _texts(terms: Market, price: Decimal, size: Decimal, total: Decimal) -> list[str]:
    return [numbers.price(terms, price), numbers.rough_size(terms, size), numbers.rough_size(terms, total)]


def build(page: Page, market: LiveMarket, on_price: Callable[[str], None]) -> None:
    """The panel of the book."""
    with parts.panel("Book", classes="bh-area-book", mark="book") as panel:
        with panel.default_slot.children[0]:
            age = parts.Age(old_ms=parts.NEVER_MS, prefix="changed ")
        Ladder(page, market, age, on_price)


def build_trades(page: Page, market: LiveMarket) -> None:
    """The panel of public trades."""

    def row(trade: PublicTrade) -> Row:
        style = "bh-up" if trade.side == "BUY" else "bh-down"
        at = numbers.recent(trade.time_ms, page.session.link.exchange_ms)
        side = "B" if trade.side == "BUY" else "S"
        kind = "" if trade.trade_type == "TRADE" else " " + trade.trade_type[0]
        cells = (
            Cell(numbers.price(market.terms, trade.price), style),
            Cell(numbers.rough_size(market.terms, trade.quantity)),
            Cell(side + kind, style),
            Cell(at, "bh-muted"),
        )
        return Row(str(trade.id), cells)

    columns = (Column("Price", True), Column("Size", True), Column("Side"), Column("UTC"))
    with parts.panel("Trades", classes="bh-area-trades", mark="trades") as panel:
        table = Table(
            "Public trades", columns, source=lambda: list(market.trades), row=row, empty="Nothing was traded yet"
        )
        with panel.default_slot.children[0]:
            age = parts.Age(old_ms=parts.NEVER_MS, prefix="last ", by_exchange=True)
    page.painter.on(market.traded, table.paint)
    page.painter.every(60.0, table.paint)  # where nobody trades, what was traded grows older all the same
    page.painter.on(market.traded, lambda: age.told(market.trades[0].time_ms if market.trades else 0))
