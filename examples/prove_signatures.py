"""Prove that messages are signed under given keys: one proof to check instead of many signatures.

The signatures need not be sent; but a proof hides nothing, and whoever studies it can find some of what they contain.

    python examples/prove_signatures.py [COUNT]           64 signatures unless told
"""

from __future__ import annotations

import secrets
import sys
import time

import fast_stark_crypto
from rich.console import Console

from stark.air.chip import Must
from stark.air.system import Public, System
from stark.chips.ecdsa import ROWS, SIGNED, Ecdsa
from stark.chips.ecdsa_table import fill_ecdsa
from stark.chips.ranges import LIMB_BITS, Range
from stark.console import announce_compilation, proving_bar
from stark.curve import ORDER
from stark.ecdsa import ELEMENT_LIMIT, Signed
from stark.fixed import prepare
from stark.parameters import STANDARD
from stark.prover import prove
from stark.security import proven_bits, shape_of
from stark.verifier import verify


def sign(count: int) -> list[Signed]:
    """Random messages under random keys. One signature in 2**55 has an s that is too large, and is made again."""
    found: list[Signed] = []
    while len(found) < count:
        private, message = 1 + secrets.randbelow(ORDER - 1), secrets.randbelow(ELEMENT_LIMIT)
        r, s = fast_stark_crypto.sign(private, message)
        if s < ELEMENT_LIMIT:
            found.append(Signed(fast_stark_crypto.get_public_key(private), message, r, s))
    return found


def signing(count: int) -> System:
    """A statement of so many keys with a message each."""
    names = [f"{part}_{place}" for place in range(count) for part in ("key", "message")]

    def environment(public: Public, must: Must) -> None:
        for key, message in zip(names[::2], names[1::2], strict=True):
            must.receive(SIGNED, [getattr(public, key), getattr(public, message)])

    return System("signatures", [Ecdsa(), Range()], names, environment)


def main(count: int = 64) -> None:
    """Sign, prove, verify, and try to pass off another message."""
    if count < 1:
        sys.exit("at least one signature is proven")
    console = Console(highlight=False)
    announce_compilation(console)
    system, signatures = signing(count), sign(count)
    log_rows = max(7, (ROWS * count - 1).bit_length())
    heights = [log_rows, LIMB_BITS]
    statement = [value for signed in signatures for value in (signed.public_key, signed.message)]
    fixed = prepare(system, heights, STANDARD)
    with proving_bar(console) as report:
        start = time.perf_counter()
        trace, limbs = fill_ecdsa(signatures, [1] * count, log_rows)
        proof = prove(fixed, statement, [trace, Range().fill(limbs)], threads=2, progress=report)
        proving_s = time.perf_counter() - start
    start = time.perf_counter()
    rejected = verify(fixed.key, statement, proof)
    verifying_ms = 1000 * (time.perf_counter() - start)
    bits = proven_bits(STANDARD, shape_of(system, heights)).bits
    console.print(f"{count} signatures, {trace.shape[0]} columns of {trace.shape[1]:,} rows")
    console.print(f"proof: {len(proof) / 1000:.0f} kB, {bits:.0f} proven bits")
    console.print(f"proven in {proving_s:.2f} s ({1000 * proving_s / count:.0f} ms a signature)")
    console.print(f"verified in {verifying_ms:.0f} ms: {rejected or 'accepted'}")
    other = verify(fixed.key, [*statement[:-1], statement[-1] ^ 1], proof)
    console.print(f"for another message the same proof is not accepted: {other}")
    if rejected is not None or other is None:
        sys.exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
