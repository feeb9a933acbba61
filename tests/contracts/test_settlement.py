"""From a deposit on L1 to a claim: real proofs of real batches, verified, read and settled in an EVM."""

from __future__ import annotations

import pytest

from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import HEAD, pack
from stark.prime import PRIME
from stark.steps import Head
from tests.contracts.bridge import COUNCIL, ESCAPE, FEE, VERSION, number_of
from tests.contracts.machine import Deployed, Machine, Reverted, word
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
        claim = self.open(batch.split.said, batch.split)
        for number, part in enumerate(batch.split.parts):
            self.call(self.verifier, "answer", [*claim, number, part.hint], part.data)
        for page, listed in enumerate(batch.split.pages):
            self.call(self.verifier, "publish", [*claim, page], listed)

    def settle(self, public: list[int]) -> None:
        """Move the state."""
        elements, changed = public[: len(NAMES)], public[len(NAMES) :]
        self.settle_bytes(SMALL.listing.digests(changed), pack(elements, SMALL))

    def settle_bytes(self, digests: list[int], packed: bytes) -> None:
        """The same, by what is published."""
        self.call(self.reader, "settle", [number_of(self.rollup), *digests], packed)

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
    for place in range(HEAD):  # S, counters, times, batch, chain, version, shape
        false = [value + (index == place) for index, value in enumerate(first.public)]
        with pytest.raises(Reverted, match="reader: not proven"):
            chain.settle(false)
    packed, digests = pack(first.public[: len(NAMES)], SMALL), first.split.said[len(NAMES) :]
    for at in range(len(packed)):  # every byte of what is published
        with pytest.raises(Reverted, match="^reader: "):
            chain.settle_bytes(digests, packed[:at] + bytes([packed[at] ^ 1 << at % 8]) + packed[at + 1 :])
    for page, digest in enumerate(digests):
        for false in (0, digest ^ 1, digest + 1):
            with pytest.raises(Reverted, match="^reader: not proven$"):
                chain.settle_bytes([*digests[:page], false, *digests[page + 1 :]], packed)
    chain.prove(second)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(second.public)  # before the first
    chain.settle(first.public)
    with pytest.raises(Reverted, match="rollup: another state"):
        chain.settle(first.public)  # twice


def test_a_batch_whose_transactions_are_left_out_or_another_batchs_does_not_settle(chain: Settlement) -> None:
    """In any order they prove it, but each must be there, after its head, and of the same proof."""
    first, second = proven()[1]
    parts, [page], said = first.split.parts, first.split.pages, first.split.said
    unopened = chain.call(chain.opening, "open", [*said, *first.split.hints], first.split.head)
    claim = [int.from_bytes(unopened[at : at + 32], "big") for at in range(0, len(unopened), 32)]
    with pytest.raises(Reverted, match="^verifier: not opened$"):
        chain.call(chain.verifier, "answer", [*claim, 0, parts[0].hint], parts[0].data)
    assert chain.open(said, first.split) == claim
    for number in reversed(range(len(parts))):
        with pytest.raises(Reverted, match="^reader: not proven$"):
            chain.settle(first.public)
        foreign = second.split.parts[number]
        with pytest.raises(Reverted, match="^queries: "):
            chain.call(chain.verifier, "answer", [*claim, number, foreign.hint], foreign.data)
        chain.call(chain.verifier, "answer", [*claim, number, parts[number].hint], parts[number].data)
    with pytest.raises(Reverted, match="^reader: not proven$"):
        chain.settle(first.public)
    for place in range(len(page)):  # every byte of what changed
        with pytest.raises(Reverted, match="^pages: other bytes$"):
            spoiled = page[:place] + bytes([page[place] ^ 1 << place % 8]) + page[place + 1 :]
            chain.call(chain.verifier, "publish", [*claim, 0], spoiled)
    chain.call(chain.verifier, "publish", [*claim, 0], page)
    chain.settle(first.public)
    assert chain.number(chain.rollup, "state") == first.public[NAMES.index("state_after")]


def test_every_kind_of_word_of_a_real_proofs_head_is_checked(chain: Settlement) -> None:
    """The first and the last of each: spoiled, and where the word has room for it, as the prime more."""
    key, (batch, _) = proven()
    head = Head.of(key)
    ends = [0, head.bus_root, head.totals[0], head.composition_root, *head.levels, head.pieces, head.layer_roots,
            head.last, head.words - 1, head.words]  # fmt: skip
    places = {place for start, end in zip(ends, ends[1:], strict=False) for place in (start, end - 1)}
    assert len(places) > len(ends)
    aliases = 0
    for place in sorted(places):
        old = int.from_bytes(batch.split.head[32 * place : 32 * place + 32], "big")
        for value in (old ^ 1 << place % 251, old + PRIME):
            if value >= 2**256:
                continue
            spoiled = batch.split.head[: 32 * place] + word(value) + batch.split.head[32 * place + 32 :]
            with pytest.raises(Reverted, match="^(opening|queries): "):
                claim = chain.open(batch.split.said, batch.split._replace(head=spoiled))
                part = batch.split.parts[0]
                chain.call(chain.verifier, "answer", [*claim, 0, part.hint], part.data)
            aliases += value >= PRIME
    assert aliases >= len(head.levels)
    chain.prove(batch)


def test_words_of_the_deployer_are_the_first_state() -> None:
    chain = Settlement()
    assert chain.number(chain.rollup, "state") == proven()[1][0].public[0]
