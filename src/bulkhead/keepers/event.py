"""What the keepers publish beside the engine's events. `number` counts all events of the venue."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.event import Event
from bulkhead.keepers.condition import Condition
from bulkhead.keepers.witness import Witness
from bulkhead.reject import Reject
from bulkhead.rules.terms import Health
from bulkhead.units import AccountId, AssetId, FundingIndex, MarketId, Quote, TimeMs


class ConditionChanged(NamedTuple):
    """An account entered another condition; an account that no longer exists is healthy and holds nothing."""

    number: int
    time_ms: TimeMs
    account_id: AccountId
    before: Condition
    after: Condition
    health: Health


class MarginCalled(NamedTuple):
    """Maintenance reached `level` hundredths of an account's value; said once until it has fallen well below."""

    number: int
    time_ms: TimeMs
    account_id: AccountId
    level: int
    health: Health


class ToppedUp(NamedTuple):
    """A child or strategy drew `amount` from its parent by its signed cap; `drawn` is the total so far."""

    number: int
    time_ms: TimeMs
    receipt: int
    account_id: AccountId
    parent_id: AccountId
    amount: Quote
    drawn: Quote


class LiquidationWaits(NamedTuple):
    """An account that should be liquidated is not, and why; said once for each reason, and tried at every tick.

    NO_LIQUIDITY: nobody in the book pays its zero price, and it is not yet below close-out. PRICE_STALE: a price
    is too old, or from before a restart. COOLING_DOWN: its last partial step is too recent.
    """

    number: int
    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId  # 0: the whole account
    reason: Reject


class CollateralSold(NamedTuple):
    """An account without positions paid its debt with other collateral: `amount` units for `paid`."""

    number: int
    time_ms: TimeMs
    receipt: int
    account_id: AccountId
    asset_id: AssetId
    amount: int
    paid: Quote


class FundingMoved(NamedTuple):
    """An hour's funding: new indices by market, and markets without a payment with the reason."""

    number: int
    time_ms: TimeMs
    receipt: int
    indices: tuple[tuple[MarketId, FundingIndex], ...]
    refused: tuple[tuple[MarketId, Reject], ...]


KeeperEvent = ConditionChanged | MarginCalled | ToppedUp | LiquidationWaits | CollateralSold | FundingMoved | Witness
VenueEvent = Event | KeeperEvent
