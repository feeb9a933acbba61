"""One side of a fill in the circuit: the position it leaves, and whether the account may bear it (`ledger.fill`)."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import (
    COST_SHIFT,
    INDEX_SHIFT,
    MARKET_SHIFT,
    POSITIONS_SHIFT,
    SIZE_SHIFT,
    Settled,
    change_balance,
    check_quote,
    part,
    peek,
)
from bulkhead.circuit.arithmetic import bit, divided_floor, either, flipped, is_zero, magnitude, signed, wide
from bulkhead.circuit.frame import Frame, Scaled, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.circuit.margin import (
    Asked,
    Health,
    Place,
    check_allowed,
    cut_choice,
    floor_of,
    market_word,
    requirement,
    term,
)
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, HEAD, POSITIONS, Field
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Mode
from bulkhead.limits import POSITIONS_MAX, QUOTE_LIMIT, SIZE_LIMIT

assert COST_SHIFT == 0


class Trading(NamedTuple):
    """What both sides of a fill share: the market, its funding index, and lots (a number above zero), price, value."""

    place: Place
    funding_index: Value
    lots: Value
    price: Value
    value: Value


def trading(frame: Frame, place: Place, lots: Value, price: Value) -> Trading:
    """A fill in a market."""
    index = market_word(frame, place, Field.FUNDING_INDEX)
    return Trading(place, index, lots, price, frame.multiply(lots, price))


class Turned(NamedTuple):
    """A position before and after a fill; which of three things the fill does: open more, reduce, turn it over."""

    was: Value  # a bit: there was one
    is_there: Value
    size: Value
    size_after: Value
    lots: Value  # without the sign
    left: Value
    cost: Value
    cost_after: Value
    opens: Value
    reduces: Value
    flips: Value


class Lots(NamedTuple):
    """A position of an account whose funding is settled: whether there is one (a bit), its lots, its cost."""

    is_there: Value
    size: Value
    cost: Value


def held_position(frame: Frame, base: Value, market: Value) -> Lots:
    """A position as it is before it is written; of none, lots and cost are zero."""
    there = base + market
    was = bit(frame, "a position is there or not", lambda: int(peek(frame, there, POSITIONS) != 0))

    def given(name: str, shift: int, middle: int) -> Value:
        found = part(frame, there, POSITIONS, shift, 64)
        return frame.given(lambda: found() if int(was) else middle, name, is_number=True)

    size = given("a position's size", SIZE_SHIFT, SIZE_LIMIT) - SIZE_LIMIT
    cost = given("a position's cost", COST_SHIFT, QUOTE_LIMIT) - QUOTE_LIMIT
    absent = flipped(frame, was)
    frame.zero_product("no lots without a position", absent, size)
    frame.zero_product("no cost without a position", absent, cost)
    return Lots(was, size, cost)


def write_position(frame: Frame, base: Value, trade: Trading, before: Lots, after: Lots) -> None:
    """A position becomes another one, whose lots and cost keep within their widths."""
    market, index = trade.place.market, trade.funding_index
    word = frame.access(base + market, POSITIONS, _packed(frame, market, index, after))
    frame.equal("a position is cut", word, _packed(frame, market, index, before))
    check_quote(frame, "a position's lots keep within their width", after.size)
    check_quote(frame, "a position's cost keeps within its width", after.cost)


def _packed(frame: Frame, market: Value, funding_index: Value, held: Lots) -> Value:
    """A position's word at the market's index, or zero."""
    base = held.cost + (QUOTE_LIMIT + (SIZE_LIMIT << SIZE_SHIFT))
    word = base + (1 << INDEX_SHIFT) * funding_index + (1 << SIZE_SHIFT) * held.size
    return frame.multiply(held.is_there, word + (1 << MARKET_SHIFT) * market)


def with_fill(frame: Frame, trade: Trading, base: Value, direction: Value) -> Turned:
    """Read, change and write the position of an account whose funding is settled (`accounts.with_fill`).

    `direction` is 1 of a buyer and -1 of a seller; cost follows: what is opened adds its value, what is closed takes
    its part of the old cost along.
    """
    held = held_position(frame, base, trade.place.market)
    turned = _turn(frame, trade, direction, held)
    write_position(frame, base, trade, held, Lots(turned.is_there, turned.size_after, turned.cost_after))
    return turned


def _turn(frame: Frame, trade: Trading, direction: Value, held: Lots) -> Turned:
    was, size, cost = held
    size_after = size + frame.multiply(direction, trade.lots)
    is_there = flipped(frame, is_zero(frame, "anything left or not", size_after))
    along = frame.multiply(direction, size)  # above zero: the fill goes on in the position's direction
    opens = bit(frame, "the fill opens or not", lambda: int(signed(along) >= 0))
    reduces = bit(frame, "the fill reduces or not", lambda: int(signed(along) < 0 <= -signed(along) - int(trade.lots)))
    flips = flipped(frame, opens + reduces)
    frame.zero_product("the fill turns over, or does not", flips, flips - 1)
    frame.number("it opens in the position's direction", either(frame, opens, along, Scaled(-1, along) - 1))
    beyond = along + trade.lots  # what is left, in the direction of the fill
    negative = frame.multiply(reduces, beyond, -1, frame.multiply(flips, beyond - 1))
    frame.add(frame.constant(0), -1, negative, Flag.NUMBER, "it reduces or turns over")
    lots, left = (magnitude(frame, "lots", each).size for each in (size, size_after))
    cost_after = frame.multiply(opens, cost + frame.multiply(direction, trade.value))
    part_left = part_of_cost(frame, reduces, cost, lots, left)
    cost_after = frame.multiply(flips, frame.multiply(trade.price, size_after), 1, cost_after + part_left)
    return Turned(was, is_there, size, size_after, lots, left, cost, cost_after, opens, reduces, flips)


def part_of_cost(frame: Frame, reduces: Value, cost: Value, lots: Value, left: Value) -> Value:
    """floor(cost * left / lots) where the fill reduces, else zero."""
    whole = either(frame, reduces, lots, frame.one)
    share = frame.multiply(frame.multiply(reduces, cost), left)
    return divided_floor(frame, "the part of the cost that stays", share, whole)


def count_positions(frame: Frame, base: Value, change: Value) -> None:
    """An account's head says how many positions it has."""
    frame.adjust(base, HEAD, frame.lift((1 << POSITIONS_SHIFT) * change))


class Side(NamedTuple):
    """One side of a fill: which way, the fee it pays, and whether the account's signed choices are read."""

    direction: Value
    fee: Value
    has_choices: bool


def settle_cross(frame: Frame, venue: Venue, trade: Trading, settled: Settled, side: Side) -> Turned:
    """A fill that settles in the account that signed: its money, its position, and healthy or healthier."""
    floor = None
    if side.has_choices:
        choice = cut_choice(
            frame, frame.access(settled.base + trade.place.market, CHOICES, None), trade.place.market
        )
        frame.zero_product("the market is not isolated", choice.mode, choice.mode - int(Mode.CROSS))
        floor = floor_of(frame, venue, choice.leverage)
    else:
        frame.zero("it has no choices", settled.choices)
    turned = with_fill(frame, trade, settled.base, side.direction)
    paid = frame.multiply(side.direction, trade.value, 1, side.fee)
    balance = change_balance(frame, settled.base, frame.lift(-1 * paid))
    change = turned.is_there - turned.was
    count_positions(frame, settled.base, change)
    price = market_word(frame, trade.place, Field.PRICE)
    before = requirement(frame, venue, trade.place, (turned.size, turned.lots), floor, index_price=price)
    after = requirement(frame, venue, trade.place, (turned.size_after, turned.left), floor, index_price=price)
    grows = flipped(frame, turned.reduces)
    check_bounds(frame, venue, trade.place, settled, (grows, after, change))
    now = moved(frame, settled.health(balance - paid), before, after)
    check_allowed(frame, settled.health(balance), now, grows)
    return turned


def moved(frame: Frame, health: Health, before: Asked, after: Asked) -> Health:
    """Health when one position asks for something else."""
    pairs = zip(
        (health.value, health.initial, health.maintenance, health.close_out),
        (before.worth, before.initial, before.maintenance, before.close_out),
        (after.worth, after.initial, after.maintenance, after.close_out),
        strict=True,
    )
    return Health(*(value - old + new for value, old, new in pairs))


def check_bounds(
    frame: Frame, venue: Venue, place: Place, settled: Settled, found: tuple[Value, Asked, Value]
) -> None:
    """What grows is judged at fresh prices, keeps within its market's largest position, and is one of so many.

    Found is whether the position grows, what it requires then, and how many positions more there are.
    """
    grows, after, change = found
    frame.number("new risk is judged at fresh prices", settled.freshness - grows)
    bound = term(frame, venue, Tag.POSITION_BOUND, place.market)
    most = (1 << FRACTION_BITS) * bound + ((1 << FRACTION_BITS) - 1)
    wide(frame, "the position is not too large", frame.multiply(grows, most - after.notional), 128)
    frame.number("an account has not too many positions", frame.constant(POSITIONS_MAX) - settled.positions - change)


def twice_interest(turned: Turned) -> Value:
    """Twice the lots by which what is held long changes: of n lots, |n| + n are held long twice."""
    return turned.left + turned.size_after - (turned.lots + turned.size)
