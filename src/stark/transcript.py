"""Challenges that a prover can't choose: hashes of everything said before them (Fiat-Shamir, Keccak-256).

The state is one digest. Absorbing hashes it with whole words, at least one; drawing hashes it alone, so the two can't
be confused. A drawn digest is taken modulo the prime, which is off from uniform by about 2**-55 in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np

from stark.keccak import CONSTANTS, DIGEST_BYTES, keccak256, search_nonce
from stark.prime import PRIME, WORD_BYTES
from stark.progress import Report, unheard
from stark.proof import words_of
from stark.threads import in_ranges

NONCES_AT_ONCE = 1 << 16


class Transcript:
    """The state of a conversation; prover and verifier who say the same draw the same."""

    def __init__(self, tag: bytes):
        self._state = keccak256(tag)

    def absorb(self, words: bytes) -> None:
        """Bind whole 32-byte words, at least one."""
        if not words or len(words) % WORD_BYTES:
            raise ValueError(f"a transcript absorbs whole words of {WORD_BYTES} bytes, not {len(words)} bytes")
        self._state = keccak256(self._state + words)

    def absorb_felts(self, values: Iterable[int]) -> None:
        """Bind field elements."""
        self.absorb(words_of(values))

    def _draw(self) -> int:
        self._state = keccak256(self._state)
        return int.from_bytes(self._state, "big")

    def challenge(self) -> int:
        """A random field element."""
        return self._draw() % PRIME

    def position(self, bits: int) -> int:
        """A random integer of so many bits."""
        return self._draw() & ((1 << bits) - 1)

    def grind(self, bits: int, threads: int = 1, report: Report = unheard) -> int:
        """The smallest nonce that makes `bits` leading zeros; it is bound. What is reported is a chance: see below."""
        prefix = np.frombuffer(self._state, np.uint64).copy()
        found: list[int] = []

        def search(base: int, first: int, last: int) -> None:
            nonce = int(search_nonce(prefix, CONSTANTS, bits, base + first, base + last))
            if nonce >= 0:
                found.append(nonce)

        start = 0
        while not found:
            report(1 - (1 - 0.5**bits) ** start)  # of having found one by now
            base, start = start, start + NONCES_AT_ONCE * threads
            in_ranges(start - base, threads, partial(search, base))
        self.check_nonce(min(found), bits)
        return min(found)

    def check_nonce(self, nonce: int, bits: int) -> bool:
        """Bind the nonce; whether it makes `bits` leading zeros."""
        self._state = keccak256(self._state + nonce.to_bytes(WORD_BYTES, "big"))
        return int.from_bytes(self._state, "big") >> (8 * DIGEST_BYTES - bits) == 0
