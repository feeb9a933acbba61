"""From commands and their events to rows: the same journal makes the same rows, at once or in a rebuild.

Only the command and its events are read, never the state, for a group of commands is told when all of it has happened.
"""

from __future__ import annotations

import json
from typing import Any

from bulkhead.engine.book import BUY
from bulkhead.engine.command import Command, PlaceOrder, PlaceProtection
from bulkhead.engine.event import (
    Accepted,
    BatchSealed,
    Cancelled,
    Expired,
    MarkChanged,
    PricesAccepted,
    Reduced,
    Replaced,
    Rested,
    StateChanged,
    StatusChanged,
    Traded,
    Triggered,
)
from bulkhead.engine.order import Leg, Protects, Terms
from bulkhead.keepers.event import FundingMoved, MarginCalled, ToppedUp, VenueEvent
from bulkhead.keepers.witness import Witness
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import Order
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.node.store import money
from bulkhead.node.store.candles import Candles
from bulkhead.node.store.held import Held
from bulkhead.node.store.staging import Row, Staging
from bulkhead.node.store.tables import place_id
from bulkhead.node.store.wording import FORCES, KINDS, OPEN, SIDES, reason_of, trigger_words

_Entering = list[tuple[Order, Terms, Leg | None, bool]]
"""Orders of one command in the order in which the engine accepts them; each with the leg that it is, if one, and
whether that closes a whole position."""


class Deriver:
    """Follows every command of one venue. `orders` has the open ones, `held` the open positions."""

    def __init__(self, config: VenueConfig, staging: Staging, authority: Authority) -> None:
        self.config = config
        self.staging = staging
        self.sequence = 0
        self.orders: dict[int, Row] = {}
        self.held = Held(config, staging)
        self.candles = Candles(config, staging)
        self._authority = authority  # the exchange's own, which remembers the hashes of its orders
        self._batch_first = 1
        self._reducing: set[int] = set()  # markets in which every order only reduces
        self._taking: dict[int, None] = {}  # orders that took in this command, and of which nothing more was said

    def load(self, opened: list[Row], held: list[Row], candles: list[Row], progress: dict[str, str]) -> None:
        """Go on from what was written: open orders, open positions, the last candles, and where it stood."""
        self.orders = {row["order_id"]: row for row in opened}
        self.sequence = int(progress.get("sequence", "0"))
        self._batch_first = int(progress.get("batch_first", "1"))
        self._reducing = {int(market_id) for market_id in progress.get("reducing", "").split()}
        self.held.load(held, progress)
        self.candles.load(candles)

    def heard(self, sequence: int, command: Command, events: list[VenueEvent]) -> None:
        """One command and what it caused. A sequence that was heard already is passed over."""
        if sequence <= self.sequence:
            return
        self.sequence = sequence
        self._taking.clear()
        entering: _Entering | None = None
        for event in events:
            kind = type(event)
            if kind is Accepted:
                if entering is None:
                    entering = _entering(command)
                self._accepted(event, entering.pop(0))  # type: ignore[arg-type]
            else:
                handler = _HANDLERS.get(kind)
                if handler is not None:
                    handler(self, event)
        for order_id in self._taking:
            self._done(order_id)
        self.staging.note("sequence", sequence)

    # -- orders ----------------------------------------------------------------------------------------------------

    def _accepted(self, event: Accepted, entering: tuple[Order, Terms, Leg | None, bool]) -> None:
        signed, terms, leg, is_whole = entering
        is_waiting = leg is not None or terms.trigger is not None
        extra: dict[str, Any] = {}
        if leg is not None:
            extra["trigger"] = trigger_words(leg.trigger)
            extra["tpSlType"] = "POSITION" if is_whole else "ORDER"
        elif terms.trigger is not None:
            extra["trigger"] = trigger_words(terms.trigger)
        row: Row = {
            "order_id": event.order_id,
            "account_id": int(event.account_id),
            "market_id": int(event.market_id),
            "external_id": event.external_id or str(event.order_id),  # the name that `Desk.named` finds it by
            "kind": "TPSL" if leg is not None else KINDS[terms.kind],
            "side": SIDES[event.side],
            "status": "UNTRIGGERED" if is_waiting else "NEW",
            "reason": "NONE",
            "price": int(event.price),
            "size": int(event.size),
            "filled": 0,
            "value": 0,
            "fee": 0,
            "reduce_only": leg is not None or terms.reduce_only or event.market_id in self._reducing,
            "post_only": terms.post_only,
            "time_in_force": FORCES[terms.time_in_force],
            "expiry_ms": (int(signed.expiration_s) - EXPIRY_GRACE_S) * 1000,
            "created_ms": int(event.time_ms),
            "updated_ms": int(event.time_ms),
            "parent_id": 0,
            "extra": json.dumps(extra, separators=(",", ":")) if extra else "",
            "hash": hex(self._authority.order_hash(signed)),
            "sequence": self.sequence,
        }
        self.orders[event.order_id] = row
        self.staging.put("orders", event.order_id, row)

    def _traded(self, event: Traded) -> None:
        value = int(event.price * event.size)
        taker, maker = self.orders.get(event.taker_order_id), self.orders.get(event.maker_order_id)
        is_liquidation = not event.taker_order_id
        trade_type = "LIQUIDATION" if is_liquidation else "TRADE"
        self.candles.traded(event.market_id, int(event.time_ms), int(event.price), int(event.size))
        sides = (
            (maker, event.maker_account_id, 1 - event.taker_side, int(event.fees.maker), int(event.maker_profit)),
            (taker, event.taker_account_id, event.taker_side, int(event.fees.taker), int(event.taker_profit)),
        )
        for place, (order, holder_id, side, fee, profit) in enumerate(sides):
            if order is not None:
                self._filled(order, int(event.size), value, fee, int(event.time_ms))
            fill = {
                "fill_id": place_id(event.number, place),
                "account_id": money.family(holder_id),
                "holder_id": int(holder_id),
                "market_id": int(event.market_id),
                "order_id": event.taker_order_id if place else event.maker_order_id,
                "external_id": "" if order is None else order["external_id"],
                "side": SIDES[side],
                "price": int(event.price),
                "size": int(event.size),
                "value": value,
                "fee": fee,
                "l1_share": int(event.fees.l1),
                "profit": profit,
                "is_taker": bool(place),
                "trade_type": trade_type if place else "TRADE",  # the maker's side was an order like any other
                "created_ms": int(event.time_ms),
                "sequence": self.sequence,
            }
            self.staging.put("fills", fill["fill_id"], fill)
            self.held.filled(fill, int(event.size) if side == BUY else -int(event.size), str(fill["trade_type"]))
        if taker is not None:
            self._taking[event.taker_order_id] = None
        if maker is not None and maker["reduce_only"] and not self._closes(maker):
            self._done(event.maker_order_id)

    def _filled(self, order: Row, size: int, value: int, fee: int, time_ms: int) -> None:
        order["filled"] += size
        order["value"] += value
        order["fee"] += fee
        order["updated_ms"] = time_ms
        order["status"] = "FILLED" if order["filled"] >= order["size"] else "PARTIALLY_FILLED"
        self.staging.put("orders", order["order_id"], order)
        if order["status"] == "FILLED":
            del self.orders[order["order_id"]]

    def _closes(self, order: Row) -> bool:
        """There is still a position that an order can reduce."""
        held = self.held.open.get((order["account_id"], order["market_id"]))
        return held is not None and held["side"] == ("SHORT" if order["side"] == "BUY" else "LONG")

    def _done(self, order_id: int) -> None:
        """An order that traded all it could: it was cut to its position, or to its parent's fills, while it traded, and
        left without another word."""
        order = self.orders.pop(order_id, None)
        if order is not None:
            order["size"], order["status"] = order["filled"], "FILLED"
            self.staging.put("orders", order_id, order)

    def _changed(self, order_id: int, time_ms: int, **fields: object) -> None:
        """Change an open order; one that leaves is no longer open."""
        self._taking.pop(order_id, None)
        order = self.orders.get(order_id)
        if order is None:
            return
        order.update(fields)
        order["updated_ms"] = time_ms
        self.staging.put("orders", order_id, order)
        if order["status"] not in OPEN:
            del self.orders[order_id]

    def _cancelled(self, event: Cancelled) -> None:
        reason = reason_of(event.cause, event.reject)
        self._changed(event.order_id, int(event.time_ms), status="CANCELLED", reason=reason)

    def _expired(self, event: Expired) -> None:
        self._changed(event.order_id, int(event.time_ms), status="EXPIRED", reason="NONE")

    def _replaced(self, event: Replaced) -> None:
        self._changed(event.old_order_id, int(event.time_ms), status="CANCELLED", reason="ORDER_REPLACED")

    def _triggered(self, event: Triggered) -> None:
        self._changed(event.order_id, int(event.time_ms), status="NEW")
        if event.market_id in self._reducing and event.order_id in self.orders:
            self.orders[event.order_id]["reduce_only"] = True

    def _status_changed(self, event: StatusChanged) -> None:
        """In a market that only reduces, every order that rests does, and goes on doing so."""
        if event.status is Status.REDUCE_ONLY:
            self._reducing.add(int(event.market_id))
            for order in self.orders.values():
                if order["market_id"] == event.market_id and order["status"] != "UNTRIGGERED":
                    order["reduce_only"] = True
                    self.staging.put("orders", order["order_id"], order)
        else:
            self._reducing.discard(int(event.market_id))
        self.staging.note("reducing", " ".join(str(market_id) for market_id in sorted(self._reducing)))

    def _resized(self, event: Reduced | Rested) -> None:
        """An order was cut to its position, or grew with its parent: what it may trade in all follows."""
        self._taking.pop(event.order_id, None)
        order = self.orders.get(event.order_id)
        if order is not None and order["filled"] + int(event.size) != order["size"]:
            self._changed(event.order_id, int(event.time_ms), size=order["filled"] + int(event.size))

    # -- the rest --------------------------------------------------------------------------------------------------

    def _state_changed(self, event: StateChanged) -> None:
        money.changed(self, event)

    def _topped_up(self, event: ToppedUp) -> None:
        money.topped_up(self, event)

    def _witnessed(self, event: Witness) -> None:
        self.held.liquidated(event, self.sequence)

    def _funded(self, event: FundingMoved) -> None:
        self.held.funded(event)

    def _called(self, event: MarginCalled) -> None:
        money.called(self, event)

    def _priced(self, event: PricesAccepted) -> None:
        for market_id, price in event.prices:
            self.held.prices[market_id] = int(price)
        self.candles.indexed(event)

    def _marked(self, event: MarkChanged) -> None:
        self.candles.marked(event)

    def _sealed(self, event: BatchSealed) -> None:
        row = {
            "batch": event.batch,
            "sealed_ms": int(event.time_ms),
            "sequence_first": self._batch_first,
            "sequence_last": self.sequence,
            "commands": self.sequence - self._batch_first + 1,
        }
        self.staging.put("batches", event.batch, row)
        self._batch_first = self.sequence + 1
        self.staging.note("batch_first", self._batch_first)


def _entering(command: Command) -> _Entering:
    """The orders a command may bring in, its own before those that protect it."""
    if isinstance(command, PlaceOrder):
        legs = [leg for leg in (command.take_profit, command.stop_loss) if leg is not None]
        is_whole = command.protects is Protects.POSITION
        return [(command.order, command.terms, None, False), *((leg.order, Terms(), leg, is_whole) for leg in legs)]
    assert isinstance(command, PlaceProtection), "nothing else brings orders in"
    legs = [leg for leg in (command.take_profit, command.stop_loss) if leg is not None]
    return [(leg.order, Terms(), leg, not command.size) for leg in legs]


_HANDLERS: dict[type, Any] = {
    Traded: Deriver._traded,
    Cancelled: Deriver._cancelled,
    Expired: Deriver._expired,
    Replaced: Deriver._replaced,
    Triggered: Deriver._triggered,
    StatusChanged: Deriver._status_changed,
    Reduced: Deriver._resized,
    Rested: Deriver._resized,
    StateChanged: Deriver._state_changed,
    ToppedUp: Deriver._topped_up,
    Witness: Deriver._witnessed,
    FundingMoved: Deriver._funded,
    MarginCalled: Deriver._called,
    PricesAccepted: Deriver._priced,
    MarkChanged: Deriver._marked,
    BatchSealed: Deriver._sealed,
}
