"""Liquidation: zero price, choice, charges and minimal size against exact definitions and brute force."""

from __future__ import annotations

from fractions import Fraction as Exact

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bulkhead.fixed import FRACTION_BITS, basis_points, fraction, index_price, percent, requirement, worth
from bulkhead.limits import BOOK_PRICE_LIMIT
from bulkhead.rules.examples import dollars, market, position
from bulkhead.rules.liquidation import (
    Charges,
    Closing,
    charges,
    choose,
    is_cooling_down,
    kinks_of,
    linear_zero_price,
    minimal_size,
    reaches_target,
    step_size,
    value_after,
    zero_price,
)
from bulkhead.rules.margin import health, is_healthier, maintenance_of
from bulkhead.rules.terms import Health, MarketTerms, Position, Risk, Tier, risk_of
from bulkhead.units import BookPrice, Fraction, Price, Quote, Requirement, Size, TimeMs, Worth
from tests.rules.drawn import WHOLE, books, edges, markets, ordinary_prices, position_of

TARGET = fraction(125, 100)
RATES = (basis_points(5), percent(1))
NO_CHARGE = (Fraction(0), Fraction(0))
Book = tuple[list[MarketTerms], list[int], tuple[Position, ...]]


def ordinary_book(drawn: list[tuple[MarketTerms, Price, int]]) -> tuple[dict[int, Risk], tuple[Position, ...]]:
    """Markets at prices far above one tick, and a position in each."""
    risks = {terms.market_id: risk_of(terms, price) for terms, price, _ in drawn}
    return risks, tuple(position_of(terms.market_id, size) for terms, _, size in drawn)


def ordinary(count: int = 4) -> st.SearchStrategy[list[tuple[MarketTerms, Price, int]]]:
    """One to `count` markets with a price of 16 micro-dollars or more, and lots held in each."""
    sides = edges(-(10**9), 10**9).filter(bool)
    return st.integers(1, count).flatmap(
        lambda n: st.tuples(*(st.tuples(markets(k), ordinary_prices, sides) for k in range(1, n + 1))).map(list)
    )


@given(books(1), edges(-(2**95), 2**95), edges(1, 2**127), edges(1, 2**127))
def test_zero_price_equals_its_fraction_definition(book: Book, value: int, one: int, two: int) -> None:
    assume(book[2])
    held, price = book[2][0], book[1][0]
    weight, total = sorted((one, two))
    side = 1 if int(held.size) > 0 else -1
    exact = Exact(int(price), WHOLE) - side * Exact(value * weight, WHOLE * total * abs(int(held.size)))
    found = int(zero_price(held, Risk(Price(price), ()), Worth(value), weight, total))
    if 1 <= exact <= BOOK_PRICE_LIMIT - 1:
        assert 0 <= side * (found - exact) < 1  # in the account's favour by less than one quote per lot
    else:
        assert found in (1, BOOK_PRICE_LIMIT - 1)
        assert (found == 1) == (exact < 1)


@given(ordinary(), st.integers(1, 100))
def test_closing_everything_at_zero_prices_ends_at_zero_or_more(
    drawn: list[tuple[MarketTerms, Price, int]], part: int
) -> None:
    risks, held = ordinary_book(drawn)
    flat = health(Quote(0), Worth(0), held, risks)
    # Value is `part` hundredths of maintenance: between just above bankrupt and just eligible.
    value = int(flat.maintenance) * part // 100 >> FRACTION_BITS
    balance = (value - int(flat.value)) >> FRACTION_BITS
    now = health(Quote(balance), Worth(0), held, risks)
    assume(int(now.value) >= 0)
    closed = balance
    for one in held:
        closed += int(linear_zero_price(one, risks[one.market_id], now)) * int(one.size)
    assert closed >= 0
    assert closed <= (int(now.value) >> FRACTION_BITS) + sum(abs(int(one.size)) for one in held)


@given(ordinary(), st.integers(-300, 100))
def test_closing_everything_at_zero_prices_ends_at_zero_or_more_also_when_bankrupt(
    drawn: list[tuple[MarketTerms, Price, int]], part: int
) -> None:
    risks, held = ordinary_book(drawn)
    flat = health(Quote(0), Worth(0), held, risks)
    balance = ((int(flat.maintenance) * part // 100 >> FRACTION_BITS) - int(flat.value)) >> FRACTION_BITS
    now = health(Quote(balance), Worth(0), held, risks)
    closed = Exact(balance)
    for one in held:
        risk, size = risks[one.market_id], int(one.size)
        price = int(linear_zero_price(one, risk, now))
        if size < 0 and price == 1:
            # A short deep under water is closed at one tick although its zero price is lower: the fund pays that.
            weight = int(maintenance_of(risk, one.size))
            concession = Exact(int(now.value) * weight, WHOLE * int(now.maintenance) * -size)
            closed -= (1 - (Exact(int(risk.price), WHOLE) + concession)) * size
        closed += price * size
    assert closed >= 0


@given(ordinary(), st.integers(0, 99), st.integers(1, 100))
def test_zero_price_keeps_the_ratio(drawn: list[tuple[MarketTerms, Price, int]], part: int, share: int) -> None:
    # Any part of any position, closed at its zero price, leaves value over maintenance no lower.
    risks, held = ordinary_book(drawn)
    flat = health(Quote(0), Worth(0), held, risks)
    balance = (((int(flat.maintenance) * part // 100) >> FRACTION_BITS) - int(flat.value)) >> FRACTION_BITS
    now = health(Quote(balance), Worth(0), held, risks)
    assume(int(now.value) >= 0)
    for number, one in enumerate(held):
        size = -(-int(one.size) * share // 100)
        kept = int(one.size) - size
        rest = [*held[:number], *([one._replace(size=Size(kept))] if kept else []), *held[number + 1 :]]
        paid = int(linear_zero_price(one, risks[one.market_id], now)) * size
        after = health(Quote(balance + paid), Worth(0), rest, risks)
        assert is_healthier(now, after)


def test_zero_price_keeps_the_ratio_exactly_when_nothing_is_rounded() -> None:
    # 1,000 USD at 1/32 ask 31.25 USD; half of that is left. Zero price: 1 - 1/64. Half is closed.
    tiers = (Tier(dollars(10_000), Fraction(WHOLE // 16), Fraction(WHOLE // 32), Fraction(WHOLE // 64)),)
    risk = risk_of(market(tiers=tiers), index_price(BookPrice(10**6)))
    before = health(dollars(-1_000) + Quote(15_625_000), Worth(0), [position(1, 1_000)], {1: risk})
    at = linear_zero_price(position(1, 1_000), risk, before)
    assert at == BookPrice(984_375)
    balance = dollars(-1_000) + Quote(15_625_000) + at * Size(500)
    after = health(balance, Worth(0), [position(1, 500)], {1: risk})
    assert int(after.value) * int(before.maintenance) == int(before.value) * int(after.maintenance)


@given(ordinary(3), st.lists(edges(1, WHOLE), min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_choice_is_the_most_maintenance_for_the_least_slippage(
    drawn: list[tuple[MarketTerms, Price, int]], slippages: list[int], order: object
) -> None:
    risks, held = ordinary_book(drawn)
    terms = {
        one.market_id: one._replace(slippage=Fraction(slip))
        for (one, _, _), slip in zip(drawn, slippages, strict=False)
    }

    def merit(one: Position) -> tuple[Exact, int, int]:
        risk = risks[one.market_id]
        notional = abs(int(one.size) * int(risk.price))
        row = next((row for row in risk.rows if notional <= int(row.bound)), risk.rows[-1])
        return Exact(int(row.maintenance), int(terms[one.market_id].slippage)), notional, -one.market_id

    mixed = list(held)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert choose(mixed, risks, terms) == max(held, key=merit)


def test_ties_go_to_the_larger_then_to_the_lower_market() -> None:
    risks = {k: risk_of(market(k), index_price(BookPrice(10**6))) for k in (1, 2, 3)}
    terms = {k: market(k) for k in (1, 2, 3)}
    assert choose([position(1, 5), position(2, -7), position(3, 6)], risks, terms).market_id == 2
    assert choose([position(3, 7), position(2, -7)], risks, terms).market_id == 2


@given(edges(1, 2**40), st.sampled_from((1, -1)), edges(1, 2**31), edges(1, 2**31))
def test_charges_never_reach_past_the_zero_price(size: int, side: int, fill: int, zero: int) -> None:
    fee, penalty = charges(Size(size), side, BookPrice(fill), BookPrice(zero), RATES)
    surplus = max(0, side * (fill - zero) * size)
    exact = [Exact(fill * size * int(rate), WHOLE) for rate in RATES]
    assert int(fee) == min(-(-exact[0].numerator // exact[0].denominator), surplus)
    assert int(penalty) == min(exact[1].numerator // exact[1].denominator, surplus - int(fee))
    assert 0 <= int(fee) + int(penalty) <= surplus


@given(edges(-(2**95), 2**95), edges(1, 2**126), edges(0, 2**34))
def test_target_equals_its_fraction_definition(value: int, asked: int, target: int) -> None:
    exact = Exact(value, WHOLE) >= Exact(asked, WHOLE * WHOLE) * Exact(target, WHOLE)
    assert reaches_target(Worth(value), asked, Fraction(target)) == exact


@given(edges(0, 20_000), edges(0, 20_000), st.booleans())
def test_only_partial_steps_cool_down(last: int, now: int, is_above: bool) -> None:
    level = Health(Worth(5), *(Requirement(asked << FRACTION_BITS) for asked in (9, 7, 5 if is_above else 6)))
    assert is_cooling_down(TimeMs(now), TimeMs(last), 10_000, level) == (is_above and now < last + 10_000)


@st.composite
def closings(draw: st.DrawFn) -> Closing:
    """An eligible account: one position of up to 120 lots in up to four tiers, other requirements, a fair fill."""
    price = draw(st.integers(1_000, 10**7))
    bounds = sorted(draw(st.sets(st.integers(1, 140), min_size=1, max_size=4)))
    steps = [sorted(draw(st.integers(1, WHOLE // 6)) for _ in bounds) for _ in range(3)]
    tiers = tuple(
        Tier(Quote(bound * price + draw(st.integers(0, price))), Fraction(c + d + e), Fraction(c + d), Fraction(c))
        for bound, c, d, e in zip(bounds, *steps, strict=True)
    )
    risk = risk_of(market(tiers=tiers), index_price(BookPrice(price)))
    side, whole = draw(st.sampled_from((1, -1))), draw(st.integers(1, 120))
    held = position_of(1, side * whole)
    own = int(maintenance_of(risk, held.size))
    other = own * draw(st.integers(0, 300)) // 100
    total = own + other
    value = Worth(total * draw(st.integers(1, 99)) // 100 >> FRACTION_BITS)
    now = Health(value, Requirement(2 * total), Requirement(total), Requirement(0))
    zero = linear_zero_price(held, risk, now)
    fill = int(zero) + side * draw(st.integers(0, max(0, side * (price - int(zero)) + price // 50)))
    rates = draw(st.sampled_from((RATES, NO_CHARGE)))
    return Closing(held, risk, now, BookPrice(max(1, fill)), zero, rates, TARGET, Quote(0))


def restored(closing: Closing, size: int) -> tuple[bool, Exact]:
    """Whether closing `size` lots restores the target by definition, and the margin over it before rounding charges."""
    held, risk, now = closing.position, closing.risk, closing.health
    side, whole = (1 if int(held.size) > 0 else -1), abs(int(held.size))
    own = int(maintenance_of(risk, held.size))
    kept = int(now.maintenance) - own + int(maintenance_of(risk, Size(whole - size)))
    value = Exact(int(now.value), WHOLE) + side * (int(closing.fill) - Exact(int(risk.price), WHOLE)) * size
    surplus = max(0, side * (int(closing.fill) - int(closing.zero)) * size)
    notional = int(closing.fill) * size
    fee = min(Exact(notional * int(closing.rates[0]), WHOLE), Exact(surplus))
    penalty = min(Exact(notional * int(closing.rates[1]), WHOLE), surplus - fee)
    paid = charges(Size(size), side, closing.fill, closing.zero, closing.rates)
    need = Exact(kept, WHOLE * WHOLE) * Exact(int(closing.target), WHOLE)
    actual = value - int(paid.fee) - int(paid.penalty)
    assert actual == Exact(int(value_after(closing, Size(size))), WHOLE)
    return actual >= need, value - fee - penalty - need


@settings(max_examples=300)
@given(closings())
def test_one_lot_fewer_misses_the_target(closing: Closing) -> None:
    whole = abs(int(closing.position.size))
    size = int(step_size(closing))
    outcomes = [restored(closing, lots) for lots in range(whole + 1)]
    assert 1 <= size <= whole
    assert not outcomes[size - 1][0]
    if outcomes[size][0]:
        # No smaller size restores it, unless by the luck of two roundings of charges (under two micro-dollars).
        assert all(not good or margin < 2 for good, margin in outcomes[:size])
    else:
        assert size == whole
        assert all(not good or margin < 2 for good, margin in outcomes)


def test_a_poor_price_makes_the_tier_edge_the_best_size() -> None:
    # 100 lots, 2 % maintenance up to 50 lots' worth and 20 % above. Closing 50 restores; closing all would not.
    tiers = (
        Tier(dollars(50), percent(3), percent(2), percent(1)),
        Tier(dollars(1_000), percent(30), percent(20), percent(10)),
    )
    risk = risk_of(market(tiers=tiers), index_price(BookPrice(10**6)))
    held = position(1, 100)
    own = maintenance_of(risk, held.size)  # 1 + 10 dollars, and 10 of other positions
    total = own + requirement(worth(dollars(10)))
    now = Health(worth(dollars(20)), total, total, Requirement(0))
    zero = linear_zero_price(held, risk, now)
    assert int(zero) < 900_000
    closing = Closing(held, risk, now, BookPrice(900_000), zero, NO_CHARGE, TARGET, Quote(0))
    sizes = [lots for lots in range(1, 101) if restored(closing, lots)[0]]
    assert 50 in sizes and 100 not in sizes
    assert int(step_size(closing)) == sizes[0]


def test_below_close_out_all_of_it_goes() -> None:
    asked = requirement(worth(dollars(30)))
    price = BookPrice(10**6)
    risk = risk_of(market(), index_price(price))
    now = Health(worth(dollars(25)), asked, asked, requirement(worth(dollars(26))))
    closing = Closing(position(1, -1_000), risk, now, price, price, RATES, TARGET, Quote(0))
    assert step_size(closing) == Size(1_000)
    assert int(step_size(closing._replace(health=now._replace(close_out=Requirement(0))))) < 1_000


@pytest.mark.parametrize("dust", [0, 1, 500, 665, 666, 667, 1_000, 2_000])
def test_dust_is_closed_with_the_rest(dust: int) -> None:
    asked = requirement(worth(dollars(30)))
    price = BookPrice(10**6)
    risk = risk_of(market(), index_price(price))
    now = Health(worth(dollars(25)), asked, asked, requirement(worth(dollars(20))))
    closing = Closing(position(1, 1_000), risk, now, price, price, RATES, TARGET, dollars(dust))
    assert step_size(closing) == Size(334 if dust <= 666 else 1_000)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40))
def test_minimal_size_is_the_first_of_a_stretch(whole: int, first: int, length: int) -> None:
    last = first + length
    kinks = [Size(size) for size in sorted({first, last}) if size < whole]
    found = int(minimal_size(Size(whole), lambda size: first <= int(size) <= last, kinks))
    assert found == (first if first <= whole else whole)


@given(markets(1), ordinary_prices, st.integers(1, 10**6))
def test_kinks_are_the_last_lot_of_a_tier_and_the_first_of_the_next(
    terms: MarketTerms, price: Price, whole: int
) -> None:
    risk = risk_of(terms, price)
    kinks = [int(size) for size in kinks_of(risk, Size(whole))]
    assert kinks == sorted(kinks) and all(0 < size < whole for size in kinks)
    for row in risk.rows[:-1]:
        closed = whole - int(row.bound) // int(price)
        if 1 < closed < whole:
            assert {closed - 1, closed} <= set(kinks)


def test_a_kink_may_lie_one_lot_from_either_end() -> None:
    risk = risk_of(market(), index_price(BookPrice(10**6)))  # the first tier ends at 100,000 lots
    assert kinks_of(risk, Size(100_000)) == []
    assert kinks_of(risk, Size(100_001)) == [Size(1)]
    assert kinks_of(risk, Size(100_002)) == [Size(1), Size(2)]


def test_charges_at_the_zero_price_are_nothing() -> None:
    assert charges(Size(9), -1, BookPrice(7), BookPrice(7), RATES) == Charges(Quote(0), Quote(0))
    assert charges(Size(9), -1, BookPrice(8), BookPrice(7), RATES) == Charges(Quote(0), Quote(0))
