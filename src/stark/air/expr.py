"""Symbolic cells: the one form in which a constraint is written, whoever reads it.

An expression is a polynomial in the cells of two neighbouring rows and in values that are the same for every row. Its
degree is computed: what a chip declares can't disagree with what it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from stark.prime import PRIME


class Source(IntEnum):
    """Where the value of a leaf comes from. The numbers are part of a system's digest."""

    FIXED = 0  # a column that belongs to the system, not to the proof
    TRACE = 1  # a column the prover fills
    BUS = 2  # a column of running sums, filled after the buses' challenges are drawn
    PERIODIC = 3  # a short list of constants, repeated
    SELECTOR = 4  # nonzero on the first row, on the last, or on all but the last
    CONSTANT = 5
    PUBLIC = 6  # an element of the statement
    CHALLENGE = 7  # 0: the point at which a bus sums its messages; k > 0: the k-th power of the fields' base
    TOTAL = 8  # what a table's running sums come to


FIRST, LAST, TRANSITION = range(3)  # the selectors
VARYING = frozenset({Source.FIXED, Source.TRACE, Source.BUS, Source.PERIODIC, Source.SELECTOR})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value an expression starts from: `index` counts within the source (for a constant it is the value)."""

    source: Source
    index: int
    is_next: bool = False  # the cell of the row after this one; after the last comes the first

    @property
    def varies(self) -> bool:
        """Whether the value differs from row to row."""
        return self.source in VARYING


class Operation(IntEnum):
    """How an expression is made. The numbers are part of a system's digest."""

    LEAF = 0
    ADD = 1
    SUBTRACT = 2
    MULTIPLY = 3


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """A leaf, or an operation on two expressions."""

    operation: Operation
    degree: int
    leaf: Leaf | None = None
    left: Expr | None = None
    right: Expr | None = None

    @property
    def constant(self) -> int | None:
        """The value of a constant; None for anything else."""
        return self.leaf.index if self.leaf is not None and self.leaf.source == Source.CONSTANT else None

    def __add__(self, other: Expr | int) -> Expr:
        right = lift(other)
        if self.constant == 0:
            return right
        return self if right.constant == 0 else combine(Operation.ADD, self, right)

    def __sub__(self, other: Expr | int) -> Expr:
        right = lift(other)
        return self if right.constant == 0 else combine(Operation.SUBTRACT, self, right)

    def __mul__(self, other: Expr | int) -> Expr:
        right = lift(other)
        if self.constant == 0 or right.constant == 1:
            return self
        if right.constant == 0 or self.constant == 1:
            return right
        return combine(Operation.MULTIPLY, self, right)

    def __radd__(self, other: int) -> Expr:
        return self + other

    def __rsub__(self, other: int) -> Expr:
        return lift(other) - self

    def __rmul__(self, other: int) -> Expr:
        return self * other

    def __neg__(self) -> Expr:
        return lift(0) - self

    def __pow__(self, exponent: int) -> Expr:
        if exponent < 1:
            raise ValueError(f"an expression can be raised to a power of at least 1, not {exponent}")
        half = self ** (exponent >> 1) if exponent > 1 else None
        square = half * half if half is not None else lift(1)
        return square * self if exponent & 1 else square

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value: a constraint holds for every row or the proof fails")


def combine(operation: Operation, left: Expr, right: Expr) -> Expr:
    """An operation on two expressions; on two constants, its result."""
    if left.constant is not None and right.constant is not None:
        return lift(apply(operation, left.constant, right.constant))
    multiplies = operation == Operation.MULTIPLY
    degree = left.degree + right.degree if multiplies else max(left.degree, right.degree)
    return Expr(operation, degree, None, left, right)


def apply(operation: Operation, left: int, right: int) -> int:
    """The operation on two field elements."""
    if operation == Operation.ADD:
        return (left + right) % PRIME
    if operation == Operation.SUBTRACT:
        return (left - right) % PRIME
    return left * right % PRIME


def lift(value: Expr | int) -> Expr:
    """An integer as a constant of the field."""
    if isinstance(value, Expr):
        return value
    return Expr(Operation.LEAF, 0, Leaf(Source.CONSTANT, value % PRIME))


def leaf(source: Source, index: int, is_next: bool = False) -> Expr:
    """An expression that is one value.

    The transition selector is X minus the last row's point: unlike a column it raises the degree of what it gates by
    one in all rather than by the height of the table, so it counts as zero.
    """
    varies = source in VARYING and (source, index) != (Source.SELECTOR, TRANSITION)
    return Expr(Operation.LEAF, int(varies), Leaf(source, index, is_next))


def total(values: list[Expr]) -> Expr:
    """The sum of a list of expressions; 0 of none."""
    result = lift(0)
    for value in values:
        result = result + value
    return result
