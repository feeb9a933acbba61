"""`check`: is a file the proof of a venue's batch? Everything that decides is made here, from the configuration alone.

The file says which shape and profile it was made with. A shape is one of this program's, and what a profile is worth is
computed and compared with what the caller asks for, so neither can be chosen to suit a forger.
"""

from __future__ import annotations

import time
from math import floor
from pathlib import Path
from typing import NamedTuple

from bulkhead.circuit.batch import Shape, shape_named
from bulkhead.circuit.venue import NotProvable
from bulkhead.codec import BYTES_MAX, CodecError
from bulkhead.ledger.commitment import config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.proof_file import FOLDER, ProofFile
from bulkhead.node.prove_batch import key_for, system_for
from bulkhead.node.records import GENESIS, RULES_VERSION
from bulkhead.node.replay import GENESIS_FILE, ExchangeError
from bulkhead.node.statement import Said, StatementError, read_statement
from stark.parameters import PROFILES
from stark.security import proven_bits, shape_of
from stark.verifier import verify

BITS_ASKED = 100


class ProofRefused(Exception):
    """The file proves nothing that was asked for; the text says why."""


class Verdict(NamedTuple):
    """What an accepted file proves, and how surely."""

    chain_id: str
    config: int  # digest of the configuration: which venue it is
    said: Said
    shape: int
    profile: str
    bits: float  # proven, rounded down to a tenth
    key: bytes
    proof_bytes: int
    seconds: float


def check(record: ProofFile, config: VenueConfig, bits_asked: float = BITS_ASKED) -> Verdict:
    """What the record proves of the venue of this configuration. Raises ProofRefused."""
    start = time.perf_counter()
    root = config_root(config)
    if record.config != root or record.chain_id != config.chain_id:
        raise ProofRefused(
            f"it is of another venue: {record.chain_id!r:.60} with configuration {_digest(record.config)}, "
            f"not {config.chain_id!r} with {_digest(root)}"
        )
    shape = _shape(record.shape)
    if record.profile not in PROFILES:
        raise ProofRefused(f"{record.profile!r:.60} is no profile; there are {', '.join(PROFILES)}")
    try:
        system = system_for(config, shape)
    except NotProvable as error:
        raise ProofRefused(f"nothing is proven of such a venue: {error}") from error
    report = proven_bits(PROFILES[record.profile], shape_of(system, shape.log_heights))
    bits = floor(10 * report.bits) / 10
    if bits < bits_asked:
        raise ProofRefused(f"profile {record.profile} is worth {bits} bits, and {bits_asked:g} are asked for")
    key = key_for(config, shape, record.profile).key
    if record.key != key.digest:
        raise ProofRefused(
            f"it was made under key {record.key.hex()[:64]}, and this program's is {key.digest.hex()}: "
            "by another version of the circuit"
        )
    rejected = verify(key, record.statement, record.proof)
    if rejected is not None:
        raise ProofRefused(f"the proof does not hold: {rejected}")
    try:
        said = read_statement(key.system.public, record.statement)
    except StatementError as error:
        raise ProofRefused(f"what it proves is no statement about a batch: {error}") from error
    if said.batch != record.batch:
        raise ProofRefused(f"the file is named batch {record.batch}, and its statement is about batch {said.batch}")
    seconds = time.perf_counter() - start
    size = len(record.proof)
    return Verdict(config.chain_id, root, said, shape.number, record.profile, bits, key.digest, size, seconds)


def config_in(path: Path) -> VenueConfig:
    """The configuration in a genesis file, from whoever. Raises ExchangeError."""
    try:
        with path.open("rb") as file:
            begin = GENESIS.decode(file.read(BYTES_MAX + 1))  # a longer one is refused, not read to its end
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {error.strerror or error}") from error
    except CodecError as error:
        raise ExchangeError(f"{path} is not a genesis: {error}") from error
    if begin.rules_version != RULES_VERSION:
        raise ExchangeError(f"{path}: made under rules {begin.rules_version}, this program has {RULES_VERSION}")
    return begin.config


def genesis_near(path: Path) -> Path:
    """The genesis of the exchange in whose folder, or in whose folder of proofs, a file is. Raises ExchangeError."""
    folder = path.absolute().parent
    place = (folder.parent if folder.name == FOLDER else folder) / GENESIS_FILE
    if place.is_file():
        return place
    raise ExchangeError(
        f"there is no {place} to say of which venue {path.name} is: name one with --journal FOLDER or --config FILE"
    )


def _shape(numbers: tuple[int, ...]) -> Shape:
    shape = shape_named(numbers)
    if shape is None:
        raise ProofRefused(f"this program's circuit has no shape {str(numbers):.80}")
    return shape


def _digest(root: int) -> str:
    return f"{root:#066x}"[:80]
