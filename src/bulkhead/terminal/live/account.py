"""An account as it is now: money, positions, open orders, fills; and what became of each order that was sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from bulkhead.client import Balance, ClientError, Order, Position, Trade, Trader
from bulkhead.client.account import AccountFeed, Update
from bulkhead.client.models import Account, MarginCall
from bulkhead.terminal import words
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.topic import Topic

FILLS_KEPT = 500
LEFT_KEPT = 200
NAME_SHOWN = 12  # characters of a name, which may have 128


def shortened(name: str) -> str:
    """The beginning of a name that is longer than NAME_SHOWN."""
    return name if len(name) <= NAME_SHOWN else name[: NAME_SHOWN - 1].rstrip() + "…"


class LiveAccount:
    """Made by `Session`. Topics: `money`, `held` (positions), `orders_changed`, `filled`, `called` (margin calls),
    `troubled` (`problem`: why nothing is heard of it)."""

    def __init__(self, trader: Trader, named: Account, link: Link) -> None:
        self.trader = trader
        self.named = named
        self.account_id = trader.account_id
        self.balance: Balance | None = None
        self.positions: dict[str, Position] = {}
        self.orders: dict[int, Order] = {}
        self.fills: deque[Trade] = deque(maxlen=FILLS_KEPT)  # newest first
        self.left: deque[Order] = deque(maxlen=LEFT_KEPT)  # orders that have left while this was followed
        self.margin_calls: deque[MarginCall] = deque(maxlen=100)
        self.money = Topic()
        self.held = Topic()
        self.orders_changed = Topic()
        self.filled = Topic()
        self.called = Topic()
        self.troubled = Topic()
        self.is_known = False  # whether its first state has come
        self.problem = ""
        self.on_left: list[Callable[[Order], None]] = []  # told of every order that leaves
        self._link = link
        self._feed: AccountFeed | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def label(self) -> str:
        """As the header names it."""
        return f"{self._name} · {self.account_id}"

    @property
    def short_label(self) -> str:
        """The same where there is little room, and no element that could cut it off: on a canvas, in a sentence."""
        return f"{shortened(self._name)} · {self.account_id}"

    @property
    def _name(self) -> str:
        return self.named.description or ("main" if self.named.kind == "MAIN" else "strategy")

    def start(self) -> None:
        """Follow it from now on."""
        self._task = asyncio.create_task(self._follow(), name=f"account {self.account_id}")

    async def stop(self) -> None:
        """Follow it no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._feed is not None:
            with suppress(ClientError):
                await self._feed.stop()

    async def _follow(self) -> None:
        feeds = await self._link.ready()
        while True:
            try:
                fills = await self.trader.trades(limit=100)
                self._feed = await feeds.account(self.trader)
                self.problem = ""
                self.troubled.tell()
                self.fills.clear()
                self.fills.extend(fills)
                self._show_all()
                async for update in self._feed:
                    self._take(update)
            except ClientError as error:
                self.problem = str(words.of_error(error))
                self.troubled.tell()
                if self._feed is not None:
                    with suppress(ClientError):
                        await self._feed.stop()
                await asyncio.sleep(1.0)

    def _show_all(self) -> None:
        feed = self._feed
        assert feed is not None, "begun just now"
        self.orders, self.positions, self.balance = feed.orders, feed.positions, feed.balance
        self.is_known = True
        for topic in (self.money, self.held, self.orders_changed, self.filled):
            topic.tell()

    def _take(self, update: Update) -> None:
        assert self._feed is not None, "it told the update"
        self.orders, self.positions, self.balance = self._feed.orders, self._feed.positions, self._feed.balance
        for order in update.orders:
            if not order.is_open:
                self.left.appendleft(order)
                for told in self.on_left:
                    told(order)
        known = {trade.id for trade in self.fills} if update.trades else set()
        for trade in update.trades:
            if trade.id not in known:
                self.fills.appendleft(trade)
        self.margin_calls.extendleft(update.margin_calls)
        if update.orders or update.is_snapshot:
            self.orders_changed.tell()
        if update.positions or update.is_snapshot:
            self.held.tell()
        if update.balance is not None:
            self.money.tell()
        if update.trades:
            self.filled.tell()
        if update.margin_calls:
            self.called.tell()

    def size(self, market: str) -> Decimal:
        """The position in a market, above zero when long."""
        position = self.positions.get(market)
        return Decimal(0) if position is None else position.signed_size
