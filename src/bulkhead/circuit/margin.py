"""Margin in the circuit: what one position is worth and requires, and health as sums of it (`rules.margin`)."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.arithmetic import (
    at_most,
    bit,
    either,
    flipped,
    given_narrow,
    is_at_most,
    signed,
    wide,
)
from bulkhead.circuit.frame import ABOUT, Frame, Hint, Value
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import TOGETHER, Venue, values_of
from bulkhead.circuit.words import CHOICES, MARKETS_RECORD, WORD_BITS, Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.commitment import SIGNED_QUOTE
from bulkhead.limits import ID_BITS, KIND_BITS, NOTIONAL_WORTH_BITS, REQUIREMENT_BITS, VALUE_WORTH_BITS

# Differences of two notionals, of value and requirement, and the products that "healthier" compares.
NOTIONAL_GAP_BITS = 128
REQUIREMENT_GAP_BITS = max(REQUIREMENT_BITS, VALUE_WORTH_BITS + FRACTION_BITS) + 1
HEALTHIER_BITS = VALUE_WORTH_BITS + REQUIREMENT_BITS + 1
assert NOTIONAL_WORTH_BITS < NOTIONAL_GAP_BITS


class Place(NamedTuple):
    """A market that a program deals with: its id, and the key of its words: a value, and what is added to it."""

    market: Value
    base: Value
    offset: int = 0


class Asked(NamedTuple):
    """What a position is worth, signed and not, and what it requires; 32 and 64 fraction bits."""

    worth: Value
    notional: Value
    initial: Value
    maintenance: Value
    close_out: Value
    price_age_max_ms: Value | None = None  # of the market, as the position's tier says it


class Health(NamedTuple):
    """An account's value and requirements, as `rules.terms.Health`."""

    value: Value
    initial: Value
    maintenance: Value
    close_out: Value


def place_of(frame: Frame, venue: Venue, market: Value) -> Place:
    """The words of a market that the prover names."""
    return Place(market, frame.lift(venue.market_words * market))


def market_word(frame: Frame, place: Place, field: int, after: Value | None = None) -> Value:
    """A word of a market; `after` is left there."""
    return frame.access(place.base, word_of(place, field), after)


def word_of(place: Place, field: int) -> int:
    """The key of a market's word without its base."""
    return (MARKETS_RECORD << WORD_BITS) + place.offset + field


def term(frame: Frame, venue: Venue, tag: Tag, market: Value, tier: Value | None = None) -> Value:
    """What the configuration says of a market, which exists."""
    about = market if tier is None else frame.pair(market, tier)
    return frame.message(tag, about, frame.constant(0), -1, _hint(venue, tag, about))


def terms(frame: Frame, venue: Venue, tag: Tag, market: Value, tier: Value | None = None) -> list[Value]:
    """What the configuration says of a market, all that it says together with a tag."""
    about = market if tier is None else frame.pair(market, tier)
    tags = TOGETHER[tag]
    return frame.take_all(about, tags, [_hint(venue, each, about) for each in tags])


def _hint(venue: Venue, tag: Tag, about: Value) -> Hint:
    values = values_of(venue)
    return lambda: values.get((tag, int(about)), 0)


def requirement(
    frame: Frame, venue: Venue, place: Place, held: tuple[Value, Value], floor: Value | None = None,
    *, closes: bool = False, index_price: Value | None = None,
) -> Asked:  # fmt: skip
    """A position at the market's index, its lots signed and not: notional * fraction - deduction.

    The floor is the trader's own initial fraction; the close-out requirement is told only where asked, else it is
    zero. Of no lots everything is zero. `index_price`: the market's, where it has been read.
    """
    size, lots = held
    price = market_word(frame, place, Field.PRICE) if index_price is None else index_price
    worth = frame.multiply(size, price)
    notional = frame.multiply(lots, price)
    tier = tier_of(frame, venue, place, notional)
    words = place._replace(base=place.base + 2 * tier)
    share = market_word(frame, words, Field.TIERS)
    deduction = market_word(frame, words, Field.TIERS + 1)
    initial = frame.multiply(notional, share, -1, deduction)
    if floor is not None:
        own = frame.multiply(notional, floor)
        initial = either(
            frame, is_at_most(frame, "the larger fraction", initial, own, REQUIREMENT_GAP_BITS), own, initial
        )

    share, deduction, oldest = terms(frame, venue, Tag.MAINTENANCE, place.market, tier)
    maintenance, close_out = frame.multiply(notional, share, -1, deduction), frame.constant(0)
    if closes:
        share, deduction = terms(frame, venue, Tag.CLOSE_OUT, place.market, tier)
        close_out = frame.multiply(notional, share, -1, deduction)
    return Asked(worth, notional, initial, maintenance, close_out, oldest)


def tier_of(frame: Frame, venue: Venue, place: Place, notional: Value) -> Value:
    """The tier that a notional falls into."""
    def found() -> int:
        return _tier(venue, int(place.market), int(notional))

    values = values_of(venue)

    def bound(tag: Tag) -> Hint:
        return lambda: values.get((tag, int(place.market) * ABOUT + found()), 0)

    # The table says which tier it speaks of: it names no other market's.
    hints = [found, bound(Tag.TIER_LOWER), bound(Tag.TIER_UPPER)]
    tier, lower, upper = frame.take_all(place.market, TOGETHER[Tag.TIER], hints)
    wide(frame, "the notional is not below its tier", notional - lower, NOTIONAL_GAP_BITS)
    wide(frame, "the notional is not above its tier", upper - notional, NOTIONAL_GAP_BITS)
    return tier


def _tier(venue: Venue, market: int, notional: int) -> int:
    terms = venue.config.market(market)
    tiers = () if terms is None else terms.tiers
    for place, tier in enumerate(tiers[:-1]):
        if notional <= int(tier.bound) << FRACTION_BITS:
            return place
    return max(0, len(tiers) - 1)


def leverage_floor(frame: Frame, venue: Venue, base: Value, market: Value) -> Value:
    """The fraction that an account's signed leverage in a market stands for; 0 where it chose none."""
    return floor_of(frame, venue, read_choice(frame, base, market).leverage)


def floor_of(frame: Frame, venue: Venue, leverage: Value) -> Value:
    """The fraction that a leverage stands for; 0 for none."""
    return term(frame, venue, Tag.LEVERAGE_FLOOR, leverage)


class Chosen(NamedTuple):
    """A choice's word, cut: whether there is one, and what it says; zeros where there is none."""

    word: Value
    is_there: Value
    mode: Value
    leverage: Value
    cap: Value


MODE_SHIFT, LEVERAGE_SHIFT = SIGNED_QUOTE + KIND_BITS, SIGNED_QUOTE
MARKET_SHIFT = SIGNED_QUOTE + 2 * KIND_BITS
assert MARKET_SHIFT + ID_BITS < 250


def read_choice(frame: Frame, base: Value, market: Value) -> Chosen:
    """The choice of the account whose words are at `base` for a market."""
    word = frame.access(base + market, CHOICES, None)
    return cut_choice(frame, word, market)


def cut_choice(frame: Frame, word: Value, market: Value) -> Chosen:
    """A choice's word is that of a market, or zero."""
    is_there = bit(frame, "a choice is there or not", lambda: int(int(word) != 0))
    mode, leverage = (
        given_narrow(frame, f"a choice's {name}", _byte(word, shift), KIND_BITS)
        for name, shift in (("mode", MODE_SHIFT), ("leverage", LEVERAGE_SHIFT))
    )
    cap = frame.given(lambda: int(word) & ((1 << SIGNED_QUOTE) - 1), "a cap", is_number=True)
    packed = frame.multiply(is_there, frame.lift((1 << MARKET_SHIFT) * market))
    packed = packed + (1 << MODE_SHIFT) * mode + (1 << LEVERAGE_SHIFT) * leverage + cap
    frame.equal("a choice is cut", word, packed)
    return Chosen(word, is_there, mode, leverage, cap)


def _byte(word: Value, shift: int) -> Hint:
    return lambda: int(word) >> shift & 0xFF


def check_allowed(frame: Frame, before: Health, after: Health, grows: Value) -> None:
    """Healthy or healthier (`margin.is_allowed`): where new risk is taken the initial requirement, else the
    maintenance one is covered; or nothing grows and value over maintenance does not fall.

    The account had positions before: of one that had none, value without a requirement would be no worse than any.
    """
    wanted = either(frame, grows, after.initial, after.maintenance)
    spare = (1 << FRACTION_BITS) * after.value - wanted
    is_covered = bit(frame, "covered or not", lambda: int(signed(spare) >= 0))
    frame.zero_product("new risk is covered", grows, flipped(frame, is_covered))
    was = frame.multiply(before.value, after.maintenance)
    gained = frame.multiply(after.value, before.maintenance) - was
    wide(frame, "healthy or healthier", either(frame, is_covered, spare, gained), HEALTHIER_BITS)


def check_covered(frame: Frame, rule: str, value: Value, requirement: Value) -> None:
    """The value covers a requirement."""
    at_most(frame, rule, requirement, (1 << FRACTION_BITS) * value, REQUIREMENT_GAP_BITS)
