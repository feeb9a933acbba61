"""Random worlds: whatever the ledger accepts on a venue that can be proven, the circuit leads to the same words."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

import pytest

from bulkhead.circuit.venue import provable
from bulkhead.fixed import seconds_floor
from bulkhead.ledger.batch import close
from bulkhead.ledger.orders import LIST_SHIFT
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Transaction
from tests.circuit.batches import agrees
from tests.ledger.world import World, numbers_of, venue

Look = Callable[[State, State, list[Transaction]], None]
WORLDS = 100
AT_ONCE = 25
KINDS = {
    "Backstop", "Configure", "Deleveraging", "Deposit", "ForcedClose", "ForcedWithdrawal", "FundingTick", "Liquidation",
    "Move", "OracleTick", "Restart", "StatusChange", "Trade", "Transfer", "Withdrawal",
}  # fmt: skip


def batch_of(seed: int, look: Look | None = None) -> tuple[State, State, list[Transaction], set[str]]:
    """A world's steps after its beginning as one batch; every kind of transaction that it accepted.

    `look` is shown the batch before it is ended.
    """
    config = provable(venue())
    world = World(config=config._replace(assets=config.assets[:1]))
    close(world.state)
    before = deepcopy(world.state)
    world.state.applied = accepted = []
    for numbers in numbers_of(seed):
        world.step(numbers)
    crowd(before, world.state, Random(seed))
    if look is not None:
        look(before, world.state, accepted)
    close(world.state)
    return before, world.state, accepted, {type(each).__name__ for each in accepted}


def crowd(before: State, after: State, draw: Random) -> None:
    """Other orders beside those that a batch entered, as if they had been there before: some have expired."""
    now_s = seconds_floor(after.time_ms)
    for number in after.filled.touched:
        for _ in range(draw.randrange(4)):
            key = number << LIST_SHIFT | draw.getrandbits(LIST_SHIFT)
            filled, expiry_s = 1 + draw.getrandbits(9), now_s + draw.randrange(-2, 3)
            for state in (before, after):
                state.filled.put(key, filled, expiry_s)
    before.filled.begin_batch()


@pytest.mark.parametrize("first", range(0, WORLDS, AT_ONCE))
def test_random_worlds_lead_to_the_ledgers_words(first: int) -> None:
    kinds: set[str] = set()
    for seed in range(first, first + AT_ONCE):
        before, after, accepted, found = batch_of(seed)
        agrees(before, after, accepted)
        kinds |= found
    assert kinds == KINDS
