"""lab/agents.py: basis traders and liquidators in a world that runs through the real engine."""

from dataclasses import replace

import pytest

from bulkhead.lab.agents import BasisTrader, Liquidator
from bulkhead.lab.compare import DOLLAR, Setting, build
from bulkhead.lab.prices import DEFAULT
from bulkhead.lab.traders import MarginMode
from bulkhead.lab.world import World
from bulkhead.ledger.invariants import violations

SETTING = Setting(
    DEFAULT, traders=(), crowd=40, noise=1, makers=1, levels=1, requote=0.01, quote_hours=4.0, first_day=1.5,
    days=2.0, tick_ms=300_000, basis_traders=2, liquidators=1,
)  # fmt: skip


class Books:
    """The least that each basis trader was ever worth, both places together, and the hedge's widest swing."""

    def __init__(self) -> None:
        self.least: dict[int, float] = {}
        self.swing: dict[int, float] = {}

    def heard(self, world: World, command: object, events: object) -> None:
        """Only ticks count."""

    def tick(self, world: World) -> None:
        for trader in of_kind(world, BasisTrader):
            account = world.state.accounts[trader.account_id]
            held = sum(int(account.size(market_id)) * index / 1e6 for market_id, index in world.index.items())
            outside = trader.outside(world)
            both = int(account.balance) / DOLLAR + held + outside
            self.least[trader.account_id] = min(self.least.get(trader.account_id, both), both)
            self.swing[trader.account_id] = max(self.swing.get(trader.account_id, 0.0), abs(outside))


def ended(setting: Setting) -> World:
    world, _ = build(setting, MarginMode.CROSS)
    world.listeners.append(Books())
    for _step in world.run():
        pass
    assert violations(world.state) == []
    return world


@pytest.fixture(scope="module")
def world() -> World:
    """Two days of the shipped crash, makers few and slow."""
    return ended(SETTING)


def of_kind(world: World, kind: type) -> list:  # type: ignore[type-arg]
    return [agent for agent in world.agents if isinstance(agent, kind)]


def test_one_seed_is_one_result_and_they_change_it(world: World) -> None:
    assert ended(SETTING).machine.digest() == world.machine.digest()
    without = ended(replace(SETTING, basis_traders=0, liquidators=0))
    assert without.machine.digest() != world.machine.digest()


def test_basis_traders_trade_the_basis_and_hold_the_opposite_elsewhere(world: World) -> None:
    traders = of_kind(world, BasisTrader)
    assert len(traders) == 2
    books = next(one for one in world.listeners if isinstance(one, Books))
    for trader in traders:
        account = world.state.accounts[trader.account_id]
        for market_id in world.index:
            assert trader.coins.get(market_id, 0) == -int(account.size(market_id))
        # What he is worth never falls by more than a day's fees and funding, while his hedge alone moves by far more.
        assert books.least[trader.account_id] > 300_000 * 0.99
        assert books.swing[trader.account_id] > 300_000 * 0.05


def test_liquidators_stand_away_from_the_market_and_take_what_falls(world: World) -> None:
    (liquidator,) = of_kind(world, Liquidator)
    account = world.state.accounts[liquidator.account_id]
    assert int(account.balance) != 2_000_000 * DOLLAR, "nothing ever reached his orders"
    alone = ended(replace(SETTING, days=0.1, crowd=0, noise=0, makers=0, basis_traders=0))
    (idle,) = of_kind(alone, Liquidator)
    assert int(alone.state.accounts[idle.account_id].balance) == 2_000_000 * DOLLAR
    for market_id, index in alone.index.items():
        bid, ask = alone.best(market_id)
        assert bid is not None and ask is not None
        # As far as he wants to be, give or take what the index may move before he quotes again.
        assert 0.002 < 1 - int(bid) / index < 0.022 and 0.002 < int(ask) / index - 1 < 0.022
