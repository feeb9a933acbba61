"""What the book did not take below close-out: to the backstop within its limits, beyond that to deleveraged holders."""

from __future__ import annotations

from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers import evidence
from bulkhead.keepers.book import publish, rehearsal
from bulkhead.keepers.event import VenueEvent
from bulkhead.keepers.witness import Part, Step
from bulkhead.ledger.accounts import health_of, realised, with_fill
from bulkhead.ledger.apply import apply
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.liquidate import open_case, zero_price_of
from bulkhead.ledger.receipt import TakenOver
from bulkhead.ledger.state import Account
from bulkhead.ledger.takeover import backstop_capacity, cover
from bulkhead.ledger.tx import Backstop, Deleveraging
from bulkhead.reject import Reject
from bulkhead.rules.liquidation import Charges
from bulkhead.rules.terms import Position
from bulkhead.units import AccountId, MarketId, Quote, Size

FREE = Charges(Quote(0), Quote(0))


def close(sequencer: Sequencer, account_id: AccountId, market_id: MarketId, events: list[VenueEvent]) -> Reject | None:
    """Close a position (market 0: every position, by market) without a book. What stopped it, if anything did."""
    account = sequencer.state.accounts[account_id]
    markets = [market_id] if market_id else [position.market_id for position in account.positions]
    for one in markets:
        while (step := _next(sequencer, account_id, one)) is not None:
            if isinstance(step, Reject):
                return None if step is Reject.NOT_LIQUIDATABLE else step
            problem = _take(sequencer, *step, events)
            if problem is not None:
                return problem
    return None


Pending = tuple[Account, Position, Step, Size]


def _next(sequencer: Sequencer, account_id: AccountId, market_id: MarketId) -> Pending | Reject | None:
    """Who takes the position next, and how much of it; None when it is gone or no longer below close-out."""
    draft = rehearsal(sequencer)
    if account_id not in draft.state.accounts:
        return None
    opened = open_case(draft, account_id)
    if isinstance(opened, Reject):
        return opened
    account, health = opened
    position = account.position(market_id)
    if position is None or health.is_above_close_out:
        return None
    covered, _ = cover(draft, account, market_id, health)
    after = health_of(draft, covered)
    size = Size(0)
    if not after.is_bankrupt:
        size = backstop_capacity(draft, position, zero_price_of(draft, covered, position, after))
    if size:
        return account, position, Step.BACKSTOP, min(size, abs(position.size))
    return account, position, Step.DELEVERAGING, abs(position.size)


def _take(
    sequencer: Sequencer, account: Account, position: Position, step: Step, size: Size, events: list[VenueEvent]
) -> Reject | None:
    """Apply one takeover and publish its witness."""
    draft = rehearsal(sequencer)
    opened = open_case(draft, account.account_id)
    assert not isinstance(opened, Reject), "it was open a moment ago"
    witness = evidence.begin(sequencer, draft, account, opened[1], step, position)
    kind = Backstop if step is Step.BACKSTOP else Deleveraging
    taken = kind(draft.time_ms, account.account_id, position.market_id, size)
    accounts = sequencer.state.accounts
    takers = {holder.account_id: accounts[holder.account_id] for holder in witness.holders}
    if step is Step.BACKSTOP:
        takers[BACKSTOP_ACCOUNT] = accounts[BACKSTOP_ACCOUNT]
    receipt = apply(sequencer.state, taken, sequencer.desk.authority)
    if receipt.reject is not None:
        return receipt.reject
    detail = receipt.detail
    assert isinstance(detail, TakenOver), "a takeover answers with its shares"
    parts: list[Part] = []
    held = account
    for taker_id, lots in detail.shares:
        change = -lots if int(position.size) > 0 else lots
        gains = (
            realised(held, position.market_id, change, detail.price),
            realised(takers[taker_id], position.market_id, -change, detail.price),
        )
        held = with_fill(held, position.market_id, change, detail.price, position.funding_index)
        parts.append(Part(position.market_id, lots, detail.price, detail.price, lots, FREE, taker_id, 0, *gains))
    after = health_of(sequencer.state, held._replace(balance=held.balance + detail.covered))  # before a sweep
    witness = witness._replace(receipt=receipt.number, parts=tuple(parts), after=after, covered=detail.covered)
    events.append(publish(sequencer, witness, account))
    events += sequencer.follow()
    return None
