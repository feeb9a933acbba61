"""Batches of trades on chain: proven under the profile for it, verified by their contracts, settled, by the rules of
Osaka on the embedded L1. The large one takes some 15 GiB and three minutes.

Beside a proof's bytes stands how many are expected from its key, with positions drawn at random.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import Row
from benchmarks.circuit import HELD_BY, batch
from bulkhead.bridge.artifacts import compile_contracts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.gas import floor_gas
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.statements import Asked, Proving
from bulkhead.circuit.batch import CIRCUIT_VERSION, LARGE, MEDIUM, Shape, circuit_of, names_of
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import ONCHAIN
from stark.prime import WORD_BYTES
from stark.prover import prove
from stark.split import Split, split
from stark.steps import Head
from tests.bridge.chains import CHAIN_ID, DEPLOYER, ETHER

STARKEX = 426  # gas a trade, published; one proof of many proofs, and batches of thousands
DRAWS = 20
COUNTERS = ("deposits", "withdrawals", "forced", "transactions", "fresh_after_ms", "time_ms")


class Sent(NamedTuple):
    """One transaction: what it did, its calldata's bytes, its gas, and the least that such calldata costs."""

    step: str
    octets: int
    gas: int
    floor: int


class Settled(NamedTuple):
    """A batch that L1 took: how many bytes its proof and its pages have, seconds, and its transactions in order."""

    trades: int
    key: Key
    octets: int
    listed: int
    seconds: float
    sent: list[Sent]


def settled(shape: Shape) -> Settled:
    """As many trades as a shape holds, from tables to the last transaction."""
    trades = HELD_BY[shape]
    sealed = batch(trades)
    tables = sealed.tables(shape)
    fixed = prepare(circuit_of(sealed.before.config, shape), shape.log_heights, ONCHAIN, 2)
    begun = time.perf_counter()
    proof = prove(fixed, tables.public, tables.traces, threads=2, consume=True)
    seconds = time.perf_counter() - begun
    cut = split(fixed.key, tables.public, proof)
    said = dict(zip(names_of(shape), tables.public, strict=False))
    listed = sum(map(len, cut.pages))
    sent = list(_transactions(fixed.key, shape, said, cut))
    return Settled(trades, fixed.key, len(proof), listed, seconds, sent)


def _transactions(key: Key, shape: Shape, said: dict[str, int], cut: Split) -> Iterator[Sent]:
    """Deploy all contracts where the statement begins, then what settlement sends."""
    now_s = said["now_s"] + 60
    genesis = new_chain({str(DEPLOYER.address): 1000 * ETHER}, said["now_s"], CHAIN_ID)
    node = Embedded.open(None, lambda: now_s, genesis)
    chain = Chain(EmbeddedProvider(node))
    made = compile_contracts(key, statement_module(shape), version=CIRCUIT_VERSION, shape=shape.number)
    counters = {name: said[f"{name}_before"] for name in COUNTERS}
    beginning = Beginning(said["state_before"], counters, said["batches_before"], str(DEPLOYER.address))
    deployment = deploy(chain, DEPLOYER, [made], beginning)
    [door] = deployment.doors
    verifier, reader = (Contract(chain, each.address, each.abi) for each in (door.verifier, door.reader))
    proving, packed = Proving(verifier, cut), pack(list(said.values()), shape)
    claim, asked = proving.claim(), proving.opening()
    yield _sent(verifier, asked, "opened, with a part and a page")
    missing = proving.missing(claim)
    assert missing is not None
    while (last := proving.settling(reader, deployment.rollup.address, packed, missing, claim)) is None:
        asked, number = proving.supply(claim, missing)
        yield _sent(verifier, asked, f"{asked.name} {asked.arguments[1] + 1}")
        missing -= 1 << number
    yield _sent(reader, last, last.name.replace("_", " "))
    assert deployment.contract(chain, "rollup").call("state") == said["state_after"]
    node.close()


def _sent(contract: Contract, asked: Asked, step: str) -> Sent:
    receipt = contract.transact(DEPLOYER, asked.name, *asked.arguments)
    data = contract.data(asked.name, *asked.arguments)
    return Sent(step, len(data), receipt.gas_used, floor_gas(data))


def proof_bytes(key: Key, positions: list[int]) -> int:
    """How long a proof is that opens these positions, each once, part by part as `stark.verifier` cuts them."""
    size = key.parameters.part_size
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    return WORD_BYTES * (Head.of(key).words + sum(_part_words(key, part) for part in parts))


def _part_words(key: Key, positions: list[int]) -> int:
    widths = [[level.fixed_width for level in key.levels]] if key.has_fixed else []
    widths += [[level.trace_width for level in key.levels], [level.bus_width for level in key.levels]]
    widths.append([key.system.composition_columns] + [0] * (len(key.levels) - 1))
    words = 0
    for each in widths:
        rows = {level.log_height: width for level, width in zip(key.levels, each, strict=True) if width}
        tallest = max(rows)
        words += _climb({position >> key.log_tallest - tallest for position in positions}, rows, key, tallest)
    log_height = key.log_tallest
    for bits in key.schedule:
        log_height -= bits
        leaves = {position >> key.log_tallest - log_height for position in positions}
        words += len(leaves) << bits
        words += _climb(leaves, {}, key, log_height)
    return words


def _climb(nodes: set[int], rows: dict[int, int], key: Key, log_height: int) -> int:
    """Words of a tree's opening: rows of its tables, and what stands beside the way up."""
    words = len(nodes) * rows.get(log_height, 0)
    for height in range(log_height + key.parameters.log_blowup - 1, -1, -1):
        words += sum(node ^ 1 not in nodes for node in nodes)
        nodes = {node >> 1 for node in nodes}
        words += len(nodes) * rows.get(height - key.parameters.log_blowup, 0)
    return words


def expected_bytes(key: Key) -> float:
    """Of a proof, on average."""
    draw = random.Random(1)
    points = 1 << key.log_tallest + key.parameters.log_blowup
    drawn = [sorted(draw.sample(range(points), key.parameters.queries)) for _ in range(DRAWS)]
    return sum(proof_bytes(key, positions) for positions in drawn) / DRAWS


def row(figure: str, value: float, unit: str, reference: float | str = "") -> Row:
    """A line of the table; the ratio says how many times less ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def measured(one: Settled) -> Iterator[Row]:
    """What a shape's batch took."""
    name = f"Batch of {one.trades} trades on chain"
    yield row(f"{name}: proof (as it would be reckoned)", one.octets, "bytes", expected_bytes(one.key))
    for sent in one.sent:
        yield row(f"{name}: {sent.step}", sent.octets, "bytes")
        yield row(f"{name}: {sent.step} (its calldata's floor)", sent.gas, "gas", sent.floor)
    gas = sum(each.gas for each in one.sent)
    yield row(f"{name}: transactions", len(one.sent), "")
    yield row(f"{name}: longest transaction", max(each.octets for each in one.sent), "bytes")
    yield row(f"{name}: in all", gas, "gas")
    yield row(f"{name}: a trade (StarkEx, with recursion and thousands of trades)", gas / one.trades, "gas", STARKEX)
    yield row(f"{name}: changed words published, a trade", one.listed / one.trades, "bytes")
    yield row(f"{name}: proving", one.seconds, "s")
    yield row(f"{name}: peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "GiB")


def run() -> list[Row]:
    """The middle shape's batch, then the large one's."""
    return [figure for shape in (MEDIUM, LARGE) for figure in measured(settled(shape))]
