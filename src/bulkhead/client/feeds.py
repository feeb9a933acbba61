"""Live updates: books that are kept, trades without a hole, prices, candles, and everything about an account."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from bulkhead.client.errors import ClientError, TooSlow, Unreadable
from bulkhead.client.models import Candle, FundingRate, Price, PublicTrade
from bulkhead.client.sane import is_sane
from bulkhead.client.socket import Socket

if TYPE_CHECKING:
    from bulkhead.client.account import AccountFeed
    from bulkhead.client.exchange import Exchange
    from bulkhead.client.trader import Trader

QUEUE_MAX = 10_000
LEVELS_MAX = 100_000  # prices of one side of a book
REPAIR_TRADES = 1_000
REPAIR_PAUSE_S = 0.5
Item = TypeVar("Item")


class Queue(Generic[Item]):
    """A feed of items: iterate over it. It ends with an error, TooSlow when nobody takes them."""

    def __init__(self, socket: Socket, name: str, params: dict[str, Any]) -> None:
        self.name = name
        self._socket = socket
        self._params = params
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._error: ClientError | None = None

    def params(self) -> dict[str, Any]:
        """Of the subscription."""
        return self._params

    def begin(self) -> None:
        """Nothing to repair: what comes first is what is so now."""

    def hear(self, kind: str, data: Any, time_ms: int) -> None:
        """One frame."""
        try:
            self.take(kind, data, time_ms)
        except msgspec.ValidationError as error:
            self.fail(Unreadable(f"{self.name}: {error}"))

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """What a frame holds; each kind of feed has its own."""
        raise NotImplementedError

    def put(self, item: Item) -> None:
        """One item more."""
        if len(self._items) >= QUEUE_MAX:
            self._items.clear()
            self.fail(TooSlow(f"{self.name}: {QUEUE_MAX} updates were waiting"))
        elif self._error is None:
            self._items.append(item)
            self._wake.set()

    def fail(self, error: ClientError) -> None:
        """No more."""
        self._error = self._error or error
        self._wake.set()

    async def next(self) -> Item:
        """The next item. Raises what ended the feed."""
        while not self._items:
            if self._error is not None:
                raise self._error
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            yield await self.next()

    async def stop(self) -> None:
        """Unsubscribe."""
        await self._socket.remove(self)


class PriceFeed(Queue[Price]):
    """Prices as they change."""

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """A price."""
        self.put(msgspec.convert(data, Price))


class FundingFeed(Queue[FundingRate]):
    """A rate for each hour."""

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """A rate."""
        self.put(msgspec.convert(data, FundingRate))


class CandleFeed(Queue[Candle]):
    """The current candle, whenever it changes."""

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """A candle."""
        for candle in msgspec.convert(data, list[Candle]):
            self.put(candle)


class TradeFeed(Queue[PublicTrade]):
    """Every trade of a market once, in order, also those that were made while there was no connection."""

    def __init__(self, socket: Socket, name: str, params: dict[str, Any], exchange: Exchange) -> None:
        super().__init__(socket, name, params)
        self._exchange = exchange
        self._market = str(params["selector"]["market"])
        self._last: PublicTrade | None = None
        self._before: list[PublicTrade] | None = None  # the newest at the beginning, if any; None: not known
        self._held: list[PublicTrade] | None = None  # while a hole is repaired
        self._has_begun = False
        self._looking: asyncio.Task[None] | None = None
        self._repair: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Subscribed. From the second time on, trades may be missing."""
        if self._has_begun and self._held is None:
            self._held = []
            self._repair = asyncio.create_task(self._fill())
        elif not self._has_begun:
            self._looking = asyncio.create_task(self._look())
        self._has_begun = True

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """Trades."""
        for trade in msgspec.convert(data, list[PublicTrade]):
            if self._held is None:
                self._tell(trade)
            elif len(self._held) < QUEUE_MAX:
                self._held.append(trade)
            else:
                self.fail(TooSlow(f"{self.name}: {QUEUE_MAX} trades came while older ones were asked for"))

    def _tell(self, trade: PublicTrade) -> None:
        if self._last is None or trade.is_after(self._last):
            self._last = trade
            self.put(trade)

    async def _look(self) -> None:
        """What was traded before the beginning: a break may come before the first trade that is told."""
        with suppress(ClientError):
            self._before = await self._exchange.trades(self._market, 1)

    async def _fill(self) -> None:
        if self._looking is not None:
            await self._looking
        while self._error is None:
            since = [self._last] if self._last is not None else self._before
            try:
                missed = [] if since is None else await self._exchange.trades(self._market, REPAIR_TRADES)
                break
            except ClientError:
                await asyncio.sleep(REPAIR_PAUSE_S)
        else:
            return
        missed = [trade for trade in missed if not since or trade.is_after(since[0])]
        if len(missed) == REPAIR_TRADES:
            self.fail(TooSlow(f"{self.name}: more than {REPAIR_TRADES} trades were missed"))
        held, self._held = self._held or [], None
        for trade in [*reversed(missed), *held]:
            self._tell(trade)


class BookFeed:
    """A market's book, always as the exchange last told it. `bids` and `asks`: quantity by price."""

    def __init__(self, socket: Socket, market: str) -> None:
        self.market = market
        self.name = f"orderbooks.{market}"
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.time_ms = 0
        self.is_current = False  # False from a break in the connection until the next snapshot
        self._socket = socket
        self._changed = asyncio.Event()
        self._error: ClientError | None = None

    def params(self) -> dict[str, Any]:
        """Of the subscription."""
        return {"scope": "orderbooks", "selector": {"market": self.market, "depth": "full", "rfqOnly": False}}

    def begin(self) -> None:
        """A snapshot follows. Whoever waits for a change is told that until then nothing here is current."""
        self.is_current = False
        self._changed.set()

    def hear(self, kind: str, data: Any, time_ms: int) -> None:
        """A snapshot or changes."""
        if kind == "SNAPSHOT":
            self.bids.clear()
            self.asks.clear()
            self.is_current = True
        elif not self.is_current:
            return  # changes of a book that is being begun anew
        for levels, side in ((self.bids, "b"), (self.asks, "a")):
            for level in data[side]:
                price, size = Decimal(level["p"]), Decimal(level["c"])
                if not (is_sane(price) and is_sane(size)):
                    raise ValueError(f"{self.name}: no price, or no size: {str(level)[:80]}")
                if size:
                    levels[price] = size
                else:
                    levels.pop(price, None)
            if len(levels) > LEVELS_MAX:
                raise ValueError(f"{self.name}: more than {LEVELS_MAX} prices")
        self.time_ms = time_ms
        self._changed.set()

    def fail(self, error: ClientError) -> None:
        """No more."""
        self._error = error
        self.is_current = False
        self._changed.set()

    @property
    def best(self) -> tuple[Decimal | None, Decimal | None]:
        """The highest bid and the lowest ask."""
        return max(self.bids, default=None), min(self.asks, default=None)

    async def changed(self) -> None:
        """Wait for the next change. Raises what ended the feed."""
        self._changed.clear()
        if self._error is None:
            await self._changed.wait()
        if self._error is not None:
            raise self._error

    async def stop(self) -> None:
        """Unsubscribe."""
        await self._socket.remove(self)


class Feeds:
    """Feeds on one connection. Made by `Exchange.feeds`. Each may raise Refused when it is begun."""

    def __init__(self, exchange: Exchange, url: str) -> None:
        self.exchange = exchange
        self.socket = Socket(lambda: exchange.transport.session, url)

    async def open(self) -> None:
        """Connect; Unreachable where that cannot be done now."""
        await self.socket.open()

    async def close(self) -> None:
        """End every feed."""
        await self.socket.close()

    async def book(self, market: str) -> BookFeed:
        """The book, when its first snapshot is here."""
        feed = BookFeed(self.socket, market)
        await self.socket.add(feed)
        while not feed.is_current:
            await feed.changed()
        return feed

    async def trades(self, market: str) -> TradeFeed:
        """Trades from now on."""
        params = {"scope": "trades", "selector": {"market": market}}
        feed = TradeFeed(self.socket, f"trades.{market}", params, self.exchange)
        await self.socket.add(feed)
        return feed

    async def prices(self, kind: str, market: str | None = None) -> PriceFeed:
        """Prices, `mark` or `index`, of one market or all."""
        params = {"scope": "prices", "selector": {"type": kind, "market": market}}
        feed = PriceFeed(self.socket, f"prices.{kind}.{market or 'all'}", params)
        await self.socket.add(feed)
        return feed

    async def funding(self, market: str | None = None) -> FundingFeed:
        """Funding rates."""
        params = {"scope": "funding-rates", "selector": {"market": market}}
        feed = FundingFeed(self.socket, f"funding-rates.{market or 'all'}", params)
        await self.socket.add(feed)
        return feed

    async def candles(self, market: str, interval: str = "PT1M", kind: str = "last") -> CandleFeed:
        """Candles of trades (`last`), `mark` or `index`."""
        params = {"scope": "candles", "selector": {"type": kind, "market": market, "interval": interval}}
        feed = CandleFeed(self.socket, f"candles.{kind}.{market}.{interval}", params)
        await self.socket.add(feed)
        return feed

    async def account(self, trader: Trader) -> AccountFeed:
        """Everything that happens to an account, and its state, when the first of it is here."""
        from bulkhead.client.account import AccountFeed

        feed = AccountFeed(self.socket, trader)
        await self.socket.add(feed)
        await feed.ready()
        return feed
