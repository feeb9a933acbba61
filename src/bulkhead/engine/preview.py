"""Before an order is sent: what it would do in each margin mode, side by side; and how much to trade for a given loss.

`preview` rehearses the fill in drafts that nobody commits, with the rules and the settlement that would really run.
"""

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
from bulkhead.engine.place import judge, opened
from bulkhead.engine.reserve import Claims
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.stress import Stress, stresses
from bulkhead.fixed import (
    FRACTION_BITS,
    book_price_ceil,
    book_price_floor,
    div_floor,
    quote_ceil,
    quote_floor,
    ratio_floor,
    requirement_quote_ceil,
)
from bulkhead.ledger.accounts import health_of, liquidation_price
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.fill import settle_fill
from bulkhead.ledger.state import Account, Kind
from bulkhead.ledger.tx import Order
from bulkhead.reject import Reject
from bulkhead.rules import fees, margin
from bulkhead.units import AccountId, AssetId, BookPrice, Fraction, MarketId, Price, Quote, Size, Worth

LENT = Quote(1 << 60)
"""Lent to an account while a fill that its margin refuses is rehearsed, so that its numbers can be shown anyway."""
MARGIN_REJECTS = (Reject.INSUFFICIENT_MARGIN, Reject.NOT_HEALTHIER)


class Fill(NamedTuple):
    """An expected fill: signed lots, price, the account's fee, and the part of the trade's fees set aside for L1.

    `is_now`: it is in the book; else it is hoped for, at the order's own price.
    """

    change: Size
    price: BookPrice
    fee: Quote
    l1: Quote
    is_now: bool


class ModePreview(NamedTuple):
    """An order in one margin mode, filled as expected. Amounts asked are rounded up, what is left down.

    `at_stake` is what the container is worth after the fill: a liquidation there can take all of it, and nothing of
    the owner's other accounts. `free` is the signing account's value beyond its initial requirement afterwards, open
    orders included; below zero it may take no new risk.

    Open interest is taken as it is: what the fill adds to it can shift a scenario account's requirement, and initial
    fractions of a market whose open interest is large.
    """

    mode: MarginMode
    is_current: bool
    is_moved: bool  # an open position lies elsewhere now: switching takes a Move first
    reject: Reject | None  # at once
    later: Reject | None  # when the rest of the order fills at its own price, all else as it is
    margin: Quote
    fee: Quote
    l1: Quote
    size: Size  # of the position afterwards
    liquidation_price: Price | None
    distance: Fraction | None  # of it from the index
    at_stake: Quote
    markets: tuple[MarketId, ...]  # positions that share the container, this one among them
    collateral: tuple[tuple[AssetId, int], ...]
    worst: tuple[Stress, ...]  # the worst of each kind, worst first
    free: Quote


class Preview(NamedTuple):
    """An order four ways. `reject`: why it would be refused if it were sent now, signature apart."""

    account_id: AccountId
    market_id: MarketId
    size: Size  # signed lots expected to trade, at once or later
    reject: Reject | None
    modes: tuple[ModePreview, ...]


class Sizing(NamedTuple):
    """The most lots whose worst stress stays within a loss and that the account can open; 0 when there are none.

    `is_monotone`: smaller sizes looked at on the way lost no more than larger ones. Where that fails (the order hedges
    something) smaller sizes may lose more than this one.
    """

    size: Size
    loss: Quote
    is_monotone: bool


def preview(sequencer: Sequencer, order: Order, terms: Terms | None = None) -> Preview:
    """Every mode for one order, which need not be signed yet. Assumes that all of it that can fill does.

    An order refused for anything but margin has no modes to compare.
    """
    desk = _unsigned(sequencer.desk)
    command = PlaceOrder(desk.time_ms, order, Terms() if terms is None else terms)
    outcome = judge(desk, command)
    account_id, market_id = order.account_id, order.market_id
    if isinstance(outcome, Reject):
        judged = admission.message(desk, order, command.terms.external_id)
        if outcome not in MARGIN_REJECTS or isinstance(judged, Reject):
            return Preview(account_id, market_id, Size(0), outcome, ())
        reject, opening = outcome, opened(desk, judged, order, command.terms)
    else:
        reject, opening = None, outcome[0]
    fills = _fills(desk, opening)
    current = mode_of(desk.state, desk.state.accounts[account_id], market_id)
    modes = []
    for mode in MarginMode:
        shown = _in_mode(desk, account_id, market_id, fills, mode)
        if mode is current:
            reject = shown.reject if reject is None else reject
            shown = shown._replace(is_current=True, reject=reject)
        modes.append(shown)
    return Preview(account_id, market_id, Size(sum(int(fill.change) for fill in fills)), reject, tuple(modes))


def size_for(
    sequencer: Sequencer, account_id: AccountId, market_id: MarketId, side: int, mode: MarginMode, *, loss: Quote
) -> Sizing | Reject:
    """How much to trade on a side of the book, at the mark as a taker, so that the worst stress stays within a loss.

    Sizes are doubled from one lot to the market's position limit, then bisected after the largest that fits.
    """
    desk = sequencer.desk
    account = desk.state.accounts.get(account_id)
    if market_id not in desk.state.terms:
        return Reject.UNKNOWN_MARKET
    if account is None:
        return Reject.UNKNOWN_ACCOUNT
    if account.kind is Kind.CHILD:
        return Reject.ACCOUNT_ID_NOT_SIGNABLE
    if account.asset_id != desk.state.terms[market_id].asset_id:
        return Reject.WRONG_ASSET
    index = desk.state.markets[market_id].price
    if not int(index):
        return Reject.PRICE_UNKNOWN
    most = div_floor(int(desk.state.terms[market_id].tiers[-1].bound) << FRACTION_BITS, int(index))
    seen: dict[int, int] = {}

    def fits(size: int) -> bool:
        filled = _fill_in(desk, account_id, market_id, [_at_mark(desk, account_id, market_id, side, size)], mode)
        worst = _stresses(desk, account_id, filled)[0].loss
        seen[size] = int(worst)
        return filled.reject is None and filled.later is None and worst <= loss

    best, size = 0, 1
    while size <= most:
        if fits(size):
            best = size
        size <<= 1
    low, high = best, min(most, 2 * best - 1) if best else 0
    while low < high:
        middle = div_floor(low + high + 1, 2)
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    asked = [seen[size] for size in sorted(seen) if size <= low]
    return Sizing(Size(low), Quote(seen.get(low, 0)), asked == sorted(asked))


def _at_mark(desk: Desk, account_id: AccountId, market_id: MarketId, side: int, size: int) -> Fill:
    """A taker's fill at the mark (the index until there is one), rounded to a book price against him."""
    mark = desk.marks.by_market[market_id].mark
    price = mark if int(mark) else desk.state.markets[market_id].price
    paid = book_price_ceil(price) if side == BUY else max(BookPrice(1), book_price_floor(price))
    fee = fees.fee(paid * Size(size), desk.volumes.tier(account_id).taker)
    return Fill(Size(size if side == BUY else -size), paid, fee, min(fee, desk.state.config.l1_charge), True)


def _unsigned(desk: Desk) -> Desk:
    """The same desk under an authority that asks for no signatures. Everything else is shared, and only read."""
    twin = copy(desk)
    twin.authority = Authority(desk.state.config, verify=False)
    return twin


def _fills(desk: Desk, order: OpenOrder) -> list[Fill]:
    """What the order meets in the book now, and its rest at its own price unless it never rests.

    An order that waits for a trigger is shown as filled at its own price as a taker.
    """
    sign, left, found = (1 if order.side == BUY else -1), order.left, []
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
        found.append(
            Fill(Size(sign * int(lots)), resting.price, trade.taker_fee, Quote(0) if split is None else split.l1, True)
        )
        left -= lots
    if left and (is_waiting or not takes_only(order)):
        fee = fee_due(desk, order.signed, order.price * left, is_maker=not is_waiting)
        l1 = max(Quote(0), min(fee, l1_charge))
        found.append(Fill(Size(sign * int(left)), order.price, fee, l1, False))
    return found


class _Filled(NamedTuple):
    """A mode after the fills. `start` is the mode before them; `entry` is what getting in costs, fees included."""

    start: Arranged
    place: Arranged
    reject: Reject | None
    later: Reject | None
    fee: Quote
    entry: Quote


def _fill_in(desk: Desk, account_id: AccountId, market_id: MarketId, fills: list[Fill], mode: MarginMode) -> _Filled:
    """Rehearse the fills in a mode; once more with lent money when margin refuses them, for their numbers."""
    start, place = (arranged(desk.state, desk.time_ms, account_id, market_id, mode) for _ in range(2))
    reject = later = None
    if place.parent_id:
        reject = _settle(place, market_id, fills, LENT) or _fund(desk, place)
    else:
        reject = _settle(place, market_id, [fill for fill in fills if fill.is_now], Quote(0))
        later = reject or _settle(place, market_id, [fill for fill in fills if not fill.is_now], Quote(0))
        if later is not None:
            place = arranged(desk.state, desk.time_ms, account_id, market_id, mode)
            _settle(place, market_id, fills, LENT)
        if mode is not mode_of(desk.state, desk.state.accounts[account_id], market_id):
            # Of the present mode admission has spoken; here whatever the account could not bear counts as refused.
            spare = Claims(place.draft, desk.reserve, desk.caps).spare(place.account_id)
            reject = later or (Reject.INSUFFICIENT_MARGIN if spare < 0 else None)
    index = desk.state.markets[market_id].price
    paid = sum(int(fill.price * fill.change) << FRACTION_BITS for fill in fills)
    worth = sum(int(fill.change * index) for fill in fills)
    fee = Quote(sum(int(fill.fee) for fill in fills))
    return _Filled(start, place, reject, later, fee, fee + quote_ceil(Worth(paid - worth)))


def _settle(place: Arranged, market_id: MarketId, fills: list[Fill], lent: Quote) -> Reject | None:
    """Settle the fills as the ledger would, with money lent for the time being."""
    _lend(place, lent)
    for fill in fills:
        account = place.draft.account(place.account_id)
        assert account is not None, "it was arranged"
        problem = settle_fill(place.draft, account, market_id, fill.change, fill.price, fill.fee)
        if problem is not None:
            _lend(place, -lent)
            return problem
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


def _container(place: Arranged) -> Account:
    """What holds the position; the signing account when there is nothing to hold."""
    found = place.draft.account(place.container_id) or place.draft.account(place.account_id)
    assert found is not None, "it was arranged"
    return found


def _stresses(desk: Desk, account_id: AccountId, filled: _Filled) -> list[Stress]:
    taker = desk.volumes.tier(account_id).taker
    return stresses(filled.place.draft, _container(filled.place), filled.entry, taker)


def _in_mode(
    desk: Desk, account_id: AccountId, market_id: MarketId, fills: list[Fill], mode: MarginMode
) -> ModePreview:
    """One column of the comparison."""
    filled = _fill_in(desk, account_id, market_id, fills, mode)
    place, draft = filled.place, filled.place.draft
    container, index = _container(place), draft.market(market_id).price
    price = liquidation_price(draft, container, market_id) if container.size(market_id) else None
    signer = place.parent_id or place.account_id
    spare = Claims(draft, desk.reserve, desk.caps).spare(signer)
    reject = filled.reject
    if mode is MarginMode.SCENARIO and not draft.config.scenario_accounts:
        reject = Reject.MODE_NOT_AVAILABLE
    return ModePreview(
        mode=mode,
        is_current=False,
        is_moved=place.is_moved,
        reject=reject,
        later=filled.later,
        margin=_margin(filled),
        fee=filled.fee,
        l1=Quote(sum(int(fill.l1) for fill in fills)),
        size=container.size(market_id),
        liquidation_price=price,
        distance=None if price is None else ratio_floor(abs(int(price) - int(index)), int(index)),
        at_stake=max(Quote(0), quote_floor(health_of(draft, container).value)),
        markets=tuple(position.market_id for position in container.positions),
        collateral=container.collateral,
        worst=tuple(_stresses(desk, account_id, filled)),
        free=Quote(div_floor(spare, 1 << 2 * FRACTION_BITS)),
    )


def _margin(filled: _Filled) -> Quote:
    """Initial margin that the fills ask for: of an isolated position what its parent gives it, else what the
    container's requirement grows by; rounded up, nothing when it shrinks."""
    start, place = filled.start, filled.place
    if place.container_id != place.account_id:
        before, after = start.draft.account(start.account_id), place.draft.account(place.account_id)
        assert before is not None and after is not None, "they were arranged"
        return max(Quote(0), before.balance - after.balance - filled.fee)
    before_health, after_health = (health_of(one.draft, _container(one)) for one in (start, place))
    return max(Quote(0), requirement_quote_ceil(after_health.initial - before_health.initial))
