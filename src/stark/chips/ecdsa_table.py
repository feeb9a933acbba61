"""The table of the ECDSA chip: both ladders of many signatures, step by step together, with one inversion a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import column_names
from stark.chips.ecdsa import (
    BASE_START,
    CLOSING,
    KEY,
    NONCE,
    OFFSET,
    ROWS,
    START,
    STEPS,
    SUM,
    Affine,
    Ecdsa,
    base_points,
    sum_of_ends,
)
from stark.curve import GENERATOR, ORDER, add_affine, lift_x, multiply_point, scale, to_affine
from stark.ecdsa import ELEMENT_LIMIT, Signed
from stark.field import ONE, ZERO, Felts, add, from_ints, invert, load, multiply, square, store, subtract, to_ints
from stark.kernels import Felt, kernel
from stark.prime import PRIME, inverse

Bits = NDArray[np.uint8]
PLACE = {name: place for place, name in enumerate(column_names(Ecdsa.columns))}
LADDER = ("x", "y", "slope", "second_slope", "inverse", "r", "s", "message", "base_x", "base_y", "base_slope")
NO_PROOF = "two points of a ladder have one x coordinate: a signature was made to have no proof"


class Points(NamedTuple):
    """With r key + s nonce + message G = 0: the key's point and the opposite of the signer's."""

    key: Affine
    nonce: Affine


class Sum(NamedTuple):
    """A sum of two points with its slope and the inverse of the difference of their x coordinates."""

    point: Affine
    slope: int
    inverse: int


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
    if times:
        table[PLACE["s"], KEY : ROWS * len(times) : ROWS] = from_ints(list(times))
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
    with_key = [_sum(OFFSET, each.key) for each in points]
    with_nonce = [_sum(OFFSET, each.nonce) for each in points]
    with_both = [_sum(one.point, each.nonce) for one, each in zip(with_key, points, strict=True)]
    sums = {"with_key": with_key, "with_nonce": with_nonce, "with_both": with_both}
    for name, group in sums.items():
        for part in range(2):
            values = from_ints([each.point[part] for each in group])
            table[PLACE[f"{name}[{part}]"], : ROWS * count] = np.repeat(values, ROWS, axis=0)
    scalars = [getattr(signed, name) for name in ("r", "s", "message") for signed in signatures]
    bits = bits_of(scalars, STEPS).reshape(3, count, STEPS)
    added = _flat([each.point for each in [Sum(OFFSET, 0, 0)] * count + with_key + with_nonce + with_both])
    if not _climb(_flat([START, BASE_START]), _flat(base_points()), added, bits, table):
        raise ValueError(NO_PROOF)

    def write(row: int, name: str, values: Sequence[int]) -> None:
        table[PLACE[name], row : ROWS * count : ROWS] = from_ints(list(values))

    write(CLOSING, "slope", _closing_slopes(table, count))
    write(CLOSING, "inverse", [inverse(signed.s) for signed in signatures])
    write(KEY, "message", [signed.message for signed in signatures])
    write(NONCE, "second_slope", [inverse(signed.r) for signed in signatures])
    for row, group, summands in (
        (KEY, with_key, [each.key for each in points]),
        (NONCE, with_nonce, [each.nonce for each in points]),
        (SUM, with_both, [each.nonce for each in points]),
    ):
        write(row, "x", [x for x, _ in summands])
        write(row, "y", [y for _, y in summands])
        write(row, "slope", [each.slope for each in group])
        write(row, "inverse", [each.inverse for each in group])
        if row != SUM:
            write(row, "r", [signed.r for signed in signatures])


def _sum(left: Affine, right: Affine) -> Sum:
    """left + right for points whose x coordinates differ."""
    across = (right[0] - left[0]) % PRIME
    if across == 0:
        raise ValueError(NO_PROOF)
    inverted = inverse(across)
    slope = (right[1] - left[1]) * inverted % PRIME
    x = (slope * slope - left[0] - right[0]) % PRIME
    return Sum((x, (slope * (right[0] - x) - right[1]) % PRIME), slope, inverted)


def _closing_slopes(table: Felts, count: int) -> list[int]:
    """Slopes of the lines through both ladders' ends. Where they meet, the line to their sum's opposite is the same."""
    names = ("x", "y", "base_x", "base_y")
    ends = [to_ints(table[PLACE[name], CLOSING : ROWS * count : ROWS]) for name in names]
    sum_x, sum_y = sum_of_ends()
    slopes = []
    for x, y, base_x, base_y in zip(*ends, strict=True):
        across, rise = (x - base_x, y - base_y) if x != base_x else (x - sum_x, y + sum_y)
        slopes.append(rise * inverse(across % PRIME) % PRIME)
    return slopes


@kernel
def _climb(starts: Felts, base: Felts, added: Felts, bits: Bits, table: Felts) -> bool:
    """Rows 0 to 251 of every place. `added` holds the four points a step can add, by kind, then by place."""
    count, steps = bits.shape[1], bits.shape[2]
    across, inverses = np.empty((2 * count, 4), np.uint64), np.empty((2 * count, 4), np.uint64)
    for index in range(count):
        at = 256 * index
        store(table[0], at, load(starts, 0))
        store(table[1], at, load(starts, 1))
        store(table[8], at, load(starts, 2))
        store(table[9], at, load(starts, 3))
    for step in range(steps):
        base_x, base_y = load(base, 2 * step), load(base, 2 * step + 1)
        for index in range(count):
            at = 256 * index + step
            kind = bits[0, index, step] + 2 * bits[1, index, step]
            point = 2 * (kind * count + index)
            store(across, index, subtract(load(table[0], at), load(added, point)))
            store(across, count + index, subtract(load(table[8], at), base_x))
        if not _invert_all(across, inverses, 2 * count):
            return False
        for index in range(count):
            at = 256 * index + step
            kind = bits[0, index, step] + 2 * bits[1, index, step]
            point = 2 * (kind * count + index)
            x, inverted = load(table[0], at), load(inverses, index)
            slope = multiply(subtract(load(table[1], at), load(added, point + 1)), inverted)
            store(table[4], at, inverted)
            store(table[2], at, slope)
            between = subtract(subtract(square(slope), x), load(added, point))
            store(across, index, subtract(between, x))
            _step_of_base(table, at, base_x, base_y, load(inverses, count + index), bits[2, index, step])
            for name in range(3):
                _double_up(table[5 + name], at, bits[name, index, step])
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
def _step_of_base(table: Felts, at: int, added_x: Felt, added_y: Felt, inverted: Felt, bit: int) -> None:
    x, y = load(table[8], at), load(table[9], at)
    if not bit:
        store(table[8], at + 1, x)
        store(table[9], at + 1, y)
        return
    slope = multiply(subtract(y, added_y), inverted)
    next_x = subtract(subtract(square(slope), x), added_x)
    store(table[10], at, slope)
    store(table[8], at + 1, next_x)
    store(table[9], at + 1, subtract(multiply(slope, subtract(x, next_x)), y))


@kernel
def _double_up(column: Felts, at: int, bit: int) -> None:
    value = load(column, at)
    doubled = add(value, value)
    store(column, at + 1, add(doubled, ONE) if bit else doubled)


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
