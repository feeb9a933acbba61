"""Fixed-point arithmetic: the only module that divides. Every function names its rounding.

Bare `//` is -4 for -7/2 in Python and -3 in Vyper and JavaScript, so no other module may use it.
"""

from __future__ import annotations

from bulkhead.units import BookPrice, Fraction, FundingIndex, Price, Quote, Requirement, Size, TimeMs, Worth

FRACTION_BITS = 32
ONE = Fraction(1 << FRACTION_BITS)
"""The whole, as a Fraction."""
BASIS_POINT = Fraction((1 << FRACTION_BITS) // 10_000)
"""One ten-thousandth, floored to 32 fraction bits (it errs low by less than 2^-32)."""


def basis_points(count: int) -> Fraction:
    """Ten-thousandths as a Fraction, rounded up: a requirement or a fee never errs low."""
    return fraction(count, 10_000)


def div_floor(numerator: int, denominator: int) -> int:
    """numerator / denominator, toward minus infinity."""
    return numerator // denominator


def div_ceil(numerator: int, denominator: int) -> int:
    """numerator / denominator, toward plus infinity."""
    return -(-numerator // denominator)


def mul_div_floor(left: int, right: int, denominator: int) -> int:
    """left * right / denominator with the product exact, toward minus infinity."""
    return left * right // denominator


def mul_div_ceil(left: int, right: int, denominator: int) -> int:
    """left * right / denominator with the product exact, toward plus infinity."""
    return -(-left * right // denominator)


def remainder(numerator: int, denominator: int) -> int:
    """What `div_floor` leaves over: 0 ≤ remainder < denominator for a positive denominator."""
    return numerator % denominator


def mean_floor(values: list[int]) -> int:
    """Arithmetic mean toward minus infinity. The list must not be empty."""
    return sum(values) // len(values)


def fraction(numerator: int, denominator: int) -> Fraction:
    """numerator / denominator as a Fraction, toward plus infinity: a requirement or a fee never errs low."""
    return Fraction(-(-(numerator << FRACTION_BITS) // denominator))


def percent(hundredths: int) -> Fraction:
    """Hundredths as a Fraction, rounded up."""
    return fraction(hundredths, 100)


def worth(amount: Quote) -> Worth:
    """An amount with 32 fraction bits, exact."""
    return Worth(int(amount) << FRACTION_BITS)


def requirement(amount: Worth) -> Requirement:
    """A worth with 64 fraction bits, exact."""
    return Requirement(int(amount) << FRACTION_BITS)


def quote_floor(amount: Worth) -> Quote:
    """A worth paid to somebody: toward minus infinity."""
    return Quote(int(amount) >> FRACTION_BITS)


def quote_ceil(amount: Worth) -> Quote:
    """A worth asked of somebody: toward plus infinity."""
    return Quote(-(-int(amount) >> FRACTION_BITS))


def worth_ceil(amount: Requirement) -> Worth:
    """A requirement with 32 of its 64 fraction bits, toward plus infinity."""
    return Worth(-(-int(amount) >> FRACTION_BITS))


def requirement_quote_ceil(amount: Requirement) -> Quote:
    """A requirement in whole quote, toward plus infinity."""
    return Quote(-(-int(amount) >> (2 * FRACTION_BITS)))


def requirement_quote_floor(amount: Requirement) -> Quote:
    """A requirement in whole quote, toward minus infinity."""
    return Quote(int(amount) >> (2 * FRACTION_BITS))


def share_floor(amount: Quote, share: Fraction) -> Quote:
    """amount * share, toward minus infinity."""
    return Quote(int(amount) * int(share) >> FRACTION_BITS)


def share_ceil(amount: Quote, share: Fraction) -> Quote:
    """amount * share, toward plus infinity."""
    return Quote(-(-int(amount) * int(share) >> FRACTION_BITS))


def requirement_share_floor(amount: Requirement, share: Fraction) -> Requirement:
    """amount * share, toward minus infinity."""
    return Requirement(int(amount) * int(share) >> FRACTION_BITS)


def requirement_share_ceil(amount: Requirement, share: Fraction) -> Requirement:
    """amount * share, toward plus infinity."""
    return Requirement(-(-int(amount) * int(share) >> FRACTION_BITS))


def worth_share_floor(amount: Worth, share: Fraction) -> Worth:
    """amount * share, toward minus infinity."""
    return Worth(int(amount) * int(share) >> FRACTION_BITS)


def fraction_mul_ceil(left: Fraction, right: Fraction) -> Fraction:
    """left * right, toward plus infinity."""
    return Fraction(-(-int(left) * int(right) >> FRACTION_BITS))


def price_share_floor(price: Price, share: Fraction) -> Price:
    """price * share, toward minus infinity."""
    return Price(int(price) * int(share) >> FRACTION_BITS)


def price_share_ceil(price: Price, share: Fraction) -> Price:
    """price * share, toward plus infinity."""
    return Price(-(-int(price) * int(share) >> FRACTION_BITS))


def ratio_floor(numerator: int, denominator: int) -> Fraction:
    """numerator / denominator as a Fraction, toward minus infinity; both in the same unit."""
    return Fraction((numerator << FRACTION_BITS) // denominator)


def ratio_ceil(numerator: int, denominator: int) -> Fraction:
    """numerator / denominator as a Fraction, toward plus infinity; both in the same unit."""
    return Fraction(-(-(numerator << FRACTION_BITS) // denominator))


def book_price_floor(price: Price) -> BookPrice:
    """The highest book price not above an index price."""
    return BookPrice(int(price) >> FRACTION_BITS)


def book_price_ceil(price: Price) -> BookPrice:
    """The lowest book price not below an index price."""
    return BookPrice(-(-int(price) >> FRACTION_BITS))


def index_price(price: BookPrice) -> Price:
    """A book price with 32 fraction bits, exact."""
    return Price(int(price) << FRACTION_BITS)


def part_floor(amount: int, part: Size, whole: Size) -> int:
    """amount * part / whole, toward minus infinity: what a part of a position takes along."""
    return amount * int(part) // int(whole)


def index_step(price: Price, rate: Fraction) -> FundingIndex:
    """The rise of a funding index for one payment at `rate`, toward minus infinity."""
    return FundingIndex(int(price) * int(rate) >> FRACTION_BITS)


def minutes_floor(span_ms: int) -> int:
    """Whole minutes in a span of milliseconds."""
    return span_ms // 60_000


def seconds_floor(time_ms: TimeMs) -> int:
    """Whole seconds since the epoch."""
    return time_ms // 1000
