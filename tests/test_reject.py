"""Rejects: one number each, in order of precedence, without gaps."""

from __future__ import annotations

from bulkhead.reject import Reject

GROUPS = (
    Reject.OUT_OF_RANGE,  # the message itself
    Reject.WRONG_KEY,  # authority
    Reject.MARKET_OFF,  # what the market allows now
    Reject.WRONG_SIDE,  # what the order allows
    Reject.TOO_MANY_POSITIONS,  # what the account can bear
    Reject.NOT_LIQUIDATABLE,  # liquidation
    Reject.QUORUM_MISSING,  # ticks
    Reject.FORCED_TICK_PENDING,  # forced requests
)


def test_precedence_has_no_gaps_and_begins_at_one() -> None:
    assert [int(reason) for reason in Reject] == list(range(1, len(Reject) + 1))
    assert list(Reject) == sorted(Reject)


def test_groups_keep_the_order_in_which_a_handler_checks() -> None:
    assert list(GROUPS) == sorted(GROUPS)
    assert GROUPS[0] is min(Reject)


def test_a_reason_is_always_true_and_none_is_not() -> None:
    # Handlers write `return first() or second()`: a reject of zero would be lost.
    assert all(bool(reason) for reason in Reject)
