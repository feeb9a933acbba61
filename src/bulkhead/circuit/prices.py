"""Prices in the circuit: the median of reports, and how far an index may move at once (`rules.prices`)."""

from __future__ import annotations

from bulkhead.circuit.arithmetic import bit, divided_floor, is_at_most, magnitude, total
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.fixed import FRACTION_BITS, div_floor
from bulkhead.limits import PRICE_BITS, SHARE_BITS
from bulkhead.units import Fraction

MINUTE_MS = 60_000
MINUTES_BITS = 62  # of minutes since a price was signed; of two times of 64 bits there are fewer
STEP_BITS = PRICE_BITS + SHARE_BITS + MINUTES_BITS  # old price * share * minutes


def median(frame: Frame, prices: list[Value]) -> Value:
    """The middle price, the lower one of two; the prices are numbers.

    As many as there are above the middle are said to be no less than it, the rest no more, and one of the rest is it:
    then no more than the middle's place are less, and the one that is found is that of the sorted list.
    """
    middle = div_floor(len(prices) - 1, 2)

    def ranks() -> list[int]:
        return sorted(range(len(prices)), key=lambda place: int(prices[place]))

    def is_above(place: int) -> Hint:
        return lambda: int(ranks().index(place) > middle)

    found = frame.given(lambda: int(prices[ranks()[middle]]))
    above: list[Value] = []
    misses = frame.one
    for place, price in enumerate(prices):
        is_high = bit(frame, "a price is above the middle or not", is_above(place))
        way = frame.add(frame.one, -2, is_high)
        gap = frame.multiply(way, found - price, flags=Flag.NUMBER, rule="the median is in the middle")
        misses = frame.multiply(misses, gap + is_high)  # zero only where a price that is not above is the median
        above.append(is_high)
    frame.equal("so many reports are above the median", total(frame, list(above)), len(prices) - middle - 1)
    frame.zero("the median is a reported price", misses)
    return found


def is_step_allowed(frame: Frame, old: Value, new: Value, elapsed_ms: Value, share: Fraction) -> Value:
    """A bit: |new - old| <= old * share * (whole minutes + 1); both prices are numbers."""
    minutes = divided_floor(frame, "whole minutes", elapsed_ms, frame.constant(MINUTE_MS), MINUTES_BITS)
    most = frame.multiply(frame.lift(int(share) * old), minutes + 1)
    moved = magnitude(frame, "how far a price moves", new - old).size
    return is_at_most(frame, "a price's step", frame.lift((1 << FRACTION_BITS) * moved), most, STEP_BITS)
