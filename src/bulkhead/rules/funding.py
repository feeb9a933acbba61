"""Funding: what longs pay shorts each hour so that the book's price follows the index.

Source: Lighter and Hyperliquid (mean of one-minute premium samples, inner clamp, cap), StarkEx (payment
through an index, rounded against the account).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bulkhead.fixed import basis_points, div_floor, index_step, mean_floor, quote_ceil, ratio_floor, worth
from bulkhead.rules.terms import Position
from bulkhead.units import Fraction, FundingIndex, Price, Quote, Size, Worth

SAMPLES_PER_HOUR = 60
SAMPLES_MIN = 45
INNER_CLAMP = basis_points(5)  # ±0.05 % around the interest rate
HOURS_PER_RATE = 8  # premiums and interest are quoted per eight hours


def clamp(value: int, low: int, high: int) -> int:
    """The nearest number within [low, high].

    Units: any; nothing is rounded.
    Source: arithmetic.

    >>> [clamp(value, -5, 5) for value in (-9, 3, 9)]
    [-5, 3, 5]
    """
    return max(low, min(high, value))


def premium(impact_bid: Price | None, impact_ask: Price | None, index: Price) -> Fraction:
    """One sample: how far the book trades away from the index.

        (max(0, impact bid − index) − max(0, index − impact ask)) / index

    A side that cannot fill the impact notional counts as no premium.

    Units: Fraction, signed; rounded toward minus infinity.
    Source: dYdX v3.

    Index 100, impact bid 100.1 and ask 100.3 give 0.1 %; a book of 99.7 to 99.8 gives −0.2 %:

    >>> millionths(premium(Price(1_001), Price(1_003), Price(1_000)))
    1000
    >>> millionths(premium(Price(997), Price(998), Price(1_000)))
    -2000
    """
    over = 0 if impact_bid is None else max(0, int(impact_bid) - int(index))
    under = 0 if impact_ask is None else max(0, int(index) - int(impact_ask))
    return ratio_floor(over - under, int(index))


def hourly_rate(samples: Sequence[Fraction], interest: Fraction, cap: Fraction) -> Fraction:
    """The rate of one hour from its samples, within ±cap.

        eight-hour rate = mean + clamp(interest − mean, ±0.05 %);  hourly = eight-hour rate / 8

    The caller checked that there are at least 45 samples: a missing one is left out, not counted as zero.

    Units: Fraction, signed; mean and hourly rate rounded toward minus infinity.
    Source: Hyperliquid; the mean of one-minute samples is Lighter's.

    A constant premium of 0.13 % with interest 0.01 % pays (0.13 − 0.05) % / 8 = 0.01 % in the hour; within
    0.05 % of the interest the premium does not matter, and an interest of 0.08 % pays 0.01 %:

    >>> millionths(hourly_rate([basis_points(13)] * 60, basis_points(1), percent(4)))
    100
    >>> millionths(hourly_rate([basis_points(3)] * 60, basis_points(8), percent(4)))
    100
    """
    mean = mean_floor([int(sample) for sample in samples])
    eight_hours = mean + clamp(int(interest) - mean, -int(INNER_CLAMP), int(INNER_CLAMP))
    return Fraction(clamp(div_floor(eight_hours, HOURS_PER_RATE), -int(cap), int(cap)))


def step(index: Price, rate: Fraction) -> FundingIndex:
    """What one long lot pays for one hour at `rate`: index · rate.

    Units: quote per lot with 32 fraction bits, signed; rounded toward minus infinity.
    Source: Lighter and Hyperliquid pay on the index, not on the mark.

    A lot at 1 USD and a rate of 0.01 % pay 100 micro-dollars:

    >>> quote_floor(Worth(step(index_price(BookPrice(1_000_000)), basis_points(1))))
    100
    """
    return index_step(index, rate)


def owed(positions: Sequence[Position], indices: Mapping[int, FundingIndex]) -> Worth:
    """Funding an account has not yet settled: Σ (market index − cached index) · size; positive is paid.

    Units: worth with 32 fraction bits; exact, nothing is rounded.
    Source: StarkEx perpetual `position/funding.cairo` (an index that positions have a copy of).

    The index rose by 100 since both were settled: a long of 3 lots owes 300, a short of 5 is owed 500:

    >>> rise = {1: FundingIndex(100), 2: FundingIndex(100)}
    >>> [owed([position(1, size)], rise) for size in (3, -5)], owed([position(1, 3), position(2, -5)], rise)
    ([300, -500], -200)
    """
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

    What the rounding took, payment − owed, is the dust that the venue's rounding counter keeps, so that money
    is conserved to the last fraction bit.

    Units: the payment is quote, rounded up: against the account; the dust is worth, exact.
    Source: StarkEx `position/funding.cairo`.

    Three accounts that owe 0.4, 0.4 and −0.8 pay 1, 1 and 0; together the dust is 2:

    >>> rise = {1: FundingIndex(int(fraction(2, 5)))}
    >>> paid = [settle((position(1, size),), rise)[1:] for size in (1, 1, -2)]
    >>> [payment for payment, _ in paid], sum(int(dust) for _, dust in paid) == worth(Quote(2))
    ([1, 1, 0], True)
    """
    due = owed(positions, indices)
    payment = quote_ceil(due)
    settled = tuple(
        Position(market_id, size, cost, indices[market_id]) for market_id, size, cost, _ in positions
    )
    return settled, payment, worth(payment) - due


def payment_of(size: Size, moved: FundingIndex) -> Quote:
    """Funding of one position for an index move: for statements; accounts settle one rounded sum.

    Units: quote; rounded up: against the account.
    Source: as `settle`, for one position.

    >>> payment_of(Size(-3), FundingIndex(int(worth(Quote(100)))))
    -300
    """
    return quote_ceil(size * moved)
