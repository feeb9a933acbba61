"""Funding: premium, rate and payment against exact fractions; what is paid is never less than what is owed."""

from __future__ import annotations

from fractions import Fraction as Exact

from hypothesis import given
from hypothesis import strategies as st

from bulkhead.fixed import ONE, worth
from bulkhead.rules.funding import (
    INNER_CLAMP,
    SAMPLES_MIN,
    SAMPLES_PER_HOUR,
    clamp,
    hourly_rate,
    owed,
    payment_of,
    premium,
    settle,
    step,
)
from bulkhead.rules.terms import Position
from bulkhead.units import Fraction, FundingIndex, MarketId, Price, Quote, Size, Worth
from tests.rules.drawn import WHOLE, edges, prices

funding_indices = edges(1 - 2**95, 2**95 - 1).map(FundingIndex)
lots = edges(1 - 2**63, 2**63 - 1).filter(bool).map(Size)
rates = edges(-WHOLE, WHOLE).map(Fraction)


@given(st.none() | prices, st.none() | prices, prices)
def test_premium_equals_its_fraction_definition(bid: Price | None, ask: Price | None, index: Price) -> None:
    over = 0 if bid is None else max(0, int(bid) - int(index))
    under = 0 if ask is None else max(0, int(index) - int(ask))
    exact = Exact(over - under, int(index)) * WHOLE
    assert 0 <= exact - int(premium(bid, ask, index)) < 1


@given(prices)
def test_a_book_around_the_index_or_without_depth_has_no_premium(index: Price) -> None:
    assert int(premium(index, index, index)) == 0
    assert int(premium(None, None, index)) == 0


@given(st.lists(rates, min_size=SAMPLES_MIN, max_size=SAMPLES_PER_HOUR), rates, edges(1, WHOLE))
def test_hourly_rate_equals_its_fraction_definition(samples: list[Fraction], interest: Fraction, cap: int) -> None:
    mean = Exact(sum(int(sample) for sample in samples), len(samples))
    pulled = mean + max(-int(INNER_CLAMP), min(int(INNER_CLAMP), int(interest) - mean))
    exact = max(Exact(-cap), min(Exact(cap), pulled / 8))
    rate = int(hourly_rate(samples, interest, Fraction(cap)))
    assert -cap <= rate <= cap
    assert 0 <= exact - rate < 2  # two roundings down, of the mean and of its eighth


@given(st.lists(rates, min_size=45, max_size=60), edges(0, int(INNER_CLAMP)))
def test_a_premium_within_the_inner_clamp_pays_the_interest(samples: list[Fraction], interest: int) -> None:
    near = [Fraction(clamp(int(sample), 0, int(INNER_CLAMP))) for sample in samples]
    assert int(hourly_rate(near, Fraction(interest), ONE)) == interest // 8


@given(prices, rates)
def test_step_equals_its_fraction_definition_and_keeps_the_cap(index: Price, rate: Fraction) -> None:
    exact = Exact(int(index) * int(rate), WHOLE)
    assert 0 <= exact - int(step(index, rate)) < 1
    assert abs(int(step(index, rate))) <= int(index)


@given(st.lists(st.tuples(lots, funding_indices, funding_indices), max_size=16))
def test_settling_equals_its_fraction_definition(drawn: list[tuple[Size, FundingIndex, FundingIndex]]) -> None:
    held = tuple(Position(MarketId(k), size, Quote(k), cached) for k, (size, cached, _) in enumerate(drawn))
    indices = {k: index for k, (_, _, index) in enumerate(drawn)}
    exact = Exact(sum(int(size) * (int(index) - int(cached)) for size, cached, index in drawn), WHOLE)
    settled, payment, dust = settle(held, indices)
    assert Exact(int(owed(held, indices)), WHOLE) == exact
    assert 0 <= int(payment) - exact < 1
    assert Exact(int(dust), WHOLE) == int(payment) - exact
    assert [position[:3] for position in settled] == [position[:3] for position in held]
    assert int(owed(settled, indices)) == 0
    assert settle(settled, indices) == (settled, 0, 0)


@given(st.lists(edges(-(2**40), 2**40).filter(bool), min_size=1, max_size=12), edges(-(2**60), 2**60))
def test_funding_never_mints(drawn: list[int], moved: int) -> None:
    # Longs equal shorts: nothing is owed in total, so what is paid in total is the dust, and not negative.
    closing = -sum(drawn)
    sizes = drawn + ([closing] if closing else [])
    indices = {1: FundingIndex(moved)}
    outcomes = [settle((Position(MarketId(1), Size(size), Quote(0), FundingIndex(0)),), indices) for size in sizes]
    paid = sum(int(payment) for _, payment, _ in outcomes)
    dust = sum(int(kept) for _, _, kept in outcomes)
    assert paid >= 0
    assert paid << 32 == dust
    assert dust < len(sizes) << 32


@given(st.lists(st.tuples(edges(-(2**40), 2**40), edges(-(2**60), 2**60)), min_size=1, max_size=6))
def test_settling_early_never_pays_less(moves: list[tuple[int, int]]) -> None:
    # Rounding is against the account every time: cutting a payment in pieces gains nothing.
    size = moves[0][0] or 1
    held: tuple[Position, ...] = (Position(MarketId(1), Size(size), Quote(0), FundingIndex(0)),)
    index, paid = 0, 0
    for _, moved in moves:
        index += moved
        held, payment, _ = settle(held, {1: FundingIndex(index)})
        paid += int(payment)
    once = int(payment_of(Size(size), FundingIndex(index)))
    assert once <= paid < once + len(moves)


@given(lots, funding_indices)
def test_statements_round_against_the_account(size: Size, moved: FundingIndex) -> None:
    exact = Exact(int(size) * int(moved), WHOLE)
    assert 0 <= int(payment_of(size, moved)) - exact < 1


@given(edges(-100, 100), edges(-50, 0), edges(0, 50))
def test_clamp_is_the_nearest_number_within(value: int, low: int, high: int) -> None:
    assert clamp(value, low, high) == min(range(low, high + 1), key=lambda near: abs(near - value))


def test_a_market_that_did_not_move_owes_nothing() -> None:
    held = (Position(MarketId(1), Size(9), Quote(0), FundingIndex(5)),)
    assert owed(held, {1: FundingIndex(5)}) == Worth(0)
    assert settle(held, {1: FundingIndex(5)}) == (held, Quote(0), worth(Quote(0)))
