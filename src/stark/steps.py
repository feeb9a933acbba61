"""The rules as steps: what a contract runs to see them hold at a point. One list for all tables and the statement.

A step names its operands by slots. The first slots hold what is given: the statement's elements, the words of a proof's
head, challenges, selectors, constants; the results of steps follow, each in the slot after the one before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from stark.air.expr import Leaf, Operation, Source
from stark.air.program import Program
from stark.key import Key
from stark.prime import PRIME, inverse, root_of_unity

STEP_BYTES = 7  # operation, and three operands of two bytes
SIDES = 1 << 16  # an operand names one of so many slots
SELECTORS = 3  # of a level


class Do(IntEnum):
    """What a step does with left, right and third."""

    ADD = 0
    SUBTRACT = 1
    MULTIPLY = 2
    MULTIPLY_ADD = 3  # left * right + third
    SUBTRACT_PRODUCT = 4  # third - left * right
    PRODUCT_LESS = 5  # left * right - third
    PERIODIC = 6  # a periodic column: where its coefficients stand, level and logarithm of its period
    ONE_HOT = 7  # a periodic column that is one in a single row: where its two constants stand, the same
    FOLD = 8  # take a rule into the weighted sum
    BALANCE = 9  # take a fraction, times and divisor, into the balance


PLAIN = {Operation.ADD: Do.ADD, Operation.SUBTRACT: Do.SUBTRACT, Operation.MULTIPLY: Do.MULTIPLY}


class Head(NamedTuple):
    """Where the words of a proof's head stand: the order in which `stark.verifier.read_commitments` reads them."""

    bus_root: int
    totals: tuple[int, int]  # start and count
    composition_root: int
    levels: tuple[int, ...]  # where each level's values start
    pieces: int
    layer_roots: int
    last: int
    words: int

    @classmethod
    def of(cls, key: Key) -> Head:
        """The head of a key's proofs. Without buses their root takes no word, and its place is the composition's."""
        totals = sum(table.bus_width > 0 for table in key.system.tables)
        composition_root = 2 + totals if key.has_buses else 1
        starts = list(accumulate([2 * level.width for level in key.levels], initial=composition_root + 1))
        layer_roots = starts[-1] + key.system.composition_columns
        last = layer_roots + len(key.schedule)
        words = last + (1 << key.parameters.log_final) + 1
        return cls(1, (2, totals), composition_root, tuple(starts[:-1]), starts[-1], layer_roots, last, words)


class Slots(NamedTuple):
    """Where each kind of given value starts, and the first step's result."""

    elements: int
    head: int
    challenges: int
    selectors: int
    constants: int
    steps: int


class Steps:
    """The steps of a key's rules. `scalars` are the constants with slots; `lists` are those that steps look up."""

    def __init__(self, key: Key):
        self.key = key
        self.head = Head.of(key)
        programs = [key.system.outside, *(table.program for table in key.system.tables)]
        self.scalars = _scalars(key, programs)
        self.lists: list[int] = []
        sizes = (
            len(key.system.public), self.head.words, max(2, key.system.challenge_count), SELECTORS * len(key.levels),
            len(self.scalars),
        )  # fmt: skip
        self.slots = Slots(*accumulate(sizes, initial=0))
        self.made: list[tuple[int, int, int, int]] = []
        self._rows: dict[tuple[int, int, int], int] = {}  # the slot that is one in a row of a table's period
        for number, table in enumerate(key.system.tables):
            for output in self._program(table.program, number):
                self.append(Do.FOLD, output)
        stated = self._program(key.system.outside, None)
        for times, divisor in zip(stated[::2], stated[1::2], strict=True):
            self.append(Do.BALANCE, times, divisor)

    def encode(self) -> bytes:
        """All steps, one after the other."""
        return b"".join(
            operation.to_bytes(1, "big") + b"".join(operand.to_bytes(2, "big") for operand in operands)
            for operation, *operands in self.made
        )

    @property
    def count(self) -> int:
        """How many slots there are in all."""
        return self.slots.steps + len(self.made)

    def append(self, operation: Do, left: int, right: int = 0, third: int = 0) -> int:
        """One step; answers the slot of its result."""
        if not all(0 <= operand < SIDES for operand in (left, right, third)):
            raise ValueError(f"{self.key.system.name} has too many rules for a tape: an operand is one of 2**16 slots")
        self.made.append((operation, left, right, third))
        return self.slots.steps + len(self.made) - 1

    def _program(self, program: Program, table: int | None) -> list[int]:
        """Append a program; answers the slots of its outputs."""
        run = _Run(self, program, table)
        return [run.slot(output) for output in program.outputs]

    def periodic(self, table: int, values: tuple[int, ...]) -> int:
        """A periodic column: by its coefficients, or by its rows where a quarter or more of them are zero.

        Coefficients are as many constants as the period has rows, and a row's two serve every column of the table.
        """
        rows = [row for row, value in enumerate(values) if value]
        where = self._level(table) << 8 | (len(values).bit_length() - 1)
        if not _is_by_rows(values):
            return self.append(Do.PERIODIC, self._list(_coefficients(values)[::-1]), where)
        total = None
        for row in rows:
            slot = self._row(table, len(values), row, where)
            if values[row] != 1:
                slot = self.append(Do.MULTIPLY, slot, self.scalar(values[row]))
            total = slot if total is None else self.append(Do.ADD, total, slot)
        return self.scalar(0) if total is None else total

    def _row(self, table: int, period: int, row: int, where: int) -> int:
        """The slot that is one in a row of a period and zero in the others; it is made once."""
        if (table, period, row) not in self._rows:
            self._rows[table, period, row] = self.append(Do.ONE_HOT, self._list(_one_hot(period, row)), where)
        return self._rows[table, period, row]

    def _list(self, values: Sequence[int]) -> int:
        """Where constants stand that a step looks up: behind those with slots."""
        self.lists += values
        return len(self.scalars) + len(self.lists) - len(values)

    def scalar(self, value: int) -> int:
        """The slot of a constant."""
        return self.slots.constants + self.scalars.index(value)

    def _level(self, table: int) -> int:
        return next(number for number, each in enumerate(self.key.levels) if table in each.tables)

    def leaf(self, leaf: Leaf, table: int | None) -> int:
        """The slot of a leaf that is no periodic column."""
        if leaf.source == Source.CONSTANT:
            return self.scalar(leaf.index)
        if leaf.source == Source.PUBLIC:
            return self.slots.elements + leaf.index
        if leaf.source == Source.CHALLENGE:
            return self.slots.challenges + leaf.index
        if table is None:
            raise ValueError(f"the statement can't read {leaf}")
        level = self._level(table)
        if leaf.source == Source.TOTAL:
            before = sum(each.bus_width > 0 for each in self.key.system.tables[:table])
            return self.slots.head + self.head.totals[0] + before
        if leaf.source == Source.SELECTOR:
            return self.slots.selectors + SELECTORS * level + leaf.index
        return self.slots.head + self._column(leaf, table, level)

    def _column(self, leaf: Leaf, table: int, level: int) -> int:
        own = self.key.levels[level]
        tables = self.key.system.tables
        before = {Source.FIXED: 0, Source.TRACE: own.fixed_width, Source.BUS: own.fixed_width + own.trace_width}
        earlier = sum(tables[number].width(leaf.source) for number in own.tables[: own.tables.index(table)])
        column = before[leaf.source] + earlier + leaf.index + (own.width if leaf.is_next else 0)
        return self.head.levels[level] + column


class _Run:
    """One program's steps. A product that is asked for once waits: it may be part of the sum that asks for it."""

    def __init__(self, steps: Steps, program: Program, table: int | None):
        self._steps, self._table = steps, table
        self._slots: dict[int, int] = {}
        self._waiting: dict[int, tuple[int, int]] = {}  # factors' slots
        asked = Counter(program.outputs)
        for step in program.steps:
            if step.leaf is None:
                asked.update((step.left, step.right))
        for number, step in enumerate(program.steps):
            if step.leaf is not None:
                self._slots[number] = self._leaf(step.leaf)
            elif step.operation == Operation.MULTIPLY and asked[number] == 1:
                self._waiting[number] = self.slot(step.left), self.slot(step.right)
            else:
                self._slots[number] = self._computed(step.operation, step.left, step.right)

    def slot(self, number: int) -> int:
        """Of a value of the program, by its number there."""
        if number in self._waiting:
            self._slots[number] = self._steps.append(Do.MULTIPLY, *self._waiting.pop(number))
        return self._slots[number]

    def _leaf(self, leaf: Leaf) -> int:
        if leaf.source != Source.PERIODIC:
            return self._steps.leaf(leaf, self._table)
        assert self._table is not None, "the statement has no rows"
        return self._steps.periodic(self._table, self._steps.key.system.tables[self._table].periods[leaf.index])

    def _computed(self, operation: Operation, left: int, right: int) -> int:
        """A sum, a difference, or a product that several ask for; with a product in it, if one waits."""
        if operation == Operation.ADD and left in self._waiting:
            left, right = right, left
        if operation != Operation.MULTIPLY and right in self._waiting:
            product = self._waiting.pop(right)
            kind = Do.MULTIPLY_ADD if operation == Operation.ADD else Do.SUBTRACT_PRODUCT
            return self._steps.append(kind, *product, self.slot(left))
        if operation == Operation.SUBTRACT and left in self._waiting:
            product = self._waiting.pop(left)
            return self._steps.append(Do.PRODUCT_LESS, *product, self.slot(right))
        return self._steps.append(PLAIN[operation], self.slot(left), self.slot(right))


def _scalars(key: Key, programs: Sequence[Program]) -> list[int]:
    """Constants that are operands, each once: of programs, and of periodic columns that are made of their rows."""
    found = {leaf.index for program in programs for leaf in program.leaves() if leaf.source == Source.CONSTANT}
    periods = [period for table in key.system.tables for period in table.periods if _is_by_rows(period)]
    found |= {value for period in periods for value in period}
    return sorted({0} | found)


def _is_by_rows(values: Sequence[int]) -> bool:
    return 4 * sum(map(bool, values)) <= 3 * len(values)


def _one_hot(period: int, row: int) -> list[int]:
    """Of a column that is one in a single row: what brings that row to 1, and the inverse of the period.

    At a point x the column is the product of 1 + (x / row) ** (2 ** bit) over the bits of the period, over the period.
    """
    place = pow(root_of_unity(period.bit_length() - 1), row, PRIME)
    return [inverse(place), inverse(period)]


def _coefficients(values: tuple[int, ...]) -> list[int]:
    """Of the polynomial that takes the values on the roots of one, lowest first."""
    size = len(values)
    back = inverse(root_of_unity(size.bit_length() - 1))
    scale = inverse(size)
    return [
        scale * sum(value * pow(back, row * term, PRIME) for row, value in enumerate(values)) % PRIME
        for term in range(size)
    ]
