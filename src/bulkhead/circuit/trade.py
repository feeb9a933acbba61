"""Trade in the circuit: two signed orders meet (`ledger.trade`)."""

from __future__ import annotations

from bulkhead.circuit.accounts import add_to, given_market
from bulkhead.circuit.arithmetic import bit, either, flipped, given_some, nonzero, short, signed, smallest, wide
from bulkhead.circuit.frame import Frame, Hint, Scaled, Value
from bulkhead.circuit.margin import Place, market_word, term, terms
from bulkhead.circuit.messages import Opening, opened
from bulkhead.circuit.order import told_side
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.terms import rescale
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import MARKETS_RECORD, Field, Money, key_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import Trade
from bulkhead.limits import BOOK_PRICE_BITS, NOTIONAL_BITS, SIZE_BITS
from stark.prime import inverse


def given_fill(frame: Frame, lots: Hint, price: Hint) -> tuple[Value, Value]:
    """Lots and price of a fill, in range."""
    size = given_some(frame, "a fill's lots", lots, SIZE_BITS, "a fill is of some lots")
    book_price = given_some(frame, "a fill's price", price, BOOK_PRICE_BITS, "a price is not zero")
    short(frame, "a fill's value is in range", frame.multiply(size, book_price), NOTIONAL_BITS)
    return size, book_price


def check_market(frame: Frame, venue: Venue, place: Place, opening: Opening) -> tuple[Value, Value]:
    """Fills are possible in the market, at a fresh index; a bit: it only lets positions shrink; and that index."""
    status = market_word(frame, place, Field.STATUS)
    reduces = bit(frame, "a market is reduce-only or not", lambda: int(int(status) == int(Status.REDUCE_ONLY)))
    step = int(Status.REDUCE_ONLY) - int(Status.ACTIVE)
    frame.equal("the market is active or reduce-only", status, step * reduces + int(Status.ACTIVE))
    price_ms = market_word(frame, place, Field.PRICE_MS)
    oldest = term(frame, venue, Tag.PRICE_AGE_MAX_MS, place.market)
    frame.number("the index is fresh", price_ms + oldest, -1 * opening.now_ms)
    price = market_word(frame, place, Field.PRICE)
    frame.number("the index is known", price, -1)
    return reduces, price


def trade_frame(frame: Frame, venue: Venue, tx: Trade | None, *, maker_frames: int, scales: bool) -> None:
    """A fill at the maker's price between two sides, whose frames come before this one, the maker's first.

    `maker_frames`: how many frames ago the maker's side was filled, for the taker's accounts come in between.
    """
    opening = opened(frame, tx.time_ms if tx else None)
    place = given_market(frame, venue, lambda: int(tx.market_id) if tx else 0)
    lots, price = given_fill(frame, lambda: int(tx.size) if tx else 0, lambda: int(tx.price) if tx else 0)
    only_shrinks, index_price = check_market(frame, venue, place, opening)
    maker, taker = told_side(frame, maker_frames, opening), told_side(frame, 1, opening)
    frame.equal("the taker's frames follow the maker's", taker.frames, maker_frames - 1)
    frame.zero("one buys, the other sells", maker.direction, taker.direction)
    nonzero(frame, "not within one account", maker.account - taker.account)
    for side in (maker, taker):
        frame.equal("a side is of this market", side.market, place.market)
        frame.equal("a side is of these lots", side.lots, lots)
        frame.equal("a side is at this price", side.price, price)
        frame.zero_product("a reduce-only market lets nothing grow", only_shrinks, flipped(frame, side.reduces))
    collect_fees(frame, venue, maker.fee + taker.fee)
    twice = maker.interest + taker.interest
    settle_interest(frame, venue, place, twice, scales=scales, index_price=index_price)


def collect_fees(frame: Frame, venue: Venue, paid: Value) -> None:
    """The L1 share is taken first out of what is left after rebates; none is minted (`fees.split`)."""
    frame.number("rebates are covered", paid)
    l1 = smallest(frame, "the share set aside for L1", paid, frame.constant(int(venue.config.l1_charge)))
    add_to(frame, Money.L1, l1)
    add_to(frame, Money.FEES, paid - l1)


def settle_interest(
    frame: Frame, venue: Venue, place: Place, twice: Value, *, scales: bool, index_price: Value | None = None
) -> None:
    """Open interest counts lots held long; where it rises it stays within its cap, and requirements follow it.

    `index_price`: the market's, where it has been read.
    """
    change = frame.lift(inverse(2) * twice)
    _, after = frame.adjust(place.base, key_of(MARKETS_RECORD, Field.OPEN_INTEREST), change)
    frame.number("open interest is not below zero", after)
    rises = bit(frame, "open interest rises or not", lambda: int(signed(change) > 0))
    frame.number("open interest rises or not", either(frame, rises, change - 1, Scaled(-1, change)))
    worth = frame.multiply(after, market_word(frame, place, Field.PRICE) if index_price is None else index_price)
    lower, span, cap = terms(frame, venue, Tag.OPEN_INTEREST_LOWER, place.market)
    most = (1 << FRACTION_BITS) * cap + ((1 << FRACTION_BITS) - 1)
    wide(frame, "open interest is within its cap", frame.multiply(rises, most - worth), 128)
    rescale(frame, venue, place, worth, (lower, span), scales=scales)
