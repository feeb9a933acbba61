"""No journalled command may stop the exchange: one that raised would raise again at every start."""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest

from bulkhead.ledger.invariants import violations
from bulkhead.node.records import COMMANDS, EXCHANGE, Genesis
from bulkhead.node.replay import Machine
from tests.node.exchange_world import START_MS, Scribe, small_config

EDGES = [0, 1, -1, 2, 3, 9, 63, 64, 65, 128, 129, 320, 384]
EDGES += [
    sign * (1 << bits) + near
    for bits in (31, 32, 40, 50, 58, 63, 64, 95, 128, 251, 256)
    for sign in (1, -1)
    for near in (-1, 0, 1)
]
COMMANDS_EACH = 700


def mutated(chooser: random.Random, value: Any) -> Any:
    """The same record with one thing inside it changed to an edge, or a sequence made longer or shorter."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return chooser.choice(list(type(value)))
    if isinstance(value, int):
        return chooser.choice((*EDGES, value + 1, value - 1, -value))
    if isinstance(value, str):
        return chooser.choice(("", "order 1", "x" * 129, "\x00", value + " "))
    if is_dataclass(value) and not isinstance(value, type):
        name = chooser.choice([field.name for field in fields(value)])
        return replace(value, **{name: mutated(chooser, getattr(value, name))})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        name = chooser.choice(value._fields)
        return value._replace(**{name: mutated(chooser, getattr(value, name))})
    if isinstance(value, tuple) and value:
        place = chooser.randrange(len(value))
        changed = (*value[:place], mutated(chooser, value[place]), *value[place + 1 :])
        longer = all(type(item) is type(value[0]) and not isinstance(item, int) for item in value)
        return chooser.choice((changed, changed, value[1:], (*value, value[0]))) if longer else changed
    return value


@pytest.mark.parametrize("seed", range(8))
def test_no_command_of_the_right_types_can_stop_the_exchange(seed: int) -> None:
    chooser, stream = random.Random(seed), Scribe(seed).commands()
    machine = Machine(Genesis(1, small_config(), START_MS))
    for _ in range(COMMANDS_EACH):
        command = next(stream)
        hostile = mutated(chooser, command)
        if chooser.random() < 0.5:
            hostile = mutated(chooser, hostile)
        # A time that runs ahead is legal and would only make everything after it late: the node stamps times.
        hostile = replace(hostile, time_ms=min(hostile.time_ms, command.time_ms))
        for each in (hostile, command) if chooser.random() < 0.8 else (command, hostile):
            assert COMMANDS.decode(COMMANDS.encode(each)) == each
            machine.handle(each)
    assert not machine.venue.sequencer.faults()
    assert not violations(machine.state)
    assert machine.root()  # every number still fits the width it is hashed with
    data = EXCHANGE.encode(machine.record())
    assert EXCHANGE.encode(Machine(Genesis(1, small_config(), START_MS), EXCHANGE.decode(data)).record()) == data
