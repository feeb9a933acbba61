"""One side of a fill: where it settles, what it moves between parent and child, and whether it is allowed."""

from __future__ import annotations

from bulkhead.fixed import div_ceil, part_floor, quote_floor
from bulkhead.ledger.accounts import closed_part, health_of, new_child, settled_in, with_fill
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account, Mode, child_id
from bulkhead.limits import NOTIONAL_LIMIT, POSITIONS_MAX, QUOTE_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules import margin
from bulkhead.units import BookPrice, MarketId, Quote, Size, Worth


def is_growth(old: Size, new: Size) -> bool:
    """The position after a fill carries new risk: larger, or on the other side."""
    return int(old) * int(new) < 0 or abs(new) > abs(old)


def fits(draft: Draft, account: Account, market_id: MarketId) -> Reject | None:
    """Bounds of an account after its position in a market grew."""
    if len(account.positions) > POSITIONS_MAX:
        return Reject.TOO_MANY_POSITIONS
    if abs(int(account.balance)) >= QUOTE_LIMIT:
        return Reject.OUT_OF_RANGE
    notional = quote_floor(abs(account.size(market_id) * draft.risks[market_id].price))
    if notional > draft.terms[market_id].tiers[-1].bound or int(notional) >= NOTIONAL_LIMIT:
        return Reject.POSITION_TOO_LARGE
    return None


def settle_fill(
    draft: Draft, account: Account, market_id: MarketId, change: Size, price: BookPrice, fee: Quote
) -> Reject | None:
    """Settle `change` signed lots of an order signed for `account`, by its signed configuration."""
    account = settled_in(draft, account)
    choice = account.choice(market_id)
    if choice is not None and choice.mode is Mode.ISOLATED:
        return _settle_isolated(draft, account, market_id, change, price, fee)
    return _settle_cross(draft, account, market_id, change, price, fee)


def _settle_cross(
    draft: Draft, before: Account, market_id: MarketId, change: Size, price: BookPrice, fee: Quote
) -> Reject | None:
    after = with_fill(before, market_id, change, price, draft.indices[market_id])
    after = after._replace(balance=after.balance - fee)
    grows = is_growth(before.size(market_id), after.size(market_id))
    if grows:
        problem = fits(draft, after, market_id)
        if problem is not None:
            return problem
    health = health_of(draft, after)
    if not margin.is_allowed(lambda: health_of(draft, before), health, is_new_risk=grows, only_shrinks=not grows):
        return Reject.INSUFFICIENT_MARGIN if grows else Reject.NOT_HEALTHIER
    draft.put(after)
    return None


def _settle_isolated(
    draft: Draft, parent: Account, market_id: MarketId, change: Size, price: BookPrice, fee: Quote
) -> Reject | None:
    """Close, sweep, open: the child pays and receives through its parent, which pays the fee."""
    held = draft.account(child_id(parent.account_id, market_id))
    child = new_child(parent, market_id) if held is None else settled_in(draft, held)
    before = child
    closing = closed_part(child.size(market_id), change)
    opening = change - closing
    moved = Quote(0)  # from child to parent
    if closing:
        child, released = _close(draft, child, market_id, closing, price)
        moved = moved + released
    if opening:
        child, funded = _open(draft, parent, child, market_id, opening, price)
        moved = moved - funded
        problem = fits(draft, child, market_id)
        if problem is not None:
            return problem
    if not margin.is_allowed(
        lambda: health_of(draft, before),
        health_of(draft, child),
        is_new_risk=bool(opening),
        only_shrinks=not opening,
    ):
        return Reject.INSUFFICIENT_MARGIN if opening else Reject.NOT_HEALTHIER
    paid = parent._replace(balance=parent.balance + moved - fee)
    if paid.balance < parent.balance and not margin.is_allowed(
        lambda: health_of(draft, parent), health_of(draft, paid), is_new_risk=bool(opening), only_shrinks=True
    ):
        return Reject.INSUFFICIENT_MARGIN
    draft.put(paid)
    draft.put(child)
    return None


def _close(draft: Draft, child: Account, market_id: MarketId, closing: Size, price: BookPrice) -> tuple[Account, Quote]:
    """Reduce the child; release ⌊f · value⌋ as long as it stays above its initial requirement, all when flat."""
    old = child.size(market_id)
    child = with_fill(child, market_id, closing, price, draft.indices[market_id])
    if not child.positions:
        released = max(Quote(0), child.balance)
    else:
        health = health_of(draft, child)
        share = part_floor(max(0, int(health.value)), -closing, old)
        released = min(quote_floor(Worth(share)), margin.surplus(health.value, health.initial))
    return child._replace(balance=child.balance - released), released


def _open(
    draft: Draft, parent: Account, child: Account, market_id: MarketId, opening: Size, price: BookPrice
) -> tuple[Account, Quote]:
    """Open in the child with max(⌈notional / leverage⌉, shortfall to its initial requirement at the index).

    Without a signed leverage the market's own initial fraction decides alone.
    """
    child = with_fill(child, market_id, opening, price, draft.indices[market_id])
    choice = parent.choice(market_id)
    health = health_of(draft, child)
    funded = margin.shortfall(health.initial, health.value)
    if choice is not None and choice.leverage:
        funded = max(funded, Quote(div_ceil(abs(int(price * opening)), choice.leverage)))
    return child._replace(balance=child.balance + funded), funded
