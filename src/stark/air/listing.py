"""A listing: messages of one form, any number of them up to a bound, and the bytes in which they are published.

An element of a statement costs its verifier steps of its own, whether it is used or not. What there are thousands of is
listed instead. Entries stand in the statement behind its elements, field by field. They are cut into pages, as few as
hold them, each filled as far as the next entry allows; a page is published by itself, and the transcript absorbs the
Keccak digest of its bytes.

    page  = its entries, one after the other
    entry = a byte for each field, how many bytes it has · those of each field, the highest first, which is not zero

An entry's first field stands as what it adds to that of the entry before it (to nothing, on each page), and it adds
something. So entries are in order, none is there twice, and a page has one form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stark.air.chip import Bus
from stark.keccak import keccak256
from stark.prime import PRIME, WORD_BYTES, inverse

ENTRY_BYTES = 1 + WORD_BYTES  # of a field, at most


class Listing(NamedTuple):
    """What is listed: its bus, how often each entry is sent (less than 0: received), and the bounds."""

    bus: Bus
    times: int
    room: int  # entries
    page_bytes: int  # of one page

    @property
    def width(self) -> int:
        """Elements of an entry."""
        return len(self.bus.fields)

    @property
    def pages(self) -> int:
        """As many pages hold any listing: all but the last are too full for one more entry."""
        longest = self.width * ENTRY_BYTES
        return -(-self.room * longest // (self.page_bytes - longest + 1))

    def check(self) -> None:
        """Raises ValueError for bounds that make no sense."""
        if self.room < 1 or self.page_bytes < self.width * ENTRY_BYTES or self.times not in (1, -1):
            raise ValueError(f"{self.bus.name}: a listing and a page have room for an entry, sent or received once")

    def words(self, number: int) -> list[int]:
        """What a system binds of it; `number` is that of its bus."""
        return [number, self.times % PRIME, self.width, self.room, self.page_bytes]

    def entries(self, elements: Sequence[int]) -> list[tuple[int, ...]]:
        """Elements by entry. Raises ValueError where they are too many, cut, or none of the field."""
        if len(elements) % self.width:
            raise ValueError(f"{len(elements)} elements are no list of entries of {self.width}")
        if len(elements) > self.width * self.room:
            raise ValueError(f"{len(elements) // self.width} entries; the listing has room for {self.room}")
        for value in elements:
            if not 0 <= value < PRIME:
                raise ValueError(f"a listed value is not a field element: {value}")
        return list(zip(*[iter(elements)] * self.width, strict=True))

    def pack(self, elements: Sequence[int]) -> list[bytes]:
        """The pages. Raises ValueError as `entries` does, and where first fields do not rise."""
        pages: list[bytes] = []
        page, before = bytearray(), 0
        for entry in self.entries(elements):
            packed = _packed(entry, before)
            if len(page) + len(packed) > self.page_bytes:
                pages.append(bytes(page))
                page, packed = bytearray(), _packed(entry, 0)
            page += packed
            before = entry[0]
        return [*pages, bytes(page)] if page else pages

    def unpack(self, page: bytes) -> list[int]:
        """A page's elements. Raises ValueError for bytes that are no page."""
        if not 0 < len(page) <= self.page_bytes:
            raise ValueError(f"{len(page)} bytes are no page: it has 1 to {self.page_bytes}")
        found: list[int] = []
        at = before = 0
        while at < len(page):
            sizes = page[at : at + self.width]
            at += self.width
            values = []
            for size in sizes:
                values.append(_number(page, at, size))
                at += size
            if len(sizes) < self.width or not sizes[0]:
                raise ValueError(f"before byte {at}: an entry that is cut, or not above the one before it")
            before += values[0]
            if before >= PRIME:
                raise ValueError(f"before byte {at}: {before:#x} is no element of the field")
            found += [before, *values[1:]]
        return found

    def digests(self, elements: Sequence[int]) -> list[int]:
        """The pages' digests as words, and zeros for pages that there are not."""
        found = [int.from_bytes(keccak256(page), "big") for page in self.pack(elements)]
        return found + [0] * (self.pages - len(found))

    def sums(self, elements: Sequence[int], number: int, challenges: Sequence[int]) -> list[int]:
        """What each page adds to the balance of buses; `number` is its bus's. Raises ZeroDivisionError by bad luck."""
        return [self._sum(self.unpack(page), number, challenges) for page in self.pack(elements)]

    def _sum(self, elements: Sequence[int], number: int, challenges: Sequence[int]) -> int:
        """As one fraction, which takes one division."""
        above, below = 0, 1
        for divisor in self._divisors(elements, number, challenges):
            above, below = (above * divisor + below) % PRIME, below * divisor % PRIME
        if not below:
            raise ZeroDivisionError(f"a challenge meets a message of {self.bus.name}")
        return self.times * above * inverse(below) % PRIME

    def _divisors(self, elements: Sequence[int], number: int, challenges: Sequence[int]) -> Iterator[int]:
        """Of every entry's fraction: see `stark.air.logup`."""
        for entry in self.entries(elements):
            told = sum(value * power for value, power in zip(entry, challenges[1:], strict=False))
            yield (challenges[0] - number - told) % PRIME


def _packed(entry: Sequence[int], before: int) -> bytes:
    if entry[0] <= before:
        raise ValueError(f"an entry of {entry[0]:#x} after one of {before:#x}: first fields rise")
    values = [entry[0] - before, *entry[1:]]
    sizes = [(value.bit_length() + 7) // 8 for value in values]
    return bytes(sizes) + b"".join(value.to_bytes(size, "big") for value, size in zip(values, sizes, strict=True))


def _number(page: bytes, at: int, size: int) -> int:
    """A field's value, in its one form."""
    octets = page[at : at + size]
    if len(octets) < size or size > WORD_BYTES or octets.startswith(b"\0"):
        raise ValueError(f"at byte {at}: a number of {size} bytes that is cut, too long, or begins with a zero")
    value = int.from_bytes(octets, "big")
    if value >= PRIME:
        raise ValueError(f"at byte {at}: {value:#x} is no element of the field")
    return value
