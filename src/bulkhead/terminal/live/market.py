"""A market as it is now: book, trades, prices and statistics, kept for as long as a screen shows them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from decimal import Decimal
from typing import Any

from bulkhead.client import BookFeed, ClientError, Exchange, Market, PublicTrade
from bulkhead.client.models import Price, Statistics
from bulkhead.terminal.live.follow import again, follow
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.topic import Topic

TRADES_KEPT = 200
STATISTICS_S = 2.0
LINGER_S = 20.0  # kept for whoever comes back at once

Started = Coroutine[Any, Any, None]


class LiveMarket:
    """Made by `Session.market`; followed from the first `hold` on. Each part is a topic with the time of its last
    change; what has not come yet is empty, None or zero."""

    def __init__(self, exchange: Exchange, link: Link, terms: Market) -> None:
        self.terms = terms
        self.name = terms.name
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.is_book_current = False
        self.book = Topic()
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)  # newest first
        self.traded = Topic()
        self.mark: Price | None = None
        self.index: Price | None = None
        self.priced = Topic()
        self.statistics: Statistics | None = None
        self.counted = Topic()
        self.problem = Topic()
        self.problems: dict[str, str] = {}  # what of it cannot be followed, and why
        self._exchange = exchange
        self._link = link
        self._holders = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def best_bid(self) -> Decimal | None:
        """The highest bid; None where nobody bids."""
        return max(self.bids, default=None)

    @property
    def best_ask(self) -> Decimal | None:
        """The lowest ask; None where nobody asks."""
        return min(self.asks, default=None)

    @property
    def is_empty(self) -> bool:
        """A book that is known, and holds nothing."""
        return self.is_book_current and not self.bids and not self.asks

    def hold(self) -> Callable[[], None]:
        """Follow it until what is returned is called, and a little longer."""
        self._holders += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if not self._tasks:
            self._start()
        is_held = True

        def let_go() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._let_go()

        return let_go

    def stop(self) -> None:
        """Follow it no more."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.is_book_current = False

    def _let_go(self) -> None:
        self._holders -= 1
        if self._holders == 0:
            self._leaving = asyncio.get_running_loop().call_later(LINGER_S, self._leave)

    def _leave(self) -> None:
        self._leaving = None
        if self._holders == 0:
            self.stop()

    def _start(self) -> None:
        parts: list[tuple[str, Started]] = [
            ("book", self._follow_book()),
            ("trades", self._follow_trades()),
            ("mark", self._follow_price("mark")),
            ("index", self._follow_price("index")),
            ("statistics", again("statistics", STATISTICS_S, self._count)),
        ]
        self._tasks = [asyncio.create_task(part, name=f"{self.name} {name}") for name, part in parts]

    async def _follow_book(self) -> None:
        feeds = await self._link.ready()
        while True:
            feed: BookFeed | None = None
            try:
                feed = await feeds.book(self.name)
                self._failed("book", "")
                while True:
                    self.bids, self.asks = feed.bids, feed.asks
                    self.is_book_current = feed.is_current
                    self.book.tell()
                    await feed.changed()
            except ClientError as error:
                self.is_book_current = False
                self._failed("book", str(error))
                self.book.tell()
                await asyncio.sleep(1.0)
            finally:
                if feed is not None:
                    with suppress(ClientError):
                        await feed.stop()

    async def _follow_trades(self) -> None:
        feeds = await self._link.ready()
        self.trades.clear()
        with suppress(ClientError):  # the last ones; those to come are what counts
            self.trades.extend(await self._exchange.trades(self.name, TRADES_KEPT))
            self.traded.tell()
        await follow("trades", lambda: feeds.trades(self.name), self._trade, lambda why: self._failed("trades", why))

    def _trade(self, trade: PublicTrade) -> None:
        if self.trades and not trade.is_after(self.trades[0]):
            return
        if self.trades and trade.id < self.trades[0].id:
            self.trades.clear()  # of a history that the exchange has no more
        self.trades.appendleft(trade)
        self.traded.tell()

    async def _follow_price(self, kind: str) -> None:
        feeds = await self._link.ready()

        def take(price: Price) -> None:
            setattr(self, kind, price)
            self.priced.tell()

        await follow(kind, lambda: feeds.prices(kind, self.name), take, lambda why: self._failed(kind, why))

    async def _count(self) -> None:
        self.statistics = await self._exchange.statistics(self.name)
        self.counted.tell()

    def _failed(self, part: str, why: str) -> None:
        if why:
            self.problems[part] = why
        else:
            self.problems.pop(part, None)
        self.problem.tell()

    @property
    def last(self) -> Decimal:
        """The last price that was paid; 0 before the first."""
        if self.trades:
            return self.trades[0].price
        return self.statistics.last_price if self.statistics is not None else Decimal(0)
