"""One account on one path through `rules/` itself, in whole numbers: the slow twin that the kernel is held to.

Only the book's fill prices come from the compiled model, since they are a model and not a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bulkhead.fixed import FRACTION_BITS, index_step, quote_ceil
from bulkhead.keepers.condition import is_used
from bulkhead.lab.compiled import kernel
from bulkhead.lab.kernel.accounts import Accounts
from bulkhead.lab.kernel.course import Course
from bulkhead.lab.kernel.linear import ROUNDS, fill_price
from bulkhead.lab.kernel.run import course_of
from bulkhead.lab.kernel.terms import ONE, Rules, Venue
from bulkhead.lab.paths.cube import Paths
from bulkhead.rules import funding, liquidation, margin, scenario
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, Risks, risk_of
from bulkhead.units import BookPrice, Fraction, FundingIndex, MarketId, Price, Quote, Size, TimeMs, Worth

NONE = -1


@kernel
def book_fill(rules: Rules, market: int, side: float, lots: float, price: float, depth: float) -> float:
    """The kernel's own fill price, to be called from Python: the same machine arithmetic."""
    return float(fill_price(rules, market, side, lots, price, depth))


@dataclass
class Story:
    """What became of one account on one path, in 10^-6 USD and steps (-1: did not happen); see `Outcomes`."""

    balance: int
    positions: tuple[Position, ...]
    equity: int = 0
    first_step: int = NONE
    liquidations: int = 0
    whole_step: int = NONE
    flat_step: int = NONE
    call_66_step: int = NONE
    call_80_step: int = NONE
    last_step: int = NONE
    fees: int = 0
    penalty: int = 0
    bad_debt: int = 0
    closed: int = 0
    funding: int = 0
    worst_health: float = np.inf
    closes: list[tuple[int, int, int, int]] = field(default_factory=list)  # step, market id, lots, price


class Exact:
    """A venue and a course of prices, for accounts to be walked through."""

    def __init__(self, venue: Venue, paths: Paths) -> None:
        self.venue = venue
        self.course: Course = course_of(venue, paths)
        self.rules = venue.rules
        self.terms: dict[int, MarketTerms] = {terms.market_id: terms for terms in venue.markets}
        self.ids = [terms.market_id for terms in venue.markets]
        self.groups: dict[int, int] = {terms.market_id: terms.group for terms in venue.markets}
        interest = self.rules.interest.astype(int)
        self.interest: dict[int, int] = {
            market_id: int(lots) for market_id, lots in zip(self.ids, interest, strict=True)
        }
        self.prices = [risk_of(terms, Price(1)) for terms in venue.markets]

    def walk(self, accounts: Accounts, account: int, path: int) -> Story:
        """One account along one path."""
        size, is_scenario = accounts.size[account], bool(accounts.is_scenario[account])
        held = tuple(
            Position(market_id, Size(int(lots)), Quote(0), FundingIndex(0))
            for market_id, lots in zip(self.ids, size, strict=True)
            if lots
        )
        story = Story(int(accounts.balance[account]), held)
        if not held:
            story.flat_step = 0
        indices: dict[int, FundingIndex] = dict.fromkeys(self.ids, FundingIndex(0))
        risks: dict[int, Risk] = {}
        for step, prices in enumerate(self._prices(path)):
            risks = {
                market_id: self.prices[place]._replace(price=price)
                for place, (market_id, price) in enumerate(zip(self.ids, prices, strict=True))
            }
            self._pay(path, step, prices, indices)
            if story.flat_step == NONE:
                self._look(story, step, risks, indices, is_scenario)
        self._settle(story, indices)
        worth = (story.balance << FRACTION_BITS) + sum(int(one.size * risks[one.market_id].price)
                                                       for one in story.positions)
        story.equity = int(worth) >> FRACTION_BITS
        return story

    def _prices(self, path: int) -> Iterator[list[Price]]:
        """Index prices on their grid, to the nearest."""
        start = self.course.start
        for row in self.course.ratio[path].astype(np.float64):
            yield [Price(max(1, int(price))) for price in np.rint(start * ONE * row)]

    def _pay(self, path: int, step: int, prices: list[Price], indices: dict[int, FundingIndex]) -> None:
        every = self.course.funding_steps
        if every and (step + 1) % every == 0:
            rates = self.course.funding[path, (step + 1) // every - 1].astype(np.float64)
            for market_id, price, rate in zip(self.ids, prices, rates, strict=True):
                moved = index_step(price, Fraction(int(np.floor(rate * ONE))))
                indices[market_id] = indices[market_id] + moved

    def _settle(self, story: Story, indices: dict[int, FundingIndex]) -> None:
        story.positions, paid, _ = funding.settle(story.positions, indices)
        story.balance -= int(paid)
        story.funding += int(paid)

    def health(
        self, balance: int, owed: int, positions: tuple[Position, ...], risks: Risks, is_scenario: bool
    ) -> Health:
        """Health with funding owed (32 fraction bits) taken off unrounded."""
        if is_scenario:
            held = scenario.exposures(positions, risks, self.groups, self.interest)
            return scenario.health(Quote(balance), Worth(-owed), held, self.venue.grid)
        return margin.health(Quote(balance), Worth(-owed), positions, risks)

    def _look(
        self, story: Story, step: int, risks: Risks, indices: dict[int, FundingIndex], is_scenario: bool
    ) -> None:
        owed = int(funding.owed(story.positions, indices))
        health = self.health(story.balance, owed, story.positions, risks, is_scenario)
        required = int(health.maintenance) / 2**64
        story.worst_health = min(story.worst_health, int(health.value) / 2**32 / required)
        if story.call_66_step == NONE and is_used(health, 66):
            story.call_66_step = step
        if story.call_80_step == NONE and is_used(health, 80):
            story.call_80_step = step
        if health.is_maintained or not self._may(step, story):
            return
        self._settle(story, indices)
        health = self.health(story.balance, 0, story.positions, risks, is_scenario)
        if health.is_maintained:
            return
        now, last = step * self.course.step_ms, story.last_step * self.course.step_ms
        is_waiting = liquidation.is_cooling_down(TimeMs(now), TimeMs(last), self.venue.pause_ms, health)
        if story.last_step != NONE and is_waiting:
            return
        below = not health.is_above_close_out
        closed = self._slices(story, step, risks, health) if is_scenario else self._linear(story, step, risks, health)
        if below and story.whole_step == NONE:
            story.whole_step = step
        if closed:
            story.liquidations += 1
            story.last_step = step
            story.first_step = step if story.first_step == NONE else story.first_step
            if not story.positions:
                story.flat_step = step

    def _may(self, step: int, story: Story) -> bool:
        if len(self.course.is_open) and not self.course.is_open[step]:
            return False
        held = [self.ids.index(position.market_id) for position in story.positions]
        return not len(self.course.is_fed) or bool(self.course.is_fed[step, held].all())

    # -- the book --------------------------------------------------------------------------------------------------

    def fill(self, position: Position, lots: int, risks: Risks, step: int) -> BookPrice:
        """What the book pays for so many lots of a position."""
        place = self.ids.index(position.market_id)
        depth = float(self.course.depth[0, step, place]) if len(self.course.depth) else 1.0
        side = 1.0 if int(position.size) > 0 else -1.0
        price = int(risks[position.market_id].price) / ONE
        return BookPrice(int(book_fill(self.rules, place, side, float(lots), price, depth)))

    def taken(self, position: Position, whole: int, zero: BookPrice, risks: Risks, step: int) -> int:
        """Lots that the book takes no worse than the zero price."""
        side = 1 if int(position.size) > 0 else -1

        def fits(lots: int) -> bool:
            return side * (int(self.fill(position, lots, risks, step)) - int(zero)) >= 0

        if fits(whole):
            return whole
        return int(liquidation.minimal_size(Size(whole), lambda lots: not fits(int(lots)))) - 1

    def _close(
        self, story: Story, step: int, position: Position, lots: int, prices: tuple[BookPrice, BookPrice]
    ) -> None:
        side = 1 if int(position.size) > 0 else -1
        fill, zero = prices
        paid = liquidation.charges(Size(lots), side, fill, zero, (self.venue.fee, self.venue.penalty))
        story.balance += side * int(fill) * lots - int(paid.fee) - int(paid.penalty)
        story.fees += int(paid.fee)
        story.penalty += int(paid.penalty)
        story.closed += int(fill) * lots
        story.closes.append((step, int(position.market_id), lots, int(fill)))
        left = position._replace(size=Size(int(position.size) - side * lots))
        story.positions = tuple(
            left if one.market_id == position.market_id else one
            for one in story.positions
            if one.market_id != position.market_id or int(left.size)
        )

    def _cover(self, story: Story, value: Worth) -> None:
        if int(value) < 0:
            paid = int(quote_ceil(-value))
            story.balance += paid
            story.bad_debt += paid

    # -- linear accounts -------------------------------------------------------------------------------------------

    def _linear(self, story: Story, step: int, risks: Risks, health: Health) -> bool:
        below, closed = not health.is_above_close_out, False
        while True:
            position = liquidation.choose(story.positions, risks, self.terms)
            risk = risks[position.market_id]
            zero = liquidation.linear_zero_price(position, risk, health)
            lots = abs(int(position.size))
            if not below:
                lots = self._partial(position, risk, health, zero, risks, step)
            lots = self.taken(position, lots, zero, risks, step) if not health.is_bankrupt else 0
            if lots:
                self._close(story, step, position, lots, (self.fill(position, lots, risks, step), zero))
                closed = True
            if not below:
                return closed
            left = next((one for one in story.positions if one.market_id == position.market_id), None)
            if left is not None:
                self._cover(story, self.health(story.balance, 0, story.positions, risks, False).value)
                health = self.health(story.balance, 0, story.positions, risks, False)
                zero = liquidation.linear_zero_price(left, risk, health)
                self._close(story, step, left, abs(int(left.size)), (zero, zero))
            health = self.health(story.balance, 0, story.positions, risks, False)
            if not story.positions:
                self._cover(story, health.value)
                return True
            if health.is_above_close_out:
                return True

    def _partial(
        self, position: Position, risk: Risk, health: Health, zero: BookPrice, risks: Risks, step: int
    ) -> int:
        rates = (self.venue.fee, self.venue.penalty)
        lots = 1
        for _ in range(ROUNDS):
            fill = self.fill(position, lots, risks, step)
            closing = liquidation.Closing(
                position, risk, health, fill, zero, rates, self.venue.target, self.venue.dust
            )
            need = int(liquidation.step_size(closing))
            if need <= lots:
                break
            lots = need
        return lots

    # -- scenario accounts -----------------------------------------------------------------------------------------

    def _zero(self, positions: tuple[Position, ...], position: Position, value: Worth, risks: Risks) -> BookPrice:
        gross = sum(abs(int(one.size * risks[one.market_id].price)) for one in positions)
        own = abs(int(position.size * risks[position.market_id].price))
        return liquidation.zero_price(position, risks[position.market_id], value, own, gross)

    def _slices(self, story: Story, step: int, risks: Risks, health: Health) -> bool:
        below, start = not health.is_above_close_out, story.positions
        zeros = {one.market_id: self._zero(start, one, health.value, risks) for one in start}
        most = 0 if health.is_bankrupt else 1 << scenario.SLICE_BITS
        for one in start if most else ():
            takes = self.taken(one, abs(int(one.size)), zeros[one.market_id], risks, step)
            while most and abs(scenario.slice_size(int(one.size), most)) > takes:
                most -= 1
        count = most
        for fewer in range(1, most) if not below else ():
            trial = Story(story.balance, story.positions)
            self._close_slices(trial, step, fewer, risks, zeros)
            after = self.health(trial.balance, 0, trial.positions, risks, True)
            if liquidation.reaches_target(after.value, int(after.maintenance), self.venue.target):
                count = fewer
                break
        if count:
            self._close_slices(story, step, count, risks, zeros)
        if below:
            self._take_over(story, step, risks)
        return bool(count) or below

    def _close_slices(
        self, story: Story, step: int, count: int, risks: Risks, zeros: dict[MarketId, BookPrice]
    ) -> None:
        for one in story.positions:
            lots = abs(scenario.slice_size(int(one.size), count))
            fill = self.fill(one, lots, risks, step)
            self._close(story, step, one, lots, (fill, zeros[one.market_id]))

    def _take_over(self, story: Story, step: int, risks: Risks) -> None:
        for one in story.positions:
            health = self.health(story.balance, 0, story.positions, risks, True)
            if health.is_above_close_out:
                return
            self._cover(story, health.value)
            value = self.health(story.balance, 0, story.positions, risks, True).value
            zero = self._zero(story.positions, one, value, risks)
            self._close(story, step, one, abs(int(one.size)), (zero, zero))
        if not story.positions:
            self._cover(story, Worth(story.balance << FRACTION_BITS))

