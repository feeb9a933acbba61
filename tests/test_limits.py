"""Limits: the largest legal account stays within the widths, and every product below the field."""

from __future__ import annotations

from bulkhead import limits
from bulkhead.fixed import FRACTION_BITS, ONE
from bulkhead.rules.examples import market
from bulkhead.rules.grid import default_grid
from bulkhead.rules.margin import health, maintenance_of
from bulkhead.rules.scenario import Exposure
from bulkhead.rules.scenario import health as scenario_health
from bulkhead.rules.terms import Health, Position, Tier, check_terms, risk_of
from bulkhead.units import Fraction, FundingIndex, MarketId, Price, Quote, Size, Worth

STEEP = (Tier(Quote(limits.POSITION_LIMIT - 1), ONE, ONE - Fraction(1), ONE - Fraction(2)),)
PRICES = (1, 1 << FRACTION_BITS, (1 << 40) - 1, limits.PRICE_LIMIT - 1)


def largest(sign: int, price: int) -> Health:
    """Sixteen positions of the largest notional, in markets that ask all of it, and the largest balance."""
    lots = min(limits.SIZE_LIMIT - 1, (limits.NOTIONAL_WORTH_LIMIT - 1) // price)
    terms = market(tiers=STEEP)
    check_terms(terms)
    risks = {k: risk_of(terms, Price(price), ONE) for k in range(1, limits.POSITIONS_MAX + 1)}
    held = [Position(MarketId(k), Size(sign * lots), Quote(0), FundingIndex(0)) for k in risks]
    # Collateral counts within the width of a value: what is left of it beside balance and positions.
    return health(Quote(sign * (limits.QUOTE_LIMIT - 1)), Worth(0), held, risks, dict.fromkeys(risks, ONE))


def test_the_largest_account_stays_within_its_widths() -> None:
    for sign in (1, -1):
        for price in PRICES:
            now = largest(sign, price)
            assert abs(int(now.value)).bit_length() <= limits.VALUE_WORTH_BITS
            assert max(int(asked).bit_length() for asked in now[1:]) <= limits.REQUIREMENT_BITS


def test_the_widths_are_reached_so_none_could_be_narrower() -> None:
    # At a price of one quote per lot a position fills its notional but for one lot.
    now = largest(1, 1 << FRACTION_BITS)
    assert int(now.value).bit_length() == limits.VALUE_WORTH_BITS
    assert int(now.initial).bit_length() == limits.REQUIREMENT_BITS - 1  # the last bit is scenario margin's add-on


def test_the_largest_scenario_account_stays_within_its_widths() -> None:
    whole = Worth(limits.NOTIONAL_WORTH_LIMIT - 1)
    held = [Exposure(1 + k % 2, whole if k % 3 else -whole, ONE) for k in range(limits.POSITIONS_MAX)]
    grid = default_grid()
    steep = tuple(shock._replace(moves=((1, ONE), (2, ONE))) for shock in grid.shocks)
    for asked in (grid, grid._replace(shocks=steep, concentration=ONE, offset_within=Fraction(0))):
        now = scenario_health(Quote(limits.QUOTE_LIMIT - 1), Worth(0), held, asked)
        assert int(now.value).bit_length() <= limits.VALUE_WORTH_BITS
        assert int(now.initial).bit_length() <= limits.REQUIREMENT_BITS


def test_healthier_cannot_wrap_around_the_field() -> None:
    for sign in (1, -1):
        for price in PRICES:
            now = largest(sign, price)
            product = abs(int(now.value)) * int(now.initial)
            assert 2 * product < limits.FIELD_PRIME  # signed, so half of the field each way
    most = ((1 << limits.VALUE_WORTH_BITS) - 1) * ((1 << limits.REQUIREMENT_BITS) - 1)
    assert 2 * most < limits.FIELD_PRIME


def test_funding_of_the_largest_account_cannot_wrap_around_the_field() -> None:
    moved = 2 * (limits.FUNDING_INDEX_LIMIT - 1)
    assert 2 * limits.POSITIONS_MAX * (limits.SIZE_LIMIT - 1) * moved < limits.FIELD_PRIME


def test_a_position_packs_into_one_field_element() -> None:
    fields = (
        (limits.MARKETS_MAX, 16),
        (2 * limits.SIZE_LIMIT - 1, 64),
        (2 * limits.FUNDING_INDEX_LIMIT - 1, 96),
        (2 * limits.QUOTE_LIMIT - 1, 64),
    )
    packed = 0
    for value, bits in fields:
        assert value.bit_length() <= bits
        packed = packed << bits | value
    assert packed < limits.FIELD_PRIME


def test_a_position_at_the_limit_keeps_its_width_until_its_price_rose_256_times() -> None:
    notional = (limits.POSITION_LIMIT - 1) << FRACTION_BITS
    assert 256 * notional < limits.NOTIONAL_WORTH_LIMIT
    risk = risk_of(market(tiers=STEEP), Price(256 << FRACTION_BITS))
    assert int(maintenance_of(risk, Size(limits.POSITION_LIMIT - 1))).bit_length() < limits.REQUIREMENT_BITS - 4


def test_limits_are_two_to_their_bits() -> None:
    assert limits.QUOTE_LIMIT == 2**63 == limits.SIZE_LIMIT
    assert limits.PRICE_LIMIT == 2**64
    assert limits.BOOK_PRICE_LIMIT << FRACTION_BITS == limits.PRICE_LIMIT
    assert limits.NOTIONAL_LIMIT << FRACTION_BITS == limits.NOTIONAL_WORTH_LIMIT
    assert limits.FIELD_PRIME.bit_length() == 252 and limits.FIELD_PRIME > 1 << limits.FIELD_BITS
