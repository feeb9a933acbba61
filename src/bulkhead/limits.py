"""Every width and bound of the system, written once, and the relations between them.

A width decides what a circuit must range-check; a relation below is the proof that a product of two
widths cannot wrap around the field of the proof, P = 2^251 + 17·2^192 + 1.
"""

from __future__ import annotations

from bulkhead.fixed import FRACTION_BITS

FIELD_PRIME = 2**251 + 17 * 2**192 + 1
FIELD_BITS = 251  # every value below 2^251 is a canonical field element

# Money and size
QUOTE_BITS = 63  # |amount| < 2^63 of 10^-6 USD: nine trillion dollars
SIZE_BITS = 63  # |size| < 2^63 lots
PRICE_BITS = 64  # 1 ≤ price < 2^64: 32 whole bits, 32 fraction bits
BOOK_PRICE_BITS = PRICE_BITS - FRACTION_BITS  # whole quote per lot
FUNDING_INDEX_BITS = 95  # |index| < 2^95, signed, 32 fraction bits
LEVERAGE_MAX = 100
SHARE_BITS = FRACTION_BITS + 1  # a fraction of at most one

# An account
POSITIONS_MAX = 16
COLLATERALS_MAX = 4
NOTIONAL_BITS = 58  # |size · price| < 2^58 of 10^-6 USD: 288 billion dollars in one position
NOTIONAL_WORTH_BITS = NOTIONAL_BITS + FRACTION_BITS
POSITION_BITS = NOTIONAL_BITS - 8  # a market's largest tier ends below 2^50 of 10^-6 USD: a billion dollars
VALUE_WORTH_BITS = QUOTE_BITS + FRACTION_BITS + 1  # balance + collateral + 16 notionals, signed
REQUIREMENT_BITS = NOTIONAL_WORTH_BITS + SHARE_BITS + 4  # 16 positions, each at most its own notional
ACCOUNT_ID_BITS = 32
CHILD_BITS = 6
CHILDREN_PER_ACCOUNT = 1 << CHILD_BITS  # ids a + 1 … a + 63 belong to a
MARKETS_MAX = 63
NONCE_BITS = 32
SALT_BITS = 64  # what the client library accepts; the reference client draws 32 bits
TIME_S_BITS = 40
TIME_MS_BITS = 50
L1_ADDRESS_BITS = 160

# Books and orders
FILLED_ORDERS_MAX = 1 << 19
FILLED_BITS = 64
ORDER_KEY_BITS = 128
ORDER_TREE_DEPTH = 16  # the first bits of an order's key choose the list in which it is entered
ORDERS_PER_ACCOUNT_MAX = 1_000
EXPIRY_GRACE_S = 14 * 86_400  # the book's expiry is the signed expiry less this
TREE_DEPTH = 32

# Records and messages
ID_BITS = 16  # markets and assets
FEED_BITS = ID_BITS + 1  # markets, and above them other collateral
PACKED_PRICES = 3  # of an oracle's report, in one element
KIND_BITS = 8  # kinds, rules, modes, statuses, leverages and counts
WORD_BITS = 64  # an unsigned number of the wire's messages; amounts of both signs are as wide as QUOTE_BITS and a sign
REVISION_BITS = 32
DIGEST_BITS = 256

# A position packs into one field element: market 16, size 64, funding index 96, cost 64.
assert ID_BITS + (SIZE_BITS + 1) + (FUNDING_INDEX_BITS + 1) + (QUOTE_BITS + 1) < FIELD_BITS
# So do three prices of a report, each with its feed; and its number and time.
assert PACKED_PRICES * (FEED_BITS + PRICE_BITS) < FIELD_BITS and 2 * WORD_BITS < FIELD_BITS
# size · price stays a field element.
assert SIZE_BITS + PRICE_BITS < FIELD_BITS
# A position opened at the limit keeps within the width of a notional until its price has risen 256 times.
assert NOTIONAL_BITS - POSITION_BITS == 8
# A requirement is at most the gross notional, or with scenario margin's add-on less than twice that.
assert 1 << REQUIREMENT_BITS >= 2 * POSITIONS_MAX << (NOTIONAL_WORTH_BITS + FRACTION_BITS)
# Sixteen notionals and a balance fit the value's width.
assert NOTIONAL_WORTH_BITS + POSITIONS_MAX.bit_length() < VALUE_WORTH_BITS
# "Healthier" compares value0 · requirement1 with value1 · requirement0 and must not wrap, signed.
assert VALUE_WORTH_BITS + REQUIREMENT_BITS + 1 < FIELD_BITS
# A funding payment size · (index − cached), summed over sixteen positions, stays a field element.
assert SIZE_BITS + FUNDING_INDEX_BITS + 1 + POSITIONS_MAX.bit_length() < FIELD_BITS
# A limit price is compared as fill_quote · |base| with |quote| · fill_size.
assert 2 * QUOTE_BITS + 2 < FIELD_BITS and QUOTE_BITS + SIZE_BITS + 2 < FIELD_BITS
# Markets and leverages fit the records that name them; an amount of either sign fits the wire's word.
assert MARKETS_MAX < 1 << ID_BITS and LEVERAGE_MAX < 1 << KIND_BITS and QUOTE_BITS + 1 == WORD_BITS == SIZE_BITS + 1
# Every child id of the last signable account is still an account id.
assert (1 << ACCOUNT_ID_BITS) - CHILDREN_PER_ACCOUNT + MARKETS_MAX < 1 << ACCOUNT_ID_BITS
assert 1 << TREE_DEPTH == 1 << ACCOUNT_ID_BITS
# A filled-order entry (key, filled, expiry) is one field element.
assert ORDER_KEY_BITS + FILLED_BITS + TIME_S_BITS < FIELD_BITS

QUOTE_LIMIT = 1 << QUOTE_BITS
SIZE_LIMIT = 1 << SIZE_BITS
PRICE_LIMIT = 1 << PRICE_BITS
BOOK_PRICE_LIMIT = 1 << BOOK_PRICE_BITS
NOTIONAL_LIMIT = 1 << NOTIONAL_BITS
POSITION_LIMIT = 1 << POSITION_BITS
NOTIONAL_WORTH_LIMIT = 1 << NOTIONAL_WORTH_BITS
FUNDING_INDEX_LIMIT = 1 << FUNDING_INDEX_BITS
