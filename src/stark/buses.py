"""The columns of a table's messages, filled once the challenges are known: row sums of fractions, the running sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stark.air.expr import Leaf
from stark.air.run import Runner
from stark.air.system import Table
from stark.air.tape import BLOCK, make_tape
from stark.extension import periodic_on_rows, selectors_on_rows
from stark.field import ONE, ZERO, Felts, add, invert, load, multiply, store, to_ints
from stark.kernels import kernel
from stark.progress import Report, unheard
from stark.threads import in_steps

ROWS_AT_ONCE = 4 * BLOCK  # fractions kept at a time, so that their numerators and denominators stay small
ROWS_AT_LEAST = 1 << 15  # between two reports


def bus_columns(
    table: Table, fixed: Felts, trace: Felts, value: Callable[[Leaf], int], threads: int, report: Report = unheard
) -> tuple[Felts, int]:
    """The bus columns (width, rows, 4) and their total, from a table's rows (width, rows, 4)."""
    rows = trace.shape[1]
    columns = np.empty((table.bus_width, rows, 4), np.uint64)
    if not table.bus_width:
        return columns, 0
    tape = make_tape(table.fractions, keep=True)
    nothing = np.empty((0, 1, rows, 4), np.uint64)
    inputs = (
        fixed.reshape(-1, 1, rows, 4),
        trace.reshape(-1, 1, rows, 4),
        nothing,
        periodic_on_rows(table.periods),
        selectors_on_rows(rows.bit_length() - 1),
    )
    runner = Runner(tape, tape.scalars(value), inputs)
    group_ends = np.cumsum([len(group) for group in table.grouping.groups])

    def work(start: int, stop: int) -> None:
        for first in range(start, stop, ROWS_AT_ONCE):
            last = min(stop, first + ROWS_AT_ONCE)
            fractions = np.empty((tape.outputs, last - first, 4), np.uint64)
            runner.run(0, first, last, fractions)
            if not _sum_fractions(fractions, group_ends, columns, first):
                raise ZeroDivisionError("a challenge meets a message: change any cell and prove again")

    in_steps(rows, threads, work, (ROWS_AT_LEAST, BLOCK), report)
    total = np.empty((1, 4), np.uint64)
    _accumulate(columns, total)
    return columns, to_ints(total)[0]


@kernel
def _sum_fractions(fractions: Felts, group_ends: NDArray[np.int64], columns: Felts, first: int) -> bool:
    """Each group's sum of fractions on rows from `first` on. Denominators are inverted together (Montgomery)."""
    count, rows = fractions.shape[0] // 2, fractions.shape[1]
    running = ONE
    partial = np.empty((count * rows, 4), np.uint64)
    for message in range(count):
        for row in range(rows):
            divisor = load(fractions[2 * message + 1], row)
            if divisor == ZERO:
                return False
            store(partial, message * rows + row, running)
            running = multiply(running, divisor)
    inverse = invert(running)
    for column in range(len(group_ends)):
        for row in range(rows):
            store(columns[column], first + row, ZERO)
    column = len(group_ends) - 1
    for message in range(count - 1, -1, -1):
        while column > 0 and message < group_ends[column - 1]:
            column -= 1
        for row in range(rows - 1, -1, -1):
            own = multiply(inverse, load(partial, message * rows + row))
            inverse = multiply(inverse, load(fractions[2 * message + 1], row))
            fraction = multiply(own, load(fractions[2 * message], row))
            store(columns[column], first + row, add(load(columns[column], first + row), fraction))
    return True


@kernel
def _accumulate(columns: Felts, total: Felts) -> None:
    """Turn the last column into the running sum of all columns, its own row excluded; the whole sum goes to total."""
    width, rows = columns.shape[0], columns.shape[1]
    running = ZERO
    for row in range(rows):
        own = ZERO
        for column in range(width):
            own = add(own, load(columns[column], row))
        store(columns[width - 1], row, running)
        running = add(running, own)
    store(total, 0, running)
