"""The curve: the group law in integers and in kernels, and roots."""

import random

import fast_stark_crypto
import numpy as np
import pytest
from numpy.typing import NDArray

from stark.chips.ecdsa_table import bits_of
from stark.curve import (
    GENERATOR,
    ORDER,
    add_affine,
    add_points,
    double_jacobian,
    is_on_curve,
    lift_x,
    multiply_point,
    negate_point,
    scale,
    square_roots,
    to_affine,
    windows_of,
)
from stark.field import Felts, from_ints, load, store, to_ints
from stark.kernels import kernel
from stark.prime import PRIME, inverse

DRAW = random.Random(11)
POINTS = [multiply_point(DRAW.randrange(1, ORDER), GENERATOR) for _ in range(40)]


def test_the_generator_has_the_curves_order() -> None:
    assert is_on_curve(GENERATOR) and is_on_curve(None)
    assert not is_on_curve((GENERATOR[0], GENERATOR[1] + 1))
    assert multiply_point(ORDER, GENERATOR) is None
    assert multiply_point(ORDER - 1, GENERATOR) == negate_point(GENERATOR)
    assert multiply_point(0, GENERATOR) is None


def test_multiples_are_the_librarys_public_keys() -> None:
    for _ in range(50):
        scalar = DRAW.randrange(1, ORDER)
        point = multiply_point(scalar, GENERATOR)
        assert point is not None and point[0] == fast_stark_crypto.get_public_key(scalar)


@kernel
def multiples(points: Felts, bits: NDArray[np.uint8], result: Felts) -> None:
    """x and y of a multiple of each point."""
    for index in range(len(bits)):
        x, y = to_affine(scale(load(points, 0), load(points, 1), bits[index]))
        store(result, 2 * index, x)
        store(result, 2 * index + 1, y)


def test_ten_thousand_multiples_in_kernels_are_the_librarys() -> None:
    """Random scalars, and 0, 1 and the order with their neighbours: infinity is met on the way and at the end."""
    scalars = [0, 1, 2, ORDER - 1, ORDER, ORDER + 1, 1 << 251, *(DRAW.randrange(1, ORDER) for _ in range(10_000))]
    result = np.empty((2 * len(scalars), 4), np.uint64)
    multiples(from_ints(list(GENERATOR)), bits_of(scalars, 252), result)
    found = to_ints(result)
    assert list(zip(found[::2], found[1::2], strict=True))[:7] == [
        point or (0, 0) for point in (multiply_point(scalar, GENERATOR) for scalar in scalars[:7])
    ]
    for scalar, x, y in zip(scalars[7:], found[14::2], found[15::2], strict=True):
        assert x == fast_stark_crypto.get_public_key(scalar) and is_on_curve((x, y))
    # The library tells no y. The other one would lead to the x of scalar - 1.
    for scalar, x, y in zip(scalars[7:1007], found[14:2014:2], found[15:2014:2], strict=True):
        following = add_points((x, y), GENERATOR)
        assert following is not None and following[0] == fast_stark_crypto.get_public_key(scalar + 1)


def test_addition_is_a_group_law() -> None:
    for one, two, three in zip(POINTS, POINTS[1:], POINTS[2:], strict=False):
        assert add_points(one, two) == add_points(two, one)
        assert add_points(add_points(one, two), three) == add_points(one, add_points(two, three))
        assert add_points(one, negate_point(one)) is None
        assert add_points(one, None) == add_points(None, one) == one
        assert add_points(one, one) == multiply_point(2, one)


def test_roots_and_points_of_an_x() -> None:
    found = 0
    for _ in range(100):
        value = DRAW.randrange(PRIME)
        root = square_roots([value])[0]
        assert (root is None) == (pow(value, (PRIME - 1) // 2, PRIME) == PRIME - 1)
        if root is not None:
            assert root * root % PRIME == value
            found += 1
    assert 20 < found < 80
    assert square_roots([0, 1 << 2, 0])[::2] == [0, 0]
    assert lift_x(PRIME) is None and lift_x(-1) is None
    for point in POINTS:
        assert point is not None and lift_x(point[0]) in (point, negate_point(point))


@kernel
def combine(points: Felts, result: Felts) -> None:
    """result: first + second and 2 * first, in Jacobian coordinates; the first point is scaled by a Z of its own."""
    first = load(points, 0), load(points, 1), load(points, 2)
    added = add_affine(first, load(points, 3), load(points, 4))
    doubled = double_jacobian(first)
    for part in range(3):
        store(result, part, added[part])
        store(result, 3 + part, doubled[part])


def affine(x: int, y: int, z: int) -> tuple[int, int] | None:
    """A Jacobian point as integers."""
    if z == 0:
        return None
    back = inverse(z)
    return x * back * back % PRIME, y * back**3 % PRIME


@pytest.mark.parametrize("case", ["different", "equal", "opposite", "infinity"])
def test_kernels_add_any_two_points(case: str) -> None:
    for first, second in zip(POINTS[:10], POINTS[10:20], strict=True):
        assert first is not None and second is not None
        z = DRAW.randrange(1, PRIME)
        x, y = first[0] * z**2 % PRIME, first[1] * z**3 % PRIME
        expected: tuple[int, int] | None = add_points(first, second)
        doubled = add_points(first, first)
        other = second
        if case == "equal":
            other, expected = first, doubled
        elif case == "opposite":
            other, expected = (first[0], PRIME - first[1]), None
        elif case == "infinity":
            z, expected, doubled = 0, second, None
        result = np.empty((6, 4), np.uint64)
        combine(from_ints([x, y, z, *other]), result)
        numbers = to_ints(result)
        assert affine(numbers[0], numbers[1], numbers[2]) == expected
        assert affine(numbers[3], numbers[4], numbers[5]) == doubled


@pytest.mark.parametrize("log_window", [1, 3, 4, 8])
def test_windows_hold_every_digits_multiple(log_window: int) -> None:
    point = POINTS[0]
    assert point is not None
    table = windows_of(point, log_window)
    windows, digits = table.shape[:2]
    assert windows == -(-252 // log_window) and digits == 2**log_window - 1
    for window in (0, 1, windows // 2, windows - 1):
        for digit in {1, 2, digits}:
            if digit > digits:
                continue
            multiple = multiply_point(digit << (log_window * window), point)
            found = to_ints(table[window, digit - 1].reshape(2, 4).copy())
            assert multiple == (found[0], found[1])
