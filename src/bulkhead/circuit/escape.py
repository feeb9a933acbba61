"""The end of an account after a freeze: what it is worth at the last proven prices goes to its owner, and it is gone.

    payout = max(0, floor(balance - funding owed, rounded up + sum of size * index))

Every word of an account is set to zero here, and an account whose words are zeros has no leaf. So the tree itself says
that nobody was left out: its root is the empty tree's when every account was settled, each once. No rule here may keep
an account from being settled: widths are those of the words, and not narrower ones that the ledger keeps.
"""

from __future__ import annotations

from functools import lru_cache, partial

from bulkhead.circuit.accounts import HALF, base_of, given_account, given_position, part, read_head
from bulkhead.circuit.arithmetic import at_least_zero, narrow, shifted_ceil, shifted_floor, total
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.instructions import Program
from bulkhead.circuit.margin import market_word, place_of
from bulkhead.circuit.programs import Writer, assembled
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, L1_OWNER, MONEY, OWNER_KEY, POSITIONS, RESERVED, Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.limits import FUNDING_INDEX_BITS, POSITIONS_MAX, PRICE_BITS, QUOTE_LIMIT, SIZE_BITS

# Sixteen payments of size * (index - cached index), and sixteen notionals, in quote beside the sign.
OWED_BITS = SIZE_BITS + FUNDING_INDEX_BITS + 1 + POSITIONS_MAX.bit_length() - FRACTION_BITS
VALUE_BITS = 160
assert OWED_BITS < VALUE_BITS
assert SIZE_BITS + PRICE_BITS + POSITIONS_MAX.bit_length() - FRACTION_BITS < VALUE_BITS

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
    head = read_head(frame, account, base, gone)
    frame.equal("all its positions are settled", head.positions, count)
    balance = frame.given(part(frame, base, MONEY, 64, 64), "a balance", is_number=True)
    frame.number("what was topped up", frame.access(base, MONEY, gone), -HALF * balance)
    frame.access(base, OWNER_KEY, gone)
    frame.access(base, RESERVED, gone)
    owner = frame.access(base, L1_OWNER, gone)
    quote = balance - QUOTE_LIMIT
    worth = gone
    if count:
        worth, owed = _positions(frame, venue, account, base, count)
        quote = quote - shifted_ceil(frame, "funding is rounded up", owed, VALUE_BITS)
    value = worth + (1 << FRACTION_BITS) * quote
    whole = shifted_floor(frame, "value is rounded down", value, VALUE_BITS)
    amount = at_least_zero(frame, "who owes is paid nothing", whole, VALUE_BITS)
    own = frame.own_number()
    frame.tell(Tag.PAYOUT_ACCOUNT, own, gone, account)
    frame.tell(Tag.PAYOUT_OWNER, own, gone, owner)
    frame.tell(Tag.PAYOUT_AMOUNT, own, gone, amount)


def _positions(frame: Frame, venue: Venue, account: Value, base: Value, count: int) -> tuple[Value, Value]:
    """What all positions are worth at the index, and what funding they owe; they are gone."""
    before = gone = frame.constant(0)
    owed: list[Value] = []
    worth: list[Value] = []
    for place in range(count):
        market = frame.given(_market_hint(frame, account, place))
        frame.number("markets rise", market - before, -1)
        before = market
        held = given_position(frame, base, market)
        frame.equal("a position is cut", frame.access(base + market, POSITIONS, gone), held.packed)
        where = place_of(frame, venue, market)
        moved = market_word(frame, where, Field.FUNDING_INDEX) - held.funding_index
        owed.append(frame.multiply(moved, held.size))  # 97 and 64 bits, signed
        worth.append(frame.multiply(market_word(frame, where, Field.PRICE), held.size))  # 64 and 64 bits, signed
    narrow(frame, "a market's id", before, 16)  # and all before it: they rise
    return total(frame, [*worth]), total(frame, [*owed])


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
