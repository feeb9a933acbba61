"""How many messages a second the order book takes, beside a plain dict book and the peers from PyPI, in one run.

The workload: 10,000 resting orders, then messages of which half are orders that rest at a geometric distance from a
wandering middle, two fifths cancel a random live order, and a tenth take liquidity and always fill. Every engine gets
one call per message (the compiled twin: arrays in batches) and must hand its fills back to Python; they are compared
with those of the book the generator kept. Seconds are this process's own, so that a busy machine counts less. A peer
that is not installed is shown as such, never left out.

    python -m benchmarks.matching [--messages N]
"""

import argparse
import bisect
import gc
import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.matching_peers import PEERS, Engine, Fill, LimitOrderBook, Message, PlainDictBook
from bulkhead.engine.book import Book
from bulkhead.lab.book_kernel import CANCEL, LIMIT, TAKE, BatchBook, Integers

PRELOAD = 10_000
DISTANCE_TICKS = 25  # mean of the geometric distance from the middle
MIDDLE = 100_000
SIZE_MAX = 100
LIVE_MIN = 100  # below it a cancel becomes an order,
DEPTH_MIN = 20_000  # and below this many lots on a side a taker does
ROUNDS = 5
BUDGET_S = 12.0  # an engine that has used it up leaves the later rounds

Row = dict[str, str | float]


@dataclass
class Workload:
    """Messages to feed, and what must come of them."""

    preload: list[Message] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    resting_size: int = 0


class Generator:
    """Draws messages and keeps the book they make: on each side one sorted list of (rank, -order id), best last."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).random
        self.sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.size: dict[int, int] = {}
        self.where: dict[int, tuple[int, tuple[int, int]]] = {}
        self.live: list[int] = []  # for drawing one at random; `place` finds it again
        self.place: dict[int, int] = {}
        self.depth = [0, 0]
        self.fills: list[Fill] = []
        self.middle = MIDDLE
        self.last_id = 0

    def message(self, preloading: bool) -> Message:
        step = self.random()
        self.middle += (step < 0.1) - (step > 0.9)
        draw = 0.0 if preloading else self.random()
        if draw >= 0.9 and min(self.depth) >= DEPTH_MIN:
            return self.take()
        if 0.5 <= draw < 0.9 and len(self.live) >= LIVE_MIN:
            return self.cancel()
        return self.add()

    def add(self) -> Message:
        """An order that rests: one that would cross is moved to just before the other side's best."""
        self.last_id += 1
        side, size = int(self.random() * 2), 1 + int(self.random() * SIZE_MAX)
        distance = 1 + int(math.log(1.0 - self.random()) / math.log1p(-1 / DISTANCE_TICKS))
        rank = (-self.middle if side else self.middle) - distance
        opposite = self.sides[1 - side]
        if opposite:
            rank = min(rank, -opposite[-1][0] - 1)
        entry = (rank, -self.last_id)
        bisect.insort(self.sides[side], entry)
        self.size[self.last_id] = size
        self.where[self.last_id] = side, entry
        self.place[self.last_id] = len(self.live)
        self.live.append(self.last_id)
        self.depth[side] += size
        return LIMIT, self.last_id, side, abs(rank), size

    def cancel(self) -> Message:
        order_id = self.live[int(self.random() * len(self.live))]
        side, entry = self.where[order_id]
        del self.sides[side][bisect.bisect_left(self.sides[side], entry)]
        self.depth[side] -= self.forget(order_id)
        return CANCEL, order_id, side, abs(entry[0]), 0

    def take(self) -> Message:
        self.last_id += 1
        side, size = int(self.random() * 2), 1 + int(self.random() * SIZE_MAX)
        opposite, left = self.sides[1 - side], size
        self.depth[1 - side] -= size
        while left:
            rank, negative_id = opposite[-1]
            filled = min(left, self.size[-negative_id])
            self.fills.append((-negative_id, self.last_id, abs(rank), filled))
            self.size[-negative_id] -= filled
            left -= filled
            if not self.size[-negative_id]:
                opposite.pop()
                self.forget(-negative_id)
        return TAKE, self.last_id, side, 1 if side else 2 * MIDDLE, size

    def forget(self, order_id: int) -> int:
        """Take an order off every list but its side's; the lots it had left."""
        place, last = self.place.pop(order_id), self.live.pop()
        if last != order_id:
            self.live[place], self.place[last] = last, place
        del self.where[order_id]
        return self.size.pop(order_id)


def workload(messages: int, seed: int = 42) -> Workload:
    """The same messages for the same seed, on any machine."""
    generator = Generator(seed)
    preload = [generator.message(True) for _ in range(PRELOAD)]
    rest = [generator.message(False) for _ in range(messages)]
    return Workload(preload, rest, generator.fills, sum(generator.depth))


class LiveBook:
    """`engine.book.Book` as the exchange uses it: fills are reported through `settle`, and it accepts them."""

    def __init__(self) -> None:
        self.book = Book()
        self.reported: list[Fill] = []

    def feed(self, messages: list[Message]) -> None:
        match, rest, cancel, report = self.book.match, self.book.rest, self.book.cancel, self.reported.append

        def settle(maker_id: int, taker_id: int, price: int, size: int) -> int:
            report((maker_id, taker_id, price, size))
            return size

        for kind, order_id, side, price, size in messages:
            if kind == CANCEL:
                cancel(order_id)
                continue
            left = match(order_id, side, price, size, settle)
            if left and kind == LIMIT:
                rest(order_id, side, price, left)

    def fills(self) -> list[Fill]:
        return self.reported


class CompiledBook:
    """`lab.book_kernel.BatchBook`, fed with arrays."""

    def __init__(self, batch: int) -> None:
        self.book = BatchBook()
        self.batch = batch
        self.reported: list[Integers] = []

    def feed(self, messages: Integers) -> None:
        for start in range(0, len(messages), self.batch):
            self.reported.append(self.book.run(messages[start : start + self.batch]).fills)

    def fills(self) -> list[Fill]:
        return [tuple(fill) for fill in np.concatenate(self.reported).tolist()]


def verdict(engine: Engine, work: Workload) -> str:
    """How far an engine's own report agrees with the generator's book."""
    if isinstance(engine, LimitOrderBook):
        agrees = engine.resting_size() == work.resting_size
        return f"reports no fills; resting size {'agrees' if agrees else 'IS WRONG'}"
    if engine.fills() == work.fills:
        return "same fills, same order"
    return "FILLS ARE WRONG"


@dataclass
class Result:
    """What an engine did: messages a second of each round."""

    name: str
    verdict: str = "not installed"
    speeds: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        return max(self.speeds, default=0.0)

    @property
    def median(self) -> float:
        return statistics.median(self.speeds) if self.speeds else 0.0


def engines(messages: int) -> dict[str, Callable[[], Engine] | None]:
    """Every engine by name, ours first; None for one that is not installed."""
    return {
        "Book": LiveBook,
        "compiled twin, batches of 1000": lambda: CompiledBook(1000),
        "compiled twin, one batch": lambda: CompiledBook(messages),
        "plain dict book, no settle": PlainDictBook,
        **{name: load() for name, load in PEERS.items()},
    }


def measure(messages: int, rounds: int = ROUNDS) -> list[Result]:
    """Every engine in turn, several rounds, so that a slow minute of the machine hits all of them."""
    work = workload(messages)
    arrays = np.array(work.preload, np.int64), np.array(work.messages, np.int64)
    makers = engines(messages)
    results = {name: Result(name) for name in makers}
    BatchBook().run(arrays[0][:0])  # compiles
    used_s = dict.fromkeys(makers, 0.0)
    for _ in range(rounds):
        for name, make in makers.items():
            if make is None or used_s[name] > BUDGET_S:
                continue
            engine = make()
            preload, stream = arrays if isinstance(engine, CompiledBook) else (work.preload, work.messages)
            engine.feed(preload)
            gc.collect()
            start = time.process_time()
            engine.feed(stream)
            taken_s = time.process_time() - start
            used_s[name] += taken_s
            results[name].speeds.append(messages / taken_s)
            results[name].verdict = verdict(engine, work)
    return list(results.values())


def rows(results: list[Result]) -> list[Row]:
    """One row per comparison: ours, the reference, how many times as fast ours is."""
    ours, *others = results
    found: list[Row] = []
    for other in others:
        row: Row = {"figure": f"order book, beside {other.name}: {other.verdict}", "value": round(ours.best)}
        row["unit"] = "messages/s"
        row["reference"] = round(other.best) if other.speeds else "not installed"
        row["ratio"] = ours.best / other.best if other.speeds else "-"
        found.append(row)
    return found


def run(messages: int = 1_000_000) -> list[Row]:
    """Rows for the table of all figures."""
    return rows(measure(messages))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    messages = parser.parse_args().messages
    results = measure(messages)
    ours = results[0]
    print(f"{messages:,} messages after {PRELOAD:,} resting orders; messages a second")
    print(f"{'engine':34}{'best':>12}{'median':>12}{'runs':>6}{'to ours':>9}  fills")
    for result in results:
        if result.speeds:
            ratio = result.best / ours.best
            figures = f"{result.best:>12,.0f}{result.median:>12,.0f}{len(result.speeds):>6}{ratio:>9.2f}"
        else:
            figures = f"{'-':>12}{'-':>12}{'-':>6}{'-':>9}"
        print(f"{result.name:34}{figures}  {result.verdict}")


if __name__ == "__main__":
    main()
