"""How much work a proof costs and how sure it makes: chosen by the verifier, never read from a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LOG_ARITY_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Parameters:
    """See `stark.security` for what they are worth."""

    log_blowup: int  # points of an extension for each row
    queries: int
    grinding_bits: int  # work before the queries are known
    log_arity: int = 4  # the most a step of folding divides the rows by
    log_final: int = 5  # coefficients of the last polynomial; every table is taller
    hash: str = "keccak"  # of the trees: "keccak" for the EVM, "poseidon" for another proof
    parts: int = 1  # the queries' answers are cut into so many, each checked by itself

    def __post_init__(self) -> None:
        bounds = {
            "log_blowup": (1, 10),
            "queries": (1, 1024),
            "grinding_bits": (0, 40),
            "log_arity": (1, LOG_ARITY_LIMIT),
            "log_final": (0, 12),
            "parts": (1, self.queries),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is from {least} to {most}, not {getattr(self, name)}")
        if self.hash not in ("keccak", "poseidon"):
            raise ValueError(f"trees are hashed with keccak or poseidon, not {self.hash}")

    def words(self) -> list[int]:
        """All of them, as a key binds them."""
        numbers = [self.log_blowup, self.queries, self.grinding_bits, self.log_arity, self.log_final, self.parts]
        return [*numbers, int(self.hash == "poseidon")]


def fold_schedule(log_heights: Sequence[int], parameters: Parameters) -> tuple[int, ...]:
    """By how many halvings each folding step shortens: every height between the tallest and the last is met exactly."""
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
        count = -(-distance // parameters.log_arity)
        steps += [distance // count + (index < distance % count) for index in range(count)]
    return tuple(steps)
