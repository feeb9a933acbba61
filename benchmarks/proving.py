"""What a proof costs: a cell, a phase, a verification, and the first run on a machine that has compiled nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np

from stark import committed, eights, prover
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import System
from stark.estimate import estimate
from stark.field import Felts, add, from_ints, load, multiply, store
from stark.fixed import prepare
from stark.kernels import kernel
from stark.merkle import Tree
from stark.parameters import STANDARD
from stark.security import proven_bits, shape_of
from stark.transcript import Transcript
from stark.verifier import verify

BITS = 16
LENT = Bus("range", ("value",))
Figure = dict[str, str | float]


class Range(Chip):
    """Lends every number of 16 bits."""

    name = "range"
    columns = ("value", "count")

    def constrain(self, row: Row, must: Must) -> None:
        must.first("starts at zero", row.value)
        must.transition("counts up", row.next.value - row.value - 1)
        must.receive(LENT, [row.value], row.count)


class Work(Chip):
    """Columns that depend on each other by rules of degree 2, with two range checks a row."""

    name = "work"

    def __init__(self, width: int):
        self.columns = (("cell", width),)  # type: ignore[misc]

    def constrain(self, row: Row, must: Must) -> None:
        cells, after = row["cell"], row.next["cell"]
        for index in range(2, len(cells)):
            rule = after[index] - cells[index] * cells[index - 1] - cells[index - 2]
            must.transition(f"cell {index} follows", rule)
        for cell in cells[:2]:
            must.send(LENT, [cell])


@kernel
def fill(columns: Felts) -> None:
    """Rows from the first one on."""
    for row in range(columns.shape[1] - 1):
        for column in range(2, columns.shape[0]):
            product = multiply(load(columns[column], row), load(columns[column - 1], row))
            store(columns[column], row + 1, add(product, load(columns[column - 2], row)))


def tables(width: int, log_rows: int) -> list[Felts]:
    """Honest tables of both chips."""
    rows, size = 1 << log_rows, 1 << BITS
    numbers = from_ints(list(range(size)))
    drawn = np.random.default_rng(1).integers(0, size, (2, rows))
    work = np.zeros((width, rows, 4), np.uint64)
    work[:2] = numbers[drawn]
    work[2:, 0] = numbers[2:width]
    fill(work)
    counts = np.bincount(drawn.ravel(), minlength=size)
    return [np.stack([numbers, from_ints([int(count) for count in counts])]), work]


class Clock:
    """Seconds spent in each kind of work, those of calls within taken out of the caller's."""

    WORK: tuple[tuple[Any, str, str], ...] = (
        (committed, "interpolate", "transforms"),
        (committed, "evaluate_coset", "transforms"),
        (committed, "digest_coset", "hashing"),
        (Tree, "grow", "hashing"),
        (prover, "commit", "hashing"),
        (prover, "bus_columns", "LogUp"),
        (prover, "compose", "constraints"),
        (prover, "values_at", "DEEP"),
        (prover, "Opening", "DEEP"),
        (Transcript, "grind", "grinding"),
        (prover, "fold_word", "FRI"),
        (prover, "add_scaled_word", "FRI"),
        (prover, "fibres", "FRI"),
    )

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    def timed(self, work: str, function: Callable[..., object]) -> Callable[..., object]:
        """The function, counted under its kind of work."""

        def call(*arguments: object, **options: object) -> object:
            self._inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent = time.perf_counter() - start
                own = spent - self._inside.pop()
                self.seconds[work] = self.seconds.get(work, 0.0) + own
                if self._inside:
                    self._inside[-1] += spent

        return call


class Timed:
    """One proof, with the seconds of each kind of work."""

    def __init__(self, width: int, log_rows: int, threads: int):
        self.system = System("work", [Range(), Work(width)], degree=3)
        self.log_heights = (BITS, log_rows)
        traces = tables(width, log_rows)
        fixed = prepare(self.system, self.log_heights, STANDARD)
        clock = Clock()
        with ExitStack() as patches:
            for owner, name, work in Clock.WORK:
                patches.enter_context(patch.object(owner, name, clock.timed(work, getattr(owner, name))))
            start = time.perf_counter()
            self.proof = prover.prove(fixed, [], traces, threads)
            self.seconds = time.perf_counter() - start
        self.work = clock.seconds
        self.cells = estimate(self.system, self.log_heights, STANDARD).cells
        start = time.perf_counter()
        if verify(fixed.key, [], self.proof) is not None:
            raise RuntimeError("a proof of honest tables was refused")
        self.verification = time.perf_counter() - start


def row(figure: str, value: float, unit: str, reference: str = "", ratio: float | str = "") -> Figure:
    """A line of the table."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def compilation() -> Figure:
    """The first proof in a fresh process with an empty cache of machine code."""
    code = "from benchmarks.proving import Timed; Timed(4, 12, 1)"
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache})
        cold = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_CACHE_DIR": cache})
        warm = time.perf_counter() - start
    return row("Proof library: kernels compiled on a cold cache", cold - warm, "s")


def run() -> list[Figure]:
    """Every figure of proving."""
    Timed(4, 12, 2)  # compiled and loaded
    rows = [compilation()]
    width, log_rows = 40, 16
    one = Timed(width, log_rows, 1)
    two = Timed(width, log_rows, 2)
    bits = proven_bits(STANDARD, shape_of(one.system, one.log_heights)).bits
    shape = f"2^{log_rows} rows, {one.system.columns()} columns, {bits:.0f} proven bits"
    per_cell = one.seconds / one.cells * 1e6
    rows.append(row(f"Proving, per cell and core ({shape})", per_cell, "us", "asked 3.3", 3.3 / per_cell))
    gained = one.seconds / two.seconds
    rows.append(row("Proving on two threads", two.seconds / two.cells * 1e6, "us a cell", "one thread", gained))
    for work, seconds in sorted(one.work.items(), key=lambda each: -each[1]):
        rows.append(row(f"  of which {work}", 100 * seconds / one.seconds, "%"))
    rest = one.seconds - sum(one.work.values())
    rows.append(row("  of which quotients, openings and the rest", 100 * rest / one.seconds, "%"))
    with patch.object(eights, "AVAILABLE", False):
        slow = Timed(width, log_rows, 1)
    slower = slow.seconds / one.seconds
    rows.append(row("Proving, an element at a time", slow.seconds / slow.cells * 1e6, "us", "eight, if it can", slower))
    rows.append(row("Proof", len(one.proof) / 1000, "kB"))
    rows.append(row(f"Verification in Python ({shape})", one.verification, "s"))
    large = Timed(100, 18, 2)
    rows.append(row("Proving 2^18 rows of 100 columns, two threads", large.seconds, "s"))
    times = 1 / large.verification
    rows.append(row("Verification of 2^18 rows of 100 columns", large.verification, "s", "asked 1", times))
    return rows
