"""A venue as the compiled kernel reads it: every number of the configuration as arrays, none of them rounded.

Fractions have 32 bits and fit a float exactly; sizes are whole lots and quote is 10^-6 USD, both below 2^53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bulkhead.fixed import FRACTION_BITS, fraction, percent
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.venue import ONE_PRICE, price_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.rules.grid import check_grid, default_grid
from bulkhead.rules.scenario import Grid
from bulkhead.rules.terms import ConfigError, MarketTerms, check_terms, risk_of
from bulkhead.units import Fraction, Quote

Kind = TypeVar("Kind")

MICRO = 1_000_000
ONE = float(ONE_PRICE)
EXACT_LIMIT = 1 << 53
"""A float counts whole numbers up to here."""
SHARE_LIMIT = 1 << 31
"""Charges below one half: the product with 32 bits of an amount is then a 63-bit integer."""
BASIS_POINT = 1e-4


class KernelError(ValueError):
    """Accounts, paths or terms that the kernel cannot run; the message names the row and what it must be."""


class Impact(NamedTuple):
    """Share of the index lost by trading `notional` USD at once: spread + scale · (notional / 10^6 USD)^exponent.

    A model, not a rule: where a fill would be worse than the zero price, the book takes what it offers within it.
    """

    spread: float = 1 * BASIS_POINT  # half of the distance between the best prices
    scale: float = 10 * BASIS_POINT  # for a million dollars
    exponent: float = 0.5
    most: float = 0.5  # no fill is worse than this share


class Rules(NamedTuple):
    """What a kernel needs of the venue. First index: market. Tiers are padded with the last one."""

    bound: Floats  # (markets, tiers) of 10^-6 USD; the last has no end
    initial: Floats
    maintenance: Floats
    close_out: Floats
    initial_deduction: Floats
    maintenance_deduction: Floats
    close_out_deduction: Floats
    tiers: NDArray[np.int64]
    maintenance_bits: NDArray[np.int64]  # fractions as integers, to compare without rounding
    slippage_bits: NDArray[np.int64]
    impact: Floats  # (markets, 4): spread, scale, exponent, most
    group: NDArray[np.int64]  # of scenario margin, from 0
    interest: Floats  # lots open in the market
    moves: Floats  # (shocks, groups)
    shares: Floats  # offset within, offset across, floor gross, floor net, concentration, maintenance, close-out
    fee_bits: int
    penalty_bits: int
    target: float
    dust: float
    pause_ms: int


@dataclass(frozen=True)
class Venue:
    """Markets with their rules, prices at the start of every path, and a book to liquidate into.

    `prices` are USD for one coin. `open_interest` is in lots by market; scenario margin asks more of an account that is
    a large part of it. A sweep changes single fields with `dataclasses.replace`.
    """

    markets: tuple[MarketTerms, ...]
    prices: tuple[float, ...]
    impact: tuple[Impact, ...] = ()
    open_interest: tuple[int, ...] = ()
    grid: Grid = field(default_factory=default_grid)
    fee: Fraction = fraction(5, 10_000)
    penalty: Fraction = percent(1)
    target: Fraction = fraction(125, 100)
    dust: Quote = Quote(1_000_000_000)
    pause_ms: int = 10_000

    def __post_init__(self) -> None:
        count = len(self.markets)
        for terms in self.markets:
            check_terms(terms)
            if int(terms.slippage) >= ONE_PRICE:
                raise ConfigError(f"market {terms.market_id}: slippage must be below one")
        check_grid(self.grid, {terms.group for terms in self.markets})
        if len(self.prices) != count or not all(np.isfinite(price) and price > 0 for price in self.prices):
            raise KernelError(f"{count} markets need as many prices above zero, not {self.prices}")
        if self.impact and len(self.impact) != count:
            raise KernelError(f"{count} markets need as many impacts, not {len(self.impact)}")
        if self.open_interest and len(self.open_interest) != count:
            raise KernelError(f"{count} markets need as many open interests, not {len(self.open_interest)}")
        for name in ("fee", "penalty"):
            if not 0 <= int(getattr(self, name)) < SHARE_LIMIT:
                raise ConfigError(f"{name} must be from zero to below one half")
        for terms, impact in zip(self.markets, self.impact, strict=bool(self.impact)):
            if not all(np.isfinite(number) and number >= 0 for number in impact) or impact.most >= 1:
                raise KernelError(f"{terms.name}: an impact is of shares from zero to below one, not {impact}")

    @classmethod
    def of(
        cls,
        config: VenueConfig,
        prices: Mapping[str, float],
        impact: Mapping[str, Impact] | None = None,
        open_interest: Mapping[str, int] | None = None,
    ) -> Venue:
        """The markets of a configuration for which there is a price, in the order of the prices, by symbol."""
        known = {symbol_of(terms): terms for terms in config.markets}
        for symbol in prices:
            if symbol not in known:
                raise KernelError(f"no market {symbol} in the configuration; there are {', '.join(known)}")
        return cls(
            tuple(known[symbol] for symbol in prices),
            tuple(prices.values()),
            tuple((impact or {}).get(symbol, Impact()) for symbol in prices),
            tuple((open_interest or {}).get(symbol, default_interest(known[symbol], prices[symbol]))
                  for symbol in prices),
            config.grid,
            config.liquidation_fee,
            config.liquidation_penalty,
            config.liquidation_target,
            config.liquidation_dust,
            config.liquidation_pause_ms,
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Markets by the name that paths use."""
        return tuple(symbol_of(terms) for terms in self.markets)

    @property
    def start(self) -> Floats:
        """Index prices at the start in 10^-6 USD per lot, on the grid of 2^-32 that prices have."""
        pairs = zip(self.markets, self.prices, strict=True)
        return np.array([int(price_of(price, terms.resolution)) / ONE for terms, price in pairs])

    def select(self, symbols: Sequence[str]) -> Venue:
        """The same venue with these markets, in this order."""
        missing = [symbol for symbol in symbols if symbol not in self.symbols]
        if missing:
            raise KernelError(f"no market {', '.join(missing)} here; there are {', '.join(self.symbols)}")
        places = [self.symbols.index(symbol) for symbol in symbols]

        def of(values: tuple[Kind, ...]) -> tuple[Kind, ...]:
            return tuple(values[place] for place in places) if values else ()

        return replace(
            self, markets=of(self.markets), prices=of(self.prices),
            impact=of(self.impact), open_interest=of(self.open_interest),
        )

    @property
    def rules(self) -> Rules:
        """The arrays the kernel reads."""
        count = len(self.markets)
        width = max(len(terms.tiers) for terms in self.markets)
        tables = np.zeros((7, count, width))
        for place, terms in enumerate(self.markets):
            rows = risk_of(terms, price_of(1.0, 1)).rows
            for column in range(width):
                row = rows[min(column, len(rows) - 1)]
                tables[0, place, column] = np.inf if column >= len(rows) - 1 else int(row.bound) >> FRACTION_BITS
                tables[1:4, place, column] = [int(part) / ONE for part in row[1:4]]
                tables[4:7, place, column] = [int(part) / ONE / ONE for part in row[4:7]]
        maintenance = [[round(share * ONE) for share in row] for row in tables[2]]
        groups = sorted({terms.group for terms in self.markets})
        moves = [[int(dict(shock.moves).get(group, 0)) / ONE for group in groups] for shock in self.grid.shocks]
        grid = self.grid
        shares = (grid.offset_within, grid.offset_across, grid.floor_gross, grid.floor_net, grid.concentration,
                  grid.maintenance, grid.close_out)
        interest = self.open_interest or tuple(
            default_interest(terms, price) for terms, price in zip(self.markets, self.prices, strict=True)
        )
        return Rules(
            *(tables[0], tables[1], tables[2], tables[3], tables[4], tables[5], tables[6]),
            np.array([len(terms.tiers) for terms in self.markets]),
            np.array(maintenance),
            np.array([int(terms.slippage) for terms in self.markets]),
            np.array(self.impact or [Impact()] * count, dtype=np.float64),
            np.array([groups.index(terms.group) for terms in self.markets]),
            np.array(interest, dtype=np.float64),
            np.array(moves),
            np.array([int(share) / ONE for share in shares]),
            int(self.fee),
            int(self.penalty),
            int(self.target) / ONE,
            float(int(self.dust)),
            self.pause_ms,
        )


def symbol_of(terms: MarketTerms) -> str:
    """A market's name without what it is quoted in: BTC of BTC-USD."""
    return terms.name.split("-")[0]


def default_interest(terms: MarketTerms, price: float) -> int:
    """Lots open where nobody said: a tenth of the open interest at which initial margin begins to rise."""
    return max(1, int(int(terms.open_interest_lower) / 10 / (price * MICRO / terms.resolution)))
