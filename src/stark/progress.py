"""How a long proof reports what it is doing, and how it is stopped."""

from collections.abc import Callable

from stark.proof import Phase

# Called with the phase and the share of it that is done; what it raises stops the proof and reaches the caller.
Progress = Callable[[Phase, float], None]


class Cancelled(Exception):
    """A caller's progress function raises this to stop a proof."""


def silent(phase: Phase, share: float) -> None:
    """Report nothing."""
