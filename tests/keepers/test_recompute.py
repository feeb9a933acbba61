"""Witnesses from anybody: each number a rule reads is bound, nonsense is named, and honest steps are never accused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import cache
from typing import Any

import pytest

from bulkhead.fixed import ONE, percent
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.sound import unsound
from bulkhead.keepers.story import story
from bulkhead.keepers.witness import Leaf, Step, Witness
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, AssetTerms
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Deposit, Register
from bulkhead.units import AccountId, AssetId, Felt, Quote
from tests.keepers.test_worlds import SEEDS, run
from tests.keepers.world import DOLLAR, UNSIGNED, World, configuration, of_kind

MAKER, LONG, SHORT, OTHER, LATE = 128, 192, 256, 320, 384
PER_KIND = 2

STATED = {
    # Names and times of publication.
    "number", "receipt", "parent_id", "account.account_id", "keeper.account_id",
    # Who the makers were and what they earned: the book decides, and their cost is theirs.
    "parts.order_id", "parts.taker_profit",
    # The mark is for stories, the age of a price for the ledger's own check.
    "markets.mark", "markets.price_ms",
    # Funding was paid before the step.
    "account.positions.funding_index", "keeper.positions.funding_index",
    # Initial fractions move with open interest, which the step itself changes.
    "after.initial",
    # Terms that bound orders, feeds and funding, not liquidations.
    *(
        f"markets.terms.{name}"
        for name in (
            "asset_id", "band", "funding_cap", "funding_interest", "open_interest_cap", "open_interest_lower",
            "open_interest_upper", "order_value_max", "price_age_max_ms", "price_step", "resolution", "size_min",
            "synthetic_id", "tick",
        )
    ),
}  # fmt: skip
"""Numbers that no rule of a liquidation reads."""

SOMETIMES = {
    # A lie about these is mostly found before any rule is asked.
    "account.positions.market_id", "keeper.positions.market_id", "markets.terms.market_id",
    # A floor of the grid, or what is left of a budget, decides in few worlds; in one further down it does.
    "grid.floor_net", "budget_left",
}  # fmt: skip


@cache
def witnesses() -> tuple[Witness, ...]:
    """A few of every kind of step from random worlds."""
    kinds: defaultdict[tuple[Any, ...], list[Witness]] = defaultdict(list)
    for seed in SEEDS:
        for witness in of_kind(run(seed).events, Witness):
            kind = (witness.step, witness.grid is None, witness.before.is_bankrupt, len(witness.parts) > 1)
            kinds[kind].append(witness)
    assert {kind[:2] for kind in kinds} >= {(step, is_linear) for step in Step for is_linear in (True, False)}
    return tuple(witness for found in kinds.values() for witness in found[:PER_KIND])


def small(value: int) -> list[int]:
    """Lies that might pass, by a little and by much."""
    far = [value + (1 << 50), value + (1 << 84)]
    return [value + 1, value - 1, value >> 5, value >> 20, (value << 5) + (1 << 20), *far]


def wild(value: int) -> list[int]:
    """Numbers that cannot be."""
    return [0, -value, value + (1 << 70)]


def lies(value: Any, others: Callable[[int], list[int]], path: str = "") -> Iterator[tuple[str, Any]]:
    """The same value with one of its numbers changed, and where that number stands."""
    if value is None or isinstance(value, str | IntEnum):
        return
    if isinstance(value, int):
        yield from ((path, other) for other in others(value) if other != value)
        return
    names = getattr(value, "_fields", None)
    for place, part in enumerate(value):
        inside = path if names is None else f"{path}.{names[place]}".lstrip(".")
        for where, other in lies(part, others, inside):
            parts = [*value[:place], other, *value[place + 1 :]]
            yield where, tuple(parts) if names is None else type(value)(*parts)


def shuffled(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The same value with one element of one of its lists left out, or there twice."""
    names = getattr(value, "_fields", None)
    if not isinstance(value, tuple) or (names is None and value and isinstance(value[0], int | str)):
        return  # a pair has no other length
    for place, part in enumerate(value):
        inside = path if names is None else f"{path}.{names[place]}".lstrip(".")
        for where, other in shuffled(part, inside):
            parts = [*value[:place], other, *value[place + 1 :]]
            yield where, tuple(parts) if names is None else type(value)(*parts)
    if names is None:
        for place in range(len(value)):
            yield path, (*value[:place], *value[place + 1 :])
            yield path, (*value[: place + 1], *value[place:])


def test_every_number_that_a_rule_reads_is_bound() -> None:
    bound: defaultdict[str, bool] = defaultdict(bool)
    for witness in witnesses():
        assert recompute(witness) == []
        for where, lie in lies(witness, small):
            bound[where] |= not unsound(lie) and bool(recompute(lie))
    unbound = {where for where, is_found in bound.items() if not is_found}
    assert sorted(unbound - STATED - SOMETIMES) == [] == sorted(STATED - unbound)


def test_no_number_breaks_the_check_or_the_story() -> None:
    named = 0
    for witness in witnesses():
        for _, lie in lies(witness, wild):
            named += bool(recompute(lie))
            if not unsound(lie):
                assert story(lie)
    assert named > 1_000


def test_what_is_missing_or_there_twice_is_named() -> None:
    found: defaultdict[str, bool] = defaultdict(bool)
    for witness in witnesses():
        for where, lie in shuffled(witness):
            found[where] |= bool(recompute(lie))
    # A leverage that is not in force, or said twice, changes no health here; nor does a shock that is not the worst.
    assert {where for where, is_found in found.items() if not is_found} == set()


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (lambda one: one._replace(account=one.account._replace(positions=())), "holds nothing"),
        (lambda one: one._replace(markets=()), "which is not shown"),
        (lambda one: one._replace(markets=tuple(
            seen._replace(terms=seen.terms._replace(tiers=())) for seen in one.markets)), "tiers must name"),
        (lambda one: one._replace(markets=tuple(
            seen._replace(price=0) for seen in one.markets)), "is no price"),
        (lambda one: one._replace(parts=()), "nothing was closed"),
        (lambda one: one._replace(parts=one.parts * 90), ""),
    ],
)  # fmt: skip
def test_nonsense_is_named(lie: Any, said: str) -> None:
    for witness in witnesses():
        assert any(said in line for line in recompute(lie(witness)))


def world_of(accounts: dict[int, int], **changes: Any) -> World:
    """Accounts with dollars in markets with changed terms, at a price of a dollar. Every witness is recomputed."""
    config = configuration()
    world = World(config._replace(markets=tuple(terms._replace(**changes) for terms in config.markets)))
    for account_id, dollars in accounts.items():
        world.open(account_id, dollars)
    world.tick()
    return world


def test_a_backstop_whose_budget_is_used_up_still_takes_what_makes_it_smaller() -> None:
    accounts = {MAKER: 100_000, LONG: 1_000, SHORT: 1_000_000, OTHER: 2_000, LATE: 1_000}
    world = world_of(accounts, loss_budget=Quote(100 * DOLLAR))
    world.backstop(50_000)
    world.insure(10_000)
    world.trade(LONG, SHORT, 1, 15_000)
    world.trade(OTHER, SHORT, 1, 10_000)
    assert [one.step for one in of_kind(world.tick({1: 945_000}), Witness)] == [Step.BACKSTOP]
    (bankrupt,) = of_kind(world.tick({1: 750_000}), Witness)
    assert bankrupt.step is Step.DELEVERAGING and bankrupt.covered == 100 * DOLLAR and bankrupt.budget_left == 0
    assert recompute(bankrupt._replace(budget_left=Quote(1))), "then the fund would have had to cover more"
    held = int(world.account(BACKSTOP_ACCOUNT).size(1))
    world.trade(MAKER, LATE, 1, 5_000, 750_000)
    (witness,) = of_kind(world.tick({1: 935_000}), Witness)
    assert (witness.step, witness.account.account_id) == (Step.BACKSTOP, LATE)
    assert witness.markets[0].lost == witness.markets[0].terms.loss_budget
    assert int(world.account(BACKSTOP_ACCOUNT).size(1)) == held - 5_000


def test_a_backstop_at_the_last_tier_takes_no_more() -> None:
    accounts = {LONG: 1_000_000, SHORT: 20_000_000, OTHER: 20_000_000}
    world = world_of(accounts, open_interest_cap=Quote(1 << 60), order_value_max=Quote(1 << 50))
    world.backstop(50_000_000)
    world.trade(BACKSTOP_ACCOUNT, SHORT, 1, 7_000_000)
    world.trade(LONG, OTHER, 1, 9_000_000)
    steps = of_kind(world.tick({1: 920_000}), Witness)
    assert [one.step for one in steps] == [Step.BACKSTOP, Step.DELEVERAGING]
    assert int(world.account(BACKSTOP_ACCOUNT).size(1)) == 10_000_000 * 1_000_000 // 920_000


def test_a_backstop_that_settles_in_another_asset_is_not_asked() -> None:
    euro = AssetTerms(AssetId(2), "EUR", Felt(2), DOLLAR, True, ONE - ONE, 1 << 62, percent(10), 60_000)
    config = configuration()
    first, *others = config.markets
    markets = (first._replace(asset_id=AssetId(2)), *others)
    world = World(config._replace(assets=(*config.assets, euro), markets=markets))
    world.backstop(50_000)
    for account_id, amount in ((LONG, 1_000), (SHORT, 1_000_000)):
        key = Felt(1_000 + account_id)
        register = Register(
            world.now, AccountId(account_id), Kind.MAIN, MarginRule.LINEAR, key, 0, AccountId(0), AssetId(2), UNSIGNED
        )
        world.submit(register)
        number = world.state.counters.deposits + 1
        world.submit(Deposit(world.now, number, AccountId(account_id), AssetId(2), amount * DOLLAR))
    world.tick()
    world.trade(LONG, SHORT, 1, 15_000)
    (witness,) = of_kind(world.tick({1: 945_000}), Witness)
    assert witness.step is Step.DELEVERAGING and witness.keeper is None
    backstop = world.account(BACKSTOP_ACCOUNT)
    asked = Leaf(backstop.account_id, backstop.balance, witness.account.collateral, (), ())
    assert recompute(witness._replace(keeper=asked)), "had it been asked, it would have had to take all"
