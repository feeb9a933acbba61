"""Prices: the index from signed reports, the mark beside it, and what may not happen to either.

Guard rails are validity rules here because each missing one has cost users money elsewhere: a price of zero
(Paradex, January 2026), stale prices after a restart (dYdX v4, October 2025), chosen subsets of signers
(audits of Starknet Perpetual).
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.fixed import (
    book_price_ceil,
    book_price_floor,
    div_ceil,
    div_floor,
    fraction,
    minutes_floor,
    price_share_floor,
    ratio_floor,
)
from bulkhead.limits import PRICE_LIMIT
from bulkhead.rules.funding import clamp
from bulkhead.units import BookPrice, Fraction, Price, TimeMs

BASIS_CLAMP = fraction(5, 1_000)  # the mark stays within ±0.5 % of the index


def quorum(signers: int) -> int:
    """Signers that must report: ⌈(2n + 1) / 3⌉, so that one silent signer of three or more cannot stop the venue."""
    return div_ceil(2 * signers + 1, 3)


def median(prices: Sequence[Price]) -> Price:
    """The lower median: always a price somebody signed. The sequence must not be empty."""
    return sorted(prices)[div_floor(len(prices) - 1, 2)]


def is_step_allowed(old: Price, new: Price, elapsed_ms: int, share_per_minute: Fraction) -> bool:
    """The index may move by `share_per_minute` of itself for each minute begun since the last tick.

    |new − old| ≤ old · share · (whole minutes + 1), compared exactly. A larger jump is refused until enough
    time has passed: a wrong feed stops the market instead of liquidating it.
    """
    minutes = minutes_floor(elapsed_ms) + 1
    return abs(int(new) - int(old)) << 32 <= int(old) * int(share_per_minute) * minutes


def is_in_range(price: Price) -> bool:
    """Above zero and below the width of prices."""
    return 0 < int(price) < PRICE_LIMIT


def is_fresh(price_time: TimeMs, now: TimeMs, age_max_ms: int) -> bool:
    """No older than the market allows."""
    return now - price_time <= age_max_ms


def basis(bid: BookPrice, ask: BookPrice, index: Price) -> Fraction:
    """Mid price of the book over the index, less one, signed, toward minus infinity."""
    double_mid = (int(bid) + int(ask)) << 32
    return ratio_floor(double_mid - 2 * int(index), 2 * int(index))


def basis_average(average: Fraction, sample: Fraction, elapsed_ms: int, span_ms: int) -> Fraction:
    """Exponential average with time constant `span_ms`, its weight elapsed / (elapsed + span)."""
    moved = (int(sample) - int(average)) * elapsed_ms
    return Fraction(int(average) + div_floor(moved, elapsed_ms + span_ms))


def mark(index: Price, average_basis: Fraction) -> Price:
    """index · (1 + clamp(average basis, ±0.5 %)), toward minus infinity, at least 2^-32.

    Serves triggers, display and the premium only; health reads the index.
    """
    held = clamp(int(average_basis), -int(BASIS_CLAMP), int(BASIS_CLAMP))
    return Price(max(1, int(index) + int(price_share_floor(index, Fraction(held)))))


def band(reference: Price, share: Fraction) -> tuple[BookPrice, BookPrice]:
    """Lowest and highest order price within `share` of a reference (mark); the lowest is at least one."""
    width = int(price_share_floor(reference, share))
    low = book_price_ceil(Price(max(1, int(reference) - width)))
    return max(BookPrice(1), low), book_price_floor(Price(int(reference) + width))
