"""The rules table: transactions as frames of rows, each row an instruction of a program; and the table of programs.

Every transaction of the ledger is a program (`circuit.programs`), and this table can run any of them: a frame is a run
of rows that follow a program from its first instruction to its last. Frames have numbers of their own, from one without
a gap (`circuit.frame`), so there is one order of everything, and what a row computed is named by its frame and its
instruction. The programs that batches run most have a cheaper table beside this one (`circuit.plates`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.instructions import (
    FLAGS,
    OPERATIONS,
    PROGRAM_BITS,
    TIME_SHIFT,
    TIMES_SHIFT,
    Program,
    packed_flags,
)
from bulkhead.circuit.words import HISTORY, MESSAGE
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, total
from stark.chips.ecdsa import SIGNED
from stark.chips.poseidon import LIST, POSEIDON
from stark.chips.ranges import NUMBER

CODE = Bus("code", ("place", "left", "right", "constant", "flags"))
COMPUTED = Bus("computed", ("frame", "place", "value"))


class Rules(Chip):
    """One row an instruction: 21 cells and 3 of its buses; idle rows, after the last frame, are zeros."""

    name = "rules"
    columns = (
        "frame", "place", "left", "right", "constant", *FLAGS, "times", "a", "b", "c", "count", "written",
    )  # fmt: skip

    def __init__(self, *, in_turn: bool = True):
        """`in_turn`: other tables have frames too, and turns number them; else they count up from row to row."""
        self.in_turn = in_turn

    def constrain(self, row: Row, must: Must) -> None:
        """Which row follows which, what each computes, and what it says on the buses."""
        live = total([getattr(row, name) for name in OPERATIONS])
        for name in FLAGS:
            must.boolean(f"{name} is a bit", getattr(row, name))
        must.boolean("one operation a row", live)
        must.zero("a message is sent, taken, or there is none", row.times * (row.times - 1) * (row.times + 1))
        self._order(row, must, live)
        self._compute(row, must)
        packed = total([getattr(row, name) * (1 << place) for place, name in enumerate(FLAGS)])
        must.send(COMPUTED, [row.frame, row.place, row.c], row.count)
        must.receive(COMPUTED, [row.frame, row.left, row.a], live)
        must.receive(COMPUTED, [row.frame, row.right, row.b], live)
        flags = packed + (row.times + 1) * (1 << TIMES_SHIFT)
        must.receive(CODE, [row.place, row.left, row.right, row.constant, flags], live)
        self._ask(row, must)

    def _order(self, row: Row, must: Must, live: Expr) -> None:
        """Within a frame instructions follow each other from a first to a last one; frames follow each other."""
        after = row.next
        alive = total([getattr(after, name) for name in OPERATIONS])
        goes_on = live - row.last
        must.zero("only a live row is a last one", row.last * (1 - live))
        must.first("the first row begins a program", live * (1 - row.first))
        must.transition("a frame has one number", goes_on * (after.frame - row.frame))
        must.transition("instructions follow each other", goes_on * (after.place - row.place - 1))
        must.transition("a program goes on until its last", goes_on * (1 - alive))
        must.transition("a program begins after another", after.first * (1 - row.last))
        must.transition("after the last a program begins or nothing", row.last * (alive - after.first))
        if not self.in_turn:
            must.first("frames begin at one", live * (row.frame - 1))
            must.transition("frames count up", row.last * alive * (after.frame - row.frame - 1))
        must.transition("nothing is live after an idle row", (1 - live) * alive)
        must.last("the last frame ends", goes_on)
        for name in ("frame", "place", "left", "right", "constant", "zero", "number", "times", "a", "b", "c", "count"):
            must.zero(f"an idle row is empty: {name}", (1 - live) * getattr(row, name))

    def _compute(self, row: Row, must: Must) -> None:
        after = row.next
        must.zero("first: one", row.first * (row.c - 1))
        must.zero("add: a + constant b", row.add * (row.c - row.a - row.constant * row.b))
        product = after.c - after.a * after.b - after.constant * row.c
        must.transition("multiply: a b + constant p", after.multiply * product)
        must.transition("hash: one list has one digest", after.hash * (1 - after.number) * (after.c - row.c))
        must.zero("zero", row.zero * (1 - row.number) * row.c)
        must.zero("zero and number: the frame's number", row.zero * row.number * (row.c - row.frame))
        must.zero("what is sent is b", row.times * (row.times + 1) * (row.c - row.b))
        must.zero("only memory was written", (1 - row.memory) * row.written)

    def _ask(self, row: Row, must: Must) -> None:
        must.send(NUMBER, [row.c], row.number * (1 - row.hash))
        word, time = row.a + row.constant, row.frame * (1 << TIME_SHIFT) + row.place
        must.send(NUMBER, [time - row.written - 1], row.memory)
        must.receive(HISTORY, [word, row.c, row.written], row.memory)
        must.send(HISTORY, [word, row.b, time], row.memory)
        must.receive(POSEIDON, [row.c, row.constant, row.number, LIST, row.a, row.b], row.hash)
        must.receive(SIGNED, [row.a, row.b], row.signed)
        must.send(MESSAGE, [row.constant, row.a, row.c, row.next.a, row.next.b], row.times)


class Programs(Chip):
    """Lends the instructions of all programs, as often as it says; they are part of the system."""

    name = "programs"
    columns = ("count",)
    fixed = ("place", "left", "right", "constant", "flags")

    def __init__(self, programs: Sequence[Program]):
        self.programs = programs

    def constrain(self, row: Row, must: Must) -> None:
        """`count` is free, for the bus says what it must be."""
        must.send(CODE, [row.place, row.left, row.right, row.constant, row.flags], row.count)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        """All instructions; places without one carry no operation, so that no live row can take them."""
        rows = [
            [program.start + place, program.start + each.left, program.start + each.right, each.constant,
             packed_flags(each)]
            for program in self.programs
            for place, each in enumerate(program.instructions)
        ]  # fmt: skip
        if len(rows) > 1 << min(log_height, PROGRAM_BITS):  # a taller table has places that nobody can name
            raise ValueError(f"{len(rows)} instructions; a table of 2**{log_height} holds {1 << log_height}")
        rows += [[0] * 5] * ((1 << log_height) - len(rows))
        return [list(column) for column in zip(*rows, strict=True)]
