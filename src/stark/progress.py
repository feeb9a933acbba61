"""How a long proof reports what it is doing, and how it is stopped."""

from collections.abc import Callable

from stark.proof import Phase

# Called with the phase and the share of it that is done; what it raises stops the proof and reaches the caller.
Progress = Callable[[Phase, float], None]

Report = Callable[[float], None]  # the same within one piece of work: the share of it that is done


class Cancelled(Exception):
    """A caller's progress function raises this to stop a proof."""


def silent(phase: Phase, share: float) -> None:
    """Report nothing."""


def unheard(share: float) -> None:
    """Report nothing of a piece of work."""


def within(report: Report, start: float, stop: float) -> Report:
    """For a piece of work that takes the whole from one share to another."""
    return lambda share: report(start + share * (stop - start))
