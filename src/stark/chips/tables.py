"""Tables from rows of integers, for chips small enough to be filled in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stark.field import Felts, from_ints, from_montgomery, to_ints


def by_rows(rows: Sequence[Sequence[int]], log_rows: int, width: int | None = None) -> Felts:
    """The table (columns, 2**log_rows, 4) of rows of integers; missing rows are zeros. ValueError if there are more."""
    count = 1 << log_rows
    if len(rows) > count:
        raise ValueError(f"{len(rows)} rows; a table of 2**{log_rows} holds {count}")
    width = len(rows[0]) if width is None else width
    flat = [value for row in rows for value in row]
    if len(flat) != width * len(rows):
        raise ValueError(f"a row has not {width} cells")
    flat += [0] * (width * (count - len(rows)))
    return from_ints(flat).reshape(count, width, 4).transpose(1, 0, 2).copy()


def small_cells(table: Felts, columns: slice) -> NDArray[np.uint64]:
    """Cells below 2**64 of some columns as an array, for the range table to lend; ValueError where one is larger."""
    plain = from_montgomery(table[columns].reshape(-1, 4))
    if plain[:, 1:].any():
        raise ValueError("a cell has more than 64 bits")
    return plain[:, 0]


def cells(table: Felts, columns: slice) -> list[int]:
    """Some columns of a table as integers."""
    return to_ints(table[columns].reshape(-1, 4))
