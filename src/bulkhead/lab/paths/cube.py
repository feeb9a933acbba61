"""What a world gives: paths of several markets on one clock, with what else a script did to the venue meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.prices.mend import Repair

Cube = NDArray[np.float32]  # (paths, steps, markets)
Flags = NDArray[np.bool_]

STEP_MS = 300_000
CHUNK = 512  # paths at once: 2,016 steps of 8 markets are then 33 MB


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Paths `first` and on of a world. One seed gives the same path of a number, whatever the chunks and threads.

    `ratio[path, step, market]` is the price at the end of the step over the price at the start of the path. `low` and
    `high` are the extremes within the step, over the same price; where a world cannot tell, they are None.

    What a scripted crash does besides prices is in arrays over steps, the same in every path; None is "nothing":
    `feed_alive` (steps, markets): whether the oracle's price of the market arrives. `depth_factor` (steps, markets):
    depth of the book as a share of the usual. `venue_open` (steps): orders and liquidations can be done there.
    `withdrawals_open` (steps): collateral can be taken out or brought in. `collateral_price` (steps): USD for one unit
    of collateral. `hedge_open` (steps): the other exchange, where a hedge is held, can be reached.
    `held_share` (markets): share of the open interest that is in one hand.
    `funding[path, k, market]`: rate of notional, longs pay if positive, paid at the end of step (k+1)·funding_steps−1.
    """

    symbols: tuple[str, ...]
    step_ms: int
    ratio: Cube
    source: str  # world, data set, licence; says "simulated" where it is
    seed: int
    low: Cube | None = None
    high: Cube | None = None
    first: int = 0  # the number of this chunk's first path in its world
    feed_alive: Flags | None = None
    depth_factor: NDArray[np.float32] | None = None
    venue_open: Flags | None = None
    withdrawals_open: Flags | None = None
    collateral_price: NDArray[np.float32] | None = None
    hedge_open: Flags | None = None
    held_share: NDArray[np.float32] | None = None
    funding: Cube | None = None
    funding_steps: int = 0  # steps between payments
    repairs: tuple[Repair, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.ratio.ndim != 3 or self.ratio.shape[2] != len(self.symbols):
            raise DataError(f"{self.source}: paths of {len(self.symbols)} markets in an array {self.ratio.shape}")
        for name in ("low", "high"):
            extreme = getattr(self, name)
            if extreme is not None and extreme.shape != self.ratio.shape:
                raise DataError(f"{self.source}: {name} is {extreme.shape}, ratio {self.ratio.shape}")
        steps, markets = self.ratio.shape[1:]
        by_step = ("venue_open", "withdrawals_open", "collateral_price", "hedge_open")
        shapes = {"feed_alive": (steps, markets), "depth_factor": (steps, markets), "held_share": (markets,)}
        for name, shape in (shapes | dict.fromkeys(by_step, (steps,))).items():
            given = getattr(self, name)
            if given is not None and given.shape != shape:
                raise DataError(f"{self.source}: {name} is {given.shape}, not {shape}")

    def __len__(self) -> int:
        return len(self.ratio)

    @property
    def steps(self) -> int:
        """Steps of each path."""
        return int(self.ratio.shape[1])

    def seen(self) -> Paths:
        """The paths as the venue sees them: a market whose feed is dead keeps its last price until the feed is back."""
        alive = self.feed_alive
        if alive is None or alive.all():
            return self
        last = np.where(alive, np.arange(1, self.steps + 1)[:, None], 0)
        last = np.maximum.accumulate(last, axis=0)  # the step after which the price was last heard; 0 is the start
        market = np.arange(len(self.symbols))
        ratio = np.concatenate([np.ones_like(self.ratio[:, :1]), self.ratio], axis=1)[:, last, market]

        def still(extreme: Cube | None) -> Cube | None:
            return None if extreme is None else np.where(alive, extreme, ratio)

        return replace(self, ratio=ratio, low=still(self.low), high=still(self.high))

    def select(self, symbols: tuple[str, ...]) -> Paths:
        """The same paths of these markets, in this order."""
        missing = [symbol for symbol in symbols if symbol not in self.symbols]
        if missing:
            raise DataError(f"{self.source}: no market {', '.join(missing)}; it has {', '.join(self.symbols)}")
        columns = [self.symbols.index(symbol) for symbol in symbols]

        changes: dict[str, Any] = {
            name: None if values is None else np.ascontiguousarray(values[..., columns])
            for name in ("ratio", "low", "high", "feed_alive", "depth_factor", "held_share", "funding")
            for values in [getattr(self, name)]
        }
        return replace(self, symbols=symbols, **changes)


class World(Protocol):
    """Where paths come from. `chunks` gives paths 0 to `paths`-1, at most `size` of them at a time, in order."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its markets, in the order of the arrays."""

    @property
    def step_ms(self) -> int:
        """Milliseconds in a step."""

    @property
    def seed(self) -> int:
        """What its paths are drawn from."""

    @property
    def source(self) -> str:
        """World, data set, licence; says "simulated" where it is."""

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """The first `paths` paths of `steps` steps; raises DataError where there are not so many."""


def stretches(paths: int, steps: int, size: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """(first, count) of each chunk, after checking what was asked for."""
    if paths < 1 or steps < 1 or size < 1:
        raise ValueError(f"{paths} paths of {steps} steps in chunks of {size}: each is at least 1")
    for begin in range(first, first + paths, size):
        yield begin, min(size, first + paths - begin)
