"""The recorded liquidations of 10 October 2025 in BTC and SOL against what the model gives.

What the data do not contain: leverage (the column is empty in all 13,031 rows), equity, other positions of the same
owner, size before the event, times, and for nine in ten the entry price. So nobody's liquidation price is known. What
can be asked: if everybody had this leverage, and entered at the price before the fall or at the recorded entry, whom
would the margin rule liquidate at the lowest (highest) price of the hour, and who was?
"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.questions.deleveraging.recorded import BEFORE, FOLDER, POSITIONS

LEVERAGES = (2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 40.0)
LOWEST = {"BTC": 101_516.5, "SOL": 141.28}
HIGHEST = {"BTC": 117_040.3, "SOL": 207.54}
"""USD between 20:45 and 21:30 UTC, Binance perpetuals; Hyperliquid's own extremes are not in the data."""
MAINTENANCE = {"BTC": 0.0125, "SOL": 0.025}
"""Half of the initial fraction at Hyperliquid's highest leverage, 40 and 20 times."""
BUCKETS = (-1.0, 0.0, 0.02, 0.05, 0.1, 0.2, 1.0)


class Score(NamedTuple):
    """One assumed leverage: whom the model liquidates, and who was."""

    leverage: float
    positions: int
    predicted: int
    liquidated: int
    both: int

    @property
    def precision(self) -> float | None:
        """Of those the model liquidates, the share that was."""
        return self.both / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Of those who were, the share that the model liquidates."""
        return self.both / self.liquidated if self.liquidated else None


def read(folder: Path) -> pl.DataFrame:
    """Positions with their entry (the price before the fall where none is recorded) and the worst price they saw."""
    path = folder / FOLDER / POSITIONS
    table = pl.read_parquet(path)
    wanted = ("asset", "side", "entry_price", "was_liquidated", "was_adl", "leverage_ratio")
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}")
    is_long = pl.col("side") == "LONG"
    before, low, high = (pl.col("asset").replace_strict(prices) for prices in (BEFORE, LOWEST, HIGHEST))
    return table.with_columns(
        pl.col("entry_price").is_not_null().alias("has_entry"),
        pl.col("entry_price").fill_null(before).alias("entry"),
        pl.when(is_long).then(low).otherwise(high).alias("worst"),
        pl.col("asset").replace_strict(MAINTENANCE).alias("maintenance"),
    ).with_columns(
        (pl.when(is_long).then(1.0).otherwise(-1.0) * (1.0 - pl.col("worst") / pl.col("entry"))).alias("adverse")
    )


def limit(leverage: float, maintenance: Any, is_long: Any) -> Any:
    """The adverse move from the entry at which a lone position of this leverage is liquidated.

    Long: 1 − (1 − 1/L)/(1 − m); short: (1 + 1/L)/(1 + m) − 1.
    """
    own = 1.0 / leverage
    return np.where(is_long, 1 - (1 - own) / (1 - maintenance), (1 + own) / (1 + maintenance) - 1)


def scores(folder: Path, only_entered: bool = False) -> list[Score]:
    """Each assumed leverage on everybody, or on those alone whose entry is recorded."""
    table = read(folder)
    if only_entered:
        table = table.filter("has_entry")
    adverse, was = table["adverse"].to_numpy(), table["was_liquidated"].to_numpy()
    is_long, maintenance = (table["side"] == "LONG").to_numpy(), table["maintenance"].to_numpy()
    found = []
    for leverage in LEVERAGES:
        said = adverse >= limit(leverage, maintenance, is_long)
        found.append(Score(leverage, len(was), int(said.sum()), int(was.sum()), int((said & was).sum())))
    return found


def by_side(folder: Path) -> list[dict[str, Any]]:
    """Share liquidated by asset and side, and the leverage from which the model liquidates whoever entered before."""
    rows = []
    for (asset, side), part in read(folder).group_by("asset", "side", maintain_order=True):
        name, sign = str(asset), 1.0 if side == "LONG" else -1.0
        move = sign * (1.0 - (LOWEST if sign > 0 else HIGHEST)[name] / BEFORE[name])
        needed = None
        if move > 0:
            rate = MAINTENANCE[name]
            own = 1 - (1 - move) * (1 - rate) if sign > 0 else (1 + move) * (1 + rate) - 1
            needed = 1.0 / own
        rows.append({
            "asset": name, "side": str(side), "positions": part.height, "liquidated": int(part["was_liquidated"].sum()),
            "deleveraged": int(part["was_adl"].sum()), "move": move, "needed": needed,
        })  # fmt: skip
    return sorted(rows, key=lambda row: (row["asset"], row["side"]))


class Leverages(NamedTuple):
    """A log-normal law of leverage, cut at what the venue allows: its median, and the deviation of its logarithm."""

    median: float
    deviation: float

    def above(self, needed: Any, most: Any) -> Any:
        """Share of holders with at least the needed leverage, where nobody may have more than the most."""
        law = NormalDist(math.log(self.median), self.deviation)
        chance = np.array([1 - law.cdf(math.log(one)) if np.isfinite(one) else 0.0 for one in np.atleast_1d(needed)])
        return np.where(np.atleast_1d(needed) > most, 0.0, chance)


def needed_leverage(adverse: Any, maintenance: Any, is_long: Any) -> Any:
    """The least leverage with which that adverse move liquidates: `limit` turned around; infinite where none does."""
    own = np.where(is_long, 1 - (1 - adverse) * (1 - maintenance), (1 + adverse) * (1 + maintenance) - 1)
    with np.errstate(divide="ignore"):
        return np.where(adverse > 0, 1.0 / own, np.inf)


def implied(folder: Path) -> Leverages:
    """The law with which the rule liquidates the recorded shares of longs in BTC and in SOL, of no recorded entry.

    Two shares, two numbers: it fits them exactly, and says nothing by itself. What it says of the others is a test.
    """
    points = []
    for asset in LOWEST:
        longs = (pl.col("asset") == asset) & (pl.col("side") == "LONG") & ~pl.col("has_entry")
        was = read(folder).filter(longs)["was_liquidated"].to_numpy()
        move, share = 1.0 - LOWEST[asset] / BEFORE[asset], was.sum() / max(1, len(was))
        if not 0 < share < 1:
            path = folder / FOLDER / POSITIONS
            raise DataError(f"{path}: {share:.0%} of {asset} longs were liquidated: no law follows")
        needed = float(needed_leverage(move, MAINTENANCE[asset], True))
        points.append((math.log(needed), NormalDist().inv_cdf(1 - share)))
    (one, low), (other, high) = points
    deviation = (one - other) / (low - high)
    return Leverages(math.exp(one - low * deviation), deviation)


def by_distance(folder: Path) -> list[dict[str, Any]]:
    """Of those whose entry is recorded: share liquidated by how far the worst price was from it, and by law."""
    table = read(folder).filter("has_entry")
    adverse, was = table["adverse"].to_numpy(), table["was_liquidated"].to_numpy()
    is_long, maintenance = (table["side"] == "LONG").to_numpy(), table["maintenance"].to_numpy()
    said = implied(folder).above(needed_leverage(adverse, maintenance, is_long), 1 / (2 * maintenance))
    rows = []
    for low, high in zip(BUCKETS, BUCKETS[1:], strict=False):
        inside = (adverse >= low) & (adverse < high)
        rows.append({"from": low, "to": high, "positions": int(inside.sum()), "liquidated": int((was & inside).sum()),
                     "implied": float(said[inside].mean()) if inside.any() else None})  # fmt: skip
    return rows


def missing_leverage(folder: Path) -> tuple[int, int]:
    """Rows without a leverage, and rows."""
    table = read(folder)
    return int(table["leverage_ratio"].null_count()), table.height
