"""Funding: what longs pay shorts each hour so that the book's price follows the index.

Source: Lighter and Hyperliquid (mean of one-minute premium samples, inner clamp, cap), StarkEx (payment
through an index, floored against the account).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bulkhead.fixed import FRACTION_BITS, div_floor, fraction, index_step, mean_floor, quote_ceil, ratio_floor
from bulkhead.rules.terms import Position
from bulkhead.units import Fraction, FundingIndex, Price, Quote, Size, Worth

SAMPLES_PER_HOUR = 60
SAMPLES_MIN = 45
INNER_CLAMP = fraction(5, 10_000)  # ±0.05 % around the interest rate
HOURS_PER_RATE = 8  # premiums and interest are quoted per eight hours


def clamp(value: int, low: int, high: int) -> int:
    """The nearest number within [low, high]."""
    return max(low, min(high, value))


def premium(impact_bid: Price | None, impact_ask: Price | None, index: Price) -> Fraction:
    """One sample: how far the book trades away from the index, signed, toward minus infinity.

        (max(0, impact bid − index) − max(0, index − impact ask)) / index

    A side that cannot fill the impact notional counts as no premium. Source: dYdX v3.

    Example: index 100, impact bid 100.1, impact ask 100.3 gives 0.001.
    """
    over = 0 if impact_bid is None else max(0, int(impact_bid) - int(index))
    under = 0 if impact_ask is None else max(0, int(index) - int(impact_ask))
    return ratio_floor(over - under, int(index))


def hourly_rate(samples: Sequence[Fraction], interest: Fraction, cap: Fraction) -> Fraction:
    """The rate of one hour from its samples, signed, toward minus infinity, within ±cap.

        eight-hour rate = mean + clamp(interest − mean, ±0.05 %);  hourly = eight-hour rate / 8

    The caller checked that there are at least 45 samples.

    Example: a constant premium of 0.10 % with interest 0.01 % pays (0.10 − 0.05) % / 8 in the hour.
    """
    mean = mean_floor([int(sample) for sample in samples])
    eight_hours = mean + clamp(int(interest) - mean, -int(INNER_CLAMP), int(INNER_CLAMP))
    return Fraction(clamp(div_floor(eight_hours, HOURS_PER_RATE), -int(cap), int(cap)))


def step(index: Price, rate: Fraction) -> FundingIndex:
    """What one lot pays for one hour at `rate`: index · rate, 32 fraction bits, toward minus infinity."""
    return index_step(index, rate)


def owed(positions: Sequence[Position], indices: Mapping[int, FundingIndex]) -> Worth:
    """Funding an account has not yet settled: Σ (market index − cached index) · size, exact; positive is paid."""
    total = 0
    for market_id, size, _, cached in positions:
        moved = int(indices[market_id]) - int(cached)
        if moved:
            total += moved * int(size)
    return Worth(total)


def settle(
    positions: tuple[Position, ...], indices: Mapping[int, FundingIndex]
) -> tuple[tuple[Position, ...], Quote, Worth]:
    """Bring the cached indices up to date: (positions, payment, dust).

    The payment is rounded up, against the account; what the rounding took, `payment − owed`, is the dust
    that the venue's rounding counter keeps, so that money is conserved to the last fraction bit.

    Example: three accounts that owe 0.4, 0.4 and −0.8 pay 1, 1 and 0; the dust is 2.
    """
    due = int(owed(positions, indices))
    payment = quote_ceil(Worth(due))
    settled = tuple(
        Position(market_id, size, cost, indices[market_id]) for market_id, size, cost, _ in positions
    )
    return settled, payment, Worth((int(payment) << FRACTION_BITS) - due)


def payment_of(size: Size, moved: FundingIndex) -> Quote:
    """Funding of one position for an index move, rounded up: for statements; accounts settle one rounded sum."""
    return quote_ceil(Worth(int(size) * int(moved)))
