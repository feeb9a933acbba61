"""The Stark curve y^2 = x^3 + x + BETA: points in plain integers, and in Jacobian coordinates for kernels.

In a kernel a point is (X, Y, Z) for x = X / Z^2 and y = Y / Z^3, in Montgomery form; Z = 0 is the point at infinity.
The formulas are complete: equal points are doubled and opposite ones give infinity, whatever the caller expects.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stark.field import (
    ONE,
    ZERO,
    Felts,
    add,
    from_ints,
    invert,
    load,
    multiply,
    square,
    store,
    subtract,
    to_ints,
)
from stark.kernels import Felt, kernel
from stark.prime import PRIME, inverse
from stark.threads import in_ranges

# StarkWare's parameters (public): the curve's constant, its prime order, and the generator of signatures.
BETA = 3141592653589793238462643383279502884197169399375105820974944592307816406665
ORDER = 3618502788666131213697322783095070105526743751716087489154079457884512865583
GENERATOR = (
    874739451078007766457464989774322083649278607533249481151382481072868806602,
    152666792071518830868575557812948353041420400780739481342941381225525861407,
)

Point = tuple[int, int] | None  # None is the point at infinity
Jacobian = tuple[Felt, Felt, Felt]

_HALF, _HALF_UP = (np.array([int(bit) for bit in f"{power:b}"], np.uint8) for power in (PRIME >> 1, (PRIME + 1) >> 1))


# --- plain integers ---------------------------------------------------------------------------------------------------


def is_on_curve(point: Point) -> bool:
    """Infinity is."""
    return point is None or (point[1] * point[1] - point[0] ** 3 - point[0] - BETA) % PRIME == 0


def negate_point(point: Point) -> Point:
    """The opposite point."""
    return None if point is None else (point[0], -point[1] % PRIME)


def add_points(first: Point, second: Point) -> Point:
    """The sum of any two points."""
    if first is None or second is None:
        return second if first is None else first
    if first[0] == second[0]:
        if (first[1] + second[1]) % PRIME == 0:
            return None
        slope = (3 * first[0] * first[0] + 1) * inverse(2 * first[1])
    else:
        slope = (second[1] - first[1]) * inverse(second[0] - first[0])
    x = (slope * slope - first[0] - second[0]) % PRIME
    return x, (slope * (first[0] - x) - first[1]) % PRIME


def multiply_point(scalar: int, point: Point) -> Point:
    """scalar * point for a scalar of at least 0."""
    result: Point = None
    while scalar:
        if scalar & 1:
            result = add_points(result, point)
        point = add_points(point, point)
        scalar >>= 1
    return result


def lift_x(x: int) -> Point:
    """The point with this x and the smaller y; None if there is none. The other is its opposite."""
    return lift_all([x])[0]


def lift_all(xs: Sequence[int], threads: int = 1) -> list[Point]:
    """`lift_x` of each."""
    possible = [x for x in xs if 0 <= x < PRIME]
    roots = dict(zip(possible, square_roots([x**3 + x + BETA for x in possible], threads), strict=True))
    lifted = [(x, roots.get(x)) for x in xs]
    return [None if root is None else (x, min(root, PRIME - root)) for x, root in lifted]


def square_roots(values: Sequence[int], threads: int = 1) -> list[int | None]:
    """A root of each modulo the prime, or None."""
    given = from_ints([value % PRIME for value in values])
    roots, found = np.empty((len(values), 4), np.uint64), np.zeros(len(values), np.bool_)

    def work(start: int, stop: int) -> None:
        _root_each(given, roots, found, start, stop)

    in_ranges(len(values), threads, work)
    return [root if is_there else None for root, is_there in zip(to_ints(roots), found, strict=True)]


# --- kernels ----------------------------------------------------------------------------------------------------------


@kernel
def double_jacobian(point: Jacobian) -> Jacobian:
    """Twice a point; 4 products and 6 squares."""
    x, y, z = point
    xx, yy, zz = square(x), square(y), square(z)
    product = multiply(x, yy)
    twice = add(product, product)
    four = add(twice, twice)
    slope = add(add(add(xx, xx), xx), square(zz))
    new_x = subtract(square(slope), add(four, four))
    eight = square(add(yy, yy))
    new_y = subtract(multiply(slope, subtract(four, new_x)), add(eight, eight))
    yz = multiply(y, z)
    return new_x, new_y, add(yz, yz)


@kernel
def add_affine(point: Jacobian, x: Felt, y: Felt) -> Jacobian:
    """A point and an affine one; 8 products and 3 squares."""
    own_x, own_y, z = point
    if z == ZERO:
        return x, y, ONE
    zz = square(z)
    across = subtract(multiply(x, zz), own_x)
    rise = subtract(multiply(multiply(y, z), zz), own_y)
    if across == ZERO:
        return double_jacobian(point) if rise == ZERO else (ONE, ONE, ZERO)
    squared = square(across)
    cubed = multiply(across, squared)
    value = multiply(own_x, squared)
    new_x = subtract(subtract(square(rise), cubed), add(value, value))
    new_y = subtract(multiply(rise, subtract(value, new_x)), multiply(own_y, cubed))
    return new_x, new_y, multiply(z, across)


@kernel
def scale(x: Felt, y: Felt, bits: NDArray[np.uint8]) -> Jacobian:
    """A multiple of an affine point; the scalar's bits come most significant first."""
    point = (ONE, ONE, ZERO)
    for bit in bits:
        point = double_jacobian(point)
        if bit:
            point = add_affine(point, x, y)
    return point


@kernel
def to_affine(point: Jacobian) -> tuple[Felt, Felt]:
    """x and y; zeros, which are on no point of the curve, for infinity."""
    if point[2] == ZERO:
        return ZERO, ZERO
    inverted = invert(point[2])
    squared = square(inverted)
    return multiply(point[0], squared), multiply(point[1], multiply(squared, inverted))


@kernel
def fill_windows(point: Felts, log_window: int, table: Felts) -> None:
    """table[window, digit - 1] = digit * 2**(log_window * window) * point, affine, as (windows, digits, 8) limbs."""
    windows, digits = table.shape[0], table.shape[1]
    x, y = load(point, 0), load(point, 1)
    points = np.empty((digits * 3, 4), np.uint64)
    for window in range(windows):
        sum_ = (x, y, ONE)
        for digit in range(digits):
            for part in range(3):
                store(points, 3 * digit + part, sum_[part])
            sum_ = add_affine(sum_, x, y)
        _store_affine(points, table[window])
        if window + 1 < windows:  # the sum is now 2**log_window times the window's point
            inverted = invert(sum_[2])
            squared = square(inverted)
            x, y = multiply(sum_[0], squared), multiply(sum_[1], multiply(squared, inverted))


@kernel
def _store_affine(points: Felts, row: Felts) -> None:
    """Divide by every Z with one inversion. No multiple of a point of prime order below the order is infinity."""
    count = len(row)
    products = np.empty((count, 4), np.uint64)
    running = ONE
    for index in range(count):
        store(products, index, running)
        running = multiply(running, load(points, 3 * index + 2))
    rest = invert(running)
    for index in range(count - 1, -1, -1):
        inverted = multiply(rest, load(products, index))
        rest = multiply(rest, load(points, 3 * index + 2))
        squared = square(inverted)
        x = multiply(load(points, 3 * index), squared)
        y = multiply(load(points, 3 * index + 1), multiply(squared, inverted))
        for part in range(4):
            row[index, part] = x[part]
            row[index, 4 + part] = y[part]


def windows_of(point: tuple[int, int], log_window: int, bits: int = 252) -> Felts:
    """The multiples of a point that a scalar's digits name: (windows, 2**log_window - 1, 8)."""
    table = np.empty((-(-bits // log_window), (1 << log_window) - 1, 8), np.uint64)
    fill_windows(from_ints(point), log_window, table)
    return table


@kernel
def _power(value: Felt, bits: NDArray[np.uint8]) -> Felt:
    result = ONE
    for bit in bits:
        result = square(result)
        if bit:
            result = multiply(result, value)
    return result


@kernel
def _root(value: Felt) -> Felt:
    """A root of a square that is not zero (Cipolla: the field has so many roots of unity that others are slow).

    Where offset**2 - value is no square, the power (P + 1) / 2 of offset + sqrt(offset**2 - value) has no second part.
    """
    offset, norm = ZERO, subtract(ZERO, value)
    while _power(norm, _HALF) == ONE or norm == ZERO:
        offset = add(offset, ONE)
        norm = subtract(square(offset), value)
    real, other = offset, ONE  # the first bit is one
    for bit in _HALF_UP[1:]:
        product = multiply(real, other)
        real, other = add(square(real), multiply(square(other), norm)), add(product, product)
        if bit:
            real, other = add(multiply(real, offset), multiply(other, norm)), add(real, multiply(other, offset))
    return real


@kernel
def _root_each(values: Felts, roots: Felts, found: NDArray[np.bool_], start: int, stop: int) -> None:
    """Of each a root, if there is one."""
    for index in range(start, stop):
        value = load(values, index)
        found[index] = value == ZERO or _power(value, _HALF) == ONE
        store(roots, index, _root(value) if found[index] and value != ZERO else ZERO)
