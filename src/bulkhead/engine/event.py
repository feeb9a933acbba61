"""Events: what the engine publishes. `number` counts every event of the venue; `time_ms` is its command's."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.command import Submitted
from bulkhead.engine.order import Cause, PriceSource
from bulkhead.ledger.receipt import Flow
from bulkhead.ledger.state import Status
from bulkhead.reject import Reject
from bulkhead.rules.fees import FeeSplit
from bulkhead.units import AccountId, BookPrice, MarketId, Price, Quote, Size, TimeMs


class Accepted(NamedTuple):
    """An order passed admission and has an id. `size` is what may trade: a reduce-only order is cut to the position."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    external_id: str
    side: int
    price: BookPrice
    size: Size


class Rejected(NamedTuple):
    """A command was refused and changed nothing."""

    number: int
    time_ms: TimeMs
    reason: Reject
    account_id: AccountId
    external_id: str
    detail: str


class Rested(NamedTuple):
    """What is left of an order stands in the book."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    side: int
    price: BookPrice
    size: Size


class Traded(NamedTuple):
    """A trade at the maker's price. A liquidation has no taker's order: `taker_order_id` is 0.

    `maker_profit` and `taker_profit` are what the fill realised against cost, fees apart.
    """

    number: int
    time_ms: TimeMs
    market_id: MarketId
    price: BookPrice
    size: Size
    taker_side: int
    maker_order_id: int
    taker_order_id: int
    maker_account_id: AccountId
    taker_account_id: AccountId
    fees: FeeSplit
    maker_profit: Quote
    taker_profit: Quote


class Cancelled(NamedTuple):
    """An order left; `size` lots of it had not traded. `reject` says why when the cause is REFUSED."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    external_id: str
    size: Size
    cause: Cause
    reject: Reject | None


class Reduced(NamedTuple):
    """A resting order was cut to `size` lots and kept its place: its position, or its twin, shrank."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    size: Size


class Expired(NamedTuple):
    """An order's time was up; `size` lots of it had not traded."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    external_id: str
    size: Size


class Triggered(NamedTuple):
    """A waiting order's condition held at `price`."""

    number: int
    time_ms: TimeMs
    order_id: int
    account_id: AccountId
    market_id: MarketId
    source: PriceSource
    price: Price


class Replaced(NamedTuple):
    """`old_order_id` left, with `size` lots not traded, and `order_id` took over in the same step."""

    number: int
    time_ms: TimeMs
    order_id: int
    old_order_id: int
    account_id: AccountId
    market_id: MarketId
    external_id: str
    size: Size


class StateChanged(NamedTuple):
    """The ledger accepted a transaction from outside under this receipt number.

    A forced request is processed even where it fails: then `failed` names why, and nothing but its turn has passed.
    `flows` says what a forced close did to every account it touched.
    """

    number: int
    time_ms: TimeMs
    receipt: int
    transaction: Submitted
    failed: Reject | None = None
    flows: tuple[Flow, ...] = ()


class PricesAccepted(NamedTuple):
    """An oracle tick: new index prices by feed, and feeds that kept their old one with the reason."""

    number: int
    time_ms: TimeMs
    receipt: int
    prices: tuple[tuple[int, Price], ...]
    refused: tuple[tuple[int, Reject], ...]


class MarkChanged(NamedTuple):
    """A market's new mark beside its index."""

    number: int
    time_ms: TimeMs
    market_id: MarketId
    index_price: Price
    mark_price: Price


class StatusChanged(NamedTuple):
    """What a market allows from now on."""

    number: int
    time_ms: TimeMs
    market_id: MarketId
    status: Status


class DeadManSet(NamedTuple):
    """The switch fires on the first clock command at or after `deadline_ms`; 0: disarmed."""

    number: int
    time_ms: TimeMs
    account_id: AccountId
    deadline_ms: int


class LeverageCapped(NamedTuple):
    """New orders of the account in this market are judged at no more than this leverage; 0: no cap."""

    number: int
    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    leverage: int


class Restarted(NamedTuple):
    """The node came back."""

    number: int
    time_ms: TimeMs
    receipt: int


class BatchSealed(NamedTuple):
    """The transactions up to here, and after the last seal, are the batch of this number."""

    number: int
    time_ms: TimeMs
    batch: int


Event = (
    Accepted
    | Rejected
    | Rested
    | Traded
    | Cancelled
    | Reduced
    | Expired
    | Triggered
    | Replaced
    | StateChanged
    | PricesAccepted
    | MarkChanged
    | StatusChanged
    | DeadManSet
    | LeverageCapped
    | Restarted
    | BatchSealed
)
