"""A batch of trades on chain: proven under the profile for it, verified by its contracts, settled. Measured for the
middle shape, by the rules of Osaka on the embedded L1; reckoned for the large one, which no verifier holds.

What is reckoned is counted from the key, at the prices that were measured here: bytes of a proof with positions drawn
at random (the middle shape's count stands beside its real proof), gas of opening by the steps of its tape, of answers
by their bytes, of settling by its words.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from benchmarks import Row
from benchmarks.circuit import HELD_BY, batch
from bulkhead.bridge.artifacts import compile_contracts
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.deploy import Beginning, deploy
from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.gas import GAS_MAX, intrinsic_gas
from bulkhead.bridge.open import new_chain
from bulkhead.circuit.batch import CIRCUIT_VERSION, LARGE, MEDIUM, Shape, circuit_of, names_of
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack
from bulkhead.ledger.config import VenueConfig
from stark.emit import Head
from stark.estimate import estimate
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import ONCHAIN
from stark.prime import WORD_BYTES
from stark.prover import prove
from stark.split import Split, split
from tests.bridge.chains import CHAIN_ID, DEPLOYER, ETHER

STARKEX = 426  # gas a trade, published; one proof of many proofs, and batches of thousands
PART_BYTES = 125_000  # of a transaction, so that every node passes it on
DRAWS = 20
COUNTERS = ("deposits", "withdrawals", "forced", "transactions", "fresh_after_ms", "time_ms")


class Sent(NamedTuple):
    """One transaction: its calldata's bytes, and its gas."""

    octets: int
    gas: int
    running: int  # of the gas, what is not of the transaction and its calldata


class Settled(NamedTuple):
    """A batch that L1 took: how many bytes its proof has, seconds, and its transactions in order."""

    key: Key
    config: VenueConfig
    octets: int
    seconds: float
    sent: list[Sent]


def settled(trades: int) -> Settled:
    """A batch of the middle shape, from tables to the last transaction."""
    sealed = batch(trades)
    tables = sealed.tables(MEDIUM)
    fixed = prepare(circuit_of(sealed.before.config, MEDIUM), MEDIUM.log_heights, ONCHAIN, 2)
    begun = time.perf_counter()
    proof = prove(fixed, tables.public, tables.traces, threads=2, consume=True)
    seconds = time.perf_counter() - begun
    cut = split(fixed.key, tables.public, proof)
    said = dict(zip(names_of(MEDIUM), tables.public, strict=True))
    return Settled(fixed.key, sealed.before.config, len(proof), seconds, list(_transactions(fixed.key, said, cut)))


def _transactions(key: Key, said: dict[str, int], cut: Split) -> Iterator[Sent]:
    """Deploy all contracts where the statement begins, then open, answer, settle."""
    now_s = said["now_s"] + 60
    genesis = new_chain({str(DEPLOYER.address): 1000 * ETHER}, said["now_s"], CHAIN_ID)
    node = Embedded.open(None, lambda: now_s, genesis)
    chain = Chain(EmbeddedProvider(node))
    made = compile_contracts(key, statement_module(MEDIUM), version=CIRCUIT_VERSION, shape=MEDIUM.number)
    counters = {name: said[f"{name}_before"] for name in COUNTERS}
    beginning = Beginning(said["state_before"], counters, said["batches_before"], str(DEPLOYER.address))
    deployment = deploy(chain, DEPLOYER, [made], beginning)
    [door] = deployment.doors
    verifier, reader = (Contract(chain, each.address, each.abi) for each in (door.verifier, door.reader))
    public = list(said.values())
    opening = (public, list(cut.hints), cut.head)
    claim = verifier.call("open", *opening)
    calls = [(verifier, "open", opening)]
    calls += [(verifier, "answer", (claim, place, part.hint, part.data)) for place, part in enumerate(cut.parts)]
    calls += [(reader, "settle", (deployment.rollup.address, pack(public, MEDIUM)))]
    for contract, name, arguments in calls:
        receipt = contract.transact(DEPLOYER, name, *arguments)
        data = contract.data(name, *arguments)
        yield Sent(len(data), receipt.gas_used, receipt.gas_used - intrinsic_gas(data, False))
    assert deployment.contract(chain, "rollup").call("state") == said["state_after"]
    node.close()


def proof_bytes(key: Key, positions: list[int]) -> int:
    """How long a proof is that opens these positions, each once, part by part as `stark.verifier` cuts them."""
    size = -(-len(positions) // key.parameters.parts)
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


def steps_of(key: Key) -> int:
    """Steps of the tape that opens a proof: rules, their sum, and messages of the statement."""
    programs = [table.program for table in key.system.tables]
    rules = sum(len(each.steps) + len(each.outputs) for each in programs)
    return rules + len(key.system.outside.steps) + len(key.system.outside_messages)


def memory_gas(key: Key) -> int:
    """What Ethereum charges for the memory of opening: the statement, and a word for each step."""
    words = len(key.system.public) + steps_of(key)
    return 3 * words + words * words // 512


def row(figure: str, value: float, unit: str, reference: float | str = "") -> Row:
    """A line of the table; the ratio says how many times less ours is."""
    ratio = reference / value if isinstance(reference, int | float) else ""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def measured(one: Settled, trades: int) -> list[Row]:
    """What the middle shape's batch took."""
    name = f"Batch of {trades} trades on chain"
    steps = ["opened", *(f"part {place} answered" for place in range(1, len(one.sent) - 1)), "settled"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    gas = sum(each.gas for each in one.sent)
    rows = [row(f"{name}: proof (as it would be reckoned)", one.octets, "bytes", expected_bytes(one.key))]
    for step, sent in zip(steps, one.sent, strict=True):
        rows += [row(f"{name}: {step}", sent.octets, "bytes"), row(f"{name}: {step}", sent.gas, "gas")]
    return [
        *rows,
        row(f"{name}: transactions", len(one.sent), ""),
        row(f"{name}: in all", gas, "gas"),
        row(f"{name}: a trade (StarkEx, with recursion and thousands of trades)", gas / trades, "gas", STARKEX),
        row(f"{name}: proving", one.seconds, "s"),
        row(f"{name}: peak memory", peak, "GiB"),
    ]


def reckoned(one: Settled, shape: Shape, trades: int) -> list[Row]:
    """What a larger shape's batch would take, at the prices of `one`, if its opening could be cut into transactions.

    Today it is one, of more bytes and gas than one may have; a fifth of its gas is for memory, which cut takes less.
    """
    key = Key(circuit_of(one.config, shape), shape.log_heights, ONCHAIN, bytes(WORD_BYTES))
    opened, *answers, last = one.sent
    octets, head = expected_bytes(key), WORD_BYTES * Head.of(key).words
    answer_bytes = sum(each.octets for each in answers)
    hints = 2 * len(key.levels) + len(key.system.outside_messages)
    opening_bytes = WORD_BYTES * (len(key.system.public) + hints) + head
    step = (opened.running - memory_gas(one.key)) / steps_of(one.key)
    calldata = (opened.gas - opened.running) / opened.octets  # gas a byte, of statement, hints and head as they are
    opening = step * steps_of(key) + memory_gas(key) + calldata * opening_bytes
    answering = sum(each.gas for each in answers) * (octets - head) / answer_bytes
    settling = last.gas * trades / HELD_BY[MEDIUM]
    published = last.octets * trades / HELD_BY[MEDIUM]
    pieces = sum(ceil(each / PART_BYTES) for each in (opening_bytes, octets - head, published))
    name, gas = f"Batch of {trades} trades, reckoned, not run", opening + answering + settling
    needed = estimate(key.system, shape.log_heights, ONCHAIN).peak_bytes / 2**30
    return [
        row(f"{name}: memory of a proof for the chain", needed, "GiB"),
        row(f"{name}: proof", octets, "bytes"),
        row(f"{name}: statement and hints", opening_bytes, "bytes"),
        row(f"{name}: opening (the most that a transaction may)", opening, "gas", GAS_MAX),
        row(f"{name}: answers", answering, "gas"),
        row(f"{name}: settling", settling, "gas"),
        row(f"{name}: transactions", pieces, ""),
        row(f"{name}: in all", gas, "gas"),
        row(f"{name}: a trade (StarkEx)", gas / trades, "gas", STARKEX),
    ]


def run() -> list[Row]:
    """The middle shape's batch, and what the large one's would be."""
    one = settled(HELD_BY[MEDIUM])
    return [*measured(one, HELD_BY[MEDIUM]), *reckoned(one, LARGE, HELD_BY[LARGE])]
