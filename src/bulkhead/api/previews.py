"""Before an order is sent: what it would do in every margin mode, side by side; and how much to trade for a loss."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors
from bulkhead.api.bodies import PreviewBody, SizeBody
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.numbers import Wire, decimal, money, share
from bulkhead.api.orders import KINDS, collateral_resolution, trigger_of
from bulkhead.engine.arrange import MarginMode
from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.order import Terms, TimeInForce
from bulkhead.engine.preview import ModePreview, preview, size_for
from bulkhead.engine.stress import Stress
from bulkhead.fixed import book_price_ceil, book_price_floor
from bulkhead.ledger.tx import Order
from bulkhead.limits import EXPIRY_GRACE_S
from bulkhead.reject import Reject
from bulkhead.signing import OrderTerms, Signature, SigningError, exact, order_amounts
from bulkhead.units import Price, Quote, Size, TimeS

FEE_CAP = "0.001"
MODES = {mode.name.lower(): mode for mode in MarginMode}
PREVIEW_SALT = (1 << 64) - 1  # no client draws it by chance among 2^64
SLIPPAGE_PERCENT = 5


async def preview_order(call: Call) -> dict[str, Any]:
    """An order in each margin mode: margin, fees with their L1 share, liquidation price, what is at stake, stresses.

    `leverage` is as if it had been signed for the market; without it, what was signed. With `cancelId` it is judged in
    the place of that open order, whose margin is free then.
    """
    body = await call.body(PreviewBody)
    wire = call.api.market(body.market)
    order, terms = unsigned_order(call, wire, body), terms_of(wire, body)
    found = preview(
        call.api.sequencer, order, terms, leverage=body.leverage, replaces=body.cancel_id or ""
    )
    return {
        "market": wire.terms.name,
        "size": wire.size(int(found.size)),
        "reject": name_of(found.reject),
        "modes": [_mode(call, wire, one) for one in found.modes],
    }


def terms_of(wire: Wire, body: PreviewBody) -> Terms:
    """The unsigned terms of an order that is only looked at."""
    if (body.type == "CONDITIONAL") != (body.trigger is not None):
        raise ApiError(400, errors.TRIGGER_MISSING, "a conditional order has a trigger, and no other order has")
    return Terms(
        kind=KINDS[body.type],
        time_in_force=TimeInForce.IOC if body.type == "MARKET" else TimeInForce.GTT,
        post_only=body.post_only,
        reduce_only=body.reduce_only,
        trigger=trigger_of(wire, body),
    )


def unsigned_order(call: Call, wire: Wire, body: PreviewBody) -> Order:
    """The order as it would be signed; a market order without a price at the worst the band allows."""
    account = call.account
    is_buy = body.side == "BUY"
    price = body.price
    if price is None:
        if body.type != "MARKET":
            raise ApiError(400, errors.PRICE_MISSING, "price is missing")
        price = wire.price(_worst(call, wire, is_buy))
    try:
        amounts = order_amounts(
            OrderTerms(
                is_buy,
                decimal(body.quantity, "qty"),
                decimal(price, "price"),
                exact(FEE_CAP),
                exact("0"),
                wire.terms.resolution,
                collateral_resolution(call, wire),
            )
        )
    except SigningError as error:
        raise bad(str(error)) from error
    if not amounts.base_amount:
        raise ApiError(400, errors.SIZE_MINIMUM, "qty must be at least one lot")
    return Order(
        account.account_id,
        wire.terms.market_id,
        Size(amounts.base_amount),
        Quote(amounts.quote_amount),
        Quote(amounts.fee_amount),
        TimeS(call.api.sequencer.time_ms // 1000 + EXPIRY_GRACE_S + 3_600),
        PREVIEW_SALT,
        account.owner_key,
        Signature(0, 0),
    )


def _worst(call: Call, wire: Wire, is_buy: bool) -> int:
    index = int(call.api.state.markets[wire.terms.market_id].price)
    if not index:
        raise rejected(Reject.PRICE_UNKNOWN)
    moved = Price(index * (100 + (SLIPPAGE_PERCENT if is_buy else -SLIPPAGE_PERCENT)) // 100)
    return int(book_price_ceil(moved) if is_buy else book_price_floor(moved))


def _mode(call: Call, wire: Wire, one: ModePreview) -> dict[str, Any]:
    names = {market_id: found.terms.name for market_id, found in call.api.markets.by_id.items()}
    return {
        "marginMode": one.mode.name.lower(),
        "isCurrent": one.is_current,
        "needsMove": one.is_moved,
        "reject": name_of(one.reject),
        "rejectLater": name_of(one.later),
        "margin": money(int(one.margin)),
        "fee": money(int(one.fee)),
        "l1Share": money(int(one.l1)),
        "positionSize": wire.size(int(one.size)),
        "liquidationPrice": None if one.liquidation_price is None else wire.index_price(int(one.liquidation_price)),
        "closeOutPrice": None if one.close_out_price is None else wire.index_price(int(one.close_out_price)),
        "liquidationDistance": None if one.distance is None else share(int(one.distance)),
        "atStake": money(int(one.at_stake)),
        "sharedWith": [names[int(market_id)] for market_id in one.markets],
        "worst": [stress_shape(stress) for stress in one.worst],
        "freeAfter": money(int(one.free)),
    }


def stress_shape(stress: Stress) -> dict[str, Any]:
    """A stress and what it costs the owner."""
    return {
        "name": stress.name,
        "kind": stress.kind.name,
        "loss": money(int(stress.loss)),
        "move": money(int(stress.move)),
        "exitCosts": money(int(stress.exit_costs)),
        "beyondAccount": money(int(stress.beyond)),
    }


def name_of(reject: Reject | None) -> str | None:
    """A reason as the wire has it."""
    return None if reject is None else reject.name


async def size(call: Call) -> dict[str, Any]:
    """The most that can be bought or sold so that the worst stress costs no more than `loss` dollars."""
    body = await call.body(SizeBody)
    wire = call.api.market(body.market)
    loss = decimal(body.loss, "loss")
    micro = loss.numerator * 1_000_000 // loss.denominator
    if not 0 < micro < 1 << 62:
        raise bad("loss must be above zero")
    side = BUY if body.side == "BUY" else SELL
    mode = MODES[body.margin_mode]
    asked = (call.account_id, wire.terms.market_id, side, mode)
    found = size_for(call.api.sequencer, *asked, loss=Quote(micro), leverage=body.leverage)
    if isinstance(found, Reject):
        raise rejected(found)
    return {
        "market": wire.terms.name,
        "marginMode": body.margin_mode,
        "size": wire.size(int(found.size)),
        "loss": money(int(found.loss)),
        "isMonotone": found.is_monotone,
    }


ENDPOINTS = [
    Endpoint("POST", "/api/v1/user/order/preview", preview_order, body=PreviewBody),
    Endpoint("POST", "/api/v1/user/order/size", size, body=SizeBody),
]
