"""The table of the ECDSA chip: the ladders of many signatures, step by step together, with two inversions a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import column_names
from stark.chips.ecdsa import ROWS, TIMES, Ecdsa
from stark.chips.ecdsa_rows import HALF_BITS, POINTS, START
from stark.chips.ecdsa_scalars import HALF, Scalars, scalars_of
from stark.chips.ecdsa_side import (
    DERIVED,
    LIMBS,
    NO_PROOF,
    SIDE,
    Places,
    Points,
    derived_of,
    fill_side,
    invert_all,
    numbers_of,
    place_of,
)
from stark.curve import GENERATOR, ORDER, add_affine, lift_all, multiply_point, scale, to_affine
from stark.ecdsa import ELEMENT_LIMIT, Signed, digits_of, generator_windows, invert_modulo_order, multiple_by
from stark.field import (
    ZERO,
    Felts,
    add,
    from_ints,
    from_small,
    invert_array,
    load,
    multiply,
    square,
    store,
    subtract,
    to_ints,
)
from stark.kernels import kernel
from stark.prime import PRIME
from stark.threads import in_ranges

Bits = NDArray[np.uint8]
GROUP_OF = (3, 2, 0, 1)  # of the points with neither, with Q, with V, with both: its place in POINTS
PLACE_OF = (0, 1, 3, 2)  # in its group, of the points with neither, with G, with H, with both
ROW_OF = [POINTS[group] + place for place in PLACE_OF for group in GROUP_OF]  # of points by selector: Q, V, G, H
PLACE = {name: place for place, name in enumerate(column_names(Ecdsa.columns))}


class Filled(NamedTuple):
    """The table, and the limbs that it asks a range table for."""

    table: Felts
    limbs: NDArray[np.uint64]


def fill_ecdsa(signatures: Sequence[Signed], times: Sequence[int], log_rows: int, threads: int = 1) -> Filled:
    """The chip's table; signature i is sent times[i] times. ValueError for one that is not valid, naming its place."""
    room = (1 << log_rows) // ROWS
    if len(signatures) > room or len(signatures) != len(times):
        raise ValueError(f"{len(signatures)} signatures, {len(times)} counts; 2**{log_rows} rows hold {room}")
    shown = [*signatures, nobodys()][:room]
    table = np.zeros((len(PLACE), 1 << log_rows, 4), np.uint64)
    limbs = np.empty((room, LIMBS), np.uint64)
    _fill_places(shown, points_of(shown, threads), table, limbs, threads)
    limbs[len(shown) :] = limbs[len(shown) - 1]
    blocks = table.reshape(len(PLACE), room, ROWS, 4)
    blocks[:, len(shown) :] = blocks[:, len(shown) - 1 : len(shown)]
    table[PLACE["number"]] = np.repeat(from_small(np.arange(room)), ROWS, axis=0)
    if times:
        row, column = TIMES
        table[PLACE[column], row : ROWS * len(times) : ROWS] = from_small(np.array(times))
    return Filled(table, limbs.ravel())


@cache
def nobodys() -> Signed:
    """A valid signature of 1 under the private key 1, from the first nonce that serves: what unused places hold."""
    nonce = 2
    while True:
        point = multiply_point(nonce, GENERATOR)
        assert point is not None
        r = point[0]
        s = (1 + r) * pow(nonce, -1, ORDER) % ORDER
        if 0 < r < ELEMENT_LIMIT and 0 < s < ELEMENT_LIMIT:
            return Signed(GENERATOR[0], 1, r, s)
        nonce += 1


# --- points -----------------------------------------------------------------------------------------------------------


def points_of(signatures: Sequence[Signed], threads: int = 1) -> list[Points]:
    """The points of each signature; ValueError for one that has none: it is not valid."""
    known = list({signed.public_key for signed in signatures})
    lifted = dict(zip(known, lift_all(known, threads), strict=True))
    keys = []
    for place, (public_key, message, r, s) in enumerate(signatures):
        key = lifted[public_key]
        if key is None or not (0 < r < ELEMENT_LIMIT and 0 < s < ELEMENT_LIMIT and 0 <= message < ELEMENT_LIMIT):
            raise ValueError(f"signature {place} is not valid")
        keys.append(key)
    inverses = invert_modulo_order([signed.s for signed in signatures])
    first = digits_of([signed.message * each % ORDER for signed, each in zip(signatures, inverses, strict=True)])
    second = [signed.r * each % ORDER for signed, each in zip(signatures, inverses, strict=True)]
    bits, flat = bits_of(second, ORDER.bit_length()), from_ints([value for key in keys for value in key])
    sums = np.empty((2, 2, len(signatures), 4), np.uint64)
    generator = generator_windows()

    def work(start: int, stop: int) -> None:
        _combine(generator, flat, first, bits, sums, start, stop)

    in_ranges(len(signatures), threads, work)
    (plus_x, plus_y), (minus_x, minus_y) = [[to_ints(part) for part in signed] for signed in sums]
    found = []
    for place, (signed, (key_x, key_y)) in enumerate(zip(signatures, keys, strict=True)):
        if plus_x[place] == signed.r:
            found.append(Points((key_x, key_y), (signed.r, -plus_y[place] % PRIME)))
        elif minus_x[place] == signed.r:
            found.append(Points((key_x, -key_y % PRIME), (signed.r, -minus_y[place] % PRIME)))
        else:
            raise ValueError(f"signature {place} is not valid")
    return found


def bits_of(scalars: Sequence[int], count: int) -> Bits:
    """The bits of numbers, (numbers, count), most significant first."""
    data = b"".join([scalar.to_bytes(32, "big") for scalar in scalars])
    bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(-1, 32), axis=1)
    return np.ascontiguousarray(bits[:, 256 - count :])


@kernel
def _combine(
    generator: Felts, keys: Felts, first: Bits, second: Bits, sums: Felts, start: int, stop: int
) -> None:
    """sums[sign, part, i]: x and y of (first scalar) G + or - (second scalar) key; zeros stand for infinity.

    The first scalars come as digits, the second ones as bits.
    """
    for index in range(start, stop):
        base = multiple_by(generator, first[index])
        other = scale(load(keys, 2 * index), load(keys, 2 * index + 1), second[index])
        other_x, other_y = to_affine(other)
        for sign in range(2):
            y = subtract(ZERO, other_y) if sign == 1 else other_y
            total = base if other[2] == ZERO else add_affine(base, other_x, y)
            total_x, total_y = to_affine(total)
            store(sums[sign, 0], index, total_x)
            store(sums[sign, 1], index, total_y)


# --- rows -------------------------------------------------------------------------------------------------------------


def _fill_places(
    signatures: Sequence[Signed], points: Sequence[Points], table: Felts, limbs: NDArray[np.uint64], threads: int
) -> None:
    """Every row of every signature's place, from the first place on, and the limbs of each."""
    scalars = [scalars_of(signed.r, signed.s, signed.message) for signed in signatures]
    positive = [_as_positive(each, own) for each, own in zip(points, scalars, strict=True)]
    numbers, kinds = numbers_of(signatures, scalars), kinds_of(scalars)
    inverses = invert_array(from_ints([each.scaled_s for each in scalars]))
    side, first = table[PLACE["side[0]"] : PLACE["side[0]"] + SIDE], from_ints(list(START))

    derived = np.empty((DERIVED * len(signatures), 4), np.uint64)
    slots = np.array([place_of(row) for row in ROW_OF], np.int64)

    def work(start: int, stop: int) -> None:
        derived[DERIVED * start : DERIVED * stop] = derived_of(positive[start:stop])
        if not _climb(first, derived, slots, kinds, table, start, stop):
            raise ValueError(NO_PROOF)
        fill_side(numbers, inverses, derived, side, limbs, start, stop)

    in_ranges(len(signatures), threads, work)


def _as_positive(points: Points, scalars: Scalars) -> Points:
    """With the sign of V for which s' is positive."""
    x, y = points.nonce
    return points._replace(nonce=(x, PRIME - y)) if scalars.is_opposite else points


def kinds_of(scalars: Sequence[Scalars]) -> Bits:
    """What each step of each signature adds, by its selector."""
    columns = [
        [each.scaled_r for each in scalars], [each.scaled_s for each in scalars],
        [each.scaled_z % HALF for each in scalars], [each.scaled_z >> HALF_BITS for each in scalars],
    ]  # fmt: skip
    bits = [bits_of(column, ROWS) << place for place, column in enumerate(columns)]
    return np.ascontiguousarray(sum(bits[1:], bits[0]))


@kernel
def _climb(
    begin: Felts, derived: Felts, slots: Places, kinds: Bits, table: Felts, start: int, stop: int
) -> bool:
    """The ladders of some places. `slots` says where the points of each selector are; `kinds`, what a step adds.

    Columns go by their places in the chip. False if a step's points have one x coordinate. The last step's end is not
    written: it is a constant.
    """
    count, steps = stop - start, kinds.shape[1]
    across, inverses = np.empty((count, 4), np.uint64), np.empty((count, 4), np.uint64)
    for index in range(start, stop):
        store(table[0], steps * index, load(begin, 0))
        store(table[1], steps * index, load(begin, 1))
    for step in range(steps):
        for index in range(start, stop):
            point = DERIVED * index + slots[kinds[index, step]]
            store(across, index - start, subtract(load(table[0], steps * index + step), load(derived, point)))
        if not invert_all(across, inverses, count):
            return False
        for index in range(start, stop):
            at, point = steps * index + step, DERIVED * index + slots[kinds[index, step]]
            x, added_x, added_y = load(table[0], at), load(derived, point), load(derived, point + 1)
            slope = multiply(subtract(load(table[1], at), added_y), load(inverses, index - start))
            store(table[2], at, slope)
            store(across, index - start, subtract(subtract(subtract(square(slope), x), added_x), x))
        if not invert_all(across, inverses, count):
            return False
        for index in range(start, stop):
            at = steps * index + step
            x, y = load(table[0], at), load(table[1], at)
            part = multiply(add(y, y), load(inverses, index - start))
            second = subtract(ZERO, add(load(table[2], at), part))
            store(table[3], at, second)
            if step + 1 < steps:
                next_x = subtract(subtract(square(second), x), add(load(across, index - start), x))
                store(table[0], at + 1, next_x)
                store(table[1], at + 1, subtract(multiply(second, subtract(x, next_x)), y))
    return True
