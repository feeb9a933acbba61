"""Liquidation steps through the book: one position of a linear account, or equal slices of a scenario account."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.auction import Closing, Offer, Taken
from bulkhead.engine.auction import Step as AuctionStep
from bulkhead.engine.book import BUY, SELL
from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers import evidence
from bulkhead.keepers.condition import NOTHING_HELD
from bulkhead.keepers.event import VenueEvent
from bulkhead.keepers.witness import Part, Step, Witness
from bulkhead.ledger.accounts import account_for, realised, with_fill
from bulkhead.ledger.apply import apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.liquidate import (
    chosen_position,
    is_beyond,
    is_restored,
    linear_closing,
    open_case,
    slice_of,
    zero_price_of,
)
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.receipt import Closed, Liquidated
from bulkhead.ledger.state import Account, State
from bulkhead.ledger.trade import check_order, fill_order
from bulkhead.ledger.tx import Liquidation, LiquidationFill, Order
from bulkhead.reject import Reject
from bulkhead.rules.fees import FeeSplit
from bulkhead.rules.liquidation import step_size
from bulkhead.rules.scenario import SLICE_BITS
from bulkhead.rules.terms import Health, Position
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, Size

Outcome = tuple[MarketId, Reject | None]
"""The market worked in (0: all of them), and what stopped it before anything was closed."""


def rehearsal(sequencer: Sequencer) -> Draft:
    """A draft at the time of the last command, for questions; never committed."""
    draft = Draft(sequencer.state)
    draft.time_ms = sequencer.time_ms
    return draft


def closing_side(position: Position) -> int:
    """The book's side of an order that reduces a position."""
    return SELL if int(position.size) > 0 else BUY


def split_of(order_fee: Quote, fee: Quote) -> FeeSplit:
    """Fees of a liquidation fill: the maker's, the liquidated account's; nothing is set aside for L1."""
    return FeeSplit(order_fee, fee, Quote(0), order_fee + fee)


# -- linear accounts -----------------------------------------------------------------------------------------------


def linear(sequencer: Sequencer, account_id: AccountId, events: list[VenueEvent]) -> Outcome:
    """One step of a linear account: the rule's position, maker by maker, each for no more than still needed."""
    draft = rehearsal(sequencer)
    opened = open_case(draft, account_id)
    if isinstance(opened, Reject):
        return MarketId(0), opened
    account, health = opened
    position = chosen_position(draft, account)
    witness = evidence.begin(sequencer, draft, account, health, Step.BOOK, position)
    closer = _Closer(sequencer, account_id, position.market_id)
    closing = Closing(
        account_id,
        position.market_id,
        closing_side(position),
        zero_price_of(draft, account, position, health),
        abs(position.size),
    )
    _, stopped, followed = sequencer.take_for_liquidation(closing, closer.close)
    events += followed
    if not closer.parts:
        return position.market_id, stopped or Reject.NO_LIQUIDITY
    witness = witness._replace(receipt=closer.receipt, parts=tuple(closer.parts), after=closer.after)
    events.append(publish(sequencer, witness, account))
    return position.market_id, None


class _Closer:
    """Answers the auction: one Liquidation of the ledger for each offer, until the rule has enough."""

    __slots__ = ("_account_id", "_market_id", "_sequencer", "after", "parts", "receipt")

    def __init__(self, sequencer: Sequencer, account_id: AccountId, market_id: MarketId) -> None:
        self._sequencer = sequencer
        self._account_id = account_id
        self._market_id = market_id
        self.parts: list[Part] = []
        self.receipt = 0
        self.after = NOTHING_HELD

    def close(self, offer: Offer) -> AuctionStep | Reject:
        """Close what the rule allows at this offer's price; nothing when the step is complete."""
        state, authority = self._sequencer.state, self._sequencer.desk.authority
        draft = rehearsal(self._sequencer)
        opened = open_case(draft, self._account_id)
        if isinstance(opened, Reject):
            return AuctionStep(Size(0))
        account, health = opened
        position = chosen_position(draft, account)
        if position.market_id != self._market_id:
            return AuctionStep(Size(0))
        closing = linear_closing(draft, position, health, offer.price)
        if is_beyond(position, offer.price, closing.zero):
            return AuctionStep(Size(0))
        most = step_size(closing)
        size = min(offer.size, most)
        fee = offer.order_fee(size)
        fill = LiquidationFill(self._market_id, size, offer.price, offer.order, fee)
        gains = gains_of(state, account, fill)
        order_id = order_id_of(self._sequencer, offer.order)
        receipt = apply(state, Liquidation(draft.time_ms, self._account_id, (fill,), 0), authority)
        if receipt.reject is not None:
            return receipt.reject
        detail = receipt.detail
        assert isinstance(detail, Liquidated), "a liquidation answers with its closes"
        self.receipt, self.after = receipt.number, detail.after
        self.parts.append(part_of(detail.closes[0], most, fill, order_id, gains))
        return AuctionStep(size, split_of(fee, detail.closes[0].charges.fee), gains[0])


def order_id_of(sequencer: Sequencer, order: Order) -> int:
    """The engine's id of an open order."""
    desk = sequencer.desk
    return desk.seen[key_of(desk.authority.order_hash(order))]


def gains_of(state: State, account: Account, fill: LiquidationFill) -> tuple[Quote, Quote]:
    """What a fill realises for the liquidated account and for the maker, charges apart."""
    market_id, bought = fill.market_id, int(fill.order.base_amount) > 0
    change = -fill.size if bought else fill.size  # of the liquidated account
    holder = account_for(state, fill.order.account_id, market_id)
    other = Quote(0) if holder is None else realised(holder, market_id, -change, fill.price)
    return realised(account, market_id, change, fill.price), other


def part_of(closed: Closed, most: Size, fill: LiquidationFill, order_id: int, gains: tuple[Quote, Quote]) -> Part:
    """A fill as a witness carries it."""
    return Part(
        closed.market_id,
        closed.size,
        closed.price,
        closed.zero,
        most,
        closed.charges,
        fill.order.account_id,
        order_id,
        *gains,
    )


def publish(sequencer: Sequencer, witness: Witness, account: Account) -> Witness:
    """The completed witness under the next number."""
    return evidence.complete(witness, sequencer.state, account.asset_id)._replace(number=sequencer.next_number())


# -- scenario accounts ---------------------------------------------------------------------------------------------


class _Fill(NamedTuple):
    """A resting order's part in a plan."""

    order_id: int
    fill: LiquidationFill


Depth = dict[MarketId, list[tuple[int, Offer]]]
"""Offers within the zero price by market, best first."""


def slices(sequencer: Sequencer, account_id: AccountId, events: list[VenueEvent]) -> Outcome:
    """An equal slice of every position: the fewest that restore the account, or as many as the book can take."""
    draft = rehearsal(sequencer)
    opened = open_case(draft, account_id)
    if isinstance(opened, Reject):
        return MarketId(0), opened
    account, health = opened
    depth = _depth(sequencer, draft, account, health)
    plan = _plan(draft, account, depth, is_whole=not health.is_above_close_out)
    if plan is None:
        return MarketId(0), Reject.NO_LIQUIDITY
    count, fills = plan
    witness = evidence.begin(sequencer, draft, account, health, Step.BOOK, None)
    gains = _gains(draft, account, fills)
    state = sequencer.state
    step = Liquidation(draft.time_ms, account_id, tuple(one.fill for one in fills), count)
    receipt = apply(state, step, sequencer.desk.authority)
    if receipt.reject is not None:
        return MarketId(0), receipt.reject
    detail = receipt.detail
    assert isinstance(detail, Liquidated), "a liquidation answers with its closes"
    parts, taken = [], []
    for one, closed, gain in zip(fills, detail.closes, gains, strict=True):
        held = account.size(one.fill.market_id)
        most = Size(slice_of(Position(one.fill.market_id, held, Quote(0), draft.indices[one.fill.market_id]), count))
        parts.append(part_of(closed, most, one.fill, one.order_id, gain))
        fees = split_of(one.fill.order_fee, closed.charges.fee)
        taken.append(Taken(one.order_id, closed.price, closed.size, fees, gain[1], gain[0]))
    witness = witness._replace(receipt=receipt.number, slices=count, parts=tuple(parts), after=detail.after)
    events += sequencer.taken(account_id, tuple(taken))
    events.append(publish(sequencer, witness, account))
    return MarketId(0), None


def _depth(sequencer: Sequencer, draft: Draft, account: Account, health: Health) -> Depth:
    """What the book offers for each position within its zero price, without makers who could not bear it."""
    found: Depth = {}
    for position in account.positions:
        market_id = position.market_id
        zero = zero_price_of(draft, account, position, health)
        offers = sequencer.offers(market_id, closing_side(position), zero)
        found[market_id] = [
            (order_id, offer)
            for order_id, offer in offers
            if offer.order.account_id not in (account.account_id, account.parent_id)
        ]
    makers = Draft(draft.state)
    makers.time_ms = draft.time_ms
    authority = sequencer.desk.authority
    for position in account.positions:
        left, kept = abs(position.size), []
        for order_id, offer in found[position.market_id]:
            size = min(left, offer.size)
            fill = (size, offer.price, offer.order_fee(size))
            if not size:
                break
            before = makers.accounts.copy(), makers.filled.copy()
            problem = check_order(makers, offer.order, position.market_id, fill, authority) or fill_order(
                makers, offer.order, fill, makers.market(position.market_id).status, authority
            )
            if problem is None:
                kept.append((order_id, offer))
                left -= size
            else:
                makers.accounts, makers.filled = before
        found[position.market_id] = kept
    return found


def _plan(draft: Draft, account: Account, depth: Depth, *, is_whole: bool) -> tuple[int, list[_Fill]] | None:
    """How many of the 64 slices, and with whom; None when the book cannot take one slice of every position."""
    whole = 1 << SLICE_BITS
    most = whole
    for position in account.positions:
        offered = sum(int(offer.size) for _, offer in depth[position.market_id])
        while most and slice_of(position, most) > offered:
            most -= 1
    if not most:
        return None
    if is_whole:
        return most, _fills(account, depth, most)
    for count in range(1, most):
        fills = _fills(account, depth, count)
        if is_restored(draft, account, count, _worst(fills)):
            return count, fills
    return most, _fills(account, depth, most)


def _fills(account: Account, depth: Depth, count: int) -> list[_Fill]:
    """Best offers first until every slice is filled; the depth is known to reach."""
    found: list[_Fill] = []
    for position in account.positions:
        left = Size(slice_of(position, count))
        for order_id, offer in depth[position.market_id]:
            size = min(left, offer.size)
            fee = offer.order_fee(size)
            found.append(_Fill(order_id, LiquidationFill(position.market_id, size, offer.price, offer.order, fee)))
            left -= size
            if not left:
                break
    return found


def _worst(fills: list[_Fill]) -> dict[MarketId, BookPrice]:
    """The last price of each market: offers come best first."""
    return {one.fill.market_id: one.fill.price for one in fills}


def _gains(draft: Draft, account: Account, fills: list[_Fill]) -> list[tuple[Quote, Quote]]:
    """What each fill will realise for the account and the maker, one after the other."""
    accounts: dict[int, Account] = {}
    found: list[tuple[Quote, Quote]] = []
    for _, fill in fills:
        market_id, change = fill.market_id, -fill.size if int(fill.order.base_amount) > 0 else fill.size
        maker = account_for(draft, fill.order.account_id, market_id)
        gains = []
        for holder, moved in ((account, change), (maker, -change)):
            if holder is None:
                gains.append(Quote(0))
                continue
            now = accounts.get(holder.account_id, holder)
            gains.append(realised(now, market_id, moved, fill.price))
            accounts[holder.account_id] = with_fill(now, market_id, moved, fill.price, draft.indices[market_id])
        found.append((gains[0], gains[1]))
    return found
