"""Random worlds: whatever the ledger accepts on a venue that can be proven, the circuit leads to the same words."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from bulkhead.circuit.venue import provable
from bulkhead.ledger.batch import close
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
    if look is not None:
        look(before, world.state, accepted)
    close(world.state)
    return before, world.state, accepted, {type(each).__name__ for each in accepted}


@pytest.mark.parametrize("first", range(0, WORLDS, AT_ONCE))
def test_random_worlds_lead_to_the_ledgers_words(first: int) -> None:
    kinds: set[str] = set()
    for seed in range(first, first + AT_ONCE):
        before, after, accepted, found = batch_of(seed)
        agrees(before, after, accepted)
        kinds |= found
    assert kinds == KINDS
