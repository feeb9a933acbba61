"""A seeded stream of commands and answers for an order book: two worlds with the same seed ask the same."""

from __future__ import annotations

import random

from bulkhead.engine.book import BUY, MAKER_GONE, SELL, TAKER_STOP, Book
from tests.reference.naive_book import NaiveBook


def fill_all(maker_id: int, taker_id: int, price: int, size: int) -> int:
    return size


class World:
    """A book under random commands, and what came of them."""

    def __init__(self, seed: int, book: Book | NaiveBook) -> None:
        self.book = book
        self.random = random.Random(seed)
        self.events: list[tuple[object, ...]] = []
        self.next_id = 1

    def settle(self, maker_id: int, taker_id: int, price: int, size: int) -> int:
        draw = self.random.random()
        answer = size
        if draw < 0.05:
            answer = TAKER_STOP
        elif draw < 0.10:
            answer = MAKER_GONE
        elif draw < 0.15:
            answer = self.random.randint(0, size)
        elif draw < 0.20:
            answer = MAKER_GONE - self.random.randint(0, size)
        self.events.append(("settle", maker_id, taker_id, price, size, answer))
        return answer

    def limit_price(self, side: int) -> int:
        """Around 1,000, one in four beyond it: some orders cross, many share a price."""
        away = self.random.randint(-4, 12)
        return 1000 - away if side == BUY else 1000 + away

    def step(self) -> None:
        draw, book = self.random.random(), self.book
        if self.random.random() < 0.0015:  # a sweep now and then keeps the book small enough to scan
            side = self.random.randint(BUY, SELL)
            self.events.append(("swept", book.match(0, side, 2000 if side == BUY else 1, 10_000, fill_all)))
        order_id = self.random.randint(max(1, self.next_id - 60), self.next_id + 1)
        if draw < 0.55:
            side = self.random.randint(BUY, SELL)
            price, size, rests = self.limit_price(side), self.random.randint(1, 50), draw < 0.48
            if not rests:
                price = 2000 if side == BUY else 1
            left = book.match(self.next_id, side, price, size, self.settle)
            self.events.append(("left", self.next_id, left))
            opposite = book.best(1 - side)
            crosses = opposite is not None and (price >= opposite if side == BUY else price <= opposite)
            if left and rests and not crosses:
                book.rest(self.next_id, side, price, left)
            self.next_id += 1
        elif draw < 0.85:
            self.events.append(("cancel", order_id, book.cancel(order_id)))
        else:
            self.events.append(("reduce", order_id, book.reduce(order_id, self.random.randint(1, 30))))

    def questions(self) -> list[object]:
        book = self.book
        answers: list[object] = [len(book), book.get(self.next_id - 20)]
        for side in (BUY, SELL):
            price, size = self.limit_price(side), self.random.randint(1, 200)
            answers += [book.best(side), book.depth(side, 5), book.fillable(side, price, size), book.cost(side, size)]
        return answers
