"""Random venues, accounts and paths in which much goes wrong, for tests of the kernel."""

from __future__ import annotations

import numpy as np

from bulkhead.fixed import fraction
from bulkhead.lab.kernel import Accounts, Impact, Venue
from bulkhead.lab.paths import Paths
from bulkhead.lab.venue import MAJORS, resolution_of
from bulkhead.ledger.defaults import MILLION, market
from bulkhead.rules.terms import MarketTerms, Tier
from bulkhead.units import Fraction, Quote

PRICES = {"BTC": 100_000.0, "ETH": 4_000.0, "SOL": 200.0, "XRP": 2.5, "LTC": 100.0, "ADA": 0.8, "BCH": 500.0,
          "DOGE": 0.2}


def terms_of(draw: np.random.Generator, place: int, symbol: str) -> MarketTerms:
    """A market whose tiers begin low, so that accounts cross them on the way."""
    initial = int(draw.choice([100, 200, 500, 1_000]))
    terms = market(place, symbol, resolution_of(PRICES[symbol]), is_major=symbol in MAJORS, initial=initial)
    bounds = np.cumsum(draw.uniform(0.02, 2, draw.integers(1, 6)))
    tiers = tuple(
        Tier(Quote(int(bound * MILLION)), *(fraction(initial * step * share, 1_000_000) for share in (100, 60, 40)))
        for step, bound in enumerate(bounds, 1)
    )
    return terms._replace(tiers=tiers, slippage=fraction(int(draw.integers(1, 40)), 10_000))


def venue_of(draw: np.random.Generator, count: int) -> Venue:
    """A venue of some of the markets, with books from deep to hardly there."""
    symbols = list(draw.choice(list(PRICES), count, replace=False))
    impacts = tuple(
        Impact(draw.uniform(0, 5e-4), draw.choice([0, 1e-4, 3e-3, 5e-2]), draw.uniform(0.3, 1.2)) for _ in symbols
    )
    return Venue(
        tuple(terms_of(draw, place, symbol) for place, symbol in enumerate(symbols, 1)),
        tuple(PRICES[symbol] for symbol in symbols),
        impacts,
        tuple(int(draw.integers(1, 10**10)) for _ in symbols),
        fee=Fraction(int(draw.integers(0, 1 << 23))),
        penalty=Fraction(int(draw.integers(0, 1 << 27))),
        target=fraction(int(draw.integers(101, 200)), 100),
        dust=Quote(int(draw.choice([0, 1_000 * 10**6, 50_000 * 10**6]))),
        pause_ms=int(draw.choice([0, 10_000, 200_000])),
    )


def accounts_of(draw: np.random.Generator, venue: Venue, count: int, gross: float = 3e6) -> Accounts:
    """Accounts between just above their maintenance and comfortable; some hold nothing in some markets."""
    notional = draw.lognormal(np.log(gross / 10), 1.2, (count, len(venue.markets)))
    notional *= draw.choice([-1, 0, 1], notional.shape)
    empty = ~notional.any(axis=1)
    notional[empty, 0] = 1_000.0
    equity = np.abs(notional).sum(axis=1) * draw.uniform(0.02, 0.3, count)
    return Accounts.holding(venue, notional, equity, draw.random(count) < 0.3)


def paths_of(draw: np.random.Generator, venue: Venue, paths: int, steps: int, *, funded: bool = False) -> Paths:
    """Joint moves of one per cent a step with rare jumps; a minute each."""
    shape = (paths, steps, len(venue.markets))
    moves = 0.006 * draw.standard_normal(shape[:2])[..., None] + 0.006 * draw.standard_normal(shape)
    moves += 0.08 * draw.standard_normal(shape) * (draw.random(shape[:2])[..., None] < 0.01)
    ratio = np.exp(np.cumsum(moves, axis=1)).astype(np.float32)
    made = Paths(venue.symbols, 60_000, ratio, "test: simulated", 0)
    if not funded:
        return made
    rate = (1e-3 * draw.standard_normal((paths, steps // 20, shape[2]))).astype(np.float32)
    return Paths(venue.symbols, 60_000, ratio, "test: simulated", 0, funding=rate, funding_steps=20)
