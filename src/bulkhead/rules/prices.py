"""Prices: the index from signed reports, the mark beside it, and what may not happen to either.

Guard rails are validity rules here because each missing one has cost users money elsewhere: a price of zero
(Paradex, January 2026), stale prices after a restart (dYdX v4, October 2025), chosen subsets of signers
(audits of Starknet Perpetual).
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.fixed import (
    FRACTION_BITS,
    basis_points,
    book_price_ceil,
    book_price_floor,
    div_ceil,
    div_floor,
    minutes_floor,
    price_share_floor,
    ratio_floor,
)
from bulkhead.limits import BOOK_PRICE_LIMIT, PRICE_LIMIT
from bulkhead.rules.funding import clamp
from bulkhead.units import BookPrice, Fraction, Price, TimeMs

BASIS_CLAMP = basis_points(50)  # the mark stays within ±0.5 % of the index


def quorum(signers: int) -> int:
    """Signers that must report: (2n + 1) / 3 of n.

    Any two quorums share more than a third of the signers, and with four signers or more one of them may be
    silent. With three or fewer, all must report.

    Units: a count; rounded up.
    Source: the bound of Byzantine agreement; audits of Starknet Perpetual tell what choosing among signers can do.

    >>> [quorum(signers) for signers in (1, 3, 4, 5, 7)]
    [1, 3, 3, 4, 5]
    """
    return div_ceil(2 * signers + 1, 3)


def median(prices: Sequence[Price]) -> Price:
    """The middle price, the lower one of two: always a price somebody signed. There must be at least one.

    Units: Price; nothing is rounded.
    Source: StarkEx perpetual `oracle/oracle_price.cairo` (signed median).

    >>> median([Price(5), Price(900), Price(7), Price(6)])
    6
    """
    return sorted(prices)[div_floor(len(prices) - 1, 2)]


def is_step_allowed(old: Price, new: Price, elapsed_ms: int, share_per_minute: Fraction) -> bool:
    """The index may move by `share_per_minute` of itself for each minute begun since the last tick.

        |new − old| ≤ old · share · (whole minutes + 1)

    A larger jump is refused until enough time has passed: a wrong feed stops the market instead of
    liquidating it. This bounds one tick, not a speed: ticks of the same minute each have the whole share, so
    that a real crash is followed.

    Units: Price and milliseconds; the minutes rounded down, the rest compared exactly.
    Source: ours, after a price of zero was accepted elsewhere; Drift refuses prices far from their average.

    With 10 % a minute, 100 to 89 is refused at once and allowed after a minute:

    >>> [is_step_allowed(Price(100), Price(89), elapsed_ms, percent(10)) for elapsed_ms in (59_999, 60_000)]
    [False, True]
    """
    minutes = minutes_floor(elapsed_ms) + 1
    return abs(int(new) - int(old)) << FRACTION_BITS <= int(old) * int(share_per_minute) * minutes


def is_in_range(price: Price) -> bool:
    """Above zero and below the width of prices.

    Units: Price; compared exactly, nothing is rounded.
    Source: StarkEx perpetual (32.32 fixed point, not zero).

    >>> [is_in_range(Price(price)) for price in (0, 1, 2**64 - 1, 2**64)]
    [False, True, True, False]
    """
    return 0 < int(price) < PRICE_LIMIT


def is_fresh(price_time: TimeMs, now: TimeMs, age_max_ms: int) -> bool:
    """No older than the market allows.

    Units: milliseconds; compared exactly, nothing is rounded.
    Source: StarkEx perpetual and Drift (validity time of a signed price).

    >>> [is_fresh(TimeMs(0), TimeMs(now), 60_000) for now in (60_000, 60_001)]
    [True, False]
    """
    return now - price_time <= age_max_ms


def basis(bid: BookPrice, ask: BookPrice, index: Price) -> Fraction:
    """How far the middle of the book is from the index: (bid + ask) / 2 / index − 1.

    Units: Fraction, signed; rounded toward minus infinity.
    Source: Hyperliquid's and Lighter's marks (premium of the book's middle).

    >>> millionths(basis(BookPrice(1_000), BookPrice(1_004), index_price(BookPrice(1_000))))
    2000
    """
    double_mid = (int(bid) + int(ask)) << FRACTION_BITS
    return ratio_floor(double_mid - 2 * int(index), 2 * int(index))


def basis_average(average: Fraction, sample: Fraction, elapsed_ms: int, span_ms: int) -> Fraction:
    """Exponential average of the basis over `span_ms` (above zero), `elapsed_ms` after the last sample.

        average + (sample − average) · elapsed / (elapsed + span)

    Units: Fraction, signed; the move rounded toward minus infinity, never past the sample.
    Source: Hyperliquid's exponential average of the basis; its form for samples at uneven times is ours.

    As long after the last sample as the span, it goes half of the way:

    >>> millionths(basis_average(basis_points(10), basis_points(30), 60_000, 60_000))
    2000
    """
    moved = (int(sample) - int(average)) * elapsed_ms
    return Fraction(int(average) + div_floor(moved, elapsed_ms + span_ms))


def mark(index: Price, average_basis: Fraction) -> Price:
    """index · (1 + clamp(average basis, ±0.5 %)), kept within the width of prices.

    Serves triggers, display and the premium only; health reads the index.

    Units: Price; rounded toward minus infinity, at least 2^-32.
    Source: Lighter's and Hyperliquid's marks, reduced to the part the venue itself can see.

    However far the book is, the mark is at most half a percent away:

    >>> [mark(Price(1_000_000), basis_points(away)) for away in (20, 900, -900)]
    [1002000, 1005000, 994999]
    """
    held = clamp(int(average_basis), -int(BASIS_CLAMP), int(BASIS_CLAMP))
    return Price(clamp(int(index) + int(price_share_floor(index, Fraction(held))), 1, PRICE_LIMIT - 1))


def band(reference: Price, share: Fraction) -> tuple[BookPrice, BookPrice]:
    """Lowest and highest order price within `share` of a reference (the mark).

    Units: whole quote per lot; rounded inward, the lowest at least one.
    Source: Paradex's bands around the mark (5 and 10 %).

    >>> band(index_price(BookPrice(1_000)), percent(5))
    (950, 1050)
    """
    width = int(price_share_floor(reference, share))
    low = book_price_ceil(Price(max(1, int(reference) - width)))
    high = book_price_floor(Price(int(reference) + width))
    return low, min(high, BookPrice(BOOK_PRICE_LIMIT - 1))
