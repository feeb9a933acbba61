"""Estimates with their confidence intervals: shares, means, quantiles and expected shortfall of what paths gave."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.prices.bars import Floats

CONFIDENCE = 0.95
RESAMPLES = 400


class Estimate(NamedTuple):
    """A number and the ends of its confidence interval of 95 %."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:,.4g} [{self.low:,.4g}, {self.high:,.4g}]"

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit; the factor is above zero."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


def share(hits: int, count: int) -> Estimate:
    """A probability from so many hits: Wilson's interval, which is right near 0 and 1, too."""
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"{hits} of {count} is no share")
    deviation = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    rate, spread = hits / count, deviation**2 / count
    middle = (rate + spread / 2) / (1 + spread)
    half = deviation / (1 + spread) * math.sqrt(rate * (1 - rate) / count + spread / (4 * count))
    return Estimate(rate, max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half)))


def quantile(values: Floats, level: float) -> Estimate:
    """The value that `level` of the paths do not exceed; the interval from order statistics, free of any law.

    Where there are too few paths beyond for an upper end, it is the largest value seen, and so too low.
    """
    ordered = np.sort(values)
    count = len(ordered)
    deviation = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    half = deviation * math.sqrt(count * level * (1 - level))
    places = [math.ceil(count * level + off) - 1 for off in (0.0, -half, half)]
    value, low, high = (float(ordered[min(max(place, 0), count - 1)]) for place in places)
    return Estimate(value, low, high)


def mean(values: Floats, seed: int) -> Estimate:
    """The mean, by bootstrap: losses are too skewed for a normal law at these probabilities."""
    values = np.asarray(values, dtype=np.float64)
    drawn = weights(len(values), seed).astype(np.float64)
    return _between(float(values.mean()), drawn @ values / np.maximum(drawn.sum(axis=1), 1))


@lru_cache(maxsize=8)
def weights(count: int, seed: int) -> NDArray[np.uint8]:
    """How often each of `count` paths is in each resample: Poisson numbers, which is a bootstrap without its total."""
    return np.random.default_rng(seed).poisson(1.0, (RESAMPLES, count)).astype(np.uint8)


def _tail(count: int, level: float) -> int:
    return max(1, round(count * (1 - level)))


def shortfall_of(losses: Floats, level: float) -> float:
    """The mean of the worst (1 − level) of the losses."""
    worst = _tail(len(losses), level)
    return float(np.partition(losses, len(losses) - worst)[-worst:].mean())


def shortfall(losses: Floats, level: float, seed: int) -> Estimate:
    """Expected shortfall with its interval by bootstrap."""
    resampled = resampled_shortfalls(losses[:, None], level, seed)[:, 0]
    return _between(shortfall_of(losses, level), resampled)


def resampled_shortfalls(losses: Floats, level: float, seed: int) -> Floats:
    """Expected shortfalls of (paths, candidates) on the same resampled paths: (resamples, candidates).

    Resampled together, so that differences between candidates have an interval, too; one sort serves all resamples.
    """
    count, candidates = losses.shape
    order = [np.argsort(-losses[:, place], kind="stable") for place in range(candidates)]
    ranked = [losses[order[place], place] for place in range(candidates)]
    found = np.empty((RESAMPLES, candidates))
    for sample, drawn in enumerate(weights(count, seed)):
        weight = drawn.astype(np.int64)
        wanted = max(1.0, weight.sum() * (1 - level))
        for place in range(candidates):
            reached = np.cumsum(weight[order[place]])
            last = int(np.searchsorted(reached, wanted))
            inside = weight[order[place][:last]]
            rest = wanted - (reached[last - 1] if last else 0)
            found[sample, place] = (inside @ ranked[place][:last] + rest * ranked[place][min(last, count - 1)]) / wanted
    return found


def difference(first: Floats, second: Floats, level: float, seed: int) -> Estimate:
    """Expected shortfall of the first less that of the second, of losses on the same paths."""
    drawn = resampled_shortfalls(np.stack([first, second], axis=1), level, seed)
    return _between(shortfall_of(first, level) - shortfall_of(second, level), drawn[:, 0] - drawn[:, 1])


def _between(value: float, resampled: NDArray[np.float64]) -> Estimate:
    ends = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, min(value, float(ends[0])), max(value, float(ends[1])))
