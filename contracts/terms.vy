# pragma version 0.4.3
"""
@title Terms
@license Apache-2.0
@notice The words that the contracts share, and every delay, written once.
@dev The delays hold each other up: a cancelled deposit must outlive every batch that was sealed before its cancellation
     (CANCEL_DELAY > SUBMISSION_WINDOW + AHEAD), and whoever reads of an upgrade must have the time to leave before it,
     by force if need be (TIMELOCK > FORCED_DEADLINE + EXIT_WINDOW).
"""


# A deposit in the queue: account 0 is the insurance fund.
struct Deposit:
    account: uint256
    amount: uint256
    depositor: address


# What L2 pays to an address of L1.
struct Payment:
    recipient: address
    amount: uint256


# A forced request: a withdrawal of an amount, or the closing of a position in a market.
struct Request:
    kind: uint256
    account: uint256
    subject: uint256
    sender: address
    included_ms: uint256


# The counters that S holds beside the number of batches; a statement begins with those that the last one ended with.
struct Counters:
    deposits: uint256
    withdrawals: uint256
    forced: uint256
    transactions: uint256
    fresh_after_ms: uint256
    time_ms: uint256


# What a proven statement says, its lists apart.
struct Said:
    state_before: uint256
    state_after: uint256
    before: Counters
    after: Counters
    batches_before: uint256
    now_s: uint256


DAY: constant(uint256) = 86_400

AHEAD: constant(uint256) = 900  # seconds that a batch may be ahead of the block that settles it
SUBMISSION_WINDOW: constant(uint256) = 3 * DAY  # and behind it
CANCEL_DELAY: constant(uint256) = 4 * DAY
FORCED_DEADLINE: constant(uint256) = 7 * DAY
EXIT_WINDOW: constant(uint256) = 7 * DAY
TIMELOCK: constant(uint256) = 21 * DAY
ENACTMENT_WINDOW: constant(uint256) = 14 * DAY  # what was announced longer ago than TIMELOCK and this is forgotten

WITHDRAWAL: constant(uint256) = 1
CLOSE: constant(uint256) = 2

ACCOUNT_LIMIT: constant(uint256) = 2**32
CHILDREN: constant(uint256) = 64  # signable accounts are multiples of it; the others are their isolated children
AMOUNT_LIMIT: constant(uint256) = 2**63
TIME_LIMIT: constant(uint256) = 2**50  # milliseconds

LIST_MAX: constant(uint256) = 64  # entries of a statement's list of deposits, payments or forced requests
