"""Programs as equations: what is left of a program when values that nothing but sums and products reads are replaced.

An instruction adds or multiplies two cells, for an instruction that is lent costs a cell a column. Where the
instruction is part of the system a row may as well say what any equation of its cells says (`circuit.casting`), so a
value needs no cell where the equation that defines it can stand in its place. Left are equations that must hold, the
values that are numbers, and what is asked of other tables. Nothing is dropped: what is defined by an equation is
replaced by that equation's other side. `tests/circuit/test_plates.py` compares both, term by term.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bulkhead.circuit.instructions import Flag, Instruction, Program
from stark.prime import PRIME

OWN, NOTHING = -1, -2  # stand for the frame's number and for zero; other variables are places of the program
Monomial = tuple[int, ...]  # variables that are multiplied: none, one or two
Sum = dict[Monomial, int]
ONE: Monomial = ()
VARIABLES_MAX = 5  # of an equation, one that is squared counted twice


class Ask(NamedTuple):
    """What a row asks of another table: by its flag (0: a message), with these variables in these cells."""

    place: int
    flag: int
    cells: tuple[tuple[str, int], ...]
    constant: int
    times: int = 0  # of a message
    begins: bool = False  # of a list


class Demands(NamedTuple):
    """A program: sums that must be zero, variables that are numbers of 64 bits, and what is asked, in its order."""

    sums: tuple[Sum, ...]
    numbers: frozenset[int]
    asks: tuple[Ask, ...]


def fused(program: Program) -> Demands:
    """What is left of a program."""
    read = _Reading(program)
    return Demands(tuple(_Replacing(read).left()), frozenset(read.numbers), tuple(read.asks))


def plus(one: Sum, other: Sum, factor: int = 1) -> Sum:
    """one + factor * other."""
    found = dict(one)
    for monomial, coefficient in other.items():
        value = (found.get(monomial, 0) + factor * coefficient) % PRIME
        if value:
            found[monomial] = value
        else:
            found.pop(monomial, None)
    return found


def product(one: Sum, other: Sum) -> Sum | None:
    """one * other; None where something of degree three would come."""
    found: Sum = {}
    for left, of_left in one.items():
        for right, of_right in other.items():
            monomial = tuple(sorted(left + right))
            if len(monomial) > 2:
                return None
            found = plus(found, {monomial: of_left * of_right % PRIME})
    return found


def variables_of(found: Sum) -> frozenset[int]:
    """What a sum reads."""
    return frozenset(variable for monomial in found for variable in monomial)


def products_of(found: Sum) -> list[Monomial]:
    """The products in a sum."""
    return [monomial for monomial in found if len(monomial) == 2]


def cells_of(found: Sum) -> int:
    """How many cells a row needs for it: a square needs its variable twice."""
    return len(variables_of(found)) + sum(one == other for one, other in products_of(found))


def fits(found: Sum) -> bool:
    """A row can say that the sum is zero: it has one product at most."""
    return cells_of(found) <= VARIABLES_MAX and len(products_of(found)) <= 1


class _Reading:
    """A program's instructions, each as an equation, a number, or something that is asked."""

    def __init__(self, program: Program):
        self.equations: list[tuple[Sum, int | None]] = []  # and the variable that it defines
        self.numbers: set[int] = set()
        self.asks: list[Ask] = []
        self._same: dict[int, int] = {}  # places that are another variable
        self._digest = 0
        self._code = program.instructions
        for place, each in enumerate(self._code):
            self._take(place, each)
        self.equations.append(({(NOTHING,): 1}, NOTHING))

    def _variable(self, place: int) -> int:
        return self._same.get(place, place)

    def _take(self, place: int, each: Instruction) -> None:
        flags = each.flags
        if flags & Flag.FIRST:
            self.equations.append(({ONE: 1, (place,): PRIME - 1}, place))
        elif flags & (Flag.ADD | Flag.MULTIPLY):
            self._compute(place, each)
        elif flags & Flag.ZERO:
            self._same[place] = OWN
        elif flags & Flag.GIVEN and not each.times:
            if flags & Flag.NUMBER:
                self.numbers.add(place)
        else:
            self.asks.append(self._ask(place, each))

    def _compute(self, place: int, each: Instruction) -> None:
        left: Sum = {(self._variable(each.left),): 1}
        right: Sum = {(self._variable(each.right),): 1}
        if each.flags & Flag.ADD:
            found = plus(left, right, each.constant)
        else:
            multiplied = product(left, right)
            assert multiplied is not None, "two variables are of degree two"
            found = plus(multiplied, {(self._variable(place - 1),): each.constant}) if each.constant else multiplied
        if each.flags & Flag.ZERO:
            self.equations.append((found, None))
            return
        if not found:
            self._same[place] = NOTHING
            return
        if each.flags & Flag.NUMBER:
            self.numbers.add(place)
        self.equations.append((plus(found, {(place,): 1}, -1), place))

    def _ask(self, place: int, each: Instruction) -> Ask:
        left, right = self._variable(each.left), self._variable(each.right)
        if each.flags & Flag.MEMORY:
            return Ask(place, int(Flag.MEMORY), (("a", left), ("b", right), ("c", place), ("e", OWN)), each.constant)
        if each.flags & Flag.HASH:
            begins = bool(each.flags & Flag.NUMBER)
            if begins:
                self._digest = place
            self._same[place] = self._digest  # a list has one digest
            cells = (("a", left), ("b", right), ("e", self._digest))
            return Ask(place, int(Flag.HASH), cells, each.constant, begins=begins)
        if each.flags & Flag.SIGNED:
            return Ask(place, int(Flag.SIGNED), (("a", left), ("b", right)), 0)
        after = self._code[place + 1]
        said = right if each.times == 1 else place, self._variable(after.left), self._variable(after.right)
        return Ask(place, 0, (("a", left), *zip("cde", said, strict=True)), each.constant, each.times)


class _Replacing:
    """Equations of which one after the other is put in the place of what it defines."""

    def __init__(self, read: _Reading):
        self.sums: dict[int, Sum] = dict(enumerate(found for found, _ in read.equations))
        self.definition = {defines: number for number, (_, defines) in enumerate(read.equations) if defines is not None}
        # These have cells whatever becomes of their equations.
        self.kept = read.numbers | {variable for ask in read.asks for _, variable in ask.cells}
        self.readers: dict[int, set[int]] = {}
        for number, found in self.sums.items():
            self._note(number, found)

    def left(self) -> Iterable[Sum]:
        """The equations that are left, in their order."""
        while sum(self._replace(variable) for variable in sorted(self.definition)):
            pass
        return (self.sums[number] for number in sorted(self.sums))

    def _note(self, number: int, found: Sum) -> None:
        for variable in variables_of(found):
            self.readers.setdefault(variable, set()).add(number)

    def _replace(self, variable: int) -> bool:
        """Put a variable's equation in its place, if that needs fewer cells than there were.

        One that keeps its cell is replaced where its reader then needs fewer: a constant, say.
        """
        number = self.definition[variable]
        found = self.sums[number]
        value = solved(found, variable)
        stays = variable in self.kept
        after: dict[int, Sum] = {}
        change = 0 if stays else -cells_of(found)
        for reader in self.readers[variable] - {number}:
            replaced = substituted(self.sums[reader], variable, value)
            if replaced is None or not fits(replaced):
                if stays:
                    continue
                return False
            more = cells_of(replaced) - cells_of(self.sums[reader])
            if stays and more >= 0:
                continue
            change += more
            after[reader] = replaced
        if change >= 0:
            return False
        for reader, replaced in after.items():
            self._set(reader, replaced)
        if not stays:
            self._set(number, None)
            del self.definition[variable]
        return True

    def _set(self, number: int, found: Sum | None) -> None:
        for variable in variables_of(self.sums.pop(number)):
            self.readers[variable].discard(number)
        if found is not None:
            self.sums[number] = found
            self._note(number, found)


def solved(found: Sum, variable: int) -> Sum:
    """What a variable is, of which a sum that is zero has a multiple and nothing else."""
    rest = dict(found)
    factor = rest.pop((variable,))
    assert variable not in variables_of(rest), "a definition is linear in what it defines"
    return plus({}, rest, pow(-factor, -1, PRIME))


def substituted(found: Sum, variable: int, value: Sum) -> Sum | None:
    """A sum with a value in the place of a variable; None where something of degree three would come."""
    result: Sum = {}
    for monomial, coefficient in found.items():
        part: Sum | None = {ONE: 1}
        for each in monomial:
            part = None if part is None else product(part, value if each == variable else {(each,): 1})
        if part is None:
            return None
        result = plus(result, part, coefficient)
    return result
