"""A snapshot forgets nothing: restored at any command, an exchange goes on with the same events to the same digest."""

from __future__ import annotations

from itertools import islice

import pytest

from bulkhead.engine.command import CancelAll, CancelOrder, PlaceOrder, SetStatus, Submit
from bulkhead.engine.event import Accepted, Cancelled, StateChanged
from bulkhead.engine.order import Terms
from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import AssetLeg, Deposit, Move, PositionLeg
from bulkhead.node.records import EXCHANGE, Genesis
from bulkhead.node.replay import Machine
from bulkhead.units import AccountId, MarketId, Size, TimeS
from tests.node.exchange_world import START_MS, STRATEGY, UNSIGNED, USD, Scribe, small_config

COMMANDS = 200
LIFE = 25  # commands that a restored twin is followed for; every tenth is followed to the end
BEGIN = Genesis(1, small_config(), START_MS)


@pytest.mark.parametrize("seed", range(4))
def test_a_restored_exchange_goes_on_alike_from_every_command(seed: int) -> None:
    machine = Machine(BEGIN)
    twins: list[tuple[int, Machine]] = []  # with the number of the command they die after
    for number, command in enumerate(islice(Scribe(seed).commands(), COMMANDS)):
        events = machine.handle(command)
        for _, twin in twins:
            assert twin.handle(command) == events
        data = EXCHANGE.encode(machine.record())
        for death, twin in twins:
            if death == number:
                assert EXCHANGE.encode(twin.record()) == data
        twins = [(death, twin) for death, twin in twins if death > number]
        restored = Machine(BEGIN, EXCHANGE.decode(data))
        assert EXCHANGE.encode(restored.record()) == data
        assert not restored.venue.sequencer.faults()
        assert not violations(restored.state)
        twins.append((COMMANDS - 1 if number % 10 == 0 else number + LIFE, restored))


def test_a_snapshot_keeps_every_derived_part_of_the_state() -> None:
    """What is not written but derived is equal after a restart, too."""
    machine = Machine(BEGIN)
    for command in islice(Scribe(99).commands(), 400):
        machine.handle(command)
    restored = Machine(BEGIN, EXCHANGE.decode(EXCHANGE.encode(machine.record())))
    for name in ("terms", "groups", "risks", "indices", "holders", "changed", "accounts", "markets", "funds"):
        assert getattr(restored.state, name) == getattr(machine.state, name), name
    assert [list(one) for one in restored.state.holders.values()] == [
        list(one) for one in machine.state.holders.values()
    ]
    assert restored.root() == machine.root()
    ours, theirs = restored.state.filled, machine.state.filled
    assert tuple(ours) == tuple(theirs) and list(ours.touched) == list(theirs.touched) != []
    assert ours.longest == theirs.longest > 0
    for market_id, book in machine.venue.sequencer.desk.books.items():
        assert list(restored.venue.sequencer.desk.books[market_id]) == list(book)


def test_reduce_only_orders_follow_in_the_same_order_after_a_restart() -> None:
    """The engine's index of them remembers who came first; a restored one cannot, so nothing may depend on it."""
    scribe = Scribe(5)
    machine = Machine(BEGIN)
    for command in scribe.opening():
        machine.handle(command)
    rich = (Deposit(scribe.now(), 7 + place, AccountId(owner), USD, 10**11) for place, owner in enumerate((128, 256)))
    for deposit in rich:
        assert isinstance(machine.handle(Submit(scribe.now(), deposit))[0], StateChanged)

    def place(account_id: int, market_id: int, size: int, shift: int = 0, *, reduce_only: bool = False) -> int:
        order = scribe.order(account_id, market_id, size, scribe.price[market_id] + shift)
        events = machine.handle(PlaceOrder(scribe.now(), order, Terms(reduce_only=reduce_only)))
        assert isinstance(events[0], Accepted)
        return events[0].order_id

    machine.handle(CancelAll(scribe.now(), AccountId(128)))
    for market_id in (1, 2, 3):
        place(256, market_id, -1_000)
        place(128, market_id, 1_000)
    first = place(128, 1, -10, 5, reduce_only=True)
    place(128, 2, -10, 5, reduce_only=True)
    place(128, 1, -10, 5, reduce_only=True)
    machine.handle(CancelOrder(scribe.now(), AccountId(128), first))
    place(128, 3, -10, 5)
    place(128, 3, -10, 5, reduce_only=True)
    machine.handle(SetStatus(scribe.now(), MarketId(3), Status.REDUCE_ONLY))  # the plain one follows from now on
    restored = Machine(BEGIN, EXCHANGE.decode(EXCHANGE.encode(machine.record())))
    legs = tuple(
        PositionLeg(AccountId(128), AccountId(STRATEGY), MarketId(market_id), Size(1_000)) for market_id in (1, 2, 3)
    )
    money = (AssetLeg(AccountId(128), AccountId(STRATEGY), USD, 10**10),)
    expiry = TimeS(scribe.time_ms // 1_000 + 60)
    move = Move(scribe.now(), AccountId(128), money, legs, (), expiry, 1, UNSIGNED)
    events = machine.handle(Submit(scribe.now(), move))
    assert [type(event) for event in events] == [StateChanged] + [Cancelled] * 4
    assert restored.handle(Submit(scribe.now(), move)) == events
