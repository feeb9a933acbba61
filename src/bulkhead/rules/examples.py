"""The market of the worked examples: a lot is worth one dollar, so a reader can check them in his head."""

from __future__ import annotations

from typing import Any

from bulkhead.fixed import FRACTION_BITS, ONE, basis_points, div_floor, index_price, percent
from bulkhead.rules.terms import MarketTerms, Position, Risk, Tier, risk_of
from bulkhead.units import AssetId, BookPrice, Felt, Fraction, FundingIndex, MarketId, Quote, Requirement, Size

DOLLAR = 1_000_000
NOTHING = Quote(0)


def dollars(whole: int) -> Quote:
    """Whole dollars as Quote."""
    return Quote(whole * DOLLAR)


def millionths(share: Fraction) -> int:
    """A Fraction in parts per million, to the nearest: for reading, never for money."""
    return div_floor(2 * DOLLAR * int(share) + int(ONE), 2 * int(ONE))


def in_dollars(amount: Requirement) -> int:
    """A requirement in dollars, to the nearest: for reading, never for money."""
    return div_floor(2 * int(amount) + (DOLLAR << 2 * FRACTION_BITS), DOLLAR << (2 * FRACTION_BITS + 1))


def market(market_id: int = 1, **changes: Any) -> MarketTerms:
    """A market that asks 5, 3 and 2 % up to 100,000 USD and twice that up to ten million."""
    terms = MarketTerms(
        market_id=MarketId(market_id),
        name=f"EXAMPLE-{market_id}",
        synthetic_id=Felt(market_id),
        asset_id=AssetId(1),
        resolution=1_000,
        group=1,
        tiers=(
            Tier(dollars(100_000), percent(5), percent(3), percent(2)),
            Tier(dollars(10_000_000), percent(10), percent(6), percent(4)),
        ),
        open_interest_lower=dollars(100_000_000),
        open_interest_upper=dollars(200_000_000),
        open_interest_cap=dollars(400_000_000),
        tick=BookPrice(1),
        size_min=Size(1),
        order_value_max=dollars(10_000_000),
        band=percent(5),
        slippage=basis_points(10),
        price_step=percent(10),
        price_age_max_ms=60_000,
        loss_budget=dollars(1_000_000),
        funding_cap=percent(4),
        funding_interest=basis_points(1),
    )
    return terms._replace(**changes)


def risk(market_id: int = 1, price: int = DOLLAR) -> Risk:
    """The example market at an index price of so many millionths of a dollar per lot."""
    return risk_of(market(market_id), index_price(BookPrice(price)))


def position(market_id: int, size: int, cost: Quote = NOTHING) -> Position:
    """Lots of an example market, bought for `cost`."""
    return Position(MarketId(market_id), Size(size), cost, FundingIndex(0))
