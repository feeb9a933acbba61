"""The state machine of an account's margin: five conditions, and margin calls on the way down."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS
from bulkhead.rules.terms import Health


class Condition(IntEnum):
    """Where an account stands. Larger is worse."""

    HEALTHY = 1  # may take new risk
    BELOW_INITIAL = 2  # may only reduce risk
    BELOW_MAINTENANCE = 3  # is liquidated step by step
    BELOW_CLOSE_OUT = 4  # is closed as a whole
    BANKRUPT = 5  # owes more than it holds


class Call(NamedTuple):
    """A margin call is made when maintenance is at least `level` hundredths of value, and forgotten below `release`.

    The distance between the two keeps an account that hovers around a level from being called at every tick.
    """

    level: int
    release: int


CALLS = (Call(66, 60), Call(80, 74))
"""Rising. At the first call a third of the value is left beyond maintenance, at the second a fifth.

Source of the levels: the margin calls of Extended."""


class Standing(NamedTuple):
    """What is remembered of an account: its condition and the highest margin call still in force (0: none)."""

    condition: Condition
    call: int


GOOD = Standing(Condition.HEALTHY, 0)
NOTHING_HELD = Health(0, 0, 0, 0)  # type: ignore[arg-type]


def condition_of(health: Health) -> Condition:
    """The condition of an account, compared by multiplying. Source of the levels: Lighter's four health states."""
    if health.is_bankrupt:
        return Condition.BANKRUPT
    if not health.is_above_close_out:
        return Condition.BELOW_CLOSE_OUT
    if not health.is_maintained:
        return Condition.BELOW_MAINTENANCE
    return Condition.HEALTHY if health.is_initial else Condition.BELOW_INITIAL


def is_used(health: Health, hundredths: int) -> bool:
    """Maintenance is at least so many hundredths of value: MMR · 100 ≥ value · hundredths, exactly.

    An account that requires nothing uses nothing.
    """
    required = int(health.maintenance)
    return required > 0 and 100 * required >= hundredths * (int(health.value) << FRACTION_BITS)


def call_of(before: int, health: Health) -> int:
    """The margin call in force after a look at an account that had `before` in force."""
    now = 0
    for call in CALLS:
        if is_used(health, call.level) or (before >= call.level and is_used(health, call.release)):
            now = call.level
    return now
