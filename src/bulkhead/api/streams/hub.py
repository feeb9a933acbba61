"""The hub: hears every group that the writer has handled, and tells each topic what concerns it.

It stands behind the store in the writer's list of listeners. So streams say what REST says: the same rows, in the same
shapes. What nobody listens to costs a look at a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import structlog

from bulkhead.api.call import Api
from bulkhead.api.errors import bad
from bulkhead.api.info import INTERVALS
from bulkhead.api.streams.accounts import AccountTopic, call_shape
from bulkhead.api.streams.books import BookTopic
from bulkhead.api.streams.candles import CandleTopic
from bulkhead.api.streams.markets import KINDS, FundingTopic, PriceTopic, TradesTopic
from bulkhead.api.streams.topic import Topic
from bulkhead.api.webhooks import is_test_network
from bulkhead.engine.event import (
    Cancelled,
    Expired,
    MarkChanged,
    PricesAccepted,
    Reduced,
    Replaced,
    Rested,
    StateChanged,
    Traded,
)
from bulkhead.keepers.event import ToppedUp
from bulkhead.ledger.tx import Configure, Move
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.exchange import Answer
from bulkhead.node.store.candles import INDICES, MARKS, TRADES
from bulkhead.node.store.staging import Row
from bulkhead.node.webhooks import Courier

log = structlog.get_logger("bulkhead.streams")

REPRICED_MAX = 50
"""Accounts whose worth is told anew at a tick, in turn: one costs some tenth of a millisecond."""
ACCOUNT_TABLES = frozenset({"orders", "fills", "positions", "operations", "margin_calls"})


class Hub:
    """Every topic of a node. One of it stands beside a node's `Api`."""

    def __init__(self, api: Api) -> None:
        self.api = api
        ids = {int(wire.terms.market_id): wire for wire in api.markets.all}
        self.books = {market_id: BookTopic(api, wire) for market_id, wire in ids.items()}
        self.trades = {market_id: TradesTopic(api) for market_id in ids}
        self.funding = {market_id: FundingTopic(api, wire) for market_id, wire in ids.items()}
        self.prices = {
            (kind, market_id): PriceTopic(api, wire, kind) for market_id, wire in ids.items() for kind in KINDS
        }
        self.accounts: dict[int, AccountTopic] = {}
        self._candles: dict[tuple[int, str], dict[int, CandleTopic]] = {
            (market_id, kind): {} for market_id in ids for kind in (TRADES, MARKS, INDICES)
        }
        self._orders: dict[int, list[int]] = {}  # touched in this group, by market that is listened to
        self._touched: dict[int, AccountTopic] = {}
        self._turn = 0
        self._is_repriced = False
        self._has_failed = False
        chain_id = api.node.exchange.state.config.chain_id
        self._courier = Courier(api.node.database, is_test=is_test_network(chain_id))
        self._handlers: dict[type, Callable[[Any], None]] = {
            Rested: self._rested,
            Traded: self._traded,
            Cancelled: self._left,
            Expired: self._left,
            Reduced: self._left,
            Replaced: self._replaced,
            MarkChanged: self._marked,
            PricesAccepted: self._priced,
            StateChanged: self._changed,
            ToppedUp: self._topped_up,
        }
        api.node.store.staging.watch = self._row
        api.node.writer.listeners.append(self.heard)
        api.node.withdrawals.listeners.append(self._progressed)

    # -- topics ------------------------------------------------------------------------------------------------------

    def candles(self, market_id: int, kind: str, interval: str) -> CandleTopic:
        """The topic of a candle; refused where there is no such interval."""
        span_ms = INTERVALS.get(interval)
        if span_ms is None:
            raise bad(f"interval must be one of {', '.join(INTERVALS)}", 1005)
        found = self._candles[market_id, kind]
        if span_ms not in found:
            found[span_ms] = CandleTopic(self.api, self.api.markets.by_id[market_id], kind, span_ms)
        return found[span_ms]

    def account(self, account_id: int) -> AccountTopic:
        """The topic of an account, kept while somebody listens: see `forget`."""
        if account_id not in self.accounts:
            self.accounts[account_id] = AccountTopic(self.api, account_id)
        return self.accounts[account_id]

    def forget(self, topics: Sequence[Topic]) -> None:
        """Let go of accounts that nobody listens to any more."""
        for topic in topics:
            if isinstance(topic, AccountTopic) and not topic.listeners:
                self.accounts.pop(topic.account_id, None)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def heard(self, answers: Sequence[Answer]) -> None:
        """A group was handled, and its rows are derived. Never raises: the writer must not suffer from a stream."""
        if self._has_failed:
            self._fail()
            return
        try:
            handlers = self._handlers
            for answer in answers:
                for event in answer.events:
                    handler = handlers.get(type(event))
                    if handler is not None:
                        handler(event)
            self._flush()
        except Exception:
            log.exception("the streams failed; every listener is dropped")
            self._fail()

    def _fail(self) -> None:
        """Nobody knows who was not told of what: everybody connects again, and gets a snapshot."""
        self._has_failed = False
        self._orders.clear()
        self._touched.clear()
        candles = [one for found in self._candles.values() for one in found.values()]
        several = (self.books, self.trades, self.funding, self.prices, self.accounts)
        for topic in [*candles, *(one for found in several for one in found.values())]:
            topic.fail()

    def _row(self, table: str, row: Row) -> None:
        """A row was derived. Called while a group is derived, before `heard`; never raises either."""
        try:
            self._sort(table, row)
        except Exception:
            log.exception("a stream failed", table=table)
            self._has_failed = True

    def _sort(self, table: str, row: Row) -> None:
        if table in ACCOUNT_TABLES:
            topic = self.accounts.get(row["account_id"])
            if topic is not None:
                topic.changed(table, row)
                self._touched[row["account_id"]] = topic
            if table == "fills" and row["is_taker"]:
                self.trades[row["market_id"]].traded(row)
            elif table == "margin_calls":
                self._courier.tell(row["account_id"], {"type": "MARGIN_CALL", "data": call_shape(row)})
        elif table == "candles":
            for candle in self._candles[row["market_id"], row["kind"]].values():
                candle.seen(row)
        elif table == "funding_rates":
            self.funding[row["market_id"]].paid(row)

    def _flush(self) -> None:
        for market_id, order_ids in self._orders.items():
            self.books[market_id].touched(order_ids)
        self._orders.clear()
        for trades in self.trades.values():
            trades.flush()
        touched, self._touched = self._touched, {}
        for topic in touched.values():
            topic.flush()
        if self._is_repriced:
            self._is_repriced = False
            self._reprice()

    def _reprice(self) -> None:
        """Tell some of the accounts that hold positions what they are worth now; the next ones at the next tick."""
        held = [one for one in self.accounts.values() if self._holds(one.account_id)]
        if not held:
            return
        first = self._turn % len(held)
        for topic in islice(held + held, first, first + min(REPRICED_MAX, len(held))):
            topic.repriced()
        self._turn = first + REPRICED_MAX

    def _holds(self, account_id: int) -> bool:
        opened = self.api.node.store.deriver.held.open
        return any((account_id, market_id) in opened for market_id in self.books)

    def _progressed(self, rows: list[Row]) -> None:
        """Withdrawals have another status on L1. Never raises: the tables must not suffer from a stream."""
        for row in rows:
            topic = self.accounts.get(row["account_id"])
            if topic is None:
                continue
            try:
                topic.progressed(row)
            except Exception:
                log.exception("a stream failed", account=row["account_id"])
                topic.fail()

    # -- events ------------------------------------------------------------------------------------------------------

    def _touch(self, market_id: int, order_id: int) -> None:
        if self.books[market_id].is_following:
            self._orders.setdefault(market_id, []).append(order_id)

    def _rested(self, event: Rested) -> None:
        book = self.books[event.market_id]
        if book.is_following:
            book.rested(event.order_id, event.side, event.price)
            self._touch(event.market_id, event.order_id)

    def _traded(self, event: Traded) -> None:
        self._touch(event.market_id, event.maker_order_id)

    def _left(self, event: Cancelled | Expired | Reduced) -> None:
        self._touch(event.market_id, event.order_id)

    def _replaced(self, event: Replaced) -> None:
        self._touch(event.market_id, event.old_order_id)

    def _marked(self, event: MarkChanged) -> None:
        self.prices["mark", event.market_id].priced(int(event.mark_price), int(event.time_ms))

    def _priced(self, event: PricesAccepted) -> None:
        self._is_repriced = bool(self.accounts)
        for feed, price in event.prices:
            topic = self.prices.get(("index", feed))  # feeds of other collateral have no market
            if topic is not None:
                topic.priced(int(price), int(event.time_ms))

    def _changed(self, event: StateChanged) -> None:
        """Margin that moved within a family leaves no row, nor does a new mode."""
        if isinstance(event.transaction, Move | Configure):
            self._worth(int(event.transaction.account_id))

    def _topped_up(self, event: ToppedUp) -> None:
        self._worth(int(event.account_id))
        self._worth(int(event.parent_id))

    def _worth(self, account_id: int) -> None:
        family = account_id & -CHILDREN_PER_ACCOUNT
        topic = self.accounts.get(family)
        if topic is not None:
            self._touched[family] = topic
