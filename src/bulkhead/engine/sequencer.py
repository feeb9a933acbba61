"""The sequencer: `handle(command) -> list[Event]`, the engine's one entrance. Start reading here.

A command is refused when the clock went back; then orders whose time is up leave; then the command runs; then its
consequences, until all is quiet (`follow.settle_down`). Same commands, same events, on any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from bulkhead.engine import auction, cancel, place, snapshot, submit, venue
from bulkhead.engine.book import BUY, SELL, Book
from bulkhead.engine.command import (
    CancelAll,
    CancelOrder,
    Clock,
    Command,
    MassCancel,
    PlaceOrder,
    PlaceProtection,
    Prices,
    RestartNode,
    SealBatch,
    SetDeadMan,
    SetLeverageCap,
    SetStatus,
    Submit,
    Submitted,
)
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import Event
from bulkhead.engine.follow import everything_follows, settle_down
from bulkhead.engine.order import Cause, OrderView, view_of
from bulkhead.engine.snapshot import Snapshot
from bulkhead.fixed import FRACTION_BITS, div_floor, seconds_floor
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Order
from bulkhead.limits import TIME_MS_BITS
from bulkhead.reject import Reject
from bulkhead.units import AccountId, BookPrice, Fraction, MarketId, Price, Quote, Requirement, Size, TimeMs

HANDLERS: dict[type, Callable[[Desk, Any], None]] = {
    PlaceOrder: place.place,
    PlaceProtection: place.protect,
    CancelOrder: cancel.cancel_order,
    CancelAll: cancel.cancel_all,
    MassCancel: cancel.mass_cancel,
    SetDeadMan: cancel.set_dead_man,
    SetLeverageCap: venue.set_leverage_cap,
    Submit: submit.submit,
    Prices: venue.prices,
    Clock: venue.clock,
    SetStatus: venue.set_status,
    RestartNode: venue.restart,
    SealBatch: venue.seal,
}


class Sequencer:
    """The engine over a ledger state: commands in, events out, and answers for everybody above."""

    __slots__ = ("desk",)

    def __init__(self, state: State, authority: Authority) -> None:
        self.desk = Desk(state, authority)

    # -- commands --------------------------------------------------------------------------------------------------

    def handle(self, command: Command) -> list[Event]:
        """Run one command and everything that follows from it."""
        desk = self.desk
        time_ms = command.time_ms
        if time_ms != desk.time_ms:
            if not 0 <= time_ms < 1 << TIME_MS_BITS:
                return self._refused(command, Reject.OUT_OF_RANGE)
            if time_ms < desk.time_ms:
                return self._refused(command, Reject.CLOCK_WENT_BACK)
            self._advance(time_ms)
        HANDLERS[type(command)](desk, command)
        return self._finish()

    def _advance(self, time_ms: TimeMs) -> None:
        desk = self.desk
        desk.time_ms = time_ms
        now_s = seconds_floor(time_ms)
        if now_s != desk.now_s:
            desk.now_s = now_s
            desk.forget_expired()

    def _refused(self, command: Command, reason: Reject) -> list[Event]:
        self.desk.reject(reason, getattr(command, "account_id", 0), detail=type(command).__name__)
        return self._finish()

    def _finish(self) -> list[Event]:
        """Consequences, and the events of everything since the last call."""
        desk = self.desk
        if desk.moved or desk.touched or desk.spent:
            settle_down(desk)
        events, desk.events = desk.events, []
        return events

    # -- for the keepers: each answers with its events -----------------------------------------------------------------

    def advance(self, time_ms: TimeMs) -> list[Event]:
        """Bring the clock forward before keepers act between two commands; it never goes back."""
        assert time_ms >= self.desk.time_ms, "handle() refused a clock that went back"
        self._advance(time_ms)
        return self._finish()

    def take_for_liquidation(
        self, closing: auction.Closing, close: auction.Close
    ) -> tuple[Size, Reject | None, list[Event]]:
        """Close a position against the book (see `auction.auction`): lots left, what stopped it, events."""
        left, stopped = auction.auction(self.desk, closing, close)
        return left, stopped, self._finish()

    def offers(self, market_id: MarketId, side: int, price: BookPrice) -> list[tuple[int, auction.Offer]]:
        """What rests at a price or better, for liquidations that span several books."""
        return auction.offers(self.desk, market_id, side, price)

    def taken(self, account_id: AccountId, fills: tuple[auction.Taken, ...]) -> list[Event]:
        """Resting orders follow a liquidation that the keeper has applied."""
        auction.taken(self.desk, account_id, fills)
        return self._finish()

    def cancel_account(self, account_id: AccountId, cause: Cause = Cause.LIQUIDATED) -> list[Event]:
        """Cancel an account's orders; of an isolated child, its parent's orders in that market.

        Orders that wait to reduce a position stay: they can only help.
        """
        cancel.cancel_account(self.desk, account_id, cause)
        return self._finish()

    def follow(self) -> list[Event]:
        """Positions changed without the engine (backstop, deleveraging): reduce-only orders follow."""
        everything_follows(self.desk)
        return self._finish()

    def next_number(self) -> int:
        """The number of the next event, for events the keepers publish in the same sequence."""
        self.desk.number += 1
        return self.desk.number

    def take_samples(self, market_id: MarketId) -> tuple[Fraction, ...]:
        """The premium samples since the last funding tick, which are then forgotten."""
        return self.desk.marks.take_samples(market_id)

    # -- questions -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The ledger's state. Only transactions change it."""
        return self.desk.state

    @property
    def time_ms(self) -> TimeMs:
        """Time of the last command."""
        return self.desk.time_ms

    def open_orders(self, account_id: int) -> list[OrderView]:
        """Open orders of a signable account, waiting ones included, oldest first."""
        return [view_of(order) for order in self.desk.of_account(account_id)]

    def order(self, order_id: int) -> OrderView | None:
        """An open order by the engine's id."""
        found = self.desk.orders.get(order_id)
        return None if found is None else view_of(found)

    def book(self, market_id: int) -> Book:
        """The book of a market, to be read only."""
        return self.desk.books[market_id]

    def best_bid_ask(self, market_id: int) -> tuple[BookPrice | None, BookPrice | None]:
        """Highest resting buy, lowest resting sell."""
        book = self.desk.books[market_id]
        return book.best(BUY), book.best(SELL)

    def mark(self, market_id: int) -> Price:
        """The mark price; 0 before the first index price."""
        return self.desk.marks.by_market[market_id].mark

    def last(self, market_id: int) -> BookPrice:
        """Price of the last trade; 0 before the first."""
        return self.desk.marks.by_market[market_id].last

    def samples(self, market_id: int) -> tuple[Fraction, ...]:
        """Premium samples since the last funding tick."""
        return self.desk.marks.by_market[market_id].samples

    def reserved(self, account_id: int) -> Requirement:
        """Initial requirement of a signable account, its open orders included."""
        return self.desk.claims.required(account_id)

    def free_initial(self, account_id: int) -> Quote:
        """Value beyond that requirement, rounded down; negative when orders ask more than there is."""
        return Quote(div_floor(self.desk.claims.spare(account_id), 1 << 2 * FRACTION_BITS))

    def maker_fee(self, order: Order, value: Quote) -> Quote:
        """What a resting order pays for a fill in a liquidation."""
        return auction.maker_fee(self.desk, order, value)

    def taker_rate(self, account_id: int) -> Fraction:
        """What a signable account pays to take liquidity, in any market, as a part of the value."""
        return self.desk.volumes.tier(account_id).taker

    def objection(self, transaction: Submitted) -> Reject | None:
        """What open orders, and the ledger for their sake, have to say against a transaction that nobody has signed."""
        desk = copy(self.desk)
        desk.authority = Authority(self.state.config, verify=False)
        return submit.orders_object(desk, transaction)

    def leverage_cap(self, account_id: int, market_id: int) -> int:
        """The operator-side cap on leverage, 0 for none."""
        return self.desk.caps.get((account_id, market_id), 0)

    # -- snapshots -------------------------------------------------------------------------------------------------

    def dump(self) -> Snapshot:
        """Everything the engine knows, between two commands."""
        return snapshot.dump(self.desk)

    @classmethod
    def load(cls, state: State, authority: Authority, taken: Snapshot) -> Sequencer:
        """The sequencer a snapshot was taken of, over the ledger's state of the same moment."""
        sequencer = cls(state, authority)
        sequencer.desk = snapshot.load(state, authority, taken)
        return sequencer

    def faults(self) -> list[str]:
        """What the engine keeps twice and that does not agree; empty when all is well."""
        return snapshot.faults(self.desk)
