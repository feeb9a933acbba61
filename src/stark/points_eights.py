"""Sums of products for `stark.points` on eight rows at a time (`stark.eights`), where the processor allows it.

Cells and weights are below 16 P as they are loaded. A sum of products over CHUNK rows, eight lanes each, or of COLUMNS
columns, keeps its limbs below 2**63.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stark.eights import (
    EIGHT,
    LIMBS,
    add_product,
    cut,
    evened,
    load_rows,
    on_words,
    put_eight,
    settled,
    store_rows,
    take_eight,
    take_one,
)
from stark.field import Felts, add, load, store
from stark.kernels import kernel
from stark.lanes import LANES, WORD, put, repeated, splat, take

CHUNK = 512  # rows
COLUMNS = 200
ROWS = 128  # whose sums of columns are wide at once: 10 kB
OUT = 4 * LANES  # words of eight elements as an array has them

assert max(CHUNK // LANES, COLUMNS) * 2 * LIMBS * 2**52 < 2**63


def _emit_load(builder: Any, source: Any, words: Any, *places: Any) -> None:
    index, place, _, _ = places
    put_eight(builder, words, place, load_rows(builder, source, index, WORD(4)))


def _emit_dot(builder: Any, values: Any, words: Any, *places: Any) -> None:
    """Cells from a place on times weights from a place on, so many eights of them, summed in each lane."""
    index, place, count, out = places

    def turn(number: Any, total: list[Any]) -> list[Any]:
        cells = load_rows(builder, values, builder.add(index, builder.mul(number, WORD(OUT))), WORD(4))
        weights = take_eight(builder, words, builder.add(place, builder.mul(number, WORD(EIGHT))))
        return add_product(builder, total, cells, weights)

    total = repeated(builder, count, [splat(0)] * (2 * LIMBS), turn)
    store_rows(builder, evened(builder, settled(builder, total)), words, out, WORD(4), is_last=True)


def _emit_add_weighted(builder: Any, values: Any, words: Any, *places: Any) -> None:
    """Add eight cells times one weight to ten vectors."""
    index, total, weight, _ = places
    before = [take(builder, words, builder.add(total, WORD(LANES * limb))) for limb in range(2 * LIMBS)]
    cells = load_rows(builder, values, index, WORD(4))
    for limb, each in enumerate(add_product(builder, before, cells, take_one(builder, words, weight))):
        put(builder, words, builder.add(total, WORD(LANES * limb)), each)


def _emit_settle(builder: Any, values: Any, words: Any, *places: Any) -> None:
    """Ten vectors to eight elements; the vectors are cleared."""
    total, out, _, _ = places
    wide = [take(builder, words, builder.add(total, WORD(LANES * limb))) for limb in range(2 * LIMBS)]
    store_rows(builder, evened(builder, settled(builder, wide)), words, out, WORD(4), is_last=True)
    for limb in range(2 * LIMBS):
        put(builder, words, builder.add(total, WORD(LANES * limb)), splat(0))


_load, _dot, _add_weighted, _settle = (
    on_words(each) for each in (_emit_load, _emit_dot, _emit_add_weighted, _emit_settle)
)


def sum_products(values: Felts, weights: Felts, start: int, sums: Felts) -> None:
    """Add to sums[point, column] the column's first coset from row `start` on times weights (points, rows, 4)."""
    _sum_products(values, weights, np.empty(len(weights) * weights.shape[1] * LIMBS + OUT, np.uint64), start, sums)


@kernel
def _sum_products(values: Felts, weights: Felts, words: Felts, start: int, sums: Felts) -> None:
    count, groups, out = weights.shape[1], weights.shape[1] // LANES, len(words) - OUT
    for group in range(len(weights) * groups):
        _load(weights, words, group * OUT, group * EIGHT, 0, 0)
    for column in range(len(values)):
        first = (column * values.shape[1] * values.shape[2] + start) * 4
        for point in range(len(weights)):
            _dot(values, words, first, point * count * LIMBS, groups, out)
            total = load(sums[point], column)
            for lane in range(LANES):
                total = add(total, _element(words, out + 4 * lane))
            store(sums[point], column, total)


@kernel
def _element(words: Felts, place: int) -> tuple[int, int, int, int]:
    return words[place], words[place + 1], words[place + 2], words[place + 3]


def add_weighted(values: Felts, weights: Felts, start: int, stop: int, total: Felts) -> None:
    """Add the columns' first cosets times their weights to total, on rows start..stop: multiples of eight."""
    for first in range(0, len(values), COLUMNS):
        limbs = cut(weights[first : first + COLUMNS]).ravel()
        words = np.concatenate([np.zeros(ROWS * 2 * LIMBS + OUT, np.uint64), limbs])
        _sum_columns(values[first : first + COLUMNS], words, start, stop, total)


@kernel
def _sum_columns(values: Felts, words: Felts, start: int, stop: int, total: Felts) -> None:
    out = ROWS * 2 * LIMBS
    factors = out + OUT
    for first in range(start, stop, ROWS):
        groups = min(ROWS, stop - first) // LANES
        for column in range(len(values)):
            base = (column * values.shape[1] * values.shape[2] + first) * 4
            for group in range(groups):
                _add_weighted(values, words, base + group * OUT, group * 2 * EIGHT, factors + column * LIMBS, 0)
        for group in range(groups):
            _settle(values, words, group * 2 * EIGHT, out, 0, 0)
            for lane in range(LANES):
                row = first + group * LANES + lane
                store(total, row, add(load(total, row), _element(words, out + 4 * lane)))
