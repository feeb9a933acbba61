"""Forced requests from L1: done, or processed and shown to fail by a named inequality. In queue order."""

from __future__ import annotations

from typing import TypeVar

from bulkhead.ledger.accounts import check_prices, health_of, settled_in, with_fill
from bulkhead.ledger.custody import check_amount, paid_out, take_out
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import ForcedFailed, Paid, TakenOver
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.takeover import close_without_book, forced_close_price
from bulkhead.ledger.tx import ForcedClose, ForcedWithdrawal
from bulkhead.reject import Reject
from bulkhead.rules import margin
from bulkhead.rules.prices import is_fresh


def forced_withdrawal(draft: Draft, tx: ForcedWithdrawal) -> Reject | Paid | ForcedFailed:
    """A withdrawal asked for on L1 by the owner; the same rules as a signed one, without the operator's consent.

    Funding is settled whatever becomes of it, as soon as it is clear that the owner asks.
    """
    problem = _check_turn(draft, tx)
    if problem is not None:
        return problem
    account = _withdrawing(draft, tx)
    if isinstance(account, Reject):
        return _failed(draft, account)
    account = settled_in(draft, account)
    inner = draft.fork()
    paid = Paid(tx.account_id, tx.asset_id, tx.amount)
    done = take_out(inner, account, tx.asset_id, tx.amount) or paid_out(inner, paid)
    return _conclude(draft, inner, done)


def _withdrawing(draft: Draft, tx: ForcedWithdrawal) -> Account | Reject:
    problem = check_amount(draft, tx.asset_id, tx.amount)
    if problem is not None:
        return problem
    account = _owners_account(draft, tx)
    if isinstance(account, Account) and account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE  # closing its position by force sweeps it to its parent
    return account


def forced_close(draft: Draft, tx: ForcedClose) -> Reject | TakenOver | ForcedFailed:
    """A whole position closed at the first index after inclusion, less 10 bp: no free option, no counterparty asked.

    The account is the one that holds the position, so an isolated child is named by its own id. Only a healthy
    account, or one that closing makes healthier: else it belongs to the liquidation rule. Funding as above.
    """
    problem = _check_turn(draft, tx)
    if problem is not None:
        return problem
    account = _owners_account(draft, tx)
    if isinstance(account, Reject):
        return _failed(draft, account)
    account = settled_in(draft, account)
    inner = draft.fork()
    return _conclude(draft, inner, _close(inner, tx, account))


def _close(draft: Draft, tx: ForcedClose, account: Account) -> Reject | TakenOver:
    problem = check_prices(draft, account)
    if problem is not None:
        return problem
    position = account.position(tx.market_id)
    if position is None:
        return Reject.NO_SUCH_POSITION
    if draft.market(tx.market_id).price_ms <= tx.included_ms:
        return Reject.PRICE_STALE  # the tick left this feed out: its price was known when the request was made
    index = draft.risks[tx.market_id].price
    price = forced_close_price(position, index, draft.config.forced_close_charge)
    flat = with_fill(account, tx.market_id, -position.size, price, position.funding_index)
    if not margin.is_allowed(
        lambda: health_of(draft, account), health_of(draft, flat), is_new_risk=False, only_shrinks=True
    ):
        return Reject.NOT_HEALTHIER
    return close_without_book(draft, account, position, price)


Done = TypeVar("Done", Paid, TakenOver)


def _conclude(draft: Draft, inner: Draft, done: Reject | Done) -> Done | ForcedFailed:
    """The request is counted either way; what it wrote is kept only when it succeeded."""
    if isinstance(done, Reject):
        return _failed(draft, done)
    draft.adopt(inner)
    _count(draft)
    return done


def _failed(draft: Draft, reason: Reject) -> ForcedFailed:
    _count(draft)
    return ForcedFailed(reason)


def _count(draft: Draft) -> None:
    draft.counters = draft.counters._replace(forced=draft.counters.forced + 1)


def _check_turn(draft: Draft, tx: ForcedWithdrawal | ForcedClose) -> Reject | None:
    """Next in the queue; every report of the last oracle tick was signed after its inclusion on L1, and is young.

    Else the operator could wait until prices are stale, and every request of who holds a position would fail for that.
    Now only a feed that the last tick refused is stale.
    """
    youngest_ms = min((terms.price_age_max_ms for terms in draft.config.markets), default=0)
    if draft.oracle.time_ms <= tx.included_ms or not is_fresh(draft.oracle.time_ms, draft.time_ms, youngest_ms):
        return Reject.FORCED_TICK_PENDING
    return None if tx.number == draft.counters.forced + 1 else Reject.FORCED_OUT_OF_ORDER


def _owners_account(draft: Draft, tx: ForcedWithdrawal | ForcedClose) -> Account | Reject:
    """L1 knows who asks, but not whose an account is. The backstop is the venue's, which has no claim on an exit."""
    account = draft.account(tx.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.BACKSTOP:
        return Reject.WRONG_KIND
    return account if account.l1_owner == tx.sender else Reject.WRONG_OWNER
