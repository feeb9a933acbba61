"""Starknet's Poseidon: the Hades permutation of three field elements, and the hashes made from it.

Parameters and round constants are Starknet's (cube S-box, 4 + 83 + 4 rounds, matrix [[3,1,1],[1,-1,1],[1,1,-2]], the
third element alone through the S-box in the 83 partial rounds), so every hash equals the one a Starknet contract
computes. Integers are in [0, P); anything else is refused, since x and x + P would share a hash.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256

import numpy as np

from stark.field import (
    ONE,
    PLAIN_ONE,
    PRIME,
    RADIX,
    RADIX_SQUARED,
    ZERO,
    Felts,
    add_loose,
    checked,
    double_loose,
    fold,
    from_ints,
    ints_from_plain,
    is_canonical,
    limbs_of,
    load,
    multiply,
    multiply_loose,
    plain_from_ints,
    reduce,
    square_loose,
    store,
    subtract_loose,
)
from stark.kernels import Felt, kernel

WIDTH = 3
RATE = 2
FULL_ROUNDS = 8
PARTIAL_ROUNDS = 83
HALF = FULL_ROUNDS // 2
ROUNDS = FULL_ROUNDS + PARTIAL_ROUNDS


# --- constants --------------------------------------------------------------------------------------------------------


@cache
def round_constants() -> tuple[tuple[int, int, int], ...]:
    """Three constants for each of the 91 rounds: SHA-256 of "Hades0", "Hades1", ... modulo P."""
    digests = [sha256(f"Hades{index}".encode()).digest() for index in range(WIDTH * ROUNDS)]
    values = [int.from_bytes(digest, "big") % PRIME for digest in digests]
    return tuple((values[index], values[index + 1], values[index + 2]) for index in range(0, len(values), WIDTH))


def folded_constants() -> tuple[list[tuple[int, int, int]], list[int]]:
    """The same permutation with one constant a partial round: constants for 10 full layers, and 83 for partial rounds.

    Let (x, y) be the elements that pass a partial round without S-box, c the cube of the third. A round maps them to
    (3x + y + c, x - y + c) and the third to x + y - 2c: what the constants of rounds so far add to (x, y) is known
    beforehand (`shift_x`, `shift_y` below) and can be taken out of the pair and added where the pair is next read.
    """
    constants = round_constants()
    shift_x = shift_y = 0
    partial = []
    for index in range(HALF, HALF + PARTIAL_ROUNDS):
        add_x, add_y, _ = constants[index]
        shift_x, shift_y = shift_x + add_x, shift_y + add_y
        partial.append((shift_x + shift_y + constants[index + 1][2]) % PRIME)
        shift_x, shift_y = (3 * shift_x + shift_y) % PRIME, (shift_x - shift_y) % PRIME
    after_x, after_y, _ = constants[HALF + PARTIAL_ROUNDS]
    full = [*constants[:HALF], (0, 0, constants[HALF][2])]
    full += [((shift_x + after_x) % PRIME, (shift_y + after_y) % PRIME, 0)]  # the third came with the last partial
    full += [*constants[HALF + PARTIAL_ROUNDS + 1 :], (0, 0, 0)]
    return full, partial


def _offset(value: int, primes: int) -> Felt:
    """Limbs of value in Montgomery form plus a multiple of P, which keeps a difference of loose values positive."""
    return limbs_of(value * RADIX % PRIME + primes * PRIME)


# Constant layers, three rows each, in Montgomery form. The offsets cover what _mix and _join subtract first.
_FULL, _PARTIAL = folded_constants()
_LAYERS = np.array([_offset(*pair) for row in _FULL for pair in zip(row, (0, 3, 4), strict=True)], np.uint64)
_ROUNDS = np.array([_offset(value, 4) for value in _PARTIAL], np.uint64)
_JOIN = np.array([_offset(_FULL[HALF + 1][0], 0), _offset(_FULL[HALF + 1][1], 6)], np.uint64)


# --- the permutation --------------------------------------------------------------------------------------------------

State = tuple[Felt, Felt, Felt]


@kernel
def _mix(state: State, layer: int) -> State:
    """Cubes of three values below 2 P, the matrix, and the constants of the next layer; results below 2 P.

    A square is below (1 + 4 / 31.99) P < 1.13 P and a cube below (1 + 1.13 * 2 / 31.99) P < 1.08 P, so the offsets
    3 P and 4 P keep the differences positive, and no sum reaches 12 P.
    """
    first = multiply_loose(square_loose(state[0]), state[0])
    second = multiply_loose(square_loose(state[1]), state[1])
    third = multiply_loose(square_loose(state[2]), state[2])
    total = add_loose(add_loose(first, second), third)
    row = 3 * layer
    first = add_loose(add_loose(total, double_loose(first)), load(_LAYERS, row))
    second = subtract_loose(add_loose(total, load(_LAYERS, row + 1)), double_loose(second))
    third = subtract_loose(add_loose(total, load(_LAYERS, row + 2)), add_loose(third, double_loose(third)))
    return fold(first), fold(second), fold(third)


@kernel
def _partial_rounds(state: State) -> State:
    """83 rounds in which only the third element is cubed; state below 2 P before and after.

    The pair that is not cubed is kept as x and both = x + y. A round maps it, with c the cube, to
    x' = (2x + c) + both and both' = 2 (2x + c), and the third to both - 2c + constant. Only 2x + c is folded:
    both < 4 P, x < 6 P, constant < 5 P give third < 9 P, its square < (1 + 81 / 31.99) P < 3.54 P and the cube
    < (1 + 3.54 * 9 / 31.99) P < 1.997 P, so that 2c is below 4 P, the least the constant can be.
    """
    x, third = state[0], state[2]
    both = add_loose(x, state[1])
    for index in range(PARTIAL_ROUNDS):
        cube = multiply_loose(square_loose(third), third)
        doubled = fold(add_loose(double_loose(x), cube))
        third = subtract_loose(add_loose(both, load(_ROUNDS, index)), double_loose(cube))
        x = add_loose(doubled, both)
        both = double_loose(doubled)
    second = subtract_loose(add_loose(both, load(_JOIN, 1)), x)
    return fold(add_loose(x, load(_JOIN, 0))), fold(second), fold(third)


@kernel
def _permutation(state: State) -> State:
    """Hades on three values below 16 P; results below 2 P."""
    state = (
        fold(add_loose(state[0], load(_LAYERS, 0))),
        fold(add_loose(state[1], load(_LAYERS, 1))),
        fold(add_loose(state[2], load(_LAYERS, 2))),
    )
    for layer in range(1, HALF + 1):
        state = _mix(state, layer)
    state = _partial_rounds(state)
    for layer in range(HALF + 2, FULL_ROUNDS + 2):
        state = _mix(state, layer)
    return state


@kernel
def _sponge(values: Felts, length: int, capacity: Felts, width: int, plain: bool, result: Felts) -> int:
    """Hash rows of `length` values (even), starting from (0, 0, capacity); `width` elements of each state are kept.

    With `plain` the values and results are plain, else both are in Montgomery form. Answers the index of the first
    plain value that is not below P, or -1.
    """
    for row in range(len(values) // length):
        first = second = ZERO
        third = load(capacity, 0)
        for index in range(row * length, (row + 1) * length, RATE):
            left, right = load(values, index), load(values, index + 1)
            if plain:
                if not (is_canonical(left) and is_canonical(right)):
                    return index
                left, right = multiply_loose(left, RADIX_SQUARED), multiply_loose(right, RADIX_SQUARED)
            first, second, third = _permutation((add_loose(first, left), add_loose(second, right), third))
        state = (first, second, third)
        for part in range(width):
            value = multiply(state[part], PLAIN_ONE) if plain else reduce(state[part])
            store(result, row * width + part, value)
    return -1


# --- integers ---------------------------------------------------------------------------------------------------------

# A capacity tells the three hashes apart: 0 for sequences, 1 for one value, 2 for two. Montgomery form, computed
# without a kernel so that importing this module compiles nothing.
_CAPACITY = [np.array([limbs_of(tag * RADIX % PRIME)]) for tag in range(3)]


def _run(plain: Felts, length: int, capacity: Felts, width: int = 1) -> Felts:
    """Hash rows of plain values; raises ValueError on a value that is not below P."""
    result = np.empty((len(plain) // length * width, 4), np.uint64)
    index = _sponge(plain, length, capacity, width, True, result)
    if index >= 0:
        raise ValueError(f"element {index} or {index + 1} is not below the field's prime")
    return result


def permute(first: int, second: int, third: int) -> tuple[int, int, int]:
    """The Hades permutation."""
    result = _run(plain_from_ints((first, second)), RATE, from_ints([third]), WIDTH)
    one, two, three = ints_from_plain(result)
    return one, two, three


def hash1(value: int) -> int:
    """Starknet's hash of a single element."""
    return int.from_bytes(_run(plain_from_ints((value, 0)), RATE, _CAPACITY[1]).tobytes(), "little")


def hash2(left: int, right: int) -> int:
    """Starknet's hash of two elements (`poseidon_hash`)."""
    return int.from_bytes(_run(plain_from_ints((left, right)), RATE, _CAPACITY[2]).tobytes(), "little")


def hash2_list(pairs: Iterable[tuple[int, int]]) -> list[int]:
    """hash2 of many pairs in one call."""
    plain = plain_from_ints([value for pair in pairs for value in pair])
    return ints_from_plain(_run(plain, RATE, _CAPACITY[2]))


def hash_many(values: Sequence[int]) -> int:
    """Starknet's hash of a sequence (`poseidon_hash_many`): 1 and, if need be, 0 are appended to make it even."""
    plain = plain_from_ints([*values, 1] if len(values) % RATE else [*values, 1, 0])
    return int.from_bytes(_run(plain, len(plain), _CAPACITY[0]).tobytes(), "little")


def hash_lists(lists: Sequence[Sequence[int]]) -> list[int]:
    """hash_many of each list; those of one length in one call."""
    places: dict[int, list[int]] = {}
    for place, values in enumerate(lists):
        places.setdefault(len(values) // RATE, []).append(place)
    found = [0] * len(lists)
    for pairs, alike in places.items():
        padded = [[*lists[place], 1, 0][: RATE * (pairs + 1)] for place in alike]
        plain = plain_from_ints([value for values in padded for value in values])
        digests = ints_from_plain(_run(plain, RATE * (pairs + 1), _CAPACITY[0]))
        for place, digest in zip(alike, digests, strict=True):
            found[place] = digest
    return found


# --- arrays in Montgomery form ----------------------------------------------------------------------------------------


def hash2_batch(left: Felts, right: Felts, threads: int = 1) -> Felts:
    """hash2 row by row."""
    if left.shape != right.shape:
        raise ValueError(f"arrays of different shapes: {left.shape} and {right.shape}")
    return _run_threads(np.stack([checked(left), checked(right)], axis=1), 2, threads)


def hash_many_batch(rows: Felts, threads: int = 1) -> Felts:
    """hash_many of every row of an (n, length, 4) array."""
    count, length, _ = rows.shape
    padding = np.zeros((count, RATE - length % RATE, 4), np.uint64)
    padding[:, 0] = ONE
    return _run_threads(np.concatenate([rows, padding], axis=1), 0, threads)


def _run_threads(rows: Felts, tag: int, threads: int) -> Felts:
    """Hash the rows of an (n, length, 4) array, cut into one run of rows a thread; the kernel holds no lock."""
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    count, length, _ = rows.shape
    result = np.empty((count, 4), np.uint64)
    cuts = [count * part // threads for part in range(threads + 1)]

    def work(start: int, stop: int) -> None:
        values = checked(rows[start:stop].reshape(-1, 4))
        _sponge(values, length, _CAPACITY[tag], 1, False, result[start:stop])

    if threads == 1:
        work(0, count)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, cuts[:-1], cuts[1:]))
    return result
