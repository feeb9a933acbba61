"""Two batches with real proofs, and the states around them: what settlement and rebuilding are tested with."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from bulkhead.circuit.batch import SMALL, circuit_of, names_of
from bulkhead.circuit.trace import Tables, trace
from bulkhead.circuit.venue import provable
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.receipt import Receipt
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Deposit, Transaction
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prover import prove
from stark.split import Split, split
from tests.contracts.bridge import number_of
from tests.play import Player

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=4, log_final=4, part_queries=3)
NAMES = names_of(SMALL)
DEPOSITOR, RECIPIENT = "0x" + "22" * 20, 0xABC  # whom the ledger scripts pay
DOLLAR = 1_000_000
FIRST = """
deposit  taker 300         ok
wait 2s
transfer taker maker 20    ok
withdraw taker 250         ok
"""
SECOND = """
wait 3s
deposit  maker 5           ok
withdraw maker 25          ok
"""


class Sealed(NamedTuple):
    """A batch as tables, and the state after it."""

    tables: Tables
    after: State

    @property
    def public(self) -> list[int]:
        """Its statement."""
        return self.tables.public


class Proven(NamedTuple):
    """A batch with its proof, cut for the chain."""

    public: list[int]
    split: Split
    after: State


class Depositing(Player):
    """A player of a venue that settles with proofs: deposits come from L1, and what was accepted is kept."""

    def __init__(self) -> None:
        usual = Player().config
        switched = {
            name: "on" if value else "off"
            for name, value in provable(usual)._asdict().items()
            if value != getattr(usual, name)
        }
        super().__init__(switched)
        self.accepted: list[tuple[Transaction, Receipt]] = []

    def send(self, transaction: Transaction) -> str:
        if isinstance(transaction, Deposit):
            transaction = replace(transaction, depositor=number_of(DEPOSITOR))
        said = super().send(transaction)
        if said == "ok":
            self.accepted.append((transaction, self.receipts[-1]))
        return said


@cache
def sealed() -> tuple[State, list[Sealed]]:
    """The state at the beginning, and the batches."""
    player = Depositing()
    for line in ("register maker ok", "register taker ok"):
        player.play(line)
    sealer = Sealer(player.state)
    sealer.seal([])  # registering has no circuit yet: both exist before the first batch
    first = deepcopy(player.state)
    batches = []
    for script in (FIRST, SECOND):
        before = deepcopy(player.state)
        player.accepted.clear()
        for line in script.strip().splitlines():
            player.play(line)
        sealer.seal(player.accepted)
        tables = trace(before, player.state, [transaction for transaction, _ in player.accepted], SMALL)
        batches.append(Sealed(tables, deepcopy(player.state)))
    return first, batches


@cache
def proven() -> tuple[Key, list[Proven]]:
    """The system's key, and the batches with their proofs: once for all tests of a process."""
    first, batches = sealed()
    fixed = prepare(circuit_of(first.config, SMALL), SMALL.log_heights, QUICK)
    made = []
    for public, traces, after in ((*batch.tables, batch.after) for batch in batches):
        proof = prove(fixed, public, traces, threads=2)
        made.append(Proven(public, split(fixed.key, public, proof), after))
    return fixed.key, made
