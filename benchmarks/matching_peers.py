"""How each peer of the matching benchmark is driven: one call per message, its fills back in Python."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

from bulkhead.engine.book import BUY
from bulkhead.lab.book_kernel import CANCEL, LIMIT

Message = tuple[int, int, int, int, int]  # kind, order id, side, price, size
Fill = tuple[int, int, int, int]  # maker id, taker id, price, size; ids are 0 where a peer does not say


class Engine(Protocol):
    """What the benchmark asks of every book; one that reports no fills says what still rests instead."""

    def feed(self, messages: Any) -> None: ...

    def fills(self) -> list[Fill] | None: ...


class PlainDictBook:
    """The ceiling for plain Python: a dict of levels, fills appended to a list, nobody asked, nothing checked."""

    def __init__(self) -> None:
        self.levels: tuple[dict[int, dict[int, int]], dict[int, dict[int, int]]] = ({}, {})
        self.prices: tuple[list[int], list[int]] = ([], [])
        self.orders: dict[int, tuple[int, int]] = {}
        self.reported: list[Fill] = []

    def add(self, order_id: int, side: int, price: int, size: int) -> None:
        levels, prices = self.levels[1 - side], self.prices[1 - side]
        while size and prices:
            best = prices[0] if side == BUY else prices[-1]
            if best > price if side == BUY else best < price:
                break
            level, done = levels[best], []
            for maker_id, available in level.items():
                filled = size if size < available else available
                self.reported.append((maker_id, order_id, best, filled))
                size -= filled
                if filled < available:
                    level[maker_id] = available - filled
                    break
                done.append(maker_id)
                if not size:
                    break
            for maker_id in done:
                del level[maker_id], self.orders[maker_id]
            if not level:
                del levels[best]
                prices.pop(0 if side == BUY else -1)
        if size:
            self.orders[order_id] = side, price
            mine = self.levels[side].get(price)
            if mine is None:
                self.levels[side][price] = {order_id: size}
                insort(self.prices[side], price)
            else:
                mine[order_id] = size

    def cancel(self, order_id: int) -> None:
        side, price = self.orders.pop(order_id)
        level = self.levels[side][price]
        del level[order_id]
        if not level:
            del self.levels[side][price]
            prices = self.prices[side]
            del prices[bisect_left(prices, price)]

    def feed(self, messages: list[Message]) -> None:
        add, cancel = self.add, self.cancel
        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(order_id)
            else:
                add(order_id, side, price, size)

    def fills(self) -> list[Fill]:
        return self.reported


class ContainerBook:
    """order-book: sorted levels in C, no matching; the loop over them is ours, in Python, to the contract of `Book`."""

    def __init__(self, module: ModuleType) -> None:
        book = module.OrderBook()
        self.sides = book.bids, book.asks
        self.orders: dict[int, tuple[int, int]] = {}
        self.reported: list[Fill] = []

    def add(self, order_id: int, side: int, price: int, size: int, settle: Callable[..., int]) -> None:
        opposite, orders = self.sides[1 - side], self.orders
        while size and len(opposite):
            best, level = opposite.index(0)
            if best > price if side == BUY else best < price:
                break
            done = []
            for maker_id, available in level.items():
                filled = settle(maker_id, order_id, best, size if size < available else available)
                size -= filled
                if filled < available:
                    level[maker_id] = available - filled
                    break
                done.append(maker_id)
                if not size:
                    break
            for maker_id in done:
                del level[maker_id], orders[maker_id]
            if not level:
                del opposite[best]
        if size:
            orders[order_id] = side, price
            mine = self.sides[side]
            if price in mine:
                mine[price][order_id] = size
            else:
                mine[price] = {order_id: size}

    def cancel(self, order_id: int) -> None:
        side, price = self.orders.pop(order_id)
        level = self.sides[side][price]
        del level[order_id]
        if not level:
            del self.sides[side][price]

    def feed(self, messages: list[Message]) -> None:
        add, cancel, report = self.add, self.cancel, self.reported.append

        def settle(maker_id: int, taker_id: int, price: int, size: int) -> int:
            report((maker_id, taker_id, price, size))
            return size

        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(order_id)
            else:
                add(order_id, side, price, size, settle)

    def fills(self) -> list[Fill]:
        return self.reported


class Liquibook:
    """liquibook: C++ behind SWIG; its listener calls Python for each fill, which must be passed on to both orders."""

    def __init__(self, module: ModuleType) -> None:
        self.order = module.SimpleOrder
        self.named: dict[int, int] = {}  # the peer's own id → ours
        self.kept: dict[int, Any] = {}  # C++ holds no reference to the Python order
        self.seen: list[Fill] = []
        seen = self.seen

        class Listener(module.OrderListener):  # type: ignore[name-defined,misc]
            def on_fill(self, taker: Any, maker: Any, size: int, value: int) -> None:
                seen.append((maker.order_id_, taker.order_id_, value, size))
                taker.fill(size, value, 0)
                maker.fill(size, value, 0)

            def on_accept(self, *_: Any) -> None: ...
            def on_reject(self, *_: Any) -> None: ...
            def on_cancel(self, *_: Any) -> None: ...
            def on_cancel_reject(self, *_: Any) -> None: ...
            def on_replace(self, *_: Any) -> None: ...
            def on_replace_reject(self, *_: Any) -> None: ...

        self.listener = Listener()
        self.book = module.DepthOrderBook()
        self.book.set_symbol("MARKET")
        self.book.set_order_listener(self.listener)

    def feed(self, messages: list[Message]) -> None:
        make, add, cancel, kept, named = self.order, self.book.add, self.book.cancel, self.kept, self.named
        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(kept.pop(order_id))
                continue
            order = make(side == BUY, price, size)
            named[order.order_id_] = order_id
            kept[order_id] = order
            add(order)

    def fills(self) -> list[Fill]:
        return [(self.named[maker], self.named[taker], price, size) for maker, taker, price, size in self.seen]


class LimitOrderBook:
    """limit-order-book: C++ behind ctypes; it reports no fills, so only what rests at the end can be checked."""

    def __init__(self, module: ModuleType) -> None:
        self.book = module.LimitOrderBook()

    def feed(self, messages: list[Message]) -> None:
        book = self.book
        limits, takes, cancel = (book.limit_buy, book.limit_sell), (book.market_buy, book.market_sell), book.cancel
        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(order_id)
            elif kind == LIMIT:
                limits[side](order_id, size, price)
            else:
                takes[side](order_id, size)

    def fills(self) -> None:
        return None

    def resting_size(self) -> int:
        return int(self.book.volume())


class OrderlyChaos:
    """orderly-chaos: C++ behind ctypes; a trade object for each fill."""

    def __init__(self, module: ModuleType) -> None:
        self.trades: list[Any] = []
        self.book = module.LimitOrderBook(on_trade=self.trades.append)
        self.side = module.Side.BUY, module.Side.SELL

    def feed(self, messages: list[Message]) -> None:
        limit, market, cancel, sides = self.book.limit, self.book.market, self.book.cancel, self.side
        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(order_id)
            elif kind == LIMIT:
                limit(sides[side], order_id, size, price)
            else:
                market(sides[side], order_id, size)

    def fills(self) -> list[Fill]:
        return [(trade.maker_id, trade.taker_id, trade.price, trade.quantity) for trade in self.trades]


class LightMatchingEngine:
    """lightmatchingengine: pure Python; each fill is a pair of trades, of which the maker's names the maker."""

    def __init__(self, module: ModuleType) -> None:
        self.engine = module.LightMatchingEngine()
        self.theirs: dict[int, int] = {}  # our id → the peer's own
        self.trades: list[tuple[int, list[Any]]] = []

    def feed(self, messages: list[Message]) -> None:
        add, cancel, theirs, trades = self.engine.add_order, self.engine.cancel_order, self.theirs, self.trades
        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(theirs[order_id], "MARKET")
                continue
            order, made = add("MARKET", price if kind == LIMIT else 0, size, side + 1)
            theirs[order_id] = order.order_id
            if made:
                trades.append((order_id, made))

    def fills(self) -> list[Fill]:
        ours = {theirs: order_id for order_id, theirs in self.theirs.items()}
        return [
            (ours[trade.order_id], taker_id, int(trade.trade_price), int(trade.trade_qty))
            for taker_id, made in self.trades
            for trade in made
            if ours[trade.order_id] != taker_id
        ]


def _peer(module: str, engine: Callable[[ModuleType], Engine]) -> Callable[[], Callable[[], Engine] | None]:
    """Load a peer when asked; None if it is not installed. A peer that is installed and fails is an error."""

    def load() -> Callable[[], Engine] | None:
        try:
            loaded = import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name not in (module, module.split(".")[0]):
                raise
            return None
        return lambda: engine(loaded)

    return load


PEERS: dict[str, Callable[[], Callable[[], Engine] | None]] = {
    "order-book (container, our loop)": _peer("order_book", ContainerBook),
    "liquibook": _peer("liquibook", Liquibook),
    "limit-order-book (no fills)": _peer("limit_order_book", LimitOrderBook),
    "orderly-chaos": _peer("orderly_chaos", OrderlyChaos),
    "lightmatchingengine": _peer("lightmatchingengine.lightmatchingengine", LightMatchingEngine),
}
