"""What arithmetic costs: one product of two field elements, and the transform of a long column."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks import Row
from stark.field import Felts, from_ints, load, multiply, store
from stark.kernels import kernel
from stark.ntt import extend, interpolate
from stark.prime import GENERATOR, PRIME

IN_CACHE = 1024  # pairs: 64 kB, so that the products are measured and not the memory
ROUNDS = 2_000
LOG_ROWS = 20
THREADS = 2


@kernel
def products(first: Felts, second: Felts, rounds: int) -> None:
    """Products that do not wait for each other, as in a transform."""
    for _ in range(rounds):
        for index in range(len(first)):
            store(first, index, multiply(load(first, index), load(second, index)))


@kernel
def chain(values: Felts, rounds: int) -> None:
    """Products each of which waits for the one before."""
    running = load(values, 0)
    for _ in range(rounds):
        for index in range(len(values)):
            running = multiply(running, load(values, index))
    store(values, 0, running)


def median_s(work: Callable[[], object], repeats: int = 7) -> float:
    """The median time of several runs; the first, which compiles, apart."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def row(figure: str, value: float, unit: str, reference: float | str = "", ratio: float | str = "") -> Row:
    """A line of the table."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def field_product() -> list[Row]:
    """Beside Python's own integers."""
    draw = random.Random(1)
    plain = [draw.randrange(PRIME) for _ in range(IN_CACHE)]
    first, second = from_ints(plain), from_ints(list(reversed(plain)))

    def by_python() -> None:
        for one, other in zip(plain, reversed(plain), strict=True):
            one * other % PRIME  # noqa: B018

    count = ROUNDS * IN_CACHE
    reference = median_s(by_python) / IN_CACHE * 1e9
    own = median_s(lambda: products(first, second, ROUNDS)) / count * 1e9
    waiting = median_s(lambda: chain(first, ROUNDS)) / count * 1e9
    return [
        row("Field product, one core (Python's integers)", own, "ns", reference, reference / own),
        row("Product that waits for the one before (the same)", waiting, "ns", reference, reference / waiting),
    ]


def transform() -> list[Row]:
    """One column at a time, both cores on it; and the limit that its products set."""
    values = from_ints([place * 7 for place in range(1 << LOG_ROWS)]).reshape(1, -1, 4)
    one = median_s(lambda: interpolate(values, 1, GENERATOR), 5)
    own = median_s(lambda: interpolate(values, THREADS, GENERATOR), 5)
    columns = np.concatenate([values] * 4)
    extended = median_s(lambda: extend(columns, 2, GENERATOR, THREADS), 3) / 16
    return [
        row(f"Transform of 2^{LOG_ROWS} elements, two cores (one core)", own, "s", one, one / own),
        row(f"Extension, a coset of 2^{LOG_ROWS}, two cores (one column alone)", extended, "s", own, own / extended),
    ]


def run() -> list[Row]:
    """Every figure of this file."""
    return [*field_product(), *transform()]
