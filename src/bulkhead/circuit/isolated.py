"""A fill that settles in an isolated child: close, sweep, open (`ledger.fill`, `_settle_isolated`).

Of the child's balance, step by step:

    b0  as it was, funding settled           b2  after `released` went to the parent
    b1  after lots were closed               b3  after lots were opened;  final: plus `funded` from the parent

The parent pays the fee, unless it can't bear it and the fill only closes: then the child does.
"""

from __future__ import annotations

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
from bulkhead.circuit.arithmetic import (
    at_least_zero,
    bit,
    divided_floor,
    either,
    flipped,
    is_at_most,
    largest,
    shifted_floor,
    signed,
    smallest,
    wide,
)
from bulkhead.circuit.fill import Side, Trading, Turned, check_bounds, moved, with_fill
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.margin import (
    REQUIREMENT_GAP_BITS,
    Asked,
    Chosen,
    Health,
    check_allowed,
    cut_choice,
    floor_of,
    market_word,
    requirement,
)
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import CHOICES, HEAD, L1_OWNER, MONEY, OWNER_KEY, Field
from bulkhead.fixed import FRACTION_BITS, div_floor
from bulkhead.ledger.state import Kind, Mode
from bulkhead.limits import QUOTE_LIMIT

POSITIONS_UNIT = 1 << 8  # one position more in a head
WHOLE = 1 << (2 * FRACTION_BITS)  # a quote, in the units of a requirement


class Steps(NamedTuple):
    """What a fill closes and opens, in lots, and what it leaves: bits that say which of the cases it is."""

    closed: Value
    opened: Value
    opening: Value  # a bit: something is opened
    flat: Value  # a bit: nothing is left when the closing is done
    partly: Value  # a bit: something is closed and something is left


def settle_isolated(
    frame: Frame, venue: Venue, trade: Trading, parent: Settled, child: Settled | None, side: Side
) -> Turned:
    """Settle in the child of `parent` on the market; `child` is None where there was none before."""
    account = parent.account + trade.place.market
    base = frame.lift((1 << 32) * account)
    choice = cut_choice(frame, frame.access(parent.base + trade.place.market, CHOICES, None), trade.place.market)
    frame.equal("the market is isolated", choice.mode, int(Mode.ISOLATED))
    floor = floor_of(frame, venue, choice.leverage)
    before_balance = frame.constant(0)
    if child is not None:
        frame.equal("the child is one", child.kind, int(Kind.CHILD))
        before_balance = frame.given(part(frame, base, MONEY, 64, 64), "a balance", is_number=True) - QUOTE_LIMIT
    turned = with_fill(frame, trade, base, side.direction)
    if child is None:
        frame.zero("a new child has no position", turned.was)
    price = market_word(frame, trade.place, Field.PRICE)
    before = requirement(frame, venue, trade.place, (turned.size, turned.lots), floor, index_price=price)
    after = requirement(frame, venue, trade.place, (turned.size_after, turned.left), floor, index_price=price)
    steps = _steps(frame, trade, turned)
    b1 = before_balance - _value(frame, trade, side.direction, steps.closed)
    released = _released(frame, turned, steps, b1, after)
    b2 = b1 - released
    fresh = steps.opening - frame.multiply(turned.opens, turned.was)
    frame.number("nothing opens on a debt", frame.multiply(fresh, b2))
    b3 = b2 - _value(frame, trade, side.direction, steps.opened)
    funded = _funded(frame, trade, steps, b3, after, choice)
    on_child = _pay_parent(frame, parent, steps, (released, funded, side.fee))
    balance = b3 + funded - on_child
    _check_child(frame, venue, trade, (parent, child), (before, after, steps, turned, before_balance, balance))
    _write_child(frame, parent, child, turned, (base, account, before_balance, balance))
    return turned


def _steps(frame: Frame, trade: Trading, turned: Turned) -> Steps:
    closed = frame.multiply(turned.reduces, trade.lots)
    closed = frame.multiply(turned.flips, turned.lots, 1, closed)
    opening = flipped(frame, turned.reduces)
    partly = frame.multiply(turned.reduces, turned.is_there)
    flat = turned.reduces - partly + turned.flips
    return Steps(closed, trade.lots - closed, opening, flat, partly)


def _value(frame: Frame, trade: Trading, direction: Value, lots: Value) -> Value:
    """What lots cost at the fill's price, signed like the fill."""
    return frame.multiply(direction, frame.multiply(trade.price, lots))


def requirement_floor(frame: Frame, rule: str, value: Value) -> Value:
    """A difference of requirements in whole quote, toward minus infinity."""
    quotient = frame.given(lambda: div_floor(signed(value), WHOLE))
    wide(frame, rule, quotient + (1 << 100), 128)
    frame.number(rule, value, -WHOLE * quotient)
    return quotient


def _released(frame: Frame, turned: Turned, steps: Steps, balance: Value, after: Asked) -> Value:
    """What closing gives back to the parent: all of a flat child, else its part as far as the initial requirement
    lets it go."""
    whole = frame.multiply(steps.flat, at_least_zero(frame, "what a flat child has", balance))
    value = after.worth + (1 << FRACTION_BITS) * balance
    worth = at_least_zero(frame, "what a child is worth", value, 128)
    share = frame.multiply(steps.partly, frame.multiply(worth, steps.closed))
    lots = either(frame, steps.partly, turned.lots, frame.one)
    own = shifted_floor(frame, "a part in quote", divided_floor(frame, "the part that is closed", share, lots, 128))
    free = (1 << FRACTION_BITS) * value - after.initial
    surplus = at_least_zero(frame, "what may leave", requirement_floor(frame, "what may leave", free), 128)
    return frame.multiply(steps.partly, smallest(frame, "what is released", own, surplus, 128), 1, whole)


def _funded(frame: Frame, trade: Trading, steps: Steps, balance: Value, after: Asked, choice: Chosen) -> Value:
    """What opening takes from the parent: max(notional / leverage, what is missing to the initial requirement)."""
    value = after.worth + (1 << FRACTION_BITS) * balance
    missing = frame.lift(-1 * requirement_floor(frame, "what is missing", (1 << FRACTION_BITS) * value - after.initial))
    missing = at_least_zero(frame, "what is missing", missing, 128)
    cost = frame.multiply(trade.price, steps.opened)
    has_leverage = bit(frame, "a leverage is chosen or not", lambda: int(int(choice.leverage) != 0))
    frame.zero_product("no leverage is chosen", flipped(frame, has_leverage), choice.leverage)
    divisor = either(frame, has_leverage, choice.leverage, frame.one)
    negative = frame.lift(-1 * frame.multiply(has_leverage, cost))
    margin = frame.lift(-1 * divided_floor(frame, "margin of the chosen leverage", negative, divisor))
    return frame.multiply(steps.opening, largest(frame, "what is funded", missing, margin, 128))


def _pay_parent(frame: Frame, parent: Settled, steps: Steps, amounts: tuple[Value, Value, Value]) -> Value:
    """The parent receives and pays. Answers the fee that is left to the child, because the parent can't bear it.

    Its positions stay, so "healthier" means that its balance does not fall (`fill._bears`).
    """
    released, funded, fee = amounts
    received = released - funded
    change = received - fee
    balance = frame.given(part(frame, parent.base, MONEY, 64, 64)) - QUOTE_LIMIT
    health = parent.health(balance + change)
    wanted = either(frame, steps.opening, health.initial, health.maintenance)
    spare = (1 << FRACTION_BITS) * health.value - wanted
    zero = frame.constant(0)
    rises = is_at_most(frame, "the parent gains or pays", zero, change)
    covered = is_at_most(frame, "the parent is covered or not", zero, spare, REQUIREMENT_GAP_BITS)
    bears = rises + covered - frame.multiply(rises, covered)
    leaves = flipped(frame, bears)
    frame.zero_product("opening is borne by the parent", steps.opening, leaves)
    on_child = frame.multiply(leaves, fee)
    found = change_balance(frame, parent.base, change + on_child)
    frame.equal("the parent's balance", found, balance)
    return on_child


def _check_child(
    frame: Frame, venue: Venue, trade: Trading, accounts: tuple[Settled, Settled | None],
    found: tuple[Asked, Asked, Steps, Turned, Value, Value],
) -> None:  # fmt: skip
    """What opens is judged at fresh prices of the parent and keeps within the bounds; healthy or healthier."""
    parent, child = accounts
    before, after, steps, turned, was, balance = found
    zero = frame.constant(0)
    one_account = parent._replace(positions=zero if child is None else child.positions)
    check_bounds(frame, venue, trade.place, one_account, (steps.opening, after, turned.is_there - turned.was))
    nothing = Health(frame.lift((1 << FRACTION_BITS) * was), zero, zero, zero)
    none = Asked(zero, zero, zero, zero, zero)
    check_allowed(
        frame,
        moved(frame, nothing, none, before),
        moved(frame, nothing._replace(value=frame.lift((1 << FRACTION_BITS) * balance)), none, after),
        steps.opening,
    )


def _write_child(
    frame: Frame, parent: Settled, child: Settled | None, turned: Turned, written: tuple[Value, Value, Value, Value]
) -> None:
    """The child's head, owner and money; one that is flat is forgotten, for its balance went to the parent."""
    base, account, was, balance = written
    check_quote(frame, "the child's balance keeps within its width", balance)
    zero = frame.constant(0)
    key, owner = frame.access(parent.base, OWNER_KEY, None), frame.access(parent.base, L1_OWNER, None)
    if child is None:
        kind = frame.constant(int(Kind.CHILD))
        head = pack_head(frame, account, Head(zero, kind, parent.account, zero, zero, frame.one, zero))
        frame.zero("there was no child", frame.access(base, HEAD, head))
        frame.access(base, OWNER_KEY, key)
        frame.access(base, L1_OWNER, owner)
        frame.access(base, MONEY, frame.constant(QUOTE_LIMIT * HALF + QUOTE_LIMIT) + HALF * balance)
        return
    head = frame.given(lambda: peek(frame, base, HEAD))
    change = turned.is_there - turned.was
    left = frame.multiply(turned.is_there, head + POSITIONS_UNIT * change)
    frame.equal("the child's head is what it was", frame.access(base, HEAD, left), head)
    frame.access(base, OWNER_KEY, frame.multiply(turned.is_there, key))
    frame.access(base, L1_OWNER, frame.multiply(turned.is_there, owner))
    topped_up = frame.given(part(frame, base, MONEY, 0, 64), "what was topped up", is_number=True)
    packed = topped_up + HALF * (was + QUOTE_LIMIT)
    money = frame.multiply(turned.is_there, packed + HALF * (balance - was))
    frame.equal("the child's money is cut", frame.access(base, MONEY, money), packed)
    frame.zero_product("a flat child has nothing left", flipped(frame, turned.is_there), balance)
