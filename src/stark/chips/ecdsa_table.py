"""The table of the ECDSA chip: the ladders of many signatures, step by step together, with two inversions a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import column_names
from stark.chips.ecdsa import (
    BASE,
    BOTH,
    BOTH_SLOPE,
    COPIES_OF_CONSTANTS,
    COPIES_OF_KEY,
    COPIES_OF_NONCE,
    COPIES_OF_REST,
    INVERSES,
    KEY,
    KEY_SLOPE,
    KEY_X,
    MESSAGES,
    NONCE,
    NONCE_SLOPE,
    NONCE_X,
    OFFSET,
    OFFSET_AND_BASE,
    REST,
    ROWS,
    START,
    STEPS,
    TIMES,
    WITH_BASE,
    WITH_KEY,
    WITH_NONCE,
    Affine,
    Ecdsa,
    Held,
)
from stark.curve import GENERATOR, ORDER, add_affine, lift_x, multiply_point, scale, to_affine
from stark.ecdsa import ELEMENT_LIMIT, Signed
from stark.field import ONE, ZERO, Felts, add, from_ints, invert, load, multiply, square, store, subtract, to_ints
from stark.kernels import kernel
from stark.prime import PRIME, inverse

Bits = NDArray[np.uint8]
PLACE = {name: place for place, name in enumerate(column_names(Ecdsa.columns))}
SELECTORS = 8
NO_PROOF = "two points of a ladder have one x coordinate: a signature was made to have no proof"


class Points(NamedTuple):
    """With r key + s nonce + message G = 0: the key's point and the opposite of the signer's."""

    key: Affine
    nonce: Affine


class Sum(NamedTuple):
    """A sum of two points and the slope of the line through their opposites."""

    point: Affine
    slope: int


class Last(NamedTuple):
    """What the last rows of a signature are made from: each sum by the points it adds to A."""

    key: Sum
    nonce: Sum
    both: Sum
    key_and_base: Sum
    nonce_and_base: Sum
    both_and_base: Sum

    def points(self) -> list[Affine]:
        """The points a step can add, by selector."""
        without = [OFFSET, self.key.point, self.nonce.point, self.both.point]
        return [*without, OFFSET_AND_BASE, *(each.point for each in self[3:])]


def fill_ecdsa(signatures: Sequence[Signed], times: Sequence[int], log_rows: int) -> Felts:
    """The chip's table; signature i is sent times[i] times. ValueError for one that is not valid, naming its place."""
    room = (1 << log_rows) // ROWS
    if len(signatures) > room or len(signatures) != len(times):
        raise ValueError(f"{len(signatures)} signatures, {len(times)} counts; 2**{log_rows} rows hold {room}")
    shown = [*signatures, nobodys()][:room]
    table = np.zeros((len(PLACE), 1 << log_rows, 4), np.uint64)
    _fill_places(shown, points_of(shown), table)
    filled = ROWS * len(shown)
    for start in range(filled, 1 << log_rows, ROWS):
        table[:, start : start + ROWS] = table[:, filled - ROWS : filled]
    table[PLACE["number"]] = np.repeat(from_ints(list(range(room))), ROWS, axis=0)
    if times:
        table[PLACE[TIMES.column], TIMES.row : ROWS * len(times) : ROWS] = from_ints(list(times))
    return table


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


def _fill_places(signatures: Sequence[Signed], points: Sequence[Points], table: Felts) -> None:
    """Every row of every signature's place, from the first place on."""
    count = len(signatures)
    sums = [_sums(each) for each in points]
    scalars = [getattr(signed, name) for name in ("r", "s", "message") for signed in signatures]
    bits = bits_of(scalars, STEPS).reshape(3, count, STEPS)
    kinds = WITH_KEY * bits[0] + WITH_NONCE * bits[1] + WITH_BASE * bits[2]
    added = _flat([point for each in sums for point in each.points()])
    if not _climb(_flat([START]), added, from_ints(list(range(SELECTORS))), kinds, table):
        raise ValueError(NO_PROOF)
    held = [_held(*each) for each in zip(signatures, points, sums, strict=True)]
    for place in held[0]:
        cells = table[PLACE[place.column], place.row : ROWS * count : ROWS]
        cells[:] = from_ints([each[place] for each in held])


def _sum(left: Affine, right: Affine) -> Sum:
    """left + right for points whose x coordinates differ."""
    across = (right[0] - left[0]) % PRIME
    if across == 0:
        raise ValueError(NO_PROOF)
    slope = (left[1] - right[1]) * inverse(across) % PRIME
    x = (slope * slope - left[0] - right[0]) % PRIME
    return Sum((x, (slope * (x - right[0]) - right[1]) % PRIME), slope)


def _sums(points: Points) -> Last:
    """A + Q, A + V, A + Q + V, and each with G."""
    with_key = _sum(OFFSET, points.key)
    with_nonce = _sum(OFFSET, points.nonce)
    with_both = _sum(with_key.point, points.nonce)
    return Last(*(without := (with_key, with_nonce, with_both)), *(_sum(each.point, GENERATOR) for each in without))


def _held(signed: Signed, points: Points, sums: Last) -> dict[Held, int]:
    """The cells of the last rows that are not zero, but for how often the signature is lent."""
    r, s, z = signed.r, signed.s, signed.message
    both, nonces, keys = r & s, s & ~r, r & ~s  # where points with Q and V, with V alone, with Q alone are added
    cells = {
        NONCE_X: points.nonce[0], NONCE_SLOPE: sums.nonce.slope, KEY_X: points.key[0], KEY_SLOPE: sums.key.slope,
        BOTH_SLOPE: sums.both.slope, COPIES_OF_NONCE: nonces & ~z, COPIES_OF_KEY: keys,
        COPIES_OF_CONSTANTS: ((1 << STEPS) - 1) & ~(r | s), COPIES_OF_REST: ((1 << STEPS) - 1) & ~(r | s | z),
    }  # fmt: skip
    for place, added in zip(MESSAGES, (nonces, nonces | both, nonces | both | keys), strict=True):
        cells[place] = added & z
    for row, without, with_base in (
        (NONCE, sums.nonce, sums.nonce_and_base), (BOTH, sums.both, sums.both_and_base),
        (KEY, sums.key, sums.key_and_base),
    ):  # fmt: skip
        cells |= _opposite(row, without.point)
        cells |= {Held(row, "slope"): with_base.slope, Held(row, "added_x"): with_base.point[0]}
    cells |= _opposite(BASE, OFFSET_AND_BASE) | _opposite(REST, OFFSET)
    differences = (
        (points.nonce[0] - OFFSET[0]) * (sums.nonce.point[0] - GENERATOR[0]) * (sums.both.point[0] - GENERATOR[0]),
        sums.key.point[0] - points.nonce[0],
        (points.key[0] - OFFSET[0]) * (sums.key.point[0] - GENERATOR[0]) * s,
    )
    return cells | {place: inverse(each % PRIME) for place, each in zip(INVERSES, differences, strict=True)}


def _opposite(row: int, point: Affine) -> dict[Held, int]:
    return {Held(row, "x"): point[0], Held(row, "y"): -point[1] % PRIME}


@kernel
def _climb(start: Felts, added: Felts, selectors: Felts, kinds: Bits, table: Felts) -> bool:
    """Rows 0 to 250 of every place. `added` holds each place's points by selector; `kinds` says what a step adds.

    Columns go by their places in the chip. False if a step's points have one x coordinate. The last step's end is left
    in the row after it, where the caller writes other things.
    """
    count, steps = kinds.shape
    across, inverses = np.empty((count, 4), np.uint64), np.empty((count, 4), np.uint64)
    for index in range(count):
        store(table[0], 256 * index, load(start, 0))
        store(table[1], 256 * index, load(start, 1))
    for step in range(steps):
        for index in range(count):
            at, kind = 256 * index + step, int(kinds[index, step])
            point = 2 * (8 * index + kind)
            store(table[5], at, load(added, point))
            store(table[6], at, load(selectors, kind))
            store(across, index, subtract(load(table[0], at), load(added, point)))
        if not _invert_all(across, inverses, count):
            return False
        for index in range(count):
            at = 256 * index + step
            x, added_y = load(table[0], at), load(added, 2 * (8 * index + int(kinds[index, step])) + 1)
            slope = multiply(subtract(load(table[1], at), added_y), load(inverses, index))
            store(table[4], at, load(inverses, index))
            store(table[2], at, slope)
            between = subtract(subtract(square(slope), x), load(table[5], at))
            store(across, index, subtract(between, x))
        if not _invert_all(across, inverses, count):
            return False
        for index in range(count):
            at = 256 * index + step
            x, y = load(table[0], at), load(table[1], at)
            second = subtract(ZERO, add(load(table[2], at), multiply(add(y, y), load(inverses, index))))
            store(table[3], at, second)
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
