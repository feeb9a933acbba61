"""How far the markets of an account must move, all by the same share, until margin is called or it is liquidated.

One market's liquidation price says nothing of an account that holds several. Moves are in basis points, found by
bisection: exact for an account that only gets worse on the way, which one without a hedge does.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, basis_points
from bulkhead.keepers.condition import CALLS, is_used
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account
from bulkhead.units import Price

LIQUIDATED = 100  # hundredths of value that maintenance has reached when an account is liquidated
LEVELS = (*(call.level for call in CALLS), LIQUIDATED)
FALL_MAX_BP = 9_999
RISE_MAX_BP = 20_000


class Distance(NamedTuple):
    """Until maintenance is `level` hundredths of value: 0 when it is now, None when no move in range does it."""

    level: int
    fall_bp: int | None
    rise_bp: int | None


def distances(draft: Draft, account: Account) -> list[Distance]:
    """Of each level, lowest first. The account's funding must be settled in the draft; prices must be known."""
    return [
        Distance(level, _until(draft, account, level, -1, FALL_MAX_BP), _until(draft, account, level, 1, RISE_MAX_BP))
        for level in LEVELS
    ]


def _until(draft: Draft, account: Account, level: int, sign: int, most_bp: int) -> int | None:
    """The least move in one direction at which the level is used."""

    moved = draft.fork()
    held = {position.market_id: draft.risks[position.market_id] for position in account.positions}

    def is_reached(move_bp: int) -> bool:
        share = sign * int(basis_points(move_bp))
        moved.risks = {
            market_id: risk._replace(price=Price(max(1, int(risk.price) + (int(risk.price) * share >> FRACTION_BITS))))
            for market_id, risk in held.items()  # brackets do not depend on the price, so the rest of a risk stays
        }
        return is_used(health_of(moved, account), level)

    if is_reached(0):
        return 0
    if not is_reached(most_bp):
        return None
    low, high = 0, most_bp
    while high - low > 1:
        middle = (low + high) >> 1
        if is_reached(middle):
            high = middle
        else:
            low = middle
    return high
