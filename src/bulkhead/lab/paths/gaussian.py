"""The simplest world: correlated geometric Brownian motion. Closed forms exist for it, so estimates are held to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import kernel, spread
from bulkhead.lab.paths.correlation import check_correlation, factor
from bulkhead.lab.paths.cube import CHUNK, STEP_MS, Cube, Paths, stretches
from bulkhead.lab.paths.normals import bits, exp, fill_normals, key_of, ln, unit
from bulkhead.lab.prices.bars import DataError, Floats

YEAR_MS = 365 * 86_400_000
BLOCK = 256  # steps drawn at once; a path's beginning does not depend on its length
EXTREMES = np.uint64(1) << np.uint64(62)  # where the draws of extremes begin in a stream


@dataclass(frozen=True, slots=True, eq=False)
class GaussianWorld:
    """Log prices with normal steps of constant volatility, whose expected price stays where it is (unless `drift`).

    `volatility` is per year, of log returns. `antithetic` draws every second path as the mirror image of the one
    before. `extremes` adds the low and high within each step, drawn from their exact law given both ends; the same
    draw serves all markets of a step, so that lows coincide, which is the harsher case for whoever holds several.
    """

    symbols: tuple[str, ...]
    volatility: Floats
    correlation: Floats
    seed: int = 1
    step_ms: int = STEP_MS
    drift: float = 0.0  # of the expected price, per year
    antithetic: bool = False
    extremes: bool = False
    name: str = "gaussian"
    fitted_to: str = ""  # where the numbers come from

    def __post_init__(self) -> None:
        check_correlation(self.correlation, self.name)
        if self.volatility.shape != (len(self.symbols),) or len(self.correlation) != len(self.symbols):
            raise DataError(f"{self.name}: {len(self.symbols)} markets, volatility of {self.volatility.shape}")
        if not (np.isfinite(self.volatility) & (self.volatility >= 0)).all():
            raise DataError(f"{self.name}: a volatility is a number that is not negative: {self.volatility}")

    @property
    def source(self) -> str:
        """What a report says of these paths."""
        fitted = f", volatilities of {self.fitted_to}" if self.fitted_to else ""
        return f"{self.name}: simulated, correlated geometric Brownian motion{fitted}"

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """Paths 0 to `paths`-1 in order; see `World`."""
        years = self.step_ms / YEAR_MS
        deviation = self.volatility * np.sqrt(years)
        weights = (deviation[:, None] * factor(self.correlation)).astype(np.float32)
        drift = self.drift * years - deviation**2 / 2
        for first, count in stretches(paths, steps, size):
            ratio = np.empty((count, steps, len(self.symbols)), dtype=np.float32)
            low = np.empty_like(ratio if self.extremes else ratio[:0])
            high = np.empty_like(low)

            def work(begin: int, end: int, into: tuple[Cube, ...] = (ratio, low, high), offset: int = first) -> None:
                _fill(self.seed, offset, begin, end, self.antithetic, weights, drift, deviation, *into)

            spread(work, count)
            made = Paths(self.symbols, self.step_ms, ratio, self.source, self.seed, first=first)
            yield replace(made, low=low, high=high) if self.extremes else made


@kernel
def _fill(
    seed: int, offset: int, begin: int, end: int, antithetic: bool,
    weights: NDArray[np.float32], drift: Floats, deviation: Floats, ratio: Cube, low: Cube, high: Cube,
) -> None:
    """Paths offset+begin to offset+end, written at begin to end."""
    steps, markets = ratio.shape[1], ratio.shape[2]
    normal = np.empty((markets, BLOCK), dtype=np.float32)
    move = np.empty(BLOCK, dtype=np.float32)
    height = np.empty(markets, dtype=np.float64)
    for place in range(begin, end):
        path = offset + place
        key = key_of(seed, path // 2 if antithetic else path)
        sign = np.float32(-1 if antithetic and path % 2 else 1)
        height[:] = 0.0
        for first in range(0, steps, BLOCK):
            count = min(BLOCK, steps - first)
            for market in range(markets):
                fill_normals(key, (first // BLOCK * markets + market) * (BLOCK // 2), normal[market])
            for market in range(markets):
                move[:] = np.float32(0)
                for other in range(market + 1):
                    weight = sign * weights[market, other]
                    row = normal[other]
                    for step in range(BLOCK):
                        move[step] += weight * row[step]
                total = height[market]
                for step in range(count):
                    total += np.float64(move[step]) + drift[market]
                    move[step] = np.float32(total)
                last, height[market] = np.float32(height[market]), total
                for step in range(count):
                    ratio[place, first + step, market] = exp(move[step])
                if len(low):
                    _extremes(key, first, market, last, move[:count], deviation[market], low[place], high[place])


@kernel
def _extremes(
    key: Any, first: int, market: int, last: Any, height: NDArray[np.float32], deviation: float,
    low: NDArray[np.float32], high: NDArray[np.float32],
) -> None:
    """Lows and highs of one market's steps, given the log prices at their ends (Brownian bridge)."""
    for step in range(len(height)):
        gap = height[step] - last
        below = np.float32(unit(bits(key, EXTREMES + np.uint64(2 * (first + step)))))
        above = np.float32(unit(bits(key, EXTREMES + np.uint64(2 * (first + step) + 1))))
        width = np.float32(2 * deviation * deviation)
        middle = last + height[step]
        low[first + step, market] = exp((middle - np.sqrt(gap * gap - width * ln(below))) * np.float32(0.5))
        high[first + step, market] = exp((middle + np.sqrt(gap * gap - width * ln(above))) * np.float32(0.5))
        last = height[step]
