"""Order books as a snapshot and changes: every change says both what was added and what there is then.

The topic remembers which level each resting order is at, so that an event names the levels that may have changed;
how much rests there is then asked of the book itself. Nothing is remembered while nobody listens.
"""

from __future__ import annotations

from typing import Any

from bulkhead.api.call import Api
from bulkhead.api.numbers import Wire
from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.topic import Listener, Pulse, Topic
from bulkhead.engine.book import BUY, SELL
from bulkhead.units import BookPrice

PAUSE_S = 0.02  # between two frames of one book
SIDES = ("b", "a")

Place = tuple[int, BookPrice]
Sides = tuple[list[dict[str, str]], list[dict[str, str]]]


class BookTopic(Topic):
    """The whole book of a market. `best` hears of it too."""

    def __init__(self, api: Api, wire: Wire) -> None:
        super().__init__()
        self.best = BestTopic(self)
        self._api = api
        self._wire = wire
        self._book = api.sequencer.book(wire.terms.market_id)
        self._places: dict[int, Place] = {}  # by order id
        self._told: tuple[dict[BookPrice, int], dict[BookPrice, int]] = ({}, {})  # lots by price, of each side
        self._changed: dict[Place, None] = {}
        self._pulse = Pulse(PAUSE_S, self.flush, self.fail)
        self._is_following = False

    # -- following the book ------------------------------------------------------------------------------------------

    @property
    def is_following(self) -> bool:
        """Whether anybody listens, so that events are to be told."""
        return self._is_following

    def follow(self) -> None:
        """Begin where the book is now."""
        if self._is_following:
            return
        self._is_following = True
        for resting in self._book:
            self._places[resting.order_id] = resting.side, resting.price
            levels = self._told[resting.side]
            levels[resting.price] = levels.get(resting.price, 0) + int(resting.size)

    def rest(self) -> None:
        """Forget everything once nobody listens."""
        if not (self.listeners or self.best.listeners):
            self._forget()

    def _forget(self) -> None:
        self._is_following = False
        self._places.clear()
        self._changed.clear()
        for levels in self._told:
            levels.clear()

    def rested(self, order_id: int, side: int, price: BookPrice) -> None:
        """An order came to rest."""
        self._places[order_id] = side, price

    def touched(self, order_ids: list[int]) -> None:
        """Something happened to these orders, and is over: see where, and tell soon."""
        for order_id in order_ids:
            place = self._places.get(order_id)
            if place is None:
                continue
            self._changed[place] = None
            if self._book.get(order_id) is None:
                del self._places[order_id]
        if self._changed:
            self._pulse.ask()

    def fail(self) -> None:
        """Those who hear of the best levels alone are dropped with all others."""
        super().fail()
        self.best.fail()
        if self._is_following:  # those who are dropped leave later than others may join
            self._forget()
            self.follow()

    # -- telling -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Tell what has changed since the last frame, if anything has."""
        changes: Sides = ([], [])
        for side, price in self._changed:
            now, before = int(self._book.size_at(side, price)), self._told[side].get(price, 0)
            if now == before:
                continue
            changes[side].append(self._level(price, now - before, now))
            if now:
                self._told[side][price] = now
            else:
                self._told[side].pop(price, None)
        self._changed.clear()
        if changes[BUY] or changes[SELL]:
            self.publish(self.frame("DELTA", "full", changes))
            self.best.flush()

    def greeting(self) -> list[Frame]:
        """The whole book, as those who listen already know it."""
        self.flush()
        ordered = (sorted(self._told[BUY], reverse=True), sorted(self._told[SELL]))
        sides = tuple(
            [self._level(price, self._told[side][price], self._told[side][price]) for price in ordered[side]]
            for side in (BUY, SELL)
        )
        return [self.frame("SNAPSHOT", "full", (sides[BUY], sides[SELL]))]

    def join(self, listener: Listener) -> None:
        """Follow the book from here on."""
        self.follow()
        super().join(listener)

    def leave(self, listener: Listener) -> None:
        """The last one out ends it."""
        super().leave(listener)
        self.rest()

    def levels_best(self) -> Sides:
        """The best level of each side, as it was told."""
        found: list[list[dict[str, str]]] = []
        for side in (BUY, SELL):
            price = self._book.best(side)
            size = 0 if price is None else int(self._book.size_at(side, price))
            found.append([] if price is None else [self._level(price, size, size)])
        return found[0], found[1]

    def frame(self, kind: str, depth: str, sides: Sides) -> Frame:
        """A frame of this book."""
        data: dict[str, Any] = {"t": kind, "m": self._wire.terms.name, "b": sides[BUY], "a": sides[SELL]}
        return Frame(kind, data, int(self._api.sequencer.time_ms), rpc_data=lambda: {**data, "d": depth})

    def _level(self, price: BookPrice, change: int, size: int) -> dict[str, str]:
        return {"p": self._wire.price(int(price)), "q": self._wire.size(change), "c": self._wire.size(size)}


class BestTopic(Topic):
    """The best level of each side, whole every time."""

    def __init__(self, book: BookTopic) -> None:
        super().__init__()
        self._book = book
        self._told: Sides = ([], [])

    def join(self, listener: Listener) -> None:
        """Follow the book from here on."""
        self._book.follow()
        super().join(listener)

    def leave(self, listener: Listener) -> None:
        """The last one out ends it."""
        super().leave(listener)
        self._book.rest()

    def greeting(self) -> list[Frame]:
        """What is best now, for those who listen as well."""
        self._book.flush()
        self._told = self._book.levels_best()
        return [self._book.frame("SNAPSHOT", "1", self._told)]

    def flush(self) -> None:
        """Tell what is best, where it has changed."""
        if not self.listeners:
            return
        levels = self._book.levels_best()
        if levels != self._told:
            self._told = levels
            self.publish(self._book.frame("SNAPSHOT", "1", levels))
