"""Before an order is sent: what it would do in each margin mode, side by side; and how much to trade for a given loss.

`preview` rehearses the fill in drafts that nobody commits, with the rules and the settlement that would really run.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.arrange import MarginMode, mode_of
from bulkhead.engine.book import BUY
from bulkhead.engine.desk import Desk
from bulkhead.engine.order import Terms
from bulkhead.engine.rehearse import Fill, Filled, Whose, container_of, expected, fill_in, longs, released, unsigned
from bulkhead.engine.reserve import Claims
from bulkhead.engine.sequencer import Sequencer
from bulkhead.engine.stress import Stress, stresses
from bulkhead.fixed import (
    FRACTION_BITS,
    book_price_ceil,
    book_price_floor,
    div_floor,
    quote_floor,
    ratio_floor,
    requirement_quote_ceil,
)
from bulkhead.ledger.accounts import close_out_price, health_of, liquidation_price
from bulkhead.ledger.state import Kind
from bulkhead.ledger.tx import Order
from bulkhead.reject import Reject
from bulkhead.rules import fees
from bulkhead.units import AccountId, AssetId, BookPrice, Fraction, MarketId, Price, Quote, Size


class ModePreview(NamedTuple):
    """An order in one margin mode, filled as expected. Amounts asked are rounded up, what is left down.

    `at_stake` is what the container is worth after the fill: a liquidation there can take all of it, and nothing of
    the owner's other accounts. `free` is the signing account's value beyond its initial requirement afterwards, open
    orders included; below zero it may take no new risk.

    Requirements are those at the open interest that the fills leave, as the ledger would ask them from then on.
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
    close_out_price: Price | None  # where liquidation stops being partial and takes the whole container
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


def preview(
    sequencer: Sequencer, order: Order, terms: Terms | None = None, *, leverage: int = 0, replaces: str = ""
) -> Preview:
    """Every mode for one order, which need not be signed yet. Assumes that all of it that can fill does.

    `leverage` is as if it had been signed for the market; 0 takes what was. `replaces` is the external id of the open
    order whose place it would take. An order refused for anything but margin has no modes to compare.
    """
    desk, terms = unsigned(sequencer.desk), Terms() if terms is None else terms
    whose = Whose(order.account_id, order.market_id, leverage, terms)
    reject, fills = expected(desk, order, terms, replaces)
    if fills is None:
        return Preview(whose.account_id, whose.market_id, Size(0), reject, ())
    desk = released(desk, order, replaces)
    current = mode_of(desk.state, desk.state.accounts[whose.account_id], whose.market_id)
    modes = []
    for mode in MarginMode:
        shown = _in_mode(desk, whose, fills, mode)
        if mode is current:
            if not leverage:
                reject = shown.reject if reject is None else reject
                shown = shown._replace(reject=reject)
            shown = shown._replace(is_current=True)
        modes.append(shown)
    size = Size(sum(int(fill.change) for fill in fills))
    return Preview(whose.account_id, whose.market_id, size, reject, tuple(modes))


def size_for(
    sequencer: Sequencer,
    account_id: AccountId,
    market_id: MarketId,
    side: int,
    mode: MarginMode,
    *,
    loss: Quote,
    leverage: int = 0,
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
    whose = Whose(account_id, market_id, leverage)
    seen: dict[int, int] = {}

    def fits(size: int) -> bool:
        filled = fill_in(desk, whose, [_at_mark(desk, account_id, market_id, side, size)], mode)
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
    """A taker's fill at the mark (the index until there is one), rounded to a book price against him.

    The other side opens a position.
    """
    mark = desk.marks.by_market[market_id].mark
    price = mark if int(mark) else desk.state.markets[market_id].price
    paid = book_price_ceil(price) if side == BUY else max(BookPrice(1), book_price_floor(price))
    fee = fees.fee(paid * Size(size), desk.volumes.tier(account_id).taker)
    change = Size(size if side == BUY else -size)
    return Fill(change, paid, fee, min(fee, desk.state.config.l1_charge), True, longs(Size(0), -change))


def _stresses(desk: Desk, account_id: AccountId, filled: Filled) -> list[Stress]:
    taker = desk.volumes.tier(account_id).taker
    return stresses(filled.place.draft, container_of(filled.place), filled.entry, taker)


def _in_mode(desk: Desk, whose: Whose, fills: list[Fill], mode: MarginMode) -> ModePreview:
    """One column of the comparison."""
    market_id = whose.market_id
    filled = fill_in(desk, whose, fills, mode)
    place, draft = filled.place, filled.place.draft
    container, index = container_of(place), draft.market(market_id).price
    is_held = bool(container.size(market_id))
    price = liquidation_price(draft, container, market_id) if is_held else None
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
        close_out_price=close_out_price(draft, container, market_id) if is_held else None,
        distance=None if price is None else ratio_floor(abs(int(price) - int(index)), int(index)),
        at_stake=max(Quote(0), quote_floor(health_of(draft, container).value)),
        markets=tuple(position.market_id for position in container.positions),
        collateral=container.collateral,
        worst=tuple(_stresses(desk, whose.account_id, filled)),
        free=Quote(div_floor(spare, 1 << 2 * FRACTION_BITS)),
    )


def _margin(filled: Filled) -> Quote:
    """Initial margin that the fills ask for: of an isolated position what its parent gives it, else what the
    container's requirement grows by; rounded up, nothing when it shrinks."""
    start, place = filled.start, filled.place
    if place.container_id != place.account_id:
        before, after = start.draft.account(start.account_id), place.draft.account(place.account_id)
        assert before is not None and after is not None, "they were arranged"
        return max(Quote(0), before.balance - after.balance - filled.fee)
    before_health, after_health = (health_of(one.draft, container_of(one)) for one in (start, place))
    return max(Quote(0), requirement_quote_ceil(after_health.initial - before_health.initial))
