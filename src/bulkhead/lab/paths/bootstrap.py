"""Block bootstrap: new paths of what happened, in blocks of all markets at once, so that joint moves stay joint.

Blocks have a geometric length (the stationary bootstrap: Politis, Romano, The Stationary Bootstrap, 1994) or a fixed
one, and run on at the record's end at its beginning. Unless it is given, the mean length is chosen from the data: the
rule of Politis and White (Automatic Block-Length Selection for the Dependent Bootstrap, 2004, with the correction of
Patton, Politis and White, 2009) on each market's absolute returns, for volatility is what clusters; the longest of the
markets' is taken. The mean log return is taken out, so that the expected price stays where it is whatever years the
record holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import kernel, spread
from bulkhead.lab.paths.correlation import recolour
from bulkhead.lab.paths.cube import CHUNK, Cube, Paths, stretches
from bulkhead.lab.paths.grid import Grid
from bulkhead.lab.paths.normals import LOW_WORD, bits, exp, key_of
from bulkhead.lab.prices.bars import DataError, Floats

TO_UNIT = 2.0**-32


def block_length(returns: Floats) -> float:
    """The mean block length for a stationary bootstrap of one series, in steps; at least 1."""
    count = len(returns)
    if count < 50:
        raise DataError(f"{count} returns are too few to choose a block length from; give one")
    series = returns - returns.mean()
    reach = int(np.ceil(np.sqrt(count)) + max(5, np.ceil(np.log10(count))))
    lags = np.array([float(series[lag:] @ series[: count - lag]) / count for lag in range(reach + 1)])
    if lags[0] <= 0:
        return 1.0
    small = np.abs(lags / lags[0]) < 2 * np.sqrt(np.log10(count) / count)
    quiet = max(5, int(np.ceil(np.sqrt(np.log10(count)))))  # so many small ones in a row end the dependence
    runs = [lag for lag in range(1, reach - quiet + 2) if small[lag : lag + quiet].all()]
    width = min(2 * max(runs[0] - 1, 1) if runs else reach, reach)
    lag = np.arange(1, width + 1)
    taper = np.minimum(1.0, 2 * (1 - lag / width))
    spectrum = lags[0] + 2 * float(taper @ lags[1 : width + 1])
    slope = 2 * float((taper * lag) @ lags[1 : width + 1])
    if spectrum <= 0:
        return 1.0
    length = (slope**2 / spectrum**2 * count) ** (1 / 3)  # g² of the spectrum over D = 2 spectrum²
    return float(np.clip(length, 1.0, np.ceil(min(3 * np.sqrt(count), count / 3))))


@dataclass(frozen=True, eq=False)
class BootstrapWorld:
    """Paths of resampled joint returns of a grid.

    `block` is the mean block length in steps, or None to choose it. `mixing` turns the correlation of returns into
    another one by a linear map of every joint return (extremes within a step are then those of the step's own market).
    """

    grid: Grid
    seed: int = 1
    block: float | None = None
    fixed: bool = False
    keeps_drift: bool = False
    mixing: str = "fitted"
    name: str = "bootstrap"

    def __post_init__(self) -> None:
        if self.block is not None and not 1 <= self.block <= len(self.grid):
            raise DataError(f"{self.name}: a block is 1 to {len(self.grid)} steps long, not {self.block:g}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The grid's markets."""
        return self.grid.symbols

    @property
    def step_ms(self) -> int:
        """The grid's step."""
        return self.grid.step_ms

    @property
    def source(self) -> str:
        """The set, its source and licence, and how it was resampled."""
        kind = "blocks of" if self.fixed else "stationary bootstrap, mean block"
        drift = "" if self.keeps_drift else ", mean return taken out"
        mixing = "" if self.mixing == "fitted" else f", correlations to {self.mixing}"
        return f"{self.grid.source}; simulated by {kind} {self.length:.0f} steps{drift}{mixing}"

    @cached_property
    def length(self) -> float:
        """Mean block length in steps."""
        if self.block is not None:
            return self.block
        returns, whole = self.grid.returns()
        return max(block_length(np.abs(column[whole])) for column in returns.T)

    @cached_property
    def _moves(self) -> NDArray[np.float32]:
        """(steps, 3, markets): log close, low and high of each step over the close before; gaps are left out."""
        grid = self.grid
        before = np.log(grid.close[:-1])
        close, low, high = (np.log(price[1:]) - before for price in (grid.close, grid.low, grid.high))
        whole = grid.returns()[1]
        close, low, high = (part[whole] for part in (close, low, high))
        below, above = np.minimum(low, np.minimum(close, 0)) - np.minimum(close, 0), high - np.maximum(close, 0)
        close = recolour(close, self.mixing, self.name)
        if not self.keeps_drift:
            close = close - close.mean(axis=0)
        low, high = np.minimum(close, 0) + below, np.maximum(close, 0) + np.maximum(above, 0)
        return np.ascontiguousarray(np.stack([close, low, high], axis=1), dtype=np.float32)

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """Paths 0 to `paths`-1 in order; see `World`."""
        moves = self._moves
        for first, count in stretches(paths, steps, size):
            ratio, low, high = (np.empty((count, steps, len(self.symbols)), dtype=np.float32) for _ in range(3))

            def work(begin: int, end: int, into: tuple[Cube, ...] = (ratio, low, high), offset: int = first) -> None:
                _resample(self.seed, offset, begin, end, self.length, self.fixed, moves, *into)

            spread(work, count)
            yield Paths(
                self.symbols, self.step_ms, ratio, self.source, self.seed, low, high,
                first=first, repairs=self.grid.repairs,
            )  # fmt: skip


@kernel
def _resample(
    seed: int,
    offset: int,
    begin: int,
    end: int,
    length: float,
    fixed: bool,
    moves: NDArray[np.float32],
    ratio: Cube,
    low: Cube,
    high: Cube,
) -> None:
    """Paths offset+begin to offset+end: draw k of a path's stream says whether a block begins at step k, and where."""
    steps, markets = ratio.shape[1], ratio.shape[2]
    height = np.empty(markets, dtype=np.float64)
    whole = int(length + 0.5)
    for path in range(begin, end):
        key = key_of(seed, offset + path)
        height[:] = 0.0
        place, left = 0, 0
        for step in range(steps):
            word = bits(key, step)
            restarts = left == 0 if fixed else step == 0 or (word >> np.uint64(32)) * TO_UNIT < 1.0 / length
            if restarts:
                place = int((word & LOW_WORD) * TO_UNIT * len(moves))
                left = whole
            left -= 1
            for market in range(markets):
                low[path, step, market] = exp(np.float32(height[market] + moves[place, 1, market]))
                high[path, step, market] = exp(np.float32(height[market] + moves[place, 2, market]))
                height[market] += moves[place, 0, market]
                ratio[path, step, market] = exp(np.float32(height[market]))
            place += 1
            if place == len(moves):
                place = 0
