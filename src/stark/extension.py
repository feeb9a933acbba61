"""What the prover holds of one phase's columns, their values on shifted cosets, and the selectors there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.system import System, Table
from stark.domain import shift_of
from stark.field import Felts, from_ints, from_montgomery, from_small, invert_array, load, multiply, store, subtract
from stark.kernels import kernel
from stark.ntt import extend, interpolate
from stark.prime import PRIME, inverse, reverse_bits, root_of_unity
from stark.threads import in_ranges

KEPT_AT_LEAST = 4  # cosets
ROWS_APIECE = 1 << 12  # for fewer, threads are not worth their start


class Extended(NamedTuple):
    """Columns of one table in one phase, on the cosets where its rules are composed: what is needed again and again.

    Everything else follows from the first coset (`stark.points`): values at other points, and coefficients.
    """

    values: Felts  # (width, cosets kept, rows, 4)


class Narrow:
    """A table's columns (width, rows, 4) in few bytes: a column of small numbers takes what its largest needs.

    Columns of a system are mostly places, counts and bits, are read once a proof, and stay in memory all the time.
    """

    def __init__(self, columns: Felts):
        self.rows = columns.shape[1]
        self._columns = [_narrowed(column) for column in columns]

    def widened(self) -> Felts:
        """The columns as they were."""
        result = np.empty((len(self._columns), self.rows, 4), np.uint64)
        for target, column in zip(result, self._columns, strict=True):
            target[:] = column if column.ndim == 2 else from_small(column)
        return result


def _narrowed(column: Felts) -> NDArray[Any]:
    plain = from_montgomery(column)
    if plain[:, 1:].any():
        return column.copy()
    return plain[:, 0].astype(np.min_scalar_type(plain[:, 0].max()))


def cosets_composed(table: Table) -> int:
    """On how many cosets a table's rules are composed: the first ones, at least its degree less one."""
    return 1 << (max(table.degree, 2) - 2).bit_length()


def cosets_kept(system: System, log_blowup: int) -> int:
    """How many cosets of all columns a prover keeps: those that rules are composed on, and some at least, since for
    fewer the rows that are opened elsewhere would take longer than all transforms."""
    return min(1 << log_blowup, max(KEPT_AT_LEAST, *(cosets_composed(table) for table in system.tables)))


def extend_columns(columns: Felts, log_blowup: int, shift: int, threads: int) -> Extended:
    """Columns (width, rows, 4) on all their cosets. They are left as they are."""
    coefficients = columns.copy()
    interpolate(coefficients, threads)
    return Extended(extend(coefficients, log_blowup, shift, threads))


def fixed_table(table: Table, log_height: int) -> Felts:
    """A chip's fixed columns as an array (width, rows, 4)."""
    rows = 1 << log_height
    columns = table.chip.fixed_columns(log_height)
    if len(columns) != table.fixed_width or any(len(column) != rows for column in columns):
        raise ValueError(f"{table.chip.name}: fixed_columns must give {table.fixed_width} columns of {rows} values")
    flat = [value for column in columns for value in column]
    return from_ints(flat).reshape(table.fixed_width, rows, 4) if flat else np.empty((0, rows, 4), np.uint64)


def coset_shifts(log_height: int, log_tallest: int, log_blowup: int) -> list[int]:
    """The shift of every coset of a table's extension, in memory order."""
    root = root_of_unity(log_height + log_blowup)
    shift = shift_of(log_height, log_tallest)
    cosets = 1 << log_blowup
    return [shift * pow(root, reverse_bits(coset, log_blowup), PRIME) % PRIME for coset in range(cosets)]


def selectors_on_coset(log_height: int, shift: int, threads: int = 1) -> Felts:
    """The three selectors on every point of a coset, (3, 1, rows, 4)."""
    rows = 1 << log_height
    result = np.zeros((3, 1, rows, 4), np.uint64)
    root = root_of_unity(log_height)
    one, after, scale = (
        from_ints([value]) for value in (1, inverse(root), (pow(shift, rows, PRIME) - 1) * inverse(rows) % PRIME)
    )

    def work(start: int, stop: int) -> None:
        points = powers(root, shift * pow(root, start, PRIME) % PRIME, stop - start)
        offsets = np.empty_like(points)
        _subtract_scalar(points, one, offsets)
        _multiply_scalar(invert_array(offsets), scale, result[0, 0, start:stop])
        _subtract_scalar(points, after, result[2, 0, start:stop])

    in_ranges(rows, threads, work, ROWS_APIECE)
    # The last row's polynomial at x is the first row's at x times the root.
    result[1, 0, :-1], result[1, 0, -1] = result[0, 0, 1:], result[0, 0, 0]
    return result


def selectors_on_rows(log_height: int) -> Felts:
    """The selectors on the rows themselves, up to a factor for the transition, (3, 1, rows, 4)."""
    rows = 1 << log_height
    result = np.zeros((3, 1, rows, 4), np.uint64)
    one = from_ints([1])[0]
    result[0, 0, 0] = result[1, 0, rows - 1] = one
    result[2, 0, : rows - 1] = one
    return result


def periodic_on_rows(periods: tuple[tuple[int, ...], ...]) -> Felts:
    """Repeated constants on the rows themselves, all brought to the longest length, (width, 1, length, 4)."""
    longest = max((len(values) for values in periods), default=1)
    flat = [value % PRIME for values in periods for value in values * (longest // len(values))]
    return from_ints(flat).reshape(len(periods), 1, longest, 4) if periods else np.empty((0, 1, 1, 4), np.uint64)


def periodic_on_coset(periods: tuple[tuple[int, ...], ...], log_height: int, shift: int) -> Felts:
    """Repeated constants as polynomials in x**(rows / length), on a coset; they repeat there too."""
    longest = max((len(values) for values in periods), default=1)
    result = np.empty((len(periods), 1, longest, 4), np.uint64)
    for number, values in enumerate(periods):
        log_length = len(values).bit_length() - 1
        own = pow(shift, 1 << (log_height - log_length), PRIME)
        columns = from_ints([value % PRIME for value in values]).reshape(1, len(values), 4)
        interpolate(columns)
        on_coset = extend(columns, 0, own)[0, 0]
        result[number, 0] = np.tile(on_coset, (longest // len(values), 1))
    return result


def powers(ratio: int, start: int, count: int) -> Felts:
    """start * ratio**i for i below `count`."""
    result = np.empty((count, 4), np.uint64)
    _powers(from_ints([ratio]), from_ints([start]), result)
    return result


@kernel
def _powers(ratio: Felts, start: Felts, result: Felts) -> None:
    value, factor = load(start, 0), load(ratio, 0)
    for index in range(len(result)):
        store(result, index, value)
        value = multiply(value, factor)


@kernel
def _subtract_scalar(values: Felts, scalar: Felts, result: Felts) -> None:
    other = load(scalar, 0)
    for index in range(len(values)):
        store(result, index, subtract(load(values, index), other))


@kernel
def _multiply_scalar(values: Felts, scalar: Felts, result: Felts) -> None:
    other = load(scalar, 0)
    for index in range(len(values)):
        store(result, index, multiply(load(values, index), other))
