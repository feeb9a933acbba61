"""Liquidation in the circuit: a step against a signed order (`ledger.liquidate`), and what take-overs share with it.

The account's frame shows its health at fresh prices; then come the frames of the order's side, and the liquidation.
Which of its positions is reduced first is not proven (`rules.liquidation.choose`).
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import (
    Freshness,
    Head,
    Settled,
    add_to,
    change_balance,
    given_account,
    given_market,
    part,
    read_head,
    settled_account,
)
from bulkhead.circuit.arithmetic import flipped, is_zero, narrow
from bulkhead.circuit.fill import Trading, Turned, trading, twice_interest, with_fill
from bulkhead.circuit.flat import leave
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.liquidation import (
    Closing,
    Step,
    charges,
    check_step_size,
    closing_of,
    covers,
    reaches_target,
    zero_price,
)
from bulkhead.circuit.margin import Health, Place, market_word, place_of
from bulkhead.circuit.messages import Opening, opened
from bulkhead.circuit.order import Told, told_side
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.trade import given_fill, settle_interest
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import POSITIONS, Field, Money
from bulkhead.ledger.state import Kind, Status
from bulkhead.ledger.tx import Liquidation
from bulkhead.limits import SIZE_LIMIT, TIME_MS_BITS

SIZE_SHIFT = 160


class Case(NamedTuple):
    """An account that is judged: its frame's answers, its head, its balance and its health, funding settled."""

    settled: Settled
    head: Head
    balance: Value
    health: Health


class Taking(NamedTuple):
    """What whoever takes lots from an account must know, and the next who takes the rest."""

    market: Value
    price: Value
    direction: Value  # of those who take: 1 of buyers, -1 of sellers
    left: Value
    interest: Value


TAKING = (
    Tag.TAKING_MARKET, Tag.TAKING_PRICE, Tag.TAKING_DIRECTION, Tag.TAKING_LEFT, Tag.TAKING_INTEREST,
)  # fmt: skip


def open_case(frame: Frame, now: Value, account: Value, ago: int) -> Case:
    """An account that may be liquidated as far as prices and its kind go; nothing tops up on a venue with proofs."""
    narrow(frame, "a time keeps within its width", now, TIME_MS_BITS)
    settled = settled_account(frame, account, ago, now)
    backstop = is_zero(frame, "not the backstop", settled.kind - int(Kind.BACKSTOP))
    frame.zero("not the backstop", backstop)
    fresh = int(Freshness.SINCE_RESTART)
    frame.equal("prices are fresh, and younger than the last restart", settled.freshness, fresh)
    head = read_head(frame, account, settled.base)
    balance = change_balance(frame, settled.base, None)
    return Case(settled, head, balance, settled.health(balance))


def held_size(frame: Frame, base: Value, market: Value) -> Value:
    """The signed lots of a position; that they are those of its word is for whoever writes it."""
    found = part(frame, base + market, POSITIONS, SIZE_SHIFT, 64)
    return frame.given(lambda: (found() or SIZE_LIMIT) - SIZE_LIMIT, "the lots of a position")


def close_lots(frame: Frame, trade: Trading, settled: Settled, closing: Closing) -> tuple[Turned, Value]:
    """Close lots of the position; it does not turn over. Answers the position, and what the account is paid."""
    turned = with_fill(frame, trade, settled.base, frame.lift(-1 * closing.side))
    frame.equal("the position is the one that was judged", turned.size, closing.size)
    frame.zero("no more is closed than there is", flipped(frame, turned.reduces))
    return turned, frame.multiply(closing.side, trade.value)


def liquidation_frame(frame: Frame, venue: Venue, tx: Liquidation | None, *, account_ago: int) -> None:
    """Eligible, not cooling down, no flip, within the zero price, no more than the rule's amount, charges by rule.

    `account_ago`: how many frames ago the account was judged, for those of the maker's side come in between. The maker
    is another, so nothing of the account changes there.
    """
    fill = tx.fills[0] if tx else None
    opening = opened(frame, int(tx.time_ms) if tx else None)
    account = given_account(frame, lambda: int(tx.account_id) if tx else 0)
    case = open_case(frame, opening.now_ms, account, account_ago)
    place = given_market(frame, venue, lambda: int(fill.market_id) if fill else 0)
    lots, price = given_fill(frame, lambda: int(fill.size) if fill else 0, lambda: int(fill.price) if fill else 0)
    _check_status(frame, place)
    size = held_size(frame, case.settled.base, place.market)
    closing = closing_of(frame, venue, place, size, case.health)
    side = _other_side(frame, opening, account, closing, (lots, price))
    frame.equal("the maker's frames follow the account's", side.frames, account_ago - 1)
    is_above = covers(frame, "above close-out or not", case.health, case.health.close_out)
    _check_due(frame, venue, case, opening.now_ms, is_above)
    zero = zero_price(frame, closing)
    gap = frame.multiply(closing.side, price - zero)
    frame.number("no worse than the zero price", gap)
    check_step_size(frame, venue, closing, Step(lots, price, zero, gap, is_above))
    fee, penalty = charges(frame, venue, price, gap, lots)
    turned, value = close_lots(frame, trading(frame, place, lots, price), case.settled, closing)
    add_to(frame, Money.FEES, fee + side.fee)
    add_to(frame, Money.INSURANCE, penalty)
    leave(frame, case.settled, turned, value - fee - penalty, (case.head, opening.now_ms))
    interest = side.interest + twice_interest(turned)
    tell_taking(frame, Taking(place.market, price, closing.side, frame.constant(0), interest))


def _check_status(frame: Frame, place: Place) -> None:
    """Fills are possible in the market; positions may grow where it is reduce-only, for somebody has to take them.

    That the index is fresh follows from the account's frame, for the account holds the position.
    """
    status = market_word(frame, place, Field.STATUS)
    known = frame.multiply(status - int(Status.ACTIVE), status - int(Status.REDUCE_ONLY))
    frame.zero_product("fills are possible in the market", known, status - int(Status.POST_ONLY))


def _other_side(
    frame: Frame, opening: Opening, account: Value, closing: Closing, fill: tuple[Value, Value]
) -> Told:
    """The maker's side is of this fill, the other way, by another account, and pays no less than nothing."""
    side = told_side(frame, 1, opening)
    market = closing.place.market
    frame.equal("a side is of this market", side.market, market)
    for name, found, wanted in zip(("lots", "price"), (side.lots, side.price), fill, strict=True):
        frame.equal(f"a side is of this {name}", found, wanted)
    frame.equal("the maker takes what is closed", side.direction, closing.side)
    other = account - side.account
    both = frame.multiply(other, other - market)  # nor is it the maker's child on this market
    frame.zero("not within one account", is_zero(frame, "not within one account", both))
    frame.number("the maker's fee is no rebate", side.fee)
    return side


def _check_due(frame: Frame, venue: Venue, case: Case, now: Value, is_above: Value) -> None:
    """Maintenance is not covered, or a step of this moment goes on; no pause is broken."""
    maintained = covers(frame, "maintained or not", case.health, case.health.maintenance)
    passed = now - case.head.liquidated_ms
    same = is_zero(frame, "a step of this moment or not", passed)
    reached = reaches_target(frame, venue, case.health)
    goes_on = frame.multiply(same, flipped(frame, reached))
    frame.zero_product("it may be liquidated", maintained, flipped(frame, goes_on))
    waits = frame.multiply(is_above, flipped(frame, same))
    frame.number("the pause is over", frame.multiply(waits, passed - venue.config.liquidation_pause_ms))


def tell_taking(frame: Frame, taking: Taking) -> None:
    """Tell whoever comes next: another who takes lots, or the frame of open interest."""
    frame.tell_all(frame.own_number(), dict(zip(TAKING, taking, strict=True)))


def told_taking(frame: Frame, ago: int) -> Taking:
    """Take what the frame `ago` frames before told."""
    about = frame.own_number() - ago

    def told(tag: Tag) -> Hint:
        return lambda: frame.told(tag, int(about), 0)

    return Taking(*frame.take_all(about, TAKING, [told(tag) for tag in TAKING]))


def interest_frame(frame: Frame, venue: Venue, case: None, *, scales: bool) -> None:
    """The last frame of a liquidation, a take-over or a forced close: all is taken, and open interest follows."""
    taking = told_taking(frame, 1)
    frame.zero("all lots are taken", taking.left)
    settle_interest(frame, venue, place_of(frame, venue, taking.market), taking.interest, scales=scales)
