"""Trade: two signed orders meet. All checks of a signed order live here; liquidations use them too."""

from __future__ import annotations

from bulkhead.fixed import quote_floor, seconds_floor
from bulkhead.ledger.accounts import account_for
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.fill import is_growth, settle_fill
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.receipt import Traded
from bulkhead.ledger.state import Status, with_open_interest
from bulkhead.ledger.tx import Order, Trade
from bulkhead.limits import BOOK_PRICE_LIMIT, NOTIONAL_LIMIT, SALT_BITS, SIZE_LIMIT, TIME_S_BITS
from bulkhead.reject import Reject
from bulkhead.rules import fees, prices
from bulkhead.units import BookPrice, MarketId, Quote, Size


def trade(draft: Draft, tx: Trade, authority: Authority) -> Reject | Traded:
    """A fill at the maker's price. The maker settles first, then the taker, each judged once."""
    problem = check_fill(draft, tx.market_id, tx.size, tx.price)
    if problem is not None:
        return problem
    if tx.maker.account_id == tx.taker.account_id:
        return Reject.SAME_ACCOUNT
    if int(tx.maker.base_amount) * int(tx.taker.base_amount) >= 0:
        return Reject.WRONG_SIDE
    split = fees.split(tx.maker_fee, tx.taker_fee, draft.config.l1_charge)
    if split is None:
        return Reject.REBATE_NOT_COVERED
    status = draft.market(tx.market_id).status
    for order, fee in ((tx.maker, tx.maker_fee), (tx.taker, tx.taker_fee)):
        fill = (tx.size, tx.price, fee)
        problem = check_order(draft, order, tx.market_id, fill, authority)
        if problem is None:
            problem = fill_order(draft, order, fill, status, authority)
        if problem is not None:
            return problem
    problem = settle_interest(draft, tx.market_id, may_grow=True)
    if problem is not None:
        return problem
    draft.pay_fund(draft.terms[tx.market_id].asset_id, fees=int(split.venue), l1=int(split.l1))
    return Traded(tx.market_id, tx.size, tx.price, split)


def check_fill(draft: Draft, market_id: MarketId, size: Size, price: BookPrice) -> Reject | None:
    """A fill in itself: numbers in range, a market that is on, a fresh index."""
    if not (-SIZE_LIMIT < size < SIZE_LIMIT and 0 <= price < BOOK_PRICE_LIMIT):  # type: ignore[operator]
        return Reject.OUT_OF_RANGE
    if int(size) <= 0:
        return Reject.SIZE_IS_ZERO
    if int(price) == 0:
        return Reject.PRICE_IS_ZERO
    if market_id not in draft.terms:
        return Reject.UNKNOWN_MARKET
    if int(price * size) >= NOTIONAL_LIMIT:
        return Reject.OUT_OF_RANGE
    market = draft.market(market_id)
    if market.status in (Status.OFF, Status.CANCEL_ONLY):
        return Reject.MARKET_OFF if market.status is Status.OFF else Reject.MARKET_CANCEL_ONLY
    return check_price(draft, market_id)


def check_price(draft: Draft, market_id: MarketId) -> Reject | None:
    """The market has an index price, and it is young enough."""
    market = draft.market(market_id)
    if int(market.price) == 0:
        return Reject.PRICE_UNKNOWN
    if not prices.is_fresh(market.price_ms, draft.time_ms, draft.terms[market_id].price_age_max_ms):
        return Reject.PRICE_STALE
    return None


def check_order(
    draft: Draft, order: Order, market_id: MarketId, fill: tuple[Size, BookPrice, Quote], authority: Authority
) -> Reject | None:
    """A signed order allows this fill: its key, market, expiry, limit price, fee cap, size left, signature."""
    size, price, fee = fill
    account = draft.account(order.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if order.market_id != market_id:
        return Reject.UNKNOWN_MARKET
    problem = order_range(order)
    if problem is not None:
        return problem
    if account.asset_id != draft.terms[market_id].asset_id:
        return Reject.WRONG_ASSET
    if order.public_key != account.owner_key:
        return Reject.WRONG_KEY
    if order.expiration_s < seconds_floor(draft.time_ms):
        return Reject.EXPIRED
    value = int(price * size)
    signed_value = abs(int(order.quote_amount))
    total = abs(int(order.base_amount))
    # Limit price by multiplying: a buyer pays at most, a seller gets at least, |quote| / |base| per lot.
    if int(order.base_amount) > 0:
        if value * total > signed_value * int(size):
            return Reject.LIMIT_PRICE_BROKEN
    elif value * total < signed_value * int(size):
        return Reject.LIMIT_PRICE_BROKEN
    if int(fee) > 0 and int(fee) * signed_value > int(order.fee_amount) * value:
        return Reject.FEE_ABOVE_CAP
    message_hash = authority.order_hash(order)
    key = key_of(message_hash)
    if draft.order_filled(key) + int(size) > total:
        return Reject.ORDER_OVERFILLED
    if not draft.has_room(key):
        return Reject.ORDER_TABLE_FULL
    if not authority.is_signed(order.public_key, message_hash, order.signature):
        return Reject.WRONG_SIGNATURE
    return None


def order_range(order: Order) -> Reject | None:
    """Every number of a signed order is within its width, base and quote have opposite signs."""
    base, quote = int(order.base_amount), int(order.quote_amount)
    if base == 0:
        return Reject.SIZE_IS_ZERO
    if quote == 0:
        return Reject.PRICE_IS_ZERO
    if (base > 0) == (quote > 0):
        return Reject.WRONG_SIDE
    if abs(base) >= SIZE_LIMIT or abs(quote) >= NOTIONAL_LIMIT:
        return Reject.OUT_OF_RANGE
    if not (0 <= int(order.fee_amount) < NOTIONAL_LIMIT and 0 <= order.salt < 1 << SALT_BITS):
        return Reject.OUT_OF_RANGE
    if not 0 <= order.expiration_s < 1 << TIME_S_BITS:
        return Reject.OUT_OF_RANGE
    return None


def fill_order(
    draft: Draft, order: Order, fill: tuple[Size, BookPrice, Quote], status: Status, authority: Authority
) -> Reject | None:
    """Write one side of a fill: the account it settles in, and the order's filled amount.

    The order itself was checked. Reduce-only markets refuse whatever makes a position larger.
    """
    size, price, fee = fill
    change = size if int(order.base_amount) > 0 else -size
    account = draft.account(order.account_id)
    assert account is not None  # check_order saw it
    if status is Status.REDUCE_ONLY:
        holder = account_for(draft, order.account_id, order.market_id)
        old = Size(0) if holder is None else holder.size(order.market_id)
        if is_growth(old, old + change):
            return Reject.MARKET_REDUCE_ONLY
    problem = settle_fill(draft, account, order.market_id, change, price, fee)
    if problem is not None:
        return problem
    key = key_of(authority.order_hash(order))
    draft.filled[key] = (draft.order_filled(key) + int(size), order.expiration_s)
    return None


def settle_interest(draft: Draft, market_id: MarketId, *, may_grow: bool) -> Reject | None:
    """Bring a market's open interest up to date from the accounts this draft touched."""
    change = 0
    before = draft.state.accounts
    for account_id, account in draft.accounts.items():
        now = int(account.size(market_id))
        old = before.get(account_id)
        was = 0 if old is None else int(old.size(market_id))
        if now != was:
            change += max(now, 0) - max(was, 0)
    if not change:
        return None
    market = with_open_interest(draft.state, draft.market(market_id), change)
    cap = draft.terms[market_id].open_interest_cap
    if change > 0 and may_grow and quote_floor(market.open_interest * market.price) > cap:
        return Reject.OPEN_INTEREST_ABOVE_CAP
    draft.put_market(market)
    return None
