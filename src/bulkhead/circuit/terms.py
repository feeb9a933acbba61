"""Open-interest scaling in the circuit: initial fractions and deductions of a market's tiers (`rules.terms`)."""

from __future__ import annotations

from bulkhead.circuit.arithmetic import bit, either, flipped, shifted_ceil, signed, wide
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.margin import Place, market_word, terms
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import Field
from bulkhead.fixed import FRACTION_BITS, ONE, div_ceil
from bulkhead.ledger.commitment import tiers_max

WORTH_BITS = 128  # of open interest at the index, and of what it is compared with


def rescale(
    frame: Frame, venue: Venue, place: Place, worth: Value, bounds: tuple[Value, Value], *, scales: bool
) -> None:
    """Initial fractions follow open interest worth so much; without `scales` it is shown that there is nothing to do.

    `bounds`: of the market's terms, where they begin to move and how far.

        scale = clamp((worth - lower) / span, 0, 1), rounded up;  initial = f + scale (1 - f), rounded up
    """
    lower, span = bounds
    over = worth - (1 << FRACTION_BITS) * lower
    if not scales:
        wide(frame, "open interest is low", frame.lift(-1 * over), WORTH_BITS)
        frame.zero("it was low before", market_word(frame, place, Field.SCALE))
        return
    scale = open_interest_scale(frame, over, span)
    market_word(frame, place, Field.SCALE, scale)
    before = deduction = bound = frame.constant(0)
    for tier in range(tiers_max(venue.config)):
        asked, upper = terms(frame, venue, Tag.INITIAL_FRACTION, place.market, frame.constant(tier))
        rest = frame.constant(int(ONE)) - asked
        initial = asked + shifted_ceil(frame, "a scaled fraction", frame.multiply(scale, rest))
        if tier:
            deduction = frame.multiply(bound, initial - before, 1, deduction)
        market_word(frame, place, Field.TIERS + 2 * tier, initial)
        market_word(frame, place, Field.TIERS + 2 * tier + 1, deduction)
        before, bound = initial, upper


def open_interest_scale(frame: Frame, over: Value, span: Value) -> Value:
    """How far open interest has moved initial fractions toward one (`terms.open_interest_scale`)."""
    is_over = bit(frame, "open interest is over its bound or not", lambda: int(signed(over) > 0))
    wide(frame, "over its bound", either(frame, is_over, over - 1, frame.lift(-1 * over)), WORTH_BITS)
    past = over - (1 << FRACTION_BITS) * span
    is_past = bit(frame, "open interest is past its upper bound or not", lambda: int(signed(past) >= 0))
    wide(frame, "past its upper bound", either(frame, is_past, past, frame.lift(-1 * past) - 1), WORTH_BITS)
    frame.zero_product("past is over", is_past, flipped(frame, is_over))
    between = frame.multiply(is_over - is_past, over)
    scale = frame.given(lambda: div_ceil(int(between), int(span)), "a scale", is_number=True)
    left = frame.multiply(scale, span, -1, between)  # scale * span - between, below the span
    frame.number("a scale is rounded up", left)
    frame.number("a scale is rounded up by less than one", span - left, -1)
    return scale + int(ONE) * is_past
