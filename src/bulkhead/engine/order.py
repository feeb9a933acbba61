"""What an order asks beside its signature, and an open order as the engine keeps it.

The signed `ledger.tx.Order` binds account, market, amounts, fee cap and expiry. Everything here is unsigned: the
engine keeps these promises, the ledger and the proof keep the signed ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from bulkhead.ledger.tx import Order
from bulkhead.units import BookPrice, Quote, Size


class OrderType(IntEnum):
    """How an order enters: at once, when its trigger fires, or as protection of a position."""

    LIMIT = 1
    MARKET = 2  # the signed price is the worst acceptable one; never rests
    CONDITIONAL = 3
    TPSL = 4


class TimeInForce(IntEnum):
    """What becomes of the part that does not trade at once."""

    GTT = 1  # rests until its expiry
    IOC = 2  # is cancelled
    FOK = 3  # all of it trades at once, or none


class SelfTrade(IntEnum):
    """Between whom the taker's order may not trade; the resting order gives way and is cancelled.

    An account never trades with itself, whatever the level, for the ledger refuses such a trade: DISABLED
    therefore means that accounts of one owner may trade with each other, as ACCOUNT does. Under CLIENT the resting
    order gives way only to its own key; one whose account merely names the same L1 owner stops the taker.
    """

    DISABLED = 1
    ACCOUNT = 2
    CLIENT = 3  # nor with any account of the same L1 owner or key


class PriceSource(IntEnum):
    """Which price a trigger watches."""

    MARK = 1
    INDEX = 2
    LAST = 3


class Direction(IntEnum):
    """A trigger fires when the price is at or above (UP), at or below (DOWN) its own."""

    UP = 1
    DOWN = 2


class Execution(IntEnum):
    """What a fired order becomes: an IOC at its worst price, or a limit order."""

    MARKET = 1
    LIMIT = 2


class Trigger(NamedTuple):
    """When a waiting order enters the market. A condition that already holds fires at once."""

    source: PriceSource
    direction: Direction
    price: BookPrice
    execution: Execution


class Leg(NamedTuple):
    """A take-profit or a stop-loss: its own signed order on the closing side, and its trigger."""

    order: Order
    trigger: Trigger


class Protects(IntEnum):
    """What a take-profit or stop-loss closes: what its parent order filled, or the whole position."""

    ORDER = 1
    POSITION = 2


class Terms(NamedTuple):
    """The unsigned attributes of an order. The defaults are those of a plain limit order."""

    external_id: str = ""
    kind: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTT
    post_only: bool = False
    reduce_only: bool = False
    self_trade: SelfTrade = SelfTrade.ACCOUNT
    trigger: Trigger | None = None


class Stage(IntEnum):
    """Where an open order is."""

    RESTING = 1  # in the book, or trading its way there
    WAITING = 2  # for its trigger
    DORMANT = 3  # for the first fill of its parent


class Cause(IntEnum):
    """Why an open order was cancelled. A replaced one is not: it has an event of its own."""

    REQUESTED = 1
    NOTHING_TO_TAKE = 2  # the rest of an IOC or market order
    REFUSED = 3  # the ledger, or the check when its trigger fired, said no; the event carries the Reject
    SELF_TRADE = 4
    DEAD_MAN = 5
    NOTHING_TO_REDUCE = 6  # reduce-only, and the position is gone
    OTHER_SIDE_FILLED = 7  # the take-profit of this stop (or the reverse) has traded it all
    PARENT_GONE = 8  # its parent left without a fill
    MARKET_CLOSED = 9
    LIQUIDATED = 10


@dataclass(slots=True)
class OpenOrder:
    """One order from acceptance until it leaves. Owned and changed by the engine alone.

    `left` is what may still trade. The book's own number may be larger for the length of one match only.
    """

    order_id: int
    order_hash: int
    signed: Order
    terms: Terms
    side: int  # book.BUY or book.SELL
    price: BookPrice
    left: Size
    stage: Stage
    expiry_s: int  # the book's: the signed one less the grace
    reduce_only: bool
    filled: Size = Size(0)
    reserved: Size = Size(0)  # lots and fee that the reserve holds for it
    fee_reserved: Quote = Quote(0)
    parent_id: int = 0
    sibling_id: int = 0
    legs: tuple[int, ...] = ()
    is_whole_position: bool = False

    @property
    def is_protective(self) -> bool:
        """Waits to reduce a position: it can only lower risk, so a dead-man's switch leaves it alone."""
        return self.reduce_only and self.stage is not Stage.RESTING


class OrderView(NamedTuple):
    """An open order as others read it, and as a snapshot keeps it."""

    order_id: int
    order_hash: int
    signed: Order
    terms: Terms
    side: int
    price: BookPrice
    left: Size
    stage: Stage
    expiry_s: int
    reduce_only: bool
    filled: Size
    reserved: Size
    fee_reserved: Quote
    parent_id: int
    sibling_id: int
    legs: tuple[int, ...]
    is_whole_position: bool


def view_of(order: OpenOrder) -> OrderView:
    """A frozen copy."""
    return OrderView(*[getattr(order, name) for name in OrderView._fields])
