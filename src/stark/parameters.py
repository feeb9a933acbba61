"""How much work a proof costs and how sure it makes: chosen by the verifier, never read from a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stark.proof import words_of

LOG_ARITY_LIMIT = 4
HASHES = ("keccak", "poseidon")  # their places are part of a key's digest


@dataclass(frozen=True, slots=True)
class Parameters:
    """See `stark.security` for what they are worth."""

    log_blowup: int  # points of an extension for each row
    queries: int  # random rows that are opened
    grinding_bits: int  # work before the queries are known
    log_arity_max: int = 4  # the most a step of folding divides the rows by
    log_final: int = 5  # coefficients of the last polynomial; every table is taller
    hash: str = "keccak"  # of the trees: "keccak" for the EVM, "poseidon" for another proof
    part_queries: int = 0  # the answers are cut into parts of so many queries, each checked by itself; 0: one part

    def __post_init__(self) -> None:
        bounds = {
            "log_blowup": (1, 10),
            "queries": (1, 1024),
            "grinding_bits": (0, 40),
            "log_arity_max": (1, LOG_ARITY_LIMIT),
            "log_final": (0, 12),
            "part_queries": (0, self.queries),
        }
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:  # a bool is no number here
                raise ValueError(f"{name} is a whole number from {least} to {most}, not {value!r}")
        if self.hash not in HASHES:
            raise ValueError(f"trees are hashed with keccak or poseidon, not {self.hash!r}")

    @property
    def parts(self) -> int:
        """The most parts that answers have; the last may be shorter than the others."""
        return -(-self.queries // self.part_size)

    @property
    def part_size(self) -> int:
        """Queries of a part."""
        return self.part_queries or self.queries

    def words(self) -> list[int]:
        """All of them, as a key binds them."""
        numbers = [self.log_blowup, self.queries, self.grinding_bits, self.log_arity_max, self.log_final]
        return [*numbers, self.part_queries, HASHES.index(self.hash)]

    def encode(self) -> bytes:
        """The words as bytes, 32 each."""
        return words_of(self.words())


# Bits are proven ones, summed over all rounds, for systems of up to 2**24 rows and 1,000 columns; the tests of
# stark.security hold each profile to what it says here.
STANDARD = Parameters(log_blowup=2, queries=81, grinding_bits=20)  # 100 bits, with about a second's grinding
HIGH = Parameters(log_blowup=2, queries=109, grinding_bits=20)  # 128 bits, all that Keccak has; with Poseidon 125.5
ONCHAIN = Parameters(log_blowup=4, queries=39, grinding_bits=24, log_final=6, part_queries=9)  # 101, few bytes
TEST = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_final=2)  # 11 bits: anyone forges it in 4,096 tries

PROFILES = {"standard": STANDARD, "high": HIGH, "onchain": ONCHAIN, "test": TEST}


def fold_schedule(log_heights: Sequence[int], parameters: Parameters) -> tuple[int, ...]:
    """By how many halvings each folding step shortens: every height between the tallest and the last is met exactly.

    Between two heights there are as few steps as the largest arity allows, and they are as even as can be: two steps of
    8 open 16 elements, a step of 16 and one of 4 open 20.
    """
    if not log_heights:
        raise ValueError("there is no table to fold")
    shortest = min(log_heights)
    if shortest <= parameters.log_final:
        raise ValueError(
            f"a table of 2**{shortest} rows is not taller than the last polynomial's 2**{parameters.log_final} "
            "coefficients: pad the table, or lower log_final"
        )
    steps: list[int] = []
    stops = sorted({*log_heights, parameters.log_final}, reverse=True)
    for above, below in zip(stops, stops[1:], strict=False):
        distance = above - below
        count = -(-distance // parameters.log_arity_max)
        steps += [distance // count + (index < distance % count) for index in range(count)]
    return tuple(steps)
