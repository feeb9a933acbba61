"""Deleveraging: who gives up how much when neither the book nor the backstop takes a position.

Pro rata instead of a queue, hedged shares last, minimal in total. Source: the studies of 10 October 2025
(arXiv 2512.01112, 2602.15182): queues close far more than the shortfall needs, and break hedges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, div_ceil, div_floor, mul_div_floor, remainder
from bulkhead.rules.terms import Position, Risks
from bulkhead.units import AccountId, MarketId, Quote, Size


class Holder(NamedTuple):
    """An opposite position: its lots, the lots not hedged inside its account, and its profit (quote)."""

    account_id: AccountId
    size: Size
    unhedged: Size
    profit: Quote


def unhedged_size(positions: Sequence[Position], market_id: MarketId, risks: Risks, groups: dict[MarketId, int]) -> Size:
    """Lots of a position that no opposite position of the same account and market group offsets.

    Offsets are measured in notional; rounded down, so a hedge is never counted as free. Positive.
    """
    own = next(position for position in positions if position.market_id == market_id)
    notional = int(own.size * risks[market_id].price)
    opposite = 0
    for position in positions:
        other = int(position.size * risks[position.market_id].price)
        if groups[position.market_id] == groups[market_id] and other * notional < 0:
            opposite += abs(other)
    free = max(0, abs(notional) - opposite)
    return Size(mul_div_floor(abs(int(own.size)), free, abs(notional)))


def profit(position: Position, risks: Risks) -> Quote:
    """size · index − cost of a position, rounded down."""
    exact = int(position.size * risks[position.market_id].price) - (int(position.cost) << FRACTION_BITS)
    return Quote(div_floor(exact, 1 << FRACTION_BITS))


def pro_rata(amount: int, weights: Sequence[int], capacities: Sequence[int]) -> list[int]:
    """Split `amount` by weight, nobody above his capacity, the largest remainder first.

    What a full holder cannot take goes to the others in proportion. Sums to min(amount, capacity of those
    with weight). Ties of remainders go to the earlier in the sequence.

    Example: 10 over weights 3, 1, 1 with capacities 4, 9, 9 gives 4, 3, 3.
    """
    given = [0] * len(weights)
    active = [i for i, weight in enumerate(weights) if weight > 0 and capacities[i] > 0]
    left = min(amount, sum(capacities[i] for i in active))
    while left and active:
        total = sum(weights[i] for i in active)
        full = [i for i in active if left * weights[i] >= capacities[i] * total]
        if not full:
            break
        for i in full:
            given[i] = capacities[i]
        left -= sum(capacities[i] for i in full)
        active = [i for i in active if i not in set(full)]
    if not left or not active:
        return given
    total = sum(weights[i] for i in active)
    for i in active:
        given[i] = mul_div_floor(left, weights[i], total)
    rest = left - sum(given[i] for i in active)
    by_remainder = sorted(active, key=lambda i: (-remainder(left * weights[i], total), i))
    for i in by_remainder[:rest]:
        given[i] += 1
    return given


def shares(amount: Size, holders: Sequence[Holder]) -> dict[AccountId, Size]:
    """Lots each opposite holder gives up; the total is exactly `amount` (or all there is).

    First round: the unhedged lots of holders in profit, weighted by profit. Second round, for what is left:
    everybody's remaining lots, weighted by lots. Holders are taken in ascending account id.
    """
    ordered = sorted(holders, key=lambda holder: holder.account_id)
    first = pro_rata(
        int(amount),
        [max(0, int(holder.profit)) for holder in ordered],
        [int(holder.unhedged) for holder in ordered],
    )
    remaining = [int(holder.size) - taken for holder, taken in zip(ordered, first, strict=True)]
    second = pro_rata(int(amount) - sum(first), remaining, remaining)
    return {
        holder.account_id: Size(one + two)
        for holder, one, two in zip(ordered, first, second, strict=True)
        if one + two
    }


def rank(holders: Sequence[Holder]) -> dict[AccountId, int]:
    """Decile, 1 (last) to 10 (first), in which an account would be deleveraged: profit per unhedged lot.

    For display; the split itself is `shares`.
    """
    exposed = [holder for holder in holders if int(holder.profit) > 0 and int(holder.unhedged) > 0]
    ordered = sorted(exposed, key=lambda holder: (int(holder.profit), -holder.account_id))
    return {
        holder.account_id: div_ceil(10 * (place + 1), len(ordered)) for place, holder in enumerate(ordered)
    }
