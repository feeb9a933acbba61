"""The composition: all rules of all tables, weighted and divided by the polynomial that vanishes on the rows.

A table of degree d is evaluated on the first 2**k >= d - 1 cosets of its extension, where its rules' weighted sum
divided by the vanishing polynomial (a constant on each coset) is a polynomial of fewer than 2**k * rows coefficients.
Interpolated coset by coset it is known modulo x**rows - u for each coset's u; a small transform across the cosets
splits it into pieces of `rows` coefficients. A shorter table's pieces enter at the power that lifts its rows onto the
tallest's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stark.air.expr import Leaf
from stark.air.run import Runner
from stark.air.tape import BLOCK, make_tape
from stark.extension import Extended, coset_shifts, cosets_composed, periodic_on_coset, selectors_on_coset
from stark.field import Felts, add, from_ints, load, multiply, store
from stark.kernels import kernel
from stark.key import Key
from stark.ntt import interpolate
from stark.prime import PRIME, inverse
from stark.progress import Report, unheard, within
from stark.threads import in_ranges, in_steps
from stark.verifier import Scalars

Columns = tuple[Extended, Extended, Extended]  # a table's fixed columns, its trace, and those of its messages

ROWS_AT_LEAST = 1 << 15  # between two reports


class UnsatisfiedRules(ValueError):
    """The table does not obey its rules, so there is nothing to prove."""


def compose(
    key: Key,
    tables: Sequence[Columns],
    scalars: Scalars,
    weights: list[int],
    threads: int,
    report: Report = unheard,
) -> Felts:
    """Coefficients of the pieces of the composition, (pieces, rows of the tallest table, 4), in bit-reversed order.

    `tables` holds each table's fixed, trace and bus columns.
    """
    pieces = np.zeros((key.system.composition_columns, 1 << key.log_tallest, 4), np.uint64)
    start = 0
    heights = zip(key.system.tables, key.log_heights, strict=True)
    work = [1 + len(table.program.steps) << log_height for table, log_height in heights]
    for number, table in enumerate(key.system.tables):
        count = len(table.program.outputs)
        value = partial(scalars.value, table=number)
        share = within(report, sum(work[:number]) / sum(work), sum(work[: number + 1]) / sum(work))
        own = _compose_table(key, number, tables[number], value, weights[start : start + count], threads, report=share)
        start += count
        for piece in range(len(own)):
            if piece < len(pieces):
                _add_into(pieces[piece], own[piece])
            elif own[piece].any():
                raise UnsatisfiedRules(f"the rows of {table.chip.name} do not obey its rules")
    return pieces


def _compose_table(
    key: Key,
    number: int,
    columns: Columns,
    value: Callable[[Leaf], int],
    weights: list[int],
    threads: int,
    *,
    report: Report,
) -> Felts:
    table, log_height = key.system.tables[number], key.log_heights[number]
    fixed, trace, bus = columns
    cosets = cosets_composed(table)
    shifts = coset_shifts(log_height, key.log_tallest, key.parameters.log_blowup)[:cosets]
    rows = 1 << log_height
    tape = make_tape(table.program, keep=False)
    values = np.empty((cosets, rows, 4), np.uint64)
    for coset, shift in enumerate(shifts):
        vanishing = inverse(pow(shift, rows, PRIME) - 1)
        constants = tape.scalars(value, [weight * vanishing % PRIME for weight in weights])
        selectors = selectors_on_coset(log_height, shift, threads)
        periodic = periodic_on_coset(table.periods, log_height, shift)
        runner = Runner(tape, constants, (fixed.values, trace.values, bus.values, periodic, selectors))

        def work(start: int, stop: int, coset: int = coset, runner: Runner = runner) -> None:
            runner.run(coset, start, stop, values[coset, start:stop].reshape(1, stop - start, 4))

        in_steps(rows, threads, work, (ROWS_AT_LEAST, BLOCK), within(report, coset / cosets, (coset + 1) / cosets))
    for coset, shift in enumerate(shifts):
        interpolate(values[coset : coset + 1], threads, shift)
    return _split(values, [pow(shift, rows, PRIME) for shift in shifts], threads)


def _split(values: Felts, levels: list[int], threads: int) -> Felts:
    """Pieces Q_j from residues R_k = sum of u_k**j Q_j: the u_k are a coset of roots of one, so it is a transform."""
    cosets = len(levels)
    scale = inverse(cosets)
    matrix = [scale * pow(inverse(level), piece, PRIME) % PRIME for piece in range(cosets) for level in levels]
    result, factors = np.zeros_like(values), from_ints(matrix)
    in_ranges(values.shape[1], threads, lambda start, stop: _mix_cosets(values, factors, result, start, stop), BLOCK)
    return result


@kernel
def _mix_cosets(values: Felts, matrix: Felts, result: Felts, start: int, stop: int) -> None:
    count = len(values)
    for piece in range(count):
        for coset in range(count):
            factor = load(matrix, piece * count + coset)
            source, target = values[coset], result[piece]
            for row in range(start, stop):
                store(target, row, add(load(target, row), multiply(load(source, row), factor)))


@kernel
def _add_into(total: Felts, part: Felts) -> None:
    for row in range(len(part)):
        store(total, row, add(load(total, row), load(part, row)))
