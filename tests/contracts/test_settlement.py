"""From a deposit on L1 to a claim: the thin slice of settlement, with real proofs of real batches in an EVM."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import NamedTuple

import pyrevm
import pytest

from bulkhead.circuit.batch import SMALL, circuit_of, names_of
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.rebuild import RebuildError, Rebuilt
from bulkhead.circuit.trace import trace
from bulkhead.circuit.words import MONEY
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.state import State
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prover import prove
from stark.split import Split, split
from tests.circuit.test_batch_circuit import Recorder
from tests.contracts.machine import SENDER, Deployed, Reverted

QUICK = Parameters(log_blowup=3, queries=6, grinding_bits=4, log_final=4, parts=2)
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


class Proven(NamedTuple):
    """A batch with its proof, cut for the chain."""

    public: list[int]
    split: Split
    after: State


class Story(NamedTuple):
    """The state at the beginning, the system's key, and two proven batches."""

    first: State
    key: Key
    batches: list[Proven]


@cache
def story() -> Story:
    """Proven once for all tests of this file."""
    player = Recorder()
    for line in ("register maker ok", "register taker ok"):
        player.play(line)
    sealer = Sealer(player.state)
    sealer.seal([])
    first = deepcopy(player.state)
    fixed = prepare(circuit_of(first.config, SMALL), SMALL.log_heights, QUICK)
    batches = []
    for script in (FIRST, SECOND):
        before = deepcopy(player.state)
        player.accepted.clear()
        for line in script.strip().splitlines():
            player.play(line)
        sealer.seal(player.accepted)
        tables = trace(before, player.state, [transaction for transaction, _ in player.accepted], SMALL)
        proof = prove(fixed, tables.public, tables.traces, threads=2)
        batches.append(Proven(tables.public, split(fixed.key, tables.public, proof), deepcopy(player.state)))
    return Story(first, fixed.key, batches)


class Settlement(Deployed):
    """All contracts, a token, and a depositor who has some."""

    def __init__(self, believes: bool = False) -> None:
        """`believes`: with a verifier that answers yes to everything, to see what the rollup refuses by itself."""
        told = story()
        super().__init__(told.key, statement_module(SMALL))
        if believes:
            self.verifier = self.evm.deploy(SENDER, bytes.fromhex("600a600c600039600a6000f3600160005260206000f3"))
        first = told.first
        self.token = self.deploy("testing/Token", [])
        self.custody = self.deploy("Custody", [self.token])
        counters = first.counters
        numbers = [
            told.batches[0].public[0], counters.deposits, counters.withdrawals, counters.forced,
            counters.transactions, counters.batches, int(counters.fresh_after_ms), int(first.time_ms),
        ]  # fmt: skip
        self.rollup = self.deploy("Rollup", [self.verifier, self.custody], numbers)
        self.call(self.custody, "bind", [int(self.rollup, 16)])
        self.evm.set_balance(DEPOSITOR, 10**24)
        self.call(self.token, "mint", [int(DEPOSITOR, 16), 1000 * DOLLAR])
        self.call(self.token, "approve", [int(self.custody, 16), 2**255], sender=DEPOSITOR)
        self.at(int(first.time_ms) // 1000 + 60)

    def at(self, time_s: int) -> None:
        """Let it be this second on L1."""
        block = self.evm.env.block
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=time_s, gas_limit=block.gas_limit))

    def deposit(self, account: int, amount: int) -> None:
        """A deposit into the queue."""
        self.call(self.custody, "deposit", [account, amount], sender=DEPOSITOR)

    def prove(self, batch: Proven) -> None:
        """Give the verifier the whole proof."""
        claim = self.open(batch.public, batch.split)
        for number, part in enumerate(batch.split.parts):
            self.call(self.verifier, "answer", [*claim, number, part.hint], part.data)

    def settle(self, public: list[int]) -> None:
        """Move the state."""
        self.call(self.rollup, "settle", public)

    def number(self, address: str, method: str, *arguments: int) -> int:
        """What a contract answers."""
        return int.from_bytes(self.call(address, method, list(arguments))[:32], "big")

    def balance(self, holder: str) -> int:
        """Units of the token."""
        return self.number(self.token, "balanceOf", int(holder, 16))


@pytest.fixture
def chain() -> Settlement:
    """A fresh deployment with the deposits that the batches credit."""
    made = Settlement()
    taker, maker = (story().batches[place].public[NAMES.index("deposit_account_0")] for place in (0, 1))
    made.deposit(taker, 300 * DOLLAR)
    made.deposit(maker, 5 * DOLLAR)
    return made


def changed(public: list[int], **values: int) -> list[int]:
    """A statement with some elements changed."""
    made = list(public)
    for name, value in values.items():
        made[NAMES.index(name)] = value
    return made


def test_from_deposit_to_claim(chain: Settlement) -> None:
    first, second = story().batches
    for batch in (first, second):
        chain.prove(batch)
        chain.settle(batch.public)
        assert chain.number(chain.rollup, "state") == batch.public[NAMES.index("state_after")]
    recipient = "0x" + f"{RECIPIENT:040x}"
    assert chain.number(chain.custody, "claimable", RECIPIENT) == 275 * DOLLAR
    chain.call(chain.custody, "claim", [RECIPIENT])
    assert chain.balance(recipient) == 275 * DOLLAR
    assert chain.balance(chain.custody) == 30 * DOLLAR == second.after.custody[1]
    assert chain.balance(DEPOSITOR) == 695 * DOLLAR
    with pytest.raises(Reverted, match="custody: nothing to claim"):
        chain.call(chain.custody, "claim", [RECIPIENT])


def test_the_state_is_rebuilt_from_calldata() -> None:
    rebuilt = Rebuilt(deepcopy(story().first), SMALL)
    for batch in story().batches:
        rebuilt.follow(batch.public)
        assert rebuilt.state.accounts == batch.after.accounts
        assert rebuilt.state.custody == batch.after.custody
        assert rebuilt.state.filled.entries == batch.after.filled.entries
        assert rebuilt.state.counters == batch.after.counters
        assert rebuilt.root == batch.public[NAMES.index("state_after")]
    with pytest.raises(RebuildError, match="begins at another state"):
        rebuilt.follow(story().batches[0].public)


def test_words_that_do_not_fit_are_named() -> None:
    """A balance that is not the proven one; a word that no circuit changes; an account that does not exist."""
    public = story().batches[0].public
    keys = [public[NAMES.index(f"changed_key_{place}")] for place in range(SMALL.changes)]
    money = next(place for place, key in enumerate(keys) if key % 2**32 == MONEY and key < 2**64)
    for values, match in (
        ({f"changed_value_{money}": public[NAMES.index(f"changed_value_{money}")] + 2**64}, "do not lead"),
        ({f"changed_used_{money}": 0}, "do not lead"),
        ({f"changed_key_{money}": keys[money] + 1}, "no circuit changes"),
        ({f"changed_key_{money}": keys[money] + 2**40}, "no circuit changes"),
    ):
        rebuilt = Rebuilt(deepcopy(story().first), SMALL)
        with pytest.raises(RebuildError, match=match):
            rebuilt.follow(changed(public, **values))


def test_what_is_not_proven_does_not_settle(chain: Settlement) -> None:
    first, second = story().batches
    with pytest.raises(Reverted, match="rollup: not proven"):
        chain.settle(first.public)
    chain.prove(first)
    for place in range(0, len(NAMES), 7):
        false = [value + (index == place) for index, value in enumerate(first.public)]
        with pytest.raises(Reverted, match="rollup: not proven"):
            chain.settle(false)
    chain.prove(second)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(second.public)  # before the first
    chain.settle(first.public)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(first.public)  # twice


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"deposits_before": 1}, "deposits before"),
        ({"withdrawals_before": 1}, "withdrawals before"),
        ({"forced": 1}, "forced requests"),
        ({"transactions_before": 0}, "transactions before"),
        ({"batches_before": 5}, "batch number"),
        ({"fresh_after_ms": 1}, "fresh after"),
        ({"time_ms_before": 1}, "time before"),
        ({"time_ms_after": 1}, "time after"),
        ({"time_ms_after": 1 << 50}, "time after"),
        ({"time_ms_after": (1 << 50) - 1}, "ahead of its time"),
        ({"now_s": 0}, "rollup: now"),
        ({"transactions_after": 0}, "transactions after"),
        ({"transactions_after": 1 << 30}, "transactions after"),
        ({"changed_used_3": 2}, "changed word"),
        ({"deposits_after": 0, "deposit_used_0": 0}, "another deposit"),
        ({"deposits_after": 17}, "deposits after"),
        ({"deposits_after": 3, "deposit_used_2": 1}, "another deposit|no such deposit"),
        ({"deposit_amount_0": 301 * DOLLAR}, "another deposit"),
        ({"deposit_account_0": 640}, "another deposit"),
        ({"deposit_used_0": 2}, "deposits used"),
        ({"deposit_used_15": 1}, "deposits used"),
        ({"withdrawals_after": 0}, "payments used"),
        ({"withdrawals_after": 17}, "withdrawals after"),
        ({"paid_recipient_0": 0}, "rollup: recipient"),
        ({"paid_recipient_0": 1 << 160}, "rollup: recipient"),
        ({"paid_amount_0": 0}, "rollup: amount"),
        ({"paid_amount_0": 1 << 63}, "rollup: amount"),
        ({"paid_used_0": 0}, "payments used"),
        ({"paid_amount_1": 1}, "payments not used"),
    ],
)
def test_the_rollup_compares_a_statement_with_l1(values: dict[str, int], match: str) -> None:
    chain = Settlement(believes=True)
    chain.deposit(story().batches[0].public[NAMES.index("deposit_account_0")], 300 * DOLLAR)
    with pytest.raises(Reverted, match=match):
        chain.settle(changed(story().batches[0].public, **values))
    chain.settle(story().batches[0].public)


def test_custody_takes_what_is_sound(chain: Settlement) -> None:
    for account, amount, match in (
        (0, 1, "account"), (65, 1, "account"), (1 << 32, 1, "account"), (64, 0, "amount"), (64, 1 << 63, "amount"),
    ):  # fmt: skip
        with pytest.raises(Reverted, match=f"custody: {match}"):
            chain.deposit(account, amount)
    chain.call(chain.token, "keep", [1])
    with pytest.raises(Reverted, match="the token kept a part"):
        chain.deposit(64, 5)
    for method, arguments in (("take", [1]), ("pay", [RECIPIENT, 1])):
        with pytest.raises(Reverted, match="not the rollup"):
            chain.call(chain.custody, method, arguments)
    with pytest.raises(Reverted, match="custody: bound"):
        chain.call(chain.custody, "bind", [1])
    with pytest.raises(Reverted, match="not the deployer"):
        chain.call(chain.custody, "bind", [1], sender=DEPOSITOR)


def test_words_of_the_deployer_are_the_first_state() -> None:
    chain = Settlement()
    assert chain.number(chain.rollup, "state") == story().batches[0].public[0]
