"""The nouns the rules speak of: a position, a market's terms, the health of an account."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, ONE, div_ceil, fraction_mul_ceil
from bulkhead.limits import BOOK_PRICE_LIMIT, MARKETS_MAX, POSITION_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
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
    first: tuple[int, ...] = ()  # bound and fractions of rows[0] as a plain tuple, which `margin.health` unpacks faster


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


class ConfigError(ValueError):
    """A configuration that no venue may run on; the message names the field and what it must be."""


def open_interest_scale(terms: MarketTerms, open_interest: Worth) -> Fraction:
    """How far a market's open interest has moved its initial fractions toward one.

        scale = clamp((open interest − lower) / (upper − lower), 0, 1)

    Units: Fraction of two amounts of quote; rounded up.
    Source: the open-interest scaling of initial margin of dYdX v4's liquidity tiers.

    Between 100,000 and 200,000 USD, an open interest of 150,000 USD gives one half:

    >>> terms = market(open_interest_lower=dollars(100_000), open_interest_upper=dollars(200_000))
    >>> open_interest_scale(terms, worth(dollars(150_000))) == percent(50)
    True
    """
    over = int(open_interest) - (int(terms.open_interest_lower) << FRACTION_BITS)
    if over <= 0:
        return Fraction(0)
    span = int(terms.open_interest_upper) - int(terms.open_interest_lower)
    if over >= span << FRACTION_BITS:
        return ONE
    return Fraction(div_ceil(over, span))


def risk_of(terms: MarketTerms, price: Price, scale: Fraction = NO_SCALE) -> Risk:
    """A market's tiers made ready for its index price and open interest.

        initial = f + scale · (1 − f)
        deduction = deduction of the tier below + bound below · (fraction − fraction below)

    Deductions make the sum of brackets one product: notional · fraction − deduction. At a bound both tiers
    ask the same, so no account is liquidated by crossing one. Maintenance and close-out are not scaled.

    Units: Fraction, rounded up; deductions are exact, with 64 fraction bits.
    Source: Hyperliquid's margin tiers (deduction), dYdX v4 (scale).

    Brackets of 5 % to 100,000 USD and 10 % above: the second one deducts 5,000 USD; half scaled it asks 55 %:

    >>> second = risk_of(market(), index_price(BookPrice(1_000_000))).rows[1]
    >>> millionths(second.initial), in_dollars(second.initial_deduction)
    (100000, 5000)
    >>> millionths(risk_of(market(), index_price(BookPrice(1_000_000)), percent(50)).rows[1].initial)
    550000
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
        asked = (initial, tier.maintenance, tier.close_out)
        rows.append(Row(Worth(bound), *asked, *(Requirement(deduction) for deduction in deductions)))
        previous = fractions
    return Risk(price, tuple(rows), tuple(int(number) for number in rows[0][:4]))


def check_terms(terms: MarketTerms) -> None:
    """Refuse terms under which a rule would not hold: raises ConfigError with the field and what it must be.

    Units: as the fields are; nothing is rounded. Every bound is one that a proof of some rule leans on:
    rising tiers keep the requirement convex, maintenance above close-out keeps liquidation partial at first,
    positive slippage and tick are divided by.
    Source: ours: what each rule leans on, field by field.

    >>> check_terms(market())
    >>> check_terms(market(slippage=Fraction(0)))
    Traceback (most recent call last):
    bulkhead.rules.terms.ConfigError: market 1: slippage must be above zero
    """
    checks = (
        (1 <= terms.market_id <= MARKETS_MAX, f"market_id must be 1 to {MARKETS_MAX}"),
        (bool(terms.tiers), "tiers must name at least one"),
        (terms.resolution >= 1, "resolution must be at least one lot"),
        (1 <= int(terms.tick) < BOOK_PRICE_LIMIT, "tick must be at least one"),
        (1 <= int(terms.size_min) < SIZE_LIMIT, "size_min must be at least one lot"),
        (0 < int(terms.order_value_max) < QUOTE_LIMIT, "order_value_max must be above zero"),
        (0 <= int(terms.open_interest_lower), "open_interest_lower must not be negative"),
        (terms.open_interest_lower < terms.open_interest_upper, "open_interest_upper must be above the lower one"),
        (0 < int(terms.open_interest_cap) < QUOTE_LIMIT, "open_interest_cap must be above zero"),
        (0 < int(terms.band) < int(ONE), "band must be above zero and below one"),
        (int(terms.slippage) > 0, "slippage must be above zero"),
        (0 < int(terms.price_step) <= int(ONE), "price_step must be above zero and at most one"),
        (terms.price_age_max_ms > 0, "price_age_max_ms must be above zero"),
        (int(terms.loss_budget) >= 0, "loss_budget must not be negative"),
        (0 < int(terms.funding_cap) <= int(ONE), "funding_cap must be above zero and at most one"),
        (abs(int(terms.funding_interest)) <= int(ONE), "funding_interest must be within one of zero"),
    )
    for is_right, problem in checks:
        if not is_right:
            raise ConfigError(f"market {terms.market_id}: {problem}")
    below = Tier(Quote(0), Fraction(0), Fraction(0), Fraction(0))
    for number, tier in enumerate(terms.tiers, 1):
        problem = _problem_of_tier(below, tier)
        if problem:
            raise ConfigError(f"market {terms.market_id}: tier {number}: {problem}")
        below = tier


def _problem_of_tier(below: Tier, tier: Tier) -> str:
    """What is wrong with a tier above another, or nothing."""
    if tier.bound <= below.bound:
        return "bound must be above that of the tier below"
    if int(tier.bound) >= POSITION_LIMIT:
        return f"bound must be below {POSITION_LIMIT}, so that a price may rise and still fit its width"
    if not 0 < int(tier.close_out) < int(tier.maintenance) < int(tier.initial) <= int(ONE):
        return "fractions must be 0 < close_out < maintenance < initial <= 1"
    if tier.initial < below.initial or tier.maintenance < below.maintenance or tier.close_out < below.close_out:
        return "fractions must not fall from one tier to the next"
    return ""
