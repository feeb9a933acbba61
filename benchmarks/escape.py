"""Leaving after a freeze: a statement of the usual size, proven and paid for on L1, and 10,000 accounts rebuilt from
calldata."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import Row
from bulkhead.bridge.gas import GAS_MAX, floor_gas
from bulkhead.bridge.payouts import PayoutTree
from bulkhead.circuit.batch import MEDIUM, Lists, names_of, public_of
from bulkhead.circuit.escape_batch import USUAL
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.circuit.rebuild import Rebuilt
from bulkhead.circuit.words import account_words, key_of
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import Account, State
from bulkhead.ledger.tree import AccountTree
from bulkhead.node.leave import escape_key
from bulkhead.units import AccountId
from stark.prover import prove
from stark.split import split
from tests.circuit.batches import Recorder, play_all
from tests.contracts.escape import SCRIPT, Exit
from tests.contracts.machine import SENDER, word

ACCOUNTS = 10_000


def figure(name: str, value: float, unit: str, reference: float | str = "") -> Row:
    """A row; `reference` in the same unit, the ratio says how many times as fast or small ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def crowd(count: int) -> State:
    """A venue on which so many accounts hold none, one or two positions, far from each other in the tree."""
    player = Recorder()
    play_all(player, SCRIPT)
    maker = next(each for each in player.state.accounts.values() if len(each.positions) == 2)
    accounts = {}
    for place in range(count):
        number = AccountId(64 * (1 + place * 40_503 % 65_536 + 65_536 * (place % 7)))
        accounts[int(number)] = maker._replace(account_id=number, positions=maker.positions[: place % 3])
    return replace(player.state, accounts=accounts)


class Gas:
    """What transactions on the compiled machine cost. It counts calldata, but not the least that calldata costs."""

    def __init__(self, chain: Exit) -> None:
        self.total = self.last = self.most = self.octets = 0
        self._chain, self._call = chain, chain.machine.call
        chain.machine.call = self  # type: ignore[method-assign,assignment]

    def __call__(self, sender: str, address: str, calldata: bytes, value: int) -> bytes:
        answer = self._call(sender, address, calldata, value)
        self.last = max(self._chain.machine.gas, floor_gas(calldata))
        self.total, self.most = self.total + self.last, max(self.most, self.last)
        self.octets = max(self.octets, len(calldata))
        return answer


def leaving() -> list[Row]:
    """One statement of as many accounts as it holds."""
    state = crowd(USUAL.payouts)
    begun = time.perf_counter()
    [tables] = escape_traces(state, USUAL)
    filled = time.perf_counter()
    fixed = escape_key(state.config, USUAL, "onchain")
    ready = time.perf_counter()
    proof = prove(fixed, tables.public, tables.traces, threads=2)
    done = time.perf_counter()
    cut = split(fixed.key, tables.public, proof)
    chain = Exit(USUAL, fixed.key)
    chain.freeze(10**12, tables.public[0])
    gas = Gas(chain)
    answer = chain.call(chain.verifier, "open", [*tables.public, *cut.hints], cut.head)
    claim = [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]
    for number, part in enumerate(cut.parts):
        chain.call(chain.verifier, "answer", [*claim, number, part.hint], part.data)
    chain.give(tables.public)
    settled = gas.total
    payout = payouts_of(tables.public, USUAL)[0]
    assert payout is not None
    path = b"".join(PayoutTree(payouts_of(tables.public, USUAL)).path(0))
    words = b"".join(map(word, (0, 0, payout.owner, payout.amount))) + path
    chain.machine.call(SENDER, chain.escape, chain.selectors[chain.escape]["claim"] + words, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        figure(f"Escape of {USUAL.payouts} accounts, tables", filled - begun, "s"),
        figure(f"Escape of {USUAL.payouts} accounts, proof for the chain", done - ready, "s"),
        figure("Escape, peak memory", peak, "GiB"),
        figure("Escape, proof", len(proof), "bytes"),
        figure(f"Escape of {USUAL.payouts} accounts, in six transactions", settled, "gas"),
        figure("Escape, for an account", settled / USUAL.payouts, "gas"),
        figure("Escape, its dearest transaction (the most that one may take)", gas.most, "gas", GAS_MAX),
        figure("Escape, its largest transaction", gas.octets, "bytes"),
        figure("A claim after the escape, storage warm", gas.last, "gas", 150_000),
    ]


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
