"""How many signatures of known keys one core verifies in a second, beside the library in use."""

import random
import time

import fast_stark_crypto

from benchmarks import Row
from stark.curve import ORDER
from stark.ecdsa import ELEMENT_LIMIT, KnownKeys, Signed, verify_batch

KEYS = 50
SIGNATURES = 2_000
BY_LIBRARY = 300


def run() -> list[Row]:
    """Both, in turn; the best of three."""
    draw = random.Random(1)
    private = [draw.randrange(1, ORDER) for _ in range(KEYS)]
    public = [fast_stark_crypto.get_public_key(key) for key in private]
    batch = []
    for number in range(SIGNATURES):
        message = draw.randrange(ELEMENT_LIMIT)
        signature = fast_stark_crypto.sign(private[number % KEYS], message)
        batch.append(Signed(public[number % KEYS], message, *signature))
    known = KnownKeys()
    verify_batch(batch, known)  # compiles, and makes the keys' tables
    ours, theirs = 0.0, 0.0
    for _ in range(3):
        start = time.perf_counter()
        if not all(verify_batch(batch, known)):
            raise RuntimeError("a good signature was refused")
        ours = max(ours, SIGNATURES / (time.perf_counter() - start))
        start = time.perf_counter()
        for one in batch[:BY_LIBRARY]:
            fast_stark_crypto.verify(one.public_key, one.message, one.r, one.s)
        theirs = max(theirs, BY_LIBRARY / (time.perf_counter() - start))
    figure = "Batch ECDSA of known keys, one core (fast-stark-crypto)"
    return [{"figure": figure, "value": ours, "unit": "per s", "reference": theirs, "ratio": ours / theirs}]
