"""Forced requests in the circuit (`ledger.forced`): done, or shown to fail by a named inequality. In queue order.

A request that fails changes nothing but its number, and the funding of the account once it is clear that the owner
asks. So each way to fail is a program that shows one condition of success to be false; where several are, any will do.
Frames of the account, and of the backstop, come before the request's, those of holders after it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.circuit.accounts import (
    Settled,
    base_of,
    change_balance,
    own_word,
    read_head,
    settled_account,
)
from bulkhead.circuit.arithmetic import (
    NUMBER_BITS,
    bit,
    flipped,
    given_narrow,
    is_zero,
    largest,
    narrow,
    shifted_ceil,
    shifted_floor,
    signed,
    wide,
    within,
)
from bulkhead.circuit.capacity import Offer, capacity, check_absent, check_can_take, check_cannot_take, keeper_of
from bulkhead.circuit.custody import check_signs, pay_out, queued, take_out
from bulkhead.circuit.fill import trading, twice_interest
from bulkhead.circuit.flat import leave
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.liquidate import Taking, close_lots, held_size, tell_taking
from bulkhead.circuit.liquidation import Closing, check_widths, closing_of
from bulkhead.circuit.margin import (
    HEALTHIER_BITS,
    REQUIREMENT_GAP_BITS,
    Health,
    Place,
    check_allowed,
    market_word,
    place_of,
    term,
)
from bulkhead.circuit.messages import count, opened
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.takeover import keep
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import (
    HEAD,
    L1_OWNER,
    MONEY_RECORD,
    ORACLE_RECORD,
    POSITIONS,
    Counter,
    Field,
    Money,
    Tick,
)
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.state import Kind
from bulkhead.ledger.tx import ForcedClose, ForcedWithdrawal
from bulkhead.limits import ACCOUNT_ID_BITS, QUOTE_BITS, QUOTE_LIMIT

ONE = 1 << FRACTION_BITS
ID_BITS = 16
WITHDRAWAL, CLOSE = 1, 2  # kinds of request in L1's queue
FORCED = (
    Tag.FORCED_KIND, Tag.FORCED_ACCOUNT, Tag.FORCED_SUBJECT, Tag.FORCED_SENDER, Tag.FORCED_INCLUDED_MS,
)  # fmt: skip


class Failure(StrEnum):
    """A condition of success that is false."""

    # Of any request; no account's frame comes before it.
    ABSENT = "no account"
    BACKSTOP = "the backstop's"
    STRANGER = "another's"
    # Of a withdrawal; likewise.
    AMOUNT = "no amount"
    CHILD = "a child"
    # After the account's frame: of any, of a withdrawal, of a close.
    STALE = "a stale price"
    MARGIN = "no margin"
    CUSTODY = "no custody"
    FLAT = "no position"
    EARLY = "no price since"
    UNHEALTHY = "not healthier"


SETTLED = (
    Failure.STALE, Failure.MARGIN, Failure.CUSTODY, Failure.FLAT, Failure.EARLY, Failure.UNHEALTHY,
)  # fmt: skip


class Counterpart(StrEnum):
    """Who takes the lots of a forced close."""

    BACKSTOP = "backstop"  # as far as it can; holders take the rest
    HOLDERS = "holders"  # there is no backstop


class Case(NamedTuple):
    """A request, and what the prover adds: the market whose price is stale."""

    tx: ForcedWithdrawal | ForcedClose
    market: int = 0


class Request(NamedTuple):
    """The next request of L1's queue. That its numbers have their widths, L1 has checked, but for the market."""

    now: Value
    kind: Value
    account: Value
    base: Value
    subject: Value  # an amount, or a market
    sender: Value
    included_ms: Value


def forced_of(transaction: ForcedWithdrawal | ForcedClose) -> tuple[int, int, int, int, int]:
    """A forced request as L1's queue has it: kind, account, subject, sender, and when it was included."""
    if isinstance(transaction, ForcedWithdrawal):
        kind, subject = WITHDRAWAL, transaction.amount
    else:
        kind, subject = CLOSE, int(transaction.market_id)
    return kind, int(transaction.account_id), subject, transaction.sender, int(transaction.included_ms)


def _request(frame: Frame, venue: Venue, case: Case | None) -> Request:
    """Next in the queue; every report of the last oracle tick was signed after its inclusion on L1, and is young."""
    opening = opened(frame, int(case.tx.time_ms) if case else None)
    number = count(frame, Counter.FORCED)
    hints = forced_of(case.tx) if case else (0,) * len(FORCED)
    kind, account, subject, sender, included = (
        queued(frame, tag, number, hint) for tag, hint in zip(FORCED, hints, strict=True)
    )
    narrow(frame, "an account's number", account, ACCOUNT_ID_BITS)
    tick = own_word(frame, ORACLE_RECORD, Tick.TIME_MS)
    frame.number("the last tick is younger than the request", tick - included, -1)
    youngest_ms = min(terms.price_age_max_ms for terms in venue.config.markets)
    frame.number("the last tick is young", tick + youngest_ms, -1 * opening.now_ms)
    return Request(opening.now_ms, kind, account, base_of(frame, account), subject, sender, included)


def _owners(frame: Frame, request: Request, ago: int) -> Settled:
    """The account that its owner on L1 asks for, which is not the backstop's."""
    settled = settled_account(frame, request.account, ago, request.now)
    owner = frame.access(settled.base, L1_OWNER, None)
    frame.equal("the owner on L1 asks", owner, request.sender)
    frame.zero("not the backstop", is_zero(frame, "not the backstop", settled.kind - int(Kind.BACKSTOP)))
    return settled


def forced_withdrawal_frame(frame: Frame, venue: Venue, case: Case | None) -> None:
    """As a signed withdrawal, to the owner on L1."""
    request = _request(frame, venue, case)
    frame.equal("a withdrawal is asked for", request.kind, WITHDRAWAL)
    narrow(frame, "an amount", request.subject, QUOTE_BITS)
    frame.number("an amount is positive", request.subject, -1)
    settled = _owners(frame, request, 1)
    check_signs(frame, settled)
    take_out(frame, venue, settled, request.subject)
    pay_out(frame, request.sender, request.subject)


def failure_frame(frame: Frame, venue: Venue, case: Case | None, *, why: Failure) -> None:
    """A request that cannot be met."""
    request = _request(frame, venue, case)
    if why in SETTLED:
        settled = settled_account(frame, request.account, 1, request.now)
        if why is Failure.STALE:
            _fails_stale(frame, venue, request, case)
        elif why in (Failure.MARGIN, Failure.CUSTODY):
            frame.equal("a withdrawal is asked for", request.kind, WITHDRAWAL)
            _fails_to_leave(frame, venue, request, settled, why)
        else:
            frame.equal("a close is asked for", request.kind, CLOSE)
            _fails_to_close(frame, venue, request, settled, why)
    elif why is Failure.ABSENT:
        frame.zero("there is no such account", frame.access(request.base, HEAD, None))
    elif why is Failure.STRANGER:
        other = frame.access(request.base, L1_OWNER, None) - request.sender
        frame.zero("another owns it on L1", is_zero(frame, "another owns it on L1", other))
    elif why is Failure.AMOUNT:
        frame.equal("a withdrawal is asked for", request.kind, WITHDRAWAL)
        is_none = is_zero(frame, "an amount or none", request.subject)
        beyond = frame.multiply(flipped(frame, is_none), request.subject - QUOTE_LIMIT)
        wide(frame, "none can be withdrawn of such an amount", beyond, 2 * NUMBER_BITS)
    else:
        wanted = Kind.CHILD
        if why is Failure.BACKSTOP:
            wanted = Kind.BACKSTOP
        else:
            frame.equal("a withdrawal is asked for", request.kind, WITHDRAWAL)
        kind = read_head(frame, request.account, request.base).kind
        frame.equal("its owner cannot ask for it", kind, int(wanted))


def _fails_stale(frame: Frame, venue: Venue, request: Request, case: Case | None) -> None:
    """The price of something that the account holds is too old."""
    market = given_narrow(frame, "a market's number", lambda: case.market if case else 0, ID_BITS)
    held = frame.access(request.base + market, POSITIONS, None)
    frame.zero("the account holds something there", is_zero(frame, "the account holds something there", held))
    price_ms = market_word(frame, place_of(frame, venue, market), Field.PRICE_MS)
    oldest = term(frame, venue, Tag.PRICE_AGE_MAX_MS, market)
    frame.number("its price is stale", request.now - price_ms - oldest, -1)


def _fails_to_leave(frame: Frame, venue: Venue, request: Request, settled: Settled, why: Failure) -> None:
    """The initial requirement or the profit lock would not be kept, or custody holds less. At any prices: where these
    are stale the request fails for that."""
    if why is Failure.CUSTODY:
        held = own_word(frame, MONEY_RECORD, Money.CUSTODY)
        wide(frame, "custody holds less", request.subject - held - 1, NUMBER_BITS)
        return
    balance = change_balance(frame, settled.base, None)
    value = settled.health(balance - request.subject).value
    bare = settled.initial - ONE * value - 1
    locked = frame.lift(int(venue.config.profit_lock) * settled.gross) - ONE * value - 1
    is_bare = bit(frame, "the requirement or the lock", lambda: int(signed(bare) >= 0))
    short = frame.multiply(is_bare, bare - locked, 1, locked)
    wide(frame, "the initial requirement or the profit lock would be broken", short, REQUIREMENT_GAP_BITS)


def _fails_to_close(frame: Frame, venue: Venue, request: Request, settled: Settled, why: Failure) -> None:
    """No such position, no price since the request, or neither healthy after nor healthier; at any prices, as above."""
    narrow(frame, "a market's number", request.subject, ID_BITS)
    place = place_of(frame, venue, request.subject)
    if why is Failure.FLAT:
        frame.zero("there is no such position", frame.access(settled.base + request.subject, POSITIONS, None))
    elif why is Failure.EARLY:
        price_ms = market_word(frame, place, Field.PRICE_MS)
        frame.number("its price was known when it was asked", request.included_ms, -1 * price_ms)
    else:
        closing = _closing(frame, venue, place, settled)
        _read(frame, place, settled, closing)
        before = closing.health
        after = _flat(frame, closing, forced_price(frame, venue, closing))
        for health in (before, after):
            check_widths(frame, health)
        short = after.maintenance - ONE * after.value - 1
        wide(frame, "it would not be healthy", short, REQUIREMENT_GAP_BITS)
        lost = frame.multiply(after.value, before.maintenance)
        lost = frame.multiply(before.value, after.maintenance, -1, lost)
        wide(frame, "it would not be healthier", lost - 1, HEALTHIER_BITS)


def _closing(frame: Frame, venue: Venue, place: Place, settled: Settled) -> Closing:
    """A position about to be closed whole, its account's health with it."""
    health = settled.health(change_balance(frame, settled.base, None))
    return closing_of(frame, venue, place, held_size(frame, settled.base, place.market), health)


def _read(frame: Frame, place: Place, settled: Settled, closing: Closing) -> None:
    """The position's word says so many lots, where nothing is written to it."""
    low = frame.given(lambda: _low(frame, settled, place), "the rest of a position")
    within(frame, "the rest of a position", low, 160)
    top = frame.lift((1 << 64) * place.market) + (1 << 63) + closing.size
    frame.number("lots of a position", closing.size + (1 << 63))
    word = frame.access(settled.base + place.market, POSITIONS, None)
    frame.equal("a position is cut", word, low + (1 << 160) * top)


def _low(frame: Frame, settled: Settled, place: Place) -> int:
    memory = frame.memory
    return memory.look(int(settled.base) + POSITIONS + int(place.market)) & ((1 << 160) - 1) if memory else 0


def forced_price(frame: Frame, venue: Venue, closing: Closing) -> Value:
    """The index less (for a long; plus for a short) the charge, rounded against who closes; at least one tick."""
    charge = frame.lift(int(venue.config.forced_close_charge) * closing.index_price)
    asked = shifted_ceil(frame, "the charge of a forced close", charge)
    worst = frame.multiply(closing.side, closing.index_price) - asked
    price = frame.multiply(closing.side, shifted_floor(frame, "a forced price", worst))
    return largest(frame, "at least one tick", frame.one, price)


def _flat(frame: Frame, closing: Closing, price: Value) -> Health:
    """The account's health without the position; requirements but for maintenance are not asked for."""
    paid = frame.multiply(closing.size, ONE * price - closing.index_price)
    health = closing.health
    return health._replace(value=health.value + paid, maintenance=health.maintenance - closing.bracket.maintenance)


def forced_close_frame(frame: Frame, venue: Venue, case: Case | None, *, who: Counterpart) -> None:
    """The whole position is closed at the forced price: the backstop within its capacity, the rest by holders."""
    request = _request(frame, venue, case)
    frame.equal("a close is asked for", request.kind, CLOSE)
    has_backstop = who is not Counterpart.HOLDERS
    settled = _owners(frame, request, 2 if has_backstop else 1)
    frame.number("prices are fresh", settled.freshness, -1)
    narrow(frame, "a market's number", request.subject, ID_BITS)
    place = place_of(frame, venue, request.subject)
    price_ms = market_word(frame, place, Field.PRICE_MS)
    frame.number("its price is younger than the request", price_ms - request.included_ms, -1)
    closing = _closing(frame, venue, place, settled)
    price = forced_price(frame, venue, closing)
    check_allowed(frame, closing.health, _flat(frame, closing, price), frame.constant(0))
    lots = frame.constant(0)
    if has_backstop:
        keeper, offer = keeper_of(frame, venue, place, request.now, 1), Offer(closing, price)
        name = "lots that the backstop takes"
        lots = frame.given(lambda: capacity(frame, venue, keeper, offer), name, is_number=True)
        check_cannot_take(frame, venue, keeper, offer, lots)
        check_can_take(frame, venue, keeper, offer, lots)
    else:
        check_absent(frame)
    turned, value = close_lots(frame, trading(frame, place, closing.whole, price), settled, closing)
    leave(frame, settled, turned, value)
    interest = twice_interest(turned)
    if has_backstop:
        interest = interest + keep(frame, trading(frame, place, lots, price), keeper, closing.side)
    tell_taking(frame, Taking(request.subject, price, closing.side, closing.whole - lots, interest))
