"""Orders: placing, replacing, cancelling, protection of positions, and the dead-man's switch."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors
from bulkhead.api.bodies import LegBody, MassCancelBody, NewOrder, PreviewBody
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.numbers import Wire, decimal
from bulkhead.api.signed import Priced, SignedOrder, integer, leg_quantity, signed_order
from bulkhead.engine.command import CancelOrder, MassCancel, PlaceOrder, PlaceProtection, SetDeadMan
from bulkhead.engine.event import Accepted, Rejected
from bulkhead.engine.order import (
    Direction,
    Execution,
    Leg,
    OrderType,
    PriceSource,
    Protects,
    SelfTrade,
    Terms,
    TimeInForce,
    Trigger,
)
from bulkhead.node.directory import TRADE
from bulkhead.node.exchange import Answer
from bulkhead.node.writer import Make
from bulkhead.reject import Reject
from bulkhead.signing import Exact
from bulkhead.units import BookPrice, MarketId, Size

KINDS = {"LIMIT": OrderType.LIMIT, "MARKET": OrderType.MARKET, "CONDITIONAL": OrderType.CONDITIONAL}
FORCES = {"GTT": TimeInForce.GTT, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "TOB": TimeInForce.GTT}
LEVELS = {"DISABLED": SelfTrade.DISABLED, "ACCOUNT": SelfTrade.ACCOUNT, "CLIENT": SelfTrade.CLIENT}
SOURCES = {"MARK": PriceSource.MARK, "INDEX": PriceSource.INDEX, "LAST": PriceSource.LAST}
COUNTDOWN_MAX_S = 86_400
CANCEL_PROBLEMS = {
    Reject.WRONG_KIND: "a TPSL order takes the place of a TPSL order, and any other of one that is none",
    Reject.ORDERS_OPEN: "that protection follows an order which may still fill; cancel the order's rest before, or "
    "protect the whole position in the place of one that does",
}


async def place(call: Call) -> dict[str, Any]:
    """Place an order; with `cancelId` it takes the place of another, atomically. An order of type TPSL takes that of
    another TPSL order, and of its other side with it."""
    body = await call.body(NewOrder)
    wire = call.api.market(body.market)
    _check_kind(body)
    if call.api.node.is_browned_out and not body.reduce_only:
        raise errors.browned_out(call.api.node.unsettled)
    collateral = collateral_resolution(call, wire)
    if body.type == "TPSL":
        make, signed = _protection(call, wire, collateral, body)
    else:
        make, signed = _order(call, wire, collateral, body)
    for one in signed:
        _check_signer(call, one)
    answer = await call.api.node.writer.send(make)
    problem, order_id, external_id = answer if isinstance(answer, Reject) else None, 0, body.id
    if isinstance(answer, Answer):
        problem, order_id, external_id = _outcome(answer, body.id)
    if problem is not None:
        raise _refusal(call, wire, problem, signed, body)
    return {"id": order_id, "externalId": external_id}


def _outcome(answer: Answer, external_id: str) -> tuple[Reject | None, int, str]:
    """What the engine said of a placement: refused, or the id of the first order it accepted."""
    for event in answer.events:
        if isinstance(event, Accepted) and event.external_id == external_id:
            return None, event.order_id, event.external_id
        if isinstance(event, Rejected):
            return event.reason, 0, external_id
    return Reject.WRONG_KIND, 0, external_id


def _check_kind(body: NewOrder) -> None:
    """Rules that client libraries keep as well."""
    is_taking = body.type == "MARKET" or body.time_in_force in ("IOC", "FOK")
    if body.type == "TWAP":
        raise ApiError(400, errors.TYPE_NOT_ALLOWED, "TWAP orders are not offered")
    if body.type == "MARKET" and body.time_in_force not in ("IOC", "FOK"):
        raise ApiError(400, errors.MARKET_IOC, "a market order must be IOC")
    if body.type == "CONDITIONAL" and body.trigger is None:
        raise ApiError(400, errors.TRIGGER_MISSING, "a conditional order needs a trigger")
    if body.type != "CONDITIONAL" and body.trigger is not None:
        raise ApiError(400, errors.PARAMETERS, "trigger is for conditional orders")
    if body.post_only and (is_taking or body.type == "TPSL"):
        raise ApiError(400, errors.PARAMETERS, "postOnly is for orders that may rest")
    if body.time_in_force == "TOB" and not body.post_only:
        raise ApiError(400, errors.PARAMETERS, "TOB needs postOnly")
    if body.type == "TPSL" and not body.reduce_only:
        raise ApiError(400, errors.ONLY_REDUCE, "a TPSL order must be reduceOnly")
    if not body.id:
        raise bad("id must not be empty")


def collateral_resolution(call: Call, wire: Wire) -> int:
    """Smallest units in one unit of what a market settles in."""
    asset = call.api.state.config.asset(wire.terms.asset_id)
    assert asset is not None, "the configuration was checked"
    return asset.resolution


def _order(call: Call, wire: Wire, collateral: int, body: NewOrder) -> tuple[Make, list[SignedOrder]]:
    """A limit, market or conditional order, with its protection."""
    if body.settlement is None:
        raise bad("settlement is missing")
    if body.price is None:
        raise ApiError(400, errors.PRICE_MISSING, "price is missing")
    priced = Priced(body.side == "BUY", decimal(body.quantity, "qty"), decimal(body.price, "price"))
    _check_size(wire, priced)
    own = signed_order(wire, collateral, priced, body, body.settlement)
    terms = Terms(
        body.id,
        KINDS[body.type],
        FORCES[body.time_in_force],
        bool(body.post_only),
        bool(body.reduce_only),
        LEVELS[body.self_trade_protection_level or "ACCOUNT"],
        trigger_of(wire, body),
    )
    signed, legs = [own], []
    protects = Protects.POSITION if body.tp_sl_type == "POSITION" else Protects.ORDER
    for name, leg in (("takeProfit", body.take_profit), ("stopLoss", body.stop_loss)):
        made = None if leg is None else _leg(wire, collateral, body, leg, name, not priced.is_buy)
        if made is not None:
            signed.append(made[0])
        legs.append(None if made is None else made[1])
    cancelled = body.cancel_id or ""

    def make(now: Any) -> PlaceOrder:
        return PlaceOrder(now, own.order, terms, cancelled, legs[0], legs[1], protects)

    return make, signed


def _check_size(wire: Wire, priced: Priced) -> None:
    if not priced.quantity.numerator:
        raise ApiError(400, errors.SIZE_MINIMUM, "qty must be above zero")
    if not priced.price.numerator:
        raise ApiError(400, errors.PRICE_VALUE, "price must be above zero")
    if wire.book_price(priced.price) is None:
        step = wire.price(int(wire.terms.tick))
        raise ApiError(400, errors.PRICE_STEP, f"price: no multiple of {step}")


def _protection(call: Call, wire: Wire, collateral: int, body: NewOrder) -> tuple[Make, list[SignedOrder]]:
    """Take-profit and stop-loss of a position that exists. `side` is the closing one."""
    if body.take_profit is None and body.stop_loss is None:
        raise ApiError(400, errors.TPSL_TRIGGER, "takeProfit or stopLoss is missing")
    is_whole = body.tp_sl_type == "POSITION"
    quantity = decimal(body.quantity, "qty")
    if is_whole != (not quantity.numerator):
        raise ApiError(400, errors.TPSL_SIZE, "qty must be 0 for tpSlType POSITION, and above 0 for ORDER")
    lots = wire.lots(quantity)
    if lots is None:
        raise ApiError(400, errors.SIZE_STEP, f"qty: no multiple of {wire.size(1)}")
    signed, legs = [], []
    for name, leg in (("takeProfit", body.take_profit), ("stopLoss", body.stop_loss)):
        made = None if leg is None else _leg(wire, collateral, body, leg, name, body.side == "BUY")
        if made is not None:
            signed.append(made[0])
        legs.append(None if made is None else made[1])
    account_id, market_id, size, cancelled = call.account_id, wire.terms.market_id, Size(lots), body.cancel_id or ""

    def make(now: Any) -> PlaceProtection:
        return PlaceProtection(now, account_id, market_id, body.id, size, legs[0], legs[1], cancelled)

    return make, signed


def _leg(
    wire: Wire, collateral: int, body: NewOrder, leg: LegBody, name: str, is_buy: bool
) -> tuple[SignedOrder, Leg]:
    """One leg on the closing side. A profit is taken where the price has gone the position's way, a loss stopped where
    it has gone the other."""
    is_position = body.tp_sl_type == "POSITION"
    quantity = leg_quantity(wire, leg, name) if is_position else decimal(body.quantity, "qty")
    signed = signed_order(
        wire, collateral, Priced(is_buy, quantity, decimal(leg.price, f"{name}.price")), body, leg.settlement
    )
    direction = Direction.UP if is_buy == (name == "stopLoss") else Direction.DOWN
    execution = Execution.LIMIT if leg.price_type == "LIMIT" else Execution.MARKET
    level = _level(wire, decimal(leg.trigger_price, f"{name}.triggerPrice"), f"{name}.triggerPrice")
    source = SOURCES.get(leg.trigger_price_type or "MARK", PriceSource.MARK)
    return signed, Leg(signed.order, Trigger(source, direction, level, execution))


def trigger_of(wire: Wire, body: NewOrder | PreviewBody) -> Trigger | None:
    """When a conditional order fires. Without a direction: upward for a buy, downward for a sale."""
    trigger = body.trigger
    if trigger is None:
        return None
    level = _level(wire, decimal(trigger.trigger_price, "trigger.triggerPrice"), "trigger.triggerPrice")
    default = "UP" if body.side == "BUY" else "DOWN"
    named = trigger.direction if trigger.direction in ("UP", "DOWN") else default
    execution = Execution.MARKET if trigger.execution_price_type == "MARKET" else Execution.LIMIT
    if execution is Execution.MARKET and body.post_only:
        raise ApiError(400, errors.POST_ONLY_CONDITIONAL, "postOnly does not go with execution at the market")
    source = SOURCES.get(trigger.trigger_price_type or "MARK", PriceSource.MARK)
    return Trigger(source, Direction.UP if named == "UP" else Direction.DOWN, level, execution)


def _level(wire: Wire, price: Exact, name: str) -> BookPrice:
    found = wire.book_price(price)
    if found is None or not int(found):
        step = wire.price(int(wire.terms.tick))
        raise ApiError(400, errors.PRICE_STEP, f"{name}: not a multiple of {step} above zero")
    return found


def _check_signer(call: Call, signed: SignedOrder) -> None:
    """The order is signed for the key's account, by that account's key."""
    if signed.order.account_id != call.account_id:
        raise ApiError(400, errors.VAULT, f"collateralPosition must be {call.account_id}, the API key's account")
    if signed.order.public_key != call.account.owner_key:
        raise ApiError(400, errors.PUBLIC_KEY, "starkKey is not the key of this account")


def _refusal(call: Call, wire: Wire, problem: Reject, signed: list[SignedOrder], body: NewOrder) -> ApiError:
    """A refusal with what its reader needs: of a bad signature the hash and the amounts that were expected."""
    first = signed[0]
    if body.cancel_id and problem in (Reject.WRONG_KIND, Reject.ORDERS_OPEN):
        return rejected(problem, f"cancelId: {CANCEL_PROBLEMS[problem]}")
    if problem is Reject.WRONG_SIGNATURE:
        expected = [_expected(call, one) for one in signed]
        debug = "; ".join(f"{name}={value}" for name, value in expected[0].items())
        error = rejected(problem, "signed over other numbers, or by another key", expected=expected)
        error.debug = f"expected {debug}"
        return error
    if problem is Reject.REDUCE_ONLY_WOULD_GROW:
        held = call.api.sequencer.desk.held(first.order.account_id, wire.terms.market_id)
        if not held:
            return ApiError(422, errors.NO_POSITION, "there is no position to reduce", reject=problem.name)
        if (int(held) > 0) == (int(first.order.base_amount) > 0):
            return ApiError(422, errors.REDUCE_SAME_SIDE, "the order is on the position's side", reject=problem.name)
    return rejected(problem)


def _expected(call: Call, signed: SignedOrder) -> dict[str, str]:
    order = signed.order
    return {
        "hash": hex(call.api.node.exchange.machine.authority.order_hash(order)),
        "syntheticAmount": str(signed.amounts.base_amount),
        "collateralAmount": str(signed.amounts.quote_amount),
        "feeAmount": str(signed.amounts.fee_amount),
        "expiration": str(int(order.expiration_s)),
        "position": str(int(order.account_id)),
        "nonce": str(order.salt),
        "chainId": call.api.state.config.chain_id,
    }


# -- cancelling ----------------------------------------------------------------------------------------------------


async def cancel(call: Call) -> dict[str, Any]:
    """Cancel an order by its id."""
    account_id, order_id = call.account_id, call.path_id("id")
    return _cancelled(await call.send(lambda now: CancelOrder(now, account_id, order_id)))


async def cancel_external(call: Call) -> dict[str, Any]:
    """Cancel an order by the client's own name for it."""
    account_id, external_id = call.account_id, call.text("externalId")
    if not external_id or len(external_id) > 128:
        raise bad("externalId: 1 to 128 characters")
    return _cancelled(await call.send(lambda now: CancelOrder(now, account_id, 0, external_id)))


def _cancelled(answer: Answer) -> dict[str, Any]:
    for event in answer.events:
        if isinstance(event, Rejected):
            raise rejected(event.reason)
    return {}


async def mass_cancel(call: Call) -> dict[str, Any]:
    """Cancel many. Names of orders that are not open are passed over, and told."""
    body = await call.body(MassCancelBody)
    account_id = call.account_id
    ids = tuple(integer(order_id, "orderIds") for order_id in body.order_ids or ())
    names = tuple(body.external_order_ids or ())
    markets = tuple(MarketId(call.api.market(name).terms.market_id) for name in body.markets or ())
    is_everything = bool(body.cancel_all)
    if not (ids or names or markets or is_everything):
        raise bad("nothing to cancel is named")
    answer = await call.send(lambda now: MassCancel(now, account_id, ids, names, markets, is_everything))
    unknown = [event for event in answer.events if isinstance(event, Rejected)]
    for event in unknown:
        if event.reason is not Reject.UNKNOWN_ORDER:
            raise rejected(event.reason)
    return {"notFound": [event.external_id or event.detail for event in unknown]} if unknown else {}


async def dead_man(call: Call) -> dict[str, Any]:
    """Cancel everything unless this is sent again within `countdownTime` seconds; 0 disarms."""
    account_id, seconds = call.account_id, call.number("countdownTime", -1)
    if not 0 <= seconds <= COUNTDOWN_MAX_S:
        raise bad(f"countdownTime: 0 to {COUNTDOWN_MAX_S} seconds")
    _cancelled(await call.send(lambda now: SetDeadMan(now, account_id, seconds * 1000)))
    return {"countdownTime": seconds}


async def rfq(call: Call) -> dict[str, Any]:
    """Requests for quotes are not offered: no market here is an RFQ market."""
    raise ApiError(422, errors.TYPE_NOT_ALLOWED, "requests for quotes are not offered")


ENDPOINTS = [
    Endpoint("POST", "/api/v1/user/order", place, TRADE, NewOrder),
    Endpoint("DELETE", "/api/v1/user/order", cancel_external, TRADE, query=("externalId",)),
    Endpoint("DELETE", "/api/v1/user/order/{id}", cancel, TRADE),
    Endpoint("POST", "/api/v1/user/order/massCancel", mass_cancel, TRADE, MassCancelBody),
    Endpoint("POST", "/api/v1/user/order/rfq", rfq, TRADE),
    Endpoint("POST", "/api/v1/user/deadmanswitch", dead_man, TRADE, query=("countdownTime",)),
]
