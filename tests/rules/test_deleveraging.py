"""Deleveraging: sums, caps, proportion, hedges last; against exact fractions."""

from __future__ import annotations

from fractions import Fraction as Exact

from hypothesis import given
from hypothesis import strategies as st

from bulkhead.fixed import percent
from bulkhead.rules.deleveraging import Holder, pro_rata, profit, rank, shares, unhedged_size
from bulkhead.rules.examples import dollars, position
from bulkhead.rules.terms import MarketTerms, Position, Risk, risk_of
from bulkhead.units import AccountId, MarketId, Price, Quote, Size
from tests.rules.drawn import WHOLE, books, edges

weights = st.lists(edges(0, 2**63), min_size=0, max_size=8)
Book = tuple[list[MarketTerms], list[int], tuple[Position, ...]]


def exact_split(amount: int, weighted: list[int], capacities: list[int]) -> list[Exact]:
    """Filling water by weight, in exact fractions: whoever overflows is capped and the rest is split again."""
    given_up = [Exact(0)] * len(weighted)
    active = {k for k, weight in enumerate(weighted) if weight and capacities[k]}
    left = Exact(min(amount, sum(capacities[k] for k in active)))
    while active:
        total = sum(weighted[k] for k in active)
        full = {k for k in active if left * weighted[k] >= capacities[k] * total}
        if not full:
            return [left * weighted[k] / total if k in active else share for k, share in enumerate(given_up)]
        for k in full:
            given_up[k] = Exact(capacities[k])
            left -= capacities[k]
        active -= full
    return given_up


@given(edges(0, 2**66), weights, st.data())
def test_pro_rata_sums_and_caps(amount: int, weighted: list[int], data: st.DataObject) -> None:
    capacities = [data.draw(edges(0, 2**63)) for _ in weighted]
    given_up = pro_rata(amount, weighted, capacities)
    able = sum(capacity for weight, capacity in zip(weighted, capacities, strict=True) if weight)
    assert sum(given_up) == min(amount, able)
    for one, weight, capacity in zip(given_up, weighted, capacities, strict=True):
        assert 0 <= one <= capacity
        assert weight or not one


@given(edges(0, 2**20), weights, st.data())
def test_pro_rata_is_within_one_of_its_fraction_definition(
    amount: int, weighted: list[int], data: st.DataObject
) -> None:
    capacities = [data.draw(edges(0, 2**20)) for _ in weighted]
    exact = exact_split(amount, weighted, capacities)
    given_up = pro_rata(amount, weighted, capacities)
    assert all(abs(one - share) < 1 for one, share in zip(given_up, exact, strict=True))
    # The largest remainders were rounded up: nobody who was rounded down had more left over.
    up = [share - int(share) for one, share in zip(given_up, exact, strict=True) if one > share]
    down = [share - int(share) for one, share in zip(given_up, exact, strict=True) if one < share]
    assert not up or not down or min(up) >= max(down)


def test_equal_remainders_go_to_the_earlier() -> None:
    assert pro_rata(2, [1, 1, 1], [9, 9, 9]) == [1, 1, 0]
    assert pro_rata(0, [1, 1], [9, 9]) == [0, 0]
    assert pro_rata(5, [], []) == []
    assert pro_rata(99, [1, 2], [3, 4]) == [3, 4]


@st.composite
def holders(draw: st.DrawFn) -> list[Holder]:
    """Opposite holders with distinct ids, in any order."""
    ids = draw(st.lists(st.integers(1, 50).map(lambda k: 64 * k), unique=True, max_size=8))
    found = []
    for account_id in ids:
        size = draw(edges(1, 2**40))
        unhedged = draw(edges(0, size))
        found.append(Holder(AccountId(account_id), Size(size), Size(unhedged), Quote(draw(edges(-(2**50), 2**50)))))
    return found


@given(edges(0, 2**43), holders())
def test_deleveraging_is_minimal_in_total(amount: int, found: list[Holder]) -> None:
    given_up = shares(Size(amount), found)
    sizes = {holder.account_id: int(holder.size) for holder in found}
    assert sum(int(size) for size in given_up.values()) == min(amount, sum(sizes.values()))
    assert all(0 < int(size) <= sizes[account_id] for account_id, size in given_up.items())


@given(edges(0, 2**43), holders())
def test_hedged_shares_go_last(amount: int, found: list[Holder]) -> None:
    # While unhedged lots in profit suffice, nobody loses a hedge and nobody at a loss gives anything.
    first = sum(int(holder.unhedged) for holder in found if int(holder.profit) > 0)
    given_up = shares(Size(min(amount, first)), found)
    for holder in found:
        most = int(holder.unhedged) if int(holder.profit) > 0 else 0
        assert int(given_up.get(holder.account_id, 0)) <= most


@given(edges(0, 2**43), holders(), st.randoms(use_true_random=False))
def test_the_order_of_holders_does_not_matter(amount: int, found: list[Holder], order: object) -> None:
    mixed = list(found)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert shares(Size(amount), mixed) == shares(Size(amount), found)
    assert list(shares(Size(amount), mixed)) == sorted(shares(Size(amount), found))
    assert rank(mixed) == rank(found)


@given(books(), st.lists(st.integers(1, 2), min_size=5, max_size=5))
def test_unhedged_equals_its_fraction_definition(book: Book, numbers: list[int]) -> None:
    terms, at, held = book
    risks = {one.market_id: Risk(Price(price), ()) for one, price in zip(terms, at, strict=True)}
    groups = dict(enumerate(numbers, 1))
    for one in held:
        notionals = [int(p.size) * int(risks[p.market_id].price) for p in held if groups[p.market_id] ==
                     groups[one.market_id]]
        side = 1 if int(one.size) > 0 else -1
        same = sum(abs(n) for n in notionals if n * side > 0)
        opposite = sum(abs(n) for n in notionals if n * side < 0)
        exact = abs(int(one.size)) * max(Exact(0), 1 - Exact(opposite, same))
        assert 0 <= exact - int(unhedged_size(held, one.market_id, risks, groups)) < 1


@given(books())
def test_a_hedge_is_counted_once(book: Book) -> None:
    terms, at, held = book
    risks = {one.market_id: Risk(Price(price), ()) for one, price in zip(terms, at, strict=True)}
    groups = {one.market_id: 1 for one in terms}
    net = abs(sum(int(p.size) * int(risks[p.market_id].price) for p in held))
    free = sum(int(unhedged_size(held, p.market_id, risks, groups)) * int(risks[p.market_id].price) for p in held)
    assert free <= net < free + sum(int(risks[p.market_id].price) for p in held) + 1


@given(books(1))
def test_profit_equals_its_fraction_definition(book: Book) -> None:
    terms, at, held = book
    for one, price in zip(held, at, strict=True):
        exact = Exact(int(one.size) * int(price), WHOLE) - int(one.cost)
        assert 0 <= exact - int(profit(one, {1: risk_of(terms[0], Price(price))})) < 1


@given(holders())
def test_rank_follows_profit_per_unhedged_lot(found: list[Holder]) -> None:
    places = rank(found)
    exposed = [holder for holder in found if int(holder.profit) > 0 and int(holder.unhedged) > 0]
    assert set(places) == {holder.account_id for holder in exposed}
    assert not places or max(places.values()) == 10
    assert all(1 <= place <= 10 for place in places.values())
    for one in exposed:
        for two in exposed:
            if Exact(int(one.profit), int(one.unhedged)) >= Exact(int(two.profit), int(two.unhedged)) + Exact(1, WHOLE):
                assert places[one.account_id] >= places[two.account_id]


def test_a_full_hedge_leaves_nothing() -> None:
    risks = {k: Risk(Price(1 << 40), ()) for k in (1, 2)}
    held = [position(1, 10), position(2, -10, dollars(1))]
    assert unhedged_size(held, MarketId(1), risks, {1: 1, 2: 1}) == Size(0)
    assert unhedged_size(held, MarketId(1), risks, {1: 1, 2: 2}) == Size(10)
    assert percent(100) == WHOLE
