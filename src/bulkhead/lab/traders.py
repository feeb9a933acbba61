"""The three traders the product is for: plans fixed in advance, and what a margin mode makes of their accounts.

A plan is computed from recorded prices alone, so its orders arrive at the same minutes and in the same sizes in
every mode. What a mode has to refuse is counted, not resized.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bulkhead.lab.prices import Ticks
from bulkhead.lab.world import UNSIGNED, World, steps_per_hour
from bulkhead.ledger.state import Choice, Kind, MarginRule, Mode
from bulkhead.ledger.tx import Configure
from bulkhead.units import AccountId, Quote, TimeS

DOLLAR = 1_000_000
CAPITAL = 100_000.0
ISOLATED_LEVERAGE = 5
MARKETS_MIN = 5  # the plans below name markets 1 to 5


class MarginMode(StrEnum):
    """How a trader's risk is contained. Nothing but which accounts his orders settle in, and by which rule."""

    ISOLATED = "isolated"
    CROSS = "cross"
    STRATEGY = "strategy"
    SCENARIO = "scenario"


class Intent(NamedTuple):
    """One market order of a plan: dollars of notional, signed."""

    step: int
    strategy: str
    market_id: int
    notional: float


class Trader(NamedTuple):
    """A featured trader: his words, his strategies with their share of capital, and his plan."""

    name: str
    title: str
    words: str
    strategies: dict[str, float]
    plan: Callable[[Ticks, int], list[Intent]]


def swing_plan(ticks: Ticks, seed: int) -> list[Intent]:
    """Long the two majors three times levered, short one alt as a hedge, and buys every tenth off another."""
    hour = steps_per_hour(ticks)
    prices = list(ticks.price.values())
    intents = [
        Intent(3 * hour, "core", 1, 140_000),
        Intent(4 * hour, "core", 2, 70_000),
        Intent(5 * hour, "hedge", 3, -50_000),
    ]
    alt = prices[3]
    last, bought = float(alt[6 * hour]), 0
    intents.append(Intent(6 * hour, "dips", 4, 40_000))
    for step in range(6 * hour, len(alt), max(1, hour // 6)):
        if float(alt[step]) < 0.93 * last and bought < 5:
            intents.append(Intent(step, "dips", 4, 30_000))
            last, bought = float(alt[step]), bought + 1
    return intents


def hedged_plan(ticks: Ticks, seed: int) -> list[Intent]:
    """Holds inventory in four markets against a short in the first, trades it every hour, and re-hedges."""
    hour = steps_per_hour(ticks)
    draw = random.Random(f"hedged {seed}")
    prices = list(ticks.price.values())
    held = dict.fromkeys(range(1, 6), 0.0)  # coins
    intents: list[Intent] = []

    def trade(step: int, market_id: int, notional: float) -> None:
        intents.append(Intent(step, "inventory", market_id, notional))
        held[market_id] += notional / float(prices[market_id - 1][step])

    for place, (market_id, notional) in enumerate(((2, 160_000), (3, 80_000), (4, 80_000), (5, 40_000))):
        trade(2 * hour + 2 * place, market_id, notional)
        trade(2 * hour + 2 * place + 1, 1, -notional)
    wanted = dict(held)
    for step in range(4 * hour, len(ticks.time_ms) - 2, hour):
        market_id = draw.choice((2, 3, 4, 5))
        back = -1 if held[market_id] > wanted[market_id] else 1
        side = back if draw.random() < 0.75 else -back  # inventory wanders, and mostly comes back
        trade(step, market_id, side * draw.uniform(4_000, 16_000))
        net = sum(held[market_id] * float(prices[market_id - 1][step]) for market_id in held)
        if abs(net) > 5_000:
            trade(step + 1, 1, -net)
    return intents


def multi_plan(ticks: Ticks, seed: int) -> list[Intent]:
    """Three books: follows the trend in the first market, buys falls in the fifth, and holds a pair of two others."""
    hour = steps_per_hour(ticks)
    prices = list(ticks.price.values())
    intents = [Intent(2 * hour, "pair", 2, 90_000), Intent(2 * hour + 1, "pair", 3, -90_000)]
    first, last_market = prices[0], prices[4]
    side = 0
    for step in range(24 * hour, len(first), 6 * hour):
        mean = float(first[step - 24 * hour : step].mean())
        want = 1 if float(first[step]) > mean else -1
        if want != side:
            intents.append(Intent(step, "trend", 1, (want - side) * 90_000.0))
            side = want
    last, bought = float(last_market[3 * hour]), 0
    intents.append(Intent(3 * hour, "reversion", 5, 50_000))
    for step in range(3 * hour, len(last_market), max(1, hour // 6)):
        if float(last_market[step]) < 0.94 * last and bought < 6:
            intents.append(Intent(step, "reversion", 5, 40_000))
            last, bought = float(last_market[step]), bought + 1
    return sorted(intents)


SWING = Trader(
    "swing",
    "Swing trader",
    "long the majors, hedged with an alt, buys dips in another",
    {"core": 0.6, "dips": 0.25, "hedge": 0.15},
    swing_plan,
)
HEDGED = Trader(
    "hedged",
    "Delta-hedged market maker",
    "inventory in four markets against a short in the first",
    {"inventory": 1.0},
    hedged_plan,
)
MULTI = Trader(
    "multi",
    "Multi-strategy trader",
    "a trend book, a mean-reversion book and a pair",
    {"trend": 0.35, "reversion": 0.3, "pair": 0.35},
    multi_plan,
)
TRADERS = (SWING, HEDGED, MULTI)


@dataclass(slots=True)
class Featured:
    """A featured trader inside one world: his accounts under one margin mode, and his plan being carried out."""

    trader: Trader
    mode: MarginMode
    account_id: int
    seed: int
    accounts: dict[str, int] = field(default_factory=dict)  # strategy → signable account
    plan: dict[int, list[Intent]] = field(default_factory=dict)

    def enter(self, world: World) -> None:
        """Register, deposit and configure as the mode wants it."""
        rule = MarginRule.SCENARIO if self.mode is MarginMode.SCENARIO else MarginRule.LINEAR
        world.register(self.account_id, rule=rule)
        for place, (strategy, share) in enumerate(self.trader.strategies.items(), start=1):
            if self.mode is MarginMode.STRATEGY and len(self.trader.strategies) > 1:
                self.accounts[strategy] = self.account_id + 64 * place
                world.register(self.accounts[strategy], Kind.STRATEGY, parent_id=self.account_id)
                world.deposit(self.accounts[strategy], int(CAPITAL * share * DOLLAR))
            else:
                self.accounts[strategy] = self.account_id
        if self.account_id in self.accounts.values():
            world.deposit(self.account_id, int(CAPITAL * DOLLAR))
        if self.mode is MarginMode.ISOLATED:
            self._isolate(world)
        for intent in self.trader.plan(world.ticks, self.seed):
            self.plan.setdefault(intent.step, []).append(intent)

    def _isolate(self, world: World) -> None:
        for nonce, terms in enumerate(world.config.markets, start=1):
            choice = Choice(terms.market_id, Mode.ISOLATED, ISOLATED_LEVERAGE, Quote(0))
            expires = TimeS(world.time_ms // 1000 + 86_400)
            world.submit(Configure(world.time_ms, AccountId(self.account_id), choice, expires, nonce, UNSIGNED))

    def act(self, world: World) -> None:
        for intent in self.plan.get(world.step, ()):
            lots = world.lots(intent.market_id, intent.notional)
            world.market(self.accounts[intent.strategy], intent.market_id, lots, slippage=0.03)

    @property
    def planned(self) -> int:
        """Orders of the whole plan."""
        return sum(len(intents) for intents in self.plan.values())

    def owns(self, account_id: int) -> bool:
        """One of his accounts, children included."""
        return self.account_id <= account_id < self.account_id + 64 * (1 + len(self.trader.strategies))

    def market_accounts(self, world: World) -> list[int]:
        """Every account of his that exists now, rising."""
        span = range(self.account_id, self.account_id + 64 * (1 + len(self.trader.strategies)))
        return [account_id for account_id in span if account_id in world.state.accounts]
