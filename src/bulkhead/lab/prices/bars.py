"""Bars, funding and price sets: recorded or simulated prices as arrays, checked once when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bulkhead.lab.prices.mend import Repair

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


class DataError(Exception):
    """A price set that cannot be used. The message names the file and, where there is one, the row."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """One market's bars. `time_ms` is when a bar opens (UTC); prices are USD for one whole coin; volume is in coins.

    Bars may be missing (exchanges stop), never doubled or out of order: see `gaps`.
    """

    symbol: str
    interval_ms: int
    time_ms: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.time_ms)

    @property
    def end_ms(self) -> int:
        """When the last bar closes."""
        return int(self.time_ms[-1]) + self.interval_ms

    def gaps(self) -> list[tuple[int, int]]:
        """Stretches without bars, each as (from, until) in milliseconds."""
        after = np.flatnonzero(np.diff(self.time_ms) != self.interval_ms)
        return [(int(self.time_ms[k]) + self.interval_ms, int(self.time_ms[k + 1])) for k in after]

    def between(self, start_ms: int, end_ms: int) -> "Bars":
        """The bars that open in [start_ms, end_ms)."""
        first, last = np.searchsorted(self.time_ms, [start_ms, end_ms])
        prices = (column[first:last] for column in (self.open, self.high, self.low, self.close, self.volume))
        return Bars(self.symbol, self.interval_ms, self.time_ms[first:last], *prices)

    def joined(self, interval_ms: int) -> "Bars":
        """Longer bars, each made of all the bars inside it: open of the first, close of the last, extremes of all.

        `interval_ms` is a multiple of this one's; the longer bars open on its grid. Where a bar is missing, the longer
        one is missing too.
        """
        count = interval_ms // self.interval_ms
        offset_ms = int(self.time_ms[0]) % self.interval_ms if len(self) else 0
        groups, first, found = np.unique(
            (self.time_ms - offset_ms) // interval_ms, return_index=True, return_counts=True
        )
        whole = found == count
        first = first[whole]
        inside = first[:, None] + np.arange(count)
        return Bars(
            self.symbol,
            interval_ms,
            groups[whole] * interval_ms + offset_ms,
            self.open[first],
            self.high[inside].max(axis=1),
            self.low[inside].min(axis=1),
            self.close[first + count - 1],
            self.volume[inside].sum(axis=1),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """One market's funding payments as the venue published them: `rate` is a fraction of notional, longs pay if > 0."""

    symbol: str
    time_ms: Times
    rate: Floats


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Bars of several markets under one name, with where they come from and what may be done with them.

    Intervals may differ between markets. `funding` is empty where the source has none.
    """

    name: str
    title: str
    source: str
    licence: str
    simulated: bool
    bars: Mapping[str, Bars]
    funding: Mapping[str, Funding] = field(default_factory=dict)
    repairs: tuple["Repair", ...] = ()  # what was mended in the source, where that was asked for

    def __post_init__(self) -> None:
        if not self.bars:
            raise DataError(f"{self.name}: no bars in it")
        if self.simulated != all("simulated" in text.lower() for text in (self.name, self.title)):
            raise DataError(f"{self.name}: a simulated set, and only such a set, says so in its name and its title")

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.bars)

    @property
    def start_ms(self) -> int:
        """The first moment at which every market has a bar."""
        return max(int(bars.time_ms[0]) for bars in self.bars.values())

    @property
    def end_ms(self) -> int:
        """The last moment until which every market has bars."""
        return min(bars.end_ms for bars in self.bars.values())


def check_bars(bars: Bars, rows: Times, source: str) -> Bars:
    """The same bars, if they are sound. `rows` are the rows of `source` they were read from, for the message."""
    if not len(bars):
        raise DataError(f"{source}: no bars of {bars.symbol}")
    columns = {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume}
    for name, values in columns.items():
        refuse(~np.isfinite(values), rows, f"{source}: {bars.symbol} {name} is not a finite number")
        if name == "volume":
            refuse(values < 0, rows, f"{source}: {bars.symbol} volume is negative")
        else:
            refuse(values <= 0, rows, f"{source}: {bars.symbol} {name} is not positive")
    refuse(bars.high < bars.low, rows, f"{source}: {bars.symbol} high is below low")
    refuse(bars.high < np.maximum(bars.open, bars.close), rows, f"{source}: {bars.symbol} high is below open or close")
    refuse(bars.low > np.minimum(bars.open, bars.close), rows, f"{source}: {bars.symbol} low is above open or close")
    check_times(bars.time_ms, rows, f"{source}: {bars.symbol}")
    off_grid = (bars.time_ms - bars.time_ms[0]) % bars.interval_ms != 0
    refuse(off_grid, rows, f"{source}: {bars.symbol} time is off the grid of {bars.interval_ms} ms bars")
    return bars


def check_times(time_ms: Times, rows: Times, source: str) -> None:
    """Refuse times that do not strictly rise."""
    step = np.diff(time_ms)
    refuse(step == 0, rows[1:], f"{source} time is there twice")
    refuse(step < 0, rows[1:], f"{source} time goes back")


def refuse(wrong: NDArray[np.bool_], rows: Times, what: str) -> None:
    """Raise if any is wrong, naming the first such row and how many there are."""
    if wrong.any():
        raise DataError(f"{what} (row {rows[int(np.argmax(wrong))]}; {int(wrong.sum())} such rows)")
