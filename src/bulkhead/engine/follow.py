"""What follows a command: twins shrink, reduce-only orders follow their position, triggers fire, until all is quiet.

A match may not touch the book it runs in, so whatever a fill means for other orders waits for `settle_down`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from bulkhead.engine import admission
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import Reduced, Rested, Triggered
from bulkhead.engine.order import Cause, OpenOrder, PriceSource, Stage
from bulkhead.engine.place import start
from bulkhead.ledger.state import Status
from bulkhead.units import Price, Size


def settle_down(desk: Desk) -> None:
    """Run every consequence. It ends: each trigger fires once, and the other steps only shrink orders."""
    while True:
        if desk.spent:
            _resize_spent(desk)
        elif desk.touched:
            _follow_positions(desk)
        elif not (desk.moved and _fire_next(desk)):
            return


def everything_follows(desk: Desk) -> None:
    """Positions changed outside a match (a move, a forced close, deleveraging): ask every reduce-only order."""
    desk.touched.update(dict.fromkeys(sorted(desk.reducing)))  # a restored desk has met them in another order


def accounts_follow(desk: Desk, account_ids: Iterable[int]) -> None:
    """Positions of these signable accounts changed outside a match: ask their reduce-only orders, by market."""
    for account_id in account_ids:
        held = {order.signed.market_id for order in desk.of_account(account_id) if order.reduce_only}
        desk.touched.update(dict.fromkeys((account_id, market_id) for market_id in sorted(held)))


def _resize_spent(desk: Desk) -> None:
    """Orders whose size changed in a match: what their twin, parent or position left of them, in the book too."""
    spent, desk.spent = desk.spent, {}
    for order_id in spent:
        order = desk.orders.get(order_id)
        if order is None:
            continue
        if not order.left:
            desk.drop(order, Cause.OTHER_SIDE_FILLED)
        elif order.stage is Stage.RESTING:
            _resize(desk, order)


def _resize(desk: Desk, order: OpenOrder) -> None:
    """Let the book rest what is left of an order. One that grew goes to the end of its level, as a new order would."""
    book = desk.books[order.signed.market_id]
    resting = book.get(order.order_id)
    if resting is not None and order.left <= resting.size:
        _reduce(desk, order, order.left)
        return
    book.cancel(order.order_id)
    book.rest(order.order_id, order.side, order.price, order.left)
    signed = order.signed
    desk.emit(Rested, order.order_id, signed.account_id, signed.market_id, order.side, order.price, order.left)


def _reduce(desk: Desk, order: OpenOrder, size: Size) -> None:
    """Cut a resting order to `size` lots; it keeps its place."""
    order.left = size
    signed = order.signed
    if desk.books[signed.market_id].reduce(order.order_id, size):
        desk.emit(Reduced, order.order_id, signed.account_id, signed.market_id, size)


def _follow_positions(desk: Desk) -> None:
    """Reduce-only orders of positions that changed: cut to the position, cancelled when it is gone or has flipped.

    Orders that wait keep their size, for it is cut when they fire. Protection of an order that may still
    trade goes back to sleep.
    """
    touched, desk.touched = desk.touched, {}
    for account_id, market_id in touched:
        following = desk.reducing.get((account_id, market_id), {})
        for order in [following[order_id] for order_id in sorted(following)]:
            if order.order_id not in desk.orders or order.stage is Stage.DORMANT:
                continue
            closable = desk.closable(order.signed.account_id, order.signed.market_id, order.side)
            if order.stage is Stage.RESTING:
                if not closable:
                    desk.drop(order, Cause.NOTHING_TO_REDUCE)
                elif closable < order.left:
                    _reduce(desk, order, closable)
            elif not closable:
                if order.parent_id in desk.orders:
                    _sleep(desk, order)
                else:
                    desk.drop(order, Cause.NOTHING_TO_REDUCE)


def _sleep(desk: Desk, leg: OpenOrder) -> None:
    assert leg.terms.trigger is not None, "protection waits for a trigger"
    desk.triggers.remove(leg.order_id, leg.signed.market_id, leg.terms.trigger)
    leg.stage = Stage.DORMANT


def _fire_next(desk: Desk) -> bool:
    """Fire the next due trigger of the markets whose prices moved; False when none is due.

    Triggers sleep while a market does not trade freely: what they would send could not execute.
    """
    for market_id in list(desk.moved):
        status = desk.state.markets[market_id].status
        if not desk.triggers.is_empty(market_id) and status in (Status.ACTIVE, Status.REDUCE_ONLY):
            due = desk.triggers.due(market_id, partial(desk.price_of, market_id))
            if due is not None:
                _fire(desk, *due)
                return True
        del desk.moved[market_id]
    return False


def _fire(desk: Desk, order_id: int, source: PriceSource, price: Price) -> None:
    """A waiting order enters the market, judged as any new order is now."""
    order = desk.orders[order_id]
    signed, trigger = order.signed, order.terms.trigger
    assert trigger is not None, "a waiting order has a trigger"
    desk.triggers.remove(order_id, signed.market_id, trigger)
    order.stage = Stage.RESTING
    desk.emit(Triggered, order_id, signed.account_id, signed.market_id, source, price)
    if order.reduce_only:
        closable = desk.closable(signed.account_id, signed.market_id, order.side)
        if not closable:
            desk.drop(order, Cause.NOTHING_TO_REDUCE, in_book=False)
            return
        order.left = min(order.left, closable)
    problem = admission.entry(desk, order)
    if problem is not None:
        desk.drop(order, Cause.REFUSED, problem, in_book=False)
        return
    if desk.state.markets[signed.market_id].status is Status.REDUCE_ONLY and not order.reduce_only:
        order.reduce_only = True
        desk.follow_up(order)
    start(desk, order)
