"""Number-theoretic transforms: polynomials between their coefficients and their values on shifted subgroups.

Values are in natural order, coefficients in bit-reversed order, so no pass permutes anything. Forwards, a polynomial is
E(x^2) + x O(x^2) at every level, with x on the coset: the shift sits in the twiddle factors and costs nothing.
Blocks that fit in the cache are finished before the next is touched; only larger butterflies stream through memory.
Between stages values are loose: forwards a stage adds at most 2 P to a value, backwards sums are folded below 2 P.

That is so on any machine. Where the processor allows it `stark.ntt_eights` does the same three to four times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark import eights
from stark.field import (
    PRIME,
    Felts,
    add_loose,
    fold,
    from_ints,
    limbs_of,
    load,
    multiply,
    multiply_loose,
    reduce,
    store,
    subtract_loose,
    to_ints,
)
from stark.kernels import kernel
from stark.ntt_eights import LOG_LEAST, evaluate_columns, interpolate_columns
from stark.prime import inverse, reverse_bits, root_of_unity
from stark.threads import in_ranges

LOG_BLOCK = 11  # 2048 elements, 64 kB: a block and its twiddles stay in the second-level cache
LOG_TABLE = 15  # twiddles kept for butterflies up to 2**15 apart; further ones are made on the way
LOG_LONGEST = 25

# A forward stage takes values below k P to values below (k + 2) P; the last is reduced.
assert (2 + 2 * LOG_BLOCK + 2) * PRIME < 2**256 and (2 + 2 * (LOG_LONGEST - LOG_BLOCK)) * PRIME < 2**256

_TWICE = limbs_of(2 * PRIME)
_GRAIN = 1 << 12


def interpolate(columns: Felts, threads: int = 1, shift: int = 1) -> None:
    """Values (width, rows, 4) on shift * <root>, in natural order, to coefficients in bit-reversed order, in place."""
    log_rows = _log_rows(columns)
    if eights.AVAILABLE and log_rows >= LOG_LEAST:
        interpolate_columns(columns, shift, threads)
        return
    table = _twiddles(min(log_rows, LOG_TABLE + 1), _power_up(inverse(shift), log_rows), True)
    scale = from_ints([inverse(1 << log_rows)])
    log_block = min(LOG_BLOCK, log_rows)

    def transform(number: int, own_threads: int) -> None:
        column = columns[number]
        for log_half in range(log_rows - 1, log_block - 1, -1):
            _stage(column, log_half, Plan(table, inverse(shift), True), own_threads)

        def work(start: int, stop: int) -> None:
            _backward_blocks(column, table, scale, log_block, start, stop)

        in_ranges(len(column) >> log_block, own_threads, work)

    _each_column(len(columns), threads, transform)


def extend(
    coefficients: Felts, log_blowup: int, shift: int, threads: int = 1, out: Felts | None = None
) -> Felts:
    """Coefficients (width, rows, 4) to values (width, cosets, rows, 4).

    Coset c is shifted by shift * w**(c with its bits reversed), for w the root of unity of all the points together.
    """
    log_rows = _log_rows(coefficients)
    width, rows, _ = coefficients.shape
    values = np.empty((width, 1 << log_blowup, rows, 4), np.uint64) if out is None else out
    root = root_of_unity(log_rows + log_blowup)
    for coset in range(1 << log_blowup):
        own = shift * pow(root, reverse_bits(coset, log_blowup), PRIME) % PRIME
        evaluate_coset(coefficients, values[:, coset], own, threads)
    return values


def evaluate_coset(coefficients: Felts, values: Felts, shift: int, threads: int = 1) -> None:
    """Coefficients (width, rows, 4) to values (width, rows, 4) on shift * <root>."""
    log_rows = _log_rows(coefficients)
    if eights.AVAILABLE and log_rows >= LOG_LEAST:
        evaluate_columns(coefficients, values, shift, threads)
        return
    log_block = min(LOG_BLOCK, log_rows)
    table = _twiddles(min(log_rows, LOG_TABLE + 1), _power_up(shift, log_rows), False)

    def transform(column: int, own_threads: int) -> None:
        source, target = coefficients[column], values[column]

        def work(start: int, stop: int) -> None:
            _forward_blocks(source, target, table, log_block, start, stop, log_block == log_rows)

        in_ranges(len(source) >> log_block, own_threads, work)
        for log_half in range(log_block, log_rows):
            _stage(target, log_half, Plan(table, shift, False), own_threads)

    _each_column(len(coefficients), threads, transform)


def _each_column(width: int, threads: int, transform: Callable[[int, int], None]) -> None:
    """Columns side by side while there are enough of them, else the threads within each."""
    if width < threads:
        for column in range(width):
            transform(column, threads)
        return

    def work(start: int, stop: int) -> None:
        for column in range(start, stop):
            transform(column, 1)

    in_ranges(width, threads, work)


def evaluate(coefficients: Felts, point: int, threads: int = 1) -> list[int]:
    """Each column's value at a point, from coefficients in bit-reversed order."""
    width, rows, _ = coefficients.shape
    if width == 0:
        return []
    log_rows = _log_rows(coefficients)
    steps = from_ints([pow(point, 1 << level, PRIME) for level in range(log_rows)]).reshape(-1, 4)
    result = np.empty((width, 4), np.uint64)

    def work(start: int, stop: int) -> None:
        stack = np.empty((log_rows + 1, 4), np.uint64)
        for column in range(start, stop):
            _evaluate(coefficients[column], steps, stack, result[column : column + 1])

    in_ranges(width, threads, work)
    return to_ints(result)


def bit_reverse_permutation(log_size: int) -> NDArray[np.int64]:
    """The indices 0 .. 2**log_size - 1 with their bits in the opposite order."""
    result = np.zeros(1, np.int64)
    for _ in range(log_size):
        result = np.concatenate([2 * result, 2 * result + 1])
    return result


def _log_rows(columns: Felts) -> int:
    rows: int = columns.shape[1]
    if columns.ndim != 3 or columns.shape[2] != 4 or columns.dtype != np.uint64:
        raise ValueError(f"not a (width, rows, 4) array of uint64: {columns.dtype} {columns.shape}")
    if rows == 0 or rows & (rows - 1) or rows > 1 << LOG_LONGEST:
        raise ValueError(f"a transform takes a power of two of rows, at most 2**{LOG_LONGEST}, not {rows}")
    return rows.bit_length() - 1


def _power_up(shift: int, log_rows: int) -> int:
    """The shift as the smaller butterflies of a table see it: raised to rows / (twice the table's longest reach)."""
    return pow(shift, 1 << max(0, log_rows - LOG_TABLE - 1), PRIME)


@lru_cache(maxsize=64)
def _twiddles(log_size: int, shift: int, backward: bool) -> Felts:
    """Entry half + j holds shift**(size / (2 half)) * w**j, with w of order 2 half, or all with the inverse of w."""
    table = np.empty((max(2, 1 << log_size), 4), np.uint64)
    for log_half in range(log_size):
        root = root_of_unity(log_half + 1)
        start = pow(shift, 1 << (log_size - 1 - log_half), PRIME)
        scalars = from_ints([start, inverse(root) if backward else root])
        _fill_powers(scalars, table, 1 << log_half, 2 << log_half)
    return table


@kernel
def _fill_powers(scalars: Felts, table: Felts, start: int, stop: int) -> None:
    value, ratio = load(scalars, 0), load(scalars, 1)
    for index in range(start, stop):
        store(table, index, value)
        value = multiply(value, ratio)


class Plan(NamedTuple):
    """What all the stages of a transform share."""

    table: Felts
    shift: int  # inverted where the transform goes backward
    backward: bool


def _stage(column: Felts, log_half: int, plan: Plan, threads: int) -> None:
    """One level of butterflies over the whole column, cut into runs of consecutive ones."""
    log_rows = len(column).bit_length() - 1
    root = root_of_unity(log_half + 1)
    ratio = inverse(root) if plan.backward else root
    base = pow(plan.shift, 1 << (log_rows - 1 - log_half), PRIME)
    half, grain = 1 << log_half, min(_GRAIN, 1 << log_half)

    def work(start: int, stop: int) -> None:
        for run in range(start, stop, grain):
            offset = run & (half - 1)
            first = 2 * (run - offset) + offset
            if log_half <= LOG_TABLE:
                factors = plan.table[half + offset : half + offset + grain]
            else:
                factors = np.empty((grain, 4), np.uint64)
                _fill_powers(from_ints([base * pow(ratio, offset, PRIME) % PRIME, ratio]), factors, 0, grain)
            if plan.backward:
                _backward_run(column, factors, 0, first, half, grain)
            else:
                _forward_run(column, factors, 0, first, half, grain, log_half == log_rows - 1)

    in_ranges(1 << (log_rows - 1), threads, work, grain)


@kernel
def _forward_run(
    column: Felts, factors: Felts, own: int, first: int, half: int, count: int, last: bool
) -> None:
    for index in range(count):
        left = load(column, first + index)
        right = multiply_loose(load(column, first + half + index), load(factors, own + index))
        low, high = add_loose(left, right), subtract_loose(add_loose(left, _TWICE), right)
        if last:
            low, high = reduce(low), reduce(high)
        store(column, first + index, low)
        store(column, first + half + index, high)


@kernel
def _backward_run(column: Felts, factors: Felts, own: int, first: int, half: int, count: int) -> None:
    for index in range(count):
        left, right = load(column, first + index), load(column, first + half + index)
        difference = subtract_loose(add_loose(left, _TWICE), right)
        store(column, first + index, fold(add_loose(left, right)))
        store(column, first + half + index, multiply_loose(difference, load(factors, own + index)))


@kernel
def _forward_blocks(
    source: Felts, target: Felts, table: Felts, log_block: int, start: int, stop: int, last: bool
) -> None:
    """All butterflies within blocks, the first level reading from the source."""
    size = 1 << log_block
    for block in range(start, stop):
        offset = block * size
        if size == 1:
            store(target, offset, load(source, offset))
        factor = load(table, 1)
        for index in range(offset, offset + size - 1, 2):
            left = load(source, index)
            right = multiply_loose(load(source, index + 1), factor)
            store(target, index, add_loose(left, right))
            store(target, index + 1, subtract_loose(add_loose(left, _TWICE), right))
        half = 2
        while half < size:
            for first in range(offset, offset + size, 2 * half):
                _forward_run(target, table, half, first, half, half, False)
            half *= 2
        for index in range(offset, offset + size):
            store(target, index, reduce(load(target, index)) if last else fold(load(target, index)))


@kernel
def _backward_blocks(column: Felts, table: Felts, scale: Felts, log_block: int, start: int, stop: int) -> None:
    """All butterflies within blocks, then the factor 1 / rows."""
    size = 1 << log_block
    factor = load(scale, 0)
    for block in range(start, stop):
        offset = block * size
        half = size >> 1
        while half > 0:
            for first in range(offset, offset + size, 2 * half):
                _backward_run(column, table, half, first, half, half)
            half >>= 1
        for index in range(offset, offset + size):
            store(column, index, multiply(load(column, index), factor))


@kernel
def _evaluate(coefficients: Felts, steps: Felts, stack: Felts, result: Felts) -> None:
    """Halve the polynomial level by level: position bit 0 stands for the highest power of two of the exponent.

    Depth first, with a stack of one partial sum a level, so the coefficients are read once and nothing is copied.
    """
    levels = len(steps)
    for index in range(len(coefficients)):
        value = load(coefficients, index)
        level, rest = 0, index
        while rest & 1:
            value = fold(add_loose(load(stack, level), multiply_loose(value, load(steps, levels - 1 - level))))
            rest >>= 1
            level += 1
        store(stack, level, value)
    store(result, 0, reduce(load(stack, levels)))
