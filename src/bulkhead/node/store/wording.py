"""The engine's words in the wire's: kinds, times in force, and why an order left."""

from __future__ import annotations

from bulkhead.engine.order import Cause, Direction, Execution, OrderType, PriceSource, TimeInForce, Trigger
from bulkhead.reject import Reject

SIDES = ("BUY", "SELL")  # by book.BUY, book.SELL
KINDS = {
    OrderType.LIMIT: "LIMIT",
    OrderType.MARKET: "MARKET",
    OrderType.CONDITIONAL: "CONDITIONAL",
    OrderType.TPSL: "TPSL",
}
FORCES = {TimeInForce.GTT: "GTT", TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}
SOURCES = {PriceSource.MARK: "MARK", PriceSource.INDEX: "INDEX", PriceSource.LAST: "LAST"}
DIRECTIONS = {Direction.UP: "UP", Direction.DOWN: "DOWN"}
EXECUTIONS = {Execution.MARKET: "MARKET", Execution.LIMIT: "LIMIT"}

OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "UNTRIGGERED"})
"""Statuses of orders that have not left."""

_CAUSES = {
    Cause.REQUESTED: "NONE",
    Cause.NOTHING_TO_TAKE: "NO_LIQUIDITY",
    Cause.SELF_TRADE: "SELF_TRADE_PROTECTION",
    Cause.DEAD_MAN: "NONE",
    Cause.NOTHING_TO_REDUCE: "REDUCE_ONLY_FAILED",
    Cause.OTHER_SIDE_FILLED: "TPSL_OTHER_SIDE_FILLED",
    Cause.PARENT_GONE: "PREV_ORDER_NOT_FOUND",
    Cause.MARKET_CLOSED: "DISABLED_MARKET",
    Cause.LIQUIDATED: "NOT_ENOUGH_FUNDS",
}
_REJECTS = {
    Reject.UNKNOWN_MARKET: "UNKNOWN_MARKET",
    Reject.UNKNOWN_ACCOUNT: "UNKNOWN_ACCOUNT",
    Reject.EXPIRED: "INVALID_EXPIRE_TIME",
    Reject.EXPIRY_TOO_FAR: "INVALID_EXPIRE_TIME",
    Reject.MARKET_OFF: "DISABLED_MARKET",
    Reject.MARKET_CANCEL_ONLY: "TRADING_OFF_MODE",
    Reject.MARKET_POST_ONLY: "POST_ONLY_MODE",
    Reject.MARKET_REDUCE_ONLY: "REDUCE_ONLY_MODE",
    Reject.OUTSIDE_PRICE_BAND: "INVALID_PRICE",
    Reject.PRICE_OFF_TICK: "INVALID_PRICE",
    Reject.LIMIT_PRICE_BROKEN: "INVALID_PRICE",
    Reject.SIZE_BELOW_MINIMUM: "INVALID_QTY",
    Reject.VALUE_ABOVE_MAXIMUM: "INVALID_VALUE",
    Reject.POSITION_TOO_LARGE: "INVALID_VALUE",
    Reject.FEE_ABOVE_CAP: "INVALID_FEE",
    Reject.POST_ONLY_WOULD_TRADE: "POST_ONLY_FAILED",
    Reject.FILL_OR_KILL_UNFILLED: "NO_LIQUIDITY",
    Reject.NO_LIQUIDITY: "NO_LIQUIDITY",
    Reject.REDUCE_ONLY_WOULD_GROW: "REDUCE_ONLY_FAILED",
    Reject.SELF_TRADE: "SELF_TRADE_PROTECTION",
    Reject.LEVERAGE_OUT_OF_RANGE: "INVALID_LEVERAGE",
    Reject.INSUFFICIENT_MARGIN: "NOT_ENOUGH_FUNDS",
    Reject.INSUFFICIENT_BALANCE: "NOT_ENOUGH_FUNDS",
    Reject.NOT_HEALTHIER: "NOT_ENOUGH_FUNDS",
    Reject.TRIGGER_INVALID: "POSITION_TPSL_CONFLICT",
}


def reason_of(cause: Cause, reject: Reject | None) -> str:
    """The wire's reason for a cancellation: one of its closed set, UNKNOWN where it has no word for ours."""
    if cause is Cause.REFUSED and reject is not None:
        return _REJECTS.get(reject, "UNKNOWN")
    return _CAUSES.get(cause, "UNKNOWN")


def trigger_words(trigger: Trigger) -> dict[str, int | str]:
    """A trigger as it is kept beside its order; the price is whole quote per lot."""
    return {
        "price": int(trigger.price),
        "source": SOURCES[trigger.source],
        "direction": DIRECTIONS[trigger.direction],
        "execution": EXECUTIONS[trigger.execution],
    }
