"""What columns are where no coset that is kept has them, from their values on the first one.

A polynomial of fewer than n coefficients is the sum over the coset's points x of its value there times
(z^n - s^n) / (n s^n) * x / (z - x), with s the coset's shift. So nobody needs to keep coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stark import eights
from stark.field import (
    NOTHING,
    ONE,
    SUMMED,
    Felts,
    accumulate,
    add,
    from_ints,
    invert,
    load,
    multiply,
    settle,
    store,
    subtract,
    to_ints,
)
from stark.kernels import kernel
from stark.lanes import LANES
from stark.points_eights import CHUNK, add_weighted, sum_products
from stark.prime import PRIME, inverse, root_of_unity
from stark.threads import in_ranges

assert SUMMED <= CHUNK

def values_at(parts: Sequence[Felts], shift: int, points: Sequence[int], threads: int) -> list[list[int]]:
    """Of all columns of parts (width, cosets, rows, 4), each point's values. No point is on the first coset."""
    rows = parts[0].shape[2]
    log_rows = rows.bit_length() - 1
    power = pow(shift, rows, PRIME)
    scale = inverse(rows * power)
    factors = from_ints([(pow(point, rows, PRIME) - power) * scale % PRIME for point in points])
    places, root = from_ints([point % PRIME for point in points]), root_of_unity(log_rows)
    sums = [np.zeros((threads, len(points), len(part), 4), np.uint64) for part in parts]
    sum_up = sum_products if eights.AVAILABLE and rows >= LANES else _sum_products
    share = -(-rows // (threads * LANES)) * LANES

    def work(first: int, last: int) -> None:
        for thread in range(first, last):
            for start in range(share * thread, min(rows, share * (thread + 1)), SUMMED):
                stop = min(start + SUMMED, rows, share * (thread + 1))
                powers = from_ints([shift * pow(root, start, PRIME) % PRIME, root])
                weights = np.empty((len(points), stop - start, 4), np.uint64)
                _weigh(powers, places, factors, weights)
                for part, own in zip(parts, sums, strict=True):
                    sum_up(part, weights, start, own[thread])

    in_ranges(threads, threads, work)
    found = np.concatenate(sums, axis=2)
    for other in found[1:]:
        _add_each(found[0], other)
    flat = to_ints(found[0].reshape(-1, 4))
    width = found.shape[2]
    return [flat[start : start + width] for start in range(0, len(flat), width)] if width else [[] for _ in points]


@kernel
def _weigh(powers: Felts, places: Felts, factors: Felts, weights: Felts) -> None:
    """factor * x / (point - x) for consecutive x: one inversion a point."""
    count = weights.shape[1]
    ratio = load(powers, 1)
    partial = np.empty((count, 4), np.uint64)
    for number in range(len(places)):
        point, own = load(places, number), weights[number]
        row, running = load(powers, 0), ONE
        for index in range(count):
            difference = subtract(point, row)
            store(partial, index, running)
            store(own, index, difference)
            running = multiply(running, difference)
            row = multiply(row, ratio)
        rest = multiply(invert(running), load(factors, number))
        for index in range(count - 1, -1, -1):
            store(partial, index, multiply(rest, load(partial, index)))
            rest = multiply(rest, load(own, index))
        row = load(powers, 0)
        for index in range(count):
            store(own, index, multiply(load(partial, index), row))
            row = multiply(row, ratio)


@kernel
def _sum_products(values: Felts, weights: Felts, start: int, sums: Felts) -> None:
    """Add to sums[point, column] the column's first coset from row `start` on times the weights."""
    for column in range(len(values)):
        own = values[column, 0]
        for point in range(len(weights)):
            factors, total = weights[point], NOTHING
            for row in range(len(factors)):
                total = accumulate(total, load(own, start + row), load(factors, row))
            store(sums[point], column, add(load(sums[point], column), settle(total)))


@kernel
def _add_each(totals: Felts, others: Felts) -> None:
    for point in range(len(totals)):
        for column in range(totals.shape[1]):
            total = add(load(totals[point], column), load(others[point], column))
            store(totals[point], column, total)


def weighted_sum(parts: Sequence[Felts], weights: Felts, threads: int) -> Felts:
    """The columns' first cosets, each times its weight, summed: (rows, 4)."""
    rows = parts[0].shape[2]
    total = np.zeros((rows, 4), np.uint64)
    add_up = add_weighted if eights.AVAILABLE and rows >= LANES else _add_weighted

    def work(start: int, stop: int) -> None:
        offset = 0
        for part in parts:
            add_up(part, weights[offset : offset + len(part)], start, stop, total)
            offset += len(part)

    in_ranges(rows, threads, work, 1024)
    return total


def _add_weighted(values: Felts, weights: Felts, start: int, stop: int, total: Felts) -> None:
    for first in range(0, len(values), SUMMED):
        _sum_columns(values[first : first + SUMMED], weights[first : first + SUMMED], start, stop, total)


@kernel
def _sum_columns(values: Felts, weights: Felts, start: int, stop: int, total: Felts) -> None:
    wide = np.empty((256, 8), np.uint64)
    for first in range(start, stop, 256):
        count = min(256, stop - first)
        wide[:] = np.uint64(0)
        for column in range(len(values)):
            own, weight = values[column, 0], load(weights, column)
            for row in range(count):
                _store_wide(wide, row, accumulate(_load_wide(wide, row), load(own, first + row), weight))
        for row in range(count):
            store(total, first + row, add(load(total, first + row), settle(_load_wide(wide, row))))


@kernel
def _load_wide(array: Felts, row: int) -> tuple[int, int, int, int, int, int, int, int]:
    return (
        array[row, 0], array[row, 1], array[row, 2], array[row, 3],
        array[row, 4], array[row, 5], array[row, 6], array[row, 7],
    )  # fmt: skip


@kernel
def _store_wide(array: Felts, row: int, value: tuple[int, int, int, int, int, int, int, int]) -> None:
    for part in range(8):
        array[row, part] = value[part]
