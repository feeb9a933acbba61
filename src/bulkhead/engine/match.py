"""Matching: a taker meets the book, and the ledger decides each fill.

For every maker the book proposes, in this order: a maker of the same account (or key) gives
way; a reduce-only maker is cut to its position; fees are set; the ledger says yes or no. A refusal costs the
maker its place when the maker alone would have been refused, and stops the taker otherwise.
"""

from __future__ import annotations

from bulkhead.engine.book import BUY, MAKER_GONE, TAKER_STOP
from bulkhead.engine.desk import Desk
from bulkhead.engine.event import Traded
from bulkhead.engine.order import Cause, OpenOrder, SelfTrade
from bulkhead.ledger.accounts import account_for, realised
from bulkhead.ledger.apply import apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.orders import StagedOrders
from bulkhead.ledger.state import Account, State, child_id
from bulkhead.ledger.trade import check_order, fill_order
from bulkhead.ledger.tx import Order, Trade
from bulkhead.reject import Reject
from bulkhead.rules import fees
from bulkhead.rules.fees import FeeSplit
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, Size


def take(desk: Desk, taker: OpenOrder, limit: BookPrice) -> Reject | None:
    """Trade an order against the book up to a limit price. What stopped it short, if anything but an empty book."""
    stopped: Reject | None = None

    def settle(maker_id: int, taker_id: int, price: BookPrice, size: Size) -> Size:
        nonlocal stopped
        maker = desk.orders[maker_id]
        if is_self_trade(desk, taker, maker):
            desk.drop(maker, Cause.SELF_TRADE, in_book=False)
            return MAKER_GONE
        if is_claimed_owner(desk, taker, maker):
            stopped = Reject.SELF_TRADE
            return TAKER_STOP
        lots = offered(desk, maker, size)
        if not lots:
            return MAKER_GONE
        reject = _fill(desk, maker, taker, price, lots)
        if reject is None:
            return lots if maker.left else MAKER_GONE - lots  # the book may believe in more than is left
        if is_makers_fault(desk, trade_of(desk, maker, taker, price, lots)):
            desk.drop(maker, Cause.REFUSED, reject, in_book=False)
            return MAKER_GONE
        stopped = reject
        return TAKER_STOP

    desk.books[taker.signed.market_id].match(taker.order_id, taker.side, limit, taker.left, settle)
    return stopped


def offered(desk: Desk, maker: OpenOrder, size: Size) -> Size:
    """Lots of `size` that a maker can still trade. One that can trade none is cancelled (the book has let it go)."""
    if maker.left and maker.reduce_only:
        signed = maker.signed
        closable = desk.closable(signed.account_id, signed.market_id, maker.side)
        if not closable:
            desk.drop(maker, Cause.NOTHING_TO_REDUCE, in_book=False)
            return Size(0)
        if closable < maker.left:
            maker.left = closable
            desk.spent[maker.order_id] = None  # the book follows after the match, whatever becomes of this fill
    if not maker.left:
        desk.drop(maker, Cause.OTHER_SIDE_FILLED, in_book=False)
    return min(size, maker.left)


def is_self_trade(desk: Desk, taker: OpenOrder, maker: OpenOrder) -> bool:
    """The taker's level forbids this trade, and the maker gives way: one account, or one key that signed for both."""
    mine, other = taker.signed.account_id, maker.signed.account_id
    if mine == other:
        return True
    accounts = desk.state.accounts
    return taker.terms.self_trade is SelfTrade.CLIENT and accounts[mine].owner_key == accounts[other].owner_key


def is_claimed_owner(desk: Desk, taker: OpenOrder, maker: OpenOrder) -> bool:
    """The taker's level forbids this trade because both accounts name one owner on L1, under different keys.

    Then the taker stops: whoever registers an account names its L1 owner, and nobody but a key is asked. If the maker
    gave way here, anybody could name a stranger's address and clear his orders from the book.
    """
    if taker.terms.self_trade is not SelfTrade.CLIENT:
        return False
    accounts = desk.state.accounts
    owner = accounts[taker.signed.account_id].l1_owner
    return owner != 0 and owner == accounts[maker.signed.account_id].l1_owner


def fee_due(desk: Desk, order: Order, value: Quote, *, is_maker: bool) -> Quote:
    """The fee of the account's tier on a fill, within the signed cap when only rounding exceeds it.

    A fee that is truly above the cap is returned as it is: the ledger refuses it by name.
    """
    tier = desk.volumes.tier(order.account_id)
    due = fees.fee(value, tier.maker if is_maker else tier.taker)
    if int(due) <= 0:
        return due
    allowed = fees.within_cap(due, fees.cap(value, order.fee_amount, abs(order.quote_amount)))
    return due if allowed is None else allowed


def trade_of(desk: Desk, maker: OpenOrder, taker: OpenOrder, price: BookPrice, size: Size) -> Trade:
    """The ledger's transaction for a fill. A rebate is paid from the taker's fee, never from nothing."""
    value = price * size
    taker_fee = fee_due(desk, taker.signed, value, is_maker=False)
    maker_fee = max(fee_due(desk, maker.signed, value, is_maker=True), -taker_fee)
    return Trade(desk.time_ms, taker.signed.market_id, maker.signed, taker.signed, size, price, maker_fee, taker_fee)


def _fill(desk: Desk, maker: OpenOrder, taker: OpenOrder, price: BookPrice, size: Size) -> Reject | None:
    """One fill, if the ledger accepts it: then both orders, volumes and the last price follow."""
    transaction = trade_of(desk, maker, taker, price, size)
    profits = profit(desk, maker, price, size), profit(desk, taker, price, size)
    receipt = apply(desk.state, transaction, desk.authority)
    if receipt.reject is not None:
        return receipt.reject
    split = fees.split(transaction.maker_fee, transaction.taker_fee, desk.state.config.l1_charge)
    assert split is not None, "the ledger accepted the fees"
    desk.volumes.add(taker.signed.account_id, price * size)
    record(desk, maker, price, size, (taker.signed.account_id, taker.order_id, split, profits))
    position_changed(desk, taker)
    desk.fill(taker, size)
    return None


def record(
    desk: Desk,
    maker: OpenOrder,
    price: BookPrice,
    size: Size,
    other: tuple[int, int, FeeSplit, tuple[Quote, Quote]],
) -> None:
    """The maker's half of a fill that the ledger made, and the event: trades and liquidations alike.

    `other` is the taker's account, order id (0: a liquidation) and both sides' fees and profits.
    """
    account_id, order_id, split, profits = other
    signed = maker.signed
    desk.volumes.add(signed.account_id, price * size)
    desk.marks.traded(signed.market_id, price)
    desk.moved[signed.market_id] = None
    desk.emit(
        Traded,
        signed.market_id,
        price,
        size,
        1 - maker.side,
        maker.order_id,
        order_id,
        signed.account_id,
        account_id,
        split,
        *profits,
    )
    position_changed(desk, maker)
    desk.fill(maker, size)


def position_changed(desk: Desk, order: OpenOrder) -> None:
    """Reduce-only orders of this account and market must follow once the match is over."""
    place = (order.signed.account_id, order.signed.market_id)
    if place in desk.reducing:
        desk.touched[place] = None


def profit(desk: Desk, order: OpenOrder, price: BookPrice, size: Size) -> Quote:
    """What a fill will realise against cost in the account that holds the position."""
    signed = order.signed
    holder = account_for(desk.state, signed.account_id, signed.market_id)
    if holder is None:
        return Quote(0)
    return realised_by(holder, signed.market_id, order.side, price, size)


def realised_by(holder: Account, market_id: MarketId, side: int, price: BookPrice, size: Size) -> Quote:
    """`ledger.accounts.realised` for a size and a side."""
    return realised(holder, market_id, size if side == BUY else -size, price)


def is_makers_fault(desk: Desk, transaction: Trade, draft: Draft | None = None) -> bool:
    """The maker's half alone would have been refused. Looked at only after a refusal, in a draft nobody commits.

    A full table of filled orders is nobody's fault: no order in the book could trade, so none leaves for it.
    """
    if draft is None:
        draft = Draft(desk.state)
        draft.time_ms = desk.time_ms
    fill = (transaction.size, transaction.price, transaction.maker_fee)
    market_id = transaction.market_id
    problem = check_order(draft, transaction.maker, market_id, fill, desk.authority)
    if problem is None:
        status = draft.market(market_id).status
        problem = fill_order(draft, transaction.maker, fill, status, desk.authority)
    return problem not in (None, Reject.ORDER_TABLE_FULL)


# -- fill or kill --------------------------------------------------------------------------------------------------


def fills_whole(desk: Desk, taker: OpenOrder, replaced: OpenOrder | None) -> bool:
    """Whether all of an order would trade at once: the whole match, rehearsed in a state that nobody keeps."""
    book, market_id = desk.books[taker.signed.market_id], taker.signed.market_id
    if book.fillable(taker.side, taker.price, taker.left) < taker.left:
        return False
    stage, met = _stage(desk.state), {taker.signed.account_id}
    _let_in(stage, desk.state, taker.signed.account_id, market_id)
    missing = taker.left
    lefts: dict[int, Size] = {}
    for resting in book.facing(taker.side, taker.price):
        maker = desk.orders[resting.order_id]
        if maker is replaced or is_self_trade(desk, taker, maker):
            continue
        if is_claimed_owner(desk, taker, maker):
            return False
        if maker.signed.account_id not in met:
            met.add(maker.signed.account_id)
            _let_in(stage, desk.state, maker.signed.account_id, market_id)
        lots = min(missing, resting.size, lefts.get(maker.order_id, maker.left))
        if maker.reduce_only:
            lots = min(lots, _closable_in(stage, maker))
        if not lots:
            continue
        transaction = trade_of(desk, maker, taker, resting.price, lots)
        if apply(stage, transaction, desk.authority).reject is not None:
            draft = Draft(stage)
            draft.time_ms = desk.time_ms
            if is_makers_fault(desk, transaction, draft):
                continue
            return False
        missing -= lots
        twin = desk.orders.get(maker.sibling_id)
        if twin is not None and not maker.is_whole_position:
            lefts[twin.order_id] = lefts.get(twin.order_id, twin.left) - lots
        if not missing:
            return True
    return False


def _stage(state: State) -> State:
    """A state to rehearse fills in: all of the venue but its accounts, which enter as they are met.

    A draft would do for one fill, but each fill in it costs as much as all before it, and who asks for
    fill-or-kill and is refused has paid nothing.
    """
    venue = (dict(state.markets), dict(state.funds), dict(state.custody), state.oracle)
    stage = State(state.config, {}, *venue, filled=StagedOrders(state.filled))
    stage.counters, stage.time_ms = state.counters, state.time_ms
    stage.terms, stage.groups = state.terms, state.groups
    stage.risks, stage.indices = dict(state.risks), dict(state.indices)
    stage.holders = {market_id: {} for market_id in state.holders}
    return stage


def _let_in(stage: State, state: State, account_id: AccountId, market_id: MarketId) -> None:
    """Bring a signable account and its isolated child on the stage, once."""
    for known in (account_id, child_id(account_id, market_id)):
        if known in state.accounts:
            stage.accounts[known] = state.accounts[known]


def _closable_in(stage: State, maker: OpenOrder) -> Size:
    holder = account_for(stage, maker.signed.account_id, maker.signed.market_id)
    held = Size(0) if holder is None else holder.size(maker.signed.market_id)
    return max(Size(0), -held if maker.side == BUY else held)
