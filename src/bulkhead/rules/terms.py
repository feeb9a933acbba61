"""The nouns the rules speak of: a position, a market's terms, the health of an account."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, ONE, div_ceil, fraction_mul_ceil
from bulkhead.units import (
    AssetId,
    BookPrice,
    Felt,
    Fraction,
    FundingIndex,
    MarketId,
    Price,
    Quote,
    Requirement,
    Size,
    Worth,
)


class Side(IntEnum):
    """Which way an order trades; also the sign of the position it makes."""

    BUY = 1
    SELL = -1


class Position(NamedTuple):
    """A holding in one market. `cost` is the quote paid for it (negative for a short); it serves profit
    and loss only, for the balance of the account has already paid it."""

    market_id: MarketId
    size: Size
    cost: Quote
    funding_index: FundingIndex


class Tier(NamedTuple):
    """Fractions asked of the part of a position's notional below `bound` and above the previous bound."""

    bound: Quote
    initial: Fraction
    maintenance: Fraction
    close_out: Fraction


class MarketTerms(NamedTuple):
    """The contract and the risk parameters of one market: configuration, changed only behind a timelock."""

    market_id: MarketId
    name: str
    synthetic_id: Felt
    asset_id: AssetId  # what it settles in
    resolution: int  # lots in one unit of the base asset
    group: int  # correlated markets share a group (scenario margin)
    tiers: tuple[Tier, ...]  # rising bounds; the last one is the position limit
    open_interest_lower: Quote  # initial fractions begin to rise here ...
    open_interest_upper: Quote  # ... and reach one here
    open_interest_cap: Quote
    tick: BookPrice
    size_min: Size
    order_value_max: Quote
    band: Fraction  # orders further than this from the mark are refused
    slippage: Fraction  # configured cost of selling a standard amount; orders the choice of liquidation
    price_step: Fraction  # largest move of the index per minute since the last one
    price_age_max_ms: int
    loss_budget: Quote  # what the insurance fund and the backstop may lose in this market
    funding_cap: Fraction  # largest hourly rate
    funding_interest: Fraction  # per eight hours


class Row(NamedTuple):
    """One tier made ready for multiplication: requirement = notional · fraction − deduction."""

    bound: Worth
    initial: Fraction
    maintenance: Fraction
    close_out: Fraction
    initial_deduction: Requirement
    maintenance_deduction: Requirement
    close_out_deduction: Requirement


class Risk(NamedTuple):
    """What margin rules need to know of a market now: its index price and its tiers at its open interest."""

    price: Price
    rows: tuple[Row, ...]


class Health(NamedTuple):
    """An account seen by its margin rule. Exact and never divided: compared by multiplying."""

    value: Worth
    initial: Requirement
    maintenance: Requirement
    close_out: Requirement

    @property
    def is_initial(self) -> bool:
        """Value covers the initial requirement: new risk is allowed."""
        return int(self.value) << FRACTION_BITS >= int(self.initial)

    @property
    def is_maintained(self) -> bool:
        """Value covers the maintenance requirement: no liquidation."""
        return int(self.value) << FRACTION_BITS >= int(self.maintenance)

    @property
    def is_above_close_out(self) -> bool:
        """Value covers the close-out requirement: liquidation stays partial."""
        return int(self.value) << FRACTION_BITS >= int(self.close_out)

    @property
    def is_bankrupt(self) -> bool:
        """The account owes more than it holds."""
        return int(self.value) < 0


Risks = Mapping[int, Risk]
"""By market id."""
Floors = Mapping[int, Fraction]
"""A trader's own initial fraction (one over his leverage) by market id; raises the initial requirement only."""

NO_FLOORS: Floors = {}
NO_SCALE = Fraction(0)


def open_interest_scale(terms: MarketTerms, open_interest: Worth) -> Fraction:
    """How far initial fractions have moved toward one: clamp01((OI − lower) / (upper − lower)), rounded up.

    Unit: Fraction. Source: the open-interest scaling of initial margin of dYdX v4's liquidity tiers.

    Example: between 100 and 200 million, an open interest of 150 million gives one half.
    """
    over = int(open_interest) - (int(terms.open_interest_lower) << FRACTION_BITS)
    if over <= 0:
        return Fraction(0)
    span = int(terms.open_interest_upper) - int(terms.open_interest_lower)
    if over >= span << FRACTION_BITS:
        return ONE
    return Fraction(div_ceil(over, span))


def risk_of(terms: MarketTerms, price: Price, scale: Fraction = NO_SCALE) -> Risk:
    """A market's tiers as rows, with each initial fraction raised: f + scale · (1 − f), rounded up.

    Deductions make the sum of brackets continuous: at a bound both tiers ask the same.
    """
    rows: list[Row] = []
    deductions = [0, 0, 0]
    previous: tuple[int, int, int] | None = None
    bound = 0
    for tier in terms.tiers:
        initial = tier.initial + fraction_mul_ceil(scale, ONE - tier.initial)
        fractions = (int(initial), int(tier.maintenance), int(tier.close_out))
        if previous is not None:
            deductions = [
                deduction + bound * (now - before)
                for deduction, now, before in zip(deductions, fractions, previous, strict=True)
            ]
        bound = int(tier.bound) << FRACTION_BITS
        rows.append(
            Row(
                Worth(bound),
                initial,
                tier.maintenance,
                tier.close_out,
                Requirement(deductions[0]),
                Requirement(deductions[1]),
                Requirement(deductions[2]),
            )
        )
        previous = fractions
    return Risk(price, tuple(rows))
