"""Reasons of `bulkhead.reject`: what each means to a trader, and what to do."""

from __future__ import annotations

from bulkhead.reject import Reject

_REPORT = "This is a fault of this terminal or of the exchange, not yours: please report it"
_OPERATOR = "Nothing for a trader to do: it concerns what the exchange itself asks for"

REJECTS: dict[Reject, tuple[str, str]] = {
    Reject.OUT_OF_RANGE: ("A number is larger than the exchange can take", "Enter a smaller price, size or amount"),
    Reject.CLOCK_WENT_BACK: (
        "The exchange's clock stands behind its last entry",
        "Wait some seconds and send it again",
    ),
    Reject.SIZE_IS_ZERO: ("The size is nothing", "Enter a size of at least the market's smallest"),
    Reject.AMOUNT_NOT_POSITIVE: ("The amount is not above zero", "Enter an amount above zero"),
    Reject.PRICE_IS_ZERO: ("The price is nothing", "Enter a price above zero"),
    Reject.UNKNOWN_MARKET: ("The exchange has no such market", "Choose one from the list of markets"),
    Reject.UNKNOWN_ASSET: ("The exchange has no such asset", "Use US dollars"),
    Reject.UNKNOWN_ACCOUNT: ("There is no such account on this exchange", "Onboard first, on the screen Keys"),
    Reject.UNKNOWN_ORDER: ("There is no such order any more", "It was filled or cancelled: look into History"),
    Reject.ACCOUNT_EXISTS: ("There is an account of this number already", "Try again: another number is drawn"),
    Reject.ACCOUNT_ID_NOT_SIGNABLE: (
        "Nobody signs for an account of this number",
        "Choose the account that holds it",
    ),
    Reject.WRONG_KIND: ("This kind of account or order cannot do that", "Choose another account or order type"),
    Reject.WRONG_OWNER: ("The account belongs to somebody else", "Choose an account of your own"),
    Reject.WRONG_ASSET: ("The account settles in another asset", "Use the asset that the account holds"),
    Reject.SAME_ACCOUNT: ("Source and target are the same account", "Choose two accounts"),
    Reject.TOO_MANY_LEGS: ("Too many things were to be moved at once", "Move them in several steps"),
    Reject.DUPLICATE: ("The same was sent before, and counts once", "Nothing to do: look at your open orders"),
    Reject.WRONG_KEY: ("The key is not the one of this account", "Unlock the account that this key belongs to"),
    Reject.EXPIRED: ("What was signed has run out", "Check this machine's clock, then send it again"),
    Reject.EXPIRY_TOO_FAR: ("It would be valid for longer than the exchange allows", "Choose a shorter lifetime"),
    Reject.BAD_NONCE: ("Something else was signed in between", "Send it again: it is signed anew"),
    Reject.REPLAYED: ("This was done already, and is done once", "Nothing to do: look at your positions and history"),
    Reject.WRONG_SIGNATURE: (
        "The signature does not fit",
        "Lock and unlock the account; import its key again if that does not help",
    ),
    Reject.MARKET_OFF: ("The market is closed", "Wait until it opens, or choose another one"),
    Reject.MARKET_CANCEL_ONLY: ("The market takes cancellations only", "Cancel if you want to; place orders later"),
    Reject.MARKET_POST_ONLY: ("The market takes post-only orders for now", "Tick post-only, or wait"),
    Reject.MARKET_REDUCE_ONLY: ("The market takes orders that reduce a position only", "Tick reduce-only, or wait"),
    Reject.PRICE_UNKNOWN: ("There is no index price yet", "Wait for the first price of the oracle"),
    Reject.PRICE_STALE: (
        "The index price is too old to trade at",
        "Wait for the oracle: its age is shown above the chart",
    ),
    Reject.OUTSIDE_PRICE_BAND: (
        "The price is too far from the index",
        "Enter a price nearer to it: the band is part of the market's terms",
    ),
    Reject.PRICE_OFF_TICK: (
        "The price is no multiple of the market's step",
        "Round it to the step shown in the ticket",
    ),
    Reject.SIZE_BELOW_MINIMUM: ("The size is below the market's smallest", "Enter a larger size"),
    Reject.VALUE_ABOVE_MAXIMUM: ("The order is worth more than one order may be", "Split it into several"),
    Reject.OPEN_INTEREST_ABOVE_CAP: (
        "The market as a whole holds as much as it may",
        "Wait, or trade a smaller size",
    ),
    Reject.WRONG_SIDE: ("It is on the wrong side for what it should do", "Choose the other side"),
    Reject.LIMIT_PRICE_BROKEN: (
        "It would trade worse than the price you signed",
        "Enter a price that the book can meet",
    ),
    Reject.FEE_ABOVE_CAP: ("The fee is higher than the rate you signed", "Raise the fee cap of the order"),
    Reject.REBATE_NOT_COVERED: ("The maker's rebate is not covered by the taker's fee", _REPORT),
    Reject.ORDER_OVERFILLED: ("It would fill more than was signed", "Place a new order for the rest"),
    Reject.ORDER_TABLE_FULL: (
        "The exchange remembers as many filled orders as it can",
        "Wait until old ones run out; cancelling is always possible",
    ),
    Reject.ORDER_LIST_FULL: (
        "The list in which the exchange would remember this order is full",
        "Place it once more: signed with another salt it falls into another list",
    ),
    Reject.POST_ONLY_WOULD_TRADE: (
        "It would have traded at once, and you wanted it to rest",
        "Move the price away from the other side, or untick post-only",
    ),
    Reject.FILL_OR_KILL_UNFILLED: (
        "The book does not hold the whole size at your price",
        "Take a smaller size, a worse price, or immediate-or-cancel",
    ),
    Reject.REDUCE_ONLY_WOULD_GROW: ("It would have opened or enlarged a position, and you wanted to reduce",
                                    "Check side and size against your position, or untick reduce-only"),
    Reject.SELF_TRADE: (
        "It would have traded with an order of your own",
        "Cancel that one first, or choose another price",
    ),
    Reject.TOO_MANY_ORDERS: ("The account has as many open orders as it may", "Cancel some first"),
    Reject.NO_LIQUIDITY: ("Nothing rests in the book at your price", "Place a limit order, or accept a worse price"),
    Reject.TRIGGER_INVALID: (
        "The trigger would fire at once, or contradicts the order",
        "Put it on the side of the price that has yet to be reached",
    ),
    Reject.ORDERS_OPEN: (
        "Orders are open in this market, so its mode cannot change",
        "Cancel them first, then change the mode",
    ),
    Reject.LEVERAGE_OUT_OF_RANGE: ("The market does not allow this leverage", "Choose one between 1 and its largest"),
    Reject.MODE_NOT_AVAILABLE: ("This margin mode is not offered here", "Choose another mode"),
    Reject.TOO_MANY_POSITIONS: (
        "The account holds positions in as many markets as it may",
        "Close one, or use a strategy account",
    ),
    Reject.TOO_MANY_COLLATERALS: ("The account holds as many kinds of collateral as it may", "Move one out first"),
    Reject.POSITION_TOO_LARGE: ("The position would be larger than the market allows", "Trade a smaller size"),
    Reject.NO_SUCH_POSITION: ("There is no such position any more", "It was closed: look into History"),
    Reject.WOULD_FLIP: ("It would turn the position around", "Enter no more than the position's size"),
    Reject.INSUFFICIENT_BALANCE: ("The account does not hold that much", "Enter less, or deposit first"),
    Reject.PROFIT_LOCKED: (
        "Part of the profit stays while the position is open",
        "Take out less, or close a part of the position",
    ),
    Reject.INSUFFICIENT_MARGIN: (
        "The account's free margin does not cover this",
        "Ask for less, free margin by cancelling orders, or deposit",
    ),
    Reject.NOT_HEALTHIER: (
        "The account is below its requirement, and this would not make it safer",
        "Reduce a position, or deposit",
    ),
    Reject.NOT_LIQUIDATABLE: ("The account is healthy, and is not liquidated", _OPERATOR),
    Reject.TOP_UP_DUE: ("The position is to be topped up before it is liquidated", _OPERATOR),
    Reject.COOLING_DOWN: ("A liquidation pauses between two steps", _OPERATOR),
    Reject.WRONG_POSITION: ("Another position is to be liquidated first", _OPERATOR),
    Reject.MORE_THAN_MINIMAL: ("A liquidation would take more than it needs", _OPERATOR),
    Reject.PRICE_BEYOND_ZERO_PRICE: ("A liquidation's price is worse than the account can bear", _OPERATOR),
    Reject.NOT_BELOW_CLOSE_OUT: ("The account is not so low that it is closed out", _OPERATOR),
    Reject.BUDGET_EXHAUSTED: ("The market's loss budget is used up", _OPERATOR),
    Reject.BACKSTOP_FULL: ("The backstop holds as much as it may", _OPERATOR),
    Reject.BACKSTOP_AVAILABLE: ("The backstop comes before deleveraging", _OPERATOR),
    Reject.NOTHING_TO_TOP_UP: ("There is nothing to top up", _OPERATOR),
    Reject.POSITIONS_OPEN: ("Positions are open in the account", "Close or move them first"),
    Reject.QUORUM_MISSING: ("Too few oracle signers agree on a price", "Wait: trading goes on with the next price"),
    Reject.SEQUENCE_GAP: ("A report of the oracle is missing", _OPERATOR),
    Reject.PRICE_STEP_TOO_LARGE: (
        "A price moved further than one step may",
        "Wait: the market stops until prices agree",
    ),
    Reject.TOO_FEW_SAMPLES: ("There are too few samples for a funding rate", _OPERATOR),
    Reject.FUNDING_NOT_DUE: ("Funding is not due yet", _OPERATOR),
    Reject.FUNDING_STEP_TOO_LARGE: ("A funding rate moved further than one step may", _OPERATOR),
    Reject.FORCED_TICK_PENDING: ("A forced request waits for the next price", "Wait: it is taken with the next tick"),
    Reject.FORCED_OUT_OF_ORDER: ("Another forced request comes first", "Wait: they are taken in the order of L1"),
}
