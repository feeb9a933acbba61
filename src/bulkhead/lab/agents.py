"""The others in the market: makers, a leveraged crowd, noise, basis traders, liquidators. The same in every mode."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bulkhead.engine.command import MassCancel
from bulkhead.lab.world import World
from bulkhead.units import AccountId, MarketId


@dataclass(slots=True)
class Maker:
    """Quotes every market around the index, wider after moves, leaning against its inventory."""

    account_id: int
    half_spread: float
    levels: int
    requote: float  # quotes again when the index has moved this far ...
    age_max_hours: float  # ... or when quotes are this old
    level_notional: float = 60_000.0
    inventory_max: float = 2_000_000.0
    quoted: dict[int, tuple[float, int]] = field(default_factory=dict)
    speed: dict[int, float] = field(default_factory=dict)

    def act(self, world: World) -> None:
        for market_id, index in world.index.items():
            last, step = self.quoted.get(market_id, (0.0, -1_000))
            moved = abs(index / last - 1) if last else 1.0
            self.speed[market_id] = 0.9 * self.speed.get(market_id, 0.0) + 0.1 * (moved if last else 0.0)
            if moved > self.requote or world.step - step >= self.age_max_hours * world.hour:
                self._quote(world, market_id, index)
                self.quoted[market_id] = (float(index), world.step)

    def _quote(self, world: World, market_id: int, index: int) -> None:
        markets = (MarketId(market_id),)
        world.send(MassCancel(world.time_ms, AccountId(self.account_id), market_ids=markets))
        held = int(world.state.accounts[self.account_id].size(market_id)) * index / 1e6
        lean = -held / self.inventory_max * 0.004
        width = self.half_spread + 0.7 * self.speed.get(market_id, 0.0)
        for level in range(self.levels):
            away = width * (1 + 1.2 * level)
            notional = self.level_notional * (1 + level)
            if held < self.inventory_max:
                bid = int(index * (1 + lean - away))
                world.limit(self.account_id, market_id, world.lots(market_id, notional), bid, post_only=True)
            if held > -self.inventory_max:
                ask = int(index * (1 + lean + away)) + 1
                world.limit(self.account_id, market_id, world.lots(market_id, -notional), ask, post_only=True)


@dataclass(slots=True)
class Crowd:
    """One leveraged holder: enters once, mostly long, in one or two markets, and holds until he is closed out."""

    account_id: int
    enters: dict[int, list[tuple[int, float]]]  # step → (market, signed notional in dollars)

    def act(self, world: World) -> None:
        for market_id, notional in self.enters.get(world.step, ()):
            world.market(self.account_id, market_id, world.lots(market_id, notional))


def crowd(count: int, first_account: int, markets: int, steps: int, seed: int) -> list[tuple[Crowd, float]]:
    """`count` holders with their capital in dollars. Leverage between 2 and 9, three in four are long."""
    draw = random.Random(f"crowd {seed}")
    members: list[tuple[Crowd, float]] = []
    for place in range(count):
        capital = 10 ** draw.uniform(3.3, 4.8)
        enters: dict[int, list[tuple[int, float]]] = {}
        for market_id in draw.sample(range(1, markets + 1), draw.choice((1, 1, 2))):
            side = 1 if draw.random() < 0.75 else -1
            step = int(draw.random() * steps * 0.2) + 1
            enters.setdefault(step, []).append((market_id, side * capital * draw.uniform(2, 7)))
        members.append((Crowd(first_account + 64 * place, enters), capital))
    return members


@dataclass(slots=True)
class Noise:
    """Small market orders at random, leaning back toward a flat position."""

    account_id: int
    seed: int
    rate: float = 0.5  # orders a tick
    notional: float = 4_000.0
    draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(f"noise {self.account_id} {self.seed}")

    def act(self, world: World) -> None:
        # Every draw is made whatever the world looks like, so that arrival times and sizes never depend on it.
        arrives, pick, lean, size = (self.draw.random() for _ in range(4))
        if arrives >= self.rate:
            return
        market_id = 1 + int(pick * len(world.index))
        held = int(world.state.accounts[self.account_id].size(market_id)) * world.index[market_id] / 1e6
        buys = lean < 0.5 - 0.4 * max(-1.0, min(1.0, held / (20 * self.notional)))
        notional = self.notional * (0.2 + 1.8 * size)
        world.market(self.account_id, market_id, world.lots(market_id, notional if buys else -notional))


@dataclass(slots=True)
class BasisTrader:
    """Sells here what trades above the index, buys what trades below it, and holds the opposite elsewhere at the index.

    So he carries the basis and no market risk, but his collateral is in two places: a fall in one of his markets can
    close him out here while the hedge wins there. `coins` and `cash` are the hedge, in whole coins' lots and dollars.
    """

    account_id: int
    enter: float = 0.0005  # of the index: further away than this is worth both fees
    leave: float = 0.0
    notional: float = 25_000.0  # an order
    position_max: float = 500_000.0  # in one market
    coins: dict[int, int] = field(default_factory=dict)
    cash: float = 0.0

    def act(self, world: World) -> None:
        for market_id, index in world.index.items():
            bid, ask = world.best(market_id)
            held = int(world.state.accounts[self.account_id].size(market_id)) * index / 1e6
            rich = int(bid) / index - 1 if bid is not None else -1.0
            cheap = 1 - int(ask) / index if ask is not None else -1.0
            if rich > self.enter and held > -self.position_max:
                self._trade(world, market_id, -self.notional, -self.enter)
            elif cheap > self.enter and held < self.position_max:
                self._trade(world, market_id, self.notional, -self.enter)
            elif rich > self.leave and held > 0:
                self._trade(world, market_id, -min(held, self.notional), -self.leave)
            elif cheap > self.leave and held < 0:
                self._trade(world, market_id, min(-held, self.notional), -self.leave)
            self._hedge(world, market_id, index)

    def _trade(self, world: World, market_id: int, notional: float, slippage: float) -> None:
        world.market(self.account_id, market_id, world.lots(market_id, notional), slippage=slippage)

    def _hedge(self, world: World, market_id: int, index: int) -> None:
        """Hold the opposite of the position elsewhere, bought and sold at the index, liquidations included."""
        wanted = -int(world.state.accounts[self.account_id].size(market_id))
        change = wanted - self.coins.get(market_id, 0)
        if change:
            self.coins[market_id] = wanted
            self.cash -= change * index / 1e6

    def outside(self, world: World) -> float:
        """Dollars that the hedge is worth."""
        return self.cash + sum(lots * world.index[market_id] / 1e6 for market_id, lots in self.coins.items())


@dataclass(slots=True)
class Liquidator:
    """Waits far from the market on both sides for what liquidations have to sell, and sells it on bit by bit.

    Who is liquidated, when and how much is the keepers' rule; what it costs is decided by who stands in the book then.
    """

    account_id: int
    away: tuple[float, ...] = (0.012, 0.025, 0.04)  # of the index: inside the order band of every market
    level_notional: float = 100_000.0
    requote: float = 0.01
    unwind: float = 0.1  # of what is held, an hour
    held_least: float = 2_000.0
    quoted: dict[int, float] = field(default_factory=dict)

    def act(self, world: World) -> None:
        for market_id, index in world.index.items():
            last = self.quoted.get(market_id)
            if last is None or abs(index / last - 1) > self.requote:
                self._quote(world, market_id, index)
                self.quoted[market_id] = float(index)
            held = int(world.state.accounts[self.account_id].size(market_id)) * index / 1e6
            if world.step % world.hour == 0 and abs(held) > self.held_least:
                part = -held * self.unwind
                world.market(self.account_id, market_id, world.lots(market_id, part), reduce_only=True)

    def _quote(self, world: World, market_id: int, index: int) -> None:
        world.send(MassCancel(world.time_ms, AccountId(self.account_id), market_ids=(MarketId(market_id),)))
        for away in self.away:
            for side in (1, -1):
                price = int(index * (1 - side * away))
                lots = world.lots(market_id, side * self.level_notional)
                world.limit(self.account_id, market_id, lots, price, post_only=True)
