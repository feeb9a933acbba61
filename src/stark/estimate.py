"""How much memory a proof will take, told before it starts; a machine that can't hold it is not asked to try."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stark.air.system import System
from stark.extension import cosets_composed, cosets_kept
from stark.field import FELT_BYTES
from stark.key import check_heights
from stark.parameters import Parameters

MAKING_BYTES = 192  # of a number while columns are made: in two lists, as an integer, and as its bytes


class NotEnoughMemory(MemoryError):
    """A proof would need more memory than there is."""


class Estimate(NamedTuple):
    """Peak bytes of a proof, the traces it is given among them, and the cells it commits to."""

    peak_bytes: int
    cells: int


def estimate(system: System, log_heights: Sequence[int], parameters: Parameters) -> Estimate:
    """Count the arrays that live at once: while tables are committed, rules composed, and a word folded."""
    check_heights(system, log_heights)
    cosets = 1 << parameters.log_blowup
    tallest = 1 << max(log_heights)
    held = cosets_kept(system, parameters.log_blowup)
    given = kept = cells = composing = buses = committing = 0
    for table, log_height in zip(system.tables, log_heights, strict=True):
        rows = 1 << log_height
        width = table.fixed_width + table.trace_width + table.bus_width
        cells += (table.trace_width + table.bus_width) * rows
        given += rows * table.trace_width + rows * table.fixed_width // 4  # those of a system are mostly small numbers
        kept += rows * width * held
        buses += rows * table.bus_width
        committing += rows * table.trace_width * 2  # coefficients, and a coset that is not kept
        own = cosets_composed(table)
        composing = max(composing, rows * (2 * own + 8))  # residues and their transform, selectors, points
    tree = cosets * tallest  # what is above the leaves
    trees = tree * (1 + (cosets > held)) * (1 + any(table.fixed_width for table in system.tables) + (buses > 0))
    columns = system.composition_columns
    cells += columns * tallest
    opened = columns * tallest * 3 + 2 * tree  # of the pieces: coefficients, and two cosets
    quotients = sum(cosets << log_height for log_height in set(log_heights))
    folding = quotients + cosets * tallest * 7 // 2  # a word, the two that it is made from, and points; or its fibres
    committing = committing - buses * held if cosets > held else 0  # what messages take comes later
    peak = given + kept + trees + max(composing + columns * tallest, opened + folding, committing)
    return Estimate(peak * FELT_BYTES, cells)


def estimate_key(system: System, log_heights: Sequence[int], parameters: Parameters) -> Estimate:
    """The same for making a key: the columns of the system itself, as Python's numbers, then on cosets under a tree."""
    check_heights(system, log_heights)
    tables = zip(system.tables, log_heights, strict=True)
    sizes = [table.fixed_width << log_height for table, log_height in tables]
    cells, kept = sum(sizes), cosets_kept(system, parameters.log_blowup)
    tree = 2 << parameters.log_blowup + max(log_heights)
    making = cells * FELT_BYTES + max(sizes) * MAKING_BYTES
    committing = (cells * (1 + kept) + tree) * FELT_BYTES
    return Estimate(max(making, committing), cells)


def memory_bytes(root: Path = Path("/")) -> int:
    """The memory of this machine; less where Linux's control groups, such as a container's, leave this process less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    """The limits of the groups this process is in, of both versions; a file that is not there limits nothing."""
    mounted = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in ["0::/", "1:memory:/", *lines]:  # a container may see its own group as the root, whatever its name
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        folder = mounted / "memory" if controllers else mounted
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        own = PurePosixPath(path.lstrip("/"))
        for group in (own, *own.parents):
            try:
                limit = (folder / group / name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if limit.isdecimal():  # "max" where there is none
                yield int(limit)


def check_memory(
    needed: Estimate,
    limit_bytes: int | None = None,
    what: str = "the proof",
    cure: str = "prove fewer rows at a time, or lower the blow-up",
) -> None:
    """Raise NotEnoughMemory where the estimate is above the limit, or above what the machine has."""
    limit = memory_bytes() if limit_bytes is None else limit_bytes
    if needed.peak_bytes > limit:
        raise NotEnoughMemory(
            f"{what} needs {needed.peak_bytes / 2**30:.1f} GiB and there are {limit / 2**30:.1f} GiB: {cure}"
        )
