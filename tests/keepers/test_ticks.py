"""Funding when it is due, ranks, what a snapshot keeps, and events as bytes."""

import pytest

from bulkhead.codec import Codec
from bulkhead.engine.event import MarkChanged
from bulkhead.fixed import ONE
from bulkhead.keepers.condition import CALLS, Condition, call_of, condition_of, is_used
from bulkhead.keepers.event import FundingMoved, KeeperEvent
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.venue import Venue, VenueSnapshot
from bulkhead.keepers.witness import Witness
from bulkhead.rules.terms import Health
from bulkhead.units import MarketId, Requirement, Worth
from tests.keepers.test_worlds import run
from tests.keepers.world import World, of_kind

LONG, SHORT, MAKER = 192, 256, 128


def minutes(world: World, count: int, every_ms: int = 60_000) -> list[FundingMoved]:
    """So many clock commands, each after a tick of unchanged prices."""
    found: list[FundingMoved] = []
    for _ in range(count):
        events = world.tick(after_ms=every_ms)
        events += world.clock(0)
        found += of_kind(events, FundingMoved)
    return found


def quoted() -> World:
    """A book one percent above the index, so that longs pay."""
    world = World()
    for account_id in (MAKER, LONG, SHORT):
        world.open(account_id, 1_000_000)
    world.tick()
    world.trade(LONG, SHORT, 1, 10_000)
    world.place(MAKER, 1, 200_000, 1_010_000)
    world.place(MAKER, 1, -200_000, 1_012_000)
    return world


def test_funding_moves_once_an_hour() -> None:
    world = quoted()
    balances = [int(world.account(account_id).balance) for account_id in (LONG, SHORT)]
    assert minutes(world, 59) == []
    (moved,) = minutes(world, 1)
    assert [market_id for market_id, _ in moved.indices] == [1, 2, 3] and moved.refused == ()
    index = int(world.state.indices[1])
    # A premium of one percent in eight hours, less the clamp of 0.05 %: an eighth of 0.95 % in the hour.
    assert index * 8 * 10_000 // (int(ONE) * 1_000_000) in (94, 95)
    assert minutes(world, 59) == [] and len(minutes(world, 1)) == 1
    assert [int(world.account(account_id).balance) for account_id in (LONG, SHORT)] == balances  # paid when touched
    paid = -(-10_000 * int(world.state.indices[1]) >> 32)  # rounded up, against the long
    before = world.state.funds[1]
    world.trade(SHORT, LONG, 1, 10_000, 1_011_000)
    after = world.state.funds[1]
    fees = int(after.fees + after.l1 - before.fees - before.l1)
    changes = [int(world.account(one).balance) - was for one, was in zip((LONG, SHORT), balances, strict=True)]
    assert paid > 20_000_000 and 10_110_000_000 - paid - fees < changes[0] < 10_110_000_000 - paid
    assert sum(changes) == -fees - (int(after.dust - before.dust) >> 32)


def test_no_funding_under_45_samples() -> None:
    world = quoted()
    assert minutes(world, 44, every_ms=90_000) == []  # an hour and six minutes
    assert len(minutes(world, 1, every_ms=90_000)) == 1


def test_a_market_without_a_fresh_price_is_charged_later() -> None:
    world = quoted()
    minutes(world, 50)
    world.prices[1] = 0
    (moved,) = minutes(world, 12)
    assert [market_id for market_id, _ in moved.indices] == [2, 3]
    world.prices[1] = 1_000_000 << 32
    (moved,) = minutes(world, 1)
    assert [market_id for market_id, _ in moved.indices] == [1]


def test_ranks_are_deciles_of_profit_on_each_side() -> None:
    world = quoted()
    assert world.venue.deleveraging_ranks(MarketId(1)) == {}
    world.tick({1: 1_020_000})
    assert world.venue.deleveraging_ranks(MarketId(1)) == {LONG: 10}
    world.tick({1: 980_000})
    assert world.venue.deleveraging_ranks(MarketId(1)) == {SHORT: 10}


def test_events_and_witnesses_survive_as_bytes() -> None:
    events = [event for seed in range(3) for event in run(seed).events if isinstance(event, KeeperEvent)]
    codec: Codec[KeeperEvent] = Codec(KeeperEvent.__args__)
    for event in events:
        assert codec.decode(codec.encode(event)) == event
    for event in events:
        if isinstance(event, Witness):
            decoded = codec.decode(codec.encode(event))
            assert isinstance(decoded, Witness) and recompute(decoded) == []


def test_a_snapshot_survives_as_bytes() -> None:
    world = run(2)
    codec = Codec([VenueSnapshot], bytes_max=1 << 26)
    taken = codec.decode(codec.encode(world.venue.dump()))
    again = Venue.load(world.state, world.authority, taken)
    assert again.dump() == world.venue.dump()
    assert any(isinstance(event, MarkChanged) for event in world.events)


def health(value: int, initial: int, maintenance: int, close_out: int) -> Health:
    return Health(Worth(value << 32), *(Requirement(asked << 64) for asked in (initial, maintenance, close_out)))


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        (50, Condition.HEALTHY),
        (49, Condition.BELOW_INITIAL),
        (30, Condition.BELOW_INITIAL),
        (29, Condition.BELOW_MAINTENANCE),
        (20, Condition.BELOW_MAINTENANCE),
        (19, Condition.BELOW_CLOSE_OUT),
        (0, Condition.BELOW_CLOSE_OUT),
        (-1, Condition.BANKRUPT),
    ],
)
def test_conditions_at_their_edges(value: int, condition: Condition) -> None:
    assert condition_of(health(value, 50, 30, 20)) is condition


def test_margin_calls_have_hysteresis() -> None:
    first, second = CALLS
    assert [first, second] == [(66, 60), (80, 74)]
    in_force, seen = 0, []
    for maintenance in (65, 66, 61, 60, 59, 65, 80, 75, 74, 73, 66, 59):
        in_force = call_of(in_force, health(100, 100, maintenance, 0))
        seen.append(in_force)
    assert seen == [0, 66, 66, 66, 0, 0, 80, 80, 80, 66, 66, 0]
    assert not is_used(health(0, 0, 0, 0), 66)
