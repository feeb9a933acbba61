"""Scenario (portfolio) margin: collateral for the worst joint move of a signed grid.

Sources: SPAN's scanning risk, Paradex's grid and minimum for hedged positions, OCC's capped offsets between
groups. A hedge frees margin, but never all of it: correlations break in the hour they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bulkhead.fixed import (
    FRACTION_BITS,
    ONE,
    mul_div_ceil,
    mul_div_floor,
    ratio_ceil,
    requirement_share_ceil,
)
from bulkhead.rules.terms import Health, Position, Risks
from bulkhead.units import Fraction, Quote, Requirement, Worth

WHOLE = int(ONE)
SLICE_BITS = 6
"""A liquidation takes whole 64ths of every position."""


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


Sides = dict[int, tuple[int, int]]
"""By group: notional held long and notional held short, both positive, 32 fraction bits."""


def exposures(
    positions: Iterable[Position], risks: Risks, groups: Mapping[int, int], open_interest: Mapping[int, int]
) -> list[Exposure]:
    """Positions as exposures. `open_interest` is in lots by market; at least the position itself is open.

        notional = size · index;  share = |size| / max(|size|, open interest)

    Units: notional is a worth, exact; the share is a Fraction, rounded up.
    Source: ours: a share of open interest says how hard a position is to leave.

    10 lots short at 1 USD of 40 that are open:

    >>> exposures([position(1, -10)], {1: risk()}, {1: 7}, {1: 40}) == [Exposure(7, worth(dollars(-10)), percent(25))]
    True
    """
    held: list[Exposure] = []
    for market_id, size, _, _ in positions:
        lots = abs(int(size))
        share = ratio_ceil(lots, max(lots, open_interest.get(market_id, 0)))
        held.append(Exposure(groups[market_id], size * risks[market_id].price, share))
    return held


def sides_of(held: Iterable[Exposure]) -> Sides:
    """Notional held long and short in each group: all that a shock needs to know, for it moves a group as one.

    Units: 32 fraction bits, both positive; exact, nothing is rounded.
    Source: ours: the sums that SPAN's scanning needs.

    >>> [sides_of([Exposure(7, Worth(30), Fraction(0)), Exposure(7, Worth(-20), Fraction(0))])]
    [{7: (30, 20)}]
    """
    sides: Sides = {}
    for group, notional, _ in held:
        amount = int(notional)
        long, short = sides.get(group, (0, 0))
        sides[group] = (long + amount, short) if amount > 0 else (long, short - amount)
    return sides


def shock_loss(held: Iterable[Exposure], shock: Shock, grid: Grid) -> int:
    """Loss of one joint move after capped offsets, never negative.

        of each group:  used = min(gains, 80 % of losses);  net = losses − used;  unused = gains − used
        over groups:    Σ net − min(Σ min(40 % of net, unused of other groups), Σ unused)

    Units: quote with 64 fraction bits; offsets rounded down, against the account.
    Source: OCC's offsets within and across product groups, capped.

    Long 1,000 USD and short 1,000 USD of two markets of one group, which falls by 30 %: 300 USD lost and 300
    won, of which 240 count; long one group and short another that fall together: 180 of 300 USD remain lost:

    >>> grid = default_grid()
    >>> crash = Shock("crash", ((1, -percent(30)), (2, -percent(30))))
    >>> def pair(group: int) -> list[Exposure]:
    ...     return [Exposure(1, worth(dollars(1_000)), NO_SCALE), Exposure(group, worth(dollars(-1_000)), NO_SCALE)]
    >>> [in_dollars(Requirement(shock_loss(pair(group), crash, grid))) for group in (1, 2)]
    [60, 180]
    """
    return _loss(sides_of(held), shock, grid)


def _loss(sides: Sides, shock: Shock, grid: Grid) -> int:
    within, across = int(grid.offset_within), int(grid.offset_across)
    net = unused = 0
    results: list[tuple[int, int]] = []
    for group, move in shock.moves:
        if group not in sides:
            continue
        long, short = sides[group]
        share = int(move)
        if share < 0:
            share = -share
            long, short = short, long  # a fall is a rise to whoever is short
        won, lost = long * share, short * share
        used = min(won, mul_div_floor(lost, within, WHOLE))
        net += lost - used
        unused += won - used
        if lost > used:
            results.append((lost - used, won - used))
    if not unused or not net:
        return net
    # What a group could not use of its own gains is no help to itself, or 80 % would become 88 %.
    offset = 0
    for own_net, own_unused in results:
        offset += min(mul_div_floor(own_net, across, WHOLE), unused - own_unused)
    return net - min(offset, unused)


def worst(held: Iterable[Exposure], grid: Grid) -> tuple[str, Requirement]:
    """The shock that loses most, and its loss. The first of equals; "none" when nothing is lost.

    Units: quote with 64 fraction bits; rounded as in `shock_loss`.
    Source: SPAN's scanning risk.

    A long in group 1 fears the fall of its group most:

    >>> worst([Exposure(1, worth(dollars(1_000)), NO_SCALE)], default_grid())[0]
    'all fall'
    """
    return _worst(sides_of(held), grid)


def _worst(sides: Sides, grid: Grid) -> tuple[str, Requirement]:
    name, most = "none", 0
    for shock in grid.shocks:
        loss = _loss(sides, shock, grid)
        if loss > most:
            name, most = shock.name, loss
    return name, Requirement(most)


def requirement(held: list[Exposure], grid: Grid) -> Requirement:
    """The initial requirement of a scenario account.

        max(worst loss, floor · gross, floor · Σ |net of each group|)
            + Σ |notional| · share of open interest · concentration

    Units: quote with 64 fraction bits; offsets rounded down and the add-on up, both against the account.
    Source: SPAN (worst loss), Paradex (least requirement of hedged and net); the add-on for concentration is ours.

    Alone, 1,000 USD of the default grid's group 2 ask for 350 USD (its worst move is 35 %); with a hedge of
    1,000 USD in the same group, 70 USD, for gains offset at most 80 % of losses:

    >>> one, other = (Exposure(2, worth(dollars(amount)), NO_SCALE) for amount in (1_000, -1_000))
    >>> [in_dollars(requirement(held, default_grid())) for held in ([one], [one, other])]
    [350, 70]
    """
    sides = sides_of(held)
    gross = sum(long + short for long, short in sides.values())
    net = sum(abs(long - short) for long, short in sides.values())
    addition = 0
    for _, notional, share in held:
        addition += int(requirement_share_ceil(abs(notional) * share, grid.concentration))
    least = max(gross * int(grid.floor_gross), net * int(grid.floor_net))
    return Requirement(max(int(_worst(sides, grid)[1]), least) + addition)


def worst_requirement(choices: Sequence[Sequence[Exposure]], grid: Grid) -> Requirement:
    """The most that an account may come to be asked when each market ends at one of several exposures.

        max(worst loss, floor · gross, floor · Σ |net of each group|) + add-on, each at its own worst choice

    More loss in one market, or less gain, never lowers the loss of a shock, for offsets are below one: so in each
    shock every market is taken where it does worst, and the product of all choices need not be gone through. Each
    market has at least one exposure, a notional of zero if it may hold nothing.

    Units: quote with 64 fraction bits; rounded as in `requirement`, which it equals where nothing is to choose.
    Source: ours; SPAN and others margin open orders at the worst of all bought and all sold.

    1,000 USD long in group 2 ask 350 USD; with an order that may add a hedge, or as much again, 700 USD:

    >>> long, short = (Exposure(2, worth(dollars(amount)), NO_SCALE) for amount in (1_000, -1_000))
    >>> nothing = Exposure(2, Worth(0), NO_SCALE)
    >>> in_dollars(worst_requirement([[long], [nothing]], default_grid()))
    350
    >>> in_dollars(worst_requirement([[long], [nothing, short, long]], default_grid()))
    700
    """
    least: Sides = {}  # by group: most that may be held net long, and net short
    gross = addition = most = 0
    for options in choices:
        amounts = [int(one.notional) for one in options]
        gross += max(map(abs, amounts))
        long, short = least.get(options[0].group, (0, 0))
        least[options[0].group] = (long + max(amounts), short - min(amounts))
        addition += max(
            int(requirement_share_ceil(abs(one.notional) * one.interest_share, grid.concentration)) for one in options
        )
    for shock in grid.shocks:
        moves = {group: int(move) for group, move in shock.moves}
        taken = [min(options, key=lambda one: int(one.notional) * moves.get(one.group, 0)) for options in choices]
        most = max(most, _loss(sides_of(taken), shock, grid))
    net = sum(max(long, short, 0) for long, short in least.values())
    return Requirement(max(most, gross * int(grid.floor_gross), net * int(grid.floor_net)) + addition)


def health(balance: Quote, collateral: Worth, held: list[Exposure], grid: Grid) -> Health:
    """Value and requirements of a scenario account whose funding is settled (see `margin.health`).

        value = balance + collateral + Σ notional
        maintenance = initial · share of the grid;  close-out likewise

    Units: value has 32 fraction bits, exact; requirements 64, maintenance and close-out rounded up.
    Source: as `margin.health`; Paradex asks a fixed share of the initial requirement for maintenance.

    1,000 USD long in group 2, 300 of it the trader's own: short of the initial 350 USD, above 210 and 140:

    >>> now = health(dollars(-700), Worth(0), [Exposure(2, worth(dollars(1_000)), NO_SCALE)], default_grid())
    >>> quote_floor(now.value) == dollars(300), [in_dollars(asked) for asked in now[1:]]
    (True, [350, 210, 140])
    """
    value = int(collateral) + (int(balance) << FRACTION_BITS)
    for exposure in held:
        value += int(exposure.notional)
    initial = requirement(held, grid)
    return Health(
        Worth(value),
        initial,
        requirement_share_ceil(initial, grid.maintenance),
        requirement_share_ceil(initial, grid.close_out),
    )


def slice_size(size: int, numerator: int, slice_bits: int = SLICE_BITS) -> int:
    """Lots of a position in `numerator` of 2^`slice_bits` equal slices; signed like the size.

    Units: lots; rounded up in magnitude, so that all slices together are the whole position.
    Source: Paradex (equal shares of all positions), in 64ths instead of fifths.

    Ten 64ths of 100 lots are 15.6:

    >>> slice_size(100, 10), slice_size(-100, 10), slice_size(100, 64)
    (16, -16, 100)
    """
    magnitude = mul_div_ceil(abs(size), numerator, 1 << slice_bits)
    return magnitude if size > 0 else -magnitude
