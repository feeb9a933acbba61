"""The path inside a bar. A bar tells four prices, not their order, and the order decides who is liquidated.

A path starts at the bar's open, touches its high and its low exactly, in the order asked for, ends at its close and
never leaves [low, high]. Between these anchors it is a straight line in log price plus a Brownian bridge, folded back
at the bar's edges. The bridge's deviation per bar is half the Parkinson estimate, `ln(high/low) / sqrt(4 ln 2)`
(M. Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return, 1980): the anchors already
carry the other part of the range.

Choice about correlation: markets whose bars have the same length reach their highs and lows at the same steps, and the
noise of every pair of markets has correlation NOISE_CORRELATION. This makes lows coincide, which is the harsher case
for accounts that hold several markets.

A bar needs four ticks to touch its four prices. Shorter ones are joined first, so that one-minute bars walked minute by
minute meet every open, high, low and close of four minutes, and the order inside those is again the one asked for.
"""

import zlib
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.prices.bars import Bars, DataError, DataSet, Floats, Times

BarOrder = Literal["high-first", "low-first"]
BAR_ORDERS: tuple[BarOrder, ...] = ("high-first", "low-first")

STEPS_MIN = 4  # open, one extreme, the other, close
NOISE_CORRELATION = 0.8
NOISE_SHARE = 0.5
HOUR_MS = 3_600_000


class Ticks(NamedTuple):
    """Prices of several markets on one clock: `price[symbol][k]` holds at `time_ms[k]`."""

    time_ms: Times
    price: dict[str, Floats]


def paths(bars: Bars, steps_per_bar: int, order: BarOrder = "high-first", seed: int = 0) -> Floats:
    """One row per bar, `steps_per_bar` prices each; step j holds from `time_ms + j·interval/steps_per_bar`."""
    if steps_per_bar < STEPS_MIN:
        raise ValueError(f"a path needs at least {STEPS_MIN} steps a bar, not {steps_per_bar}")
    if order not in BAR_ORDERS:
        raise ValueError(f"order is one of {', '.join(BAR_ORDERS)}, not {order!r}")
    anchors = _anchors(len(bars), steps_per_bar, seed)
    first, second = (bars.high, bars.low) if order == "high-first" else (bars.low, bars.high)
    levels = np.stack([bars.open, first, second, bars.close], axis=1)

    step = np.arange(steps_per_bar)
    segment = (step >= anchors[:, 1, None]).astype(np.intp) + (step >= anchors[:, 2, None])
    begin, until = (np.take_along_axis(anchors, segment + side, axis=1) for side in (0, 1))
    share = (step - begin) / (until - begin)

    def between(knots: Floats) -> Floats:
        """The straight lines through each bar's four knots."""
        left, right = (np.take_along_axis(knots, segment + side, axis=1) for side in (0, 1))
        return left + share * (right - left)

    walk = np.cumsum(_noise(bars.symbol, (len(bars), steps_per_bar), seed), axis=1)
    bridge = walk - between(np.take_along_axis(walk, anchors, axis=1))
    width = np.log(bars.high / bars.low)
    scale = NOISE_SHARE * width / np.sqrt(4 * np.log(2)) / np.sqrt(steps_per_bar)
    inside = _fold(between(np.log(levels / bars.low[:, None])) + scale[:, None] * bridge, width[:, None])
    # Rounding in exp() may leave the bar by a last digit; the four prices of the bar are met to the digit.
    path: Floats = np.clip(bars.low[:, None] * np.exp(inside), bars.low[:, None], bars.high[:, None])
    np.put_along_axis(path, anchors, levels, axis=1)
    return path


def ticks(data: DataSet, tick_ms: int, order: BarOrder = "high-first", seed: int = 0) -> Ticks:
    """All markets of a set on one clock, over the time that all of them cover without a gap."""
    long_enough = {symbol: _long_enough(bars, tick_ms) for symbol, bars in data.bars.items()}
    if not all(map(len, long_enough.values())):
        raise DataError(f"{data.name}: too few bars in a row for ticks of {tick_ms} ms")
    data = replace(data, bars=long_enough)
    start_ms, end_ms = data.start_ms, data.end_ms
    if start_ms >= end_ms:
        raise DataError(f"{data.name}: its markets have no time in common")
    price = {}
    for symbol, bars in data.bars.items():
        # Whole bars that cover the common time; every market starts its noise at the same moment.
        whole = bars.between(start_ms - (start_ms - int(bars.time_ms[0])) % bars.interval_ms, end_ms)
        if whole.gaps():
            begin, until = whole.gaps()[0]
            raise DataError(f"{data.name}: no bars of {symbol} from {_date(begin)} until {_date(until)} UTC")
        path = paths(whole, bars.interval_ms // tick_ms, order, seed).ravel()
        skipped, off_grid = divmod(start_ms - int(whole.time_ms[0]), tick_ms)
        if off_grid:
            raise DataError(f"{data.name}: {symbol} bars do not open on the same ticks of {tick_ms} ms as the others")
        price[symbol] = path[skipped : skipped + (end_ms - start_ms) // tick_ms]
    return Ticks(np.arange(start_ms, end_ms, tick_ms, dtype=np.int64), price)


def _long_enough(bars: Bars, tick_ms: int) -> Bars:
    """Bars of so many ticks that each can touch its four prices: as they are, or joined to a part of an hour."""
    least_ms, own_ms = STEPS_MIN * tick_ms, bars.interval_ms
    if own_ms >= least_ms and own_ms % tick_ms == 0:
        return bars
    for length_ms in range(own_ms, HOUR_MS + 1, own_ms):
        if length_ms >= least_ms and length_ms % tick_ms == 0 and HOUR_MS % length_ms == 0:
            return bars.joined(length_ms)
    raise ValueError(f"{bars.symbol}: bars of {own_ms} ms cannot be made {STEPS_MIN}+ ticks of {tick_ms} ms")


def _anchors(bars: int, steps: int, seed: int) -> NDArray[np.intp]:
    """The steps at which each path is at its open, first extreme, second extreme and close."""
    draw = np.random.default_rng([seed, steps]).random((bars, 2))
    one = 1 + (draw[:, 0] * (steps - 2)).astype(np.intp)
    other = 1 + (draw[:, 1] * (steps - 3)).astype(np.intp)
    other += other >= one
    ends = np.zeros(bars, dtype=np.intp), np.full(bars, steps - 1, dtype=np.intp)
    return np.stack([ends[0], np.minimum(one, other), np.maximum(one, other), ends[1]], axis=1)


def _noise(symbol: str, shape: tuple[int, int], seed: int) -> Floats:
    """White noise, partly common to all markets, partly the market's own."""
    common = np.random.default_rng([seed, 0, 0]).standard_normal(shape)
    own = np.random.default_rng([seed, 0, 1, zlib.crc32(symbol.encode())]).standard_normal(shape)
    mixed: Floats = np.sqrt(NOISE_CORRELATION) * common + np.sqrt(1 - NOISE_CORRELATION) * own
    return mixed


def _fold(height: Floats, width: Floats) -> Floats:
    """Reflect at 0 and at `width` until inside. A bar without width stays at 0."""
    double = np.where(width > 0, 2 * width, 1.0)
    folded: Floats = np.where(width > 0, width - np.abs(height % double - width), 0.0)
    return folded


def _date(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms").astype("datetime64[m]"))
