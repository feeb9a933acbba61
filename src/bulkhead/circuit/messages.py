"""Signed messages in the circuit: their hashes (`signing.messages`), who signed them, and that none is used twice.

An order, and any other message that moves money, is entered in a list of filled orders under the lower half of its
hash, cut as the integer below the prime: no other number that is the same element has another key.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import own_word
from bulkhead.circuit.arithmetic import at_most, given_narrow, is_zero
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import (
    COUNTERS_RECORD,
    EXPIRY_BITS,
    ORDER_RECORD,
    OWNER_KEY,
    WORD_BITS,
    Counter,
    key_of,
)
from bulkhead.fixed import div_floor
from bulkhead.limits import FIELD_PRIME, TIME_MS_BITS
from stark.prime import inverse

HALF, DOUBLE = 1 << 64, 1 << 128
PRIME_TOP = FIELD_PRIME >> 192
assert FIELD_PRIME == (PRIME_TOP << 192) + 1


class Opening(NamedTuple):
    """When a transaction happens."""

    now_ms: Value
    now_s: Value


def opened(frame: Frame, time_ms: int | None) -> Opening:
    """Every transaction begins so: time does not fall, and one transaction more is counted."""
    now = given_narrow(frame, "the time", lambda: time_ms or 0, TIME_MS_BITS)
    before = own_word(frame, COUNTERS_RECORD, Counter.TIME_MS, now)
    frame.number("time does not fall", now - before)
    count(frame, Counter.TRANSACTIONS)
    return Opening(now, now)


def count(frame: Frame, counter: Counter) -> Value:
    """One more of a counter; answers its new number."""
    return frame.adjust(frame.constant(0), key_of(COUNTERS_RECORD, counter), frame.one)[1]


def in_seconds(frame: Frame, opening: Opening) -> Opening:
    """The same moment, its whole seconds known; so it is a whole number of less than 75 bits."""
    now_s = frame.given(lambda: div_floor(int(opening.now_ms), 1000), "now in seconds", is_number=True)
    left = frame.number("now in whole seconds", opening.now_ms, -1000 * now_s)
    at_most(frame, "less than a second is left", left, frame.constant(999))
    return Opening(opening.now_ms, now_s)


def owner_key(frame: Frame, base: Value) -> Value:
    """The key of an account's owner."""
    return frame.access(base, OWNER_KEY, None)


def signed_message(frame: Frame, venue: Venue, key: Value, selector: int, members: list[Value]) -> Value:
    """The hash of a message with these members, which the key has signed."""
    struct = frame.hash([frame.constant(selector), *members])
    return signed(frame, venue, key, [struct])


def signed(frame: Frame, venue: Venue, key: Value, parts: list[Value]) -> Value:
    """The hash of prefix, domain, key and these, which the key has signed."""
    digest = frame.hash([key, *parts], venue.message_prefix)
    frame.signature(key, digest)
    return digest


def check_alive(frame: Frame, venue: Venue, now_s: Value, expiry_s: Value, ahead_s: Value | None = None) -> None:
    """A message has not expired, and does not expire too late (`ahead_s`: the signed expiry, where it is another)."""
    frame.number("the message has not expired", expiry_s - now_s)
    latest = now_s + venue.config.expiry_max_s
    frame.number("its expiry is not too far ahead", latest - (expiry_s if ahead_s is None else ahead_s))


def order_place(frame: Frame, digest: Value) -> Value:
    """Where a message's word among filled orders stands: at the lower half of its hash."""

    def cut(name: str, shift: int) -> Value:
        return frame.given(lambda: int(digest) >> shift & (HALF - 1), name, is_number=True)

    low, lower, high, higher = (cut("a part of a hash", shift) for shift in (64, 0, 192, 128))
    low_half, high_half = lower + HALF * low, higher + HALF * high
    frame.equal("a hash is cut", digest, low_half + DOUBLE * high_half)
    below = frame.number("a hash is below the prime", frame.constant(PRIME_TOP) - high)
    at_top = is_zero(frame, "", below)
    for part in (higher, low_half):
        frame.zero_product("where its highest part is the prime's, nothing is below", at_top, part)
    return low_half


def fill_order(frame: Frame, digest: Value, expiry_s: Value, filled: Value, most: Value) -> None:
    """So much more of a message is used, and no more of it in all than it allows."""
    place = order_place(frame, digest)
    frame.expect_order(place, expiry_s)
    unit = 1 << EXPIRY_BITS
    word = frame.borrow(place, ORDER_RECORD << WORD_BITS)
    before = frame.add(frame.constant(0), inverse(unit), word - expiry_s, Flag.NUMBER, "what was filled is a number")
    frame.number("the message allows as much", most - before, -1 * filled)
    frame.leave(word, word + unit * filled)


def spend(frame: Frame, digest: Value, expiry_s: Value, amount: Value) -> None:
    """A message moves its whole amount, once."""
    place = order_place(frame, digest)
    frame.expect_order(place, expiry_s)
    found = frame.access(place, ORDER_RECORD << WORD_BITS, expiry_s + (1 << EXPIRY_BITS) * amount)
    frame.equal("nothing of it was spent", found, expiry_s)
