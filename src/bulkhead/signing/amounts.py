"""From decimals to the integers that are signed: exact, and rounded as the wire's client libraries round.

A buyer gives at most and a seller takes at least what the decimals say: BUY base and quote are rounded away from
zero, SELL base and quote toward zero, the fee (a maximum) up.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bulkhead.fixed import div_ceil, div_floor, remainder
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.signing.ranges import AMOUNT_LIMIT, WORD_LIMIT, SigningError, check

DIGITS_MAX = 40
EXPONENT_MAX = 40
_DECIMAL = re.compile(r"(?P<whole>[0-9]+)(\.(?P<part>[0-9]+))?([eE](?P<exponent>[+-]?[0-9]{1,3}))?")


class Exact(NamedTuple):
    """A non-negative rational number; the denominator is positive."""

    numerator: int
    denominator: int


class OrderTerms(NamedTuple):
    """An order as its JSON body states it. Resolutions: smallest units in one unit of base and of quote."""

    is_buy: bool
    quantity: Exact
    price: Exact
    fee_rate: Exact
    builder_fee_rate: Exact
    base_resolution: int
    quote_resolution: int


class OrderAmounts(NamedTuple):
    """Signed amounts of an order in smallest units: buy (base > 0, quote < 0), sell (base < 0, quote > 0)."""

    base_amount: int
    quote_amount: int
    fee_amount: int


def exact(text: str) -> Exact:
    """A decimal such as "0.01234" or "1E-7", exactly. Signs, NaN, infinities and endless digits are refused."""
    if len(text) > 3 * DIGITS_MAX:
        raise SigningError(f"a number of {len(text)} characters is too long")
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise SigningError(f"{text!r} is not a non-negative decimal number")
    digits = match["whole"] + (match["part"] or "")
    exponent = int(match["exponent"] or "0") - len(match["part"] or "")
    if len(digits) > DIGITS_MAX or abs(exponent) > EXPONENT_MAX:
        raise SigningError(f"{text!r} needs more than {DIGITS_MAX} digits")
    if exponent >= 0:
        return Exact(int(digits) * 10**exponent, 1)
    return Exact(int(digits), 10**-exponent)


def order_amounts(terms: OrderTerms) -> OrderAmounts:
    """The three integers an order signs; SigningError where one exceeds the wire's 64 bits."""
    check("base resolution", terms.base_resolution, 1, WORD_LIMIT)
    check("quote resolution", terms.quote_resolution, 1, WORD_LIMIT)
    quantity, price, fee, builder = terms.quantity, terms.price, terms.fee_rate, terms.builder_fee_rate
    base_over = quantity.numerator * terms.base_resolution
    quote_over = quantity.numerator * price.numerator * terms.quote_resolution
    quote_under = quantity.denominator * price.denominator
    rate_over = fee.numerator * builder.denominator + builder.numerator * fee.denominator
    fee_amount = div_ceil(quote_over * rate_over, quote_under * fee.denominator * builder.denominator)
    if terms.is_buy:
        base = div_ceil(base_over, quantity.denominator)
        quote = -div_ceil(quote_over, quote_under)
    else:
        base = -div_floor(base_over, quantity.denominator)
        quote = div_floor(quote_over, quote_under)
    check("base amount", base, -AMOUNT_LIMIT, AMOUNT_LIMIT)
    check("quote amount", quote, -AMOUNT_LIMIT, AMOUNT_LIMIT)
    check("fee amount", fee_amount, 0, WORD_LIMIT)
    return OrderAmounts(base, quote, fee_amount)


def whole_amount(value: Exact, resolution: int) -> int:
    """value · resolution of a transfer or withdrawal, which must be a whole number of smallest units."""
    check("resolution", resolution, 1, WORD_LIMIT)
    over = value.numerator * resolution
    if remainder(over, value.denominator) != 0:
        raise SigningError(f"the amount is not a whole number of 1/{resolution}")
    amount = div_floor(over, value.denominator)
    check("amount", amount, 0, WORD_LIMIT)
    return amount


def signed_expiration_s(expiry_ms: int) -> int:
    """The expiration an order signs: its expiry in the book, rounded up to seconds, and fourteen days."""
    check("expiry", expiry_ms, 0, WORD_LIMIT)
    return div_ceil(expiry_ms, 1000) + EXPIRY_GRACE_S


def book_expiry_s(expiration_s: int) -> int:
    """When an order that signed this expiration leaves the book: fourteen days before."""
    return expiration_s - EXPIRY_GRACE_S
