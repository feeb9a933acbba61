"""Transforms, against polynomials evaluated by definition."""

import random

import numpy as np
import pytest

from stark import eights
from stark.field import Felts, from_ints, to_ints
from stark.ntt import LOG_BLOCK, LOG_TABLE, bit_reverse_permutation, evaluate, extend, interpolate
from stark.prime import GENERATOR, PRIME, reverse_bits, root_of_unity
from tests.reference import naive_proof

DRAW = random.Random(3)


WAYS = [False, True] if eights.AVAILABLE else [False]


@pytest.fixture(params=WAYS, ids=lambda way: "eights" if way else "one by one")
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Each way in which this machine can do transforms."""
    monkeypatch.setattr(eights, "AVAILABLE", request.param)
    return bool(request.param)


def coefficients_of(width: int, log_rows: int) -> tuple[list[list[int]], Felts]:
    """Random polynomials, lowest coefficient first, and the array that holds them."""
    plain = [[DRAW.randrange(PRIME) for _ in range(1 << log_rows)] for _ in range(width)]
    order = bit_reverse_permutation(log_rows)
    flat = [column[place] for column in plain for place in order]
    return plain, from_ints(flat).reshape(width, -1, 4)


@pytest.mark.parametrize("log_rows", range(8))
@pytest.mark.parametrize(("log_blowup", "threads"), [(0, 1), (1, 2), (3, 3)])
def test_an_extension_is_the_polynomials_values(way: bool, log_rows: int, log_blowup: int, threads: int) -> None:
    plain, held = coefficients_of(2, log_rows)
    shift = DRAW.randrange(1, PRIME)
    values = extend(held, log_blowup, shift, threads)
    for column in range(2):
        expected = naive_proof.extension(plain[column], log_blowup, shift)
        assert to_ints(values[column].reshape(-1, 4)) == [value for coset in expected for value in coset]
    assert evaluate(held, shift, threads) == [naive_proof.evaluate(column, shift) for column in plain]


@pytest.mark.parametrize("log_rows", [*range(5), LOG_BLOCK - 1, LOG_BLOCK, LOG_BLOCK + 1, LOG_TABLE + 2])
@pytest.mark.parametrize("threads", [1, 2])
def test_interpolation_undoes_extension(way: bool, log_rows: int, threads: int) -> None:
    width = 1 if log_rows > LOG_BLOCK else 3
    held = coefficients_of(width, log_rows)[1]
    shift = DRAW.randrange(1, PRIME)
    values = extend(held, 0, shift, threads)[:, 0].copy()
    interpolate(values, threads, shift)
    assert np.array_equal(values, held)
    values = extend(held, 0, 1, threads)[:, 0].copy()
    interpolate(values, threads)
    assert np.array_equal(values, held)


@pytest.mark.parametrize("log_rows", [LOG_BLOCK + 1, LOG_TABLE + 2])
def test_large_extensions_agree_with_evaluation_at_points(way: bool, log_rows: int) -> None:
    plain, held = coefficients_of(1, log_rows)
    values = extend(held, 1, GENERATOR, 2)
    point = DRAW.randrange(PRIME)
    assert evaluate(held, point) == [naive_proof.evaluate(plain[0], point)]
    for _ in range(20):
        coset, row = DRAW.randrange(2), DRAW.randrange(1 << log_rows)
        step = pow(root_of_unity(log_rows + 1), reverse_bits(coset, 1), PRIME)
        point = GENERATOR * step * pow(root_of_unity(log_rows), row, PRIME) % PRIME
        assert to_ints(values[0, coset, row : row + 1].copy()) == evaluate(held, point)


def test_the_largest_column_is_transformed() -> None:
    """2**24 rows, the most that is asked for: values at some points, and back."""
    log_rows = 24
    held = np.random.default_rng(1).integers(0, 1 << 59, (1, 1 << log_rows, 4), np.uint64)
    values = extend(held, 0, GENERATOR, 2)[:, 0]
    for row in (0, 1, (1 << log_rows) - 1, DRAW.randrange(1 << log_rows)):
        point = GENERATOR * pow(root_of_unity(log_rows), row, PRIME) % PRIME
        assert to_ints(values[0, row : row + 1].copy()) == evaluate(held, point, 2)
    interpolate(values, 2, GENERATOR)
    assert np.array_equal(values, held)


def test_extremes_stay_below_the_prime(way: bool) -> None:
    """All coefficients at their largest: the loose sums of every stage are at their bounds."""
    for log_rows in (LOG_BLOCK, LOG_BLOCK + 3):
        held = from_ints([PRIME - 1] * (1 << log_rows)).reshape(1, -1, 4)
        values = extend(held, 0, GENERATOR, 1)[0, 0]
        assert to_ints(values[:1].copy()) == evaluate(held, GENERATOR)
        back = values.reshape(1, -1, 4).copy()
        interpolate(back, 1, GENERATOR)
        assert np.array_equal(back, held)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="power of two"):
        interpolate(np.zeros((1, 3, 4), np.uint64))
    with pytest.raises(ValueError, match="uint64"):
        interpolate(np.zeros((1, 4, 4), np.int64))
    with pytest.raises(ValueError, match="subgroup"):
        root_of_unity(193)
    assert evaluate(np.empty((0, 4, 4), np.uint64), 5) == []
