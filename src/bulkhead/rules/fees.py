"""Fees: the schedule, the cap the trader signed, rebates, and the share that pays for settlement on L1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.fixed import mul_div_floor, ratio_floor, share_ceil
from bulkhead.units import Fraction, Quote


class FeeTier(NamedTuple):
    """Rates (see `rate`) from a 30-day volume upward. A negative maker rate is a rebate."""

    volume: Quote
    maker: Fraction
    taker: Fraction


class FeeSplit(NamedTuple):
    """Where the fees of one trade go. `l1` is the part set aside for settlement; the rest is the venue's."""

    maker: Quote
    taker: Quote
    l1: Quote
    venue: Quote


def rate(numerator: int, denominator: int) -> Fraction:
    """A rate of the schedule from the number that is advertised: numerator / denominator.

    Clients sign a fee at the advertised number; a rate rounded up would ask more than that of a large order,
    which would then be refused.

    Units: Fraction, signed; rounded toward zero: neither a charge nor a rebate is larger than advertised.
    Source: ours, after orders of the reference client that a rate rounded up would have refused.

    >>> rate(5, 10_000) < basis_points(5), rate(-5, 10_000) == -rate(5, 10_000)
    (True, True)
    """
    magnitude = ratio_floor(abs(numerator), denominator)
    return magnitude if numerator >= 0 else -magnitude


def tier_of(schedule: Sequence[FeeTier], volume: Quote) -> FeeTier:
    """The last tier whose volume is reached. Tiers rise; the first begins at zero.

    Units: volume in quote over 30 days; compared exactly, nothing is rounded.
    Source: tiers by 30-day volume as dYdX v4 has them.

    >>> schedule = [FeeTier(dollars(0), rate(1, 10_000), rate(5, 10_000)),
    ...             FeeTier(dollars(1_000_000), rate(1, 10_000), rate(4, 10_000))]
    >>> [millionths(tier_of(schedule, dollars(volume)).taker) for volume in (999_999, 1_000_000)]
    [500, 400]
    """
    found = schedule[0]
    for tier in schedule:
        if tier.volume <= volume:
            found = tier
    return found


def fee(value: Quote, rate: Fraction) -> Quote:
    """What a fill of `value` (positive) costs: value · rate; negative for a rebate.

    Units: quote; rounded up: a charge never errs low, a rebate never errs high.
    Source: StarkEx perpetual charges whole units of collateral; the rounding is ours.

    0.05 % of 1,000.001 USD is 0.5000005 USD:

    >>> fee(Quote(1_000_001_000), rate(5, 10_000))
    500001
    """
    return share_ceil(value, rate)


def cap(value: Quote, order_fee: Quote, order_value: Quote) -> Quote:
    """The most a trader agreed to pay on a fill: value · signed fee / signed value.

    Units: quote, values positive; rounded down.
    Source: StarkEx and Starknet Perpetual bound fee over value of a fill by that of the order.

    A fill of 100 USD of an order of 300 USD that was signed for a fee of 1 USD:

    >>> cap(dollars(100), dollars(1), dollars(300))
    333333
    """
    return Quote(mul_div_floor(int(value), int(order_fee), int(order_value)))


def within_cap(due: Quote, most: Quote) -> Quote | None:
    """The fee to charge, or None when the schedule asks more than the trader signed.

    The charge of a fill is rounded up and the cap down; the one unit this can differ by is given to the
    trader, who never pays more than he signed. Whoever signed the advertised rate (see `rate`) is not refused.

    Units: quote; whole amounts, nothing is rounded.
    Source: ours: what the roundings of `fee` and `cap` leave between them.

    >>> [within_cap(Quote(due), Quote(500)) for due in (-20, 500, 501, 502)]
    [-20, 500, 500, None]
    """
    if due <= most:
        return due
    return most if int(due) - int(most) <= 1 else None


def split(maker: Quote, taker: Quote, l1_charge: Quote) -> FeeSplit | None:
    """Share out the fees of a trade, or None when a rebate would be minted from nothing.

        l1 = min(maker + taker, charge per trade);  venue = maker + taker − l1

    The L1 share is taken first out of what is left after the rebate.

    Units: quote; whole amounts, nothing is rounded.
    Source: ours.

    A taker pays 0.50 USD and the maker is given 0.10 USD, of which 0.02 USD is set aside for settlement:

    >>> split(Quote(-100_000), Quote(500_000), Quote(20_000))
    FeeSplit(maker=-100000, taker=500000, l1=20000, venue=380000)
    >>> split(Quote(-100_000), Quote(99_999), Quote(20_000)) is None
    True
    """
    total = maker + taker
    if int(total) < 0:
        return None
    l1 = min(total, l1_charge)
    return FeeSplit(maker, taker, l1, total - l1)
