"""Backstop and deleveraging: what happens to a position that the book did not take at its zero price."""

from __future__ import annotations

from bulkhead.fixed import book_price_ceil, book_price_floor, price_share_ceil, quote_ceil
from bulkhead.ledger.accounts import health_of, realised, settled_in, sweep, with_fill
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.custody import cover_flat
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.fill import fits, is_growth
from bulkhead.ledger.liquidate import open_case, zero_price_of
from bulkhead.ledger.receipt import Flow, TakenOver
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.trade import count_loss, settle_interest
from bulkhead.ledger.tx import Backstop, Deleveraging
from bulkhead.reject import Reject
from bulkhead.rules.deleveraging import Holder, profit, shares, unhedged_size
from bulkhead.rules.liquidation import minimal_size
from bulkhead.rules.terms import Health, Position
from bulkhead.units import AccountId, BookPrice, Fraction, MarketId, Price, Quote, Size


def backstop(draft: Draft, tx: Backstop) -> Reject | TakenOver:
    """The backstop account takes lots at the zero price, within its initial margin and the loss budget."""
    opened = _open(draft, tx.account_id, tx.market_id, tx.size)
    if isinstance(opened, Reject):
        return opened
    account, position, before = opened
    account, covered = cover(draft, account, tx.market_id, before)
    health = health_of(draft, account)
    if health.is_bankrupt:
        return Reject.BUDGET_EXHAUSTED
    price = zero_price_of(draft, account, position, health)
    if int(tx.size) > int(backstop_capacity(draft, position, price)):
        return _why_full(draft, tx.market_id)
    taken = ((BACKSTOP_ACCOUNT, tx.size),)
    flows = _exchange(draft, account._replace(liquidated_ms=draft.time_ms), position, price, taken)
    problem = settle_interest(draft, tx.market_id)
    return problem or TakenOver(tx.account_id, tx.market_id, price, before, taken, covered, flows)


def deleverage(draft: Draft, tx: Deleveraging) -> Reject | TakenOver:
    """Opposite holders give up lots at the zero price, shared out by the rule; only what the backstop cannot take."""
    opened = _open(draft, tx.account_id, tx.market_id, tx.size)
    if isinstance(opened, Reject):
        return opened
    account, position, before = opened
    account, covered = cover(draft, account, tx.market_id, before)
    health = health_of(draft, account)
    price = zero_price_of(draft, account, position, health)
    left = int(abs(position.size))
    if not health.is_bankrupt:
        left -= int(backstop_capacity(draft, position, price))
    if int(tx.size) > left:
        return Reject.BACKSTOP_AVAILABLE
    taken = tuple(shares(tx.size, holders(draft, position)).items())
    flows = _exchange(draft, account._replace(liquidated_ms=draft.time_ms), position, price, taken)
    problem = settle_interest(draft, tx.market_id)
    return problem or TakenOver(tx.account_id, tx.market_id, price, before, taken, covered, flows)


def _open(
    draft: Draft, account_id: AccountId, market_id: MarketId, size: Size
) -> tuple[Account, Position, Health] | Reject:
    opened = open_case(draft, account_id)
    if isinstance(opened, Reject):
        return opened
    account, health = opened
    if health.is_above_close_out:
        return Reject.NOT_BELOW_CLOSE_OUT
    position = account.position(market_id)
    if position is None:
        return Reject.NO_SUCH_POSITION
    if int(size) <= 0:
        return Reject.SIZE_IS_ZERO
    return Reject.WOULD_FLIP if size > abs(position.size) else (account, position, health)


def cover(draft: Draft, account: Account, market_id: MarketId, health: Health) -> tuple[Account, Quote]:
    """A debt is paid by the insurance fund first, as far as fund and loss budget reach; in the same step."""
    if not health.is_bankrupt:
        return account, Quote(0)
    market = draft.market(market_id)
    budget = max(Quote(0), draft.terms[market_id].loss_budget - market.lost)
    fund = max(Quote(0), draft.fund(account.asset_id).insurance)
    paid = min(quote_ceil(-health.value), budget, fund)
    if int(paid) == 0:
        return account, Quote(0)
    draft.pay_fund(account.asset_id, insurance=-int(paid))
    draft.put_market(market._replace(lost=market.lost + paid))
    account = account._replace(balance=account.balance + paid)
    draft.put(account)
    return account, paid


def backstop_capacity(draft: Draft, position: Position, price: BookPrice) -> Size:
    """Lots of a position the backstop can take at a price: initial margin kept, loss budget not used up.

    What makes its own position smaller it can always take. Beyond that, its open loss in the market and what was
    drawn before must be below the budget, and the position must keep within the bounds of any account. Found by
    bisection. Its prices in other markets may be stale: else one silent feed would send every position of the
    venue into deleveraging. Its funding is settled, whether it then takes any or not.
    """
    keeper = draft.account(BACKSTOP_ACCOUNT)
    market_id, whole = position.market_id, abs(position.size)
    if keeper is None or keeper.asset_id != draft.terms[market_id].asset_id:
        return Size(0)
    before = settled_in(draft, keeper)
    sign = 1 if int(position.size) > 0 else -1
    own = before.size(market_id)
    shrinking = min(whole, abs(own)) if int(own) * sign < 0 else Size(0)
    if shrinking == whole or _budget_left(draft, market_id) <= 0:
        return shrinking

    def is_too_much(size: Size) -> bool:
        after = with_fill(before, market_id, Size(sign * int(size)), price, draft.indices[market_id])
        if not is_growth(own, after.size(market_id)):
            return False
        return fits(draft, after, market_id) is not None or not health_of(draft, after).is_initial

    if not is_too_much(whole):
        return whole
    return minimal_size(whole, is_too_much) - Size(1)


def _budget_left(draft: Draft, market_id: MarketId) -> int:
    """Loss budget less what was drawn and less the backstop's open loss in this market."""
    keeper = draft.account(BACKSTOP_ACCOUNT)
    held = None if keeper is None else keeper.position(market_id)
    loss = 0 if held is None else max(0, -int(profit(held, draft.risks)))
    return int(draft.terms[market_id].loss_budget - draft.market(market_id).lost) - loss


def _why_full(draft: Draft, market_id: MarketId) -> Reject:
    return Reject.BUDGET_EXHAUSTED if _budget_left(draft, market_id) <= 0 else Reject.BACKSTOP_FULL


def holders(draft: Draft, position: Position) -> list[Holder]:
    """Opposite positions of a market as the deleveraging rule sees them. The backstop is one of them."""
    found: list[Holder] = []
    for account_id in sorted(draft.state.holders[position.market_id]):
        account = draft.account(account_id)
        held = None if account is None else account.position(position.market_id)
        if account is None or held is None or int(held.size) * int(position.size) >= 0:
            continue
        free = unhedged_size(account.positions, position.market_id, draft.risks, draft.groups)
        found.append(Holder(account.account_id, abs(held.size), free, profit(held, draft.risks)))
    return found


def _exchange(
    draft: Draft,
    account: Account,
    position: Position,
    price: BookPrice,
    taken: tuple[tuple[AccountId, Size], ...],
) -> tuple[Flow, ...]:
    """Book the close and its counterparties at one price, without fees or health checks.

    No check of the counterparties: the backstop's capacity was measured, and a deleveraged position only
    shrinks. Who is left flat is out of debt as far as the insurance fund goes; a flat child is swept to its parent.
    """
    # Longs are as many as shorts, so the opposite holders can always take all of it between them.
    assert sum(int(size) for _, size in taken) <= int(abs(position.size))
    sign = 1 if int(position.size) > 0 else -1
    index = draft.indices[position.market_id]
    total = sum(int(size) for _, size in taken)
    closing = Size(-sign * total)
    changes = [(account.account_id, closing, realised(account, position.market_id, closing, price))]
    draft.put(with_fill(account, position.market_id, closing, price, index))
    for account_id, size in taken:
        holder = draft.account(account_id)
        assert holder is not None  # it was just counted
        holder = settled_in(draft, holder)
        change = Size(sign * int(size))
        earned = realised(holder, position.market_id, change, price)
        if holder.kind is Kind.BACKSTOP:
            count_loss(draft, position.market_id, earned)
        draft.put(with_fill(holder, position.market_id, change, price, index))
        changes.append((account_id, change, earned))
    flows = []
    for account_id, change, earned in changes:
        flows.append(Flow(account_id, change, earned, cover_flat(draft, account_id)))
        sweep(draft, account_id)
    return tuple(flows)


def forced_close_price(position: Position, price: Price, charge: Fraction) -> BookPrice:
    """Index less (for a long; plus for a short) the forced charge, rounded against the one who closes."""
    if int(position.size) > 0:
        return max(BookPrice(1), book_price_floor(price - price_share_ceil(price, charge)))
    return book_price_ceil(price + price_share_ceil(price, charge))


def close_without_book(draft: Draft, account: Account, position: Position, price: BookPrice) -> Reject | TakenOver:
    """Forced close: the backstop within its limits takes it, the rest is deleveraged, both at one price."""
    before = health_of(draft, account)
    capacity = backstop_capacity(draft, position, price)
    taken: list[tuple[AccountId, Size]] = [(BACKSTOP_ACCOUNT, capacity)] if int(capacity) else []
    rest = abs(position.size) - capacity
    if int(rest):
        # The backstop took what makes it smaller already.
        others = [holder for holder in holders(draft, position) if holder.account_id != BACKSTOP_ACCOUNT]
        taken += list(shares(rest, others).items())
    flows = _exchange(draft, account, position, price, tuple(taken))
    problem = settle_interest(draft, position.market_id)
    shared = tuple(taken)
    return problem or TakenOver(account.account_id, position.market_id, price, before, shared, Quote(0), flows)
