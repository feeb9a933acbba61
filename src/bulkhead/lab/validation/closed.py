"""The kernel on Gaussian paths against what can be written down: single horizon, two correlated accounts, a barrier."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from bulkhead.lab.kernel import Accounts, Venue, run
from bulkhead.lab.paths.cube import STEP_MS
from bulkhead.lab.paths.gaussian import YEAR_MS, GaussianWorld
from bulkhead.lab.population import venue_of
from bulkhead.lab.prices.bars import Floats

VOLATILITY = np.array([0.6, 0.8])
NORMALS = 4_001  # points of the integral over one of two normals
CORRECTION = 0.5825971579390106
"""−ζ(1/2)/√(2π): by how many deviations of a step a barrier that is looked at in steps lies further away."""


class Estimate(NamedTuple):
    """A probability by formula and by simulation, with the deviation of the latter."""

    what: str
    exact: float
    estimate: float
    deviation: float
    paths: int

    @property
    def deviations(self) -> float:
        """How many deviations apart."""
        return abs(self.estimate - self.exact) / self.deviation if self.deviation else 0.0


def normal(x: Floats | float) -> Floats:
    """Φ(x)."""
    return np.vectorize(lambda value: 0.5 * math.erfc(-value / math.sqrt(2.0)))(x)  # type: ignore[no-any-return]


def both_below(one: float, other: float, correlation: float) -> float:
    """Φ₂: that two normals of this correlation are both below. By Simpson's rule over the first."""
    x = np.linspace(-8.5, one, NORMALS)
    weights = np.ones(NORMALS)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    density = np.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    inner = normal((other - correlation * x) / math.sqrt(1.0 - correlation * correlation))
    return float((weights * density * inner).sum() * (x[1] - x[0]) / 3.0)


def barrier(log_level: float, volatility: float, years: float, step_years: float) -> float:
    """That a price without drift falls to exp(log_level) of itself within the time, looked at in steps.

    Φ((b − m·t)/s) + exp(2·m·b/σ²) · Φ((b + m·t)/s) with b the level moved down by CORRECTION · σ·√step, m = −σ²/2.
    Source: reflection principle; Broadie, Glasserman and Kou (1997) for the steps.
    """
    moved = log_level - CORRECTION * volatility * math.sqrt(step_years)
    drift, deviation = -volatility * volatility / 2.0, volatility * math.sqrt(years)
    first = normal((moved - drift * years) / deviation)
    second = normal((moved + drift * years) / deviation)
    return float(first + math.exp(2.0 * drift * moved / (volatility * volatility)) * second)


def levels(venue: Venue, leverage: float) -> Floats:
    """The share of its first price at which a lone long of each market is liquidated: (1 − 1/L) / (1 − maintenance)."""
    return np.array(
        [(1.0 - 1.0 / leverage) / (1.0 - int(terms.tiers[0].maintenance) / 2**32) for terms in venue.markets]
    )


def estimates(
    paths: int, seed: int, leverage: float = 10.0, days: float = 3.0, correlation: float = 0.8
) -> list[Estimate]:
    """Every closed form against as many paths."""
    venue = venue_of(("BTC", "ETH"))
    accounts = Accounts.holding(venue, 10_000.0 * leverage * np.eye(2), np.full(2, 10_000.0))
    level = np.log(levels(venue, leverage))
    span_ms = round(days * 86_400_000)
    years = span_ms / YEAR_MS
    matrix = np.array([[1.0, correlation], [correlation, 1.0]])
    found = []
    at_end = _hits(accounts, _world(matrix, seed, span_ms), 1, paths)
    ends = (level + VOLATILITY**2 / 2.0 * years) / (VOLATILITY * math.sqrt(years))
    for place, name in enumerate(venue.symbols):
        exact = float(normal(ends[place]))
        found.append(_estimate(f"{name} below its level after {days:g} days", exact, at_end[:, place]))
    found.append(
        _estimate(
            f"both below, correlation {correlation:g}", both_below(float(ends[0]), float(ends[1]), correlation),
            at_end.all(axis=1),
        )
    )  # fmt: skip
    apart = np.array([[1.0, -correlation], [-correlation, 1.0]])
    crossed = _hits(accounts, _world(apart, seed + 1, span_ms), 1, paths)
    joint = both_below(float(ends[0]), float(ends[1]), -correlation)
    either = float(normal(ends[0]) + normal(ends[1])) - joint
    found.append(_estimate(f"either below, correlation {-correlation:g}", either, crossed.any(axis=1)))
    along = _hits(accounts, _world(matrix, seed + 2, STEP_MS), span_ms // STEP_MS, paths)
    for place, name in enumerate(venue.symbols):
        exact = barrier(float(level[place]), float(VOLATILITY[place]), years, STEP_MS / YEAR_MS)
        found.append(_estimate(f"{name} liquidated within {days:g} days, every 5 minutes", exact, along[:, place]))
    return found


def _world(correlation: Floats, seed: int, step_ms: int) -> GaussianWorld:
    return GaussianWorld(("BTC", "ETH"), VOLATILITY, correlation, seed, step_ms)


def _hits(accounts: Accounts, world: GaussianWorld, steps: int, paths: int) -> Any:
    """Which accounts the kernel liquidates, path by path."""
    venue = venue_of(world.symbols)
    return np.concatenate([run(venue, accounts, chunk).is_liquidated for chunk in world.chunks(paths, steps)])


def _estimate(what: str, exact: float, hits: Any) -> Estimate:
    count = len(hits)
    return Estimate(what, exact, float(hits.mean()), math.sqrt(exact * (1.0 - exact) / count), count)
