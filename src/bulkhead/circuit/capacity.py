"""How many lots the backstop can take, in the circuit (`takeover.backstop_capacity`): at least so many, or at most.

The ledger asks for all lots first, then finds the capacity by bisection. Here a number of lots is shown that it can
take, no fewer than it does; and one that it cannot, no more than one lot above what is left to it, nor all of them. Its
margin is a concave function of the lots by which its risk grows, so what it can bear is one stretch of numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import (
    COST_SHIFT,
    INDEX_SHIFT,
    MARKET_SHIFT,
    SIZE_SHIFT,
    Settled,
    change_balance,
    part,
    peek,
    settled_account,
)
from bulkhead.circuit.arithmetic import bit, either, flipped, is_zero, magnitude, signed, wide
from bulkhead.circuit.fill import moved
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.liquidation import Closing
from bulkhead.circuit.margin import (
    NOTIONAL_GAP_BITS,
    REQUIREMENT_GAP_BITS,
    Asked,
    Health,
    Place,
    market_word,
    requirement,
    term,
)
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import HEAD, MARKETS_RECORD, POSITIONS, Field, key_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.state import Kind
from bulkhead.limits import POSITIONS_MAX, QUOTE_LIMIT, SIZE_BITS, SIZE_LIMIT
from bulkhead.rules.liquidation import minimal_size
from bulkhead.rules.margin import initial_of
from bulkhead.rules.terms import Risk, risk_of
from bulkhead.units import Fraction, Price, Size

ONE = 1 << FRACTION_BITS
PROFIT_BITS = SIZE_BITS + 65  # lots at the index less their cost
GROWTH_BITS = 2 * SIZE_BITS + 2


class Keeper(NamedTuple):
    """The backstop account: its frame's answers, and its position in the market in question."""

    settled: Settled
    was: Value  # a bit: it has one
    size: Value
    cost: Value
    before: Asked
    health: Health


class Offer(NamedTuple):
    """A position of which lots are offered to the backstop at a price."""

    closing: Closing
    price: Value


class Trial(NamedTuple):
    """What the backstop would have with some lots more."""

    lots: Value
    along: Value  # its own lots and these, signed by the side of these: above zero it carries new risk
    notional: Value
    spare: Value  # value above its initial requirement


def keeper_of(frame: Frame, venue: Venue, place: Place, now: Value, ago: int) -> Keeper:
    """The backstop, judged `ago` frames before at prices however old. It can choose no leverage of its own."""
    settled = settled_account(frame, frame.constant(int(BACKSTOP_ACCOUNT)), ago, now)
    frame.equal("the backstop", settled.kind, int(Kind.BACKSTOP))
    there = settled.base + place.market
    was = bit(frame, "a position is there or not", lambda: int(peek(frame, there, POSITIONS) != 0))

    def given(name: str, shift: int, middle: int) -> Value:
        found = part(frame, there, POSITIONS, shift, 64)
        return frame.given(lambda: found() if int(was) else middle, name, is_number=True)

    size, cost = given("a position's size", SIZE_SHIFT, SIZE_LIMIT), given("a position's cost", COST_SHIFT, QUOTE_LIMIT)
    packed = cost + (1 << SIZE_SHIFT) * size + (1 << MARKET_SHIFT) * place.market
    packed = packed + (1 << INDEX_SHIFT) * market_word(frame, place, Field.FUNDING_INDEX)
    frame.equal("a position is cut", frame.access(there, POSITIONS, None), frame.multiply(was, packed))
    size, cost = size - SIZE_LIMIT, cost - QUOTE_LIMIT
    frame.zero_product("no lots without a position", flipped(frame, was), size)
    frame.zero_product("no cost without a position", flipped(frame, was), cost)
    lots = magnitude(frame, "lots", size).size
    before = requirement(frame, venue, place, (size, lots))
    health = settled.health(change_balance(frame, settled.base, None))
    return Keeper(settled, was, size, cost, before, health)


def check_absent(frame: Frame) -> None:
    """There is no backstop."""
    head = key_of(int(BACKSTOP_ACCOUNT), HEAD)
    frame.zero("there is no backstop", frame.access(frame.constant(0), head, None))


def check_can_take(frame: Frame, venue: Venue, keeper: Keeper, offer: Offer, taken: Value) -> None:
    """The backstop can take so many lots: they make its position smaller, or budget, bounds and margin allow them."""
    closing = offer.closing
    lots = frame.given(lambda: capacity(frame, venue, keeper, offer), "lots it can take", is_number=True)
    frame.number("lots it can take are as many", lots - taken)
    frame.number("nobody takes more than there is", closing.whole - lots)
    trial = _trial(frame, venue, keeper, offer, lots)
    shrinks = bit(frame, "its position shrinks or not", lambda: int(signed(trial.along) <= 0 or not int(lots)))
    smaller = frame.lift(-1 * frame.multiply(lots, trial.along))
    wide(frame, "it makes the backstop's position smaller", frame.multiply(shrinks, smaller), GROWTH_BITS)
    grows = flipped(frame, shrinks)
    budget, left = _budget(frame, venue, keeper, closing.place)
    frame.number("the loss budget is not used up", frame.multiply(grows, budget))
    wide(frame, "nor by its open loss", frame.multiply(grows, left), PROFIT_BITS)
    room = _room(frame, venue, closing.place, trial)
    wide(frame, "its position is not too large", frame.multiply(grows, room), NOTIONAL_GAP_BITS)
    count = frame.multiply(grows, frame.constant(POSITIONS_MAX) - keeper.settled.positions - flipped(frame, keeper.was))
    frame.number("it has not too many positions", count)
    spare = frame.multiply(grows, trial.spare)
    wide(frame, "its initial requirement is covered", spare, REQUIREMENT_GAP_BITS)


def check_cannot_take(frame: Frame, venue: Venue, keeper: Keeper, offer: Offer, left: Value) -> None:
    """The backstop can take no more than `left` lots. They are all there is; or they are all that makes its position
    smaller, and its budget is used up; or some number of lots, one more at most, is too much: too large a position,
    one position too many, or no margin.

    That lots or balance would leave their widths is no reason here: a price that does this ends the venue anyway.
    """
    closing = offer.closing
    lots = frame.given(lambda: 1 + capacity(frame, venue, keeper, offer), "lots it cannot take", is_number=True)
    frame.number("lots it cannot take are some", lots, -1)
    frame.number("lots it cannot take are one more at most", left + 1 - lots)
    trial = _trial(frame, venue, keeper, offer, lots)
    budget, profit = _budget(frame, venue, keeper, closing.place)
    room = _room(frame, venue, closing.place, trial)
    places = frame.constant(POSITIONS_MAX) - keeper.settled.positions - flipped(frame, keeper.was)

    whole = is_zero(frame, "all lots are left to it or not", closing.whole - left)  # so there is nothing to show

    def is_so(name: str, holds: tuple[Value, ...], *others: Value) -> Value:
        """A bit: this is the reason; what is below zero is below."""
        return bit(frame, name, lambda: int(all(signed(each) < 0 for each in holds) and not any(map(int, others))))

    spent = is_so("the budget is used up", (budget,), whole)
    lost = is_so("the open loss uses up the budget", (profit,), whole, spent)
    large = is_so("its position would be too large", (room,), whole, spent, lost)
    many = is_so("it would have too many positions", (places,), whole, spent, lost, large)
    bare = flipped(frame, spent + lost + large + many + whole)  # a bit by the next rule
    frame.zero_product("there is one reason", bare, bare - 1)
    no_budget = spent + lost
    side = frame.multiply(closing.side, keeper.size)
    frame.number("what makes its position smaller is left to it", frame.multiply(no_budget, side + left))
    grows = frame.multiply(large + many + bare, trial.along - 1)
    frame.number("so many would be new risk", grows)
    wide(frame, "the budget is used up", _below(frame, spent, budget), 128)
    wide(frame, "the open loss uses up the budget", _below(frame, lost, profit), PROFIT_BITS)
    wide(frame, "its position would be too large", _below(frame, large, room), NOTIONAL_GAP_BITS)
    frame.number("it would have too many positions", _below(frame, many, places))
    wide(frame, "its initial requirement would not be covered", _below(frame, bare, trial.spare), REQUIREMENT_GAP_BITS)
    everything = _trial(frame, venue, keeper, offer, closing.whole)  # a price may be so good that all is less than some
    too_large = _room(frame, venue, closing.place, everything)
    is_large = bit(frame, "all lots would be too large", lambda: int(signed(too_large) < 0))
    short = either(frame, is_large, too_large, everything.spare)
    wide(frame, "nor could it bear all of them", _below(frame, bare, short), REQUIREMENT_GAP_BITS)


def _below(frame: Frame, which: Value, value: Value) -> Value:
    """Not below zero where the value is below zero, or the bit is not set."""
    return frame.lift(-1 * frame.multiply(which, value + 1))


def _trial(frame: Frame, venue: Venue, keeper: Keeper, offer: Offer, lots: Value) -> Trial:
    closing = offer.closing
    change = frame.multiply(closing.side, lots)
    size = keeper.size + change
    count = magnitude(frame, "lots", size).size
    after = requirement(frame, venue, closing.place, (size, count))
    health = moved(frame, keeper.health, keeper.before, after)
    value = health.value - ONE * frame.multiply(change, offer.price)
    return Trial(lots, frame.multiply(closing.side, size), after.notional, ONE * value - health.initial)


def _budget(frame: Frame, venue: Venue, keeper: Keeper, place: Place) -> tuple[Value, Value]:
    """Two numbers that are not below zero while budget is left: of what was drawn, and of the open loss (worth).

        budget - lost - 1 and (budget - lost - 1) 2^32 + size * index - cost 2^32
    """
    left = term(frame, venue, Tag.LOSS_BUDGET, place.market) - market_word(frame, place, Field.LOST) - 1
    profit = keeper.before.worth - ONE * keeper.cost
    return left, profit + ONE * left


def _room(frame: Frame, venue: Venue, place: Place, trial: Trial) -> Value:
    bound = term(frame, venue, Tag.POSITION_BOUND, place.market)
    return (ONE * bound + (ONE - 1)) - trial.notional


def capacity(frame: Frame, venue: Venue, keeper: Keeper, offer: Offer) -> int:
    """As the ledger finds it."""
    closing = offer.closing
    place, side, whole = closing.place, signed(closing.side), int(closing.whole)
    own, memory = signed(keeper.size), frame.memory
    terms = venue.config.market(int(place.market))
    assert memory is not None
    if terms is None:
        return 0

    def word(field: Field) -> int:
        return peek(frame, place.base, key_of(MARKETS_RECORD, field))

    shrinking = min(whole, abs(own)) if own * side < 0 else 0
    left = int(terms.loss_budget) - word(Field.LOST)
    loss = signed(keeper.before.worth) - (signed(keeper.cost) << FRACTION_BITS)
    if shrinking == whole or left <= 0 or ((left - 1) << FRACTION_BITS) + loss < 0:
        return shrinking
    risk = risk_of(terms, Price(int(closing.index_price)), Fraction(word(Field.SCALE)))

    def is_too_much(size: Size) -> bool:
        after = own + side * int(size)
        if side * after <= 0:
            return False
        if abs(after) * int(risk.price) >= (int(terms.tiers[-1].bound) + 1) << FRACTION_BITS:
            return True
        if int(keeper.settled.positions) + 1 - int(keeper.was) > POSITIONS_MAX:
            return True
        return _spare(keeper, risk, (own, after), side * int(size) * int(offer.price)) < 0

    if not is_too_much(Size(whole)):
        return whole
    return int(minimal_size(Size(whole), is_too_much)) - 1


def _spare(keeper: Keeper, risk: Risk, sizes: tuple[int, int], cost: int) -> int:
    """The backstop's value above its initial requirement when it has bought at a cost; 64 fraction bits."""
    before, after = (int(initial_of(risk, Size(size), Fraction(0))) for size in sizes)
    value = signed(keeper.health.value) + (sizes[1] - sizes[0]) * int(risk.price) - (cost << FRACTION_BITS)
    return (value << FRACTION_BITS) - signed(keeper.health.initial) + before - after
