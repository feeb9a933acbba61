"""Leaving after a freeze: 10,000 accounts settled by proven statements of the large shape, and a statement of the usual
one, proven and paid for on L1; and 10,000 accounts rebuilt from calldata.

Accounts are numbered as those who sign up one after the other, and hold none, one or two positions; their money and
positions are drawn, so that hardly any word is that of another account. The large statements take some 7 GiB.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from eth_abi.abi import encode

from benchmarks import Row
from bulkhead.bridge.gas import GAS_MAX, floor_gas
from bulkhead.bridge.payouts import PayoutTree
from bulkhead.bridge.statements import CALLDATA_BYTES
from bulkhead.circuit.batch import MEDIUM, Lists, names_of, public_of
from bulkhead.circuit.escape_batch import LARGE, NOBODY_LEFT, SINGLE, USUAL, EscapeShape, payouts_of
from bulkhead.circuit.escape_payouts import Payout
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.circuit.rebuild import Rebuilt
from bulkhead.circuit.words import account_words, key_of
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import Account, State
from bulkhead.ledger.tree import AccountTree
from bulkhead.node.leave import escape_key
from bulkhead.units import AccountId, FundingIndex, Quote
from stark.prover import prove
from stark.split import Split, split
from tests.circuit.batches import Recorder, play_all
from tests.contracts.escape import SCRIPT, Exit
from tests.contracts.machine import SENDER, word

ACCOUNTS = 10_000
FEW = 700  # what the usual shape holds of such accounts


def figure(name: str, value: float, unit: str, reference: float | str = "") -> Row:
    """A row; `reference` in the same unit, the ratio says how many times as fast or small ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def crowd(count: int) -> State:
    """A venue on which so many accounts hold none, one or two positions."""
    player, draw = Recorder(), random.Random(7)
    play_all(player, SCRIPT)
    like = next(each for each in player.state.accounts.values() if len(each.positions) == 2)
    accounts = {}
    for place in range(count):
        number = AccountId(64 * (4 + place))
        positions = tuple(
            held._replace(
                size=type(held.size)(draw.randrange(1, 10**6) * draw.choice((1, -1))),
                funding_index=FundingIndex(int(held.funding_index) + draw.randrange(10**6)),
                cost=Quote(draw.randrange(10**9)),
            )
            for held in like.positions[: place % 3]
        )
        accounts[int(number)] = like._replace(
            account_id=number, positions=positions, owner_key=draw.getrandbits(250), l1_owner=draw.getrandbits(160),
            balance=Quote(draw.randrange(10**6, 10**11)),
        )  # fmt: skip
    return replace(player.state, accounts=accounts)


class Sent(NamedTuple):
    """One transaction: what it did, its calldata's bytes, and its gas."""

    step: str
    octets: int
    gas: int


class Chain(Exit):
    """What transactions cost on the compiled machine, which does not count the least that calldata costs."""

    def __init__(self, shape: EscapeShape, cut: Split, key: object) -> None:
        super().__init__(shape, key)  # type: ignore[arg-type]
        self.sent: list[Sent] = []

    def send(self, step: str, address: str, name: str, static: Sequence[int], data: bytes | None = None) -> bytes:
        """One transaction."""
        return self.send_data(step, address, self.calldata(address, name, static, data))

    def send_data(self, step: str, address: str, data: bytes) -> bytes:
        """The same, its calldata given."""
        answer = self.machine.call(SENDER, address, data, 0)
        self.sent.append(Sent(step, len(data), max(self.machine.gas, floor_gas(data))))
        return answer


def batches(state: State) -> list[list[int]]:
    """Statements, not proven, that make the accounts of a state from none, as many as each has room for."""
    made, tree = [], AccountTree()
    grown = replace(state, accounts={})
    waiting = list(state.accounts.values())
    root = commitment(grown, tree.root)
    while waiting:
        changed: list[tuple[int, int]] = []
        taken: list[Account] = []
        while waiting and len(changed) + len(account_words(waiting[-1])) <= MEDIUM.changes:
            taken.append(waiting.pop())
            words = account_words(taken[-1])
            changed += [(key_of(int(taken[-1].account_id), number), value) for number, value in words.items() if value]
        tree.update({int(each.account_id): leaf_of(each) for each in taken})
        before, root = root, commitment(grown, tree.root)
        values = dict.fromkeys(names_of(MEDIUM), 0) | {"state_before": before, "state_after": root}
        made.append(public_of(values, Lists([], [], [], changed), MEDIUM))
    return made


def rebuilding() -> list[Row]:
    """All accounts from the words of statements, each step checked against S."""
    state = crowd(ACCOUNTS)
    statements: Sequence[Sequence[int]] = batches(state)
    rebuilt = Rebuilt(replace(state, accounts={}), MEDIUM)
    begun = time.perf_counter()
    for statement in statements:
        rebuilt.follow(statement)
    seconds = time.perf_counter() - begun
    assert rebuilt.state.accounts == state.accounts
    name = f"Rebuild of {len(state.accounts):,} accounts from {len(statements)} statements"
    return [figure(name, seconds, "s", 60)]


def run() -> list[Row]:
    """Both."""
    return [*rebuilding(), *leaving()]
