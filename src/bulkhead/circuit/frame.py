"""Writing programs: arithmetic on values that becomes instructions once, and the cells of a frame every time it runs.

A program is a function that is given a `Frame` and says what is computed and what must hold. Run without a memory it
assembles: its instructions are noted, and nothing has a value. Run on a memory it plays: every value is computed, what
does not hold raises Mismatch with the rule's name, and the frame's cells are kept. It takes the same path either way,
for what may differ between two transactions of one program are values and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bulkhead.circuit.instructions import PROGRAM_BITS, Flag, Instruction, Program
from bulkhead.circuit.memory import WordMemory
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.words import VALUES
from stark.chips.poseidon import PREFIXED
from stark.poseidon import hash_many
from stark.prime import PRIME

NUMBER_LIMIT = 1 << 64
NOTHING = 0  # no flag
ABOUT = 1 << 32  # a message is about a number times this, and another one
Hint = Callable[[], int]


class Mismatch(Exception):
    """A rule of the circuit does not hold for what the ledger accepted: a bug in one of them."""


class Given(NamedTuple):
    """What a played frame leaves for the tables."""

    number: int  # the frame's own
    program: Program
    values: list[int]  # the cell c of every row
    written: dict[int, int]  # of rows that use memory: when the word was last written
    signed: list[tuple[int, int]]  # key and message
    hashed: list[tuple[int, ...]]  # lists


class Value:
    """A cell of a frame: `int()` is its element while playing. Arithmetic on it writes instructions."""

    __slots__ = ("at", "frame")

    def __init__(self, frame: Frame, at: int):
        self.frame, self.at = frame, at

    def __int__(self) -> int:
        return self.frame.known[self.at]

    def __add__(self, other: Value | Scaled | int) -> Value:
        return self.frame.add(self, *_scaled(self.frame, other))

    def __radd__(self, other: int) -> Value:
        return self + other

    def __sub__(self, other: Value | Scaled | int) -> Value:
        factor, value = _scaled(self.frame, other)
        return self.frame.add(self, -factor, value)

    def __rsub__(self, other: int) -> Value:
        return self.frame.add(self.frame.constant(other), -1, self)

    def __rmul__(self, other: int) -> Scaled:
        return Scaled(other, self)


class Scaled:
    """A constant times a value, not computed yet: it becomes part of the sum it enters."""

    __slots__ = ("factor", "value")

    def __init__(self, factor: int, value: Value):
        self.factor, self.value = factor, value

    def __add__(self, other: Value | Scaled | int) -> Value:
        if isinstance(other, Value):
            return other + self
        return self.value.frame.lift(self) + other

    def __sub__(self, other: Value | Scaled | int) -> Value:
        return self.value.frame.lift(self) - other


def _scaled(frame: Frame, other: Value | Scaled | int) -> tuple[int, Value]:
    if isinstance(other, Value):
        return 1, other
    if isinstance(other, Scaled):
        return other.factor, other.value
    return other, frame.one


class Frame:
    """A program being assembled, or played as the frame of a place on a memory.

    In a system whose frames may run in several tables they are `in_turn`: each takes the turn of its own number and
    gives the turn to the next, but for the one that ends all (`ends`). The statement gives the first turn. So every
    number from one on is that of one frame: a turn is told once, and numbers cannot rise in a circle.
    """

    def __init__(
        self, name: str, place: int = 0, memory: WordMemory | None = None, start: int = 0, *, in_turn: bool = True
    ):
        self.name, self.place, self.memory, self.start = name, place, memory, start
        self.in_turn, self.ends = in_turn, False
        self.code: list[Instruction] = []
        self.values: list[int] = []
        self.known: Sequence[int] = self.values  # what a hint may ask for
        self.written: dict[int, int] = {}
        self.signed: list[tuple[int, int]] = []
        self.hashed: list[tuple[int, ...]] = []
        self._constants: dict[int, Value] = {}
        self._pairs: dict[tuple[int, int], Value] = {}
        self._own: Value | None = None
        self._borrowed: dict[int, int] = {}  # keys of words, by the row that borrowed them
        self.one = self._write(Flag.FIRST, (None, None), 0, 1)
        nothing = self.constant(0)  # nearly every program needs it
        if in_turn:
            self.message(Tag.TURN, self.own_number(), nothing, -1, lambda: 0)

    # --- instructions ---------------------------------------------------------------------------------------------

    def _write(
        self, flags: int, operands: tuple[Value | None, Value | None], constant: int, value: int, rule: str = "",
        times: int = 0,
    ) -> Value:  # fmt: skip
        """One row; an operand that is None is the row itself."""
        at = len(self.values)
        if self.memory is None:
            left, right = (at if operand is None else operand.at for operand in operands)
            self.code.append(Instruction(flags, left, right, constant % PRIME, times, rule))
        else:
            if flags & Flag.NUMBER and not flags & (Flag.HASH | Flag.ZERO) and not 0 <= value < NUMBER_LIMIT:
                raise Mismatch(refusal(self.name, flags, rule, value))
            if flags & Flag.ZERO and not flags & Flag.NUMBER and value:
                raise Mismatch(refusal(self.name, flags, rule, value))
        self.values.append(value)
        return Value(self, at)

    def add(self, left: Value, factor: int, right: Value, flags: int = NOTHING, rule: str = "") -> Value:
        """left + factor * right."""
        values = self.values
        value = (values[left.at] + factor * values[right.at]) % PRIME
        return self._write(Flag.ADD | flags, (left, right), factor, value, rule)

    def multiply(
        self, left: Value, right: Value, factor: int = 0, addend: Value | None = None,
        flags: int = NOTHING, rule: str = "",
    ) -> Value:  # fmt: skip
        """left * right, plus factor * addend where there is one."""
        values = self.values
        if addend is not None and addend.at != len(values) - 1:
            addend = self.add(addend, 0, self.one)
        value = values[left.at] * values[right.at]
        if addend is not None:
            value += factor * values[addend.at]
        constant = factor if addend is not None else 0
        return self._write(Flag.MULTIPLY | flags, (left, right), constant, value % PRIME, rule)

    def given(self, hint: Hint, rule: str = "", *, is_number: bool = False) -> Value:
        """Whatever the prover says; a number where asked."""
        value = self._hinted(hint)
        return self._write(Flag.GIVEN | (Flag.NUMBER if is_number else NOTHING), (None, None), 0, value, rule)

    def _hinted(self, hint: Hint) -> int:
        """What the prover says; it only reads, or a frame would take another path when played."""
        if self.memory is None:
            return 0
        before = len(self.values)
        value = hint() % PRIME
        assert len(self.values) == before, f"{self.name}: a hint wrote an instruction"
        return value

    def constant(self, number: int) -> Value:
        """A constant, once a frame."""
        if number == 1:
            return self.one
        if number not in self._constants:
            self._constants[number] = self.add(self.one, number - 1, self.one)
        return self._constants[number]

    def lift(self, value: Value | Scaled | int) -> Value:
        """Anything that can stand in a sum, as a value."""
        if isinstance(value, Value):
            return value
        if isinstance(value, Scaled):
            return self.add(self.constant(0), value.factor, value.value)
        return self.constant(value)

    def own_number(self) -> Value:
        """The frame's number."""
        if self._own is None:
            self._own = self._write(Flag.GIVEN | Flag.ZERO | Flag.NUMBER, (None, None), 0, self.place)
        return self._own

    # --- what must hold -------------------------------------------------------------------------------------------

    def zero(self, rule: str, left: Value, other: Value | Scaled | int = 0) -> None:
        """left + other is zero."""
        self.add(left, *_scaled(self, other), Flag.ZERO, rule)

    def equal(self, rule: str, left: Value, other: Value | Scaled | int) -> None:
        """Both are one element."""
        factor, value = _scaled(self, other)
        self.add(left, -factor, value, Flag.ZERO, rule)

    def zero_product(self, rule: str, left: Value, right: Value, factor: int = 0, addend: Value | None = None) -> None:
        """left * right + factor * addend is zero."""
        self.multiply(left, right, factor, addend, Flag.ZERO, rule)

    def number(self, rule: str, left: Value, other: Value | Scaled | int = 0) -> Value:
        """left + other, which has 64 bits."""
        return self.add(left, *_scaled(self, other), Flag.NUMBER, rule)

    # --- memory, messages, hashes ---------------------------------------------------------------------------------

    def access(self, base: Value, word: int, after: Value | None) -> Value:
        """What stands at the word base + word; `after`, or the same, is left there."""
        found = written = 0
        if self.memory is not None:
            time = (self.place << PROGRAM_BITS) + self.start + len(self.values)
            left = None if after is None else self.values[after.at]
            found, written = self.memory.access((self.values[base.at] + word) % PRIME, left, time)
            self.written[len(self.values)] = written
        return self._write(Flag.MEMORY, (base, after), word, found)

    def borrow(self, base: Value, word: int) -> Value:
        """What stands at the word base + word, of which it is not known yet what is left there: `leave` says it.

        Both are one access, at this row's moment; so nobody else asks for the word in between.
        """
        key = (self.values[base.at] + word) % PRIME
        found = self.memory.look(key) if self.memory is not None else 0
        held = self._write(Flag.MEMORY, (base, None), word, found)
        self._borrowed[held.at] = key
        return held

    def leave(self, held: Value, after: Value) -> None:
        """What is left of a borrowed word."""
        key = self._borrowed.pop(held.at)
        if self.memory is None:
            self.code[held.at] = self.code[held.at]._replace(right=after.at)
            return
        time = (self.place << PROGRAM_BITS) + self.start + held.at
        found, self.written[held.at] = self.memory.access(key, int(after), time)
        assert found == int(held) and self.written[held.at] < time, "a borrowed word was asked for in between"

    def expect_order(self, place: Value, expiry_s: Value) -> None:
        """An order that has no word yet has nothing filled, and this expiry."""
        if self.memory is not None:
            self.memory.expect_order(int(place), int(expiry_s))

    def adjust(self, base: Value, word: int, change: Value) -> tuple[Value, Value]:
        """Add to the word base + word; answers what stood there and what is left."""
        after = Value(self, len(self.values) + 1)  # the next row, which the first one leaves
        found = written = 0
        if self.memory is not None:
            key = (int(base) + word) % PRIME
            time = (self.place << PROGRAM_BITS) + self.start + len(self.values)
            found, written = self.memory.access(key, (self.memory.look(key) + int(change)) % PRIME, time)
            self.written[len(self.values)] = written
        before = self._write(Flag.MEMORY, (base, after), word, found)
        return before, self.add(before, 1, change)

    def message(self, tag: int, about: Value, also: Value, times: int, hint: Hint) -> Value:
        """Take (-1) what was told: (tag, about and also, the value answered)."""
        key, nothing = self._key(about, also), self.constant(0)
        found = self._write(Flag.GIVEN, (key, None), tag, self._hinted(hint), "", times)
        self.add(nothing, 0, nothing)  # there are no other values
        return found

    def take_all(self, about: Value, tags: Sequence[int], hints: Sequence[Hint]) -> list[Value]:
        """Take what was told by as few messages as hold it: each by the first of its tags, about a number."""
        found: list[Value] = []
        for start in range(0, len(tags), VALUES):
            one, *others = hints[start : start + VALUES]
            nothing = self.constant(0)
            if not others:
                return [*found, self.message(tags[start], about, nothing, -1, one)]
            found.append(self._write(Flag.GIVEN, (about, None), tags[start], self._hinted(one), "", -1))
            third = nothing if len(others) == 1 else Value(self, len(self.values) + 1)  # the row after the next
            found.append(self._write(Flag.GIVEN, (None, third), 0, self._hinted(others[0])))
            if len(others) > 1:
                found.append(self._write(Flag.GIVEN, (None, None), 0, self._hinted(others[1])))
        return found

    def tell_all(self, about: Value, values: Mapping[int, Value], also: Value | None = None) -> None:
        """Send values by their tags, as `take_all` takes them. `also` is for hints: what else they are about."""
        nothing, tags = self.constant(0), list(values)
        for start in range(0, len(tags), VALUES):
            one, second, third = ([values[tag] for tag in tags[start : start + VALUES]] + [nothing] * 2)[:VALUES]
            self._write(Flag.GIVEN, (about, one), tags[start], self.values[one.at], "", 1)
            self.add(second, 0, third)
        self._note(values, about, also)

    def tell(self, tag: int, about: Value, also: Value, value: Value) -> None:
        """Send (tag, about and also, value)."""
        key, nothing = self._key(about, also), self.constant(0)
        self._note({tag: value}, about, also)
        self._write(Flag.GIVEN, (key, value), tag, self.values[value.at], "", 1)
        self.add(nothing, 0, nothing)  # there are no other values

    def _note(self, said: Mapping[int, Value], about: Value, also: Value | None) -> None:
        """What is sent, for hints of later frames."""
        if self.memory is not None:
            for tag, value in said.items():
                self.memory.told[tag, int(about), 0 if also is None else int(also)] = int(value)

    def pair(self, about: Value, also: Value) -> Value:
        """Two numbers, the second one of 32 bits, as one element."""
        places = about.at, also.at
        if places not in self._pairs:
            self._pairs[places] = self.add(also, ABOUT, about)
        return self._pairs[places]

    def _key(self, about: Value, also: Value) -> Value:
        return about if also.at == self.constant(0).at else self.pair(about, also)

    def told(self, tag: int, about: int, also: int) -> int:
        """What was sent, for hints."""
        return self.memory.told.get((tag, about, also), 0) if self.memory is not None else 0

    def hash(self, elements: Sequence[Value], prefix: tuple[int, ...] = ()) -> Value:
        """The digest of a list, as `stark.poseidon.hash_many` has it. `prefix`: what the list begins with, before these
        elements; none, or that of the system's chip.
        """
        padded = [*elements, self.one]
        if len(padded) % 2:
            padded.append(self.constant(0))
        digest = self._digest(elements, prefix)
        permutations = len(padded) // 2
        first: Value | None = None
        for place in range(permutations):
            flags = Flag.HASH | (Flag.NUMBER if place == 0 else NOTHING)
            pair = padded[2 * place : 2 * place + 2]
            left = permutations - 1 - place + (PREFIXED if prefix and not place else 0)
            row = self._write(flags, (pair[0], pair[1]), left, digest)
            first = first or row
        assert first is not None
        return first

    def _digest(self, elements: Sequence[Value], prefix: tuple[int, ...]) -> int:
        if self.memory is None:
            return 0
        listed = (*prefix, *map(int, elements))
        self.hashed.append(listed)
        return hash_many(listed)

    def signature(self, key: Value, message: Value) -> None:
        """The key has signed the message."""
        if self.memory is not None:
            self.signed.append((int(key), int(message)))
        self._write(Flag.SIGNED, (key, message), 0, 0)

    # --- the end --------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        assert not self._borrowed, f"{self.name}: a borrowed word is left at something"
        if self.in_turn and not self.ends:
            nothing = self.constant(0)
            self.tell(Tag.TURN, self.own_number() + 1, nothing, nothing)

    def assembled(self) -> Program:
        """The program, its last instruction marked."""
        self._end()
        *rest, last = self.code
        return Program(self.name, (*rest, last._replace(flags=last.flags | Flag.LAST)))

    def played(self, program: Program) -> Given:
        """The frame's cells; the program is the one that was assembled by the same function."""
        self._end()
        assert len(self.values) == len(program.instructions), f"{self.name} took another path than when assembled"
        return Given(self.place, program, self.values, self.written, self.signed, self.hashed)


def refusal(name: str, flags: int, rule: str, value: int) -> str:
    """Which rule of a program a value breaks."""
    if flags & Flag.ZERO:
        return f"{name}: {rule}: differs by {_shown(value)}"
    return f"{name}: {rule or 'a number'}: {_shown(value)} has not 64 bits"


def _shown(value: int) -> int:
    """An element near zero or below it, as it is read most easily."""
    return value if value <= PRIME // 2 else value - PRIME
