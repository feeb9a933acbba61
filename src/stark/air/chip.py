"""A chip: named columns, and the rules between the cells of a row and of the row after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from stark.air.expr import FIRST, LAST, TRANSITION, Expr, Source, leaf, lift

Columns = tuple[str | tuple[str, int], ...]  # ("limb", 4) declares four columns, read together as a tuple


@dataclass(frozen=True, slots=True)
class Bus:
    """A named multiset of messages: over all tables and the statement, what is sent must be what is received."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """`times` copies of a tuple on a bus; a receiver counts them negative."""

    bus: Bus
    values: tuple[Expr, ...]
    times: Expr

    @property
    def degree(self) -> int:
        """The degree of the fingerprint, the denominator of the message's fraction."""
        return max((value.degree for value in self.values), default=0)


class Chip:
    """One kind of table. A subclass names its columns and writes `constrain`; the heights are chosen per proof."""

    name: ClassVar[str]
    columns: ClassVar[Columns] = ()
    fixed: ClassVar[Columns] = ()  # columns of the system itself, given by `fixed_columns`
    periodic: ClassVar[Mapping[str, tuple[int, ...]]] = {}  # constants repeated down the table; lengths are powers of 2

    def constrain(self, row: Row, must: Must) -> None:
        """State every rule of a row."""
        raise NotImplementedError

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """The values of the fixed columns, column by column."""
        return []


@dataclass(slots=True)
class Must:
    """What a chip talks to: collects named constraints and the messages of buses."""

    constraints: list[tuple[str, Expr]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def zero(self, name: str, value: Expr) -> None:
        """On every row the value is zero. On the last row, `next` is the first row."""
        self.constraints.append((name, value))

    def equal(self, name: str, left: Expr | int, right: Expr | int) -> None:
        """On every row the two are equal."""
        self.zero(name, lift(left) - right)

    def boolean(self, name: str, value: Expr) -> None:
        """The value is 0 or 1."""
        self.zero(name, value * (value - 1))

    def first(self, name: str, value: Expr) -> None:
        """The value is zero on the first row."""
        self.zero(name, leaf(Source.SELECTOR, FIRST) * value)

    def last(self, name: str, value: Expr) -> None:
        """The value is zero on the last row."""
        self.zero(name, leaf(Source.SELECTOR, LAST) * value)

    def transition(self, name: str, value: Expr) -> None:
        """The value is zero on every row but the last."""
        self.zero(name, leaf(Source.SELECTOR, TRANSITION) * value)

    def send(self, bus: Bus, values: Sequence[Expr | int], times: Expr | int = 1) -> None:
        """Put a tuple on a bus `times` times."""
        if len(values) != len(bus.fields):
            fields = ", ".join(bus.fields)
            raise ValueError(f"bus {bus.name} carries {len(bus.fields)} values ({fields}), not {len(values)}")
        self.messages.append(Message(bus, tuple(lift(value) for value in values), lift(times)))

    def receive(self, bus: Bus, values: Sequence[Expr | int], times: Expr | int = 1) -> None:
        """Take a tuple off a bus `times` times."""
        self.send(bus, values, -lift(times))


class Row:
    """The cells of one row: `row.left` is a column, `row["limb"]` a group of columns, `row.next` the row after it."""

    next: Row

    def __init__(self, chip: Chip, is_next: bool = False):
        self._cells: dict[str, Expr | tuple[Expr, ...]] = {}
        self._where = f"{chip.name}, next row" if is_next else chip.name
        for source, columns in ((Source.FIXED, chip.fixed), (Source.TRACE, chip.columns)):
            index = 0
            for name, count in grouped(columns):
                cells = tuple(leaf(source, index + part, is_next) for part in range(1 if count is None else count))
                self._name(name, cells if count is not None else cells[0])
                index += len(cells)
        if not is_next:
            for index, name in enumerate(chip.periodic):
                self._name(name, leaf(Source.PERIODIC, index))
            self.next = Row(chip, is_next=True)

    def _name(self, name: str, cells: Expr | tuple[Expr, ...]) -> None:
        if name in self._cells or name == "next":
            raise ValueError(f"{self._where}: two columns are named {name}")
        self._cells[name] = cells

    def __getattr__(self, name: str) -> Expr:
        """A single cell by its name."""
        cell = self._cell(name)
        if not isinstance(cell, Expr):
            raise AttributeError(f"{self._where}: {name} is a group of {len(cell)} columns; write row[{name!r}]")
        return cell

    def __getitem__(self, name: str) -> tuple[Expr, ...]:
        """The cells of a group by its name."""
        cells = self._cell(name)
        if isinstance(cells, Expr):
            raise KeyError(f"{self._where}: {name} is a single column; write row.{name}")
        return cells

    def _cell(self, name: str) -> Expr | tuple[Expr, ...]:
        if name.startswith("_") or name not in self._cells:
            raise AttributeError(f"{self._where} has no column {name}")
        return self._cells[name]


def grouped(columns: Columns) -> list[tuple[str, int | None]]:
    """Names with their counts; a single column has none."""
    return [(column, None) if isinstance(column, str) else column for column in columns]


def width(columns: Columns) -> int:
    """The number of columns, groups counted out."""
    return sum(1 if count is None else count for _, count in grouped(columns))


def column_names(columns: Columns) -> list[str]:
    """One name a column; those of a group are numbered."""
    names = []
    for name, count in grouped(columns):
        names += [name] if count is None else [f"{name}[{part}]" for part in range(count)]
    return names
