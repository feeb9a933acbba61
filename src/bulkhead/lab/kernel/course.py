"""What happens on all paths alike, block by block: prices on their grid, funding, when the venue can be reached."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined
from bulkhead.lab.kernel.linear import MONEY
from bulkhead.lab.kernel.scenario import WORK
from bulkhead.lab.prices.bars import Floats

BLOCK = 512  # steps at once: prices of eight markets are then 32 kB
GRID = float(1 << 32)

Cube = NDArray[np.float32]
Flags = NDArray[np.bool_]


class Course(NamedTuple):
    """What happens on all paths alike, and their prices. An empty array means that nothing of the kind happens."""

    start: Floats  # 10^-6 USD per lot
    ratio: Cube  # (paths, steps, markets)
    funding: Cube  # (paths, payments, markets)
    funding_steps: int
    step_ms: int
    is_open: Flags  # (steps)
    is_fed: Flags  # (steps, markets)
    depth: Cube  # (1, steps, markets)
    is_thorough: bool = False  # look at every step, even where a bound rules everything out: the slow twin, for tests


class Room(NamedTuple):
    """Scratch of one thread."""

    price: Floats  # (markets, BLOCK)
    owed: Floats  # (markets, BLOCK): funding owed by a lot that was long since the start
    low: Floats  # (markets)
    high: Floats
    value: Floats  # (BLOCK)
    required: Floats
    now: Floats  # (markets): prices of one step
    depth: Floats
    work: Floats


@inlined
def room_of(markets: int, groups: int) -> Room:
    """Room for a thread."""
    width = max(markets, groups, MONEY)
    return Room(
        np.empty((markets, BLOCK)), np.zeros((markets, BLOCK)), np.empty(markets), np.empty(markets),
        np.empty(BLOCK), np.empty(BLOCK), np.empty(markets), np.ones(markets), np.zeros((WORK, width)),
    )


@inlined
def index_step(price: Any, rate: Any) -> Any:
    """price · rate / 2^32 toward minus infinity, exact: a price below 2^63, a rate within one half."""
    return (price >> 32) * rate + (((price & 0xFFFFFFFF) * rate) >> 32)


@inlined
def load_block(course: Course, path: int, first: int, count: int, room: Room, owed: Floats) -> None:
    """Prices of a block on their grid of 2^-32, their extremes, and the funding index; `owed` carries it on."""
    markets = len(course.start)
    for market in range(markets):
        scale = course.start[market] * GRID
        low, high = np.inf, 0.0
        row = room.price[market]
        for step in range(count):
            price = max(np.rint(scale * np.float64(course.ratio[path, first + step, market])), 1.0) / GRID
            row[step] = price
            low, high = min(low, price), max(high, price)
        room.low[market], room.high[market] = low, high
        if course.funding_steps:
            for step in range(count):
                if (first + step + 1) % course.funding_steps == 0:
                    payment = (first + step + 1) // course.funding_steps - 1
                    rate = np.int64(np.floor(np.float64(course.funding[path, payment, market]) * GRID))
                    owed[market] += index_step(np.int64(row[step] * GRID), rate) / GRID
                room.owed[market, step] = owed[market]
