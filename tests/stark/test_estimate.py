"""The memory that a proof takes, told before it starts: beside the peak of real proofs, and what a machine refuses."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import System
from stark.estimate import Estimate, NotEnoughMemory, check_memory, estimate, memory_bytes
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.proof import Phase
from stark.prover import prove
from tests.stark.toy import SYSTEM, case

CARRIED = Bus("carried", ("one", "other"))
NARROW = Parameters(log_blowup=2, queries=8, grinding_bits=0)
EXPANDED = Parameters(log_blowup=4, queries=8, grinding_bits=0)
SHORT = Parameters(log_blowup=2, queries=8, grinding_bits=0, log_final=2)
FOR_ANOTHER = Parameters(log_blowup=2, queries=8, grinding_bits=0, hash="poseidon")


class Shape(NamedTuple):
    """A table of so many columns, with rules of a degree, messages a row, and columns of the system's own."""

    width: int
    degree: int
    messages: int = 0
    own: int = 0


class Shaped(Chip):
    """Rules that a table of zeros obeys."""

    def __init__(self, name: str, shape: Shape):
        self.name = name  # type: ignore[misc]
        self.shape = shape
        self.columns = (("cell", shape.width),)  # type: ignore[misc]
        self.fixed = (("own", shape.own),)  # type: ignore[misc]

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [[1] * (1 << log_height)] * self.shape.own

    def constrain(self, row: Row, must: Must) -> None:
        cells = row["cell"]
        for place, cell in enumerate(cells):
            must.zero(f"rule {place}", cell ** (self.shape.degree - 1) * (cell - 1))
        for _ in range(self.shape.messages // 2):
            must.send(CARRIED, cells[:2])
            must.receive(CARRIED, cells[:2])


def peak_bytes(system: System, log_heights: Sequence[int], parameters: Parameters) -> int:
    """The most that the arrays of a proof take at once, its tables and its key among them."""
    tracemalloc.start()
    try:
        sizes = zip(system.tables, log_heights, strict=True)
        traces = [np.zeros((table.trace_width, 1 << log_height, 4), np.uint64) for table, log_height in sizes]
        prove(prepare(system, log_heights, parameters), [], traces)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("shapes", "log_heights", "parameters"),
    [
        ([Shape(60, 2)], (12,), NARROW),
        ([Shape(30, 5)], (12,), NARROW),
        ([Shape(8, 2, messages=40)], (12,), NARROW),
        ([Shape(4, 2, own=20)], (12,), NARROW),
        ([Shape(2, 2), Shape(80, 2)], (13, 10), NARROW),
        ([Shape(10, 3), Shape(30, 5, messages=4)], (12, 11), NARROW),
        ([Shape(20, 2, messages=4)], (11,), EXPANDED),
        ([Shape(6, 2, messages=2)], (11,), FOR_ANOTHER),
    ],
    ids=["wide", "steep rules", "messages", "own columns", "tall and wide", "two heights", "blow-up 16", "poseidon"],
)
def test_the_estimate_is_within_a_tenth_of_the_peak(
    shapes: list[Shape], log_heights: tuple[int, ...], parameters: Parameters
) -> None:
    system = System("shaped", [Shaped(f"table {place}", shape) for place, shape in enumerate(shapes)])
    smaller = [max(6, log_height - 5) for log_height in log_heights]
    peak_bytes(system, smaller, parameters)  # compiled code and tables of constants are not part of a proof
    peak = peak_bytes(system, log_heights, parameters)
    told = estimate(system, log_heights, parameters).peak_bytes
    assert 0.9 * peak < told < 1.1 * peak


def test_what_the_machine_cannot_hold_is_refused_before_it_starts() -> None:
    honest = case(4, 6)
    fixed = prepare(SYSTEM, honest.log_heights, SHORT)
    told = estimate(SYSTEM, honest.log_heights, SHORT).peak_bytes
    seen: list[Phase] = []
    with pytest.raises(NotEnoughMemory, match="prove fewer rows at a time, or lower the blow-up"):
        prove(
            fixed,
            honest.public,
            honest.traces,
            progress=lambda phase, _: seen.append(phase),
            memory_limit_bytes=told - 1,
        )
    assert seen == []
    assert prove(fixed, honest.public, honest.traces, memory_limit_bytes=told)
    with pytest.raises(NotEnoughMemory, match=r"the proof needs 1048576.0 GiB and there are \d+"):
        check_memory(Estimate(1 << 50, 1))


def group(root: Path, name: str, text: str) -> None:
    """A control group's file."""
    file = root / "sys/fs/cgroup" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_container_has_less_than_its_machine(tmp_path: Path) -> None:
    """The least limit of the process's own groups and of those above them counts, whichever version tells it."""
    machine = memory_bytes(tmp_path)
    assert machine > 1 << 28
    own = tmp_path / "proc/self/cgroup"
    own.parent.mkdir(parents=True)
    own.write_text("12:cpu,memory:/old\n3:cpuset:/elsewhere\n0::/above/own\n")
    group(tmp_path, "above/own/memory.max", "max\n")
    group(tmp_path, "elsewhere/memory.max", "5\n")  # of processes that are not this one
    group(tmp_path, "memory/elsewhere/memory.limit_in_bytes", "5\n")
    assert memory_bytes(tmp_path) == machine
    group(tmp_path, "memory/memory.limit_in_bytes", "9223372036854771712\n")  # no limit, as version 1 says it
    assert memory_bytes(tmp_path) == machine
    group(tmp_path, "above/memory.max", "40000000\n")
    assert memory_bytes(tmp_path) == 40_000_000
    group(tmp_path, "memory/old/memory.limit_in_bytes", "30000000\n")
    assert memory_bytes(tmp_path) == 30_000_000
    group(tmp_path, "memory.max", "20000000\n")
    assert memory_bytes(tmp_path) == 20_000_000
