"""Scenario (portfolio) margin: collateral for the worst joint move of a signed grid.

Sources: SPAN's scanning risk, Paradex's grid and minimum for hedged positions, OCC's capped offsets between
groups. A hedge frees margin, but never all of it: correlations break in the hour they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bulkhead.fixed import FRACTION_BITS, ratio_floor
from bulkhead.rules.terms import Health, Position, Risks
from bulkhead.units import Fraction, Quote, Requirement, Worth


class Shock(NamedTuple):
    """One joint move: a signed share for each market group."""

    name: str
    moves: tuple[tuple[int, Fraction], ...]  # (group, share of the price)


class Grid(NamedTuple):
    """The signed configuration of scenario margin."""

    shocks: tuple[Shock, ...]
    offset_within: Fraction  # most of a group's loss that gains of the same group may offset
    offset_across: Fraction  # most of the rest that gains of other groups may offset
    floor_gross: Fraction  # least requirement: share of gross notional
    floor_net: Fraction  # and share of the absolute net notional of each group
    concentration: Fraction  # add-on: share of notional for an account that is the whole open interest
    maintenance: Fraction  # maintenance requirement as a share of the initial one
    close_out: Fraction


class Exposure(NamedTuple):
    """A position as scenario margin sees it: its group, signed notional, and share of open interest."""

    group: int
    notional: Worth
    interest_share: Fraction


def exposures(
    positions: Iterable[Position], risks: Risks, groups: Mapping[int, int], open_interest: Mapping[int, int]
) -> list[Exposure]:
    """Positions as exposures. `open_interest` is in lots by market; at least the position itself is open."""
    return [
        Exposure(
            groups[position.market_id],
            position.size * risks[position.market_id].price,
            ratio_floor(
                abs(int(position.size)), max(abs(int(position.size)), int(open_interest.get(position.market_id, 0)))
            ),
        )
        for position in positions
    ]


def shock_loss(held: Iterable[Exposure], shock: Shock, grid: Grid) -> int:
    """Loss of one joint move after capped offsets: quote with 64 fraction bits, never negative.

        of each group:  net = losses − min(gains, 80 % of losses)
        over groups:    Σ net − min(Σ unused gains, 40 % of Σ net)
    """
    moves = dict(shock.moves)
    gains: dict[int, int] = {}
    losses: dict[int, int] = {}
    for exposure in held:
        result = int(exposure.notional) * int(moves.get(exposure.group, 0))
        if result < 0:
            losses[exposure.group] = losses.get(exposure.group, 0) - result
        else:
            gains[exposure.group] = gains.get(exposure.group, 0) + result
    net = unused = 0
    for group in sorted(losses.keys() | gains.keys()):
        lost, won = losses.get(group, 0), gains.get(group, 0)
        used = min(won, lost * int(grid.offset_within) >> FRACTION_BITS)
        net += lost - used
        unused += won - used
    return net - min(unused, net * int(grid.offset_across) >> FRACTION_BITS)


def worst(held: list[Exposure], grid: Grid) -> tuple[str, Requirement]:
    """The shock that loses most, and its loss. The first of equals."""
    name, most = "none", 0
    for shock in grid.shocks:
        loss = shock_loss(held, shock, grid)
        if loss > most:
            name, most = shock.name, loss
    return name, Requirement(most)


def requirement(held: list[Exposure], grid: Grid) -> Requirement:
    """The initial requirement of a scenario account, 64 fraction bits; offsets rounded down, against it.

        max(worst loss, floor on gross, floor on net of each group) + concentration add-on

    Example: long and short 1,000 USD of two markets of one group with a worst shock of 20 %: the gain
    offsets at most 80 % of the loss, so 40 USD; each alone asks 200 USD.
    """
    gross = addition = 0
    nets: dict[int, int] = {}
    for exposure in held:
        notional = int(exposure.notional)
        gross += abs(notional)
        nets[exposure.group] = nets.get(exposure.group, 0) + notional
        addition += abs(notional) * int(exposure.interest_share) * int(grid.concentration) >> FRACTION_BITS
    net = sum(abs(value) for value in nets.values())
    least = max(gross * int(grid.floor_gross), net * int(grid.floor_net))
    return Requirement(max(int(worst(held, grid)[1]), least) + addition)


def health(balance: Quote, collateral: Worth, held: list[Exposure], grid: Grid) -> Health:
    """Value and requirements of a scenario account whose funding is settled (see `margin.health`)."""
    value = int(collateral) + (int(balance) << FRACTION_BITS)
    for exposure in held:
        value += int(exposure.notional)
    initial = int(requirement(held, grid))
    return Health(
        Worth(value),
        Requirement(initial),
        Requirement(initial * int(grid.maintenance) >> FRACTION_BITS),
        Requirement(initial * int(grid.close_out) >> FRACTION_BITS),
    )


def slice_size(size: int, numerator: int, slices: int) -> int:
    """Lots of a position in `numerator` of `slices` equal slices, rounded up in magnitude; signed like size."""
    magnitude = -(-abs(size) * numerator >> slices)
    return magnitude if size > 0 else -magnitude
