"""Proofs on disk: one file a batch, which says of itself what was proven, how, and under which key.

    batch, chain id, configuration   of which venue, and which of its batches
    history                          the hash chain of the journal up to it, for whoever has that journal
    shape, profile, key              the circuit's heights, the parameters, and the digest of the key they make
    statement, proof                 elements of the field, and the proof's bytes

A file is the canonical bytes of one record and appears under its name only when it is whole and on the disk. Nothing
in it is believed: whoever verifies makes the key himself, and compares.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bulkhead.codec import Codec, CodecError
from bulkhead.node.journal import sync_directory
from bulkhead.units import Felt

VERSION = 1
PROOF_FILE_BYTES_MAX = 64 << 20
FOLDER = "proofs"  # in the folder of the exchange
_NAME = re.compile(r"batch-(\d{10})\.([a-z]+)\.proof")


class ProofFileError(Exception):
    """A file is no proof of a batch, or proofs cannot be kept; the text says why."""


class ProofFile(NamedTuple):
    """The record that a file holds."""

    version: int
    batch: int
    chain_id: str
    config: Felt  # the configuration's digest, as S binds it
    history: bytes
    shape: tuple[int, ...]
    profile: str
    key: bytes
    statement: tuple[int, ...]
    proof: bytes


CODEC: Codec[ProofFile] = Codec([ProofFile], bytes_max=PROOF_FILE_BYTES_MAX)


def read_proof(path: Path) -> ProofFile:
    """The record of a file from whoever; ProofFileError says what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(PROOF_FILE_BYTES_MAX + 1)  # a longer one, or one without an end, is not read further
    except OSError as error:
        raise ProofFileError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        record = CODEC.decode(data)
    except CodecError as error:
        raise ProofFileError(f"{path} is not the proof of a batch: {error}") from error
    if record.version != VERSION:
        raise ProofFileError(f"{path} has version {record.version}; this program reads {VERSION}")
    return record


def write_proof(path: Path, record: ProofFile) -> None:
    """Write a file in such a way that it is there whole or not at all."""
    data = CODEC.encode(record)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, path)
        sync_directory(path.parent)
    except OSError as error:
        raise ProofFileError(f"{path} cannot be written: {error.strerror or error}") from error


class Proofs:
    """The proofs of one exchange, by batch number and profile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int, profile: str) -> Path:
        """Where the proof of a batch is, or would be."""
        return self.folder / f"batch-{number:010d}.{profile}.proof"

    def proven(self, profile: str) -> set[int]:
        """Numbers of the batches whose proofs are on the disk."""
        names = [_NAME.fullmatch(path.name) for path in self.folder.glob("batch-*.proof")]
        return {int(name[1]) for name in names if name is not None and name[2] == profile}

    def first_missing(self, profile: str) -> int:
        """The number of the first batch without a proof, whether or not it is sealed yet."""
        proven, number = self.proven(profile), 1
        while number in proven:
            number += 1
        return number

    def lag(self, sealed: int, profile: str) -> int:
        """How many of the first `sealed` batches have no proof yet."""
        return sealed - sum(number <= sealed for number in self.proven(profile))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other provers away. The lock belongs to the process, so a killed one leaves none behind."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ProofFileError(f"{self.folder} cannot hold proofs: {error.strerror or error}") from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ProofFileError(f"{self.folder}: another prover is at work here; stop it first") from error
            yield
        finally:
            os.close(lock)
