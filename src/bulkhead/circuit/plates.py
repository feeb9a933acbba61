"""Plates: a table whose instructions are part of the system, for the programs that batches run most.

A row of the rules table carries its instruction along, as movable type: 24 cells, of which 18 say which instruction it
is. A plate is a program cast in fixed columns, which nobody commits to for a batch, so that a row has 9 cells; and it
has half as many rows, for a row says two equations of its cells (`circuit.casting`). A shape says how many plates of
which programs there are. A frame that finds no free plate runs in the rules table as any other does, with the same
outcome. A plate that no frame takes is idle: `live` is 0, and it asks nothing of other tables.

Each variable of a plate has a seat of its own in the whole table, where it is born; who reads it names the seat. So no
plate reads another's values, and the frame's number is a variable like others, which the turn pins (`circuit.frame`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.circuit.casting import (
    AGES,
    BORN,
    CELLS,
    FIRST_PRODUCT,
    NUMBERED,
    SECOND,
    SECOND_PRODUCT,
    CastRow,
    age_of,
    blocked,
    cast,
)
from bulkhead.circuit.frame import Given
from bulkhead.circuit.fusing import NOTHING, OWN, fused
from bulkhead.circuit.instructions import TIME_SHIFT, Flag, Program
from bulkhead.circuit.words import HISTORY, MESSAGE
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import total
from stark.chips.ecdsa import SIGNED
from stark.chips.poseidon import LIST, POSEIDON
from stark.chips.ranges import NUMBER, NUMBER_BITS, numbers_of
from stark.chips.tables import Places, from_columns, spread
from stark.field import Felts
from stark.prime import PRIME
from stark.threads import in_ranges

SEATS = Bus("seats", ("seat", "value"))
BIRTHS = len(BORN)  # seats of a row
ASKS = {"memory": Flag.MEMORY, "hash": Flag.HASH, "signed": Flag.SIGNED}
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
def rows_of(program: Program) -> tuple[CastRow, ...]:
    """The rows of a plate of a program."""
    return cast(fused(program))


class Plates(Chip):
    """One row what is left of some instructions: 6 cells and 3 of its buses."""

    name = "plates"
    columns = ("live", *CELLS)
    fixed = (
        *(f"at_{cell}" for cell in CELLS), *(f"count_{cell}" for cell in BORN),
        *(f"of_{part}" for part in (*CELLS, FIRST_PRODUCT)), "constant",
        *(f"and_{part}" for part in (*SECOND, SECOND_PRODUCT)), "and_one",
        *(f"number_{cell}" for cell in NUMBERED), *ASKS, "times", "last",
    )  # fmt: skip

    def __init__(self, plates: Sequence[Plate]):
        self.plates = plates

    def constrain(self, row: Row, must: Must) -> None:
        """What a row says of its cells, and what it says on the buses if its frame is live."""
        must.boolean("a frame is live or not", row.live)
        must.zero("a frame is live as a whole", (1 - row.last) * (row.next.live - row.live))
        for name in BORN:  # what others read is then zero, too
            must.zero(f"an idle row is empty: {name}", (1 - row.live) * getattr(row, name))
        first = total([getattr(row, f"of_{cell}") * getattr(row, cell) for cell in CELLS])
        # Where a row asks another table, the constant says what for.
        is_plain = 1 - row.memory - row.hash - row.times * row.times
        must.zero("the first gate", first + row.of_ab * row.a * row.b + is_plain * row.constant * row.live)
        second = total([getattr(row, f"and_{cell}") * getattr(row, cell) for cell in SECOND])
        must.zero("the second gate", second + row.and_ac * row.a * row.c + row.and_one * row.live)
        must.receive(SEATS, [row.at_a, row.a])
        must.receive(SEATS, [row.at_b, row.b])
        for cell in BORN:  # or read: then it is counted -1
            must.send(SEATS, [getattr(row, f"at_{cell}"), getattr(row, cell)], getattr(row, f"count_{cell}"))
        self._ask(row, must)

    def _ask(self, row: Row, must: Must) -> None:
        must.send(NUMBER, [row.c], row.live * row.number_c)
        must.send(NUMBER, [row.d], row.live * row.number_d)
        must.send(MESSAGE, [row.constant, row.a, row.c, row.d, row.e], row.live * row.times)
        # Fixed columns that say nothing else there: where the instruction stands, and whether a list begins.
        place, begins = row.at_d, row.at_c
        word, time = row.a + row.constant, row.e * (1 << TIME_SHIFT) + place
        must.receive(HISTORY, [word, row.c, time - 1 - row.d], row.live * row.memory)
        must.send(HISTORY, [word, row.b, time], row.live * row.memory)
        must.receive(POSEIDON, [row.e, row.constant, begins, LIST, row.a, row.b], row.live * row.hash)
        must.receive(SIGNED, [row.a, row.b], row.live * row.signed)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The instructions of all plates. ValueError where they are more than the table has rows."""
        height = 1 << log_height
        used = sum(len(rows_of(plate.program)) for plate in self.plates)
        if used > height:
            raise ValueError(f"{used} rows of plates; a table of 2**{log_height} holds {height}")
        columns: dict[str, list[int]] = {str(name): [] for name in self.fixed}
        for plate in self.plates:
            cast = _cast(plate.program)
            for name, values in cast.columns.items():
                seats = cast.seats.get(name)
                columns[name] += values if seats is None else [
                    value + BIRTHS * plate.start * is_seat for value, is_seat in zip(values, seats, strict=True)
                ]  # fmt: skip
        behind = range(used, height)  # rows that read themselves; they are of one piece, too
        for name, column in columns.items():
            column += [BIRTHS * row if name in ("at_a", "at_b", "at_c") else 0 for row in behind]
        columns["count_c"][used:] = [2] * len(behind)  # a and b read it
        if behind:
            columns["last"][-1] = 1
        return list(columns.values())


class _Cast(NamedTuple):
    """The fixed columns of a plate that begins with the first row; and of columns of seats, which of them are."""

    columns: dict[str, list[int]]
    seats: dict[str, list[bool]]


@lru_cache(maxsize=512)
def _cast(program: Program) -> _Cast:
    """A program's fixed columns."""
    rows = rows_of(program)
    born = {
        row.cells[cell]: BIRTHS * number + BORN.index(cell) for number, row in enumerate(rows) for cell in row.births
    }
    reads: Counter[int] = Counter()
    for row in rows:
        for cell in CELLS:
            if cell not in row.births and _is_wired(row, cell):
                reads[row.cells.get(cell, OWN)] += 1
    columns: dict[str, list[int]] = {str(name): [] for name in Plates.fixed}
    seats: dict[str, list[bool]] = {f"at_{cell}": [] for cell in CELLS}
    for number, row in enumerate(rows):
        said = _said(program, row)
        for cell in CELLS:
            is_wired = _is_wired(row, cell)
            seats[f"at_{cell}"].append(is_wired)
            if is_wired:
                said[f"at_{cell}"] = born[row.cells.get(cell, OWN)]
            if cell in BORN and is_wired:
                said[f"count_{cell}"] = reads[row.cells[cell]] if cell in row.births else PRIME - 1
        said["last"] = int(number == len(rows) - 1)
        for name, column in columns.items():
            column.append(said.get(name, 0))
    return _Cast(columns, seats)


def _is_wired(row: CastRow, cell: str) -> bool:
    """A cell is born here or reads what is born elsewhere: where it is not needed, the frame's number. Not so an age,
    and a cell whose fixed columns say something else."""
    return row.cells.get(cell, OWN) > AGES and cell not in blocked(row.ask)


def _said(program: Program, row: CastRow) -> dict[str, int]:
    """What a row's gates and asks have in fixed columns, zeros left out."""
    said = {f"of_{part}": factor for part, factor in row.first.factors.items()}
    said |= {f"and_{part}": factor for part, factor in row.second.factors.items()}
    said |= {"constant": row.first.constant, "and_one": row.second.constant}
    said |= {f"number_{cell}": 1 for cell in row.numbers}
    ask = row.ask
    if ask is not None:
        said |= {name: 1 for name, flag in ASKS.items() if ask.flag == flag}
        said["times"] = ask.times % PRIME
        if ask.flag != Flag.SIGNED:
            said["constant"] = ask.constant
        if ask.flag == Flag.MEMORY:
            said["at_d"] = program.start + ask.place
        if ask.flag == Flag.HASH:
            said["at_c"] = int(ask.begins)
    return said


class Filled(NamedTuple):
    """The table, the numbers of the frames on it, and the numbers that it asks for."""

    table: Felts
    frames: frozenset[int]
    asked: NDArray[np.uint64]


def fill_plates(frames: Sequence[Given], plates: Sequence[Plate], log_height: int, threads: int = 1) -> Filled:
    """The frames that find a plate of their program; the first ones come first. ValueError for plates beyond the
    table, for the kernel that fills it looks at no bound."""
    rows = max((start + len(rows_of(program)) for start, program in plates), default=0)
    if rows > 1 << log_height:
        raise ValueError(f"the plates have {rows} rows, and the table 2^{log_height}")
    free: dict[str, list[int]] = {}
    for plate in reversed(plates):
        free.setdefault(plate.program.name, []).append(plate.start)
    placed: dict[str, list[tuple[int, Given]]] = {}
    for each in frames:
        if free.get(each.program.name):
            placed.setdefault(each.program.name, []).append((free[each.program.name].pop(), each))
    table = np.zeros((len(Plates.columns), 1 << log_height, 4), np.uint64)
    asked = [_fill(table, group, threads) for group in placed.values()]
    taken = frozenset(frame.number for group in placed.values() for _, frame in group)
    return Filled(table, taken, np.concatenate([*asked, np.zeros(0, np.uint64)]))


def _fill(table: Felts, placed: Sequence[tuple[int, Given]], threads: int) -> NDArray[np.uint64]:
    """The frames of one program, with the first rows of their plates; answers the numbers that they ask for."""
    reads = _reads(placed[0][1].program)
    shown = np.array([_shown(reads, frame) for _, frame in placed], object)
    starts, values = np.array([start for start, _ in placed], np.int64), from_columns(shown[:, reads.used])

    def work(start: int, stop: int) -> None:
        spread(values, reads.cells, starts, table, start, stop)

    in_ranges(len(placed), threads, work)
    return numbers_of(shown[:, reads.numbers].ravel().tolist(), NUMBER_BITS)


class _Reads(NamedTuple):
    """Which values a program's rows read: those of its places, then the frame's number, zero, and ages.

    `live` is one in every row: the value of the first place.
    """

    used: list[int]  # places that any cell reads
    cells: Places  # by their place in `used`, of the table's columns
    accessed: list[int]  # places that use memory
    numbers: list[int]


@lru_cache(maxsize=512)
def _reads(program: Program) -> _Reads:
    rows, count = rows_of(program), len(program.instructions)
    accessed = [row.ask.place for row in rows if row.ask is not None and row.ask.flag == Flag.MEMORY]
    where = {OWN: count, NOTHING: count + 1}
    where |= {age_of(place): count + 2 + number for number, place in enumerate(accessed)}

    def value(row: CastRow, cell: str) -> int:
        variable = row.cells.get(cell, OWN if _is_wired(row, cell) else None)
        return count + 1 if variable is None else where.get(variable, variable)

    assert program.instructions[0].flags & Flag.FIRST, "a program begins with one"
    shown = [[0] * len(rows), *([value(row, cell) for row in rows] for cell in CELLS)]
    used, cells = np.unique(shown, return_inverse=True)
    numbers = [value(row, cell) for row in rows for cell in row.numbers]
    return _Reads(used.tolist(), cells.reshape(len(shown), -1), accessed, numbers)


def _shown(reads: _Reads, frame: Given) -> list[int]:
    """The values that cells read: the frame's, its number, zero, and how long ago its words were written."""
    now = (frame.number << TIME_SHIFT) + frame.program.start
    ages = [now + place - frame.written[place] - 1 for place in reads.accessed]
    return [*frame.values, frame.number, 0, *ages]
