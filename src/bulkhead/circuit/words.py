"""Words: the unit of the circuits' memory, and how the ledger's records are cut into them.

A word is one field element of a record's commitment (`ledger.commitment`). Its key is the record's number times 2^32
plus the word's own number; accounts are the records below 2^32, and the venue's own records have numbers far above: no
place in the accounts' tree can be taken for one of theirs (`circuit.record`).
"""

from __future__ import annotations

from enum import IntEnum

from bulkhead.ledger.commitment import account_felts, counters_felts, markets_felts, money_felts, oracle_felts
from bulkhead.ledger.state import Account, State
from bulkhead.limits import TIME_S_BITS
from stark.air.chip import Bus

WORD_BITS = 32

# What was there and when it was written; see stark.chips.memory.
HISTORY = Bus("history", ("key", "value", "time"))
# Every word that a batch changed, as it left it: what is published, so that anybody can rebuild the state.
CHANGED = Bus("changed", ("key", "value"))
# What frames tell each other, the statement and the tables of constants: a tag, and what it is about.
MESSAGE = Bus("message", ("tag", "about", "value", "second", "third"))
VALUES = 3  # of a message; what it does not need is zero
# The second at which expired orders are left out of the lists that a batch touches; the statement takes it.
ORDERS = Bus("orders", ("now_s",))
# The tree over these lists shares a table with the accounts' tree, whose root has depth 0: its depths count from here.
# No chain of nodes is long enough to lead from one to the other.
ORDER_ROOT = 1 << 32
# Digests of a record that is no account's, before and after; the statement takes them.
RECORD = Bus("record", ("record", "before", "after"))

# An account's words: fixed ones by place, then other collateral by asset, positions and choices by market.
HEAD, OWNER_KEY, L1_OWNER, MONEY, RESERVED = range(5)
FIXED_WORDS = 5
COLLATERAL, POSITIONS, CHOICES = (kind << 16 for kind in (1, 2, 3))

MONEY_RECORD, MARKETS_RECORD, ORACLE_RECORD, COUNTERS_RECORD = (((1 << 40) + place) for place in range(4))
RECORDS = (MONEY_RECORD, MARKETS_RECORD, ORACLE_RECORD, COUNTERS_RECORD)
# Filled orders are a record whose words have 128 bits for their numbers: their keys are above those of all others.
ORDER_RECORD = 1 << 100
EXPIRY_BITS = TIME_S_BITS  # an order's word: filled * 2**EXPIRY_BITS + expiry


class Money(IntEnum):
    """Words of the venue's money: the funds of its settlement asset, what rounding took, and what custody holds."""

    FEES = 0
    L1 = 1
    INSURANCE = 2
    DUST = 3
    CUSTODY = 4


class Counter(IntEnum):
    """Words of the counters."""

    DEPOSITS = 0
    WITHDRAWALS = 1
    FORCED = 2
    TRANSACTIONS = 3
    BATCHES = 4
    FRESH_AFTER_MS = 5
    TIME_MS = 6


class Tick(IntEnum):
    """Words of the oracle."""

    SEQUENCE = 0
    TIME_MS = 1


class Field(IntEnum):
    """Words of a market, of which each market has `market_words`: after these come its tiers' initial fractions and
    deductions, as its open interest has them now."""

    STATUS = 0
    PRICE = 1
    PRICE_MS = 2
    LOST = 3
    FUNDING_INDEX = 4
    FUNDING_MS = 5
    OPEN_INTEREST = 6
    SCALE = 7
    TIERS = 8


def key_of(record: int, word: int) -> int:
    """The key of a word in memory."""
    return (record << WORD_BITS) + word


def account_words(account: Account | None) -> dict[int, int]:
    """An account's words by number; none of an account that does not exist."""
    if account is None:
        return {}
    numbers = [
        *range(FIXED_WORDS),
        *(COLLATERAL + asset_id for asset_id, _ in account.collateral),
        *(POSITIONS + position.market_id for position in account.positions),
        *(CHOICES + choice.market_id for choice in account.choices),
    ]
    return dict(zip(numbers, account_felts(account), strict=True))


def record_words(state: State, record: int) -> dict[int, int]:
    """The words of a record by number."""
    listed = {
        MONEY_RECORD: money_felts,
        MARKETS_RECORD: markets_felts,
        ORACLE_RECORD: oracle_felts,
        COUNTERS_RECORD: counters_felts,
    }
    if record in listed:
        return dict(enumerate(listed[record](state)))
    return account_words(state.accounts.get(record))
