"""The order book: its rules one by one, then against the naive twin on 100,000 random commands."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkhead.engine.book import BUY, MAKER_GONE, SELL, TAKER_STOP, Book, Cost, Resting
from tests.reference.book_world import World, fill_all
from tests.reference.naive_book import NaiveBook

WORDS = {"buy": BUY, "sell": SELL}


class Tape:
    """A `settle` that writes down what it was asked and answers from a list, filling when the list is used up."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int, int, int]] = []

    def __call__(self, maker_id: int, taker_id: int, price: int, size: int) -> int:
        self.asked.append((maker_id, taker_id, price, size))
        return self.answers.pop(0) if self.answers else size


def book_of(table: str) -> Book:
    """A book from lines `id side price size`, resting in that order."""
    book = Book()
    for line in table.split("\n"):
        if line.strip():
            order_id, side, price, size = line.split()
            book.rest(int(order_id), WORDS[side], int(price), int(size))
    return book


def table_of(book: Book) -> list[str]:
    book.check()
    names = {side: word for word, side in WORDS.items()}
    return [f"{order.order_id} {names[order.side]} {order.price} {order.size}" for order in book]


SAMPLE = """
    1 sell 102 5
    2 sell 101 3
    3 sell 101 4
    4 buy   99 6
    5 buy   98 2
    6 buy   99 1
"""


# -- examples ------------------------------------------------------------------------------------------------------


def test_orders_are_listed_in_priority_order() -> None:
    assert table_of(book_of(SAMPLE)) == [
        "4 buy 99 6",
        "6 buy 99 1",
        "5 buy 98 2",
        "2 sell 101 3",
        "3 sell 101 4",
        "1 sell 102 5",
    ]


def test_a_taker_pays_the_makers_prices_best_first_and_oldest_first() -> None:
    book, tape = book_of(SAMPLE), Tape()
    assert book.match(9, BUY, 105, 10, tape) == 0
    assert tape.asked == [(2, 9, 101, 3), (3, 9, 101, 4), (1, 9, 102, 3)]
    assert table_of(book)[3:] == ["1 sell 102 2"]


def test_matching_stops_at_the_limit_and_rests_nothing() -> None:
    book, tape = book_of(SAMPLE), Tape()
    assert book.match(9, SELL, 99, 10, tape) == 3
    assert tape.asked == [(4, 9, 99, 6), (6, 9, 99, 1)]
    assert book.get(9) is None
    assert book.best(BUY) == 98


def test_a_price_that_does_not_cross_asks_nobody() -> None:
    book, tape = book_of(SAMPLE), Tape()
    assert book.match(9, BUY, 100, 10, tape) == 10
    assert tape.asked == []


def test_a_partly_filled_maker_keeps_its_place() -> None:
    book, tape = book_of(SAMPLE), Tape()
    book.match(8, BUY, 101, 1, tape)
    book.match(9, BUY, 101, 4, tape)
    assert tape.asked == [(2, 8, 101, 1), (2, 9, 101, 2), (3, 9, 101, 2)]


def test_a_new_order_waits_behind_a_level_already_being_matched() -> None:
    book, tape = book_of(SAMPLE), Tape()
    book.match(8, BUY, 101, 1, tape)
    book.rest(7, SELL, 101, 9)
    assert table_of(book)[3:6] == ["2 sell 101 2", "3 sell 101 4", "7 sell 101 9"]
    assert book.depth(SELL, 1) == [(101, 15)]


def test_a_maker_that_is_gone_leaves_and_matching_goes_on() -> None:
    book, tape = book_of(SAMPLE), Tape(MAKER_GONE)
    assert book.match(9, BUY, 101, 5, tape) == 1
    assert tape.asked == [(2, 9, 101, 3), (3, 9, 101, 4)]
    assert book.get(2) is None


def test_a_maker_may_be_filled_in_part_and_be_gone() -> None:
    book, tape = book_of(SAMPLE), Tape(MAKER_GONE - 2)
    assert book.match(9, BUY, 101, 5, tape) == 0
    assert tape.asked == [(2, 9, 101, 3), (3, 9, 101, 3)]
    assert table_of(book)[3:] == ["3 sell 101 1", "1 sell 102 5"]


def test_a_taker_that_stops_leaves_the_maker_as_it_was() -> None:
    book, tape = book_of(SAMPLE), Tape(3, TAKER_STOP)
    assert book.match(9, BUY, 102, 9, tape) == 6
    assert tape.asked == [(2, 9, 101, 3), (3, 9, 101, 4)]
    assert table_of(book)[3:] == ["3 sell 101 4", "1 sell 102 5"]


def test_a_smaller_fill_than_proposed_is_made_and_ends_matching() -> None:
    book, tape = book_of(SAMPLE), Tape(2)
    assert book.match(9, BUY, 102, 9, tape) == 7
    assert tape.asked == [(2, 9, 101, 3)]
    assert table_of(book)[3:] == ["2 sell 101 1", "3 sell 101 4", "1 sell 102 5"]


def test_an_error_in_settle_leaves_the_maker_in_its_place() -> None:
    def fail(maker_id: int, taker_id: int, price: int, size: int) -> int:
        raise KeyError(maker_id)

    book = book_of(SAMPLE)
    before = table_of(book)
    with pytest.raises(KeyError):
        book.match(9, BUY, 102, 9, fail)
    assert table_of(book) == before


def test_more_lots_than_proposed_cannot_be_filled() -> None:
    for answer in (4, MAKER_GONE - 4):
        with pytest.raises(AssertionError):
            book_of(SAMPLE).match(9, BUY, 101, 5, Tape(answer))


def test_cancel_says_what_was_left_and_knows_no_strangers() -> None:
    book = book_of(SAMPLE)
    book.match(9, BUY, 101, 1, fill_all)
    assert book.cancel(2) == 2
    assert book.cancel(2) == 0
    assert book.cancel(77) == 0
    assert book.cancel(3) == 4
    assert book.best(SELL) == 102
    assert len(book) == 4
    book.check()


def test_reduce_keeps_the_place_and_never_enlarges() -> None:
    book = book_of(SAMPLE)
    assert book.reduce(4, 2)
    assert not book.reduce(4, 2)
    assert not book.reduce(4, 3)
    assert not book.reduce(77, 1)
    book.match(9, BUY, 101, 1, fill_all)
    assert book.reduce(2, 1)
    assert table_of(book)[0] == "4 buy 99 2"
    assert table_of(book)[3] == "2 sell 101 1"


def test_a_resting_order_never_crosses_and_is_never_reduced_to_nothing() -> None:
    book = book_of(SAMPLE)
    before = table_of(book)
    for crossing in ((9, BUY, 101, 1), (9, SELL, 99, 1)):
        with pytest.raises(AssertionError):
            book.rest(*crossing)
    with pytest.raises(AssertionError):
        book.reduce(1, 0)
    assert table_of(book) == before


@pytest.mark.parametrize("mistake", [(1, SELL, 103, 1), (9, SELL, 103, 0), (9, BUY, 0, 1)], ids=["twice", "no", "free"])
def test_check_finds_an_order_that_should_not_rest(mistake: tuple[int, int, int, int]) -> None:
    book = book_of(SAMPLE)
    book.rest(*mistake)
    with pytest.raises(AssertionError):
        book.check()


def test_depth_adds_up_each_price() -> None:
    book = book_of(SAMPLE)
    assert book.depth(BUY, 5) == [(99, 7), (98, 2)]
    assert book.depth(SELL, 1) == [(101, 7)]
    assert book.depth(SELL, 0) == []


def test_fillable_counts_what_a_taker_finds() -> None:
    book = book_of(SAMPLE)
    assert book.fillable(BUY, 100, 9) == 0
    assert book.fillable(BUY, 101, 9) == 7
    assert book.fillable(BUY, 102, 9) == 9
    assert book.fillable(SELL, 98, 20) == 9
    assert book.fillable(SELL, 98, 0) == 0


def test_cost_is_exact_and_says_how_much_there_was() -> None:
    book = book_of(SAMPLE)
    assert book.cost(BUY, 8) == Cost(7 * 101 + 102, 8, 102)
    assert book.cost(SELL, 20) == Cost(7 * 99 + 2 * 98, 9, 98)
    assert book.cost(SELL, 0) == Cost(0, 0, 0)


def test_impact_price_is_the_exact_average() -> None:
    book = book_of(SAMPLE)
    numerator, denominator = book.impact_price(BUY, 707 + 51) or (0, 1)
    assert Fraction(numerator, denominator) == Fraction(758) / (7 + Fraction(1, 2))
    numerator, denominator = book.impact_price(SELL, 99) or (0, 1)
    assert Fraction(numerator, denominator) == 99
    assert book.impact_price(SELL, 7 * 99 + 2 * 98) is not None
    assert book.impact_price(SELL, 7 * 99 + 2 * 98 + 1) is None


def test_an_empty_book_answers_every_question() -> None:
    book = Book()
    assert (book.best(BUY), book.get(1), book.depth(SELL, 3), len(book), list(book)) == (None, None, [], 0, [])
    assert book.match(1, BUY, 10, 5, fill_all) == 5
    assert book.fillable(SELL, 1, 5) == 0
    assert book.impact_price(BUY, 1) is None
    book.check()


# -- rules as properties -------------------------------------------------------------------------------------------

orders = st.lists(st.tuples(st.integers(101, 106), st.integers(1, 9)), min_size=1, max_size=30)


def sells(levels: list[tuple[int, int]]) -> Book:
    book = Book()
    for order_id, (price, size) in enumerate(levels):
        book.rest(order_id, SELL, price, size)
    return book


@given(orders, st.integers(1, 300))
def test_price_priority(levels: list[tuple[int, int]], size: int) -> None:
    tape = Tape()
    sells(levels).match(99, BUY, 106, size, tape)
    prices = [price for _, _, price, _ in tape.asked]
    assert prices == sorted(prices)


@given(orders, st.integers(1, 300))
def test_time_priority(levels: list[tuple[int, int]], size: int) -> None:
    tape = Tape()
    sells(levels).match(99, BUY, 106, size, tape)
    for level in range(101, 107):
        makers = [maker_id for maker_id, _, price, _ in tape.asked if price == level]
        assert makers == sorted(makers)


@given(orders, st.lists(st.integers(1, 40), max_size=10))
def test_no_lot_is_created_or_lost(levels: list[tuple[int, int]], takers: list[int]) -> None:
    book, tape = sells(levels), Tape()
    left = sum(book.match(100 + index, BUY, 104, size, tape) for index, size in enumerate(takers))
    filled = sum(size for _, _, _, size in tape.asked)
    assert filled + left == sum(takers)
    assert filled + sum(order.size for order in book) == sum(size for _, size in levels)
    book.check()


@given(orders, st.integers(1, 300), st.integers(100, 107))
def test_fillable_is_what_a_willing_taker_gets(levels: list[tuple[int, int]], size: int, price: int) -> None:
    book = sells(levels)
    expected = book.fillable(BUY, price, size)
    assert size - book.match(99, BUY, price, size, fill_all) == expected


@given(orders, st.integers(1, 300))
def test_cost_is_what_a_willing_taker_pays(levels: list[tuple[int, int]], size: int) -> None:
    book, tape = sells(levels), Tape()
    expected = book.cost(BUY, size)
    book.match(99, BUY, 106, size, tape)
    paid = sum(price * filled for _, _, price, filled in tape.asked)
    assert expected == Cost(paid, sum(filled for _, _, _, filled in tape.asked), tape.asked[-1][2])


@given(orders, st.integers(1, 100))
def test_a_book_is_copied_by_resting_its_orders_in_order(levels: list[tuple[int, int]], size: int) -> None:
    book, copy = sells(levels), Book()
    book.match(99, BUY, 106, size, fill_all)
    for resting in book:
        copy.rest(*resting)
    assert list(copy) == list(book)
    one, other = Tape(), Tape()
    assert book.match(98, BUY, 106, size, one) == copy.match(98, BUY, 106, size, other)
    assert one.asked == other.asked


@settings(deadline=None)
@given(st.integers(2, 2000))
def test_a_level_is_worked_off_in_its_order_whatever_was_cancelled(count: int) -> None:
    book, tape = sells([(101, 1)] * count), Tape()
    gone = set(range(0, count, 3))
    book.match(count, BUY, 101, 1, tape)
    for order_id in gone:
        assert book.cancel(order_id) == (order_id != 0)
    book.match(count, BUY, 101, count, tape)
    makers = [maker_id for maker_id, _, _, _ in tape.asked]
    assert makers == [0, *(order_id for order_id in range(count) if order_id not in gone)]
    assert list(book) == []


# -- the twin ------------------------------------------------------------------------------------------------------


def test_the_naive_twin_agrees_on_100_000_random_commands() -> None:
    fast, naive = World(2018, Book()), World(2018, NaiveBook())
    for count in range(1, 100_001):
        fast.step()
        naive.step()
        if count % 100 == 0:
            assert fast.events == naive.events, f"before command {count}"
            assert list(fast.book) == list(naive.book), f"after command {count}"
            assert fast.questions() == naive.questions(), f"after command {count}"
            assert isinstance(fast.book, Book)
            fast.book.check()
            kinds = {event[0] for event in fast.events}
            assert kinds >= {"settle", "left", "cancel", "reduce"}, "the commands reach everything"
            fast.events.clear()
            naive.events.clear()


def test_check_finds_a_damaged_book() -> None:
    def forget_order(book: Book) -> None:
        del book._orders[1]

    def empty_order(book: Book) -> None:
        book._levels[99][4] = 0

    def misplace_price(book: Book) -> None:
        book._ranks[BUY].reverse()

    def keep_empty_level(book: Book) -> None:
        book._levels[97] = {}

    def two_queues(book: Book) -> None:
        book._fronts[99] = {4: 6}

    for damage in (forget_order, empty_order, misplace_price, keep_empty_level, two_queues):
        book = book_of(SAMPLE)
        book.check()
        damage(book)
        with pytest.raises(AssertionError):
            book.check()


def test_a_resting_order_is_found_by_its_id() -> None:
    book = book_of(SAMPLE)
    assert book.get(2) == Resting(2, SELL, 101, 3)
    book.match(9, BUY, 101, 1, fill_all)
    assert book.get(2) == Resting(2, SELL, 101, 2)
    assert book.get(5) == Resting(5, BUY, 98, 2)


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("price", [90, 98, 99, 100, 101, 102, 110])
def test_a_taker_faces_the_other_side_of_the_book_up_to_his_price(side: int, price: int) -> None:
    book = book_of(SAMPLE)
    book.match(9, side, 100, 1, fill_all)  # some levels are partly traded
    others = [resting for resting in book if resting.side != side]
    sign = 1 if side == BUY else -1
    assert list(book.facing(side, price)) == [resting for resting in others if resting.price * sign <= price * sign]
