"""Signed orders in the circuit, and one side of a fill as a frame of its own (`ledger.trade`, `ledger.fill`).

The frame of a side comes after those of its accounts, and tells what it did to whoever made the fill: a trade, or a
liquidation.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.circuit.accounts import base_of, check_quote, given_market, peek, settled_account
from bulkhead.circuit.arithmetic import at_least_zero, bit, given_narrow, given_some, short, wide
from bulkhead.circuit.fill import Side, Trading, Turned, settle_cross, trading, twice_interest
from bulkhead.circuit.frame import Frame, Hint, Value
from bulkhead.circuit.isolated import settle_isolated
from bulkhead.circuit.margin import market_word, term
from bulkhead.circuit.messages import Opening, check_alive, fill_order, in_seconds, owner_key, signed_message
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import MARKETS_RECORD, Field, key_of
from bulkhead.ledger.state import Kind
from bulkhead.ledger.tx import Order
from bulkhead.limits import EXPIRY_GRACE_S, NOTIONAL_BITS, SIZE_BITS, TIME_S_BITS
from bulkhead.signing.messages import ORDER_SELECTOR


class Fill(NamedTuple):
    """One side of a fill, for hints."""

    order: Order
    now_ms: int
    lots: int
    price: int
    fee: int


class SignedOrder(NamedTuple):
    """An order whose signature has been taken; amounts without their signs."""

    account: Value
    base: Value
    buys: Value
    direction: Value  # 1 of a buyer, -1 of a seller
    lots: Value
    value: Value
    fee_cap: Value
    expiry_s: Value  # at which it can no longer fill
    digest: Value


def signed_order(frame: Frame, venue: Venue, order: Order | None, market: Value, opening: Opening) -> SignedOrder:
    """The numbers of an order in range, its owner's key, that it is alive, and the signature over its hash.

    That the account's number is one is for whoever takes what its frame told (`accounts.settled_account`).
    """
    account = frame.given(lambda: int(order.account_id) if order else 0, "an account's number")
    base = base_of(frame, account)
    buys = bit(frame, "an order buys or sells", lambda: int(order is not None and int(order.base_amount) > 0))
    direction = frame.add(frame.constant(-1), 2, buys)

    def said(field: str) -> Hint:
        return lambda: abs(int(getattr(order, field))) if order else 0

    lots = given_some(frame, "an order's lots", said("base_amount"), SIZE_BITS, "an order is of some lots")
    some = "an order is of some value"
    value = given_some(frame, "an order's value", said("quote_amount"), NOTIONAL_BITS, some)
    fee_cap = given_narrow(frame, "an order's fee", said("fee_amount"), NOTIONAL_BITS)
    salt = given_narrow(frame, "an order's salt", said("salt"), 64)
    expiry = frame.given(said("expiration_s"), "an order's expiry")
    alive_s = expiry - EXPIRY_GRACE_S
    check_alive(frame, venue, opening.now_s, alive_s, expiry)  # so it is a whole number
    short(frame, "an order's expiry", expiry, TIME_S_BITS)
    asset = frame.constant(int(venue.asset.collateral_id))
    base_amount = frame.multiply(direction, lots)
    quote_amount = frame.add(frame.constant(0), -1, frame.multiply(direction, value))
    synthetic = term(frame, venue, Tag.SYNTHETIC, market)
    members = [account, synthetic, base_amount, asset, quote_amount, asset, fee_cap, expiry, salt]
    digest = signed_message(frame, venue, owner_key(frame, base), ORDER_SELECTOR, members)
    return SignedOrder(account, base, buys, direction, lots, value, fee_cap, alive_s, digest)


def check_limits(frame: Frame, order: SignedOrder, trade: Trading, fee: Value) -> None:
    """A buyer pays at most, a seller gets at least, what he signed per lot; the fee is within its cap, the lots too."""
    wanted = frame.multiply(order.value, trade.lots)
    spare = frame.multiply(trade.value, order.lots, -1, wanted)  # what is paid too much, or gained
    limit = frame.add(frame.constant(0), -1, frame.multiply(order.direction, spare))
    wide(frame, "the limit price holds", limit, 128)
    check_quote(frame, "a fee keeps within its width", fee)
    most = frame.multiply(order.fee_cap, trade.value)
    due = frame.multiply(fee, order.value, -1, most)
    wide(frame, "the fee is within its cap", frame.add(frame.constant(0), -1, due), 128)
    fill_order(frame, order.digest, order.expiry_s, trade.lots, order.lots)


class Told(NamedTuple):
    """What the frame of a side told."""

    account: Value
    market: Value
    lots: Value
    price: Value
    fee: Value
    direction: Value
    reduces: Value
    interest: Value
    frames: Value  # with those of its accounts, so that who looks further back knows that nothing else came in between


TELLING = (
    Tag.SIDE_NOW_MS, Tag.SIDE_ACCOUNT, Tag.SIDE_MARKET, Tag.SIDE_LOTS, Tag.SIDE_PRICE, Tag.SIDE_FEE, Tag.SIDE_DIRECTION,
    Tag.SIDE_REDUCES, Tag.SIDE_INTEREST, Tag.SIDE_FRAMES,
)  # fmt: skip


def told_side(frame: Frame, ago: int, opening: Opening) -> Told:
    """Take what the side `ago` frames before told; it happened at this time."""
    about = frame.own_number() - ago

    def told(tag: Tag) -> Hint:
        return lambda: frame.told(tag, int(about), 0)

    when, *answers = frame.take_all(about, TELLING, [told(tag) for tag in TELLING])
    frame.equal("a side is filled at this time", when, opening.now_ms)
    return Told(*answers)


class Mode(StrEnum):
    """How a side settles; the frames of its accounts come just before its own, the parent's before the child's."""

    CROSS = "cross"
    CHOICES = "cross, choices"  # the account's signed choices are read
    BACKSTOP = "backstop"  # what it loses counts toward the market's loss budget
    NEW_CHILD = "isolated, new"
    CHILD = "isolated"


def side_frame(frame: Frame, venue: Venue, case: Fill | None, *, mode: Mode) -> None:
    """One side of a fill."""
    opening = _opening(frame, case)
    place = given_market(frame, venue, lambda: int(case.order.market_id) if case else 0)
    lots, price, fee = _numbers(frame, case)
    trade = trading(frame, place, lots, price)
    order = signed_order(frame, venue, case.order if case else None, place.market, opening)
    check_limits(frame, order, trade, fee)
    side = Side(order.direction, fee, mode is Mode.CHOICES)
    settled = settled_account(frame, order.account, 2 if mode is Mode.CHILD else 1, opening.now_ms)
    if mode is Mode.BACKSTOP:
        frame.equal("the backstop", settled.kind, int(Kind.BACKSTOP))
    else:
        frame.zero_product("an account that signs", settled.kind - int(Kind.MAIN), settled.kind - int(Kind.STRATEGY))
    if mode in (Mode.CHILD, Mode.NEW_CHILD):
        child = None
        if mode is Mode.CHILD:
            child = settled_account(frame, order.account + place.market, 1, opening.now_ms)
        turned = settle_isolated(frame, venue, trade, settled, child, side)
    else:
        turned = settle_cross(frame, venue, trade, settled, side)
    if mode is Mode.BACKSTOP:
        count_loss(frame, trade, order.direction, turned)
    frames = frame.constant(3 if mode is Mode.CHILD else 2)
    tell_side(frame, opening, order, (trade, fee), (turned, frames))


def count_loss(frame: Frame, trade: Trading, direction: Value, turned: Turned) -> None:
    """What the backstop loses (or earns back) counts toward the market's loss budget (`trade.count_loss`)."""
    # Closed lots at the price, less their part of the cost (`accounts.realised`).
    spent = frame.multiply(direction, trade.value) + turned.cost - turned.cost_after
    reduced = frame.multiply(turned.reduces, spent)
    closed = turned.cost - frame.multiply(trade.price, turned.size)
    loss = frame.multiply(turned.flips, closed, 1, reduced)
    before = frame.given(lambda: peek(frame, trade.place.base, key_of(MARKETS_RECORD, Field.LOST)))
    after = at_least_zero(frame, "a market's losses", before + loss)
    frame.number("a market's losses keep within their width", after)
    frame.equal("a market's losses are what they were", market_word(frame, trade.place, Field.LOST, after), before)


def _opening(frame: Frame, case: Fill | None) -> Opening:
    now = frame.given(lambda: case.now_ms if case else 0, "the time")
    return in_seconds(frame, Opening(now, now))


def _numbers(frame: Frame, case: Fill | None) -> tuple[Value, Value, Value]:
    """Lots, price and fee; that lots and price are in range is for whoever made the fill."""
    return (
        frame.given(lambda: case.lots if case else 0),
        frame.given(lambda: case.price if case else 0),
        frame.given(lambda: case.fee if case else 0),
    )


def tell_side(
    frame: Frame, opening: Opening, order: SignedOrder, fill: tuple[Trading, Value], done: tuple[Turned, Value]
) -> None:
    """Tell whoever made the fill what was done."""
    (trade, fee), (turned, frames) = fill, done
    answers = (
        opening.now_ms, order.account, trade.place.market, trade.lots, trade.price, fee, order.direction,
        turned.reduces, twice_interest(turned), frames,
    )  # fmt: skip
    frame.tell_all(frame.own_number(), dict(zip(TELLING, answers, strict=True)))
