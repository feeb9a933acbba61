"""Every L1 there is to test against: the embedded chain, the same over HTTP, anvil where its program is found, and the
node that BULKHEAD_TEST_L1 names by URL.

That node is one for tests: it grants ether and takes back what was done (`anvil_setBalance`, `evm_snapshot`,
`evm_revert`), has the chain id and rules of the others, and serves one run of the tests at a time.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import shared_artifacts
from bulkhead.bridge.chain import Chain, signer_of
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.embedded.node import Embedded, Genesis
from bulkhead.bridge.embedded.provider import EmbeddedProvider, serving
from bulkhead.bridge.errors import Unreachable
from bulkhead.bridge.open import new_chain
from tests.programs import find_anvil

ETHER = 10**18
CHAIN_ID = 31_337
START_S = 1_800_000_000
DEPLOYER, DEPOSITOR, STRANGER = (signer_of("0x" + digit * 64) for digit in "123")
ROLES = (DEPLOYER, DEPOSITOR, STRANGER)


NODE = os.environ.get("BULKHEAD_TEST_L1")
KINDS = ("embedded", "embedded by URL", *(["anvil"] if find_anvil() else []), *(["node by URL"] if NODE else []))


def embedded(path: Path | None = None, *, automine: bool = True) -> Embedded:
    """A chain whose clock stands still: only blocks, and what a test says, move it."""
    return Embedded.open(path, lambda: START_S, genesis(), automine=automine)


def genesis() -> Genesis:
    """Everybody has ether."""
    return new_chain({str(role.address): 1000 * ETHER for role in ROLES}, START_S, CHAIN_ID)


@contextmanager
def running(kind: str) -> Iterator[Chain]:
    """A fresh chain of a kind."""
    if kind == "anvil":
        with _anvil() as url:
            yield _granted(Chain.connect(url))
        return
    if kind == "node by URL":
        assert NODE is not None
        chain = Chain.connect(NODE)
        before = chain.ask("evm_snapshot")
        try:
            yield _granted(chain)
        finally:
            chain.ask("evm_setAutomine", True)  # a snapshot does not hold it
            chain.ask("evm_revert", before)
        return
    made = embedded()
    try:
        if kind == "embedded":
            yield Chain(EmbeddedProvider(made))
        else:
            with serving(made) as url:
                yield Chain.connect(url)
    finally:
        made.close()


@contextmanager
def on_anvil(source: Embedded, *, automine: bool = True) -> Iterator[Chain]:
    """Anvil with the blocks of an embedded chain: the same transactions at the same seconds, so the same contracts."""
    begun = source.store.block(0)
    assert begun is not None
    with _anvil(begun.fields["timestamp"]) as url:
        chain = _granted(Chain.connect(url))
        for number in range(1, source.tip.number + 1):
            block = source.store.block(number)
            assert block is not None
            chain.ask("evm_setNextBlockTimestamp", hex(block.fields["timestamp"]))
            for each in source.store.transactions(number):
                chain.ask("eth_sendRawTransaction", "0x" + each.raw.hex())
                chain.wait(each.hash)  # anvil answers before there is a block
            assert chain.head().number == number, "a block of the embedded chain has not one transaction"
        chain.ask("evm_setAutomine", automine)
        yield chain


def _granted(chain: Chain) -> Chain:
    """A node for tests on which everybody has ether."""
    for role in ROLES:
        chain.ask("anvil_setBalance", str(role.address), hex(1000 * ETHER))
    return chain


@contextmanager
def _anvil(begins_s: int | None = None) -> Iterator[str]:
    program = find_anvil()
    assert program is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It enforces the cap of a transaction's gas only when told to.
    options = ["--hardfork", "osaka", "--enable-tx-gas-limit", "--gas-limit", "60000000", "--chain-id", str(CHAIN_ID)]
    if begins_s is not None:
        options += ["--timestamp", str(begins_s)]
    process = subprocess.Popen([program, "--silent", "--port", str(port), *options])
    try:
        for _ in range(100):
            try:
                Chain.connect(f"http://127.0.0.1:{port}")
                break
            except Unreachable:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def token_on(chain: Chain, signer: LocalAccount = DEPLOYER) -> Contract:
    """The token of test networks, freshly deployed."""
    artifact = shared_artifacts()["Token"]
    receipt = chain.transact(signer, None, artifact.code)
    assert receipt.created is not None
    return Contract(chain, receipt.created, artifact.abi)


@cache
def word(value: int) -> bytes:
    """A number as a log's topic."""
    return value.to_bytes(32, "big")
