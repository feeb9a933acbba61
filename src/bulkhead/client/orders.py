"""An order as a trader thinks of it, and the signed body that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from bulkhead.client.models import Market
from bulkhead.client.signer import Signer, decimal_text, new_salt

Side = Literal["BUY", "SELL"]
Number = Decimal | int | str
FEE_CAP = Decimal("0.0005")  # the largest rate that is signed unless another is given
LIFETIME_S = 3_600
PROTECTION_S = 28 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When an order that waits enters the market: its price reached from below (UP) or from above (DOWN)."""

    price: Number
    source: Literal["MARK", "INDEX", "LAST"] = "MARK"
    direction: Literal["UP", "DOWN"] | None = None  # None: up for a buy, down for a sale
    execution: Literal["MARKET", "LIMIT"] = "LIMIT"  # what it becomes: an IOC at its worst price, or a limit order


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A take-profit or stop-loss. `price` is the worst that is accepted once the trigger has fired."""

    trigger: Number
    price: Number
    source: Literal["MARK", "INDEX", "LAST"] = "MARK"
    execution: Literal["MARKET", "LIMIT"] = "MARKET"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """An order. `price` is the worst that is accepted, for market orders too; `fee` the largest rate."""

    market: str
    side: Side
    quantity: Number
    price: Number
    kind: Literal["LIMIT", "MARKET", "CONDITIONAL"] = "LIMIT"
    time_in_force: Literal["GTT", "IOC", "FOK"] = "GTT"
    post_only: bool = False
    reduce_only: bool = False
    fee: Number = FEE_CAP
    lifetime_s: int = LIFETIME_S
    external_id: str = ""  # empty: the hash that is signed, in decimal
    replaces: str = ""  # external id of an open order that this one takes the place of, atomically
    trigger: Trigger | None = None
    take_profit: Exit | None = None
    stop_loss: Exit | None = None
    protects: Literal["ORDER", "POSITION"] = "ORDER"  # what its exits close: what it filled, or the whole position
    self_trade: Literal["ACCOUNT", "CLIENT", "DISABLED"] = "ACCOUNT"


def body_of(order: NewOrder, market: Market, signer: Signer) -> dict[str, Any]:
    """The signed body. Raises SigningError for numbers that cannot be signed."""
    nonce, expiry_ms = new_salt(), (int(signer.now_s()) + order.lifetime_s) * 1000
    is_buy, quantity, fee = order.side == "BUY", Decimal(order.quantity), Decimal(order.fee)
    terms = (is_buy, quantity, Decimal(order.price))
    message, settlement = signer.settlement(market.l2_config, terms, fee, nonce, expiry_ms)
    is_market = order.kind == "MARKET"
    body: dict[str, Any] = {
        "id": order.external_id or str(message),
        "market": market.name,
        "type": order.kind,
        "side": order.side,
        "qty": decimal_text(quantity),
        "price": decimal_text(Decimal(order.price)),
        "reduceOnly": order.reduce_only,
        "postOnly": order.post_only,
        "timeInForce": "IOC" if is_market and order.time_in_force == "GTT" else order.time_in_force,
        "expiryEpochMillis": expiry_ms,
        "fee": decimal_text(fee),
        "nonce": str(nonce),
        "selfTradeProtectionLevel": order.self_trade,
        "settlement": settlement,
    }
    if order.replaces:
        body["cancelId"] = order.replaces
    if order.trigger is not None:
        body["trigger"] = trigger_body(order.trigger, is_buy)
    for name, leg in (("takeProfit", order.take_profit), ("stopLoss", order.stop_loss)):
        if leg is not None:
            body["tpSlType"] = order.protects
            closes = quantity if order.protects == "ORDER" else _most(market, Decimal(leg.price))
            signed = (not is_buy, closes, Decimal(leg.price))
            settlement = signer.settlement(market.l2_config, signed, fee, nonce, expiry_ms)[1]
            body[name] = {**_leg(leg), "settlement": settlement}
    return body


def protection_of(
    market: Market,
    signer: Signer,
    is_long: bool,
    take_profit: Exit | None,
    stop_loss: Exit | None,
    *,
    size: Decimal = Decimal(0),
    replaces: str = "",
    external_id: str = "",
) -> dict[str, Any]:
    """The body that protects a position: `size` of it, which is signed; with 0 the whole, whatever its size is when a
    trigger fires. What is signed is then a cap: as other client libraries do, fifty of the largest positions.
    `replaces` names open protection whose place it takes."""
    nonce, expiry_ms = new_salt(), (int(signer.now_s()) + PROTECTION_S) * 1000
    body: dict[str, Any] = {
        "id": external_id or f"protection-{nonce}",
        "market": market.name,
        "type": "TPSL",
        "side": "SELL" if is_long else "BUY",
        "qty": decimal_text(size),
        "price": "0",
        "reduceOnly": True,
        "postOnly": False,
        "timeInForce": "GTT",
        "expiryEpochMillis": expiry_ms,
        "fee": decimal_text(FEE_CAP),
        "nonce": str(nonce),
        "tpSlType": "ORDER" if size else "POSITION",
    }
    if replaces:
        body["cancelId"] = replaces
    for name, leg in (("takeProfit", take_profit), ("stopLoss", stop_loss)):
        if leg is not None:
            price = Decimal(leg.price)
            signed = (not is_long, size or _most(market, price), price)
            settlement = signer.settlement(market.l2_config, signed, FEE_CAP, nonce, expiry_ms)[1]
            body[name] = {**_leg(leg), "settlement": settlement}
    return body


def _most(market: Market, price: Decimal) -> Decimal:
    """The size that is signed for a whole position, whatever it will be."""
    limits = market.trading_config
    return whole(50 * limits.max_position_value / price, limits.min_order_size_change)


def _leg(leg: Exit) -> dict[str, str]:
    return {
        "triggerPrice": decimal_text(Decimal(leg.trigger)),
        "triggerPriceType": leg.source,
        "price": decimal_text(Decimal(leg.price)),
        "priceType": leg.execution,
    }


def trigger_body(trigger: Trigger, is_buy: bool) -> dict[str, str]:
    """A trigger as the wire has it."""
    return {
        "triggerPrice": decimal_text(Decimal(trigger.price)),
        "triggerPriceType": trigger.source,
        "direction": trigger.direction or ("UP" if is_buy else "DOWN"),
        "executionPriceType": trigger.execution,
    }


def whole(value: Number, step: Decimal, *, up: bool = False) -> Decimal:
    """A multiple of a step, at or below the value; at or above it with `up`."""
    count, rest = divmod(Decimal(value), step)
    return (count + (1 if up and rest else 0)) * step
