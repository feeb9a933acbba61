"""Waiting orders of every market, sorted so that the next one to fire is found without a search."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

from bulkhead.engine.order import Direction, PriceSource, Trigger
from bulkhead.fixed import FRACTION_BITS
from bulkhead.units import Price

Watch = tuple[int, PriceSource, Direction]
"""Market, price source, direction."""


class Triggers:
    """Order ids by trigger price. Of several that are due the one whose price was reached first fires first:
    the lowest of those that watch for a rise, the highest of those that watch for a fall; then the oldest."""

    __slots__ = ("_counts", "_queues")

    def __init__(self) -> None:
        self._queues: dict[Watch, list[tuple[int, int]]] = {}  # the next one last
        self._counts: dict[int, int] = {}

    def add(self, order_id: int, market_id: int, trigger: Trigger) -> None:
        """Wait for a trigger."""
        insort(self._queues.setdefault((market_id, trigger.source, trigger.direction), []), _place(order_id, trigger))
        self._counts[market_id] = self._counts.get(market_id, 0) + 1

    def remove(self, order_id: int, market_id: int, trigger: Trigger) -> None:
        """Wait no longer. The order must be waiting."""
        queue = self._queues[market_id, trigger.source, trigger.direction]
        place = _place(order_id, trigger)
        index = bisect_left(queue, place)
        assert queue[index] == place, "only a waiting order is removed"
        del queue[index]
        self._counts[market_id] -= 1

    def is_empty(self, market_id: int) -> bool:
        """Nothing waits in a market."""
        return not self._counts.get(market_id)

    def due(self, market_id: int, price_of: Callable[[PriceSource], Price]) -> tuple[int, PriceSource, Price] | None:
        """The next order whose condition holds, with the price that made it so. A price of 0 is unknown."""
        for source in PriceSource:
            price = price_of(source)
            if not int(price):
                continue
            for direction in Direction:
                queue = self._queues.get((market_id, source, direction))
                if not queue:
                    continue
                rank, negative_id = queue[-1]
                level = abs(rank) << FRACTION_BITS
                if (int(price) >= level) if direction is Direction.UP else (int(price) <= level):
                    return -negative_id, source, price
        return None


def _place(order_id: int, trigger: Trigger) -> tuple[int, int]:
    """Sorts the next one last: by price toward the market, then the lower id."""
    rank = -int(trigger.price) if trigger.direction is Direction.UP else int(trigger.price)
    return rank, -order_id
