"""The embedded L1: a block on disk, opening it again, and a million gas natively and by the specification."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks import Row
from bulkhead.bridge.chain import Chain, Fees, Prepared
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from tests.bridge.chains import DEPLOYER, STRANGER, embedded, token_on
from tests.bridge.world import deployed, proven, system

COUNT = 300
PRICE = Fees(10**12, 1)


def figure(name: str, value: float, unit: str, reference: float | str = "") -> Row:
    """A row; `reference` in the same unit, the ratio says how many times as fast ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def mints(chain: Chain, token: Contract) -> list[Prepared]:
    """Transactions, each of which writes a new word."""
    nonce = chain.nonce(str(DEPLOYER.address))
    return [
        chain.prepare(
            DEPLOYER, token.address, token.data("mint", f"0x{number + 1:040x}", 5),
            gas=100_000, nonce=nonce + number, fees=PRICE,
        )
        for number in range(COUNT)
    ]  # fmt: skip


def sending(path: Path | None) -> tuple[Embedded, float]:
    """A chain of so many blocks, and milliseconds for each."""
    node = embedded(path)
    chain = Chain(EmbeddedProvider(node))
    prepared = mints(chain, token_on(chain))
    begun = time.perf_counter()
    for each in prepared:
        chain.send(each)
    return node, (time.perf_counter() - begun) / COUNT * 1000


def verifying(is_native: bool) -> float:
    """Seconds for a million gas of a small proof's head, the pure contract alone."""
    node = embedded()
    chain = Chain(EmbeddedProvider(node))
    door = deployed(chain, system()).door(1, 7)
    if not is_native:
        node.machine.natives.contracts.clear()
    opening, told = Contract(chain, door.opening.address, door.opening.abi), proven()
    data = opening.data("open", told.public, told.split.hints, told.split.head)
    prepared = chain.prepare(STRANGER, opening.address, data, gas=5_000_000)
    begun = time.perf_counter()
    chain.send(prepared)
    seconds = time.perf_counter() - begun
    receipt = chain.receipt(prepared.hash)
    assert receipt is not None and receipt.succeeded
    return seconds / receipt.gas_used * 1e6


def run() -> list[Row]:
    """Every figure of the embedded L1."""
    memory, quick = sending(None)
    memory.close()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chain.sqlite")
        node, slow = sending(path)
        node.close()
        begun = time.perf_counter()
        node = embedded(path)
        opening = (time.perf_counter() - begun) * 1000
        node.close()
    native, plain = verifying(True), verifying(False)
    return [
        figure("Embedded L1: a payment of tokens, each in a block on disk (in memory)", slow, "ms", quick),
        figure(f"Embedded L1: opening {COUNT} blocks", opening, "ms"),
        figure("Embedded L1: a million gas of a verifier, natively (by the specification)", native, "s", plain),
    ]
