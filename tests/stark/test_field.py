"""The field, against Python's integers: ten thousand random elements and every edge of a limb."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from stark import field
from stark.field import PRIME, RADIX, Felts
from stark.kernels import Felt, kernel

NEAR_LIMBS = [2**shift + step for shift in (0, 1, 63, 64, 127, 128, 191, 192, 250, 251) for step in (-1, 0, 1)]
EDGES = sorted({value % PRIME for value in [*NEAR_LIMBS, *(PRIME - value for value in NEAR_LIMBS), PRIME // 2]})
# Elements whose Montgomery form is at an edge, so that the limbs the kernels work on are.
INSIDE_EDGES = [value * pow(RADIX, -1, PRIME) % PRIME for value in EDGES]


def draw(count: int, seed: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(PRIME) for _ in range(count)]


def pairs() -> tuple[list[int], list[int]]:
    """Every pair of edges, and ten thousand random pairs."""
    edges = EDGES + INSIDE_EDGES
    left = [value for value in edges for _ in edges]
    right = edges * len(edges)
    return left + draw(10_000, seed=1), right + draw(10_000, seed=2)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (field.add_arrays, lambda left, right: left + right),
        (field.subtract_arrays, lambda left, right: left - right),
        (field.multiply_arrays, lambda left, right: left * right),
    ],
)
def test_operations_equal_pythons(
    operation: Callable[[Felts, Felts], Felts], expected: Callable[[int, int], int]
) -> None:
    left, right = pairs()
    result = operation(field.from_ints(left), field.from_ints(right))
    assert max(field.ints_from_plain(result)) < PRIME
    assert field.to_ints(result) == [expected(a, b) % PRIME for a, b in zip(left, right, strict=True)]


def test_inverses() -> None:
    values = [value for value in EDGES + INSIDE_EDGES + draw(10_000, seed=3) if value]
    inverses = field.to_ints(field.invert_array(field.from_ints(values)))
    assert all(value * inverse % PRIME == 1 for value, inverse in zip(values, inverses, strict=True))


@pytest.mark.parametrize("place", [0, 3, 6])
def test_zero_has_no_inverse(place: int) -> None:
    values = [1, 2, 3, 4, 5, 6, 7]
    values[place] = 0
    with pytest.raises(ZeroDivisionError, match=f"element {place} "):
        field.invert_array(field.from_ints(values))


def test_conversions_are_exact_and_canonical() -> None:
    values = EDGES + INSIDE_EDGES + draw(10_000, seed=4)
    assert field.ints_from_plain(field.plain_from_ints(values)) == values
    montgomery = field.from_ints(values)
    assert field.ints_from_plain(montgomery) == [value * RADIX % PRIME for value in values]
    assert field.to_ints(montgomery) == values
    assert field.to_ints(field.from_ints([])) == []


@pytest.mark.parametrize("bad", [-1, PRIME, PRIME + 1, PRIME + 2**64, PRIME + 2**128, 2**252, 2**256 - 1, 2**256])
def test_values_outside_the_field_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="element"):
        field.from_ints([1, 2, bad])


def test_arrays_of_another_kind_are_refused() -> None:
    good = field.from_ints([1, 2])
    for bad in (np.zeros((2, 4)), np.zeros((2, 4), np.int64), np.zeros((2, 3), np.uint64), np.zeros(8, np.uint64)):
        with pytest.raises(ValueError, match="array"):
            field.to_ints(bad)
    with pytest.raises(ValueError, match="different shapes"):
        field.add_arrays(good, field.from_ints([1]))


def test_arguments_stay_as_they_were_in_any_layout() -> None:
    values = field.from_ints(draw(20, seed=5))
    values.setflags(write=False)
    before = values.copy()
    left, right = field.to_ints(values)[::2], field.to_ints(values)[1::2]
    expected = [(a + b) % PRIME for a, b in zip(left, right, strict=True)]
    assert field.to_ints(field.add_arrays(values[::2], values[1::2])) == expected
    field.invert_array(values)
    assert np.array_equal(values, before)


FOLD, REDUCE, MULTIPLY, SQUARE, CANONICAL = range(5)


@kernel
def loose(operator: int, first: Felts, second: Felts, result: Felts) -> None:
    """The operations on loose values, row by row."""
    for index in range(len(first)):
        value = field.load(first, index)
        if operator == FOLD:
            value = field.fold(value)
        elif operator == REDUCE:
            value = field.reduce(value)
        elif operator == MULTIPLY:
            value = field.multiply_loose(value, field.load(second, index))
        elif operator == SQUARE:
            value = field.square_loose(value)
        elif field.is_canonical(value):
            value = field.PLAIN_ONE
        else:
            value = field.ZERO
        field.store(result, index, value)


def run_loose(operator: int, first: list[int], second: list[int]) -> list[int]:
    left = field.plain_from_ints(first)
    result = np.empty_like(left)
    loose(operator, left, field.plain_from_ints(second), result)
    return field.ints_from_plain(result)


def loose_values(seed: int) -> list[int]:
    """Any 256 bits: multiples of P and powers of two and what lies beside them, and random ones."""
    generator = random.Random(seed)
    beside = [k * base + step for k in range(32) for base in (PRIME, 2**251) for step in (-17 * 2**192, -1, 0, 1)]
    anywhere = [generator.randrange(2**256) for _ in range(10_000)]
    return [value for value in beside if value >= 0] + anywhere + [2**256 - 1]


def test_folding_keeps_the_element_below_two_primes() -> None:
    values = loose_values(seed=6)
    for value, folded in zip(values, run_loose(FOLD, values, values), strict=True):
        assert folded % PRIME == value % PRIME and 0 < folded < 2 * PRIME
    assert run_loose(REDUCE, values, values) == [value % PRIME for value in values]


def test_loose_products_stay_within_their_stated_bound() -> None:
    inverse = pow(RADIX, -1, PRIME)
    left = [value % (30 * PRIME) for value in loose_values(seed=7)]  # (1 + 30 * 30 / 31.99) P still fits in 256 bits
    right = left[::-1]
    for a, b, product in zip(left, right, run_loose(MULTIPLY, left, right), strict=True):
        assert product % PRIME == a * b * inverse % PRIME
        assert 3199 * PRIME * product <= 3199 * PRIME * PRIME + 100 * a * b
    for a, product in zip(left, run_loose(SQUARE, left, left), strict=True):
        assert product % PRIME == a * a * inverse % PRIME
        assert 3199 * PRIME * product <= 3199 * PRIME * PRIME + 100 * a * a


def test_canonical_means_below_the_prime() -> None:
    values = [*loose_values(seed=8), *EDGES, *(PRIME + step for step in (2**64, 2**128, -(2**64), -(2**128), 2**192))]
    assert run_loose(CANONICAL, values, values) == [int(value < PRIME) for value in values]


def test_constants_for_kernels() -> None:
    def value(limbs: Felt) -> int:
        return sum(int(limb) << 64 * index for index, limb in enumerate(limbs))

    assert value(field.ONE) == RADIX % PRIME
    assert value(field.RADIX_SQUARED) == RADIX**2 % PRIME
    assert all(isinstance(limb, np.uint64) for limb in field.ONE)
