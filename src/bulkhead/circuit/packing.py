"""A statement's elements as they are published: the numbers of which they consist, without what is always zero.

    packed = elements before the queues · how many entries each queue has · their entries, field by field
    number = one byte, how many follow · so many bytes, the highest first, which is not zero

Entries are the used ones: they stand first in their queue, and `used` is not written. So bytes have one meaning or
none, and elements one form or none. `contracts/Reader.vy` expands the same bytes to the same elements. Changed words
are published apart, on pages (`stark.air.listing`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.batch import BOTH, LISTS, SINGLE, Shape
from stark.prime import PRIME

NUMBER_BYTES = 32  # at most, its length apart
HEAD = 2 * len(BOTH) + len(SINGLE)  # elements before the queues


class PackingError(ValueError):
    """Elements that have no packed form, or bytes that are not the packed form of any."""


def pack(elements: Sequence[int], shape: Shape) -> bytes:
    """What L1 is given. Raises PackingError for queues with gaps, or what is no element."""
    head, queues = _cut(elements, shape)
    numbers = [*head, *map(len, queues)]
    numbers += [value for entries in queues for entry in entries for value in entry]
    return b"".join(map(packed_number, numbers))


def unpack(packed: bytes, shape: Shape) -> list[int]:
    """The statement's elements. Raises PackingError for any bytes that `pack` does not make."""
    found, end = unpack_at(packed, 0, shape)
    if end < len(packed):
        raise PackingError(f"{len(packed) - end} bytes after the statement's end")
    return found


def unpack_at(data: bytes, at: int, shape: Shape) -> tuple[list[int], int]:
    """The elements of a statement that stands somewhere in more bytes, and where it ends. Raises PackingError."""
    read = _Bytes(data, at)
    found = [read.number() for _ in range(HEAD)]
    counts = [read.number() for _ in LISTS]
    for (name, room), count in zip(shape.rooms().items(), counts, strict=True):
        if count > room:
            raise PackingError(f"{count} entries of the list {name}: a batch of this shape holds {room}")
        fields = LISTS[name][:-1]
        for _ in range(count):
            found += [*(read.number() for _ in fields), 1]
        found += [0] * ((room - count) * (len(fields) + 1))
    return found, read.at


def packed_number(value: int) -> bytes:
    """A number in its one form. Raises PackingError for what is no element of the field."""
    if not 0 <= value < PRIME:
        raise PackingError(f"{value:#x} is no element of the field")
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def packed_bytes_max(shape: Shape) -> int:
    """No statement's elements take more bytes."""
    numbers = HEAD + len(LISTS)
    numbers += sum(room * (len(LISTS[name]) - 1) for name, room in shape.rooms().items())
    return (1 + NUMBER_BYTES) * numbers


def _cut(elements: Sequence[int], shape: Shape) -> tuple[Sequence[int], list[list[Sequence[int]]]]:
    """The elements before the queues, and the used entries of each queue without `used`."""
    at, length = HEAD, HEAD + sum(room * len(LISTS[name]) for name, room in shape.rooms().items())
    if len(elements) != length:
        raise PackingError(f"{len(elements)} elements: a statement of this shape has {length}")
    head, queues = elements[:at], []
    for name, room in shape.rooms().items():
        width = len(LISTS[name])
        entries = [elements[start : start + width] for start in range(at, at + room * width, width)]
        at += room * width
        count = sum(entry[-1] == 1 for entry in entries)
        if any(entry[-1] != 1 for entry in entries[:count]) or any(any(entry) for entry in entries[count:]):
            raise PackingError(f"the list {name} has a gap, or an entry that is not used and not empty")
        queues.append([entry[:-1] for entry in entries[:count]])
    return head, queues


class _Bytes:
    """Numbers one after the other, from a place on. Whatever cannot be read raises PackingError."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        """The next number."""
        size = self._take(1)[0]
        if size > NUMBER_BYTES:
            raise PackingError(f"before byte {self.at}: a number of {size} bytes")
        octets = self._take(size)
        if octets.startswith(b"\0"):
            raise PackingError(f"before byte {self.at}: a number with a leading zero")
        value = int.from_bytes(octets, "big")
        if value >= PRIME:
            raise PackingError(f"before byte {self.at}: {value:#x} is no element of the field")
        return value

    def _take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            raise PackingError("the bytes end before the statement does")
        return self.data[start : self.at]
