"""A venue's crowd for sweeps: levered longs and shorts, hedged makers and basis traders, drawn by one seed.

What each kind is, in shares of accounts: levered longs 60 % and shorts 15 % (one market each), hedged makers 10 % (long
one market, short another of the same notional), basis traders 15 % (short here, long spot elsewhere, where the venue
does not see it). Notional and leverage are log-normal, leverage within what the market's initial margin allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bulkhead.fixed import fraction
from bulkhead.lab.impact import default_impacts
from bulkhead.lab.kernel import Accounts, Venue
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.prices.calibration import MARKETS
from bulkhead.lab.venue import INITIAL, INITIAL_OTHERS, MAJORS, resolution_of
from bulkhead.ledger.defaults import market
from bulkhead.rules.terms import MarketTerms, Tier

KINDS = ("levered long", "levered short", "hedged maker", "basis trader")
SHARES = (0.60, 0.15, 0.10, 0.15)
PRICE_OTHERS = 10.0
NOTIONAL_MEDIAN, NOTIONAL_SPREAD = 40_000.0, 1.4  # USD; of the logarithm
LEVERAGE_SPREAD = 0.6  # of the logarithm
MARGIN_USED_MOST = 0.9  # of equity, when a position is opened


@dataclass(frozen=True, eq=False)
class Crowd:
    """Accounts, and of which kind each is (a place in KINDS)."""

    accounts: Accounts
    kind: NDArray[np.int64]
    notional: Floats  # USD by account and market, signed


def venue_of(symbols: tuple[str, ...], depth: float = 1.0) -> Venue:
    """This venue's default terms for these markets, at the prices simulated worlds begin with.

    Books are the careful ones of `impact.py`, with a share of their usual depth.
    """
    prices = tuple(MARKETS[symbol].start if symbol in MARKETS else PRICE_OTHERS for symbol in symbols)
    markets = tuple(
        market(place, symbol, resolution_of(price), is_major=symbol in MAJORS,
               initial=INITIAL.get(symbol, INITIAL_OTHERS))
        for place, (symbol, price) in enumerate(zip(symbols, prices, strict=True), start=1)
    )  # fmt: skip
    return Venue(markets, prices, impact=tuple(default_impacts(symbols, depth).values()))


def with_maintenance(venue: Venue, share: float) -> Venue:
    """The same venue asking `share` of the initial requirement for maintenance, and two thirds of that at close-out."""
    thousandths = round(1_000 * share)

    def changed(terms: MarketTerms) -> MarketTerms:
        tiers = []
        for tier in terms.tiers:
            maintenance = fraction(int(tier.initial) * thousandths, 1_000 << 32)
            tiers.append(Tier(tier.bound, tier.initial, maintenance, fraction(2 * int(maintenance), 3 << 32)))
        return terms._replace(tiers=tuple(tiers))

    return replace(venue, markets=tuple(changed(terms) for terms in venue.markets))


def crowd_of(venue: Venue, count: int, seed: int, leverage: float = 10.0) -> Crowd:
    """`count` accounts whose median leverage is `leverage` where the market allows it; basis traders use a third."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    markets = len(venue.markets)
    kind = draw.choice(len(KINDS), size=count, p=SHARES)
    first = draw.integers(0, markets, count)
    other = (first + 1 + draw.integers(0, max(1, markets - 1), count)) % markets
    size = np.minimum(NOTIONAL_MEDIAN * np.exp(NOTIONAL_SPREAD * draw.standard_normal(count)), 5e6)
    wanted = leverage * np.exp(LEVERAGE_SPREAD * draw.standard_normal(count))
    wanted[kind == 3] /= 3
    notional = np.zeros((count, markets))
    rows = np.arange(count)
    notional[rows, first] = np.where((kind == 1) | (kind == 3), -size, size)
    hedged = (kind == 2) & (other != first)
    notional[rows[hedged], other[hedged]] = -size[hedged]
    needed = np.abs(notional) @ np.array([int(terms.tiers[0].initial) / 2**32 for terms in venue.markets])
    equity = np.maximum(np.abs(notional).sum(axis=1) / wanted, needed / MARGIN_USED_MOST)
    return Crowd(Accounts.holding(venue, notional, equity), kind, notional)
