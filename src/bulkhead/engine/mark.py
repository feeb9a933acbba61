"""Marks: the average basis of each book over its index, the last trade, and the minute samples of the premium."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.engine.book import BUY, SELL, Book
from bulkhead.fixed import FRACTION_BITS, div_ceil, div_floor, minutes_floor
from bulkhead.ledger.state import State
from bulkhead.rules import funding, prices
from bulkhead.rules.terms import MarketTerms
from bulkhead.units import BookPrice, Fraction, MarketId, Price, Quote, TimeMs

BASIS_SPAN_MS = 30_000
"""Time constant of the average basis: a spike of one second moves the mark by a thirtieth of itself."""
IMPACT_MARGIN = Quote(500_000_000)
"""Premiums look at the price of trading what 500 USD of initial margin carries. Source: dYdX v3."""


class Quoted(NamedTuple):
    """What a market's book said last. `last` is 0 before the first trade."""

    market_id: MarketId
    basis: Fraction  # exponential average
    mark: Price  # 0 before the first index price
    last: BookPrice
    updated_ms: TimeMs
    minute: int  # whole minutes since the epoch at the last premium sample
    samples: tuple[Fraction, ...]  # premiums since the keepers last took them


class Marks:
    """One `Quoted` per market."""

    __slots__ = ("_state", "by_market")

    def __init__(self, state: State) -> None:
        self._state = state
        start = state.time_ms
        self.by_market: dict[int, Quoted] = {
            market_id: Quoted(
                market_id, Fraction(0), Price(0), BookPrice(0), start, minutes_floor(start), ()
            )
            for market_id in (terms.market_id for terms in state.config.markets)
        }

    def traded(self, market_id: int, price: BookPrice) -> None:
        """Remember the last trade."""
        self.by_market[market_id] = self.by_market[market_id]._replace(last=price)

    def update(self, market_id: int, book: Book, now: TimeMs) -> bool:
        """Bring average and mark up to now; whether the mark changed.

        A book without two sides says nothing of the price, so the average then moves toward the index.
        """
        quoted = self.by_market[market_id]
        index = self._state.markets[market_id].price
        if not int(index):
            return False
        bid, ask = book.best(BUY), book.best(SELL)
        sample = Fraction(0) if bid is None or ask is None else prices.basis(bid, ask, index)
        basis = quoted.basis
        if now > quoted.updated_ms:
            basis = prices.basis_average(basis, sample, now - quoted.updated_ms, BASIS_SPAN_MS)
        mark = prices.mark(index, basis)
        self.by_market[market_id] = quoted._replace(basis=basis, mark=mark, updated_ms=now)
        return mark != quoted.mark

    def sample(self, market_id: int, book: Book, now: TimeMs) -> None:
        """Take this minute's premium, once. Minutes without a clock command have no sample."""
        quoted = self.by_market[market_id]
        minute = minutes_floor(now)
        index = self._state.markets[market_id].price
        if minute == quoted.minute or not int(index):
            return
        bid, ask = impact_prices(book, self._state.terms[market_id])
        premium = funding.premium(bid, ask, index)
        self.by_market[market_id] = quoted._replace(minute=minute, samples=(*quoted.samples, premium))

    def take_samples(self, market_id: int) -> tuple[Fraction, ...]:
        """The samples since the last call, which are then forgotten: the keepers' funding tick consumes them."""
        quoted = self.by_market[market_id]
        self.by_market[market_id] = quoted._replace(samples=())
        return quoted.samples


def impact_notional(terms: MarketTerms) -> Quote:
    """What IMPACT_MARGIN carries at the market's first initial fraction, rounded up."""
    return Quote(div_ceil(int(IMPACT_MARGIN) << FRACTION_BITS, int(terms.tiers[0].initial)))


def impact_prices(book: Book, terms: MarketTerms) -> tuple[Price | None, Price | None]:
    """Average prices of selling and of buying the impact notional; None for a side that is too thin.

    32 fraction bits; the bid is rounded down and the ask up, so rounding never makes a premium.
    """
    notional = impact_notional(terms)
    bid, ask = book.impact_price(SELL, notional), book.impact_price(BUY, notional)
    return (
        None if bid is None else Price(div_floor(bid[0] << FRACTION_BITS, bid[1])),
        None if ask is None else Price(div_ceil(ask[0] << FRACTION_BITS, ask[1])),
    )
