"""Judging both accounts of a move in the circuit, and writing the one beside the signer's (`ledger.move._judge`)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.circuit.accounts import (
    HALF,
    Head,
    Settled,
    change_balance,
    check_quote,
    pack_head,
    part,
    peek,
)
from bulkhead.circuit.arithmetic import flipped, is_at_most, is_zero, magnitude, wide
from bulkhead.circuit.fill import Lots, check_bounds, moved
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.margin import REQUIREMENT_GAP_BITS, Health, Place, check_allowed, requirement
from bulkhead.circuit.messages import owner_key
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import HEAD, L1_OWNER, MONEY, OWNER_KEY
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Kind
from bulkhead.limits import QUOTE_LIMIT

VALUE_BITS = 128


class Other(StrEnum):
    """What the account beside the signer's is."""

    CHILD = "child"
    NEW_CHILD = "new child"
    SIGNS = "account that signs"


class Pair(NamedTuple):
    """Both accounts: the signer's and the other one."""

    account: Value
    base: Value
    settled: Settled
    other: Value
    other_base: Value
    other_settled: Settled | None


class Outcome(NamedTuple):
    """One of the accounts as it was and as it is."""

    settled: Settled
    before: Health
    after: Health
    balance: Value
    positions: Value  # how many there are
    gross: Value
    gains_lots: Value  # a bit


def nobody(frame: Frame, pair: Pair) -> Settled:
    """A new child before it is one: it holds nothing."""
    zero = frame.constant(0)
    fresh = frame.one
    kind = frame.constant(int(Kind.CHILD))
    sums = (zero, zero, zero, zero, zero)
    return Settled(pair.other, pair.other_base, kind, pair.account, zero, zero, fresh, *sums)


def old_balance(frame: Frame, pair: Pair, other: Other) -> Value:
    """The balance of the other account before; a new child has none."""
    if other is Other.NEW_CHILD:
        return frame.constant(0)
    return frame.given(part(frame, pair.other_base, MONEY, 64, 64), "a balance", is_number=True) - QUOTE_LIMIT


class Changed(NamedTuple):
    """An account whose position in the market, own fraction there and balance change; `gains` is a bit: lots come."""

    settled: Settled
    before: Lots
    after: Lots
    floors: tuple[Value, Value]
    balances: tuple[Value, Value]
    gains: Value


def settle(frame: Frame, venue: Venue, place: Place, one: Changed) -> None:
    """Judge an account before and after its position in the market changed."""
    settled, before, after, floors, balances, gains = one
    lots = [magnitude(frame, "lots", each.size).size for each in (before, after)]
    asked = [
        requirement(frame, venue, place, (each.size, count), floor)
        for each, count, floor in zip((before, after), lots, floors, strict=True)
    ]
    count = after.is_there - before.is_there
    check_bounds(frame, venue, place, settled, (gains, asked[1], count))
    now = moved(frame, settled.health(balances[1]), asked[0], asked[1])
    gross = settled.gross - asked[0].notional + asked[1].notional
    positions = settled.positions + count
    judge(frame, venue, Outcome(settled, settled.health(balances[0]), now, balances[1], positions, gross, gains))


def judge(frame: Frame, venue: Venue, one: Outcome) -> None:
    """New risk and leaving value need the initial requirement and the profit lock (`move._judge`)."""
    stays = is_at_most(frame, "value leaves or not", one.before.value, one.after.value, VALUE_BITS)
    leaves = flipped(frame, stays)
    asks_no_more = is_at_most(
        frame, "more is required or not", one.after.initial, one.before.initial, REQUIREMENT_GAP_BITS
    )
    calm = frame.multiply(frame.multiply(stays, asks_no_more), flipped(frame, one.gains_lots))
    check_allowed(frame, one.before, one.after, flipped(frame, calm))
    holds = flipped(frame, is_zero(frame, "any positions or none", one.positions))
    frame.number("no debt without positions", frame.multiply(flipped(frame, holds), one.balance))
    lock = (1 << FRACTION_BITS) * one.after.value - int(venue.config.profit_lock) * one.gross
    wide(frame, "the profit lock holds", frame.multiply(frame.multiply(leaves, holds), lock), REQUIREMENT_GAP_BITS)


def write_other(
    frame: Frame, pair: Pair, other: Other, balances: tuple[Value, Value], positions: tuple[Value, Value]
) -> None:
    """The other account's head and money; a child that holds nothing is forgotten, a new one is written whole."""
    was, balance = balances
    more, count = positions
    if other is Other.SIGNS:
        frame.equal("the other balance is what it was", change_balance(frame, pair.other_base, balance - was), was)
        _count(frame, pair, more, frame.one)
        return
    check_quote(frame, "the child's balance keeps within its width", balance)
    zero = frame.constant(0)
    key, owner = owner_key(frame, pair.base), frame.access(pair.base, L1_OWNER, None)
    if other is Other.NEW_CHILD:
        kind = frame.constant(int(Kind.CHILD))
        head = pack_head(frame, pair.other, Head(zero, kind, pair.account, zero, zero, more, zero))
        frame.zero("there was no child", frame.access(pair.other_base, HEAD, head))
        frame.access(pair.other_base, OWNER_KEY, key)
        frame.access(pair.other_base, L1_OWNER, owner)
        frame.access(pair.other_base, MONEY, frame.constant(QUOTE_LIMIT * HALF + QUOTE_LIMIT) + HALF * balance)
        return
    nothing = frame.multiply(
        is_zero(frame, "any positions or none", count + more), is_zero(frame, "any money or none", balance)
    )
    exists = flipped(frame, nothing)
    _count(frame, pair, more, exists)
    frame.access(pair.other_base, OWNER_KEY, frame.multiply(exists, key))
    frame.access(pair.other_base, L1_OWNER, frame.multiply(exists, owner))
    topped_up = frame.given(part(frame, pair.other_base, MONEY, 0, 64), "what was topped up", is_number=True)
    packed = topped_up + HALF * (was + QUOTE_LIMIT)
    after = frame.multiply(exists, packed + HALF * (balance - was))
    frame.equal("the child's money is cut", frame.access(pair.other_base, MONEY, after), packed)


def _count(frame: Frame, pair: Pair, more: Value, exists: Value) -> None:
    """The other account's head, with so many positions more; zero where it is forgotten."""
    head = frame.given(lambda: peek(frame, pair.other_base, HEAD))
    found = frame.access(pair.other_base, HEAD, frame.multiply(exists, head + (1 << 8) * more))
    frame.equal("the other head is what it was", found, head)
