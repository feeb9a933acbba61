"""The compiled batch book: what it refuses, and the same events as the live book on 100,000 random commands."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bulkhead.engine.book import BUY, SELL, Book, Resting
from bulkhead.lab.book_kernel import CANCEL, LIMIT, REDUCE, TAKE, TICKS, BatchBook, Integers

Command = tuple[int, int, int, int, int]


def commands(*rows: Command) -> Integers:
    return np.array(rows, np.int64).reshape(-1, 5)


class LiveBook:
    """`Book` under the kernel's commands, every fill accepted."""

    def __init__(self) -> None:
        self.book = Book()
        self.fills: list[tuple[int, int, int, int]] = []

    def settle(self, maker_id: int, taker_id: int, price: int, size: int) -> int:
        self.fills.append((maker_id, taker_id, price, size))
        return size

    def step(self, command: Command) -> int:
        kind, order_id, side, price, size = command
        if kind == CANCEL:
            return self.book.cancel(order_id)
        if kind == REDUCE:
            return int(self.book.reduce(order_id, size))
        left = self.book.match(order_id, side, price, size, self.settle)
        if left and kind == LIMIT:
            self.book.rest(order_id, side, price, left)
        return left


def random_commands(seed: int, count: int) -> list[Command]:
    """Prices about a middle that wanders over many words of the tick map; some orders cross, some cancels miss."""
    draw = random.Random(seed)
    middle, made, order_id = 50_000, [], 0
    for _ in range(count):
        middle += draw.choices((-40, -1, 0, 1, 40), (1, 20, 60, 20, 1))[0]
        kind = draw.choices((LIMIT, TAKE, CANCEL, REDUCE), (50, 10, 30, 10))[0]
        side, size, known_id = draw.randint(BUY, SELL), draw.randint(1, 60), draw.randint(1, order_id + 2)
        if kind == LIMIT:
            order_id += 1
            away = int(draw.expovariate(1 / 30)) - 3
            made.append((LIMIT, order_id, side, middle - away if side == BUY else middle + away, size))
        elif kind == TAKE:
            order_id += 1
            size *= draw.choices((1, 5, 400), (80, 19, 1))[0]
            made.append((TAKE, order_id, side, 10**9 if side == BUY else 1, size))
        else:
            recent_id = max(1, order_id - draw.randint(0, 150))
            made.append((kind, draw.choice((recent_id, recent_id, known_id)), side, 0, size))
    return made


def test_the_live_book_agrees_on_100_000_random_commands() -> None:
    live, batch = LiveBook(), BatchBook()
    stream = random_commands(1987, 100_000)
    for start in range(0, len(stream), 100):
        part = stream[start : start + 100]
        live.fills.clear()
        left = [live.step(command) for command in part]
        outcome = batch.run(commands(*part))
        assert [tuple(fill) for fill in outcome.fills.tolist()] == live.fills, f"commands from {start}"
        assert outcome.left.tolist() == left, f"commands from {start}"
        assert len(batch) == len(live.book)
        if start % 1000 == 0:
            assert list(batch) == list(live.book), f"commands from {start}"
    assert len(live.book) > 50, "the books compared hold something"
    assert list(batch) == list(live.book)


def test_a_batch_gives_what_its_commands_give_one_by_one() -> None:
    stream = commands(*random_commands(7, 3000))
    whole, single = BatchBook(), BatchBook()
    outcome = whole.run(stream)
    parts = [single.run(stream[index : index + 1]) for index in range(len(stream))]
    assert np.array_equal(outcome.fills, np.concatenate([part.fills for part in parts]))
    assert np.array_equal(outcome.left, np.concatenate([part.left for part in parts]))
    assert list(whole) == list(single)


def test_the_whole_span_of_prices_can_be_used() -> None:
    low, high = 1000, 1000 + TICKS - 1
    book = BatchBook(price_low=low)
    book.run(commands((LIMIT, 1, BUY, low, 5), (LIMIT, 2, SELL, high, 6)))
    assert list(book) == [Resting(1, BUY, low, 5), Resting(2, SELL, high, 6)]
    outcome = book.run(commands((TAKE, 3, SELL, 1, 2), (TAKE, 4, BUY, 10**12, 9), (TAKE, 5, BUY, 10**12, 1)))
    assert outcome.fills.tolist() == [[1, 3, low, 2], [2, 4, high, 6]]
    assert outcome.left.tolist() == [0, 3, 1]
    assert list(book) == [Resting(1, BUY, low, 3)]


def test_a_fill_list_longer_than_the_batch_is_complete() -> None:
    book = BatchBook()
    book.run(commands(*((LIMIT, order_id, SELL, 10 + order_id, 1) for order_id in range(1, 5001))))
    assert len(book.run(commands((TAKE, 9999, BUY, 10**6, 5000))).fills) == 5000
    assert len(book) == 0


SOUND = (LIMIT, 1, BUY, 100, 5)
UNSOUND = [
    (7, 2, BUY, 100, 5),
    (LIMIT, 2, 2, 100, 5),
    (LIMIT, 2, BUY, 100, 0),
    (LIMIT, 2, BUY, 0, 5),
    (LIMIT, 2, BUY, 1 + TICKS, 5),
    (LIMIT, 0, BUY, 100, 5),
    (LIMIT, -1, BUY, 100, 5),
    (LIMIT, 1, BUY, 100, 5),
    (LIMIT, 1001, BUY, 100, 5),
    (TAKE, 2, -1, 100, 5),
    (TAKE, 2, BUY, 0, 5),
    (TAKE, 2, BUY, 100, -5),
    (REDUCE, 1, BUY, 100, 0),
]


@pytest.mark.parametrize("unsound", UNSOUND)
def test_an_unsound_command_is_an_error_and_those_before_it_stay_done(unsound: Command) -> None:
    book = BatchBook(order_id_max=1000)
    with pytest.raises(ValueError, match="command 1 of 3"):
        book.run(commands(SOUND, unsound, (CANCEL, 1, 0, 0, 0)))
    assert list(book) == [Resting(1, BUY, 100, 5)]


def test_cancels_and_reductions_of_strangers_do_nothing() -> None:
    book = BatchBook(order_id_max=1000)
    strangers = (CANCEL, 2, 0, 0, 0), (CANCEL, -5, 0, 0, 0), (CANCEL, 10**15, 0, 0, 0), (REDUCE, 10**15, 0, 0, 1)
    assert book.run(commands(SOUND, *strangers)).left.tolist() == [5, 0, 0, 0, 0]
    assert len(book) == 1


@pytest.mark.parametrize("shape", [np.zeros((2, 4), np.int64), np.zeros(5, np.int64), np.zeros((2, 5), np.int32)])
def test_other_shapes_are_an_error(shape: Integers) -> None:
    with pytest.raises(ValueError, match="rows of five"):
        BatchBook().run(shape)


def test_an_empty_batch_does_nothing() -> None:
    outcome = BatchBook().run(commands())
    assert outcome.fills.shape == (0, 4)
    assert outcome.left.shape == (0,)
