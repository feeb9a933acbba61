"""Snapshots of the state: replay begins at the newest one that the journal vouches for.

A file holds a header (magic, version, genesis digest, sequence, chain, length), SHA-256 of header and payload, and
the payload. It appears under its name only when it is whole and on the disk. It counts only if the journal has the
same chain after the same record: a snapshot of another history never matches.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from bulkhead.node.journal import Journal, Tip, sync_directory
from bulkhead.node.segment import DIGEST_BYTES, JournalCorrupt, JournalError

MAGIC = b"BULKSNAP"
VERSION = 2
HEADER = Struct(">8sI32sQ32sQ")


class Snapshot(NamedTuple):
    """The state after the record `tip.sequence`, as the bytes that were given to `write`."""

    tip: Tip
    payload: bytes


class SnapshotRefused(NamedTuple):
    """A snapshot that was passed over, and why."""

    path: Path
    reason: str


def write(journal: Journal, payload: bytes) -> Path:
    """Writes the state after the journal's last durable record."""
    tip = journal.tip
    header = HEADER.pack(MAGIC, VERSION, journal.genesis, tip.sequence, tip.chain, len(payload))
    path = journal.directory / f"snapshot-{tip.sequence:020d}.bin"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(header + sha256(header + payload).digest())
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, path)
    sync_directory(journal.directory)
    return path


def load(journal: Journal) -> tuple[Snapshot | None, list[SnapshotRefused]]:
    """The newest snapshot that is whole and belongs to this journal, and the newer ones that were refused.

    A whole snapshot of this exchange that is ahead of the journal proves that acknowledged records are missing:
    JournalCorrupt.
    """
    refused: list[SnapshotRefused] = []
    for path in sorted(journal.directory.glob("snapshot-*.bin"), reverse=True):
        try:
            snapshot = _read(path, journal.genesis)
        except JournalError as error:
            refused.append(SnapshotRefused(path, str(error)))
            continue
        sequence = snapshot.tip.sequence
        if sequence > journal.tip.sequence:
            raise JournalCorrupt(
                journal.directory, 0, f"ends at record {journal.tip.sequence}, but {path} was taken after {sequence}"
            )
        if journal.chain_at(sequence) == snapshot.tip.chain:
            return snapshot, refused
        refused.append(SnapshotRefused(path, f"the journal has another history up to record {sequence}"))
    return None, refused


def whole(directory: Path, genesis: bytes) -> Iterator[Snapshot]:
    """Snapshots that are whole, the newest first. Whoever uses one compares its chain with the journal's."""
    for path in sorted(directory.glob("snapshot-*.bin"), reverse=True):
        try:
            yield _read(path, genesis)
        except (JournalError, FileNotFoundError):  # damaged, or pruned by the exchange just now
            continue


def prune(journal: Journal, keep: int) -> None:
    """Removes all but the newest `keep` snapshots; at least two, so that a damaged one has a stand-in."""
    if keep < 2:
        raise JournalError(f"keep at least 2 snapshots, not {keep}")
    for path in sorted(journal.directory.glob("snapshot-*.bin"))[:-keep]:
        path.unlink()
    sync_directory(journal.directory)


def _read(path: Path, genesis: bytes) -> Snapshot:
    data = path.read_bytes()
    if len(data) < HEADER.size + DIGEST_BYTES or data[: len(MAGIC)] != MAGIC:
        raise JournalError("no snapshot header")
    _, version, found, sequence, chain, length = HEADER.unpack_from(data)
    if version != VERSION:
        raise JournalError(f"snapshot version {version}, this program reads {VERSION}")
    payload = data[HEADER.size + DIGEST_BYTES :]
    digest = data[HEADER.size : HEADER.size + DIGEST_BYTES]
    if len(payload) != length or sha256(data[: HEADER.size] + payload).digest() != digest:
        raise JournalError(f"damaged: {len(payload)} of {length} bytes, or they do not match their digest")
    if found != genesis:
        raise JournalError(f"genesis {found.hex()}: a snapshot of another exchange")
    return Snapshot(Tip(sequence, chain), payload)
