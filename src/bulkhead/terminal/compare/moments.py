"""How much markets move in a day and how much together, from the exchange's own candles of the index.

Statistics, not money: floats are at home here. What leaves this module for the exchange is a share in decimals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from bulkhead.client.models import Candle

MINUTES_A_DAY = 1_440
RETURNS_MIN = 30  # fewer say little: the error of a deviation from 30 returns is 13 %, of a correlation up to 0.18
SHARE_PLACES = Decimal("0.000001")
SHARE_LEAST, SHARE_MOST = Decimal("-0.99"), Decimal("9")


class Interval(NamedTuple):
    """A span of candles. `limit` is how many are asked for."""

    name: str
    words: str
    minutes: int
    limit: int


INTERVALS = (
    Interval("P1D", "1-day", MINUTES_A_DAY, 120),
    Interval("PT1H", "1-hour", 60, 720),
    Interval("PT5M", "5-minute", 5, 1_000),
    Interval("PT1M", "1-minute", 1, 1_000),
)
"""The longest first: short bars scaled up by the square root of time understate how markets trend and jump."""


class Correlation(Enum):
    """What other markets do while one moves."""

    INTACT = "intact"  # each by its beta to it
    ONE = "one"  # all by as many of their own deviations, the same way
    ZERO = "zero"  # nothing


class Moments(NamedTuple):
    """`deviations` of daily log returns by market; a market with too few bars, or that never moved, is missing.

    `correlations` of pairs that have enough bars at the same times. `counts` says from how many returns, of what
    `interval` (None: there are no candles at all).
    """

    interval: Interval | None
    counts: dict[str, int]
    deviations: dict[str, float]
    correlations: dict[tuple[str, str], float]

    def correlation(self, market: str, other: str) -> float | None:
        """Of two markets; 1 of a market with itself; None where there are too few bars."""
        if market == other:
            return 1.0
        return self.correlations.get((min(market, other), max(market, other)))

    def beta(self, market: str, other: str) -> float | None:
        """How much `other` moves for each move of `market`, in logarithms."""
        together = self.correlation(market, other)
        if together is None or market not in self.deviations or other not in self.deviations:
            return None
        return together * self.deviations[other] / self.deviations[market]

    def in_deviations(self, market: str, share: Decimal) -> Decimal | None:
        """A move in daily standard deviations of the market; None where they are not known."""
        deviation = self.deviations.get(market)
        if deviation is None or share <= -1:
            return None
        return Decimal(str(round(math.log1p(float(share)) / deviation, 4)))


NOTHING_KNOWN = Moments(None, {}, {}, {})
Returns = dict[int, float]
"""Log returns by the time at which their bar began."""


def returns_of(candles: Sequence[Candle], interval: Interval) -> Returns:
    """Returns from one close to the next; not over bars that are missing, in which nobody watched."""
    span_ms = interval.minutes * 60_000
    ordered = sorted(candles, key=lambda one: one.time_ms)
    return {
        now.time_ms: math.log(now.close / before.close)
        for before, now in zip(ordered, ordered[1:], strict=False)
        if now.time_ms - before.time_ms == span_ms and before.close > 0 and now.close > 0
    }


def moments_of(interval: Interval, candles: Mapping[str, Sequence[Candle]]) -> Moments:
    """Deviations and correlations from candles of one interval, newest or oldest first."""
    returns = {market: returns_of(found, interval) for market, found in candles.items()}
    scale = math.sqrt(MINUTES_A_DAY / interval.minutes)
    deviations: dict[str, float] = {}
    for market, found in returns.items():
        deviation = _deviation(list(found.values()))
        if len(found) >= RETURNS_MIN and deviation > 0:
            deviations[market] = deviation * scale
    names = sorted(deviations)
    correlations: dict[tuple[str, str], float] = {}
    for place, market in enumerate(names):
        for other in names[place + 1 :]:
            together = _correlation(returns[market], returns[other])
            if together is not None:
                correlations[market, other] = together
    return Moments(interval, {market: len(found) for market, found in returns.items()}, deviations, correlations)


def _deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _correlation(one: Returns, other: Returns) -> float | None:
    """Pearson's, over bars that both have; None for too few, or where one of them did not move."""
    times = sorted(one.keys() & other.keys())
    if len(times) < RETURNS_MIN:
        return None
    first, second = [one[time] for time in times], [other[time] for time in times]
    spread = _deviation(first) * _deviation(second)
    if not spread:
        return None
    mean_first, mean_second = math.fsum(first) / len(times), math.fsum(second) / len(times)
    covariance = math.fsum((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    return max(-1.0, min(1.0, covariance / (len(times) - 1) / spread))


class Joint(NamedTuple):
    """A move of several markets, as shares of their prices. `still` are those that stand still because too little is
    known of them, not because they would."""

    shares: dict[str, Decimal]
    still: tuple[str, ...]


def joint_move(
    moments: Moments, market: str, share: Decimal, others: Sequence[str], correlation: Correlation
) -> Joint:
    """What other markets do when one moves by a share of its price: the median move given it, by log returns."""
    shares = {market: share}
    still: list[str] = []
    for other in others:
        if other == market or correlation is Correlation.ZERO:
            continue
        factor = moments.beta(market, other) if correlation is Correlation.INTACT else _ratio(moments, market, other)
        if factor is None:
            still.append(other)
        else:
            shares[other] = share_of(factor * math.log1p(float(share)))
    return Joint(shares, tuple(still))


def _ratio(moments: Moments, market: str, other: str) -> float | None:
    if market not in moments.deviations or other not in moments.deviations:
        return None
    return moments.deviations[other] / moments.deviations[market]


def share_of(log_return: float) -> Decimal:
    """A log return as a share of the price, within what the exchange lets be asked."""
    share = Decimal(repr(math.expm1(min(log_return, 3.0)))).quantize(SHARE_PLACES)
    return min(SHARE_MOST, max(SHARE_LEAST, share))
