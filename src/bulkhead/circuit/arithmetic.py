"""Arithmetic of programs: bits, choices, comparisons and divisions, each of a few instructions.

Elements stand for signed numbers: a negative one is near the prime. What is compared must be far below half of it; the
widths that make it so are those of `limits`, and stand with each use.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.frame import NOTHING, Frame, Hint, Scaled, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.fixed import FRACTION_BITS, div_floor
from stark.prime import PRIME

NUMBER_BITS = 64
WIDE_BITS = 250  # the most that a number cut into four may have


def signed(value: Value) -> int:
    """The number that an element stands for."""
    element = int(value)
    return element if element <= PRIME // 2 else element - PRIME


def bit(frame: Frame, rule: str, hint: Hint) -> Value:
    """Zero or one, as the prover says."""
    found = frame.given(hint)
    frame.zero_product(rule, found, found, -1, found)
    return found


def flipped(frame: Frame, value: Value) -> Value:
    """One less a bit."""
    return frame.add(frame.one, -1, value)


def either(frame: Frame, which: Value, yes: Value | Scaled, no: Value | Scaled) -> Value:
    """`yes` where the bit is one, else `no`."""
    yes, no = frame.lift(yes), frame.lift(no)
    return frame.multiply(which, yes - no, 1, no)


def is_zero(frame: Frame, rule: str, value: Value) -> Value:
    """A bit: whether the element is zero."""
    inverse = frame.given(lambda: pow(int(value), -1, PRIME) if int(value) else 0)
    is_it = flipped(frame, frame.multiply(value, inverse))
    frame.zero_product(rule, value, is_it)
    return is_it


def nonzero(frame: Frame, rule: str, value: Value) -> None:
    """The element is not zero: it has an inverse."""
    inverse = frame.given(lambda: pow(int(value), -1, PRIME) if int(value) else 0, rule)
    frame.zero_product(rule, value, inverse, -1, frame.one)


def short(frame: Frame, rule: str, value: Value, bits: int) -> None:
    """The value, which other rules keep a whole number from 0 to 2^128, has so many bits, fewer than 64."""
    frame.add(frame.constant(0), 1 << (NUMBER_BITS - bits), value, Flag.NUMBER, rule)


def given_some(frame: Frame, rule: str, hint: Hint, bits: int, least: str) -> Value:
    """A number of so many bits, fewer than 64, as the prover says; `least` is the rule that it is above zero."""
    value = frame.given(hint, rule)
    frame.number(least, value, -1)
    short(frame, rule, value, bits)
    return value


def narrow(frame: Frame, rule: str, value: Value, bits: int) -> None:
    """The value has so many bits, fewer than 64: it stays a number when what is missing is multiplied to it."""
    frame.number(rule, value)
    short(frame, rule, value, bits)


def given_narrow(frame: Frame, rule: str, hint: Hint, bits: int) -> Value:
    """A number of so many bits, as the prover says."""
    value = frame.given(hint, rule, is_number=True)
    if bits < NUMBER_BITS:
        short(frame, rule, value, bits)
    return value


def wide(frame: Frame, rule: str, value: Value, bits: int) -> None:
    """The value is not negative: it has at most `bits` bits, rounded up to whole numbers of 64 (four: 250 bits)."""
    count = div_floor(bits + NUMBER_BITS - 1, NUMBER_BITS)
    if bits > WIDE_BITS:
        raise ValueError(f"{rule}: {bits} bits do not fit below the prime")
    rest: Value = value
    for place in range(count - 1, 0, -1):
        limb = frame.given(_limb(value, place), rule, is_number=True)
        if place == 3:
            frame.add(frame.constant(0), 1 << (4 * NUMBER_BITS - WIDE_BITS), limb, Flag.NUMBER, rule)
        flags = Flag.NUMBER if place == 1 else NOTHING
        rest = frame.add(rest, -(1 << (place * NUMBER_BITS)), limb, flags, rule)
    if count == 1:
        frame.number(rule, value)


def within(frame: Frame, rule: str, value: Value, bits: int) -> None:
    """The value is not negative and has at most so many bits, exactly: more than 64, and no multiple of 64."""
    whole = div_floor(bits, NUMBER_BITS)
    top = frame.given(_limb(value, whole), rule, is_number=True)
    missing = (whole + 1) * NUMBER_BITS - bits
    frame.add(frame.constant(0), 1 << missing, top, Flag.NUMBER, rule)
    wide(frame, rule, value - (1 << (whole * NUMBER_BITS)) * top, whole * NUMBER_BITS)


def _limb(value: Value, place: int) -> Hint:
    return lambda: int(value) >> (place * NUMBER_BITS) & ((1 << NUMBER_BITS) - 1)


def at_most(frame: Frame, rule: str, small: Value, large: Value | Scaled | int, bits: int = NUMBER_BITS) -> None:
    """small <= large, whose difference has so many bits."""
    wide(frame, rule, frame.lift(large) - small, bits)


def is_at_most(frame: Frame, rule: str, small: Value, large: Value, bits: int = NUMBER_BITS) -> Value:
    """A bit: whether small <= large; the difference has so many bits."""
    difference = large - small
    is_it = bit(frame, rule, lambda: int(signed(difference) >= 0))
    way = frame.add(frame.constant(-1 % PRIME), 2, is_it)
    missing = is_it - 1
    wide(frame, rule, frame.multiply(way, difference, 1, missing), bits)  # the difference, or small - large - 1
    return is_it


class Signed(NamedTuple):
    """A signed number by its sign and its size; the sign of zero is free."""

    is_negative: Value
    size: Value


def magnitude(frame: Frame, rule: str, value: Value) -> Signed:
    """Sign and size of a number of at most 64 bits beside its sign."""
    is_negative = bit(frame, rule, lambda: int(signed(value) < 0))
    factor = frame.add(frame.one, -2, is_negative)
    return Signed(is_negative, frame.multiply(factor, value, flags=Flag.NUMBER, rule=rule))


def divided_floor(frame: Frame, rule: str, numerator: Value, denominator: Value, bits: int = NUMBER_BITS) -> Value:
    """floor(numerator / denominator), of so many bits beside its sign; the denominator is a number above zero."""
    quotient = frame.given(lambda: div_floor(signed(numerator), int(denominator)))
    biased = quotient + (1 << bits)
    if bits > NUMBER_BITS:  # rounded up to 192 bits and times a denominator of 64, it could wrap around the prime
        within(frame, rule, biased, bits + 1)
    else:
        wide(frame, rule, biased, bits + 1)  # 128 bits at most, times 64
    remainder = frame.multiply(quotient, denominator, -1, numerator)  # quotient * denominator - numerator, not above 0
    frame.add(frame.constant(0), -1, remainder, Flag.NUMBER, rule)
    frame.number(rule, denominator + remainder, -1)
    return quotient


def shifted_floor(frame: Frame, rule: str, value: Value, bits: int = NUMBER_BITS) -> Value:
    """floor(value / 2**32), of so many bits beside its sign."""
    quotient = frame.given(lambda: signed(value) >> FRACTION_BITS)
    wide(frame, rule, quotient + (1 << bits), bits + 1)
    remainder = frame.add(value, -(1 << FRACTION_BITS), quotient)
    narrow(frame, rule, remainder, FRACTION_BITS)
    return quotient


def shifted_ceil(frame: Frame, rule: str, value: Value, bits: int = NUMBER_BITS) -> Value:
    """ceil(value / 2**32), of so many bits beside its sign."""
    negative = frame.lift(Scaled(-1, value))
    return frame.lift(Scaled(-1, shifted_floor(frame, rule, negative, bits)))


def largest(frame: Frame, rule: str, one: Value, other: Value, bits: int = NUMBER_BITS) -> Value:
    """The larger one; the difference has so many bits."""
    return either(frame, is_at_most(frame, rule, one, other, bits), other, one)


def smallest(frame: Frame, rule: str, one: Value, other: Value, bits: int = NUMBER_BITS) -> Value:
    """The smaller one; the difference has so many bits."""
    return either(frame, is_at_most(frame, rule, one, other, bits), one, other)


def at_least_zero(frame: Frame, rule: str, value: Value, bits: int = NUMBER_BITS) -> Value:
    """The value, or zero where it is below."""
    zero = frame.constant(0)
    return frame.multiply(is_at_most(frame, rule, zero, value, bits), value)


def total(frame: Frame, values: list[Value | Scaled]) -> Value:
    """The sum of some values, at least one."""
    result = frame.lift(values[0])
    for value in values[1:]:
        result = result + value
    return result
