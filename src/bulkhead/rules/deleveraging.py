"""Deleveraging: who gives up how much when neither the book nor the backstop takes a position.

Pro rata instead of a queue, hedged shares last, minimal in total. Source: the studies of 10 October 2025
(arXiv 2512.01112, 2602.15182): queues close far more than the shortfall needs, and break hedges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulkhead.fixed import div_ceil, mul_div_floor, quote_floor, ratio_floor, remainder, worth
from bulkhead.rules.terms import Position, Risks
from bulkhead.units import AccountId, MarketId, Quote, Size


class Holder(NamedTuple):
    """An opposite position: its lots, the lots not hedged inside its account, and its profit (quote)."""

    account_id: AccountId
    size: Size  # positive, whichever side
    unhedged: Size  # positive, at most `size`
    profit: Quote


def unhedged_size(positions: Sequence[Position], market_id: MarketId, risks: Risks, groups: Mapping[int, int]) -> Size:
    """Lots of a position that no opposite position of the same account and market group offsets.

        |size| · max(0, same − opposite) / same

    `same` and `opposite` are the notionals the account holds in the group on the side of the position (itself
    included) and against it, so several positions share one hedge in proportion and it is counted once.
    The account must hold the position.

    Units: lots, positive; rounded down: a fraction of a lot counts as hedged.
    Source: arXiv 2602.15182 for taking hedged lots last; the share for each position is ours.

    1,000 lots long beside 400 USD short of the same group leave 600; two such longs share that hedge:

    >>> risks, groups = {1: risk(1), 2: risk(2), 3: risk(3)}, {1: 7, 2: 7, 3: 7}
    >>> held = [position(1, 1_000), position(2, -400)]
    >>> unhedged_size(held, MarketId(1), risks, groups)
    600
    >>> unhedged_size([*held, position(3, 1_000)], MarketId(1), risks, groups)
    800
    """
    sizes = {position.market_id: position.size for position in positions}
    own = int(sizes[market_id])
    same = opposite = 0
    for other_id, size in sizes.items():
        if groups[other_id] != groups[market_id]:
            continue
        notional = abs(int(size * risks[other_id].price))
        if int(size) * own > 0:
            same += notional
        else:
            opposite += notional
    return Size(mul_div_floor(abs(own), max(0, same - opposite), same))


def profit(position: Position, risks: Risks) -> Quote:
    """What a position has earned at the index: size · index − cost.

    Units: quote; rounded down.
    Source: ours: against the entry value that a position carries as `cost`.

    Ten lots sold for 12 USD, now worth 10 USD: the short is 2 USD ahead:

    >>> profit(position(1, -10, cost=dollars(-12)), {1: risk()}) == dollars(2)
    True
    """
    return quote_floor(position.size * risks[position.market_id].price - worth(position.cost))


def pro_rata(amount: int, weights: Sequence[int], capacities: Sequence[int]) -> list[int]:
    """Split `amount` by weight, nobody above his capacity.

    What a full holder cannot take goes to the others in proportion. The rest of the division goes one each
    to the largest remainders, ties to the earlier in the sequence. Sums to min(amount, capacity of those
    with weight).

    Units: whole numbers, not negative; each share rounded down or up to a whole one, the sum exact.
    Source: arXiv 2512.01112 (pro rata instead of a queue); the largest remainder, as in Hamilton's apportionment.

    10 by the weights 3, 1 and 1, of which the first can bear only 4:

    >>> pro_rata(10, [3, 1, 1], [4, 9, 9])
    [4, 3, 3]
    """
    given = [0] * len(weights)
    active = [i for i, weight in enumerate(weights) if weight > 0 and capacities[i] > 0]
    left = min(amount, sum(capacities[i] for i in active))
    total = sum(weights[i] for i in active)
    while left:
        full = [i for i in active if left * weights[i] >= capacities[i] * total]
        if not full:
            break
        for i in full:
            given[i] = capacities[i]
        left -= sum(capacities[i] for i in full)
        active = [i for i in active if not given[i]]
        total = sum(weights[i] for i in active)
    if not left:
        return given
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

    Units: lots, positive; rounded as in `pro_rata`, the sum exact.
    Source: arXiv 2512.01112 for the first round by profit; the second, for what profit does not reach, is ours.

    Account 64 is in profit and half hedged, account 128 at a loss. Up to 50 lots come from the first alone:

    >>> holders = [Holder(AccountId(64), Size(100), Size(50), dollars(9)),
    ...            Holder(AccountId(128), Size(100), Size(100), dollars(-9))]
    >>> shares(Size(40), holders), shares(Size(80), holders)
    ({64: 40}, {64: 60, 128: 20})
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
    """Decile, 1 (last) to 10 (first), in which an account would be deleveraged, by profit per unhedged lot.

    The first round of `shares` takes lots in proportion to profit, so those with most profit per lot lose the
    largest part of their position. Holders without profit or without unhedged lots have no rank. Ties rank
    the lower account id higher. For display; the split itself is `shares`.

    Units: deciles; rounded up.
    Source: ours; Hyperliquid shows such a rank, by profit and leverage.

    >>> rank([Holder(AccountId(64), Size(10), Size(10), dollars(5)),
    ...       Holder(AccountId(128), Size(1), Size(1), dollars(4)),
    ...       Holder(AccountId(192), Size(10), Size(10), dollars(-5))])
    {64: 5, 128: 10}
    """
    exposed = [holder for holder in holders if int(holder.profit) > 0 and int(holder.unhedged) > 0]
    ordered = sorted(
        exposed, key=lambda holder: (ratio_floor(int(holder.profit), int(holder.unhedged)), -holder.account_id)
    )
    return {holder.account_id: div_ceil(10 * (place + 1), len(ordered)) for place, holder in enumerate(ordered)}
