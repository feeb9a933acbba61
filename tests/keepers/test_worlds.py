"""Random crashes: invariants after every command, witnesses that recompute, no domino, and one history twice."""

import random
from functools import cache
from typing import Any

import pytest

from bulkhead.engine.event import Traded
from bulkhead.fixed import percent
from bulkhead.keepers.event import ConditionChanged, MarginCalled, ToppedUp
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.story import story
from bulkhead.keepers.venue import Venue
from bulkhead.keepers.witness import Step, Witness
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.state import Account, Kind, MarginRule, Mode, State
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.units import AccountId, Quote
from tests.keepers.world import DOLLAR, World, configuration, of_kind

SEEDS = range(8)
TRADERS = (192, 256, 320, 384, 448, 512, 576, 640)
STRATEGY, SCENARIO = 576, (448, 640)


def crowd(generator: random.Random, budget: int = 1_000_000) -> World:
    """Two rich makers, eight traders of every mode with little money, some with a backstop and a fund.

    `budget` is what each market may lose, in dollars.
    """
    config = configuration()
    terms_of_all = {"price_age_max_ms": 600_000, "loss_budget": Quote(budget * DOLLAR)}
    markets = tuple(terms._replace(**terms_of_all) for terms in config.markets)
    shocks = tuple(
        shock._replace(moves=tuple((group, move >> 1) for group, move in shock.moves)) for shock in config.grid.shocks
    )
    grid = config.grid._replace(shocks=shocks, concentration=percent(2))
    world = World(config._replace(markets=markets, grid=grid))
    if generator.random() < 0.7:
        world.backstop(generator.choice((500, 20_000)))
    if generator.random() < 0.7:
        world.insure(generator.choice((10, 1_000)))
    world.open(128, 200_000)
    for account_id in TRADERS:
        dollars = generator.randrange(500, 3_000)
        if account_id == STRATEGY:
            world.open(account_id, dollars, kind=Kind.STRATEGY, parent=192)
            world.choose(account_id, 0, Mode.CROSS, cap=generator.choice((0, 500)))
        else:
            rule = MarginRule.SCENARIO if account_id in SCENARIO else MarginRule.LINEAR
            world.open(account_id, 3 * dollars if rule is MarginRule.SCENARIO else dollars, rule=rule)
        if account_id in (256, 320):
            for market_id in (1, 2):
                world.choose(
                    account_id, market_id, Mode.ISOLATED, generator.choice((5, 10)), generator.choice((0, 300))
                )
    world.tick()
    return world


def step(world: World, generator: random.Random) -> None:
    """One random command: mostly orders and prices, and sometimes time."""
    market_id = generator.choice((1, 2, 3))
    index = world.prices[market_id] >> 32
    what = generator.random()
    if what < 0.05:
        world.deposit(generator.choice(TRADERS), generator.randrange(100, 2_000))
    elif what < 0.25:
        sign = generator.choice((1, -1))
        away = generator.randrange(1, 40) * index // 1_000
        world.place(128, market_id, sign * generator.randrange(200, 6_000), index - sign * away)
    elif what < 0.65:
        sign = generator.choice((1, -1))
        reach = generator.randrange(-10, 30) * index // 1_000
        trader = generator.choice(TRADERS)
        most = 12_000 if trader in SCENARIO else 8_000
        world.place(trader, market_id, sign * generator.randrange(100, most), index + sign * reach)
    elif what < 0.95:
        crash = generator.random() < 0.15
        move = generator.randrange(-250, 150) if crash else generator.randrange(-25, 25)
        prices = {market_id: max(1_000, index + index * move // 1_000)}
        if crash:
            others = {other: world.prices[other] >> 32 for other in (1, 2, 3) if other != market_id}
            prices |= {other: max(1_000, price + price * move // 1_500) for other, price in others.items()}
        world.tick(prices, after_ms=generator.choice((1_000, 4_000, 11_000)))
    else:
        world.clock(generator.choice((0, 61_000)))


@cache
def run(seed: int) -> World:
    """A finished world; tests only read it."""
    generator = random.Random(seed)
    world = crowd(generator)
    for _ in range(400):
        step(world, generator)
    return world


def digest(state: State) -> tuple[Any, ...]:
    return (
        state.accounts,
        state.markets,
        state.funds,
        state.custody,
        tuple(state.filled),
        state.counters,
        state.oracle,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_random_worlds_keep_their_invariants_and_their_witnesses(seed: int) -> None:
    world = run(seed)
    witnesses = of_kind(world.events, Witness)
    assert witnesses
    numbers = [event.number for event in world.events]
    assert numbers == list(range(1, len(numbers) + 1))
    for witness in witnesses:
        assert f"Account {witness.account.account_id}" in story(witness)


@pytest.mark.parametrize("seed", [7, 8, 19, 21])
def test_witnesses_recompute_where_a_loss_budget_is_used_up(seed: int) -> None:
    generator = random.Random(seed)
    world = crowd(generator, budget=30)
    if BACKSTOP_ACCOUNT not in world.state.accounts:
        world.backstop(1)
    world.deposit(BACKSTOP_ACCOUNT, 20_000)
    world.insure(5_000)
    for _ in range(250):
        step(world, generator)
    spent = [
        witness
        for witness in of_kind(world.events, Witness)
        for seen in witness.markets
        if seen.terms.market_id == witness.market_id and seen.lost >= seen.terms.loss_budget
    ]
    assert any(witness.step is Step.DELEVERAGING for witness in spent)


def test_the_random_worlds_see_every_kind_of_step() -> None:
    events = [event for seed in SEEDS for event in run(seed).events]
    witnesses = of_kind(events, Witness)
    assert {witness.step for witness in witnesses} == set(Step)
    assert {witness.grid is None for witness in witnesses} == {True, False}
    assert any(witness.covered for witness in witnesses)
    assert any(len(witness.parts) > 1 for witness in witnesses)
    assert of_kind(events, ToppedUp) and of_kind(events, MarginCalled)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_reach_finds_exactly_what_looking_at_everybody_finds(seed: int) -> None:
    world = run(seed)
    twin = World(world.config)
    twin.is_checked = False
    twin.venue.liquidator.is_thorough = True
    for command in world.commands:
        twin.do(command)
    assert twin.events == world.events
    assert digest(twin.state) == digest(world.state)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_the_same_commands_make_the_same_history_across_a_snapshot(seed: int) -> None:
    world = run(seed)
    twin = World(world.config)
    twin.is_checked = False
    for number, command in enumerate(world.commands):
        if number % 40 == 0:
            twin.venue = Venue.load(twin.state, twin.authority, twin.venue.dump())
        twin.do(command)
    assert twin.events == world.events
    assert digest(twin.state) == digest(world.state)


def takers_of(events: list[Any]) -> set[int]:
    """Accounts that a tick's liquidations, top-ups and fills may change."""
    found: set[int] = set()
    for event in events:
        if isinstance(event, Witness):
            found |= {event.account.account_id, *(part.taker_id for part in event.parts)}
        elif isinstance(event, ToppedUp):
            found |= {event.account_id, event.parent_id}
        elif isinstance(event, Traded):
            found |= {event.maker_account_id, event.taker_account_id}
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_no_domino_a_liquidation_touches_nothing_else_of_its_owner(seed: int) -> None:
    """Beside the account and its counterparties only one leaf may change: a parent to which its child was swept."""
    generator = random.Random(seed)
    world = crowd(generator)
    liquidations = 0
    for _ in range(250):
        before: dict[int, Account] = dict(world.state.accounts)
        count = len(world.events)
        step(world, generator)
        events = world.events[count:]
        if not of_kind(events, Witness):
            continue
        liquidations += 1
        allowed = takers_of(events)
        # A maker's or holder's fill settles in his own containers: the account itself or its children.
        families = {account_id & -CHILDREN_PER_ACCOUNT for account_id in allowed - victims(events)}
        for account_id in before.keys() | world.state.accounts.keys():
            old, new = before.get(account_id), world.state.accounts.get(account_id)
            if old == new or account_id in allowed or account_id & -CHILDREN_PER_ACCOUNT in families:
                continue
            assert old is not None and new is not None
            swept = [child for child in victims(events) if before[child].parent_id == account_id]
            assert swept, f"account {account_id} changed"
            assert new.positions == old.positions and new.balance >= old.balance
    assert liquidations


def victims(events: list[Any]) -> set[int]:
    return {int(event.account.account_id) for event in events if isinstance(event, Witness)}


def test_a_changed_witness_does_not_recompute() -> None:
    """Every number of a witness is bound: a lie about any of them is found."""
    (witness,) = [one for one in of_kind(run(0).events, Witness) if one.step is Step.BOOK and one.grid is None][:1]
    assert recompute(witness) == []
    part = witness.parts[0]
    lies = {
        "price": witness._replace(parts=(part._replace(price=part.price + 1), *witness.parts[1:])),
        "size": witness._replace(parts=(part._replace(size=part.size + 1), *witness.parts[1:])),
        "zero price": witness._replace(parts=(part._replace(zero=part.zero + 1), *witness.parts[1:])),
        "most": witness._replace(parts=(part._replace(most=part.most + 1), *witness.parts[1:])),
        "penalty": witness._replace(
            parts=(part._replace(charges=part.charges._replace(penalty=part.charges.penalty + 1)), *witness.parts[1:])
        ),
        "value": witness._replace(before=witness.before._replace(value=witness.before.value + 1)),
        "balance": witness._replace(account=witness.account._replace(balance=witness.account.balance + DOLLAR)),
        "after": witness._replace(after=witness.after._replace(value=witness.after.value + 1)),
        "candidates": witness._replace(candidates=()),
        "index": witness._replace(
            markets=tuple(seen._replace(price=seen.price + (1 << 32)) for seen in witness.markets)
        ),
    }
    for name, lie in lies.items():
        assert recompute(lie), name


def test_conditions_are_a_chain() -> None:
    """Each change of an account's condition begins where its last one ended."""
    standing: dict[AccountId, int] = {}
    for event in of_kind(run(1).events, ConditionChanged):
        assert event.before == standing.get(event.account_id, 1) and event.before != event.after
        standing[event.account_id] = event.after
    assert standing
