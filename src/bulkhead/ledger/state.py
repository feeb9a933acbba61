"""The ledger's state: accounts, markets, funds, oracle, counters. Only a committed Draft changes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.orders import FilledOrders
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.rules.grid import check_grid
from bulkhead.rules.terms import MarketTerms, Position, Risk, check_terms, open_interest_scale, risk_of
from bulkhead.units import (
    AccountId,
    AssetId,
    Felt,
    Fraction,
    FundingIndex,
    MarketId,
    Price,
    Quote,
    Size,
    TimeMs,
    Worth,
)

if TYPE_CHECKING:
    from bulkhead.ledger.tx import Transaction


class Kind(IntEnum):
    """What an account is for. Children are made by fills and moves, never registered."""

    MAIN = 1
    CHILD = 2
    STRATEGY = 3
    BACKSTOP = 4


class MarginRule(IntEnum):
    """How an account's requirement is computed."""

    LINEAR = 1
    SCENARIO = 2


class Mode(IntEnum):
    """Where a signed order's fill settles."""

    CROSS = 1
    ISOLATED = 2


class Status(IntEnum):
    """What a market allows."""

    ACTIVE = 1
    REDUCE_ONLY = 2
    POST_ONLY = 3
    CANCEL_ONLY = 4
    OFF = 5


class Choice(NamedTuple):
    """Signed configuration of one market: mode, leverage, and how much top-up its child may draw in total.

    Market 0 carries the top-up cap of a strategy account itself.
    """

    market_id: MarketId
    mode: Mode
    leverage: int  # 0: the market's own initial fraction
    top_up_cap: Quote


class Account(NamedTuple):
    """A leaf of the state tree. Risk is a property of one account, never of an owner."""

    account_id: AccountId
    kind: Kind
    rule: MarginRule
    owner_key: Felt
    l1_owner: int
    parent_id: AccountId  # 0: none
    asset_id: AssetId  # settlement asset
    balance: Quote = Quote(0)
    collateral: tuple[tuple[AssetId, int], ...] = ()
    positions: tuple[Position, ...] = ()  # by rising market id
    choices: tuple[Choice, ...] = ()  # by rising market id
    nonce: int = 0
    topped_up: Quote = Quote(0)
    liquidated_ms: TimeMs = TimeMs(0)
    version: int = 1
    reserved: int = 0

    def size(self, market_id: int) -> Size:
        """Lots held in a market, zero when none."""
        for position in self.positions:
            if position.market_id == market_id:
                return position.size
        return Size(0)

    def position(self, market_id: int) -> Position | None:
        """The position in a market, if any."""
        for position in self.positions:
            if position.market_id == market_id:
                return position
        return None

    def choice(self, market_id: int) -> Choice | None:
        """The signed configuration of a market; None means cross at the market's own leverage."""
        for choice in self.choices:
            if choice.market_id == market_id:
                return choice
        return None

    @property
    def is_empty(self) -> bool:
        """Holds nothing: a child like this is forgotten (its leaf is zero)."""
        return not self.positions and not self.collateral and self.balance == Quote(0)


class Market(NamedTuple):
    """A market's state; its terms are configuration."""

    market_id: MarketId
    status: Status
    price: Price  # index; 0 until the first tick
    price_ms: TimeMs
    funding_index: FundingIndex
    funding_ms: TimeMs
    open_interest: Size  # lots held long (and as many short)
    scale: Fraction  # how far open interest has moved initial fractions toward one
    lost: Quote  # drawn from the market's loss budget


class Funds(NamedTuple):
    """The venue's own money in one settlement asset. `dust` is what rounding took, with 32 fraction bits."""

    fees: Quote = Quote(0)
    l1: Quote = Quote(0)
    insurance: Quote = Quote(0)
    dust: Worth = Worth(0)


class Oracle(NamedTuple):
    """The last accepted tick, and prices of other collateral by asset: (price, time)."""

    sequence: int = 0
    time_ms: TimeMs = TimeMs(0)
    collateral: tuple[tuple[AssetId, Price, TimeMs], ...] = ()


class Counters(NamedTuple):
    """What L1 and the batch need to count."""

    transactions: int = 0
    deposits: int = 0
    withdrawals: int = 0
    forced: int = 0
    batches: int = 0
    fresh_after_ms: TimeMs = TimeMs(0)  # no liquidation on prices from before a restart


@dataclass(slots=True)
class State:
    """Everything that decides validity, plus indexes derived from it (risks, indices, holders, changed)."""

    config: VenueConfig
    accounts: dict[int, Account] = field(default_factory=dict)
    markets: dict[int, Market] = field(default_factory=dict)
    funds: dict[int, Funds] = field(default_factory=dict)
    custody: dict[int, int] = field(default_factory=dict)  # deposits less withdrawals by asset
    oracle: Oracle = Oracle()
    counters: Counters = Counters()
    filled: FilledOrders = field(default_factory=FilledOrders)
    time_ms: TimeMs = TimeMs(0)
    # Derived
    terms: dict[int, MarketTerms] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)
    risks: dict[int, Risk] = field(default_factory=dict)
    indices: dict[int, FundingIndex] = field(default_factory=dict)
    holders: dict[int, dict[int, None]] = field(default_factory=dict)
    changed: dict[int, None] = field(default_factory=dict)
    # Accepted transactions in order, kept only where somebody put a list here to be filled: whoever proves them.
    applied: list[Transaction] | None = None


def put_market(state: State, market: Market) -> None:
    """Store a market and what is derived from it."""
    market_id = market.market_id
    before = state.markets.get(market_id)
    state.markets[market_id] = market
    state.indices[market_id] = market.funding_index
    if before is None or before.price != market.price or before.scale != market.scale:
        state.risks[market_id] = risk_of(state.terms[market_id], market.price, market.scale)


def put_account(state: State, account: Account) -> None:
    """Store an account (or forget an empty child) and keep the index of holders."""
    account_id = account.account_id
    before = state.accounts.get(account_id)
    if account.kind is Kind.CHILD and account.is_empty:
        state.accounts.pop(account_id, None)
    else:
        state.accounts[account_id] = account
    state.changed[account_id] = None
    held = () if before is None else before.positions
    if [position.market_id for position in held] != [position.market_id for position in account.positions]:
        for position in held:
            state.holders[position.market_id].pop(account_id, None)
        for position in account.positions:
            state.holders[position.market_id][account_id] = None


def rescaled(state: State, market: Market) -> Market:
    """A market with initial fractions brought up to date with its open interest and price."""
    terms = state.terms[market.market_id]
    worth = market.open_interest * market.price
    if int(worth) <= int(terms.open_interest_lower) << FRACTION_BITS:
        scale = Fraction(0)  # the common case, without a division
    else:
        scale = open_interest_scale(terms, worth)
    return market._replace(scale=scale)


def with_open_interest(state: State, market: Market, change: int) -> Market:
    """A market after `change` lots were opened (or closed) on each side."""
    return rescaled(state, market._replace(open_interest=Size(int(market.open_interest) + change)))


def genesis(config: VenueConfig, time_ms: TimeMs) -> State:
    """The first state: markets without a price, empty funds, and the backstop account."""
    check_grid(config.grid, [terms.group for terms in config.markets])
    state = State(config=config, time_ms=time_ms)
    for terms in config.markets:
        check_terms(terms)
        state.terms[terms.market_id] = terms
        state.groups[terms.market_id] = terms.group
        state.holders[terms.market_id] = {}
        put_market(
            state,
            Market(
                terms.market_id,
                Status.ACTIVE,
                Price(0),
                TimeMs(0),
                FundingIndex(0),
                time_ms,
                Size(0),
                Fraction(0),
                Quote(0),
            ),
        )
    for asset in config.assets:
        state.custody[asset.asset_id] = 0
        if asset.is_settlement:
            state.funds[asset.asset_id] = Funds()
    return state


def child_id(account_id: AccountId, market_id: MarketId) -> AccountId:
    """The isolated child of a signable account on a market."""
    return AccountId(account_id + market_id)


def is_signable(account_id: int) -> bool:
    """Ids that may sign are multiples of 64; those between belong to children."""
    return account_id > 0 and account_id & (CHILDREN_PER_ACCOUNT - 1) == 0
