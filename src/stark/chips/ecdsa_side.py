"""What stands beside the ladders of signatures: limbs, products, sums and points, for many signatures at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.chips.ecdsa_rows import (
    BLOCKS,
    BOTH,
    CONSTANTS,
    GROUP_SIZE,
    GROUPS,
    HALF_BITS,
    KEY,
    KEY_AGAIN,
    KEY_MOVED,
    LAST_POINT,
    LEAST,
    LONG_ENDS,
    LONG_LIMBS,
    LOWER,
    MIDDLE,
    NONCE,
    NONCE_AGAIN,
    OFFSET,
    PART_BITS,
    POINTS,
    POINTS_OF_CHECK,
    RATIO,
    ROWS,
    SHARE,
    SHORT_LIMBS,
    SPLIT,
    TOP_AGAIN,
    TOP_BITS,
    TOTALS,
    VALUES,
    WEIGHT,
    Affine,
    added_to,
)
from stark.chips.ecdsa_scalars import HALF, Scalars
from stark.chips.ranges import LIMB_BITS
from stark.ecdsa import Signed
from stark.field import (
    ONE,
    RADIX,
    RADIX_SQUARED,
    ZERO,
    Felts,
    add,
    from_ints,
    invert,
    limbs_of,
    load,
    multiply,
    plain_from_ints,
    square,
    store,
    subtract,
)
from stark.kernels import Felt, kernel
from stark.prime import PRIME

SIDE = 3  # columns
NO_PROOF = "two points of a signature are opposite: it was made to have no proof"
LIMBS = 3 * sum(LONG_LIMBS) + 6 * SHORT_LIMBS + 2  # that a signature asks for
Places = NDArray[np.int64]


class Points(NamedTuple):
    """With r key + s nonce + message G = 0: the key's point and the opposite of the signer's."""

    key: Affine
    nonce: Affine


@kernel
def invert_all(values: Felts, inverses: Felts, count: int) -> bool:
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


# --- points -----------------------------------------------------------------------------------------------------------

# Of each signature x, y and slope of every row of points, by its place; and the slope from A + Q to V.
DERIVED = 3 * (LAST_POINT + 1 - KEY) + 1
ACROSS = DERIVED - 1


def place_of(row: int) -> int:
    """Where a row's point stands among what is derived of a signature; its slope is two places further."""
    return 3 * (row - KEY)


def _lines() -> tuple[list[Places], Felts]:
    """Lines in the order in which they can be drawn, those of one array together; and the constant points.

    A line: the place of a point, that of another (or, if negative, of a constant, counted from -1), where the slope
    goes, and where the sum of both goes (-1: nowhere).
    """
    constants = [each for row in range(KEY, LAST_POINT + 1) for each in (added_to(row) or OFFSET)]

    def line(row: int, following: int | None) -> list[int]:
        return [place_of(row), KEY - row - 1, place_of(row) + 2, -1 if following is None else place_of(following)]

    drawn = [[line(KEY, KEY_MOVED), line(NONCE, NONCE_AGAIN + 1)]]
    drawn.append([[place_of(KEY_MOVED), place_of(NONCE), ACROSS, place_of(BOTH)]])
    for place in range(GROUP_SIZE):
        rows = [first + place for first in (BOTH, KEY_AGAIN + 1, NONCE_AGAIN + 1)]
        drawn.append([line(row, row + 1 if place < GROUP_SIZE - 1 else None) for row in rows])
    return [np.array(each, np.int64) for each in drawn], from_ints(constants)


def derived_of(many: Sequence[Points]) -> Felts:
    """All that follows from the points of signatures, (signatures * DERIVED, 4). ValueError for opposite points."""
    lines, constants = _lines()
    found = np.zeros((len(many) * DERIVED, 4), np.uint64)
    every = found.reshape(len(many), DERIVED, 4)
    given = from_ints([value for each in many for point in each for value in point]).reshape(-1, 4, 4)
    every[:, place_of(KEY) : place_of(KEY) + 2] = given[:, :2]
    every[:, place_of(NONCE) : place_of(NONCE) + 2] = given[:, 2:]
    every[:, place_of(CONSTANTS) : ACROSS] = _constant_points(constants)
    for step, drawn in enumerate(lines):
        if not _draw(found, DERIVED, drawn, constants):
            raise ValueError(NO_PROOF)
        if step == 0:
            for row, again in ((KEY, KEY_AGAIN), (NONCE, NONCE_AGAIN), (KEY_MOVED, KEY_AGAIN + 1)):
                every[:, place_of(again) : place_of(again) + 3] = every[:, place_of(row) : place_of(row) + 3]
    every[:, place_of(KEY_MOVED) + 2] = every[:, place_of(KEY_AGAIN + 1) + 2]
    return found


def _constant_points(constants: Felts) -> Felts:
    """The points without Q and V: equal for all signatures."""
    found = np.zeros((DERIVED, 4), np.uint64)
    first = place_of(CONSTANTS)
    found[first : first + 2] = from_ints(list(OFFSET))
    for row in range(CONSTANTS, LAST_POINT + 1):
        leads = place_of(row + 1) if row < LAST_POINT else -1
        drawn = np.array([[place_of(row), KEY - row - 1, place_of(row) + 2, leads]], np.int64)
        assert _draw(found, DERIVED, drawn, constants), "constants were chosen whose sums are not infinity"
    return found[first:ACROSS]


@kernel
def _draw(found: Felts, size: int, lines: Places, constants: Felts) -> bool:
    """The slopes of some lines of every signature, tangents where both points are one; and the sums of their points.

    Of each signature there are so many places. False where points are opposite.
    """
    count = len(found) // size * len(lines)
    over, under = np.empty((count, 4), np.uint64), np.empty((count, 4), np.uint64)
    inverses = np.empty((count, 4), np.uint64)
    for number in range(count):
        first, other = number // len(lines) * size, lines[number % len(lines), 1]
        at = first + lines[number % len(lines), 0]
        x, y = load(found, at), load(found, at + 1)
        if other < 0:
            other_x, other_y = load(constants, 2 * (-1 - other)), load(constants, 2 * (-1 - other) + 1)
        else:
            other_x, other_y = load(found, first + other), load(found, first + other + 1)
        if x == other_x and y == other_y:
            squared = square(x)
            store(over, number, add(add(add(squared, squared), squared), ONE))
            store(under, number, add(y, y))
        else:
            store(over, number, subtract(y, other_y))
            store(under, number, subtract(x, other_x))
    if not invert_all(under, inverses, count):
        return False
    for number in range(count):
        first, line = number // len(lines) * size, number % len(lines)
        at, other, after = first + lines[line, 0], lines[line, 1], lines[line, 3]
        slope = multiply(load(over, number), load(inverses, number))
        store(found, first + lines[line, 2], slope)
        if after >= 0:
            x, y = load(found, at), load(found, at + 1)
            other_x = load(constants, 2 * (-1 - other)) if other < 0 else load(found, first + other)
            total = subtract(subtract(square(slope), x), other_x)
            store(found, first + after, total)
            store(found, first + after + 1, subtract(multiply(slope, subtract(x, total)), y))
    return True


# --- cells ------------------------------------------------------------------------------------------------------------

# The numbers of a signature that cells are made of, in this order.
MESSAGE, NONCE_X, QUOTIENT, SCALED_R, SCALED_S, LOW, HIGH, CARRY = range(8)
NUMBERS = 10  # with three carries
SHORTS = (  # column, last row and number of what is cut into SHORT_LIMBS
    (0, MIDDLE, HIGH), (1, MIDDLE, SCALED_R), (2, MIDDLE, CARRY + 1),
    (0, LOWER, LOW), (2, LOWER, CARRY), (2, LEAST, CARRY + 2),
)  # fmt: skip
CARRIES_OF = (CARRY, CARRY + 1, CARRY + 2, CARRY)  # by the point of check
_SHIFTED = limbs_of((1 << HALF_BITS - PART_BITS) * RADIX % PRIME)
_CHECKED = tuple(limbs_of(point * RADIX % PRIME) for point in POINTS_OF_CHECK)
_BOTH, _LAST = place_of(BOTH), LAST_POINT + 1


def numbers_of(signatures: Sequence[Signed], scalars: Sequence[Scalars]) -> Felts:
    """What cells are made of, NUMBERS plain values a signature."""
    return plain_from_ints([
        number
        for signed, (scaled_r, scaled_s, scaled_z, _, quotient, carries) in zip(signatures, scalars, strict=True)
        for number in (
            signed.message, signed.r, quotient, scaled_r, scaled_s, scaled_z % HALF, scaled_z >> HALF_BITS, *carries,
        )
    ])  # fmt: skip


@kernel
def _cut(number: Felt, low: int, bits: int) -> Felt:
    """So many bits of a plain number, from the bit `low` on."""
    shift, first = np.uint64(low & 63), low >> 6
    found = ZERO
    for place in range(4):
        rest = bits - 64 * place
        part: Any = ZERO[0]
        if rest > 0 and first + place < 4:
            part = number[first + place] >> shift
            if shift > 0 and first + place < 3:
                part |= number[first + place + 1] << np.uint64(64) - shift
            if rest < 64:
                part &= (np.uint64(1) << np.uint64(rest)) - np.uint64(1)
        found = (found[1], found[2], found[3], part)
    return found


@kernel
def _element(plain: Felt) -> Felt:
    """A plain value below the prime as an element."""
    return multiply(plain, RADIX_SQUARED)


@kernel
def _chain(number: Felt, low: int, column: Felts, end: int, limbs: NDArray[np.uint64]) -> None:
    """Bits of a number from `low` on, limb by limb, the highest first, whole in row `end`."""
    count = len(limbs)
    for place in range(count):
        state = _cut(number, low + LIMB_BITS * (count - 1 - place), LIMB_BITS * (place + 1))
        store(column, end - count + 1 + place, _element(state))
        limbs[place] = state[0] & np.uint64((1 << LIMB_BITS) - 1)


@kernel
def _limbs(numbers: Felts, side: Felts, base: int, limbs: NDArray[np.uint64]) -> None:
    asked = 0
    for column in range(SIDE):  # z, r and the quotient
        for part in range(3):
            count = LONG_LIMBS[part]
            low = PART_BITS * (2 - part)
            _chain(load(numbers, column), low, side[column], base + LONG_ENDS[part], limbs[asked : asked + count])
            asked += count
    for column, end, number in SHORTS:
        _chain(load(numbers, number), 0, side[column], base + end, limbs[asked : asked + SHORT_LIMBS])
        asked += SHORT_LIMBS
    scaled_r = _element(load(numbers, SCALED_R))
    for row in range(MIDDLE, LEAST):
        store(side[1], base + row + 1, scaled_r)
    for number in (MESSAGE, NONCE_X):
        limbs[asked] = load(numbers, number)[3] >> np.uint64(64 - LIMB_BITS) << np.uint64(TOP_BITS)
        asked += 1
    store(side[0], base + TOP_AGAIN, _element(_cut(load(numbers, NONCE_X), 256 - LIMB_BITS, LIMB_BITS)))


@kernel
def _products(numbers: Felts, side: Felts, base: int) -> None:
    scaled_r, low = _element(load(numbers, SCALED_R)), _element(load(numbers, LOW))
    high, above = _element(load(numbers, HIGH)), _element(_cut(load(numbers, HIGH), 64, 64))
    middle = multiply(_element(_cut(load(numbers, HIGH), 0, 64)), _SHIFTED)  # z' in powers of 2**96, but for its cut
    for check in range(4):
        point, start, row = _CHECKED[check], base + BLOCKS[check], base + VALUES[check]
        for column in range(SIDE):
            number, value = load(numbers, column), ZERO
            for place in range(3):  # the value of the highest part, of the two highest, and of all
                part = _cut(number, PART_BITS * (2 - place), PART_BITS)
                value = add(multiply(value, point), _element(part))
                store(side[column], start + place, value)
            for following in range(start + 3, row + 1):
                store(side[column], following, value)
        store(side[0], row + 1, add(low, multiply(point, add(middle, multiply(point, above)))))
        store(side[1], row + 1, scaled_r)
        store(side[2], row + 1, _element(load(numbers, CARRIES_OF[check])))
        store(side[0], row + 2, low)
        store(side[1], row + 2, high)
        store(side[2], row + 2, above)


@kernel
def _sums(numbers: Felts, inverse: Felt, side: Felts, base: int) -> None:
    """How many copies of each point the steps take, group by group, and what they add up to."""
    r, s, low, high = load(numbers, SCALED_R), load(numbers, SCALED_S), load(numbers, LOW), load(numbers, HIGH)
    with_both = _element((r[0] & s[0], r[1] & s[1], ZERO[0], ZERO[0]))
    with_nonce = subtract(_element(s), with_both)
    store(side[0], base + WEIGHT, _element(s))
    store(side[1], base + WEIGHT, inverse)
    store(side[2], base + WEIGHT, with_both)
    low_sum, high_sum, every = ZERO, ZERO, subtract(ZERO, with_nonce)
    for group in range(4):  # with V, with both, with Q, with neither
        is_r, is_s = group in (1, 2), group in (0, 1)
        for place in range(GROUP_SIZE):
            has_low, has_high = place in (1, 2), place in (2, 3)
            row, count = base + GROUPS[group] + place, ZERO
            for limb in range(1, -1, -1):
                one = r[limb] if is_r else ~r[limb]
                one &= s[limb] if is_s else ~s[limb]
                one &= low[limb] if has_low else ~low[limb]
                one &= high[limb] if has_high else ~high[limb]
                count = (one, count[0], count[1], count[2])
            taken = _element(count)
            store(side[0], row, low_sum)
            store(side[1], row, high_sum)
            store(side[2], row, every)
            store(side[2], base + POINTS[group] + place, taken)
            low_sum = add(low_sum, taken) if has_low else low_sum
            high_sum = add(high_sum, taken) if has_high else high_sum
            every = add(every, taken)
        row = base + GROUPS[group] + GROUP_SIZE
        if row - base == SHARE or row - base == RATIO or row - base == TOTALS:
            store(side[0], row, low_sum)
            store(side[1], row, high_sum)
            store(side[2], row, every)
    for row in range(base + TOTALS + 1, base + SPLIT + 1):
        store(side[0], row, low_sum)
        store(side[1], row, high_sum)
        store(side[2], row, _element(_cut(high, 64, 64)))


@kernel
def fill_side(
    numbers: Felts, inverses: Felts, derived: Felts, side: Felts, limbs: NDArray[np.uint64], start: int, stop: int
) -> None:
    """All cells of some signatures but for how often they are lent, and the limbs that they ask for."""
    for index in range(start, stop):
        own, base = numbers[NUMBERS * index : NUMBERS * (index + 1)], ROWS * index
        _limbs(own, side, base, limbs[index])
        _products(own, side, base)
        _sums(own, load(inverses, index), side, base)
        at = DERIVED * index
        for row in range(KEY, _LAST):
            store(side[0], base + row, load(derived, at + 3 * (row - KEY)))
            store(side[1], base + row, load(derived, at + 3 * (row - KEY) + 2))
        store(side[2], base + KEY, _element(load(own, MESSAGE)))
        store(side[2], base + KEY_MOVED, load(derived, at + _BOTH))
        store(side[2], base + NONCE, load(derived, at + ACROSS))
