"""Tables from rows of integers, for chips small enough to be filled in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stark.field import Felts, from_montgomery, plain_from_ints, to_ints, to_montgomery
from stark.kernels import kernel

Places = NDArray[np.int64]


def by_rows(rows: Sequence[Sequence[int]], log_rows: int, width: int | None = None) -> Felts:
    """The table (columns, 2**log_rows, 4) of rows of integers; missing rows are zeros. ValueError if there are more."""
    count = 1 << log_rows
    if len(rows) > count:
        raise ValueError(f"{len(rows)} rows; a table of 2**{log_rows} holds {count}")
    width = len(rows[0]) if width is None else width
    table = np.zeros((width, count, 4), np.uint64)
    if rows:
        if any(len(row) != width for row in rows):
            raise ValueError(f"a row has not {width} cells")
        table[:, : len(rows)] = from_columns(np.array(rows, object)).transpose(1, 0, 2)
    return table


def from_columns(values: NDArray[np.object_]) -> Felts:
    """Integers of an array (rows, columns) as elements (rows, columns, 4).

    A column of numbers below 2**64 becomes an array at once; of others each has to be written out.
    """
    plain, large = np.zeros((*values.shape, 4), np.uint64), []
    for column in range(values.shape[1]):
        try:
            plain[:, column, 0] = np.array(values[:, column].tolist(), np.uint64)
        except OverflowError:
            large.append(column)
    if large:
        plain[:, large] = plain_from_ints(values[:, large].ravel().tolist()).reshape(len(values), -1, 4)
    return to_montgomery(plain.reshape(-1, 4)).reshape(plain.shape)


@kernel
def spread(values: Felts, cells: Places, starts: Places, table: Felts, start: int, stop: int) -> None:
    """Blocks of rows that show some values each: `cells` says which, by column and row of a block.

    `values` are (blocks, values, 4), `starts` the first rows of the blocks; only blocks from `start` on are written.
    """
    for block in range(start, stop):
        for column in range(len(cells)):
            for row in range(cells.shape[1]):
                for part in range(4):
                    table[column, starts[block] + row, part] = values[block, cells[column, row], part]


def small_cells(table: Felts, columns: slice) -> NDArray[np.uint64]:
    """Cells below 2**64 of some columns as an array, for the range table to lend; ValueError where one is larger."""
    plain = from_montgomery(table[columns].reshape(-1, 4))
    if plain[:, 1:].any():
        raise ValueError("a cell has more than 64 bits")
    return plain[:, 0]


def cells(table: Felts, columns: slice) -> list[int]:
    """Some columns of a table as integers."""
    return to_ints(table[columns].reshape(-1, 4))
