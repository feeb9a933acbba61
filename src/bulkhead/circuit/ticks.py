"""Ticks in the circuit: oracle prices, funding, market status, restarts (`ledger.ticks`)."""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.circuit.accounts import given_market, own_word
from bulkhead.circuit.arithmetic import bit, either, flipped, is_at_most, is_zero, total, wide
from bulkhead.circuit.frame import Frame, Value
from bulkhead.circuit.funding import given_samples, hourly_rate, step
from bulkhead.circuit.instructions import Flag
from bulkhead.circuit.margin import Place, market_word, term, word_of
from bulkhead.circuit.messages import Opening, opened, signed
from bulkhead.circuit.prices import is_step_allowed, median
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.terms import WORTH_BITS, rescale
from bulkhead.circuit.venue import Venue
from bulkhead.circuit.words import COUNTERS_RECORD, ORACLE_RECORD, Counter, Field, Tick, key_of
from bulkhead.ledger.state import Status
from bulkhead.ledger.ticks import FUNDING_PERIOD_MS, REPORT_AGE_MAX_MS, SAMPLE_LIMIT
from bulkhead.ledger.tx import OracleReport, OracleTick, Restart, StatusChange
from bulkhead.limits import FUNDING_INDEX_BITS, NOTIONAL_WORTH_LIMIT, PACKED_PRICES, PRICE_BITS, WORD_BITS
from bulkhead.rules.funding import SAMPLES_MIN
from bulkhead.rules.terms import MarketTerms
from bulkhead.signing.messages import PACKED_BITS, PRICES_SELECTOR

INDEX_GAP_BITS = 128  # of what an index lacks to its width
INDEX_LAST = (1 << (FUNDING_INDEX_BITS + 1)) - 1  # the largest index in its word, biased; the smallest is one
NO_SAMPLES = (0,) * SAMPLES_MIN  # what a market that is not funded is given


class Numbered(NamedTuple):
    """What all reports of a tick share: the number it has, and its time, that of the oldest report."""

    sequence: Value
    signed_ms: Value


class Report(NamedTuple):
    """One signer's report, whose signature is taken."""

    time_ms: Value
    prices: list[Value]  # by rising market


def oracle_tick_frame(frame: Frame, venue: Venue, tx: OracleTick | None, *, reports: int, scales: bool) -> None:
    """Median of so many reports, a quorum at least; what jumps too far or reads zero keeps its old price.

    Feeds are the markets: a venue that settles with proofs has no other collateral.
    """
    opening = opened(frame, int(tx.time_ms) if tx else None)
    tick = _numbered(frame, opening, tx)
    keys, last = venue.config.oracle_keys, frame.constant(-1)
    shown: list[Report] = []
    for place in range(reports):
        own = tx.reports[place] if tx else None
        if reports == len(keys):  # signers rise, so they are all of them in their order
            key = frame.constant(int(keys[place]))
        else:
            last, key = _next_signer(frame, venue, last, own)
        shown.append(_report(frame, venue, tick, key, own))
        frame.number("no report is from the future", opening.now_ms - shown[-1].time_ms)
    _check_oldest(frame, tick, [report.time_ms for report in shown])
    accepted: list[Value] = []
    for place, terms in enumerate(_markets(venue)):
        price = median(frame, [report.prices[place] for report in shown])
        accepted.append(_accept(frame, venue, terms, (price, tick.signed_ms), scales=scales))
    frame.zero("a tick moves a price", is_zero(frame, "a tick moves a price", total(frame, list(accepted))))


def _markets(venue: Venue) -> list[MarketTerms]:
    """By rising id, as every report lists them."""
    return sorted(venue.config.markets, key=lambda terms: terms.market_id)


def _numbered(frame: Frame, opening: Opening, tx: OracleTick | None) -> Numbered:
    """The next number, and a time that is later than the last tick's and no older than reports may be.

    Before the first tick the last one's time is zero, which every time is later than.
    """
    signed_ms = frame.given(lambda: min(int(report.time_ms) for report in tx.reports) if tx else 0, is_number=True)
    sequence = frame.adjust(frame.constant(0), key_of(ORACLE_RECORD, Tick.SEQUENCE), frame.one)[1]
    last_ms = own_word(frame, ORACLE_RECORD, Tick.TIME_MS, signed_ms)
    frame.number("reports are later than the last tick", signed_ms - last_ms, -1)
    frame.number("reports are young", signed_ms + REPORT_AGE_MAX_MS, -1 * opening.now_ms)
    return Numbered(sequence, signed_ms)


def _next_signer(frame: Frame, venue: Venue, last: Value, report: OracleReport | None) -> tuple[Value, Value]:
    """A configured signer, above the last one, and its key."""
    signer = frame.given(lambda: int(report.signer) if report else 0)
    keys = venue.config.oracle_keys

    def key_of_signer() -> int:
        return int(keys[int(signer)]) if int(signer) < len(keys) else 0

    key = frame.message(Tag.ORACLE_KEY, signer, frame.constant(0), -1, key_of_signer)
    frame.number("signers rise", signer - last, -1)
    return signer, key


def _report(frame: Frame, venue: Venue, tick: Numbered, key: Value, report: OracleReport | None) -> Report:
    """The prices of a signer, all markets in their order, signed with the tick's number."""
    time_ms = frame.given(lambda: int(report.time_ms) if report else 0)
    prices = [_price(frame, report, place) for place in range(len(_markets(venue)))]
    # The time lies between the oldest report's and now, so it has no more bits than a number.
    moment = time_ms + (1 << WORD_BITS) * tick.sequence
    signed(frame, venue, key, [frame.constant(PRICES_SELECTOR), moment, *_packed(frame, venue, prices)])
    return Report(time_ms, prices)


def _packed(frame: Frame, venue: Venue, prices: list[Value]) -> list[Value]:
    """The prices of all markets with their numbers, three to an element (`signing.prices_hash`)."""
    packed: list[Value] = []
    listed = list(zip(_markets(venue), prices, strict=True))
    for first in range(0, len(listed), PACKED_PRICES):
        found = frame.constant(0)
        for place, (terms, price) in enumerate(listed[first : first + PACKED_PRICES]):
            numbered = price + (int(terms.market_id) << PRICE_BITS)
            found = found + (1 << place * PACKED_BITS) * numbered
        packed.append(found)
    return packed


def _price(frame: Frame, report: OracleReport | None, place: int) -> Value:
    return frame.given(lambda: int(report.prices[place][1]) if report else 0, "a price is in range", is_number=True)


def _check_oldest(frame: Frame, tick: Numbered, times: list[Value]) -> None:
    """The tick is as old as its oldest report."""
    gaps = frame.one
    for time_ms in times:
        gaps = frame.multiply(gaps, frame.number("no report is older than the tick", time_ms - tick.signed_ms))
    frame.zero("the tick is as old as a report", gaps)


def _accept(frame: Frame, venue: Venue, terms: MarketTerms, ticked: tuple[Value, Value], *, scales: bool) -> Value:
    """Store one market's price where no rule refuses it, else keep the old one; a bit: it was stored.

    Margins follow open interest at whichever price stands: at the old one they are what they were.
    """
    (price, signed_ms), place = ticked, _place(frame, venue, terms)
    old, old_ms = (_borrow(frame, place, field) for field in (Field.PRICE, Field.PRICE_MS))
    interest = market_word(frame, place, Field.OPEN_INTEREST)
    fits = is_at_most(
        frame, "open interest keeps within its width", frame.multiply(interest, price),
        frame.constant(NOTIONAL_WORTH_LIMIT - 1), WORTH_BITS,
    )  # fmt: skip
    is_near = is_step_allowed(frame, old, price, signed_ms - old_ms, terms.price_step)
    is_first = is_zero(frame, "a first price or not", old)
    allowed = frame.multiply(is_first, flipped(frame, is_near), 1, is_near)
    known = flipped(frame, is_zero(frame, "a price of zero or not", price))
    accepted = frame.multiply(frame.multiply(known, fits), allowed)
    now = either(frame, accepted, price, old)
    frame.leave(old, now)
    frame.leave(old_ms, either(frame, accepted, signed_ms, old_ms))
    lower, span = terms.open_interest_lower, terms.open_interest_upper - terms.open_interest_lower
    bounds = frame.constant(int(lower)), frame.constant(int(span))
    rescale(frame, venue, place, frame.multiply(interest, now), bounds, scales=scales)
    return accepted


def _place(frame: Frame, venue: Venue, terms: MarketTerms) -> Place:
    """The words of a configured market."""
    market = int(terms.market_id)
    return Place(frame.constant(market), frame.constant(0), venue.market_words * market)


def _borrow(frame: Frame, place: Place, field: Field) -> Value:
    """A market's word, of which it is said later what is left."""
    return frame.borrow(place.base, word_of(place, field))


class Hour(NamedTuple):
    """A funding tick, for hints: its time, and the samples of the markets that it moves."""

    time_ms: int
    samples: dict[int, tuple[int, ...]]


def funding_tick_frame(frame: Frame, venue: Venue, hour: Hour | None) -> None:
    """A market's funding index moves by price * hourly rate of its samples.

    Which markets a tick lists is the operator's choice, and one that is refused is left as if it were not listed: so a
    market may be left as it is without a reason, and one that moves satisfies every rule.
    """
    opening = opened(frame, hour.time_ms if hour else None)
    moved = [
        _fund(frame, venue, opening, terms, hour.samples.get(int(terms.market_id)) if hour else None)
        for terms in _markets(venue)
    ]
    frame.zero("a tick moves an index", is_zero(frame, "a tick moves an index", total(frame, list(moved))))


def _fund(frame: Frame, venue: Venue, opening: Opening, terms: MarketTerms, samples: tuple[int, ...] | None) -> Value:
    """Move one market's index, or leave it; a bit: it moved."""
    place = _place(frame, venue, terms)
    price, price_ms = (market_word(frame, place, field) for field in (Field.PRICE, Field.PRICE_MS))
    funded_ms, index = (_borrow(frame, place, field) for field in (Field.FUNDING_MS, Field.FUNDING_INDEX))
    is_funded = bit(frame, "a market is funded or not", lambda: int(samples is not None))
    oldest_ms = price_ms + int(terms.price_age_max_ms)
    for rule, left in (
        ("funding is due", opening.now_ms - funded_ms - FUNDING_PERIOD_MS),
        ("the index is known", price - 1),
        ("the index is fresh", oldest_ms - opening.now_ms),
    ):
        frame.multiply(is_funded, left, flags=Flag.NUMBER, rule=rule)
    rate = hourly_rate(frame, given_samples(frame, NO_SAMPLES if samples is None else samples, SAMPLE_LIMIT), terms)
    after = index + frame.multiply(is_funded, step(frame, price, rate))
    wide(frame, "the funding index keeps within its width", after - 1, INDEX_GAP_BITS)
    wide(frame, "the funding index keeps within its width", frame.constant(INDEX_LAST) - after, INDEX_GAP_BITS)
    frame.leave(index, after)
    frame.leave(funded_ms, either(frame, is_funded, opening.now_ms, funded_ms))
    return is_funded


def status_change_frame(frame: Frame, venue: Venue, tx: StatusChange | None) -> None:
    """What a market allows from now on."""
    opened(frame, int(tx.time_ms) if tx else None)
    place = given_market(frame, venue, lambda: int(tx.market_id) if tx else 0)
    term(frame, venue, Tag.SYNTHETIC, place.market)  # there is such a market
    status = frame.given(lambda: int(tx.status) if tx else 0)
    frame.number("a status that markets have", status, -int(min(Status)))
    frame.number("a status that markets have", frame.constant(int(max(Status))) - status)
    market_word(frame, place, Field.STATUS, status)


def restart_frame(frame: Frame, venue: Venue, tx: Restart | None) -> None:
    """Nothing is liquidated on prices from before this moment."""
    opening = opened(frame, int(tx.time_ms) if tx else None)
    own_word(frame, COUNTERS_RECORD, Counter.FRESH_AFTER_MS, opening.now_ms)
