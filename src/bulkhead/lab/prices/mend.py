"""Repairs: what may be mended in a table of prices, said bar by bar, and what may not.

Nothing is mended unless it is asked for. Rows out of order are put in order; a row that is there twice, word for word,
is taken once; a row whose prices cannot be (none, not finite, not positive, a high below a low) is left out, which
leaves a gap. Two rows of one time that differ are refused: nobody here knows which one is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from bulkhead.lab.prices.bars import DataError

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Repair:
    """What was mended in the data before it was used, so that a report can say it."""

    source: str
    symbol: str
    row: int  # where it begins; 1 is the first row of data, or the first step of a grid
    bars: int
    what: str

    def __str__(self) -> str:
        return f"{self.source}: {self.symbol} {self.what} ({self.bars} bars, the first in row {self.row})"


def mend(rows: pl.DataFrame, symbol: str, source: str) -> tuple[pl.DataFrame, list[Repair]]:
    """One market's rows (`row`, `time_ms`, prices, volume) made sound, and what was done to them."""
    repairs: list[Repair] = []

    def note(wrong: pl.Series, what: str) -> None:
        if wrong.any():
            first = int(rows.filter(wrong)["row"][0])
            repairs.append(Repair(source, symbol, first, int(wrong.sum()), what))

    back = (pl.Series(rows["time_ms"]).diff().fill_null(1) < 0).rename("back")
    note(back, "was out of order and is sorted")
    rows = rows.sort("time_ms", "row")
    doubled = rows["time_ms"].diff().fill_null(1) == 0
    values = rows.select(pl.exclude("row"))
    # NaN is the only value that differs from itself; as text it does not.
    same = values.select(pl.all_horizontal(pl.all().cast(pl.String).eq_missing(pl.all().cast(pl.String).shift())))
    differs = doubled & ~same.to_series().fill_null(False)
    if differs.any():
        row = int(rows.filter(differs)["row"][0])
        raise DataError(f"{source}: {symbol} has two rows of one time that differ; which is right? (row {row})")
    note(doubled, "was there twice and is taken once")
    rows = rows.filter(~doubled)
    unsound = ~pl.all_horizontal(*[pl.col(name).is_finite() & (pl.col(name) > 0) for name in PRICES])
    ends = ("open", "close")
    crossed = (pl.col("high") < pl.max_horizontal(*ends)) | (pl.col("low") > pl.min_horizontal(*ends))
    wrong = rows.select(unsound | crossed | ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0))).to_series()
    note(wrong, "had prices that cannot be and is left out")
    return rows.filter(~wrong), repairs
