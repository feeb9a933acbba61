"""The table of the ECDSA chip: the ladders of many signatures, step by step together, with two inversions a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import column_names
from stark.chips.ecdsa import ROWS, TIMES, Ecdsa
from stark.chips.ecdsa_rows import HALF_BITS, POINTS, START, Affine
from stark.chips.ecdsa_scalars import HALF, Scalars, scalars_of
from stark.chips.ecdsa_side import NO_PROOF, SIDE, Points, copies_of, inverses, side_of, sums_of
from stark.curve import GENERATOR, ORDER, add_affine, lift_x, multiply_point, scale, to_affine
from stark.ecdsa import ELEMENT_LIMIT, Signed
from stark.field import ONE, ZERO, Felts, add, from_ints, invert, load, multiply, square, store, subtract, to_ints
from stark.kernels import kernel
from stark.prime import PRIME

Bits = NDArray[np.uint8]
GROUP_OF = (3, 2, 0, 1)  # of the points with neither, with Q, with V, with both: its place in POINTS
PLACE_OF = (0, 1, 3, 2)  # in its group, of the points with neither, with G, with H, with both
ROW_OF = [POINTS[group] + place for place in PLACE_OF for group in GROUP_OF]  # of points by selector: Q, V, G, H
PLACE = {name: place for place, name in enumerate(column_names(Ecdsa.columns))}


class Filled(NamedTuple):
    """The table, and the limbs that it asks a range table for."""

    table: Felts
    limbs: list[int]


def fill_ecdsa(signatures: Sequence[Signed], times: Sequence[int], log_rows: int) -> Filled:
    """The chip's table; signature i is sent times[i] times. ValueError for one that is not valid, naming its place."""
    room = (1 << log_rows) // ROWS
    if len(signatures) > room or len(signatures) != len(times):
        raise ValueError(f"{len(signatures)} signatures, {len(times)} counts; 2**{log_rows} rows hold {room}")
    shown = [*signatures, nobodys()][:room]
    table = np.zeros((len(PLACE), 1 << log_rows, 4), np.uint64)
    limbs = _fill_places(shown, points_of(shown), table)
    filled = ROWS * len(shown)
    for start in range(filled, 1 << log_rows, ROWS):
        table[:, start : start + ROWS] = table[:, filled - ROWS : filled]
    table[PLACE["number"]] = np.repeat(from_ints(list(range(room))), ROWS, axis=0)
    if times:
        row, column = TIMES
        table[PLACE[column], row : ROWS * len(times) : ROWS] = from_ints(list(times))
    return Filled(table, [limb for each in [*limbs, *[limbs[-1]] * (room - len(shown))] for limb in each])


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


def points_of(signatures: Sequence[Signed]) -> list[Points]:
    """The points of each signature; ValueError for one that has none: it is not valid."""
    lifted = {key: lift_x(key) for key in {signed.public_key for signed in signatures}}
    keys = []
    for place, (public_key, message, r, s) in enumerate(signatures):
        key = lifted[public_key]
        if key is None or not (0 < r < ELEMENT_LIMIT and 0 < s < ELEMENT_LIMIT and 0 <= message < ELEMENT_LIMIT):
            raise ValueError(f"signature {place} is not valid")
        keys.append(key)
    inverses = [pow(signed.s, -1, ORDER) for signed in signatures]
    scalars = [signed.message * each % ORDER for signed, each in zip(signatures, inverses, strict=True)]
    scalars += [signed.r * each % ORDER for signed, each in zip(signatures, inverses, strict=True)]
    bits = bits_of(scalars, ORDER.bit_length()).reshape(2, len(signatures), -1)
    sums = np.empty((2, 2, len(signatures), 4), np.uint64)
    _combine(_flat([GENERATOR]), _flat(keys), bits, sums)
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


def _flat(points: Sequence[Affine]) -> Felts:
    return from_ints([value for point in points for value in point])


@kernel
def _combine(generator: Felts, keys: Felts, bits: Bits, sums: Felts) -> None:
    """sums[sign, part, i]: x and y of (first scalar) G + or - (second scalar) key; zeros stand for infinity."""
    for index in range(bits.shape[1]):
        base = scale(load(generator, 0), load(generator, 1), bits[0, index])
        other = scale(load(keys, 2 * index), load(keys, 2 * index + 1), bits[1, index])
        other_x, other_y = to_affine(other)
        for sign in range(2):
            y = subtract(ZERO, other_y) if sign == 1 else other_y
            total = base if other[2] == ZERO else add_affine(base, other_x, y)
            total_x, total_y = to_affine(total)
            store(sums[sign, 0], index, total_x)
            store(sums[sign, 1], index, total_y)


# --- rows -------------------------------------------------------------------------------------------------------------


def _fill_places(signatures: Sequence[Signed], points: Sequence[Points], table: Felts) -> list[list[int]]:
    """Every row of every signature's place, from the first place on; answers the limbs of each."""
    scalars = [scalars_of(signed.r, signed.s, signed.message) for signed in signatures]
    sums = sums_of([_as_positive(each, own) for each, own in zip(points, scalars, strict=True)])
    added = _flat([each.points[row] for each in sums for row in ROW_OF])
    if not _climb(_flat([START]), added, kinds_of(scalars), table):
        raise ValueError(NO_PROOF)
    weights = inverses([each.scaled_s for each in scalars])
    counts = [copies_of(each) for each in scalars]
    sides = [side_of(*each) for each in zip(signatures, scalars, sums, weights, counts, strict=True)]
    cells = from_ints([cell for side in sides for cell in side.cells]).reshape(-1, SIDE, 4)
    table[PLACE["side[0]"] :, : len(cells)] = cells.transpose(1, 0, 2)
    return [side.limbs for side in sides]


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
def _climb(start: Felts, added: Felts, kinds: Bits, table: Felts) -> bool:
    """The ladder of every place. `added` holds each place's points by selector; `kinds` says what a step adds.

    Columns go by their places in the chip. False if a step's points have one x coordinate. The last step's end is not
    written: it is a constant.
    """
    count, steps = kinds.shape
    across, inverses = np.empty((count, 4), np.uint64), np.empty((count, 4), np.uint64)
    for index in range(count):
        store(table[0], steps * index, load(start, 0))
        store(table[1], steps * index, load(start, 1))
    for step in range(steps):
        for index in range(count):
            point = 2 * (16 * index + int(kinds[index, step]))
            store(across, index, subtract(load(table[0], steps * index + step), load(added, point)))
        if not _invert_all(across, inverses, count):
            return False
        for index in range(count):
            at, point = steps * index + step, 2 * (16 * index + int(kinds[index, step]))
            x, added_x, added_y = load(table[0], at), load(added, point), load(added, point + 1)
            slope = multiply(subtract(load(table[1], at), added_y), load(inverses, index))
            store(table[2], at, slope)
            store(across, index, subtract(subtract(subtract(square(slope), x), added_x), x))
        if not _invert_all(across, inverses, count):
            return False
        for index in range(count):
            at = steps * index + step
            x, y = load(table[0], at), load(table[1], at)
            second = subtract(ZERO, add(load(table[2], at), multiply(add(y, y), load(inverses, index))))
            store(table[3], at, second)
            if step + 1 < steps:
                between = add(load(across, index), x)
                next_x = subtract(subtract(square(second), x), between)
                store(table[0], at + 1, next_x)
                store(table[1], at + 1, subtract(multiply(second, subtract(x, next_x)), y))
    return True


@kernel
def _invert_all(values: Felts, inverses: Felts, count: int) -> bool:
    """Inverses of the first values with one inversion (Montgomery); False if one is zero."""
    running = ONE
    for index in range(count):
        store(inverses, index, running)
        running = multiply(running, load(values, index))
    if running == ZERO:
        return False
    rest = invert(running)
    for index in range(count - 1, -1, -1):
        value = load(values, index)
        store(inverses, index, multiply(rest, load(inverses, index)))
        rest = multiply(rest, value)
    return True
