"""Liquidation's rules in the circuit: the zero price, charges, and how much a step may close (`rules.liquidation`)."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.arithmetic import (
    bit,
    either,
    flipped,
    given_narrow,
    is_at_most,
    is_zero,
    shifted_ceil,
    shifted_floor,
    signed,
    smallest,
    wide,
    within,
)
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.circuit.margin import REQUIREMENT_GAP_BITS, Health, Place, market_word, terms, tier_of
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.limits import (
    BOOK_PRICE_BITS,
    BOOK_PRICE_LIMIT,
    NOTIONAL_WORTH_BITS,
    REQUIREMENT_BITS,
    SIZE_BITS,
    VALUE_WORTH_BITS,
)
from bulkhead.rules import liquidation as rule
from bulkhead.rules.margin import maintenance_of, row_of
from bulkhead.rules.terms import Health as Judged
from bulkhead.rules.terms import Position, Risk, risk_of
from bulkhead.units import BookPrice, FundingIndex, MarketId, Price, Quote, Requirement, Size, Worth

ONE = 1 << FRACTION_BITS
# Lots at the zero price are worth what they are at the index and, of the account's value, their part: 58 and 64 bits.
ZERO_WORTH_BITS = SIZE_BITS + 3
# The terms whose difference the zero price makes small: notional * maintenance, value * maintenance of the position,
# and lots at the zero price * maintenance.
ZERO_PRICE_BITS = 228
CHARGE_BITS = SIZE_BITS + BOOK_PRICE_BITS + 1
TARGET_BITS = REQUIREMENT_BITS + FRACTION_BITS + 3  # a requirement or a value against the target
assert NOTIONAL_WORTH_BITS + REQUIREMENT_BITS < ZERO_PRICE_BITS - 2
assert VALUE_WORTH_BITS + NOTIONAL_WORTH_BITS + FRACTION_BITS + 1 < ZERO_PRICE_BITS - 2
assert ZERO_WORTH_BITS + FRACTION_BITS + REQUIREMENT_BITS < ZERO_PRICE_BITS - 2


class Bracket(NamedTuple):
    """A notional, the fraction of its tier, and the maintenance requirement: 32, 32 and 64 fraction bits."""

    notional: Value
    fraction: Value
    maintenance: Value


class Closing(NamedTuple):
    """A position about to be reduced, as `rules.liquidation.Closing` has it."""

    place: Place
    index_price: Value  # 32 fraction bits
    is_long: Value
    side: Value  # 1 of a long, -1 of a short
    size: Value
    whole: Value  # lots without the sign
    bracket: Bracket
    health: Health


def bracket_of(frame: Frame, venue: Venue, place: Place, index: Value, lots: Value) -> Bracket:
    """What so many lots ask for, at the index."""
    notional = frame.multiply(lots, index)
    tier = tier_of(frame, venue, place, notional)
    fraction, taken, _ = terms(frame, venue, Tag.MAINTENANCE, place.market, tier)
    return Bracket(notional, fraction, frame.multiply(notional, fraction, -1, taken))


def closing_of(frame: Frame, venue: Venue, place: Place, size: Value, health: Health) -> Closing:
    """A position of so many lots, which are some."""
    is_long = bit(frame, "long or short", lambda: int(signed(size) > 0))
    side = frame.add(frame.constant(-1), 2, is_long)
    whole = frame.multiply(side, size, flags=Flag.NUMBER, rule="lots of a position")
    frame.number("there is a position", whole, -1)
    index = market_word(frame, place, Field.PRICE)
    return Closing(place, index, is_long, side, size, whole, bracket_of(frame, venue, place, index, whole), health)


def covers(frame: Frame, rule_name: str, health: Health, wanted: Value) -> Value:
    """A bit: value covers a requirement."""
    return is_at_most(frame, rule_name, wanted, frame.lift(ONE * health.value), REQUIREMENT_GAP_BITS)


def reaches_target(frame: Frame, venue: Venue, health: Health) -> Value:
    """A bit: value is at least the target times the maintenance requirement."""
    wanted = frame.lift(int(venue.config.liquidation_target) * health.maintenance)
    return is_at_most(frame, "the target is reached or not", wanted, frame.lift(ONE * ONE * health.value), TARGET_BITS)


def check_widths(frame: Frame, health: Health) -> None:
    """Value and maintenance requirement have the widths of `limits`, so that products of them do not wrap."""
    within(frame, "a requirement keeps within its width", health.maintenance, REQUIREMENT_BITS)
    half = 1 << VALUE_WORTH_BITS
    within(frame, "a value keeps within its width", health.value + half, VALUE_WORTH_BITS + 1)


def zero_price(frame: Frame, closing: Closing) -> Value:
    """The worst price for the account, rounded in its favour, from one tick to the largest book price.

        price (lots * maintenance) 2^32  =  notional * maintenance - side * value * the position's own maintenance

    rounded up for a long and down for a short. Each factor is held to its width, so that no product wraps.
    """
    _, _, is_long, side, _, whole, bracket, health = closing
    price = given_narrow(frame, "a zero price", lambda: _zero_price(closing), BOOK_PRICE_BITS)
    frame.number("a zero price is at least one tick", price, -1)
    within(frame, "a notional keeps within its width", bracket.notional, NOTIONAL_WORTH_BITS)
    check_widths(frame, health)
    worth = frame.multiply(price, whole)
    within(frame, "lots at the zero price keep within their width", worth, ZERO_WORTH_BITS)
    step = frame.multiply(frame.lift(ONE * whole), health.maintenance)
    reached = frame.multiply(frame.lift(ONE * worth), health.maintenance)
    conceded = frame.multiply(side, frame.multiply(health.value, bracket.maintenance))
    wanted = frame.multiply(bracket.notional, health.maintenance) - conceded
    off = wanted - reached  # for a long above -step and at most 0, for a short at least 0 and below step
    above = frame.multiply(is_long, step - 1, 1, off)
    below = frame.multiply(flipped(frame, is_long), step - 1, -1, off)
    is_least = is_zero(frame, "the zero price is one tick or not", price - 1)
    is_most = is_zero(frame, "the zero price is the largest or not", price - (BOOK_PRICE_LIMIT - 1))
    name = "the zero price"
    wide(frame, name, frame.multiply(flipped(frame, is_least), above), ZERO_PRICE_BITS)
    wide(frame, name, frame.multiply(flipped(frame, is_most), below), ZERO_PRICE_BITS)
    return price


def _zero_price(closing: Closing) -> int:
    position = Position(MarketId(1), Size(signed(closing.size)), Quote(0), FundingIndex(0))
    risk = Risk(Price(int(closing.index_price)), ())
    value, weight = Worth(signed(closing.health.value)), signed(closing.bracket.maintenance)
    total = signed(closing.health.maintenance)
    return int(rule.zero_price(position, risk, value, weight, total)) if total > 0 and int(closing.whole) else 1


def charges(frame: Frame, venue: Venue, price: Value, gap: Value, lots: Value) -> tuple[Value, Value]:
    """Fee and penalty of so many lots at a price that is by `gap`, not below zero, better than the zero price.

    fee = min(rate * value, surplus), rounded up; penalty = min(rate * value, surplus - fee), rounded down
    """
    value, surplus = frame.multiply(price, lots), frame.multiply(gap, lots)
    asked = frame.lift(int(venue.config.liquidation_fee) * value)
    fee = shifted_ceil(frame, "the liquidation fee", asked, CHARGE_BITS)
    fee = smallest(frame, "the fee takes no more than the surplus", fee, surplus, CHARGE_BITS)
    asked = frame.lift(int(venue.config.liquidation_penalty) * value)
    penalty = shifted_floor(frame, "the penalty", asked, CHARGE_BITS)
    left = surplus - fee
    return fee, smallest(frame, "the penalty takes no more than the surplus", penalty, left, CHARGE_BITS)


class Step(NamedTuple):
    """How much of a position is closed, and at what price; `gap` is by how much that is better than the zero price."""

    lots: Value
    price: Value
    zero: Value
    gap: Value
    is_partial: Value  # a bit: the account is above close-out, so no more is closed than restores the target


def check_step_size(frame: Frame, venue: Venue, closing: Closing, step: Step) -> None:
    """No more lots than restore the target: some number of them, at least all but one of these, would not.

    Nor would any fewer: margin over the target is a concave function of the lots closed but for the roundings of
    charges (the requirement is convex in what is left), and it still rises with one lot more. More are allowed where

        what is left when one lot more is closed would be dust;
        margin falls from there on and one lot more would not have restored the target either: nothing does.

    Below close-out nothing is asked.
    """
    whole, health, partial = closing.whole, closing.health, step.is_partial
    missed = frame.given(lambda: _missed(venue, closing, step), "lots that do not restore the target", is_number=True)
    kept = whole - missed
    left = frame.number("some lots would be kept", kept, -1)
    bracket = bracket_of(frame, venue, closing.place, closing.index_price, kept)
    fee, penalty = charges(frame, venue, step.price, step.gap, missed)
    gained = frame.multiply(closing.side, ONE * step.price - closing.index_price)  # by one lot, at the index
    value = frame.multiply(gained, missed, -ONE, fee + penalty) + health.value
    maintenance = health.maintenance - closing.bracket.maintenance + bracket.maintenance
    short = int(venue.config.liquidation_target) * maintenance - ONE * ONE * value - 1
    rise = _rise(frame, venue, closing, step, (gained, bracket.fraction))
    below = bracket_of(frame, venue, closing.place, closing.index_price, left)
    falls = bit(frame, "nothing restores the target", lambda: _falls(venue, closing, step, int(missed)))
    later = _rise(frame, venue, closing, step, (gained, below.fraction))
    short = short - frame.multiply(falls, rise)
    wide(frame, "so many lots do not restore the target", frame.multiply(partial, short), TARGET_BITS)
    wide(frame, "one lot more brings it nearer", frame.multiply(partial, rise), TARGET_BITS)
    later = frame.lift(-1 * frame.multiply(falls, later))
    wide(frame, "more lots than that bring it no nearer", frame.multiply(partial, later), TARGET_BITS)
    dust = frame.constant((int(venue.config.liquidation_dust) << FRACTION_BITS) - 1)
    spare, lots = dust - below.notional, missed + 1 - step.lots
    is_dust = bit(frame, "what is left is dust or not", lambda: int(signed(lots) < 0 <= signed(spare)))
    bound = frame.multiply(flipped(frame, falls), either(frame, is_dust, spare, lots))
    wide(frame, "no more than restores the target", frame.multiply(partial, bound), 128)


def _rise(frame: Frame, venue: Venue, closing: Closing, step: Step, lot: tuple[Value, Value]) -> Value:
    """What closing one lot more adds to margin over the target, in a tier: 96 fraction bits.

    `lot` is what the price gains on the index for it, and the tier's fraction.
    """
    gained, fraction = lot
    config = venue.config
    asked = frame.lift((int(config.liquidation_fee) + int(config.liquidation_penalty)) * step.price)
    cost = smallest(frame, "charges of one lot", asked, frame.lift(ONE * step.gap), CHARGE_BITS)
    released = frame.lift(int(config.liquidation_target) * closing.index_price)
    return frame.multiply(fraction, released) + ONE * ONE * (gained - cost)


class Known(NamedTuple):
    """A position about to be reduced as the ledger's rule sees it, for hints."""

    closing: rule.Closing
    whole: int
    rest: int  # what the account's other positions ask for

    def is_restored(self, size: Size) -> bool:
        """Whether closing so many lots reaches the target."""
        kept = int(maintenance_of(self.closing.risk, Size(self.whole - int(size))))
        return rule.reaches_target(rule.value_after(self.closing, size), self.rest + kept, self.closing.target)

    def rise(self, kept: int) -> int:
        """What one lot more adds when so many are left, as `_rise`."""
        closing = self.closing
        index, rates = int(closing.risk.price), int(closing.rates[0]) + int(closing.rates[1])
        side = 1 if int(closing.position.size) > 0 else -1
        gained = side * ((int(closing.fill) << FRACTION_BITS) - index)
        gap = side * (int(closing.fill) - int(closing.zero))
        fraction = int(row_of(closing.risk, kept * index).maintenance)
        cost = min(rates * int(closing.fill), gap << FRACTION_BITS)
        return fraction * int(closing.target) * index + ((gained - cost) << (2 * FRACTION_BITS))


def _known(venue: Venue, closing: Closing, step: Step) -> Known | None:
    terms, config, health = venue.config.market(int(closing.place.market)), venue.config, closing.health
    if not int(step.is_partial) or terms is None:
        return None
    risk = risk_of(terms, Price(int(closing.index_price)))
    asked = Requirement(signed(health.maintenance))
    whole = Size(int(closing.whole))
    known = rule.Closing(
        Position(terms.market_id, Size(signed(closing.size)), Quote(0), FundingIndex(0)),
        risk,
        Judged(Worth(signed(health.value)), asked, asked, asked),
        BookPrice(int(step.price)),
        BookPrice(int(step.zero)),
        (config.liquidation_fee, config.liquidation_penalty),
        config.liquidation_target,
        config.liquidation_dust,
    )
    return Known(known, int(whole), int(asked) - int(maintenance_of(risk, whole)))


def _missed(venue: Venue, closing: Closing, step: Step) -> int:
    """One lot fewer than restores the target; where nothing does, the lots after which margin falls."""
    known = _known(venue, closing, step)
    if known is None:
        return 0
    kinks = rule.kinks_of(known.closing.risk, Size(known.whole))
    missed = int(rule.minimal_size(Size(known.whole), known.is_restored, kinks)) - 1
    if known.rise(known.whole - missed) >= 0:
        return missed
    rising = [int(kink) for kink in (Size(0), *kinks) if known.rise(known.whole - int(kink)) >= 0]
    return max(rising, default=0)


def _falls(venue: Venue, closing: Closing, step: Step, missed: int) -> int:
    known = _known(venue, closing, step)
    if known is None or known.whole - missed <= 1 or known.is_restored(Size(missed + 1)):
        return 0
    return int(known.rise(known.whole - missed - 1) <= 0)
