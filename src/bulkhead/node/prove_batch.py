"""One batch to one proof: choose the smallest shape that holds it, fill the tables, prove, and look at the result.

It is a function of its arguments and touches no file, so that it runs the same in a process beside and on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import lru_cache

import structlog

from bulkhead.circuit.batch import ALL_SHAPES, SHAPES, Shape, by_size, circuit_of, name_of
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.trace import Tables, played, tables_of
from bulkhead.circuit.venue import NotProvable
from bulkhead.ledger.commitment import config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.node import kept_keys
from bulkhead.node.batches import JournalledBatch
from bulkhead.node.proof_file import VERSION, ProofFile
from bulkhead.units import Felt
from stark.air.system import System
from stark.composition import UnsatisfiedRules
from stark.estimate import NotEnoughMemory as NotEnoughMemory
from stark.estimate import check_memory, estimate, estimate_key
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import PROFILES
from stark.progress import Report, unheard
from stark.proof import Phase
from stark.prover import Fixed, prove
from stark.verifier import verify

log = structlog.get_logger("bulkhead.keys")

KEYS_KEPT = 4
FOR_L1 = "onchain"  # the profile of the verifiers there

Progress = Callable[[str, float], None]
"""Called with what is being done, and the share of the whole that is done. What it raises ends the work."""
STEPS = ["tables", "key", *Phase]


class Unprovable(Exception):
    """No proof of this batch can be made by this program; trying again would not help. The text says why."""


@lru_cache(maxsize=KEYS_KEPT)
def system_for(config: VenueConfig, shape: Shape) -> System:
    """The circuit of a venue's batches. NotProvable where no circuit covers the venue."""
    return circuit_of(config, shape)


_PREPARED: dict[tuple[VenueConfig, Shape, str], Fixed] = {}
_ALONE: dict[tuple[VenueConfig, Shape, str], Key] = {}  # without what a prover needs


def key_for(
    config: VenueConfig, shape: Shape, profile: str, threads: int = 1, report: Report = unheard
) -> Fixed:
    """Its key, with what its prover needs: seconds' work for a small shape, minutes' for the largest, once a process.

    Raises NotEnoughMemory before it is begun where the machine has too little.
    """
    asked = config, shape, profile
    if asked not in _PREPARED:
        system, parameters = system_for(config, shape), PROFILES[profile]
        check_memory(estimate_key(system, shape.log_heights, parameters), what=f"the key of shape {name_of(shape)}")
        made = prepare(system, shape.log_heights, parameters, threads, report)
        kept_keys.keep(config, shape, made.key)
        while len(_PREPARED) >= KEYS_KEPT:
            del _PREPARED[next(iter(_PREPARED))]
        _PREPARED[asked] = made
    return _PREPARED[asked]


def pinned_key(config: VenueConfig, shape: Shape, profile: str, pinned: Container[str]) -> Key:
    """Its key alone, for whoever compares it with those that L1 has pinned: from the disk where it was made before."""
    asked = config, shape, profile
    if asked in _PREPARED:
        return _PREPARED[asked].key
    if asked not in _ALONE:
        found = kept_keys.kept_key(config, shape, system_for(config, shape), PROFILES[profile], pinned)
        if found is None:
            found = key_for(config, shape, profile, report=_logged(shape)).key
            del _PREPARED[asked]  # gigabytes, of the largest shape, that whoever proves has for himself
        _ALONE[asked] = found
    return _ALONE[asked]


def _logged(shape: Shape) -> Report:
    """A line of the log for each tenth of a key that is made."""
    told = -1

    def report(share: float) -> None:
        nonlocal told
        if int(10 * share) > told:
            told = int(10 * share)
            log.info("making a key", shape=name_of(shape), percent=10 * told)

    return report


def forget_keys() -> None:
    """Let go of all of them: where contracts were made of the largest, gigabytes that nobody needs any more."""
    _PREPARED.clear()


def check_room(
    config: VenueConfig, shapes: Sequence[Shape], profile: str, workers: int = 1, limit_bytes: int | None = None
) -> None:
    """Raise NotEnoughMemory where that many proofs at once of one of these shapes would take more than there is."""
    for shape in shapes:
        needed = estimate(system_for(config, shape), shape.log_heights, PROFILES[profile])
        whole = needed._replace(peak_bytes=workers * needed.peak_bytes)
        cure = "choose smaller shapes, fewer workers, or a machine with more"
        check_memory(whole, limit_bytes, what=f"{workers} at once of proofs of shape {name_of(shape)}", cure=cure)


def prove_batch(
    batch: JournalledBatch, profile: str, threads: int, progress: Progress, memory_limit_bytes: int | None = None,
    shapes: Sequence[Shape] = (),
) -> ProofFile:
    """The proof of a batch, verified, in one of these shapes; without any, see `fill`.

    Raises Unprovable, also where it would need more memory than it may take.
    """  # fmt: skip
    config = batch.before.config

    def tell(step: str, share: float) -> None:
        progress(step, (STEPS.index(step) + share) / len(STEPS))

    tell(STEPS[0], 0.0)
    shape, tables = fill(batch, profile, threads, shapes)

    def report(phase: Phase, share: float) -> None:
        tell(str(phase), share)

    try:
        check_memory(estimate(system_for(config, shape), shape.log_heights, PROFILES[profile]), memory_limit_bytes)
        tell("key", 0.0)
        fixed = key_for(config, shape, profile, threads, lambda share: tell("key", share))
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


def fill(
    batch: JournalledBatch, profile: str, threads: int = 1, shapes: Sequence[Shape] = ()
) -> tuple[Shape, Tables]:
    """The batch's tables in the smallest shape that holds them, of those given; without any, of those that L1 knows by
    default where the proof is for L1.

    Raises Unprovable.
    """
    reason = ""
    try:
        play = played(batch.before, batch.transactions)
        for shape in by_size(shapes or (SHAPES if profile == FOR_L1 else ALL_SHAPES)):
            try:
                return shape, tables_of(play, batch.after, batch.transactions, shape, threads)
            except ValueError as error:
                reason = str(error)
    except (NotProvable, Mismatch) as error:
        raise Unprovable(str(error)) from error
    raise Unprovable(f"no shape of the circuit holds the batch ({reason}): seal batches more often")
