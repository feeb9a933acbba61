"""Goodness of fit: what a calibrated world makes of the same stretch of time, beside what was recorded.

The world is run REPLICATES times for as long as the data. A figure of the data that lies outside the range that nine in
ten replicates reach is one that the model does not explain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bulkhead.lab.paths.calibration import Calibration
from bulkhead.lab.paths.regimes import RegimeWorld
from bulkhead.lab.prices.bars import Floats

REPLICATES = 40
LAGS = (1, 6, 24, 168)
QUANTILES = (0.0001, 0.001, 0.01, 0.99, 0.999, 0.9999)


class Judged(NamedTuple):
    """One figure of one market: the data's, and the model's median and range of nine in ten."""

    symbol: str
    figure: str
    data: float
    model: float
    low: float
    high: float

    @property
    def is_explained(self) -> bool:
        """The data's figure is one that the model makes."""
        return self.low <= self.data <= self.high


def figures(returns: Floats) -> dict[str, Floats]:
    """Named figures of joint returns (steps, markets), per market."""
    found: dict[str, Floats] = {"volatility": returns.std(axis=0)}
    around = returns - returns.mean(axis=0)
    found["kurtosis"] = (around**4).mean(axis=0) / (around**2).mean(axis=0) ** 2
    for quantile in QUANTILES:
        found[f"quantile {quantile:g}"] = np.quantile(returns, quantile, axis=0)
    found["worst step"], found["best step"] = returns.min(axis=0), returns.max(axis=0)
    worst_first = returns[np.argsort(returns[:, 0])[: max(5, len(returns) // 1000)]]
    found["move in the first market's worst 0.1 %"] = worst_first.mean(axis=0)
    size = np.abs(returns)
    size = size - size.mean(axis=0)
    variance = (size**2).mean(axis=0)
    for lag in LAGS:
        if lag < len(size):
            found[f"autocorrelation of size, lag {lag}"] = (size[lag:] * size[:-lag]).mean(axis=0) / variance
    found["correlation with the first market"] = np.corrcoef(returns.T).reshape(returns.shape[1], -1)[0]
    return found


def judge(calibration: Calibration, returns: Floats, *, seed: int = 1, replicates: int = REPLICATES) -> list[Judged]:
    """Every figure of every market, data beside model."""
    world = RegimeWorld(calibration, seed, calibration.interval_ms)
    made: dict[str, list[Floats]] = {}
    for chunk in world.chunks(replicates, len(returns) + 1, size=4):
        for path in chunk.ratio:
            drawn = np.diff(np.log(path.astype(np.float64)), axis=0)
            for name, value in figures(drawn - drawn.mean(axis=0)).items():
                made.setdefault(name, []).append(value)
    judged = []
    for name, data in figures(returns).items():
        low, model, high = np.quantile(np.array(made[name]), [0.05, 0.5, 0.95], axis=0)
        for place, symbol in enumerate(calibration.symbols):
            values = (float(each[place]) for each in (data, model, low, high))
            judged.append(Judged(symbol, name, *values))
    return judged
