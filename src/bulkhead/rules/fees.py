"""Fees: the schedule, the cap the trader signed, rebates, and the share that pays for settlement on L1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.fixed import mul_div_floor, share_ceil
from bulkhead.units import Fraction, Quote


class FeeTier(NamedTuple):
    """Rates from a 30-day volume upward. A negative maker rate is a rebate."""

    volume: Quote
    maker: Fraction
    taker: Fraction


class FeeSplit(NamedTuple):
    """Where the fees of one trade go. `l1` is the part set aside for settlement; the rest is the venue's."""

    maker: Quote
    taker: Quote
    l1: Quote
    venue: Quote


def tier_of(schedule: Sequence[FeeTier], volume: Quote) -> FeeTier:
    """The last tier whose volume is reached. Tiers rise; the first begins at zero."""
    found = schedule[0]
    for tier in schedule:
        if tier.volume <= volume:
            found = tier
    return found


def fee(value: Quote, rate: Fraction) -> Quote:
    """value · rate, rounded up: a charge never errs low, a rebate (negative) never errs high.

    Example: 0.05 % of 1,000.001 USD is 0.500001 USD.
    """
    return share_ceil(value, rate)


def cap(value: Quote, order_fee: Quote, order_value: Quote) -> Quote:
    """The most a trader agreed to pay on a fill: value · signed fee / signed value, rounded down.

    Source: StarkEx and Starknet Perpetual bound fee over value of a fill by that of the order.
    """
    return Quote(mul_div_floor(int(value), int(order_fee), int(order_value)))


def within_cap(due: Quote, most: Quote) -> Quote | None:
    """The fee to charge, or None when the schedule asks more than the trader signed.

    The schedule rounds up and the cap down; the one unit this can differ by is given to the trader.
    """
    if due <= most:
        return due
    return most if int(due) - int(most) <= 1 else None


def split(maker: Quote, taker: Quote, l1_charge: Quote) -> FeeSplit | None:
    """Share out the fees of a trade, or None when a rebate would be minted from nothing.

    The L1 share is taken first, up to the configured charge per trade, out of what is left after the rebate.
    """
    total = maker + taker
    if int(total) < 0:
        return None
    l1 = min(total, l1_charge)
    return FeeSplit(maker, taker, l1, total - l1)
