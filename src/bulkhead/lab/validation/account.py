"""An account under another venue's rules, computed by this exchange's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.lab.venue import MICRO, ONE_PRICE, price_of, resolution_of
from bulkhead.ledger.defaults import market
from bulkhead.rules.liquidation import linear_zero_price
from bulkhead.rules.margin import health, liquidation_price
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, Tier, risk_of
from bulkhead.units import Fraction, FundingIndex, MarketId, Price, Quote, Size, Worth

LAST_BOUND = 10_000_000_000.0
"""USD: where the last tier ends when a venue names no end."""
INITIAL_ABOVE = 2.0
"""Initial over maintenance where a venue names only the latter; liquidation does not ask for it."""


class Bracket(NamedTuple):
    """Another venue's tier: maintenance rate of the part of notional up to `bound` USD."""

    bound: float
    maintenance: float


class Held(NamedTuple):
    """A position: coins (short: negative), entry price, price now, and the market's tiers."""

    coins: float
    entry: float
    price: float
    brackets: tuple[Bracket, ...]


def terms_of(place: int, brackets: Sequence[Bracket], price: float) -> MarketTerms:
    """A market with these tiers. Rates become fractions of 2^-32, rounded up, as every configuration here does."""
    tiers = []
    for bracket in brackets:
        maintenance = rate_of(bracket.maintenance)
        initial = min(1 << 32, round(INITIAL_ABOVE * int(maintenance)))
        close_out = 2 * int(maintenance) // 3
        tiers.append(Tier(Quote(round(bracket.bound * MICRO)), Fraction(initial), maintenance, Fraction(close_out)))
    made = market(place, f"MARKET{place}", resolution_of(price), is_major=True, initial=200)
    return made._replace(tiers=tuple(tiers))


def rate_of(rate: float) -> Fraction:
    """A published rate, which has at most nine decimals, as a Fraction, rounded up."""
    billionths = round(rate * 1e9)
    return Fraction(-(-(billionths << 32) // 1_000_000_000))


class Account:
    """Positions and a wallet balance, in dollars, under brackets of another venue."""

    def __init__(self, wallet: float, positions: Sequence[Held]) -> None:
        self.terms = [terms_of(place, held.brackets, held.price) for place, held in enumerate(positions, start=1)]
        self.risks: dict[int, Risk] = {}
        self.positions: list[Position] = []
        balance = round(wallet * MICRO)
        for terms, held in zip(self.terms, positions, strict=True):
            lots = round(held.coins * terms.resolution)
            cost = Quote(round(lots * held.entry * MICRO / terms.resolution))
            balance -= int(cost)
            self.positions.append(Position(MarketId(terms.market_id), Size(lots), cost, FundingIndex(0)))
            self.risks[terms.market_id] = risk_of(terms, price_of(held.price, terms.resolution))
        self.balance = Quote(balance)

    def health(self) -> Health:
        """Value and requirements now."""
        return health(self.balance, Worth(0), self.positions, self.risks)

    def value(self) -> float:
        """Value in dollars."""
        return int(self.health().value) / ONE_PRICE / MICRO

    def maintenance(self) -> float:
        """Maintenance requirement in dollars."""
        return int(self.health().maintenance) / ONE_PRICE / ONE_PRICE / MICRO

    def liquidation_price(self, place: int = 0) -> float | None:
        """The price of one coin at which the account becomes liquidatable, all other prices as they are."""
        position, terms = self.positions[place], self.terms[place]

        def is_maintained_at(price: Price) -> bool:
            moved = self.risks | {terms.market_id: risk_of(terms, price)}
            return health(self.balance, Worth(0), self.positions, moved).is_maintained

        found = liquidation_price(1 if int(position.size) > 0 else -1, is_maintained_at)
        return None if found is None else int(found) / ONE_PRICE * terms.resolution / MICRO

    def zero_price(self, place: int = 0) -> float:
        """The price of one coin at which closing the position leaves value over maintenance as it is."""
        position, terms = self.positions[place], self.terms[place]
        found = linear_zero_price(position, self.risks[terms.market_id], self.health())
        return int(found) * terms.resolution / MICRO
