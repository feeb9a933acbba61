"""From bodies to signed messages: hexadecimals, amounts, and the orders that a client signed."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.api import errors
from bulkhead.api.bodies import LegBody, NewOrder, Settlement, SignatureBody
from bulkhead.api.errors import ApiError, bad
from bulkhead.api.numbers import Wire, decimal
from bulkhead.ledger.tx import Order
from bulkhead.limits import FIELD_PRIME
from bulkhead.signing import (
    Exact,
    OrderAmounts,
    OrderTerms,
    Signature,
    SigningError,
    order_amounts,
    signed_expiration_s,
)
from bulkhead.units import AccountId, Felt, Quote, Size, TimeS

NOTHING = Exact(0, 1)
SCALAR_LIMIT = 1 << 256


def felt(text: str, name: str, limit: int = FIELD_PRIME) -> int:
    """A hexadecimal with 0x, padded or not."""
    try:
        if not text.startswith(("0x", "0X")) or "_" in text:
            raise ValueError
        value = int(text, 16)
    except ValueError as error:
        raise bad(f"{name}: a hexadecimal number with 0x is expected") from error
    if not 0 <= value < limit:
        raise bad(f"{name}: out of range")
    return value


def signature_of(body: SignatureBody, name: str = "signature") -> Signature:
    """r and s; whether they sign anything the door says."""
    return Signature(felt(body.r, f"{name}.r", SCALAR_LIMIT), felt(body.s, f"{name}.s", SCALAR_LIMIT))


def integer(value: int | str, name: str, limit: int = 1 << 63) -> int:
    """A number, or its digits in a string."""
    number = int(value)
    if not 0 <= number < limit:
        raise bad(f"{name}: out of range")
    return number


class Priced(NamedTuple):
    """The decimals of one signed order."""

    is_buy: bool
    quantity: Exact
    price: Exact


def amounts_of(wire: Wire, collateral: int, priced: Priced, body: NewOrder) -> OrderAmounts:
    """What the order's decimals sign as, or the field that cannot be signed."""
    try:
        return order_amounts(
            OrderTerms(
                priced.is_buy,
                priced.quantity,
                priced.price,
                decimal(body.fee, "fee"),
                NOTHING if body.builder_fee is None else decimal(body.builder_fee, "builderFee"),
                wire.terms.resolution,
                collateral,
            )
        )
    except SigningError as error:
        raise bad(str(error)) from error


class SignedOrder(NamedTuple):
    """An order as it was signed, and the amounts that its decimals came to."""

    order: Order
    amounts: OrderAmounts


def signed_order(
    wire: Wire, collateral: int, priced: Priced, body: NewOrder, settlement: Settlement
) -> SignedOrder:
    """The signed order that a body states. Amounts are computed here; those a client may send are not looked at."""
    if priced.quantity.numerator and wire.lots(priced.quantity) is None:
        raise ApiError(400, errors.SIZE_STEP, f"qty: no multiple of {wire.size(1)}")
    amounts = amounts_of(wire, collateral, priced, body)
    try:
        expiration_s = signed_expiration_s(body.expiry_epoch_millis)
    except SigningError as error:
        raise bad(f"expiryEpochMillis: {error}") from error
    order = Order(
        AccountId(integer(settlement.collateral_position, "settlement.collateralPosition", 1 << 32)),
        wire.terms.market_id,
        Size(amounts.base_amount),
        Quote(amounts.quote_amount),
        Quote(amounts.fee_amount),
        TimeS(expiration_s),
        integer(body.nonce, "nonce", 1 << 64),
        Felt(felt(settlement.stark_key, "settlement.starkKey")),
        signature_of(settlement.signature, "settlement.signature"),
    )
    return SignedOrder(order, amounts)


def leg_quantity(wire: Wire, leg: LegBody, name: str) -> Exact:
    """Of a leg that closes a whole position: the size that client libraries sign, fifty largest positions' worth."""
    price = decimal(leg.price, f"{name}.price")
    if not price.numerator:
        raise ApiError(400, errors.PRICE_VALUE, f"{name}.price must be above zero")
    most = int(wire.terms.tiers[-1].bound) * 50
    lots = most * price.denominator * wire.terms.resolution // (price.numerator * 1_000_000)
    return Exact(lots, wire.terms.resolution)
