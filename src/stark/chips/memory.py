"""Memory whose history is checked off line: each access names what it found and when that was written.

Every access takes the message (key, values found, time written) off the bus and puts (key, values left, its own time)
on it. A touched key puts its first values there at time 0 and takes its last ones off. Times are unique, and what an
access finds must be older than it; so for every key the accesses form one chain from first to last. Keys of the second
table rise strictly: a key with two rows there would have two histories. (Blum and others, 1991.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr
from stark.chips.ranges import LIMB_BITS, cut, lend, limbs_of, together
from stark.chips.tables import by_rows
from stark.field import Felts


class Cell(NamedTuple):
    """One access: the key, what was there and what is there after; equal for a read."""

    key: int
    before: tuple[int, ...]
    after: tuple[int, ...]


class Memory:
    """The buses of one memory: of its history, of its accesses, and of the keys they touched."""

    def __init__(
        self, name: str, fields: Sequence[str], bits: int = LIMB_BITS, key_limbs: int = 4, time_limbs: int = 2
    ):
        self.name = name
        self.width = len(fields)
        self.bits, self.key_limbs, self.time_limbs = bits, key_limbs, time_limbs
        both = [f"{field}_{when}" for when in ("before", "after") for field in fields]
        self.history = Bus(f"{name} history", ("key", *fields, "time"))
        self.accesses = Bus(f"{name} accesses", ("time", "key", *both))
        self.touched = Bus(f"{name} touched", ("key", *both))


class Access(Chip):
    """One row an access, in order of time: 4 cells, 2 a field, 1 a limb of time, and 2 of its bus with two limbs.

    Sends (time, key, before, after) to whoever caused it; rows that are not live say nothing.
    """

    def __init__(self, memory: Memory):
        self.memory = memory
        self.name = f"{memory.name}_access"  # type: ignore[misc]
        width = memory.width
        self.columns = (  # type: ignore[misc]
            "live", "time", "key", "written", ("before", width), ("after", width), ("age", memory.time_limbs),
        )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """Time counts rows from 1; what is found was written earlier."""
        memory, before, after = self.memory, row["before"], row["after"]
        must.boolean("live is a bit", row.live)
        must.first("time starts at one", row.time - 1)
        must.transition("time counts", row.next.time - row.time - 1)
        cut(must, "what is found is older", row.live * (row.time - row.written - 1), row["age"], memory.bits)
        _empty_when_idle(must, row)
        must.receive(memory.history, [row.key, *before, row.written], row.live)
        must.send(memory.history, [row.key, *after, row.time], row.live)
        must.send(memory.accesses, [row.time, row.key, *before, *after], row.live)

    def fill(self, accesses: Sequence[Cell], log_rows: int) -> Felts:
        """The table of accesses in order."""
        memory = self.memory
        rows, last = [], dict.fromkeys((access.key for access in accesses), 0)
        for time, access in enumerate(accesses, 1):
            written, last[access.key] = last[access.key], time
            age = limbs_of(time - written - 1, memory.time_limbs, memory.bits)
            rows.append([1, time, access.key, written, *access.before, *access.after, *age])
        idle = [0] * (2 + 2 * memory.width + memory.time_limbs)
        rows += [[0, time, *idle] for time in range(len(rows) + 1, (1 << log_rows) + 1)]
        return by_rows(rows, log_rows)


class Touched(Chip):
    """One row a touched key, keys rising: 3 cells, 2 a field, 2 a limb of the key, and 3 of its bus with four limbs.

    Sends (key, before, after) to whoever keeps what the memory begins and ends with.
    """

    def __init__(self, memory: Memory):
        self.memory = memory
        self.name = f"{memory.name}_touched"  # type: ignore[misc]
        width, limbs = memory.width, memory.key_limbs
        self.columns = (  # type: ignore[misc]
            "live", "key", "written", ("before", width), ("after", width), ("key_limb", limbs), ("gap_limb", limbs),
        )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """Live rows come first; each key is a number of so many limbs and larger than the one before."""
        memory, before, after = self.memory, row["before"], row["after"]
        must.boolean("live is a bit", row.live)
        must.transition("live rows come first", row.next.live * (1 - row.live))
        cut(must, "the key has its limbs", row.key, row["key_limb"], memory.bits)
        gap = together(row["gap_limb"], memory.bits)
        must.transition("keys rise", row.next.live * (row.next.key - row.key - 1) - gap)
        must.last("nothing follows the last row", gap)
        lend(must, row["gap_limb"], memory.bits)
        _empty_when_idle(must, row)
        must.send(memory.history, [row.key, *before, 0], row.live)
        must.receive(memory.history, [row.key, *after, row.written], row.live)
        must.send(memory.touched, [row.key, *before, *after], row.live)

    def fill(self, accesses: Sequence[Cell], log_rows: int) -> Felts:
        """The table of the keys that the accesses touch."""
        memory = self.memory
        first: dict[int, Cell] = {}
        last: dict[int, tuple[int, Cell]] = {}
        for time, access in enumerate(accesses, 1):
            first.setdefault(access.key, access)
            last[access.key] = time, access
        keys = sorted(first)
        gaps = [after - key - 1 for key, after in zip(keys, keys[1:], strict=False)] + [0]
        rows = []
        for key, gap in zip(keys, gaps, strict=False):
            time, access = last[key]
            limbs = [*limbs_of(key, memory.key_limbs, memory.bits), *limbs_of(gap, memory.key_limbs, memory.bits)]
            rows.append([1, key, time, *first[key].before, *access.after, *limbs])
        return by_rows(rows, log_rows, width=3 + 2 * memory.width + 2 * memory.key_limbs)


def _empty_when_idle(must: Must, row: Row) -> None:
    cells: list[Expr] = [row.key, row.written, *row["before"], *row["after"]]
    for place, cell in enumerate(cells):
        must.zero(f"an idle row is empty: {place}", (1 - row.live) * cell)
