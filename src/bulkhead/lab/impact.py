"""What it costs to trade at once: a concave power law of the amount, fitted to recorded books, and careful defaults.

    cost in basis points = half spread + at_million · (USD / 10^6 / depth)^exponent

`depth` is the book's depth as a share of the usual: a thin book costs as a larger order would. Fills are at the mean
price of the walk, away from the mid. Nothing here says how fast a book fills up again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bulkhead.lab.books import NOTIONALS, Walks
from bulkhead.lab.kernel.terms import BASIS_POINT, Impact
from bulkhead.lab.prices.bars import Bars, DataError, Floats

BLOCKS = 10
BEYOND = 0.5  # basis points: what costs less was filled by the first levels
WITHIN = 20.0  # what costs more is beyond what market makers quote: there the book ends, and no power law holds
EXPONENT_MAX = 1.0  # concave: twice the amount costs at most twice as much a dollar


@dataclass(frozen=True, slots=True)
class Curve:
    """One market's cost of trading. Errors are standard errors, 0 where nothing was estimated."""

    symbol: str
    half_spread: float  # basis points
    at_million: float  # basis points for a million USD beyond the half spread
    exponent: float
    source: str
    at_million_error: float = 0.0
    exponent_error: float = 0.0
    deviation: float = 0.0  # of the data from the curve, in logarithms

    def cost(self, notional: float, depth: float = 1.0) -> float:
        """Basis points lost to the mid by trading so many USD at once."""
        if not (np.isfinite(notional) and notional >= 0 and 0 < depth <= 1):
            raise DataError(f"{self.symbol}: {notional} USD in a book of {depth} of its depth: neither can be")
        return float(self.half_spread + self.at_million * (notional / 1e6 / depth) ** self.exponent)

    def thinned(self, depth: float) -> Curve:
        """The same market when its book has a share of its depth."""
        return replace(
            self, at_million=self.at_million / depth**self.exponent, source=f"{self.source}, at {depth:g} of its depth"
        )

    @property
    def impact(self) -> Impact:
        """The same numbers for the margin kernel, which counts in shares."""
        return Impact(self.half_spread * BASIS_POINT, self.at_million * BASIS_POINT, self.exponent)


def fit_curve(walks: Walks, *, quantile: float = 0.5) -> Curve:
    """The power law through the costs of recorded walks, both sides together.

    At each amount the given quantile of all samples is taken; the line is through the logarithms of what is beyond the
    half spread, over amounts that at least half of the samples could fill, beyond the first levels and within 20 bp.
    Errors are a jackknife over tenths of the time. DataError where fewer than three amounts are left.
    """
    half_spread = float(np.median(walks.half_spread))
    scale, exponent, deviation = _line(walks.cost, half_spread, quantile, walks.source)
    edges = np.linspace(0, len(walks.cost), BLOCKS + 1).astype(int)
    again = []
    for begin, end in zip(edges, edges[1:], strict=False):
        if end - begin < len(walks.cost):
            rest = np.delete(walks.cost, slice(begin, end), axis=0)
            again.append(_line(rest, half_spread, quantile, walks.source)[:2])
    spread = np.sqrt((BLOCKS - 1) / BLOCKS * ((np.array(again) - np.mean(again, axis=0)) ** 2).sum(axis=0))
    errors = (float(spread[0]), float(spread[1]))
    return Curve(walks.symbol, half_spread, scale, exponent, walks.source, *errors, deviation)


def _line(cost: Floats, half_spread: float, quantile: float, source: str) -> tuple[float, float, float]:
    """Scale, exponent and the deviation of the points, in logarithms."""
    flat = cost.reshape(-1, cost.shape[2])
    filled = np.isfinite(flat).mean(axis=0) >= 0.5
    level = np.full(len(filled), np.nan)
    level[filled] = np.nanquantile(flat[:, filled], quantile, axis=0)
    beyond = level - half_spread
    keep = filled & (beyond > max(half_spread, BEYOND)) & (level < WITHIN)
    if keep.sum() < 3:
        raise DataError(f"{source}: {keep.sum()} amounts reach beyond the first level; a curve needs three")
    x, y = np.log(NOTIONALS[keep] / 1e6), np.log(beyond[keep])
    slope = float(np.polyfit(x, y, 1)[0])
    slope = min(max(slope, 0.0), EXPONENT_MAX)
    height = float((y - slope * x).mean())
    return float(np.exp(height)), slope, float((y - slope * x - height).std())


def crash_multiplier(bars: Bars, crash_ms: tuple[int, int], before_ms: int) -> float:
    """How much further a dollar of volume moved the price in a crash than in the stretch before it.

    The median over bars of range over traded value (Y. Amihud, Illiquidity and Stock Returns, 2002, with the range for
    the return): a measure of depth where no book was recorded. Bars without volume are left out.
    """

    def moved(start_ms: int, end_ms: int) -> float:
        part = bars.between(start_ms, end_ms)
        traded = part.volume * part.close
        if not (traded > 0).any():
            raise DataError(f"{bars.symbol}: no volume from {start_ms} to {end_ms} ms")
        each = np.log(part.high / part.low)[traded > 0] / traded[traded > 0]
        return float(np.median(each))

    return moved(*crash_ms) / moved(crash_ms[0] - before_ms, crash_ms[0])


# A small venue's book, not the deepest one: the 0.9 quantile of Bitstamp's BTC/USD on 2026-05-02 (the tape of the
# package ob-analytics 0.1.0), both sides. For a million, Binance's BTCUSDT cost 1.96 bp on 2024-08-08 by that measure.
# The half spread is a tick of this venue's books, which is wider than either tape's.
DEFAULT_SOURCE = "default: Bitstamp BTC/USD, 2026-05-02, what nine moments in ten cost at most"
BOOKS = "Books from calm minutes of BTC alone (Bitstamp, 2026-05-02, what nine moments in ten cost at most)"
BASE = Curve("BTC", 0.5, 4.16, 0.677, DEFAULT_SOURCE, 0.07, 0.024, 0.1)
# Bid depth over BTC's in the thinner of Hyperliquid and Lighter, March 2026 (a table under the Unlicense), at most 1.
DEPTHS = {"BTC": 1.0, "ETH": 1.0, "SOL": 0.11, "HYPE": 0.024, "DOGE": 0.020}
UNMEASURED = 0.020  # other coins: as thin as the thinnest measured


def default_curves(symbols: tuple[str, ...], depth: float = 1.0) -> dict[str, Curve]:
    """Careful curves for these markets when books have a share of their usual depth."""
    if not 0 < depth <= 1:
        raise DataError(f"depth is a share of the usual in (0, 1], not {depth:g}")
    made = {}
    for symbol in symbols:
        relative = DEPTHS.get(symbol, UNMEASURED)
        how = "" if symbol in DEPTHS else ", not measured: as the thinnest"
        curve = replace(BASE, symbol=symbol, source=f"{BASE.source}{how}")
        made[symbol] = curve.thinned(relative * depth) if relative * depth < 1 else curve
    return made


def books(symbols: tuple[str, ...]) -> str:
    """What these books are, for a report: which were measured, which follow from a ratio, and which are assumed."""
    told = []
    ratios = [f"{symbol} {DEPTHS[symbol]:g}" for symbol in symbols if DEPTHS.get(symbol, 1.0) < 1]
    assumed = [symbol for symbol in symbols if symbol not in DEPTHS]
    if "BTC" in symbols:
        told.append("BTC's as recorded")
    if "ETH" in symbols:
        told.append("ETH's taken as BTC's, for its recorded depth was no less")
    if ratios:
        told.append(f"BTC's at recorded shares of its depth for {', '.join(ratios)}")
    if assumed:
        told.append(f"no record of {', '.join(assumed)}: taken as the thinnest recorded, {UNMEASURED:g}")
    return f"{BOOKS}: {'; '.join(told)}"


def default_impacts(symbols: tuple[str, ...], depth: float = 1.0) -> dict[str, Impact]:
    """The same for the margin kernel: `Venue.of(..., impact=default_impacts(symbols))`."""
    return {symbol: curve.impact for symbol, curve in default_curves(symbols, depth).items()}
