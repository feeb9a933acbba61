"""Leaving after a freeze: 10,000 accounts settled by proven statements of the large shape, and a statement of the usual
one, proven and paid for on L1; and 10,000 accounts rebuilt from calldata.

Accounts are numbered as those who sign up one after the other, and hold none, one or two positions; their money and
positions are drawn, so that hardly any word is that of another account. The large statements take some 7 GiB.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from eth_abi.abi import encode

from benchmarks import Row
from bulkhead.bridge.gas import GAS_MAX, floor_gas
from bulkhead.bridge.payouts import PayoutTree
from bulkhead.bridge.statements import CALLDATA_BYTES
from bulkhead.circuit.batch import MEDIUM, Lists, names_of, public_of
from bulkhead.circuit.escape_batch import LARGE, USUAL, EscapeShape, payouts_of
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


class Statement(NamedTuple):
    """One statement: its payouts by page, seconds for tables and proof, the proof's bytes, and its transactions."""

    pages: list[list[Payout]]
    filling_s: float
    proving_s: float
    octets: int
    sent: list[Sent]

    @property
    def accounts(self) -> int:
        """How many it settles."""
        return sum(map(len, self.pages))


class Leaving(Exit):
    """What transactions cost on the compiled machine, which does not count the least that calldata costs."""

    def settle(self, said: Sequence[int], cut: Split) -> Iterator[Sent]:
        """Open with the last part, answer the other ones, publish the pages through the escape, and settle."""
        last = len(cut.parts) - 1
        part = cut.parts[last]
        kinds = [f"uint256[{len(said)}]", f"uint256[{len(cut.hints)}]"]
        kinds += ["bytes", "uint256", "uint256", "bytes", "uint256", "bytes"]
        values = [said, cut.hints, cut.head, last, part.hint, part.data, 0, b""]
        answer = yield from self._send("open, with a part", self.verifier, "begin", encode(kinds, values))
        claim = b"".join(answer[at : at + 32] for at in range(0, len(answer), 32))
        for number, part in enumerate(cut.parts[:last]):
            arguments = _behind(claim, [number, part.hint], part.data)
            yield from self._send("answer", self.verifier, "answer", arguments)
        for number, page in enumerate(cut.pages):
            yield from self._send("publish", self.escape, "publish", _behind(claim, [number], page))
        yield from self._send("settle", self.escape, "settle", b"".join(map(word, said)))

    def claimed(self, page: Sequence[Payout], place: int) -> Iterator[Sent]:
        """Claim a payout of the first page."""
        payout = page[place]
        path = b"".join(PayoutTree(page, self.shape.log_payouts).path(place))
        words = b"".join(map(word, (0, place, payout.owner, payout.amount)))
        yield from self._send("claim", self.escape, "claim", words + path)

    def _send(self, step: str, address: str, name: str, arguments: bytes) -> Generator[Sent, None, bytes]:
        data = self.selectors[address][name] + arguments
        answer = self.machine.call(SENDER, address, data, 0)
        yield Sent(step, len(data), max(self.gas, floor_gas(data)))
        return answer


def _behind(claim: bytes, numbers: Sequence[int], data: bytes) -> bytes:
    """The arguments of a call: a claim, numbers, and bytes."""
    words = [*numbers, len(claim) + 32 * (len(numbers) + 1), len(data)]
    return claim + b"".join(map(word, words)) + data + bytes(-len(data) % 32)


def settled(state: State, shape: EscapeShape) -> tuple[list[Statement], Sent]:
    """All statements of a state, from tables to the last transaction; and a claim."""
    fixed = escape_key(state.config, shape, "onchain")
    chain, made = Leaving(shape, fixed.key), []
    root = commitment(state, AccountTree({number: leaf_of(held) for number, held in state.accounts.items()}).root)
    chain.freeze(10**15, root)
    begun = time.perf_counter()
    for public, traces in escape_traces(state, shape):
        filled = time.perf_counter()
        proof = prove(fixed, public, traces, threads=2, consume=True)
        done = time.perf_counter()
        cut = split(fixed.key, public, proof)
        sent = list(chain.settle(cut.said, cut))
        made.append(Statement(payouts_of(public, shape), filled - begun, done - filled, len(proof), sent))
        begun = time.perf_counter()
    total = sum(held.amount for each in made for page in each.pages for held in page)
    assert chain.number(chain.escape, "is_finished") == 1 and chain.number(chain.escape, "total") == total
    page = made[0].pages[0]
    [claim] = chain.claimed(page, next(place for place, held in enumerate(page) if held.amount))
    return made, claim


def leaving() -> Iterator[Row]:
    """Few accounts by the usual shape, and many by the large one."""
    every, claims = [], []
    for count, shape in ((FEW, USUAL), (ACCOUNTS, LARGE)):
        made, claim = settled(crowd(count), shape)
        sent = [each for statement in made for each in statement.sent]
        gas, name, first = sum(each.gas for each in sent), f"Escape of {count:,} accounts", made[0]
        yield figure(f"{name}: statements", len(made), "")
        yield figure(f"{name}: settled by the first", first.accounts, "accounts")
        yield figure(f"{name}: transactions", len(sent), "")
        yield figure(f"{name}: in all", gas, "gas")
        yield figure(f"{name}: an account", gas / count, "gas")
        yield figure(f"{name}: the first statement", sum(each.gas for each in first.sent), "gas")
        for step in dict.fromkeys(each.step for each in first.sent):
            alike = [each for each in first.sent if each.step == step]
            yield figure(f"{name}: {step}, {len(alike)} of the first's", sum(each.gas for each in alike), "gas")
        yield figure(f"{name}: calldata", sum(each.octets for each in sent), "bytes")
        yield figure(f"{name}: a proof", first.octets, "bytes")
        yield figure(f"{name}: tables of the first", first.filling_s, "s")
        yield figure(f"{name}: its proof for the chain", first.proving_s, "s")
        yield figure(f"{name}: peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "GiB", 10)
        every += sent
        claims.append(claim)
    dearest, largest = max(each.gas for each in every), max(each.octets for each in every)
    yield figure("Escape, its dearest transaction (the most that one may take)", dearest, "gas", GAS_MAX)
    yield figure("Escape, its largest transaction", largest, "bytes", CALLDATA_BYTES)
    yield figure("A claim after the escape, storage warm", max(each.gas for each in claims), "gas", 150_000)


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
