"""The depth chart: what rests within reach of the middle, summed outwards."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate

from nicegui import ui

from bulkhead.terminal import numbers
from bulkhead.terminal.live.market import LiveMarket
from bulkhead.terminal.shell import Page

REACH = Decimal("0.02")  # of the middle, to each side
LEVELS_MAX = 300


class Depth(ui.element, component="../static/depth.js"):
    """Painted only while it is shown."""

    def __init__(self, page: Page, market: LiveMarket) -> None:
        super().__init__()
        self._props["label"] = f"Depth of the book of {market.name}"
        self.classes("bh-fill")
        self._page = page
        self._market = market
        page.painter.on(market.book, self.paint)

    def paint(self) -> None:
        """Both sides within reach, as running sums."""
        market = self._market
        if not self.visible:
            return
        bid, ask = market.best_bid, market.best_ask
        middle = (bid + ask) / 2 if bid and ask else bid or ask or (market.index.price if market.index else None)
        if not middle:
            return
        low, top = _within(market, middle)
        account = self._page.session.active
        own = [] if account is None else [
            float(order.price) for order in list(account.orders.values())[:200]
            if order.market == market.name and order.status != "UNTRIGGERED"  # what waits is not in the book
            and order.price and low < order.price < top
        ]  # fmt: skip
        bids, asks = _sums(market.bids, low, top, True), _sums(market.asks, low, top, False)
        most = max([sum_ for _, sum_ in bids + asks], default=0.0)
        unit = market.name.split("-")[0]
        self.run_method("paint", {
            "range": [float(low), float(top)], "bids": bids, "asks": asks, "own": own,
            "labels": [numbers.price(market.terms, price) for price in (low, middle, top)],
            "most": f"up to {numbers.rough_size(market.terms, Decimal(str(most)))} {unit}" if most else "empty book",
        })  # fmt: skip


def _within(market: LiveMarket, middle: Decimal) -> tuple[Decimal, Decimal]:
    """The range that is shown: what rests near the middle fills it, and it is never wider than REACH."""
    away = sorted(abs(price - middle) for price in [*market.bids, *market.asks])
    reach = min(REACH * middle, max([*away[: LEVELS_MAX // 2], middle / 10_000]) * Decimal("1.15"))
    return middle - reach, middle + reach


def _sums(levels: dict[Decimal, Decimal], low: Decimal, top: Decimal, is_bid: bool) -> list[tuple[float, float]]:
    found = sorted(((price, size) for price, size in levels.items() if low <= price <= top), reverse=is_bid)
    found = found[:LEVELS_MAX]
    sums = accumulate(size for _, size in found)
    return [(float(price), float(total)) for (price, _), total in zip(found, sums, strict=True)]
