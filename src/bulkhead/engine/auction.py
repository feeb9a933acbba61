"""Liquidation through the book: the keepers close an account's position against resting orders, maker by maker."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkhead.engine.book import MAKER_GONE, TAKER_STOP
from bulkhead.engine.desk import Desk
from bulkhead.engine.match import offered, realised_by, record
from bulkhead.engine.order import Cause, OpenOrder
from bulkhead.ledger.accounts import account_for
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.trade import check_order, fill_order
from bulkhead.ledger.tx import Order
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.reject import Reject
from bulkhead.rules import fees
from bulkhead.rules.fees import FeeSplit
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, Size


class Offer(NamedTuple):
    """What a maker would take: at most `size` lots at `price`, paying `order_fee(lots)`."""

    order: Order
    price: BookPrice
    size: Size
    order_fee: Callable[[Size], Quote]


class Step(NamedTuple):
    """What the keeper made of an offer: lots closed, fees, and the liquidated account's realised profit or loss.

    Fewer lots than offered (none, too) end the auction.
    """

    size: Size
    fees: FeeSplit = FeeSplit(Quote(0), Quote(0), Quote(0), Quote(0))
    profit: Quote = Quote(0)


Close = Callable[[Offer], Step | Reject]
"""Builds and applies the Liquidation for one offer. It may not read the book: a match is running. A Reject stops the
auction, unless the maker alone would have been refused: then his order is cancelled and the next one is asked."""


class Closing(NamedTuple):
    """A position to be closed: `side` is the taker's (the one that reduces it), `price` the worst allowed."""

    account_id: AccountId
    market_id: MarketId
    side: int
    price: BookPrice
    size: Size


def auction(desk: Desk, closing: Closing, close: Close) -> tuple[Size, Reject | None]:
    """Offer resting orders to the keeper, best first, until enough is closed. Lots left, and what stopped it."""
    stopped: Reject | None = None
    owner = closing.account_id & -CHILDREN_PER_ACCOUNT

    def settle(maker_id: int, _: int, price: BookPrice, size: Size) -> Size:
        nonlocal stopped
        maker = desk.orders[maker_id]
        if maker.signed.account_id == owner:
            desk.drop(maker, Cause.SELF_TRADE, in_book=False)
            return MAKER_GONE
        lots = offered(desk, maker, size)
        if not lots:
            return MAKER_GONE
        holder = account_for(desk.state, maker.signed.account_id, closing.market_id)
        step = close(Offer(maker.signed, price, lots, _fee_of(desk, maker, price)))
        if isinstance(step, Reject):
            if _is_makers_fault(desk, maker.signed, price, lots):
                desk.drop(maker, Cause.REFUSED, step, in_book=False)
                return MAKER_GONE
            stopped = step
            return TAKER_STOP
        done = step.size
        if done:
            earned = Quote(0) if holder is None else realised_by(holder, closing.market_id, maker.side, price, done)
            record(desk, maker, price, done, (closing.account_id, 0, step.fees, (earned, step.profit)))
        return done if maker.left else MAKER_GONE - done

    left = desk.books[closing.market_id].match(0, closing.side, closing.price, closing.size, settle)
    return left, stopped


class Taken(NamedTuple):
    """A resting order's part in a liquidation that the keeper has applied already, over several books at once."""

    order_id: int
    price: BookPrice
    size: Size
    fees: FeeSplit
    maker_profit: Quote
    profit: Quote


def offers(desk: Desk, market_id: MarketId, side: int, price: BookPrice) -> list[tuple[int, Offer]]:
    """Resting orders that a taker on `side` meets at `price` or better, best first, with their ids.

    For liquidations that must fill in several books in one transaction (slices of a scenario account).
    """
    found = []
    for resting in desk.books[market_id].facing(side, price):
        maker = desk.orders[resting.order_id]
        size = min(resting.size, maker.left)
        if maker.reduce_only:
            size = min(size, desk.closable(maker.signed.account_id, market_id, maker.side))
        if size:
            offer = Offer(maker.signed, resting.price, size, _fee_of(desk, maker, resting.price))
            found.append((maker.order_id, offer))
    return found


def taken(desk: Desk, account_id: AccountId, fills: tuple[Taken, ...]) -> None:
    """Bring resting orders up to date with a liquidation the keeper has applied."""
    for fill in fills:
        maker = desk.orders[fill.order_id]
        book = desk.books[maker.signed.market_id]
        if fill.size == maker.left:
            book.cancel(maker.order_id)
        else:
            book.reduce(maker.order_id, maker.left - fill.size)
        profits = (fill.maker_profit, fill.profit)
        record(desk, maker, fill.price, fill.size, (account_id, 0, fill.fees, profits))


def _fee_of(desk: Desk, maker: OpenOrder, price: BookPrice) -> Callable[[Size], Quote]:
    def order_fee(part: Size) -> Quote:
        return maker_fee(desk, maker.signed, price * part)

    return order_fee


def maker_fee(desk: Desk, order: Order, value: Quote) -> Quote:
    """What a resting order pays in a liquidation: its tier's fee within the signed cap, and no rebate, for the
    liquidated account's fee is bounded by its zero price and may not cover one."""
    due = fees.fee(value, desk.volumes.tier(order.account_id).maker)
    return max(Quote(0), min(due, fees.cap(value, order.fee_amount, abs(order.quote_amount))))


def _is_makers_fault(desk: Desk, order: Order, price: BookPrice, size: Size) -> bool:
    """The maker's side alone would have been refused."""
    draft = Draft(desk.state)
    draft.time_ms = desk.time_ms
    fill = (size, price, maker_fee(desk, order, price * size))
    problem = check_order(draft, order, order.market_id, fill, desk.authority)
    if problem is None:
        problem = fill_order(draft, order, fill, draft.market(order.market_id).status, desk.authority)
    return problem not in (None, Reject.ORDER_TABLE_FULL)
