"""The escape's contract on a rollup that froze: with a verifier that believes everything, or the one of a key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from bulkhead.bridge.payouts import PayoutTree
from bulkhead.circuit.escape_batch import (
    NOBODY_LEFT,
    PAYOUT,
    SINGLE,
    EscapeShape,
    Payout,
    escape_module,
    escape_of,
    payouts_of,
)
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from stark.emit import emit
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prover import prove
from stark.split import Split, split
from tests.circuit.batches import Recorder, play_all
from tests.contracts.bridge import BELIEVER, DEPOSITORS, FORCED_DEADLINE, OWNERS, Batch, Bridge, number_of
from tests.contracts.machine import Machine, as_code, compiled

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=4, log_final=4, part_queries=3)
SHAPE = EscapeShape(
    log_rules=10, log_programs=11, log_records=7, log_tree=8, log_poseidon=11, log_numbers=10, log_payouts=1
)
FIRST, MIDDLE = 77, 78  # roots of accounts, where nobody looks at what they are made of
FINAL = 1001  # the state after the one batch that is settled
TAKER, MAKER, OTHER = OWNERS
SCRIPT = f"""
register maker set.l1_owner={MAKER}     ok
register taker set.l1_owner={TAKER}     ok
register other set.l1_owner={OTHER}     ok
deposit  maker 100000 ok
deposit  taker 5000   ok
deposit  other 12.5   ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
configure taker BTC isolated 10x                    ok
trade    maker sell taker 0.1 ETH @ 3000    ok
trade    maker sell taker 0.001 BTC @ 50000         ok
tick BTC 52000 ETH 2900 XRP 0.5 LTC 50 EOS 5 ok
"""


class Exit(Bridge):
    """A bridge whose rollup names an escape."""

    def __init__(self, shape: EscapeShape = SHAPE, key: Key | None = None, machine: Machine | None = None):
        self.shape, self.key = shape, key
        self.verifier = self.escape = ""
        super().__init__(machine=machine)

    def escaping(self) -> str:
        """Deploys it, behind a verifier."""
        if self.key is None:
            self.verifier = self.machine.deploy(BELIEVER)
        else:
            emitted = emit(self.key)
            data = [number_of(self.machine.deploy(as_code(each))) for each in [*emitted.tapes, emitted.constants]]
            opening = self.place(compiled("verifier/Opening", emitted.shape), data)
            queries = self.place(compiled("verifier/Queries", emitted.shape), [])
            pages = self.place(compiled("verifier/Pages", emitted.shape), [])
            pure = [number_of(opening), number_of(queries), number_of(pages)]
            self.verifier = self.place(compiled("Verifier", emitted.shape), pure)
        words = [number_of(self.custody), number_of(self.verifier)]
        self.escape = self.place(compiled("Escape", "", "", escape_module(self.shape)), words)
        return self.escape

    def freeze(self, deposited: int, state: int = FINAL) -> None:
        """The rollup ends at a state whose accounts hold so much."""
        self.call(self.token, "mint", [number_of(DEPOSITORS[0]), deposited])
        batch = Batch([self.deposit(64, deposited)], changed=[(7, 7)])
        self.submit(self.values(batch) | {"state_after": state})
        self.head = self.after(batch)._replace(state=state)
        self.request()
        self.later(FORCED_DEADLINE + 1)
        self.call(self.rollup, "freeze", [])

    def said(self, before: int, after: int, payouts: Sequence[Payout], **changed: int) -> list[int]:
        """A statement of a made-up state."""
        values = {"state": FINAL, "accounts_start": FIRST, "accounts_before": before, "accounts_after": after}
        listed = [element for payout in payouts for element in (*payout, 1)]
        listed += [0] * (len(PAYOUT) * self.shape.payouts - len(listed))
        elements = [*((values | changed).get(name, 5) for name in SINGLE), *listed]
        for place in range(self.shape.payouts):
            for field, name in enumerate(PAYOUT):
                at = len(SINGLE) + len(PAYOUT) * place + field
                elements[at] = changed.get(f"{name}_{place}", elements[at])
        return elements

    def give(self, said: Sequence[int]) -> None:
        """Give the escape a statement."""
        self.call(self.escape, "settle", said)

    def claim(self, number: int, said: Sequence[int], at: int, **changed: int) -> None:
        """Claim the payout at a place of a statement, or say something else of it."""
        payout = payouts_of(said, self.shape)[at] or Payout(0, 0, 0)
        words = {"chunk": number, "place": at, "owner": payout.owner, "amount": payout.amount} | changed
        path = PayoutTree(payouts_of(said, self.shape)).path(at)
        self.call(self.escape, "claim", [*words.values(), *(int.from_bytes(each, "big") for each in path)])


class Proven(NamedTuple):
    """The last state of a venue, and all statements of its escape with their proofs."""

    state: State
    root: int
    key: Key
    statements: list[list[int]]
    splits: list[Split]


@cache
def proven() -> Proven:
    """Once for all tests of a process."""
    player = Recorder()
    play_all(player, SCRIPT)
    state = player.state
    tree = AccountTree({account_id: leaf_of(account) for account_id, account in state.accounts.items()})
    fixed = prepare(escape_of(state.config, SHAPE), SHAPE.log_heights, QUICK)
    statements, splits = [], []
    for public, traces in escape_traces(state, SHAPE):
        proof = prove(fixed, public, traces, threads=2)
        statements.append(public)
        splits.append(split(fixed.key, public, proof))
    assert statements[-1][SINGLE.index("accounts_after")] == NOBODY_LEFT
    return Proven(state, commitment(state, tree.root), fixed.key, statements, splits)
