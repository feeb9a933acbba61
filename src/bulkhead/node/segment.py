"""The bytes of one journal file: a header, then records and marks; and how they are checked.

    header   magic, version, genesis digest, first sequence, chain before it, mark key, SHA-256 of all that
    record   length (u32), sequence (u64), chain (32 bytes), payload
    mark     2^32 - 1 (u32), sequence (u64), chain (32 bytes), magic, own offset (u64), keyed digest (16 bytes)

All integers are big-endian. chain = SHA-256(previous chain, length, sequence, payload), so a record vouches for all
before it. A mark is written only after everything before it is on the disk: it says "this was acknowledged". The
journal looks for marks beyond a damage, so nobody may be able to plant one inside a payload; therefore its digest
is keyed with random bytes that never leave the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b, sha256
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

MAGIC = b"BULKHEAD"
MARK_MAGIC = b"\xf5MARKED\xfa"
VERSION = 1
PAYLOAD_BYTES_MAX = 16 << 20
MARK_LENGTH = 0xFFFFFFFF  # in the place of a record's length
DIGEST_BYTES = 32
KEY_BYTES = 16

HEADER = Struct(">8sI32sQ32s16s")
HEADER_BYTES = HEADER.size + DIGEST_BYTES
ITEM = Struct(">IQ32s")  # what a record and a mark begin with
PREFIX = Struct(">IQ")
MARK_TAIL = Struct(">8sQ16s")
MARK_BYTES = ITEM.size + MARK_TAIL.size
_MARK_DIGEST_BYTES = 16


class JournalError(Exception):
    """The journal cannot be used as asked; the text says what to do."""


class JournalLocked(JournalError):
    """Another process writes this journal."""


class JournalCorrupt(JournalError):
    """Acknowledged bytes are damaged or missing. Nothing was changed; restore the file from a copy."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"{path}, offset {offset}: {reason}; acknowledged records are damaged, restore this file")
        self.path, self.offset, self.reason = path, offset, reason


class Header(NamedTuple):
    """What the file begins with."""

    genesis: bytes
    first_sequence: int
    chain: bytes
    key: bytes


class Item(NamedTuple):
    """A record (payload is bytes) or a mark (payload is None), its place and the chain after it."""

    sequence: int
    payload: bytes | None
    chain: bytes
    offset: int


class Damage(Exception):
    """The bytes from this offset on are not what was written, or not all of it."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset, self.reason = offset, reason


def pack_header(header: Header) -> bytes:
    """The first bytes of a new file."""
    data = HEADER.pack(MAGIC, VERSION, header.genesis, header.first_sequence, header.chain, header.key)
    return data + sha256(data).digest()


def new_key() -> bytes:
    """A mark key nobody outside can know. The only randomness of the journal; records do not depend on it."""
    return os.urandom(KEY_BYTES)


def read_header(path: Path, file: BinaryIO, genesis: bytes) -> Header:
    """The checked header of an open file. A header is on the disk before its file has a name, so it is never torn."""
    data = file.read(HEADER_BYTES)
    if data[: len(MAGIC)] != MAGIC or len(data) < HEADER_BYTES:
        raise JournalCorrupt(path, 0, "no journal header")
    _, version, found, first_sequence, chain, key = HEADER.unpack_from(data)
    if version != VERSION:
        raise JournalError(f"{path}: journal version {version}, this program reads {VERSION}; use the program it names")
    if sha256(data[: HEADER.size]).digest() != data[HEADER.size :]:
        raise JournalCorrupt(path, 0, "the header does not match its digest")
    if found != genesis:
        raise JournalError(f"{path}: genesis {found.hex()}, not {genesis.hex()}: the journal of another exchange")
    return Header(found, first_sequence, chain, key)


def next_chain(chain: bytes, prefix: bytes, payload: bytes) -> bytes:
    """The chain after a record."""
    return sha256(chain + prefix + payload).digest()


def pack_mark(sequence: int, chain: bytes, offset: int, key: bytes) -> bytes:
    """The mark that everything up to `sequence` is on the disk."""
    data = ITEM.pack(MARK_LENGTH, sequence, chain) + MARK_TAIL.pack(MARK_MAGIC, offset, b"")[:-_MARK_DIGEST_BYTES]
    return data + blake2b(data, digest_size=_MARK_DIGEST_BYTES, key=key).digest()


def read_items(file: BinaryIO, start: Item, key: bytes) -> Iterator[Item]:
    """Every item from `start.offset` to the end of the file, checked; raises Damage at the first that is not right.

    `start` carries the sequence and chain before that offset. Memory: one record.
    """
    sequence, chain, offset = start.sequence, start.chain, start.offset
    file.seek(offset)
    while True:
        head = file.read(ITEM.size)
        if not head:
            return
        if len(head) < ITEM.size:
            raise Damage(offset, "the file ends inside an item")
        length, number, stored = ITEM.unpack(head)
        if length == MARK_LENGTH:
            mark = head + file.read(MARK_TAIL.size)
            if mark != pack_mark(sequence, chain, offset, key):
                raise Damage(offset, "a mark does not match")
            yield Item(sequence, None, chain, offset)
            offset += MARK_BYTES
            continue
        if length > PAYLOAD_BYTES_MAX or number != sequence + 1:
            raise Damage(offset, f"record {sequence + 1} belongs here, found a length of {length} and number {number}")
        payload = file.read(length)
        if len(payload) < length:
            raise Damage(offset, f"the file ends inside record {number}")
        if next_chain(chain, head[: PREFIX.size], payload) != stored:
            raise Damage(offset, f"record {number} does not match its hash")
        yield Item(number, payload, stored, offset)
        sequence, chain = number, stored
        offset += ITEM.size + length


def find_mark(file: BinaryIO, offset: int, key: bytes) -> int | None:
    """The offset of the first genuine mark at or after `offset`, or None. Memory: the rest of one file."""
    file.seek(offset)
    rest = file.read()
    place = rest.find(MARK_MAGIC)
    while place >= 0:
        begin = place - ITEM.size
        mark = rest[begin : begin + MARK_BYTES] if begin >= 0 else b""
        if len(mark) == MARK_BYTES:
            length, sequence, chain = ITEM.unpack_from(mark)
            if length == MARK_LENGTH and mark == pack_mark(sequence, chain, offset + begin, key):
                return offset + begin
        place = rest.find(MARK_MAGIC, place + 1)
    return None
