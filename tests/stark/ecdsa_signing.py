"""Signatures to prove, by the library in use."""

from __future__ import annotations

import random

import fast_stark_crypto

from stark.curve import ORDER
from stark.ecdsa import ELEMENT_LIMIT, Signed


def signing(count: int, seed: int = 1) -> list[Signed]:
    """Signatures by the library in use, with s below the ledger's limit."""
    draw, found = random.Random(seed), []
    while len(found) < count:
        private, message = draw.randrange(1, ORDER), draw.randrange(ELEMENT_LIMIT)
        r, s = fast_stark_crypto.sign(private, message)
        if 0 < s < ELEMENT_LIMIT:
            found.append(Signed(fast_stark_crypto.get_public_key(private), message, r, s))
    return found
