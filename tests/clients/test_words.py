"""A word that the SDK does not know makes a whole answer unreadable: every one that we say is in its closed sets."""

from __future__ import annotations

from bulkhead.api import account, info, operations
from bulkhead.engine.order import Cause
from bulkhead.node.store import wording
from bulkhead.reject import Reject
from tests.clients.environments import session


def test_every_word_that_we_say_is_one_that_the_sdk_knows() -> None:
    known = {name: set(words) for name, words in session("x10", "x10_words.py").items()}
    said = {
        "OrderType": {*wording.KINDS.values(), *account.ORDER_TYPES},
        "OrderSide": {*wording.SIDES, *account.SIDES},
        "PositionSide": set(account.POSITION_SIDES),
        "TimeInForce": set(wording.FORCES.values()),
        "OrderStatusReason": {wording.reason_of(cause, reject) for cause in Cause for reject in (None, *Reject)},
        "OrderTriggerPriceType": set(wording.SOURCES.values()),
        "OrderTriggerDirection": set(wording.DIRECTIONS.values()),
        "OrderPriceType": set(wording.EXECUTIONS.values()),
        "AssetOperationType": set(operations.OPERATION_TYPES),
        "AssetOperationStatus": set(operations.OPERATION_STATES),
    }
    assert set(said) <= set(known), set(said) - set(known)
    for name, words in said.items():
        assert words <= known[name], (name, words - known[name])
    assert set(operations.OPERATION_TYPES) == known["AssetOperationType"]
    assert set(account.TRADE_TYPES) in known.values() and set(info.ASSET_TYPES) in known.values()
    assert wording.OPEN <= known["OrderStatus"]
