"""Why something is refused: every reason once, in groups by order of precedence (an earlier group is said first).

A rejection is a value, never an exception, and what was rejected changed nothing.
"""

from __future__ import annotations

from enum import IntEnum, auto, unique


@unique
class Reject(IntEnum):
    """One that applies of the first group in which any does. Within a group the parts of a transaction are looked at in
    turn: of a trade its own numbers, the maker's order, the taker's."""

    # 1. The message itself
    OUT_OF_RANGE = 1
    CLOCK_WENT_BACK = auto()
    SIZE_IS_ZERO = auto()
    AMOUNT_NOT_POSITIVE = auto()
    PRICE_IS_ZERO = auto()
    UNKNOWN_MARKET = auto()
    UNKNOWN_ASSET = auto()
    UNKNOWN_ACCOUNT = auto()
    UNKNOWN_ORDER = auto()
    ACCOUNT_EXISTS = auto()
    ACCOUNT_ID_NOT_SIGNABLE = auto()
    WRONG_KIND = auto()
    WRONG_OWNER = auto()
    WRONG_ASSET = auto()
    SAME_ACCOUNT = auto()
    TOO_MANY_LEGS = auto()
    DUPLICATE = auto()

    # 2. Authority
    WRONG_KEY = auto()
    EXPIRED = auto()
    EXPIRY_TOO_FAR = auto()
    BAD_NONCE = auto()
    REPLAYED = auto()
    WRONG_SIGNATURE = auto()

    # 3. What the market allows now
    MARKET_OFF = auto()
    MARKET_CANCEL_ONLY = auto()
    MARKET_POST_ONLY = auto()
    MARKET_REDUCE_ONLY = auto()
    PRICE_UNKNOWN = auto()
    PRICE_STALE = auto()
    OUTSIDE_PRICE_BAND = auto()
    PRICE_OFF_TICK = auto()
    SIZE_BELOW_MINIMUM = auto()
    VALUE_ABOVE_MAXIMUM = auto()
    OPEN_INTEREST_ABOVE_CAP = auto()

    # 4. What the order allows
    WRONG_SIDE = auto()
    LIMIT_PRICE_BROKEN = auto()
    FEE_ABOVE_CAP = auto()
    REBATE_NOT_COVERED = auto()
    ORDER_OVERFILLED = auto()
    ORDER_TABLE_FULL = auto()
    ORDER_LIST_FULL = auto()
    POST_ONLY_WOULD_TRADE = auto()
    FILL_OR_KILL_UNFILLED = auto()
    REDUCE_ONLY_WOULD_GROW = auto()
    SELF_TRADE = auto()
    TOO_MANY_ORDERS = auto()
    NO_LIQUIDITY = auto()
    TRIGGER_INVALID = auto()
    ORDERS_OPEN = auto()
    LEVERAGE_OUT_OF_RANGE = auto()
    MODE_NOT_AVAILABLE = auto()

    # 5. What the account can bear
    TOO_MANY_POSITIONS = auto()
    TOO_MANY_COLLATERALS = auto()
    POSITION_TOO_LARGE = auto()
    NO_SUCH_POSITION = auto()
    WOULD_FLIP = auto()
    INSUFFICIENT_BALANCE = auto()
    PROFIT_LOCKED = auto()
    INSUFFICIENT_MARGIN = auto()
    NOT_HEALTHIER = auto()

    # 6. Liquidation, backstop, deleveraging
    NOT_LIQUIDATABLE = auto()
    TOP_UP_DUE = auto()
    COOLING_DOWN = auto()
    WRONG_POSITION = auto()
    MORE_THAN_MINIMAL = auto()
    PRICE_BEYOND_ZERO_PRICE = auto()
    NOT_BELOW_CLOSE_OUT = auto()
    BUDGET_EXHAUSTED = auto()
    BACKSTOP_FULL = auto()
    BACKSTOP_AVAILABLE = auto()
    NOTHING_TO_TOP_UP = auto()
    POSITIONS_OPEN = auto()

    # 7. Ticks
    QUORUM_MISSING = auto()
    SEQUENCE_GAP = auto()
    PRICE_STEP_TOO_LARGE = auto()
    TOO_FEW_SAMPLES = auto()
    FUNDING_NOT_DUE = auto()
    FUNDING_STEP_TOO_LARGE = auto()

    # 8. Forced requests
    FORCED_TICK_PENDING = auto()
    FORCED_OUT_OF_ORDER = auto()


assert [int(reason) for reason in Reject] == list(range(1, len(Reject) + 1))  # precedence has no gaps
