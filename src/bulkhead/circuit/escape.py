"""The end of an account after a freeze: what it is worth at the last proven prices goes to its owner, and it is gone.

    payout = max(0, floor(balance - funding owed, rounded up + sum of size * index)), at most 2^91 - 1

The bound is what one element holds beside an owner's address, and more than all the money there is.
Every word of an account is set to zero here, and an account whose words are zeros has no leaf. So the tree itself says
that nobody was left out: its root is the empty tree's when every account was settled, each once. No rule here may keep
an account from being settled: widths are those of the words, and not narrower ones that the ledger keeps.
"""

from __future__ import annotations

from functools import lru_cache, partial

from bulkhead.circuit.accounts import (
    ACCOUNT_SHIFT,
    COUNT_BITS,
    HALF,
    HEAD_BASE,
    INDEX_SHIFT,
    KIND_SHIFT,
    LIQUIDATED_SHIFT,
    MARKET_SHIFT,
    POSITIONS_SHIFT,
    SIZE_SHIFT,
    base_of,
    given_account,
    part,
)
from bulkhead.circuit.arithmetic import bit, given_narrow, narrow, shifted_ceil, signed, total, wide, within
from bulkhead.circuit.escape_payouts import AMOUNT_BITS, AMOUNT_MAX
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.instructions import Program
from bulkhead.circuit.margin import market_word, place_of
from bulkhead.circuit.programs import Writer, assembled
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, HEAD, L1_OWNER, MONEY, OWNER_KEY, POSITIONS, RESERVED, Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.limits import (
    FUNDING_INDEX_BITS,
    KIND_BITS,
    L1_ADDRESS_BITS,
    POSITIONS_MAX,
    PRICE_BITS,
    QUOTE_LIMIT,
    SIZE_BITS,
    SIZE_LIMIT,
)

# Sixteen payments of size * (index - cached index), and sixteen notionals, in quote beside the sign.
OWED_BITS = SIZE_BITS + FUNDING_INDEX_BITS + 1 + POSITIONS_MAX.bit_length() - FRACTION_BITS
VALUE_BITS = 160
assert OWED_BITS < VALUE_BITS
assert SIZE_BITS + PRICE_BITS + POSITIONS_MAX.bit_length() - FRACTION_BITS < VALUE_BITS
MOST = ((AMOUNT_MAX + 1) << FRACTION_BITS) - 1  # the largest value of which all is paid

FORGET = "forget choice"


def escape_name(count: int) -> str:
    """The program that settles an account with so many positions."""
    return f"escape, {count} positions"


def escape_frame(frame: Frame, venue: Venue, case: int | None, count: int) -> None:
    """Settle an account with so many positions, and tell its owner on L1 and its payout.

    Freshness of prices is not asked: no batch follows, so the last proven ones are the last. Choices are not counted:
    where one is left, the account is not gone.
    """
    gone = frame.constant(0)
    account = given_account(frame, lambda: case or 0)
    base = base_of(frame, account)
    _read_head(frame, account, base, count)
    balance = frame.given(part(frame, base, MONEY, 64, 64), "a balance", is_number=True)
    frame.number("what was topped up", frame.access(base, MONEY, gone), -HALF * balance)
    frame.access(base, OWNER_KEY, gone)
    frame.access(base, RESERVED, gone)
    owner = frame.access(base, L1_OWNER, gone)
    within(frame, "an owner's address", owner, L1_ADDRESS_BITS)  # as whatever registers accounts keeps it
    quote = balance - QUOTE_LIMIT
    worth = gone
    if count:
        worth, owed = _positions(frame, venue, account, base, count)
        quote = quote - shifted_ceil(frame, "funding is rounded up", owed, VALUE_BITS)
    value = worth + (1 << FRACTION_BITS) * quote
    told = {Tag.PAYOUT_ACCOUNT: account, Tag.PAYOUT_OWNER: owner, Tag.PAYOUT_AMOUNT: _payable(frame, value)}
    frame.tell_all(frame.own_number(), {int(tag): told[tag] for tag in told})


def _read_head(frame: Frame, account: Value, base: Value, count: int) -> None:
    """See that the head is of an account with this number and so many positions, of whatever kind; it is gone.

    What else it says (parent, nonce, when it was liquidated) is one number here, for no payout depends on it.
    """
    kind = given_narrow(frame, "a kind of account", part(frame, base, HEAD, KIND_SHIFT, KIND_BITS), KIND_BITS)
    low_part = part(frame, base, HEAD, LIQUIDATED_SHIFT, 64)
    low = frame.given(low_part, "what else a head says", is_number=True)
    high_bits = ACCOUNT_SHIFT - LIQUIDATED_SHIFT - 64
    high_part = part(frame, base, HEAD, LIQUIDATED_SHIFT + 64, high_bits)
    high = given_narrow(frame, "what else a head says", high_part, high_bits)
    choices = given_narrow(frame, "an account's number of choices", part(frame, base, HEAD, 0, COUNT_BITS), COUNT_BITS)
    word = frame.constant(HEAD_BASE + (count << POSITIONS_SHIFT)) + (1 << KIND_SHIFT) * kind
    word = word + (1 << ACCOUNT_SHIFT) * account + (1 << LIQUIDATED_SHIFT) * low
    word = word + (1 << LIQUIDATED_SHIFT + 64) * high + choices
    frame.equal("a head of the account", frame.access(base, HEAD, frame.constant(0)), word)


def _payable(frame: Frame, value: Value) -> Value:
    """What is paid of a value in fractions of quote: nothing of one below zero, and at most AMOUNT_MAX.

    Two bits say which. What it is above the most, less what it is below zero, is then not negative; with both bits set
    it is minus the most.
    """
    is_below = bit(frame, "below zero or not", lambda: int(signed(value) < 0))
    is_above = bit(frame, "above the most or not", lambda: int(signed(value) > MOST))
    below = frame.multiply(is_below, value)
    above = frame.multiply(is_above, value - MOST)
    wide(frame, "who owes is paid nothing, and nobody above the most", above - below, VALUE_BITS + FRACTION_BITS)
    kept = value - below - above
    amount = frame.given(lambda: int(kept) >> FRACTION_BITS)
    within(frame, "an amount", amount, AMOUNT_BITS)
    narrow(frame, "value is rounded down", frame.add(kept, -(1 << FRACTION_BITS), amount), FRACTION_BITS)
    return amount


def _positions(frame: Frame, venue: Venue, account: Value, base: Value, count: int) -> tuple[Value, Value]:
    """What all positions are worth at the index, and what funding they owe; they are gone."""
    before: Value | None = None
    owed: list[Value] = []
    worth: list[Value] = []
    for place in range(count):
        market = frame.given(_market_hint(frame, account, place))
        frame.number("markets rise", market if before is None else market - before, -1)
        before = market
        size, index = _cut_position(frame, base + market, market)
        where = place_of(frame, venue, market)
        moved = market_word(frame, where, Field.FUNDING_INDEX) - index
        owed.append(frame.multiply(moved, size))  # 97 and 64 bits, signed
        worth.append(frame.multiply(market_word(frame, where, Field.PRICE), size))  # 64 and 64 bits, signed
    assert before is not None
    narrow(frame, "a market's id", before, 16)  # and all before it: they rise
    return total(frame, [*worth]), total(frame, [*owed])


def _cut_position(frame: Frame, there: Value, market: Value) -> tuple[Value, Value]:
    """Size, and funding index as the market has it, of a position that there is; it is gone."""

    def given(name: str, shift: int) -> Value:
        return frame.given(part(frame, there, POSITIONS, shift, 64), f"a position's {name}", is_number=True)

    size, low, cost = given("size", SIZE_SHIFT), given("index", INDEX_SHIFT), given("cost", 0)
    high = given_narrow(frame, "a position's index", part(frame, there, POSITIONS, INDEX_SHIFT + 64, 32), 32)
    index = low + HALF * high
    packed = cost + (1 << INDEX_SHIFT) * index + (1 << SIZE_SHIFT) * size + (1 << MARKET_SHIFT) * market
    frame.equal("a position is cut", frame.access(there, POSITIONS, frame.constant(0)), packed)
    return size - SIZE_LIMIT, index


def _market_hint(frame: Frame, account: Value, place: int) -> Hint:
    def find() -> int:
        assert frame.memory is not None
        held = frame.memory.positions(int(account))
        return held[0] if held else 0  # those before it are gone

    return find


def forget_choice_frame(frame: Frame, venue: Venue, case: tuple[int, int] | None) -> None:
    """Set the word of an account's choice to zero. Nothing is asked: it decides no payout, and an account of which
    anything is changed must be gone (`escape_batch.Gone`)."""
    account = given_account(frame, lambda: case[0] if case else 0)
    market = frame.given(lambda: case[1] if case else 0)
    narrow(frame, "a market's id", market, 16)
    frame.access(base_of(frame, account) + market, CHOICES, frame.constant(0))


def escape_writers(venue: Venue) -> dict[str, Writer]:
    """The function that writes each program of the escape."""
    settling: dict[str, Writer] = {
        escape_name(count): partial(escape_frame, count=count) for count in range(venue.positions_max + 1)
    }
    return settling | {FORGET: forget_choice_frame}


@lru_cache(maxsize=16)
def escape_programs(venue: Venue) -> dict[str, Program]:
    """All programs of the escape, one after the other; no others are part of its key."""
    return assembled(venue, escape_writers(venue), in_turn=False)
