"""Errors as the wire has them: an integer code that client libraries know, an HTTP status, and a text for people.

A reject of the exchange keeps its own name beside the code, in `error.reject`, for the wire's codes are coarser.
"""

from __future__ import annotations

from typing import Any

from bulkhead.client.clock import TOO_LATE
from bulkhead.reject import Reject

# The wire's codes, as ccxt's table has them.
ASSET_NOT_FOUND, MARKET_NOT_FOUND, ACCOUNT_NOT_FOUND, CLIENT_NOT_FOUND = 1000, 1001, 1004, 1008
MARKET_DISABLED, INTERVAL_UNSUPPORTED, APPLICATION, NOT_ALLOWED, MAINTENANCE = 1002, 1005, 1006, 1009, 1010
POST_ONLY_MODE, REDUCE_ONLY_MODE, MARKET_REDUCE_ONLY = 1011, 1012, 1014
LEVERAGE_LOW, LEVERAGE_HIGH, POSITION_TOO_BIG, LEVERAGE_PRECISION = 1049, 1050, 10501, 1053
PUBLIC_KEY, SIGNATURE, VAULT = 1100, 1101, 1102
SIZE_MINIMUM, SIZE_STEP, VALUE_MAXIMUM, SIZE_PRECISION, PRICE_STEP = 1120, 1121, 1122, 1123, 1124
TOO_MANY_ORDERS, POSITION_LIMIT, FEE, TPSL_SIZE, PRICE_MISSING, TPSL_TRIGGER = 1126, 1127, 1128, 1129, 1130, 1131
TYPE_NOT_ALLOWED, PARAMETERS, DUPLICATE, EXPIRY_FAR = 1132, 1133, 1134, 1135
REDUCE_EXCEEDS, NO_POSITION, REDUCE_SAME_SIDE, MARKET_IOC, BALANCE, PRICE_VALUE = 1136, 1137, 1138, 1139, 1140, 1141
EDIT_NOT_FOUND, TRIGGER_MISSING, POST_ONLY_CONDITIONAL, ONLY_REDUCE, TWAP_GTT = 1142, 1143, 1144, 1145, 1146
NO_ACCOUNT, AMOUNT, DESCRIPTION, MISMATCH, EXPIRY_NEAR, WRONG_ASSET = 1500, 1600, 1601, 1602, 1604, 1605
WITHDRAWALS_BLOCKED, ADDRESS, VAULT_AMOUNT = 1607, 1608, 1650

_REJECTS: dict[Reject, tuple[int, int]] = {
    Reject.OUT_OF_RANGE: (400, PARAMETERS),
    Reject.CLOCK_WENT_BACK: (409, APPLICATION),
    Reject.SIZE_IS_ZERO: (400, SIZE_MINIMUM),
    Reject.AMOUNT_NOT_POSITIVE: (400, AMOUNT),
    Reject.PRICE_IS_ZERO: (400, PRICE_VALUE),
    Reject.UNKNOWN_MARKET: (404, MARKET_NOT_FOUND),
    Reject.UNKNOWN_ASSET: (404, ASSET_NOT_FOUND),
    Reject.UNKNOWN_ACCOUNT: (404, ACCOUNT_NOT_FOUND),
    Reject.UNKNOWN_ORDER: (404, EDIT_NOT_FOUND),
    Reject.ACCOUNT_EXISTS: (409, NOT_ALLOWED),
    Reject.ACCOUNT_ID_NOT_SIGNABLE: (400, VAULT),
    Reject.WRONG_OWNER: (403, PUBLIC_KEY),
    Reject.WRONG_ASSET: (400, WRONG_ASSET),
    Reject.DUPLICATE: (409, DUPLICATE),
    Reject.WRONG_KEY: (400, PUBLIC_KEY),
    Reject.EXPIRED: (400, PARAMETERS),
    Reject.EXPIRY_TOO_FAR: (400, EXPIRY_FAR),
    Reject.REPLAYED: (409, DUPLICATE),
    Reject.WRONG_SIGNATURE: (400, SIGNATURE),
    Reject.MARKET_OFF: (422, MARKET_DISABLED),
    Reject.MARKET_CANCEL_ONLY: (422, MARKET_DISABLED),
    Reject.MARKET_POST_ONLY: (422, POST_ONLY_MODE),
    Reject.MARKET_REDUCE_ONLY: (422, MARKET_REDUCE_ONLY),
    Reject.PRICE_UNKNOWN: (422, APPLICATION),
    Reject.PRICE_STALE: (422, APPLICATION),
    Reject.OUTSIDE_PRICE_BAND: (422, PRICE_VALUE),
    Reject.PRICE_OFF_TICK: (400, PRICE_STEP),
    Reject.SIZE_BELOW_MINIMUM: (400, SIZE_MINIMUM),
    Reject.VALUE_ABOVE_MAXIMUM: (422, VALUE_MAXIMUM),
    Reject.OPEN_INTEREST_ABOVE_CAP: (422, POSITION_LIMIT),
    Reject.LIMIT_PRICE_BROKEN: (422, PRICE_VALUE),
    Reject.FEE_ABOVE_CAP: (422, FEE),
    Reject.REBATE_NOT_COVERED: (422, FEE),
    Reject.ORDER_OVERFILLED: (422, TPSL_SIZE),
    Reject.ORDER_TABLE_FULL: (422, TOO_MANY_ORDERS),
    Reject.ORDER_LIST_FULL: (422, TOO_MANY_ORDERS),
    Reject.REDUCE_ONLY_WOULD_GROW: (422, REDUCE_EXCEEDS),
    Reject.TOO_MANY_ORDERS: (422, TOO_MANY_ORDERS),
    Reject.TRIGGER_INVALID: (400, TRIGGER_MISSING),
    Reject.ORDERS_OPEN: (409, NOT_ALLOWED),
    Reject.LEVERAGE_OUT_OF_RANGE: (400, LEVERAGE_HIGH),
    Reject.MODE_NOT_AVAILABLE: (422, NOT_ALLOWED),
    Reject.TOO_MANY_POSITIONS: (422, POSITION_LIMIT),
    Reject.TOO_MANY_COLLATERALS: (422, WRONG_ASSET),
    Reject.POSITION_TOO_LARGE: (422, POSITION_TOO_BIG),
    Reject.NO_SUCH_POSITION: (422, NO_POSITION),
    Reject.WOULD_FLIP: (422, REDUCE_EXCEEDS),
    Reject.INSUFFICIENT_BALANCE: (422, BALANCE),
    Reject.PROFIT_LOCKED: (422, BALANCE),
    Reject.INSUFFICIENT_MARGIN: (422, BALANCE),
    Reject.NOT_HEALTHIER: (422, BALANCE),
}


class ApiError(Exception):
    """An answer that is an error. `extra` are further fields of `error`, which the wire's clients ignore."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        debug: str = "",
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.debug = debug
        self.headers = headers or {}
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The envelope."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.debug:
            error["debugInfo"] = self.debug
        return {"status": "ERROR", "error": {**error, **self.extra}}


def too_late(told_ms: int, now_ms: int) -> ApiError:
    """The refusal of a request that counts no more: its sender said until when."""
    text = f"it arrived at {now_ms}, and was valid until {told_ms}; nothing was done"
    return ApiError(422, TOO_LATE, text)


def rejected(reject: Reject, detail: str = "", **extra: Any) -> ApiError:
    """What the exchange refused, in the wire's words."""
    status, code = _REJECTS.get(reject, (422, NOT_ALLOWED))
    words = reject.name.replace("_", " ").lower()
    return ApiError(status, code, f"{words}: {detail}" if detail else words, reject=reject.name, **extra)


def browned_out(why: str) -> ApiError:
    """While the node is loaded, its prover or clock too far behind, or L1 may refuse what is traded; `why` if it is
    known.
    """
    text = f"{why or 'the node is loaded'}: it takes cancels, orders that reduce, and what moves money"
    return ApiError(429, REDUCE_ONLY_MODE, text, headers={"Retry-After": "1"})


def bad(message: str, code: int = PARAMETERS) -> ApiError:
    """A request that cannot be understood."""
    return ApiError(400, code, message)
