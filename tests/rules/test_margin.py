"""Margin: health, healthy or healthier, profit lock, liquidation price; each against exact fractions."""

from __future__ import annotations

from fractions import Fraction as Exact

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bulkhead.fixed import FRACTION_BITS, ONE, index_price, percent, requirement, worth
from bulkhead.limits import PRICE_LIMIT
from bulkhead.rules import scenario
from bulkhead.rules.examples import dollars, market
from bulkhead.rules.examples import risk as example_risk
from bulkhead.rules.grid import default_grid
from bulkhead.rules.margin import (
    fill_value,
    haircut_worth,
    health,
    initial_of,
    is_allowed,
    is_healthier,
    leverage_floor,
    liquidation_price,
    maintenance_of,
    only_shrinks,
    row_of,
    shortfall,
    surplus,
    withdrawal_floor,
)
from bulkhead.rules.terms import Health, MarketTerms, Position, risk_of
from bulkhead.units import BookPrice, Fraction, Price, Quote, Requirement, Size, Worth
from tests.rules.drawn import (
    WHOLE,
    books,
    bracket_sum,
    edges,
    exact_initial,
    fractions,
    markets,
    ordinary_prices,
    position_of,
    quotes,
)

UNIT = 1 << (2 * FRACTION_BITS)
values = edges(-(2**95), 2**95).map(Worth)
requirements = edges(0, 2**127).map(Requirement)
Book = tuple[list[MarketTerms], list[int], tuple[Position, ...]]


def exact_health(balance: int, collateral: int, book: Book, scales: list[int], floors: dict[int, int]) -> list[Exact]:
    """Value and the three requirements by definition: bracket sums of exact fractions."""
    value = Exact(balance) + Exact(collateral, WHOLE)
    asked = [Exact(0)] * 3
    for terms, price, position, scale in zip(*book, scales, strict=True):
        notional = Exact(int(position.size) * int(price), WHOLE)
        value += notional
        bounds = [int(tier.bound) for tier in terms.tiers]
        initial = bracket_sum(bounds, [exact_initial(int(t.initial), scale) for t in terms.tiers], abs(notional))
        own = abs(notional) * Exact(floors.get(terms.market_id, 0), WHOLE)
        asked[0] += max(initial, own)
        asked[1] += bracket_sum(bounds, [int(tier.maintenance) for tier in terms.tiers], abs(notional))
        asked[2] += bracket_sum(bounds, [int(tier.close_out) for tier in terms.tiers], abs(notional))
    return [value, *asked]


@given(quotes, edges(0, 2**94), books(), st.lists(fractions, min_size=5, max_size=5), st.data())
def test_health_equals_its_fraction_definition(
    balance: Quote, collateral: int, book: Book, scales: list[Fraction], data: st.DataObject
) -> None:
    terms, at, held = book
    risks = {one.market_id: risk_of(one, Price(price), scale)
             for one, price, scale in zip(terms, at, scales, strict=False)}
    chosen = data.draw(st.sets(st.sampled_from(sorted(risks)))) if risks else set()
    floors = {market_id: leverage_floor(data.draw(st.integers(1, 100))) for market_id in chosen}
    now = health(balance, Worth(collateral), held, risks, floors)
    exact = exact_health(int(balance), collateral, book, [int(scale) for scale in scales[: len(terms)]], floors)
    assert Exact(int(now.value), WHOLE) == exact[0]
    assert [Exact(int(asked), UNIT) for asked in now[1:]] == exact[1:]
    for position in held:
        risk = risks[position.market_id]
        floor = floors.get(position.market_id, Fraction(0))
        alone = health(Quote(0), Worth(0), [position], risks, floors)
        assert maintenance_of(risk, position.size) == alone.maintenance
        assert initial_of(risk, position.size, floor) == alone.initial


@given(books())
def test_requirements_fall_from_initial_to_close_out(book: Book) -> None:
    terms, at, held = book
    risks = {one.market_id: risk_of(one, Price(price)) for one, price in zip(terms, at, strict=True)}
    now = health(Quote(0), Worth(0), held, risks)
    assert now.initial >= now.maintenance >= now.close_out
    assert not held or int(now.close_out) > 0  # a position always asks something: nothing rounds to a free option


@given(edges(1, 2**58), markets(1))
def test_row_of_is_the_first_whose_bound_is_not_below(notional: int, terms: MarketTerms) -> None:
    risk = risk_of(terms, Price(1))
    found = next((row for row in risk.rows if notional <= int(row.bound)), risk.rows[-1])
    assert row_of(risk, notional) is found


@given(values, requirements, values, requirements)
@example(Worth(-1), Requirement(5), Worth(-1), Requirement(0))
@example(Worth(-1), Requirement(5), Worth(0), Requirement(0))
def test_healthier_equals_its_fraction_definition(
    value0: Worth, asked0: Requirement, value1: Worth, asked1: Requirement
) -> None:
    assume(int(asked0) > 0)  # sizes only shrink: a requirement after means one before
    before = Health(value0, asked0, asked0, asked0)
    after = Health(value1, asked1, asked1, asked1)
    if int(asked1) == 0:
        assert is_healthier(before, after) == (int(value1) >= 0)
    else:
        rose = Exact(int(value1), int(asked1)) >= Exact(int(value0), int(asked0))
        assert is_healthier(before, after) == rose


healths = st.builds(Health, values, requirements, requirements, requirements)


@given(healths, healths, st.booleans(), st.booleans())
def test_healthy_or_healthier_and_nothing_else(before: Health, after: Health, new: bool, shrinks: bool) -> None:
    asked: list[Health] = []

    def lazily() -> Health:
        asked.append(before)
        return before

    allowed = is_allowed(lazily, after, is_new_risk=new, only_shrinks=shrinks)
    healthy = after.is_initial if new else after.is_maintained
    assert allowed == (healthy or (shrinks and is_healthier(before, after)))
    assert bool(asked) == (not healthy and shrinks)


@given(st.lists(edges(-5, 5), min_size=3, max_size=3), st.lists(edges(-5, 5), min_size=3, max_size=3))
def test_only_shrinks_equals_its_definition(before: list[int], after: list[int]) -> None:
    held = [[position_of(k, size) for k, size in enumerate(sizes, 1) if size] for sizes in (before, after)]
    pairs = zip(before, after, strict=True)
    assert only_shrinks(*held) == all(0 <= now <= was or was <= now <= 0 for was, now in pairs)


@given(quotes, books(), fractions)
def test_profit_lock_equals_its_fraction_definition(balance: Quote, book: Book, share: Fraction) -> None:
    terms, at, held = book
    risks = {one.market_id: risk_of(one, Price(price)) for one, price in zip(terms, at, strict=True)}
    now = health(balance, Worth(0), held, risks)
    gross = sum(abs(Exact(int(p.size) * int(risks[p.market_id].price), WHOLE)) for p in held)
    least = max(Exact(int(now.initial), UNIT), gross * Exact(int(share), WHOLE))
    assert withdrawal_floor(now, held, risks, share) == (Exact(int(now.value), WHOLE) >= least)


@given(values, requirements)
def test_shortfall_and_surplus_are_the_least_and_the_most(value: Worth, wanted: Requirement) -> None:
    missing, spare = shortfall(wanted, value), surplus(value, wanted)
    assert int(missing) >= 0 and int(spare) >= 0 and (int(missing) == 0 or int(spare) == 0)
    assert requirement(value + worth(missing)) >= wanted
    assert int(missing) == 0 or requirement(value + worth(missing - Quote(1))) < wanted
    assert int(spare) == 0 or requirement(value - worth(spare)) >= wanted
    assert requirement(value - worth(spare + Quote(1))) < wanted


@given(edges(0, 2**94), fractions)
def test_haircut_counts_less_never_more(amount: int, haircut: Fraction) -> None:
    exact = Exact(amount) * (1 - Exact(int(haircut), WHOLE))
    assert 0 <= exact - int(haircut_worth(Worth(amount), haircut)) < 1


@given(st.integers(1, 100))
def test_leverage_never_asks_less_than_its_part(leverage: int) -> None:
    assert 0 <= Exact(int(leverage_floor(leverage)), WHOLE) - Exact(1, leverage) < Exact(1, WHOLE)


@given(edges(-(2**30), 2**30), edges(1, 2**32 - 1))
def test_fill_value_is_exact(size: int, price: int) -> None:
    assert int(fill_value(Size(size), BookPrice(price))) == size * price


@settings(max_examples=60)
@given(
    st.lists(st.tuples(ordinary_prices, edges(-(10**6), 10**6)), min_size=2, max_size=4),
    st.integers(-(10**11), 10**12),
    st.booleans(),
)
def test_liquidation_price_is_the_boundary(
    drawn: list[tuple[Price, int]], balance: int, is_scenario: bool
) -> None:
    # The whole account, both rules: one step of 2^-32 further it is maintained, and nowhere beyond the other way.
    held = tuple(position_of(number, size or 1) for number, (_, size) in enumerate(drawn, 1))
    at = {number: price for number, (price, _) in enumerate(drawn, 1)}
    groups = {number: 1 + number % 2 for number in at}

    def is_maintained_at(price: Price) -> bool:
        risks = {number: risk_of(market(number), price if number == 1 else at[number]) for number in at}
        if is_scenario:
            seen = scenario.exposures(held, risks, groups, {1: 10**7})
            return scenario.health(Quote(balance), Worth(0), seen, default_grid()).is_maintained
        return health(Quote(balance), Worth(0), held, risks).is_maintained

    side = 1 if int(held[0].size) > 0 else -1
    found = liquidation_price(side, is_maintained_at)
    best = PRICE_LIMIT - 1 if side > 0 else 1
    probes = [1, 2, 2**16, 2**40, 2**52, 2**60, PRICE_LIMIT - 2, PRICE_LIMIT - 1]
    if found is None:
        assert all(is_maintained_at(Price(price)) for price in probes)
    elif int(found) == best:
        assert not any(is_maintained_at(Price(price)) for price in probes)
    else:
        assert not is_maintained_at(found)
        assert is_maintained_at(found + Price(side))
        for price in probes:
            assert is_maintained_at(Price(price)) == (side * price > side * int(found))


def test_a_small_long_is_never_liquidatable_and_a_bankrupt_one_always() -> None:
    assert liquidation_price(1, lambda price: True) is None
    assert liquidation_price(1, lambda price: False) == Price(PRICE_LIMIT - 1)
    assert liquidation_price(-1, lambda price: False) == Price(1)


def test_two_brackets_by_hand() -> None:
    # 150,000 USD: 5 % of 100,000 and 10 % of 50,000 is 10,000 USD; the shares' last bits round up.
    asked = initial_of(example_risk(), Size(150_000), Fraction(0))
    assert 0 <= int(asked) - (int(dollars(10_000)) << 64) < 150_000 * 10**6 << 32
    assert example_risk().price == index_price(BookPrice(1_000_000))
    assert percent(100) == ONE
