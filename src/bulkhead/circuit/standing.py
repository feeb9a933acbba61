"""Standing frames: a table whose instructions are part of the system, for the programs that batches run most.

A row of the rules table carries its instruction along: 24 cells, of which 18 say which instruction it is. Here a shape
lays down how many frames of which program there are and where each stands; the instructions are fixed columns, which
nobody commits to for a batch, and a row has 9 cells. They are gathered, too (`circuit.fusing`), so that a frame has a
quarter fewer rows. A frame that finds no free place here runs in the rules table as any other does, with the same
outcome: both tables compute on one bus, and name what they compute by frame and place. A place that no frame takes is
idle: `live` is 0, and it asks nothing of other tables.

That frames of both tables have numbers of their own is what turns are for (`circuit.frame`): two frames of one number
would have two chains of values to choose from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.circuit.frame import Given
from bulkhead.circuit.fusing import FusedRow, Gate, fused
from bulkhead.circuit.instructions import PROGRAM_BITS, TIME_SHIFT, Flag, Program
from bulkhead.circuit.rules import COMPUTED
from bulkhead.circuit.words import HISTORY, MESSAGE
from stark.air.chip import Chip, Must, Row
from stark.chips.ecdsa import SIGNED
from stark.chips.poseidon import LIST, POSEIDON
from stark.chips.ranges import NUMBER
from stark.field import Felts, from_ints
from stark.prime import PRIME

NOWHERE = 1 << PROGRAM_BITS  # a place that no program has: rows between and behind the frames read themselves there
GATES = tuple(f"of_{name}" for name in Gate._fields if name != "constant")
ASKS = {"number": Flag.NUMBER, "memory": Flag.MEMORY, "hash": Flag.HASH, "signed": Flag.SIGNED}
Places = NDArray[np.int64]
Asked = Sequence[tuple[str, int]]  # names of programs, and how many frames of each a shape lays down


class Slot(NamedTuple):
    """Where a frame can stand: its first row, and what it runs."""

    start: int
    program: Program


def slots_of(programs: Mapping[str, Program], standing: Asked) -> tuple[Slot, ...]:
    """Where the frames of a shape stand, one after the other; a venue may lack a program, of more positions than an
    account can have there."""
    found, start = [], 0
    for name, count in standing:
        program = programs.get(name)
        if program is not None:
            length = len(rows_of(program))
            found += [Slot(start + place * length, program) for place in range(count)]
            start += count * length
    return tuple(found)


@lru_cache(maxsize=512)
def rows_of(program: Program) -> tuple[FusedRow, ...]:
    """The rows of a standing frame of a program."""
    return fused(program)


class Standing(Chip):
    """One row what is left of some instructions: 6 cells and 3 of its buses."""

    name = "standing"
    columns = ("frame", "live", "a", "b", "c", "d")
    fixed = ("place", "left", "right", "third", "constant", *GATES, "count", *ASKS, "times", "last")

    def __init__(self, slots: Sequence[Slot]):
        self.slots = slots

    def constrain(self, row: Row, must: Must) -> None:
        """What a row computes from its operands, and what it says on the buses if its frame is live."""
        idle = 1 - row.live
        must.boolean("a frame is live or not", row.live)
        must.zero("a frame has one number", (1 - row.last) * (row.next.frame - row.frame))
        must.zero("a frame is live as a whole", (1 - row.last) * (row.next.live - row.live))
        for name in ("frame", "c", "d"):
            must.zero(f"an idle row is empty: {name}", idle * getattr(row, name))
        computed = row.of_a * row.a + row.of_b * row.b + row.of_d * row.d + row.of_own * row.frame
        computed = computed + row.of_ab * row.a * row.b + row.of_ad * row.a * row.d
        # Where a row asks another table, the constant says what for; a list's later rows compute, too.
        is_plain = 1 - row.memory - row.hash - row.times * row.times
        must.zero("the gate computes c", computed + is_plain * row.constant * row.live - row.of_c * row.c)
        must.send(COMPUTED, [row.frame, row.place, row.c], row.count)
        must.receive(COMPUTED, [row.frame, row.left, row.a])
        must.receive(COMPUTED, [row.frame, row.right, row.b])
        must.receive(COMPUTED, [row.frame, row.third, row.d], 1 - row.memory)
        self._ask(row, must)

    def _ask(self, row: Row, must: Must) -> None:
        must.send(NUMBER, [row.c], row.live * row.number)
        word, time = row.a + row.constant, row.frame * (1 << TIME_SHIFT) + row.place
        must.send(NUMBER, [time - row.d - 1], row.live * row.memory)
        must.receive(HISTORY, [word, row.c, row.d], row.live * row.memory)
        must.send(HISTORY, [word, row.b, time], row.live * row.memory)
        # The first row of a list computes nothing: its digest is asked for.
        must.receive(POSEIDON, [row.c, row.constant, 1 - row.of_c, LIST, row.a, row.b], row.live * row.hash)
        must.receive(SIGNED, [row.a, row.b], row.live * row.signed)
        must.send(MESSAGE, [row.constant, row.a, row.c], row.live * row.times)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The instructions of all slots. ValueError where they are more than the table has rows."""
        height = 1 << log_height
        used = sum(len(rows_of(slot.program)) for slot in self.slots)
        if used > height:
            raise ValueError(f"{used} rows of standing frames; a table of 2**{log_height} holds {height}")
        columns: list[list[int]] = [[] for _ in self.fixed]
        for slot in self.slots:
            for column, values in zip(columns, _instructions(slot.program), strict=True):
                column += values
        nowhere = dict.fromkeys(self.fixed, 0) | dict.fromkeys(("place", "left", "right", "third"), NOWHERE)
        for name, column in zip(self.fixed, columns, strict=True):
            column += [(nowhere | {"count": 3})[str(name)]] * (height - used)
        if used < height:  # rows behind the frames are of one piece, too
            columns[self.fixed.index("last")][-1] = 1
        return columns


@lru_cache(maxsize=512)
def _instructions(program: Program) -> tuple[tuple[int, ...], ...]:
    """The fixed columns of one frame."""
    rows = rows_of(program)
    reads: dict[int, int] = {}
    for row in rows:
        for place in (row.left, row.right, *(() if row.flags & Flag.MEMORY else (row.third,))):
            reads[place] = reads.get(place, 0) + 1
    found = []
    for number, row in enumerate(rows):
        places = (program.start + place for place in (row.place, row.left, row.right, row.third))
        asks = (int(bool(row.flags & flag)) for flag in ASKS.values())
        count, is_last = reads.get(row.place, 0), int(number == len(rows) - 1)
        gates = (getattr(row.gate, name.removeprefix("of_")) for name in GATES)
        found.append((*places, row.gate.constant, *gates, count, *asks, row.times % PRIME, is_last))
    return tuple(zip(*found, strict=True))


class Filled(NamedTuple):
    """The table, the numbers of the frames that stand in it, and the numbers that it asks for."""

    table: Felts
    frames: frozenset[int]
    asked: list[int]


def fill_standing(frames: Sequence[Given], slots: Sequence[Slot], log_height: int) -> Filled:
    """The frames that find a slot of their program; the first ones come first."""
    free: dict[str, list[int]] = {}
    for slot in reversed(slots):
        free.setdefault(slot.program.name, []).append(slot.start)
    table = np.zeros((len(Standing.columns), 1 << log_height, 4), np.uint64)
    stand: set[int] = set()
    asked: list[int] = []
    for frame in frames:
        if free.get(frame.program.name):
            stand.add(frame.number)
            asked += _fill(table, free[frame.program.name].pop(), frame)
    return Filled(table, frozenset(stand), asked)


class _Reads(NamedTuple):
    """The rows of a program as arrays."""

    places: Places
    left: Places
    right: Places
    third: Places
    memory: Places  # rows that use memory
    numbers: list[int]  # places that are numbers


@lru_cache(maxsize=512)
def _reads(program: Program) -> _Reads:
    rows = rows_of(program)
    columns = [np.array([row[part] for row in rows], np.int64) for part in range(4)]
    memory = np.flatnonzero([row.flags & Flag.MEMORY > 0 for row in rows])
    return _Reads(*columns, memory, [row.place for row in rows if row.flags & Flag.NUMBER])


def _fill(table: Felts, start: int, frame: Given) -> list[int]:
    """Fill in a frame; answers the numbers that it asks for."""
    reads, values = _reads(frame.program), from_ints(frame.values)
    where = slice(start, start + reads.places.size)
    table[0, where], table[1, where] = from_ints([frame.number]), from_ints([1])
    for column, places in enumerate((reads.left, reads.right, reads.places, reads.third), 2):
        table[column, where] = values[places]
    used = reads.places[reads.memory].tolist()
    written = [frame.written[place] for place in used]
    table[5, start + reads.memory] = from_ints(written)
    now = (frame.number << TIME_SHIFT) + frame.program.start
    ages = [now + place - moment - 1 for place, moment in zip(used, written, strict=True)]
    return [*(frame.values[place] for place in reads.numbers), *ages]
