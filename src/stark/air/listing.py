"""A listing: messages of one form, any number of them up to a bound, and the bytes in which they are published.

An element of a statement costs its verifier steps of its own, whether it is used or not. What there are thousands of is
listed instead: entries of a key and a value, which stand in the statement behind its elements. They are cut into pages,
as few as hold them, each filled as far as the next entry allows; a page is published by itself, and the transcript
absorbs the Keccak digest of its bytes.

    page  = its entries, one after the other · 64 zero bytes, since a number is read as a whole word
    entry = how many bytes its step has · how many its value has · those of the step · those of the value

A step is what a key adds to the key of the entry before it (to zero, on each page); it is not zero and has at most 30
bytes. Bytes are those of a number, the highest first, which is not zero. So keys rise, none is there twice, and a page
has one form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stark.air.chip import Bus
from stark.keccak import keccak256
from stark.prime import PRIME, WORD_BYTES, inverse

FIELDS = 2
STEP_BYTES = WORD_BYTES - FIELDS  # at most: both sizes and a step are read as one word
ENTRY_BYTES = FIELDS + STEP_BYTES + WORD_BYTES  # at most
SHORTEST_ENTRY_BYTES = FIELDS + 1  # a step of one byte, and no value
END = bytes(2 * WORD_BYTES)


class Listing(NamedTuple):
    """What is listed: its bus, how often each entry is sent (-1: received), and the bounds."""

    bus: Bus
    times: int
    room: int  # entries
    page_bytes: int  # of one page, its end with it

    @property
    def pages(self) -> int:
        """As many pages hold any listing: all but the last are too full for one more entry."""
        return -(-self.room * ENTRY_BYTES // (self.page_bytes - len(END) - ENTRY_BYTES + 1))

    def check(self) -> None:
        """Raises ValueError for what makes no sense."""
        if len(self.bus.fields) != FIELDS:
            raise ValueError(f"{self.bus.name}: entries have a key and a value, not {', '.join(self.bus.fields)}")
        if self.room < 1 or self.page_bytes < ENTRY_BYTES + len(END) or self.times not in (1, -1):
            raise ValueError(f"{self.bus.name}: a listing and a page have room for an entry, sent or received once")

    def words(self, number: int) -> list[int]:
        """What a system binds of it; `number` is that of its bus."""
        return [number, self.times % PRIME, self.room, self.page_bytes]

    def entries(self, elements: Sequence[int]) -> list[tuple[int, int]]:
        """Elements by entry. Raises ValueError where they are too many, cut, or none of the field."""
        if len(elements) % FIELDS:
            raise ValueError(f"{len(elements)} elements are no list of keys and values")
        if len(elements) > FIELDS * self.room:
            raise ValueError(f"{len(elements) // FIELDS} entries; the listing has room for {self.room}")
        for value in elements:
            if not 0 <= value < PRIME:
                raise ValueError(f"a listed value is not a field element: {value}")
        return list(zip(elements[::2], elements[1::2], strict=True))

    def pack(self, elements: Sequence[int]) -> list[bytes]:
        """The pages. Raises ValueError as `entries` does, and where keys do not rise."""
        pages: list[bytes] = []
        page, before = bytearray(), 0
        for key, value in self.entries(elements):
            packed = _packed(key - before, value)
            if len(page) + len(packed) + len(END) > self.page_bytes:
                pages.append(bytes(page) + END)
                page, packed = bytearray(), _packed(key, value)
            page += packed
            before = key
        return [*pages, bytes(page) + END] if page else pages

    def unpack(self, page: bytes) -> list[int]:
        """A page's elements. Raises ValueError for bytes that are no page."""
        end = len(page) - len(END)
        if not 0 < end <= self.page_bytes - len(END) or page[end:] != END:
            raise ValueError(f"{len(page)} bytes are no page: it has at most {self.page_bytes} and ends with zeros")
        found: list[int] = []
        at = key = 0
        while at < end:
            size, value_size = page[at], page[at + 1]
            at += FIELDS
            if not 0 < size <= STEP_BYTES:
                raise ValueError(f"before byte {at}: a key that is {size} bytes above the one before it")
            key += _number(page, at, size)
            found += [key, _number(page, at + size, value_size)]
            at += size + value_size
        if at != end or key >= PRIME:
            raise ValueError(f"at byte {at}: an entry that is cut, or whose key {key:#x} is no element of the field")
        return found

    def digests(self, elements: Sequence[int]) -> list[int]:
        """The pages' digests as words, and zeros for pages that there are not."""
        found = [int.from_bytes(keccak256(page), "big") for page in self.pack(elements)]
        return found + [0] * (self.pages - len(found))

    def sums(self, elements: Sequence[int], number: int, challenges: Sequence[int]) -> list[int]:
        """What each page adds to the balance of buses; `number` is its bus's. Raises ZeroDivisionError by bad luck."""
        return [self._sum(self.unpack(page), number, challenges) for page in self.pack(elements)]

    def _sum(self, elements: Sequence[int], number: int, challenges: Sequence[int]) -> int:
        """As one fraction, which takes one division; each entry's is as `stark.air.logup` has it."""
        point, base, square = challenges[:3]
        above, below = 0, 1
        for key, value in self.entries(elements):
            divisor = (point - number - key * base - value * square) % PRIME
            above, below = (above * divisor + below) % PRIME, below * divisor % PRIME
        if not below:
            raise ZeroDivisionError(f"a challenge meets a message of {self.bus.name}")
        return self.times * above * inverse(below) % PRIME


def _packed(step: int, value: int) -> bytes:
    if step <= 0:
        raise ValueError(f"a key that is {-step:#x} below the one before it: keys rise")
    sizes = [(number.bit_length() + 7) // 8 for number in (step, value)]
    if sizes[0] > STEP_BYTES:
        raise ValueError(f"a key that is {step:#x} above the one before it: at most {STEP_BYTES} bytes")
    return bytes(sizes) + step.to_bytes(sizes[0], "big") + value.to_bytes(sizes[1], "big")


def _number(page: bytes, at: int, size: int) -> int:
    """A number in its one form."""
    octets = page[at : at + size]
    if len(octets) < size or size > WORD_BYTES or octets.startswith(b"\0"):
        raise ValueError(f"at byte {at}: a number of {size} bytes that is cut, too long, or begins with a zero")
    value = int.from_bytes(octets, "big")
    if value >= PRIME:
        raise ValueError(f"at byte {at}: {value:#x} is no element of the field")
    return value
