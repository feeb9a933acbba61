"""Terms: scaling by open interest, tiers made ready, and configurations that are refused."""

from __future__ import annotations

from fractions import Fraction as Exact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.fixed import FRACTION_BITS, ONE, index_price, percent
from bulkhead.limits import POSITION_LIMIT
from bulkhead.rules.examples import dollars, market
from bulkhead.rules.margin import initial_of, maintenance_of
from bulkhead.rules.terms import (
    ConfigError,
    Health,
    MarketTerms,
    Side,
    Tier,
    check_terms,
    open_interest_scale,
    risk_of,
)
from bulkhead.units import BookPrice, Fraction, MarketId, Price, Quote, Requirement, Size, Worth
from tests.rules.drawn import WHOLE, edges, fractions, markets


@given(edges(0, 2**58), edges(1, 2**58), edges(0, 2**95))
def test_open_interest_scaling_equals_its_fraction_definition(lower: int, span: int, interest: int) -> None:
    terms = market(open_interest_lower=Quote(lower), open_interest_upper=Quote(lower + span))
    exact = min(Exact(1), max(Exact(0), (Exact(interest, WHOLE) - lower) / span))
    scale = int(open_interest_scale(terms, Worth(interest)))
    assert 0 <= scale - exact * WHOLE < 1


@given(markets(1), fractions, fractions)
def test_open_interest_scaling_never_lowers_a_requirement(terms: MarketTerms, one: Fraction, two: Fraction) -> None:
    lower, upper = sorted((one, two))
    rows = [risk_of(terms, Price(1), scale).rows for scale in (lower, upper)]
    for before, after in zip(*rows, strict=True):
        assert before.initial <= after.initial <= ONE
        assert (before.maintenance, before.close_out) == (after.maintenance, after.close_out)


@given(markets(1))
def test_open_interest_scaling_ends_at_one_and_begins_at_the_tier(terms: MarketTerms) -> None:
    assert [row.initial for row in risk_of(terms, Price(1), ONE).rows] == [ONE] * len(terms.tiers)
    assert [row.initial for row in risk_of(terms, Price(1)).rows] == [tier.initial for tier in terms.tiers]


@given(markets(1), fractions)
def test_requirement_is_continuous_at_every_tier_bound(terms: MarketTerms, scale: Fraction) -> None:
    rows = risk_of(terms, Price(1), scale).rows
    for below, above in zip(rows, rows[1:], strict=False):
        bound = int(below.bound)
        for share, deduction in ((1, 4), (2, 5), (3, 6)):
            assert bound * below[share] - below[deduction] == bound * above[share] - above[deduction]


@given(markets(1), fractions, edges(1, 2**26), edges(1, 2**20))
def test_requirement_is_the_highest_of_its_tiers(terms: MarketTerms, scale: Fraction, size: int, price: int) -> None:
    # Rising tiers make it convex: what closing releases never grows as the position shrinks.
    risk = risk_of(terms, Price(price << 24), scale)
    notional = size * (price << 24)
    every = [notional * int(row.maintenance) - int(row.maintenance_deduction) for row in risk.rows]
    assert int(maintenance_of(risk, Size(size))) == max(every)
    first = [notional * int(row.initial) - int(row.initial_deduction) for row in risk.rows]
    assert int(initial_of(risk, Size(-size), Fraction(0))) == max(first)


@given(edges(-(2**95), 2**95), edges(0, 2**127), edges(0, 2**127), edges(0, 2**127))
def test_health_levels_equal_their_fraction_definition(value: int, one: int, two: int, three: int) -> None:
    now = Health(Worth(value), Requirement(one), Requirement(two), Requirement(three))
    exact = Exact(value, 1 << FRACTION_BITS)
    unit = 1 << (2 * FRACTION_BITS)
    assert now.is_initial == (exact >= Exact(one, unit))
    assert now.is_maintained == (exact >= Exact(two, unit))
    assert now.is_above_close_out == (exact >= Exact(three, unit))
    assert now.is_bankrupt == (exact < 0)


def test_a_side_is_the_sign_of_the_position_it_makes() -> None:
    assert [int(side) for side in Side] == [1, -1]


@given(markets(7))
def test_drawn_terms_are_legal(terms: MarketTerms) -> None:
    check_terms(terms)


GOOD = market().tiers
WRONG = [
    ({"market_id": MarketId(0)}, "market_id"),
    ({"market_id": MarketId(64)}, "market_id"),
    ({"tiers": ()}, "tiers"),
    ({"resolution": 0}, "resolution"),
    ({"tick": BookPrice(0)}, "tick"),
    ({"size_min": Size(0)}, "size_min"),
    ({"order_value_max": Quote(0)}, "order_value_max"),
    ({"open_interest_lower": Quote(-1)}, "open_interest_lower"),
    ({"open_interest_lower": dollars(200_000_000)}, "open_interest_upper"),
    ({"open_interest_cap": Quote(0)}, "open_interest_cap"),
    ({"band": Fraction(0)}, "band"),
    ({"band": ONE}, "band"),
    ({"slippage": Fraction(0)}, "slippage"),
    ({"price_step": Fraction(0)}, "price_step"),
    ({"price_age_max_ms": 0}, "price_age_max_ms"),
    ({"loss_budget": Quote(-1)}, "loss_budget"),
    ({"funding_cap": Fraction(0)}, "funding_cap"),
    ({"funding_interest": -ONE - Fraction(1)}, "funding_interest"),
    ({"tiers": (GOOD[1], GOOD[0])}, "tier 2: bound"),
    ({"tiers": (GOOD[0]._replace(bound=Quote(0)),)}, "tier 1: bound"),
    ({"tiers": (GOOD[0]._replace(bound=Quote(POSITION_LIMIT)),)}, "tier 1: bound"),
    ({"tiers": (GOOD[0]._replace(close_out=Fraction(0)),)}, "tier 1: fractions"),
    ({"tiers": (GOOD[0]._replace(maintenance=GOOD[0].close_out),)}, "tier 1: fractions"),
    ({"tiers": (GOOD[0]._replace(initial=GOOD[0].maintenance),)}, "tier 1: fractions"),
    ({"tiers": (GOOD[0]._replace(initial=ONE + Fraction(1)),)}, "tier 1: fractions"),
    ({"tiers": (GOOD[0], Tier(dollars(200_000), percent(4), percent(3), percent(2)))}, "tier 2: fractions must not"),
    ({"tiers": (GOOD[0], Tier(dollars(200_000), percent(5), percent(2), percent(1)))}, "tier 2: fractions must not"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_terms_that_break_a_rule_are_refused_by_name(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_terms(market()._replace(**changes))


def test_the_smallest_and_largest_legal_terms_are_accepted() -> None:
    one, last = Fraction(1), ONE - Fraction(1)
    tier = Tier(Quote(1), Fraction(3), Fraction(2), one)
    check_terms(
        market(
            1, tiers=(tier,), resolution=1, tick=BookPrice(1), size_min=Size(1), order_value_max=Quote(1), band=one,
            open_interest_lower=Quote(0), open_interest_upper=Quote(1), open_interest_cap=Quote(1), slippage=one,
            price_step=one, price_age_max_ms=1, loss_budget=Quote(0), funding_cap=one, funding_interest=-ONE,
        )
    )
    tier = Tier(Quote(POSITION_LIMIT - 1), ONE, last, last - one)
    check_terms(market(63, tiers=(tier,), band=last, price_step=ONE, funding_cap=ONE, funding_interest=ONE))


def test_a_bound_belongs_to_the_lower_tier() -> None:
    risk = risk_of(market(), index_price(BookPrice(1_000_000)))
    assert maintenance_of(risk, Size(100_000)) == risk.rows[0].bound * percent(3)


@given(st.integers(0, 3))
def test_the_last_tier_has_no_end(times: int) -> None:
    risk = risk_of(market(), index_price(BookPrice(1_000_000)))
    far = 10_000_000 << times
    assert int(maintenance_of(risk, Size(far))) > int(maintenance_of(risk, Size(far - 1)))
