"""A program as a tape of array operations, run over blocks of rows by one compiled kernel for every chip.

What does not vary from row to row is computed once, in plain integers, before the tape runs. The rest is a list of
operations on registers of BLOCK field elements: few enough registers to stay in the cache, long enough rows that
reading the tape costs nothing. No chip is ever compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stark.air.expr import Leaf, Operation, Source, apply
from stark.air.program import Program, Step
from stark.field import Felts, add, from_ints, multiply, subtract
from stark.kernels import kernel

BLOCK = 256  # rows a register holds: 8 kB

LOAD, FILL, ADD, SUBTRACT, MULTIPLY, ADD_SCALAR, SUBTRACT_FROM_SCALAR, MULTIPLY_SCALAR, FOLD, STORE = range(10)

Entry = tuple[int, int, int, int]


class Tape(NamedTuple):
    """Operations (code, result register, operand, operand) and how to make the scalars they name."""

    operations: NDArray[np.int32]
    registers: int
    scalar_steps: tuple[int, ...]  # steps of the program whose values are the scalars, in order
    negated: tuple[bool, ...]  # whether the scalar is the value's negative
    program: Program
    outputs: int

    def scalars(self, value: Callable[[Leaf], int], weights: Sequence[int] = ()) -> Felts:
        """The scalars in Montgomery form, and after them the weight of each output where outputs are folded."""
        results: list[int | None] = []
        for step in self.program.steps:
            if step.leaf is None:
                left, right = results[step.left], results[step.right]
                is_scalar = left is not None and right is not None
                results.append(apply(step.operation, left or 0, right or 0) if is_scalar else None)
            elif step.leaf.varies:
                results.append(None)
            else:
                results.append(step.leaf.index if step.leaf.source == Source.CONSTANT else value(step.leaf))
        signed = zip(self.scalar_steps, self.negated, strict=True)
        chosen = [apply(Operation.SUBTRACT, 0, value) if minus else value for value, minus in
                  ((results[step] or 0, minus) for step, minus in signed)]
        return from_ints([*chosen, *weights, 0])


class _Writer:
    """Allocates registers by last use while operations are appended."""

    def __init__(self, program: Program, keep: bool):
        self.program = program
        self.keep = keep  # store each output, rather than fold all into one
        self.entries: list[Entry] = []
        self.scalars: dict[tuple[int, bool], int] = {}
        self.register: dict[int, int] = {}
        self.free: list[int] = []
        self.registers = 0
        self.varies = _varying(program)
        self.needed = _needed(program)
        self.last_use = {
            step: index for index, each in enumerate(program.steps) if self.needed[index] for step in _sides(each)
        }
        self.wanted: dict[int, list[int]] = {}
        for output, step in enumerate(program.outputs):
            self.wanted.setdefault(step, []).append(output)

    def take(self) -> int:
        """A register nobody uses."""
        if self.free:
            return self.free.pop()
        self.registers += 1
        return self.registers - 1

    def scalar(self, step: int, negated: bool = False) -> int:
        """The number of a scalar."""
        return self.scalars.setdefault((step, negated), len(self.scalars))

    def write(self, index: int) -> None:
        """Append the operation of a step, if it varies, and what is to be done with its result."""
        step = self.program.steps[index]
        if not self.varies[index]:
            if index in self.wanted:
                self._give_out(index, FILL, self.scalar(index), 0, [])
            return
        if step.leaf is not None:
            column = step.leaf.index
            self._give_out(index, LOAD, 2 * int(step.leaf.source) + int(step.leaf.is_next), column, [])
            return
        code, first, second = self._operation(index)
        self._give_out(index, code, first, second, [side for side in {step.left, step.right} if self.varies[side]])

    def _operation(self, index: int) -> tuple[int, int, int]:
        step = self.program.steps[index]
        left, right = step.left, step.right
        if self.varies[left] and self.varies[right]:
            code = {Operation.ADD: ADD, Operation.SUBTRACT: SUBTRACT, Operation.MULTIPLY: MULTIPLY}[step.operation]
            return code, self.register[left], self.register[right]
        if step.operation == Operation.SUBTRACT:
            if self.varies[left]:
                return ADD_SCALAR, self.register[left], self.scalar(right, negated=True)
            return SUBTRACT_FROM_SCALAR, self.register[right], self.scalar(left)
        varying, other = (left, right) if self.varies[left] else (right, left)
        code = ADD_SCALAR if step.operation == Operation.ADD else MULTIPLY_SCALAR
        return code, self.register[varying], self.scalar(other)

    def _give_out(self, index: int, code: int, first: int, second: int, operands: list[int]) -> None:
        for operand in operands:  # registers read for the last time may be written by the same operation
            if self.last_use[operand] == index:
                self.free.append(self.register.pop(operand))
        result = self.take()
        self.entries.append((code, result, first, second))
        self.register[index] = result
        for output in self.wanted.get(index, []):
            self.entries.append((STORE if self.keep else FOLD, 0, result, output))
        if index not in self.last_use or not self.varies[index]:
            self.free.append(self.register.pop(index))


def _sides(step: Step) -> tuple[int, ...]:
    return (step.left, step.right) if step.leaf is None else ()


def _needed(program: Program) -> list[bool]:
    """Which steps lead to an output."""
    needed = [False] * len(program.steps)
    for output in program.outputs:
        needed[output] = True
    for index in range(len(program.steps) - 1, -1, -1):
        for side in _sides(program.steps[index]) if needed[index] else ():
            needed[side] = True
    return needed


def _varying(program: Program) -> list[bool]:
    varies: list[bool] = []
    for step in program.steps:
        varies.append(step.leaf.varies if step.leaf is not None else varies[step.left] or varies[step.right])
    return varies


def make_tape(program: Program, keep: bool) -> Tape:
    """Write a program as a tape: with `keep` every output is stored, else their weighted sum."""
    writer = _Writer(program, keep)
    for index in range(len(program.steps)):
        if writer.needed[index]:
            writer.write(index)
    count = len(writer.scalars)
    entries = [(code, result, first, second + count if code == FOLD else second)
               for code, result, first, second in writer.entries]
    steps, negated = zip(*writer.scalars, strict=True) if writer.scalars else ((), ())
    operations = np.array(entries, np.int32).reshape(-1, 4)
    return Tape(operations, max(1, writer.registers), tuple(steps), tuple(negated), program, len(program.outputs))


@kernel
def run_tape(
    operations: NDArray[np.int32],
    scalars: Felts,
    columns: tuple[Felts, Felts, Felts, Felts, Felts],
    coset: int,
    start: int,
    stop: int,
    registers: Felts,
    result: Felts,
) -> None:
    """Run the tape over rows start..stop of a coset. `columns` in the order of Source, each (width, cosets, rows, 4).

    Periodic columns and selectors are those of this coset alone; periodic ones may be shorter than the table. Outputs
    that are kept go to result[output, row - start], folded ones to result[0, row - start].
    """
    fixed, trace, bus, periodic, selector = columns
    for block in range(start, stop, BLOCK):
        count = min(BLOCK, stop - block)
        for row in range(count):
            for part in range(4):
                result[0, block - start + row, part] = np.uint64(0)
        for entry in range(len(operations)):
            code, target = operations[entry, 0], operations[entry, 1]
            first, second = operations[entry, 2], operations[entry, 3]
            if code == LOAD:
                source = first >> 1
                offset = block + (first & 1)
                if source == 0:
                    _load(fixed, second, coset, offset, count, registers, target)
                elif source == 1:
                    _load(trace, second, coset, offset, count, registers, target)
                elif source == 2:
                    _load(bus, second, coset, offset, count, registers, target)
                elif source == 3:
                    _load(periodic, second, 0, offset, count, registers, target)
                else:
                    _load(selector, second, 0, offset, count, registers, target)
            elif code <= MULTIPLY_SCALAR:
                _operate(code, registers, target, first, second, scalars, count)
            else:
                _emit(code, registers, first, second, scalars, count, result, block - start)


@kernel
def _load(source: Felts, column: int, coset: int, offset: int, count: int, registers: Felts, target: int) -> None:
    """Copy cells, going on at the first row after the last."""
    rows = source.shape[2]
    row = offset % rows
    for index in range(count):
        for part in range(4):
            registers[target, index, part] = source[column, coset, row, part]
        row += 1
        if row == rows:
            row = 0


@kernel
def _operate(
    code: int, registers: Felts, target: int, first: int, second: int, scalars: Felts, count: int
) -> None:
    """One arithmetic operation on whole registers."""
    if code == ADD:
        for row in range(count):
            _put(registers, target, row, add(_cell(registers, first, row), _cell(registers, second, row)))
    elif code == SUBTRACT:
        for row in range(count):
            _put(registers, target, row, subtract(_cell(registers, first, row), _cell(registers, second, row)))
    elif code == MULTIPLY:
        for row in range(count):
            _put(registers, target, row, multiply(_cell(registers, first, row), _cell(registers, second, row)))
    elif code == FILL:
        for row in range(count):
            _put(registers, target, row, _scalar(scalars, first))
    else:
        value = _scalar(scalars, second)
        if code == ADD_SCALAR:
            for row in range(count):
                _put(registers, target, row, add(_cell(registers, first, row), value))
        elif code == SUBTRACT_FROM_SCALAR:
            for row in range(count):
                _put(registers, target, row, subtract(value, _cell(registers, first, row)))
        else:
            for row in range(count):
                _put(registers, target, row, multiply(_cell(registers, first, row), value))


@kernel
def _emit(
    code: int, registers: Felts, first: int, second: int, scalars: Felts, count: int, result: Felts, offset: int
) -> None:
    """Add a weighted output to the sum, or store it."""
    if code == FOLD:
        weight = _scalar(scalars, second)
        for row in range(count):
            product = multiply(_cell(registers, first, row), weight)
            _put(result, 0, offset + row, add(_cell(result, 0, offset + row), product))
    else:
        for row in range(count):
            _put(result, second, offset + row, _cell(registers, first, row))


@kernel
def _cell(array: Felts, register: int, row: int) -> tuple[int, int, int, int]:
    return array[register, row, 0], array[register, row, 1], array[register, row, 2], array[register, row, 3]


@kernel
def _scalar(array: Felts, index: int) -> tuple[int, int, int, int]:
    return array[index, 0], array[index, 1], array[index, 2], array[index, 3]


@kernel
def _put(array: Felts, register: int, row: int, value: tuple[int, int, int, int]) -> None:
    for part in range(4):
        array[register, row, part] = value[part]
