"""Ticks of the keepers: the hourly funding tick from the engine's premium samples."""

from __future__ import annotations

from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers.event import FundingMoved
from bulkhead.ledger.accounts import check_price
from bulkhead.ledger.apply import apply
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import Funded
from bulkhead.ledger.ticks import FUNDING_PERIOD_MS
from bulkhead.ledger.tx import FundingTick
from bulkhead.rules.funding import SAMPLES_MIN, SAMPLES_PER_HOUR
from bulkhead.units import Fraction, MarketId


def due_markets(sequencer: Sequencer) -> list[MarketId]:
    """Markets whose hour has passed, with enough samples and a fresh price, by rising id.

    A market short of samples, or of a fresh price, is tried again at the next tick; its hour is then longer, and is
    charged once: nobody owes funding for time in which the venue did not watch.
    """
    state, now = sequencer.state, sequencer.time_ms
    draft = Draft(state)
    draft.time_ms = now
    return [
        market.market_id
        for _, market in sorted(state.markets.items())
        if now - market.funding_ms >= FUNDING_PERIOD_MS
        and len(sequencer.samples(market.market_id)) >= SAMPLES_MIN
        and check_price(draft, market.market_id) is None
    ]


def funding(sequencer: Sequencer) -> list[FundingMoved]:
    """Move the funding of every market that is due. A market whose step the ledger refuses says so in the event."""
    markets = due_markets(sequencer)
    if not markets:
        return []
    samples = tuple((market_id, _latest(sequencer.take_samples(market_id))) for market_id in markets)
    receipt = apply(sequencer.state, FundingTick(sequencer.time_ms, samples), sequencer.desk.authority)
    number = sequencer.next_number()
    if receipt.reject is not None:
        refused = tuple((market_id, receipt.reject) for market_id in markets)
        return [FundingMoved(number, sequencer.time_ms, 0, (), refused)]
    detail = receipt.detail
    assert isinstance(detail, Funded), "a funding tick answers with its indices"
    return [FundingMoved(number, sequencer.time_ms, receipt.number, detail.indices, detail.refused)]


def _latest(samples: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """The last hour's samples, when a late tick finds more."""
    return samples[-SAMPLES_PER_HOUR:]
