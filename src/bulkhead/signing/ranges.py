"""What can be signed at all: field elements, and the error for everything else."""

from __future__ import annotations

from bulkhead.limits import ACCOUNT_ID_BITS, FIELD_BITS, FIELD_PRIME, WORD_BITS

POSITION_ID_LIMIT = 1 << ACCOUNT_ID_BITS
WORD_LIMIT = 1 << WORD_BITS
AMOUNT_LIMIT = WORD_LIMIT >> 1  # of either sign
ELEMENT_LIMIT = 1 << FIELD_BITS  # message hashes, r and s are below it, here as on Starknet


class SigningError(ValueError):
    """A value outside what can be signed; the text names it and its range."""


def check(name: str, value: int, least: int, limit: int) -> None:
    """least ≤ value < limit, or SigningError."""
    if not least <= value < limit:
        raise SigningError(f"{name} {value} is outside {least} … {limit - 1}")


def check_element(name: str, value: int) -> None:
    """0 ≤ value < P, or SigningError."""
    # The library reduces modulo the field, so that v and v + P would hash alike.
    check(name, value, 0, FIELD_PRIME)
