"""What applying a transaction answers: a receipt, with the numbers a reader needs to follow it."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.reject import Reject
from bulkhead.rules.fees import FeeSplit
from bulkhead.rules.liquidation import Charges
from bulkhead.rules.terms import Health
from bulkhead.units import AccountId, AssetId, BookPrice, FundingIndex, MarketId, Price, Quote, Size


class Done(NamedTuple):
    """Nothing more to say than that it was done."""


class Traded(NamedTuple):
    """A fill and where its fees went."""

    market_id: MarketId
    size: Size
    price: BookPrice
    fees: FeeSplit


class Paid(NamedTuple):
    """An amount that moved: deposit, withdrawal, transfer, top-up, sale."""

    account_id: AccountId
    asset_id: AssetId
    amount: int


class Closed(NamedTuple):
    """Lots of one account closed by liquidation, with what bounded and what was charged."""

    market_id: MarketId
    size: Size  # positive
    price: BookPrice
    zero: BookPrice
    charges: Charges


class Liquidated(NamedTuple):
    """A liquidation step: health before and after, and each close. This is the ledger's half of the witness."""

    account_id: AccountId
    before: Health
    after: Health
    closes: tuple[Closed, ...]


class Flow(NamedTuple):
    """What a takeover did to one account: lots and profit realised at its price, and debt the fund paid for it."""

    account_id: AccountId
    change: Size  # signed
    profit: Quote
    covered: Quote


class TakenOver(NamedTuple):
    """Lots taken by the backstop, or by deleveraged holders, at the zero price."""

    account_id: AccountId
    market_id: MarketId
    price: BookPrice
    before: Health
    shares: tuple[tuple[AccountId, Size], ...]  # who took how many lots (positive)
    covered: Quote  # paid by the insurance fund before the price was found
    flows: tuple[Flow, ...]  # the account's own first, then one for each share


class Ticked(NamedTuple):
    """Accepted index prices, and feeds that kept their old price with the reason."""

    prices: tuple[tuple[int, Price], ...]
    refused: tuple[tuple[int, Reject], ...]


class Funded(NamedTuple):
    """New funding indices, and markets without a payment with the reason."""

    indices: tuple[tuple[MarketId, FundingIndex], ...]
    refused: tuple[tuple[MarketId, Reject], ...]


class ForcedFailed(NamedTuple):
    """A forced request that was processed and shown to fail by this named inequality."""

    reason: Reject


Detail = Done | Traded | Paid | Liquidated | TakenOver | Ticked | Funded | ForcedFailed


class Receipt(NamedTuple):
    """The answer to one transaction. `number` counts accepted transactions; a rejected one has 0."""

    number: int
    kind: str
    reject: Reject | None
    detail: Detail | None

    @property
    def is_ok(self) -> bool:
        """Accepted and written."""
        return self.reject is None
