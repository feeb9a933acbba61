"""Recorded prices as a node's source: one recorded minute for every so many seconds, forward and back again for ever.

At its end a recording is walked backwards, because a jump to its beginning would be refused by the oracle's step bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bulkhead.lab.prices import DataSet, Ticks, load, ticks

MINUTE_MS = 60_000


class Recorded:
    """The source. `position` may be kept and given again, so that a restart goes on where it was."""

    def __init__(self, data: DataSet, path: Ticks, position: int = 0) -> None:
        self.name = f"recorded: {data.title}"
        self._prices = {f"{symbol}-USD": series for symbol, series in path.price.items()}
        self._steps = len(path.time_ms)
        self.position = position

    async def prices(self) -> Mapping[str, float]:
        """The prices of this step; the next call gives the next."""
        turn = self.position % max(1, 2 * self._steps - 2)
        step = turn if turn < self._steps else 2 * self._steps - 2 - turn
        self.position += 1
        return {name: float(series[step]) for name, series in self._prices.items()}

    async def close(self) -> None:
        """Nothing to let go of."""


def recorded(name: str, data_dir: Path | None, position: int = 0, seed: int = 1) -> tuple[DataSet, Recorded]:
    """A price set by name, and its minutes as a source. Raises DataError."""
    data = load(name, data_dir)
    return data, Recorded(data, ticks(data, MINUTE_MS, "high-first", seed), position)
