"""Trade: two signed orders meet. All checks of a signed order live here; liquidations use them too."""

from __future__ import annotations

from bulkhead.fixed import quote_floor, seconds_floor
from bulkhead.ledger.accounts import account_for, check_price, realised
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.fill import is_growth, settle_fill
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.receipt import Traded
from bulkhead.ledger.state import Kind, Status, with_open_interest
from bulkhead.ledger.tx import Order, Trade
from bulkhead.limits import (
    BOOK_PRICE_LIMIT,
    EXPIRY_GRACE_S,
    NOTIONAL_LIMIT,
    SALT_BITS,
    SIZE_LIMIT,
    TIME_S_BITS,
)
from bulkhead.reject import Reject
from bulkhead.rules import fees
from bulkhead.units import BookPrice, MarketId, Quote, Size, TimeS


def trade(draft: Draft, tx: Trade, authority: Authority) -> Reject | Traded:
    """A fill at the maker's price. The maker settles first, then the taker, each judged once.

    Checked group by group in the order of `Reject`, within a group the maker before the taker. No price band:
    it is measured from the mark, which the ledger does not know; the engine keeps it.
    """
    sides = ((tx.maker, tx.maker_fee), (tx.taker, tx.taker_fee))
    problem = check_numbers(draft, tx.market_id, tx.size, tx.price)
    for order, _ in sides:
        problem = problem or check_message(draft, order, tx.market_id)
    if problem is None and tx.maker.account_id == tx.taker.account_id:
        problem = Reject.SAME_ACCOUNT
    for order, _ in sides:
        problem = problem or check_authority(draft, order, authority)
    problem = problem or check_market(draft, tx.market_id)
    status = draft.market(tx.market_id).status if problem is None else Status.OFF
    if problem is None and status is Status.POST_ONLY:
        problem = Reject.MARKET_POST_ONLY  # nobody may take; a liquidation may
    for order, _ in sides:
        problem = problem or check_growth(draft, order, tx.size, status)
    if problem is None and (int(tx.maker.base_amount) > 0) == (int(tx.taker.base_amount) > 0):
        problem = Reject.WRONG_SIDE
    for order, fee in sides:
        problem = problem or check_limits(draft, order, (tx.size, tx.price, fee), authority)
    if problem is not None:
        return problem
    split = fees.split(tx.maker_fee, tx.taker_fee, draft.config.l1_charge)
    if split is None:
        return Reject.REBATE_NOT_COVERED
    for order, fee in sides:
        problem = problem or fill_order(draft, order, (tx.size, tx.price, fee), status, authority)
    problem = problem or settle_interest(draft, tx.market_id)
    if problem is not None:
        return problem
    draft.pay_fund(draft.terms[tx.market_id].asset_id, fees=int(split.venue), l1=int(split.l1))
    return Traded(tx.market_id, tx.size, tx.price, split)


def check_numbers(draft: Draft, market_id: MarketId, size: Size, price: BookPrice) -> Reject | None:
    """Numbers of a fill in range, and a market that exists."""
    if not (-SIZE_LIMIT < size < SIZE_LIMIT and 0 <= price < BOOK_PRICE_LIMIT):  # type: ignore[operator]
        return Reject.OUT_OF_RANGE
    if abs(int(price * size)) >= NOTIONAL_LIMIT:
        return Reject.OUT_OF_RANGE
    if int(size) <= 0:
        return Reject.SIZE_IS_ZERO
    if int(price) == 0:
        return Reject.PRICE_IS_ZERO
    return None if market_id in draft.terms else Reject.UNKNOWN_MARKET


def check_market(draft: Draft, market_id: MarketId) -> Reject | None:
    """A market in which fills are possible now, at a fresh index."""
    status = draft.market(market_id).status
    if status in (Status.OFF, Status.CANCEL_ONLY):
        return Reject.MARKET_OFF if status is Status.OFF else Reject.MARKET_CANCEL_ONLY
    return check_price(draft, market_id)


def check_order(
    draft: Draft, order: Order, market_id: MarketId, fill: tuple[Size, BookPrice, Quote], authority: Authority
) -> Reject | None:
    """A signed order allows this fill: its key, market, expiry, signature, limit price, fee cap, size left."""
    return (
        check_message(draft, order, market_id)
        or check_authority(draft, order, authority)
        or check_limits(draft, order, fill, authority)
    )


def check_message(draft: Draft, order: Order, market_id: MarketId) -> Reject | None:
    """The order in itself: numbers in range, for this market, from an account that signs and settles in its asset."""
    problem = order_range(order)
    if problem is not None:
        return problem
    if order.market_id != market_id:
        return Reject.UNKNOWN_MARKET
    account = draft.account(order.account_id)
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE  # its parent's key would sign it into any market
    return None if account.asset_id == draft.terms[market_id].asset_id else Reject.WRONG_ASSET


def check_authority(draft: Draft, order: Order, authority: Authority) -> Reject | None:
    """The owner's key, a time at which the order is alive, and the signature. The message was checked.

    An order stops filling at its expiry in the book, which is the grace before the signed one, and is forgotten
    then; so no table has to remember it for the grace.
    """
    account = draft.account(order.account_id)
    assert account is not None  # check_message saw it
    if order.public_key != account.owner_key:
        return Reject.WRONG_KEY
    now_s = seconds_floor(draft.time_ms)
    if order.expiration_s - EXPIRY_GRACE_S < now_s:
        return Reject.EXPIRED
    if order.expiration_s > now_s + draft.config.expiry_max_s:
        return Reject.EXPIRY_TOO_FAR
    is_signed = authority.is_signed(order.public_key, authority.order_hash(order), order.signature)
    return None if is_signed else Reject.WRONG_SIGNATURE


def check_limits(
    draft: Draft, order: Order, fill: tuple[Size, BookPrice, Quote], authority: Authority
) -> Reject | None:
    """Limit price, fee cap and size left of a signed order allow this fill."""
    size, price, fee = fill
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
    return check_filled(draft, order, size, authority)


def check_filled(draft: Draft, order: Order, size: Size, authority: Authority) -> Reject | None:
    """The order has so many lots left, and the table of filled orders has room for it."""
    key = key_of(authority.order_hash(order))
    filled = draft.order_filled(key)
    if filled + int(size) > abs(int(order.base_amount)):
        return Reject.ORDER_OVERFILLED
    return None if filled else draft.lack(key)  # what has filled is entered


def order_range(order: Order) -> Reject | None:
    """Every number of a signed order is within its width, base and quote have opposite signs."""
    base, quote = int(order.base_amount), int(order.quote_amount)
    if abs(base) >= SIZE_LIMIT or abs(quote) >= NOTIONAL_LIMIT:
        return Reject.OUT_OF_RANGE
    if not (0 <= int(order.fee_amount) < NOTIONAL_LIMIT and 0 <= order.salt < 1 << SALT_BITS):
        return Reject.OUT_OF_RANGE
    if not 0 <= order.expiration_s < 1 << TIME_S_BITS:
        return Reject.OUT_OF_RANGE
    if base == 0:
        return Reject.SIZE_IS_ZERO
    if quote == 0:
        return Reject.PRICE_IS_ZERO
    return Reject.WRONG_SIDE if (base > 0) == (quote > 0) else None


def check_growth(draft: Draft, order: Order, size: Size, status: Status) -> Reject | None:
    """In a reduce-only market nothing makes a position larger, or turns it over."""
    if status is not Status.REDUCE_ONLY:
        return None
    holder = account_for(draft, order.account_id, order.market_id)
    old = Size(0) if holder is None else holder.size(order.market_id)
    new = old + size if int(order.base_amount) > 0 else old - size
    return Reject.MARKET_REDUCE_ONLY if is_growth(old, new) else None


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
    problem = check_growth(draft, order, size, status)
    problem = problem or settle_fill(draft, account, order.market_id, change, price, fee)
    if problem is not None:
        return problem
    if account.kind is Kind.BACKSTOP:
        count_loss(draft, order.market_id, realised(account, order.market_id, change, price))
    key = key_of(authority.order_hash(order))
    draft.filled[key] = (draft.order_filled(key) + int(size), TimeS(order.expiration_s - EXPIRY_GRACE_S))
    return None


def count_loss(draft: Draft, market_id: MarketId, profit: Quote) -> None:
    """What the backstop loses (or earns back) by unwinding counts toward the market's loss budget."""
    market = draft.market(market_id)
    draft.put_market(market._replace(lost=max(Quote(0), market.lost - profit)))


def settle_interest(draft: Draft, market_id: MarketId) -> Reject | None:
    """Bring a market's open interest up to date from the accounts this draft touched.

    Counted from the state, so that it may be called once more when more has been touched. Only two sides that
    both open raise it, so no liquidation, take-over or deleveraging is ever refused here.
    """
    change = 0
    before = draft.state.accounts
    for account_id, account in draft.accounts.items():
        now = int(account.size(market_id))
        old = before.get(account_id)
        was = 0 if old is None else int(old.size(market_id))
        if now != was:
            change += max(now, 0) - max(was, 0)
    market = draft.market(market_id)
    open_interest = draft.state.markets[market_id].open_interest
    if not change and market.open_interest == open_interest:
        return None
    market = with_open_interest(draft.state, market._replace(open_interest=open_interest), change)
    if change > 0:
        notional = quote_floor(market.open_interest * market.price)
        if market.open_interest >= SIZE_LIMIT or int(notional) >= NOTIONAL_LIMIT:  # type: ignore[operator]
            return Reject.OUT_OF_RANGE
        if notional > draft.terms[market_id].open_interest_cap:
            return Reject.OPEN_INTEREST_ABOVE_CAP
    draft.put_market(market)
    return None
