"""Instructions: what one row of the rules table may demand of its cells, and how programs of them are kept.

A program is a straight line of instructions. Each computes the cell `c` of its row from the `c` of two earlier rows,
`a` and `b`, and a constant; rows that need no operand read themselves. What a row does is a set of flags:

    first     c = 1                           every program begins so
    add       c = a + constant b
    multiply  c = a b + constant p            p is the c of the row before
    given     c is whatever the prover says   (also of a message that answers)
    memory    at the word a + constant stands c, and b is left there
    hash      a and b are the next two elements of a list whose digest is c; constant permutations are left
    signed    the key a has signed the message b

    zero      c is 0                          number   c has 64 bits; on a row of `hash`: the list begins
    zero and number   c is the frame's number
    times     a message is sent (1; then c is b) or taken (-1): constant, a, c, and a and b of the row after
    last      the program ends here
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

PROGRAM_BITS = 15  # instructions of all programs together
TIME_SHIFT = PROGRAM_BITS  # a moment of memory: the frame's number, then the instruction's


class Flag(IntEnum):
    """What a row does, combined by `|`; the operations exclude each other. Plain numbers, for playing combines many."""

    FIRST = 1
    ADD = 2
    MULTIPLY = 4
    GIVEN = 8
    MEMORY = 16
    HASH = 32
    SIGNED = 64
    ZERO = 128
    NUMBER = 256
    LAST = 512


OPERATIONS = ("first", "add", "multiply", "given", "memory", "hash", "signed")
FLAGS = (*OPERATIONS, "zero", "number", "last")
TIMES_SHIFT = len(FLAGS)  # in a packed instruction, `times` plus one stands above the flags


class Instruction(NamedTuple):
    """One row of a program; operands are places in the program, counted from its first instruction."""

    flags: int
    left: int
    right: int
    constant: int = 0
    times: int = 0
    rule: str = ""  # what it checks, for whoever has to find out why it failed


class Program(NamedTuple):
    """A name, the instructions, and where in all programs the first one stands."""

    name: str
    instructions: tuple[Instruction, ...]
    start: int = 0


def packed_flags(instruction: Instruction) -> int:
    """Flags and `times` in one number."""
    return int(instruction.flags) + ((instruction.times + 1) << TIMES_SHIFT)
