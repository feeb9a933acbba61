"""An order rehearsed: what it meets in the book, settled in a draft that nobody commits, in any margin mode."""

from __future__ import annotations

from copy import copy
from typing import NamedTuple

from bulkhead.engine import admission
from bulkhead.engine.arrange import Arranged, MarginMode, arranged, mode_of
from bulkhead.engine.book import BUY
from bulkhead.engine.command import PlaceOrder
from bulkhead.engine.desk import Desk, takes_only
from bulkhead.engine.match import fee_due, is_self_trade, trade_of
from bulkhead.engine.order import OpenOrder, Stage, Terms
from bulkhead.engine.place import judge, opened, replaced_by
from bulkhead.engine.reserve import Claims
from bulkhead.fixed import FRACTION_BITS, quote_ceil
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.fill import settle_fill
from bulkhead.ledger.state import Account, State, put_market, with_open_interest
from bulkhead.ledger.tx import Order
from bulkhead.limits import QUOTE_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules import fees, margin
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, Size, Worth

LENT = Quote(QUOTE_LIMIT >> 3)
"""Lent to an account while a fill that its margin refuses is rehearsed, so that its numbers can be shown anyway."""
MARGIN_REJECTS = (Reject.INSUFFICIENT_MARGIN, Reject.NOT_HEALTHIER)


class Fill(NamedTuple):
    """An expected fill: signed lots, price, the account's fee, and the part of the trade's fees set aside for L1.

    `is_now`: it is in the book; else it is hoped for, at the order's own price. `longs` is what the other side adds to
    open interest: lots by which its long position grows.
    """

    change: Size
    price: BookPrice
    fee: Quote
    l1: Quote
    is_now: bool
    longs: Size


def longs(before: Size, change: Size) -> Size:
    """Lots by which a long position grows (below zero: shrinks) when `change` signed lots are added to `before`."""
    return max(before + change, Size(0)) - max(before, Size(0))


def unsigned(desk: Desk) -> Desk:
    """The same desk under an authority that asks for no signatures. Everything else is shared, and only read."""
    twin = copy(desk)
    twin.authority = Authority(desk.state.config, verify=False)
    return twin


class Expected(NamedTuple):
    """An order judged but not sent. `fills` is None when it is refused for anything but margin."""

    reject: Reject | None  # why it would be refused now, signature apart
    fills: list[Fill] | None


def released(desk: Desk, order: Order, replaces: str) -> Desk:
    """The desk once the order that is replaced has left: its margin is free. The same desk where none is."""
    replaced = replaced_by(desk, order, replaces) if replaces else None
    if replaced is None or not replaced.reserved:
        return desk
    twin = copy(desk)
    twin.reserve = desk.reserve.without(replaced)
    return twin


def expected(desk: Desk, order: Order, terms: Terms, replaces: str = "") -> Expected:
    """What an order would meet. One refused for margin has its fills anyway, so that its numbers can be shown.

    `replaces` names the open order whose place it would take; UNKNOWN_ORDER where there is none of that name.
    """
    command = PlaceOrder(desk.time_ms, order, terms, replaces)
    outcome = judge(desk, command)
    if not isinstance(outcome, Reject):
        return Expected(None, _fills(desk, outcome[0]))
    judged = admission.message(desk, order, command.terms.external_id)
    if outcome not in MARGIN_REJECTS or isinstance(judged, Reject):
        return Expected(outcome, None)
    return Expected(outcome, _fills(desk, opened(desk, judged, order, command.terms)))


def _fills(desk: Desk, order: OpenOrder) -> list[Fill]:
    """What the order meets in the book now, and its rest at its own price unless it never rests.

    An order that waits for a trigger is shown as filled at its own price as a taker. Who will be on the other side of
    what is not in the book is unknown: somebody who opens a position.
    """
    sign, left, found = (1 if order.side == BUY else -1), order.left, []
    held: dict[int, Size] = {}
    l1_charge = desk.state.config.l1_charge
    is_waiting = order.stage is not Stage.RESTING
    book = desk.books[order.signed.market_id]
    for resting in () if is_waiting else book.facing(order.side, admission.limit_of(desk, order)):
        maker = desk.orders[resting.order_id]
        lots = min(left, resting.size)
        if not lots or is_self_trade(desk, order, maker):
            continue
        trade = trade_of(desk, maker, order, resting.price, lots)
        split = fees.split(trade.maker_fee, trade.taker_fee, l1_charge)
        l1 = Quote(0) if split is None else split.l1
        change, who = Size(sign * int(lots)), maker.signed.account_id
        has = held[who] if who in held else desk.held(who, maker.signed.market_id)
        found.append(Fill(change, resting.price, trade.taker_fee, l1, True, longs(has, -change)))
        held[who] = has - change
        left -= lots
    if left and (is_waiting or not takes_only(order)):
        fee = fee_due(desk, order.signed, order.price * left, is_maker=not is_waiting)
        l1 = max(Quote(0), min(fee, l1_charge))
        change = Size(sign * int(left))
        found.append(Fill(change, order.price, fee, l1, False, longs(Size(0), -change)))
    return found


class Whose(NamedTuple):
    """For whom an order is rehearsed, and where. `leverage` is as if it were signed; 0: what was, if anything. Of its
    `terms` the mode decides whether there is something to reduce."""

    account_id: AccountId
    market_id: MarketId
    leverage: int = 0
    terms: Terms = Terms()


class Filled(NamedTuple):
    """A mode after the fills. `start` is the mode before them; `entry` is what getting in costs, fees included."""

    start: Arranged
    place: Arranged
    reject: Reject | None
    later: Reject | None
    fee: Quote
    entry: Quote


def fill_in(desk: Desk, whose: Whose, fills: list[Fill], mode: MarginMode) -> Filled:
    """Rehearse the fills in a mode; once more with lent money when margin refuses them, for their numbers."""
    account_id, market_id, leverage, _ = whose
    current = mode_of(desk.state, desk.state.accounts[account_id], market_id)

    def arrange() -> Arranged:
        return arranged(_staged(desk.state), desk.time_ms, account_id, market_id, mode, leverage=leverage)

    start, place = arrange(), arrange()
    reject = later = None
    if place.parent_id:
        reject = _settle(place, market_id, fills, LENT) or _fund(desk, place)
    else:
        reject = _settle(place, market_id, [fill for fill in fills if fill.is_now], Quote(0))
        later = reject or _settle(place, market_id, [fill for fill in fills if not fill.is_now], Quote(0))
        if later is not None:
            place = arrange()
            _settle(place, market_id, fills, LENT)
        if leverage or mode is not current:
            # Of the present mode, as it is signed, admission has spoken; here whatever the account could not bear
            # counts as refused.
            spare = Claims(place.draft, desk.reserve, desk.caps).spare(place.account_id)
            reject = later or (Reject.INSUFFICIENT_MARGIN if spare < 0 else None)
    if reject is None and mode is not current and _opens(whose, start, fills):
        reject = Reject.REDUCE_ONLY_WOULD_GROW
    index = desk.state.markets[market_id].price
    paid = sum(int(fill.price * fill.change) << FRACTION_BITS for fill in fills)
    worth = sum(int(fill.change * index) for fill in fills)
    fee = Quote(sum(int(fill.fee) for fill in fills))
    return Filled(start, place, reject, later, fee, fee + quote_ceil(Worth(paid - worth)))


def _opens(whose: Whose, start: Arranged, fills: list[Fill]) -> bool:
    """A reduce-only order finds nothing to reduce in the mode, or less than it trades; one that waits is cut by then.
    Of the present mode admission has spoken."""
    if not whose.terms.reduce_only:
        return False
    held, change = int(container_of(start).size(whose.market_id)), sum(int(fill.change) for fill in fills)
    is_larger = whose.terms.trigger is None and abs(change) > abs(held)
    return bool(change) and (held * change >= 0 or is_larger)


def _staged(state: State) -> State:
    """The same state with markets of its own, for that is where health reads open interest."""
    stage = copy(state)
    stage.markets, stage.risks, stage.indices = dict(state.markets), dict(state.risks), dict(state.indices)
    return stage


def _settle(place: Arranged, market_id: MarketId, fills: list[Fill], lent: Quote) -> Reject | None:
    """Settle the fills as the ledger would, with money lent for the time being.

    Each is judged by the open interest before it, and everything after it by what is open then.
    """
    _lend(place, lent)
    for fill in fills:
        held = container_of(place).size(market_id)
        account = place.draft.account(place.account_id)
        assert account is not None, "it was arranged"
        problem = settle_fill(place.draft, account, market_id, fill.change, fill.price, fill.fee)
        if problem is not None:
            _lend(place, -lent)
            return problem
        stage = place.draft.state
        opened_lots = int(longs(held, fill.change) + fill.longs)
        put_market(stage, with_open_interest(stage, stage.markets[market_id], opened_lots))
    _lend(place, -lent)
    return None


def _lend(place: Arranged, amount: Quote) -> None:
    account = place.draft.account(place.account_id)
    assert account is not None, "it was arranged"
    if amount:
        place.draft.put(account._replace(balance=account.balance + amount))


def _fund(desk: Desk, place: Arranged) -> Reject | None:
    """A new strategy takes from its parent what its fills need: initial margin, and what getting in has cost."""
    draft = place.draft
    strategy, parent = draft.account(place.account_id), draft.account(place.parent_id)
    assert strategy is not None and parent is not None, "both were arranged"
    health = health_of(draft, strategy)
    needed = margin.shortfall(health.initial, health.value)
    parent = parent._replace(balance=parent.balance - needed)
    draft.put(strategy._replace(balance=strategy.balance + needed))
    draft.put(parent)
    after = health_of(draft, parent)
    if (not parent.positions and int(parent.balance) < 0) or not after.is_initial:
        return Reject.INSUFFICIENT_MARGIN
    if int(Claims(draft, desk.reserve, desk.caps).spare(place.parent_id)) < 0:
        return Reject.INSUFFICIENT_MARGIN
    is_kept = margin.withdrawal_floor(after, parent.positions, draft.risks, draft.config.profit_lock)
    return None if is_kept else Reject.PROFIT_LOCKED


def container_of(place: Arranged) -> Account:
    """What holds the position; the signing account when there is nothing to hold."""
    found = place.draft.account(place.container_id) or place.draft.account(place.account_id)
    assert found is not None, "it was arranged"
    return found


