"""Recorded paths: windows of what happened, one after another, overlapping, drawn by chance, or around an event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.paths.cube import CHUNK, Paths, stretches
from bulkhead.lab.paths.grid import Grid, align
from bulkhead.lab.paths.normals import draws
from bulkhead.lab.prices.bars import DataError, DataSet
from bulkhead.lab.prices.sets import load

Windows = Literal["drawn", "overlapping", "apart", "event"]
WINDOWS: tuple[Windows, ...] = ("drawn", "overlapping", "apart", "event")


class Event(NamedTuple):
    """A day to remember: the sets that hold it, finest first, and what happened."""

    sets: tuple[str, ...]
    words: str


EVENTS = {
    "2020-03-12": Event(("covid-2020-03-12",), "the crash of March 2020"),
    "2021-05-19": Event(("crash-2021-05-19",), "the crash of May 2021"),
    "2022-11-09": Event(("ftx-2022-11-09",), "the fall of FTX"),
    "2024-08-05": Event(("crash-2024-08-05",), "the fall of August 2024"),
    "2025-10-10": Event(("crash-2025-10-10", "hourly-2025-10-10"), "the liquidations of October 2025"),
    "2026-02-05": Event(("crash-2026-02-05", "hourly-2026-02-05"), "the fall of February 2026"),
}


@dataclass(frozen=True, slots=True, eq=False)
class RecordedWorld:
    """Windows of a grid as paths. No window touches a gap.

    `drawn` windows begin at steps drawn by the seed, so there are as many as one likes, though what they hold is no
    more than the record. `overlapping` ones begin every `stride` steps, `apart` ones where the one before ended. For an
    `event`, path 0 begins at `anchor` and every further one `stride` steps earlier.
    """

    grid: Grid
    seed: int = 1
    windows: Windows = "drawn"
    stride: int = 1
    anchor: int = 0
    name: str = "recorded"

    def __post_init__(self) -> None:
        if self.windows not in WINDOWS:
            raise DataError(f"{self.name}: windows are {', '.join(WINDOWS)}, not {self.windows!r}")
        if self.stride < 1:
            raise DataError(f"{self.name}: a stride is at least one step, not {self.stride}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The grid's markets."""
        return self.grid.symbols

    @property
    def step_ms(self) -> int:
        """The grid's step."""
        return self.grid.step_ms

    @property
    def source(self) -> str:
        """The set, its source and licence, and how windows were taken from it."""
        return f"{self.grid.source}; {self.windows} windows of {self.grid.span}"

    def starts(self, steps: int) -> NDArray[np.int64]:
        """Every step at which a window of `steps` steps may begin, in order; for `drawn`, what it is drawn from."""
        grid = self.grid
        if steps > len(grid):
            raise DataError(f"{grid.name}: {steps} steps were asked for, {len(grid)} of {grid.step_ms} ms are there")
        broken = np.concatenate([[0], np.cumsum(~grid.whole)])
        if self.windows == "event":
            begins = np.arange(self.anchor, -1, -self.stride)
            begins = begins[begins + steps <= len(grid)]
        else:
            stride = {"drawn": 1, "apart": steps}.get(self.windows, self.stride)
            begins = np.arange(0, len(grid) - steps + 1, stride)
        found = begins[broken[begins + steps] == broken[begins]]
        if not len(found):
            raise DataError(f"{grid.name}: no {self.windows} window of {steps} steps without a gap")
        return np.asarray(found, dtype=np.int64)

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """Paths 0 to `paths`-1 in order; DataError if the record has fewer windows."""
        starts = self.starts(steps)
        if self.windows != "drawn" and paths > len(starts):
            there = f"{len(starts)} {self.windows} windows of {steps} steps are there"
            raise DataError(f"{self.grid.name}: {paths} paths were asked for, {there}")
        for first, count in stretches(paths, steps, size):
            if self.windows == "drawn":
                begins = starts[draws(self.seed, first, count) % len(starts)]
            else:
                begins = starts[first : first + count]
            yield self._cut(begins, steps, first)

    def _cut(self, begins: NDArray[np.int64], steps: int, first: int) -> Paths:
        """The windows that begin there, each over its own first open."""
        grid = self.grid
        which = begins[:, None] + np.arange(steps)
        start = grid.open[begins][:, None, :]
        ratio, low, high = ((price[which] / start).astype(np.float32) for price in (grid.close, grid.low, grid.high))
        return Paths(
            grid.symbols, grid.step_ms, ratio, self.source, self.seed, low, high, first=first, repairs=grid.repairs
        )


def event_world(
    day: str, data_dir: Path | str | None = None, *, symbols: tuple[str, ...] = (), step_ms: int | None = None
) -> RecordedWorld:
    """The paths of an event, from the finest set that has all of `symbols`; path 0 begins at that midnight, UTC."""
    if day not in EVENTS:
        raise DataError(f"no event {day}; there are {', '.join(EVENTS)}")
    data = _first_with(EVENTS[day].sets, symbols, data_dir)
    grid = align(data, step_ms, symbols)
    anchor = grid.step_at(int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000))
    return RecordedWorld(grid, windows="event", anchor=anchor, name=f"event:{day}")


def _first_with(names: tuple[str, ...], symbols: tuple[str, ...], data_dir: Path | str | None) -> DataSet:
    found = [load(name, data_dir) for name in names]
    for data in found:
        if set(symbols) <= set(data.symbols):
            return data
    held = "; ".join(f"{data.name} has {', '.join(data.symbols)}" for data in found)
    raise DataError(f"no set of that day has all of {', '.join(symbols)}: {held}")
