"""From a deposit on L1 to a claim: real proofs of real batches, verified, read and settled in an EVM."""

from __future__ import annotations

import pytest

from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import HEAD, pack
from tests.contracts.bridge import COUNCIL, ESCAPE, FEE, VERSION, number_of
from tests.contracts.machine import Deployed, Machine, Reverted
from tests.contracts.story import DEPOSITOR, DOLLAR, NAMES, RECIPIENT, Proven, proven, sealed


class Settlement(Deployed):
    """All contracts with the verifier of the key, a token, and a depositor who has some."""

    def __init__(self, machine: Machine | None = None) -> None:
        key, batches = proven()
        super().__init__(key, statement_module(SMALL), machine)
        first = sealed()[0]
        self.token = self.deploy("testing/Token", [])
        self.custody = self.deploy("Custody", [self.token])
        self.reader = self.deploy("Reader", [self.verifier], [VERSION, SMALL.number])
        counters = first.counters
        numbers = [
            FEE, batches[0].public[0], counters.deposits, counters.withdrawals, counters.forced,
            counters.transactions, int(counters.fresh_after_ms), int(first.time_ms), counters.batches,
        ]  # fmt: skip
        doors = [1, VERSION, SMALL.number, number_of(self.reader)]
        addresses = [self.custody, ESCAPE, COUNCIL]
        words = [*numbers, 32 * (len(addresses) + len(numbers) + 1), *doors]
        self.rollup = self.deploy("Rollup", addresses, words)
        self.call(self.custody, "bind", [number_of(self.rollup)])
        self.machine.fund(DEPOSITOR, 10**24)
        self.call(self.token, "mint", [number_of(DEPOSITOR), 1000 * DOLLAR])
        self.call(self.token, "approve", [number_of(self.custody), 2**255], sender=DEPOSITOR)
        self.at(int(first.time_ms) // 1000 + 60)

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
        self.settle_bytes(pack(public, SMALL))

    def settle_bytes(self, packed: bytes) -> None:
        """The same, by what is published."""
        self.call(self.reader, "settle", [number_of(self.rollup)], packed)

    def balance(self, holder: str) -> int:
        """Units of the token."""
        return self.number(self.token, "balanceOf", int(holder, 16))


@pytest.fixture
def chain() -> Settlement:
    """A fresh deployment with the deposits that the batches credit."""
    return with_deposits()


def with_deposits(machine: Machine | None = None) -> Settlement:
    """The same, in a machine of its own."""
    made = Settlement(machine)
    taker, maker = (proven()[1][place].public[NAMES.index("deposit_account_0")] for place in (0, 1))
    made.deposit(taker, 300 * DOLLAR)
    made.deposit(maker, 5 * DOLLAR)
    return made


def test_from_deposit_to_claim(machine: Machine) -> None:
    chain = with_deposits(machine)
    first, second = proven()[1]
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


def test_what_is_not_proven_does_not_settle(chain: Settlement) -> None:
    first, second = proven()[1]
    with pytest.raises(Reverted, match="reader: not proven"):
        chain.settle(first.public)
    chain.prove(first)
    for place in range(0, HEAD, 7):
        false = [value + (index == place) for index, value in enumerate(first.public)]
        with pytest.raises(Reverted, match="reader: not proven"):
            chain.settle(false)
    packed = pack(first.public, SMALL)
    for at in range(len(packed)):  # every byte of what is published
        with pytest.raises(Reverted, match="^reader: "):
            chain.settle_bytes(packed[:at] + bytes([packed[at] ^ 1 << at % 8]) + packed[at + 1 :])
    chain.prove(second)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(second.public)  # before the first
    chain.settle(first.public)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(first.public)  # twice


def test_a_batch_whose_transactions_are_left_out_or_another_batchs_does_not_settle(chain: Settlement) -> None:
    """In any order they prove it, but each must be there, after its head, and of the same proof."""
    first, second = proven()[1]
    parts = first.split.parts
    unopened = chain.call(chain.opening, "open", [*first.public, *first.split.hints], first.split.head)
    claim = [int.from_bytes(unopened[at : at + 32], "big") for at in range(0, len(unopened), 32)]
    with pytest.raises(Reverted, match="^verifier: not opened$"):
        chain.call(chain.verifier, "answer", [*claim, 0, parts[0].hint], parts[0].data)
    assert chain.open(first.public, first.split) == claim
    for number in reversed(range(len(parts))):
        with pytest.raises(Reverted, match="^reader: not proven$"):
            chain.settle(first.public)
        foreign = second.split.parts[number]
        with pytest.raises(Reverted, match="^queries: "):
            chain.call(chain.verifier, "answer", [*claim, number, foreign.hint], foreign.data)
        chain.call(chain.verifier, "answer", [*claim, number, parts[number].hint], parts[number].data)
    chain.settle(first.public)
    assert chain.number(chain.rollup, "state") == first.public[NAMES.index("state_after")]


def test_words_of_the_deployer_are_the_first_state() -> None:
    chain = Settlement()
    assert chain.number(chain.rollup, "state") == proven()[1][0].public[0]
