"""A snapshot forgets nothing: restored at any command, an exchange goes on with the same events to the same digest."""

from __future__ import annotations

from itertools import islice

import pytest

from bulkhead.ledger.invariants import violations
from bulkhead.node.records import EXCHANGE, Genesis
from bulkhead.node.replay import Machine
from tests.node.exchange_world import START_MS, Scribe, small_config

COMMANDS = 250
LIFE = 25  # commands that a restored twin is followed for; every tenth is followed to the end
BEGIN = Genesis(1, small_config(), START_MS)


@pytest.mark.parametrize("seed", range(6))
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
    for name in ("terms", "groups", "risks", "indices", "holders", "changed", "accounts", "markets", "funds", "custody"):
        assert getattr(restored.state, name) == getattr(machine.state, name), name
    assert [list(one) for one in restored.state.holders.values()] == [
        list(one) for one in machine.state.holders.values()
    ]
    assert restored.state.filled.entries == machine.state.filled.entries
    for market_id, book in machine.venue.sequencer.desk.books.items():
        assert list(restored.venue.sequencer.desk.books[market_id]) == list(book)
