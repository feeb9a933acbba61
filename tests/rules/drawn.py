"""What property tests draw: integers near the edges, markets, positions, and exact definitions to compare with."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from fractions import Fraction as Exact

from hypothesis import strategies as st

from bulkhead.fixed import ONE
from bulkhead.limits import NOTIONAL_WORTH_LIMIT, POSITION_LIMIT, PRICE_LIMIT, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.rules.examples import market
from bulkhead.rules.terms import MarketTerms, Position, Tier
from bulkhead.units import Fraction, FundingIndex, MarketId, Price, Quote, Size

WHOLE = int(ONE)


NEAR = sorted({sign * (1 << k) + step for k in range(130) for sign in (1, -1) for step in (-1, 0, 1)})


def edges(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers within [low, high]: half of them beside zero, a power of two or a limit."""
    near = [low, min(low + 1, high), max(high - 1, low), high, *NEAR[bisect_left(NEAR, low) : bisect_right(NEAR, high)]]
    return st.one_of(st.sampled_from(near), st.integers(low, high))


quotes = edges(1 - QUOTE_LIMIT, QUOTE_LIMIT - 1).map(Quote)
prices = edges(1, PRICE_LIMIT - 1).map(Price)
fractions = edges(0, WHOLE).map(Fraction)
ordinary_prices = st.integers(1 << 36, 1 << 52).map(Price)  # 16 to a million micro-dollars a lot


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    """One to four tiers that `check_terms` accepts."""
    bounds = sorted(draw(st.sets(edges(1, POSITION_LIMIT - 1), min_size=1, max_size=4)))
    steps = [sorted(draw(edges(1, WHOLE // 3)) for _ in bounds) for _ in range(3)]
    found = []
    for bound, close_out, more, most in zip(bounds, *steps, strict=True):
        shares = (close_out + more + most, close_out + more, close_out)
        found.append(Tier(Quote(bound), *(Fraction(share) for share in shares)))
    return tuple(found)


def markets(market_id: int) -> st.SearchStrategy[MarketTerms]:
    """A market with drawn tiers."""
    return tiers().map(lambda drawn: market(market_id, tiers=drawn))


@st.composite
def sizes(draw: st.DrawFn, price: int, sign: int = 0) -> Size:
    """Lots whose notional fits its width at a price; either sign unless one is asked for."""
    most = min(SIZE_LIMIT - 1, (NOTIONAL_WORTH_LIMIT - 1) // int(price))
    magnitude = draw(edges(1, most))
    return Size(magnitude * (sign or draw(st.sampled_from((1, -1)))))


@st.composite
def books(draw: st.DrawFn, count_max: int = 5) -> tuple[list[MarketTerms], list[int], tuple[Position, ...]]:
    """Up to `count_max` markets, their prices, and one position in each."""
    count = draw(st.integers(0, count_max))
    terms = [draw(markets(market_id)) for market_id in range(1, count + 1)]
    at = [draw(prices) for _ in terms]
    held = tuple(
        Position(one.market_id, draw(sizes(price)), draw(quotes), FundingIndex(draw(edges(-(2**95) + 1, 2**95 - 1))))
        for one, price in zip(terms, at, strict=True)
    )
    return terms, at, held


def bracket_sum(bounds: list[int], shares: list[int], notional: Exact) -> Exact:
    """Σ over brackets of the part of the notional inside it times its share; the last bracket has no end."""
    total, below = Exact(0), Exact(0)
    for number, (bound, share) in enumerate(zip(bounds, shares, strict=True)):
        end = notional if number == len(bounds) - 1 else min(notional, Exact(bound))
        total += max(Exact(0), end - below) * Exact(share, WHOLE)
        below = Exact(bound)
    return total


def exact_initial(share: int, scale: int) -> int:
    """f + scale · (1 − f), rounded up to 32 fraction bits."""
    return share - (-scale * (WHOLE - share) // WHOLE)


def position_of(market_id: int, size: int) -> Position:
    """A position whose cost and funding do not matter."""
    return Position(MarketId(market_id), Size(size), Quote(0), FundingIndex(0))
