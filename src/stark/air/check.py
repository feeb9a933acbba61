"""The row checker: which rule breaks on which row of which table, and which message found no partner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.chip import Bus, Message
from stark.air.expr import Source
from stark.air.program import Program, compile_program
from stark.air.system import System, Table
from stark.air.tape import BLOCK, make_tape, run_tape
from stark.extension import fixed_table, periodic_on_rows, selectors_on_rows
from stark.field import Felts, to_ints
from stark.prime import PRIME


class Broken(NamedTuple):
    """A rule that does not hold on a row of a table."""

    table: str
    row: int
    rule: str

    def __str__(self) -> str:
        return f"row {self.row} of {self.table}: {self.rule}"


class Unbalanced(NamedTuple):
    """A message sent `surplus` times more than received (less, where negative), and the rows that wrote it."""

    bus: str
    values: tuple[int, ...]
    surplus: int
    writers: tuple[str, ...]

    def __str__(self) -> str:
        direction = "sent and not received" if self.surplus > 0 else "received and not sent"
        where = ", ".join(self.writers[:4])
        return f"{self.bus} {self.values}: {direction} ({abs(self.surplus)} times; written by {where})"


def check(system: System, public: Sequence[int], traces: Sequence[Felts]) -> Iterator[Broken | Unbalanced]:
    """Everything that is wrong with the tables, rules first. Nothing means that a proof of them will be accepted."""
    for table, trace in zip(system.tables, traces, strict=True):
        yield from broken_rules(table, public, trace)
    yield from unbalanced(system, public, traces)


def broken_rules(table: Table, public: Sequence[int], trace: Felts) -> Iterator[Broken]:
    """The chip's own rules, row by row; those of its bus columns hold by the way these are filled."""
    own = len(table.constraint_names) - (table.bus_width + 1 if table.bus_width else 0)
    values = rows_of(table, table.program._replace(outputs=table.program.outputs[:own]), public, trace)
    broken: NDArray[np.bool_] = np.any(values, axis=2)
    for row in np.flatnonzero(broken.any(axis=0)):
        for rule in np.flatnonzero(broken[:, row]):
            yield Broken(table.chip.name, int(row), table.constraint_names[rule])


Balance = dict[tuple[str, tuple[int, ...]], tuple[int, list[str]]]  # message to its surplus and who wrote it


def unbalanced(system: System, public: Sequence[int], traces: Sequence[Felts]) -> Iterator[Unbalanced]:
    """Messages whose copies sent and received differ, over all tables and the statement."""
    found = stated(system, public)
    for table, trace in zip(system.tables, traces, strict=True):
        add_balance(found, messages_of(table, public, trace))
    for (bus, values), (surplus, writers) in found.items():
        if surplus:
            yield Unbalanced(bus, values, surplus if surplus <= PRIME // 2 else surplus - PRIME, tuple(writers))


def stated(system: System, public: Sequence[int]) -> Balance:
    """The messages of the statement."""
    found: Balance = {}
    for message in system.outside_messages:
        program = compile_program([message.times, *message.values])
        _write(found, message, program.run(lambda leaf: public[leaf.index]), "the statement")
    if system.listing is not None:
        for entry in system.listing.entries(system.listed(public)):
            _note(found, system.listing.bus, (system.listing.times, *entry), "the statement's list")
    return found


def messages_of(table: Table, public: Sequence[int], trace: Felts) -> Balance:
    """The messages of a table."""
    found: Balance = {}
    cells = [each for message in table.messages for each in (message.times, *message.values)]
    columns = iter(rows_of(table, compile_program(cells), public, trace))
    for message in table.messages:
        own = [next(columns) for _ in range(1 + len(message.values))]
        speaking = np.flatnonzero(own[0].any(axis=1))  # on the other rows, most of them padding, it is sent 0 times
        rows = zip(*(to_ints(column[speaking]) for column in own), strict=True)
        for number, row in zip(speaking, rows, strict=True):
            _write(found, message, row, f"row {number} of {table.chip.name}")
    return found


def _write(found: Balance, message: Message, row: Sequence[int], writer: str) -> None:
    _note(found, message.bus, row, writer)


def _note(found: Balance, bus: Bus, row: Sequence[int], writer: str) -> None:
    if row[0]:
        key = bus.name, tuple(row[1:])
        surplus, writers = found.get(key, (0, []))
        writers.append(writer)
        found[key] = (surplus + row[0]) % PRIME, writers


def add_balance(found: Balance, other: Balance) -> None:
    """Add the messages of another table."""
    for key, (surplus, writers) in other.items():
        known, names = found.get(key, (0, []))
        found[key] = (known + surplus) % PRIME, [*names, *writers]


def rows_of(table: Table, program: Program, public: Sequence[int], trace: Felts) -> Felts:
    """The outputs of a program on every row of a table, (outputs, rows, 4)."""
    rows = trace.shape[1]
    tape = make_tape(program, keep=True)
    inputs = (
        fixed_table(table, rows.bit_length() - 1).reshape(-1, 1, rows, 4),
        np.ascontiguousarray(trace).reshape(-1, 1, rows, 4),
        np.empty((0, 1, rows, 4), np.uint64),
        periodic_on_rows(table.periods),
        selectors_on_rows(rows.bit_length() - 1),
    )
    # Leaves that only the rules of bus columns read have no value here; no output is computed from them.
    scalars = tape.scalars(lambda leaf: public[leaf.index] if leaf.source == Source.PUBLIC else 0)
    result = np.zeros((max(1, tape.outputs), rows, 4), np.uint64)
    run_tape(tape.operations, scalars, inputs, 0, 0, rows, np.empty((tape.registers, BLOCK, 4), np.uint64), result)
    return result[: tape.outputs]
