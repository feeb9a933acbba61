"""Fees: charges never err low, rebates never err high, caps hold, and nothing is minted."""

from __future__ import annotations

from fractions import Fraction as Exact

from hypothesis import given
from hypothesis import strategies as st

from bulkhead.fixed import basis_points
from bulkhead.rules.fees import FeeTier, cap, fee, rate, split, tier_of, within_cap
from bulkhead.units import Fraction, Quote
from tests.rules.drawn import WHOLE, edges

positive = edges(1, 2**58).map(Quote)
rates = edges(-WHOLE // 100, WHOLE // 10).map(Fraction)
fees = edges(-(2**58), 2**58).map(Quote)


@given(positive, rates)
def test_a_charge_never_errs_low_and_a_rebate_never_high(value: Quote, share: Fraction) -> None:
    exact = Exact(int(value) * int(share), WHOLE)
    assert 0 <= int(fee(value, share)) - exact < 1


@given(positive, edges(0, 2**58).map(Quote), positive)
def test_cap_equals_its_fraction_definition(value: Quote, order_fee: Quote, order_value: Quote) -> None:
    exact = Exact(int(value) * int(order_fee), int(order_value))
    assert 0 <= exact - int(cap(value, order_fee, order_value)) < 1


@given(st.lists(edges(1, 2**40), min_size=1, max_size=6), edges(0, 2**58).map(Quote))
def test_fills_of_an_order_never_cost_more_than_was_signed(parts: list[int], order_fee: Quote) -> None:
    whole = Quote(sum(parts))
    assert sum(int(cap(Quote(part), order_fee, whole)) for part in parts) <= int(order_fee)


@given(positive, positive, edges(0, WHOLE // 10).map(Fraction))
def test_who_signed_the_scheduled_rate_is_never_refused(value: Quote, order_value: Quote, share: Fraction) -> None:
    most = cap(value, fee(order_value, share), order_value)
    charged = within_cap(fee(value, share), most)
    assert charged is not None
    assert charged <= most


@given(positive, positive, st.integers(0, 1_000))
def test_who_signed_the_advertised_rate_is_never_refused(value: Quote, order_value: Quote, parts: int) -> None:
    # In 1/100,000, as a client signs it: its share of the whole order, rounded up.
    signed = Quote(-(-int(order_value) * parts // 100_000))
    charged = within_cap(fee(value, rate(parts, 100_000)), cap(value, signed, order_value))
    assert charged is not None
    assert int(charged) <= Exact(int(value) * parts, 100_000) + 1


@given(st.integers(-1_000, 1_000), st.integers(1, 100_000))
def test_a_rate_is_never_larger_than_advertised(numerator: int, denominator: int) -> None:
    exact = Exact(numerator, denominator) * WHOLE
    found = int(rate(numerator, denominator))
    assert abs(found) <= abs(exact) < abs(found) + 1
    assert found * numerator >= 0


@given(fees, fees)
def test_nobody_pays_more_than_he_signed(due: Quote, most: Quote) -> None:
    charged = within_cap(due, most)
    if charged is None:
        assert int(due) > int(most) + 1
    else:
        assert charged == min(due, most)


@given(fees, fees, edges(0, 2**58).map(Quote))
def test_rebate_is_never_minted(maker: Quote, taker: Quote, l1_charge: Quote) -> None:
    shared = split(maker, taker, l1_charge)
    if int(maker) + int(taker) < 0:
        assert shared is None
    else:
        assert shared is not None
        assert int(shared.l1) + int(shared.venue) == int(maker) + int(taker)
        assert (shared.maker, shared.taker) == (maker, taker)
        assert int(shared.venue) >= 0 and 0 <= int(shared.l1) <= int(l1_charge)
        assert int(shared.venue) == 0 or shared.l1 == l1_charge


@given(st.sets(edges(1, 2**58), max_size=6), edges(0, 2**59).map(Quote))
def test_tier_is_the_last_whose_volume_is_reached(volumes: set[int], volume: Quote) -> None:
    schedule = [FeeTier(Quote(bound), basis_points(1), Fraction(k)) for k, bound in enumerate([0, *sorted(volumes)])]
    reached = [tier for tier in schedule if int(tier.volume) <= int(volume)]
    assert tier_of(schedule, volume) == reached[-1]
