"""Tags of messages: what frames, the statement and the table of terms tell each other."""

from __future__ import annotations

from enum import IntEnum, auto, unique


@unique
class Tag(IntEnum):
    """A message is (tag, about, values); about is a number, or two: one times 2**32, and another one of 32 bits.

    Where several values are told together, each has a tag, and the message has the first one's.
    """

    # Of the statement, about a number in a queue.
    DEPOSIT_ACCOUNT = 1
    DEPOSIT_AMOUNT = auto()
    DEPOSIT_DEPOSITOR = auto()
    PAID_RECIPIENT = auto()
    PAID_AMOUNT = auto()
    FORCED_KIND = auto()
    FORCED_ACCOUNT = auto()
    FORCED_SUBJECT = auto()
    FORCED_SENDER = auto()
    FORCED_INCLUDED_MS = auto()

    # Of the statement itself: for which chain, version and shape it is made.
    CHAIN = auto()
    VERSION = auto()
    SHAPE = auto()

    # Of the table of terms, about a market; and a tier where there are several.
    TIER = auto()  # its place
    TIER_LOWER = auto()  # the least notional that is in the tier
    TIER_UPPER = auto()  # and the most
    MAINTENANCE = auto()
    MAINTENANCE_DEDUCTION = auto()
    CLOSE_OUT = auto()
    CLOSE_OUT_DEDUCTION = auto()
    SYNTHETIC = auto()  # its name in signed messages
    PRICE_AGE_MAX_MS = auto()
    POSITION_BOUND = auto()  # of the last tier, in quote
    OPEN_INTEREST_LOWER = auto()
    OPEN_INTEREST_SPAN = auto()
    OPEN_INTEREST_CAP = auto()
    LOSS_BUDGET = auto()
    INITIAL_FRACTION = auto()  # before open interest moved it
    LEVERAGE_FLOOR = auto()  # about a leverage: the fraction it stands for; 0 for none
    ORACLE_KEY = auto()  # about a signer of the oracle: his public key

    # Of an account's frame, about the frame.
    ACCOUNT = auto()
    KIND = auto()
    PARENT = auto()  # of a child
    POSITIONS = auto()
    WORTH = auto()
    GROSS = auto()
    INITIAL = auto()
    MAINTAINED = auto()
    CLOSING = auto()
    CHOICES = auto()
    NOW_MS = auto()
    FRESHNESS = auto()

    # Of one side of a fill, about its frame.
    SIDE_NOW_MS = auto()
    SIDE_ACCOUNT = auto()
    SIDE_MARKET = auto()
    SIDE_LOTS = auto()
    SIDE_PRICE = auto()
    SIDE_FEE = auto()
    SIDE_DIRECTION = auto()
    SIDE_REDUCES = auto()
    SIDE_INTEREST = auto()  # twice the lots by which what is held long changed
    SIDE_FRAMES = auto()  # how many frames it is with those of its accounts

    # Of lots that are taken from an account, about the frame that takes some; also: 0.
    TAKING_MARKET = auto()
    TAKING_PRICE = auto()
    TAKING_DIRECTION = auto()  # of those who take: 1 of buyers, -1 of sellers
    TAKING_LEFT = auto()  # lots that nobody has taken yet
    TAKING_INTEREST = auto()  # twice the lots by which what is held long changed so far

    # Of an account that is settled after a freeze, about its frame: which, whom L1 pays, and how much at most.
    PAYOUT_ACCOUNT = auto()
    PAYOUT_OWNER = auto()
    PAYOUT_AMOUNT = auto()

    # Of all frames, about their number: whose turn it is.
    TURN = auto()
