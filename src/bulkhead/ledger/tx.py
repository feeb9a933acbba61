"""Transactions: everything that changes state, and nothing else does. All of them will be proven.

Signed messages carry (r, s) over the hash that `authority` computes; times are `time_ms` of the sequencer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bulkhead.ledger.state import Choice, Kind, MarginRule, Status
from bulkhead.signing import Signature
from bulkhead.units import (
    AccountId,
    AssetId,
    BookPrice,
    Felt,
    Fraction,
    MarketId,
    Price,
    Quote,
    Size,
    TimeMs,
    TimeS,
)


class Order(NamedTuple):
    """A signed limit order. Amounts are signed: a buy has base > 0 and quote < 0. The fee is a total cap."""

    account_id: AccountId
    market_id: MarketId
    base_amount: Size
    quote_amount: Quote
    fee_amount: Quote
    expiration_s: TimeS
    salt: int
    public_key: Felt
    signature: Signature


class AssetLeg(NamedTuple):
    """Part of a Move: an amount of an asset from one account of the owner to another."""

    source: AccountId
    target: AccountId
    asset_id: AssetId
    amount: int


class PositionLeg(NamedTuple):
    """Part of a Move: lots of a position (signed like it), with their part of the cost."""

    source: AccountId
    target: AccountId
    market_id: MarketId
    size: Size


class OracleReport(NamedTuple):
    """One signer's price vector: (feed, price) by rising feed."""

    signer: int  # place in the configured list of keys
    sequence: int
    time_ms: TimeMs
    prices: tuple[tuple[int, Price], ...]
    signature: Signature


class LiquidationFill(NamedTuple):
    """One fill of a liquidation step against a resting order."""

    market_id: MarketId
    size: Size  # positive
    price: BookPrice
    order: Order
    order_fee: Quote


@dataclass(frozen=True, slots=True)
class Register:
    """A new signable account, signed by its own key (and, with a parent, the parent's key is the same)."""

    time_ms: TimeMs
    account_id: AccountId
    kind: Kind
    rule: MarginRule
    owner_key: Felt
    l1_owner: int
    parent_id: AccountId
    asset_id: AssetId
    signature: Signature


@dataclass(frozen=True, slots=True)
class Configure:
    """Signed choice of mode, leverage and top-up cap for one market of a signable account."""

    time_ms: TimeMs
    account_id: AccountId
    choice: Choice
    expiration_s: TimeS
    nonce: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class Deposit:
    """Collateral that L1 holds, credited. `number` is the place in L1's queue, counted from 1."""

    time_ms: TimeMs
    number: int
    account_id: AccountId
    asset_id: AssetId
    amount: int
    depositor: int = 0  # the address on L1 that it came from


@dataclass(frozen=True, slots=True)
class FundDeposit:
    """The venue's own money into the insurance fund, through L1's deposit queue like any other."""

    time_ms: TimeMs
    number: int
    asset_id: AssetId
    amount: Quote
    depositor: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    """A deposit of L1's queue that no account can be credited with goes back to the address that it came from."""

    time_ms: TimeMs
    number: int
    account_id: AccountId
    asset_id: AssetId
    amount: int
    depositor: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Collateral that leaves for an L1 address, signed by the owner."""

    time_ms: TimeMs
    account_id: AccountId
    asset_id: AssetId
    amount: int
    recipient: int
    expiration_s: TimeS
    salt: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class Transfer:
    """Collateral to any other signable account, signed by the sender (the client library's message)."""

    time_ms: TimeMs
    source: AccountId
    target: AccountId
    asset_id: AssetId
    amount: int
    expiration_s: TimeS
    salt: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class Move:
    """Assets and positions among accounts of one owner, and new choices, all or nothing."""

    time_ms: TimeMs
    account_id: AccountId  # whose key and nonce sign
    assets: tuple[AssetLeg, ...]
    positions: tuple[PositionLeg, ...]
    choices: tuple[tuple[AccountId, Choice], ...]
    expiration_s: TimeS
    nonce: int
    signature: Signature


@dataclass(frozen=True, slots=True)
class TopUp:
    """Capped top-up of a child or strategy from its parent; the amount is the rule's."""

    time_ms: TimeMs
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Trade:
    """Two signed orders meet at the maker's price."""

    time_ms: TimeMs
    market_id: MarketId
    maker: Order
    taker: Order
    size: Size  # positive
    price: BookPrice
    maker_fee: Quote
    taker_fee: Quote


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One step: a single fill of a linear account, or an equal slice of every position of a scenario account."""

    time_ms: TimeMs
    account_id: AccountId
    fills: tuple[LiquidationFill, ...]
    slices: int  # of 64; 0 for a linear account


@dataclass(frozen=True, slots=True)
class Backstop:
    """The backstop account takes lots of a position at the zero price."""

    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    size: Size  # positive


@dataclass(frozen=True, slots=True)
class Deleveraging:
    """Opposite holders give up lots at the zero price; who and how much is the rule's."""

    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    size: Size  # positive


@dataclass(frozen=True, slots=True)
class CollateralSale:
    """The backstop buys other collateral of an account that has nothing else left to pay its debt."""

    time_ms: TimeMs
    account_id: AccountId
    asset_id: AssetId


@dataclass(frozen=True, slots=True)
class OracleTick:
    """Signed price vectors of a quorum of the oracle's signers."""

    time_ms: TimeMs
    reports: tuple[OracleReport, ...]


@dataclass(frozen=True, slots=True)
class FundingTick:
    """The hour's committed one-minute premium samples, by market."""

    time_ms: TimeMs
    samples: tuple[tuple[MarketId, tuple[Fraction, ...]], ...]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What a market allows from now on (operator, or the keepers' brown-out)."""

    time_ms: TimeMs
    market_id: MarketId
    status: Status


@dataclass(frozen=True, slots=True)
class Restart:
    """The node came back: nothing is liquidated on prices from before this."""

    time_ms: TimeMs


@dataclass(frozen=True, slots=True)
class ForcedWithdrawal:
    """A withdrawal requested on L1: done, or shown to fail by a named reject. Queue order."""

    time_ms: TimeMs
    number: int
    included_ms: TimeMs
    account_id: AccountId
    asset_id: AssetId
    amount: int
    sender: int  # the address on L1 that asks


@dataclass(frozen=True, slots=True)
class ForcedClose:
    """A position closed on request from L1, at the first index after inclusion less a charge."""

    time_ms: TimeMs
    number: int
    included_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    sender: int


Transaction = (
    Register
    | Configure
    | Deposit
    | FundDeposit
    | Refund
    | Withdrawal
    | Transfer
    | Move
    | TopUp
    | Trade
    | Liquidation
    | Backstop
    | Deleveraging
    | CollateralSale
    | OracleTick
    | FundingTick
    | StatusChange
    | Restart
    | ForcedWithdrawal
    | ForcedClose
)
