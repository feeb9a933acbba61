"""Stark ECDSA, many signatures at once: with w = 1 / s mod n, the x of (message w) G + (r w) Q is r.

A public key is an x coordinate, so that both points with this x count; and (r, n - s) is as valid as (r, s): a message
is known by its hash, never by its signature. Both factors are looked up in tables of multiples, eight bits at a time
for the generator and four for a known key, and added without one doubling or inversion.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.curve import GENERATOR, ORDER, Jacobian, add_affine, double_jacobian, lift_x, windows_of
from stark.field import ONE, ZERO, Felts, add, from_ints, load, multiply, square, subtract
from stark.kernels import Felt, kernel
from stark.threads import in_ranges

ELEMENT_LIMIT = 2**251  # r, s and messages are below it, as on Starknet
LOG_WINDOW, KEY_LOG_WINDOW = 8, 4
SCALAR_BYTES = 32
KEYS_KEPT = 1024  # tables of 60 kB


class Signed(NamedTuple):
    """A message hash and its signature under a key's x coordinate."""

    public_key: int
    message: int
    r: int
    s: int


class KnownKeys:
    """Tables of multiples of public keys. When full, the key that was not used for longest makes room."""

    def __init__(self, capacity: int = KEYS_KEPT):
        if capacity < 1:
            raise ValueError(f"at least one key is kept, not {capacity}")
        self._capacity = capacity
        self._places: dict[int, int] = {}
        self._tables = np.empty((0, 63, 15, 8), np.uint64)

    def place(self, public_key: int) -> int:
        """Where a key's table is; -1 for what is no x coordinate of a point."""
        known = self._places.pop(public_key, None)
        if known is not None:
            self._places[public_key] = known  # used last
            return known
        point = lift_x(public_key)
        if point is None or public_key == 0:
            return -1
        if len(self._places) < self._capacity:
            place = len(self._places)
            if place == len(self._tables):
                room = np.empty((min(self._capacity, max(8, 2 * place)) - place, 63, 15, 8), np.uint64)
                self._tables = np.concatenate([self._tables, room])
        else:
            place = self._places.pop(next(iter(self._places)))
        self._places[public_key] = place
        self._tables[place] = windows_of(point, KEY_LOG_WINDOW)
        return place

    @property
    def tables(self) -> Felts:
        """All tables, by place."""
        return self._tables

    @property
    def capacity(self) -> int:
        """How many keys are kept."""
        return self._capacity


@cache
def generator_windows() -> Felts:
    """The multiples of the generator that `multiple_by` adds up."""
    return windows_of(GENERATOR, LOG_WINDOW)


def verify_batch(signatures: Sequence[Signed], keys: KnownKeys, threads: int = 1) -> list[bool]:
    """Which signatures are valid; False, never an exception, for any integers."""
    result = [False] * len(signatures)
    for start in range(0, len(signatures), keys.capacity):  # so that no key of a run is forgotten before its end
        _verify_run(signatures[start : start + keys.capacity], keys, threads, result, start)
    return result


def _verify_run(
    signatures: Sequence[Signed], keys: KnownKeys, threads: int, result: list[bool], offset: int
) -> None:
    possible = [
        index
        for index, one in enumerate(signatures)
        if 0 < one.r < ELEMENT_LIMIT and 0 < one.s < ELEMENT_LIMIT and 0 <= one.message < ELEMENT_LIMIT
    ]
    places = {index: keys.place(signatures[index].public_key) for index in possible}
    chosen = [index for index in possible if places[index] >= 0]
    if not chosen:
        return
    inverses = invert_modulo_order([signatures[index].s for index in chosen])
    first = [signatures[index].message * inverse % ORDER for index, inverse in zip(chosen, inverses, strict=True)]
    second = [signatures[index].r * inverse % ORDER for index, inverse in zip(chosen, inverses, strict=True)]
    scalars = digits_of(first), digits_of(second)
    where = np.array([places[index] for index in chosen], np.int64)
    expected = from_ints([signatures[index].r for index in chosen])
    valid = np.zeros(len(chosen), np.bool_)
    generator, tables = generator_windows(), keys.tables

    def work(start: int, stop: int) -> None:
        _verify_each(generator, tables, where, scalars[0], scalars[1], expected, start, stop, valid)

    in_ranges(len(chosen), threads, work)
    for index, is_valid in zip(chosen, valid, strict=True):
        result[offset + index] = bool(is_valid)


def invert_modulo_order(values: list[int]) -> list[int]:
    """1 / value modulo the curve's order, with one inversion (Montgomery). The values are between 1 and the order."""
    products, running = [], 1
    for value in values:
        products.append(running)
        running = running * value % ORDER
    rest = pow(running, -1, ORDER)
    inverses = []
    for value, product in zip(reversed(values), reversed(products), strict=True):
        inverses.append(rest * product % ORDER)
        rest = rest * value % ORDER
    return inverses[::-1]


def digits_of(scalars: list[int]) -> NDArray[np.uint8]:
    """Scalars as bytes, least significant first."""
    data = b"".join([scalar.to_bytes(SCALAR_BYTES, "little") for scalar in scalars])
    return np.frombuffer(data, np.uint8).reshape(-1, SCALAR_BYTES)


@kernel
def _verify_each(
    generator: Felts,
    tables: Felts,
    places: NDArray[np.int64],
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    expected: Felts,
    start: int,
    stop: int,
    valid: NDArray[np.bool_],
) -> None:
    for index in range(start, stop):
        one = multiple_by(generator, first[index])
        other = (ONE, ONE, ZERO)
        table = tables[places[index]]
        for window in range(63):
            digit = (int(second[index, window >> 1]) >> (4 * (window & 1))) & 15
            if digit:
                other = _add_entry(other, table[window], digit - 1)
        valid[index] = _has_x(one, other, load(expected, index))


@kernel
def multiple_by(generator: Felts, digits: NDArray[np.uint8]) -> Jacobian:
    """A multiple of the generator, from its windows."""
    point = (ONE, ONE, ZERO)
    for window in range(len(digits)):
        digit = int(digits[window])
        if digit:
            point = _add_entry(point, generator[window], digit - 1)
    return point


@kernel
def _add_entry(point: Jacobian, row: Felts, index: int) -> Jacobian:
    x = row[index, 0], row[index, 1], row[index, 2], row[index, 3]
    y = row[index, 4], row[index, 5], row[index, 6], row[index, 7]
    return add_affine(point, x, y)


@kernel
def _is_x(x: Felt, z: Felt, expected: Felt) -> bool:
    """Whether a point that is not infinity has this affine x."""
    return z != ZERO and multiply(expected, square(z)) == x


@kernel
def _has_x(one: Jacobian, other: Jacobian, expected: Felt) -> bool:
    """Whether one + other or one - other has this x: the key's point has either sign."""
    if one[2] == ZERO:
        return _is_x(other[0], other[2], expected)
    if other[2] == ZERO:
        return _is_x(one[0], one[2], expected)
    one_zz, other_zz = square(one[2]), square(other[2])
    one_x, other_x = multiply(one[0], other_zz), multiply(other[0], one_zz)
    across = subtract(other_x, one_x)
    if across == ZERO:  # equal or opposite: of sum and difference, one is infinity and the other is twice the point
        twice = double_jacobian(one)
        return _is_x(twice[0], twice[2], expected)
    one_y = multiply(one[1], multiply(other[2], other_zz))
    other_y = multiply(other[1], multiply(one[2], one_zz))
    squared = square(across)
    value = multiply(one_x, squared)
    fall = add(multiply(across, squared), add(value, value))
    z = multiply(multiply(one[2], other[2]), across)
    wanted = add(multiply(expected, square(z)), fall)
    return square(subtract(other_y, one_y)) == wanted or square(add(other_y, one_y)) == wanted
