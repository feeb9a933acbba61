"""Poseidon, against a second implementation, the definition in plain integers and published values."""

import random

import numpy as np
import pytest
from poseidon_py import poseidon_hash as other

from stark.field import PRIME, Felts, from_ints, to_ints
from stark.poseidon import (
    FULL_ROUNDS,
    PARTIAL_ROUNDS,
    hash1,
    hash2,
    hash2_batch,
    hash2_list,
    hash_lists,
    hash_many,
    hash_many_batch,
    permute,
    round_constants,
)

EDGES = [0, 1, 2, 2**64 - 1, 2**64, 2**128, 2**192 - 1, 2**192, 2**251 - 1, 2**251, PRIME - 2, PRIME - 1]


def draw(count: int, seed: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(PRIME) for _ in range(count)]


def defined_permutation(state: list[int]) -> list[int]:
    """Hades by its definition: constants, cubes, matrix, 91 times."""
    for index, constants in enumerate(round_constants()):
        state = [(value + constant) % PRIME for value, constant in zip(state, constants, strict=True)]
        full = index < FULL_ROUNDS // 2 or index >= FULL_ROUNDS // 2 + PARTIAL_ROUNDS
        first, second, third = (value**3 % PRIME if full or part == 2 else value for part, value in enumerate(state))
        state = [3 * first + second + third, first - second + third, first + second - 2 * third]
    return [value % PRIME for value in state]


def test_constants_are_starknets() -> None:
    constants = round_constants()
    assert len(constants) == 91
    assert constants[0][0] == 2950795762459345168613727575620414179244544320470208355568817838579231751791
    assert constants[90][2] < PRIME


def test_published_values() -> None:
    assert permute(0, 0, 0) == (
        3446325744004048536138401612021367625846492093718951375866996507163446763827,
        1590252087433376791875644726012779423683501236913937337746052470473806035332,
        867921192302518434283879514999422690776342565400001269945778456016268852423,
    )


def test_hash2_of_ten_thousand_pairs_equals_the_other_implementation() -> None:
    values = draw(20_000, seed=1)
    pairs = list(zip(values[::2], values[1::2], strict=True))
    assert hash2_list(pairs) == [other.poseidon_hash(left, right) for left, right in pairs]


def test_edges_equal_the_other_implementation() -> None:
    for left in EDGES:
        for right in EDGES:
            assert hash2(left, right) == other.poseidon_hash(left, right)
            assert list(permute(left, right, left)) == other.poseidon_perm(left, right, left)
        assert hash1(left) == other.poseidon_hash_single(left)


def test_a_thousand_single_elements_and_lists_equal_the_other_implementation() -> None:
    generator = random.Random(6)
    for value in draw(1_000, seed=7):
        assert hash1(value) == other.poseidon_hash_single(value)
        values = [value, *draw(generator.randrange(12), seed=value)]
        assert hash_many(values) == other.poseidon_hash_many(values)


def test_the_permutation_equals_its_definition() -> None:
    values = [*EDGES, *draw(291, seed=2)]
    for index in range(0, 300, 3):
        assert list(permute(*values[index : index + 3])) == defined_permutation(values[index : index + 3])


@pytest.mark.parametrize("length", range(11))
def test_hash_many_equals_the_other_implementation(length: int) -> None:
    for values in (draw(length, seed=length), [0] * length, [PRIME - 1] * length):
        assert hash_many(values) == other.poseidon_hash_many(values)


def test_the_three_hashes_differ_on_the_same_values() -> None:
    assert len({hash1(0), hash2(0, 0), hash_many([]), hash_many([0]), hash_many([0, 0])}) == 5


@pytest.mark.parametrize("bad", [-1, PRIME, PRIME + 1, 2**252, 2**256 - 1, 2**256])
def test_values_outside_the_field_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="element"):
        hash1(bad)
    for left, right in ((bad, 1), (1, bad)):
        with pytest.raises(ValueError, match="element"):
            hash2(left, right)
        with pytest.raises(ValueError, match="element"):
            hash2_list([(1, 1), (left, right)])
    for state in ((bad, 1, 1), (1, bad, 1), (1, 1, bad)):
        with pytest.raises(ValueError, match="element"):
            permute(*state)
    with pytest.raises(ValueError, match="element"):
        hash_many([1, 2, bad])


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_batches_equal_single_hashes_on_any_number_of_threads(threads: int) -> None:
    left, right = draw(101, seed=3), draw(101, seed=4)
    expected = [hash2(*pair) for pair in zip(left, right, strict=True)]
    assert to_ints(hash2_batch(from_ints(left), from_ints(right), threads)) == expected
    assert hash2_list(zip(left, right, strict=True)) == expected


@pytest.mark.parametrize("length", range(7))
def test_batches_of_rows_equal_single_hashes(length: int) -> None:
    rows = [draw(length, seed=10 * length + index) for index in range(5)]
    array = from_ints([value for row in rows for value in row]).reshape(5, length, 4)
    for threads in (1, 2, 7):
        assert to_ints(hash_many_batch(array, threads)) == [hash_many(row) for row in rows]


def test_lists_of_any_lengths_equal_single_hashes() -> None:
    lists = [draw(length % 7, seed=length) for length in range(40)]
    assert hash_lists(lists) == [hash_many(values) for values in lists]
    assert hash_lists([]) == []


def test_nothing_hashes_to_nothing() -> None:
    nothing = from_ints([])
    assert hash2_list([]) == [] and hash2_batch(nothing, nothing).shape == (0, 4)


def test_batches_leave_their_arguments_alone_and_take_any_layout() -> None:
    array = from_ints(draw(40, seed=5))
    before = array.copy()
    expected = to_ints(hash2_batch(array[::2].copy(), array[1::2].copy()))
    array.setflags(write=False)
    assert to_ints(hash2_batch(array[::2], array[1::2])) == expected
    rows = array.reshape(20, 2, 4)
    assert to_ints(hash_many_batch(rows)) == [hash_many(to_ints(row)) for row in rows]
    assert np.array_equal(array, before)


@pytest.mark.parametrize("left", [np.zeros((3, 4)), np.zeros((3, 3), np.uint64), np.zeros(12, np.uint64)])
def test_arrays_of_another_kind_are_refused(left: Felts) -> None:
    with pytest.raises(ValueError, match="array"):
        hash2_batch(left, left)


def test_arrays_of_different_lengths_and_no_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        hash2_batch(from_ints([1, 2]), from_ints([1]))
    with pytest.raises(ValueError, match="threads"):
        hash2_batch(from_ints([1]), from_ints([1]), 0)
