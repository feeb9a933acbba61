"""What becomes of an account whose position was closed for it: debts of flat ones are paid by the insurance fund, flat
children are swept to their parents (`custody.cover_flat`, `accounts.sweep`)."""

from __future__ import annotations

from bulkhead.circuit.accounts import (
    HALF,
    LIQUIDATED_SHIFT,
    POSITIONS_SHIFT,
    Head,
    Settled,
    base_of,
    change_balance,
    check_quote,
    own_word,
    part,
    peek,
)
from bulkhead.circuit.arithmetic import bit, either, flipped, is_zero, signed, smallest
from bulkhead.circuit.fill import Turned
from bulkhead.circuit.frame import Frame, Scaled, Value
from bulkhead.circuit.words import HEAD, L1_OWNER, MONEY, MONEY_RECORD, OWNER_KEY, Money, key_of
from bulkhead.ledger.state import Kind
from bulkhead.limits import QUOTE_LIMIT


def leave(
    frame: Frame, settled: Settled, turned: Turned, gained: Value, stamped: tuple[Head, Value] | None = None,
    *, acts: Value | None = None,
) -> None:  # fmt: skip
    """Write head and money of an account of which one position was closed and whose balance gained so much.

    `stamped`: its head, and the time at which it was liquidated. `acts`: a bit, whether anything was closed or taken
    at all; without, a debt is not asked for. A child that holds nothing and owes nothing is
    forgotten: what it has goes to its parent, and its words become zero.
    """
    base = settled.base
    balance = frame.given(part(frame, base, MONEY, 64, 64), "a balance", is_number=True) - QUOTE_LIMIT
    topped_up = frame.given(part(frame, base, MONEY, 0, 64), "what was topped up", is_number=True)
    change = turned.is_there - turned.was
    flat = is_zero(frame, "flat or not", settled.positions + change)
    asks = flat if acts is None else frame.multiply(flat, acts)
    left, owing = _cover(frame, asks, balance + gained)
    is_child = is_zero(frame, "a child or not", settled.kind - int(Kind.CHILD))
    ends = frame.multiply(frame.multiply(flat, is_child), flipped(frame, owing))
    stays = flipped(frame, ends)
    biased = topped_up + (QUOTE_LIMIT << 64)
    money = frame.access(base, MONEY, frame.multiply(stays, biased + HALF * left))
    frame.equal("an account's money is cut", money, biased + HALF * balance)
    _write_head(frame, settled, stays, (1 << POSITIONS_SHIFT) * change, stamped)
    for word in (OWNER_KEY, L1_OWNER):
        _keep(frame, base, word, stays)
    heir = either(frame, ends, base_of(frame, settled.parent), base)
    change_balance(frame, heir, frame.multiply(ends, left))


def _cover(frame: Frame, asks: Value, balance: Value) -> tuple[Value, Value]:
    """The insurance fund pays the debt of an account that holds nothing, as far as it goes.

    Answers the balance then, and a bit: whether it still owes.
    """
    owes = bit(frame, "an account owes or not", lambda: int(signed(balance) < 0))
    negative = frame.lift(Scaled(-1, balance))
    debt = frame.number("an account owes or not", either(frame, owes, negative - 1, balance)) + owes
    asked = frame.multiply(frame.multiply(asks, owes), debt)
    fund = frame.given(lambda: peek(frame, frame.constant(0), key_of(MONEY_RECORD, Money.INSURANCE)))
    covered = smallest(frame, "what the fund covers", asked, fund - QUOTE_LIMIT)
    frame.equal("a fund is what it was", own_word(frame, MONEY_RECORD, Money.INSURANCE, fund - covered), fund)
    left = balance + covered
    check_quote(frame, "the balance keeps within its width", left)
    return left, frame.multiply(owes, flipped(frame, is_zero(frame, "a debt is left or not", left)))


def _write_head(
    frame: Frame, settled: Settled, stays: Value, change: Scaled, stamped: tuple[Head, Value] | None
) -> None:
    head = frame.given(lambda: peek(frame, settled.base, HEAD))
    after = head + change
    if stamped is not None:
        before, now = stamped
        after = after + (1 << LIQUIDATED_SHIFT) * (now - before.liquidated_ms)
    found = frame.access(settled.base, HEAD, frame.multiply(stays, after))
    frame.equal("the head is what it was", found, head)


def _keep(frame: Frame, base: Value, word: int, stays: Value) -> None:
    """A word stays, or becomes zero."""
    kept = frame.given(lambda: peek(frame, base, word))
    frame.equal("a word is what it was", frame.access(base, word, frame.multiply(stays, kept)), kept)
