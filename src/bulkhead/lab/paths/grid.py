"""Bars of several markets on one grid of steps: aligned, made coarser or finer, with every gap refused or told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.prices.bars import Bars, DataError, DataSet, Floats, Times
from bulkhead.lab.prices.bridge import STEPS_MIN, BarOrder
from bulkhead.lab.prices.bridge import paths as inside
from bulkhead.lab.prices.mend import Repair

Gaps = Literal["refuse", "hold", "skip"]
GAPS: tuple[Gaps, ...] = ("refuse", "hold", "skip")
HOLD_MAX_MS = 6 * 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Prices of several markets at the same steps. Arrays are (steps, markets), USD for one coin; a step opens at
    `time_ms`. `whole` is False where a market has no bar: its last price stands there, and no path may touch it."""

    name: str
    source: str
    symbols: tuple[str, ...]
    step_ms: int
    time_ms: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    whole: NDArray[np.bool_]
    repairs: tuple[Repair, ...] = ()

    def __len__(self) -> int:
        return len(self.time_ms)

    def step_at(self, time_ms: int) -> int:
        """The step that opens at that time."""
        step, rest = divmod(time_ms - int(self.time_ms[0]), self.step_ms)
        if rest or not 0 <= step < len(self):
            raise DataError(f"{self.name}: no step opens at {_date(time_ms)}; it is of {self.span}")
        return step

    @property
    def span(self) -> str:
        """From when until when, in words."""
        return f"{_date(int(self.time_ms[0]))} to {_date(int(self.time_ms[-1]) + self.step_ms)} UTC"

    def returns(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Log returns from each step's close to the next one's (steps − 1, markets), and which touch no gap."""
        return np.diff(np.log(self.close), axis=0), self.whole[1:] & self.whole[:-1]


def align(
    data: DataSet,
    step_ms: int | None = None,
    symbols: tuple[str, ...] = (),
    *,
    gaps: Gaps = "refuse",
    order: BarOrder = "low-first",
    seed: int = 0,
) -> Grid:
    """The markets of a set on one grid, over the time that all of them cover.

    `step_ms` is the longest interval of the bars unless given. Coarser steps put bars together; finer ones walk inside
    each bar (prices/bridge.py, `order` and `seed`). A gap is refused; or held at the last price, up to HOLD_MAX_MS; or
    skipped, whatever its length: no path touches it. Both are told in `repairs`.
    """
    if gaps not in GAPS:
        raise ValueError(f"gaps is one of {', '.join(GAPS)}, not {gaps!r}")
    symbols = symbols or data.symbols
    if missing := [symbol for symbol in symbols if symbol not in data.bars]:
        raise DataError(f"{data.name}: no market {', '.join(missing)}; it has {', '.join(data.symbols)}")
    data = replace(data, bars={symbol: data.bars[symbol] for symbol in symbols}, funding={})
    step_ms = step_ms or max(bars.interval_ms for bars in data.bars.values())
    start_ms, end_ms = data.start_ms, data.end_ms
    # Steps open where the longest bars do, else at whole steps since the epoch.
    longest = max(data.bars.values(), key=lambda bars: bars.interval_ms)
    phase = int(longest.time_ms[0]) % step_ms if longest.interval_ms >= step_ms else 0
    start_ms, end_ms = (phase - (phase - start_ms) // step_ms * step_ms, phase + (end_ms - phase) // step_ms * step_ms)
    steps = (end_ms - start_ms) // step_ms
    if steps < 2:
        raise DataError(f"{data.name}: {', '.join(symbols)} have no two steps of {step_ms} ms in common")
    repairs = list(data.repairs)
    columns, whole = [], np.ones(steps, dtype=bool)
    for bars in data.bars.values():
        column, present = _column(bars, step_ms, start_ms, steps, data.name, (order, seed))
        repairs += _judge(present, bars.symbol, data.name, gaps, (start_ms, step_ms))
        whole &= present | (gaps == "hold")
        columns.append(column)
    prices = np.stack(columns, axis=2)
    label = "simulated, " if data.simulated else ""
    source = f"{data.name}: {label}{data.title}; {data.source}, licence {data.licence}"
    if any(bars.interval_ms > step_ms for bars in data.bars.values()):
        source += f"; inside bars a bridge, {order}"
    time_ms = start_ms + step_ms * np.arange(steps, dtype=np.int64)
    first, top, bottom, last = prices
    return Grid(data.name, source, tuple(symbols), step_ms, time_ms, first, top, bottom, last, whole, tuple(repairs))


def _column(
    bars: Bars, step_ms: int, start_ms: int, steps: int, name: str, inner: tuple[BarOrder, int]
) -> tuple[Floats, NDArray[np.bool_]]:
    """One market's open, high, low and close (4, steps), and the steps for which it has bars."""
    end_ms = start_ms + steps * step_ms
    if bars.interval_ms > step_ms:
        count, rest = divmod(bars.interval_ms, step_ms)
        if rest or count < STEPS_MIN:
            few = f"hold no {STEPS_MIN}+ whole steps of {step_ms} ms"
            raise DataError(f"{name}: {bars.symbol} bars of {bars.interval_ms} ms {few}")
        path = inside(bars, count, *inner)
        after = np.concatenate([path[:, 1:], path[:, -1:]], axis=1)
        prices = np.stack([path, np.maximum(path, after), np.minimum(path, after), after]).reshape(4, -1)
        time_ms = (bars.time_ms[:, None] + step_ms * np.arange(count)).ravel()
        per_step = 1
    else:
        per_step, rest = divmod(step_ms, bars.interval_ms)
        if rest:
            raise DataError(f"{name}: steps of {step_ms} ms are no whole {bars.symbol} bars of {bars.interval_ms} ms")
        prices, time_ms = np.stack([bars.open, bars.high, bars.low, bars.close]), bars.time_ms
    if (time_ms[0] - start_ms) % (step_ms // per_step):
        raise DataError(f"{name}: {bars.symbol} bars open at other moments than the grid of {step_ms} ms; misaligned")
    inside_grid = (time_ms >= start_ms) & (time_ms < end_ms)
    place = (time_ms[inside_grid] - start_ms) // (step_ms // per_step)
    full = np.full((4, steps * per_step), np.nan)
    full[:, place] = prices[:, inside_grid]
    parts = full.reshape(4, steps, per_step)
    present = np.isfinite(parts[0]).all(axis=1)
    made = np.stack([parts[0, :, 0], parts[1].max(axis=1), parts[2].min(axis=1), parts[3, :, -1]])
    if not present[0]:
        raise DataError(f"{name}: no whole bar of {bars.symbol} at {_date(start_ms)}, where the grid begins")
    last = np.maximum.accumulate(np.where(present, np.arange(steps), 0))
    held = np.where(present, made, made[3, last])
    return held, present


def _judge(
    present: NDArray[np.bool_], symbol: str, name: str, gaps: Gaps, clock: tuple[int, int]
) -> list[Repair]:
    """Refuse or tell each stretch of steps without bars."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], present, [True]]).astype(np.int8)))
    repairs = []
    for begin, until in zip(edges[::2], edges[1::2], strict=True):
        start_ms, step_ms = clock
        where = f"from {_date(start_ms + begin * step_ms)} until {_date(start_ms + until * step_ms)} UTC"
        too_long = (until - begin) * step_ms > HOLD_MAX_MS
        if gaps == "refuse" or (gaps == "hold" and too_long):
            longer = f", longer than the {HOLD_MAX_MS} ms for which a price may be held" if gaps == "hold" else ""
            way = f"(step {begin + 1}){longer}; gaps can be held or skipped"
            raise DataError(f"{name}: no bars of {symbol} {where} {way}")
        what = "is held at its last price" if gaps == "hold" else "is missing and no path touches it"
        repairs.append(Repair(name, symbol, int(begin) + 1, int(until - begin), f"{what} {where}"))
    return repairs


def _date(time_ms: int) -> str:
    return str(np.datetime64(int(time_ms), "ms").astype("datetime64[m]"))
