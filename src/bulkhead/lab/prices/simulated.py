"""Simulated worlds: correlated jump diffusions with joint jumps, always labelled as simulated.

Log prices follow `dX = drift dt + sigma dW + J dN` with double exponential jumps J (S. Kou, A Jump-Diffusion Model for
Option Pricing, 2002; with normal jumps the hourly kurtosis comes out at a third of the real one), with the numbers of
calibration.py. BTC's jumps come first; when BTC jumps, another market jumps with its measured chance, by beta times
BTC's jump plus a part of its own; its remaining jumps are its own. What the jumps do not explain of a market's variance
is diffusion. The drift makes the expected log return zero. Left out: clustering of volatility, so quiet and wild weeks
are rarer than in the real markets.
"""

from collections.abc import Sequence

import numpy as np

from bulkhead.lab.prices.bars import Bars, DataError, DataSet, Floats, Times, check_bars
from bulkhead.lab.prices.calibration import CORRELATION, MARKETS

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS
START_MS = 1_735_689_600_000  # 2025-01-01 UTC; the date of a simulated bar means nothing
STEPS_PER_BAR = 15  # a bar's open, high, low and close are read off this many steps of the diffusion
SYMBOLS = ("BTC", "ETH", "LTC", "XRP", "BCH")


def simulate(seed: int, *, symbols: Sequence[str] = SYMBOLS, days: int = 14, interval_ms: int = 15 * 60_000) -> DataSet:
    """A world of `days` days. Equal arguments give equal worlds. Volume is not modelled and is 0."""
    unknown = [symbol for symbol in symbols if symbol not in MARKETS]
    if unknown or not symbols:
        raise DataError(f"simulated-{seed}: cannot simulate {unknown or 'nothing'}; choose from {', '.join(MARKETS)}")
    bars, rest = divmod(days * 24 * HOUR_MS, interval_ms)
    if rest or bars < 2:
        raise ValueError(f"{days} days do not hold whole bars of {interval_ms} ms")
    steps = bars * STEPS_PER_BAR
    years = interval_ms / STEPS_PER_BAR / YEAR_MS
    generator = np.random.default_rng(seed)
    moves = _diffusion(generator, steps, years) + jumps(generator, steps, years)
    names = list(MARKETS)
    time_ms = START_MS + interval_ms * np.arange(bars, dtype=np.int64)
    made = {}
    for symbol in symbols:
        path = np.exp(np.cumsum(moves[:, names.index(symbol)])) * MARKETS[symbol].start
        made[symbol] = _bars(symbol, interval_ms, time_ms, np.concatenate([[MARKETS[symbol].start], path]))
    return DataSet(
        name=f"simulated-{seed}",
        title=f"Simulated world, seed {seed}",
        source="simulated: jump diffusion with the statistics of Binance USDT perpetuals, 2020-2026",
        licence="Apache-2.0",
        simulated=True,
        bars=made,
    )


def _diffusion(generator: np.random.Generator, steps: int, years: float) -> Floats:
    """Correlated normal log returns of every calibrated market, with the drift that takes out the jumps' mean."""
    markets = MARKETS.values()
    variance = np.array([m.volatility**2 - m.jumps * (m.jump_mean**2 + m.jump_deviation**2) for m in markets])
    drift = np.array([-m.jumps * m.jump_mean for m in markets])
    normal = generator.standard_normal((steps, len(MARKETS))) @ np.linalg.cholesky(np.array(CORRELATION)).T
    moves: Floats = drift * years + np.sqrt(variance * years) * normal
    return moves


def jumps(generator: np.random.Generator, steps: int, years: float) -> Floats:
    """Jumps of every calibrated market in steps of `years`: BTC's, those that join them, and the others' own."""
    btc = MARKETS["BTC"]
    leads = generator.random(steps) < btc.jumps * years
    lead = np.where(leads, _sizes(generator, btc.jump_mean, btc.jump_deviation, steps), 0.0)
    found = np.zeros((steps, len(MARKETS)))
    for column, (symbol, market) in enumerate(MARKETS.items()):
        if symbol == "BTC":
            found[:, column] = lead
            continue
        joins = leads & (generator.random(steps) < market.joint)
        # A joint jump keeps the market's own deviation: beta explains a part, the rest is drawn.
        rest = np.sqrt(max(market.jump_deviation**2 - (market.beta * btc.jump_deviation) ** 2, 0.0))
        joint = market.beta * (lead - btc.jump_mean) + _sizes(generator, market.jump_mean, rest, steps)
        alone = ~leads & (generator.random(steps) < (market.jumps - market.joint * btc.jumps) * years)
        single = _sizes(generator, market.jump_mean, market.jump_deviation, steps)
        found[:, column] = np.where(joins, joint, 0.0) + np.where(alone, single, 0.0)
    return found


def _sizes(generator: np.random.Generator, mean: float, deviation: float, steps: int) -> Floats:
    """Double exponential jump sizes; the Laplace scale is the deviation over sqrt(2)."""
    return generator.laplace(mean, deviation / np.sqrt(2), steps)


def _bars(symbol: str, interval_ms: int, time_ms: Times, path: Floats) -> Bars:
    """Bars of a path; each bar opens at the close of the one before."""
    inside = np.lib.stride_tricks.sliding_window_view(path, STEPS_PER_BAR + 1)[::STEPS_PER_BAR]
    columns = [inside[:, 0], inside.max(axis=1), inside.min(axis=1), inside[:, -1], np.zeros(len(inside))]
    bars = Bars(symbol, interval_ms, time_ms, *(column.copy() for column in columns))
    return check_bars(bars, np.arange(1, len(bars) + 1), "simulated")
