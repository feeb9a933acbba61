"""The fitted world: a jump diffusion with regimes, fat tails and joint jumps, in steps of any length.

Regime, tail scale and jump belong to a step of the calibration (an hour, say). Shorter steps share them, so that the
calibrated step keeps its distribution; longer ones are sums, walked through one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined, kernel, spread
from bulkhead.lab.paths.calibration import FUNDING_MS, Calibration
from bulkhead.lab.paths.correlation import factor
from bulkhead.lab.paths.cube import CHUNK, STEP_MS, Cube, Paths, stretches
from bulkhead.lab.paths.mixing import scale_of, scale_table
from bulkhead.lab.paths.normals import bits, exp, fill_normals, key_of, ln, unit
from bulkhead.lab.prices.bars import DataError, Floats

BLOCK = 256  # least steps drawn at once
EVENT_DRAWS, JUMP_DRAWS, FUNDING_DRAWS, EXTREME_DRAWS = (np.uint64(part) << np.uint64(60) for part in (1, 2, 3, 4))
FUNDING_CAP = np.float32(0.005)  # of notional in eight hours: the most that was ever recorded there, either way


class Numbers(NamedTuple):
    """A calibration made ready for the kernel, for steps of one length."""

    weights: NDArray[np.float32]  # (regimes, markets, markets): root of a base step's covariance
    drift: Floats  # (regimes, markets) of a base step
    moves_on: Floats  # (regimes, regimes): summed rows of the transition matrix
    starts: Floats  # (regimes): summed stationary shares
    table: NDArray[np.float32]  # of tail scales
    jumps: Floats  # (1 + markets): summed chances
    joint: NDArray[np.float32]  # (markets, markets): root of the joint jumps' covariance
    sizes: NDArray[np.float32]  # (3, markets): joint means, means and deviations of lone jumps
    deviation: NDArray[np.float32]  # (regimes, markets) of a base step, for extremes


@dataclass(frozen=True, eq=False)
class RegimeWorld:
    """Paths of a calibration. Its expected prices stay where they are, to second order in the returns.

    `mixing` breaks its correlations. `extremes` adds lows and highs within each step (Brownian bridges; one draw for
    all markets, so that lows coincide). `pays` adds funding every eight hours.
    """

    calibration: Calibration
    seed: int = 1
    step_ms: int = STEP_MS
    mixing: str = "fitted"
    extremes: bool = False
    pays: bool = False
    name: str = "regimes"

    def __post_init__(self) -> None:
        fit_ms = self.calibration.interval_ms
        if self.step_ms < 1 or (fit_ms % self.step_ms and self.step_ms % fit_ms):
            neither = f"{self.step_ms} ms are no whole steps of the fit's {fit_ms} ms, nor the reverse"
            raise DataError(f"{self.name}: {neither}")
        if self.pays and FUNDING_MS % self.step_ms:
            raise DataError(f"{self.name}: funding is paid every {FUNDING_MS} ms, no whole steps of {self.step_ms} ms")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The calibration's markets."""
        return self.calibration.symbols

    @property
    def source(self) -> str:
        """What a report says of these paths."""
        mixing = "" if self.mixing == "fitted" else f", correlations to {self.mixing}"
        return f"{self.name}: simulated jump diffusion with regimes{mixing}, fitted to {self.calibration.source}"

    @cached_property
    def numbers(self) -> Numbers:
        """What the kernel needs."""
        found = self.calibration.mix(self.mixing)
        share = min(self.step_ms, found.interval_ms) / found.interval_ms
        roots = [factor(matrix) for matrix in found.correlation]
        weights = [scale[:, None] * root * np.sqrt(share) for scale, root in zip(found.scale, roots, strict=True)]
        mean, square = found.jump_moments
        drift = -share * (found.variance / 2 + mean + (square - mean**2) / 2)
        single = np.float32
        return Numbers(
            np.ascontiguousarray(weights, dtype=single),
            drift,
            np.cumsum(found.transition, axis=1),
            np.cumsum(found.stationary),
            scale_table(found.tail),
            np.cumsum(found.jump_chance),
            (found.joint_deviation[:, None] * factor(found.joint_correlation)).astype(single),
            np.stack([found.joint_mean, found.alone_mean, found.alone_deviation]).astype(single),
            (found.scale * np.sqrt(share)).astype(single),
        )

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """Paths 0 to `paths`-1 in order; see `World`."""
        numbers = self.numbers
        fit_ms = self.calibration.interval_ms
        per, fold = max(1, fit_ms // self.step_ms), max(1, self.step_ms // fit_ms)
        payments = steps * self.step_ms // FUNDING_MS if self.pays else 0
        for first, count in stretches(paths, steps, size):
            ratio = np.empty((count, steps, len(self.symbols)), dtype=np.float32)
            low = np.empty_like(ratio if self.extremes else ratio[:0])
            high = np.empty_like(low)

            def work(begin: int, end: int, into: tuple[Cube, ...] = (ratio, low, high), offset: int = first) -> None:
                _fill(self.seed, offset, begin, end, per, fold, *numbers, *into)

            spread(work, count)
            made = Paths(self.symbols, self.step_ms, ratio, self.source, self.seed, first=first)
            if self.extremes:
                made = replace(made, low=low, high=high)
            if payments:
                rates = self._funding(first, count, payments)
                made = replace(made, funding=rates, funding_steps=FUNDING_MS // self.step_ms)
            yield made

    def _funding(self, first: int, count: int, payments: int) -> Cube:
        """(paths, payments, markets) of rates; the first one is drawn from the stationary law."""
        found = self.calibration.mix(self.mixing)
        rates = np.empty((count, payments, len(self.symbols)), dtype=np.float32)
        root = (found.funding_deviation[:, None] * factor(found.funding_correlation)).astype(np.float32)
        mean, persistence = (part.astype(np.float32) for part in (found.funding_mean, found.funding_persistence))
        _fill_funding(self.seed, first, root, mean, persistence, rates)
        return rates


@inlined
def _place(summed: Floats, chance: float) -> Any:
    """The first entry of rising sums that is above the chance."""
    place = 0
    while place < len(summed) - 1 and chance >= summed[place]:
        place += 1
    return place


@kernel
def _plan(
    key: Any, first: int, per: int, regime: int, numbers: Any, of_step: NDArray[np.int64], scale: NDArray[np.float32],
    jump: NDArray[np.float32],
) -> Any:
    """Regime, scale and jumps of the base steps of one block; gives the regime of its last calibrated step."""
    weights, drift, moves_on, starts, table, jumps, joint, sizes, deviation = numbers
    markets = len(drift[0])
    normal = np.empty(markets + markets % 2, dtype=np.float32)
    jump[:] = np.float32(0)
    for place in range(len(of_step) // per):
        number = first + place
        one, two, three, four = (
            unit(bits(key, EVENT_DRAWS + np.uint64(4 * number))),
            unit(bits(key, EVENT_DRAWS + np.uint64(4 * number + 1))),
            unit(bits(key, EVENT_DRAWS + np.uint64(4 * number + 2))),
            unit(bits(key, EVENT_DRAWS + np.uint64(4 * number + 3))),
        )
        regime = _place(starts, one) if number == 0 else _place(moves_on[regime], one)
        size = scale_of(table, two)
        if three < jumps[-1]:
            size = np.float32(1)
            step = place * per + min(int(four * per), per - 1)
            fill_normals(key, JUMP_DRAWS + np.uint64(number) * np.uint64(len(normal)), normal)
            kind = _place(jumps, three)
            if kind == 0:
                for market in range(markets):
                    jump[market, step] = sizes[0, market]
                    for other in range(market + 1):
                        jump[market, step] += joint[market, other] * normal[other]
            else:
                jump[kind - 1, step] = sizes[1, kind - 1] + sizes[2, kind - 1] * normal[0]
        of_step[place * per : (place + 1) * per] = regime
        scale[place * per : (place + 1) * per] = size
    return regime


@kernel
def _fill(
    seed: int, offset: int, begin: int, end: int, per: int, fold: int, weights: NDArray[np.float32], drift: Floats,
    moves_on: Floats, starts: Floats, table: NDArray[np.float32], jumps: Floats, joint: NDArray[np.float32],
    sizes: NDArray[np.float32], deviation: NDArray[np.float32], ratio: Cube, low: Cube, high: Cube,
) -> None:
    """Paths offset+begin to offset+end, written at begin to end."""
    steps, markets = ratio.shape[1] * fold, ratio.shape[2]
    block = per * max(1, BLOCK // per)
    block += block % 2 * per
    normal = np.empty((markets, block), dtype=np.float32)
    move, scale = np.empty(block, dtype=np.float32), np.empty(block, dtype=np.float32)
    jump = np.empty((markets, block), dtype=np.float32)
    of_step = np.empty(block, dtype=np.int64)
    height = np.empty(markets, dtype=np.float64)
    numbers = (weights, drift, moves_on, starts, table, jumps, joint, sizes, deviation)
    for path in range(begin, end):
        key = key_of(seed, offset + path)
        height[:] = 0.0
        regime = 0
        for first in range(0, steps, block):
            count = min(block, steps - first)
            regime = _plan(key, first // per, per, regime, numbers, of_step, scale, jump)
            for market in range(markets):
                fill_normals(key, (first // block * markets + market) * (block // 2), normal[market])
            for market in range(markets):
                _moves(market, count, normal, of_step, scale, jump[market], weights, move)
                last = np.float32(height[market])
                total = height[market]
                for step in range(count):
                    total += np.float64(move[step]) + drift[of_step[step], market]
                    move[step] = np.float32(total)
                height[market] = total
                if fold == 1:
                    for step in range(count):
                        ratio[path, first + step, market] = exp(move[step])
                else:
                    for step in range(count):
                        if (first + step) % fold == fold - 1:
                            ratio[path, (first + step) // fold, market] = exp(move[step])
                if len(low):
                    width = deviation[:, market]
                    at_path = (low[path], high[path])
                    _extremes(key, first, market, last, fold, move[:count], of_step, scale, width, *at_path)


@kernel
def _moves(
    market: int, count: int, normal: NDArray[np.float32], of_step: NDArray[np.int64], scale: NDArray[np.float32],
    jump: NDArray[np.float32], weights: NDArray[np.float32], move: NDArray[np.float32],
) -> None:
    """One market's log returns: normals weighed by the regime's root, run by run, times the scale, plus the jump."""
    begin = 0
    while begin < count:
        end = begin + 1
        while end < count and of_step[end] == of_step[begin]:
            end += 1
        row = weights[of_step[begin], market]
        for step in range(begin, end):
            move[step] = row[0] * normal[0, step]
        for other in range(1, market + 1):
            weight = row[other]
            for step in range(begin, end):
                move[step] += weight * normal[other, step]
        begin = end
    for step in range(count):
        move[step] = move[step] * scale[step] + jump[step]


@kernel
def _extremes(
    key: Any, first: int, market: int, last: Any, fold: int, height: NDArray[np.float32], of_step: NDArray[np.int64],
    scale: NDArray[np.float32], deviation: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32],
) -> None:
    """Lows and highs of one market's steps, given the log prices at the ends of base steps (Brownian bridges)."""
    for step in range(len(height)):
        gap = height[step] - last
        below = np.float32(unit(bits(key, EXTREME_DRAWS + np.uint64(2 * (first + step)))))
        above = np.float32(unit(bits(key, EXTREME_DRAWS + np.uint64(2 * (first + step) + 1))))
        wide = deviation[of_step[step]] * scale[step]
        width = np.float32(2) * wide * wide
        middle = last + height[step]
        lowest = exp((middle - np.sqrt(gap * gap - width * ln(below))) * np.float32(0.5))
        highest = exp((middle + np.sqrt(gap * gap - width * ln(above))) * np.float32(0.5))
        place = (first + step) // fold
        is_first = (first + step) % fold == 0
        low[place, market] = lowest if is_first else min(lowest, low[place, market])
        high[place, market] = highest if is_first else max(highest, high[place, market])
        last = height[step]


@kernel
def _fill_funding(
    seed: int, offset: int, root: NDArray[np.float32], mean: NDArray[np.float32], persistence: NDArray[np.float32],
    rates: Cube,
) -> None:
    """Rates of every path: the first from the stationary law, each next one pulled to the mean, all within the cap."""
    markets = len(mean)
    normal = np.empty(markets + markets % 2, dtype=np.float32)
    for path in range(len(rates)):
        key = key_of(seed, offset + path)
        for payment in range(rates.shape[1]):
            fill_normals(key, FUNDING_DRAWS + np.uint64(payment) * np.uint64(len(normal)), normal)
            for market in range(markets):
                shock = np.float32(0)
                for other in range(market + 1):
                    shock += root[market, other] * normal[other]
                pull = persistence[market]
                if payment:
                    rate = mean[market] + pull * (rates[path, payment - 1, market] - mean[market]) + shock
                else:
                    rate = mean[market] + shock / np.sqrt(np.float32(1) - pull * pull)
                rates[path, payment, market] = min(max(rate, -FUNDING_CAP), FUNDING_CAP)
