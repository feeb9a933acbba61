"""Placing orders: admission, atomic replacement, protection, and what an admitted order then does."""

from __future__ import annotations

from bulkhead.engine import admission
from bulkhead.engine.admission import Message
from bulkhead.engine.command import PlaceOrder, PlaceProtection
from bulkhead.engine.desk import Desk, takes_only
from bulkhead.engine.event import Replaced, Rested
from bulkhead.engine.match import take
from bulkhead.engine.order import Cause, Leg, OpenOrder, OrderType, Protects, Stage, Terms
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import Order
from bulkhead.reject import Reject
from bulkhead.units import Size


def place(desk: Desk, command: PlaceOrder) -> None:
    """Admit an order, take over from the one it replaces, and let it trade, rest or wait."""
    outcome = judge(desk, command)
    if isinstance(outcome, Reject):
        desk.reject(outcome, command.order.account_id, command.terms.external_id)
        return
    order, legs, replaced = outcome
    if replaced is not None:
        _take_over(desk, order, replaced)
    if desk.state.markets[order.signed.market_id].status is Status.REDUCE_ONLY:
        order.reduce_only = True
    desk.last_order_id = order.order_id
    desk.enter(order)
    _attach(desk, order, legs, command.protects)
    desk.moved[order.signed.market_id] = None
    if order.stage is Stage.WAITING:
        desk.wait(order)
    else:
        start(desk, order)


def start(desk: Desk, order: OpenOrder) -> None:
    """Trade what can be traded; the rest stands in the book or is cancelled. It passed `admission.entry`."""
    stopped = take(desk, order, admission.limit_of(desk, order))
    if not order.left:
        return
    if stopped is not None:
        desk.drop(order, Cause.REFUSED, stopped, in_book=False)
    elif takes_only(order):
        desk.drop(order, Cause.NOTHING_TO_TAKE, in_book=False)
    else:
        signed = order.signed
        desk.books[signed.market_id].rest(order.order_id, order.side, order.price, order.left)
        desk.reserve.add(order)
        desk.emit(
            Rested, order.order_id, signed.account_id, signed.market_id, order.side, order.price, order.left
        )


Judged = tuple[OpenOrder, list[tuple[Leg, Message]], OpenOrder | None]


def judge(desk: Desk, command: PlaceOrder) -> Reject | Judged:
    """Every check of a placement, in order of precedence."""
    signed, terms = command.order, command.terms
    judged = admission.message(desk, signed, terms.external_id)
    replaced = None
    if command.cancel_external_id:
        replaced = replaced_by(desk, signed, command.cancel_external_id)
        problem = Reject.UNKNOWN_ORDER if replaced is None else None
        if replaced is not None and replaced.terms.kind is OrderType.TPSL:
            problem = Reject.WRONG_KIND  # its twin would be left, and the position with half of what protected it
        if problem is not None and not (isinstance(judged, Reject) and judged < problem):
            return problem
    if isinstance(judged, Reject):
        return judged
    order = opened(desk, judged, signed, terms)
    legs = _judge_legs(desk, command, order)
    if isinstance(legs, Reject):
        return legs
    problem = admission.attributes(terms)
    if problem is None and order.stage is Stage.RESTING:
        problem = admission.entry(desk, order, replaced)
    elif problem is None:
        problem = admission.waiting(desk, order)
    # Cheap to ask and rarely the answer, so it comes last although TOO_MANY_ORDERS precedes margin.
    if (problem is None or problem > Reject.TOO_MANY_ORDERS) and not admission.has_room(
        desk, signed.account_id, 1 + len(legs), int(replaced is not None)
    ):
        return Reject.TOO_MANY_ORDERS
    return (order, legs, replaced) if problem is None else problem


def opened(desk: Desk, judged: Message, signed: Order, terms: Terms) -> OpenOrder:
    """An order as it would stand, known to nobody yet. A reduce-only one is cut to what it can close."""
    size = judged.size
    if terms.reduce_only:
        closable = desk.closable(signed.account_id, signed.market_id, judged.side)
        size = min(size, closable) or size  # of nothing to close admission speaks
    return OpenOrder(
        order_id=desk.last_order_id + 1,
        order_hash=judged.order_hash,
        signed=signed,
        terms=terms,
        side=judged.side,
        price=judged.price,
        left=size,
        stage=Stage.RESTING if terms.trigger is None else Stage.WAITING,
        expiry_s=judged.expiry_s,
        reduce_only=terms.reduce_only,
    )


def replaced_by(desk: Desk, order: Order, external_id: str) -> OpenOrder | None:
    """The order to be replaced: open, of the same account and market."""
    found = desk.named(order.account_id, external_id)
    return found if found is not None and found.signed.market_id == order.market_id else None


def _take_over(desk: Desk, order: OpenOrder, replaced: OpenOrder) -> None:
    """The old order leaves in the same step in which the new one enters."""
    signed = replaced.signed
    if replaced.stage is Stage.RESTING:
        desk.books[signed.market_id].cancel(replaced.order_id)
    desk.emit(
        Replaced,
        order.order_id,
        replaced.order_id,
        signed.account_id,
        signed.market_id,
        replaced.terms.external_id,
        replaced.left,
    )
    desk.leave(replaced)


# -- take-profit and stop-loss -------------------------------------------------------------------------------------


def _judge_legs(desk: Desk, command: PlaceOrder, parent: OpenOrder) -> Reject | list[tuple[Leg, Message]]:
    """The protection of an order: sound messages on the other side of it. Orders that wait or reduce have none."""
    if command.take_profit is None and command.stop_loss is None:
        return []
    signed, terms = command.order, command.terms
    found = admission.legs(desk, (command.take_profit, command.stop_loss), signed.account_id, signed.market_id)
    if isinstance(found, Reject):
        return found
    is_alone = terms.reduce_only or terms.kind is OrderType.CONDITIONAL
    if any(is_alone or judged.side == parent.side for _, judged in found):
        return Reject.TRIGGER_INVALID
    return found


def _attach(desk: Desk, parent: OpenOrder, legs: list[tuple[Leg, Message]], protects: Protects) -> None:
    """Enter an order's protection: asleep until the order trades."""
    for leg, judged in legs:
        order = opened(desk, judged, leg.order, Terms(kind=OrderType.TPSL, trigger=leg.trigger))
        order.stage, order.reduce_only = Stage.DORMANT, True
        order.parent_id = parent.order_id
        order.is_whole_position = protects is Protects.POSITION
        parent.legs = (*parent.legs, order.order_id)
        desk.last_order_id = order.order_id
        desk.enter(order)
    _pair(desk, parent.legs)


def _pair(desk: Desk, ids: tuple[int, ...]) -> None:
    """Two legs know each other: what one trades the other cannot."""
    if len(ids) == 2:
        desk.orders[ids[0]].sibling_id = ids[1]
        desk.orders[ids[1]].sibling_id = ids[0]


def protect(desk: Desk, command: PlaceProtection) -> None:
    """Protection of a position that exists. What it takes the place of leaves when it is there."""
    outcome = _judge_protection(desk, command)
    if isinstance(outcome, Reject):
        desk.reject(outcome, command.account_id, command.external_id)
        return
    legs, replaced = outcome
    parent = desk.orders.get(replaced[0].parent_id) if replaced else None
    ids: tuple[int, ...] = ()
    for leg, judged in legs:
        external_id = "" if ids else command.external_id
        order = opened(desk, judged, leg.order, Terms(external_id, OrderType.TPSL, trigger=leg.trigger))
        order.reduce_only = True
        order.is_whole_position = not command.size
        order.left = command.size or judged.size
        order.parent_id = 0 if parent is None else parent.order_id
        desk.last_order_id = order.order_id
        desk.enter(order)
        desk.wait(order)
        ids = (*ids, order.order_id)
    _pair(desk, ids)
    for place, old in enumerate(replaced):
        _take_over(desk, desk.orders[ids[min(place, len(ids) - 1)]], old)
    if parent is not None:
        parent.legs = ids


Protection = tuple[list[tuple[Leg, Message]], list[OpenOrder]]
"""Its legs, and those whose place they take."""


def _judge_protection(desk: Desk, command: PlaceProtection) -> Reject | Protection:
    account_id, market_id = command.account_id, command.market_id
    if command.size < Size(0) or len(command.external_id) > admission.EXTERNAL_ID_MAX:
        return Reject.OUT_OF_RANGE
    found = admission.legs(desk, (command.take_profit, command.stop_loss), account_id, market_id)
    replaced = _protection_replaced(desk, command)
    if isinstance(replaced, Reject) and not (isinstance(found, Reject) and found < replaced):
        return replaced
    if isinstance(found, Reject):
        return found
    assert not isinstance(replaced, Reject), "it was answered"
    if command.external_id and (account_id, command.external_id) in desk.external:
        return Reject.DUPLICATE
    if any(command.size > judged.size for _, judged in found):
        return Reject.ORDER_OVERFILLED
    if not all(desk.closable(account_id, market_id, judged.side) for _, judged in found):
        return Reject.REDUCE_ONLY_WOULD_GROW
    if not admission.has_room(desk, account_id, len(found), len(replaced)):
        return Reject.TOO_MANY_ORDERS
    return (found, replaced) if found else Reject.TRIGGER_INVALID


def _protection_replaced(desk: Desk, command: PlaceProtection) -> Reject | list[OpenOrder]:
    """What protection takes the place of: the named side and its twin, for they are one protection."""
    if not command.cancel_external_id:
        return []
    named = desk.named(command.account_id, command.cancel_external_id)
    if named is None or named.signed.market_id != command.market_id or named.stage is Stage.DORMANT:
        return Reject.UNKNOWN_ORDER
    if named.terms.kind is not OrderType.TPSL:
        return Reject.WRONG_KIND
    if named.parent_id in desk.orders and not (named.is_whole_position and not command.size):
        return Reject.ORDERS_OPEN  # its size follows an order that may still fill: a fixed one would leave a part bare
    twin = desk.orders.get(named.sibling_id)
    return [named] if twin is None else sorted((named, twin), key=lambda order: order.order_id)
