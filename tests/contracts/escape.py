"""The escape's contract on a rollup that froze: with a verifier that believes everything, or the one of a key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from bulkhead.bridge.payouts import PayoutTree
from bulkhead.circuit.escape_batch import (
    NOBODY_LEFT,
    SINGLE,
    EscapeShape,
    escape_module,
    escape_of,
    payouts_of,
)
from bulkhead.circuit.escape_payouts import Payout, listed
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from stark.emit import emit
from stark.fixed import prepare
from stark.keccak import keccak256
from stark.key import Key
from stark.parameters import Parameters
from stark.prover import prove
from stark.split import Split, split
from tests.circuit.batches import Recorder, play_all
from tests.contracts.bridge import BELIEVER, DEPOSITORS, FORCED_DEADLINE, OWNERS, Batch, Bridge, number_of
from tests.contracts.machine import Machine, as_code, compiled
from tests.contracts.statement import PROOFS

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=4, log_final=4, part_queries=3)
SHAPE = EscapeShape(
    log_rules=10, log_programs=11, log_records=7, log_tree=8, log_poseidon=11, log_numbers=10, log_payouts=1,
    page_bytes=300,
)  # fmt: skip
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


class Statement(NamedTuple):
    """Of an escape: its words, and the pages whose digests are the last of them."""

    said: list[int]
    pages: list[bytes]
    payouts: list[list[Payout]]  # by page

    def digests(self) -> list[int]:
        """Of its pages."""
        return [int.from_bytes(keccak256(page), "big") for page in self.pages]


class Exit(Bridge):
    """A bridge whose rollup names an escape."""

    def __init__(self, shape: EscapeShape = SHAPE, key: Key | None = None, machine: Machine | None = None):
        self.shape, self.key = shape, key
        self.proofs = PROOFS.replace("= 300", f"= {shape.page_bytes}")
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
            self.proofs = emitted.shape
        self.escape = self.another(self.verifier)
        return self.escape

    def another(self, verifier: str) -> str:
        """An escape of this custody that takes a verifier's word."""
        words = [number_of(self.custody), number_of(verifier)]
        return self.place(compiled("Escape", self.proofs, "", escape_module(self.shape)), words)

    def freeze(self, deposited: int, state: int = FINAL) -> None:
        """The rollup ends at a state whose accounts hold so much."""
        self.call(self.token, "mint", [number_of(DEPOSITORS[0]), deposited])
        batch = Batch([self.deposit(64, deposited)], changed=[(7, 7)])
        self.submit(self.values(batch) | {"state_after": state})
        self.head = self.after(batch)._replace(state=state)
        self.request()
        self.later(FORCED_DEADLINE + 1)
        self.call(self.rollup, "freeze", [])

    def said(self, before: int, after: int, payouts: Sequence[Payout], **changed: int) -> Statement:
        """A statement of a made-up state."""
        values = {"state": FINAL, "accounts_start": FIRST, "accounts_before": before, "accounts_after": after}
        return statement_of([*((values | changed).get(name, 5) for name in SINGLE), *listed(payouts)], self.shape)

    def read(self, page: bytes) -> None:
        """Give the escape a page."""
        self.call(self.escape, "read", [], page)

    def give(self, statement: Statement) -> None:
        """Give the escape a statement, and its pages before it."""
        for page in statement.pages:
            self.read(page)
        self.call(self.escape, "settle", statement.said)

    def claim(self, page: int, listed: Sequence[Payout], at: int, **changed: int) -> None:
        """Claim the payout at a place of a page, or say something else of it."""
        payout = listed[at] if at < len(listed) else Payout(0, 0, 0)
        words = {"chunk": page, "place": at, "owner": payout.owner, "amount": payout.amount} | changed
        path = PayoutTree(listed, self.shape.log_payouts).path(min(at, len(listed) - 1))
        self.call(self.escape, "claim", [*words.values(), *(int.from_bytes(each, "big") for each in path)])


def statement_of(public: Sequence[int], shape: EscapeShape) -> Statement:
    """A statement as the contract knows it, from its elements and what it lists."""
    behind = public[len(SINGLE) :]
    said = [*public[: len(SINGLE)], *shape.listing.digests(behind)]
    return Statement(said, shape.listing.pack(behind), payouts_of(public, shape))


class Proven(NamedTuple):
    """The last state of a venue, and all statements of its escape with their proofs."""

    state: State
    root: int
    key: Key
    statements: list[Statement]
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
        statements.append(statement_of(public, SHAPE))
        splits.append(split(fixed.key, public, proof))
    assert statements[-1].said[SINGLE.index("accounts_after")] == NOBODY_LEFT
    return Proven(state, commitment(state, tree.root), fixed.key, statements, splits)
