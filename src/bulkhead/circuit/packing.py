"""The statement as it is published: the numbers of which it consists, without what is always zero. Both directions.

    packed = elements before the lists · how many entries each list has · entries of the queues, field by field · words
    number = one byte, how many follow · so many bytes, the highest first, which is not zero
    word   = the first byte of two numbers, then their other bytes: how much its key is above the one before, its value

Entries are the used ones: they stand first in their list, and `used` is not written. The keys of changed words rise. So
bytes have one meaning or none, and a statement one form or none. `contracts/Reader.vy` expands the same bytes to the
same elements, whose digest is what was proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulkhead.circuit.batch import BOTH, LISTS, SINGLE, Shape
from bulkhead.circuit.words import ORDER_RECORD, key_of
from stark.prime import PRIME

NUMBER_BYTES = 32  # at most, its length apart
KEY_BYTES = (key_of(ORDER_RECORD, 0).bit_length() + 7) // 8  # at most, of a changed word's key: orders' are the longest
HEAD = 2 * len(BOTH) + len(SINGLE)  # elements before the lists


class PackingError(ValueError):
    """A statement that has no packed form, or bytes that are not the packed form of one."""


def pack(statement: Sequence[int], shape: Shape) -> bytes:
    """What L1 is given. Raises PackingError for a statement with gaps, keys that do not rise, or what is no element."""
    head, lists = _cut(statement, shape)
    numbers = [*head, *map(len, lists.values())]
    numbers += [value for name, entries in lists.items() if name != "changed" for entry in entries for value in entry]
    return b"".join([*map(packed_number, numbers), *_words(lists["changed"])])


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
        fields, key = LISTS[name][:-1], 0
        for place in range(count):
            if name == "changed":
                step, value = read.word()
                if not step:
                    raise PackingError(f"changed word {place}: its key is not above the one before it")
                key += step
                found += [key, value, 1]
            else:
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
    """No statement of a shape takes more bytes."""
    numbers = HEAD + len(LISTS)
    numbers += sum(room * (len(LISTS[name]) - 1) for name, room in shape.rooms().items() if name != "changed")
    return (1 + NUMBER_BYTES) * (numbers + shape.changes) + (1 + KEY_BYTES) * shape.changes


def _cut(statement: Sequence[int], shape: Shape) -> tuple[Sequence[int], dict[str, list[Sequence[int]]]]:
    """The elements before the lists, and the used entries of each list without `used`."""
    at, length = HEAD, HEAD + sum(room * len(LISTS[name]) for name, room in shape.rooms().items())
    if len(statement) != length:
        raise PackingError(f"{len(statement)} elements: a statement of this shape has {length}")
    head, lists = statement[:at], {}
    for name, room in shape.rooms().items():
        width = len(LISTS[name])
        entries = [statement[start : start + width] for start in range(at, at + room * width, width)]
        at += room * width
        count = sum(entry[-1] == 1 for entry in entries)
        if any(entry[-1] != 1 for entry in entries[:count]) or any(any(entry) for entry in entries[count:]):
            raise PackingError(f"the list {name} has a gap, or an entry that is not used and not empty")
        lists[name] = [entry[:-1] for entry in entries[:count]]
    return head, lists


def _words(changed: Sequence[Sequence[int]]) -> Iterator[bytes]:
    """Each changed word."""
    before = 0
    for place, (key, value) in enumerate(changed):
        if key <= before:
            raise PackingError(f"changed word {place}: its key is not above the one before it")
        step, word = packed_number(key - before), packed_number(value)
        if step[0] > KEY_BYTES:
            raise PackingError(f"changed word {place}: a key of {step[0]} bytes")
        yield step[:1] + word[:1] + step[1:] + word[1:]
        before = key


class _Bytes:
    """Numbers one after the other, from a place on. Whatever cannot be read raises PackingError."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        """The next number."""
        return self._value(self._size())

    def word(self) -> tuple[int, int]:
        """The next changed word: how much its key is above the one before, and its value."""
        key_size, value_size = self._size(), self._size()
        if key_size > KEY_BYTES:
            raise PackingError(f"byte {self.at - 2}: a key of {key_size} bytes")
        return self._value(key_size), self._value(value_size)

    def _size(self) -> int:
        return self._take(1)[0]

    def _value(self, size: int) -> int:
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
