"""The journal: every command in one order, on the disk before it is acknowledged. `segment` has the bytes.

`append` buffers, `commit` makes everything buffered durable with one fdatasync and then writes a mark. What the
marks let `Journal.open` know after a crash:

- A damage with a genuine mark anywhere after it lies in acknowledged records: JournalCorrupt, nothing is changed.
- A damage with no mark after it lies in a group whose mark was not written or did not reach the disk. A killed
  process leaves such a tail only for a group that was never acknowledged. A power cut may also lose the mark of
  the last acknowledged group, but not its records, for they were synced first: they are whole and are kept.
  What stays unknowable is a power cut *and* a second fault inside that one group. The tail is cut and reported.
- Whole records after the last mark are kept: their clients had no answer, and either outcome is true to them.
- A file cut short from outside looks like an interrupted write, or, cut between two items, like nothing at all.
  Only a snapshot taken later than the cut can tell, and `snapshot.load` does.
"""

from __future__ import annotations

import fcntl
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from bulkhead.node.segment import (
    DIGEST_BYTES,
    HEADER_BYTES,
    ITEM,
    MARK_BYTES,
    PAYLOAD_BYTES_MAX,
    PREFIX,
    Damage,
    Header,
    Item,
    JournalCorrupt,
    JournalError,
    JournalLocked,
    find_mark,
    new_key,
    next_chain,
    pack_header,
    pack_mark,
    read_header,
    read_items,
)

SEGMENT_BYTES = 64 << 20
INDEX_STEP = 1024  # records between two remembered places: reading from the middle skips the rest
NO_CHAIN = bytes(DIGEST_BYTES)

__all__ = ["Journal", "JournalCorrupt", "JournalError", "JournalLocked", "Tip", "TornTail"]


class Tip(NamedTuple):
    """The last durable record: its sequence (0: none) and the chain after it."""

    sequence: int
    chain: bytes


class TornTail(NamedTuple):
    """What an interrupted write left at the end: `bytes_cut` from `offset` on held no acknowledged record."""

    path: Path
    offset: int
    bytes_cut: int
    sequence_kept: int
    reason: str


class _Segment(NamedTuple):
    path: Path
    header: Header


class _Place(NamedTuple):
    """Where the record after `sequence` begins."""

    sequence: int
    chain: bytes
    segment: int
    offset: int


class Journal:
    """One writer's append-only log. Made by `open`; every other method may raise JournalError.

    After a failed or interrupted write nothing more is accepted: the kernel may have dropped the pages, so
    only opening again tells what is on the disk.
    """

    def __init__(self, directory: Path, genesis: bytes, segment_bytes: int) -> None:
        self.directory, self.genesis = directory, genesis
        self.torn: TornTail | None = None
        self.tip = Tip(0, NO_CHAIN)
        self._segment_bytes = segment_bytes
        self._lock = -1
        self._file = -1
        self._offset = 0
        self._segments: list[_Segment] = []
        self._places: list[_Place] = []
        self._pending: list[bytes] = []
        self._sequence, self._chain = 0, NO_CHAIN  # of the last record appended, durable or not
        self._refusal = ""
        self._marked = False  # by the scan: nothing follows the last mark

    @classmethod
    def open(
        cls, directory: Path, genesis: bytes, *, repair: bool = False, segment_bytes: int = SEGMENT_BYTES
    ) -> Journal:
        """Locks the directory, checks every byte, and is ready to append.

        A torn tail is reported in `torn`. With `repair` it is cut; without, the journal can only be read.
        """
        if len(genesis) != DIGEST_BYTES:
            raise JournalError(f"the genesis digest has {len(genesis)} bytes, not {DIGEST_BYTES}")
        journal = cls(Path(directory), genesis, segment_bytes)
        try:
            journal._acquire()
            journal._scan()
            journal._resume(repair)
        except BaseException:
            journal._release()
            raise
        return journal

    def append(self, payload: bytes) -> int:
        """Buffers a record and gives its sequence. It is not durable before `commit` returns."""
        self._check_usable()
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise JournalError(f"a record of {len(payload)} bytes; the limit is {PAYLOAD_BYTES_MAX}")
        self._sequence += 1
        prefix = PREFIX.pack(len(payload), self._sequence)
        self._chain = next_chain(self._chain, prefix, payload)
        self._pending += (prefix, self._chain, payload)
        return self._sequence

    def commit(self) -> int:
        """Makes everything appended durable; gives the last sequence that may be acknowledged."""
        self._check_usable()
        if self._pending:
            group = b"".join(self._pending)
            self._pending.clear()
            self._refusal = "a write did not finish; open it again to see what is on the disk"
            try:
                self._write(group)
                os.fdatasync(self._file)
                self.tip = Tip(self._sequence, self._chain)
                self._mark()
                if self._offset >= self._segment_bytes:
                    os.fdatasync(self._file)
                    self._create()
            except OSError as error:
                raise JournalError(f"{self.directory}: {self._refusal} ({error})") from error
            self._refusal = ""
            self._remember()
        return self.tip.sequence

    def read(self, from_sequence: int = 1) -> Iterator[tuple[int, bytes]]:
        """Durable records in order, as (sequence, payload), checked again. Memory: one record."""
        if from_sequence < 1:
            raise JournalError(f"records begin at 1, not {from_sequence}")
        for item in self._items(from_sequence - 1):
            if item.payload is not None and item.sequence >= from_sequence:
                yield item.sequence, item.payload

    def chain_at(self, sequence: int) -> bytes:
        """The chain after a durable record; after record 0, before any, it is zero."""
        if not 0 <= sequence <= self.tip.sequence:
            raise JournalError(f"{self.directory}: no record {sequence}; the last is {self.tip.sequence}")
        if sequence == 0:
            return NO_CHAIN
        return next(item.chain for item in self._items(sequence - 1) if item.sequence == sequence)

    def record_at(self, sequence: int) -> tuple[bytes, bytes]:
        """The chain before a durable record, and its payload."""
        if not 1 <= sequence <= self.tip.sequence:
            raise JournalError(f"{self.directory}: no record {sequence}; the last is {self.tip.sequence}")
        chain = self.chain_at(sequence - 1)
        return chain, next(payload for number, payload in self.read(sequence) if number == sequence)

    def close(self) -> None:
        """Commits, makes the last mark durable, and lets another process open the journal."""
        if self._lock < 0:
            return
        try:
            if not self._refusal:
                self.commit()
                os.fdatasync(self._file)
        finally:
            self._release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:  # what was only appended stays unwritten: nobody was told it is there
            self._pending.clear()
            self._sequence, self._chain = self.tip
        self.close()

    def _check_usable(self) -> None:
        if self._refusal:
            raise JournalError(f"{self.directory}: {self._refusal}")

    def _acquire(self) -> None:
        """The lock belongs to the process, so a killed writer leaves none behind."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalLocked(f"{self.directory} is being written by another process; stop it first") from error

    def _release(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                with suppress(OSError):  # what matters was synced before; a failed close loses nothing
                    os.close(descriptor)
        self._file = self._lock = -1
        self._refusal = self._refusal or "the journal is closed"

    def _scan(self) -> None:
        """Checks every segment in order; leaves `torn` set where the last one ends in damage."""
        paths = sorted(self.directory.glob("journal-*.log"))
        for path in paths:
            with path.open("rb") as file:
                header = read_header(path, file, self.genesis)
                if (header.first_sequence, header.chain) != (self._sequence + 1, self._chain):
                    raise JournalCorrupt(path, 0, f"begins at {header.first_sequence}, after {self._sequence}")
                self._segments.append(_Segment(path, header))
                self._scan_segment(path, file, header)
            if path != paths[-1] and (self.torn or not self._marked):
                raise JournalCorrupt(path, self._offset, "the file does not end in a mark, though another follows")
        self.tip = Tip(self._sequence, self._chain)

    def _scan_segment(self, path: Path, file: BinaryIO, header: Header) -> None:
        """Checks every item of one file, and whether the last whole one is a mark."""
        self._offset, self._marked = HEADER_BYTES, False
        try:
            for item in read_items(file, Item(self._sequence, None, self._chain, HEADER_BYTES), header.key):
                self._marked = item.payload is None
                self._offset = item.offset + (MARK_BYTES if item.payload is None else ITEM.size + len(item.payload))
                self._sequence, self._chain = item.sequence, item.chain
                self._remember()
        except Damage as found:
            mark = find_mark(file, found.offset, header.key)
            if mark is not None:
                reason = f"{found.reason}, and a mark at {mark} says it was acknowledged"
                raise JournalCorrupt(path, found.offset, reason) from found
            bytes_cut = os.fstat(file.fileno()).st_size - found.offset
            self.torn = TornTail(path, found.offset, bytes_cut, self._sequence, found.reason)

    def _resume(self, repair: bool) -> None:
        """Opens the last segment for appending, cutting a torn tail if that was asked for."""
        if not self._segments:
            self._create()
            return
        if self.torn and not repair:
            self._refusal = f"its tail is torn at {self.torn.path}, offset {self.torn.offset}; open it with repair"
            return
        path, header = self._segments[-1]
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        if self.torn:
            os.ftruncate(self._file, self.torn.offset)
        # A killed writer's last records may be in the page cache only. They are about to be replayed, and
        # whatever follows from them may be acknowledged: make them durable first, and say so.
        os.fsync(self._file)
        if self._sequence >= header.first_sequence and not self._marked:
            self._mark()

    def _create(self) -> None:
        """A new segment appears under its name only when its header is on the disk."""
        header = Header(self.genesis, self._sequence + 1, self._chain, new_key())
        path = self.directory / f"journal-{header.first_sequence:020d}.log"
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._offset = descriptor, 0
        self._write(pack_header(header))
        os.fsync(descriptor)
        os.rename(part, path)
        sync_directory(self.directory)
        if not self._segments:
            sync_directory(self.directory.parent)  # the directory itself may be new
        self._segments.append(_Segment(path, header))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._file, view)
            self._offset += written
            view = view[written:]

    def _mark(self) -> None:
        self._write(pack_mark(self._sequence, self._chain, self._offset, self._segments[-1].header.key))

    def _remember(self) -> None:
        """Notes the current end, unless the last note is near. Called where an item ends."""
        if not self._places or self._sequence - self._places[-1].sequence >= INDEX_STEP:
            self._places.append(_Place(self._sequence, self._chain, len(self._segments) - 1, self._offset))

    def _items(self, after: int) -> Iterator[Item]:
        """Items from a remembered place at or before record `after` up to the tip."""
        last = self.tip.sequence
        known = bisect_right(self._places, after, key=lambda place: place.sequence)
        place = self._places[known - 1] if known else _Place(0, NO_CHAIN, 0, HEADER_BYTES)
        start = Item(place.sequence, None, place.chain, place.offset)
        for path, header in self._segments[place.segment :]:
            if start.sequence == last:
                return  # nothing beyond the tip is read: a torn tail may lie there
            with path.open("rb") as file:
                try:
                    for item in read_items(file, start, header.key):
                        yield item
                        start = item
                        if item.sequence == last:
                            return
                except Damage as found:
                    raise JournalCorrupt(path, found.offset, f"{found.reason}, though it was right before") from found
            start = Item(start.sequence, None, start.chain, HEADER_BYTES)


def sync_directory(directory: Path) -> None:
    """Makes a new or renamed entry of a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
