"""Casting: equations and what is asked of other tables, seated in the rows of a plate.

A row has five cells, a to e, each of which is a variable of the program, and says two things of them:

    of_a a + of_b b + of_c c + of_d d + of_e e + of_ab a b + constant = 0        the first gate
    and_b b + and_c c + and_d d + and_ac a c + and_one = 0                       the second

Beside that it asks one thing of other tables, and that c or d are numbers. A variable is born in one row, in c, d or e,
where others read it; so rows are few where what is said of the same variables is said in one row. Rows are filled
greedily: whoever shares most with those who sit already comes next. How they sit decides what a plate costs, not what
it says: that is `circuit.fusing`'s. It is part of the key, and the same wherever it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from bulkhead.circuit.fusing import ONE, OWN, Ask, Demands, Sum, cells_of, products_of, variables_of
from bulkhead.circuit.instructions import Flag

CELLS = "abcde"
BORN = "cde"  # cells in which variables are born
NUMBERED = "cd"  # of these, cells of which it is asked that they are numbers
FIRST_PRODUCT, SECOND_PRODUCT = "ab", "ac"
SECOND = "bcd"  # cells of which the second gate takes multiples; the first takes all
TRIED = 12  # candidates for a place, best first
AGES = -3  # and below: of the row that reads memory at place p, AGES - p is what its word's last access is ago
Cells = dict[str, int]


class Gate(NamedTuple):
    """Factors of cells and of a product of two in a sum that is zero, by name; and its constant."""

    factors: dict[str, int]
    constant: int = 0


class CastRow(NamedTuple):
    """A row: the variable in each cell that has one, its gates, which cells are numbers and which are births, what it
    asks."""

    cells: Cells
    first: Gate
    second: Gate
    numbers: str
    births: str
    ask: Ask | None


def cast(demands: Demands) -> tuple[CastRow, ...]:
    """Rows that demand the same."""
    return tuple(_Casting(demands).rows())


def age_of(place: int) -> int:
    """The variable that says how long ago a word was last accessed."""
    return AGES - place


class _Unit(NamedTuple):
    """What must be said in one row: a sum is zero, or something is asked."""

    variables: frozenset[int]
    cells: int  # it needs
    found: Sum | None
    ask: Ask | None


class _Seating(NamedTuple):
    """Where the variables of a row sit; the sum that each gate says, if any."""

    cells: Cells
    first: Sum | None
    second: Sum | None


class _Row:
    """Units that share a row so far."""

    def __init__(self) -> None:
        self.units: list[_Unit] = []
        self.variables: frozenset[int] = frozenset()
        self.cells = 0
        self.seating = _Seating({}, None, None)

    def room(self, unit: _Unit) -> int | None:
        """How many cells more a unit needs here; None where there are not so many."""
        if unit.ask is not None and any(each.ask is not None for each in self.units):
            return None
        extra = self.cells - len(self.variables) + unit.cells - len(unit.variables)
        cells = len(self.variables | unit.variables) + extra
        return cells - self.cells if cells <= len(CELLS) else None

    def take(self, unit: _Unit, seating: _Seating) -> None:
        more = self.room(unit)
        assert more is not None, "there is room"
        self.units.append(unit)
        self.variables |= unit.variables
        self.cells += more
        self.seating = seating


class _Casting:
    """One pass over what a program demands."""

    def __init__(self, demands: Demands):
        self.numbers = demands.numbers
        asks = [_asking(ask) for ask in demands.asks]
        says = [_Unit(variables_of(found), cells_of(found), found, None) for found in demands.sums]
        # What needs most cells comes first: it finds the least company.
        self.units = sorted([*asks, *says], key=lambda unit: (-unit.cells, unit.ask is None))
        everything = frozenset[int]().union(*(unit.variables for unit in self.units), demands.numbers, {OWN})
        self.unborn = {variable for variable in everything if variable > AGES}

    def rows(self) -> Iterator[CastRow]:
        """All rows, births included."""
        seatings: list[tuple[_Seating, Ask | None]] = []
        left = list(self.units)
        while left:
            row = self._filled(left)
            self.unborn -= {variable for cell, variable in row.seating.cells.items() if self._wish(cell, variable)}
            seatings.append((row.seating, next((each.ask for each in row.units if each.ask is not None), None)))
        for seating, ask in seatings:
            self._bear(seating.cells, ask)
        while self.unborn:
            cells: Cells = {}
            self._bear(cells, None)
            seatings.append((_Seating(cells, None, None), None))
        born: set[int] = set()
        for seating, ask in seatings:
            yield self._made(seating, ask, born)

    def _filled(self, left: list[_Unit]) -> _Row:
        """The next row, and what of the units is left."""
        row = _Row()
        unit: _Unit | None = left[0]
        while unit is not None:
            left.remove(unit)
            unit = self._next(row, unit, left)
        return row

    def _next(self, row: _Row, unit: _Unit, left: Sequence[_Unit]) -> _Unit | None:
        """Seat a unit, and find the one that shares most of its variables with the row then."""
        seating = self._seated([*row.units, unit])
        assert seating is not None, "whoever is chosen has a seat"
        row.take(unit, seating)
        found = []
        for number, each in enumerate(left):
            more = row.room(each)
            if more is not None:
                found.append((more - each.cells, more, number))
        for _, _, number in sorted(found)[:TRIED]:
            if self._seated([*row.units, left[number]]) is not None:
                return left[number]
        return None

    # --- seats ------------------------------------------------------------------------------------------------------

    def _seated(self, units: Sequence[_Unit]) -> _Seating | None:
        """Seats of units; of several the one with most births, those of numbers before others."""
        ask = next((unit.ask for unit in units if unit.ask is not None), None)
        sums = [unit.found for unit in units if unit.found is not None]
        if len(sums) > 2:
            return None
        best: tuple[int, _Seating] | None = None
        for first, second in _orders(sums):
            if first is not None and ONE in first and ask is not None and ask.flag != Flag.SIGNED:
                continue  # the first gate's constant says what is asked for
            for cells in _places(ask, first, second, self._wish):
                score = sum(self._wish(cell, variable) for cell, variable in cells.items())
                if best is None or score > best[0]:
                    best = score, _Seating(cells, first, second)
        return None if best is None else best[1]

    def _wish(self, cell: str, variable: int) -> int:
        """How much a variable wants to be born in a cell; 0 where it can't be, or is already."""
        if variable not in self.unborn or cell not in BORN:
            return 0
        return 1 if variable not in self.numbers else 3 * (cell in NUMBERED)

    def _bear(self, cells: Cells, ask: Ask | None) -> None:
        """Let variables that nobody has born yet be born in cells that are free."""
        taken = blocked(ask)
        for cell in BORN:
            wishes = [variable for variable in sorted(self.unborn) if self._wish(cell, variable)]
            if cell not in cells and cell not in taken and wishes:
                cells[cell] = max(wishes, key=lambda variable: self._wish(cell, variable))
                self.unborn.discard(cells[cell])

    def _made(self, seating: _Seating, ask: Ask | None, born: set[int]) -> CastRow:
        cells, births, numbers = seating.cells, "", ""
        for cell in BORN:
            variable = cells.get(cell)
            is_number = variable in self.numbers
            if variable is not None and variable not in born and (cell in NUMBERED or not is_number):
                born.add(variable)
                births += cell if variable > AGES else ""
                numbers += cell if is_number or variable <= AGES else ""
        first = _gate(seating.first, cells, FIRST_PRODUCT, CELLS)
        second = _gate(seating.second, cells, SECOND_PRODUCT, SECOND)
        return CastRow(cells, first, second, numbers, births, ask)


def _asking(ask: Ask) -> _Unit:
    cells = dict(ask.cells) | ({"d": age_of(ask.place)} if ask.flag & Flag.MEMORY else {})
    return _Unit(frozenset(cells.values()), len(cells), None, ask._replace(cells=tuple(cells.items())))


def _orders(sums: Sequence[Sum]) -> list[tuple[Sum | None, Sum | None]]:
    """Which gate says which of two sums at most."""
    if len(sums) == 2:
        return [(sums[0], sums[1]), (sums[1], sums[0])]
    return [(sums[0], None), (None, sums[0])] if sums else [(None, None)]


def _places(
    ask: Ask | None, first: Sum | None, second: Sum | None, wish: Callable[[str, int], int]
) -> Iterator[Cells]:  # fmt: skip
    """Ways to seat what gates and an ask read."""
    fixed = dict(ask.cells) if ask is not None else {}
    closed = blocked(ask)
    for one in _factors(first, FIRST_PRODUCT):
        for other in _factors(second, SECOND_PRODUCT):
            cells = _merged(fixed, one, other)
            if cells is None or closed & cells.keys():
                continue
            multiples = sorted(monomial[0] for monomial in second or {} if len(monomial) == 1)
            rest = [variable for variable in multiples if not any(cells.get(cell) == variable for cell in SECOND)]
            free = [cell for cell in SECOND if cell not in cells and cell not in closed]
            others = sorted(variables_of(first or {}), key=lambda each: (-wish(NUMBERED[0], each), each))
            for chosen in permutations(free, len(rest)):
                yield from _seat(cells | dict(zip(chosen, rest, strict=True)), closed, others, wish)


def _seat(
    cells: Cells, closed: set[str], variables: Sequence[int], wish: Callable[[str, int], int]
) -> Iterator[Cells]:  # fmt: skip
    """Seat the others, those to be born first; nothing where they are too many."""
    seated = dict(cells)
    for variable in variables:
        if variable in seated.values():
            continue
        order = ("cdeba" if wish("d", variable) > 1 else "ecdba") if wish("d", variable) else "baedc"
        cell = next((each for each in order if each not in seated and each not in closed), None)
        if cell is None:
            return
        seated[cell] = variable
    yield seated


def _factors(found: Sum | None, cells: str) -> Iterator[Cells]:
    """Ways to seat the factors of a gate's product."""
    for one, other in products_of(found or {}):
        yield dict(zip(cells, (one, other), strict=True))
        if one != other:
            yield dict(zip(cells, (other, one), strict=True))
        return
    yield {}


def _merged(*parts: Cells) -> Cells | None:
    """All of them; None where a cell would have two variables."""
    found: Cells = {}
    for part in parts:
        for cell, variable in part.items():
            if found.setdefault(cell, variable) != variable:
                return None
    return found


def blocked(ask: Ask | None) -> set[str]:
    """Cells that no variable may use: their fixed columns say what is asked."""
    return {"c"} if ask is not None and ask.flag == Flag.HASH else set()


def _gate(found: Sum | None, cells: Cells, product: str, multiples: str) -> Gate:
    """The gate that says a sum of cells is zero: multiples of these cells, and of the product of two."""
    rest = dict(found or {})
    factors = {}
    if set(product) <= cells.keys():
        factors[product] = rest.pop(tuple(sorted(cells[cell] for cell in product)), 0)
    for cell in multiples:
        factors[cell] = rest.pop((cells[cell],), 0) if cell in cells else 0
    constant = rest.pop(ONE, 0)
    assert not rest, "a gate says all of its sum"
    return Gate(factors, constant)
