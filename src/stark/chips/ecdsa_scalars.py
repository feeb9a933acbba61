"""The integers that the ECDSA chip shows: a signature's scalars at half their length, and that they are its scalars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stark.chips.ecdsa_rows import BASE, CARRY_OFFSET, HALF_BITS, PART_BITS, POINTS_OF_CHECK, QUOTIENT_OFFSET
from stark.curve import ORDER

HALF = 1 << HALF_BITS


class Scalars(NamedTuple):
    """Of a signature (r, s) of z: r' = k r, s' = k s, z' = k z modulo the order, with s' as V's sign makes it positive.

    `quotient` is that of z' r - r' z by the order, and 2**128; `carries` are those at 0, 1 and -1, and 2**143.
    """

    scaled_r: int
    scaled_s: int
    scaled_z: int
    is_opposite: bool  # whether V is R, not its opposite
    quotient: int
    carries: tuple[int, int, int]


def halves(ratio: int) -> tuple[int, int, bool]:
    """Of s / r modulo the order n: k r, and plus or minus k s, from 1 to the root of n, and whether it is minus.

    Remainders of Euclid's algorithm for n and s / r are multiples of s / r modulo n. The multiplier of each times the
    remainder before it is at most n: so the first remainder below the root has a multiplier below it.
    """
    before, remainder = ORDER, ratio
    multiplier_before, multiplier = 0, 1
    while remainder * remainder >= ORDER:
        times = before // remainder
        before, remainder = remainder, before - times * remainder
        multiplier_before, multiplier = multiplier, multiplier_before - times * multiplier
    return abs(multiplier), remainder, multiplier < 0


def parts(number: int) -> list[int]:
    """A number as a polynomial in 2**96."""
    return [number % BASE, (number >> PART_BITS) % BASE, number >> 2 * PART_BITS]


def split(scaled_z: int) -> list[int]:
    """z' as such a polynomial, cut where its halves are: the lower half has 128 bits."""
    low, high = scaled_z % HALF, scaled_z >> HALF_BITS
    return [low, (high % (1 << 64)) << (HALF_BITS - PART_BITS), high >> 64]


def value_at(polynomial: Sequence[int], point: int) -> int:
    """Its value."""
    return polynomial[0] + point * (polynomial[1] + point * polynomial[2])


def scalars_of(r: int, s: int, z: int) -> Scalars:
    """The scalars of a signature. Nothing is asked of it but that r and s are not zero modulo the order."""
    inverse_r = pow(r, -1, ORDER)
    scaled_r, scaled_s, is_opposite = halves(s * inverse_r % ORDER)
    scaled_z = scaled_r * inverse_r % ORDER * z % ORDER
    quotient, rest = divmod(scaled_z * r - scaled_r * z, ORDER)
    assert rest == 0
    return Scalars(
        scaled_r, scaled_s, scaled_z, is_opposite, quotient + QUOTIENT_OFFSET,
        carries_of(r, z, scaled_r, scaled_z, quotient + QUOTIENT_OFFSET),
    )  # fmt: skip


def carries_of(r: int, z: int, scaled_r: int, scaled_z: int, quotient: int) -> tuple[int, int, int]:
    """The quotients by 2**96 - x of the polynomial that is zero at 2**96; any, rounded down, where it is not."""
    offset = [0, QUOTIENT_OFFSET >> PART_BITS, 0]
    found = []
    for point in POINTS_OF_CHECK[:3]:
        value = scaled_r * value_at(parts(z), point) - value_at(split(scaled_z), point) * value_at(parts(r), point)
        value += (value_at(parts(quotient), point) - value_at(offset, point)) * value_at(parts(ORDER), point)
        found.append(value // (BASE - point) + CARRY_OFFSET)
    return found[0], found[1], found[2]
