"""Switching the mode of an open position: one signed message, and its protection goes where the position goes."""

from __future__ import annotations

from typing import Any

from bulkhead.engine.command import CancelAll, PlaceProtection, Submit
from bulkhead.engine.event import Accepted, Cancelled, Reduced, Rejected, StateChanged, Traded, Triggered
from bulkhead.engine.order import Direction, Execution, Leg, PriceSource, Terms, Trigger
from bulkhead.keepers.event import VenueEvent
from bulkhead.ledger.state import Choice, Kind, Mode
from bulkhead.ledger.tx import AssetLeg, Move, PositionLeg
from bulkhead.reject import Reject
from bulkhead.units import AccountId, BookPrice, MarketId, Quote, Size, TimeS
from tests.keepers.world import DOLLAR, UNSIGNED, USD, World, of_kind

MAKER, TRADER, OTHER, STRATEGY = 128, 192, 256, 320
CHILD = TRADER + 1


def held_by(world: World, account_id: int) -> int:
    account = world.state.accounts.get(account_id)
    return 0 if account is None else int(account.size(1))


def switched(world: World, mode: Mode, source: int, target: int, size: int, dollars: int) -> list[VenueEvent]:
    """One Move of three legs: the choice, the position with its cost, and its margin."""
    nonce = world.nonces[TRADER] = world.nonces.get(TRADER, 0) + 1
    choices = ((AccountId(TRADER), Choice(MarketId(1), mode, 5 if mode is Mode.ISOLATED else 0, Quote(0))),)
    positions = (PositionLeg(AccountId(source), AccountId(target), MarketId(1), Size(size)),)
    assets = (AssetLeg(AccountId(source), AccountId(target), USD, dollars * DOLLAR),) if dollars else ()
    expiry = TimeS(world.now // 1000 + 86_400)
    move = Move(world.now, AccountId(TRADER), assets, positions, choices, expiry, nonce, UNSIGNED)
    events = world.do(Submit(world.now, move))
    if of_kind(events, Rejected):
        world.nonces[TRADER] = nonce - 1
    return events


def protect(world: World, price: int) -> list[VenueEvent]:
    """A stop for the whole position."""
    trigger = Trigger(PriceSource.INDEX, Direction.DOWN, BookPrice(price), Execution.MARKET)
    leg = Leg(world.order(TRADER, 1, -100_000, price * 9 // 10, fee_rate=50), trigger)
    return world.do(PlaceProtection(world.now, AccountId(TRADER), MarketId(1), "", Size(0), None, leg))


def holder() -> World:
    """A trader with 2,000 lots of his own, bought at a dollar, and somebody to trade with."""
    world = World()
    for account_id in (MAKER, TRADER, OTHER):
        world.open(account_id, 10_000)
    world.tick()
    world.trade(TRADER, OTHER, 1, 2_000)
    return world


def test_an_open_position_changes_its_mode_without_a_trade_and_back() -> None:
    world = holder()
    before = world.account(TRADER)
    world.tick({1: 1_010_000})
    assert of_kind(switched(world, Mode.ISOLATED, TRADER, CHILD, 2_000, 500), StateChanged)
    child = world.account(CHILD)
    assert (held_by(world, TRADER), held_by(world, CHILD)) == (0, 2_000)
    assert child.positions[0].cost == before.positions[0].cost  # and with it the profit
    assert not of_kind(switched(world, Mode.CROSS, CHILD, TRADER, 2_000, 0), Rejected)
    after = world.account(TRADER)
    assert after.positions == before.positions and held_by(world, CHILD) == 0
    swept = world.state.accounts.get(CHILD)
    assert int(after.balance) + (0 if swept is None else int(swept.balance)) == int(before.balance)
    assert world.state.markets[1].open_interest == 2_000


def test_a_mode_does_not_change_under_open_orders_and_says_so() -> None:
    world = holder()
    resting = world.place(TRADER, 1, -500, 1_020_000, Terms(reduce_only=True))
    assert of_kind(protect(world, 950_000), Accepted) and of_kind(resting, Accepted)
    for _ in range(2):
        refused = of_kind(switched(world, Mode.ISOLATED, TRADER, CHILD, 2_000, 500), Rejected)
        assert [event.reason for event in refused] == [Reject.ORDERS_OPEN]
        assert held_by(world, TRADER) == 2_000 and len(world.venue.sequencer.open_orders(TRADER)) == 2
    world.do(CancelAll(world.now, AccountId(TRADER)))
    assert not of_kind(switched(world, Mode.ISOLATED, TRADER, CHILD, 2_000, 500), Rejected)


def test_protection_closes_the_position_where_it_lies_after_a_switch() -> None:
    world = holder()
    assert not of_kind(switched(world, Mode.ISOLATED, TRADER, CHILD, 2_000, 500), Rejected)
    (accepted,) = of_kind(world.place(TRADER, 1, -9_000, 1_020_000, Terms(reduce_only=True)), Accepted)
    assert accepted.size == 2_000  # cut to what the child holds
    (stop,) = of_kind(protect(world, 950_000), Accepted)
    world.place(MAKER, 1, 500, 1_020_000)  # the reduce-only order trades: the stop will have less to close
    assert held_by(world, CHILD) == 1_500
    world.place(MAKER, 1, 5_000, 945_000)
    events = world.tick({1: 950_000})
    assert [event.order_id for event in of_kind(events, Triggered)] == [stop.order_id]
    assert sum(int(event.size) for event in of_kind(events, Traded)) == 1_500
    assert CHILD not in world.state.accounts and held_by(world, TRADER) == 0
    gone = {event.order_id for event in of_kind(events, Cancelled)}
    assert accepted.order_id in gone and not world.venue.sequencer.open_orders(TRADER)


def test_orders_that_reduce_follow_what_a_move_leaves_them() -> None:
    """Half of the position goes to a strategy: the order is cut to the other half, and cannot close the strategy's."""
    world = holder()
    world.open(STRATEGY, kind=Kind.STRATEGY, parent=TRADER)
    world.place(TRADER, 1, -2_000, 1_020_000, Terms(reduce_only=True))
    expiry = TimeS(world.now // 1000 + 86_400)
    legs: dict[str, Any] = {
        "assets": (AssetLeg(AccountId(TRADER), AccountId(STRATEGY), USD, 3_000 * DOLLAR),),
        "positions": (PositionLeg(AccountId(TRADER), AccountId(STRATEGY), MarketId(1), Size(1_200)),),
        "choices": (),
    }
    events = world.do(Submit(world.now, Move(world.now, AccountId(TRADER), **legs, expiration_s=expiry, nonce=1,
                                             signature=UNSIGNED)))  # fmt: skip
    assert [event.size for event in of_kind(events, Reduced)] == [800]
    world.place(MAKER, 1, 5_000, 1_020_000)
    assert (held_by(world, TRADER), held_by(world, STRATEGY)) == (0, 1_200)
