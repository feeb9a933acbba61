"""Programs made shorter for plates, whose instructions are fixed: sums are gathered, and constants vanish in them.

An instruction of a program adds or multiplies two cells, for an instruction that is lent costs a cell a column. Where
the instruction is part of the system, a row may as well compute

    of_c c = of_a a + of_b b + of_d d + of_ab a b + of_ad a d + of_own (the frame's number) + constant

at no more cost. So a value that a later row can compute along with its own needs no row: here each sum and product is
put in the place of its name wherever the gate above can take it, and rows are left for what cannot be avoided: what the
prover gives, what is a number, words, messages, lists, signatures, what must be zero. Nothing is dropped: what is
defined by an equation is replaced by that equation's other side. `tests/circuit/test_plates.py` plays both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bulkhead.circuit.instructions import Flag, Instruction, Program
from stark.prime import PRIME

OWN = -1  # stands for the frame's number
Monomial = tuple[int, ...]  # places of the program whose cells are multiplied: none, one or two
Sum = dict[Monomial, int]
ONE: Monomial = ()


class Gate(NamedTuple):
    """What a row computes: a multiple of each operand, of two products, of the frame's number; and a constant."""

    c: int = 0
    a: int = 0
    b: int = 0
    d: int = 0
    ab: int = 0
    ad: int = 0
    own: int = 0
    constant: int = 0


class FusedRow(NamedTuple):
    """A row that is left: its place in the program, its operands' (its own where it needs none), and what it does."""

    place: int
    left: int
    right: int
    third: int
    gate: Gate
    flags: int = 0  # one of NUMBER, MEMORY, HASH and SIGNED, or none
    times: int = 0


class Slots(NamedTuple):
    """Which places a gate reads; None where it reads none."""

    a: int | None
    b: int | None
    d: int | None


def fused(program: Program) -> tuple[FusedRow, ...]:
    """The rows that are left of a program, in its order."""
    return tuple(_Fusing(program).rows())


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
    """one * other; None where something of degree three would come, or the frame's number in a product."""
    found: Sum = {}
    for left, of_left in one.items():
        for right, of_right in other.items():
            monomial = tuple(sorted(left + right))
            if len(monomial) > 2 or (len(monomial) == 2 and OWN in monomial):
                return None
            found = plus(found, {monomial: of_left * of_right % PRIME})
    return found


def slots_of(found: Sum) -> Slots | None:
    """Operands with which a gate computes a sum; None where no gate can."""
    read = sorted({place for monomial in found for place in monomial if place != OWN})
    squares = [monomial for monomial in found if len(monomial) == 2]
    if not squares:
        return Slots(*(read + [None] * 3)[:3]) if len(read) <= 3 else None
    for a in squares[0]:
        if all(a in monomial for monomial in squares):
            others = [monomial[0] if monomial[1] == a else monomial[1] for monomial in squares]
            others += [place for place in read if place != a and place not in others]
            if len(others) <= 2:
                return Slots(a, *(others + [None])[:2])
    return None


def gate_of(found: Sum, slots: Slots, of_c: int) -> Gate:
    """The gate that computes a sum from these operands."""
    rest = dict(found)

    def take(*places: int | None) -> int:
        known = [place for place in places if place is not None]
        return rest.pop(tuple(sorted(known)), 0) if len(known) == len(places) else 0

    a, b, d = slots
    gate = Gate(of_c, take(a), take(b), take(d), take(a, b), take(a, d), take(OWN), rest.pop(ONE, 0))
    assert not rest, "a gate computes all of its sum"
    return gate


def _spare(found: Sum) -> Slots | None:
    """Operands of a sum of two at most, without products and constant: where the first operand and the constant say
    what a message is about. None for another sum."""
    slots = slots_of(found)
    is_plain = slots is not None and slots.d is None and all(len(monomial) == 1 for monomial in found)
    return Slots(None, *slots[:2]) if slots is not None and is_plain else None


class _Fusing:
    """One pass over a program. `sums` has the values that a later row may compute along with its own."""

    def __init__(self, program: Program):
        self.code = program.instructions
        self.sums: dict[int, Sum] = {}
        self.checked: dict[int, Sum] = {}  # sums that are zero, or numbers
        self.told: dict[int, Sum] = {}
        self.bits: set[int] = set()  # given rows that are a bit
        self.kept: set[int] = set()
        for place, each in enumerate(self.code):
            self._take(place, each)

    def _take(self, place: int, each: Instruction) -> None:
        if each.flags & Flag.FIRST:
            self.sums[place] = {ONE: 1}
        elif each.flags & (Flag.ADD | Flag.MULTIPLY):
            found = self._sum(place, each)
            self._keep(found)
            if each.flags & Flag.ZERO and self._is_bit(place, found):
                self.bits.add(place - 1)
            elif each.flags & (Flag.ZERO | Flag.NUMBER):
                self.checked[place] = found
            else:
                self.sums[place] = found
        elif each.flags & Flag.ZERO:
            self.sums[place] = {(OWN,): 1}
        else:
            self.kept.add(place)
            self._operands(place, each)

    def _operands(self, place: int, each: Instruction) -> None:
        """What is read as it is needs a row; but what is told may be a sum of two."""
        if each.times == 1:
            found = self.sums.get(each.right, {(each.right,): 1})
            if _spare(found) is None:
                found = {(each.right,): 1}
            self.told[place] = found
            self._keep(found)
            self.kept.add(each.left)
        else:
            self.kept |= {each.left, each.right} - {place}

    def _keep(self, found: Sum) -> None:
        self.kept |= {place for monomial in found for place in monomial if place != OWN}

    def _is_bit(self, place: int, found: Sum) -> bool:
        """The row before was given, and is now said to be its own square: one row can say both."""
        before = place - 1
        return self.code[before].flags == Flag.GIVEN and not self.code[before].times and found == {
            (before,): PRIME - 1, (before, before): 1,
        }  # fmt: skip

    def _sum(self, place: int, each: Instruction) -> Sum:
        """What an instruction computes, with as many operands replaced as a gate can take; the longest go first."""
        operands = {each.left, each.right} | ({place - 1} if self._has_addend(each) else set())
        inlined = {one for one in operands if one in self.sums}
        while True:
            found = self._expanded(place, each, inlined)
            if found is not None and slots_of(found) is not None:
                return found
            inlined.remove(max(inlined, key=lambda one: (len({p for m in self.sums[one] for p in m}), one)))

    def _has_addend(self, each: Instruction) -> bool:
        return bool(each.flags & Flag.MULTIPLY and each.constant)

    def _expanded(self, place: int, each: Instruction, inlined: set[int]) -> Sum | None:
        def value(operand: int) -> Sum:
            return self.sums[operand] if operand in inlined else {(operand,): 1}

        left, right = value(each.left), value(each.right)
        if each.flags & Flag.ADD:
            return plus(left, right, each.constant)
        found = product(left, right)
        if found is None or not self._has_addend(each):
            return found
        return plus(found, value(place - 1), each.constant)

    # --- the rows ---------------------------------------------------------------------------------------------------

    def _needed(self) -> set[int]:
        """Places that rows read, and what those read in turn."""
        found, ahead = set(), list(self.kept)
        while ahead:
            place = ahead.pop()
            if place not in found:
                found.add(place)
                ahead += [read for monomial in self.sums.get(place, {}) for read in monomial if read != OWN]
        return found

    def rows(self) -> Iterator[FusedRow]:
        """All that are left."""
        needed = self._needed() | self.checked.keys()
        for place in sorted(needed):
            each = self.code[place]
            if place in self.checked:
                is_number = bool(each.flags & Flag.NUMBER)
                yield self._computed(place, self.checked[place], int(is_number), int(each.flags & Flag.NUMBER))
            elif place in self.sums:
                yield self._computed(place, self.sums[place], 1)
            elif place in self.bits:
                yield FusedRow(place, place, place, place, Gate(a=PRIME - 1, ab=1))
            else:
                yield self._asking(place, each)

    def _computed(self, place: int, found: Sum, of_c: int, flags: int = 0) -> FusedRow:
        slots = slots_of(found)
        assert slots is not None, "what no gate computes was not kept"
        left, right, third = (place if slot is None else slot for slot in slots)
        return FusedRow(place, left, right, third, gate_of(found, slots, of_c), flags)

    def _asking(self, place: int, each: Instruction) -> FusedRow:
        """A row that is given, or asks another table."""
        gate, right, third = Gate(constant=each.constant), each.right, place
        if place in self.told:
            slots = _spare(self.told[place])
            assert slots is not None, "what no gate computes was not told"
            _, right, third = (place if slot is None else slot for slot in slots)
            gate = gate_of(self.told[place], slots, 1)._replace(constant=each.constant)
        elif each.flags & Flag.SIGNED:
            gate = Gate(c=1)
        elif each.flags & Flag.HASH and not each.flags & Flag.NUMBER:  # the list goes on, and has one digest
            gate, third = Gate(c=1, d=1, constant=each.constant), place - 1
        elif not each.flags & (Flag.MEMORY | Flag.HASH) and not each.times:
            gate = Gate()
        flags = each.flags & (Flag.NUMBER | Flag.MEMORY | Flag.HASH | Flag.SIGNED)
        if flags & Flag.HASH:
            flags = int(Flag.HASH)
        return FusedRow(place, each.left, right, third, gate, flags, each.times)
