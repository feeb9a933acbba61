"""Statements of random crashes: every dollar accounted for, and rounding that adds up to the venue's counter."""

import random

import pytest

from bulkhead.engine.event import StateChanged
from bulkhead.fixed import worth
from bulkhead.keepers.event import FundingMoved
from bulkhead.keepers.statement import Statement, Statements, holdings
from bulkhead.ledger.state import Kind, Mode
from bulkhead.ledger.tx import AssetLeg, ForcedClose, ForcedWithdrawal, Move, PositionLeg, Withdrawal
from bulkhead.reject import Reject
from bulkhead.units import AccountId, MarketId, Size, TimeMs, TimeS
from tests.keepers.test_worlds import crowd, step
from tests.keepers.world import DOLLAR, UNSIGNED, USD, World, of_kind


def total(statement: Statement) -> int:
    """The left side of the identity."""
    paid_in = statement.deposited + statement.moved + statement.realised + statement.covered
    paid_out = statement.fees + statement.liquidation
    exact = statement.collateral + statement.unrealised - statement.funding - statement.rounding
    return int(statement.opening) + int(worth(paid_in - paid_out)) + int(exact)


def funded_hour(world: World) -> None:
    """An hour of minutes with a price each, so that funding is due; the price stays above the book."""
    for _ in range(61):
        world.now = TimeMs(world.now + 60_000)
        world.tick(after_ms=0)
        world.clock(0)


@pytest.mark.parametrize("seed", range(4))
def test_every_change_of_value_is_accounted_for(seed: int) -> None:
    generator = random.Random(seed)
    world = crowd(generator)
    statements = Statements(world.state)
    dust = int(world.state.funds[USD].dust)
    start = len(world.events)
    for _ in range(2):
        for _ in range(120):
            step(world, generator)
        funded_hour(world)
    statements.heard(world.events[start:])
    found = statements.close(world.state)
    assert of_kind(world.events, FundingMoved)
    for statement in found:
        assert total(statement) == int(statement.closing)
        assert int(statement.rounding) >= 0
        assert statement.profit == statement.closing - statement.opening - worth(statement.deposited + statement.moved)
    assert sum(int(one.rounding) for one in found) == int(world.state.funds[USD].dust) - dust
    assert sum(int(one.moved) for one in found) == 0
    assert any(one.funding for one in found) and any(one.liquidation for one in found)
    values = holdings(world.state)
    assert {one.account_id: one.closing for one in found} == {key: values[key].value for key in values}


def test_moves_and_withdrawals_are_no_profit() -> None:
    world = World()
    world.open(128, 1_000_000)
    world.open(192, 5_000)
    world.open(256, kind=Kind.STRATEGY, parent=192)
    world.tick()
    world.trade(192, 128, 1, 2_000)
    world.choose(192, 2, Mode.ISOLATED, 5)
    world.trade(192, 128, 2, 1_000)
    statements, start = Statements(world.state), len(world.events)
    world.tick({1: 1_100_000})
    expiry = TimeS(world.now // 1000 + 86_400)
    legs = (AssetLeg(AccountId(192), AccountId(256), USD, 1_000 * DOLLAR),)
    parts = (PositionLeg(AccountId(192), AccountId(256), MarketId(1), Size(1_000)),)
    world.submit(Move(world.now, AccountId(192), legs, parts, (), expiry, 2, UNSIGNED))
    world.submit(Withdrawal(world.now, AccountId(192), USD, 100 * DOLLAR, 1, expiry, 1, UNSIGNED))
    world.trade(128, 256, 1, 1_000, 1_100_000)
    statements.heard(world.events[start:])
    found = {one.account_id: one for one in statements.close(world.state)}
    main, strategy = found[AccountId(192)], found[AccountId(256)]
    assert all(total(one) == int(one.closing) and one.rounding == 0 for one in found.values())
    assert (main.deposited, main.moved, strategy.moved) == (-100 * DOLLAR, -1_000 * DOLLAR, 1_000 * DOLLAR)
    assert strategy.realised == 100 * DOLLAR  # cost travelled with the position
    assert main.unrealised == worth(100 * DOLLAR)  # type: ignore[arg-type]


def test_forced_requests_are_accounted_for_whether_they_succeed_or_fail() -> None:
    world = World()
    world.open(128, 1_000_000)
    world.open(192, 5_000)
    world.tick()
    world.trade(192, 128, 1, 2_000)
    statements, start = Statements(world.state), len(world.events)
    included = TimeMs(world.now)
    world.tick({1: 1_100_000})
    requests = (
        ForcedWithdrawal(world.now, 1, included, AccountId(192), USD, 100 * DOLLAR, 0),
        ForcedWithdrawal(world.now, 2, included, AccountId(192), USD, 1_000_000 * DOLLAR, 0),
        ForcedClose(world.now, 3, included, AccountId(192), MarketId(1), 0),
        ForcedClose(world.now, 4, included, AccountId(192), MarketId(1), 0),
    )
    for request in requests:
        world.submit(request)
    changes = of_kind(world.events[start:], StateChanged)
    assert [change.failed for change in changes] == [None, Reject.INSUFFICIENT_MARGIN, None, Reject.NO_SUCH_POSITION]
    assert [flow.account_id for flow in changes[2].flows][:1] == [192]
    statements.heard(world.events[start:])
    found = {one.account_id: one for one in statements.close(world.state)}
    assert all(total(one) == int(one.closing) and one.rounding == 0 for one in found.values())
    assert found[AccountId(192)].deposited == -100 * DOLLAR
    # 2,000 lots won a tenth of a dollar each, less the 10 bp of the price that a forced close pays.
    assert found[AccountId(192)].realised == 200 * DOLLAR - 2_000 * 1_100
