"""Admission: whether an order may enter. Checks only, in order of precedence; nothing here changes anything.

`message` reads the signed order by itself, `entry` asks the market and the account as they are now. A waiting order
passes the first when it is placed and the second when its trigger fires.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.desk import Desk, is_market
from bulkhead.engine.match import fills_whole
from bulkhead.engine.order import Leg, OpenOrder, OrderType, Stage, Terms, TimeInForce
from bulkhead.engine.reserve import change_of
from bulkhead.fixed import div_floor, remainder
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.state import Kind, Status
from bulkhead.ledger.trade import order_range
from bulkhead.ledger.tx import Order
from bulkhead.limits import BOOK_PRICE_LIMIT, EXPIRY_GRACE_S, ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from bulkhead.rules import fees, prices
from bulkhead.rules.terms import MarketTerms
from bulkhead.signing import SigningError
from bulkhead.units import BookPrice, Quote, Size

EXTERNAL_ID_MAX = 128
"""Characters; the client library's default is the order hash in decimal."""


class Message(NamedTuple):
    """What a signed order says, once it is known to be sound."""

    order_hash: int
    side: int
    price: BookPrice
    size: Size
    expiry_s: int


def message(desk: Desk, order: Order, external_id: str, *, is_capped: bool = False) -> Reject | Message:
    """The order by itself: numbers, ids, hash, key, expiry, signature, price step and size.

    `is_capped` is for the protection of a whole position: its amounts are a cap, not a size.
    """
    problem = order_range(order)
    if problem is not None:
        return problem
    state = desk.state
    terms = state.terms.get(order.market_id)
    if terms is None:
        return Reject.UNKNOWN_MARKET
    account = state.accounts.get(order.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if account.asset_id != terms.asset_id:
        return Reject.WRONG_ASSET
    if len(external_id) > EXTERNAL_ID_MAX:
        return Reject.OUT_OF_RANGE
    try:
        order_hash = desk.authority.order_hash(order)
    except SigningError:
        return Reject.OUT_OF_RANGE
    key = key_of(order_hash)
    known = desk.seen.get(key)
    if known in desk.orders or (external_id and (order.account_id, external_id) in desk.external):
        return Reject.DUPLICATE
    if order.public_key != account.owner_key:
        return Reject.WRONG_KEY
    expiry_s = order.expiration_s - EXPIRY_GRACE_S
    if expiry_s <= desk.now_s:
        return Reject.EXPIRED
    if order.expiration_s > desk.now_s + state.config.expiry_max_s:
        return Reject.EXPIRY_TOO_FAR
    if known is not None or state.filled.filled(key):
        return Reject.REPLAYED
    if not desk.authority.is_signed(order.public_key, order_hash, order.signature):
        return Reject.WRONG_SIGNATURE
    return _amounts(order, terms, order_hash, is_capped)


def _amounts(order: Order, terms: MarketTerms, order_hash: int, is_capped: bool) -> Reject | Message:
    """The price is whole quote per lot and on a tick; the size is worth a place in the book."""
    base, quote = int(order.base_amount), abs(int(order.quote_amount))
    size = abs(base)
    price = div_floor(quote, size)
    if price * size != quote or price >= BOOK_PRICE_LIMIT or remainder(price, int(terms.tick)):
        return Reject.PRICE_OFF_TICK
    if size < int(terms.size_min):
        return Reject.SIZE_BELOW_MINIMUM
    if not is_capped and quote > int(terms.order_value_max):
        return Reject.VALUE_ABOVE_MAXIMUM
    return Message(
        order_hash, BUY if base > 0 else SELL, BookPrice(price), Size(size), order.expiration_s - EXPIRY_GRACE_S
    )


def attributes(terms: Terms) -> Reject | None:
    """Unsigned attributes that fit together: a market order takes, a post-only order makes, a trigger has a price."""
    is_taking = terms.kind is OrderType.MARKET or terms.time_in_force is not TimeInForce.GTT
    trigger = terms.trigger
    if terms.kind is OrderType.CONDITIONAL:
        if trigger is None or not 0 < trigger.price < BOOK_PRICE_LIMIT:  # type: ignore[operator]
            return Reject.TRIGGER_INVALID
        is_taking = is_taking or trigger.execution == 1
    elif trigger is not None or terms.kind is OrderType.TPSL:
        return Reject.TRIGGER_INVALID
    return Reject.POST_ONLY_WOULD_TRADE if terms.post_only and is_taking else None


def legs(
    desk: Desk, found: tuple[Leg | None, Leg | None], account_id: int, market_id: int
) -> Reject | list[tuple[Leg, Message]]:
    """Take-profit and stop-loss: sound messages, not the same one twice, of this account and market, with triggers."""
    given = [leg for leg in found if leg is not None]
    judged: list[tuple[Leg, Message]] = []
    for leg in given:
        outcome = message(desk, leg.order, "", is_capped=True)
        if isinstance(outcome, Reject):
            return outcome
        judged.append((leg, outcome))
    if len(judged) == 2 and judged[0][1].order_hash == judged[1][1].order_hash:
        return Reject.DUPLICATE
    for order, trigger in given:
        if order.account_id != account_id or order.market_id != market_id:
            return Reject.TRIGGER_INVALID
        if not 0 < trigger.price < BOOK_PRICE_LIMIT:  # type: ignore[operator]
            return Reject.TRIGGER_INVALID
    return judged


def entry(desk: Desk, order: OpenOrder, replaced: OpenOrder | None = None) -> Reject | None:
    """Whether the market and the account take this order now. `replaced` would leave in the same step."""
    signed, terms = order.signed, order.terms
    market_id, account_id = signed.market_id, signed.account_id
    market, rules = desk.state.markets[market_id], desk.state.terms[market_id]
    problem = _status(desk, order, market.status)
    if problem is not None:
        return problem
    if not int(market.price):
        return Reject.PRICE_UNKNOWN
    if not prices.is_fresh(market.price_ms, desk.time_ms, rules.price_age_max_ms):
        return Reject.PRICE_STALE
    if not is_market(order):
        low, high = band(desk, order)
        if not low <= order.price <= high:
            return Reject.OUTSIDE_PRICE_BAND
    if not _covers_fee(desk, order):
        return Reject.FEE_ABOVE_CAP
    if terms.post_only and _would_trade(desk, order, replaced):
        return Reject.POST_ONLY_WOULD_TRADE
    if order.reduce_only and desk.closable(account_id, market_id, order.side) < order.left:
        return Reject.REDUCE_ONLY_WOULD_GROW
    if terms.time_in_force is TimeInForce.FOK and not fills_whole(desk, order, replaced):
        return Reject.FILL_OR_KILL_UNFILLED
    if terms.kind is OrderType.MARKET and not _would_trade(desk, order, replaced):
        return Reject.NO_LIQUIDITY
    if order.reduce_only:
        return None
    change = change_of(order, order.left)
    if replaced is not None and replaced.reserved:
        back = change_of(replaced, replaced.reserved, -1)
        change = (change[0] + back[0], change[1] + back[1], change[2] + back[2])
    account = desk.state.accounts[account_id]
    return None if desk.claims.bears(account, market_id, change) else Reject.INSUFFICIENT_MARGIN


def waiting(desk: Desk, order: OpenOrder) -> Reject | None:
    """What is asked of a conditional order when it is placed; margin, band and fee are judged when it fires."""
    signed = order.signed
    status = desk.state.markets[signed.market_id].status
    if status is Status.OFF:
        return Reject.MARKET_OFF
    if status is Status.CANCEL_ONLY:
        return Reject.MARKET_CANCEL_ONLY
    if order.reduce_only and not desk.closable(signed.account_id, signed.market_id, order.side):
        return Reject.REDUCE_ONLY_WOULD_GROW
    return None


def has_room(desk: Desk, account_id: int, more: int, leaving: int) -> bool:
    """An account may have so many more open orders, when so many others leave in the same step."""
    return len(desk.accounts.get(account_id, ())) - leaving + more <= ORDERS_PER_ACCOUNT_MAX


def _status(desk: Desk, order: OpenOrder, status: Status) -> Reject | None:
    """What the market allows. In a reduce-only market every order must close, and counts as reduce-only."""
    if status is Status.ACTIVE:
        return None
    if status is Status.OFF:
        return Reject.MARKET_OFF
    if status is Status.CANCEL_ONLY:
        return Reject.MARKET_CANCEL_ONLY
    if status is Status.POST_ONLY:
        return None if order.terms.post_only else Reject.MARKET_POST_ONLY
    signed = order.signed
    fits = order.reduce_only or order.left <= desk.closable(signed.account_id, signed.market_id, order.side)
    return None if fits else Reject.MARKET_REDUCE_ONLY


def band(desk: Desk, order: OpenOrder) -> tuple[BookPrice, BookPrice]:
    """Lowest and highest price an order may have: within the market's share of the mark (the index until there
    is one)."""
    market_id = order.signed.market_id
    mark = desk.marks.by_market[market_id].mark
    reference = mark if int(mark) else desk.state.markets[market_id].price
    return prices.band(reference, desk.state.terms[market_id].band)


def limit_of(desk: Desk, order: OpenOrder) -> BookPrice:
    """The worst price an order may trade at: its own; a market order is held within the band as well."""
    if not is_market(order):
        return order.price
    low, high = band(desk, order)
    return min(order.price, high) if order.side == BUY else max(order.price, low)


def _would_trade(desk: Desk, order: OpenOrder, replaced: OpenOrder | None) -> bool:
    """Somebody rests at the order's price or better, `replaced` apart."""
    book = desk.books[order.signed.market_id]
    best = book.best(1 - order.side)
    limit = limit_of(desk, order)
    if best is None or (best > limit if order.side == BUY else best < limit):
        return False
    if replaced is None or replaced.side == order.side or replaced.stage is not Stage.RESTING:
        return True  # what waits is not in the book, so nothing of what rests there is the replaced one's
    rest = book.fillable(order.side, limit, replaced.left + Size(1))
    within = replaced.price <= limit if order.side == BUY else replaced.price >= limit
    return rest > (replaced.left if within else Size(0))


def _covers_fee(desk: Desk, order: OpenOrder) -> bool:
    """The signed cap covers the fee of the account's tier: the maker's for post-only orders, else the taker's.

    Judged on the whole signed order. The unit by which schedule and cap may round apart is forgiven here as at
    the fill.
    """
    signed = order.signed
    tier = desk.volumes.tier(signed.account_id)
    rate = tier.maker if order.terms.post_only else tier.taker
    due = fees.fee(abs(signed.quote_amount), rate)
    return due <= signed.fee_amount + Quote(1)
