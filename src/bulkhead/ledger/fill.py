"""One side of a fill: where it settles, what it moves between parent and child, and whether it is allowed."""

from __future__ import annotations

from bulkhead.fixed import div_ceil, part_floor, quote_floor
from bulkhead.ledger.accounts import check_prices, closed_part, health_of, new_child, settled_in, with_fill
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account, Mode, child_id
from bulkhead.limits import NOTIONAL_LIMIT, POSITIONS_MAX, QUOTE_LIMIT, SIZE_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules import margin
from bulkhead.units import BookPrice, MarketId, Quote, Size, Worth


def is_growth(old: Size, new: Size) -> bool:
    """The position after a fill carries new risk: larger, or on the other side."""
    return int(old) * int(new) < 0 or abs(new) > abs(old)


def in_range(account: Account, market_id: MarketId) -> bool:
    """Balance, size and cost keep within their widths."""
    position = account.position(market_id)
    if position is not None and not (abs(position.size) < SIZE_LIMIT and abs(position.cost) < QUOTE_LIMIT):  # type: ignore[operator]
        return False
    return abs(int(account.balance)) < QUOTE_LIMIT


def fits(draft: Draft, account: Account, market_id: MarketId) -> Reject | None:
    """Bounds of an account after its position in a market grew."""
    if not in_range(account, market_id):
        return Reject.OUT_OF_RANGE
    if len(account.positions) > POSITIONS_MAX:
        return Reject.TOO_MANY_POSITIONS
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
        # New risk is judged at fresh prices of all that is held; what only shrinks may leave at the last known ones.
        problem = check_prices(draft, before) or fits(draft, after, market_id)
        if problem is not None:
            return problem
    elif not in_range(after, market_id):
        return Reject.OUT_OF_RANGE
    health = health_of(draft, after)
    if not margin.is_allowed(lambda: health_of(draft, before), health, is_new_risk=grows, only_shrinks=not grows):
        return Reject.INSUFFICIENT_MARGIN if grows else Reject.NOT_HEALTHIER
    draft.put(after)
    return None


def _settle_isolated(
    draft: Draft, parent: Account, market_id: MarketId, change: Size, price: BookPrice, fee: Quote
) -> Reject | None:
    """Close, sweep, open: the child pays and receives through its parent, which pays the fee.

    A parent that cannot pay the fee of a reduction leaves it to the child, so that whoever has put all he owns
    into the child can still make it smaller. A debt of the child is never the parent's: nothing opens on it.
    """
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
        if not child.positions and int(child.balance) < 0:
            return Reject.INSUFFICIENT_BALANCE
        child, funded = _open(draft, parent, child, market_id, opening, price)
        moved = moved - funded
        problem = check_prices(draft, parent) or fits(draft, child, market_id)
        if problem is not None:
            return problem
    paid = parent._replace(balance=parent.balance + moved - fee)
    if not _bears(draft, parent, paid, is_new_risk=bool(opening)):
        if opening:
            return Reject.INSUFFICIENT_MARGIN
        paid = parent._replace(balance=parent.balance + moved)
        child = child._replace(balance=child.balance - fee)
    if not (in_range(child, market_id) and in_range(paid, market_id)):
        return Reject.OUT_OF_RANGE
    if not margin.is_allowed(
        lambda: health_of(draft, before),
        health_of(draft, child),
        is_new_risk=bool(opening),
        only_shrinks=not opening,
    ):
        return Reject.INSUFFICIENT_MARGIN if opening else Reject.NOT_HEALTHIER
    draft.put(paid)
    draft.put(child)
    return None


def _bears(draft: Draft, parent: Account, paid: Account, *, is_new_risk: bool) -> bool:
    """The parent may pay: healthy or healthier after, and without positions never into debt, which others could
    call by selling its other collateral."""
    if paid.balance >= parent.balance:
        return True
    if not paid.positions and int(paid.balance) < 0:
        return False
    return margin.is_allowed(
        lambda: health_of(draft, parent), health_of(draft, paid), is_new_risk=is_new_risk, only_shrinks=not is_new_risk
    )


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
