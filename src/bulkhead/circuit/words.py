"""Words: the unit of the circuits' memory, and how the ledger's records are cut into them.

A word is one field element of a record's commitment. Its key is the record's number times 2^32 plus the word's own
number; accounts are the records below 2^32, and the venue's money and the live orders have numbers above.
"""

from __future__ import annotations

from bulkhead.limits import TIME_S_BITS
from stark.air.chip import Bus

WORD_BITS = 32

# What was there and when it was written; see stark.chips.memory.
HISTORY = Bus("history", ("key", "value", "time"))
# Every word that a batch touched, as it left it: what is published, so that anybody can rebuild the state.
CHANGED = Bus("changed", ("key", "value"))
# Where the sequence of transactions stands: how many came before in the batch, and the counters that L1 follows.
SEQUENCE = Bus("sequence", ("number", "time_ms", "deposits", "withdrawals"))
# What L1 took in and is to pay out, by the number in its queue.
DEPOSITED = Bus("deposited", ("number", "account", "amount"))
PAID_OUT = Bus("paid out", ("number", "recipient", "amount"))
# The list of live orders, before and after, and the second at which expired ones are left out; the statement takes it.
ORDERS = Bus("orders", ("now_s", "before", "after"))
# Digests of a record that is no account's, before and after; the statement takes them.
RECORD = Bus("record", ("record", "before", "after"))

# An account's words: fixed ones by place, then other collateral by asset, positions and choices by market.
HEAD, OWNER_KEY, L1_OWNER, MONEY, RESERVED = range(5)
FIXED_WORDS = 5
COLLATERAL, POSITIONS, CHOICES = (kind << 16 for kind in (1, 2, 3))

MONEY_RECORD = 1 << 32  # the funds and what custody holds
# Live orders are a record whose words have 128 bits for their numbers: their keys are above those of all others.
ORDER_RECORD = 1 << 100
EXPIRY_BITS = TIME_S_BITS  # an order's word: filled * 2**EXPIRY_BITS + expiry


def key_of(record: int, word: int) -> int:
    """The key of a word in memory."""
    return (record << WORD_BITS) + word
