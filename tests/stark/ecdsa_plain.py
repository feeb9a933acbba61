"""The slow twin of `stark.chips.ecdsa_side`: what stands beside a signature's ladder, in plain integers, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
from stark.chips.ecdsa_scalars import HALF, Scalars, parts, split, value_at
from stark.chips.ranges import LIMB_BITS
from stark.ecdsa import Signed
from stark.prime import PRIME, inverse

SIDE = 3  # columns
NO_PROOF = "two points of a signature are opposite: it was made to have no proof"


class Points(NamedTuple):
    """With r key + s nonce + message G = 0: the key's point and the opposite of the signer's."""

    key: Affine
    nonce: Affine


class Sums(NamedTuple):
    """Points by their rows, with the slopes of the lines that lead on, and the slope from A + Q to V."""

    points: dict[int, Affine]
    slopes: dict[int, int]
    across: int


def inverses(values: Sequence[int]) -> list[int]:
    """Inverses of field elements with one inversion (Montgomery); ValueError if one is zero."""
    running, products = 1, []
    for value in values:
        products.append(running)
        running = running * value % PRIME
    if running == 0:
        raise ValueError(NO_PROOF)
    rest, found = inverse(running), [0] * len(values)
    for place in range(len(values) - 1, -1, -1):
        found[place] = rest * products[place] % PRIME
        rest = rest * values[place] % PRIME
    return found


def sum_by(slope: int, left: Affine, right: Affine) -> Affine:
    """The sum of two points by the slope of the line through them."""
    x = (slope * slope - left[0] - right[0]) % PRIME
    return x, (slope * (left[0] - x) - left[1]) % PRIME


def slopes_of(pairs: Sequence[tuple[Affine, Affine]]) -> list[int]:
    """Of the line through each two points, the tangent where they are one; ValueError for opposite ones."""
    over, under = [], []
    for (x, y), (other_x, other_y) in pairs:
        if x == other_x and y == other_y:
            over.append(3 * x * x + 1)
            under.append(2 * y % PRIME)
        else:
            over.append(y - other_y)
            under.append((x - other_x) % PRIME)
    return [above * below % PRIME for above, below in zip(over, inverses(under), strict=True)]


def meeting(row: int) -> Affine:
    """The constant on the line of a row's point."""
    constant = added_to(row)
    assert constant is not None, f"row {row} has no point"
    return constant


def sums_of(many: Sequence[Points]) -> list[Sums]:
    """The points of each signature, all signatures together: six inversions."""
    found = [
        Sums({KEY: each.key, KEY_AGAIN: each.key, NONCE: each.nonce, NONCE_AGAIN: each.nonce}, {}, 0) for each in many
    ]
    _lead(found, [KEY, NONCE], [KEY_MOVED, NONCE_AGAIN + 1])
    across = slopes_of([(each.points[KEY_MOVED], each.points[NONCE]) for each in found])
    found = [each._replace(across=slope) for each, slope in zip(found, across, strict=True)]
    for each in found:
        each.points[BOTH] = sum_by(each.across, each.points[KEY_MOVED], each.points[NONCE])
        each.points[KEY_AGAIN + 1] = each.points[KEY_MOVED]
        each.slopes.update({KEY_AGAIN: each.slopes[KEY], NONCE_AGAIN: each.slopes[NONCE]})
    rows = [BOTH, KEY_AGAIN + 1, NONCE_AGAIN + 1]
    for place in range(GROUP_SIZE):
        following = [row + place + 1 for row in rows] if place < GROUP_SIZE - 1 else [None] * len(rows)
        _lead(found, [row + place for row in rows], following)
    for each in found:
        each.slopes[KEY_MOVED] = each.slopes[KEY_AGAIN + 1]
        each.points.update(CONSTANT_SUMS.points)
        each.slopes.update(CONSTANT_SUMS.slopes)
    return found


def _lead(found: Sequence[Sums], rows: Sequence[int], following: Sequence[int | None]) -> None:
    """The slopes of rows, and the points they lead to."""
    slopes = iter(slopes_of([(each.points[row], meeting(row)) for each in found for row in rows]))
    for each in found:
        for row, after in zip(rows, following, strict=True):
            slope = each.slopes[row] = next(slopes)
            if after is not None:
                each.points[after] = sum_by(slope, each.points[row], meeting(row))


def _constant_sums() -> Sums:
    found = Sums({CONSTANTS: OFFSET}, {}, 0)
    for row in range(CONSTANTS, LAST_POINT + 1):
        _lead([found], [row], [row + 1 if row < LAST_POINT else None])
    return found


CONSTANT_SUMS = _constant_sums()


def copies_of(scalars: Scalars) -> list[list[int]]:
    """How many copies of each point the steps take, group by group."""
    full = (1 << ROWS) - 1
    r, s, (base, high) = scalars.scaled_r, scalars.scaled_s, (scalars.scaled_z % HALF, scalars.scaled_z >> HALF_BITS)
    return [
        [group & ~base & ~high, group & base & ~high, group & base & high, group & ~base & high]
        for group in (s & ~r, s & r, r & ~s, full & ~(r | s))
    ]


class Side:
    """The cells of a signature's rows beside the ladder, (row, column), and the limbs asked for."""

    def __init__(self, signed: Signed, scalars: Scalars):
        self.cells = [0] * (SIDE * ROWS)
        self.limbs: list[int] = []
        self.signed, self.scalars = signed, scalars

    def write(self, row: int, *values: int) -> None:
        """The first cells of a row."""
        self.cells[SIDE * row : SIDE * row + len(values)] = [value % PRIME for value in values]

    def chain(self, column: int, end: int, count: int, number: int) -> None:
        """A number limb by limb, the highest first, whole in row `end`."""
        for place in range(count):
            state = number >> LIMB_BITS * (count - 1 - place)
            self.cells[SIDE * (end - count + 1 + place) + column] = state
            self.limbs.append(state % (1 << LIMB_BITS))


def side_of(signed: Signed, scalars: Scalars, sums: Sums, inverse_s: int, copies: list[list[int]]) -> Side:
    """All cells but for how often the signature is lent; `inverse_s` is that of s' in the field."""
    side = Side(signed, scalars)
    _limbs(side)
    _products(side)
    _sums(side, copies, inverse_s)
    _points(side, sums, copies)
    return side


def _limbs(side: Side) -> None:
    (r, z), (scaled_r, _, scaled_z, _, quotient, carries) = (side.signed.r, side.signed.message), side.scalars
    for column, number in enumerate((z, r, quotient)):
        for end, count, part in zip(LONG_ENDS, LONG_LIMBS, reversed(parts(number)), strict=True):
            side.chain(column, end, count, part)
    for column, end, number in (
        (0, MIDDLE, scaled_z >> HALF_BITS), (1, MIDDLE, scaled_r), (2, MIDDLE, carries[1]),
        (0, LOWER, scaled_z % HALF), (2, LOWER, carries[0]), (2, LEAST, carries[2]),
    ):  # fmt: skip
        side.chain(column, end, SHORT_LIMBS, number)
    for row in range(MIDDLE, LEAST):
        side.cells[SIDE * (row + 1) + 1] = scaled_r
    highest = [number >> (256 - LIMB_BITS) for number in (z, r)]
    side.write(TOP_AGAIN, highest[1])
    side.limbs += [each << TOP_BITS for each in highest]


def _products(side: Side) -> None:
    (r, z), (scaled_r, _, scaled_z, _, quotient, carries) = (side.signed.r, side.signed.message), side.scalars
    low, high = scaled_z % HALF, scaled_z >> HALF_BITS
    known = zip(BLOCKS, VALUES, POINTS_OF_CHECK, (*carries, carries[0]), strict=True)
    polynomials = [parts(number) for number in (z, r, quotient)]
    for start, row, point, carry in known:
        values = [0] * SIDE
        for place in range(SIDE):  # the value of the highest part, of the two highest, and of all
            values = [value * point + part[2 - place] for value, part in zip(values, polynomials, strict=True)]
            side.write(start + place, *values)
        for following in range(start + SIDE, row + 1):
            side.write(following, *values)
        side.write(row + 1, value_at(split(scaled_z), point), scaled_r, carry)
        side.write(row + 2, low, high, high >> 64)


def _sums(side: Side, copies: list[list[int]], inverse_s: int) -> None:
    with_nonce, with_both = sum(copies[0]), sum(copies[1])
    side.write(WEIGHT, with_nonce + with_both, inverse_s, with_both)
    base, high, every = 0, 0, -with_nonce
    for start, group in zip(GROUPS, copies, strict=True):
        for place, count in enumerate(group):
            side.write(start + place, base, high, every)
            base, high = base + count * (place in (1, 2)), high + count * (place in (2, 3))
            every += count
        if start + GROUP_SIZE in (SHARE, RATIO):
            side.write(start + GROUP_SIZE, base, high, every)
    side.write(TOTALS, base, high, every)
    for row in range(TOTALS + 1, SPLIT + 1):
        side.write(row, base, high, high >> 64)


def _points(side: Side, sums: Sums, copies: list[list[int]]) -> None:
    for row, (x, _) in sums.points.items():
        side.write(row, x, sums.slopes[row])
    side.write(KEY, sums.points[KEY][0], sums.slopes[KEY], side.signed.message)
    side.cells[SIDE * KEY_MOVED + 2] = sums.points[BOTH][0]
    side.cells[SIDE * NONCE + 2] = sums.across
    for first, group in zip(POINTS, copies, strict=True):
        for place, count in enumerate(group):
            side.cells[SIDE * (first + place) + 2] = count
