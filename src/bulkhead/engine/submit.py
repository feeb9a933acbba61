"""Ledger transactions from outside, and what open orders have to say to them before the ledger is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from bulkhead.engine.command import Submit, Submitted
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import StateChanged
from bulkhead.engine.follow import accounts_follow, everything_follows
from bulkhead.engine.reserve import Claims
from bulkhead.ledger.apply import SIGNED, apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import ForcedFailed, TakenOver
from bulkhead.ledger.tx import Configure, ForcedClose, FundDeposit, Move, Transfer, Withdrawal
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.reject import Reject
from bulkhead.signing import SigningError

KINDS = frozenset(get_args(Submitted))


def submit(desk: Desk, command: Submit) -> None:
    """Apply a transaction, stamped with the command's time."""
    account_id = _account_of(command.transaction)
    if type(command.transaction) not in KINDS:
        desk.reject(Reject.WRONG_KIND, account_id, detail=type(command.transaction).__name__)
        return
    transaction = replace(command.transaction, time_ms=command.time_ms)
    kind = type(transaction).__name__
    problem = orders_object(desk, transaction)
    if problem is not None:
        desk.reject(problem, account_id, detail=kind)
        return
    receipt = apply(desk.state, transaction, desk.authority)
    if receipt.reject is not None:
        desk.reject(receipt.reject, account_id, detail=kind)
        return
    detail = receipt.detail
    failed = detail.reason if isinstance(detail, ForcedFailed) else None
    flows = detail.flows if isinstance(detail, TakenOver) else ()
    desk.emit(StateChanged, receipt.number, transaction, failed, flows)
    if isinstance(transaction, Move):
        # Only its own accounts: a move costs its owner nothing, so it may not ask every order of the venue.
        accounts_follow(desk, _drained(transaction))
    elif isinstance(transaction, ForcedClose):
        everything_follows(desk)


def _account_of(transaction: Submitted) -> int:
    if isinstance(transaction, Transfer):
        return transaction.source
    return 0 if isinstance(transaction, FundDeposit) else transaction.account_id


def orders_object(desk: Desk, transaction: Submitted) -> Reject | None:
    """Configuration does not change under open orders; value that open orders count on does not leave.

    The ledger's own reasons come first: it is asked in a draft that nobody commits. Requests forced through L1 are
    never held up; orders that have lost their margin are then refused when they would fill.
    """
    places = _choices(transaction)
    is_configuring = any(desk.has_orders(account_id, market_id) for account_id, market_id in places)
    drained = [account_id for account_id in _drained(transaction) if account_id in desk.reserve.totals]
    if not is_configuring and not drained:
        return None
    draft = Draft(desk.state)
    draft.time_ms = desk.time_ms
    try:
        outcome = SIGNED[type(transaction)](draft, transaction, desk.authority)
    except SigningError:
        outcome = Reject.OUT_OF_RANGE
    if isinstance(outcome, Reject):
        return outcome
    if is_configuring:
        return Reject.ORDERS_OPEN
    after = Claims(draft, desk.reserve, desk.caps)
    for account_id in drained:
        spare = after.spare(account_id)
        if spare < 0 and spare < desk.claims.spare(account_id):
            return Reject.INSUFFICIENT_MARGIN
    return None


def _choices(transaction: Submitted) -> list[tuple[int, int]]:
    """(account, market) whose configuration a transaction changes."""
    if isinstance(transaction, Configure):
        return [(transaction.account_id, transaction.choice.market_id)]
    if isinstance(transaction, Move):
        return [(account_id, choice.market_id) for account_id, choice in transaction.choices]
    return []


def _drained(transaction: Submitted) -> list[int]:
    """Signable accounts that value, or a position, may leave; in a fixed order, each once."""
    if isinstance(transaction, Withdrawal):
        return [transaction.account_id]
    if isinstance(transaction, Transfer):
        return [transaction.source]
    if not isinstance(transaction, Move):
        return []
    found = [transaction.account_id]
    for asset_leg in transaction.assets:
        found += [asset_leg.source, asset_leg.target]
    for position_leg in transaction.positions:
        found += [position_leg.source, position_leg.target]
    return sorted({account_id & -CHILDREN_PER_ACCOUNT for account_id in found})
