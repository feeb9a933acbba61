"""Playing a program again: what its function wrote once becomes one flat function of its hints, run frame by frame.

A program is a straight line, and what differs between two of its frames are values and nothing else. So its function is
called once more, on a frame that notes the hints instead of asking them, with a case of which nothing is known yet; and
the instructions become a function of Python without calls, but for hints, memory and hashes. What it leaves is what
`frame` leaves, cell for cell, and it refuses what that refuses.

A hint may ask for parts of the case and for values only when it is called: a function that asks for them while it
writes cannot be noted, and is played as before (`Unwritten`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from bulkhead.circuit.frame import NUMBER_LIMIT, Frame, Given, Hint, Mismatch, Value, refusal
from bulkhead.circuit.instructions import PROGRAM_BITS, Flag, Instruction, Program
from bulkhead.circuit.memory import WordMemory
from stark.poseidon import hash_many
from stark.prime import PRIME

Get = Callable[[Any], Any]


class Unwritten(Exception):
    """A function asked for a value while it was writing its program: it cannot be noted."""


class _Slot:
    """The case that is played now."""

    __slots__ = ("case", "is_known")

    def __init__(self) -> None:
        self.case, self.is_known = None, False


class _Part:
    """A part of a case: another part of it while the program is noted, what stands there when a hint asks."""

    __slots__ = ("_get", "_slot")

    def __init__(self, slot: _Slot, get: Get):
        self._slot, self._get = slot, get

    def _now(self) -> Any:
        if not self._slot.is_known:
            raise Unwritten
        return self._get(self._slot.case)

    def _part(self, get: Get) -> Any:
        own = self._get
        return get(self._now()) if self._slot.is_known else _Part(self._slot, lambda case: get(own(case)))

    def __getattr__(self, name: str) -> Any:
        return self._part(lambda whole: getattr(whole, name))

    def __getitem__(self, place: int) -> Any:
        return self._part(lambda whole: whole[place])

    def __eq__(self, other: object) -> bool:
        return bool(self._now() == other)

    def __hash__(self) -> int:
        return hash(self._now())

    def __bool__(self) -> bool:
        return bool(self._now())

    def __int__(self) -> int:
        return int(self._now())


def _asking(name: str) -> Callable[..., Any]:
    return lambda part, *others: getattr(part._now(), name)(*others)


# Whatever else is done with a part asks for it, and is refused while the program is noted.
for _name in (
    "abs", "neg", "add", "sub", "mul", "floordiv", "mod", "lshift", "rshift", "and", "or", "radd", "rsub", "rmul",
    "rfloordiv", "rmod", "rlshift", "rrshift", "rand", "ror", "lt", "le", "gt", "ge", "index", "iter", "len",
    "contains", "call",
):  # fmt: skip
    setattr(_Part, f"__{_name}__", _asking(f"__{_name}__"))


class _Case(_Part):
    """A whole case: there is one."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


class _Unknown(Sequence[int]):
    """Values of a frame that is being noted."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, place: Any) -> Any:
        raise Unwritten


class _Noting(Frame):
    """A frame that assembles its program, and notes what assembling leaves out."""

    def __init__(self, name: str, *, in_turn: bool):
        self.hints: dict[int, Hint] = {}
        self.lists: dict[int, tuple[tuple[int, ...], list[int]]] = {}  # prefix and elements, by the row they begin in
        self.calls: dict[int, list[tuple[str, list[int]]]] = {}  # lines about values, by the row they come before
        super().__init__(name, in_turn=in_turn)
        self.known = _Unknown()

    def _hinted(self, hint: Hint) -> int:
        self.hints[len(self.values)] = hint
        return 0

    def _digest(self, elements: Sequence[Value], prefix: tuple[int, ...]) -> int:
        self.lists[len(self.values)] = prefix, [element.at for element in elements]
        return 0

    def _note(self, said: Mapping[int, Value], about: Value, also: Value | None) -> None:
        for tag, value in said.items():
            places = [about.at, value.at] if also is None else [about.at, value.at, also.at]
            self._call(f"told[{int(tag)}, {{0}}, {0 if also is None else '{2}'}] = {{1}}", places)

    def expect_order(self, place: Value, expiry_s: Value) -> None:
        """Before the row that comes next."""
        self._call("memory.expect_order({0}, {1})", [place.at, expiry_s.at])

    def _call(self, line: str, places: list[int]) -> None:
        self.calls.setdefault(len(self.values), []).append((line, places))


class Played(NamedTuple):
    """What a frame leaves, as `Given`, filled in row by row."""

    values: list[int]
    written: dict[int, int]
    signed: list[tuple[int, int]]
    hashed: list[tuple[int, ...]]


class Replay:
    """A program of a play, as its function wrote it once."""

    def __init__(self, program: Program, write: Callable[[Frame, Any], None], *, in_turn: bool):
        """Raises Unwritten for a function that cannot be noted."""
        self.program = program
        self._slot = _Slot()
        self._frame = _Noting(program.name, in_turn=in_turn)
        write(self._frame, _Case(self._slot, lambda case: case))
        noted = self._frame.assembled().instructions
        assert noted == program.instructions, f"{program.name} took another path than when assembled"
        self._slot.is_known = True
        hints = self._frame.hints
        self._hints = tuple(hints.get(row) for row in range(len(noted)))
        self._run = _compiled(_Source(program, self._frame).text)

    def play(self, memory: WordMemory, place: int, case: Any) -> Given:
        """The frame of a place. Mismatch where a rule of the program does not hold."""
        frame, count = self._frame, len(self.program.instructions)
        found = Played([0] * count, {}, [], [])
        self._slot.case, frame.memory, frame.place, frame.known = case, memory, place, found.values
        self._run(found, self._hints, memory, place, (place << PROGRAM_BITS) + self.program.start, self._refuse)
        return Given(place, self.program, *found)

    def _refuse(self, row: int, value: int) -> None:
        instruction = self.program.instructions[row]
        raise Mismatch(refusal(self.program.name, instruction.flags, instruction.rule, value))


@lru_cache(maxsize=512)
def _compiled(text: str) -> Any:
    """The function; equal programs of several plays are compiled once."""
    names: dict[str, Any] = {"P": PRIME, "MOST": NUMBER_LIMIT - 1, "hash_many": hash_many}
    exec(compile(text, "<program>", "exec"), names)
    return names["run"]


class _Source:
    """The text of a program's function: x7 is the value of row 7, and stands in `values` for hints."""

    def __init__(self, program: Program, noted: _Noting):
        self._noted = noted
        self._constants: dict[int, int] = {}  # values that are the same in every frame
        self._due: dict[int, list[int]] = {}  # rows of memory, by the later row whose value they leave at their word
        self._lines = [
            "def run(found, hints, memory, place, time, refuse):",
            " values, written, signed, hashed = found",
            " look, access, told = memory.look, memory.access, memory.told",
        ]
        for row, instruction in enumerate(program.instructions):
            self._calls(row)
            self._row(row, instruction)
        self._calls(len(program.instructions))

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self._lines)

    def _add(self, line: str) -> None:
        self._lines.append(f" {line}")

    def _calls(self, row: int) -> None:
        for name, places in self._noted.calls.get(row, []):
            self._add(name.format(*(self._name(place) for place in places)))

    def _name(self, row: int) -> str:
        """A value that is known by now."""
        return str(self._constants[row]) if row in self._constants else f"x{row}"

    def _row(self, row: int, one: Instruction) -> None:
        flags = one.flags
        if flags & Flag.MEMORY:
            self._memory(row, one)
        elif flags & Flag.HASH:
            self._hash(row)
        elif flags & Flag.SIGNED:
            self._add(f"signed.append(({self._name(one.left)}, {self._name(one.right)}))")
            self._constants[row] = 0
        elif flags & Flag.GIVEN:
            self._given(row, one)
        else:
            self._computed(row, one)
        if flags & Flag.NUMBER and not flags & (Flag.HASH | Flag.ZERO):
            self._add(f"if {self._name(row)} > MOST: refuse({row}, {self._name(row)})")
        for place in self._due.pop(row, []):
            self._add(f"_, written[{place}] = access(key{place}, {self._name(row)}, time + {place})")

    def _value(self, row: int, text: str) -> None:
        self._add(f"values[{row}] = x{row} = {text}")

    def _memory(self, row: int, one: Instruction) -> None:
        key = f"({self._name(one.left)} + {one.constant}) % P"
        if one.right <= row:
            after = None if one.right == row else self._name(one.right)
            self._add(f"x{row}, written[{row}] = access({key}, {after}, time + {row})")
            self._add(f"values[{row}] = x{row}")
            return
        # What is left there follows from what stands there: nobody asks for the word in between.
        self._add(f"key{row} = {key}")
        self._value(row, f"look(key{row})")
        self._due.setdefault(one.right, []).append(row)

    def _hash(self, row: int) -> None:
        if row not in self._noted.lists:
            self._value(row, f"x{row - 1}")  # one digest for all rows of a list
            return
        prefix, elements = self._noted.lists[row]
        listed = ", ".join([*map(str, prefix), *map(self._name, elements)])
        self._add(f"listed = ({listed},)")
        self._add("hashed.append(listed)")
        self._value(row, "hash_many(listed)")

    def _given(self, row: int, one: Instruction) -> None:
        if row in self._noted.hints:
            self._value(row, f"int(hints[{row}]()) % P")
        elif one.times == 1:
            self._value(row, self._name(one.right))
        else:
            assert one.flags & Flag.ZERO and one.flags & Flag.NUMBER, "what is given is the frame's number, or noted"
            self._value(row, "place")

    def _computed(self, row: int, one: Instruction) -> None:
        if one.flags & Flag.FIRST:
            text = "1"
        elif one.flags & Flag.ADD:
            text = self._sum(one)
        else:
            text = f"{self._name(one.left)} * {self._name(one.right)}"
            text += f" + {_signed(one.constant)} * {self._name(row - 1)}" if one.constant else ""
        if text.lstrip("-").isdecimal():
            self._constants[row] = int(text) % PRIME
            self._add(f"values[{row}] = {self._constants[row]}")
        elif not one.flags & Flag.ZERO:
            self._value(row, f"({text}) % P")
        if one.flags & Flag.ZERO:  # the value stays zero
            self._add(f"if ({text}) % P: refuse({row}, ({text}) % P)")
            self._constants[row] = 0

    def _sum(self, one: Instruction) -> str:
        left, right, factor = self._constants.get(one.left), self._constants.get(one.right), _signed(one.constant)
        if right is not None:
            more = _signed(factor * right % PRIME)
            return str(_signed((left + more) % PRIME)) if left is not None else f"x{one.left} + {more}"
        if factor in (1, -1):
            return f"{self._name(one.left)} {'+' if factor == 1 else '-'} x{one.right}"
        return f"{self._name(one.left)} + {factor} * x{one.right}"


def _signed(element: int) -> int:
    """The number of least size that an element stands for."""
    return element if element <= PRIME // 2 else element - PRIME
