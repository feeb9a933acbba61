"""Scenario margin: losses, offsets and floors against exact fractions; what a hedge may and may not free."""

from __future__ import annotations

from fractions import Fraction as Exact
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.fixed import ONE, percent
from bulkhead.limits import NOTIONAL_WORTH_LIMIT, REQUIREMENT_BITS
from bulkhead.rules.examples import dollars
from bulkhead.rules.grid import MAJORS, OTHERS, SHOCKS_MIN, check_grid, default_grid, signed_percent
from bulkhead.rules.scenario import (
    Exposure,
    Grid,
    Shock,
    exposures,
    health,
    requirement,
    shock_loss,
    sides_of,
    slice_size,
    worst,
    worst_requirement,
)
from bulkhead.rules.terms import ConfigError, Position, Risk
from bulkhead.units import Fraction, Price, Quote, Requirement, Worth
from tests.rules.drawn import WHOLE, books, edges, fractions, quotes

UNIT = WHOLE * WHOLE
GRID = default_grid()
notionals = edges(1 - NOTIONAL_WORTH_LIMIT, NOTIONAL_WORTH_LIMIT - 1).filter(bool).map(Worth)
held_by_groups = st.lists(st.builds(Exposure, st.integers(1, 3), notionals, fractions), max_size=16)
moves = edges(-WHOLE, WHOLE).map(Fraction)
THREE = (1, 2, 3)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any shocks over three groups and any offsets."""
    shocks = tuple(
        Shock(f"shock {k}", tuple((group, draw(moves)) for group in THREE)) for k in range(draw(st.integers(1, 4)))
    )
    return GRID._replace(
        shocks=shocks,
        offset_within=draw(fractions),
        offset_across=draw(fractions),
        floor_gross=draw(fractions),
        floor_net=draw(fractions),
        concentration=draw(fractions),
    )


def exact_loss(held: list[Exposure], shock: Shock, grid: Grid) -> Exact:
    """Capped offsets by definition, position by position."""
    within, across = (Exact(int(share), WHOLE) for share in (grid.offset_within, grid.offset_across))
    net: dict[int, Exact] = {}
    unused: dict[int, Exact] = {}
    for group, move in shock.moves:
        results = [Exact(int(one.notional) * int(move), UNIT) for one in held if one.group == group]
        won, lost = sum(r for r in results if r > 0), -sum(r for r in results if r < 0)
        used = min(won, lost * within)
        net[group], unused[group] = lost - used, won - used
    total = Exact(sum(unused.values()))
    offset = sum(min(net[group] * across, total - unused[group]) for group in net)
    return Exact(sum(net.values())) - min(total, offset)


def exact_requirement(held: list[Exposure], grid: Grid) -> Exact:
    """max(worst loss, floors) + concentration by definition."""
    sizes = [Exact(int(one.notional), WHOLE) for one in held]
    net = sum(abs(sum(size for size, one in zip(sizes, held, strict=True) if one.group == group)) for group in THREE)
    floors = [sum(map(abs, sizes)) * Exact(int(grid.floor_gross), WHOLE), net * Exact(int(grid.floor_net), WHOLE)]
    addition = sum(
        abs(size) * Exact(int(one.interest_share) * int(grid.concentration), UNIT)
        for size, one in zip(sizes, held, strict=True)
    )
    return max([Exact(0), *floors, *(exact_loss(held, shock, grid) for shock in grid.shocks)]) + addition


@given(held_by_groups, grids())
def test_scenario_loss_equals_its_fraction_definition(held: list[Exposure], grid: Grid) -> None:
    for shock in grid.shocks:
        error = Exact(shock_loss(held, shock, grid), UNIT) - exact_loss(held, shock, grid)
        assert 0 <= error < Exact(8, UNIT)  # offsets are rounded down: against the account


@given(held_by_groups, grids())
def test_scenario_requirement_equals_its_fraction_definition(held: list[Exposure], grid: Grid) -> None:
    error = Exact(int(requirement(held, grid)), UNIT) - exact_requirement(held, grid)
    assert 0 <= error < Exact(8 + len(held), UNIT)


@given(quotes, edges(0, 2**94).map(Worth), held_by_groups)
def test_scenario_health_equals_its_fraction_definition(balance: Quote, other: Worth, held: list[Exposure]) -> None:
    now = health(balance, other, held, GRID)
    initial = requirement(held, GRID)
    assert int(now.value) == (int(balance) << 32) + int(other) + sum(int(one.notional) for one in held)
    assert now.initial == initial >= now.maintenance >= now.close_out
    for asked, share in ((now.maintenance, GRID.maintenance), (now.close_out, GRID.close_out)):
        assert 0 <= int(asked) - Exact(int(initial) * int(share), WHOLE) < 1


@given(held_by_groups, grids())
def test_worst_is_the_first_of_the_largest_losses(held: list[Exposure], grid: Grid) -> None:
    losses = [shock_loss(held, shock, grid) for shock in grid.shocks]
    name, most = worst(held, grid)
    assert int(most) == max([0, *losses])
    assert name == ("none" if int(most) == 0 else grid.shocks[losses.index(int(most))].name)


@given(held_by_groups)
def test_scenario_offset_caps(held: list[Exposure]) -> None:
    # Whatever is won, a group keeps a fifth of its loss, and of that at least three fifths remain after others' gains.
    for shock in GRID.shocks:
        by_group = dict(shock.moves)
        lost = sum(
            max(0, -int(one.notional) * int(by_group.get(one.group, Fraction(0)))) for one in held
        )
        loss = shock_loss(held, shock, GRID)
        assert Exact(lost) * Exact(1, 5) * Exact(3, 5) <= loss <= lost


@given(st.lists(notionals, max_size=8), fractions)
def test_scenario_offset_caps_within_one_group_are_not_stretched_by_its_own_gains(
    drawn: list[Worth], share: Fraction
) -> None:
    held = [Exposure(MAJORS, notional, share) for notional in drawn]
    for shock in GRID.shocks:
        move = int(dict(shock.moves)[MAJORS])
        lost = sum(max(0, -int(notional) * move) for notional in drawn)
        assert Exact(shock_loss(held, shock, GRID)) >= Exact(lost, 5)


@given(notionals, st.sampled_from((MAJORS, OTHERS)), fractions)
def test_an_exact_hedge_never_raises_more_than_the_floors(notional: Worth, group: int, share: Fraction) -> None:
    # A second market of the group, exactly as much the other way: the losses fall, only floors may take their place.
    before = [Exposure(group, notional, share)]
    after = [*before, Exposure(group, -notional, Fraction(0))]
    floors = GRID._replace(shocks=())
    assert requirement(after, GRID) <= max(requirement(before, GRID), requirement(after, floors))
    assert worst(after, GRID)[1] < worst(before, GRID)[1]


@given(held_by_groups, held_by_groups)
def test_two_accounts_joined_never_ask_more_than_both(one: list[Exposure], two: list[Exposure]) -> None:
    assert requirement(one + two, GRID) <= requirement(one, GRID) + requirement(two, GRID)


@given(held_by_groups, grids(), st.sampled_from(("offset_within", "offset_across")), fractions)
def test_lowering_an_offset_never_lowers_the_requirement(
    held: list[Exposure], grid: Grid, field: str, share: Fraction
) -> None:
    lower = grid._replace(**{field: min(share, getattr(grid, field))})
    assert int(requirement(held, lower)) >= int(requirement(held, grid)) - 8  # roundings of offsets


@given(held_by_groups, grids(), st.sampled_from(("floor_gross", "floor_net", "concentration")), fractions)
def test_raising_a_floor_never_lowers_the_requirement(
    held: list[Exposure], grid: Grid, field: str, share: Fraction
) -> None:
    higher = grid._replace(**{field: max(share, getattr(grid, field))})
    assert requirement(held, higher) >= requirement(held, grid)


@given(held_by_groups, grids())
def test_another_shock_never_lowers_the_requirement(held: list[Exposure], grid: Grid) -> None:
    assert requirement(held, grid._replace(shocks=grid.shocks[1:])) <= requirement(held, grid)


@given(st.lists(st.builds(Exposure, st.integers(1, 3), notionals, fractions), min_size=16, max_size=16), grids())
def test_scenario_requirement_fits_its_width(held: list[Exposure], grid: Grid) -> None:
    assert int(requirement(held, grid)) < 1 << REQUIREMENT_BITS


@given(books(), st.lists(edges(0, 2**63), min_size=5, max_size=5))
def test_exposures_equal_their_fraction_definition(
    book: tuple[list[object], list[int], tuple[Position, ...]], interest: list[int]
) -> None:
    _, at, held = book
    risks = {k: Risk(Price(price), ()) for k, price in enumerate(at, 1)}
    open_interest = dict(enumerate(interest[:-1], 1))
    for one, seen in zip(held, exposures(held, risks, {k: -k for k in risks}, open_interest), strict=True):
        lots = abs(int(one.size))
        exact = Exact(lots, max(lots, open_interest.get(one.market_id, 0))) * WHOLE
        assert seen[:2] == (-one.market_id, int(one.size) * at[one.market_id - 1])
        assert 0 <= int(seen.interest_share) - exact < 1
        assert seen.interest_share <= ONE


@given(held_by_groups)
def test_sides_hold_everything_once(held: list[Exposure]) -> None:
    sides = sides_of(held)
    assert sum(long - short for long, short in sides.values()) == sum(int(one.notional) for one in held)
    assert sum(long + short for long, short in sides.values()) == sum(abs(int(one.notional)) for one in held)


@given(edges(-(2**63) + 1, 2**63 - 1).filter(bool), st.integers(0, 64))
def test_slices_are_rounded_up_and_all_of_them_are_the_whole(size: int, count: int) -> None:
    part = slice_size(size, count)
    assert 0 <= abs(part) - Exact(abs(size) * count, 64) < 1
    assert part * size >= 0
    assert slice_size(size, 64) == size
    assert slice_size(size, 1, slice_bits=0) == size


choices_by_market = st.lists(
    st.tuples(st.integers(1, 3), st.lists(st.tuples(notionals | st.just(Worth(0)), fractions), min_size=1, max_size=3)),
    min_size=1,
    max_size=4,
).map(lambda drawn: [[Exposure(group, *one) for one in options] for group, options in drawn])


@given(choices_by_market, grids())
def test_worst_requirement_is_never_below_that_of_any_choice(choices: list[list[Exposure]], grid: Grid) -> None:
    most = int(worst_requirement(choices, grid))
    assert most >= max(int(requirement(list(chosen), grid)) for chosen in product(*choices))
    alone = [options[:1] for options in choices]
    assert worst_requirement(alone, grid) == requirement([options[0] for options in alone], grid)


@given(choices_by_market, grids())
def test_worst_requirement_is_the_worst_loss_of_all_choices_where_nothing_else_is_asked(
    choices: list[list[Exposure]], grid: Grid
) -> None:
    nothing = Fraction(0)
    bare = grid._replace(floor_gross=nothing, floor_net=nothing, concentration=nothing)
    assert worst_requirement(choices, bare) == max(worst(chosen, bare)[1] for chosen in product(*choices))


def test_the_default_grid_is_legal_and_breaks_correlations() -> None:
    check_grid(GRID, (MAJORS, OTHERS))
    signs = {tuple((int(move) > 0) - (int(move) < 0) for _, move in shock.moves) for shock in GRID.shocks}
    assert {(1, 1), (-1, -1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1)} == signs
    assert len(GRID.shocks) >= SHOCKS_MIN
    # Every shock has its mirror, so a long and a short of one size ask the same.
    seen = {tuple(int(move) for _, move in shock.moves) for shock in GRID.shocks}
    assert seen == {tuple(-move for move in shock) for shock in seen}
    assert default_grid(5, 9).shocks[0].moves == ((5, signed_percent(-25)), (9, signed_percent(-35)))


@given(held_by_groups)
def test_the_default_grid_treats_long_and_short_alike(held: list[Exposure]) -> None:
    mirrored = [one._replace(notional=-one.notional) for one in held]
    assert requirement(mirrored, GRID) == requirement(held, GRID)


def shocks(*changes: tuple[int, Shock]) -> tuple[Shock, ...]:
    """The default shocks with some replaced."""
    found = list(GRID.shocks)
    for number, shock in changes:
        found[number] = shock
    return tuple(found)


WRONG = [
    (GRID._replace(shocks=GRID.shocks[:15]), "at least 16"),
    (GRID._replace(shocks=shocks((0, GRID.shocks[1]))), "names"),
    (GRID._replace(shocks=shocks((0, Shock("twice", ((1, ONE), (1, ONE)))))), "twice"),
    (GRID._replace(shocks=shocks((0, Shock("far", ((1, ONE + Fraction(1)),))))), "within one"),
    (GRID._replace(offset_within=ONE + Fraction(1)), "offset_within"),
    (GRID._replace(offset_across=Fraction(-1)), "offset_across"),
    (GRID._replace(floor_gross=Fraction(-1)), "floor_gross"),
    (GRID._replace(floor_net=ONE + Fraction(1)), "floor_net"),
    (GRID._replace(concentration=Fraction(-1)), "concentration"),
    (GRID._replace(close_out=GRID.maintenance), "close_out"),
    (GRID._replace(maintenance=ONE), "maintenance"),
    (GRID._replace(close_out=Fraction(0)), "close_out"),
    (GRID._replace(maintenance=percent(99), concentration=ONE), "largest move"),
    (GRID._replace(floor_gross=ONE, floor_net=ONE), "largest move"),
]


@pytest.mark.parametrize(("grid", "words"), WRONG)
def test_grids_that_break_a_rule_are_refused_by_name(grid: Grid, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_grid(grid)


def test_a_group_that_never_falls_is_refused() -> None:
    rising = tuple(shock._replace(moves=((1, percent(5)), (2, shock.moves[1][1]))) for shock in GRID.shocks)
    check_grid(GRID._replace(shocks=rising), (2,))
    with pytest.raises(ConfigError, match="group 1"):
        check_grid(GRID._replace(shocks=rising), (1,))


def test_an_account_without_positions_asks_nothing() -> None:
    now = health(dollars(5), Worth(0), [], GRID)
    assert now.is_initial and int(now.initial) == 0 and worst([], GRID) == ("none", Requirement(0))
