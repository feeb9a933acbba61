"""Of several reasons to refuse a trade one of the first group is said: each pair of faults shows it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from bulkhead.ledger import tx
from bulkhead.ledger.apply import apply
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.state import Status, put_account, put_market
from bulkhead.limits import EXPIRY_GRACE_S, SIZE_LIMIT
from bulkhead.reject import Reject
from tests.ledger.world import TAKER, World
from tests.test_reject import GROUPS


class Fault(NamedTuple):
    """What is wrong: fields of the trade, of the maker's order, of the taker's, of the market and of the taker's leaf.

    `filled`: so much of the taker's order has traded already.
    """

    trade: dict[str, Any] = {}
    maker: dict[str, Any] = {}
    taker: dict[str, Any] = {}
    market: dict[str, Any] = {}
    leaf: dict[str, Any] = {}
    filled: int = 0

    def touches(self) -> set[tuple[str, str]]:
        return {(name, field) for name in self._fields[:5] for field in getattr(self, name)}


FAULTS = {
    Reject.OUT_OF_RANGE: Fault(trade={"size": SIZE_LIMIT}),
    Reject.SIZE_IS_ZERO: Fault(maker={"base_amount": 0}),
    Reject.PRICE_IS_ZERO: Fault(trade={"price": 0}),
    Reject.UNKNOWN_MARKET: Fault(trade={"market_id": 9}),
    Reject.UNKNOWN_ACCOUNT: Fault(taker={"account_id": 6_400}),
    Reject.WRONG_KEY: Fault(maker={"public_key": 5}),
    Reject.EXPIRED: Fault(taker={"expiration_s": EXPIRY_GRACE_S}),
    Reject.EXPIRY_TOO_FAR: Fault(maker={"expiration_s": 1 << 38}),
    Reject.MARKET_OFF: Fault(market={"status": Status.OFF}),
    Reject.PRICE_STALE: Fault(market={"price_ms": 1}),
    Reject.LIMIT_PRICE_BROKEN: Fault(taker={"quote_amount": -1_000}),
    Reject.FEE_ABOVE_CAP: Fault(maker={"fee_amount": 0}),
    Reject.REBATE_NOT_COVERED: Fault(trade={"taker_fee": -(10**9)}),
    Reject.ORDER_OVERFILLED: Fault(filled=10**6),
    Reject.INSUFFICIENT_MARGIN: Fault(leaf={"balance": 0}),
}
"""One fault for each reason that two of them can be had of at once."""


def answer(*faults: Fault) -> Reject | None:
    """What the ledger says of a sound trade with these faults."""
    world = World()
    trade = world.a_trade(0, 3, 1, 1_000, 500)
    assert isinstance(trade, tx.Trade) and trade.taker.account_id == TAKER and trade.taker.base_amount > 0  # type: ignore[operator]
    for fault in faults:
        maker, taker = trade.maker._replace(**fault.maker), trade.taker._replace(**fault.taker)
        trade = replace(trade, maker=maker, taker=taker, **fault.trade)
        put_market(world.state, world.state.markets[1]._replace(**fault.market))
        put_account(world.state, world.state.accounts[TAKER]._replace(**fault.leaf))
    for fault in faults:
        if fault.filled:
            world.state.filled.put(key_of(world.authority.order_hash(trade.taker)), fault.filled, 1 << 39)
    return apply(world.state, trade, world.authority).reject


def test_the_trade_is_sound_without_a_fault() -> None:
    assert answer() is None


@pytest.mark.parametrize("reason", FAULTS, ids=lambda reason: reason.name)
def test_a_fault_alone_has_its_reason(reason: Reject) -> None:
    assert answer(FAULTS[reason]) is reason


def group_of(reason: Reject) -> Reject:
    """The first reason of its group."""
    return max(first for first in GROUPS if first <= reason)


def test_of_two_reasons_one_of_the_earlier_group_is_said() -> None:
    pairs = [
        (one, two) for one, two in combinations(sorted(FAULTS), 2) if not FAULTS[one].touches() & FAULTS[two].touches()
    ]
    assert len(pairs) > 90
    for one, two in pairs:  # `one` has the smaller number
        allowed = {one, two} if group_of(one) is group_of(two) else {one}
        assert answer(FAULTS[one], FAULTS[two]) in allowed, (one, two)
    assert sum(group_of(one) is not group_of(two) for one, two in pairs) > 60
