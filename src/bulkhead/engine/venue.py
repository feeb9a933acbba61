"""What the operator and the clock ask: prices, time, market status, leverage caps, restart."""

from __future__ import annotations

from bulkhead.engine.cancel import fire_dead_men
from bulkhead.engine.command import Clock, Prices, RestartNode, SealBatch, SetLeverageCap, SetStatus
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import BatchSealed, LeverageCapped, MarkChanged, PricesAccepted, Restarted, StatusChanged
from bulkhead.engine.order import Cause, Stage
from bulkhead.ledger.apply import apply
from bulkhead.ledger.batch import close
from bulkhead.ledger.receipt import Ticked
from bulkhead.ledger.state import Kind, Mode, Status
from bulkhead.ledger.tx import OracleTick, Restart, StatusChange
from bulkhead.limits import LEVERAGE_MAX
from bulkhead.reject import Reject
from bulkhead.rules.margin import leverage_floor
from bulkhead.units import Size


def prices(desk: Desk, command: Prices) -> None:
    """An oracle tick, and the marks that follow from it."""
    receipt = apply(desk.state, OracleTick(command.time_ms, command.reports), desk.authority)
    if receipt.reject is not None:
        desk.reject(receipt.reject, 0, detail="OracleTick")
        return
    detail = receipt.detail
    assert isinstance(detail, Ticked), "an oracle tick answers with its prices"
    desk.emit(PricesAccepted, receipt.number, detail.prices, detail.refused)
    _update_marks(desk, is_new_index=True)


def clock(desk: Desk, command: Clock) -> None:
    """Time passes. Expired orders have left already, as they do before any command."""
    desk.volumes.roll(desk.time_ms)
    fire_dead_men(desk)
    _update_marks(desk, is_new_index=False)
    for market_id, book in desk.books.items():
        desk.marks.sample(market_id, book, desk.time_ms)


def _update_marks(desk: Desk, *, is_new_index: bool) -> None:
    for market_id, book in desk.books.items():
        changed = desk.marks.update(market_id, book, desk.time_ms)
        if changed:
            mark = desk.marks.by_market[market_id].mark
            desk.emit(MarkChanged, market_id, desk.state.markets[market_id].price, mark)
        if changed or is_new_index:
            desk.moved[market_id] = None


def set_status(desk: Desk, command: SetStatus) -> None:
    """Change what a market allows, and bring its open orders in line.

    OFF cancels everything. REDUCE_ONLY makes every resting order reduce-only: it is cut to the position or
    cancelled. CANCEL_ONLY and POST_ONLY leave orders where they are; triggers sleep until trading is free again.
    """
    if command.market_id not in desk.books:
        desk.reject(Reject.UNKNOWN_MARKET, 0, detail=str(command.market_id))
        return
    change = StatusChange(command.time_ms, command.market_id, command.status)
    receipt = apply(desk.state, change, desk.authority)
    if receipt.reject is not None:
        desk.reject(receipt.reject, 0, detail="StatusChange")
        return
    market_id = command.market_id
    desk.emit(StatusChanged, market_id, command.status)
    desk.moved[market_id] = None
    if command.status not in (Status.OFF, Status.REDUCE_ONLY):
        return
    for order in [order for order in desk.orders.values() if order.signed.market_id == market_id]:
        if command.status is Status.OFF:
            if order.order_id in desk.orders:
                desk.drop(order, Cause.MARKET_CLOSED)
        elif order.stage is Stage.RESTING and not order.reduce_only:
            desk.reserve.cut(order, Size(0))
            order.reduce_only = True
            desk.follow_up(order)
            desk.touched[order.signed.account_id, market_id] = None


def set_leverage_cap(desk: Desk, command: SetLeverageCap) -> None:
    """Lower the leverage that new orders are judged at. Raising it, or isolated markets, takes a signed Configure."""
    account_id, market_id, leverage = command.account_id, command.market_id, command.leverage
    account = desk.state.accounts.get(account_id)
    terms = desk.state.terms.get(market_id)
    problem = None
    if terms is None:
        problem = Reject.UNKNOWN_MARKET
    elif account is None:
        problem = Reject.UNKNOWN_ACCOUNT
    elif account.kind is Kind.CHILD:
        problem = Reject.ACCOUNT_ID_NOT_SIGNABLE
    elif not 0 <= leverage <= LEVERAGE_MAX:
        problem = Reject.LEVERAGE_OUT_OF_RANGE
    else:
        choice = account.choice(market_id)
        signed = 0 if choice is None else choice.leverage
        if leverage and (leverage > signed if signed else leverage_floor(leverage) < terms.tiers[0].initial):
            problem = Reject.LEVERAGE_OUT_OF_RANGE
        elif choice is not None and choice.mode is Mode.ISOLATED:
            problem = Reject.MODE_NOT_AVAILABLE
    if problem is None:
        problem = _cap(desk, (account_id, market_id), leverage)
    if problem is not None:
        desk.reject(problem, account_id, detail=str(market_id))
        return
    desk.emit(LeverageCapped, account_id, market_id, leverage)


def _cap(desk: Desk, place: tuple[int, int], leverage: int) -> Reject | None:
    """Set a cap, unless the open orders of the account could then not be borne."""
    before = desk.caps.pop(place, 0)
    if leverage:
        desk.caps[place] = leverage
    is_tighter = leverage and (not before or leverage < before)
    if is_tighter and place[0] in desk.reserve.totals and desk.claims.spare(place[0]) < 0:
        del desk.caps[place]
        if before:
            desk.caps[place] = before
        return Reject.INSUFFICIENT_MARGIN
    return None


def seal(desk: Desk, command: SealBatch) -> None:
    """Close the batch. The ledger's time stays that of its last transaction."""
    close(desk.state)
    desk.emit(BatchSealed, desk.state.counters.batches)


def restart(desk: Desk, command: RestartNode) -> None:
    """The node came back."""
    receipt = apply(desk.state, Restart(command.time_ms), desk.authority)
    if receipt.reject is not None:
        desk.reject(receipt.reject, 0, detail="Restart")
        return
    desk.emit(Restarted, receipt.number)
