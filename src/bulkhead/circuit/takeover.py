"""Backstop and deleveraging in the circuit (`ledger.takeover`): what happens to lots that the book did not take.

Below close-out, at the zero price: first the insurance fund pays a debt as far as fund and loss budget reach; then the
backstop takes lots within its capacity, or opposite holders give up lots, each in a frame of its own, until none are
left. Who of them gives up how many is not proven (`rules.deleveraging`): that they are on the other side, that no
position turns over, the price and the total are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.circuit.accounts import add_to, given_account, given_market, own_word, peek, settled_account
from bulkhead.circuit.arithmetic import (
    at_least_zero,
    flipped,
    given_narrow,
    is_at_most,
    is_zero,
    shifted_ceil,
    smallest,
    wide,
)
from bulkhead.circuit.capacity import Keeper, Offer, check_absent, check_can_take, check_cannot_take, keeper_of
from bulkhead.circuit.fill import Trading, trading, twice_interest, with_fill
from bulkhead.circuit.flat import leave
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.liquidate import (
    Case,
    Taking,
    close_lots,
    held_size,
    open_case,
    tell_taking,
    told_taking,
)
from bulkhead.circuit.liquidation import Closing, closing_of, covers, zero_price
from bulkhead.circuit.margin import Place, market_word, place_of, term
from bulkhead.circuit.messages import opened
from bulkhead.circuit.order import count_loss
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import MARKETS_RECORD, MONEY_RECORD, Field, Money, key_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Kind
from bulkhead.ledger.tx import Backstop, Deleveraging
from bulkhead.limits import QUOTE_LIMIT, SIZE_BITS, VALUE_WORTH_BITS

VALUE_BITS = VALUE_WORTH_BITS + 1
ONE = 1 << FRACTION_BITS


class Why(StrEnum):
    """Why the backstop does not take lots."""

    FULL = "full"  # no margin, no budget, or too large a position
    BANKRUPT = "bankrupt"  # the account owes still when the fund has paid
    ABSENT = "no backstop"


class Doomed(NamedTuple):
    """An account below close-out: its case, what the fund paid for it, and its position with the zero price."""

    now: Value
    case: Case
    paid: Value
    closing: Closing
    price: Value
    lots: Value


def _doomed(frame: Frame, venue: Venue, tx: Backstop | Deleveraging | None, ago: int) -> Doomed:
    """Fresh prices, below close-out, a position of at least one lot, the debt paid as far as that goes."""
    opening = opened(frame, int(tx.time_ms) if tx else None)
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    case = open_case(frame, opening.now_ms, account, ago)
    place = given_market(frame, venue, lambda: int(tx.market_id) if tx else 0)
    lots = given_lots(frame, int(tx.size) if tx else 0)
    above = covers(frame, "above close-out or not", case.health, case.health.close_out)
    frame.zero("it is below close-out", above)  # so it is below maintenance too
    paid = _cover(frame, venue, place, case.health.value)
    health = case.health._replace(value=case.health.value + ONE * paid)
    closing = closing_of(frame, venue, place, held_size(frame, case.settled.base, place.market), health)
    return Doomed(opening.now_ms, case, paid, closing, zero_price(frame, closing), lots)


def given_lots(frame: Frame, lots: int) -> Value:
    """Lots that change hands: some."""
    found = given_narrow(frame, "lots that are taken", lambda: lots, SIZE_BITS)
    frame.number("some lots are taken", found, -1)
    return found


def _cover(frame: Frame, venue: Venue, place: Place, value: Value) -> Value:
    """A debt is paid by the insurance fund, as far as fund and loss budget reach; the budget is drawn by as much."""
    zero = frame.constant(0)
    solvent = is_at_most(frame, "solvent or not", zero, value, VALUE_BITS)
    debt = frame.multiply(flipped(frame, solvent), frame.lift(-1 * value))
    asked = shifted_ceil(frame, "a debt in quote", debt)
    lost = frame.given(lambda: peek(frame, place.base, key_of(MARKETS_RECORD, Field.LOST)))
    allowed = term(frame, venue, Tag.LOSS_BUDGET, place.market)
    budget = at_least_zero(frame, "what is left of the budget", allowed - lost)
    fund = at_least_zero(frame, "what the fund has", own_word(frame, MONEY_RECORD, Money.INSURANCE) - QUOTE_LIMIT)
    paid = smallest(frame, "within the budget", asked, budget)
    paid = smallest(frame, "within the fund", paid, fund)
    add_to(frame, Money.INSURANCE, frame.lift(-1 * paid))
    frame.equal("a market's losses are what they were", market_word(frame, place, Field.LOST, lost + paid), lost)
    return paid


def backstop_frame(frame: Frame, venue: Venue, tx: Backstop | None) -> None:
    """The backstop takes lots at the zero price. The account's frame comes before the backstop's, and that before this.

    Its counterpart is not judged again: its capacity was shown. An account that is bankrupt still is not taken.
    """
    doomed = _doomed(frame, venue, tx, 2)
    closing = doomed.closing
    wide(frame, "no debt is left", closing.health.value, VALUE_BITS)
    keeper = keeper_of(frame, venue, closing.place, doomed.now, 1)
    check_can_take(frame, venue, keeper, Offer(closing, doomed.price), doomed.lots)
    trade = trading(frame, closing.place, doomed.lots, doomed.price)
    turned, value = close_lots(frame, trade, doomed.case.settled, closing)
    leave(frame, doomed.case.settled, turned, value + doomed.paid, (doomed.case.head, doomed.now))
    interest = keep(frame, trade, keeper, closing.side)
    nothing = frame.constant(0)
    tell_taking(
        frame, Taking(closing.place.market, doomed.price, closing.side, nothing, interest + twice_interest(turned))
    )


def keep(frame: Frame, trade: Trading, keeper: Keeper, direction: Value) -> Value:
    """The backstop's side of lots that it takes. Answers twice the change of what it holds long.

    It is written after the account, whose debt the fund covers first. Where it takes none, nothing changes.
    """
    turned = with_fill(frame, trade, keeper.settled.base, direction)
    count_loss(frame, trade, direction, turned)
    acts = flipped(frame, is_zero(frame, "some lots or none", trade.lots))
    leave(frame, keeper.settled, turned, frame.lift(-1 * frame.multiply(direction, trade.value)), acts=acts)
    return twice_interest(turned)


def deleveraging_frame(frame: Frame, venue: Venue, tx: Deleveraging | None, *, why: Why) -> None:
    """Lots of an account are given to opposite holders, whose frames follow: what the backstop cannot take.

    An account that is bankrupt after the fund has paid is none of its business; else its frame comes before this one.
    """
    doomed = _doomed(frame, venue, tx, 2 if why is Why.FULL else 1)
    closing = doomed.closing
    left = closing.whole - doomed.lots
    if why is Why.BANKRUPT:
        wide(frame, "a debt is left", frame.constant(-1) - closing.health.value, VALUE_BITS)
    if why is Why.ABSENT:
        check_absent(frame)
    if why is Why.FULL:
        wide(frame, "no debt is left", closing.health.value, VALUE_BITS)
        keeper = keeper_of(frame, venue, closing.place, doomed.now, 1)
        check_cannot_take(frame, venue, keeper, Offer(closing, doomed.price), left)
    trade = trading(frame, closing.place, doomed.lots, doomed.price)
    turned, value = close_lots(frame, trade, doomed.case.settled, closing)
    leave(frame, doomed.case.settled, turned, value + doomed.paid, (doomed.case.head, doomed.now))
    interest = twice_interest(turned)
    tell_taking(frame, Taking(closing.place.market, doomed.price, closing.side, doomed.lots, interest))


def holder_frame(frame: Frame, venue: Venue, case: tuple[int, int] | None) -> None:
    """An opposite holder gives up lots at the price; its account's frame comes just before, that of the last holder,
    or of who lost the position, before that. Not judged: its position only shrinks. `case`: the account and its lots.
    """
    taking = told_taking(frame, 2)
    account = given_account(frame, lambda: case[0] if case else 0)
    about = frame.own_number() - 1
    now = frame.given(lambda: frame.told(Tag.NOW_MS, int(about), int(account)))  # its prices are not asked for
    settled = settled_account(frame, account, 1, now)
    lots = given_lots(frame, case[1] if case else 0)
    left = frame.number("no more is taken than there is", taking.left, -1 * lots)
    trade = trading(frame, place_of(frame, venue, taking.market), lots, taking.price)
    turned = with_fill(frame, trade, settled.base, taking.direction)
    frame.zero("a holder's position shrinks", flipped(frame, turned.reduces))
    is_backstop = is_zero(frame, "the backstop or not", settled.kind - int(Kind.BACKSTOP))
    count_loss(frame, trade, taking.direction, turned._replace(reduces=is_backstop))
    leave(frame, settled, turned, frame.lift(-1 * frame.multiply(taking.direction, trade.value)))
    tell_taking(frame, taking._replace(left=left, interest=taking.interest + twice_interest(turned)))
