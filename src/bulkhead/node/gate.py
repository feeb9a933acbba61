"""The gate of a venue that settles: a batch is sealed before a command could make it larger than any shape holds.

A batch may grow to what one of the chosen shapes holds, by all its bounds; the prover takes the smallest that holds it.
Before each command it is asked what that could add at most, with what the batch has already. An order is counted with
as many trades as orders stand against it. What prices and the clock set off, liquidations and triggers, is not known
before; for these a quarter of every batch is kept free, and should that not do, `overfull` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.batch import SHAPES, Shape, by_size
from bulkhead.circuit.room import FORCED, WITH_HOLDERS, Load, Need, lack, need_of, trades_of
from bulkhead.circuit.venue import venue_of
from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.command import (
    Clock,
    Command,
    PlaceOrder,
    PlaceProtection,
    Prices,
    RestartNode,
    SealBatch,
    SetStatus,
    Submit,
)
from bulkhead.engine.event import BatchSealed
from bulkhead.ledger import tx
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Transaction
from bulkhead.limits import BOOK_PRICE_LIMIT
from bulkhead.node.batches import copy_of
from bulkhead.node.exchange import Answer, Exchange
from bulkhead.node.writer import Entry, Oversized
from bulkhead.units import BookPrice

KEPT = 25  # percent of a batch that prices and the clock may fill with what they set off
TRIGGERED_MAX = 8  # orders that one order is counted with, of those that wait for a price
SPARE = 2  # trades beyond those that the book promises: makers that are refused make way for others


class BatchGate:
    """Knows the batch that is open. Making one raises NotProvable. `heard` is a listener of the writer."""

    def __init__(self, exchange: Exchange, shapes: Sequence[Shape] = SHAPES) -> None:
        self.overfull = ""  # a batch that may have become too large after all
        self.shapes = by_size(shapes)[::-1]
        self._exchange = exchange
        self._state: State = exchange.state
        self._venue = venue_of(self._state.config)
        self._state.applied = []
        self._load = Load(self._venue, copy_of(self._state))
        self._need = Need()
        self._pending = Need()
        self._orders = 0  # pending ones that may rest in a book before the next is handled
        self._settles = False  # something pending may change what accounts hold or have chosen, trades apart

    def ask(self, command: Command) -> Entry:
        """What to do with the next command of a group, in the order in which they come. Raises Oversized."""
        if isinstance(command, SealBatch):
            return Entry.LAST
        more = self._most(command)
        kept = KEPT if isinstance(command, Prices | Clock) else 0
        if not self._lack(self._need.plus(self._pending).plus(more), kept):
            self._pending = self._pending.plus(more)
            self._orders += isinstance(command, PlaceOrder)
            self._settles |= isinstance(command, Submit)
            return Entry.TAKE
        if self._pending != Need():
            return Entry.WAIT
        alone = self._lack(more)
        if not self._load.is_empty and (not alone or kept):
            return Entry.SEAL
        if not alone or kept:  # an empty batch is all that can be given; time does not wait
            return Entry.TAKE
        raise Oversized(f"this could take {alone}: more than a batch can prove; ask for less at once")

    def heard(self, answers: Sequence[Answer]) -> None:
        """A group was handled."""
        state = self._state
        applied, state.applied = state.applied or [], []
        for transaction in applied:
            self._load.take(transaction, self._holders(transaction))
        if any(isinstance(event, BatchSealed) for answer in answers for event in answer.events):
            self._load, self._need = Load(self._venue, copy_of(state)), Need()
        elif applied:
            self._need = self._load.need(state)
            problem = self._lack(self._need)
            if problem:
                self.overfull = f"batch {state.counters.batches + 1} may be too large to be proven: {problem}"
        self._pending, self._orders, self._settles = Need(), 0, False

    def _lack(self, need: Need, kept: int = 0) -> str:
        """What the largest shape may lack for a batch with this need; empty where there is one that holds it."""
        found = ""
        for shape in self.shapes:
            problem = lack(self._venue, shape, self._state, need, kept)
            if not problem:
                return ""
            found = found or problem
        return found

    def _holders(self, transaction: Transaction) -> Sequence[int]:
        """Who gave up all his lots is no holder any more: so everybody is counted."""
        return list(self._state.accounts) if isinstance(transaction, WITH_HOLDERS) else ()

    # -- what a command adds at most -------------------------------------------------------------------------------

    def _most(self, command: Command) -> Need:
        match command:
            case Submit():
                kind = type(command.transaction)
                holders = len(self._state.accounts) if kind in FORCED else 0
                return need_of(self._venue, kind, holders)
            case PlaceOrder():
                return self._meets(command)
            case PlaceProtection():
                return self._trades(self._waiting(), self._waiting())
            case Prices():
                return need_of(self._venue, tx.OracleTick).plus(need_of(self._venue, tx.FundingTick))
            case Clock():
                return need_of(self._venue, tx.FundingTick)
            case SetStatus():
                return need_of(self._venue, tx.StatusChange)
            case RestartNode():
                return need_of(self._venue, tx.Restart)
            case _:
                return Need()

    def _meets(self, command: PlaceOrder) -> Need:
        """An order with as many trades as orders stand against it within its size, and with those that may come."""
        order, desk = command.order, self._exchange.machine.venue.sequencer.desk
        book = desk.books.get(int(order.market_id))
        left, plain, count, makers = abs(int(order.base_amount)), 0, 0, set()
        is_plain = not self._settles and self._load.is_plain(int(order.account_id))
        if book is not None and left:
            side, worst = (BUY, BOOK_PRICE_LIMIT - 1) if int(order.base_amount) > 0 else (SELL, 1)
            for resting in book.facing(side, BookPrice(worst)):
                count += 1
                maker = int(desk.orders[resting.order_id].signed.account_id)
                makers.add(maker)
                plain += is_plain and self._load.is_plain(maker)
                left -= int(resting.size)
                if left <= 0:
                    break
        others = self._orders + self._waiting() + SPARE
        return self._trades(count + others, len(makers) + others, plain)

    def _waiting(self) -> int:
        """Orders that wait for a price, as many of them as are counted."""
        desk = self._exchange.machine.venue.sequencer.desk
        return min(len(desk.orders) - sum(map(len, desk.books.values())), TRIGGERED_MAX)

    def _trades(self, count: int, makers: int, plain: int = 0) -> Need:
        return trades_of(self._venue, plain, count - plain, makers + 1) if count else Need()
