"""Every invariant says so when it is broken, and nothing else is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bulkhead.ledger.invariants import violations
from bulkhead.ledger.state import Choice, Kind, Mode, State, put_account
from bulkhead.rules.terms import Position
from tests.ledger.world import MAKER, TAKER, World


def traded() -> World:
    """A maker who is short and an isolated child that is long."""
    world = World()
    world.must(world.a_configure(3, 0, 1, 0, 1))
    world.must(world.a_trade(0, 3, 1, 1_000, 500))
    return world


def leaf(account_id: int, **changes: Any) -> Callable[[State], None]:
    """Change a leaf past the ledger."""
    return lambda state: put_account(state, state.accounts[account_id]._replace(**changes))


def fund(**changes: Any) -> Callable[[State], None]:
    return lambda state: state.funds.update({1: state.funds[1]._replace(**changes)})


def market(**changes: Any) -> Callable[[State], None]:
    return lambda state: state.markets.update({1: state.markets[1]._replace(**changes)})


def custody(state: State) -> None:
    state.custody[1] = -1


def forget_holder(state: State) -> None:
    state.holders[1].pop(MAKER)


def stale_risk(state: State) -> None:
    state.risks[1] = state.risks[1]._replace(price=5)


def stale_index(state: State) -> None:
    state.indices[1] = 5


CHILD = TAKER + 1
BROKEN = {
    "a balance from nothing": (leaf(MAKER, balance=7), ["I1"]),
    "collateral from nothing": (leaf(MAKER, collateral=((3, 5),)), ["I1"]),
    "an insurance fund in debt": (fund(insurance=-1), ["I2", "I1"]),
    "dust below zero": (fund(dust=-1), ["I2", "I1"]),
    "custody below zero": (custody, ["I2", "I1"]),
    "open interest that nobody holds": (market(open_interest=7), ["I3"]),
    "a budget below zero": (market(lost=-1), ["I4"]),
    "an empty position": (leaf(TAKER, positions=(Position(2, 0, 0, 0),)), ["I5"]),
    "an empty collateral": (leaf(TAKER, collateral=((3, 0),)), ["I5"]),
    "too many collaterals": (leaf(TAKER, collateral=tuple((place, 0) for place in range(3, 8))), ["I5", "I5"]),
    "a child of the wrong kind": (leaf(CHILD, kind=Kind.MAIN), ["I6"]),
    "a child without a parent": (leaf(CHILD, parent_id=999), ["I6", "I6"]),
    "a child in another market": (leaf(CHILD, parent_id=MAKER), ["I6", "I6"]),
    "a position in two modes": (leaf(MAKER, choices=(Choice(1, Mode.ISOLATED, 0, 0),)), ["I7"]),
    "a forgotten holder": (forget_holder, ["I8"]),
    "a risk of another price": (stale_risk, ["I8"]),
    "an index of another hour": (stale_index, ["I8"]),
}


def test_nothing_is_broken_before() -> None:
    assert violations(traded().state) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_invariant_is_named(name: str) -> None:
    state = traded().state
    breaks, ids = BROKEN[name]
    breaks(state)
    found = [line.partition(":")[0] for line in violations(state)]
    assert found[: len(ids)] == ids and set(found) <= {*ids, "I1", "I8"}
