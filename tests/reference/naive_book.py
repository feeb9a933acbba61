"""The obvious twin of `bulkhead.engine.book.Book`: one list in order of arrival, scanned from end to end every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bulkhead.engine.book import BUY, SELL, Cost, Resting, Settle
from bulkhead.units import BookPrice, Quote, Size


@dataclass
class Order:
    order_id: int
    side: int
    price: int
    size: int


class NaiveBook:
    """No index, no levels, no totals: nothing that could disagree with the list of orders."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def in_priority(self, side: int) -> list[Order]:
        """Sorting is stable, so arrival decides between equal prices."""
        mine = [order for order in self.orders if order.side == side]
        return sorted(mine, key=lambda order: -order.price if side == BUY else order.price)

    def takeable(self, side: int, price: int) -> list[Order]:
        """The orders a taker on `side` may meet at `price` or better, in the order he meets them."""
        if side == BUY:
            return [order for order in self.in_priority(SELL) if order.price <= price]
        return [order for order in self.in_priority(BUY) if order.price >= price]

    def match(self, taker_id: int, side: int, price: BookPrice, size: Size, settle: Settle) -> Size:
        for maker in self.takeable(side, price):
            if size == 0:
                break
            proposed = min(size, maker.size)
            outcome = settle(maker.order_id, taker_id, maker.price, proposed)
            gone = outcome < 0
            filled = -1 - outcome if gone else outcome
            size -= filled
            maker.size -= filled
            if gone or maker.size == 0:
                self.orders.remove(maker)
            if not gone and filled < proposed:
                break
        return size

    def rest(self, order_id: int, side: int, price: BookPrice, size: Size) -> None:
        self.orders.append(Order(order_id, side, price, size))

    def cancel(self, order_id: int) -> Size:
        for order in self.orders:
            if order.order_id == order_id:
                self.orders.remove(order)
                return order.size
        return Size(0)

    def reduce(self, order_id: int, size: Size) -> bool:
        for order in self.orders:
            if order.order_id == order_id and order.size > size:
                order.size = size
                return True
        return False

    def best(self, side: int) -> BookPrice | None:
        return next((order.price for order in self.in_priority(side)), None)

    def get(self, order_id: int) -> Resting | None:
        return next((resting for resting in self if resting.order_id == order_id), None)

    def depth(self, side: int, levels: int) -> list[tuple[BookPrice, Size]]:
        totals: dict[BookPrice, Size] = {}
        for order in self.in_priority(side):
            totals[order.price] = totals.get(order.price, 0) + order.size
        return list(totals.items())[:levels]

    def fillable(self, side: int, price: BookPrice, size: Size) -> Size:
        return min(size, sum(order.size for order in self.takeable(side, price)))

    def cost(self, side: int, size: Size) -> Cost:
        lots = [order.price for order in self.in_priority(1 - side) for _ in range(order.size)][:size]
        return Cost(Quote(sum(lots)), Size(len(lots)), BookPrice(lots[-1] if lots else 0))

    def __len__(self) -> int:
        return len(self.orders)

    def __iter__(self) -> Iterator[Resting]:
        for side in (BUY, SELL):
            for order in self.in_priority(side):
                yield Resting(order.order_id, order.side, order.price, order.size)
