"""One batch to one proof: choose the smallest shape that holds it, fill the tables, prove, and look at the result.

It is a function of its arguments and touches no file, so that it runs the same in a process beside and on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from bulkhead.circuit.batch import ALL_SHAPES, SHAPES, Shape, circuit_of
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.trace import Tables, played, tables_of
from bulkhead.circuit.venue import NotProvable
from bulkhead.ledger.commitment import config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.batches import JournalledBatch
from bulkhead.node.proof_file import VERSION, ProofFile
from bulkhead.units import Felt
from stark.air.system import System
from stark.composition import UnsatisfiedRules
from stark.estimate import NotEnoughMemory
from stark.fixed import prepare
from stark.parameters import PROFILES
from stark.proof import Phase
from stark.prover import Fixed, prove
from stark.verifier import verify

KEYS_KEPT = 4
FOR_L1 = "onchain"  # the profile of the verifiers there

Progress = Callable[[str, float], None]
"""Called with what is being done, and the share of the whole that is done. What it raises ends the work."""
STEPS = ["tables", *Phase]


class Unprovable(Exception):
    """No proof of this batch can be made by this program; trying again would not help. The text says why."""


@lru_cache(maxsize=KEYS_KEPT)
def system_for(config: VenueConfig, shape: Shape) -> System:
    """The circuit of a venue's batches. NotProvable where no circuit covers the venue."""
    return circuit_of(config, shape)


@lru_cache(maxsize=KEYS_KEPT)
def key_for(config: VenueConfig, shape: Shape, profile: str) -> Fixed:
    """Its key, with what its prover needs: some seconds' work, done once a process."""
    return prepare(system_for(config, shape), shape.log_heights, PROFILES[profile])


def prove_batch(
    batch: JournalledBatch, profile: str, threads: int, progress: Progress, memory_limit_bytes: int | None = None
) -> ProofFile:
    """The proof of a batch, verified. Raises Unprovable, also where it would need more memory than it may take."""
    config = batch.before.config
    progress(STEPS[0], 0.0)
    shape, tables = fill(batch, profile, threads)
    fixed = key_for(config, shape, profile)  # a venue that has no key has no tables either

    def report(phase: Phase, share: float) -> None:
        progress(str(phase), (STEPS.index(phase) + share) / len(STEPS))

    try:
        proof = prove(fixed, tables.public, tables.traces, threads, report, memory_limit_bytes, consume=True)
    except (NotEnoughMemory, UnsatisfiedRules) as error:
        raise Unprovable(str(error)) from error
    rejected = verify(fixed.key, tables.public, proof)
    if rejected is not None:
        raise Unprovable(
            f"the tables break a rule of the circuit, and the proof would be refused ({rejected}): "
            "ledger and circuit disagree, please report it with the journal"
        )
    key, root = fixed.key.digest, Felt(config_root(config))
    statement = tuple(map(int, tables.public))
    venue = config.chain_id, root, batch.chain
    return ProofFile(VERSION, batch.number, *venue, shape.words(), profile, key, statement, proof)


def fill(batch: JournalledBatch, profile: str, threads: int = 1) -> tuple[Shape, Tables]:
    """The batch's tables in the smallest shape that holds them, of those that L1 may know where the proof is for L1.

    Raises Unprovable.
    """
    reason, shapes = "", SHAPES if profile == FOR_L1 else ALL_SHAPES
    try:
        play = played(batch.before, batch.transactions)
        for shape in sorted(shapes, key=lambda shape: sum(1 << log_height for log_height in shape.log_heights)):
            try:
                return shape, tables_of(play, batch.after, batch.transactions, shape, threads)
            except ValueError as error:
                reason = str(error)
    except (NotProvable, Mismatch) as error:
        raise Unprovable(str(error)) from error
    raise Unprovable(f"no shape of the circuit holds the batch ({reason}): seal batches more often")
