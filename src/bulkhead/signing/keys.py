"""Stark keys: sign, verify, derive from an Ethereum signature.

A message is identified by its hash, never by its signature: whoever sees (r, s) can write (r, n - s), which is
just as valid.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

import fast_stark_crypto

from bulkhead.fixed import remainder
from bulkhead.limits import DIGEST_BITS, FIELD_PRIME, L1_ADDRESS_BITS
from bulkhead.signing.ranges import ELEMENT_LIMIT, SigningError, check, check_element

CURVE_ORDER = 3618502788666131213697322783095070105526743751716087489154079457884512865583
CURVE_BETA = 3141592653589793238462643383279502884197169399375105820974944592307816406665


class Signature(NamedTuple):
    """Stark ECDSA. (r, CURVE_ORDER - s) is as valid as (r, s)."""

    r: int
    s: int


def onboarding_hash(l1_address: int, public_key: int) -> int:
    """Pedersen(address, key): what a new Stark key signs to show that it agrees with its Ethereum owner."""
    check("L1 address", l1_address, 0, 1 << L1_ADDRESS_BITS)
    check_element("public key", public_key)
    return int(fast_stark_crypto.pedersen_hash(l1_address, public_key))


@lru_cache(maxsize=1 << 16)
def is_public_key(value: int) -> bool:
    """Whether value is the x coordinate of a point of y² = x³ + x + β (Euler's criterion)."""
    if not 0 < value < FIELD_PRIME:
        return False
    square = value**3 + value + CURVE_BETA
    return pow(square, (FIELD_PRIME - 1) >> 1, FIELD_PRIME) == 1


def verify(public_key: int, message: int, r: int, s: int) -> bool:
    """Whether (r, s) signs the message hash; False, never an exception, for any integers.

    The ranges are checked here because outside them the library panics instead of answering.
    """
    # s of the last 2^-54 of its range, from 2^251 to n, is refused as well; Starknet does the same.
    if not (0 < r < ELEMENT_LIMIT and 0 < s < ELEMENT_LIMIT and 0 <= message < ELEMENT_LIMIT):
        return False
    return is_public_key(public_key) and bool(fast_stark_crypto.verify(public_key, message, r, s))


def _check_private_key(private_key: int) -> None:
    if not 0 < private_key < CURVE_ORDER:  # the value is a secret: not in the text
        raise SigningError("a private key must be at least 1 and below the order of the curve")


def public_key(private_key: int) -> int:
    """The x coordinate of private_key · G."""
    _check_private_key(private_key)
    return int(fast_stark_crypto.get_public_key(private_key))


def sign(private_key: int, message: int) -> Signature:
    """Signs a message hash; the nonce is derived from both, so the same input signs alike."""
    _check_private_key(private_key)
    check("message hash", message, 0, ELEMENT_LIMIT)
    return Signature(*fast_stark_crypto.sign(private_key, message))


def private_key_from_ethereum(signature: str) -> int:
    """The Stark key that an Ethereum signature (65 bytes in hexadecimal, 0x or not) stands for.

    Its first half is ground with SHA-256 until a draw below a multiple of the curve's order appears, so that the
    remainder is uniform. Wallets derive the same key from the same signature.
    """
    digits = signature.removeprefix("0x")
    try:
        octets = bytes.fromhex(digits)
    except ValueError as error:
        raise SigningError("an Ethereum signature must be hexadecimal") from error
    if len(octets) != 65 or len(digits) != 130:
        raise SigningError(f"an Ethereum signature has 65 bytes, not {len(octets)}")
    return grind(int.from_bytes(octets[:32], "big"))


def grind(seed: int) -> int:
    """A uniform private key from a seed: SHA-256(seed, 0), (seed, 1), … until one is below the bound."""
    check("seed", seed, 0, 1 << DIGEST_BITS)
    bound = (1 << DIGEST_BITS) - remainder(1 << DIGEST_BITS, CURVE_ORDER)
    index = 0
    while (draw := int.from_bytes(sha256(_octets(seed) + _octets(index)).digest(), "big")) >= bound:
        index += 1
    return remainder(draw, CURVE_ORDER)


def _octets(value: int) -> bytes:
    """Minimal big-endian bytes; zero is one byte."""
    return value.to_bytes(max(1, (value.bit_length() + 7) >> 3), "big")
