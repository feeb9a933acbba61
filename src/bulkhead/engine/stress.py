"""What an account could lose: every joint move of the scenario grid, each correlation broken, each market alone.

Margin rules trust correlations a little; this page trusts none. Losses are those of the account's owner: they end
where the account does, for what is beyond its value falls on the insurance fund and the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, ONE, quote_ceil, share_ceil
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account, MarginRule
from bulkhead.rules.margin import maintenance_of
from bulkhead.units import Fraction, MarketId, Price, Quote, Worth


class Break(IntEnum):
    """How a stress departs from the grid."""

    NONE = 1  # the grid's joint move as it is
    OPPOSITE = 2  # one group moves against its shock
    ALONE = 3  # one market moves, the others stand still


class Stress(NamedTuple):
    """One move and what it costs the owner of an account: `loss` = entry + min(move + exit, value).

    `move` is lost (or, below zero, won) on positions; `exit_costs` are the fees of closing everything after it,
    penalty included when the move ends below maintenance, and the configured slippage of each market. `beyond` is
    the gap: what closing at these prices would cost beyond the account's value, which others bear.
    """

    name: str
    kind: Break
    loss: Quote
    move: Quote
    exit_costs: Quote
    beyond: Quote


Moves = dict[MarketId, int]
"""A share of the price by market, 32 fraction bits, signed."""


def moved_price(price: Price, share: int) -> Price:
    """A price after a move by a signed share of itself with 32 fraction bits: toward minus infinity, at least 2^-32."""
    return Price(max(1, int(price) + (int(price) * share >> FRACTION_BITS)))


def moves(draft: Draft, account: Account) -> Iterator[tuple[str, Break, Moves]]:
    """Every stress of an account's markets, by name. Equal moves may come twice under different names."""
    held = [position.market_id for position in account.positions]
    groups = sorted({draft.groups[market_id] for market_id in held})
    for shock in draft.config.grid.shocks:
        shares = {group: int(share) for group, share in shock.moves}
        joint = {market_id: shares.get(draft.groups[market_id], 0) for market_id in held}
        yield shock.name, Break.NONE, joint
        for group in groups:
            if len(held) > 1 and shares.get(group, 0):
                broken = {one: -move if draft.groups[one] == group else move for one, move in joint.items()}
                yield f"{shock.name}, group {group} against it", Break.OPPOSITE, broken
        for market_id in held:
            if len(held) > 1 and joint[market_id]:
                alone = {one: move if one == market_id else 0 for one, move in joint.items()}
                yield f"{shock.name}, {draft.terms[market_id].name} alone", Break.ALONE, alone


def stresses(draft: Draft, account: Account, entry: Quote, taker: Fraction) -> list[Stress]:
    """The worst stress of each kind, worst first. `entry` is what getting in has cost already.

    An account without positions loses its entry costs.
    """
    return worst_of(every(draft, account, entry, taker), entry)


def worst_of(found: Iterable[Stress], entry: Quote) -> list[Stress]:
    """The worst of each kind, worst first; what getting in has cost where there is none."""
    worst: dict[Break, Stress] = {}
    for one in found:
        if one.kind not in worst or one.loss > worst[one.kind].loss:
            worst[one.kind] = one
    if not worst:
        return [Stress("no position", Break.NONE, entry, Quote(0), Quote(0), Quote(0))]
    return sorted(worst.values(), key=lambda stress: (-int(stress.loss), stress.kind))


def every(draft: Draft, account: Account, entry: Quote, taker: Fraction) -> Iterator[Stress]:
    """Each stress of an account, in the grid's order."""
    value = health_of(draft, account).value
    required = int(health_of(draft, account).maintenance) if account.rule is MarginRule.SCENARIO else None
    for what in moves(draft, account):
        yield _stress(draft, account, what, (value, entry, taker), required)


def together(accounts: Iterable[Iterable[Stress]]) -> list[Stress]:
    """What several accounts of one owner lose in each joint move of the grid, worst first; of each its `every`.

    Accounts do not help each other: each loses no more than it holds, so the sum is what a crash of that shape costs.
    """
    sums: dict[str, Stress] = {}
    for account in accounts:
        for found in account:
            if found.kind is Break.NONE:
                before = sums.get(found.name)
                sums[found.name] = found if before is None else Stress(
                    found.name, found.kind, before.loss + found.loss, before.move + found.move,
                    before.exit_costs + found.exit_costs, before.beyond + found.beyond,
                )  # fmt: skip
    return sorted(sums.values(), key=lambda stress: -int(stress.loss))


def _stress(
    draft: Draft,
    account: Account,
    what: tuple[str, Break, Moves],
    known: tuple[Worth, Quote, Fraction],
    required: int | None,
) -> Stress:
    """One stress. Amounts are rounded up, against the trader.

    Of a scenario account maintenance is taken where prices are now (`required`): it is a share of the same grid.
    """
    name, kind, shares = what
    value, entry, taker = known
    change = maintenance = 0
    closed: list[tuple[MarketId, Quote]] = []
    for position in account.positions:
        market_id = position.market_id
        risk = draft.risks[market_id]
        price = moved_price(risk.price, shares[market_id])
        change += int(position.size * price) - int(position.size * risk.price)
        closed.append((market_id, quote_ceil(abs(position.size * price))))
        if required is None:
            maintenance += int(maintenance_of(risk._replace(price=price), position.size))
    is_liquidated = (int(value) + change) << FRACTION_BITS < (maintenance if required is None else required)
    config = draft.config
    rate = int(config.liquidation_fee) + int(config.liquidation_penalty) if is_liquidated else int(taker)
    costs = Quote(0)
    for market_id, notional in closed:
        costs += share_ceil(notional, min(ONE, Fraction(rate + int(draft.terms[market_id].slippage))))
    move = quote_ceil(Worth(-change))
    stake = max(Quote(0), quote_ceil(value))
    inside = move + costs
    return Stress(name, kind, entry + min(inside, stake), move, costs, max(Quote(0), inside - stake))
