"""The bytes of a proof: 32-byte words in one order, read by the verifier as it goes, and nothing it does not read.

There are no counts and no lengths in it: a verifier knows from its key and from the positions it drew how much of
everything there is. So bytes have one meaning or none, and every way to spoil them is an element not below the prime, a
stream that ends too early, or one that goes on too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stark.prime import PRIME, WORD_BYTES


class Phase(StrEnum):
    """The numbered steps that prover and verifier share."""

    STATEMENT = "1 statement"
    TRACE = "2 trace"
    BUSES = "3 buses"
    COMPOSITION = "4 composition"
    OUTSIDE = "5 values outside the domain"
    FOLDING = "6 folding"
    GRINDING = "7 grinding"
    QUERIES = "8 queries"


@dataclass(frozen=True, slots=True)
class ProofRejected:
    """Why a proof is not accepted: the step at which it failed, and how."""

    phase: Phase
    reason: str

    def __str__(self) -> str:
        return f"step {self.phase}: {self.reason}"


class Rejection(Exception):
    """Carries a rejection from inside the verifier to its one exit."""

    def __init__(self, phase: Phase, reason: str):
        super().__init__(f"{phase}: {reason}")
        self.rejected = ProofRejected(phase, reason)


def words_of(values: Iterable[int]) -> bytes:
    """Integers below 2**256 as big-endian words."""
    return b"".join([value.to_bytes(WORD_BYTES, "big") for value in values])


class Reader:
    """Takes a proof's bytes from the front; `phase` is named when they can't be read."""

    def __init__(self, data: bytes):
        self._data = data
        self._offset = 0
        self.phase = Phase.TRACE

    @property
    def offset(self) -> int:
        """How many bytes were read."""
        return self._offset

    def words(self, count: int) -> bytes:
        """The next words."""
        end = self._offset + count * WORD_BYTES
        if end > len(self._data):
            raise Rejection(self.phase, f"the proof ends at byte {len(self._data)}; {end} are needed here")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def felts(self, count: int) -> list[int]:
        """The next words as field elements; each must be below the prime, or one proof could be written many ways."""
        data = self.words(count)
        values = [int.from_bytes(data[at : at + WORD_BYTES], "big") for at in range(0, len(data), WORD_BYTES)]
        for index, value in enumerate(values):
            if value >= PRIME:
                at = self._offset - len(data) + index * WORD_BYTES
                raise Rejection(self.phase, f"the word at byte {at} is not a field element: {value:#x}")
        return values

    def finish(self) -> None:
        """Nothing may follow."""
        if self._offset != len(self._data):
            raise Rejection(self.phase, f"{len(self._data) - self._offset} bytes follow the end of the proof")
