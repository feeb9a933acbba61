"""Reading a journal that another process writes: its acknowledged records as they come, without its lock.

A record counts when a mark follows it, for then it is on the disk and its client may know of it. What comes after the
last mark is a write in progress, or a torn tail that the writer cuts when it next opens: it is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bulkhead.node.journal import NO_CHAIN
from bulkhead.node.segment import (
    HEADER_BYTES,
    MARK_BYTES,
    Damage,
    Header,
    Item,
    JournalCorrupt,
    find_mark,
    read_header,
    read_items,
)


class Record(NamedTuple):
    """An acknowledged record, and the journal's hash chain after it, which vouches for all before."""

    sequence: int
    payload: bytes
    chain: bytes


class Follower:
    """A reader's place in a journal. Any method may raise JournalError."""

    def __init__(self, folder: Path, genesis: bytes) -> None:
        """`genesis` is the digest that the journal is bound to."""
        self.folder, self.genesis = folder, genesis
        self._path: Path | None = None
        self._header = Header(genesis, 1, NO_CHAIN, b"")
        self._mark = Item(0, None, NO_CHAIN, HEADER_BYTES)  # the last one read; its offset is where to go on

    def read(self) -> Iterator[Record]:
        """Records acknowledged since the last call, to be read to the end before the next. Memory: one group."""
        while True:
            following = self.folder / f"journal-{self._mark.sequence + 1:020d}.log"
            if following != self._path and following.exists():
                self._enter(following)
            if self._path is None:
                return
            before = self._mark
            yield from self._rest(self._path)
            if self._mark == before:
                return

    def go_to(self, sequence: int, chain: bytes) -> bool:
        """Go behind a record, for instance a snapshot's. False where the journal has no such history: begin anew then.

        Only the file that the record is in is looked at: its header has the chain of all before.
        """
        self._path = None
        for path in sorted(self.folder.glob("journal-*.log"), reverse=True):
            if int(path.stem.removeprefix("journal-")) <= sequence + 1:
                break
        else:
            return False
        with path.open("rb") as file:
            self._header = read_header(path, file, self.genesis)
        self._path = path
        self._mark = Item(self._header.first_sequence - 1, None, self._header.chain, HEADER_BYTES)
        for record in self._rest(path) if self._mark.sequence < sequence else ():
            if record.sequence >= sequence:
                break
        return (self._mark.sequence, self._mark.chain) == (sequence, chain)  # it is the last before a mark

    def _enter(self, path: Path) -> None:
        """Begin a file of the journal: it must go on where the one before it ended."""
        with path.open("rb") as file:
            header = read_header(path, file, self.genesis)
        if (header.first_sequence, header.chain) != (self._mark.sequence + 1, self._mark.chain):
            raise JournalCorrupt(path, 0, f"begins at {header.first_sequence}, after {self._mark.sequence}")
        self._path, self._header = path, header
        self._mark = self._mark._replace(offset=HEADER_BYTES)

    def _rest(self, path: Path) -> Iterator[Record]:
        """What the file holds up to its last mark."""
        damaged_at = -1
        while True:
            try:
                yield from self._groups(path)
                return
            except Damage as found:
                with path.open("rb") as file:
                    if find_mark(file, found.offset, self._header.key) is None:
                        return  # a write in progress
                # A mark beyond it: either the write was finished while we looked, or what was acknowledged is damaged.
                if found.offset == damaged_at:
                    raise JournalCorrupt(path, found.offset, found.reason) from found
                damaged_at = found.offset

    def _groups(self, path: Path) -> Iterator[Record]:
        group: list[Record] = []
        with path.open("rb") as file:
            for item in read_items(file, self._mark, self._header.key):
                if item.payload is not None:
                    group.append(Record(item.sequence, item.payload, item.chain))
                    continue
                self._mark = item._replace(offset=item.offset + MARK_BYTES)
                yield from group
                group.clear()
