"""The circuit of a batch beside the ledger: what the ledger seals is proven, and nothing else is."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest

from bulkhead.circuit.batch import SMALL, circuit_of
from bulkhead.circuit.rebuild import Rebuilt
from bulkhead.circuit.trace import trace
from bulkhead.circuit.venue import NotProvable, venue_of
from bulkhead.ledger.batch import close
from bulkhead.ledger.state import State, genesis
from stark.air.check import check
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.prover import prove
from stark.verifier import verify
from tests.circuit.batches import SCRIPTS, START, Recorder, Sealed, lenient
from tests.play import Player
from tests.stark.mutation import unnoticed

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=0, log_final=2)
BATCH = """
deposit  taker 0.000001     ok
wait 3s
withdraw maker 250          ok
transfer maker taker 100    ok
deposit  maker 7            ok
wait 1s
withdraw taker 150          ok
"""
# One withdrawal and one deposit fit a small table, whose every cell can be changed in turn.
TINY = SMALL._replace(
    log_rules=9, log_orders=3, log_records=7, log_tree=7, log_poseidon=11, log_signatures=9, log_plates=7, plates=()
)
# A whole script of the ledger's: the longest, of forced requests, takes 11,923 rows of rules.
LONG = SMALL._replace(log_rules=14, log_signatures=13, queue=32, forced=32, changes=256)


@cache
def sealed() -> Sealed:
    """The batch above."""
    return Sealed(BATCH)


def test_what_the_ledger_seals_satisfies_the_circuit() -> None:
    one = sealed()
    assert one.problems() == []
    statement = one.batch.statement
    assert one.tables().public[:2] == [statement.state_before, statement.state_after]
    assert circuit_of(one.before.config, SMALL).columns() <= 160


def test_a_batch_is_proven() -> None:
    one = sealed()
    tables = one.tables()
    fixed = prepare(circuit_of(one.before.config, SMALL), SMALL.log_heights, QUICK)
    proof = prove(fixed, tables.public, tables.traces, threads=2)
    assert verify(fixed.key, tables.public, proof) is None
    for place in range(0, len(tables.public), 9):  # another statement with the same proof
        false = [value + (index == place) for index, value in enumerate(tables.public)]
        assert verify(fixed.key, false, proof) is not None, place


def test_every_cell_of_the_rules_matters() -> None:
    """On a sample of rows that has every kind of instruction: what no rule of the row notices, a bus does."""
    one = Sealed("deposit taker 5 ok\nwithdraw maker 250 ok")
    tables = one.tables(TINY)
    system = circuit_of(one.before.config, TINY)
    sample = dict.fromkeys((table.chip.name for table in system.tables), 0) | {"rules": 24}
    assert unnoticed(system, tables.public, tables.traces, sample) == []


@pytest.mark.parametrize("seed", range(5))
def test_random_payments_agree_with_the_ledger(seed: int) -> None:
    draw = random.Random(seed)
    lines, names = [], ("maker", "taker")
    for _ in range(20):
        one, other = draw.sample(names, 2)
        amount = draw.choice(("0.000001", "1", "10.5", "33"))
        verb = draw.choice(("deposit {0}", "transfer {0} {1}", "withdraw {0}"))
        lines.append(f"{verb.format(one, other)} {amount} ok")
        if draw.random() < 0.4:
            lines.append(f"wait {draw.randrange(5)}s")
    assert Sealed("\n".join(lines), START + "deposit taker 1000 ok\n").problems() == []


def test_orders_expire_in_the_lists_that_a_batch_touches() -> None:
    """An entry of an earlier batch is left out by one that enters something beside it, once its time is over."""
    start = START + "withdraw maker 5 expiry=60 ok\nwithdraw maker 6 expiry=9000 ok\n"
    touching = "wait 61s\nwithdraw maker 7 expiry=3600 ok\nwithdraw maker 8 expiry=5 ok\nwait 6s\ndeposit taker 1 ok"
    keys = [key for key, _, _ in Sealed("\n".join(touching.splitlines()[:2]), start).after.filled]

    class Beside(Sealed):
        """Old entries stand beside the one that the batch makes."""

        def begin(self, state: State) -> None:
            for key in keys:
                for other, expiry_s in ((key ^ 1, state.time_ms // 1000 + 60), (key ^ 2, state.time_ms // 1000 + 9000)):
                    state.filled.put(other, 5, expiry_s)

    batch = Beside(touching, start)
    assert (len(batch.before.filled), len(batch.after.filled)) == (8, 8)  # one is new, one goes
    assert batch.problems() == []
    rebuilt = Rebuilt(deepcopy(batch.before), SMALL)
    rebuilt.follow(batch.tables().public)  # what is forgotten follows from what is published
    assert tuple(rebuilt.state.filled) == tuple(batch.after.filled)
    untouched = Beside("wait 99s\ndeposit taker 1 ok", start)
    assert tuple(untouched.before.filled) == tuple(untouched.after.filled)
    assert untouched.problems() == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_of_the_ledger_leads_to_the_same_root(path: Path) -> None:
    """From the genesis to the script's end as one batch, on a venue that can be proven; and rebuilt from its words."""
    player = lenient(path)
    first = genesis(player.config, Player().state.time_ms)
    transactions = [transaction for transaction, _ in player.accepted]
    before, after = genesis(player.config, first.time_ms), player.state
    close(after)
    shape = LONG
    tables = trace(before, after, transactions, shape)
    assert [str(each) for each in check(circuit_of(player.config, shape), tables.public, tables.traces)] == []
    rebuilt = Rebuilt(first, shape)
    rebuilt.follow(tables.public)
    assert rebuilt.state.accounts == after.accounts and rebuilt.state.markets == after.markets


def test_what_has_no_circuit_is_named() -> None:
    with pytest.raises(NotProvable, match="scenario_accounts switched off"):
        venue_of(Player().config)
    with pytest.raises(NotProvable, match="one asset"):
        venue_of(Recorder({"assets": "EUR"}).config)


def test_a_batch_that_touches_no_account_is_shown_by_one_that_stays() -> None:
    line = "tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok"
    assert Sealed(line).problems() == []
    assert Sealed(line, "wait 1s\n").problems() == []  # not even the backstop exists
