"""The prime of the field and its roots of unity, as plain integers: all a verifier needs of arithmetic."""

from functools import cache

PRIME = 2**251 + 17 * 2**192 + 1
GENERATOR = 3  # of the multiplicative group, of order 2**192 * (2**59 + 17)
TWO_ADICITY = 192
WORD_BYTES = 32

assert (PRIME - 1) % 2**TWO_ADICITY == 0


@cache
def root_of_unity(log_size: int) -> int:
    """A primitive 2**log_size-th root of one; the square of each is the one before."""
    if not 0 <= log_size <= TWO_ADICITY:
        raise ValueError(f"the field has no subgroup of size 2**{log_size}")
    return pow(GENERATOR, (PRIME - 1) >> log_size, PRIME)


def inverse(value: int) -> int:
    """1 / value; raises ZeroDivisionError for 0."""
    if value % PRIME == 0:
        raise ZeroDivisionError("zero has no inverse")
    return pow(value, -1, PRIME)


def reverse_bits(value: int, count: int) -> int:
    """The lowest `count` bits in the opposite order."""
    return int(format(value, f"0{count}b")[::-1], 2) if count else 0
