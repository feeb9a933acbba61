"""Forced requests from L1: done, or processed and shown to fail by a named inequality. In queue order."""

from __future__ import annotations

from bulkhead.ledger.accounts import settled_in, sweep
from bulkhead.ledger.custody import check_amount, check_prices, take_out
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import ForcedFailed, Paid, TakenOver
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.takeover import close_without_book, forced_close_price
from bulkhead.ledger.trade import check_price
from bulkhead.ledger.tx import ForcedClose, ForcedWithdrawal
from bulkhead.reject import Reject


def forced_withdrawal(draft: Draft, tx: ForcedWithdrawal) -> Reject | Paid | ForcedFailed:
    """A withdrawal asked for on L1 by the owner; the same rules as a signed one, without the operator's consent."""
    account = _checked(draft, tx)
    if isinstance(account, Reject):
        return account
    _count(draft, tx.number)
    inner = _copy(draft)
    problem: Reject | None = Reject.UNKNOWN_ACCOUNT
    if account is not None:
        problem = check_amount(inner, tx.asset_id, tx.amount) or take_out(inner, account, tx.asset_id, tx.amount)
    if problem is not None:
        return ForcedFailed(problem)
    _adopt(draft, inner)
    draft.custody[tx.asset_id] = draft.held(tx.asset_id) - tx.amount
    draft.counters = draft.counters._replace(withdrawals=draft.counters.withdrawals + 1)
    return Paid(tx.account_id, tx.asset_id, tx.amount)


def forced_close(draft: Draft, tx: ForcedClose) -> Reject | TakenOver | ForcedFailed:
    """A whole position closed at the first index after inclusion, less 10 bp: no free option, no counterparty asked.

    Only a healthy account: an unhealthy one belongs to the liquidation rule.
    """
    account = _checked(draft, tx)
    if isinstance(account, Reject):
        return account
    _count(draft, tx.number)
    if account is None:
        return ForcedFailed(Reject.UNKNOWN_ACCOUNT)
    inner = _copy(draft)
    problem = check_prices(inner, account)
    position = account.position(tx.market_id)
    if problem is None and position is None:
        problem = Reject.NO_SUCH_POSITION
    problem = problem or check_price(inner, tx.market_id)
    if problem is not None or position is None:
        return ForcedFailed(problem or Reject.NO_SUCH_POSITION)
    account = settled_in(inner, account)
    done = close_without_book(inner, account, position, forced_close_price(inner, position))
    if isinstance(done, Reject):
        return ForcedFailed(done)
    after = inner.account(tx.account_id)
    if after is not None and not after.positions and int(after.balance) < 0:
        return ForcedFailed(Reject.INSUFFICIENT_MARGIN)
    sweep(inner, tx.account_id)
    _adopt(draft, inner)
    return done


def _checked(draft: Draft, tx: ForcedWithdrawal | ForcedClose) -> Account | Reject | None:
    """Next in the queue, and an oracle tick later than its inclusion on L1 was accepted."""
    if tx.number != draft.counters.forced + 1:
        return Reject.FORCED_OUT_OF_ORDER
    if draft.oracle.time_ms <= tx.included_ms:
        return Reject.FORCED_TICK_PENDING
    account = draft.account(tx.account_id)
    if account is not None and account.kind is Kind.BACKSTOP:
        return None
    return account


def _count(draft: Draft, number: int) -> None:
    draft.counters = draft.counters._replace(forced=number)


def _copy(draft: Draft) -> Draft:
    """A draft of the same state for the part that may fail; this transaction has written no account yet."""
    inner = Draft(draft.state)
    inner.time_ms = draft.time_ms
    return inner


def _adopt(draft: Draft, inner: Draft) -> None:
    """Take over what the part that may fail has written."""
    draft.accounts, draft.markets, draft.funds = inner.accounts, inner.markets, inner.funds
    draft.risks, draft.indices = inner.risks, inner.indices
