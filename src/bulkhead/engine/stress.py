"""What an account could lose: every joint move of the scenario grid, each correlation broken, each market alone.

Margin rules trust correlations a little; this page trusts none. Losses are those of the account's owner: they end
where the account does, for what is beyond its value falls on the insurance fund and the other side.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    worst: dict[Break, Stress] = {}
    value = health_of(draft, account).value
    required = int(health_of(draft, account).maintenance) if account.rule is MarginRule.SCENARIO else None
    for name, kind, shares in moves(draft, account):
        found = _stress(draft, account, (name, kind, shares), (value, entry, taker), required)
        if kind not in worst or found.loss > worst[kind].loss:
            worst[kind] = found
    if not worst:
        return [Stress("no position", Break.NONE, entry, Quote(0), Quote(0), Quote(0))]
    return sorted(worst.values(), key=lambda stress: (-int(stress.loss), stress.kind))


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
        price = Price(max(1, int(risk.price) + (int(risk.price) * shares[market_id] >> FRACTION_BITS)))
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
