"""The order book of one market: price-time priority, one matching path, no balances and no opinion.

Matching proposes a fill; the caller's `settle` says what became of it. `match` rests nothing and `rest` matches
nothing, so the sequencer can look at what is left in between.

How it is kept. A *rank* is a price seen from its own side: `price` of a buy, `-price` of a sell. The higher rank is the
better one on both sides, so one matching path serves both and one dict holds all levels. A level is a queue of two
dicts: `_levels[rank]` takes new orders, oldest first; `_fronts[rank]`, made when the level is first matched, holds
older ones, oldest LAST, because `dict.popitem` takes the last entry in constant time while the first entry of a
dict lies behind the holes of every entry removed before it. Each order is turned over once at most: a fill, a rest and
a cancel are O(1) amortised, whatever the order of arrivals (the list of a side's prices apart, which is bisected).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bulkhead.units import BookPrice, Quote, Size

BUY: Final = 0
SELL: Final = 1

Settle = Callable[[int, int, BookPrice, Size], Size]
"""(maker id, taker id, price, size proposed) → what became of it:

- the size proposed: the fill was made;
- fewer lots, `TAKER_STOP` if none: the taker can trade no further; matching ends and the maker keeps rest and place;
- `MAKER_GONE - lots`: so many lots were filled, none as a rule, and the maker's rest leaves the book; matching goes on.

It may not touch the book, reading included: the proposed maker is out of its queue while it is asked about.
A caller who wants more orders removed cancels them after `match` returns. If it raises, the maker stays as it was.
"""

TAKER_STOP: Final = Size(0)
MAKER_GONE: Final = Size(-1)

_NO_LOTS: Final = Size(0)
_NO_RANK: Final = BookPrice(0)  # buys rank above it, sells below


class Resting(NamedTuple):
    """One order in the book; `size` is what remains of it, in lots."""

    order_id: int
    side: int
    price: BookPrice
    size: Size


class Cost(NamedTuple):
    """What taking `size` lots from the book means: exact value, and the price of the last lot (0 if none)."""

    quote: Quote
    size: Size
    price_worst: BookPrice


class Book:
    """The resting orders of one market."""

    __slots__ = ("_fronts", "_levels", "_orders", "_ranks")

    def __init__(self) -> None:
        self._orders: dict[int, BookPrice] = {}  # order id → rank
        self._levels: dict[BookPrice, dict[int, Size]] = {}  # rank → order id → size remaining, oldest first
        self._fronts: dict[BookPrice, dict[int, Size]] = {}  # rank → older orders of that level, oldest last
        self._ranks: tuple[list[BookPrice], list[BookPrice]] = ([], [])  # of each side, best last

    # -- commands ------------------------------------------------------------------------------------------------

    def match(self, taker_id: int, side: int, price: BookPrice, size: Size, settle: Settle) -> Size:
        """Trade up to `size` lots at makers' prices no worse than `price`; what is left of `size`, resting nothing."""
        ranks = self._ranks[1 - side]
        limit = price if side else -price
        if not ranks or ranks[-1] < limit:
            return size
        orders, levels, fronts = self._orders, self._levels, self._fronts
        while size and ranks and (rank := ranks[-1]) >= limit:
            front = fronts.get(rank) or self._turn(rank)
            maker_price = abs(rank)
            while size and front:
                maker_id, available = front.popitem()
                proposed = size if size < available else available  # calling `min` costs a tenth
                try:
                    accepted = settle(maker_id, taker_id, maker_price, proposed)
                except BaseException:
                    front[maker_id] = available
                    raise
                if accepted == proposed:
                    size -= proposed
                    if proposed == available:
                        del orders[maker_id]
                    else:
                        front[maker_id] = available - proposed
                elif _NO_LOTS <= accepted < proposed:
                    front[maker_id] = available - accepted
                    return size - accepted
                else:
                    accepted = MAKER_GONE - accepted
                    assert _NO_LOTS <= accepted <= proposed, "settle filled more than was proposed"
                    del orders[maker_id]
                    size -= accepted
            if not front and not levels[rank]:
                del levels[rank], fronts[rank]
                ranks.pop()
        return size

    def rest(self, order_id: int, side: int, price: BookPrice, size: Size) -> None:
        """Put an order at the end of its level. It may not cross: a book shows no trade it did not make.

        Left out on purpose, for they cost a tenth of every order: that id is new, size and price above zero. The
        sequencer numbers orders, admission refuses the rest, and `check` finds a mistake of either.
        """
        rank = -price if side else price
        opposite = self._ranks[1 - side]
        assert not opposite or opposite[-1] < -rank, "a resting order may not cross"
        self._orders[order_id] = rank
        level = self._levels.get(rank)
        if level is None:
            self._levels[rank] = {order_id: size}
            insort(self._ranks[side], rank)
        else:
            level[order_id] = size

    def cancel(self, order_id: int) -> Size:
        """Remove an order; the lots it had left, 0 if there is no such order."""
        rank = self._orders.pop(order_id, None)
        if rank is None:
            return _NO_LOTS
        level = self._levels[rank]
        size = level.pop(order_id, _NO_LOTS) or self._fronts[rank].pop(order_id)
        if not level and not self._fronts.get(rank):
            self._drop(rank)
        return size

    def reduce(self, order_id: int, size: Size) -> bool:
        """Lower what remains of an order to `size`, keeping its place; False if unknown or not larger than that."""
        assert size > _NO_LOTS, "to leave nothing is to cancel"
        rank = self._orders.get(order_id)
        if rank is None:
            return False
        queue = self._levels[rank]
        if order_id not in queue:
            queue = self._fronts[rank]
        if queue[order_id] <= size:
            return False
        queue[order_id] = size
        return True

    # -- questions -----------------------------------------------------------------------------------------------

    def best(self, side: int) -> BookPrice | None:
        """The best resting price of a side."""
        ranks = self._ranks[side]
        return abs(ranks[-1]) if ranks else None

    def get(self, order_id: int) -> Resting | None:
        """A resting order by its id."""
        rank = self._orders.get(order_id)
        if rank is None:
            return None
        size = self._levels[rank].get(order_id) or self._fronts[rank][order_id]
        return Resting(order_id, SELL if rank < _NO_RANK else BUY, abs(rank), size)

    def depth(self, side: int, levels: int) -> list[tuple[BookPrice, Size]]:
        """The best `levels` prices of a side, best first, each with the lots resting there."""
        if levels <= 0:
            return []
        return [(abs(rank), self._size_at(rank)) for rank in reversed(self._ranks[side][-levels:])]

    def size_at(self, side: int, price: BookPrice) -> Size:
        """The lots that rest at a price."""
        rank = -price if side else price
        return self._size_at(rank) if rank in self._levels else _NO_LOTS

    def fillable(self, side: int, price: BookPrice, size: Size) -> Size:
        """How many of `size` lots a taker on `side` finds at `price` or better, before `settle` has its say."""
        limit = price if side else -price
        missing = size
        for rank in reversed(self._ranks[1 - side]):
            if rank < limit or not missing:
                break
            missing -= min(missing, self._size_at(rank))
        return size - missing

    def cost(self, side: int, size: Size) -> Cost:
        """What a taker on `side` trades of `size` lots at any price; `Cost.size` is smaller if the book is too thin."""
        quote, missing, price_worst = Quote(0), size, _NO_RANK
        for rank in reversed(self._ranks[1 - side]):
            if not missing:
                break
            taken = min(missing, self._size_at(rank))
            price_worst = abs(rank)
            quote += taken * price_worst
            missing -= taken
        return Cost(quote, size - missing, price_worst)

    def impact_price(self, side: int, quote: Quote) -> tuple[int, int] | None:
        """The average price of trading `quote` > 0 as a taker on `side`, as an exact ratio; None if the book is thin.

        With `value` and `size` summed over the levels used whole and `price` the next, the lots traded are
        `size + (quote - value)/price`, so the average is `quote·price / (size·price + quote - value)`, not rounded.
        """
        value, size = Quote(0), _NO_LOTS
        for rank in reversed(self._ranks[1 - side]):
            price, level_size = abs(rank), self._size_at(rank)
            if value + level_size * price >= quote:
                return int(quote) * int(price), int(size * price + quote - value)
            value += level_size * price
            size += level_size
        return None

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Resting]:
        """Buys, then sells, in priority order: equal books give equal sequences, and resting them copies the book."""
        for side in (BUY, SELL):
            for rank in reversed(self._ranks[side]):
                yield from self._level(side, rank)

    def facing(self, side: int, price: BookPrice) -> Iterator[Resting]:
        """What a taker on `side` meets at `price` or better, in that order. Lazy: who asks for little looks at little,
        however deep the book is. The book may not change meanwhile."""
        limit = price if side else -price
        for rank in reversed(self._ranks[1 - side]):
            if rank < limit:
                return
            yield from self._level(1 - side, rank)

    def check(self) -> None:
        """Derive every redundant part again; for tests and simulation."""
        orders: dict[int, BookPrice] = {}
        for rank, level in self._levels.items():
            front = self._fronts.get(rank, {})
            assert level or front, "a level holds an order"
            assert not level.keys() & front.keys(), "an order stands in one queue"
            assert all(size > _NO_LOTS for size in (*level.values(), *front.values())), "an order has lots left"
            assert not orders.keys() & (level.keys() | front.keys()), "an order stands in one level"
            orders |= dict.fromkeys((*level, *front), rank)
        assert orders == self._orders, "the index knows every order and its level"
        assert self._fronts.keys() <= self._levels.keys(), "a front belongs to a level"
        buys, sells = self._ranks
        assert buys == sorted(rank for rank in self._levels if rank > _NO_RANK), "buy prices, best last"
        assert sells == sorted(rank for rank in self._levels if rank < _NO_RANK), "sell prices, best last"
        assert not buys or not sells or buys[-1] < -sells[-1], "the book is not crossed"

    # -- levels --------------------------------------------------------------------------------------------------

    def _turn(self, rank: BookPrice) -> dict[int, Size]:
        """Make the waiting orders of a level its front, oldest last. Only called when the old front is used up."""
        level = self._levels[rank]
        front = self._fronts[rank] = dict(reversed(level.items()))
        level.clear()
        return front

    def _level(self, side: int, rank: BookPrice) -> Iterator[Resting]:
        """The orders of a level, oldest first."""
        price = abs(rank)
        for order_id, size in reversed(self._fronts.get(rank, {}).items()):
            yield Resting(order_id, side, price, size)
        for order_id, size in self._levels[rank].items():
            yield Resting(order_id, side, price, size)

    def _drop(self, rank: BookPrice) -> None:
        """Forget an empty level that a cancel left behind; `match` only ever empties the best one."""
        del self._levels[rank]
        self._fronts.pop(rank, None)
        ranks = self._ranks[SELL if rank < _NO_RANK else BUY]
        del ranks[bisect_left(ranks, rank)]

    def _size_at(self, rank: BookPrice) -> Size:
        """Lots at a level, summed when asked: keeping totals would cost every command for the sake of a few."""
        size = sum(self._levels[rank].values(), _NO_LOTS)
        front = self._fronts.get(rank)
        return size + sum(front.values(), _NO_LOTS) if front else size
