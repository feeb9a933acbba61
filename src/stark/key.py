"""What a verifier must know before it reads a proof: the system, the heights of its tables, the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from stark.air.expr import Source
from stark.air.system import System
from stark.keccak import keccak256
from stark.ntt import LOG_LONGEST
from stark.parameters import Parameters, fold_schedule
from stark.prime import PRIME, WORD_BYTES
from stark.proof import words_of
from stark.transcript import Transcript

TAG = b"bulkhead stark 1"


class Level(NamedTuple):
    """The tables of one height: their numbers, and how many columns of each phase they open."""

    log_height: int
    tables: tuple[int, ...]
    fixed_width: int
    trace_width: int
    bus_width: int

    @property
    def width(self) -> int:
        """Columns opened at a point and at the next row's."""
        return self.fixed_width + self.trace_width + self.bus_width


class Key:
    """A system at given heights, under given parameters. Keys with equal digests accept the same proofs."""

    def __init__(
        self, system: System, log_heights: Sequence[int], parameters: Parameters, fixed_root: bytes | None = None
    ):
        self.system = system
        self.log_heights = tuple(log_heights)
        self.parameters = parameters
        self.fixed_root = fixed_root
        self._check()
        self.schedule = fold_schedule(self.log_heights, parameters)

    def _check(self) -> None:
        system = self.system
        check_heights(system, self.log_heights)
        if _power_above(system.composition_columns) > self.parameters.log_blowup:
            raise ValueError(
                f"{system.name} has rules of degree {system.composition_columns + 1}: the blow-up must be at least "
                f"{1 << _power_above(system.composition_columns)}, not {1 << self.parameters.log_blowup}"
            )
        for table, log_height in zip(system.tables, self.log_heights, strict=True):
            longest = max((len(values) for values in table.periods), default=1)
            if longest > 1 << log_height:
                name = table.chip.name
                raise ValueError(f"{name}: a period of {longest} rows needs a taller table than 2**{log_height}")
        if self.has_fixed != (self.fixed_root is not None):
            raise ValueError(f"{system.name}: a key has a root of fixed columns if and only if the system has some")

    @property
    def has_fixed(self) -> bool:
        """Whether any table has columns of the system itself."""
        return any(table.fixed_width for table in self.system.tables)

    @property
    def has_buses(self) -> bool:
        """Whether any table sends or receives."""
        return any(table.bus_width for table in self.system.tables)

    @cached_property
    def log_tallest(self) -> int:
        """Of the tallest table."""
        return max(self.log_heights)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Tables by height, the tallest first; those of one height in the system's order."""
        levels = []
        for log_height in sorted(set(self.log_heights), reverse=True):
            numbers = tuple(number for number, each in enumerate(self.log_heights) if each == log_height)
            tables = [self.system.tables[number] for number in numbers]
            widths = [sum(table.width(source) for table in tables) for source in COMMITTED]
            levels.append(Level(log_height, numbers, *widths))
        return tuple(levels)

    def words(self) -> list[int]:
        """All that decides which proofs are accepted."""
        root = [] if self.fixed_root is None else [int.from_bytes(self.fixed_root, "big")]
        return [*self.parameters.words(), len(self.log_heights), *self.log_heights, *root, *self.system.words()]

    @cached_property
    def digest(self) -> bytes:
        """Keccak-256 of the words: what a contract pins."""
        return keccak256(TAG.ljust(WORD_BYTES, b"\0") + words_of(self.words()))

    def transcript(self, public: Sequence[int]) -> Transcript:
        """A transcript that has absorbed the key and the statement; ValueError for a statement of the wrong form."""
        transcript = Transcript(TAG)
        transcript.absorb(self.digest + words_of(self.said(public)))
        return transcript

    def said(self, public: Sequence[int]) -> list[int]:
        """A statement in as many words as any other of this key: its elements, and the digests of the pages it lists.

        ValueError for a statement of the wrong form.
        """
        count, listing = len(self.system.public), self.system.listing
        if len(public) < count or (listing is None and len(public) > count):
            raise ValueError(f"{self.system.name} states {count} elements; {len(public)} were given")
        for name, value in zip(self.system.public, public, strict=False):
            if not 0 <= value < PRIME:
                raise ValueError(f"{name} is not a field element: {value}")
        digests = [] if listing is None else listing.digests(self.system.listed(public))
        return [*public[:count], *digests]


def check_heights(system: System, log_heights: Sequence[int]) -> None:
    """One height a table, and none taller than a transform takes; raises ValueError otherwise."""
    if len(log_heights) != len(system.tables):
        raise ValueError(f"{system.name} has {len(system.tables)} tables; {len(log_heights)} heights were given")
    for table, log_height in zip(system.tables, log_heights, strict=True):
        if not isinstance(log_height, int) or not 0 <= log_height <= LOG_LONGEST:
            raise ValueError(f"{table.chip.name}: a table has 2**0 to 2**{LOG_LONGEST} rows, not 2**{log_height}")


COMMITTED = (Source.FIXED, Source.TRACE, Source.BUS)  # the order in which a level's columns are opened


def _power_above(count: int) -> int:
    """The least exponent whose power of two is at least `count`."""
    return (count - 1).bit_length()
