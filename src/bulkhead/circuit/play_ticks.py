"""Playing ticks, registrations and configurations: which programs they run, by what memory holds (see `play`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bulkhead.circuit.programs import oracle_tick_name, register_name
from bulkhead.circuit.ticks import INDEX_LAST, Hour
from bulkhead.circuit.words import Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger import tx
from bulkhead.ledger.state import child_id
from bulkhead.ledger.ticks import FUNDING_PERIOD_MS
from bulkhead.rules import funding, prices
from bulkhead.rules.terms import MarketTerms
from bulkhead.units import Fraction, Price, TimeMs

if TYPE_CHECKING:
    from bulkhead.circuit.play import Play


def _oracle_tick(play: Play, transaction: tx.OracleTick) -> None:
    reports = transaction.reports
    scales = False
    for place, (market, _) in enumerate(reports[0].prices):
        terms = play.venue.config.market(market)
        assert terms is not None  # the ledger compared the feeds with its markets
        price = max(play.market(market, Field.PRICE), int(prices.median([each.prices[place][1] for each in reports])))
        worth = play.market(market, Field.OPEN_INTEREST) * price
        scales |= worth > int(terms.open_interest_lower) << FRACTION_BITS or play.market(market, Field.SCALE) > 0
    play.run(oracle_tick_name(len(reports), scales), transaction)


def _funding_tick(play: Play, transaction: tx.FundingTick) -> None:
    """Markets that a rule refuses are left out."""
    now_ms = transaction.time_ms
    moved = {}
    for market, samples in transaction.samples:
        terms = play.venue.config.market(market)
        assert terms is not None  # the ledger knows the market
        if _is_moved(play, terms, now_ms, samples):
            moved[int(market)] = tuple(map(int, samples))
    play.run("funding tick", Hour(int(now_ms), moved))


def _is_moved(play: Play, terms: MarketTerms, now_ms: TimeMs, samples: tuple[Fraction, ...]) -> bool:
    """Whether the ledger moves a market's funding index (`ledger.ticks`)."""

    def word(field: Field) -> int:
        return play.market(terms.market_id, field)

    if now_ms - word(Field.FUNDING_MS) < FUNDING_PERIOD_MS or len(samples) < funding.SAMPLES_MIN:
        return False
    if not word(Field.PRICE) or not prices.is_fresh(TimeMs(word(Field.PRICE_MS)), now_ms, terms.price_age_max_ms):
        return False
    rate = funding.hourly_rate(samples, terms.funding_interest, terms.funding_cap)
    return 0 < word(Field.FUNDING_INDEX) + int(funding.step(Price(word(Field.PRICE)), rate)) <= INDEX_LAST


def _status_change(play: Play, transaction: tx.StatusChange) -> None:
    play.run("status change", transaction)


def _restart(play: Play, transaction: tx.Restart) -> None:
    play.run("restart", transaction)


def _register(play: Play, transaction: tx.Register) -> None:
    play.run(register_name(transaction.kind), transaction)


def _configure(play: Play, transaction: tx.Configure) -> None:
    account, market, now_ms = transaction.account_id, transaction.choice.market_id, int(transaction.time_ms)
    play.account(int(account), now_ms)
    child = int(child_id(account, market))
    if not market:
        play.run("configure, itself", transaction)
    elif play.kind(child):
        play.account(child, now_ms)
        play.run("configure, child", transaction)
    else:
        play.run("configure", transaction)


TAKERS: dict[type, Callable[[Play, Any], None]] = {
    tx.OracleTick: _oracle_tick,
    tx.FundingTick: _funding_tick,
    tx.StatusChange: _status_change,
    tx.Restart: _restart,
    tx.Register: _register,
    tx.Configure: _configure,
}
