"""Keys that were made before, on the disk: 32 bytes that take minutes to make where a shape is large.

What is kept is the root of the columns that belong to a system. It is enough to know whether a verifier on L1 is of
this venue's batches, and to cut a proof for it; and it is believed only where the key that it makes is one that L1 has
pinned. Whoever deploys a verifier, verifies a proof or makes one makes the columns himself (`prove_batch.key_for`): for
whoever chooses them chooses what is proven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from functools import cache
from pathlib import Path

import structlog

import bulkhead
import stark
from bulkhead.bridge.artifacts import cache_folder, write_text
from bulkhead.circuit.batch import Shape
from bulkhead.ledger.commitment import config_root
from bulkhead.ledger.config import VenueConfig
from stark.air.system import System
from stark.key import Key
from stark.parameters import Parameters
from stark.prime import WORD_BYTES

log = structlog.get_logger("bulkhead.keys")


def keep(config: VenueConfig, shape: Shape, key: Key) -> None:
    """Keep a key that was made. A disk that is full costs the time to make it again, and no more."""
    if key.fixed_root is None:
        return
    path = _path(config, shape, key.system, key.parameters)
    try:
        write_text(path, key.fixed_root.hex() + "\n")
    except OSError as error:
        log.warning("a key is not kept", path=str(path), reason=error.strerror or str(error))


def kept_key(
    config: VenueConfig, shape: Shape, system: System, parameters: Parameters, pinned: Container[str]
) -> Key | None:
    """The key of a system, if it was made here before and its digest, in hexadecimal, is among those pinned."""
    try:
        root = bytes.fromhex(_path(config, shape, system, parameters).read_text(encoding="ascii").strip())
    except (OSError, ValueError):  # not made before, or damaged: then it is made anew
        return None
    if len(root) != WORD_BYTES:
        return None
    key = Key(system, shape.log_heights, parameters, root)
    return key if key.digest.hex() in pinned else None


def _path(config: VenueConfig, shape: Shape, system: System, parameters: Parameters) -> Path:
    """By all that the columns follow from: the program, the venue, the shape, and the rest of the key."""
    hashed = hashlib.sha256(_program())
    hashed.update(Key(system, shape.log_heights, parameters, bytes(WORD_BYTES)).digest)
    hashed.update(repr((config_root(config), tuple(shape))).encode())
    return cache_folder().parent / "keys" / hashed.hexdigest()


@cache
def _program() -> bytes:
    """A digest of this program: columns are made by its code."""
    hashed = hashlib.sha256()
    for package in (stark, bulkhead):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            text = path.read_bytes()
            hashed.update(f"{path.relative_to(folder)} {len(text)} ".encode() + text)
    return hashed.digest()
