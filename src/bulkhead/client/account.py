"""The account feed: what an account has now, and every update of it. What happened during a break is looked up."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from bulkhead.client.errors import ClientError, RateLimited, Refused, Unreadable
from bulkhead.client.feeds import REPAIR_PAUSE_S, Queue
from bulkhead.client.models import Balance, MarginCall, Operation, Order, Position, Trade
from bulkhead.client.socket import Socket
from bulkhead.client.trader import Trader
from bulkhead.limits import MARKETS_MAX, ORDERS_PER_ACCOUNT_MAX

REPAIR_TRADES = 100
ORDERS_MAX = 2 * ORDERS_PER_ACCOUNT_MAX  # open ones: those that replace others may be told before the others' end


class Update(Struct, frozen=True, kw_only=True, rename="camel"):
    """One update. Lists hold what it is about, and are empty otherwise."""

    is_snapshot: bool = False
    orders: list[Order] = []
    positions: list[Position] = []
    trades: list[Trade] = []
    balance: Balance | None = None
    margin_calls: list[MarginCall] = []
    operation: Operation | None = None


class AccountFeed(Queue[Update]):
    """`orders` has the open ones by id, `positions` those of each market, `balance` the newest. It keeps no history:
    what has left is told once. An exchange that tells of more than an account can have ends the feed (Unreadable).

    After a break, fills are told that were missed (the newest 100), and what became of orders that were open before it.
    """

    def __init__(self, socket: Socket, trader: Trader) -> None:
        account = str(trader.account_id)
        params = {"scope": "account", "selector": {"account": account}, "apiKey": trader.api_key}
        super().__init__(socket, f"account.{account}", params)
        self.trader = trader
        self.orders: dict[int, Order] = {}
        self.positions: dict[str, Position] = {}
        self.balance: Balance | None = None
        self._last_trade = 0
        self._first_told: int | None = None  # the first fill since the last beginning: from it on all were told
        self._has_begun = False
        self._ready = asyncio.Event()
        self._repairs: set[asyncio.Task[None]] = set()

    async def ready(self) -> None:
        """Wait for the first snapshot, of orders, positions and balance."""
        await self._ready.wait()
        if self._error is not None and self.balance is None:
            raise self._error

    def fail(self, error: ClientError) -> None:
        """No more."""
        super().fail(error)
        self._ready.set()
        for repair in self._repairs:
            repair.cancel()

    def take(self, kind: str, data: Any, time_ms: int) -> None:
        """Follow an update, and hand it on."""
        update = msgspec.convert(data, Update, strict=False)
        if update.is_snapshot and kind == "ACCOUNT.ORDER":
            self._begin_orders(update.orders)
        elif update.is_snapshot and kind == "ACCOUNT.POSITION":
            self.positions = {position.market: position for position in update.positions}
        for order in update.orders:
            if order.is_open:
                self.orders[order.id] = order
            else:
                self.orders.pop(order.id, None)
        for position in update.positions:
            if position.status == "OPENED":
                self.positions[position.market] = position
            elif self.positions.get(position.market, position).id == position.id:
                self.positions.pop(position.market, None)
        if update.balance is not None:
            self.balance = update.balance
            self._ready.set()
        for trade in update.trades:
            self._first_told = trade.id if self._first_told is None else min(trade.id, self._first_told)
            self._last_trade = max(self._last_trade, trade.id)
        self.put(update)
        if len(self.orders) > ORDERS_MAX or len(self.positions) > MARKETS_MAX:
            self.fail(Unreadable(f"{self.name}: more open orders or positions than an account can have"))

    def _begin_orders(self, opened: list[Order]) -> None:
        """A new beginning: orders that are gone, and fills, are asked for."""
        is_open = {order.id for order in opened}
        gone = [order_id for order_id in self.orders if order_id not in is_open]
        self.orders.clear()
        self._first_told = None
        if self._has_begun:
            repair = asyncio.create_task(self._fill(gone, self._last_trade))
            self._repairs.add(repair)
            repair.add_done_callback(self._repairs.discard)
        self._has_begun = True

    async def _fill(self, gone: list[int], last_trade: int) -> None:
        """Tell what became of orders, and the fills since the last that was told (the newest 100). An exchange that
        knows no more what it told before ends the feed: begun again, it has what is so now."""
        while self._error is None:
            try:
                orders = [await self.trader.order(order_id) for order_id in gone]
                trades = await self.trader.trades(REPAIR_TRADES)
            except RateLimited as error:
                await asyncio.sleep(error.retry_s)
                continue
            except Refused as error:  # it told of them itself, and knows them no more, or whoever asks
                self.fail(Unreadable(f"{self.name}: the exchange has another history than it had: {error}"))
                return
            except ClientError:
                await asyncio.sleep(REPAIR_PAUSE_S)
                continue
            if last_trade > max((trade.id for trade in trades), default=0):
                self.fail(Unreadable(f"{self.name}: the exchange has gone back: it knows fill {last_trade} no more"))
                return
            missed = [
                trade for trade in reversed(trades)
                if trade.id > last_trade and (self._first_told is None or trade.id < self._first_told)
            ]  # fmt: skip
            if orders or missed:
                self.put(Update(orders=orders, trades=missed))
            self._last_trade = max([self._last_trade, *(trade.id for trade in missed)])
            return

    def size(self, market: str) -> Decimal:
        """The position in a market, above zero when long."""
        position = self.positions.get(market)
        return Decimal(0) if position is None else position.signed_size
