"""What every set of positions came to on every path of a world: simulated once, combined as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bulkhead.fixed import FRACTION_BITS
from bulkhead.lab.choice.needs import KINDS, needs_of, scenario_needs_of
from bulkhead.lab.impact import default_impacts
from bulkhead.lab.kernel import Accounts, Venue
from bulkhead.lab.kernel.run import run_some
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.paths.cube import CHUNK, Paths, World
from bulkhead.lab.portfolio import Portfolio
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.venue import INITIAL, INITIAL_OTHERS, MAJORS, resolution_of
from bulkhead.ledger.defaults import market
from bulkhead.rules import scenario
from bulkhead.rules.margin import initial_of
from bulkhead.rules.terms import Position, Risk, open_interest_scale, risk_of
from bulkhead.units import Fraction, FundingIndex, Price, Quote, Size, Worth

Singles = NDArray[np.float32]
Masks = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """Sets by paths, in USD. The last row is all positions under scenario margin, the others the sets of `masks`.

    `needs` (kinds, sets, paths): collateral with which there would have been no liquidation, no call at 80, at 66 %.
    """

    needs: Singles
    equity: Singles  # at the end
    cost: Singles  # fees, penalties and slippage of liquidations
    slippage: Singles
    debt: Singles  # what others had to bear
    wiped: NDArray[np.bool_]  # every position was closed by liquidation

    @classmethod
    def joined(cls, parts: Sequence[Sample]) -> Sample:
        """Samples of consecutive paths as one."""
        names = [one.name for one in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in names))

    def beside(self, other: Sample) -> Sample:
        """Other sets on the same paths behind these; the row of scenario margin stays the last."""
        names = [one.name for one in fields(self)]
        rows = [(getattr(self, name), getattr(other, name)) for name in names]
        return Sample(*(np.concatenate([mine[..., :-1, :], theirs], axis=-2) for mine, theirs in rows))

    @property
    def paths(self) -> int:
        """How many paths there are."""
        return int(self.equity.shape[-1])

    def between(self, first: int, last: int) -> Sample:
        """Some of the paths."""
        return Sample(*(getattr(self, one.name)[..., first:last] for one in fields(self)))

    def write(self, path: Path) -> None:
        """Keep it in a file, whole or not at all."""
        draft = path.with_suffix(".draft.npz")
        np.savez(draft, **{one.name: getattr(self, one.name) for one in fields(self)})
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> Sample | None:
        """What was kept, None where there is nothing or it was cut off."""
        try:
            with np.load(path) as kept:
                return cls(*(kept[one.name] for one in fields(cls)))
        except (OSError, ValueError, KeyError, EOFError):
            return None


def venue_for(portfolio: Portfolio) -> Venue:
    """The rules that count for the markets of a portfolio, its exchange's or the default venue's, at its prices.

    Books are careful ones (lab/impact.py) at either.
    """
    impacts = default_impacts(portfolio.symbols)
    prices = tuple(one.price for one in portfolio.holdings)
    house = portfolio.house
    if house is not None:
        # The exchange counts what the portfolio holds already; one that is not there yet would be on top.
        open_lots = {
            one.symbol: max(house.open_lots(one.symbol), round(abs(one.size) * house.markets[one.symbol].resolution))
            for one in portfolio.holdings
        }
        return Venue.of(house.config, dict(zip(portfolio.symbols, prices, strict=True)), impacts, open_lots)
    terms = tuple(
        market(
            place, one.symbol, resolution_of(one.price), is_major=one.symbol in MAJORS,
            initial=INITIAL.get(one.symbol, INITIAL_OTHERS),
        )
        for place, one in enumerate(portfolio.holdings, 1)
    )
    return Venue(terms, prices, tuple(impacts[symbol] for symbol in portfolio.symbols))


def lots_of(venue: Venue, portfolio: Portfolio) -> Floats:
    """Positions in lots, to the nearest."""
    pairs = zip(portfolio.holdings, venue.markets, strict=True)
    return np.array([round(one.size * terms.resolution) for one, terms in pairs], dtype=np.float64)


def risks_of(venue: Venue) -> list[Risk]:
    """What the rules ask in each market at the start; its open interest, where known, raises initial fractions."""
    found = []
    for place, (terms, start) in enumerate(zip(venue.markets, venue.start, strict=True)):
        price = Price(int(start * (1 << FRACTION_BITS)))
        lots = venue.open_interest[place] if venue.open_interest else 0
        found.append(risk_of(terms, price, open_interest_scale(terms, Worth(int(price) * lots))))
    return found


def initials_of(venue: Venue, size: Floats) -> Floats:
    """The initial requirement of each position at the start, USD, by the rules themselves."""
    found = []
    for risk, lots in zip(risks_of(venue), size, strict=True):
        asked = initial_of(risk, Size(int(lots)), Fraction(0))
        found.append(int(asked) / 2.0 ** (2 * FRACTION_BITS) / MICRO)
    return np.array(found)


def scenario_initial_of(venue: Venue, size: Floats) -> float:
    """The initial requirement of all positions together under scenario margin, USD, by the rules themselves."""
    risks = {int(terms.market_id): risk for terms, risk in zip(venue.markets, risks_of(venue), strict=True)}
    held = []
    for terms, lots in zip(venue.markets, size, strict=True):
        held.append(Position(terms.market_id, Size(int(lots)), Quote(0), FundingIndex(0)))
    groups = {int(terms.market_id): terms.group for terms in venue.markets}
    interest = {
        int(terms.market_id): int(lots) for terms, lots in zip(venue.markets, venue.rules.interest, strict=True)
    }
    asked = scenario.requirement(scenario.exposures(held, risks, groups, interest), venue.grid)
    return int(asked) / 2.0 ** (2 * FRACTION_BITS) / MICRO


def shares_of(venue: Venue, size: Floats, collateral: float) -> Floats:
    """Collateral for each position, USD: all of it, in proportion to initial margin.

    What a set holds is then the sum of its positions' shares, whatever the other sets are: the total is the same in
    every mode, and each set has to be looked at once.
    """
    initial = initials_of(venue, size)
    shares: Floats = collateral * initial / initial.sum()
    return shares


def members_of(mask: int, count: int) -> list[int]:
    """Positions in a set."""
    return [place for place in range(count) if mask >> place & 1]


def sample_chunk(
    venue: Venue, size: Floats, shares: Floats, masks: Masks, paths: Paths, *, scenario_too: bool = True
) -> Sample:
    """Every set on these paths: what it needed, and where it had less, what the liquidations left of it.

    Without `scenario_too` the last row is of an account that needs nothing, for searches that do not look at it.
    """
    count, sets = len(paths), len(masks)
    inside = np.array([[mask >> place & 1 for place in range(len(size))] for mask in (*masks, (1 << len(size)) - 1)])
    collateral = inside @ shares
    needs, won = needs_of(venue, size, paths, masks)
    last = scenario_needs_of(venue, size, paths) if scenario_too else np.zeros((KINDS, count))
    needs = np.concatenate([needs, last[:, None]], axis=1)
    equity = collateral[:, None] * MICRO + inside @ won
    is_scenario = np.arange(sets + 1) == sets
    accounts = Accounts.of_lots(venue, inside * size, collateral, is_scenario)
    wanted = np.ascontiguousarray((needs[0] > collateral[:, None] * MICRO).T)
    done = run_some(venue, accounts, paths, wanted)
    where = (np.nonzero(wanted)[1], np.nonzero(wanted)[0])
    equity[where] = done.equity
    found = {name: np.zeros((sets + 1, count), np.float32) for name in ("cost", "slippage", "debt")}
    found["cost"][where] = (done.fees + done.penalty + done.slippage) / MICRO
    found["slippage"][where] = done.slippage / MICRO
    found["debt"][where] = done.bad_debt / MICRO
    wiped = np.zeros((sets + 1, count), bool)
    wiped[where] = done.flat_step >= 0
    return Sample(
        (needs / MICRO).astype(np.float32), (equity / MICRO).astype(np.float32),
        found["cost"], found["slippage"], found["debt"], wiped,
    )


def nothing(sets: int) -> Sample:
    """A sample of no paths."""
    none = np.zeros((sets + 1, 0), np.float32)
    return Sample(np.zeros((KINDS, sets + 1, 0), np.float32), none, none, none, none, none.astype(bool))


Keep = Callable[[int], Path | None]
"""Where the chunk that begins at a path is kept, if it is."""


def sample_world(
    world: World, portfolio: Portfolio, masks: Masks, paths: int, steps: int, keep: Keep = lambda first: None
) -> Iterator[Sample]:
    """The sample of a world chunk by chunk, so that progress can be shown; kept chunks are read instead of made."""
    venue = venue_for(portfolio)
    size = lots_of(venue, portfolio)
    shares = shares_of(venue, size, portfolio.collateral)
    starts = range(0, paths, CHUNK)
    kept = {first: found for first in starts if (place := keep(first)) and (found := Sample.read(place))}
    if len(kept) == len(starts):
        yield from (kept[first] for first in starts)
        return
    for chunk in world.chunks(paths, steps):
        if chunk.first in kept:
            yield kept[chunk.first]
            continue
        found = sample_chunk(venue, size, shares, masks, chunk.select(venue.symbols))
        place = keep(chunk.first)
        if place is not None:
            found.write(place)
        yield found
