"""Witnesses: every liquidation step in plain values, and `recompute`, which checks one with the rules alone.

A witness carries prices, terms, the account before, and what was done to it. Nothing else is needed: no state, no
engine, no trust in whoever published it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bulkhead.rules.deleveraging import Holder
from bulkhead.rules.liquidation import Charges
from bulkhead.rules.scenario import Grid
from bulkhead.rules.terms import Health, MarketTerms, Position
from bulkhead.units import AccountId, BookPrice, Fraction, MarketId, Price, Quote, Size, TimeMs, Worth


class Step(IntEnum):
    """Who took what was closed."""

    BOOK = 1
    BACKSTOP = 2
    DELEVERAGING = 3


class Seen(NamedTuple):
    """A market as the step saw it: terms, index, and what open interest had made of its initial fractions."""

    terms: MarketTerms
    price: Price
    mark: Price  # for slippage in stories; no rule reads it
    price_ms: TimeMs
    scale: Fraction
    open_interest: Size
    lost: Quote  # drawn from the loss budget before the step


class Leaf(NamedTuple):
    """What an account held, funding paid. `collateral` is its other assets at price and after haircut."""

    account_id: AccountId
    balance: Quote
    collateral: Worth
    positions: tuple[Position, ...]
    floors: tuple[tuple[MarketId, Fraction], ...]  # the trader's own initial fractions


class Candidate(NamedTuple):
    """A position the rule could have chosen: largest marginal / slippage goes first, then largest notional."""

    market_id: MarketId
    marginal: Fraction
    slippage: Fraction
    notional: Worth


class Part(NamedTuple):
    """One close: lots at a price, what bounded them, and who took them.

    `most` is the largest size the rule allowed at this price; `profit` and `taker_profit` are realised against
    cost, before charges.
    """

    market_id: MarketId
    size: Size  # positive
    price: BookPrice
    zero: BookPrice
    most: Size
    charges: Charges
    taker_id: AccountId
    order_id: int  # of the maker; 0 without a book
    profit: Quote
    taker_profit: Quote


class Rates(NamedTuple):
    """The venue's parameters of liquidation."""

    fee: Fraction
    penalty: Fraction
    target: Fraction
    dust: Quote
    pause_ms: int


class Witness(NamedTuple):
    """One step of one account. Of a scenario account `grid` is given; of a linear one it is None."""

    number: int
    time_ms: TimeMs
    receipt: int  # of the step's last ledger transaction
    step: Step
    account: Leaf
    parent_id: AccountId
    last_step_ms: TimeMs
    markets: tuple[Seen, ...]
    grid: Grid | None
    rates: Rates
    before: Health
    candidates: tuple[Candidate, ...]
    market_id: MarketId  # the chosen one; 0 when all positions shrink together
    slices: int  # of 64; 0 for a linear account
    parts: tuple[Part, ...]
    after: Health
    covered: Quote  # paid by the insurance fund
    fund_left: Quote
    budget_left: Quote
    keeper: Leaf | None  # the backstop before, when it was asked; None also where it settles in another asset
    holders: tuple[Holder, ...]  # opposite positions before, when they were deleveraged
