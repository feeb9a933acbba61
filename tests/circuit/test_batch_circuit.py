"""The circuit of a batch beside the ledger: what the ledger seals is proven, and nothing else is."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache

import pytest

from bulkhead.circuit.batch import SMALL, Shape, circuit_of
from bulkhead.circuit.play import NotProvable
from bulkhead.circuit.trace import Tables, trace
from bulkhead.ledger.batch import Batch, Sealer
from bulkhead.ledger.receipt import Receipt
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Transaction
from stark.air.check import check
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.prover import prove
from stark.verifier import verify
from tests.play import Player
from tests.stark.mutation import unnoticed

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=0, log_final=2)
START = """
register maker      ok
register taker      ok
deposit  maker 1000 ok
deposit  taker 50   ok
"""
BATCH = """
deposit  taker 0.000001     ok
wait 3s
withdraw maker 250          ok
transfer maker taker 100    ok
deposit  maker 7            ok
wait 1s
withdraw taker 150          ok
"""


class Recorder(Player):
    """A player that keeps what was accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: list[tuple[Transaction, Receipt]] = []

    def send(self, transaction: Transaction) -> str:
        said = super().send(transaction)
        if said == "ok":
            self.accepted.append((transaction, self.receipts[-1]))
        return said


class Sealed:
    """A batch, and the states on both sides of it."""

    def __init__(self, script: str, start: str = START):
        player = Recorder()
        for line in start.strip().splitlines():
            player.play(line)
        sealer = Sealer(player.state)
        sealer.seal([])
        self.before: State = deepcopy(player.state)
        player.accepted.clear()
        for line in script.strip().splitlines():
            player.play(line)
        self.transactions = [transaction for transaction, _ in player.accepted]
        self.batch: Batch = sealer.seal(player.accepted)
        self.after: State = player.state

    def tables(self, shape: Shape = SMALL) -> Tables:
        """The circuit's tables."""
        return trace(self.before, self.after, self.transactions, shape)


@cache
def sealed() -> Sealed:
    """The batch above."""
    return Sealed(BATCH)


def test_what_the_ledger_seals_satisfies_the_circuit() -> None:
    one = sealed()
    tables = one.tables()
    system = circuit_of(one.before.config, SMALL)
    assert [str(each) for each in check(system, tables.public, tables.traces)] == []
    statement = one.batch.statement
    assert tables.public[:2] == [statement.state_before, statement.state_after]
    assert system.columns() <= 160


def test_a_batch_is_proven() -> None:
    one = sealed()
    tables = one.tables()
    fixed = prepare(circuit_of(one.before.config, SMALL), SMALL.log_heights, QUICK)
    proof = prove(fixed, tables.public, tables.traces, threads=2)
    assert verify(fixed.key, tables.public, proof) is None
    for place in range(0, len(tables.public), 5):  # another statement with the same proof
        false = [value + (index == place) for index, value in enumerate(tables.public)]
        assert verify(fixed.key, false, proof) is not None, place


def test_every_cell_of_the_rules_matters() -> None:
    one = sealed()
    tables = one.tables()
    system = circuit_of(one.before.config, SMALL)
    others = dict.fromkeys((table.chip.name for table in system.tables if table.chip.name != "rules"), 0)
    assert unnoticed(system, tables.public, tables.traces, others) == []


@pytest.mark.parametrize("seed", range(5))
def test_random_batches_agree_with_the_ledger(seed: int) -> None:
    draw = random.Random(seed)
    lines, names = [], ("maker", "taker")
    for _ in range(20):
        one, other = draw.sample(names, 2)
        amount = draw.choice(("0.000001", "1", "10.5", "33"))
        verb = draw.choice(("deposit {0}", "transfer {0} {1}", "withdraw {0}"))
        lines.append(f"{verb.format(one, other)} {amount} ok")
        if draw.random() < 0.4:
            lines.append(f"wait {draw.randrange(5)}s")
    batch = Sealed("\n".join(lines), START + "deposit taker 1000 ok\n")
    tables = batch.tables()
    assert not list(check(circuit_of(batch.before.config, SMALL), tables.public, tables.traces))


def test_orders_expire_between_batches() -> None:
    """An entry of an earlier batch is left out by the one in whose time it expires."""
    start = START + "withdraw maker 5 expiry=60 ok\nwithdraw maker 6 expiry=9000 ok\n"
    batch = Sealed("wait 61s\ndeposit taker 1 ok", start)
    assert len(batch.before.filled) == 2 and len(batch.after.filled) == 1
    tables = batch.tables()
    assert not list(check(circuit_of(batch.before.config, SMALL), tables.public, tables.traces))


@pytest.mark.parametrize("line", ["register owner", "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5"])
def test_what_has_no_circuit_is_named(line: str) -> None:
    with pytest.raises(NotProvable, match="has no circuit yet"):
        Sealed(f"{line} ok").tables()
