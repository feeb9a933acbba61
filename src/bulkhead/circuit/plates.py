"""Plates: a table whose instructions are part of the system, for the programs that batches run most.

A row of the rules table carries its instruction along, as movable type: 24 cells, of which 18 say which instruction it
is. A plate is a program cast in fixed columns, which nobody commits to for a batch, so that a row has 9 cells; what it
computes is gathered, too (`circuit.fusing`), and it has a quarter fewer rows. A shape says how many plates of which
programs there are. A frame that finds no free plate runs in the rules table as any other does, with the same outcome:
both tables compute on one bus, and name what they compute by frame and place. A plate that no frame takes is idle:
`live` is 0, and it asks nothing of other tables.

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
from stark.field import Felts, from_ints, from_small
from stark.prime import PRIME

NOWHERE = 1 << PROGRAM_BITS  # a place that no program has: rows behind the plates read themselves there
GATES = tuple(f"of_{name}" for name in Gate._fields if name != "constant")
ASKS = {"number": Flag.NUMBER, "memory": Flag.MEMORY, "hash": Flag.HASH, "signed": Flag.SIGNED}
Places = NDArray[np.int64]
Asked = Sequence[tuple[str, int]]  # names of programs, and how many plates of each a shape has


class Plate(NamedTuple):
    """Its first row, and what runs on it."""

    start: int
    program: Program


def laid_out(programs: Mapping[str, Program], asked: Asked) -> tuple[Plate, ...]:
    """The plates of a shape, one after the other; a venue may lack a program, of more positions than an
    account can have there."""
    found, start = [], 0
    for name, count in asked:
        program = programs.get(name)
        if program is not None:
            length = len(rows_of(program))
            found += [Plate(start + place * length, program) for place in range(count)]
            start += count * length
    return tuple(found)


@lru_cache(maxsize=512)
def rows_of(program: Program) -> tuple[FusedRow, ...]:
    """The rows of a plate of a program."""
    return fused(program)


class Plates(Chip):
    """One row what is left of some instructions: 6 cells and 3 of its buses."""

    name = "plates"
    columns = ("frame", "live", "a", "b", "c", "d")
    fixed = ("place", "left", "right", "third", "constant", *GATES, "count", *ASKS, "times", "last")

    def __init__(self, plates: Sequence[Plate]):
        self.plates = plates

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
        """The instructions of all plates. ValueError where they are more than the table has rows."""
        height = 1 << log_height
        used = sum(len(rows_of(plate.program)) for plate in self.plates)
        if used > height:
            raise ValueError(f"{used} rows of plates; a table of 2**{log_height} holds {height}")
        columns: list[list[int]] = [[] for _ in self.fixed]
        for plate in self.plates:
            for column, values in zip(columns, _instructions(plate.program), strict=True):
                column += values
        nowhere = dict.fromkeys(self.fixed, 0) | dict.fromkeys(("place", "left", "right", "third"), NOWHERE)
        for name, column in zip(self.fixed, columns, strict=True):
            column += [(nowhere | {"count": 3})[str(name)]] * (height - used)
        if used < height:  # rows behind the plates are of one piece, too
            columns[self.fixed.index("last")][-1] = 1
        return columns


@lru_cache(maxsize=512)
def _instructions(program: Program) -> tuple[tuple[int, ...], ...]:
    """The fixed columns of one plate."""
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
    """The table, the numbers of the frames on it, and the numbers that it asks for."""

    table: Felts
    frames: frozenset[int]
    asked: list[int]


def fill_plates(frames: Sequence[Given], plates: Sequence[Plate], log_height: int) -> Filled:
    """The frames that find a plate of their program; the first ones come first."""
    free: dict[str, list[int]] = {}
    for plate in reversed(plates):
        free.setdefault(plate.program.name, []).append(plate.start)
    table = np.zeros((len(Plates.columns), 1 << log_height, 4), np.uint64)
    placed = [(free[each.program.name].pop(), each) for each in frames if free.get(each.program.name)]
    if not placed:
        return Filled(table, frozenset(), [])
    numbers = from_small(np.array([frame.number for _, frame in placed], np.int64))
    values = from_ints([value for _, frame in placed for value in frame.values])
    used, moments, asked = [], [], []
    first, one = 0, from_ints([1])
    for number, (start, frame) in zip(numbers, placed, strict=True):
        reads, last = _reads(frame.program), first + len(frame.values)
        where = slice(start, start + reads.places.size)
        table[0, where], table[1, where] = number, one
        for column, places in enumerate((reads.left, reads.right, reads.places, reads.third), 2):
            np.take(values[first:last], places, axis=0, out=table[column, where])
        written = _written(reads, frame)
        used.append(start + reads.memory)
        moments += written
        asked += _asked(reads, frame, written)
        first = last
    table[5, np.concatenate(used)] = from_ints(moments)
    return Filled(table, frozenset(frame.number for _, frame in placed), asked)


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
    places, left, right, third = (np.array([row[part] for row in rows], np.int64) for part in range(4))
    memory = np.flatnonzero([row.flags & Flag.MEMORY > 0 for row in rows])
    return _Reads(places, left, right, third, memory, [row.place for row in rows if row.flags & Flag.NUMBER])


def _written(reads: _Reads, frame: Given) -> list[int]:
    """When the words that a frame uses were last written."""
    return [frame.written[place] for place in reads.places[reads.memory].tolist()]


def _asked(reads: _Reads, frame: Given, written: list[int]) -> list[int]:
    """The numbers that a frame asks for."""
    now = (frame.number << TIME_SHIFT) + frame.program.start
    used = reads.places[reads.memory].tolist()
    ages = [now + place - moment - 1 for place, moment in zip(used, written, strict=True)]
    return [*(frame.values[place] for place in reads.numbers), *ages]
