"""Single rules of the kernel against `rules/`: requirements, the choice of position, zero prices, lots; bad input."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bulkhead.fixed import percent
from bulkhead.lab.compiled import kernel
from bulkhead.lab.kernel import Accounts, Impact, KernelError, Venue, run
from bulkhead.lab.kernel.linear import MARKS, MONEY, choose, health, minimal_lots, share_ceil, share_floor, zero_price
from bulkhead.lab.kernel.run import course_of
from bulkhead.lab.kernel.scan import run_accounts
from bulkhead.lab.kernel.scenario import scenario_initial
from bulkhead.lab.paths import Paths
from bulkhead.rules import liquidation, margin, scenario
from bulkhead.rules.terms import ConfigError, Position, Risk, risk_of
from bulkhead.units import BookPrice, FundingIndex, MarketId, Price, Quote, Size, Worth
from tests.lab.kernel.worlds import accounts_of, paths_of, venue_of

UNIT = 1.0


@kernel
def health_there(rules, size, price, balance):  # type: ignore[no-untyped-def]
    return health(rules, size, price, balance)


@kernel
def choose_there(rules, size, price):  # type: ignore[no-untyped-def]
    return choose(rules, size, price)


@kernel
def zero_there(size, price, value, share):  # type: ignore[no-untyped-def]
    return zero_price(size, price, value, share)


@kernel
def lots_there(rules, market, size, price, fill, zero, value, rest):  # type: ignore[no-untyped-def]
    return minimal_lots(rules, market, size, price, fill, zero, value, rest)


@kernel
def shares_there(amount, bits):  # type: ignore[no-untyped-def]
    return share_floor(amount, bits), share_ceil(amount, bits)


@kernel
def initial_there(rules, size, price):  # type: ignore[no-untyped-def]
    groups = rules.moves.shape[1]
    return scenario_initial(rules, size, price, np.empty(groups), np.empty(groups))


def case(seed: int) -> tuple[Venue, Accounts, dict[int, Risk], np.ndarray, tuple[Position, ...]]:
    """A venue, one account, prices that have moved."""
    draw = np.random.default_rng(seed)
    venue = venue_of(draw, int(draw.integers(1, 9)))
    accounts = accounts_of(draw, venue, 1)
    lots = np.rint(venue.start * 2**32 * np.exp(0.2 * draw.standard_normal(len(venue.markets)))).astype(int)
    risks = {
        int(terms.market_id): risk_of(terms, Price(int(price)))
        for terms, price in zip(venue.markets, lots, strict=True)
    }
    held = tuple(
        Position(MarketId(terms.market_id), Size(int(size)), Quote(0), FundingIndex(0))
        for terms, size in zip(venue.markets, accounts.size[0], strict=True)
        if size
    )
    return venue, accounts, risks, lots / 2**32, held


@pytest.mark.parametrize("seed", range(40))
def test_value_and_requirements_are_those_of_the_rules(seed: int) -> None:
    """Linear and scenario, within one unit; the chosen position and its zero price exactly."""
    venue, accounts, risks, price, held = case(seed)
    rules, size = venue.rules, accounts.size[0]
    exact = margin.health(Quote(int(accounts.balance[0])), Worth(0), held, risks)
    value, maintenance, close_out = health_there(rules, size, price, accounts.balance[0])
    assert abs(value - int(exact.value) / 2**32) <= UNIT
    assert abs(maintenance - int(exact.maintenance) / 2**64) <= UNIT
    assert abs(close_out - int(exact.close_out) / 2**64) <= UNIT
    terms = {int(one.market_id): one for one in venue.markets}
    position = liquidation.choose(held, risks, terms)
    place = choose_there(rules, size, price)
    assert venue.markets[place].market_id == position.market_id
    risk = risks[int(position.market_id)]
    own = int(margin.maintenance_of(risk, position.size)) / 2**64
    zero = liquidation.linear_zero_price(position, risk, exact)
    assert zero_there(size[place], price[place], value, own / maintenance) == int(zero)
    interest = {int(one.market_id): int(lots) for one, lots in zip(venue.markets, rules.interest, strict=True)}
    groups = {int(one.market_id): one.group for one in venue.markets}
    asked = scenario.requirement(scenario.exposures(held, risks, groups, interest), venue.grid)
    assert abs(initial_there(rules, size, price) - int(asked) / 2**64) <= UNIT


@pytest.mark.parametrize("seed", range(40))
def test_lots_are_minimal_as_the_rule_says(seed: int) -> None:
    """The same number of lots, tiers and charges included, for an account between close-out and maintenance."""
    venue, accounts, risks, price, held = case(seed)
    rules, size = venue.rules, accounts.size[0]
    terms = {int(one.market_id): one for one in venue.markets}
    before = margin.health(Quote(0), Worth(0), held, risks)
    between = (int(before.maintenance) * 3 + int(before.close_out)) // 4 >> 64  # a value that makes it liquidatable
    balance = Quote(between - (int(before.value) >> 32))
    exact = margin.health(balance, Worth(0), held, risks)
    assert exact.is_above_close_out and not exact.is_maintained
    position = liquidation.choose(held, risks, terms)
    place = next(k for k, one in enumerate(venue.markets) if one.market_id == position.market_id)
    risk, side = risks[int(position.market_id)], (1 if int(position.size) > 0 else -1)
    zero = liquidation.linear_zero_price(position, risk, exact)
    fill = BookPrice(max(1, int(price[place] * (1 - side * 0.001))))
    closing = liquidation.Closing(
        position, risk, exact, fill, zero, (venue.fee, venue.penalty), venue.target, Quote(0)
    )
    value, maintenance, _ = health_there(rules, size, price, float(int(balance)))
    rest = maintenance - int(margin.maintenance_of(risk, position.size)) / 2**64
    found = lots_there(rules, place, size[place], price[place], float(int(fill)), float(int(zero)), value, rest)
    assert found == int(liquidation.step_size(closing))


def maintained(
    balance: Quote, held: tuple[Position, ...], risks: dict[int, Risk], market_id: int, at: Price
) -> bool:
    """Whether the account keeps its maintenance when one market's price is another."""
    moved = {**risks, market_id: risks[market_id]._replace(price=at)}
    return margin.health(balance, Worth(0), held, moved).is_maintained


def test_liquidation_price_is_where_the_kernel_liquidates() -> None:
    """At the rule's liquidation price the account is liquidated, one 2^-32 better it is not."""
    checked = 0
    for seed in range(60):
        venue, accounts, risks, price, held = case(seed)
        balance = Quote(int(accounts.balance[0]))
        market_id = int(held[0].market_id)
        place = next(k for k, one in enumerate(venue.markets) if one.market_id == market_id)
        side = 1 if int(held[0].size) > 0 else -1

        found = margin.liquidation_price(side, partial(maintained, balance, held, risks, market_id))
        if found is None or not venue.start[place] / 4 < int(found) / 2**32 < venue.start[place] * 4:
            continue
        checked += 1
        rules, size = venue.rules, accounts.size[0]
        for off, liquidated in ((0, True), (side * max(1, int(found) >> 40), False)):
            there = price.copy()
            there[place] = (int(found) + off) / 2**32
            value, maintenance, _ = health_there(rules, size, there, accounts.balance[0])
            assert (value < maintenance) == liquidated or abs(value - maintenance) < UNIT
    assert checked > 20


def test_charges_are_whole_numbers_exactly() -> None:
    """Shares of amounts up to 2^53 are those of integers, which floats of the product would miss."""
    draw = np.random.default_rng(5)
    for amount, bits in zip(draw.integers(0, 2**53, 500), draw.integers(0, 2**31, 500), strict=True):
        product = int(amount) * int(bits)
        assert shares_there(float(amount), int(bits)) == (product >> 32, -(-product >> 32))


def test_results_do_not_depend_on_threads_or_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    venue = venue_of(draw, 4)
    accounts, paths = accounts_of(draw, venue, 150), paths_of(draw, venue, 3, 300)
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("BULKHEAD_THREADS", threads)
        found.append(run(venue, accounts, paths))
    for other in found[1:]:
        assert (other.money == found[0].money).all() and (other.marks == found[0].marks).all()
        np.testing.assert_allclose(other.by_market, found[0].by_market, rtol=1e-12)
    assert (found[0].by_market[:, 1].sum(axis=1) == found[0].bad_debt.sum(axis=1)).all()


@pytest.mark.parametrize("seed", range(4))
def test_bounds_rule_out_only_what_does_not_happen(seed: int) -> None:
    """With blocks skipped by bounds, and with every step looked at: the same bits."""
    draw = np.random.default_rng(seed)
    venue = venue_of(draw, 5)
    accounts = accounts_of(draw, venue, 40)
    calm = paths_of(draw, venue, 2, 1_300)
    paths = replace(calm, ratio=calm.ratio ** np.float32(0.25))  # so that there is something to rule out
    course = course_of(venue, paths)
    found = []
    for is_thorough in (False, True):
        money, marks = np.empty((2, 40, MONEY)), np.empty((2, 40, MARKS), np.int32)
        chosen = course._replace(is_thorough=is_thorough)
        run_accounts(
            venue.rules, chosen, accounts.size, accounts.balance, accounts.is_scenario, 0, 2, 0, 40, money, marks,
            np.zeros((2, 2, 5)),
        )
        found.append((money, marks))
    assert (found[0][0] == found[1][0]).all() and (found[0][1] == found[1][1]).all()
    assert 0 < (found[0][1][..., 0] >= 0).mean() < 1


def test_bad_input_is_named() -> None:
    draw = np.random.default_rng(1)
    venue = venue_of(draw, 2)
    paths = paths_of(draw, venue, 1, 10)
    accounts = accounts_of(draw, venue, 2)
    with pytest.raises(KernelError, match="account 1: size must be whole"):
        Accounts(np.array([[1.0, 2.0], [0.5, 1.0]]), np.zeros(2), np.zeros(2, bool))
    with pytest.raises(KernelError, match="account 0: balance must be whole"):
        Accounts(np.zeros((1, 2)), np.array([np.nan]), np.zeros(1, bool))
    with pytest.raises(KernelError, match="more than 16 positions"):
        Accounts(np.ones((1, 17)), np.zeros(1), np.zeros(1, bool))
    with pytest.raises(KernelError, match="paths of .* for a venue of"):
        run(venue, accounts, replace(paths, symbols=("ONE", "OTHER")))
    for wrong in (0.0, -1.0, np.nan, np.inf):
        ratio = paths.ratio.copy()
        ratio[0, 7, 1] = wrong
        with pytest.raises(KernelError, match=r"path 0, step 7: .* is .*; a price is above zero"):
            run(venue, accounts, Paths(venue.symbols, 60_000, ratio, "test", 0))
    with pytest.raises(KernelError, match="prices above zero"):
        replace(venue, prices=(1.0, -1.0))
    with pytest.raises(KernelError, match="an impact is of shares"):
        replace(venue, impact=(Impact(), Impact(most=1.5)))
    with pytest.raises(ConfigError, match="penalty must be"):
        replace(venue, penalty=percent(60))
    with pytest.raises(KernelError, match="no market NONE here"):
        venue.select(("NONE",))
