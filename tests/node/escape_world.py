"""An exchange on an embedded L1 with real calldata, whose operator is then gone: for tests of rebuilding and leaving.

Batches are believed there, not proven, which is tested elsewhere; the escape is proven and verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bulkhead.bridge.artifacts import (
    SystemArtifacts,
    compile_contracts,
    compile_escape,
    compile_sources,
    sources_folder,
)
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.record import Deployment
from bulkhead.circuit.batch import SMALL, circuit_of, names_of
from bulkhead.circuit.escape_batch import EscapeShape, escape_module
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack
from bulkhead.circuit.trace import trace
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import State, genesis
from bulkhead.ledger.tx import Deposit, Transaction
from bulkhead.node.leave import Terms, escape_key
from bulkhead.units import TimeMs
from stark.emit import emit
from stark.key import Key
from stark.parameters import Parameters
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, ROLES, STRANGER, on_anvil
from tests.circuit.batches import Recorder, play_all
from tests.parse import START_MS
from tests.shared import made_once

FEE = 10**15
WEEK = 7 * 86_400
QUICK = Parameters(log_blowup=2, queries=6, grinding_bits=4, log_final=4, part_queries=3)
NAMES = names_of(SMALL)
TINY = EscapeShape(
    log_rules=10, log_programs=11, log_records=7, log_tree=8, log_poseidon=11, log_numbers=10, log_payouts=1
)
TERMS = Terms((TINY,), "test", 2)
FIRST = f"""
register maker set.l1_owner={DEPOSITOR.address}     ok
register taker set.l1_owner={STRANGER.address}      ok
deposit  maker 100000 ok
deposit  taker 5000   ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
configure taker BTC isolated 10x                    ok
"""
SECOND = """
wait 2s
trade    maker sell taker 0.1 ETH @ 3000    ok
trade    maker sell taker 0.001 BTC @ 50000         ok
tick BTC 52000 ETH 2900 XRP 0.5 LTC 50 EOS 5 ok
"""


class Depositing(Recorder):
    """A player whose deposits come from L1."""

    def send(self, transaction: Transaction) -> str:
        if isinstance(transaction, Deposit):
            transaction = replace(transaction, depositor=int(DEPOSITOR.address, 16))
        return super().send(transaction)


class Story(NamedTuple):
    """An exchange's beginning, the statements of its batches, and its last state."""

    config: VenueConfig
    time_ms: TimeMs
    root: int
    statements: list[list[int]]
    last: State


@cache
def story() -> Story:
    """Two batches."""
    player = Depositing()
    config, time_ms = player.config, player.state.time_ms
    before = genesis(config, time_ms)
    sealer = Sealer(player.state)
    statements = []
    for script in (FIRST, SECOND):
        player.accepted.clear()
        play_all(player, script)
        sealer.seal(player.accepted)
        tables = trace(before, player.state, [transaction for transaction, _ in player.accepted], SMALL)
        statements.append(tables.public)
        before = deepcopy(player.state)
    return Story(config, time_ms, Sealer(genesis(config, time_ms)).root, statements, before)


@cache
def compiled() -> tuple[SystemArtifacts, SystemArtifacts]:
    """Contracts that believe in batches, and the escape's."""
    return made_once("contracts of the escape's world", _compiled)


def _compiled() -> tuple[SystemArtifacts, SystemArtifacts]:
    with tempfile.TemporaryDirectory() as folder:
        batches = Key(circuit_of(story().config, SMALL), SMALL.log_heights, QUICK, bytes(32))
        made = compile_contracts(batches, statement_module(SMALL), shape=SMALL.number, cache=Path(folder))
        modules = {"shape.vy": emit(batches).shape}
        believer = compile_sources(sources_folder(), {"Believer": "testing/Believer.vy"}, modules)["Believer"]
        key = escape_key(story().config, TINY, "test").key
        leaving = compile_escape(key, escape_module(TINY), cache=Path(folder))
        assert compile_escape(key, escape_module(TINY), cache=Path(folder)) == leaving  # from the file
    believing = {**made.contracts, "Verifier": believer._replace(name="Verifier", abi=made.contracts["Verifier"].abi)}
    return made._replace(contracts=believing), leaving


@cache
def claim_words() -> int:
    """How many words a claim of these batches has; here they mean nothing."""
    entry = next(each for each in compiled()[0].contracts["Verifier"].abi if each.get("name") == "publish")
    return int(entry["inputs"][0]["type"].removeprefix("uint256[").removesuffix("]"))


class World:
    """Contracts on a fresh chain: the embedded one, or anvil beside it."""

    def __init__(self, embedded: Embedded, chain: Chain | None = None):
        self.embedded = embedded
        self.chain = chain or Chain(EmbeddedProvider(embedded))
        self.deployment: Deployment = self._deploy()

    def _deploy(self) -> Deployment:
        systems, leaving = compiled()
        begun = genesis(story().config, story().time_ms)
        counters = {name: int(value) for name, value in begun.counters._asdict().items()}
        counters["time_ms"] = int(begun.time_ms)
        beginning = Beginning(story().root, counters, begun.counters.batches, str(DEPLOYER.address), FEE)
        return deploy(self.chain, DEPLOYER, [systems], beginning, escape=leaving)

    def contract(self, name: str) -> Contract:
        """One of the deployment's."""
        place = self.deployment.places()[name]
        return Contract(self.chain, place.address, place.abi)

    def deposit(self, account: int, amount: int) -> None:
        """Into the queue, by the one who has tokens."""
        self.contract("custody").transact(DEPOSITOR, "deposit", account, amount)

    def settle(self, batches: Sequence[tuple[list[int], int]] = ()) -> None:
        """Deposits and both batches; each may be given, with its version."""
        token = self.contract("token")
        token.transact(DEPOSITOR, "mint", DEPOSITOR.address, 10**12)
        token.transact(DEPOSITOR, "approve", self.deployment.custody.address, 2**255)
        for account, amount in ((256, 100_000_000_000), (320, 5_000_000_000)):
            self.deposit(account, amount)
        claim = [0] * claim_words()
        for number, (statement, version) in enumerate(batches or [(each, 1) for each in story().statements]):
            door = next(each for each in self.deployment.every_door if each.version == version)
            reader, verifier = (Contract(self.chain, each.address, each.abi) for each in (door.reader, door.verifier))
            elements, changed = statement[: len(NAMES)], statement[len(NAMES) :]
            [page], digests = SMALL.listing.pack(changed), SMALL.listing.digests(changed)
            settle = (self.deployment.rollup.address, digests, pack(elements, SMALL))
            if number:  # in one transaction, and in two
                reader.transact(DEPLOYER, "publish_and_settle", *settle, claim, 0, page)
            else:
                verifier.transact(DEPLOYER, "publish", claim, 0, page)
                reader.transact(DEPLOYER, "settle", *settle)

    def wait(self, seconds: int) -> None:
        """Time passes on L1."""
        self.chain.ask("evm_increaseTime", seconds)
        self.chain.ask("evm_mine")


@contextmanager
def world(kind: str = "embedded") -> Iterator[World]:
    """A fresh one, on the days of the ledger's scripts. `kind`: the embedded chain, or anvil."""
    start_s = START_MS // 1000
    balances = {str(role.address): 1000 * ETHER for role in ROLES}
    embedded = Embedded.open(None, lambda: start_s, new_chain(balances, start_s, CHAIN_ID))
    try:
        if kind == "embedded":
            yield World(embedded)
        else:
            with on_anvil(embedded) as chain:
                yield World(embedded, chain)
    finally:
        embedded.close()
