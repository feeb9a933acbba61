"""Cancelling: one order, many, all, and the dead-man's switch."""

from __future__ import annotations

from bulkhead.engine.command import CancelAll, CancelOrder, MassCancel, SetDeadMan
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import DeadManSet
from bulkhead.engine.order import Cause, OpenOrder, OrderType
from bulkhead.limits import CHILDREN_PER_ACCOUNT, ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject

COUNTDOWN_MAX_MS = 86_400_000


def cancel_order(desk: Desk, command: CancelOrder) -> None:
    """Cancel one order of the account, by id or external id."""
    if command.order_id:
        order = _by_id(desk, command.account_id, command.order_id)
    else:
        order = desk.named(command.account_id, command.external_id)
    if order is None:
        desk.reject(Reject.UNKNOWN_ORDER, command.account_id, command.external_id, str(command.order_id or ""))
        return
    _cancel(desk, order)


def _by_id(desk: Desk, account_id: int, order_id: int) -> OpenOrder | None:
    """Another account's order is as unknown as none."""
    order = desk.orders.get(order_id)
    return order if order is not None and order.signed.account_id == account_id else None


def _cancel(desk: Desk, order: OpenOrder) -> None:
    """Protection placed as a pair under one external id goes as a pair."""
    twin = desk.orders.get(order.sibling_id)
    desk.drop(order, Cause.REQUESTED)
    if twin is not None and order.terms.kind is OrderType.TPSL and order.terms.external_id:
        desk.drop(twin, Cause.REQUESTED)


def cancel_all(desk: Desk, command: CancelAll) -> None:
    """Cancel every open order of the account."""
    if command.account_id not in desk.state.accounts:
        desk.reject(Reject.UNKNOWN_ACCOUNT, command.account_id)
        return
    _drop_each(desk, desk.of_account(command.account_id), Cause.REQUESTED)


def mass_cancel(desk: Desk, command: MassCancel) -> None:
    """Cancel what is named, in the order named: ids, external ids, markets, everything."""
    account_id = command.account_id
    named = (command.order_ids, command.external_ids, command.market_ids)
    if any(len(names) > ORDERS_PER_ACCOUNT_MAX for names in named):
        desk.reject(Reject.OUT_OF_RANGE, account_id)  # every unknown name is answered, so they are counted
        return
    if account_id not in desk.state.accounts:
        desk.reject(Reject.UNKNOWN_ACCOUNT, account_id)
        return
    for order_id in command.order_ids:
        order = _by_id(desk, account_id, order_id)
        if order is None:
            desk.reject(Reject.UNKNOWN_ORDER, account_id, detail=str(order_id))
        else:
            _cancel(desk, order)
    for external_id in command.external_ids:
        order = desk.named(account_id, external_id)
        if order is None:
            desk.reject(Reject.UNKNOWN_ORDER, account_id, external_id)
        else:
            _cancel(desk, order)
    for market_id in command.market_ids:
        if market_id not in desk.books:
            desk.reject(Reject.UNKNOWN_MARKET, account_id, detail=str(market_id))
    mine = desk.of_account(account_id)
    _drop_each(
        desk,
        [order for order in mine if command.is_everything or order.signed.market_id in command.market_ids],
        Cause.REQUESTED,
    )


def _drop_each(desk: Desk, orders: list[OpenOrder], cause: Cause) -> None:
    for order in orders:
        if order.order_id in desk.orders:  # a parent may have taken it along
            desk.drop(order, cause)


def cancel_account(desk: Desk, account_id: int, cause: Cause) -> None:
    """Cancel what could trade against an account's recovery: all but orders that wait to reduce a position.

    An isolated child has no orders of its own: its parent's in that market are meant.
    """
    market_id = account_id & (CHILDREN_PER_ACCOUNT - 1)
    _drop_each(
        desk,
        [
            order
            for order in desk.of_account(account_id - market_id)
            if not order.is_protective and (not market_id or order.signed.market_id == market_id)
        ],
        cause,
    )


def set_dead_man(desk: Desk, command: SetDeadMan) -> None:
    """Arm, extend or disarm an account's switch."""
    account_id = command.account_id
    if not 0 <= command.countdown_ms <= COUNTDOWN_MAX_MS:
        desk.reject(Reject.OUT_OF_RANGE, account_id)
        return
    if account_id not in desk.state.accounts:
        desk.reject(Reject.UNKNOWN_ACCOUNT, account_id)
        return
    deadline = desk.time_ms + command.countdown_ms if command.countdown_ms else 0
    if deadline:
        desk.dead_men[account_id] = deadline
    else:
        desk.dead_men.pop(account_id, None)
    desk.emit(DeadManSet, account_id, deadline)


def fire_dead_men(desk: Desk) -> None:
    """Switches whose countdown is over, by rising account id."""
    due = sorted(account_id for account_id, deadline in desk.dead_men.items() if deadline <= desk.time_ms)
    for account_id in due:
        del desk.dead_men[account_id]
        cancel_account(desk, account_id, Cause.DEAD_MAN)
