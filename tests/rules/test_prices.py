"""Prices: quorum, median, steps, mark and band against exact fractions."""

from __future__ import annotations

from fractions import Fraction as Exact

from hypothesis import given
from hypothesis import strategies as st

from bulkhead.limits import BOOK_PRICE_LIMIT, PRICE_LIMIT
from bulkhead.rules.prices import (
    BASIS_CLAMP,
    band,
    basis,
    basis_average,
    is_fresh,
    is_in_range,
    is_step_allowed,
    mark,
    median,
    quorum,
)
from bulkhead.units import BookPrice, Fraction, Price, TimeMs
from tests.rules.drawn import WHOLE, edges, prices

book_prices = edges(1, BOOK_PRICE_LIMIT - 1).map(BookPrice)
bases = edges(-WHOLE, WHOLE).map(Fraction)


@given(st.integers(1, 200))
def test_quorum_survives_one_silent_signer_of_four_and_two_quorums_share_a_third(signers: int) -> None:
    asked = quorum(signers)
    assert Exact(2 * signers + 1, 3) <= asked < Exact(2 * signers + 1, 3) + 1
    assert asked <= signers
    assert signers < 4 or asked <= signers - 1
    assert 2 * asked - signers > Exact(signers, 3)


@given(st.lists(prices, min_size=1, max_size=15))
def test_median_is_signed_by_somebody(reports: list[Price]) -> None:
    middle = median(reports)
    assert middle in reports
    assert 2 * sum(price <= middle for price in reports) >= len(reports)
    assert 2 * sum(price >= middle for price in reports) >= len(reports)


@given(st.lists(prices, min_size=1, max_size=9), st.lists(prices, max_size=4))
def test_a_third_of_liars_cannot_move_the_median_beyond_honest_prices(honest: list[Price], lies: list[Price]) -> None:
    lies = lies[: (len(honest) - 1) // 2]  # fewer than a third of the quorum
    assert min(honest) <= median(honest + lies) <= max(honest)


@given(prices, prices, edges(0, 2**40), edges(1, WHOLE).map(Fraction))
def test_step_equals_its_fraction_definition(old: Price, new: Price, elapsed_ms: int, share: Fraction) -> None:
    minutes = elapsed_ms // 60_000 + 1
    most = int(old) * Exact(int(share), WHOLE) * minutes
    assert is_step_allowed(old, new, elapsed_ms, share) == (abs(int(new) - int(old)) <= most)


@given(edges(-5, PRICE_LIMIT + 5))
def test_range_is_above_zero_and_below_the_width(price: int) -> None:
    assert is_in_range(Price(price)) == (price in range(1, 2**64))


@given(edges(0, 2**45), edges(0, 2**45), edges(0, 2**40))
def test_fresh_is_no_older_than_allowed(then: int, now: int, age_max_ms: int) -> None:
    assert is_fresh(TimeMs(then), TimeMs(now), age_max_ms) == (now <= then + age_max_ms)


@given(book_prices, book_prices, prices)
def test_basis_equals_its_fraction_definition(bid: BookPrice, ask: BookPrice, index: Price) -> None:
    middle = Exact(int(bid) + int(ask), 2) * WHOLE
    exact = (middle / int(index) - 1) * WHOLE
    assert 0 <= exact - int(basis(bid, ask, index)) < 1


@given(bases, bases, edges(0, 10**9), edges(1, 10**9))
def test_basis_average_moves_toward_the_sample_and_never_past(
    average: Fraction, sample: Fraction, elapsed_ms: int, span_ms: int
) -> None:
    exact = int(average) + (int(sample) - int(average)) * Exact(elapsed_ms, elapsed_ms + span_ms)
    after = int(basis_average(average, sample, elapsed_ms, span_ms))
    assert 0 <= exact - after < 1
    assert min(int(average), int(sample)) <= after <= max(int(average), int(sample))


@given(prices, bases)
def test_mark_stays_within_half_a_percent_of_the_index(index: Price, average: Fraction) -> None:
    held = max(-int(BASIS_CLAMP), min(int(BASIS_CLAMP), int(average)))
    exact = int(index) * (1 + Exact(held, WHOLE))
    found = int(mark(index, average))
    assert is_in_range(Price(found))
    if 1 <= exact < PRICE_LIMIT:
        assert 0 <= exact - found < 1
    assert abs(found - int(index)) <= int(index) * Exact(5, 1000) + int(index) * Exact(1, WHOLE) + 1


@given(edges(1 << 32, PRICE_LIMIT - 1).map(Price), edges(0, WHOLE).map(Fraction))
def test_band_is_the_widest_range_of_whole_prices_within_the_share(reference: Price, share: Fraction) -> None:
    low, high = band(reference, share)
    width = int(reference) * int(share) // WHOLE
    assert int(low) >= 1 and int(high) < BOOK_PRICE_LIMIT
    assert int(low) << 32 >= int(reference) - width
    assert int(low) == 1 or (int(low) - 1) << 32 < int(reference) - width
    assert int(high) << 32 <= int(reference) + width
    assert int(high) == BOOK_PRICE_LIMIT - 1 or (int(high) + 1) << 32 > int(reference) + width
