"""Transforms on eight elements at a time; `stark.ntt` says what they are, and does them where this cannot.

A column of 2**(a + b) elements is gone over twice. Butterflies up to 2**(a - 1) apart stay within runs of 2**a
elements, and eight runs are done together, one a lane. The others pair elements a multiple of 2**a apart: there eight
neighbours are done together with all that stand such a multiple from them. Either is in the second-level cache from
its first to its last butterfly. Forwards a stage adds at most 2 P to a value; backwards sums are folded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from stark.eights import (
    EIGHT,
    LIMBS,
    cut,
    difference_of,
    evened,
    folded,
    load_rows,
    on_words,
    product_of,
    put_eight,
    side_by_side,
    store_rows,
    sum_of,
    take_eight,
    take_one,
)
from stark.field import Felts, from_ints, load, multiply, store
from stark.kernels import kernel
from stark.prime import PRIME, inverse, root_of_unity
from stark.threads import in_ranges

LOG_LEAST = 6  # rows: eight runs, eight neighbours
LOG_MOST = 25
# Forwards the first pass leaves values below 16 P + 2 P a stage, and an array multiplies what it does not keep reduced:
# the second begins with 16 P more. Factors, and so products, stay below 2 P.
assert 32 + 2 * LOG_MOST < 511


# --- emitted ----------------------------------------------------------------------------------------------------------


def _emit_load(builder: Any, source: Any, scratch: Any, *places: Any) -> None:
    index, stride, place, _ = places
    put_eight(builder, scratch, place, load_rows(builder, source, index, stride))


def _emit_load_folded(builder: Any, source: Any, scratch: Any, *places: Any) -> None:
    index, stride, place, _ = places
    put_eight(builder, scratch, place, folded(builder, load_rows(builder, source, index, stride)))


def _emit_store(builder: Any, scratch: Any, target: Any, *places: Any) -> None:
    place, index, stride, _ = places
    store_rows(builder, evened(builder, take_eight(builder, scratch, place)), target, index, stride, is_last=False)


def _emit_store_last(builder: Any, scratch: Any, target: Any, *places: Any) -> None:
    place, index, stride, _ = places
    store_rows(builder, evened(builder, take_eight(builder, scratch, place)), target, index, stride, is_last=True)


def _emit_scale(builder: Any, scratch: Any, factors: Any, place: Any, factor: Any, *_: Any) -> None:
    value = evened(builder, take_eight(builder, scratch, place))
    put_eight(builder, scratch, place, product_of(builder, value, take_one(builder, factors, factor)))


def _emit_twiddle(builder: Any, tables: Any, factors: Any, *places: Any) -> None:
    """The factors of eight neighbours, times that of their run."""
    base, root, place, _ = places
    found = product_of(builder, take_eight(builder, tables, base), take_one(builder, tables, root))
    put_eight(builder, factors, place, evened(builder, found))


def _forward(builder: Any, scratch: Any, left: Any, right: Any, factor: Any) -> None:
    one = take_eight(builder, scratch, left)
    other = product_of(builder, evened(builder, take_eight(builder, scratch, right)), factor)
    put_eight(builder, scratch, left, sum_of(builder, one, other))
    put_eight(builder, scratch, right, difference_of(builder, one, other, 2))


def _backward(builder: Any, scratch: Any, left: Any, right: Any, factor: Any) -> None:
    one, other = take_eight(builder, scratch, left), take_eight(builder, scratch, right)
    put_eight(builder, scratch, left, folded(builder, evened(builder, sum_of(builder, one, other))))
    difference = evened(builder, difference_of(builder, one, other, 2))
    put_eight(builder, scratch, right, product_of(builder, difference, factor))


_load, _load_folded = on_words(_emit_load), on_words(_emit_load_folded)
_store, _store_last = on_words(_emit_store), on_words(_emit_store_last)
_scale, _twiddle = on_words(_emit_scale), on_words(_emit_twiddle)
_forward_one = on_words(lambda builder, scratch, factors, left, right, place, _: _forward(
    builder, scratch, left, right, take_one(builder, factors, place)))  # fmt: skip
_forward_eight = on_words(lambda builder, scratch, factors, left, right, place, _: _forward(
    builder, scratch, left, right, take_eight(builder, factors, place)))  # fmt: skip
_backward_one = on_words(lambda builder, scratch, factors, left, right, place, _: _backward(
    builder, scratch, left, right, take_one(builder, factors, place)))  # fmt: skip
_backward_eight = on_words(lambda builder, scratch, factors, left, right, place, _: _backward(
    builder, scratch, left, right, take_eight(builder, factors, place)))  # fmt: skip


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def _forward_runs(
    source: Felts, target: Felts, table: Felts, scratch: Felts, log_run: int, start: int, stop: int
) -> None:
    """Butterflies within runs, eight runs together; `start` and `stop` count eights of runs."""
    run = 1 << log_run
    for number in range(start, stop):
        base = number * 8 * run
        for row in range(run):
            _load(source, scratch, (base + row) * 4, run * 4, row * EIGHT, 0)
        half = 1
        while half < run:
            for place in range(half):
                for left in range(place, run, 2 * half):
                    _forward_one(scratch, table, left * EIGHT, (left + half) * EIGHT, (half + place) * LIMBS, 0)
            half *= 2
        for row in range(run):
            _store(scratch, target, row * EIGHT, (base + row) * 4, run * 4, 0)


@kernel
def _backward_runs(
    column: Felts, table: Felts, scale: Felts, scratch: Felts, log_run: int, start: int, stop: int
) -> None:
    run = 1 << log_run
    for number in range(start, stop):
        base = number * 8 * run
        for row in range(run):
            _load_folded(column, scratch, (base + row) * 4, run * 4, row * EIGHT, 0)
        half = run >> 1
        while half > 0:
            for place in range(half):
                for left in range(place, run, 2 * half):
                    _backward_one(scratch, table, left * EIGHT, (left + half) * EIGHT, (half + place) * LIMBS, 0)
            half >>= 1
        for row in range(run):
            _scale(scratch, scale, row * EIGHT, 0, 0, 0)
            _store_last(scratch, column, row * EIGHT, (base + row) * 4, run * 4, 0)


@kernel
def _fill_factors(neighbours: Felts, roots: Felts, tables: Felts, factors: Felts, group: int, count: int) -> None:
    """The factors of a group of neighbours at all distances: entry half + run."""
    stage, half = 0, 1
    while half < count:
        for limb in range(LIMBS):
            for lane in range(8):
                tables[limb * 8 + lane] = neighbours[stage, group, limb, lane]
        for run in range(half):
            for limb in range(LIMBS):
                tables[EIGHT + limb] = roots[half + run, limb]
            _twiddle(tables, factors, 0, EIGHT, (half + run) * EIGHT, 0)
        half *= 2
        stage += 1


@kernel
def _forward_across(
    columns: Felts, neighbours: Felts, roots: Felts, scratch: Felts, factors: Felts, log_run: int, start: int, stop: int
) -> None:
    """Butterflies between runs, for groups of eight neighbours of all columns."""
    run, count = 1 << log_run, columns.shape[1] >> log_run
    tables = np.empty(EIGHT + LIMBS, np.uint64)
    for group in range(start, stop):
        _fill_factors(neighbours, roots, tables, factors, group, count)
        for number in range(len(columns)):
            column = columns[number]
            for row in range(count):
                _load(column, scratch, (row * run + group * 8) * 4, 4, row * EIGHT, 0)
            half = 1
            while half < count:
                for place in range(half):
                    factor = (half + place) * EIGHT
                    for left in range(place, count, 2 * half):
                        _forward_eight(scratch, factors, left * EIGHT, (left + half) * EIGHT, factor, 0)
                half *= 2
            for row in range(count):
                _store_last(scratch, column, row * EIGHT, (row * run + group * 8) * 4, 4, 0)


@kernel
def _backward_across(
    columns: Felts, neighbours: Felts, roots: Felts, scratch: Felts, factors: Felts, log_run: int, start: int, stop: int
) -> None:
    run, count = 1 << log_run, columns.shape[1] >> log_run
    tables = np.empty(EIGHT + LIMBS, np.uint64)
    for group in range(start, stop):
        _fill_factors(neighbours, roots, tables, factors, group, count)
        for number in range(len(columns)):
            column = columns[number]
            for row in range(count):
                _load_folded(column, scratch, (row * run + group * 8) * 4, 4, row * EIGHT, 0)
            half = count >> 1
            while half > 0:
                for place in range(half):
                    factor = (half + place) * EIGHT
                    for left in range(place, count, 2 * half):
                        _backward_eight(scratch, factors, left * EIGHT, (left + half) * EIGHT, factor, 0)
                half >>= 1
            for row in range(count):
                _store(scratch, column, row * EIGHT, (row * run + group * 8) * 4, 4, 0)


# --- plans ------------------------------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """The factors of a transform."""

    log_run: int
    within: Felts  # (run, 5): entry half + place
    neighbours: Felts  # (stages, groups, 5, 8)
    roots: Felts  # (runs, 5): entry half + run


@lru_cache(maxsize=64)
def plan_of(log_rows: int, shift: int, backward: bool) -> Plan:
    """For values on shift * <root>; backwards the shift and the roots are inverted."""
    log_run = log_rows // 2
    log_count = log_rows - log_run
    own = inverse(shift) if backward else shift
    within = _factors(log_run, pow(own, 1 << log_count, PRIME), backward)
    neighbours = []
    for stage in range(log_count):
        root = root_of_unity(log_run + stage + 1)
        start = pow(own, 1 << (log_count - 1 - stage), PRIME)
        neighbours.append(side_by_side(_geometric(inverse(root) if backward else root, start, 1 << log_run)))
    return Plan(log_run, cut(within), np.stack(neighbours), cut(_factors(log_count, 1, backward)))


def _factors(log_size: int, shift: int, backward: bool) -> Felts:
    """Entry half + place holds shift**(size / (2 half)) * w**place, with w of order 2 half, or its inverse."""
    parts = [from_ints([0])]
    for log_half in range(log_size):
        root = root_of_unity(log_half + 1)
        start = pow(shift, 1 << (log_size - 1 - log_half), PRIME)
        parts.append(_geometric(inverse(root) if backward else root, start, 1 << log_half))
    return np.concatenate(parts)


def _geometric(ratio: int, start: int, count: int) -> Felts:
    result = np.empty((count, 4), np.uint64)
    _fill_geometric(from_ints([start, ratio]), result)
    return result


@kernel
def _fill_geometric(scalars: Felts, result: Felts) -> None:
    value, ratio = load(scalars, 0), load(scalars, 1)
    for index in range(len(result)):
        store(result, index, value)
        value = multiply(value, ratio)


# --- transforms -------------------------------------------------------------------------------------------------------


def evaluate_columns(coefficients: Felts, values: Felts, shift: int, threads: int) -> None:
    """`stark.ntt.evaluate_coset`, of at least 2**LOG_LEAST rows."""
    width, rows, _ = coefficients.shape
    plan = plan_of(rows.bit_length() - 1, shift, False)
    run, eights = 1 << plan.log_run, rows >> plan.log_run + 3

    def runs(start: int, stop: int) -> None:
        scratch = np.empty(run * EIGHT, np.uint64)
        for column in range(start // eights, -(-stop // eights)):
            first, last = max(0, start - column * eights), min(eights, stop - column * eights)
            _forward_runs(
                coefficients[column], values[column], plan.within, scratch, plan.log_run, first, last
            )

    in_ranges(width * eights, threads, runs)
    _across(values, plan, threads, backward=False)


def interpolate_columns(columns: Felts, shift: int, threads: int) -> None:
    """`stark.ntt.interpolate`, of at least 2**LOG_LEAST rows."""
    width, rows, _ = columns.shape
    plan = plan_of(rows.bit_length() - 1, shift, True)
    run, eights = 1 << plan.log_run, rows >> plan.log_run + 3
    _across(columns, plan, threads, backward=True)
    scale = cut(from_ints([inverse(rows)]))

    def runs(start: int, stop: int) -> None:
        scratch = np.empty(run * EIGHT, np.uint64)
        for column in range(start // eights, -(-stop // eights)):
            first, last = max(0, start - column * eights), min(eights, stop - column * eights)
            _backward_runs(columns[column], plan.within, scale, scratch, plan.log_run, first, last)

    in_ranges(width * eights, threads, runs)


def _across(columns: Felts, plan: Plan, threads: int, *, backward: bool) -> None:
    count = columns.shape[1] >> plan.log_run

    def groups(start: int, stop: int) -> None:
        scratch, factors = np.empty(count * EIGHT, np.uint64), np.empty(count * EIGHT, np.uint64)
        if backward:
            _backward_across(columns, plan.neighbours, plan.roots, scratch, factors, plan.log_run, start, stop)
        else:
            _forward_across(columns, plan.neighbours, plan.roots, scratch, factors, plan.log_run, start, stop)

    if len(columns):
        in_ranges((1 << plan.log_run) // 8, threads, groups)
